"""What a key set may look like: documents that real issuers publish, and what is said of keys that are not used."""

import json

import pytest
import tokens
import wire
from issuer import response
from service import ISSUER

NULLS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "use", "alg", "key_ops", "x5u", "x5c", "x5t"]


def keys_of(relyd, name="prod"):
    answer = relyd.admin("GET", f"/v1/issuers/{name}/keys")
    assert answer.status == 200, answer
    return answer.json()


def upload(relyd, *entries, **fields):
    relyd.put_issuer(keys={"jwks": {"keys": list(entries)}}, **fields)
    relyd.put_identity()
    relyd.put_credential()


def sign(key, **header):
    return key.sign(tokens.claims(ISSUER), **header)


def fetch(relyd, issuer, *entries):
    issuer.answers["/openid/v1/jwks"] = response(json.dumps({"keys": list(entries)}))
    relyd.put_issuer("fetched", **issuer.record())
    relyd.put_identity()
    relyd.put_credential("fetched", issuer=issuer.url)
    wire.wait_for(lambda: keys_of(relyd, "fetched").get("keys"), what="the key set")


def test_null_members_are_absent(relyd, issuer):
    """fault C1"""
    key = issuer.keys[0]
    nulls = key.jwk() | {name: None for name in NULLS}
    upload(relyd, nulls)
    assert [k["kid"] for k in keys_of(relyd)["keys"]] == [key.kid]
    assert relyd.reason(sign(key)) == "ok"
    fetch(relyd, issuer, nulls)
    assert relyd.reason(issuer.token()) == "ok"
    upload(relyd, nulls | {"kid": None})
    assert keys_of(relyd)["keys"][0]["kid"] is None
    assert relyd.reason(sign(key, kid=None)) == "ok"


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_private_members_stay_private(relyd, member):
    """fault C1: a value there is a secret that everybody has read, however the other members look."""
    jwk = tokens.key("prod").jwk() | {name: None for name in NULLS[:8]} | {member: "AQAB"}
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": [jwk]}}})
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "private_key")


def test_fetched_private_key_is_skipped(relyd, issuer):
    """fault C1"""
    leaked = tokens.key("leaked")
    fetch(relyd, issuer, leaked.jwk() | {"d": "AQAB"}, issuer.keys[0].jwk() | {"d": None})
    assert relyd.reason(issuer.token()) == "ok"
    assert relyd.reason(issuer.token(leaked)) == "key_unknown"
    (skipped,) = keys_of(relyd, "fetched")["skipped"]
    assert skipped["why"] == 'it has the private member "d": whoever has read the key set can sign with it'


@pytest.mark.parametrize("is_first", [False, True])
def test_entries_that_are_no_keys_are_skipped(relyd, issuer, is_first):
    """fault C2"""
    for other in (None, "x", [], 7, True):
        entries = [issuer.keys[0].jwk()]
        entries.insert(0 if is_first else 1, other)
        upload(relyd, *entries)
        assert relyd.reason(sign(issuer.keys[0])) == "ok"
        assert keys_of(relyd)["skipped"] == [{"kid": None, "why": "it is no JSON object", "isWeak": False}]
    fetch(relyd, issuer, *entries)
    assert relyd.reason(issuer.token()) == "ok"


def test_a_set_without_one_key_stays_refused(relyd):
    """fault C2"""
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": [None, {}]}}})
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "invalid_key_set")


def test_ed25519_is_eddsa(relyd):
    """fault C3: RFC 9864's name in token, key and record, in every combination."""
    key = tokens.key("ed", "EdDSA")
    for in_record in (["EdDSA"], ["Ed25519"], ["Ed25519", "EdDSA"], None):
        for in_key in ("EdDSA", "Ed25519", None):
            fields = {} if in_record is None else {"algorithms": in_record}
            upload(relyd, key.jwk(alg=in_key), **fields)
            if in_record is not None:
                assert relyd.admin("GET", "/v1/issuers/prod").json()["algorithms"] == ["EdDSA"]
            assert keys_of(relyd)["keys"][0]["algorithms"] == ["EdDSA"]
            for in_token in ("EdDSA", "Ed25519"):
                assert relyd.reason(sign(key, alg=in_token)) == "ok", (in_record, in_key, in_token)
            assert relyd.reason(sign(key, alg="Ed448")) == "algorithm_not_allowed"
    upload(relyd, key.jwk(), algorithms=["RS256"])
    assert relyd.reason(sign(key, alg="Ed25519")) == "algorithm_not_allowed"
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "algorithms": ["Ed448"]})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (400, "algorithms[0]")


@pytest.mark.parametrize("alg, member", [("RS256", "n"), ("RS256", "e"), ("ES256", "x"), ("ES256", "y"), ("EdDSA", "x")])
def test_padding_is_named(relyd, alg, member):
    """fault C12"""
    good, padded = tokens.key("prod"), tokens.key("padded", alg)
    jwk = padded.jwk()
    upload(relyd, good.jwk(), jwk | {member: jwk[member] + "="})
    (skipped,) = keys_of(relyd)["skipped"]
    assert skipped["why"] == f'its "{member}" has padding (=), and base64url has none (RFC 7515 s2)'
    assert relyd.reason(sign(padded)) == "key_unknown"
    assert relyd.reason(sign(good)) == "ok"


# --- sizes ------------------------------------------------------------------------------------------------------------


def many(count, key, members=None):
    """`count` keys of which the last signs."""
    others = [tokens.key(f"other-{number % 4}").jwk(kid=f"other-{number}") | (members or {}) for number in range(count - 1)]
    return others + [key.jwk() | (members or {})]


def test_many_keys(relyd, issuer):
    """fault C6: 120 keys, and what 0.1 refused for its size: 24 RSA keys with their certificates."""
    fetch(relyd, issuer, *many(120, issuer.keys[0]))
    assert len(keys_of(relyd, "fetched")["keys"]) == 120
    assert relyd.reason(issuer.token()) == "ok"
    large = many(24, issuer.keys[0], {"x5c": ["A" * 4700]})
    assert len(json.dumps(large)) > 120000
    upload(relyd, *large)
    assert relyd.reason(sign(issuer.keys[0])) == "ok"
    other, first = tokens.key("large"), issuer.keys[0].jwk()
    issuer.keys[0] = other
    issuer.answers["/openid/v1/jwks"] = response(json.dumps({"keys": [first, *many(24, other, {"x5c": ["A" * 4700]})]}))
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the large set")
    relyd.restart()
    issuer.is_down = True
    assert relyd.reason(issuer.token()) == "ok"  # it was stored


def test_most_keys(relyd, issuer):
    """fault C6: 256 by default, fetched or given."""
    upload(relyd, *many(256, tokens.key("prod")))
    assert relyd.reason(sign(tokens.key("prod"))) == "ok"
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": many(257, tokens.key("prod"))}}})
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "invalid_key_set")
    assert problem["message"] == "keys.jwks: the key set has 257 keys, more than 256 (keys.max_count)"
    issuer.answers["/openid/v1/jwks"] = response(json.dumps({"keys": many(257, issuer.keys[0])}))
    relyd.put_issuer("fetched", **issuer.record())
    error = wire.wait_for(lambda: keys_of(relyd, "fetched").get("lastError"), what="the failure")
    assert error.endswith("the key set has 257 keys, more than 256 (keys.max_count)")


def test_most_bytes(start, issuer):
    """fault C6: both settings hold for what is fetched and for what is given."""
    relyd = start(keys__max_bytes=65536, keys__max_count=3)
    key = issuer.keys[0]
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": [key.jwk(), key.jwk(x5c="A" * 65000)]}}})
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "too_long")
    assert problem["message"].endswith("the limit is 65536 (keys.max_bytes)")
    upload(relyd, *many(3, key))
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": many(4, key)}}})
    assert answer.json()["errors"][0]["message"].endswith("more than 3 (keys.max_count)")
    issuer.answers["/openid/v1/jwks"] = response(json.dumps({"keys": [key.jwk(x5c="A" * 66000)]}))
    relyd.put_issuer("fetched", **issuer.record())
    error = wire.wait_for(lambda: keys_of(relyd, "fetched").get("lastError"), what="the failure")
    assert error.endswith("the answer is larger than 65536 bytes")
    # What was accepted under larger limits goes on counting.
    relyd.settings |= {"keys.max_count": 1}
    relyd.restart()
    assert relyd.reason(sign(key)) == "ok"


def test_a_set_of_eight_mebibytes(start, issuer):
    """fault C6: the largest setting is one that can be used, from both sides."""
    relyd = start(keys__max_bytes=8388608, keys__max_count=1000, keys__miss_wait_ms=5000)
    key = tokens.key("prod")
    upload(relyd, *many(1000, key, {"x5c": ["A" * 7000]}))
    assert relyd.reason(sign(key)) == "ok"
    fetch(relyd, issuer, *many(1000, issuer.keys[0], {"x5c": ["A" * 7000]}))
    assert relyd.reason(issuer.token()) == "ok"


# --- weak keys --------------------------------------------------------------------------------------------------------


def test_weak_keys_alone_are_not_uploaded(relyd):
    """fault D: 0.1 answered 201."""
    weak = tokens.Key("RS256", bits=1024)
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(weak)}})
    assert answer.status == 400
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "invalid_key_set")
    assert problem["message"] == (
        "keys.jwks: the key set has no usable key; the first one is skipped because its RSA modulus has 1024 bits, not 2048 to 8192")
    upload(relyd, weak.jwk(), tokens.key("prod").jwk())
    assert relyd.reason(sign(weak)) == "weak_key"
    assert relyd.reason(sign(tokens.key("prod"))) == "ok"


def test_weak_keys_alone_do_not_replace_good_ones(start, issuer):
    """fault D: a fetched set of weak keys tells its tokens so, unless there are good keys to lose."""
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    weak = tokens.Key("RS256", bits=1024)
    issuer.answers["/openid/v1/jwks"] = response(json.dumps(tokens.jwks(weak)))
    relyd.put_issuer("fetched", **issuer.record())
    relyd.put_identity()
    relyd.put_credential("fetched", issuer=issuer.url)
    assert relyd.reason(issuer.token(weak)) == "weak_key"
    issuer.answers["/openid/v1/jwks"] = response(json.dumps(tokens.jwks(issuer.keys[0])))
    relyd.put_issuer("fetched", **issuer.record(description="fetch again"))
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the good key")
    issuer.answers["/openid/v1/jwks"] = response(json.dumps(tokens.jwks(weak)))
    relyd.put_issuer("fetched", **issuer.record(description="and again"))
    error = wire.wait_for(lambda: keys_of(relyd, "fetched").get("lastError"), what="the failure")
    assert "the key set has no usable key; the first one is skipped because its RSA modulus has 1024 bits" in error
    assert relyd.reason(issuer.token()) == "ok"


def roca(bits=2048, power=1234567):
    """A modulus as Infineon's library makes them; nobody here has its factors, and nobody needs them."""
    product = 1
    for prime in range(2, 702):
        if all(prime % divisor for divisor in range(2, int(prime**0.5) + 1)):
            product *= prime
    free_bits = bits - product.bit_length()
    return pow(65537, power, product) + product * (3 << (free_bits - 2) | 12345)


def test_roca_keys_are_weak(relyd):
    """fault D: CVE-2017-15361."""
    broken = {"kty": "RSA", "kid": "card", "e": "AQAB", "n": tokens.number(roca())}
    upload(relyd, broken, tokens.key("prod").jwk())
    (skipped,) = keys_of(relyd)["skipped"]
    assert skipped == {"kid": "card", "isWeak": True, "why": "its RSA modulus can be factored: it was made as in CVE-2017-15361 (ROCA)"}
    assert relyd.reason(sign(tokens.key("prod"), kid="card")) == "weak_key"
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"jwks": {"keys": [broken]}}})
    assert answer.status == 400 and "CVE-2017-15361" in answer.json()["errors"][0]["message"]
