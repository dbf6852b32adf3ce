"""TokenReview as Kubernetes, Vault and the like speak it."""

import contextlib
import json
import sqlite3

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

V1BETA1 = TOKENREVIEWS.replace("/v1/", "/v1beta1/")


@pytest.fixture
def token(shared):
    return shared.signer.sign(tokens.claims(ISSUER, audience="relyd"))


def post(shared, body, path=TOKENREVIEWS, headers=None):
    return wire.ask(shared.data, "POST", path, body, wire.JSON if headers is None else headers)


def kubernetes_status(answer):
    """(HTTP status, reason) of a Kubernetes error object."""
    body = answer.json()
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert body["code"] == answer.status and body["message"]
    return answer.status, body["reason"]


def test_the_api_servers_exact_request(shared, token):
    """What kube-apiserver's webhook authenticator sends, to the byte but for the token."""
    body = (
        '{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{"token":"%s",'
        '"audiences":["relyd"]},"status":{"user":{}}}\n' % token
    ).encode()
    head = (
        f"POST {TOKENREVIEWS}?timeout=30s HTTP/1.1\r\nHost: 127.0.0.1:9443\r\nUser-Agent: Go-http-client/1.1\r\n"
        f"Content-Length: {len(body)}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    ).encode()
    received = wire.exchange(shared.data, head + body, seconds=2)
    assert wire.statuses(received) == [200]
    assert json.loads(received.split(b"\r\n\r\n", 1)[1])["status"]["authenticated"] is True


def test_kubectls_chunked_request_without_content_type(shared, token):
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}).encode()
    head = f"POST {TOKENREVIEWS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"".join(b"1\r\n" + body[i : i + 1] + b"\r\n" for i in range(len(body))) + b"0\r\n\r\n"
    received = wire.exchange(shared.data, head + chunks, seconds=2)
    assert wire.statuses(received) == [200]
    assert b'"authenticated":true' in received


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("path", [TOKENREVIEWS, V1BETA1])
def test_the_bodys_version_is_answered(shared, token, version, path):
    body = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": token}}
    answer = post(shared, body, path)
    assert (answer.status, answer.json()["apiVersion"]) == (200, f"authentication.k8s.io/{version}")


def test_a_body_without_version_gets_that_of_the_path(shared, token):
    for path, version in ((TOKENREVIEWS, "v1"), (V1BETA1, "v1beta1")):
        answer = post(shared, {"spec": {"token": token}}, path)
        assert answer.json()["apiVersion"] == f"authentication.k8s.io/{version}"
        assert answer.json()["status"]["authenticated"] is True


def test_audiences_are_the_intersection_in_the_order_of_the_request(start):
    relyd = start()
    signer = relyd.put_world()
    relyd.put_credential(audiences=["a", "b", "c"])
    token = signer.sign(tokens.claims(ISSUER, aud=["c", "b", "x"]))
    assert relyd.tokenreview(token, audiences=["x", "b", "z", "c"])["audiences"] == ["b", "c"]
    assert relyd.tokenreview(token)["audiences"] == ["b", "c"]
    assert relyd.tokenreview(token, audiences=[])["audiences"] == ["b", "c"]
    refused = relyd.tokenreview(token, audiences=["x"])
    assert refused["error"].startswith("audience_mismatch: ")


def test_a_refusal(shared):
    """200, false, a reason, no audiences: the API server compares audiences before it looks at the error."""
    status = shared.tokenreview(shared.signer.sign(tokens.claims(ISSUER, account="deployer")), audiences=["relyd"])
    assert status["authenticated"] is False
    assert status["error"].startswith("no_matching_credential: ")
    assert "audiences" not in status
    assert not status.get("user")


def test_c16_answers_have_the_members_of_kubernetes_in_its_order(shared, token):
    """Fault C16: the Python and the Java client throw when `spec` is missing; the token stays out of it."""
    allow = post(shared, {"spec": {"token": token, "audiences": ["relyd"]}})
    assert list(allow.json()) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert (allow.json()["metadata"], allow.json()["spec"]) == ({}, {})
    assert list(allow.json()["status"]) == ["authenticated", "user", "audiences"]
    assert list(allow.json()["status"]["user"]) == ["username", "uid", "groups", "extra"]
    deny = post(shared, {"spec": {"token": "not.a.token"}})
    assert list(deny.json()) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert deny.json()["spec"] == {}
    assert list(deny.json()["status"]) == ["authenticated", "user", "error"]
    assert token.encode() not in allow.body + deny.body


def test_c18_the_same_token_gets_the_same_answer(shared, token):
    """Fault C18: authorization webhooks cache by user and extra. The decision's id stands in a header."""
    answers = [post(shared, {"spec": {"token": token}}) for _ in range(3)]
    assert len({answer.body for answer in answers}) == 1
    assert sorted(answers[0].json()["status"]["user"]["extra"]) == [
        "example.com/team", "relyd.io/credential", "relyd.io/issuer", "relyd.io/subject"
    ]
    ids = [answer.header("x-relyd-decision-id") for answer in answers]
    assert len(set(ids)) == 3 and all(len(id) == 32 for id in ids)


def test_a_refusal_names_its_decision(shared):
    answer = post(shared, {"spec": {"token": "not.a.token"}})
    id = answer.header("x-relyd-decision-id")
    assert answer.json()["status"]["error"].startswith("malformed_token: ")
    assert answer.json()["status"]["error"].endswith(f" (decision {id})")


def test_an_empty_token_has_one_answer(shared):
    """Fault D: three doors gave three answers."""
    answer = post(shared, {"spec": {"token": ""}})
    assert kubernetes_status(answer) == (400, "BadRequest")
    assert answer.json()["message"] == "token is required for TokenReview in authentication (no_token)"
    assert shared.review("")["reason"] == "no_token"
    assert shared.explain("")["reason"] == "no_token"
    assert shared.check("").header("x-relyd-reason") == "no_token"
    assert shared.check().header("x-relyd-reason") == "no_token"


def test_refusals_without_error_when_asked_for(start):
    """Then kube-apiserver caches a final refusal; one that a fetched key may mend keeps its error."""
    relyd = start(tokenreview__error_on_refusal=False)
    signer = relyd.put_world()
    assert "error" not in relyd.tokenreview(signer.sign(tokens.claims(ISSUER, account="deployer")))
    unknown = relyd.tokenreview(signer.sign(tokens.claims(ISSUER), kid="unknown"))
    assert unknown["error"].startswith("key_unknown: ")


BODIES = {
    "empty": b"",
    "cut": b'{"spec":{"token":"x',
    "null": b"null",
    "list": b"[]",
    "no spec": b"{}",
    "spec a list": b'{"spec":[]}',
    "no token": b'{"spec":{}}',
    "empty token": b'{"spec":{"token":""}}',
    "null token": b'{"spec":{"token":null}}',
    "token a list": b'{"spec":{"token":["x"]}}',
    "token a number": b'{"spec":{"token":5}}',
    "spec twice": b'{"spec":{"token":"x"},"spec":{"token":"y"}}',
    "token twice": b'{"spec":{"token":"x","token":"y"}}',
    "kind Pod": b'{"kind":"Pod","spec":{"token":"x"}}',
    "kind a number": b'{"kind":5,"spec":{"token":"x"}}',
    "version v9": b'{"apiVersion":"authentication.k8s.io/v9","spec":{"token":"x"}}',
    "version null": b'{"apiVersion":null,"spec":{"token":"x"}}',
    "audiences text": b'{"spec":{"token":"x","audiences":"relyd"}}',
    "audiences numbers": b'{"spec":{"token":"x","audiences":[5]}}',
    "33 audiences": json.dumps({"spec": {"token": "x", "audiences": ["a"] * 33}}).encode(),
    "open lists": b"[" * 60000,
    "open objects": b'{"a":' * 20000,
    "no UTF-8": b'{"spec":{"token":"\xff"}}',
    "lone surrogate": b'{"spec":{"token":"\\ud800"}}',
    "NUL": b'{"spec":{"token":"a\\u0000b"}}',
    "garbage behind": b'{"spec":{"token":"x"}} x',
    "BOM": b'\xef\xbb\xbf{"spec":{"token":"x"}}',
    "protobuf magic": b"k8s\x00\x0a\x0b",
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_no_tokenreview(shared, name):
    assert kubernetes_status(post(shared, BODIES[name])) == (400, "BadRequest")


def test_long_tokens(shared):
    for count in (16385, 100_000):
        assert shared.tokenreview("x" * count)["error"].startswith("token_too_large: ")
    body = json.dumps({"spec": {"token": "x" * 3_000_000}}).encode()
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    received = wire.exchange(shared.data, head % (TOKENREVIEWS.encode(), len(body)) + body, is_open=True)
    if received:  # libh2o closes at once: the kernel may throw the answer away
        assert wire.statuses(received) == [413]
        body = json.loads(received.partition(b"\r\n\r\n")[2])
        assert (body["kind"], body["reason"], body["code"]) == ("Status", "RequestEntityTooLarge", 413)


def test_long_bodies(shared, token):
    """What a body may have beside the token counts, too: up to 128 KiB, and no more of whatever it is."""
    spec = b'"spec":{"token":"%s"}' % token.encode()
    for body in (b'{"x":%s,' % (b"1" * 100_000) + spec + b"}", b"{" + b" " * 100_000 + spec + b"}", b'{"x":"%s",' % (b"y" * 100_000) + spec + b"}"):
        assert post(shared, body).json()["status"]["authenticated"] is True
    for body in (b" " * 140_000 + b"{" + spec + b"}", b'{"x":%s,' % (b"1" * 140_000) + spec + b"}", b"[" * 140_000):
        assert kubernetes_status(post(shared, body)) == (413, "RequestEntityTooLarge")


def test_blanks_are_not_trimmed(shared, token):
    """A real API server takes a token with a blank in front for the anonymous user."""
    for text in (" " + token, token + " ", token + "\n", "\t" + token):
        assert shared.tokenreview(text)["error"].startswith("malformed_token: ")


def test_members_that_are_not_known_are_tolerated(shared, token):
    body = {"metadata": {"creationTimestamp": None, "labels": {}}, "spec": {"token": token, "x": [1]}, "status": {"user": {}}, "y": 1.5}
    assert post(shared, body).json()["status"]["authenticated"] is True


def test_identity_is_no_member_of_a_tokenreview(shared, token):
    status = post(shared, {"spec": {"token": token, "identity": "somebody-else"}}).json()["status"]
    assert status["user"]["username"] == "payments-api"


@pytest.mark.parametrize(
    "media_type, expected",
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/JSON", 200),
        ("text/plain", 415),
        ("application/vnd.kubernetes.protobuf", 400),  # JSON is none; test_tokenreview_protobuf.py has what is
        ("application/jsonx", 415),
    ],
)
def test_media_types(shared, token, media_type, expected):
    answer = post(shared, json.dumps({"spec": {"token": token}}).encode(), headers={"Content-Type": media_type})
    assert answer.status == expected
    if expected == 415:
        assert kubernetes_status(answer) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_methods(shared, method):
    answer = wire.ask(shared.data, method, TOKENREVIEWS)
    assert kubernetes_status(answer) == (405, "MethodNotAllowed")
    assert answer.json()["message"] == "this resource takes POST"
    assert answer.header("allow") == "POST"


def test_overload_and_trouble_never_carry_retry_after(shared):
    for body in (b"", b"[]"):
        assert post(shared, body).header("retry-after") is None


def test_c10_long_tokens_are_taken(start):
    """Fault C10: group claims make tokens of 10.9 and 13.2 kB."""
    relyd = start()
    signer = relyd.put_world()
    for count in (10_900, 13_200, 16_000):
        groups = [f"group-{number:010}" for number in range((count - 800) * 3 // 4 // 19)]
        token = signer.sign(tokens.claims(ISSUER, groups=groups))
        assert count * 0.93 < len(token) <= 16384
        assert relyd.reason(token) == "ok"
        assert relyd.tokenreview(token)["authenticated"] is True
        assert relyd.check(token).status == 200


def test_b21_extra_members_are_there_once(start):
    """Fault B21: an identity of 0.1 may have relyd's own keys in its `extra`; then the member was there twice."""
    relyd = start()
    signer = relyd.put_world()
    relyd.stop()
    with contextlib.closing(sqlite3.connect(relyd.database)) as database, database:
        changed = database.execute("UPDATE identity SET extra = ?", ["example.com/team\ta\nrelyd.io/issuer\tforged\n"])
        assert changed.rowcount == 1
    relyd.start()
    answer = post(relyd, {"spec": {"token": signer.sign(tokens.claims(ISSUER))}})
    assert answer.body.count(b'"relyd.io/issuer"') == 1
    assert answer.json()["status"]["user"]["extra"]["relyd.io/issuer"] == ["prod"]
    assert answer.json()["status"]["user"]["extra"]["example.com/team"] == ["a"]


def test_a_namespace_in_the_path(shared, token):
    """As Kubernetes answers it, also under a route; by another method there is no such resource."""
    for base in ("", "/routes/default", "/routes/nowhere"):
        for version in ("v1", "v1beta1"):
            path = f"{base}/apis/authentication.k8s.io/{version}/namespaces/team-a/tokenreviews"
            answer = post(shared, {"spec": {"token": token}}, path + "?timeout=30s")
            assert kubernetes_status(answer) == (400, "BadRequest"), path
            assert answer.json()["message"] == "namespace is not allowed on this type: a TokenReview has none"
            assert kubernetes_status(wire.ask(shared.data, "GET", path)) == (404, "NotFound")


OTHER_RESOURCES = [
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/apis/authentication.k8s.io/v2/tokenreviews",
    "/apis/authentication.k8s.io/v1/namespaces//tokenreviews",
    "/apis/authentication.k8s.io/v1/namespaces/a/b/tokenreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews/status",
    "/apis/",
    "/routes/default/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/routes/nowhere/apis/x",
    "/routes//apis/x",
]
NO_RESOURCES = ["/apis", "/api/v1/pods", "/version", "/routes/default/x/apis/x", "/routes/default/apis", "/routes/default/xapis/y", "/routes/apis/", "/x/apis/y", "//apis/x"]


def test_other_resources_of_kubernetes(shared, token):
    """kube-rbac-proxy asks for a SubjectAccessReview beside: client-go reads a `Status`, and nothing else."""
    for path in OTHER_RESOURCES:
        answer = post(shared, {"spec": {"token": token}}, path)
        assert kubernetes_status(answer) == (404, "NotFound"), path
        assert answer.json()["message"] == "the server could not find the requested resource: here are TokenReviews alone"
    for path in NO_RESOURCES:
        answer = post(shared, {"spec": {"token": token}}, path)
        assert (answer.status, answer.header("content-type"), answer.json()["code"]) == (404, "application/problem+json", "not_found"), path


@pytest.mark.threads
def test_the_short_path_under_a_route(shared, token):
    for route, status in (("default", 200), ("nowhere", 404)):
        short = post(shared, {"spec": {"token": token, "audiences": ["relyd"]}}, f"/routes/{route}/tokenreviews?timeout=30s")
        long = post(shared, {"spec": {"token": token, "audiences": ["relyd"]}}, f"/routes/{route}{TOKENREVIEWS}")
        assert (short.status, short.body) == (status, long.body)
    for version in ("v1", "v1beta1"):
        body = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": token}}
        assert post(shared, body, "/routes/default/tokenreviews").json()["apiVersion"] == f"authentication.k8s.io/{version}"
    assert kubernetes_status(wire.ask(shared.data, "GET", "/routes/default/tokenreviews")) == (405, "MethodNotAllowed")
    assert wire.ask(shared.data, "POST", "/tokenreviews", {"spec": {"token": token}}).status == 404


# What is refused before it is a TokenReview, and by which words: clients choose by them what to do.
BEFORE = {
    "another version of HTTP": ("POST %s HTTP/2.0\r\nHost: x\r\n\r\n", 505, "InternalError"),
    "another transfer coding": ("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "InternalError"),
    "another expectation": ("POST %s HTTP/1.1\r\nHost: x\r\nExpect: x\r\nContent-Length: 2\r\n\r\n{}", 417, "BadRequest"),
    "broken chunks": ("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, "BadRequest"),
    "a head too large": ("POST %s HTTP/1.1\r\nHost: x\r\nX: " + "y" * 70_000 + "\r\n\r\n", 431, "BadRequest"),
    "a body too large": ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n", 413, "RequestEntityTooLarge"),
}


@pytest.mark.parametrize("path", [TOKENREVIEWS, V1BETA1, f"/routes/default{TOKENREVIEWS}", "/routes/default/tokenreviews"])
@pytest.mark.parametrize("name", BEFORE)
def test_what_is_refused_before(shared, name, path):
    request, status, reason = BEFORE[name]
    received = wire.exchange(shared.data, (request % path).encode(), seconds=5, is_open=True)
    assert wire.statuses(received) == [status]
    body = json.loads(received.partition(b"\r\n\r\n")[2])
    assert (body["kind"], body["reason"], body["code"]) == ("Status", reason, status)


def test_a_body_that_takes_too_long(start):
    """Asking again is right: kube-apiserver does after Timeout."""
    relyd = start(http__body_timeout_ms=300)
    head = f"POST {TOKENREVIEWS} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{"
    received = wire.exchange(relyd.data, head.encode(), seconds=20, is_open=True)
    assert wire.statuses(received) == [408]
    body = json.loads(received.partition(b"\r\n\r\n")[2])
    assert (body["kind"], body["reason"], body["code"]) == ("Status", "Timeout", 408)
