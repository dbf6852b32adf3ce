"""The control plane: codes, problem documents, conditions, lists, and who may write."""

import json
import os
import stat

import pytest
import tokens
import wire
from service import ISSUER

IDENTITY = "/v1/identities/payments-api"
CREDENTIALS = IDENTITY + "/federatedIdentityCredentials"
BUILDER = {"issuer": ISSUER, "subject": "system:serviceaccount:team-a:builder", "audiences": ["relyd"]}


def problem(answer):
    """(status, code) of a problem document, which must be a right one."""
    assert answer.header("content-type").startswith("application/problem+json"), answer
    body = answer.json()
    assert body["status"] == answer.status
    assert body["type"] == f"https://relyd.dev/problems/{body['code']}"
    assert body["title"] and ("detail" in body or answer.status == 405)
    return answer.status, body["code"]


@pytest.fixture
def world(relyd):
    relyd.put_world()
    return relyd


# --- create, replace, read, delete ----------------------------------------------------------------------------------


def test_post_creates(relyd):
    answer = relyd.admin("POST", "/v1/identities", {"name": "payments-api", "groups": ["a"]})
    assert answer.status == 201
    assert answer.header("location") == IDENTITY
    assert answer.header("etag").startswith('"')
    assert answer.header("content-type").startswith("application/json")
    body = answer.json()
    assert (body["name"], body["username"], body["groups"], body["enabled"]) == ("payments-api", "payments-api", ["a"], True)
    read = relyd.admin("GET", IDENTITY)
    assert read.json() == body
    assert read.header("etag") == answer.header("etag")
    assert problem(relyd.admin("POST", "/v1/identities", {"name": "payments-api"})) == (409, "already_exists")


def test_put_creates_and_replaces(relyd):
    first = relyd.admin("PUT", IDENTITY, {"description": "one"})
    assert first.status == 201
    second = relyd.admin("PUT", IDENTITY, {"description": "two"})
    assert second.status == 200
    assert second.json()["uid"] == first.json()["uid"]
    assert second.header("etag") != first.header("etag")
    assert relyd.admin("GET", IDENTITY).json()["description"] == "two"
    assert relyd.admin("PUT", IDENTITY, {"description": "two"}).header("etag") == second.header("etag")


def test_delete(world):
    assert world.admin("DELETE", f"{CREDENTIALS}/builder").status == 204
    assert problem(world.admin("GET", f"{CREDENTIALS}/builder")) == (404, "not_found")
    assert problem(world.admin("DELETE", f"{CREDENTIALS}/builder")) == (404, "not_found")


def test_a_uid_is_never_reused(relyd):
    uids = set()
    for _ in range(5):
        uids.add(relyd.put_identity()["uid"])
        assert relyd.admin("DELETE", IDENTITY).status == 204
    assert len(uids) == 5


def test_credential_has_entras_shape(world):
    body = world.admin("GET", f"{CREDENTIALS}/builder").json()
    assert set(body) >= {"id", "name", "issuer", "issuerName", "subject", "audiences", "description"}
    assert (body["name"], body["issuerName"], body["description"]) == ("builder", "prod", None)


def test_identity_goes_with_its_credentials(world):
    assert world.admin("DELETE", IDENTITY).status == 204
    assert problem(world.admin("GET", f"{CREDENTIALS}/builder")) == (404, "not_found")
    assert world.reason(tokens.key("prod").sign(tokens.claims(ISSUER))) == "no_matching_credential"


def test_issuer_in_use(world):
    assert problem(world.admin("DELETE", "/v1/issuers/prod")) == (409, "issuer_in_use")
    assert world.admin("DELETE", "/v1/issuers/prod?withCredentials=true").status == 204
    assert world.admin("GET", CREDENTIALS).json()["value"] == []
    assert world.reason(tokens.key("prod").sign(tokens.claims(ISSUER))) == "unknown_issuer"


def test_issuer_and_subject_are_unique_within_an_identity(world):
    assert problem(world.admin("PUT", f"{CREDENTIALS}/again", BUILDER)) == (409, "duplicate_issuer_and_subject")
    world.put_identity("other-api")
    world.put_credential("again", "other-api")


def test_two_records_of_one_url(world):
    """A credential never silently covers a second cluster."""
    other = tokens.key("second-cluster")
    world.put_issuer("second", keys={"jwks": tokens.jwks(other)})
    token = other.sign(tokens.claims(ISSUER))
    assert world.reason(token) == "no_matching_credential"
    answer = world.admin("PUT", f"{CREDENTIALS}/second", BUILDER | {"subject": "x"})
    assert problem(answer) == (400, "invalid_body")
    assert answer.json()["errors"][0]["field"] == "issuerName"
    world.put_credential("second", issuerName="second")
    assert world.review(token)["issuer"] == "second"


# --- conditions ---------------------------------------------------------------------------------------------------


def test_if_match(relyd):
    etag = relyd.admin("PUT", IDENTITY, {}).header("etag")
    assert relyd.admin("PUT", IDENTITY, {"description": "new"}, {"If-Match": etag}).status == 200
    stale = relyd.admin("PUT", IDENTITY, {"description": "late"}, {"If-Match": etag})
    assert problem(stale) == (412, "precondition_failed")
    assert problem(relyd.admin("DELETE", IDENTITY, None, {"If-Match": etag})) == (412, "precondition_failed")
    assert relyd.admin("GET", IDENTITY).json()["description"] == "new"
    now = relyd.admin("GET", IDENTITY).header("etag")
    assert relyd.admin("DELETE", IDENTITY, None, {"If-Match": now}).status == 204


def test_if_match_of_an_object_that_is_not_there(relyd):
    assert relyd.admin("PUT", IDENTITY, {}, {"If-Match": '"7"'}).status == 412
    assert relyd.admin("GET", IDENTITY).status == 404


# --- lists --------------------------------------------------------------------------------------------------------


def test_lists_and_their_pages(relyd):
    names = [f"identity-{number:03d}" for number in range(25)]
    for name in reversed(names):
        relyd.put_identity(name)
    assert [item["name"] for item in relyd.admin("GET", "/v1/identities").json()["value"]] == names
    found, path = [], "/v1/identities?limit=10"
    pages = 0
    while path:
        page = relyd.admin("GET", path).json()
        found += [item["name"] for item in page["value"]]
        path = page.get("nextLink")
        pages += 1
    assert (found, pages) == (names, 3)
    assert "nextLink" not in relyd.admin("GET", "/v1/identities?limit=25").json()


def test_empty_lists(relyd):
    for path in ("/v1/issuers", "/v1/identities"):
        assert relyd.admin("GET", path).json() == {"value": []}
    assert problem(relyd.admin("GET", CREDENTIALS)) == (404, "not_found")


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", ""])
def test_wrong_limits(relyd, limit):
    assert relyd.admin("GET", f"/v1/identities?limit={limit}").status == 400


# --- wrong bodies ---------------------------------------------------------------------------------------------------


def test_every_wrong_field_is_named(world):
    answer = world.admin("PUT", f"{CREDENTIALS}/wrong", {"issuer": 5, "subject": "", "audiences": ["ok", "x" * 601], "unknown": 1})
    assert problem(answer) == (400, "invalid_body")
    fields = {error["field"] for error in answer.json()["errors"]}
    assert {"issuer", "subject", "audiences[1]", "unknown"} <= fields
    for error in answer.json()["errors"]:
        assert error["code"] and error["field"].split("[")[0] in error["message"]
    assert world.admin("GET", f"{CREDENTIALS}/wrong").status == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b'{"name":"abc","name":"abd"}', b'{"name":"abc"} x', b'\xff\xfe', b'{"name":"a\\u0000b"}']
    + [b"[" * 100000],
)
def test_bodies_that_are_no_objects(relyd, body):
    assert problem(relyd.admin("POST", "/v1/identities", body, wire.JSON)) == (400, "invalid_body")


ISSUERS = {
    "http": {"issuer": "http://plain.example"},
    "user": {"issuer": "https://user@host.example"},
    "query": {"issuer": "https://host.example/?x"},
    "fragment": {"issuer": "https://host.example/#x"},
    "blank": {"issuer": " https://host.example"},
    "no URL": {"issuer": "kubernetes/serviceaccount"},
    "file": {"issuer": "file:///etc/passwd"},
    "601": {"issuer": "https://host.example/" + "a" * 580},
    "newline": {"issuer": "https://host.example/\n"},
    "leeway": {"issuer": ISSUER, "leewaySeconds": 301},
    "negative leeway": {"issuer": ISSUER, "leewaySeconds": -1},
    "leeway text": {"issuer": ISSUER, "leewaySeconds": "60"},
    "algorithm": {"issuer": ISSUER, "algorithms": ["HS256"]},
    "none": {"issuer": ISSUER, "algorithms": ["none"]},
    "no algorithms": {"issuer": ISSUER, "algorithms": []},
    "two sources": {"issuer": ISSUER, "keys": {"jwks": {"keys": []}, "jwksUri": "https://x.example"}},
    "no keys": {"issuer": ISSUER, "keys": {"jwks": {"keys": []}}},
    "symmetric keys": {"issuer": ISSUER, "keys": {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}},
    "CA no PEM": {"issuer": ISSUER, "caBundle": "x"},
    "http jwksUri": {"issuer": ISSUER, "keys": {"jwksUri": "http://x.example/jwks"}},
}


@pytest.mark.parametrize("name", ISSUERS)
def test_wrong_issuers(relyd, name):
    answer = relyd.admin("PUT", "/v1/issuers/wrong", ISSUERS[name])
    assert problem(answer) == (400, "invalid_body")
    assert len(answer.json()["errors"]) >= 1
    assert relyd.admin("GET", "/v1/issuers/wrong").status == 404


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({"username": "system:masters"}, "username"),
        ({"groups": ["system:masters"]}, "groups[0]"),
        ({"username": "x" * 254}, "username"),
        ({"username": ""}, "username"),
        ({"groups": ["g"] * 65}, "groups"),
        ({"extra": {"NoDomain": ["x"]}}, None),
        ({"extra": {"example.com/team": "x"}}, None),
        ({"usernameFrom": "subject", "username": "x"}, None),
        ({"usernameFrom": "jti"}, "usernameFrom"),
        ({"enabled": "yes"}, "enabled"),
        ({"name": "other-name"}, "name"),
        ({"uid": "00000000-0000-0000-0000-000000000000"}, "uid"),
    ],
)
def test_wrong_identities(relyd, fields, wrong):
    answer = relyd.admin("PUT", IDENTITY, fields)
    assert problem(answer) == (400, "invalid_body"), fields
    if wrong:
        assert wrong in {error["field"] for error in answer.json()["errors"]}
    assert relyd.admin("GET", IDENTITY).status == 404


def test_credential_of_an_unregistered_issuer(relyd):
    relyd.put_identity()
    answer = relyd.admin("PUT", f"{CREDENTIALS}/one", BUILDER)
    assert problem(answer) == (400, "invalid_body")
    assert answer.json()["errors"][0]["field"] == "issuer"


def test_immutable_fields(world):
    answer = world.admin("PUT", "/v1/issuers/prod", {"issuer": "https://elsewhere.example"})
    assert answer.status in (400, 409)
    assert world.admin("GET", "/v1/issuers/prod").json()["issuer"] == ISSUER


def test_a_refused_write_changes_nothing(world):
    before = [world.admin("GET", path).body for path in ("/v1/issuers", "/v1/identities", CREDENTIALS)]
    world.admin("PUT", IDENTITY, {"groups": ["system:masters"]})
    world.admin("PUT", f"{CREDENTIALS}/builder", BUILDER | {"audiences": []})
    world.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "leewaySeconds": 999})
    assert [world.admin("GET", path).body for path in ("/v1/issuers", "/v1/identities", CREDENTIALS)] == before


# --- HTTP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method, path", [("DELETE", "/v1/identities"), ("PUT", "/v1/issuers"), ("POST", IDENTITY), ("GET", "/v1/explain"), ("OPTIONS", IDENTITY), ("TRACE", IDENTITY)])
def test_method_not_allowed(world, method, path):
    assert problem(world.admin(method, path, {} if method in ("PUT", "POST") else None)) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/issuers", "/v1/issuers/prod/other", "/v1/nothing", "/v1/identities/x/y", "/check/default", "/v1/review"])
def test_not_found(world, path):
    assert problem(world.admin("GET", path)) == (404, "not_found")


def test_media_type(relyd):
    answer = relyd.admin("POST", "/v1/identities", b'{"name": "abc"}', {"Content-Type": "text/plain"})
    assert problem(answer) == (415, "unsupported_media_type")
    answer = relyd.admin("POST", "/v1/identities", b'{"name": "abc"}', {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 201


def test_body_too_large(relyd):
    body = json.dumps({"name": "abc", "description": "x" * 3_000_000}).encode()
    head = b"POST /v1/identities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    received = wire.exchange(relyd.socket, head % len(body) + body, is_open=True)
    assert wire.statuses(received) in ([413], []), received
    assert relyd.admin("GET", "/v1/identities").json() == {"value": []}


def test_many_requests_on_one_connection(relyd):
    client = wire.Client(relyd.socket)
    for number in range(50):
        assert client.ask("PUT", f"/v1/identities/identity-{number}", {}).status == 201
    assert len(client.ask("GET", "/v1/identities").json()["value"]) == 50
    client.close()


def test_escaped_names_are_names(relyd):
    relyd.put_identity()
    assert relyd.admin("GET", "/v1/identities/payments%2Dapi").status == 200
    for path in ("/v1/identities/..", "/v1/identities/%00", "/v1/identities/a%2fb", "/v1/identities/%zz"):
        assert relyd.admin("GET", path).status in (400, 404), path


# --- who may write --------------------------------------------------------------------------------------------------


def test_socket_is_private(relyd):
    mode = os.stat(relyd.socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) & 0o007 == 0
    assert stat.S_IMODE(os.stat(relyd.database).st_mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_other_users_may_not_use_the_socket(relyd):
    os.chmod(relyd.socket, 0o666)
    answer = wire.exchange_as_somebody(relyd.socket, f"PUT {IDENTITY} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert wire.statuses(answer) == [401] and b'"unauthenticated"' in answer
    assert relyd.admin("GET", IDENTITY).status == 404


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_browsers_are_kept_out(relyd, headers):
    """A page in the administrator's browser can reach a loopback port: the TCP listener refuses what a browser sends."""
    answer = wire.ask(relyd.admin_tcp, "PUT", IDENTITY, {}, headers)
    assert problem(answer)[0] == 403
    assert relyd.admin("GET", IDENTITY).status == 404


def test_dns_rebinding(relyd):
    """A name that an attacker lets point to 127.0.0.1 arrives as a foreign Host."""
    answer = wire.ask(relyd.admin_tcp, "PUT", IDENTITY, {}, {"Host": "evil.example"})
    assert answer.status == 403


def test_tcp_listener_works(relyd):
    host = "%s:%d" % relyd.admin_tcp
    assert wire.ask(relyd.admin_tcp, "PUT", IDENTITY, {}, {"Host": host}).status == 201
