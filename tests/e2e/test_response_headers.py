"""A route's own headers of an allow: what each source says and how it is written, of remembered tokens too; that the head fits into a
proxy's buffer whatever a token says, and that nothing of a client's gets by where nobody is let in."""

import base64
import contextlib
import hashlib
import json
import re
import sqlite3
import time

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

ROUTE = "/v1/routes/shop"
USUAL = [f"x-relyd-{name}" for name in ("identity", "username", "uid", "issuer", "subject", "credential", "groups")]
SOURCES = ["identity", "username", "uid", "groups", "issuer", "subject", "audience", "credential", "decisionId", "expires"]


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


def put_headers(relyd, headers, **fields):
    return relyd.put(ROUTE, {"audiences": ["relyd", "second"], "responseHeaders": headers} | fields)


def ask(relyd, token):
    """Three times, so that the token is remembered; but for the decision's id (32 hexadecimal digits) all are the same."""
    answers = [relyd.check(token, "/check/shop/any") for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3, answers[0]
    values = [{name: value for name, value in answer.headers if name.startswith("x-") and not re.fullmatch("[0-9a-f]{32}", value)} for answer in answers]
    assert values[0] == values[1] == values[2]
    return answers[2]


def digest(text):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def test_every_source(world):
    uid = world.put_identity(username="pay, roll", groups=["payments", "a,b"])["uid"]
    world.put_credential(audiences=["second", "relyd"])
    put_headers(world, {f"x-{source.lower()}": source for source in SOURCES})
    exp = int(time.time()) + 100
    answer = ask(world, world.signer.sign(tokens.claims(ISSUER, aud=["relyd", "second", "third"], exp=exp)))
    expected = {"identity": "payments-api", "username": "pay,%20roll", "uid": uid, "groups": "payments,a%2Cb", "issuer": "prod",
                "subject": "system:serviceaccount:team-a:builder", "audience": "relyd,second", "credential": "builder",
                "decisionid": answer.header("x-relyd-decision-id"), "expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(exp))}
    assert {name: answer.header(f"x-{name}") for name in expected} == expected
    assert len(expected["decisionid"]) == 32
    assert [name for name in USUAL if answer.header(name) is not None] == [] and answer.header("cache-control") == "no-store"
    assert world.check(world.signer.sign(tokens.claims(ISSUER, aud=["second"])), "/check/shop?aud=second").header("x-audience") == "second"
    world.put(ROUTE, {"audiences": ["relyd"]})
    assert ask(world, world.signer.sign(tokens.claims(ISSUER))).header("x-relyd-identity") == "payments-api"


CLAIMS = [
    ("claim:plain", {"plain": "a b,c%"}, "a%20b%2Cc%25"),
    ("claim:/plain", {"plain": "ü\r\nx-admin: yes"}, "%C3%BC%0D%0Ax-admin:%20yes"),
    ("claim:number", {"number": 12345678901234567890}, "12345678901234567890"),
    ("claim:/deep/in", {"deep": {"in": True}}, "true"),
    ("claim:list", {"list": ["a", 7, False, "x,y", ""]}, "a,7,false,x%2Cy,"),
    ("claim:list", {"list": ["", "b"]}, ",b"),
    ("claim:list", {"list": ["x,y"]}, "x%2Cy"),
    ("claim:comma", {"comma": "x,y"}, "x%2Cy"),
    ("claim:delete", {"delete": "a\x7f"}, "a%7F"),
    ("claim:/list/1", {"list": ["a", "b"]}, "b"),
    ("claim:/a~1b/c~0d", {"a/b": {"c~d": "tilde"}}, "tilde"),
    ("claim:sub", {}, "system:serviceaccount:team-a:builder"),
    ("claim:/kubernetes.io/namespace", {}, "team-a"),
    ("claim:prefix", {"prefix": "sha256=x"}, "sha256%3Dx"),
    ("claim:empty", {"empty": ""}, ""),
    ("claim:none", {"none": []}, ""),
    ("claim:null", {"null": None}, ""),
    ("claim:missing", {}, ""),
    ("claim:object", {"object": {"a": "b"}}, ""),
    ("claim:mixed", {"mixed": ["admin", {"a": "b"}]}, ""),
    ("claim:mixed", {"mixed": ["admin", None]}, ""),
    ("claim:nested", {"nested": ["admin", ["b"]]}, ""),
]


def test_claims(world):
    for source, claims, expected in CLAIMS:
        put_headers(world, {"x-claim": source})
        payload = json.dumps(tokens.claims(ISSUER, **{name: value for name, value in claims.items() if value is not None}) | claims)
        assert ask(world, world.signer.sign(payload)).header("x-claim") == expected, source


@pytest.mark.threads
def test_what_a_remembered_token_was_not_asked_for(world):
    """A route asks for a claim for the first time: a token from before says it, and at once."""
    token = world.signer.sign(tokens.claims(ISSUER, team="a-team", role="dev"))
    world.put(ROUTE, {"audiences": ["relyd"]})
    assert ask(world, token).header("x-team") is None
    put_headers(world, {"x-team": "claim:team"})
    assert ask(world, token).header("x-team") == "a-team"
    put_headers(world, {"x-team": "claim:team", "x-role": "claim:role"})
    assert [ask(world, token).header(name) for name in ("x-team", "x-role")] == ["a-team", "dev"]
    world.put("/v1/routes/other", {"audiences": ["relyd"], "responseHeaders": {"x-role": "claim:role"}})
    assert world.admin("DELETE", ROUTE).status == 204
    assert world.check(token, "/check/other").header("x-role") == "dev"
    put_headers(world, {"x-team": "claim:team"})
    assert ask(world, token).header("x-team") == "a-team"
    hits = lambda: int(next(line for line in wire.ask(world.health, "GET", "/metrics").body.decode().split("\n") if line.startswith('relyd_cache_lookups_total{outcome="hit"}')).split(" ")[1])
    before = hits()
    ask(world, token), ask(world, token)
    assert hits() > before


def test_rules_and_routes_ask_for_the_same(world):
    """What a rule asks for no more, a route may still ask for."""
    path = "/v1/identities/payments-api/federatedIdentityCredentials/by-team"
    world.put(path, {"issuer": ISSUER, "audiences": ["relyd"],
                     "claimsMatchingExpression": {"value": "claims['sub'] matches 'ci:*' and claims['team'] eq 'a-team'", "languageVersion": 1}})
    put_headers(world, {"x-team": "claim:team"})
    token = world.signer.sign(tokens.claims(ISSUER, team="a-team"))
    by_rule = world.signer.sign(tokens.claims(ISSUER, sub="ci:x", team="a-team", **{"kubernetes.io": None}))
    assert [ask(world, asked).header("x-team") for asked in (token, by_rule)] == ["a-team"] * 2
    assert world.admin("DELETE", path).status == 204
    assert ask(world, token).header("x-team") == "a-team"
    assert world.check(by_rule, "/check/shop").header("x-relyd-reason") == "no_matching_credential"


def head_of(relyd, token):
    received = wire.exchange(relyd.data, b"GET /check/shop HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n" % token.encode(), seconds=2)
    assert received.startswith(b"HTTP/1.1 200 "), received
    return received


def test_long_values_are_hashed(world):
    """Beyond 640 bytes alone; and where the head would have no room, the longest first."""
    put_headers(world, {"x-one": "claim:one", "x-list": "claim:list", "x-short": "claim:short"}, stripAuthorization=True, cacheSeconds=300)
    long, items = "ü" * 400, [f"item-{number:03}" for number in range(100)]
    answer = ask(world, world.signer.sign(tokens.claims(ISSUER, one=long, list=items, short="s" * 640)))
    assert (answer.header("x-one"), answer.header("x-list")) == (digest(long), digest(",".join(items)))
    assert (answer.header("x-short"), answer.header("x-relyd-hashed")) == ("s" * 640, "x-one,x-list")
    names = [f"x-{letter}" for letter in "abcdefgh"]
    put_headers(world, {name: f"claim:{name}" for name in names})
    values = {name: name[2] * (500 + 10 * (3 * number % 8)) for number, name in enumerate(names)}
    token = world.signer.sign(tokens.claims(ISSUER, **values))
    answer = ask(world, token)
    hashed = answer.header("x-relyd-hashed").split(",")
    assert hashed == ["x-c", "x-f"] and len(head_of(world, token)) < 4096
    assert {name: answer.header(name) for name in names} == {name: digest(values[name]) if name in hashed else values[name] for name in names}


def test_the_head_fits_whatever_a_token_says(world):
    """32 names of 64 characters, all values hashed: not even their names have room, and each that begins so is one."""
    names = ["x-" + f"{number:02}" + "n" * 60 for number in range(32)]
    put_headers(world, {name: "claim:long" for name in names}, stripAuthorization=True, cacheSeconds=300)
    token = world.signer.sign(tokens.claims(ISSUER, long="%" * 3000))
    answer = ask(world, token)
    assert [answer.header(name) for name in names] == [digest("%" * 3000)] * 32 and answer.header("x-relyd-hashed") == "*"
    assert 3900 < len(head_of(world, token)) < 4096
    put_headers(world, {name: source for name, source in zip(names, SOURCES * 4)}, stripAuthorization=True, cacheSeconds=300)
    world.put_identity(groups=[f"{number:03}" + "ü" * 150 for number in range(64)], username="ü" * 253)
    assert len(head_of(world, token)) < 4096
    answer = ask(world, token)
    assert answer.header(names[0]) == "payments-api" and answer.header(names[1]) == digest("ü" * 253)


def test_nobody_in_the_routes_headers(world):
    """In shadow and of a preflight: each of them is there, and empty, and none of the usual ones."""
    put_headers(world, {"x-user": "username", "x-team": "claim:team"}, mode="shadow", passPreflight=True)
    refused = world.check("x.y.z", "/check/shop")
    preflight = world.check(None, "/check/shop", "OPTIONS", {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
    for answer in (refused, preflight):
        assert (answer.status, answer.header("x-user"), answer.header("x-team")) == (200, "", "")
        assert [name for name in USUAL if answer.header(name) is not None] == []
    assert refused.header("x-relyd-would-deny") == "malformed_token"
    answer = ask(world, world.signer.sign(tokens.claims(ISSUER, team="a")))
    assert (answer.header("x-user"), answer.header("x-team")) == ("payments-api", "a")


def test_other_doors_say_what_they_say(world):
    put_headers(world, {"x-user": "username", "x-team": "claim:team"})
    token = world.signer.sign(tokens.claims(ISSUER, team="a"))
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    for _ in range(3):
        assert wire.ask(world.data, "POST", f"/routes/shop{TOKENREVIEWS}", body).json()["status"]["user"]["username"] == "payments-api"
        assert wire.ask(world.data, "POST", "/routes/shop/review", {"token": token}).json()["decision"] == "allow"
    steps = {endpoint: next(step for step in world.explain(token, route="shop", endpoint=endpoint)["steps"] if step["step"] == "route") for endpoint in ("check", "review")}
    assert steps["check"]["responseHeaders"] == {"x-user": "username", "x-team": "claim:team"} and "responseHeaders" not in steps["review"]


def test_shown_put_back_and_read_at_the_start(world):
    headers = {"x-zone": "claim:/zone", "x-user": "username", "x-name": "claim:it's"}
    shown = put_headers(world, headers)
    assert shown["responseHeaders"] == headers and list(shown["responseHeaders"]) == list(headers)
    again = world.admin("PUT", ROUTE, shown, {"If-Match": world.admin("GET", ROUTE).header("etag")})
    assert again.status == 200 and again.header("etag") == world.admin("GET", ROUTE).header("etag")
    world.restart()
    assert world.admin("GET", ROUTE).json()["responseHeaders"] == headers
    token = world.signer.sign(tokens.claims(ISSUER, zone="eu", **{"it's": "so"}))
    assert [ask(world, token).header(name) for name in headers] == ["eu", "payments-api", "so"]
    assert "responseHeaders" not in world.put(ROUTE, {"audiences": ["relyd"]})
    assert "responseHeaders" not in world.admin("GET", "/v1/routes/default").json()


REFUSED = [
    ({}, "responseHeaders", "too_few"),
    ({f"x-{number}": "uid" for number in range(33)}, "responseHeaders", "too_many"),
    (["x-user"], "responseHeaders", "wrong_type"),
    ({"x-user": ["username"]}, "responseHeaders.x-user", "wrong_type"),
    ({"x-user": "username", "x-relyd-uid": "uid"}, "responseHeaders.x-relyd-uid", "invalid_name"),
    ({"x-user": "username", "x-uid": "Uid"}, "responseHeaders.x-uid", "invalid_value"),
    ({"x-user": None}, "responseHeaders.x-user", "wrong_type"),
    ({"x-user": "Username"}, "responseHeaders.x-user", "invalid_value"),
    ({"x-user": ""}, "responseHeaders.x-user", "invalid_value"),
    ({"x-user": "claim:"}, "responseHeaders.x-user", "invalid_value"),
    ({"x-user": "claim:/a~2"}, "responseHeaders.x-user", "invalid_value"),
    ({"x-user": "claim:" + "a" * 201}, "responseHeaders.x-user", "too_long"),
    ({"x-user": "claim:a\n"}, "responseHeaders.x-user", "invalid_text"),
] + [({name: "username"}, f"responseHeaders.{name[:45]}", "invalid_name") for name in (
    "x-", "X-user", "user", "authorization", "x-us er", "x-us_er", "x-user:", "x-ü", "x-a\n", "x-" + "n" * 63,
    "x-relyd-identity", "x-relyd-reason", "x-envoy-auth-headers-to-remove", "x-forwarded-for", "x-accel-redirect")]


@pytest.mark.parametrize("headers, field, code", REFUSED)
def test_what_is_refused(shared, headers, field, code):
    answer = shared.admin("PUT", ROUTE, {"audiences": ["relyd"], "responseHeaders": headers})
    assert answer.status == 400 and (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]], answer
    assert shared.admin("GET", ROUTE).status == 404


def test_the_most_that_there_may_be(shared):
    headers = {f"x-{number:02}" + "n" * 60: "claim:" + "c" * 200 for number in range(32)}
    assert shared.admin("PUT", "/v1/routes/most", {"audiences": ["relyd"], "responseHeaders": headers}).json()["responseHeaders"] == headers


def test_sql_keeps_other_names_out(world):
    put_headers(world, {"x-user": "username"})
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        for lines in ("user\tusername\n", "x-user\tusername\nhost\tuid\n", "x-user\tusername", "x-user\n", "x-a\tuid\nx-a\tuid\n", "x-user\t" + "u" * 207 + "\n"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute("UPDATE route SET response_headers = ? WHERE name = 'shop'", [lines])
