"""AKP keys (ML-DSA, RFC 9964): they spoil no set, their tokens are told why they are refused, and where OpenSSL has the algorithm by name
they are verified. Debian's has none: a provider with a toy of its own stands for it, tests/provider/toy_ml_dsa.c."""

import hashlib
import pathlib
import subprocess

import pytest
import service
import tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
ISSUER = "https://pq.example"
SIZES = {"ML-DSA-44": (1312, 2420), "ML-DSA-65": (1952, 3309), "ML-DSA-87": (2592, 4627)}
GOOD = tokens.key("pq-good", "ES256")
ALL = ["RS256", "ES256", *SIZES]


def akp(alg, **members):
    return {"kty": "AKP", "kid": alg, "alg": alg, "pub": tokens.encode(b"\x01" * SIZES[alg][0])} | members


def sign(alg, fill=b"\x01", **header):
    """As the toy provider does it: whoever knows the public key can."""
    key_bytes, signature_bytes = SIZES[alg]
    text = ".".join(tokens.encode(tokens.compact(part)) for part in ({"alg": alg, "kid": alg} | header, tokens.claims(ISSUER)))
    return text + "." + tokens.encode(hashlib.shake_256(fill * key_bytes + text.encode()).digest(signature_bytes))


def put_world(relyd, **fields):
    relyd.put_identity()
    keys = [akp(alg) for alg in SIZES] + tokens.jwks(GOOD)["keys"]
    relyd.put_issuer("post-quantum", issuer=ISSUER, keys={"jwks": {"keys": keys}}, **fields)
    relyd.put_credential(name="post-quantum", issuer=ISSUER)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """A configuration of OpenSSL that loads the toy."""
    folder = tmp_path_factory.mktemp("provider")
    module = folder / "toy.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module, ROOT / "tests/provider/toy_ml_dsa.c", "-lcrypto"], check=True)
    (folder / "openssl.cnf").write_text(
        "openssl_conf = begin\n[begin]\nproviders = providers\n[providers]\ndefault = ordinary\ntoy = toy\n[ordinary]\nactivate = 1\n"
        f"[toy]\nmodule = {module}\nactivate = 1\n"
    )
    return folder / "openssl.cnf"


@pytest.fixture
def provider(configuration, monkeypatch):
    """Whatever relyd starts in this test has the toy."""
    monkeypatch.setitem(service.ENVIRONMENT, "OPENSSL_CONF", str(configuration))


def test_keys_that_cannot_be_verified_spoil_nothing(start):
    relyd = start()
    put_world(relyd, algorithms=ALL)
    assert relyd.reason(GOOD.sign(tokens.claims(ISSUER))) == "ok"
    skipped = relyd.admin("GET", "/v1/issuers/post-quantum/keys").json()["skipped"]
    assert [key["kid"] for key in skipped] == list(SIZES)
    assert all("crypto.ml_dsa is off" in key["why"] for key in skipped)
    for alg in SIZES:
        answer = relyd.check(sign(alg))
        assert (answer.status, answer.header("x-relyd-reason")) == (401, "algorithm_unavailable")
    assert relyd.reason(tokens.key("pq-other", "RS256").sign(tokens.claims(ISSUER), kid="ML-DSA-65")) == "algorithm_unavailable"
    assert relyd.reason(sign("ML-DSA-65", kid="nobody")) == "algorithm_unavailable"
    relyd.put_issuer("post-quantum", issuer=ISSUER, keys={"jwks": tokens.jwks(GOOD)})
    assert relyd.reason(sign("ML-DSA-65")) == "algorithm_unavailable"  # though its record does not allow it


def test_records_of_one_issuer_say_the_same(start):
    relyd = start()
    put_world(relyd)
    relyd.put_issuer("twin", issuer=ISSUER, keys={"jwks": tokens.jwks(tokens.key("pq-twin", "ES256"))})
    assert relyd.reason(sign("ML-DSA-65")) == "algorithm_unavailable"
    assert relyd.reason(GOOD.sign(tokens.claims(ISSUER))) == "ok"


def test_the_seed_of_a_key_is_not_taken(start):
    relyd = start()
    answer = relyd.admin("PUT", "/v1/issuers/post-quantum", {"issuer": ISSUER, "keys": {"jwks": {"keys": [akp("ML-DSA-65", priv="AAAA"), *tokens.jwks(GOOD)["keys"]]}}})
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "private_key")
    assert answer.json()["errors"][0]["field"].startswith("keys.jwks")


@pytest.mark.parametrize("is_wanted", (False, True))
def test_what_openssl_offers_is_verified_where_it_is_wanted(start, provider, is_wanted):
    relyd = start(crypto__ml_dsa=is_wanted)
    put_world(relyd, algorithms=ALL)
    for alg in ("ML-DSA-44", "ML-DSA-65"):
        assert relyd.reason(sign(alg)) == ("ok" if is_wanted else "algorithm_unavailable")
        assert relyd.reason(sign(alg, fill=b"\x02")) == ("bad_signature" if is_wanted else "algorithm_unavailable")
    assert relyd.reason(sign("ML-DSA-87")) == "algorithm_unavailable"  # the toy has none
    assert relyd.reason(GOOD.sign(tokens.claims(ISSUER))) == "ok"
    put_world(relyd)
    assert relyd.reason(sign("ML-DSA-65")) == ("algorithm_not_allowed" if is_wanted else "algorithm_unavailable")
    assert "ml_dsa_unavailable" not in relyd.log()


def test_long_signatures_count_against_the_limit_of_tokens(start, provider):
    relyd = start(crypto__ml_dsa=True, token__max_bytes=4096)
    put_world(relyd, algorithms=ALL)
    assert relyd.reason(sign("ML-DSA-44")) == "ok"
    assert relyd.reason(sign("ML-DSA-65")) == "token_too_large"


def test_a_wish_that_openssl_does_not_fulfil_is_said(start):
    relyd = start(crypto__ml_dsa=True)
    put_world(relyd, algorithms=ALL)
    relyd.wait_for_words("ml_dsa_unavailable")
    assert relyd.reason(sign("ML-DSA-65")) == "algorithm_unavailable"
