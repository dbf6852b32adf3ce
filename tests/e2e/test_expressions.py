"""Claims matching expressions: who is let in by one, through the cache and after a restart, and what is refused with which column."""

import itertools

import pytest
import tokens
from service import ISSUER

RULES = "/v1/identities/payments-api/federatedIdentityCredentials"
FLEET = "claims['sub'] matches 'repo:acme*' and claims['repository_owner'] eq 'acme' and claims['/env/0'] matches 'prod-?'"


def body(expression, **fields):
    return {"issuerName": "prod", "claimsMatchingExpression": {"value": expression, "languageVersion": 1}, "audiences": ["relyd"]} | fields


def signed(relyd, sub, **claims):
    return relyd.signer.sign(tokens.claims(ISSUER, sub=sub, **claims))


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


@pytest.mark.threads
def test_who_is_let_in(world):
    shown = world.put(f"{RULES}/fleet", body(FLEET))
    assert shown["claimsMatchingExpression"] == {"value": FLEET, "languageVersion": 1} and "subject" not in shown
    good = {"repository_owner": "acme", "env": ["prod-1"]}
    cases = [("repo:acme/app:ref:main", good, "ok"), ("repo:acme@12/app@9:ref:main", good, "ok"),
             ("repo:acme-evil/app", good | {"repository_owner": "acme-evil"}, "no_matching_credential"),
             ("repo:acme/app", good | {"env": ["prod-12"]}, "no_matching_credential"), ("repo:acme/app", {}, "no_matching_credential"),
             ("Repo:acme/app", good, "no_matching_credential")]
    signed_tokens = [(signed(world, sub, **claims), reason) for sub, claims, reason in cases]
    for _ in range(8):
        for token, reason in signed_tokens:
            assert world.reason(token) == reason
    world.restart()
    for token, reason in signed_tokens:
        assert world.reason(token) == reason
    assert world.check(signed_tokens[0][0]).header("x-relyd-identity") == "payments-api"


@pytest.mark.threads
def test_a_rule_is_live_for_remembered_tokens(world):
    """Each asks for a claim that none has asked for; and is gone as soon as it is deleted."""
    token = signed(world, "app", one="1", two=2, three=True, four=["a", 4])
    texts = {"one": "1", "two": "2", "three": "true", "four": "4"}
    for claim, text in itertools.chain(texts.items(), texts.items()):
        for _ in range(8):
            assert world.reason(token) == "no_matching_credential"
        world.put(f"{RULES}/rule", body(f"claims['sub'] eq 'app' and claims['{claim}'] eq '{text}'"))
        for _ in range(8):
            assert world.reason(token) == "ok"
        assert world.admin("DELETE", f"{RULES}/rule").status == 204


def test_one_text_many_times_is_one_text(world):
    """Who signs its own tokens fills a claim by which rules are found: each is asked once, and the list is not copied for each."""
    for number in range(20):
        world.put(f"/v1/identities/owner-{number:02}", {"username": f"owner-{number:02}"})
        world.put(f"/v1/identities/owner-{number:02}/federatedIdentityCredentials/rule",
                  body(f"claims['sub'] matches 'repo:acme*' and claims['repository_owner'] eq 'acme' and claims['ref'] matches 'x{number}*'"))
    before = world.resident_bytes("VmHWM")
    for ref, reason in (("y", "no_matching_credential"), ("x7", "ok")):
        token = signed(world, "repo:acme/app", repository_owner=["acme"] * 1400, ref=[ref] * 200)
        for _ in range(4):
            assert world.reason(token) == reason
    assert world.resident_bytes("VmHWM") - before < 64 << 20


BAD = [
    ("", "invalid_expression", 1), ("claims['sub']", "invalid_expression", 14), ("claims['sub'] is 'a'", "invalid_expression", 15),
    ("claims['sub'] eq 'a' or claims['b'] eq 'c'", "invalid_expression", 22), ("claims['ü'] eq 'a' x", "invalid_expression", 20),
    ("claims['a'] eq 'b'", "too_broad", None), ("claims['sub'] matches '*a'", "too_broad", None),
    ("claims['sub'] matches '?a'", "too_broad", None), ("claims['sub'] eq ''", "too_broad", None),
]


@pytest.mark.parametrize("text, code, column", BAD)
def test_what_is_no_rule(shared, text, code, column):
    answer = shared.admin("PUT", f"{RULES}/rule", body(text))
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body")
    [error] = answer.json()["errors"]
    assert (error["field"], error["code"], error.get("column")) == ("claimsMatchingExpression.value", code, column)


@pytest.mark.parametrize("fields, field, code", [
    ({"subject": "s"}, "claimsMatchingExpression", "exactly_one"),
    ({"claimsMatchingExpression": "text"}, "claimsMatchingExpression", "wrong_type"),
    ({"claimsMatchingExpression": {"value": "claims['sub'] eq 'a'"}}, "claimsMatchingExpression.languageVersion", "required"),
    ({"claimsMatchingExpression": {"languageVersion": 1}}, "claimsMatchingExpression.value", "required"),
    ({"claimsMatchingExpression": {"value": 7, "languageVersion": 1}}, "claimsMatchingExpression.value", "wrong_type"),
    ({"claimsMatchingExpression": {"value": "claims['sub'] eq 'a'", "languageVersion": 2}}, "claimsMatchingExpression.languageVersion", "invalid_value"),
    ({"claimsMatchingExpression": {"value": "claims['sub'] eq 'a'", "languageVersion": "1"}}, "claimsMatchingExpression.languageVersion", "wrong_type"),
    ({"claimsMatchingExpression": {"value": "claims['sub'] eq 'a'", "languageVersion": 1, "more": 1}}, "claimsMatchingExpression.more", "unknown_field"),
])
def test_what_is_no_body(shared, fields, field, code):
    answer = shared.admin("PUT", f"{RULES}/rule", body("claims['sub'] eq 'a'", **fields))
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body")
    assert (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]]


def test_once_in_an_identity(world):
    world.put(f"{RULES}/one", body(FLEET))
    world.put(f"{RULES}/one", body(FLEET))
    again = world.admin("PUT", f"{RULES}/two", body(FLEET))
    assert (again.status, again.json()["code"]) == (409, "duplicate_issuer_and_expression")
    world.put("/v1/issuerGroups/all", {"issuers": ["prod"]})
    group = {name: value for name, value in body(FLEET).items() if name != "issuerName"} | {"issuerGroup": "all"}
    world.put(f"{RULES}/two", group)
    again = world.admin("PUT", f"{RULES}/three", group)
    assert (again.status, again.json()["code"]) == (409, "duplicate_issuer_and_expression")
    neither = {name: value for name, value in body(FLEET).items() if name != "claimsMatchingExpression"}
    answer = world.admin("PUT", f"{RULES}/three", neither)
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("subject", "required")]


def test_too_many_alike(tmp_path):
    """A thousand that nothing tells apart; with an eq on another claim, or a longer beginning, there is room."""
    from service import Relyd
    relyd = Relyd(tmp_path / "many", registry__max_credentials_per_identity=2000).start()
    try:
        relyd.put_world()
        for number in range(1000):
            relyd.put(f"{RULES}/r{number:04}", body(f"claims['sub'] matches 'repo:*{number}'"))
        full = relyd.admin("PUT", f"{RULES}/more", body("claims['sub'] matches 'repo:*more'"))
        assert (full.status, full.json()["code"]) == (409, "too_many_alike")
        longer = relyd.admin("PUT", f"{RULES}/more", body("claims['sub'] matches 'repo:acme*'"))
        assert (longer.status, longer.json()["code"]) == (409, "too_many_alike")  # those of the shorter one are met, too
        relyd.put(f"{RULES}/more", body("claims['sub'] matches 'rep*'"))
        for name in ("r0000", "r0001"):
            assert relyd.admin("DELETE", f"{RULES}/{name}").status == 204
        relyd.put(f"{RULES}/r0000", body("claims['sub'] matches 'repo:*' and claims['repository'] eq 'a'"))
    finally:
        relyd.stop()
