"""The shorthands `kubernetes` and `github`: what is stored, and whose tokens get in by it: nobody's of another namespace or owner."""

import contract
import pytest
import tokens
from service import BINARY, ISSUER

RULE = "/v1/identities/payments-api/federatedIdentityCredentials/rule"
ACCOUNT = "system:serviceaccount:"


def body(**fields):
    return {"issuerName": "prod", "audiences": ["relyd"]} | fields


def account(relyd, namespace, name):
    return relyd.signer.sign(tokens.claims(ISSUER, account=name, namespace=namespace))


def workflow(relyd, of="acme/app", sub=None, **changes):
    """GitHub's claims of a job on main in the environment prod."""
    claims = {"repository": of, "repository_owner": of.split("/")[0], "ref": "refs/heads/main", "environment": "prod", "event_name": "push",
              "job_workflow_ref": f"{of}/.github/workflows/d.yml@refs/heads/main", "kubernetes.io": None}
    return relyd.signer.sign(tokens.claims(ISSUER, sub=sub or f"repo:{of}:environment:prod", **claims | changes))


def reasons(relyd, cases):
    """{what: reason}, each asked as often as finds every worker's cache."""
    first = {what: relyd.reason(token) for what, token in cases.items()}
    for _ in range(6):
        assert {what: relyd.reason(token) for what, token in cases.items()} == first
    return first


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


def test_one_service_account(world):
    shown = world.put(RULE, body(kubernetes={"namespace": "ci", "serviceAccount": "runner"}))
    assert shown["subject"] == ACCOUNT + "ci:runner"
    assert not {"kubernetes", "claimsMatchingExpression"} & set(shown) and shown == world.admin("GET", RULE).json() | {"warnings": []}
    assert reasons(world, {"it": account(world, "ci", "runner"), "another": account(world, "ci", "runner2")}) == {"it": "ok", "another": "no_matching_credential"}
    warned = world.put(RULE, body(kubernetes={"namespace": "ci", "serviceAccount": "default"}))
    assert [(item["code"], item["field"]) for item in warned["warnings"]] == [("subject_default_account", "subject")]


def test_service_accounts_by_wildcard(world):
    """`ci-*` never crosses a colon: neither by the subject alone, nor where a token's claims and its subject differ."""
    shown = world.put(RULE, body(kubernetes={"namespace": "ci-*", "serviceAccount": "runner"}))
    assert shown["claimsMatchingExpression"]["value"] == (
        f"claims['sub'] matches '{ACCOUNT}ci-*:runner' and claims['/kubernetes.io/namespace'] matches 'ci-*' and claims['/kubernetes.io/serviceaccount/name'] eq 'runner'"
    )
    assert not {"kubernetes", "subject"} & set(shown)

    def odd(sub, namespace="ci-a", name="runner"):
        where = {"namespace": namespace, "serviceaccount": {"name": name, "uid": "u"}}
        return world.signer.sign(tokens.claims(ISSUER, sub=sub, **{"kubernetes.io": where}))

    cases = {
        "ok": [account(world, "ci-a", "runner"), account(world, "ci-", "runner"), account(world, "ci-a-b", "runner")],
        "no_matching_credential": [
            account(world, "ci", "runner"), account(world, "xci-a", "runner"), account(world, "ci-a", "runner2"), account(world, "ci-a", "xrunner"),
            odd(ACCOUNT + "ci-a:evil:runner", "ci-a", "evil:runner"), world.signer.sign(tokens.claims(ISSUER, sub=ACCOUNT + "ci-a:runner", **{"kubernetes.io": None})),
        ],
        "invalid_claim": [odd(ACCOUNT + "ci-a:evil:runner", "prod", "evil:runner"), odd(ACCOUNT + "ci-a:runner", "prod"), odd(ACCOUNT + "ci-a:runner", "ci-a", "evil")],
    }  # fmt: skip
    for reason, signed in cases.items():
        assert reasons(world, dict(enumerate(signed))) == dict.fromkeys(range(len(signed)), reason)


def test_both_subjects_of_github_are_one_rule(world):
    """The old and the immutable one, of whatever has run; and nobody whose name begins like the owner's."""
    shown = world.put(RULE, body(github={"repository": "acme/app", "environment": "prod"}))
    assert shown["claimsMatchingExpression"]["value"] == (
        "claims['sub'] matches 'repo:acme*' and claims['repository_owner'] eq 'acme' and claims['repository'] eq 'acme/app' and claims['environment'] eq 'prod'"
    )
    assert not {"github", "subject"} & set(shown)
    assert reasons(world, {
        "old": workflow(world), "immutable": workflow(world, sub="repo:acme@123/app@456:environment:prod"), "another owner": workflow(world, "acme-evil/app"),
        "an owner who claims the repository": workflow(world, "acme-evil/app", repository="acme/app"), "another repository": workflow(world, "acme/app2"),
        "another environment": workflow(world, environment="prod2"), "in capitals": workflow(world, environment="Prod"), "no environment": workflow(world, environment=None),
        "a customised subject": workflow(world, sub="repository_owner:acme"),
    }) == {
        "old": "ok", "immutable": "ok", "another owner": "no_matching_credential", "an owner who claims the repository": "no_matching_credential",
        "another repository": "no_matching_credential", "another environment": "no_matching_credential", "in capitals": "no_matching_credential",
        "no environment": "no_matching_credential", "a customised subject": "no_matching_credential",
    }  # fmt: skip


# What a rule says beside the repository, what of a token differs, and whether it still gets in.
PARTS = [
    ({"ref": "refs/heads/main"}, {"ref": "refs/heads/mainly"}, False),
    ({"ref": "refs/heads/*"}, {"ref": "refs/heads/a/b"}, True),
    ({"ref": "refs/heads/*"}, {"ref": "refs/tags/v1"}, False),
    ({"eventName": "push"}, {"event_name": "pull_request_target"}, False),
    ({"eventName": "pu*"}, {"event_name": "pull_request"}, True),
    ({"jobWorkflowRef": "acme/ci/.github/workflows/d.yml@refs/heads/main"}, {"job_workflow_ref": "acme/ci/.github/workflows/d.yml@refs/heads/main"}, True),
    ({"jobWorkflowRef": "acme/ci/.github/workflows/d.yml@*"}, {}, False),
    ({"environment": "it's ?"}, {"environment": "it's p"}, True),
    ({"environment": "it's ?"}, {"environment": "it''s p"}, False),
]


@pytest.mark.parametrize("parts, changes, gets_in", PARTS)
def test_what_else_a_workflow_must_be(shared, parts, changes, gets_in):
    shared.put(RULE, body(github={"repository": "acme/*"} | parts))
    assert shared.reason(workflow(shared, **changes)) == ("ok" if gets_in else "no_matching_credential")
    assert shared.reason(workflow(shared, "acme-evil/app", **changes)) == "no_matching_credential"


@pytest.mark.parametrize("fields, errors", [
    ({}, [("subject", "required")]),
    ({"subject": "s", "github": {"repository": "a/b"}}, [("github", "exactly_one")]),
    ({"kubernetes": {"namespace": "ci", "serviceAccount": "a"}, "github": {"repository": "a/b"}}, [("github", "exactly_one")]),
    ({"kubernetes": {"namespace": "CI", "serviceAccount": "a:b"}}, [("kubernetes.namespace", "invalid_value"), ("kubernetes.serviceAccount", "invalid_value")]),
    ({"kubernetes": {"namespace": "ci"}}, [("kubernetes.serviceAccount", "required")]),
    ({"kubernetes": {"namespace": "n" * 64, "serviceAccount": "a", "pod": "p"}}, [("kubernetes.pod", "unknown_field"), ("kubernetes.namespace", "too_long")]),
    ({"github": {"repository": "*/app"}}, [("github.repository", "invalid_value")]),
    ({"github": {"environment": "prod"}}, [("github.repository", "required")]),
    ({"github": {"repository": "o" * 200 + "/app", "environment": "'" * 600, "ref": "refs/" + "'" * 595, "jobWorkflowRef": "'" * 600}}, [("github", "too_long")]),
    ({"github": "acme/app"}, [("github", "wrong_type")]),
    ({"repository": "acme/app", "subject": "s"}, [("repository", "unknown_field")]),
])
def test_what_is_refused(shared, fields, errors):
    answer = shared.admin("PUT", RULE, body(**fields))
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body")
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == errors


def test_it_is_what_it_stands_for(shared):
    """A rule that was written by hand is the same one: no change, and a second time not taken."""
    again = shared.put(RULE, body(github={"repository": "acme/app"}))
    value = again["claimsMatchingExpression"]["value"]
    by_hand = body(claimsMatchingExpression={"value": value, "languageVersion": 1})
    first = shared.admin("GET", RULE).header("etag")
    assert shared.admin("PUT", RULE, by_hand).header("etag") == first
    assert shared.admin("PUT", RULE, body(github={"repository": "acme/app"})).header("etag") == first
    other = shared.admin("PUT", RULE + "2", body(github={"repository": "acme/app"}))
    assert (other.status, other.json()["code"]) == (409, "duplicate_issuer_and_expression")


def test_the_document_has_both():
    properties = contract.document(BINARY)["components"]["schemas"]["FederatedIdentityCredential"]["properties"]
    for name, required, limits in (("kubernetes", ["namespace", "serviceAccount"], {"namespace": 63, "serviceAccount": 253}),
                                   ("github", ["repository"], {"repository": 255, "environment": 600, "ref": 600, "eventName": 600, "jobWorkflowRef": 600})):  # fmt: skip
        schema = properties[name]
        assert schema["writeOnly"] and schema["required"] == required and schema["additionalProperties"] is False
        assert {member: item["maxLength"] for member, item in schema["properties"].items()} == limits
