"""Warnings: what is accepted and will not do what was meant is said, once, where it is written; with strict=true it is refused."""

import pytest
import tokens
from service import ISSUER

CREDENTIALS = "/v1/identities/payments-api/federatedIdentityCredentials"
GITHUB = "https://token.actions.githubusercontent.com"
EKS = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
CLUSTERS = {"eks": EKS, "aks": "https://westeurope.oic.prod-aks.azure.com/tenant/id/", "gke": "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
            "own": "https://kubernetes.default.svc.cluster.local", "by-keys": "https://cluster.example"}
ACCOUNT = "system:serviceaccount:ci:runner"

# (issuer, subject, audiences, the warnings as (code, field))
SUBJECTS = [
    (ISSUER, "anything", ["relyd"], []),
    (ISSUER, "repo:acme/app:ref:refs/heads/main", ["relyd"], []),
    (ISSUER, "a*", ["relyd"], [("subject_wildcard", "subject")]),
    (ISSUER, "a?b", ["relyd"], [("subject_wildcard", "subject")]),
    (ISSUER, "^a", ["relyd"], [("subject_wildcard", "subject")]),
    (ISSUER, "a$", ["relyd"], [("subject_wildcard", "subject")]),
    (ISSUER, "a^b$c", ["relyd"], []),
    (ISSUER, " a", ["relyd"], [("subject_blank", "subject")]),
    (ISSUER, "a ", ["relyd"], [("subject_blank", "subject")]),
    (ISSUER, "a b", ["relyd"], []),
    (ISSUER, ACCOUNT, ["relyd"], []),
    (ISSUER, "system:serviceaccount:ci:runner.v2", ["relyd"], []),
    (ISSUER, "system:serviceaccount:ci:default", ["relyd"], [("subject_default_account", "subject")]),
    (ISSUER, "system:serviceaccount:ci", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount:ci:", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount::runner", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount:c.i:runner", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount:ci:runner:x", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "System:ServiceAccount:ci:runner", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount:CI:runner", ["relyd"], [("subject_shape", "subject")]),
    (ISSUER, "system:serviceaccount:ci:my-default", ["relyd"], []),
    (EKS, ACCOUNT, ["relyd"], []),
    (EKS, "ci/runner", ["relyd"], [("subject_shape", "subject")]),
    (EKS, ACCOUNT, ["https://kubernetes.default.svc"], [("audience_default", "audiences[0]")]),
    (EKS, ACCOUNT, ["relyd", EKS], [("audience_default", "audiences[1]")]),
    (EKS, ACCOUNT, ["kubernetes.default.svc.cluster.local"], [("audience_default", "audiences[0]")]),
    (GITHUB, "repo:acme/app:ref:refs/heads/main", ["https://github.example/acme"], []),
    (GITHUB, "repo:acme/app:pull_request", ["relyd"], []),
    (GITHUB, "repo:acme/app:pull-request", ["relyd"], [("subject_github", "subject")]),
    (GITHUB, "repo:acme/app:ref:main", ["relyd"], [("subject_github", "subject")]),
    (GITHUB, "acme/app", ["relyd"], [("subject_github", "subject")]),
    (GITHUB, "repository_owner_id:5", ["relyd"], []),  # a customised subject
    (GITHUB, "repo:acme/app:environment:prod", ["https://github.com/acme"], [("audience_default", "audiences[0]")]),
    (ISSUER, "repo:acme/app:environment:prod", ["https://github.com/acme"], []),
    (ISSUER, "https://github.com/acme/app", ["relyd"], [("subject_clone_url", "subject")]),
    (ISSUER, "https://GitLab.com/acme/app", ["relyd"], [("subject_clone_url", "subject")]),
    (ISSUER, "ssh://git@code.example/acme/app", ["relyd"], [("subject_clone_url", "subject")]),
    (ISSUER, "git@gitlab.com:acme/app", ["relyd"], [("subject_clone_url", "subject")]),
    (ISSUER, "acme/app.git", ["relyd"], [("subject_clone_url", "subject")]),
    (ISSUER, "spiffe://prod/ns/ci/sa/runner", ["relyd"], []),
    (ISSUER, "spiffe://prod/ns/CI", ["relyd"], []),
    (ISSUER, "spiffe://Prod/ns/ci", ["relyd"], [("subject_spiffe", "subject")]),
    (ISSUER, "SPIFFE://prod/ns/ci", ["relyd"], [("subject_spiffe", "subject")]),
    (ISSUER, "spiffe://prod/ns/ci/", ["relyd"], [("subject_spiffe", "subject")]),
    (ISSUER, "s", [" relyd", "other "], [("audience_blank", "audiences[0]"), ("audience_blank", "audiences[1]")]),
    (ISSUER, "s", ["relyd", "Relyd"], [("audience_twin", "audiences[1]")]),
    (ISSUER, "s", ["relyd", "relyd-2", "rely"], []),
    (ISSUER, "s", ["https://a.example/", "other", "https://a.example"], [("audience_twin", "audiences[2]")]),
    (ISSUER, "s", ["https://a.example", "https://a.example/"], [("audience_twin", "audiences[1]")]),
    (ISSUER, "spiffe://Prod/*", ["relyd", ISSUER], [("subject_wildcard", "subject"), ("subject_spiffe", "subject"), ("audience_default", "audiences[1]")]),
] + [(issuer, "ci:runner", ["relyd"], [("subject_shape", "subject")]) for issuer in CLUSTERS.values()]


@pytest.fixture(scope="module")
def lined(shared):
    """Issuers whose URLs tell what they are."""
    key = tokens.jwks(tokens.key("second"))
    shared.put_issuer("github", GITHUB, keys={"jwks": key})
    for name, url in CLUSTERS.items():
        keys = {"jwksUri": "https://cluster.example/openid/v1/jwks"} if name == "by-keys" else {"jwks": tokens.jwks(tokens.key("third"))}
        shared.put_issuer(name, url, keys=keys)
    return shared


def codes_of(answer):
    return [(warning["code"], warning["field"]) for warning in answer.json()["warnings"]]


@pytest.mark.parametrize("issuer, subject, audiences, expected", SUBJECTS)
def test_credentials(lined, issuer, subject, audiences, expected):
    body = {"issuer": issuer, "subject": subject, "audiences": audiences}
    path = f"{CREDENTIALS}/linted"
    strict = lined.admin("PUT", f"{path}?strict=true", body)
    if expected:
        assert strict.status == 400 and strict.json()["code"] == "invalid_body"
        assert [(error["code"], error["field"]) for error in strict.json()["errors"]] == expected
        assert lined.admin("GET", path).status == 404
    else:
        assert (strict.status, codes_of(strict)) == (201, [])
    answer = lined.admin("PUT", path, body)
    assert answer.status in (200, 201) and codes_of(answer) == expected
    assert all(warning["message"].startswith(warning["field"]) or " " in warning["message"] for warning in answer.json()["warnings"])
    again = lined.admin("PUT", path, answer.json())  # what was answered may be put back, with its warnings, which change nothing
    assert (again.status, codes_of(again), again.header("etag")) == (200, expected, answer.header("etag"))
    assert "warnings" not in lined.admin("GET", path).json()
    assert lined.admin("DELETE", path).status == 204


def test_overlaps(relyd):
    """Others of the same record, subject and an audience; not for an owner, who does not see whom else there is."""
    relyd.put_world()
    relyd.put_identity("second")
    other = "/v1/identities/second/federatedIdentityCredentials/own"
    body = {"issuer": ISSUER, "subject": "system:serviceaccount:team-a:builder", "audiences": ["else", "relyd"]}
    assert codes_of(relyd.admin("PUT", other, body | {"audiences": ["else"]})) == []
    answer = relyd.admin("PUT", other, body)
    assert codes_of(answer) == [("overlap", "subject")]
    assert "identity payments-api has payments-api/builder for the same tokens" in answer.json()["warnings"][0]["message"]
    assert relyd.admin("PUT", other + "?strict=true", body | {"description": "x"}).json()["errors"][0]["code"] == "overlap"
    assert codes_of(relyd.admin("PUT", other, body | {"subject": "another"})) == []


def test_overlaps_of_a_record_and_its_group(relyd):
    """A group's credential is for its records' tokens, and so is one of the same group; another group's is not."""
    relyd.put_world()
    record = relyd.admin("GET", "/v1/identities/payments-api/federatedIdentityCredentials/builder").json()["issuerName"]
    for group, issuers in (("fleet", [record]), ("empty", [])):
        assert relyd.admin("PUT", f"/v1/issuerGroups/{group}", {"issuers": issuers}).status == 201
    for identity in ("second", "third"):
        relyd.put_identity(identity)

    def put(identity, **members):
        body = {"subject": "system:serviceaccount:team-a:builder", "audiences": ["relyd"]} | members
        return relyd.admin("PUT", f"/v1/identities/{identity}/federatedIdentityCredentials/own", body)

    assert codes_of(put("second", issuerGroup="empty")) == []
    answer = put("second", issuerGroup="fleet")  # beside the record's
    assert codes_of(answer) == [("overlap", "subject")]
    assert "payments-api/builder" in answer.json()["warnings"][0]["message"]
    said = [warning["message"] for warning in put("third", issuerGroup="fleet").json()["warnings"]]
    assert len(said) == 2 and any("second/own" in text for text in said)
    said = [warning["message"] for warning in put("third", issuerName=record).json()["warnings"]]  # and the record's beside the group's
    assert len(said) == 2 and any("second/own" in text for text in said)


def test_system_names(start):
    relyd = start()
    relyd.put_world()
    relyd.put_identity("mirror", usernameFrom="subject")
    path = "/v1/identities/mirror/federatedIdentityCredentials/own"
    body = {"issuer": ISSUER, "subject": ACCOUNT, "audiences": ["relyd"]}
    assert codes_of(relyd.admin("PUT", path, body)) == [("system_name", "subject")]
    assert codes_of(relyd.admin("PUT", path, body | {"subject": "runner"})) == []
    allowed = start(identities__allow_system_names=True)
    allowed.put_world()
    allowed.put_identity("mirror", usernameFrom="subject")
    assert codes_of(allowed.admin("PUT", path, body)) == []


@pytest.mark.parametrize("url, is_twin", [
    ("https://a.example/x/", True), ("http://a.example/x", True), ("https://a.example:443/x", True), ("https://A.example/x", True), ("https://a.example/X", True),
    ("https://a.example/y", False), ("https://a.example:8443/x", False), ("urn:a.example/x", False),
])  # fmt: skip
def test_issuers(start, url, is_twin):
    """Whoever comes second is told; a record is looked for in lower case, and not in every other spelling."""
    relyd = start()
    keys = {"jwks": tokens.jwks(tokens.key("prod"))}
    assert codes_of(relyd.admin("PUT", "/v1/issuers/first", {"issuer": "https://a.example/x", "keys": keys})) == []
    body = {"issuer": url, "keys": {"jwks": tokens.jwks(tokens.key("second"))}}
    assert relyd.admin("PUT", "/v1/issuers/second?strict=true", body).status == (400 if is_twin else 201)
    answer = relyd.admin("PUT", "/v1/issuers/second", body)
    assert codes_of(answer) == ([("issuer_twin", "issuer")] if is_twin else [])
    assert not is_twin or "issuer first has nearly the same URL" in answer.json()["warnings"][0]["message"]
    if url == "https://a.example/x/":  # and from the other side
        answer = relyd.admin("PUT", "/v1/issuers/third", {"issuer": "https://a.example/x", "keys": {"jwks": tokens.jwks(tokens.key("third"))}})
        assert codes_of(answer) == [("issuer_twin", "issuer")] and "issuer second has" in answer.json()["warnings"][0]["message"]


def test_the_url_of_a_discovery_document(relyd):
    answer = relyd.admin("PUT", "/v1/issuers/slip", {"issuer": "https://a.example/x/.well-known/openid-configuration"})
    (error,) = answer.json()["errors"]
    assert (answer.status, error["code"], error["field"]) == (400, "issuer_well_known", "issuer")
    assert error["message"].endswith("the issuer is https://a.example/x")


def test_strict_is_yes_or_no(shared):
    for value, status in (("true", 201), ("false", 200), ("yes", 400), ("", 400), ("TRUE", 400)):
        answer = shared.admin("PUT", f"/v1/issuers/strict?strict={value}", {"issuer": "https://strict.example", "keys": {"jwks": tokens.jwks(tokens.key("strict"))}})
        assert answer.status == status, value
        assert status < 400 or answer.json()["code"] == "invalid_query"


def left_out(answer):
    return [warning["field"] for warning in answer.json()["warnings"] if warning["code"] == "protection_left_out"]


def test_what_a_replacement_leaves_out(relyd):
    """Who renews keys or adds an audience has not meant to open a door: told, with strict refused, and not told of what is said."""
    guards = {"requiredClaims": [], "singleAudience": True, "refuseStretched": False, "pinServiceAccountUid": "off", "allowedSubjects": []}
    narrow = {"algorithms": ["RS256"], "maxTokenLifetimeSeconds": 3600, "guards": guards, "isShared": True, "tenantSubject": "a:{tenant}:", "pinClaims": ["sub"],
              "pushSubjects": ["system:serviceaccount:relyd:reporter"], "enabled": False}
    bare = {"issuer": "https://left.example", "keys": {"jwks": tokens.jwks(tokens.key("left"))}}
    uid = "11111111-aaaa-4bbb-8ccc-000000000001"
    rule = {"issuerName": "left", "subject": "a:b:c", "audiences": ["relyd"]}
    some = {"serviceAccountUid": uid, "enabled": False, "notAfter": "2099-01-01T00:00:00Z", "mode": "shadow"}
    only = {"identities": ["left"], "groups": ["g"], "issuers": ["left"], "issuerGroups": ["left"], "callers": ["left"]}
    relyd.put_identity("left")
    for path, least, more in (("/v1/issuers/left", bare, narrow), ("/v1/identities/left/federatedIdentityCredentials/rule", rule, some), ("/v1/routes/left", {"audiences": ["relyd"]}, only)):
        if path.startswith("/v1/routes"):
            relyd.put("/v1/issuerGroups/left", {"issuers": ["left"]})
        answer = relyd.admin("PUT", path, least | more)
        assert (answer.status, left_out(answer)) == (201, []), answer
        assert left_out(relyd.admin("PUT", path, relyd.admin("GET", path).json())) == []
        refused = relyd.admin("PUT", path + "?strict=true", least)
        assert sorted(error["field"] for error in refused.json()["errors"] if error["code"] == "protection_left_out") == sorted(more)
        for name in more:
            others = {other: value for other, value in more.items() if other != name}
            unshared = {"isShared": False} if name in ("tenantSubject", "pinClaims") else {}
            assert left_out(relyd.admin("PUT", path, least | others | unshared)) == [name]
            relyd.put(path, least | more)
        assert sorted(left_out(relyd.admin("PUT", path, least))) == sorted(more)
        assert left_out(relyd.admin("PUT", path, least)) == []
