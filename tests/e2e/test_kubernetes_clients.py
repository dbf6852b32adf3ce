"""Real clients of Kubernetes' TokenReview: kubectl, curl and python3-kubernetes as Debian has them, @kubernetes/client-node as npm has it; and
kube-apiserver's webhook and kube-controller-manager by what they were recorded to send. client-go's typed clients: test_tokenreview_protobuf.py."""

import json
import pathlib
import shutil
import subprocess

import kubernetes
import kubernetes_protobuf
import pytest
import tokens
import wire
from gateways import PROXIES
from service import ISSUER, ROOT, TOKENREVIEWS
from test_callers import Guarded

KUBECTL = PROXIES / "kubernetes-client/usr/bin/kubectl"  # tests/run unpacks it; an installed one may be of any version
V1BETA1 = TOKENREVIEWS.replace("/v1/", "/v1beta1/")
FOREIGN = ["https://kubernetes.default.svc", "k3s"]  # what an API server calls itself


@pytest.fixture(scope="module")
def world(shared):
    """Routes for what wants the token's own account, and for a webhook."""
    shared.put("/v1/routes/cluster", {"audiences": ["relyd"], "user": "kubernetes"})
    shared.put("/v1/routes/webhook", {"audiences": ["relyd"], "callerAudiences": "trusted"})
    shared.token = shared.signer.sign(tokens.claims(ISSUER))
    shared.stranger = shared.signer.sign(tokens.claims(ISSUER, account="deployer"))
    return shared


def body_of(token, *audiences, version="v1"):
    return {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": token, "audiences": list(audiences)}}


# --- kubectl ----------------------------------------------------------------------------------------------------------


def kubectl(folder, server, path, body, *options):
    """`kubectl create --raw`: its exit code, standard output and standard error. A body without a Content-Type, in chunks."""
    assert KUBECTL.is_file(), "there is no kubectl; tests/run e2e unpacks one"
    file = folder / "body.json"
    file.write_text(body if isinstance(body, str) else json.dumps(body))
    words = [KUBECTL, "--kubeconfig=/dev/null", f"--cache-dir={folder}", f"--server={server}", *options, "create", "--raw", path, "-f", file]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=wire.TIMEOUT, check=False, env={"HOME": str(folder)})
    return done.returncode, done.stdout, done.stderr


def server_of(relyd, scheme="http"):
    return f"{scheme}://127.0.0.1:{relyd.data[1]}"


def test_kubectl(world, tmp_path):
    for path, username in ((TOKENREVIEWS, "payments-api"), (V1BETA1, "payments-api"), (f"/routes/cluster{TOKENREVIEWS}", "system:serviceaccount:team-a:builder"),
                           ("/routes/cluster/tokenreviews", "system:serviceaccount:team-a:builder"), (f"{TOKENREVIEWS}?timeout=5s", "payments-api")):
        code, printed, complaint = kubectl(tmp_path, server_of(world), path, body_of(world.token, "relyd"))
        assert (code, complaint) == (0, ""), (path, complaint)
        answer = json.loads(printed)
        assert (answer["status"]["authenticated"], answer["status"]["user"]["username"], answer["status"]["audiences"]) == (True, username, ["relyd"])
    code, printed, _ = kubectl(tmp_path, server_of(world), TOKENREVIEWS, body_of(world.stranger, "relyd"))
    status = json.loads(printed)["status"]
    assert (code, status["authenticated"]) == (0, False) and status["error"].startswith("no_matching_credential: ")


def test_kubectl_says_what_is_wrong(world, tmp_path):
    """It prints the message of a `Status`."""
    for path, body, words in (
        (TOKENREVIEWS, body_of(""), "Error from server (BadRequest): token is required for TokenReview in authentication (no_token)"),
        (TOKENREVIEWS, "{}", "Error from server (BadRequest): spec is required, and is an object"),
        (TOKENREVIEWS, '{"spec":', "Error from server (BadRequest): the body is not a strict JSON object"),
        (TOKENREVIEWS, body_of("x") | {"kind": "Pod"}, "Error from server (BadRequest): kind is not TokenReview"),
        (TOKENREVIEWS.replace("v1/", "v1/namespaces/team-a/"), body_of("x"), "Error from server (BadRequest): namespace is not allowed on this type"),
        (f"/routes/nowhere{TOKENREVIEWS}", body_of("x"), "Error from server (NotFound): no route has the name"),
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", "{}", "Error from server (NotFound): the server could not find the requested resource"),
    ):
        code, printed, complaint = kubectl(tmp_path, server_of(world), path, body)
        assert (code, printed) == (1, ""), path
        assert complaint.startswith(words), complaint


def test_kubectl_as_a_caller(start, tmp_path):
    """Over https: with a certificate, with a token, with neither and with a token of somebody who may not ask."""
    guarded = Guarded(start, tmp_path)
    certificate, key = guarded.authority.issue(tmp_path, "dns:gw.example")
    trusting = [f"--certificate-authority={tmp_path / 'tls.crt'}", "--tls-server-name=localhost"]
    for options, is_asked in (
        ([f"--client-certificate={certificate}", f"--client-key={key}"], True),
        ([f"--token={guarded.token('gateway')}"], True),
    ):
        code, printed, complaint = kubectl(tmp_path, server_of(guarded, "https"), TOKENREVIEWS, body_of(guarded.workload), *trusting, *options)
        assert (code, is_asked) == (0, True), complaint
        assert json.loads(printed)["status"]["authenticated"] is True
    for options, words in (([f"--token={guarded.token('sees')}"], "(Forbidden)"), (["--token=x.y.z"], "must be logged in to the server")):
        code, printed, complaint = kubectl(tmp_path, server_of(guarded, "https"), TOKENREVIEWS, body_of(guarded.workload), *trusting, *options)
        assert (code, printed) == (1, "") and words in complaint, complaint


# --- curl -------------------------------------------------------------------------------------------------------------


def curl(*words, body):
    """(status, answer)"""
    done = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "--data-binary", "@-", *map(str, words)], input=json.dumps(body), capture_output=True, text=True, timeout=wire.TIMEOUT, check=True)
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(answer)


def test_curl(world):
    url, in_json = server_of(world) + TOKENREVIEWS, ["-H", "Content-Type: application/json"]
    for options in (in_json, ["-H", "Content-Type:"], [*in_json, "-H", "Transfer-Encoding: chunked"], [*in_json, "-H", "Expect: 100-continue"], ["-0", *in_json]):
        status, answer = curl(*options, url, body=body_of(world.token, "relyd"))
        assert (status, answer["status"]["user"]["username"]) == (200, "payments-api"), options
    status, answer = curl(*in_json, url, body=body_of(world.stranger))
    assert (status, answer["status"]["authenticated"]) == (200, False)
    status, answer = curl(url, body=body_of(world.token))  # what curl says when nobody tells it: a form
    assert (status, answer["reason"]) == (415, "UnsupportedMediaType") and "Content-Type" in answer["message"]


def test_http2(start, tmp_path):
    """client-go speaks it wherever a listener offers it: in JSON and in protobuf."""
    guarded = Guarded(start, tmp_path)
    certificate, key = guarded.authority.issue(tmp_path, "dns:gw.example")
    url = f"https://localhost:{guarded.data[1]}"
    options = ["-s", "--http2", "-w", "\n%{http_version} %{http_code}", "--cacert", tmp_path / "tls.crt", "--cert", certificate, "--key", key, "--data-binary", "@-"]
    in_json = json.dumps(body_of(guarded.workload, "relyd")).encode()
    in_protobuf = kubernetes_protobuf.tokenreview(guarded.workload, "relyd")
    for media_type, body, status in (("application/json", in_json, 200), ("application/vnd.kubernetes.protobuf", in_protobuf, 200), ("application/vnd.kubernetes.protobuf", in_protobuf[:-1], 400)):
        words = ["curl", *options, "-H", f"Content-Type: {media_type}", url + TOKENREVIEWS]
        printed = subprocess.run([str(word) for word in words], input=body, capture_output=True, timeout=wire.TIMEOUT, check=True).stdout
        answer, _, told = printed.rpartition(b"\n")
        assert told.decode() == f"2 {status}"
        assert json.loads(answer)["kind"] == ("TokenReview" if status == 200 else "Status")
        assert status != 200 or json.loads(answer)["status"]["authenticated"] is True


# --- python3-kubernetes -----------------------------------------------------------------------------------------------


def python_client(server, ca=None, token=None):
    settings = kubernetes.client.Configuration(host=server)
    settings.ssl_ca_cert = ca
    if token is not None:
        settings.api_key = {"authorization": f"Bearer {token}"}
    settings.retries = False
    return kubernetes.client.AuthenticationV1Api(kubernetes.client.ApiClient(settings))


def python_review(client, token, *audiences):
    spec = kubernetes.client.V1TokenReviewSpec(token=token, audiences=list(audiences) or None)
    return client.create_token_review(kubernetes.client.V1TokenReview(api_version="authentication.k8s.io/v1", kind="TokenReview", spec=spec))


def test_python(world):
    """It throws at an answer without `spec`."""
    review = python_review(python_client(server_of(world)), world.token, "x", "relyd")
    assert (review.api_version, review.kind, review.status.authenticated, review.status.audiences) == ("authentication.k8s.io/v1", "TokenReview", True, ["relyd"])
    assert (review.status.user.username, review.status.user.groups, review.status.error) == ("payments-api", ["payments"], None)
    assert review.status.user.extra["relyd.io/issuer"] == ["prod"]
    refused = python_review(python_client(server_of(world)), world.stranger).status
    assert (refused.authenticated, refused.audiences, refused.user.username) == (False, None, None)
    assert refused.error.startswith("no_matching_credential: ")


def test_python_under_a_route(world):
    """Its `host` ends with the route, as Vault's `kubernetes_host` does."""
    review = python_review(python_client(f"{server_of(world)}/routes/cluster"), world.token)
    uid = tokens.payload_of(world.token)["kubernetes.io"]["serviceaccount"]["uid"]
    assert (review.status.user.username, review.status.user.uid) == ("system:serviceaccount:team-a:builder", uid)
    for client, token, status, reason in ((python_client(f"{server_of(world)}/routes/nowhere"), "x", 404, "NotFound"), (python_client(server_of(world)), "", 400, "BadRequest")):
        with pytest.raises(kubernetes.client.ApiException) as caught:
            python_review(client, token)
        assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (status, reason)


def test_python_as_a_caller(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    server = f"https://localhost:{guarded.data[1]}"
    asks = python_client(server, str(tmp_path / "tls.crt"), guarded.token("gateway"))
    assert python_review(asks, guarded.workload).status.authenticated is True
    for token, status, reason in ((None, 401, "Unauthorized"), (guarded.token("sees"), 403, "Forbidden")):
        with pytest.raises(kubernetes.client.ApiException) as caught:
            python_review(python_client(server, str(tmp_path / "tls.crt"), token), guarded.workload)
        assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (status, reason)


# --- @kubernetes/client-node --------------------------------------------------------------------------------------------

MODULES = ROOT / "build/modules"  # tests/run fetches them, where it can
needs_modules = pytest.mark.skipif(not (MODULES / "complete").is_file(), reason="there is no @kubernetes/client-node; tests/run e2e fetches it where there is npm")


def ask_by_node(questions):
    words = [shutil.which("node"), str(pathlib.Path(__file__).parent / "client_node.mjs"), str(MODULES)]
    done = subprocess.run(words, input=json.dumps(questions), capture_output=True, text=True, timeout=3 * wire.TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_modules
def test_client_node(start, tmp_path):
    """It asks over https alone; of a 401 it does not look at the body."""
    guarded = Guarded(start, tmp_path)
    guarded.relyd.put("/v1/routes/cluster", {"audiences": ["relyd"], "user": "kubernetes"})
    server = f"https://localhost:{guarded.data[1]}"
    question = {"server": server, "ca": str(tmp_path / "tls.crt"), "token": guarded.token("gateway"), "spec": {"token": guarded.workload, "audiences": ["x", "relyd"]}}
    changes = [{}, {"server": f"{server}/routes/cluster"}, {"spec": {"token": "x.y.z"}}, {"spec": {"token": ""}}, {"server": f"{server}/routes/nowhere"},
               {"token": guarded.token("sees")}, {"token": "x.y.z"}]
    allowed, account, refused, *errors = ask_by_node([question | change for change in changes])
    status = allowed["review"]["status"]
    assert (status["authenticated"], status["audiences"], status["user"]["username"]) == (True, ["relyd"], "payments-api")
    assert account["review"]["status"]["user"]["username"] == "system:serviceaccount:team-a:builder"
    assert refused["review"]["status"]["authenticated"] is False and refused["review"]["status"]["error"].startswith("malformed_token: ")
    assert [error["code"] for error in errors] == [400, 404, 403, 401]
    assert [json.loads(error["body"])["reason"] for error in errors[:3]] == ["BadRequest", "NotFound", "Forbidden"]


# --- what was recorded ------------------------------------------------------------------------------------------------

WEBHOOK_HEAD = (
    "POST {path}?timeout=30s HTTP/1.1\r\nHost: 127.0.0.1:9443\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {length}\r\n"
    "Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
)
MANAGER_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:9443\r\nUser-Agent: kube-controller-manager/v1.36.0 (linux/amd64) kubernetes/x\r\nContent-Length: {length}\r\n"
    "Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
)


def send(relyd, head, path, body):
    """The webhook's is as it was recorded, to the byte but for the token: with an empty metadata and status, and a line's end."""
    text = (json.dumps(body, separators=(",", ":")) + "\n").encode()
    received = wire.exchange(relyd.data, head.format(path=path, length=len(text)).encode() + text, seconds=5)
    assert wire.statuses(received) == [200]
    return json.loads(received.partition(b"\r\n\r\n")[2])


def recorded(token, version, *audiences):
    spec = {"token": token} | ({"audiences": list(audiences)} if audiences else {})
    return {"kind": "TokenReview", "apiVersion": f"authentication.k8s.io/{version}", "metadata": {}, "spec": spec, "status": {"user": {}}}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_kube_apiservers_webhook(world, version):
    """With another cluster's token: it compares `audiences` with its own before it looks at anything else, and takes no other version."""
    for path in (f"/routes/webhook{TOKENREVIEWS}", "/routes/webhook/tokenreviews"):
        answer = send(world, WEBHOOK_HEAD, path, recorded(world.token, version, *FOREIGN))
        assert (answer["apiVersion"], answer["kind"]) == (f"authentication.k8s.io/{version}", "TokenReview")
        status = answer["status"]
        assert (status["authenticated"], status["audiences"]) == (True, FOREIGN)
        assert (status["user"]["username"], status["user"]["groups"], "error" in status) == ("payments-api", ["payments"], False)
        assert not any(name.startswith("system:") for name in [status["user"]["username"], *status["user"]["groups"]])
        refused = send(world, WEBHOOK_HEAD, path, recorded(world.stranger, version, *FOREIGN))["status"]
        assert (refused["authenticated"], refused["user"], "audiences" in refused) == (False, {}, False)
        assert refused["error"].startswith("no_matching_credential: ")
    narrow = send(world, WEBHOOK_HEAD, TOKENREVIEWS, recorded(world.token, version, *FOREIGN))["status"]
    assert narrow["error"].startswith("audience_mismatch: ")


def test_what_reaches_a_webhook(world):
    """Every bearer token that the API server itself does not take: 200 and no, whatever it is."""
    for token in ("garbage", "a", "a.b.c", "\ufffd", "Bearer", world.token[:-8], world.token + "x", "x" * 16_000):
        status = send(world, WEBHOOK_HEAD, f"/routes/webhook{TOKENREVIEWS}", recorded(token, "v1beta1", *FOREIGN))["status"]
        assert (status["authenticated"], status["user"]) == (False, {}) and status["error"], token


def test_kube_controller_manager(world):
    """With --authentication-kubeconfig, as metrics-server and aggregated API servers ask, too: no audiences, no query."""
    answer = send(world, MANAGER_HEAD, TOKENREVIEWS, recorded(world.token, "v1"))
    assert (answer["status"]["authenticated"], answer["status"]["audiences"]) == (True, ["relyd"])
    assert send(world, MANAGER_HEAD, TOKENREVIEWS, recorded(world.stranger, "v1"))["status"]["authenticated"] is False
