"""By which arithmetic signatures are judged, and which verifications OpenSSL's EVP repeats (fault F)."""

import pytest
import tokens
import wire
from test_observe import metrics

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
EARNED = 32  # signatures that verified earn an EC key its table


def url_of(alg):
    return f"https://{alg.lower()}.example"


def put_world(relyd):
    relyd.put_identity()
    keys = {alg: tokens.key(f"crypto-{alg}", alg) for alg in ALGORITHMS}
    for alg, key in keys.items():
        relyd.put_issuer(alg.lower(), issuer=url_of(alg), keys={"jwks": tokens.jwks(key)})
        relyd.put_credential(name=alg.lower(), issuer=url_of(alg))
    return keys


def forged(token):
    """Another payload under the same signature."""
    header, _, signature = token.split(".")
    return ".".join((header, tokens.encode(tokens.compact(tokens.payload_of(token) | {"jti": "another"})), signature))


def test_f_evp_only(start):
    """No numbers, no tables, and the cache works with its other fingerprint."""
    relyd = start(crypto__own_arithmetic=False, crypto__recheck_one_in=1, workers=1)
    keys = put_world(relyd)
    for alg, key in keys.items():
        for _ in range(EARNED + 8):
            assert relyd.reason(key.sign(tokens.claims(url_of(alg)))) == "ok"
        assert relyd.reason(forged(key.sign(tokens.claims(url_of(alg))))) == "bad_signature"
    before = metrics(relyd, relyd.socket)
    token = keys["RS256"].sign(tokens.claims(url_of("RS256")))
    assert {relyd.reason(token) for _ in range(12)} == {"ok"}
    assert relyd.reason(forged(token)) == "bad_signature"
    after = metrics(relyd, relyd.socket)
    hit, miss = ('relyd_cache_lookups_total{outcome="%s"}' % outcome for outcome in ("hit", "miss"))
    assert (after[hit] - before[hit], after[miss] - before[miss]) == (10, 3)
    assert after["relyd_key_tables"] == 0
    assert after["relyd_signature_rechecks_total"] == 0


@pytest.mark.parametrize("one_in, repeated", [(1, 20), (0, 0)])
def test_f_own_arithmetic_is_repeated_by_evp(start, one_in, repeated):
    """Every verdict, yes and no, is one of own arithmetic here; what comes from the cache is none."""
    relyd = start(crypto__own_arithmetic=True, crypto__recheck_one_in=one_in)
    key = put_world(relyd)["RS256"]
    for _ in range(10):
        token = key.sign(tokens.claims(url_of("RS256")))
        assert relyd.reason(token) == "ok"
        assert relyd.reason(forged(token)) == "bad_signature"
    assert metrics(relyd, relyd.socket)["relyd_signature_rechecks_total"] == repeated


def test_f_tables_are_repeated_by_evp(start):
    relyd = start(crypto__own_arithmetic=True, crypto__recheck_one_in=1, workers=1)
    keys = put_world(relyd)
    for alg in ("ES256", "ES384", "ES512"):
        for _ in range(EARNED):
            assert relyd.reason(keys[alg].sign(tokens.claims(url_of(alg)))) == "ok"
    wire.wait_for(lambda: metrics(relyd, relyd.socket)["relyd_key_tables"] == 3, what="tables")
    before = metrics(relyd, relyd.socket)["relyd_signature_rechecks_total"]
    for alg in ("ES256", "ES384", "ES512"):
        token = keys[alg].sign(tokens.claims(url_of(alg)))
        assert relyd.reason(token) == "ok"
        assert relyd.reason(forged(token)) == "bad_signature"
    assert metrics(relyd, relyd.socket)["relyd_signature_rechecks_total"] - before == 6
