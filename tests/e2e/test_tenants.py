"""Issuers that many tenants share: no credential may be for every tenant, whichever of the writes would make it so."""

import pytest
import tokens
import wire

URL = "https://ci.example"
CI = "/v1/issuers/cloud-ci"
RULE = "/v1/identities/deployer/federatedIdentityCredentials/rule"
SHARED = {"isShared": True, "tenantSubject": "repo:{tenant}/", "pinClaims": ["owner_id", "/nested/owner", "owner"]}


def issuer(**fields):
    return {"issuer": URL, "keys": {"jwks": tokens.jwks(tokens.key("ci"))}} | fields


def rule(subject=None, expression=None, **fields):
    said = {"subject": subject} if expression is None else {"claimsMatchingExpression": {"value": expression, "languageVersion": 1}}
    return {"issuerName": "cloud-ci", "audiences": ["relyd"]} | said | fields


def problems(answer):
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body"), answer
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


@pytest.fixture(scope="module")
def ci(shared):
    shared.put(CI, issuer(**SHARED))
    shared.put_identity("deployer")
    return shared


PINNED = [
    {"subject": "repo:acme/app:ref:refs/heads/main"}, {"subject": "repo:acme@1/app@2:environment:prod"},
    {"expression": "claims['sub'] matches 'repo:acme/*'"}, {"expression": "claims['sub'] eq 'repo:acme/app'"},
    {"expression": "claims['sub'] matches 'repo:*' and claims['owner'] eq 'acme'"},
    {"expression": "claims['sub'] matches 'repo:a*' and claims['/nested/owner'] eq 'acme'"},
    {"expression": "claims['sub'] matches 'repo:a*' and claims['/owner_id'] matches '17'"},
]
FREE = [
    {"subject": "repo:acme"}, {"subject": "repo:/app"}, {"subject": "other:acme/app"}, {"subject": "repo://"},
    {"expression": "claims['sub'] matches 'repo:acme*'"}, {"expression": "claims['sub'] matches 'repo:acme*/app'"},
    {"expression": "claims['sub'] matches 'r*' and claims['other'] eq 'acme'"},
    {"expression": "claims['sub'] matches 'repo:*' and claims['owner'] matches 'acme*'"},
    {"expression": "claims['sub'] matches 'repo:*' and claims['owner'] eq ''"},
    {"expression": "claims['sub'] matches 'repo:*' and claims['/owner/0'] eq 'acme'"},
]


@pytest.mark.parametrize("said", PINNED)
def test_what_names_a_tenant(ci, said):
    assert ci.admin("PUT", RULE, rule(**said)).status in (200, 201)
    assert ci.admin("DELETE", RULE).status == 204


@pytest.mark.parametrize("said", FREE)
def test_what_names_none(ci, said):
    answer = ci.admin("PUT", RULE, rule(**said))
    field = "subject" if "subject" in said else "claimsMatchingExpression.value"
    assert problems(answer) == [(field, "unpinned_credential")]
    for words in ("repo:{tenant}/", "an eq on one of owner_id, /nested/owner, owner", "issuer cloud-ci"):
        assert words in answer.json()["detail"]
    assert ci.admin("GET", RULE).status == 404


def test_a_subject_is_an_eq_on_its_claim(relyd):
    """Google's unique ids: each is of one account."""
    relyd.put(CI, issuer(isShared=True, pinClaims=["email", "sub"]))
    relyd.put_identity("deployer")
    relyd.put(RULE, rule("117"))
    relyd.put(RULE, rule(expression="claims['sub'] eq '118'"))
    assert problems(relyd.admin("PUT", RULE, rule(expression="claims['sub'] matches '11*'"))) == [("claimsMatchingExpression.value", "unpinned_credential")]


def test_a_guard_names_the_tenant_of_all(relyd):
    guard = {"guards": {"requiredClaims": [{"claim": "/owner", "anyOf": ["acme"]}]}}
    relyd.put(CI, issuer(**SHARED, **guard))
    relyd.put_identity("deployer")
    relyd.put(RULE, rule("anything"))
    another = {"guards": {"requiredClaims": [{"claim": "branch", "anyOf": ["main"]}]}}  # which every tenant may have
    for without in ({}, another):
        answer = relyd.admin("PUT", CI, issuer(**SHARED, **without))
        assert problems(answer) == [("isShared", "unpinned_credential")]
        assert "deployer/rule" in answer.json()["detail"]
    assert relyd.admin("GET", CI).json()["guards"]["requiredClaims"] == guard["guards"]["requiredClaims"]
    signer = tokens.key("ci")
    assert relyd.reason(signer.sign(tokens.claims(URL, sub="anything", owner="acme"))) == "ok"
    assert relyd.reason(signer.sign(tokens.claims(URL, sub="anything", owner="evil"))) == "guard_refused"


def test_an_issuer_becomes_shared(relyd):
    relyd.put(CI, issuer())
    for group in ("both", "more"):
        relyd.put(f"/v1/issuerGroups/{group}", {"issuers": ["cloud-ci"]})
    for i in range(12):
        relyd.put_identity(f"identity-{i}")
        of = [{"issuerName": "cloud-ci"}, {"issuerGroup": "both"}, {"issuerGroup": "more"}][i % 3]
        relyd.put(f"/v1/identities/identity-{i}/federatedIdentityCredentials/rule", {"subject": "free", "audiences": ["relyd"]} | of)
    answer = relyd.admin("PUT", CI, issuer(**SHARED))
    assert problems(answer) == [("isShared", "unpinned_credential")]
    assert "12 of its credentials" in answer.json()["detail"] and "identity-0/rule" in answer.json()["detail"]
    assert answer.json()["errors"][0]["message"].count("/rule") == 10
    for i in range(12):
        assert relyd.admin("DELETE", f"/v1/identities/identity-{i}").status == 204
    relyd.put(CI, issuer(**SHARED))
    relyd.put_identity("deployer")
    relyd.put(RULE, rule("repo:acme/app"))
    relyd.put(CI, issuer(**SHARED, description="what has nothing to do with it"))
    answer = relyd.admin("PUT", CI, issuer(**SHARED | {"tenantSubject": "repo:{tenant}:"}))
    assert problems(answer) == [("isShared", "unpinned_credential")]
    relyd.put(CI, issuer(**SHARED | {"isShared": False}))  # what would name a tenant is said before there are many
    relyd.put(RULE, rule("free"))
    assert problems(relyd.admin("PUT", CI, issuer(**SHARED))) == [("isShared", "unpinned_credential")]


def test_a_group_with_a_shared_issuer(relyd):
    relyd.put(CI, issuer(**SHARED))
    relyd.put_issuer("own", "https://own.example", keys={"jwks": tokens.jwks(tokens.key("own"))})
    relyd.put_identity("deployer")
    relyd.put("/v1/issuerGroups/both", {"issuers": ["own"]})
    of_group = {"issuerGroup": "both", "subject": "free", "audiences": ["relyd"]}
    relyd.put(RULE, of_group)
    for method, path, body in (("PUT", "/v1/issuerGroups/both/issuers/cloud-ci", None), ("PUT", "/v1/issuerGroups/both", {"issuers": ["cloud-ci", "own"]})):
        answer = relyd.admin(method, path, body)
        assert (answer.status, answer.json()["code"]) == (400, "unpinned_credential"), answer
        assert "deployer/rule" in answer.json()["detail"]
    assert relyd.admin("GET", "/v1/issuerGroups/both").json()["issuers"] == ["own"]
    relyd.put(RULE, of_group | {"subject": "repo:acme/app"})
    assert relyd.admin("PUT", "/v1/issuerGroups/both/issuers/cloud-ci").status == 204
    assert problems(relyd.admin("PUT", RULE, of_group)) == [("subject", "unpinned_credential")]
    relyd.put(RULE, of_group | {"subject": "repo:acme/app", "description": "as it was"})


@pytest.mark.parametrize("fields, field, code", [
    ({"isShared": True}, "isShared", "required"),
    ({"isShared": 1, "pinClaims": ["a"]}, "isShared", "wrong_type"),
    ({"tenantSubject": "repo:"}, "tenantSubject", "invalid_text"),
    ({"tenantSubject": "repo:{tenant}"}, "tenantSubject", "invalid_text"),
    ({"tenantSubject": "{tenant}/{tenant}/"}, "tenantSubject", "invalid_text"),
    ({"tenantSubject": ""}, "tenantSubject", "too_short"),
    ({"tenantSubject": "x" * 600 + "{tenant}/"}, "tenantSubject", "too_long"),
    ({"pinClaims": ["a", "/a"]}, "pinClaims[1]", "duplicate"),
    ({"pinClaims": ["/a~"]}, "pinClaims[0]", "invalid_value"),
    ({"pinClaims": ["x" * 201]}, "pinClaims[0]", "too_long"),
    ({"pinClaims": [f"c{i}" for i in range(17)]}, "pinClaims", "too_many"),
])
def test_what_no_issuer_may_say(shared, fields, field, code):
    answer = shared.admin("PUT", "/v1/issuers/wrong", issuer(issuer="https://wrong.example", **fields))
    assert problems(answer) == [(field, code)]


def test_what_is_shown(ci):
    shown = ci.admin("GET", CI).json()
    assert {name: shown[name] for name in SHARED} == SHARED
    assert ci.admin("PUT", CI, shown).status == 200
    assert ci.admin("GET", CI).header("etag") == ci.admin("PUT", CI, shown).header("etag")


def warned(answer):
    return [(warning["code"], warning["field"]) for warning in answer.json()["warnings"]]


def forced_lines(relyd, count):
    found = [event["message"] for event in relyd.events() if event.get("event") == "write_forced"]
    return found if len(found) == count else None


def test_what_is_forced(relyd):
    """A credential, an issuer, a group and a member: each with a line in the log; what stands is warned of, and not forced again."""
    relyd.put(CI, issuer(**SHARED))
    relyd.put_identity("deployer")
    refused = relyd.admin("PUT", RULE + "?force=true&strict=true", rule("free"))
    assert problems(refused) == [("subject", "issuer_unpinned")]
    answer = relyd.admin("PUT", RULE + "?force=true", rule("free"))
    assert (answer.status, warned(answer)) == (201, [("issuer_unpinned", "subject")])
    again = relyd.admin("PUT", RULE, relyd.admin("GET", RULE).json() | {"description": "as it was"})
    assert (again.status, warned(again)) == (200, [("issuer_unpinned", "subject")])
    assert problems(relyd.admin("PUT", RULE, rule("other"))) == [("subject", "unpinned_credential")]
    signer = tokens.key("ci")
    assert relyd.reason(signer.sign(tokens.claims(URL, sub="free", **{"kubernetes.io": None}))) == "ok"
    assert problems(relyd.admin("PUT", CI, issuer(**SHARED | {"pinClaims": ["x"]}))) == [("isShared", "unpinned_credential")]
    answer = relyd.admin("PUT", CI + "?force=true", issuer(**SHARED | {"pinClaims": ["x"]}))
    assert (answer.status, warned(answer)) == (200, [("issuer_unpinned", "isShared")])
    relyd.put("/v1/issuerGroups/all", {"issuers": []})
    relyd.put(RULE + "2", {"issuerGroup": "all", "subject": "free", "audiences": ["relyd"]})
    for path, body in (("/v1/issuerGroups/all/issuers/cloud-ci", None), ("/v1/issuerGroups/all", {"issuers": ["cloud-ci"]})):
        for query in ("", "?force=true&strict=true"):
            answer = relyd.admin("PUT", path + query, body)
            assert (answer.status, answer.json()["code"]) == (400, "unpinned_credential")
        assert relyd.admin("PUT", path + "?force=true", body).status in (200, 204)
        assert relyd.admin("DELETE", "/v1/issuerGroups/all/issuers/cloud-ci").status == 204
    said = wire.wait_for(lambda: forced_lines(relyd, 4), 10, "the log")
    assert [line.split(" with force")[0].removeprefix("uid:0 has written ") for line in said] == [
        "federatedIdentityCredential deployer/rule", "issuer cloud-ci", "issuerGroupMember all/cloud-ci", "issuerGroup all"]
    assert all("in spite of issuer_unpinned" in line for line in said)
