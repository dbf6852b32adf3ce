"""TokenReviews for callers that want more than an identity: kube-apiserver, which names audiences of its own."""

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
