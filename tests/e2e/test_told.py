"""What strangers and callers are told of a refusal, on every door, and what only log and explain say (faults D, C20)."""

import json

import tokens
import wire
from service import ISSUER


def answers(relyd, token):
    """All that the doors say of a token: heads and bodies."""
    check = relyd.check(token)
    yield "check", repr(check.headers) + check.body.decode(), check.header("x-relyd-reason")
    review = wire.ask(relyd.data, "POST", "/v1/review", {"token": token})
    yield "review", repr(review.headers) + review.body.decode(), review.json()["reason"]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = wire.ask(relyd.data, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    yield "tokenreview", repr(answer.headers) + answer.body.decode(), answer.json()["status"]["error"].split(":")[0]


def test_d_refusals_before_the_signature_name_no_record_and_no_key(start):
    relyd = start(tokenreview__error_on_refusal=True, keys__miss_wait_ms=0)
    signer, weak, other = tokens.key("prod"), tokens.Key(bits=1024, kid="weak"), tokens.Key(kid="other")
    keys = {"jwks": tokens.jwks(signer, weak)}
    relyd.put_issuer("secret-record", keys=keys)
    claims = tokens.claims(ISSUER)
    forged = signer.sign(claims)[:-8] + "AAAAAAAA"
    refused = {
        "bad_signature": [forged, forged[:-102], tokens.Key("ES256").sign(claims, kid=signer.kid, alg="RS256")],
        "key_unknown": [other.sign(claims)],
        "weak_key": [weak.sign(claims)],
        "algorithm_not_allowed": [signer.sign(claims, alg="PS512"), tokens.hmac_token(b"x", {"alg": "HS256"}, claims)],
        "token_type_not_accepted": [signer.sign(claims, typ="logout+jwt")],
    }

    def check_all(token, reason):
        for door, text, word in answers(relyd, token):
            assert word == reason, (door, text)
            for secret in ("secret-record", "RSA 2048", "RSA", "1024", "256 bytes", "EC P-"):
                if not (reason == "weak_key" and secret == "RSA"):  # the reason's own sentence
                    assert secret not in text, (door, reason, secret, text)
            assert ISSUER in text, (door, text)  # what he sent
        explained = relyd.explain(token)
        assert explained["reason"] == reason

    for reason, sent in refused.items():
        for token in sent:
            check_all(token, reason)
    assert "secret-record" in relyd.explain(refused["token_type_not_accepted"][0])["detail"]
    relyd.put_issuer("secret-record", keys=keys, enabled=False)
    check_all(signer.sign(claims), "issuer_disabled")
    wire.wait_for(lambda: "issuer secret-record is disabled" in relyd.log(), what="the log line")


def test_c20_audience_mismatch_shows_the_audiences(start):
    relyd = start(tokenreview__error_on_refusal=True)
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER, aud=["of-the-token", "second"]))
    for door, text, word in answers(relyd, token):
        assert word == "audience_mismatch"
        assert "of-the-token" in text and "second" in text, (door, text)
    detail = relyd.explain(token, audiences=["of-the-caller"])["detail"]
    for part in ('the token has "of-the-token", "second"', 'the caller accepts "of-the-caller"', 'builder accepts "relyd"'):
        assert part in detail
    relyd.review(token, audiences=["of-the-caller"])

    def logged():
        lines = [json.loads(line) for line in relyd.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("detail") == detail]

    wire.wait_for(logged, what="the log line")
