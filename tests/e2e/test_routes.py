"""Routes: what each of their fields restricts, at every door, for remembered tokens too; and what they let through without a token."""

import contextlib
import re
import sqlite3
import threading
import time

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS
from test_callers import Guarded

IDENTITY_HEADERS = ["x-relyd-identity", "x-relyd-username", "x-relyd-uid", "x-relyd-issuer", "x-relyd-subject", "x-relyd-credential", "x-relyd-groups"]
ROUTES = "/v1/routes"


@pytest.fixture
def world(relyd):
    """Two identities for one subject by two audiences, and one more issuer."""
    relyd.signer = relyd.put_world()
    relyd.other = tokens.key("second")
    relyd.put_issuer("second", "https://second.example", keys={"jwks": tokens.jwks(relyd.other)})
    relyd.put_identity("orders", groups=["shop"])
    relyd.put_credential("main", "orders", audiences=["relyd", "https://orders.example"])
    relyd.put_credential("main", "payments-api", issuer="https://second.example", subject="s", audiences=["relyd"])
    return relyd


def put_route(relyd, name="shop", **fields):
    return relyd.put(f"{ROUTES}/{name}", {"audiences": ["relyd", "https://orders.example"]} | fields)


def token_of(relyd, *audiences):
    return relyd.signer.sign(tokens.claims(ISSUER, aud=list(audiences or ["relyd"])))


def ask_all(relyd, token, route="shop", **fields):
    """The check's, the TokenReview's and the review's reason; three times, so that it is remembered. An introspection says yes where the TokenReview does."""
    found = []
    for _ in range(3):
        check = relyd.check(token, f"/check/{route}/any/path")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = wire.ask(relyd.data, "POST", f"/routes/{route}{TOKENREVIEWS}", body).json()["status"]
        review = wire.ask(relyd.data, "POST", f"/routes/{route}/review", {"token": token} | fields).json()
        asked = wire.ask(relyd.data, "POST", f"/routes/{route}/introspect", f"token={token}".encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        assert asked.json()["active"] == status["authenticated"]
        found.append((check.header("x-relyd-reason") or "ok", (status.get("error") or "ok").split(":")[0], review["reason"]))
    assert found[0] == found[1] == found[2]
    return found[0]


@pytest.mark.threads
def test_each_restriction_at_every_door(world):
    put_route(world)
    token = token_of(world)
    assert ask_all(world, token) == ("ambiguous_identity", "ambiguous_identity", "ok")
    put_route(world, identities=["payments-api"])
    assert ask_all(world, token) == ("ok",) * 3
    assert world.check(token, "/check/shop").header("x-relyd-identity") == "payments-api"
    put_route(world, groups=["shop"])
    assert ask_all(world, token) == ("ok",) * 3
    assert world.check(token, "/check/shop").header("x-relyd-identity") == "orders"
    put_route(world, groups=["z", "shop", "a", "b"])  # in any order
    assert ask_all(world, token) == ("ok",) * 3
    put_route(world, groups=["payments"], identities=["orders"])
    assert ask_all(world, token) == ("ambiguous_identity", "ambiguous_identity", "ok")
    put_route(world, groups=["nobody"])
    assert ask_all(world, token) == ("identity_not_allowed",) * 3
    put_route(world, issuers=["second"])
    assert ask_all(world, token) == ("issuer_not_allowed",) * 3
    put_route(world, issuers=["second", "prod"], identities=["payments-api"])
    assert ask_all(world, token) == ("ok",) * 3
    assert world.admin("PUT", "/v1/issuerGroups/prod", {"issuers": ["prod"]}).status == 201
    assert world.admin("PUT", "/v1/issuerGroups/empty", {}).status == 201
    put_route(world, issuerGroups=["empty"], identities=["payments-api"])  # a group without records is no list that is not there
    assert ask_all(world, token) == ("issuer_not_allowed",) * 3
    put_route(world, issuerGroups=["prod", "empty"], identities=["payments-api"])
    assert ask_all(world, token) == ("ok",) * 3
    put_route(world, issuerGroups=["empty"], issuers=["prod"], identities=["payments-api"])
    assert ask_all(world, token) == ("ok",) * 3
    put_route(world, audiences=["https://orders.example"])
    assert ask_all(world, token) == ("audience_mismatch",) * 3
    assert ask_all(world, token_of(world, "relyd", "https://orders.example")) == ("ok",) * 3
    assert world.check(token_of(world, "relyd", "https://orders.example"), "/check/shop").header("x-relyd-identity") == "orders"
    assert world.admin("DELETE", f"{ROUTES}/shop").status == 204
    assert world.check(token, "/check/shop").status == 403
    assert world.check(token).header("x-relyd-reason") == "ambiguous_identity"  # `default` restricts nothing


@pytest.mark.threads
def test_who_is_in_a_group_counts_in_the_next_review(world):
    """A membership is the group's; the route stays as it is, and so does what is remembered of a token."""
    assert world.admin("PUT", "/v1/issuerGroups/cluster", {"issuers": ["second"]}).status == 201
    put_route(world, issuerGroups=["cluster"], identities=["payments-api"])
    token = token_of(world)
    assert ask_all(world, token) == ("issuer_not_allowed",) * 3
    for _ in range(2):
        assert world.admin("PUT", "/v1/issuerGroups/cluster/issuers/prod").status == 204
        assert ask_all(world, token) == ("ok",) * 3
        assert world.admin("DELETE", "/v1/issuerGroups/cluster/issuers/prod").status == 204
        assert ask_all(world, token) == ("issuer_not_allowed",) * 3
    told = world.check(token, "/check/shop").json()["error_description"]
    assert told == "issuer_not_allowed: route shop takes no tokens of issuer prod, which is in no group that it names"
    assert world.admin("DELETE", "/v1/issuers/second?withCredentials=true").status == 204  # it leaves the group
    assert world.admin("GET", "/v1/issuerGroups/cluster").json()["issuers"] == []
    assert ask_all(world, token) == ("issuer_not_allowed",) * 3


def test_of_sixteen_groups_one_is_enough(world):
    for number in range(16):
        assert world.admin("PUT", f"/v1/issuerGroups/group-{number}", {"issuers": ["prod"]}).status == 201
    assert world.admin("PUT", "/v1/issuerGroups/other", {"issuers": ["second"]}).status == 201
    for number in (0, 7, 15):
        put_route(world, issuerGroups=["other", f"group-{number}"], identities=["payments-api"])
        assert ask_all(world, token_of(world)) == ("ok",) * 3, number
    put_route(world, issuerGroups=["other"])
    assert ask_all(world, token_of(world)) == ("issuer_not_allowed",) * 3


def test_identities_that_may_not_pass_hide_no_other(world):
    """A token may be more identities than an answer has room for: those that may pass are looked for among all of them."""
    names = [f"many-{number}" for number in range(70)]
    for name in names:
        world.put_identity(name)
        world.put_credential("main", name, subject="many")
    token = world.signer.sign(tokens.claims(ISSUER, sub="many"))
    found = world.review(token)
    first = found["identities"][0]["name"]
    assert (len(found["identities"]), found["isTruncated"]) == (64, True)
    last = next(name for name in names if name not in [identity["name"] for identity in found["identities"]])
    put_route(world, identities=[last])
    assert ask_all(world, token) == ("ok",) * 3
    assert world.check(token, "/check/shop").header("x-relyd-identity") == last
    put_route(world, identities=[first, last])
    assert ask_all(world, token) == ("ambiguous_identity", "ambiguous_identity", "ok")


def test_audiences_are_those_of_all(world):
    """What all of token, credential, route and caller have in common; answered in the caller's order, else the route's."""
    put_route(world, audiences=["https://orders.example", "relyd", "third"], identities=["orders"])
    token = token_of(world, "third", "relyd", "https://orders.example")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    path = f"/routes/shop{TOKENREVIEWS}"
    assert wire.ask(world.data, "POST", path, body).json()["status"]["audiences"] == ["https://orders.example", "relyd"]
    body["spec"]["audiences"] = ["relyd", "https://orders.example"]
    assert wire.ask(world.data, "POST", path, body).json()["status"]["audiences"] == ["relyd", "https://orders.example"]
    body["spec"]["audiences"] = ["third"]
    assert wire.ask(world.data, "POST", path, body).json()["status"]["authenticated"] is False
    assert world.check(token, "/check/shop?aud=relyd").status == 200
    assert world.check(token, "/check/shop?aud=third").header("x-relyd-reason") == "audience_mismatch"
    put_route(world, "narrow", audiences=["https://orders.example"], identities=["orders"])
    assert world.check(token, "/check/narrow?aud=relyd").header("x-relyd-reason") == "audience_mismatch"
    review = wire.ask(world.data, "POST", "/routes/shop/review", {"token": token}).json()
    assert review["identities"][0]["audiences"] == ["https://orders.example", "relyd"]


def test_an_unknown_route(world):
    token = token_of(world)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    checked = world.check(token, "/check/nowhere")
    assert (checked.status, checked.header("x-relyd-reason")) == (403, "unknown_route")
    reviewed = wire.ask(world.data, "POST", f"/routes/nowhere{TOKENREVIEWS}", body)
    assert (reviewed.status, reviewed.json()["reason"], reviewed.json()["kind"]) == (404, "NotFound", "Status")
    assert "no route has the name" in reviewed.json()["message"]
    own = wire.ask(world.data, "POST", "/routes/nowhere/review", {"token": token})
    assert (own.status, own.json()["code"]) == (404, "unknown_route")
    assert world.admin("POST", "/v1/explain", {"token": token, "route": "nowhere"}).json()["errors"][0]["code"] == "not_registered"
    assert wire.ask(world.data, "GET", "/routes/default/review").status == 405
    for path in ("/routes/default", "/routes//review", "/routes/default/../review", "/routes/de%2Ffault/review"):
        assert wire.ask(world.data, "POST", path, {"token": token}).status == 404, path
    world.wait_for_words('"reason":"unknown_route"', 3)


def test_explain_judges_under_a_route(world):
    put_route(world, issuers=["second"])
    told = world.explain(token_of(world), route="shop")
    assert (told["reason"], told["route"]) == ("issuer_not_allowed", "shop")
    step = next(step for step in told["steps"] if step["outcome"] == "refused")
    assert (step["step"], step["route"], step["audiences"]) == ("route", "shop", ["relyd", "https://orders.example"])
    assert world.explain(token_of(world), route="default")["reason"] == "ambiguous_identity"
    assert (step["issuer"], step.get("issuerGroups")) == ("prod", None)
    assert world.admin("PUT", "/v1/issuerGroups/cluster", {"issuers": ["prod"]}).status == 201
    put_route(world, issuerGroups=["cluster"])
    step = next(step for step in world.explain(token_of(world), route="shop")["steps"] if step["step"] == "route")
    assert (step["outcome"], step["issuer"], step["issuerGroups"]) == ("passed", "prod", ["cluster"])
    put_route(world, identities=["orders"])
    assert world.explain(token_of(world), route="shop")["identities"][0]["name"] == "orders"


def test_a_listeners_route(start, tmp_path):
    port, other = wire.free_port(), wire.free_port()
    relyd = start(listeners=[{"address": f"127.0.0.1:{port}", "route": "shop"}, {"address": f"127.0.0.1:{other}"}])
    relyd.signer = relyd.put_world()
    token = token_of(relyd)
    ask = lambda at: wire.ask(("127.0.0.1", at), "POST", "/v1/review", {"token": token})
    assert (ask(port).status, ask(port).json()["code"]) == (404, "unknown_route")  # until it is made
    put_route(relyd, audiences=["elsewhere"])
    assert (ask(port).json()["reason"], ask(other).json()["reason"]) == ("audience_mismatch", "ok")
    put_route(relyd, "default", audiences=["elsewhere"])
    assert (relyd.reason(token), ask(other).json()["reason"]) == ("audience_mismatch",) * 2
    put_route(relyd)
    assert ask(port).json()["reason"] == "ok"
    assert relyd.check(token, "/check/default").header("x-relyd-reason") == "audience_mismatch"


def test_callers_of_a_route(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    relyd, by = guarded.relyd, guarded.context("dns:gw.example")
    relyd.put_identity("second-gw", roles=["reviewer"], certificates=["dns:second.example"])
    put_route(relyd, callers=["second-gw"])
    head = {"Authorization": f"Bearer {guarded.workload}"}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": guarded.workload}}

    def ask_each(context, address=None):
        check = guarded.ask("GET", "/check/shop/x", context, address, headers=head)
        review = guarded.ask("POST", f"/routes/shop{TOKENREVIEWS}", context, address, body=body)
        own = guarded.ask("POST", "/routes/shop/review", context, address, body={"token": guarded.workload})
        assert check.header("www-authenticate") is None  # no other token would help
        return [(check.status, check.header("x-relyd-reason")), (review.status, review.json().get("reason")), (own.status, own.json().get("code"))]

    refused = [(403, "caller_not_permitted"), (403, "Forbidden"), (403, "not_permitted")]
    assert ask_each(by) == refused
    assert ask_each(guarded.context("dns:second.example")) == [(200, None)] * 3
    assert guarded.ask("GET", "/check/default", by, headers=head).status == 200
    put_route(relyd, mode="shadow", passPreflight=True, callers=["second-gw"])  # who asks is judged in shadow too, and before a preflight
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert ask_each(by) == refused
    assert guarded.ask("OPTIONS", "/check/shop", by, headers=preflight).header("x-relyd-reason") == "caller_not_permitted"
    assert guarded.ask("OPTIONS", "/check/shop", guarded.context("dns:second.example"), headers=preflight).status == 200
    put_route(relyd)
    assert ask_each(by) == [(200, None)] * 3
    put_route(relyd, callers=["gateway"])
    for path, expected in (("/check/shop", "caller_not_permitted"), ("/check/default", None)):  # nobody is asked who he is there, and so is none of them
        assert relyd.check(guarded.workload, path).header("x-relyd-reason") == expected


def test_what_is_in_shadow_must_pass_the_route(relyd):
    """A credential in shadow would let nobody in whom the route keeps out."""
    relyd.signer = relyd.put_world()
    relyd.put_credential(mode="shadow")
    put_route(relyd, identities=["payments-api"])
    put_route(relyd, "other", groups=["nobody"])
    count = lambda: sum(int(found) for found in re.findall(r"^relyd_shadow_matches_total{.*} (\d+)$", wire.ask(relyd.health, "GET", "/metrics").body.decode(), re.M))
    assert relyd.check(token_of(relyd), "/check/other").header("x-relyd-reason") == "no_matching_credential"
    assert count() == 0
    assert relyd.check(token_of(relyd), "/check/shop").header("x-relyd-reason") == "no_matching_credential"
    assert count() == 1


def test_shadow_lets_in_and_says_who(world):
    put_route(world, mode="shadow", identities=["orders"])
    good, bad = token_of(world), token_of(world, "elsewhere")
    answer = world.check(good, "/check/shop/x", "POST")
    assert (answer.status, answer.header("x-relyd-identity"), answer.header("x-relyd-would-deny")) == (200, "orders", None)
    for token, path, reason in ((bad, "/check/shop", "audience_mismatch"), ("x.y.z", "/check/shop/a", "malformed_token"), (None, "/check/shop", "no_token"),
                                (good, "/check/shop?who=me", "invalid_query")):
        answer = world.check(token, path)
        assert (answer.status, answer.header("x-relyd-would-deny"), answer.body) == (200, reason, b"")
        assert [answer.header(name) for name in IDENTITY_HEADERS] == [""] * 7
        assert answer.header("cache-control") == "no-store" and answer.header("www-authenticate") is None
        assert answer.header("x-relyd-decision-id") and answer.header("x-relyd-reason") is None
        assert answer.header("x-envoy-auth-headers-to-remove") is None
    assert ask_all(world, bad)[1:] == ("audience_mismatch",) * 2  # every other door goes on enforcing
    world.wait_for_words('"outcome":"deny","reason":"malformed_token"')
    metrics = wire.ask(world.health, "GET", "/metrics").body.decode()
    assert re.search(r'^relyd_reviews_total{endpoint="check",.*reason="no_token"} 1$', metrics, re.M), metrics
    assert world.check(bad).status == 403
    put_route(world, mode="shadow", stripAuthorization=True)  # what has been refused goes no further than what has not
    for token in (good, bad):
        assert world.check(token, "/check/shop").header("x-envoy-auth-headers-to-remove") == "authorization"


def test_preflights(world):
    put_route(world, passPreflight=True)
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}
    answer = world.check(None, "/check/shop/x", "OPTIONS", asked)
    assert (answer.status, answer.header("x-relyd-would-deny"), answer.header("cache-control")) == (200, None, "no-store")
    assert [answer.header(name) for name in IDENTITY_HEADERS + ["x-relyd-decision-id"]] == [""] * 8
    for method, headers in (("OPTIONS", {"Origin": "https://shop.example"}), ("OPTIONS", {"Access-Control-Request-Method": "PUT"}), ("GET", asked), ("OPTIONS", {}),
                            ("POST", asked)):
        assert world.check(None, "/check/shop/x", method, headers).status == 401, (method, headers)
    assert world.check("x.y.z", "/check/shop/x", "OPTIONS", asked).status == 401
    assert world.check(None, "/check/shop/x", "OPTIONS", asked | {"Authorization": "Basic eDp5"}).status == 401
    assert world.check(None, "/check/default", "OPTIONS", asked).status == 401


def test_what_gateways_may_keep_and_pass_on(world):
    put_route(world, identities=["orders"])
    check = lambda token: world.check(token, "/check/shop")
    assert (check(token_of(world)).header("cache-control"), check(token_of(world)).header("x-envoy-auth-headers-to-remove")) == ("no-store", None)
    put_route(world, identities=["orders"], cacheSeconds=300, stripAuthorization=True)
    assert (check(token_of(world)).header("cache-control"), check(token_of(world)).header("x-envoy-auth-headers-to-remove")) == ("private, max-age=300", "authorization")
    soon = world.signer.sign(tokens.claims(ISSUER, lifetime=100))
    assert 90 <= int(check(soon).header("cache-control").split("=")[1]) <= 100
    now = int(time.time())
    over = world.signer.sign(tokens.claims(ISSUER, exp=now - 10, iat=now - 60, nbf=now - 60))  # within the leeway
    assert (check(over).status, check(over).header("cache-control")) == (200, "no-store")
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 60))  # a rule that ends before the token does
    world.put_credential("main", "orders", audiences=["relyd", "https://orders.example"], notAfter=end)
    assert 40 <= int(check(token_of(world)).header("cache-control").split("=")[1]) <= 60
    assert (check(over).status, check(over).header("cache-control")) == (200, "no-store")
    refused = check(token_of(world, "elsewhere"))
    assert refused.status == 403 and refused.header("x-envoy-auth-headers-to-remove") is None


def test_a_route_that_goes_while_a_request_waits(start, issuer):
    relyd = start(keys__miss_wait_ms=1500)
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    put_route(relyd)
    wire.wait_for(lambda: relyd.admin("GET", "/v1/issuers/cluster/keys").json().get("keys"), what="the first keys")
    issuer.answers["/openid/v1/jwks"] = lambda server, connection: time.sleep(4)
    answers = []
    token = issuer.token(tokens.key("never-published"))
    waiting = threading.Thread(target=lambda: answers.append(relyd.check(token, "/check/shop/x")))
    waiting.start()
    wire.wait_for(lambda: "relyd_key_waits_total 1\n" in wire.ask(relyd.health, "GET", "/metrics").body.decode(), what="the wait")
    assert relyd.admin("DELETE", f"{ROUTES}/shop").status == 204
    waiting.join()
    assert (answers[0].status, answers[0].header("x-relyd-reason")) == (403, "unknown_route")


REFUSED = [
    ({"audiences": []}, "audiences", "too_few"),
    ({}, "audiences", "too_few"),
    ({"audiences": ["a"] * 2}, "audiences[1]", "duplicate"),
    ({"audiences": [f"a{n}" for n in range(11)]}, "audiences", "too_many"),
    ({"identities": ["unknown"]}, "identities[0]", "not_registered"),
    ({"issuers": ["prod", "unknown"]}, "issuers[1]", "not_registered"),
    ({"issuerGroups": ["prod"]}, "issuerGroups[0]", "not_registered"),
    ({"issuerGroups": ["a"]}, "issuerGroups[0]", "too_short"),
    ({"issuerGroups": [f"group-{n}" for n in range(1001)]}, "issuerGroups", "too_many"),
    ({"callers": ["unknown"]}, "callers[0]", "not_registered"),
    ({"groups": [""]}, "groups[0]", "too_short"),
    ({"groups": [f"g{n}" for n in range(1001)]}, "groups", "too_many"),
    ({"cacheSeconds": 301}, "cacheSeconds", "out_of_range"),
    ({"cacheSeconds": -1}, "cacheSeconds", "out_of_range"),
    ({"mode": "off"}, "mode", "invalid_value"),
    ({"passPreflight": "yes"}, "passPreflight", "wrong_type"),
    ({"stripAuthorization": 1}, "stripAuthorization", "wrong_type"),
    ({"route": "x"}, "route", "unknown_field"),
]


@pytest.mark.parametrize("fields, field, code", REFUSED)
def test_what_is_refused(shared, fields, field, code):
    body = fields if "audiences" in fields or not fields else {"audiences": ["relyd"]} | fields
    answer = shared.admin("PUT", f"{ROUTES}/shop", body)
    assert answer.status == 400 and (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]], answer
    assert shared.admin("GET", f"{ROUTES}/shop").status == 404


def test_what_a_route_names_stays(world):
    assert world.admin("PUT", "/v1/issuerGroups/cluster", {"issuers": ["prod"]}).status == 201
    world.put("/v1/identities/orders/federatedIdentityCredentials/cluster", {"issuerGroup": "cluster", "subject": "s", "audiences": ["relyd"]})
    put_route(world, identities=["orders"], issuers=["second"], issuerGroups=["cluster"], callers=["payments-api"])
    for path in ("/v1/identities/orders", "/v1/identities/payments-api", "/v1/issuers/second?withCredentials=true", "/v1/issuerGroups/cluster?withCredentials=true"):
        answer = world.admin("DELETE", path)
        assert (answer.status, answer.json()["code"]) == (409, "in_use") and "route shop names " in answer.json()["detail"], answer
        assert answer.json()["by"] == [{"object": "route", "name": "shop"}]
    put_route(world)
    for path in ("/v1/identities/orders", "/v1/issuers/second?withCredentials=true", "/v1/issuerGroups/cluster?withCredentials=true", "/v1/identities/payments-api"):
        assert world.admin("DELETE", path).status == 204, path


def test_who_uses_an_object_is_said(world):
    """The first ten, in the order of names."""
    names = [f"route-{number:02d}" for number in range(12)]
    for name in reversed(names):
        put_route(world, name, identities=["orders"])
    answer = world.admin("DELETE", "/v1/identities/orders").json()
    assert answer["by"] == [{"object": "route", "name": name} for name in names[:10]]
    assert answer["detail"] == "route route-00 and others name this identity: an emptied list would let everything pass"
    assert "by" not in world.admin("DELETE", "/v1/issuers/second").json()  # issuer_in_use


def test_the_route_that_is_always_there(relyd):
    shown = relyd.admin("GET", f"{ROUTES}/default")
    assert shown.status == 200 and relyd.admin("GET", ROUTES).json()["value"] == [shown.json()]
    assert {name: shown.json()[name] for name in ("audiences", "identities", "groups", "issuers", "issuerGroups", "callers", "cacheSeconds", "mode")} == {
        "audiences": [], "identities": [], "groups": [], "issuers": [], "issuerGroups": [], "callers": [], "cacheSeconds": 0, "mode": "enforce"}
    answer = relyd.admin("DELETE", f"{ROUTES}/default")
    assert (answer.status, answer.json()["code"]) == (409, "built_in")
    assert relyd.admin("PUT", f"{ROUTES}/default", {"audiences": []}, {"If-Match": shown.header("etag")}).status == 200
    assert relyd.admin("POST", ROUTES, {"name": "default"}).json()["code"] == "already_exists"
    relyd.put(f"{ROUTES}/default", {"description": "changed"})
    relyd.restart()
    assert relyd.admin("GET", f"{ROUTES}/default").json()["description"] == "changed"
    with contextlib.closing(sqlite3.connect(relyd.database)) as database:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute("DELETE FROM route WHERE name = 'default'")


def test_ten_thousand_are_the_most(relyd):
    relyd.stop()
    with contextlib.closing(sqlite3.connect(relyd.database)) as database:
        columns = ", ".join(row[1] for row in database.execute("PRAGMA table_info(route)") if row[1] not in ("id", "name", "audiences"))
        database.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
                         f"INSERT INTO route (name, audiences, {columns}) SELECT 'route-' || i, 'a' || char(10), {columns} FROM n, route WHERE name = 'default'")
        database.commit()
    relyd.start()
    answer = relyd.admin("PUT", f"{ROUTES}/more", {"audiences": ["a"]})
    assert (answer.status, answer.json()["code"]) == (409, "too_many_objects")
    assert relyd.admin("DELETE", f"{ROUTES}/route-77").status == 204
    assert relyd.admin("PUT", f"{ROUTES}/more", {"audiences": ["a"]}).status == 201
    assert relyd.check("x.y.z", "/check/route-9999").header("x-relyd-reason") == "malformed_token"
