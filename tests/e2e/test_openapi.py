"""The table of operations and the OpenAPI document that comes from it, against what relyd serves."""

import re

import contract
import jsonschema
import pytest
import wire
from service import BINARY, ROOT

OPERATIONS = re.findall(r'^OPERATION\("(\w+)", "([^"]+)"', (ROOT / "include/relyd/operation.def").read_text(), re.M)
PATHS = {path: [method for method, other in OPERATIONS if other == path] for _, path in OPERATIONS}
DATA = [path for path in PATHS if path.startswith(("/apis/", "/routes/")) or path in ("/v1/review", "/v1/introspect")]
OTHER_TYPES = {"tokenreviews": ["application/json", "application/vnd.kubernetes.protobuf"], "introspect": ["application/x-www-form-urlencoded"]}


def test_the_document_has_every_path():
    document = contract.document(BINARY)
    assert document["openapi"] == "3.1.0"
    found = {path: [method.upper() for method in methods] for path, methods in document["paths"].items()}
    assert found.pop("/check/{route}") == ["GET"]
    assert found == PATHS


def test_the_page_of_the_data_plane_is_whole():
    """docs/data-plane.md names every path, header and query parameter of the data plane, and every status that is answered there."""
    page = (ROOT / "docs/data-plane.md").read_text()
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert not [path for path in ["/check/{route}", "/check/{route}/...", *DATA] if f"`{path}`" not in sections["Endpoints"]]
    source = "".join(path.read_text() for folder in ("endpoints", "http") for path in sorted((ROOT / f"src/{folder}").glob("*.c")))
    headers = set(re.findall(r'"(x-[a-z-]+[a-z]|www-authenticate|cache-control|allow)"', source))
    assert len(headers) > 15 and not [name for name in headers if f"`{name}`" not in page.lower()]
    parameters = {item["name"] for path in ["/check/{route}", *DATA] for way in contract.document(BINARY)["paths"][path].values() for item in way.get("parameters", [])}
    assert set(re.findall(r"^\| `(\w+)` \|", sections["Query parameters"], re.M)) == parameters - {"route"}
    told = {200} | {int(status) for status in re.findall(r'\b([45]\d\d), "[a-z]', source)}
    told |= {int(status) for status in re.findall(r'^REASON\([^"]*"\w+", (\d+)', (ROOT / "include/relyd/reason.def").read_text(), re.M)}
    assert len(told) > 12 and set(map(int, re.findall(r"^\| (\d+) \|", sections["Statuses"], re.M))) == told


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_served(shared, path):
    """A method that no path has: 405, and Allow is what the table has."""
    asked = re.sub(r"\{\w+\}", "some-name", path)
    answer = wire.ask(shared.data, "FETCH", asked) if path in DATA else shared.admin("FETCH", asked)
    assert answer.status == 405
    assert answer.header("allow") == ", ".join(PATHS[path]).replace("GET", "GET, HEAD")


def test_the_schemas_are_schemas():
    schemas = contract.document(BINARY)["components"]["schemas"]
    assert list(schemas) == ["Issuer", "IssuerShown", "IssuerGroup", "IssuerGroupShown", "Identity", "IdentityShown", "FederatedIdentityCredential", "FederatedIdentityCredentialShown",
                             "Route", "RouteShown", "Revocation", "RevocationShown", "Problem"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_media_types_of_bodies():
    """JSON; a TokenReview may be protobuf, too; an introspection is a form."""
    for path, methods in contract.document(BINARY)["paths"].items():
        for method, operation in methods.items():
            types = list(operation.get("requestBody", {"content": {}})["content"])
            wanted = OTHER_TYPES.get(path.split("/")[-1], ["application/json"])
            assert types in ([], wanted), (path, method)


def test_who_may_ask():
    """Every operation says how one proves who one is, by schemes that are there; probes ask nobody."""
    document = contract.document(BINARY)
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {"token": "http", "callerToken": "apiKey", "certificate": "mutualTLS"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            ways = [list(way) for way in operation["security"]]
            own = "callerToken" if path.startswith("/check/") else "token"
            assert ways == ([] if operation["tags"] == ["health"] else [[own], ["certificate"], []]), path


def test_every_reference_leads_somewhere():
    document = contract.document(BINARY)

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                name = value["$ref"].removeprefix("#/components/schemas/")
                assert name in document["components"]["schemas"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                walk(item)

    walk(document)


def test_parameters_of_paths_and_queries():
    operation = contract.document(BINARY)["paths"]["/v1/identities/{identity}/federatedIdentityCredentials"]["get"]
    assert [(parameter["name"], parameter["in"]) for parameter in operation["parameters"]] == [("identity", "path"), ("limit", "query"), ("after", "query")]
    assert operation["parameters"][1]["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}


WRONG = {
    "a member that is not in the document": {"surprise": 1},
    "a member of another type": {"enabled": "yes"},
    "a list too long": {"groups": [f"g{number}" for number in range(65)]},
    "a text too long": {"description": "x" * 601},
    "a name that is none": {"name": "a b c"},
}


@pytest.mark.parametrize("what", WRONG)
def test_answers_are_held_against_the_document(relyd, what):
    """The suite sees an answer that the document does not promise."""
    answer = relyd.admin("PUT", "/v1/identities/web", {})
    contract.hold(BINARY, "GET", "/v1/identities/web", wire.Answer(200, answer.headers, answer.body))
    body = wire.json.dumps(answer.json() | WRONG[what]).encode()
    with pytest.raises(AssertionError):
        contract.hold(BINARY, "GET", "/v1/identities/web", wire.Answer(200, answer.headers, body))


def test_a_member_that_is_missing_is_seen(relyd):
    answer = relyd.admin("PUT", "/v1/identities/web", {})
    body = answer.json()
    for name in ("name", "uid", "groups", "extra", "enabled", "createdAt", "updatedAt"):
        rest = wire.json.dumps({key: value for key, value in body.items() if key != name}).encode()
        with pytest.raises(AssertionError):
            contract.hold(BINARY, "GET", "/v1/identities/web", wire.Answer(200, answer.headers, rest))
