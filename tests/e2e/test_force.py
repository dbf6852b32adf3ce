"""force=true: an administrator has stored what is refused otherwise, is warned, and leaves a line in the log; nobody else can."""

import contract
import pytest
import tokens
import wire
from service import BINARY, ISSUER
from test_callers import Guarded

RULE = "/v1/identities/payments-api/federatedIdentityCredentials/rule"
RULES = RULE.rpartition("/")[0]


def body(expression, **fields):
    return {"issuerName": "prod", "claimsMatchingExpression": {"value": expression, "languageVersion": 1}, "audiences": ["relyd"]} | fields


def codes(answer, member="warnings"):
    return [(item["code"], item["field"]) for item in answer.json()[member]]


def lines(relyd, event, count):
    """The log's lines of an event, when there are so many."""
    found = lambda: [line["message"] for line in relyd.events() if line["event"] == event]
    wire.wait_for(lambda: len(found()) >= count, what=f"{count} lines {event}")
    assert len(found()) == count
    return found()


TOO_BROAD = [("too_broad", "claimsMatchingExpression.value")]


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


@pytest.mark.threads
@pytest.mark.parametrize("expression, claims, others", [
    ("claims['team'] eq 'a'", {"sub": "whoever", "team": "a"}, {"sub": "whoever", "team": "b"}),
    ("claims['sub'] matches '*:runner'", {"sub": "ci:runner"}, {"sub": "ci:runner2"}),
    ("claims['sub'] matches '?'", {"sub": "a"}, {"sub": "ab"}),
])  # fmt: skip
def test_what_is_too_broad(world, expression, claims, others):
    """Stored, found, warned of, logged once, and still there after a restart."""
    refused = world.admin("PUT", RULE, body(expression))
    assert (refused.status, codes(refused, "errors")) == (400, TOO_BROAD)
    strict = world.admin("PUT", RULE + "?force=true&strict=true", body(expression))
    assert (strict.status, strict.json()["code"], codes(strict, "errors")) == (400, "invalid_body", TOO_BROAD)
    assert world.admin("GET", RULE).status == 404
    answer = world.admin("PUT", RULE + "?force=true", body(expression))
    assert (answer.status, codes(answer)) == (201, TOO_BROAD)
    inside, outside = (world.signer.sign(tokens.claims(ISSUER, **{"kubernetes.io": None} | some)) for some in (claims, others))
    for _ in range(2):
        for _ in range(6):
            assert (world.reason(inside), world.reason(outside)) == ("ok", "no_matching_credential")
        world.restart()
    assert codes(world.admin("PUT", RULE + "?force=true", body(expression))) == TOO_BROAD  # changes nothing, and is no second line
    [line] = lines(world, "write_forced", 1)
    assert line == "uid:0 has written federatedIdentityCredential payments-api/rule with force=true, in spite of too_broad (claimsMatchingExpression.value)"


def test_a_name_of_the_body(world):
    """POST, too: whose name the body says."""
    assert world.admin("POST", RULES, body("claims['a'] eq 'b'", name="posted")).status == 400
    assert world.admin("POST", RULES + "?force=true", body("claims['a'] eq 'b'", name="posted")).status == 201
    assert "payments-api/posted with force=true" in lines(world, "write_forced", 1)[0]


def test_what_stands_is_not_forced_again(world):
    """What GET shows is put back without it; what is more is refused as before."""
    world.admin("PUT", RULE + "?force=true", body("claims['a'] eq 'b'"))
    shown = world.admin("GET", RULE).json()
    again = world.admin("PUT", RULE, shown | {"description": "everybody"})
    assert (again.status, codes(again)) == (200, TOO_BROAD)
    other = world.admin("PUT", RULE, body("claims['a'] eq 'c'"))
    assert (other.status, codes(other, "errors")) == (400, TOO_BROAD)
    lines(world, "write_forced", 1)


def test_nothing_else_is_forced(world):
    assert codes(world.admin("PUT", RULE + "?force=true", body("claims['sub'] is 'a'")), "errors") == [("invalid_expression", "claimsMatchingExpression.value")]
    narrow = world.admin("PUT", RULE + "?force=true", body("claims['sub'] eq 'a'"))
    assert (narrow.status, codes(narrow)) == (201, [])
    again = world.admin("PUT", RULE + "2?force=true", body("claims['sub'] eq 'a'"))
    assert (again.status, again.json()["code"]) == (409, "duplicate_issuer_and_expression")
    world.put(RULE + "3?force=true", body("claims['a'] eq 'a'"))
    assert "payments-api/rule3" in lines(world, "write_forced", 1)[0]


def test_where_it_may_stand(world):
    """Where strict may: yes or no, and nothing else; elsewhere it is unknown."""
    for value, status in (("true", 201), ("false", 200), ("yes", 400), ("", 400), ("TRUE", 400)):
        answer = world.admin("PUT", f"/v1/issuers/forced?force={value}", {"issuer": "https://forced.example", "keys": {"jwks": tokens.jwks(tokens.key("forced"))}})
        assert answer.status == status, value
        assert status < 400 or (answer.json()["code"], codes(answer, "errors")) == ("invalid_query", [("invalid_value", "force")])
    unknown = world.admin("PUT", "/v1/identities/payments-api?force=true", {})
    assert (unknown.status, unknown.json()["code"], codes(unknown, "errors")) == (400, "invalid_query", [("unknown_field", "force")])
    parameters = contract.document(BINARY)["paths"][RULES.replace("payments-api", "{identity}")]["post"]["parameters"]
    assert [(item["name"], item["schema"]["type"]) for item in parameters] == [("identity", "string"), ("strict", "boolean"), ("force", "boolean")]


def test_an_owner_forces_nothing(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    guarded.relyd.put_identity("app", owners=["other"])
    owner, path = guarded.context("cn:other"), RULE.replace("payments-api", "app")
    exact = {"issuer": ISSUER, "subject": "s", "audiences": ["relyd"]}
    for asked, sent in (("?force=true", exact), ("?force=true", body("claims['a'] eq 'b'")), ("?force=true&strict=true", exact)):
        answer = guarded.ask("PUT", path + asked, owner, guarded.control, sent)
        assert (answer.status, answer.json()["code"]) == (403, "not_permitted"), asked
    refused = lines(guarded.relyd, "caller_refused", 3)
    assert all("certificate:other: this needs the role admin" in line for line in refused)
    assert guarded.ask("PUT", path + "?force=false", owner, guarded.control, exact).status == 201
    admin = guarded.ask("PUT", path + "?force=true", guarded.context("uri:spiffe://prod/ops"), guarded.control, body("claims['a'] eq 'b'"))
    assert admin.status == 200 and codes(admin) == TOO_BROAD
    [line] = lines(guarded.relyd, "write_forced", 1)
    assert line.startswith("certificate:ops has written federatedIdentityCredential app/rule with force=true")
    less = body("claims['a'] eq 'b'", enabled=False)
    assert guarded.ask("PUT", path, owner, guarded.control, less).status == 200
    more = guarded.ask("PUT", path, owner, guarded.control, body("claims['a'] eq 'b'"))
    assert (more.status, more.json()["code"]) == (403, "not_permitted")
