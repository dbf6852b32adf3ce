"""An issuer's guards: what each of its tokens must be whatever the rules say, for new and for remembered tokens, and what is no guard."""

import pytest
import tokens
from service import ISSUER

PROD = "/v1/issuers/prod"
OFF = {"requiredClaims": [], "singleAudience": False, "refuseStretched": False, "pinServiceAccountUid": "off", "allowedSubjects": []}


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


def guard(relyd, **guards):
    return relyd.put(PROD, relyd.admin("GET", PROD).json() | {"guards": OFF | guards})["guards"]


def signed(relyd, **changes):
    return relyd.signer.sign(tokens.claims(ISSUER, **changes))


def expect(relyd, token, reason, words=""):
    """As often as it takes to be remembered, where it passes; a refused one is judged each time."""
    for _ in range(6):
        assert relyd.reason(token) == reason
    if words:
        assert words in relyd.explain(token)["detail"]
        assert words in relyd.review(token)["detail"]


@pytest.mark.threads
def test_claims_that_are_required(world):
    plain, listed = signed(world), signed(world, hd="one", groups=["a", 7, True])
    expect(world, plain, "ok")
    shown = guard(world, requiredClaims=[{"claim": "hd", "anyOf": ["two", "one"]}, {"claim": "/groups/1", "anyOf": ["7"]},
                                         {"claim": "/kubernetes.io/namespace", "anyOf": ["team-a"]}])
    assert shown["requiredClaims"][1] == {"claim": "/groups/1", "anyOf": ["7"]}
    expect(world, plain, "guard_refused", "guard requiredClaims of the issuer: the token has no text in its claim hd")
    expect(world, listed, "ok")
    expect(world, signed(world, hd="three", groups=["a", 7]), "guard_refused", 'the token has "three" in its claim hd')
    guard(world, requiredClaims=[{"claim": "/kubernetes.io/namespace", "anyOf": ["team-b"]}])
    expect(world, listed, "guard_refused", 'the token has "team-a" in its claim /kubernetes.io/namespace')
    assert is_same_after_restart(world)
    expect(world, listed, "guard_refused")
    guard(world)
    expect(world, plain, "ok")


def is_same_after_restart(relyd):
    before = relyd.admin("GET", PROD)
    relyd.restart()
    after = relyd.admin("GET", PROD)
    return before.json()["guards"] == after.json()["guards"] and before.header("etag") == after.header("etag")


@pytest.mark.threads
def test_one_audience(world):
    one, two = signed(world), signed(world, aud=["relyd", "other"])
    expect(world, two, "ok")
    guard(world, singleAudience=True)
    expect(world, one, "ok")
    expect(world, signed(world, aud=["relyd"]), "ok")
    expect(world, two, "guard_refused", "guard singleAudience of the issuer: the token has 2 audiences")


@pytest.mark.threads
def test_stretched_tokens(world):
    claims = tokens.claims(ISSUER)
    claims["kubernetes.io"] = claims["kubernetes.io"] | {"warnafter": claims["iat"] + 3607}
    stretched = world.signer.sign(claims)
    expect(world, stretched, "ok")
    guard(world, refuseStretched=True)
    expect(world, stretched, "guard_refused", "warnafter")
    expect(world, signed(world), "ok")


@pytest.mark.threads
def test_subjects_that_are_allowed(world):
    expect(world, signed(world), "ok")
    guard(world, allowedSubjects=["system:serviceaccount:x:*", "system:serviceaccount:team-?:b*"])
    expect(world, signed(world), "ok")
    guard(world, allowedSubjects=["system:serviceaccount:team-?:c*", "builder", "system:serviceaccount:team-a:builde"])
    expect(world, signed(world), "guard_refused", "guard allowedSubjects of the issuer: the subject is")


def test_times_are_judged_first_and_rules_behind(world):
    guard(world, allowedSubjects=["nobody"])
    assert world.reason(signed(world, lifetime=-4000)) == "expired"
    assert world.reason(signed(world, account="other", audience="else")) == "guard_refused"


@pytest.mark.parametrize("guards, field, code", [
    ("text", "guards", "wrong_type"),
    ({"more": 1}, "guards.more", "unknown_field"),
    ({"requiredClaims": {}}, "guards.requiredClaims", "wrong_type"),
    ({"requiredClaims": ["a"]}, "guards.requiredClaims[0]", "wrong_type"),
    ({"requiredClaims": [{"anyOf": ["a"]}]}, "guards.requiredClaims[0].claim", "required"),
    ({"requiredClaims": [{"claim": "a"}]}, "guards.requiredClaims[0].anyOf", "required"),
    ({"requiredClaims": [{"claim": "a", "anyOf": []}]}, "guards.requiredClaims[0].anyOf", "too_few"),
    ({"requiredClaims": [{"claim": "a", "anyOf": [str(i) for i in range(65)]}]}, "guards.requiredClaims[0].anyOf", "too_many"),
    ({"requiredClaims": [{"claim": "a", "anyOf": ["b", "b"]}]}, "guards.requiredClaims[0].anyOf[1]", "duplicate"),
    ({"requiredClaims": [{"claim": "a", "anyOf": [""]}]}, "guards.requiredClaims[0].anyOf[0]", "too_short"),
    ({"requiredClaims": [{"claim": "a", "anyOf": ["x" * 601]}]}, "guards.requiredClaims[0].anyOf[0]", "too_long"),
    ({"requiredClaims": [{"claim": "a", "anyOf": ["b"], "x": 1}]}, "guards.requiredClaims[0].x", "unknown_field"),
    ({"requiredClaims": [{"claim": "/a~2", "anyOf": ["b"]}]}, "guards.requiredClaims[0].claim", "invalid_value"),
    ({"requiredClaims": [{"claim": "x" * 201, "anyOf": ["b"]}]}, "guards.requiredClaims[0].claim", "too_long"),
    ({"requiredClaims": [{"claim": "a", "anyOf": ["b"]}, {"claim": "/a", "anyOf": ["c"]}]}, "guards.requiredClaims[1].claim", "duplicate"),
    ({"requiredClaims": [{"claim": f"c{i}", "anyOf": ["b"]} for i in range(17)]}, "guards.requiredClaims", "too_many"),
    ({"singleAudience": 1}, "guards.singleAudience", "wrong_type"),
    ({"refuseStretched": "yes"}, "guards.refuseStretched", "wrong_type"),
    ({"pinServiceAccountUid": "always"}, "guards.pinServiceAccountUid", "invalid_value"),
    ({"pinServiceAccountUid": True}, "guards.pinServiceAccountUid", "invalid_value"),
    ({"allowedSubjects": "a"}, "guards.allowedSubjects", "wrong_type"),
    ({"allowedSubjects": [str(i) for i in range(33)]}, "guards.allowedSubjects", "too_many"),
    ({"allowedSubjects": ["x" * 601]}, "guards.allowedSubjects[0]", "too_long"),
    ({"allowedSubjects": [""]}, "guards.allowedSubjects[0]", "too_short"),
])
def test_what_is_no_guard(shared, guards, field, code):
    answer = shared.admin("PUT", "/v1/issuers/guarded", {"issuer": "https://guarded.example", "keys": {"jwksUri": "https://guarded.example/keys"}, "guards": guards})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body"), answer
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert shared.admin("GET", "/v1/issuers/guarded").status == 404


def test_a_name_that_is_wrong_has_its_column(shared):
    answer = shared.admin("PUT", "/v1/issuers/guarded", {"issuer": "https://guarded.example", "keys": {"jwksUri": "https://guarded.example/keys"},
                                                         "guards": {"requiredClaims": [{"claim": "/ab~2", "anyOf": ["b"]}]}})
    assert answer.json()["errors"][0]["column"] == 5


def test_the_largest_guards(world):
    most = [{"claim": f"claim{i}", "anyOf": [f"{i}-{k}-" + "v" * 60 for k in range(64)]} for i in range(16)]
    shown = guard(world, requiredClaims=most, allowedSubjects=[f"{i}*" + "s" * 590 for i in range(32)])
    assert shown["requiredClaims"] == most and len(shown["allowedSubjects"]) == 32
    assert world.admin("PUT", PROD, world.admin("GET", PROD).json()).status == 200
