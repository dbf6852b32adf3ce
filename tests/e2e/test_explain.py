"""POST /v1/explain: what each step found, and what came closest, for the engineer who is asked why a login fails."""

import json
import time

import pytest
import tokens
from service import ISSUER
from test_callers import Guarded

STEPS = ["token", "issuer", "keys", "signature", "claims", "route", "revocations", "credentials", "decision"]


def test_steps_of_an_allow(shared):
    decision = shared.explain(shared.signer.sign(tokens.claims(ISSUER)))
    assert (decision["decision"], decision["reason"]) == ("allow", "ok")
    assert [step["step"] for step in decision["steps"]] == STEPS
    assert "nearest" not in decision


@pytest.mark.parametrize(
    "changes, reason, hint",
    [
        ({"account": "bulider"}, "no_matching_credential", "builder"),
        ({"account": "Builder"}, "no_matching_credential", "subject"),
        ({"audience": "relyd "}, "audience_mismatch", "audience"),
        ({"audience": "https://relyd"}, "audience_mismatch", "audience"),
        ({"issuer": ISSUER + "/"}, "unknown_issuer", "prod"),
        ({"issuer": "https://prod.exampel"}, "unknown_issuer", "prod"),
    ],
)
def test_nearest(shared, changes, reason, hint):
    decision = shared.explain(shared.signer.sign(tokens.claims(**({"issuer": ISSUER} | changes))))
    assert decision["reason"] == reason
    assert hint in decision["nearest"]


def test_at(shared):
    token = shared.signer.sign(tokens.claims(ISSUER, lifetime=600))
    now = int(time.time())
    assert shared.explain(token, at=now)["reason"] == "ok"
    assert shared.explain(token, at=now + 800)["reason"] == "expired"
    assert shared.explain(token, at=now - 800)["reason"] in ("not_yet_valid", "issued_in_future")


def test_the_token_is_not_repeated(shared):
    for token in (shared.signer.sign(tokens.claims(ISSUER)), shared.signer.sign(tokens.claims(ISSUER, account="x"))):
        answer = json.dumps(shared.explain(token))
        assert token[-40:] not in answer


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "x", "at": "yesterday"}, {"token": "x", "audiences": "y"}, {"token": "x", "what": 1}, {"token": "x", "identity": []}])
def test_wrong_questions(shared, body):
    answer = shared.admin("POST", "/v1/explain", body)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body")


def test_data_plane_does_not_tell_what_came_closest(shared):
    """Whoever brings a token must not learn from the refusal what would have passed."""
    token = shared.signer.sign(tokens.claims(ISSUER, account="bulider"))
    for answer in (json.dumps(shared.review(token)), json.dumps(shared.tokenreview(token)), repr(shared.check(token))):
        assert ":builder" not in answer and "payments-api" not in answer


def reasons_at_the_doors(relyd, token):
    """What each door says of a token, without audiences and identity."""
    tokenreview = relyd.tokenreview(token)
    return {
        "check": relyd.check(token).header("x-relyd-reason") or "ok",
        "tokenreview": "ok" if tokenreview["authenticated"] else None,
        "review": relyd.reason(token),
    }


def test_a8_says_what_the_door_says(start):
    """Fault A8: explain could not show ambiguous_identity, and said allow where the check refuses."""
    relyd = start()
    signer = relyd.put_world()
    relyd.put_identity("second")
    relyd.put_credential("same", identity="second")
    relyd.put_credential("other", subject="system:serviceaccount:team-a:other")
    sent = {
        "ambiguous_identity": signer.sign(tokens.claims(ISSUER)),
        "ok": signer.sign(tokens.claims(ISSUER, account="other")),
        "no_matching_credential": signer.sign(tokens.claims(ISSUER, account="nobody")),
        "audience_mismatch": signer.sign(tokens.claims(ISSUER, audience="elsewhere")),
    }
    for reason, token in sent.items():
        doors = reasons_at_the_doors(relyd, token)
        assert doors["check"] == reason
        for endpoint, said in doors.items():
            explained = relyd.explain(token, endpoint=endpoint)
            assert explained["endpoint"] == endpoint and explained["route"] == "default"
            assert explained["single"] == (endpoint != "review")
            assert explained["reason"] == said or (said is None and explained["decision"] == "deny")
        assert relyd.explain(token)["reason"] == reason
        assert relyd.explain(token, route="default")["endpoint"] == "check"
    assert relyd.explain(sent["ambiguous_identity"], endpoint="review")["reason"] == "ok"
    assert relyd.explain(sent["ambiguous_identity"], identity="second")["reason"] == "ok"
    assert relyd.explain(sent["ambiguous_identity"])["whatToDo"] != ""


def test_a8_unknown_doors_are_refused(shared):
    for wrong in ({"endpoint": "login"}, {"endpoint": ""}, {"route": "elsewhere"}, {"endpoint": "tokenreview", "identity": "x"}, {"endpoint": "introspect"},
                  {"endpoint": "introspection", "identity": "x"}, {"endpoint": "introspection", "audiences": ["a"]}):
        answer = shared.admin("POST", "/v1/explain", {"token": "x"} | wrong)
        assert (answer.status, answer.json()["code"]) == (400, "invalid_body")


def test_d_year_0(shared):
    for at in ("0000-01-01T00:00:00Z", "0999-12-31T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", -1):
        answer = shared.admin("POST", "/v1/explain", {"token": "x", "at": at})
        assert answer.status == 400
        assert [error["code"] for error in answer.json()["errors"]] == ["out_of_range"], at
    for at in ("1970-01-01T00:00:00Z", "5138-11-16T09:46:40Z"):
        assert shared.admin("POST", "/v1/explain", {"token": "x", "at": at}).json()["at"] == at


def rule(value, **fields):
    return {"issuerName": "prod", "claimsMatchingExpression": {"value": value, "languageVersion": 1}, "audiences": ["relyd"]} | fields


def test_the_nearest_rule(relyd):
    """Of many that begin alike the one that is next to what the token says, and its first term that does not match."""
    signer = relyd.put_world()
    rules = "/v1/identities/payments-api/federatedIdentityCredentials"
    for number in range(15):
        relyd.put(f"{rules}/r{number:02}", {"issuerName": "prod", "github": {"repository": f"acme/app-{number:02}", "environment": "prod"}, "audiences": ["relyd"]})
    said = {"sub": "repo:acme/app-07:environment:dev", "repository_owner": "acme", "repository": "acme/app-07", "environment": "dev", "kubernetes.io": None}
    found = relyd.explain(signer.sign(tokens.claims(ISSUER, **said)))
    assert found["reason"] == "no_matching_credential"
    assert found["nearest"].startswith("the nearest credential is payments-api/r07: claimsMatchingExpression claims['environment'] eq 'prod': ")
    [step] = [step for step in found["steps"] if step["step"] == "credentials"]
    nearest = step["compared"][0]
    [field] = [field for field in nearest["fields"] if field["field"] == "claimsMatchingExpression"]
    assert (nearest["credential"], field["token"], field["equal"]) == ("r07", "dev", False)
    assert field["credential"] == relyd.admin("GET", f"{rules}/r07").json()["claimsMatchingExpression"]["value"]
    found = relyd.explain(signer.sign(tokens.claims(ISSUER, **said | {"repository": "acme/app-7", "environment": "prod"})))
    assert "claims['repository'] eq 'acme/app-" in found["nearest"]
    assert "payments-api" not in relyd.explain(signer.sign(tokens.claims(ISSUER, **said)) + "x").get("nearest", "")  # nothing of it was verified


def test_an_owner_is_told_of_his_own_rules(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    guarded.relyd.put_identity("app", owners=["other"])
    for name, suffix in (("app", "mine"), ("payments-api", "theirs")):
        guarded.relyd.put(f"/v1/identities/{name}/federatedIdentityCredentials/{suffix}", rule(f"claims['sub'] matches 'team:*' and claims['a'] eq '{suffix}'"))
    token = guarded.token("team:x", a="theirz", **{"kubernetes.io": None})
    for names, expected in (("cn:other", ["mine"]), ("uri:spiffe://prod/ops", ["theirs", "mine"])):
        answer = guarded.ask("POST", "/v1/explain", guarded.context(names), guarded.control, {"token": token})
        [step] = [step for step in answer.json()["steps"] if step["step"] == "credentials"]
        assert [item["credential"] for item in step["compared"] if item["credential"] in ("mine", "theirs")] == expected
        assert ("theirs" in json.dumps(answer.json())) == ("theirs" in expected)
