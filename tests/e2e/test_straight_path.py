"""One right token through all three endpoints, and the shape of each answer."""

import time

import pytest
import tokens
import wire
from service import ISSUER

pytestmark = pytest.mark.threads


def test_tokenreview_allows(shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    status = shared.tokenreview(token)
    assert status["authenticated"] is True
    assert status["audiences"] == ["relyd"]
    assert "error" not in status  # Vault fails a login on any error
    user = status["user"]
    assert user["username"] == "payments-api"
    assert user["groups"] == ["payments"]
    assert user["extra"]["example.com/team"] == ["a", "b"]
    assert user["extra"]["relyd.io/issuer"] == ["prod"]
    assert user["extra"]["relyd.io/credential"] == ["builder"]
    assert len(user["uid"]) == 36


def test_check_allows(shared):
    answer = shared.check(shared.signer.sign(tokens.claims(ISSUER)))
    assert answer.status == 200
    assert answer.body == b""
    assert answer.header("x-relyd-identity") == "payments-api"
    assert answer.header("x-relyd-username") == "payments-api"
    assert answer.header("x-relyd-issuer") == "prod"
    assert answer.header("x-relyd-subject") == "system:serviceaccount:team-a:builder"
    assert answer.header("x-relyd-credential") == "builder"
    assert len(answer.header("x-relyd-uid")) == 36
    assert answer.header("x-relyd-decision-id")
    assert answer.header("x-relyd-reason") is None


def test_review_allows(shared):
    claims = tokens.claims(ISSUER)
    decision = shared.review(shared.signer.sign(claims))
    assert decision["decision"] == "allow"
    assert decision["reason"] == "ok"
    assert decision["issuer"] == "prod"
    assert decision["subject"] == claims["sub"]
    assert decision["audiences"] == ["relyd"]
    assert decision["expiresAt"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"]))  # without the leeway
    (identity,) = decision["identities"]
    assert identity["name"] == identity["username"] == "payments-api"
    assert identity["groups"] == ["payments"]
    assert identity["extra"] == {"example.com/team": ["a", "b"]}
    assert identity["credential"] == "builder"


def test_same_token_again_and_again(shared):
    """Whatever is remembered of a token must not change the answer."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    other = shared.signer.sign(tokens.claims(ISSUER, account="deployer"))
    for _ in range(50):
        assert shared.reason(token) == "ok"
        assert shared.reason(other) == "no_matching_credential"


def test_decision_ids_differ(shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    ids = {shared.review(token)["decisionId"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_every_algorithm(shared, alg):
    signer = tokens.key(f"every-{alg}", alg)
    url = f"https://{alg.lower()}.example"
    shared.put_issuer(alg.lower() + "-issuer", url, keys={"jwks": tokens.jwks(signer)})
    shared.put_identity(f"{alg}-identity")
    shared.put_credential(identity=f"{alg}-identity", issuer=url)
    token = signer.sign(tokens.claims(url))
    assert shared.review(token)["identities"][0]["name"] == f"{alg}-identity"
    head, payload, signature = token.split(".")
    changed = "B" if signature[0] != "B" else "C"
    assert shared.reason(f"{head}.{payload}.{changed}{signature[1:]}") == "bad_signature"


def test_several_identities(start):
    """The native review lists them; where there is room for one, the caller must name it."""
    relyd = start()
    signer = relyd.put_world()
    relyd.put_identity("audit-api")
    relyd.put_credential("builder-too", "audit-api")
    token = signer.sign(tokens.claims(ISSUER))
    names = [identity["name"] for identity in relyd.review(token)["identities"]]
    assert sorted(names) == ["audit-api", "payments-api"]
    assert [identity["name"] for identity in relyd.review(token, identity="audit-api")["identities"]] == ["audit-api"]
    assert relyd.tokenreview(token)["error"].startswith("ambiguous_identity: ")
    answer = relyd.check(token)
    assert (answer.status, answer.header("x-relyd-reason")) == (403, "ambiguous_identity")
    answer = relyd.check(token, "/check/default?identity=audit-api")
    assert (answer.status, answer.header("x-relyd-identity")) == (200, "audit-api")


def test_username_from_subject(relyd):
    signer = relyd.put_world()
    relyd.put_identity(usernameFrom="subject")
    token = signer.sign(tokens.claims(ISSUER))
    assert relyd.reason(token) == "identity_not_allowed"  # system: names need the administrator's word
    relyd.put_credential("robot", subject="robot-7")
    assert relyd.tokenreview(signer.sign(tokens.claims(ISSUER, sub="robot-7", **{"kubernetes.io": None})))["user"][
        "username"
    ] == "robot-7"


@pytest.mark.parametrize("limit", [1024, 40000])
def test_the_longest_token_is_what_the_setting_says(start, limit):
    relyd = start(token__max_bytes=limit)
    signer = relyd.put_world()
    filler = (limit - len(signer.sign(tokens.claims(ISSUER, fill="")))) * 3 // 4
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, fill="x" * (filler - 4)))) == "ok"
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, fill="x" * (filler + 4)))) == "token_too_large"


def test_system_names_when_allowed(start):
    relyd = start(identities__allow_system_names=True)
    signer = relyd.put_world()
    relyd.put_identity(usernameFrom="subject", groups=["system:serviceaccounts"])
    user = relyd.tokenreview(signer.sign(tokens.claims(ISSUER)))["user"]
    assert user["username"] == "system:serviceaccount:team-a:builder"
    assert user["groups"] == ["system:serviceaccounts"]


def test_disabled_records(relyd):
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    relyd.put_identity(enabled=False)
    assert relyd.reason(token) == "identity_disabled"
    relyd.put_identity(enabled=True)
    assert relyd.reason(token) == "ok"
    relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, enabled=False)
    assert relyd.reason(token) == "issuer_disabled"


def test_unix_socket_listener(start, tmp_path):
    path = str(tmp_path / "data.sock")
    relyd = start()
    relyd.stop()
    relyd.settings["listen"] = [relyd.settings["listen"][0], f"unix:{path}"]
    relyd.start()
    signer = relyd.put_world()
    answer = wire.ask(path, "POST", "/v1/review", {"token": signer.sign(tokens.claims(ISSUER))})
    assert answer.json()["reason"] == "ok"
