"""TokenReviews for callers that want more than an identity: kube-apiserver, which names audiences of its own; Vault, istiod and SPIRE, which
want what the token's own API server would say."""

import contextlib
import sqlite3

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

ROUTE = "/v1/routes/cluster"
AUDIENCES = ["https://kubernetes.default.svc", "k3s"]


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


def put_route(relyd, **fields):
    return relyd.put(ROUTE, {"audiences": ["relyd", "second"]} | fields)


def token_of(relyd, *audiences, **changes):
    return relyd.signer.sign(tokens.claims(ISSUER, aud=list(audiences or ["relyd"]), **changes))


def review(relyd, token, audiences=None, route="cluster"):
    """The status; three times, so that the token is remembered."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token} | ({} if audiences is None else {"audiences": audiences})}
    found = [wire.ask(relyd.data, "POST", f"/routes/{route}{TOKENREVIEWS}", body).json()["status"] for _ in range(3)]
    for status in found[1:]:
        assert {name: value for name, value in status.items() if name != "error"} == {name: value for name, value in found[0].items() if name != "error"}
    return found[0]


@pytest.mark.threads
def test_trusted_audiences(world):
    """T, C and R have one in common; S is answered as it was sent, and else what they have in common."""
    world.put_credential(audiences=["second", "relyd", "third"])
    put_route(world)
    both = token_of(world, "relyd", "second", "third")
    assert review(world, both, AUDIENCES)["error"].startswith("audience_mismatch")
    assert review(world, both, ["third", "second"])["audiences"] == ["second"]
    assert put_route(world, callerAudiences="trusted")["callerAudiences"] == "trusted"
    for sent in (AUDIENCES, ["third"], ["x"] * 2, ["second", "relyd"]):
        status = review(world, both, sent)
        assert (status["authenticated"], status["audiences"]) == (True, sent), sent
    for sent in (None, []):
        assert review(world, both, sent)["audiences"] == ["relyd", "second"], sent
    for token in (token_of(world, "third"), token_of(world, *AUDIENCES)):  # the route's stand for the caller's: no other does
        status = review(world, token, AUDIENCES)
        assert status["error"].startswith("audience_mismatch") and "audiences" not in status
    world.put_credential(audiences=["third"])
    assert review(world, both, AUDIENCES)["error"].startswith("audience_mismatch")


def test_trusted_by_tokenreviews_alone(world):
    put_route(world, callerAudiences="trusted")
    token = token_of(world)
    assert review(world, token, AUDIENCES)["authenticated"]
    assert world.check(token, "/check/cluster").status == 200
    assert world.check(token, "/check/cluster?aud=k3s").header("x-relyd-reason") == "audience_mismatch"
    own = wire.ask(world.data, "POST", "/routes/cluster/review", {"token": token, "audiences": AUDIENCES}).json()
    assert own["reason"] == "audience_mismatch"
    told = {endpoint: world.explain(token, route="cluster", endpoint=endpoint, audiences=["k3s"]) for endpoint in ("check", "tokenreview", "review")}
    assert {endpoint: answer["reason"] for endpoint, answer in told.items()} == {"check": "audience_mismatch", "tokenreview": "ok", "review": "audience_mismatch"}
    step = {endpoint: next(step for step in answer["steps"] if step["step"] == "route") for endpoint, answer in told.items()}
    assert (step["tokenreview"]["callerAudiences"], "callerAudiences" in step["check"]) == ("trusted", False)


def test_trusted_needs_audiences(world):
    answer = world.admin("PUT", "/v1/routes/default", {"callerAudiences": "trusted"})
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("audiences", "required")], answer
    answer = world.admin("PUT", ROUTE, {"callerAudiences": "trusted", "audiences": []})
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("audiences", "too_few")], answer
    answer = world.admin("PUT", ROUTE, {"callerAudiences": "any", "audiences": ["relyd"]})
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("callerAudiences", "invalid_value")], answer
    assert world.put("/v1/routes/default", {"callerAudiences": "trusted", "audiences": ["relyd"]})["callerAudiences"] == "trusted"
    assert review(world, token_of(world), AUDIENCES, "default")["audiences"] == AUDIENCES
    world.restart()
    assert review(world, token_of(world), AUDIENCES, "default")["audiences"] == AUDIENCES
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute("UPDATE route SET audiences = '' WHERE name = 'default'")
    assert world.put("/v1/routes/default", {})["callerAudiences"] == "narrow"


# --- the token's own service account (whole answers: test_kubernetes_answers.py) -----------------------------------------

def put_account_route(relyd, **fields):
    return put_route(relyd, user="kubernetes", **fields)


def test_an_account_without_more(world):
    """What the token has not is not there, and nothing of relyd's own is."""
    put_account_route(world)
    payload = tokens.claims(ISSUER, jti=None)
    status = review(world, world.signer.sign(payload))
    account = payload["kubernetes.io"]["serviceaccount"]
    assert status["user"] == {"username": "system:serviceaccount:team-a:builder", "uid": account["uid"], "extra": {},
                              "groups": ["system:serviceaccounts", "system:serviceaccounts:team-a", "system:authenticated"]}


ACCOUNT = {"name": "builder", "uid": "u"}
NO_ACCOUNTS = [
    ("ci:builder", None),
    ("ci:builder", {"namespace": "team-a", "serviceaccount": ACCOUNT}),
    ("system:serviceaccount:team-a:builder", None),
    ("system:serviceaccount:team-a:builder", {"namespace": "team-a", "serviceaccount": {"name": "builder"}}),
    ("system:serviceaccount:team-a:builder", {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": ""}}),
    ("system:serviceaccount:team-a:builder", {"namespace": "team-a"}),
    ("system:serviceaccount:team-a:builder", {"serviceaccount": ACCOUNT}),
    ("system:serviceaccount:team-a:builder:x", {"namespace": "team-a", "serviceaccount": {"name": "builder:x", "uid": "u"}}),
    ("system:serviceaccount:Team-a:builder", {"namespace": "Team-a", "serviceaccount": ACCOUNT}),
    ("system:serviceaccount:team.a:builder", {"namespace": "team.a", "serviceaccount": ACCOUNT}),
    ("system:serviceaccount:" + "n" * 64 + ":builder", {"namespace": "n" * 64, "serviceaccount": ACCOUNT}),
    ("system:serviceaccount:team-a:" + "n" * 254, {"namespace": "team-a", "serviceaccount": {"name": "n" * 254, "uid": "u"}}),
    ("system:serviceaccount::builder", {"namespace": "", "serviceaccount": ACCOUNT}),
    ("system:serviceaccount:team-a:", {"namespace": "team-a", "serviceaccount": {"name": "", "uid": "u"}}),
]


def test_no_service_accounts_token(world):
    put_account_route(world)
    for subject, kubernetes in NO_ACCOUNTS:
        world.put_credential(subject=subject)
        token = world.signer.sign(tokens.claims(ISSUER, sub=subject, **{"kubernetes.io": kubernetes}))
        status = review(world, token)
        assert status["error"].startswith("identity_not_allowed: route cluster answers with the token's service account"), (subject, status)
        assert (status["authenticated"], status["user"]) == (False, {})
    longest = "system:serviceaccount:" + "n" * 63 + ":" + ".".join(["m" * 83] * 3) + "m"
    world.put_credential(subject=longest)
    account = {"namespace": "n" * 63, "serviceaccount": {"name": longest.split(":")[3], "uid": "u"}}
    assert review(world, world.signer.sign(tokens.claims(ISSUER, sub=longest, **{"kubernetes.io": account})))["user"]["username"] == longest


def test_the_rules_decide(world):
    put_account_route(world)
    token = token_of(world)
    assert review(world, token)["authenticated"]
    assert review(world, token_of(world, account="other"))["error"].startswith("no_matching_credential")
    world.put_identity("second-one")
    world.put_credential("main", "second-one")
    assert review(world, token)["error"].startswith("ambiguous_identity")
    put_account_route(world, identities=["payments-api"])
    assert review(world, token)["user"]["username"] == "system:serviceaccount:team-a:builder"
    world.put_identity(enabled=False)
    assert review(world, token)["error"].startswith("identity_not_allowed: the token maps to identity second-one")
    world.put_identity()
    assert world.admin("POST", "/v1/revocations", {"identity": "payments-api", "reason": "a test"}).status == 201
    assert review(world, token)["authenticated"] is False


def test_names_of_the_identity_stay_here(world):
    """It may have none that can be given out: without identities.allow_system_names."""
    put_account_route(world)
    put = world.put_identity(usernameFrom="subject", groups=["payments"], extra={"example.com/team": ["a"]})
    assert "username" not in put
    token = token_of(world)
    assert world.check(token).header("x-relyd-reason") == "identity_not_allowed"
    user = review(world, token)["user"]
    assert user["groups"] == ["system:serviceaccounts", "system:serviceaccounts:team-a", "system:authenticated"]
    assert all(key.startswith("authentication.kubernetes.io/") for key in user["extra"])


def test_other_doors_answer_with_the_identity(world):
    put_account_route(world)
    token = token_of(world)
    assert world.check(token, "/check/cluster").header("x-relyd-username") == "payments-api"
    assert wire.ask(world.data, "POST", "/routes/cluster/review", {"token": token}).json()["identities"][0]["username"] == "payments-api"
    other = token_of(world, sub="ci:x", **{"kubernetes.io": None})
    world.put_credential(subject="ci:x")
    assert world.check(other, "/check/cluster").status == 200
    told = world.explain(other, route="cluster", endpoint="tokenreview")
    step = next(step for step in told["steps"] if step["step"] == "route")
    assert (told["reason"], step["user"]) == ("identity_not_allowed", "kubernetes")
    told = world.explain(other, route="cluster")
    assert told["reason"] == "ok" and "user" not in next(step for step in told["steps"] if step["step"] == "route")


def test_it_is_said(world):
    """That no kube-apiserver may ask there: each time, and with strict=true nothing is written."""
    body = {"name": "cluster", "audiences": ["relyd"], "user": "kubernetes"}
    for method, path in (("POST", "/v1/routes?strict=true"), ("PUT", f"{ROUTE}?strict=true")):
        answer = world.admin(method, path, body)
        assert answer.status == 400 and [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("user", "kubernetes_user")], answer
    assert world.admin("GET", ROUTE).status == 404
    created = world.admin("POST", "/v1/routes", body)
    assert created.status == 201 and [(warning["field"], warning["code"]) for warning in created.json()["warnings"]] == [("user", "kubernetes_user")]
    assert "webhook" in created.json()["warnings"][0]["message"]
    shown = world.admin("GET", ROUTE)
    assert shown.json()["user"] == "kubernetes" and "warnings" not in shown.json()
    again = world.admin("PUT", ROUTE, created.json())
    assert (again.status, len(again.json()["warnings"]), again.header("etag")) == (200, 1, shown.header("etag"))
    assert put_route(world)["warnings"] == [] and world.admin("PUT", f"{ROUTE}?strict=true", {"audiences": ["relyd"]}).status == 200
    assert put_account_route(world)["warnings"][0]["code"] == "kubernetes_user"


def test_never_of_the_route_that_is_always_there(world):
    for fields, code in (({"user": "kubernetes"}, "not_allowed"), ({"user": "kubernetes", "audiences": ["relyd"]}, "not_allowed"), ({"user": "root"}, "invalid_value")):
        answer = world.admin("PUT", "/v1/routes/default", fields)
        assert answer.status == 400 and [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("user", code)], answer
    assert world.admin("GET", "/v1/routes/default").json()["user"] == "identity"
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute("UPDATE route SET user = 2 WHERE name = 'default'")
    put_account_route(world)
    world.restart()
    assert review(world, token_of(world))["user"]["username"] == "system:serviceaccount:team-a:builder"
