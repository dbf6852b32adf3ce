"""Where an issuer's keys come from, and which of them count: each source with what it takes and what it refuses."""

import json

import pytest
import tokens
import wire
from cryptography.hazmat.primitives.asymmetric import rsa
from issuer import response
from service import ISSUER
from test_key_keeping import edit_database
from test_reload import LOADED, hang_up, write

HOUR = 3600


def keys_of(relyd, name="prod"):
    answer = relyd.admin("GET", f"/v1/issuers/{name}/keys")
    assert answer.status == 200, answer
    return answer.json()


def problems(answer, status=400):
    assert answer.status == status, answer
    return [(problem["field"], problem["code"]) for problem in answer.json()["errors"]]


def put_rule(relyd, name="prod", issuer=ISSUER):
    relyd.put_identity()
    relyd.put_credential(name, issuer=issuer)


# --- costly keys ------------------------------------------------------------------------------------------------------


class Costly(tokens.Key):
    """A key under which a verification takes long: more than 4096 bits, or an exponent above 65537."""

    def __init__(self, bits=2048, exponent=65537):
        super().__init__("RS256", bits=bits)
        if exponent != 65537:
            numbers = self.private.private_numbers()
            secret = pow(exponent, -1, (numbers.p - 1) * (numbers.q - 1))
            self.private = rsa.RSAPrivateNumbers(numbers.p, numbers.q, secret, secret % (numbers.p - 1), secret % (numbers.q - 1), numbers.iqmp,
                                                 rsa.RSAPublicNumbers(exponent, numbers.public_numbers.n)).private_key()


COSTLY = {"its RSA modulus has more than 4096 bits": (4104, 65537), "its RSA exponent is above 65537": (2048, 65543)}


@pytest.mark.parametrize("why", COSTLY)
def test_costly_keys_need_the_records_word(relyd, why):
    costly, good = Costly(*COSTLY[why]), tokens.key("prod")
    body = {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(costly, good)}}
    assert relyd.put("/v1/issuers/prod", body)["allowCostlyKeys"] is False
    put_rule(relyd)
    why += ", and the record does not say allowCostlyKeys"
    assert keys_of(relyd)["skipped"] == [{"kid": costly.kid, "isWeak": True, "why": why}]
    assert relyd.reason(costly.sign(tokens.claims(ISSUER))) == "weak_key"
    assert why in json.dumps(relyd.explain(costly.sign(tokens.claims(ISSUER))))
    assert relyd.reason(good.sign(tokens.claims(ISSUER))) == "ok"
    assert relyd.put("/v1/issuers/prod", body | {"allowCostlyKeys": True})["allowCostlyKeys"] is True
    assert keys_of(relyd)["skipped"] == []
    assert relyd.reason(costly.sign(tokens.claims(ISSUER))) == "ok"
    relyd.restart()
    assert relyd.reason(costly.sign(tokens.claims(ISSUER))) == "ok"
    relyd.put("/v1/issuers/prod", body)
    assert relyd.reason(costly.sign(tokens.claims(ISSUER))) == "weak_key"
    assert relyd.reason(good.sign(tokens.claims(ISSUER))) == "ok"


def test_costly_keys_alone_are_not_uploaded(relyd):
    """Nor may the word be taken back from a record that has no other keys."""
    body = {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(Costly(*COSTLY["its RSA modulus has more than 4096 bits"]))}}
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", body)) == [("keys.jwks", "invalid_key_set")]
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", body | {"allowCostlyKeys": "yes"})) == [
        ("allowCostlyKeys", "wrong_type"), ("keys.jwks", "invalid_key_set")]
    relyd.put("/v1/issuers/prod", body | {"allowCostlyKeys": True})
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", body)) == [("keys.jwks", "invalid_key_set")]


def test_a_fetched_set_is_judged_by_its_record(start, issuer):
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    costly = Costly(exponent=65543)
    issuer.answers["/openid/v1/jwks"] = response(json.dumps(tokens.jwks(costly, issuer.keys[0])))
    relyd.put_issuer("prod", **issuer.record())
    put_rule(relyd, issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the good key")
    assert relyd.reason(issuer.token(costly)) == "weak_key"
    relyd.put_issuer("prod", **issuer.record(allowCostlyKeys=True))
    wire.wait_for(lambda: relyd.reason(issuer.token(costly)) == "ok", what="the costly key")
    issuer.is_down = True
    relyd.put_issuer("prod", **issuer.record())
    assert relyd.reason(issuer.token(costly)) == "weak_key"  # of the stored set, without a fetch
    assert relyd.reason(issuer.token()) == "ok"


# --- how old keys may become ------------------------------------------------------------------------------------------


def test_a_records_greatest_age(start, issuer):
    relyd = start(keys__max_age_s=10 * HOUR)
    for value, code in ((3599, "out_of_range"), (31536001, "out_of_range"), ("1", "wrong_type"), (3600.5, "wrong_type")):
        answer = relyd.admin("PUT", "/v1/issuers/prod", issuer.record(maxKeyAgeSeconds=value))
        assert problems(answer) == [("maxKeyAgeSeconds", code)], value
    for value in (31536000, 3600):
        assert relyd.put_issuer("prod", **issuer.record(maxKeyAgeSeconds=value))["maxKeyAgeSeconds"] == value
    put_rule(relyd, issuer=issuer.url)
    wire.wait_for(lambda: keys_of(relyd).get("keys"), what="the keys")
    issuer.is_down = True
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET fetched_at = fetched_at - 7200")
    relyd.start()
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    assert "and counts for 3600 s" in json.dumps(relyd.explain(issuer.token()))
    relyd.put_issuer("prod", **issuer.record(maxKeyAgeSeconds=4 * HOUR))
    assert relyd.reason(issuer.token()) == "ok"  # at once: the keys are the same, and young enough
    assert "maxKeyAgeSeconds" not in relyd.put_issuer("prod", **issuer.record())
    assert relyd.reason(issuer.token()) == "ok"


def test_another_setting_counts_at_once(start, issuer):
    relyd = start(keys__max_age_s=10 * HOUR)
    relyd.put_issuer("prod", **issuer.record())
    put_rule(relyd, issuer=issuer.url)
    wire.wait_for(lambda: keys_of(relyd).get("keys"), what="the keys")
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET fetched_at = fetched_at - 7200")
    issuer.is_down = True
    relyd.start()
    token = issuer.token()
    assert relyd.reason(token) == "ok"
    write(relyd, keys__max_age_s=HOUR)
    assert hang_up(relyd, LOADED) == "in force as they are now: keys.max_age_s"
    wire.wait_for(lambda: relyd.reason(token) == "keys_unavailable", what="the end of the keys")  # also a remembered one
    write(relyd, keys__max_age_s=3 * HOUR)
    hang_up(relyd, LOADED)
    wire.wait_for(lambda: relyd.reason(token) == "ok", what="the keys")


# --- a discovery document that names another address ------------------------------------------------------------------


def test_a_url_beside_discovery(start, issuer):
    """The document is judged, and its jwks_uri is not asked."""
    relyd = start(keys__miss_wait_ms=2000)
    issuer.answers["/.well-known/openid-configuration"] = response(issuer.discovery(jwks_uri="https://10.9.9.9/openid/v1/jwks"))
    keys = {"discovery": True, "jwksUri": f"{issuer.url}/reachable/openid/v1/jwks"}
    assert list(relyd.put_issuer("prod", **issuer.record(keys=keys))["keys"].items()) == list(keys.items())
    put_rule(relyd, issuer=issuer.url)
    assert relyd.reason(issuer.token()) == "ok"
    assert issuer.requests[:2] == ["/.well-known/openid-configuration", "/reachable/openid/v1/jwks"]
    assert (keys_of(relyd)["source"], keys_of(relyd)["jwksUri"]) == ("discovery", keys["jwksUri"])
    relyd.restart()
    assert relyd.admin("GET", "/v1/issuers/prod").json()["keys"] == keys
    assert relyd.reason(issuer.token()) == "ok"


def test_a_url_beside_discovery_does_not_stand_for_the_document(start, issuer):
    relyd = start(keys__miss_wait_ms=2000)
    keys = {"discovery": True, "jwksUri": f"{issuer.url}/openid/v1/jwks"}
    for document, said in (({"issuer": issuer.url + "/"}, "names issuer"), ({"issuer": None}, "has no issuer")):
        issuer.answers["/.well-known/openid-configuration"] = response(issuer.discovery(**document))
        relyd.put_issuer("prod", **issuer.record(keys=keys, description=said))
        wire.wait_for(lambda: said in keys_of(relyd).get("lastError", ""), what=said)
    assert issuer.count() == 0
    issuer.answers["/.well-known/openid-configuration"] = response(issuer.discovery(jwks_uri=None))  # nobody asks for it
    relyd.put_issuer("prod", **issuer.record(keys=keys))
    put_rule(relyd, issuer=issuer.url)
    assert relyd.reason(issuer.token()) == "ok"


def test_another_url_beside_discovery_is_another_source(start, issuer):
    """Keys from where nothing is fetched any more do not stay."""
    relyd = start(keys__miss_wait_ms=0)
    relyd.put_issuer("prod", **issuer.record())
    put_rule(relyd, issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the keys")
    issuer.is_down = True
    relyd.put_issuer("prod", **issuer.record(keys={"discovery": True, "jwksUri": f"{issuer.url}/elsewhere"}))
    assert relyd.reason(issuer.token()) == "keys_unavailable"


@pytest.mark.parametrize("keys, problem", [
    ({"discovery": False, "jwksUri": "https://a.example/k"}, ("keys.discovery", "invalid_value")),
    ({"discovery": True, "jwksUri": "http://a.example/k"}, ("keys.jwksUri", "invalid_url")),
    ({"discovery": True, "jwksUri": 7}, ("keys.jwksUri", "wrong_type")),
    ({"discovery": True, "jwks": {"keys": []}}, ("keys", "too_many")),
    ({"jwksUri": "https://a.example/k", "jwks": {"keys": []}}, ("keys", "too_many")),
    ({"discovery": True, "jwksUri": "https://a.example/k", "jwks": {"keys": []}}, ("keys", "too_many")),
])
def test_what_stands_together(shared, keys, problem):
    assert problems(shared.admin("PUT", "/v1/issuers/prod-2", {"issuer": "https://a.example", "keys": keys})) == [problem]
