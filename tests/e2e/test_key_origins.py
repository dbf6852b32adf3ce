"""Where an issuer's keys come from, and which of them count: each source with what it takes and what it refuses."""

import datetime
import json

import pytest
import tokens
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from issuer import response
from service import ISSUER, VECTORS
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
    ({"discovery": True, "jwksUri": "http://a.example/k"}, ("keys.jwksUri", "not_allowed")),
    ({"discovery": True, "jwksUri": 7}, ("keys.jwksUri", "wrong_type")),
    ({"discovery": True, "jwks": {"keys": []}}, ("keys", "too_many")),
    ({"jwksUri": "https://a.example/k", "jwks": {"keys": []}}, ("keys", "too_many")),
    ({"discovery": True, "jwksUri": "https://a.example/k", "jwks": {"keys": []}}, ("keys", "too_many")),
])
def test_what_stands_together(shared, keys, problem):
    assert problems(shared.admin("PUT", "/v1/issuers/prod-2", {"issuer": "https://a.example", "keys": keys})) == [problem]


# --- PEM --------------------------------------------------------------------------------------------------------------


def pem_of(key):
    return key.public_bytes(serialization.Encoding.PEM).decode()


def pkcs1_of(key):
    return key.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()


def certificate_of(key, last="2001-01-01"):
    """Signed by the key itself, and long over."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cluster")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.private.public_key()).serial_number(7)
    builder = builder.not_valid_before(datetime.datetime(2000, 1, 1)).not_valid_after(datetime.datetime.fromisoformat(last))
    digest = None if key.alg == "EdDSA" else hashes.SHA256()
    return builder.sign(key.private, digest).public_bytes(serialization.Encoding.PEM).decode()


def put_pem(relyd, pem, **fields):
    return relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"pem": pem}} | fields)


FORMS = [(pem_of, "RS256"), (pkcs1_of, "RS256"), (certificate_of, "RS256"), (pem_of, "ES256"), (certificate_of, "ES384"), (pem_of, "ES512"),
         (pem_of, "EdDSA"), (certificate_of, "EdDSA")]


@pytest.mark.parametrize("form, alg", FORMS, ids=[f"{form.__name__}-{alg}" for form, alg in FORMS])
def test_pem_in_every_form(shared, form, alg):
    """tokens.Key names itself as Kubernetes does; a token without kid is found, too."""
    key = tokens.Key(alg)
    pem = "for the cluster prod:\n" + form(key) + "\n" + pem_of(key)
    answer = put_pem(shared, pem)
    assert answer.status in (200, 201), answer
    assert answer.json()["keys"] == {"pem": pem} == shared.admin("GET", "/v1/issuers/prod").json()["keys"]
    assert [entry["kid"] for entry in keys_of(shared)["keys"]] == [key.kid] and keys_of(shared)["source"] == "pem"
    for kid in (key.kid, None):
        assert shared.reason(key.sign(tokens.claims(ISSUER), kid=kid)) == "ok"


def test_the_keys_of_a_real_cluster(relyd):
    """`sa.pub` of an API server: its tokens name its key as relyd does."""
    folder = VECTORS / "rs256"
    (entry,) = json.loads((folder / "jwks.json").read_text())["keys"]
    assert put_pem(relyd, (folder / "sa-rsa.pub").read_text()).status == 201
    assert [key["kid"] for key in keys_of(relyd)["keys"]] == [entry["kid"]]
    answer = relyd.admin("PUT", "/v1/issuers/prod-2", {"issuer": ISSUER + "/2", "keys": {"jwks": {"keys": [entry]}}})
    assert answer.status == 201 and keys_of(relyd, "prod-2")["keys"][0]["kid"] == entry["kid"]  # as kubectl prints it


def test_pem_that_is_refused(relyd):
    key = tokens.key("prod")
    secret = key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    good = pem_of(key)
    for pem, code, said in (
        (secret, "private_key", "replace it"),
        (good + secret, "private_key", "replace it"),
        (good.replace("PUBLIC KEY", "EC PRIVATE KEY"), "private_key", "replace it"),
        ("no PEM at all", "invalid_key_set", "has no -----BEGIN PUBLIC KEY-----"),
        (good[:200], "invalid_key_set", "block 1 is no whole PEM"),
        (good + good[:200], "invalid_key_set", "block 2 is no whole PEM"),
        (good.replace("PUBLIC KEY", "CERTIFICATE"), "invalid_key_set", "block 1 is no CERTIFICATE that OpenSSL can read"),
        (good.replace("PUBLIC KEY", "CERTIFICATE REQUEST"), "invalid_key_set", "block 1 is a CERTIFICATE REQUEST"),
        (pem_of(tokens.Key("RS256", bits=1024)), "invalid_key_set", "its RSA modulus has 1024 bits"),
        (good + "x" * 1100000, "invalid_key_set", "keys.max_bytes"),
        (good * 1001, "invalid_key_set", "more than 1000 keys (keys.max_count)"),
        (7, "wrong_type", "a string"),
        ("", "invalid_key_set", "nor a certificate"),
    ):
        answer = put_pem(relyd, pem)
        assert problems(answer) == [("keys.pem", code)], (said, answer)
        assert said in answer.json()["errors"][0]["message"] and "BEGIN PRIVATE" not in answer.body.decode()
    assert relyd.admin("GET", "/v1/issuers/prod").status == 404


def test_pem_is_a_set_of_the_settings_size(start):
    relyd = start(keys__max_count=2)
    three = "".join(pem_of(tokens.Key("ES256")) for _ in range(3))
    (problem,) = put_pem(relyd, three).json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.pem", "invalid_key_set") and "more than 2 (keys.max_count)" in problem["message"]


def test_pem_is_a_source_of_its_own(relyd):
    """Other text is another set; the same key is nobody else's; what cannot be used is skipped."""
    first, second = tokens.key("prod"), tokens.key("other", "ES256")
    odd = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    put_pem(relyd, pem_of(first) + odd)
    put_rule(relyd)
    assert [entry["why"] for entry in keys_of(relyd)["skipped"]] == ['its "crv" is not P-256, P-384 or P-521']
    assert relyd.reason(first.sign(tokens.claims(ISSUER))) == "ok"
    body = {"issuer": ISSUER, "keys": {"pem": pem_of(first)}}
    assert problems(relyd.admin("PUT", "/v1/issuers/prod-2", body)) == [("keys.pem", "duplicate_key")]
    put_pem(relyd, pem_of(second))
    assert relyd.reason(first.sign(tokens.claims(ISSUER))) == "key_unknown"
    relyd.restart()
    assert relyd.reason(second.sign(tokens.claims(ISSUER))) == "ok"
    relyd.put_issuer("prod", keys={"jwks": tokens.jwks(first)})
    assert relyd.reason(first.sign(tokens.claims(ISSUER))) == "ok"
    assert problems(put_pem(relyd, pem_of(second), bearerTokenFile="token"))[0][0] == "bearerTokenFile"


@pytest.mark.parametrize("keys", ["jwks", "pem", "jwksUri"])
def test_any_text_is_an_issuer(shared, keys):
    """StringOrURI of 1 to 600 characters, with every source but discovery."""
    given = {"jwks": tokens.jwks(tokens.Key("ES256")), "pem": pem_of(tokens.Key("ES256")), "jwksUri": "https://a.example/k"}[keys]
    for number, name in enumerate(("x", "auth.openshift.io", "kubernetes.default.svc", "urn:example:ci", "http://gitlab.example", "\U0001f511" * 600)):
        answer = shared.admin("PUT", f"/v1/issuers/any-{keys}-{number}", {"issuer": name, "keys": {keys: given}})
        assert answer.status == 201 or problems(answer) == [(f"keys.{keys}", "duplicate_key")], answer
    assert problems(shared.admin("PUT", "/v1/issuers/any-x", {"issuer": "x" * 601, "keys": {keys: given}})) == [("issuer", "too_long")]
