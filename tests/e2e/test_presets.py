"""Presets: the tests in their files, run against a relyd that has made its issuers from them; and what stays with such an issuer."""

import re
import time

import contract
import jsonschema
import pytest
import tokens
import yaml
from service import BINARY, ROOT

FILES = sorted((ROOT / "policies/presets").glob("*.yaml"))
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
TESTS = [(name, test) for name, preset in PRESETS.items() for test in preset["tests"]]
RULE = "/v1/identities/workload/federatedIdentityCredentials/rule"


def fill(value, values):
    """Each {name} of the texts in a value, once."""
    if isinstance(value, str):
        return re.sub(r"\{([a-z][A-Za-z0-9]*)\}", lambda found: values.get(found.group(1), found.group(0)), value)
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return {key: fill(item, values) for key, item in value.items()} if isinstance(value, dict) else value


def parameters_of(preset, test):
    return {item["name"]: item["example"] for item in preset["parameters"]} | test.get("parameters", {})


def signer_of(preset):
    algorithm = preset["issuer"].get("algorithms", ["RS256"])[-1]
    return tokens.key(f"preset-{algorithm}", algorithm)


def make_issuer(relyd, name, test):
    """Nothing is fetched from it: its keys are the test's own."""
    preset = PRESETS[name]
    relyd.admin("DELETE", f"/v1/issuers/{name}?withCredentials=true")
    body = {"name": name, "keys": {"jwks": tokens.jwks(signer_of(preset))}, "presetParameters": parameters_of(preset, test)}
    answer = relyd.admin("POST", f"/v1/issuers?preset={name}", body)
    assert answer.status == 201, answer
    return answer.json()


@pytest.fixture(scope="module")
def world(shared):
    shared.put_identity("workload")
    return shared


@pytest.mark.parametrize("name, test", TESTS, ids=[f"{name}: {test['name']}" for name, test in TESTS])
def test_of_a_preset(world, name, test):
    preset = PRESETS[name]
    issuer = make_issuer(world, name, test)
    subject = next(item for item in preset["subjects"] if item["name"] == test["subject"])
    rule = {"audiences": ["relyd"]} | fill(subject["credential"], parameters_of(preset, test) | test["fields"])
    assert world.put(RULE, rule | {"issuerName": name})["warnings"] == issuer["warnings"] == []
    now = int(time.time())
    token = signer_of(preset).sign({"iss": issuer["issuer"], "iat": now, "nbf": now, "exp": now + 300} | test["claims"])
    expected = "ok" if test["expect"] == "allow" else test["expect"]["deny"]
    for _ in range(3):  # also when it is remembered
        assert world.reason(token) == expected


@pytest.mark.parametrize("name", PRESETS)
def test_what_an_issuer_has_of_its_preset(world, name):
    preset = PRESETS[name]
    issuer = make_issuer(world, name, preset["tests"][0])
    made = fill(preset["issuer"], parameters_of(preset, preset["tests"][0])) | {"preset": name, "keys": issuer["keys"]}
    made["guards"] = issuer["guards"] | made.get("guards", {})
    assert {member: issuer[member] for member in made} == made
    assert any(test["expect"] == "allow" for test in preset["tests"]) and any(test["expect"] != "allow" for test in preset["tests"])


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset["issuer"].get("isShared")])
def test_a_shared_issuer_wants_a_tenant(world, name):
    make_issuer(world, name, PRESETS[name]["tests"][0])
    broad = {"value": "claims['sub'] matches 'repo:acme*' and claims['aud'] eq 'relyd'", "languageVersion": 1}
    answer = world.admin("PUT", RULE, {"issuerName": name, "audiences": ["relyd"], "claimsMatchingExpression": broad})
    assert answer.status == 400 and [error["code"] for error in answer.json()["errors"]] == ["unpinned_credential"]


def test_what_is_shown(shared):
    answer = shared.admin("GET", "/v1/presets")
    assert answer.status == 200
    shown = [{"name": name} | {member: value for member, value in preset.items() if member not in ("preset", "tests")}
             for name, preset in sorted(PRESETS.items())]
    assert answer.json() == {"value": shown}
    assert list(answer.json()["value"][0]) == ["name", "title", "source", "parameters", "issuer", "audience", "subjects", "warnings"]


def refused(relyd, query, body, status=400):
    answer = relyd.admin("POST", f"/v1/issuers?{query}", {"name": "refused"} | body)
    assert answer.status == status, answer
    return answer.json()["code"], [(error["field"], error["code"]) for error in answer.json()["errors"]]


def test_no_such_preset(shared):
    assert refused(shared, "preset=geht-nicht", {}) == ("invalid_query", [("preset", "invalid_value")])
    assert refused(shared, "preset=", {}) == ("invalid_query", [("preset", "invalid_value")])
    assert refused(shared, "presets=eks", {}) == ("invalid_query", [("presets", "unknown_field")])
    assert refused(shared, "preset=eks&preset=eks", {}) == ("invalid_query", [("preset", "duplicate")])
    assert "aks, aws-outbound," in shared.admin("POST", "/v1/issuers?preset=x", {}).json()["errors"][0]["message"]
    assert shared.admin("PUT", "/v1/issuers/other?preset=eks", {}).status == 400


WRONG = {
    "word": ["", ".", "..", "a/b", "a b", "a'b", "a\"b", "a\\b", "a*", "a?", "a#b", "a@b", "a:b", "a%2f", "{region}", "a\n", "ü", "x" * 121, 7, None, ["a"], {"a": "b"}],
    "hex": ["", "g", "0x1", "a-b", "a" * 121, " a"],
    "uuid": ["", "8F0D1C2B-3a4e-4f5d-9c6b-7a8e9f0d1c2b", "8f0d1c2b3a4e4f5d9c6b7a8e9f0d1c2b", "{8f0d1c2b-3a4e-4f5d-9c6b-7a8e9f0d1c2b}", "8f0d1c2b-3a4e-4f5d-9c6b-7a8e9f0d1c2b/"],
    "url": ["", "gitlab.example.com", "ftp://a.example", "https://", "https://u@a.example", "https://a.example?x", "https://a.example#x", "https://a.example/../b", "https://a.example//b", "https://a.example/%2e",
            "https://a_b.example", "javascript:x", "https://" + "a" * 600],
}
PLACES = {"word": ("eks", "region"), "hex": ("eks", "id"), "uuid": ("azure-v2", "directory"), "url": ("gitlab", "url")}


@pytest.mark.parametrize("kind, value", [(kind, value) for kind, values in WRONG.items() for value in values], ids=lambda value: ascii(value)[:20])
def test_a_value_of_the_wrong_kind(shared, kind, value):
    name, parameter = PLACES[kind]
    values = parameters_of(PRESETS[name], {}) | {parameter: value}
    assert refused(shared, f"preset={name}", {"presetParameters": values}) == ("invalid_body", [(f"presetParameters.{parameter}", "not_in_preset")])


def test_parameters_that_are_missing_or_too_many(shared):
    missing = [("presetParameters.region", "not_in_preset"), ("presetParameters.id", "not_in_preset")]
    assert refused(shared, "preset=eks", {}) == ("invalid_body", missing)
    assert refused(shared, "preset=eks", {"presetParameters": {}}) == ("invalid_body", missing)
    assert refused(shared, "preset=eks", {"presetParameters": {"region": "eu-west-1", "ID": "AB"}})[1] == [missing[1], ("presetParameters.ID", "not_in_preset")]
    assert refused(shared, "preset=github-actions", {"presetParameters": {"region": "a"}})[1] == [("presetParameters.region", "not_in_preset")]
    for value in ("text", [], 7, True, None):
        assert refused(shared, "preset=github-actions", {"presetParameters": value}) == ("invalid_body", [("presetParameters", "wrong_type")])
    assert refused(shared, "strict=false", {"issuer": "https://a.example", "presetParameters": {}}) == ("invalid_body", [("presetParameters", "unknown_field")])


def test_what_is_given_wins(shared):
    """And a preset's issuer is judged as any other."""
    values = {"region": "cn-north-1", "id": "ABC123"}
    body = {"issuer": "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC123", "leewaySeconds": 7, "description": "Peking", "enabled": False}
    answer = shared.admin("POST", "/v1/issuers?preset=eks", {"name": "given", "presetParameters": values} | body)
    assert answer.status == 201 and answer.header("location") == "/v1/issuers/given"
    shown = answer.json()
    assert {member: shown[member] for member in body} == body and shown["algorithms"] == ["RS256"] and shown["preset"] == "eks"
    assert refused(shared, "preset=github-actions", {"leewaySeconds": 301})[1] == [("leewaySeconds", "out_of_range")]
    assert refused(shared, "preset=github-actions", {"preset": "github-actions"})[1] == [("preset", "read_only")]
    assert refused(shared, "preset=gitlab", {"presetParameters": {"url": "http://gitlab.example"}})[1] == [("issuer", "not_allowed")]
    assert shared.admin("POST", "/v1/issuers?preset=eks", [1]).status == 400


def test_the_name_stays(start):
    """In GET, at a PUT that leaves it out or repeats it, over a restart; no PUT sets it, and a record that is made anew has none."""
    relyd = start()
    issuer = {"issuer": "https://token.actions.githubusercontent.com", "keys": {"jwks": tokens.jwks(tokens.key("preset-RS256"))}}
    made = relyd.admin("POST", "/v1/issuers?preset=github-actions", {"name": "github", "keys": issuer["keys"]}).json()
    assert relyd.put("/v1/issuers/github", issuer)["preset"] == "github-actions"
    assert relyd.put("/v1/issuers/github", issuer | {"preset": "github-actions"})["preset"] == "github-actions"
    other = relyd.admin("PUT", "/v1/issuers/github", issuer | {"preset": "eks"})
    assert (other.status, [(error["field"], error["code"]) for error in other.json()["errors"]]) == (400, [("preset", "read_only")])
    relyd.restart()
    shown = relyd.admin("GET", "/v1/issuers/github").json()
    assert shown["preset"] == made["preset"] == "github-actions"
    assert relyd.put("/v1/issuers/github", shown)["preset"] == "github-actions"
    relyd.admin("DELETE", "/v1/issuers/github")
    assert "preset" not in relyd.put("/v1/issuers/github", issuer)


def test_the_schema_of_a_body():
    """Whole, or what a preset leaves to say."""
    document = contract.document(BINARY)
    operation = document["paths"]["/v1/issuers"]["post"]
    assert "preset" in [parameter["name"] for parameter in operation["parameters"]]
    checker = jsonschema.Draft202012Validator(operation["requestBody"]["content"]["application/json"]["schema"], resolver=jsonschema.RefResolver("", document))
    whole = {"name": "prod", "issuer": "https://issuer.example"}
    for body in (whole, {"name": "prod"}, {"name": "prod", "leewaySeconds": 3, "presetParameters": {"region": "eu-1"}}):
        assert checker.is_valid(body), body
    for body in ({}, {"presetParameters": {}}, {"name": "prod", "presetParameters": {"region": 1}}, {"name": "prod", "leewaySeconds": "3"}, {"name": "prod", "surprise": 1}):
        assert not checker.is_valid(body), body
