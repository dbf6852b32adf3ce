"""Tokens that nobody should send, through the running service: each gets exactly its reason, and a good one still passes."""

import json
import re
import time

import pytest
import tokens
from cryptography.hazmat.primitives.serialization import Encoding
from service import ISSUER
from tokens import claims, compact, encode, key

NOW = int(time.time())
SIGNER = key("prod")


def signed(payload=None, **header):
    return SIGNER.sign(payload if payload is not None else claims(ISSUER), **header)


def with_claims(**changes):
    return lambda: signed(claims(ISSUER, **changes))


def with_text(old, new):
    """The right payload with its text changed, and signed so: what no JSON library writes."""
    return lambda: signed(compact(claims(ISSUER)).replace(old.encode(), new.encode()))


def with_header(**header):
    return lambda: signed(**header)


def with_header_text(text):
    return lambda: SIGNER.sign_as_is(text, claims(ISSUER))


def changed(change):
    return lambda: change(signed())


def none_token(alg):
    return lambda: f"{encode(compact({'alg': alg}))}.{encode(compact(claims(ISSUER)))}."


def confused(secret):
    return lambda: tokens.hmac_token(secret, {"alg": "HS256", "kid": SIGNER.kid}, claims(ISSUER))


CASES = {
    # the algorithm
    "A04 alg none": (none_token("none"), "algorithm_not_allowed"),
    "A07 alg nOnE": (none_token("nOnE"), "algorithm_not_allowed"),
    "A08 alg none over a right signature": (lambda: none_token("none")() + signed().split(".")[2], "algorithm_not_allowed"),
    "A09 alg missing": (with_header_text(compact({"kid": SIGNER.kid})), "malformed_token"),
    "A12 alg number": (with_header_text(compact({"alg": 5, "kid": SIGNER.kid})), "malformed_token"),
    "A15 alg in lower case": (with_header_text(compact({"alg": "rs256", "kid": SIGNER.kid})), "algorithm_not_allowed"),
    "A19 HS256 with the public PEM": (confused(SIGNER.public_bytes(Encoding.PEM)), "algorithm_not_allowed"),
    "A21 HS256 with the public DER": (confused(SIGNER.public_bytes(Encoding.DER)), "algorithm_not_allowed"),
    "A26 HS256 with no key": (confused(b""), "algorithm_not_allowed"),
    "A34 RS384 by a key for RS256": (lambda: SIGNER.sign(claims(ISSUER), alg="RS384"), "algorithm_not_allowed"),
    "A35 PS256 by a key for RS256": (lambda: SIGNER.sign(claims(ISSUER), alg="PS256"), "algorithm_not_allowed"),
    "A33 ES256 with the kid of an RSA key": (lambda: key("other", "ES256").sign(claims(ISSUER), kid=SIGNER.kid), "algorithm_not_allowed"),
    # the signature
    "B14 empty signature": (changed(lambda t: t.rsplit(".", 1)[0] + "."), "bad_signature"),
    "B19 signature one byte short": (changed(lambda t: t.rsplit(".", 1)[0] + "." + encode(tokens.decode(t.split(".")[2])[1:])), "bad_signature"),
    "B20 signature one byte long": (changed(lambda t: t.rsplit(".", 1)[0] + "." + encode(b"\0" + tokens.decode(t.split(".")[2]))), "bad_signature"),
    "B22 signature of zeros": (changed(lambda t: t.rsplit(".", 1)[0] + "." + encode(bytes(256))), "bad_signature"),
    "B26 signature of another token": (changed(lambda t: t.rsplit(".", 1)[0] + "." + signed(claims(ISSUER, account="x")).split(".")[2]), "bad_signature"),
    "B28 a stranger's key under a known kid": (lambda: key("stranger").sign(claims(ISSUER), kid=SIGNER.kid), "bad_signature"),
    # the form
    "C01 empty": (lambda: "", "no_token"),
    "C02 one dot": (lambda: ".", "malformed_token"),
    "C03 two dots": (lambda: "..", "malformed_token"),
    "C04 two parts": (changed(lambda t: t.rsplit(".", 1)[0]), "malformed_token"),
    "C05 four parts": (changed(lambda t: t + ".AAAA"), "malformed_token"),
    "C06 a dot behind": (changed(lambda t: t + "."), "malformed_token"),
    "C11 padding": (changed(lambda t: t + "=="), "malformed_token"),
    "C12 a blank in front": (changed(lambda t: " " + t), "malformed_token"),
    "C13 a blank behind": (changed(lambda t: t + " "), "malformed_token"),
    "C15 CRLF behind": (changed(lambda t: t + "\r\n"), "malformed_token"),
    "C20 zero-width space": (changed(lambda t: t + "\u200b"), "malformed_token"),
    "C25 unused bits set": (changed(lambda t: t[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[t[-1]]), "malformed_token"),
    "C24 Bearer inside": (changed(lambda t: "Bearer " + t), "malformed_token"),
    "C33 detached payload": (changed(lambda t: t.split(".")[0] + ".." + t.split(".")[2]), "malformed_token"),
    # the header
    "D01 alg twice": (with_header_text('{"alg":"RS256","alg":"none","kid":"x"}'), "malformed_token"),
    "D04 alg twice by escape": (with_header_text('{"alg":"RS256","\\u0061lg":"none"}'), "malformed_token"),
    "D05 header a list": (with_header_text("[]"), "malformed_token"),
    "D10 header two objects": (with_header_text('{"alg":"RS256"}{}'), "malformed_token"),
    "D16 header with a BOM": (with_header_text(b"\xef\xbb\xbf" + compact({"alg": "RS256"})), "malformed_token"),
    "D18 header no UTF-8": (with_header_text(b'{"alg":"RS256","kid":"\xff"}'), "malformed_token"),
    "D20 unknown member": (with_header(unknown=[1, {"a": None}]), "ok"),
    "D22 crit exp": (with_header(crit=["exp"]), "unsupported_critical_header"),
    "D24 crit b64": (with_header(crit=["b64"], b64=False), "unsupported_critical_header"),
    "D26 crit empty": (with_header(crit=[]), "unsupported_critical_header"),
    "D31 b64 without crit": (with_header(b64=False), "unsupported_critical_header"),
    "D32 kid unknown": (with_header(kid="unknown"), "key_unknown"),
    "D33 kid empty": (with_header(kid=""), "key_unknown"),
    "D34 kid number": (with_header(kid=7), "malformed_token"),
    "D38 kid a path": (with_header(kid="../../../../dev/null"), "key_unknown"),
    "D43 kid with NUL": (with_header_text('{"alg":"RS256","kid":"' + SIGNER.kid + '\\u0000"}'), "malformed_token"),
    "D46 kid a format": (with_header(kid="%n%s%x"), "key_unknown"),
    "D50 no kid": (with_header(kid=None), "ok"),
    "D53 embedded jwk of an attacker": (lambda: key("stranger").sign(claims(ISSUER), kid=None, jwk=key("stranger").jwk()), "bad_signature"),
    "D56 jku under the right key": (with_header(jku="https://127.0.0.1:1/jwks"), "ok"),
    "D58 typ jwt": (with_header(typ="jwt"), "ok"),
    "D60 typ at+jwt": (with_header(typ="at+jwt"), "ok"),
    "D61 typ dpop+jwt": (with_header(typ="dpop+jwt"), "token_type_not_accepted"),
    "D62 typ logout+jwt": (with_header(typ="logout+jwt"), "token_type_not_accepted"),
    "D65 header nested deep": (with_header_text('{"alg":"RS256","x":' + "[" * 1000 + "]" * 1000 + "}"), "malformed_token"),
    # the payload
    "E01 payload a list": (lambda: signed(b"[]"), "malformed_token"),
    "E06 payload empty": (lambda: signed(b"{}"), "missing_claim"),
    "E07 garbage behind": (lambda: signed(compact(claims(ISSUER)) + b"x"), "malformed_token"),
    "E20 sub no UTF-8": (lambda: signed(compact(claims(ISSUER)).replace(b"builder", b"b\xff")), "malformed_token"),
    "E27 sub twice": (with_text('"sub"', '"sub":"x","sub"'), "malformed_token"),
    "E29 iss twice": (with_text('"iss"', '"iss":"x","iss"'), "malformed_token"),
    "E31 sub twice by escape": (with_text('"sub"', '"s\\u0075b":"x","sub"'), "malformed_token"),
    "E33 duplicate in an unknown claim": (with_text('"jti"', '"x":{"a":1,"a":2},"jti"'), "malformed_token"),
    "E39 SUB beside sub": (with_claims(SUB="system:serviceaccount:team-a:admin"), "ok"),
    "E40 only SUB": (with_claims(sub=None, SUB="system:serviceaccount:team-a:builder"), "missing_claim"),
    "E44 unknown claims of every type": (with_claims(a=None, b=True, c=1.5, d=[], e={}, f="x"), "ok"),
    # time
    "F01 no exp": (with_claims(exp=None), "missing_claim"),
    "F02 exp a string": (with_claims(exp=str(NOW + 3600)), "invalid_claim"),
    "F04 exp true": (with_claims(exp=True), "invalid_claim"),
    "F07 exp 0": (with_claims(exp=0), "invalid_claim"),
    "F10 exp an hour ago": (with_claims(exp=NOW - 3600, iat=NOW - 7200, nbf=NOW - 7200), "expired"),
    "F12 exp with a fraction": (with_claims(exp=NOW + 3600.5), "ok"),
    "F19 exp 2^64 + now": (with_claims(exp=2**64 + NOW + 3600), "invalid_claim"),
    "F23 exp in milliseconds": (with_claims(exp=(NOW + 3600) * 1000), "invalid_claim"),
    "F24 136 years": (with_claims(exp=NOW + 2**32), "ok"),
    "F25 nbf in an hour": (with_claims(nbf=NOW + 3600, exp=NOW + 7200), "not_yet_valid"),
    "F26 nbf a string": (with_claims(nbf="x"), "invalid_claim"),
    "F29 no nbf": (with_claims(nbf=None), "ok"),
    "F30 nbf after exp": (with_claims(exp=NOW + 3600, nbf=NOW + 7200), "invalid_claim"),
    "F32 iat in an hour": (with_claims(iat=NOW + 3600), "issued_in_future"),
    "F33 iat a string": (with_claims(iat="x"), "invalid_claim"),
    "F34 no iat": (with_claims(iat=None), "ok"),
    # audience
    "G01 aud a string": (with_claims(aud="relyd"), "ok"),
    "G02 aud of three": (with_claims(aud=["x", "relyd", "y"]), "ok"),
    "G04 aud missing": (with_claims(aud=None), "missing_claim"),
    "G06 aud empty list": (with_claims(aud=[]), "invalid_claim"),
    "G07 aud empty text": (with_claims(aud=""), "invalid_claim"),
    "G08 aud of an empty text": (with_claims(aud=[""]), "invalid_claim"),
    "G12 aud with a number": (with_claims(aud=["relyd", 5]), "invalid_claim"),
    "G14 aud other": (with_claims(aud=["other"]), "audience_mismatch"),
    "G15 aud upper case": (with_claims(aud=["RELYD"]), "audience_mismatch"),
    "G17 aud prefix": (with_claims(aud=["rely"]), "audience_mismatch"),
    "G19 aud comma list": (with_claims(aud="relyd,other"), "audience_mismatch"),
    "G21 aud *": (with_claims(aud=["*"]), "audience_mismatch"),
    "G22 aud with NUL": (with_claims(aud=["relyd\0evil"]), "malformed_token"),
    # issuer
    "G27 iss missing": (with_claims(iss=None), "missing_claim"),
    "G29 iss number": (with_claims(iss=5), "invalid_claim"),
    "G31 iss with a slash": (with_claims(iss=ISSUER + "/"), "unknown_issuer"),
    "G32 iss in upper case": (with_claims(iss=ISSUER.upper()), "unknown_issuer"),
    "G33 iss with :443": (with_claims(iss=ISSUER + ":443"), "unknown_issuer"),
    "G34 iss http": (with_claims(iss=ISSUER.replace("https", "http")), "unknown_issuer"),
    "G42 iss the metadata address": (with_claims(iss="http://169.254.169.254/"), "unknown_issuer"),
    # subject
    "G49 sub missing": (with_claims(sub=None), "missing_claim"),
    "G51 sub empty": (with_claims(sub="", **{"kubernetes.io": None}), "invalid_claim"),
    "G52 sub number": (with_claims(sub=5), "invalid_claim"),
    "G54 sub of another account": (with_claims(account="deployer"), "no_matching_credential"),
    "G55 sub *": (with_claims(sub="*", **{"kubernetes.io": None}), "no_matching_credential"),
    "G57 sub in other case": (with_claims(sub="System:serviceaccount:team-a:builder", **{"kubernetes.io": None}), "no_matching_credential"),
    "G59 sub with NUL": (with_claims(sub="system:serviceaccount:team-a:builder\0", **{"kubernetes.io": None}), "malformed_token"),
    "G61 sub with a blank": (with_claims(sub="system:serviceaccount:team-a:builder ", **{"kubernetes.io": None}), "no_matching_credential"),
    "G67 sub a lone surrogate": (with_text("builder", "\\ud800"), "malformed_token"),
    "G75 namespace contradicts sub": (with_claims(**{"kubernetes.io": {"namespace": "team-b", "serviceaccount": {"name": "builder"}}}), "invalid_claim"),
    "G78 no jti": (with_claims(jti=None), "ok"),
    "too long": (with_claims(x="x" * 13000), "token_too_large"),
}


@pytest.mark.parametrize("name", CASES)
def test_reason(shared, name):
    make, reason = CASES[name]
    decision = shared.review(make())
    assert decision["reason"] == reason, decision
    if reason != "ok":
        assert "identities" not in decision and "subject" not in decision
        assert decision["decision"] == "deny"


NO_HEADER_VALUES = {name for name in CASES if re.match(r"C(01|12|13|15|20|24) ", name)}


@pytest.mark.parametrize("name", sorted(CASES.keys() - NO_HEADER_VALUES))
def test_same_reason_at_the_gateways_endpoint(shared, name):
    make, reason = CASES[name]
    answer = shared.check(make())
    assert answer.status in (200, 401, 403)
    assert (answer.header("x-relyd-reason") or "ok") == reason
    assert (answer.status == 200) == (reason == "ok")


def test_details_do_not_repeat_the_token(shared):
    for make, reason in CASES.values():
        token = make()
        if reason != "ok" and len(token) > 100:
            assert token[-60:] not in json.dumps(shared.review(token))


WEAK = {
    "H01 RSA 1024": (lambda: tokens.Key("RS256", bits=1024), {}, "weak_key"),
    "H17 use enc": (lambda: key("use"), {"use": "enc"}, "key_unknown"),
    "H18 key_ops sign": (lambda: key("ops"), {"key_ops": ["sign"]}, "key_unknown"),
    "H19 alg RS512": (lambda: key("alg"), {"alg": "RS512"}, "algorithm_not_allowed"),
    "H22 kty in lower case": (lambda: key("kty"), {"kty": "rsa"}, "key_unknown"),
    "H06 exponent 1": (lambda: key("e1"), {"e": "AQ"}, "weak_key"),
    "H07 exponent 2": (lambda: key("e2"), {"e": "Ag"}, "weak_key"),
    "no alg, no use": (lambda: key("bare"), {"alg": None, "use": None}, "ok"),
}


@pytest.mark.parametrize("name", WEAK)
def test_keys_that_are_not_right(shared, name):
    """Beside a right key, so that the set itself is accepted."""
    make, changes, reason = WEAK[name]
    signer = make()
    label = "".join(character if character.isalnum() else "-" for character in name)
    url = f"https://{label.lower()}.example"
    shared.put_issuer(label, url, keys={"jwks": tokens.jwks(signer.jwk(**changes), tokens.key("beside"))})
    shared.put_identity(label)
    shared.put_credential(identity=label, issuer=url)
    assert shared.reason(signer.sign(tokens.claims(url))) == reason
    assert shared.reason(tokens.key("beside").sign(tokens.claims(url))) == "ok"
