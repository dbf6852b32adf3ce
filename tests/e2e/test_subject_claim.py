"""Another claim than `sub` as the subject: what rules, answers, revocations and usernames mean by it, and that no rule comes to mean another one."""

import json

import pytest
import tokens
from service import ISSUER

CI = "/v1/issuers/prod"
RULES = "/v1/identities/payments-api/federatedIdentityCredentials"
PROJECT = "oidc.circleci.com/project-id"


def put_ci(relyd, claim=PROJECT, name="prod", issuer=ISSUER, **fields):
    relyd.signer = tokens.key("ci")
    return relyd.put_issuer(name, issuer, keys={"jwks": tokens.jwks(relyd.signer)}, subjectClaim=claim, **fields)


def token_of(relyd, issuer=ISSUER, **claims):
    return relyd.signer.sign(tokens.claims(issuer, **({"sub": "org/o/project/p/user/u"} | claims)))


def rule(**fields):
    return {"issuerName": "prod", "audiences": ["relyd"]} | fields


def expression(text, **fields):
    return rule(claimsMatchingExpression={"value": text, "languageVersion": 1}, **fields)


def refused(answer):
    problem = answer.json()
    return answer.status, problem["code"], [(error["field"], error["code"]) for error in problem.get("errors", [])]


@pytest.mark.threads
def test_exact_rules_answers_and_usernames(relyd):
    put_ci(relyd)
    relyd.put_identity("payments-api", usernameFrom="subject")
    relyd.put(f"{RULES}/project", rule(subject="p-1"))
    good, other = token_of(relyd, **{PROJECT: "p-1"}), token_of(relyd, **{PROJECT: "p-2"}, sub="p-1")
    bare, without, wrong = token_of(relyd, **{PROJECT: "p-1"}, sub=None), token_of(relyd), token_of(relyd, **{PROJECT: 1})
    for _ in range(6):
        for token, reason in ((good, "ok"), (bare, "ok"), (other, "no_matching_credential"), (without, "missing_claim"), (wrong, "invalid_claim")):
            assert relyd.reason(token) == reason
        allowed = relyd.check(good)
        assert (allowed.status, allowed.header("x-relyd-subject"), allowed.header("x-relyd-username")) == (200, "p-1", "p-1")
    assert relyd.review(good)["subject"] == "p-1"
    assert relyd.tokenreview(good, audiences=["relyd"])["user"]["extra"]["relyd.io/subject"] == ["p-1"]
    step = next(step for step in relyd.explain(good)["steps"] if step["step"] == "claims")
    assert (step["subjectClaim"], step["subject"]) == (PROJECT, "p-1") and "sub" not in step
    told = relyd.explain(without)
    assert PROJECT in json.dumps(told) and told["reason"] == "missing_claim"
    relyd.wait_for_words('"subject":"p-1"')
    relyd.restart()
    assert relyd.reason(good) == "ok" and relyd.reason(other) == "no_matching_credential"
    relyd.admin("POST", "/v1/revocations", {"subject": "p-1", "issuerName": "prod", "reason": "a test"})
    for _ in range(6):
        assert relyd.reason(good) == "revoked"


@pytest.mark.threads
def test_expressions(relyd):
    put_ci(relyd, "/a/id")
    relyd.put_identity("payments-api")
    relyd.put(f"{RULES}/fleet", expression("claims['/a/id'] matches 'acme-*' and claims['sub'] eq 'run'"))
    cases = [(token_of(relyd, sub="run", a={"id": "acme-1"}), "ok"), (token_of(relyd, sub="ran", a={"id": "acme-1"}), "no_matching_credential"),
             (token_of(relyd, sub="acme-1", a={"id": "run"}), "no_matching_credential"), (token_of(relyd, sub="run", a={"id": "Acme-1"}), "no_matching_credential")]
    for _ in range(8):
        for token, reason in cases:
            assert relyd.reason(token) == reason
    relyd.restart()
    for _ in range(8):
        for token, reason in cases:
            assert relyd.reason(token) == reason


def test_an_expression_needs_the_claim(relyd):
    put_ci(relyd, "/a/id")
    relyd.put_identity("payments-api")
    for text in ("claims['sub'] matches 'run*'", "claims['/a/id'] matches '*'", "claims['id'] eq 'x'"):
        answer = relyd.admin("PUT", f"{RULES}/rule", expression(text))
        assert refused(answer) == (400, "invalid_body", [("claimsMatchingExpression.value", "too_broad")])
    forced = relyd.admin("PUT", f"{RULES}/rule?force=true", expression("claims['sub'] matches 'run*' and claims['id'] eq 'y'"))
    assert [(w["code"], w["field"]) for w in forced.json()["warnings"]] == [("too_broad", "claimsMatchingExpression.value")]
    for id, reason in (("y", "ok"), ("z", "no_matching_credential")) * 4:
        assert relyd.reason(token_of(relyd, sub="run-1", a={"id": "x"}, id=id)) == reason
    relyd.put(f"{RULES}/rule", expression("claims['/a/id'] eq 'x'"))
    relyd.put("/v1/issuers/plain", {"issuer": "https://plain.example"})
    answer = relyd.admin("PUT", f"{RULES}/plain", expression("claims['/a/id'] eq 'x'", issuerName="plain"))
    assert refused(answer) == (400, "invalid_body", [("claimsMatchingExpression.value", "too_broad")])
    relyd.put(f"{RULES}/plain", expression("claims['/sub'] eq 'x'", issuerName="plain"))


@pytest.mark.parametrize("claim, code", [("", "too_short"), ("x" * 201, "too_long"), (7, "wrong_type"), (None, "wrong_type"), ("/a~", "invalid_value"),
                                         ("/~2", "invalid_value"), ("a\nb", "invalid_text")])
def test_what_is_no_claim(shared, claim, code):
    answer = shared.admin("PUT", "/v1/issuers/other", {"issuer": "https://other.example", "subjectClaim": claim})
    assert refused(answer) == (400, "invalid_body", [("subjectClaim", code)])


def test_shown_as_written(shared):
    for claim in ("x" * 200, "/a~1b/0", "it's", "sub", "/sub"):
        assert shared.put_issuer("other", "https://other.example", subjectClaim=claim)["subjectClaim"] == claim
        assert shared.admin("GET", "/v1/issuers/other").json()["subjectClaim"] == claim
    assert shared.put_issuer("other", "https://other.example")["subjectClaim"] == "sub"


def test_another_claim_where_rules_are(relyd):
    """A rule keeps its meaning: the claim is another one when nobody means the old one any more; `/sub` is not another one."""
    put_ci(relyd, "sub")
    relyd.put_identity("payments-api")
    relyd.put(f"{RULES}/one", rule(subject="s"))
    put_ci(relyd, "/sub")

    def change(claim, query=""):
        return relyd.admin("PUT", CI + query, relyd.admin("GET", CI).json() | {"subjectClaim": claim})

    answer = change("id")
    assert refused(answer)[:2] == (409, "subject_claim_in_use") and "payments-api/one" in answer.json()["detail"]
    assert relyd.admin("GET", CI).json()["subjectClaim"] == "/sub"
    relyd.put("/v1/issuerGroups/all", {"issuers": ["prod"]})
    assert relyd.admin("DELETE", f"{RULES}/one").status == 204
    relyd.put(f"{RULES}/two", {"issuerGroup": "all", "subject": "s", "audiences": ["relyd"]})
    answer = change("id")
    assert refused(answer)[:2] == (409, "subject_claim_in_use") and "payments-api/two" in answer.json()["detail"]
    assert relyd.admin("DELETE", f"{RULES}/two").status == 204
    revoked = relyd.admin("POST", "/v1/revocations", {"subject": "s", "issuerName": "prod", "reason": "a test"}).json()["id"]
    answer = change("id")
    assert refused(answer)[:2] == (409, "subject_claim_in_use") and revoked in answer.json()["detail"]
    assert relyd.admin("DELETE", f"/v1/revocations/{revoked}").status == 204
    relyd.admin("POST", "/v1/revocations", {"subject": "s", "reason": "of all"})
    strict = change("id", "?strict=true")
    assert refused(strict) == (400, "invalid_body", [("subjectClaim", "subject_claim_changed")])
    changed = change("id").json()
    assert [(warning["code"], warning["field"]) for warning in changed["warnings"]] == [("subject_claim_changed", "subjectClaim")]
    assert change("/id").json()["warnings"] == []
    assert relyd.reason(token_of(relyd, id="x")) == "no_matching_credential"


def test_one_claim_in_a_group(relyd):
    put_ci(relyd, "id")
    relyd.put_identity("payments-api")
    for name, claim in (("same", "/id"), ("sub", "sub"), ("more", "id")):
        relyd.put_issuer(name, f"https://{name}.example", subjectClaim=claim)
    for issuers, index in ((["prod", "sub"], 1), (["sub", "same", "prod"], 1), (["prod", "same", "more", "sub"], 3)):
        answer = relyd.admin("PUT", "/v1/issuerGroups/all", {"issuers": issuers})
        assert answer.status == 400 and (f"issuers[{index}]", "other_subject_claim") in refused(answer)[2]
    relyd.put("/v1/issuerGroups/all", {"issuers": ["prod", "same"]})
    answer = relyd.admin("PUT", "/v1/issuerGroups/all/issuers/sub")
    assert refused(answer)[:2] == (409, "other_subject_claim")
    assert relyd.admin("PUT", "/v1/issuerGroups/all/issuers/more").status == 204
    answer = relyd.admin("PUT", CI, relyd.admin("GET", CI).json() | {"subjectClaim": "sub"})
    assert refused(answer)[:2] == (409, "other_subject_claim") and "all" in answer.json()["detail"]
    # A group whose records are all others now, while nothing means the old claim; then its rules say which it is.
    relyd.put("/v1/issuerGroups/all", {"issuers": ["sub"]})
    relyd.put("/v1/issuerGroups/all", {"issuers": ["more"]})
    group = {"issuerGroup": "all", "audiences": ["relyd"]}
    relyd.put(f"{RULES}/one", group | {"subject": "x"})
    relyd.put("/v1/issuerGroups/all", {"issuers": []})
    answer = relyd.admin("PUT", "/v1/issuerGroups/all", {"issuers": ["sub"]})
    assert refused(answer) == (400, "invalid_body", [("issuers[0]", "other_subject_claim")])
    assert refused(relyd.admin("PUT", "/v1/issuerGroups/all/issuers/sub"))[:2] == (409, "other_subject_claim")
    relyd.put("/v1/issuerGroups/all", {"issuers": ["prod"]})
    assert relyd.reason(token_of(relyd, id="x")) == "ok"
    answer = relyd.admin("PUT", f"{RULES}/two", group | {"claimsMatchingExpression": {"value": "claims['sub'] eq 'x'", "languageVersion": 1}})
    assert refused(answer) == (400, "invalid_body", [("claimsMatchingExpression.value", "too_broad")])
    # Of an empty group the subject is `sub`.
    relyd.put("/v1/issuerGroups/none", {})
    relyd.put(f"{RULES}/none", {"issuerGroup": "none", "subject": "x", "audiences": ["relyd"]})
    assert refused(relyd.admin("PUT", "/v1/issuerGroups/none/issuers/prod"))[:2] == (409, "other_subject_claim")
    assert relyd.admin("PUT", "/v1/issuerGroups/none/issuers/sub").status == 204


def test_forms_of_sub_are_not_looked_for(shared):
    """What a platform writes into `sub` says nothing of another claim."""
    shared.put_issuer("github", "https://token.actions.githubusercontent.com", subjectClaim="repository_id")
    shared.put_identity("payments-api")
    answer = shared.put(f"{RULES}/github", rule(issuerName="github", subject="123456"))
    assert answer["warnings"] == []
    for shorthand, value in (("github", {"repository": "acme/app"}), ("kubernetes", {"namespace": "ci", "serviceAccount": "a"}), ("kubernetes", {"namespace": "ci-*", "serviceAccount": "a"})):
        answer = shared.admin("PUT", f"{RULES}/short", rule(issuerName="github", **{shorthand: value}))
        assert refused(answer) == (400, "invalid_body", [(shorthand, "not_allowed")])
    assert [w["code"] for w in shared.put(f"{RULES}/github", rule(issuerName="github", subject="12345*"))["warnings"]] == ["subject_wildcard"]


def test_tenants_are_named_by_the_claim(shared):
    """An exact subject is an `eq` on the claim; a tenant's name stands in it, and not in `sub`."""
    shared.put_identity("payments-api")
    for pins, form, body, is_pinned in ((["repository_id"], None, {"subject": "42"}, True), (["sub"], None, {"subject": "42"}, False),
                                        ([], "repo:{tenant}/", {"subject": "repo:acme/app"}, True), ([], "repo:{tenant}/", {"subject": "repo:acme"}, False)):
        tenants = {"isShared": True, "pinClaims": pins} | ({"tenantSubject": form} if form else {})
        shared.put_issuer("hub", "https://hub.example", subjectClaim="repository_id", **tenants)
        answer = shared.admin("PUT", f"{RULES}/hub", rule(issuerName="hub", **body))
        assert (answer.status, is_pinned) == (201, True) or refused(answer) == (400, "invalid_body", [("subject", "unpinned_credential")])
        assert (answer.status == 201) == is_pinned
        assert shared.admin("DELETE", f"{RULES}/hub").status == (204 if is_pinned else 404)
    shared.put_issuer("hub", "https://hub.example", subjectClaim="repository_id", isShared=True, tenantSubject="repo:{tenant}/")
    both = "claims['sub'] matches 'repo:acme/*' and claims['repository_id'] matches '{}*'"
    answer = shared.admin("PUT", f"{RULES}/hub", expression(both.format("repo:"), issuerName="hub"))
    assert refused(answer) == (400, "invalid_body", [("claimsMatchingExpression.value", "unpinned_credential")])
    shared.put(f"{RULES}/hub", expression(both.format("repo:acme/"), issuerName="hub"))
