"""SPIFFE trust domains: tokens without `iss`, whose `sub` says whose keys are tried, and must be an ID of that domain; one record a domain."""

import calendar
import json
import time

import pytest
import tokens
import wire
from issuer import response
from service import ISSUER

pytestmark = pytest.mark.threads

DOMAIN = "prod.example"
TIME = "%Y-%m-%dT%H:%M:%SZ"
ID = f"spiffe://{DOMAIN}/ns/payments/sa/api"


def sign(key, sub=ID, iss=None, **changes):
    """A JWT-SVID: no `iss`, unless one is given, and nothing of Kubernetes."""
    return key.sign(tokens.claims(iss, sub=sub, **({"kubernetes.io": None, "jti": None, "nbf": None} | changes)))


def put_domain(relyd, name, key, domain=DOMAIN, **fields):
    relyd.put(f"/v1/issuers/{name}", {"trustDomain": domain, "keys": {"jwks": tokens.jwks(key)}} | fields)
    put_rule(relyd, name, f"spiffe://{domain}/ns/payments/sa/api")


def put_rule(relyd, name, subject):
    relyd.put_identity(f"of-{name}")
    return relyd.put(f"/v1/identities/of-{name}/federatedIdentityCredentials/rule", {"issuerName": name, "subject": subject, "audiences": ["relyd"]})


def whose(relyd, token):
    """The one answer of both workers."""
    found = {json.dumps([identity["name"] for identity in decision.get("identities", [])] or decision["reason"]) for decision in map(relyd.review, [token] * 8)}
    (answer,) = found
    return json.loads(answer)


def refused(answer):
    problem = answer.json()
    return answer.status, problem["code"], [(error["field"], error["code"]) for error in problem.get("errors", [])]


def test_tokens_without_iss(relyd):
    key, dev = tokens.key("prod", "ES256"), tokens.key("dev", "ES256")
    put_domain(relyd, "prod", key)
    put_domain(relyd, "dev", dev, "dev.example", issuer=ISSUER)
    shown = relyd.admin("GET", "/v1/issuers/prod").json()
    assert shown["trustDomain"] == DOMAIN and "issuer" not in shown
    rule = relyd.admin("GET", "/v1/identities/of-prod/federatedIdentityCredentials/rule").json()
    assert rule["issuerName"] == "prod" and "issuer" not in rule
    other = "spiffe://dev.example/ns/payments/sa/api"
    cases = [
        (sign(key), ["of-prod"]), (sign(key, typ="JOSE"), ["of-prod"]), (sign(dev, other), ["of-dev"]), (sign(dev, other, ISSUER), ["of-dev"]),
        (sign(key, f"spiffe://{DOMAIN}/ns/payments/sa/api2"), "no_matching_credential"), (sign(dev), "key_unknown"), (sign(key, other), "key_unknown"),
        (sign(key, ID, DOMAIN), "unknown_issuer"), (sign(key, ID, f"spiffe://{DOMAIN}"), "unknown_issuer"), (sign(key, ID, ISSUER), "key_unknown"),
        (sign(key, ID, ""), "unknown_issuer"), (sign(key, "spiffe://nobody.example/a"), "unknown_issuer"), (sign(key, f"spiffe://{DOMAIN}.evil/a"), "unknown_issuer"),
        (sign(key, "system:serviceaccount:a:b"), "missing_claim"), (sign(key, f"spiffe://{DOMAIN}"), "missing_claim"), (sign(key, None), "missing_claim"),
        (sign(key, f"spiffe://{DOMAIN}/ns//sa"), "invalid_claim"), (sign(key, f"spiffe://{DOMAIN}/ns/../sa"), "invalid_claim"), (sign(key, f"spiffe://{DOMAIN}/a b"), "invalid_claim"),
    ]  # fmt: skip
    for _ in range(2):
        for number, (token, expected) in enumerate(cases):
            assert whose(relyd, token) == expected, number
        allowed = relyd.check(cases[0][0])
        assert (allowed.status, allowed.header("x-relyd-issuer"), allowed.header("x-relyd-subject")) == (200, "prod", ID)
        assert "iss" not in relyd.review(cases[0][0])
        relyd.restart()
    told = relyd.explain(cases[11][0])
    assert told["reason"] == "unknown_issuer" and "nobody.example" in told["detail"]
    assert relyd.explain(cases[0][0])["reason"] == "ok"
    told = relyd.explain(sign(key, ID, ISSUER + "/"))
    assert told["reason"] == "unknown_issuer" and "dev" in told["nearest"]
    assert [item["issuerName"] for step in told["steps"] for item in step.get("compared", [])] == ["dev"]
    shown = relyd.admin("GET", "/v1/issuers/prod/keys").json()
    assert [item["kid"] for item in shown["keys"]] == [key.kid] and "issuer" not in shown
    token = cases[0][0]
    relyd.put("/v1/issuers/prod", {"trustDomain": "new.example", "keys": {"jwks": tokens.jwks(key)}})
    assert whose(relyd, token) == "unknown_issuer"
    assert whose(relyd, sign(key, "spiffe://new.example/a")) == "no_matching_credential"


def test_a_trust_domain_is_one_records(relyd):
    key, own = tokens.key("prod"), tokens.key("own")
    put_domain(relyd, "prod", key)
    body = {"trustDomain": DOMAIN, "keys": {"jwks": tokens.jwks(own)}}
    for answer in (relyd.admin("PUT", "/v1/issuers/other", body), relyd.admin("PUT", "/v1/issuers/other", body | {"issuer": ISSUER}),
                   relyd.admin("POST", "/v1/issuers", body | {"name": "other"})):
        assert refused(answer)[:2] == (409, "trust_domain_in_use") and "prod" in answer.json()["detail"]
    relyd.put("/v1/issuers/other", body | {"trustDomain": "dev.example"})
    assert refused(relyd.admin("PUT", "/v1/issuers/other", body))[:2] == (409, "trust_domain_in_use")
    relyd.put("/v1/issuers/prod", {"trustDomain": "prod2.example", "keys": {"jwks": tokens.jwks(key)}})
    relyd.put("/v1/issuers/other", body)
    assert relyd.admin("DELETE", "/v1/issuers/other").status == 204
    relyd.put("/v1/issuers/third", body)
    relyd.put("/v1/issuers/third", body | {"leewaySeconds": 5})


KEYS = {"jwks": {"keys": []}}


@pytest.mark.parametrize("body, expected", [
    ({}, [("issuer", "required")]), ({"keys": {"jwksUri": "https://a.example"}}, [("issuer", "required")]),
    ({"trustDomain": DOMAIN}, [("keys", "required")]), ({"trustDomain": DOMAIN, "keys": {"discovery": True}}, [("keys", "not_allowed")]),
    ({"trustDomain": DOMAIN, "aliases": ["a"], "keys": {"jwksUri": "https://a.example"}}, [("aliases", "not_allowed")]),
    ({"trustDomain": "", "issuer": ISSUER}, [("trustDomain", "too_short")]), ({"trustDomain": "a" * 256, "issuer": ISSUER}, [("trustDomain", "too_long")]),
    ({"trustDomain": "Prod.example", "issuer": ISSUER}, [("trustDomain", "invalid_value")]), ({"trustDomain": "spiffe://a", "issuer": ISSUER}, [("trustDomain", "invalid_value")]),
    ({"trustDomain": "a/b", "issuer": ISSUER}, [("trustDomain", "invalid_value")]), ({"trustDomain": "a:1", "issuer": ISSUER}, [("trustDomain", "invalid_value")]),
    ({"trustDomain": 7, "issuer": ISSUER}, [("trustDomain", "wrong_type")]), ({"trustDomain": DOMAIN, "issuer": 7, "keys": {"discovery": True}}, [("issuer", "wrong_type")]),
])
def test_what_is_no_record(shared, body, expected):
    answer = shared.admin("PUT", "/v1/issuers/domain", body)
    assert refused(answer) == (400, "invalid_body", expected)


def test_the_longest(shared):
    for domain in ("a" * 255, "a-b_c.9"):
        assert shared.put("/v1/issuers/longest", {"trustDomain": domain, "keys": {"jwksUri": "https://a.example/bundle"}})["trustDomain"] == domain


def test_issuer_stays_what_it_is(shared):
    """It is not taken away for a trust domain, nor given to a record that has none; the trust domain comes and goes."""
    shared.put_issuer("named", "https://named.example", trustDomain="named.example")
    assert "trustDomain" not in shared.put_issuer("named", "https://named.example")
    answer = shared.admin("PUT", "/v1/issuers/named", {"trustDomain": "named.example", "keys": {"jwksUri": "https://a.example"}})
    assert refused(answer) == (400, "invalid_body", [("issuer", "required")])
    bare = {"trustDomain": "bare.example", "keys": {"jwksUri": "https://a.example"}}
    shared.put("/v1/issuers/bare", bare)
    assert refused(shared.admin("PUT", "/v1/issuers/bare", bare | {"issuer": "https://bare.example"})) == (400, "invalid_body", [("issuer", "immutable")])
    rule = {"issuerName": "bare", "issuer": "https://bare.example", "subject": "spiffe://bare.example/a", "audiences": ["relyd"]}
    answer = shared.admin("PUT", "/v1/identities/payments-api/federatedIdentityCredentials/bare", rule)
    assert refused(answer) == (400, "invalid_body", [("issuer", "issuer_mismatch")])


def test_a_bundle(start, issuer):
    """Of a SPIFFE bundle the keys for X.509-SVIDs say nothing; an empty list is no set."""
    relyd = start()
    key, other, plain = tokens.key("svid", "ES256"), tokens.key("x509", "ES256"), tokens.key("plain", "ES256")
    bundle = {"spiffe_sequence": 7, "spiffe_refresh_hint": 300, "keys": [other.jwk(use="x509-svid"), key.jwk(use="jwt-svid", alg=None), plain.jwk(use=None)]}
    issuer.answers["/bundle"] = response(bundle)
    relyd.put("/v1/issuers/spire", {"trustDomain": DOMAIN, "keys": {"jwksUri": f"{issuer.url}/bundle"}, "caBundle": issuer.ca, "allowPrivateAddresses": True})
    put_rule(relyd, "spire", ID)
    wire.wait_for(lambda: relyd.admin("GET", "/v1/issuers/spire/keys").json().get("keys"), what="the keys")
    relyd.await_all_workers()
    page = relyd.admin("GET", "/v1/issuers/spire/keys").json()
    assert {item["kid"] for item in page["keys"]} == {key.kid, plain.kid}
    # At most 88 % of the hint; without one, and without Cache-Control, it would be at least 288 s.
    assert 0 < calendar.timegm(time.strptime(page["nextFetchAt"], TIME)) - calendar.timegm(time.strptime(page["lastAttemptAt"], TIME)) <= 266
    assert whose(relyd, sign(key)) == whose(relyd, sign(plain)) == ["of-spire"]
    assert whose(relyd, sign(other)) == "key_unknown"
    turned = tokens.key("turned", "ES256")
    issuer.answers["/bundle"] = response(bundle | {"keys": [turned.jwk(use="jwt-svid")]})
    wire.wait_for(lambda: relyd.reason(sign(turned)) == "ok", what="the turned key")  # the reviews above may have used the fetches up


def test_groups_and_routes(relyd):
    key = tokens.key("prod")
    put_domain(relyd, "prod", key)
    relyd.put("/v1/issuerGroups/all", {"issuers": ["prod"]})
    relyd.put_identity("fleet")
    expression = {"value": f"claims['sub'] matches 'spiffe://{DOMAIN}/ns/batch/*'", "languageVersion": 1}
    relyd.put("/v1/identities/fleet/federatedIdentityCredentials/all", {"issuerGroup": "all", "claimsMatchingExpression": expression, "audiences": ["relyd"]})
    assert whose(relyd, sign(key, f"spiffe://{DOMAIN}/ns/batch/sa/x")) == ["fleet"]
    relyd.put("/v1/routes/orders", {"audiences": ["relyd"], "issuers": ["prod"]})
    assert relyd.check(sign(key), "/check/orders").status == 200
