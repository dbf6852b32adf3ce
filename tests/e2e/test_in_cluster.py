"""The issuer of relyd's own cluster, out of what Kubernetes gives its pod: `POST /v1/issuers?inCluster=true`."""

import os
import socket

import pytest
import service
import tokens
import wire
from issuer import Issuer
from service import Relyd
from test_bearer_files import sent
from test_fetching import wait_for

JWKS = "/openid/v1/jwks"
ISSUER = "https://kubernetes.default.svc.cluster.local"
ONLY_THERE = "is sent to the API server at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT alone"


class Pod:
    """A relyd that sees a folder of the test's as /run, as its pod would have it."""

    def __init__(self, folder, issuer):
        self.issuer = issuer
        self.folder = folder / "run/secrets/kubernetes.io/serviceaccount"
        self.folder.mkdir(parents=True)
        self.token = issuer.keys[0].sign(tokens.claims(ISSUER, sub="system:serviceaccount:relyd:relyd"))
        (self.folder / "token").write_text(self.token)
        (self.folder / "ca.crt").write_text(issuer.ca)
        self.relyd = Relyd(folder / "relyd")
        own = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.relyd.prefix = ["unshare", "--mount", *own, "sh", "-c", 'mount --bind "$0" /run && exec "$@"', str(folder / "run")]

    def create(self, body=None, query="inCluster=true"):
        return self.relyd.admin("POST", f"/v1/issuers?{query}", {"name": "own"} | (body or {}))


@pytest.fixture
def pod(tmp_path, issuer, monkeypatch):
    monkeypatch.setitem(service.ENVIRONMENT, "KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setitem(service.ENVIRONMENT, "KUBERNETES_SERVICE_PORT", str(issuer.port))
    made = Pod(tmp_path, issuer)
    made.relyd.start()
    yield made
    made.relyd.stop()


def test_all_of_it_comes_from_the_pod(pod, issuer):
    answer = pod.create()
    assert answer.status == 201, answer
    record = answer.json()
    assert (record["issuer"], record["keys"], record["caBundle"]) == (ISSUER, {"jwksUri": issuer.url + JWKS}, issuer.ca)
    assert record["bearerTokenFile"] == "@pod" and record["allowPrivateAddresses"] is True
    pod.relyd.put_identity()
    pod.relyd.put_credential(issuer=ISSUER, subject="system:serviceaccount:team-a:builder")
    wait_for(pod.relyd, "keys", "own")
    assert pod.relyd.reason(issuer.keys[0].sign(tokens.claims(ISSUER))) == "ok"
    assert sent(issuer) == [(JWKS, ["Bearer " + pod.token])]
    assert pod.token not in pod.relyd.log() and pod.token not in str(record)


def test_the_pods_token_is_read_anew(pod, issuer):
    """The kubelet puts another one there every hour."""
    pod.create()
    wait_for(pod.relyd, "keys", "own")
    (pod.folder / "token").write_text("another")
    pod.relyd.put_issuer("own", ISSUER, **{"keys": {"jwksUri": issuer.url + JWKS}, "caBundle": issuer.ca, "bearerTokenFile": "@pod",
                                           "allowPrivateAddresses": True, "description": "asks again"})
    wire.wait_for(lambda: sent(issuer)[-1] == (JWKS, ["Bearer another"]), what="the new token")


def test_what_the_body_says_wins(pod, issuer):
    record = pod.create({"issuer": "https://other.example", "caBundle": issuer.ca + "\n", "allowPrivateAddresses": False}).json()
    assert record["issuer"] == "https://other.example" and record["caBundle"] == issuer.ca + "\n"
    assert record["keys"] == {"jwksUri": issuer.url + JWKS} and record["allowPrivateAddresses"] is False


def test_keys_of_elsewhere_get_neither_token_nor_authority(pod, issuer):
    record = pod.create({"keys": {"jwks": tokens.jwks(issuer.keys[0])}}).json()
    assert record["issuer"] == ISSUER and "bearerTokenFile" not in record and "caBundle" not in record
    assert record["allowPrivateAddresses"] is False


BAD_PODS = {
    "no token": (lambda pod: (pod.folder / "token").unlink(), "/token: it cannot be opened: No such file or directory"),
    "no authority": (lambda pod: (pod.folder / "ca.crt").unlink(), "/ca.crt: it cannot be opened: No such file or directory"),
    "an empty token": (lambda pod: (pod.folder / "token").write_text(""), "/token: it is empty"),
    "no JWT": (lambda pod: (pod.folder / "token").write_text("geheim"), "is no token with an iss"),
    "no iss": (lambda pod: (pod.folder / "token").write_text(pod.issuer.keys[0].sign({"sub": "x"})), "is no token with an iss"),
}


@pytest.mark.parametrize("name", BAD_PODS)
def test_pods_that_have_not_what_it_takes(pod, name):
    spoil, words = BAD_PODS[name]
    spoil(pod)
    answer = pod.create()
    assert answer.status == 400, answer
    problem = answer.json()["errors"][0]
    assert (problem["field"], problem["code"]) == ("inCluster", "not_allowed") and problem["message"].endswith(words)
    assert "geheim" not in str(answer.json())
    assert pod.relyd.admin("GET", "/v1/issuers/own").status == 404


def test_the_pods_token_goes_to_its_api_server_alone(pod):
    """Whoever may write records chooses the server, its authority and the way; the token is not his."""
    elsewhere = Issuer()
    try:
        pod.relyd.put_issuer("elsewhere", elsewhere.url, **{"keys": {"jwksUri": elsewhere.url + JWKS}, "caBundle": elsewhere.ca,
                                                            "bearerTokenFile": "@pod", "allowPrivateAddresses": True})
        assert ONLY_THERE in wait_for(pod.relyd, "lastError", "elsewhere")
        pod.relyd.put_issuer("discovered", **elsewhere.record(issuer=elsewhere.url + "/d", bearerTokenFile="@pod"))
        assert ONLY_THERE in wait_for(pod.relyd, "lastError", "discovered")
        assert elsewhere.requests == []
    finally:
        elsewhere.stop()


def test_the_pods_token_goes_through_no_proxy_of_a_record(pod, issuer):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        assert pod.create({"proxy": "http://127.0.0.1:%d" % proxy.getsockname()[1]}).status == 201
        assert ONLY_THERE in wait_for(pod.relyd, "lastError", "own")
        proxy.settimeout(0.2)
        with pytest.raises(TimeoutError):
            proxy.accept()
    assert issuer.requests == []


def test_outside_of_a_pod(relyd, monkeypatch):
    """A clear no, and not a record without keys."""
    answer = relyd.admin("POST", "/v1/issuers?inCluster=true", {"name": "own"})
    assert answer.status == 400 and answer.json()["code"] == "invalid_body"
    assert answer.json()["errors"] == [{"field": "inCluster", "code": "not_allowed",
                                        "message": "inCluster goes only with a relyd in a pod: KUBERNETES_SERVICE_HOST is not set"}]
    answer = relyd.admin("POST", "/v1/issuers?inCluster=yes", {"name": "own"})
    assert answer.status == 400 and answer.json()["code"] == "invalid_query"
    answer = relyd.admin("POST", "/v1/issuers?inCluster=false", {"name": "own", "issuer": "https://a.example"})
    assert answer.status == 201


def test_the_pods_token_where_there_is_no_pod(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record(bearerTokenFile="@pod"))
    assert "bearerTokenFile: the token of relyd's own pod, /var/run/secrets/kubernetes.io/serviceaccount/token: it cannot be opened" in \
        wait_for(relyd, "lastError")
    assert issuer.requests == []
