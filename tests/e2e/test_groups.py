"""Groups of issuers: one credential for hundreds of clusters, one write to add the next, and out in the next review of every worker."""

import sqlite3

import pytest
import tokens
import wire

GROUPS = "/v1/issuerGroups"
SUBJECT = "system:serviceaccount:team-a:builder"


def url(name):
    return f"https://{name}.example"


def put_cluster(relyd, name, signer):
    return relyd.put_issuer(name, url(name), keys={"jwks": tokens.jwks(signer)})


def token_of(name, signer, **changes):
    return signer.sign(tokens.claims(url(name), **({"sub": SUBJECT} | changes)))


def put_fleet(relyd, group="fleet", **fields):
    path = f"/v1/identities/fleet/federatedIdentityCredentials/{group}"
    relyd.put_identity("fleet")
    return relyd.put(path, {"issuerGroup": group, "subject": SUBJECT, "audiences": ["relyd"]} | fields)


def join(relyd, group, name, method="PUT"):
    answer = relyd.admin(method, f"{GROUPS}/{group}/issuers/{name}")
    assert (answer.status, answer.body) == (204, b""), answer


@pytest.fixture
def pair(relyd):
    """Two clusters with one group, which has the first."""
    relyd.signers = {name: tokens.key(name) for name in ("east", "west")}
    for name, signer in relyd.signers.items():
        put_cluster(relyd, name, signer)
    relyd.put(f"{GROUPS}/fleet", {"issuers": ["east"], "description": "all"})
    put_fleet(relyd)
    return relyd


@pytest.mark.threads
def test_each_record_of_the_group(pair):
    tokens_of = {name: token_of(name, signer) for name, signer in pair.signers.items()}
    assert pair.check(tokens_of["east"]).header("x-relyd-issuer") == "east"
    assert pair.reason(tokens_of["west"]) == "no_matching_credential"
    shown = pair.explain(tokens_of["west"])
    near = next(step for step in shown["steps"] if step["step"] == "credentials")["compared"][0]
    assert (near["credential"], near["fields"][0]["field"], near["fields"][0]["credential"]) == ("fleet", "issuerGroup", "fleet")
    assert near["fields"][0]["note"] == "does not have the record that signed, west: PUT /v1/issuerGroups/fleet/issuers/west adds it"
    join(pair, "fleet", "west")
    for name, token in tokens_of.items():
        answer = pair.check(token)
        assert (answer.status, answer.header("x-relyd-identity"), answer.header("x-relyd-issuer")) == (200, "fleet", name)
        told = pair.explain(token)
        assert (told["identities"][0]["issuer"], told["identities"][0]["issuerGroup"]) == (name, "fleet")
        assert next(step for step in told["steps"] if step["step"] == "credentials")["issuerGroups"] == ["fleet"]
    assert pair.admin("GET", "/v1/issuers/west").json()["issuerGroups"] == ["fleet"]
    assert pair.admin("GET", f"{GROUPS}/fleet").json()["issuers"] == ["east", "west"]


@pytest.mark.threads
def test_a_remembered_token_is_out_at_once(pair):
    """By each way out of a group in turn, on connections of both workers, while the token is remembered by both."""
    token = token_of("east", pair.signers["east"])
    ways_out = [lambda: join(pair, "fleet", "east", "DELETE"),
                lambda: pair.put(f"{GROUPS}/fleet", {"issuers": ["west"]}),
                lambda: pair.put(f"{GROUPS}/fleet", {})]
    for way in ways_out * 4:
        join(pair, "fleet", "east")
        for _ in range(16):
            assert pair.check(token).status == 200
        way()
        for _ in range(16):
            assert pair.check(token).header("x-relyd-reason") == "no_matching_credential"


def test_a_record_that_goes(pair):
    token = token_of("east", pair.signers["east"])
    assert pair.reason(token) == "ok"
    assert pair.admin("DELETE", "/v1/issuers/east").status == 204
    assert pair.admin("GET", f"{GROUPS}/fleet").json()["issuers"] == []
    assert pair.reason(token) == "unknown_issuer"
    put_cluster(pair, "east", pair.signers["east"])
    assert pair.reason(token) == "no_matching_credential"


def test_a_group_that_goes(pair):
    token = token_of("east", pair.signers["east"])
    refused = pair.admin("DELETE", f"{GROUPS}/fleet")
    assert (refused.status, refused.json()["code"]) == (409, "group_in_use")
    assert pair.admin("DELETE", f"{GROUPS}/fleet?withCredentials=yes").json()["code"] == "invalid_query"
    assert pair.reason(token) == "ok"
    assert pair.admin("DELETE", f"{GROUPS}/fleet?withCredentials=true").status == 204
    assert pair.reason(token) == "no_matching_credential"
    assert pair.admin("GET", "/v1/identities/fleet/federatedIdentityCredentials").json()["value"] == []
    with sqlite3.connect(pair.database) as database:
        rows = database.execute("SELECT object, name, operation FROM change_log ORDER BY revision DESC LIMIT 3").fetchall()
    assert sorted(rows) == [("federatedIdentityCredential", "fleet/fleet", "delete"), ("issuerGroup", "fleet", "delete"),
                            ("issuerGroupMember", "fleet/east", "delete")]


REFUSED = [
    ("PUT", f"{GROUPS}/fleet/issuers/nobody", None, 404, "not_found", None),
    ("PUT", f"{GROUPS}/nowhere/issuers/east", None, 404, "not_found", None),
    ("DELETE", f"{GROUPS}/nowhere/issuers/east", None, 404, "not_found", None),
    ("POST", f"{GROUPS}/fleet/issuers/east", None, 405, "method_not_allowed", None),
    ("GET", f"{GROUPS}/fleet/issuers/east", None, 405, "method_not_allowed", None),
    ("POST", GROUPS, {"name": "fleet"}, 409, "already_exists", None),
    ("POST", GROUPS, {"name": "other", "issuers": ["nobody"]}, 400, "invalid_body", ("issuers[0]", "not_registered")),
    ("POST", GROUPS, {"name": "other", "issuers": ["east", "east"]}, 400, "invalid_body", ("issuers[1]", "duplicate")),
    ("POST", GROUPS, {"name": "other", "issuers": [f"i{n:05}" for n in range(10001)]}, 400, "invalid_body", ("issuers", "too_many")),
    ("PUT", "/v1/issuers/east", {"issuer": url("east"), "issuerGroups": []}, 400, "invalid_body", ("issuerGroups", "read_only")),
    ("PUT", "/v1/identities/fleet/federatedIdentityCredentials/xxx", {"issuerGroup": "nowhere", "subject": "s", "audiences": ["a"]}, 400,
     "invalid_body", ("issuerGroup", "not_registered")),
    ("PUT", "/v1/identities/fleet/federatedIdentityCredentials/xxx",
     {"issuerGroup": "fleet", "issuerName": "east", "subject": "s", "audiences": ["a"]}, 400, "invalid_body", ("issuerGroup", "exactly_one")),
    ("PUT", "/v1/identities/fleet/federatedIdentityCredentials/xxx", {"subject": "s", "audiences": ["a"]}, 400, "invalid_body",
     ("issuer", "required")),
    ("PUT", "/v1/identities/fleet/federatedIdentityCredentials/xxx", {"issuerGroup": "fleet", "subject": SUBJECT, "audiences": ["a"]}, 409,
     "duplicate_issuer_and_subject", None),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused(pair, case):
    method, path, body, status, code, error = REFUSED[case]
    answer = pair.admin(method, path, body)
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    assert error is None or error in [(e["field"], e["code"]) for e in answer.json()["errors"]]


def test_how_many_groups(pair):
    for number in range(15):
        pair.put(f"{GROUPS}/g{number:02}", {"issuers": ["east"]})
    assert len(pair.admin("GET", "/v1/issuers/east").json()["issuerGroups"]) == 16
    pair.put(f"{GROUPS}/last", {})
    for method, path, body in [("PUT", f"{GROUPS}/last/issuers/east", None), ("PUT", f"{GROUPS}/last", {"issuers": ["east"]})]:
        answer = pair.admin(method, path, body)
        assert (answer.status, answer.json()["code"]) == (409, "too_many_groups")
    assert pair.admin("GET", f"{GROUPS}/last").json()["issuers"] == []


def test_pages_etags_and_a_restart(pair):
    token = token_of("east", pair.signers["east"])
    first = pair.admin("GET", f"{GROUPS}/fleet")
    assert pair.admin("PUT", f"{GROUPS}/fleet", first.json(), {"If-Match": first.header("etag")}).header("etag") == first.header("etag")
    join(pair, "fleet", "west")
    second = pair.admin("GET", f"{GROUPS}/fleet")
    assert second.header("etag") != first.header("etag")
    assert pair.admin("PUT", f"{GROUPS}/fleet", first.json(), {"If-Match": first.header("etag")}).status == 412
    assert pair.admin("DELETE", f"{GROUPS}/fleet/issuers/west", headers={"If-Match": first.header("etag")}).status == 412
    join(pair, "fleet", "west")  # it is in it: nothing changes
    assert pair.admin("GET", f"{GROUPS}/fleet").header("etag") == second.header("etag")
    pair.put(f"{GROUPS}/another", {})
    page = pair.admin("GET", f"{GROUPS}?limit=1").json()
    assert page["nextLink"] == f"{GROUPS}?limit=1&after=another"
    assert [group["name"] for group in pair.admin("GET", page["nextLink"]).json()["value"]] == ["fleet"]
    assert "\nrelyd_issuer_groups 2\n" in wire.ask(pair.health, "GET", "/metrics").body.decode()
    pair.restart()
    assert pair.reason(token) == "ok"
    assert pair.admin("GET", f"{GROUPS}/fleet").json() == second.json()
