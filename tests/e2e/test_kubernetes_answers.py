"""Every answer that a real API server gave (tests/vectors/kubernetes/tokenreview), against relyd's to a token with the same claims: under routes
with `user: kubernetes`, member by member."""

import json

import pytest
import tokens
import wire
from service import TOKENREVIEWS, VECTORS, Relyd

FOLDER = VECTORS / "tokenreview"
CLUSTER = "https://127.0.0.1:6443"
# What a request that names no audience is judged by: those of the API server itself.
OWN, NAMED = "/routes/own", "/routes/named"

ALLOWED = ["api-emptyaud", "api-noaud", "multi-aud-both", "pod-aud-relyd", "relyd-aud-relyd", "relyd-aud-two"]
REFUSED = {
    "badsig": "bad_signature",
    "deleted-sa": "no_matching_credential",
    "garbage": "malformed_token",
    "legacy-aud": "unknown_issuer",
    "relyd-aud-wrong": "audience_mismatch",
    "relyd-noaud": "audience_mismatch",
}
# A legacy Secret's token has no end and no audience: relyd takes none, the API server does. It has v1 alone by now, relyd both.
OTHERWISE = {"legacy", "v1beta1"}
STATUSES = {"bad-anon", "bad-ct", "bad-get", "bad-kind", "bad-notjson", "empty"}
BESIDE = {"min", "unknown"}  # answers whose request the test knows


def read(name, part):
    return json.loads((FOLDER / f"{name}.{part}.json").read_text())


def test_none_is_left_out():
    found = {path.name.split(".")[0] for path in FOLDER.glob("*.response.json")}
    assert found == {*ALLOWED, *REFUSED} | OTHERWISE | STATUSES | BESIDE


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    relyd = Relyd(tmp_path_factory.mktemp("cluster")).start()
    try:
        relyd.signer = tokens.key("cluster")
        relyd.put_issuer("cluster", CLUSTER, keys={"jwks": tokens.jwks(relyd.signer)})
        relyd.put_identity("builder")
        relyd.put_credential("own", "builder", issuer=CLUSTER, audiences=[CLUSTER, "relyd", "other"])
        for path, audiences in ((OWN, [CLUSTER]), (NAMED, [CLUSTER, "relyd", "other"])):
            relyd.put(f"/v1{path}", {"user": "kubernetes", "audiences": audiences})
        yield relyd
    finally:
        relyd.stop()


def renew(relyd, token):
    """A token of the same claims, valid now; what was wrong with it still is."""
    if token.count(".") != 2:
        return token
    payload = tokens.payload_of(token)
    if "exp" in payload:
        payload |= {name: tokens.claims(CLUSTER)[name] for name in ("exp", "iat", "nbf")}
    renewed = relyd.signer.sign(payload)
    return renewed[:-4] + "AAAA" if token.endswith("AAAA") else renewed


def ask(relyd, request, path=TOKENREVIEWS):
    """By the route for what the request names."""
    spec = request["spec"] | {"token": renew(relyd, request["spec"]["token"])}
    route = NAMED if spec.get("audiences") else OWN
    return wire.ask(relyd.data, "POST", route + path, request | {"spec": spec})


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_api_server_allowed(cluster, name):
    """To the letter, and in its order."""
    answer = ask(cluster, read(name, "request"))
    expected = read(name, "response")
    assert answer.status == 200
    assert list(answer.json()) == list(expected)
    assert json.dumps(answer.json()["status"]) == json.dumps(expected["status"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_api_server_refused(cluster, name):
    """`authenticated`, which it leaves out, is false; the error is relyd's own; audiences are in neither."""
    answer = ask(cluster, read(name, "request"))
    expected = read(name, "response")["status"]
    status = answer.json()["status"]
    assert (answer.status, list(status)) == (200, ["authenticated", *expected])
    assert (status["authenticated"], status["user"]) == (False, expected["user"])
    assert status["error"].startswith(REFUSED[name] + ": ")


def test_what_relyd_answers_otherwise(cluster):
    assert read("legacy", "response")["status"]["authenticated"] is True
    status = ask(cluster, read("legacy", "request")).json()["status"]
    assert (status["authenticated"], status["error"].split(": ")[0]) == (False, "unknown_issuer")
    assert read("v1beta1", "response")["code"] == 404
    answer = ask(cluster, read("v1beta1", "request"), TOKENREVIEWS.replace("/v1/", "/v1beta1/"))
    assert (answer.json()["apiVersion"], answer.json()["status"]["authenticated"]) == (read("v1beta1", "request")["apiVersion"], True)


def assert_status(answer, name):
    """A `Status` of the same members but for `details`, which says nothing here; the words of `message` are relyd's."""
    expected = read(name, "response")
    told = answer.json()
    assert list(told) == [member for member in expected if member != "details"]
    same = ("kind", "apiVersion", "metadata", "status", "reason", "code")
    assert {member: told[member] for member in same} == {member: expected[member] for member in same}
    assert answer.status == expected["code"]


def test_what_is_no_request(cluster):
    path = OWN + TOKENREVIEWS
    assert_status(wire.ask(cluster.data, "POST", path, read("empty", "request")), "empty")
    assert_status(wire.ask(cluster.data, "POST", path, b'{"spec":{"token":"x"}}', {"Content-Type": "text/plain"}), "bad-ct")
    assert_status(wire.ask(cluster.data, "GET", path), "bad-get")
    assert_status(wire.ask(cluster.data, "POST", path, {"kind": "Pod", "apiVersion": "v1", "spec": {"token": "x"}}), "bad-kind")
    assert_status(wire.ask(cluster.data, "POST", path, b"{"), "bad-notjson")


def test_who_may_not_ask(cluster):
    cluster.put("/v1/routes/nobody", {"audiences": ["relyd"], "callers": ["builder"]})
    assert_status(wire.ask(cluster.data, "POST", f"/routes/nobody{TOKENREVIEWS}", {"spec": {"token": "x"}}), "bad-anon")


def test_the_least_and_the_unknown(cluster):
    """No kind and no version; and what `fieldValidation=Strict` refuses: a member twice is refused without, one that is not known never."""
    path = OWN + TOKENREVIEWS
    least = wire.ask(cluster.data, "POST", path, {"spec": {"token": "x"}}).json()
    expected = read("min", "response")
    assert (least["kind"], least["apiVersion"]) == (expected["kind"], expected["apiVersion"])
    assert list(least["status"]) == ["authenticated", *expected["status"]]
    strict = path + "?fieldValidation=Strict"
    assert_status(wire.ask(cluster.data, "POST", strict, b'{"spec":{"token":"x","token":"y","zzz":1}}'), "unknown")
    assert wire.ask(cluster.data, "POST", strict, b'{"spec":{"token":"x","zzz":1}}').status == 200
