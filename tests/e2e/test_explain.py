"""POST /v1/explain: what each step found, and what came closest, for the engineer who is asked why a login fails."""

import json
import time

import pytest
import tokens
from service import ISSUER

STEPS = ["token", "issuer", "keys", "signature", "claims", "credentials", "decision"]


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
