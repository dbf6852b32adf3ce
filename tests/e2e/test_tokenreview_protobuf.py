"""TokenReviews in protobuf, as client-go's typed clients send them (istiod, SPIRE, Authorino). The answer is JSON."""

import json

import kubernetes_protobuf as protobuf
import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS, VECTORS

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
V1BETA1 = TOKENREVIEWS.replace("/v1/", "/v1beta1/")
RECORDED = VECTORS / "tokenreview/client-go.request.bin"
RECORDED_HEAD = VECTORS / "tokenreview/client-go.request.head.txt"


@pytest.fixture(scope="module")
def token(shared):
    return shared.signer.sign(tokens.claims(ISSUER, audience="relyd"))


def post(relyd, body, path=TOKENREVIEWS, media_type=MEDIA_TYPE):
    answer = wire.ask(relyd.data, "POST", path, body, {"Content-Type": media_type})
    assert answer.header("content-type") == "application/json"
    return answer


def recorded_token():
    """The one that client-go sent. Its body is, to the byte, what the tests write."""
    body = RECORDED.read_bytes()
    token = body[body.index(b"eyJ") : body.index(b"\x12\x05relyd")].decode()
    assert protobuf.tokenreview(token, "relyd", "other") == body
    return token


@pytest.mark.threads
def test_client_gos_exact_request(shared, token):
    """The head that it sent, and the body but for the token."""
    recorded_token()
    body = protobuf.tokenreview(token, "relyd", "other")
    lines = [line for line in RECORDED_HEAD.read_text().splitlines() if line and not line.startswith("Content-Length:")]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    received = wire.exchange(shared.data, head.encode() + body, seconds=2)
    assert wire.statuses(received) == [200]
    answer = json.loads(received.split(b"\r\n\r\n", 1)[1])
    assert (answer["kind"], answer["apiVersion"], answer["spec"]) == ("TokenReview", "authentication.k8s.io/v1", {})
    assert (answer["status"]["authenticated"], answer["status"]["audiences"]) == (True, ["relyd"])


def test_the_recorded_body(start):
    """Of a real cluster, whose token has ended since."""
    relyd = start()
    relyd.put_issuer("cluster", "https://127.0.0.1:6443", keys={"jwks": json.loads((VECTORS / "rs256/jwks.json").read_text())})
    relyd.put_identity("builder")
    relyd.put_credential("builder", "builder", issuer="https://127.0.0.1:6443")
    answer = post(relyd, RECORDED.read_bytes())
    assert answer.status == 200 and answer.json()["status"]["error"].startswith("expired: ")
    assert relyd.explain(recorded_token(), at=tokens.payload_of(recorded_token())["iat"] + 30)["reason"] == "ok"


@pytest.mark.parametrize("media_type", [MEDIA_TYPE, MEDIA_TYPE.upper(), MEDIA_TYPE + ";charset=utf-8", MEDIA_TYPE + " ; x=y"])
def test_the_same_answer_as_in_json(shared, token, media_type):
    in_json = wire.ask(shared.data, "POST", TOKENREVIEWS, {"spec": {"token": token, "audiences": ["other", "relyd"]}})
    assert post(shared, protobuf.tokenreview(token, "other", "relyd"), media_type=media_type).body == in_json.body
    assert in_json.json()["status"]["authenticated"] is True


def test_a_refusal(shared):
    answer = post(shared, protobuf.tokenreview(shared.signer.sign(tokens.claims(ISSUER, account="deployer"))))
    status = answer.json()["status"]
    assert (answer.status, status["authenticated"], status["user"]) == (200, False, {})
    assert status["error"].startswith("no_matching_credential: ")
    assert status["error"].endswith(f" (decision {answer.header('x-relyd-decision-id')})")


def test_audiences(shared, token):
    for audiences, passes in (((), True), (("relyd",), True), (("x", "relyd"), True), (("x",), False), (("",), False), (("a",) * 32, False)):
        status = post(shared, protobuf.tokenreview(token, *audiences)).json()["status"]
        assert (status["authenticated"], status.get("audiences")) == (passes, ["relyd"] if passes else None), audiences
        assert passes or status["error"].startswith("audience_mismatch: ")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("path", [TOKENREVIEWS, V1BETA1])
def test_the_bodys_version_is_answered(shared, token, version, path):
    answer = post(shared, protobuf.tokenreview(token, version=f"authentication.k8s.io/{version}"), path)
    assert (answer.status, answer.json()["apiVersion"]) == (200, f"authentication.k8s.io/{version}")
    assert answer.json()["status"]["authenticated"] is True


def test_a_body_without_version_gets_that_of_the_path(shared, token):
    for path, version in ((TOKENREVIEWS, "v1"), (V1BETA1, "v1beta1")):
        for body in (protobuf.tokenreview(token, version="", kind=""), protobuf.MAGIC + protobuf.field(2, protobuf.field(2, protobuf.spec(token)))):
            answer = post(shared, body, path)
            assert (answer.status, answer.json()["apiVersion"]) == (200, f"authentication.k8s.io/{version}")
            assert answer.json()["status"]["authenticated"] is True


def test_under_a_route(shared, token):
    shared.put("/v1/routes/cluster", {"audiences": ["relyd"], "user": "kubernetes"})
    answer = post(shared, protobuf.tokenreview(token, "relyd"), f"/routes/cluster{TOKENREVIEWS}")
    assert answer.json()["status"]["user"]["username"] == "system:serviceaccount:team-a:builder"
    assert post(shared, protobuf.tokenreview(token), f"/routes/nobody{TOKENREVIEWS}").status == 404


def test_chunks_and_queries(shared, token):
    body = protobuf.tokenreview(token, "relyd")
    head = f"POST {TOKENREVIEWS}?timeout=10s&x=%00 HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body))) + b"0\r\n\r\n"
    received = wire.exchange(shared.data, head.encode() + chunks, seconds=2)
    assert wire.statuses(received) == [200] and b'"authenticated":true' in received


def test_a_token_that_waits_for_its_key(shared):
    """What waits is no part of the body any more."""
    answer = post(shared, protobuf.tokenreview(shared.signer.sign(tokens.claims(ISSUER), kid="unknown"), "relyd"))
    assert answer.json()["status"]["error"].startswith("key_unknown: ")


def test_long_tokens(shared):
    for count in (16385, 100_000):
        status = post(shared, protobuf.tokenreview("x" * count)).json()["status"]
        assert status["error"].startswith("token_too_large: ")
    body = protobuf.tokenreview("x" * 3_000_000)
    head = f"POST {TOKENREVIEWS} HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    received = wire.exchange(shared.data, head.encode() + body, is_open=True)
    if received:  # the kernel may throw the answer away when the connection closes on unread bytes
        answer = json.loads(received.partition(b"\r\n\r\n")[2])
        assert (answer["kind"], answer["reason"], answer["code"]) == ("Status", "RequestEntityTooLarge", 413)


def in_envelope(raw):
    return protobuf.MAGIC + protobuf.field(2, raw)


def test_what_is_not_known_is_passed_over(shared, token):
    """Also what a whole reader would follow to the bottom of its stack."""
    nested = b""
    for _ in range(10_000):
        nested = protobuf.field(1, nested)
    unknown = protobuf.field(7, "x") + protobuf.varint(8 << 3) + protobuf.varint(5) + protobuf.field(1000, nested)
    in_spec = protobuf.field(2, protobuf.spec(token, "relyd") + unknown)
    for raw in (in_spec, protobuf.field(1, nested) + in_spec + protobuf.field(3, b"\xff"), unknown + in_spec):
        assert post(shared, in_envelope(raw) + protobuf.field(9, "x")).json()["status"]["authenticated"] is True


SPEC = protobuf.field(2, protobuf.spec("x"))
TWICE = "the body has a field twice that may be there once"
NO_TEXT = "the body has a text that is not UTF-8, or has a NUL in it"
NO_OBJECT = "the body's object cannot be read: it is no TokenReview, or has too many fields"
NO_ENVELOPE = "the body's envelope cannot be read: it is cut off or no protobuf, or has too many fields"
NO_MAGIC = "the body does not begin as Kubernetes' protobuf does"
WRONG_KIND = "kind is not TokenReview"
WRONG_VERSION = "apiVersion is neither authentication.k8s.io/v1 nor authentication.k8s.io/v1beta1"

BODIES = {
    "nothing": (b"", NO_MAGIC),
    "magic alone": (protobuf.MAGIC, "spec is required"),
    "other magic": (b"k8x\0" + protobuf.tokenreview("x")[4:], NO_MAGIC),
    "no magic": (protobuf.tokenreview("x")[4:], NO_MAGIC),
    "JSON": (b'{"spec":{"token":"x"}}', NO_MAGIC),
    "cut off": (protobuf.tokenreview("x")[:-3], NO_ENVELOPE),
    "half a token": (protobuf.tokenreview("x" * 200)[:200], NO_ENVELOPE),
    "an object cut off": (in_envelope(SPEC[:-1]), NO_OBJECT),
    "no spec": (in_envelope(protobuf.field(1, protobuf.METADATA)), "spec is required"),
    "no token": (in_envelope(protobuf.field(2, b"")), "token is required for TokenReview in authentication (no_token)"),
    "empty token": (protobuf.tokenreview("", "relyd"), "token is required for TokenReview in authentication (no_token)"),
    "NUL in the token": (protobuf.tokenreview("a\0b"), NO_TEXT),
    "NUL in an audience": (protobuf.tokenreview("x", "relyd", "relyd\0evil"), NO_TEXT),
    "token not UTF-8": (protobuf.tokenreview(b"a\xffb"), NO_TEXT),
    "audience not UTF-8": (protobuf.tokenreview("x", b"\xed\xa0\x80"), NO_TEXT),
    "33 audiences": (protobuf.tokenreview("x", *["a"] * 33), "audiences has more than 32 entries"),
    "token twice": (in_envelope(protobuf.field(2, protobuf.spec("x") + protobuf.spec("y"))), TWICE),
    "spec twice": (in_envelope(SPEC + SPEC), TWICE),
    "raw twice": (in_envelope(SPEC) + protobuf.field(2, SPEC), TWICE),
    "token a number": (in_envelope(protobuf.field(2, b"\x08\x05")), NO_OBJECT),
    "kind Pod": (protobuf.tokenreview("x", kind="Pod"), WRONG_KIND),
    "kind TokenReviewList": (protobuf.tokenreview("x", kind="TokenReviewList"), WRONG_KIND),
    "version v9": (protobuf.tokenreview("x", version="authentication.k8s.io/v9"), WRONG_VERSION),
    "version of a pod": (protobuf.tokenreview("x", version="v1"), WRONG_VERSION),
    "packed": (protobuf.tokenreview("x", encoding="gzip"), "contentEncoding must be empty: relyd unpacks nothing"),
    "JSON inside": (protobuf.tokenreview("x", content_type="application/json"), "contentType must be empty or application/vnd.kubernetes.protobuf"),
    "64 KiB of empty audiences": (in_envelope(protobuf.field(2, protobuf.spec("x", *[""] * 32768))), NO_OBJECT),
    "64 KiB of empty specs": (in_envelope(protobuf.field(2, *[""] * 32768)), NO_OBJECT),
    "64 KiB of unknown fields": (in_envelope(SPEC + protobuf.field(15, *[""] * 32768)), NO_OBJECT),
    "64 KiB of empty objects": (protobuf.MAGIC + protobuf.field(2, *[""] * 32768), NO_ENVELOPE),
    "60 kB of one byte": (in_envelope(SPEC + b"\x3a" * 60000), NO_OBJECT),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_no_tokenreview(shared, name):
    body, message = BODIES[name]
    answer = post(shared, body)
    status = answer.json()
    assert (answer.status, status["kind"], status["reason"], status["code"]) == (400, "Status", "BadRequest", 400), status
    assert status["message"] == message


@pytest.mark.parametrize("media_type", [MEDIA_TYPE + "x", "application/x-protobuf", "application/vnd.kubernetes", "application/yaml", "application/cbor"])
def test_other_media_types(shared, token, media_type):
    answer = post(shared, protobuf.tokenreview(token), media_type=media_type)
    assert (answer.status, answer.json()["reason"]) == (415, "UnsupportedMediaType")
    assert answer.json()["message"] == "the body must be application/json or application/vnd.kubernetes.protobuf, and its Content-Type say which"


def test_the_native_review_takes_none(shared, token):
    answer = wire.ask(shared.data, "POST", "/v1/review", protobuf.tokenreview(token), {"Content-Type": MEDIA_TYPE})
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")
