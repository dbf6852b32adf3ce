"""Adds two fields to a copy of the tree, a line of object.def each and nothing else, and finds them wherever a field must be: JSON over
REST, the database with its limits, patches, documents, the OpenAPI schema. Part of `tests/run --long` (it builds the copy)."""

import os
import pathlib
import sqlite3
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build/fields/tree"
BEFORE, GROWN = str(ROOT / "build/dev/relyd"), str(TREE / "build/dev/relyd")

os.environ["RELYD_BINARY"] = GROWN
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests")]
import contract  # noqa: E402
import grown  # noqa: E402
import service  # noqa: E402

# Behind this line of identities.
PLACE = 'FIELD_BOOL(is_enabled, "enabled", true, RELY_FIELD_REVIEWED, "False: its tokens are refused.")\n'
ADDED = """FIELD_INTEGER(seats, "seats", 1, 7, 3, 0, "How many it seats.")
FIELD_TEXT(motto, "motto", 2, 12, RELY_FIELD_NULLABLE, "What it goes by.")
"""
WEB = "/v1/identities/web"


def add_fields(text):
    head, identity = text.split("#ifdef RELY_FIELDS_OF_IDENTITY\n")
    return head + "#ifdef RELY_FIELDS_OF_IDENTITY\n" + grown.change(identity, [(PLACE, PLACE + ADDED)])


@pytest.fixture(scope="module", autouse=True)
def built():
    grown.copy_tree(TREE, {"include/relyd/object.def": add_fields})
    grown.build(TREE, "relyd", "test_model")


@pytest.fixture
def relyd(tmp_path):
    relyd = service.Relyd(tmp_path / "relyd").start()
    yield relyd
    relyd.stop()


def printed(page):
    return subprocess.run([GROWN, "--print-docs", page], capture_output=True, text=True, check=True).stdout


def wrong(answer):
    assert answer.status == 400, answer
    return [(problem["field"], problem["code"]) for problem in answer.json()["errors"]]


def test_it_is_read_and_shown(relyd):
    answer = relyd.admin("PUT", WEB, {"seats": 5, "motto": "onwards"})
    assert answer.status == 201
    assert list(answer.json())[-5:] == ["enabled", "seats", "motto", "createdAt", "updatedAt"]
    assert (answer.json()["seats"], answer.json()["motto"]) == (5, "onwards")
    relyd.restart()
    shown = relyd.admin("GET", WEB)
    assert shown.json() == answer.json() and shown.header("etag") == answer.header("etag")
    assert relyd.admin("PUT", WEB, shown.json()).header("etag") == answer.header("etag")
    changed = relyd.admin("PUT", WEB, shown.json() | {"seats": 6})
    assert changed.json()["seats"] == 6 and changed.header("etag") != answer.header("etag")
    left_out = relyd.admin("PUT", WEB, {}).json()
    assert left_out["seats"] == 3 and "motto" not in left_out
    assert relyd.admin("GET", "/v1/identities").json()["value"] == [left_out]


def test_its_limits_hold_in_c(relyd):
    for body, expected in (
        ({"seats": 0}, ("seats", "out_of_range")),
        ({"seats": 8}, ("seats", "out_of_range")),
        ({"seats": "5"}, ("seats", "wrong_type")),
        ({"motto": "x"}, ("motto", "too_short")),
        ({"motto": "x" * 13}, ("motto", "too_long")),
        ({"motto": "a\nb"}, ("motto", "invalid_text")),
    ):
        assert wrong(relyd.admin("PUT", WEB, body)) == [expected]
    assert relyd.admin("GET", WEB).status == 404
    for body in ({"seats": 1}, {"seats": 7}, {"motto": "\xe9" * 2}, {"motto": "\xe9" * 12}, {"motto": None}):
        assert relyd.admin("PUT", WEB, body).status in (200, 201)


def test_its_limits_hold_in_sql(relyd):
    relyd.put_identity("web", seats=5, motto="onwards")
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    for change in ("seats = 0", "seats = 8", "seats = NULL", "motto = 'x'", "motto = 'xxxxxxxxxxxxx'", "motto = 7"):
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(f"UPDATE identity SET {change}")
    for change in ("seats = 7", "motto = 'xxxxxxxxxxxx'", "motto = NULL"):
        database.execute(f"UPDATE identity SET {change}")
    database.rollback()
    database.close()
    relyd.start()
    assert relyd.admin("GET", WEB).json()["seats"] == 5


def test_a_database_without_it_is_carried_over(relyd, monkeypatch):
    relyd.stop()
    relyd.database.unlink()
    monkeypatch.setattr(service, "BINARY", BEFORE)
    relyd.start()
    old = relyd.put_identity("web", groups=["a"])
    assert "seats" not in old
    relyd.stop()
    monkeypatch.setattr(service, "BINARY", GROWN)
    relyd.start()
    times = {"createdAt": old.pop("createdAt"), "updatedAt": old.pop("updatedAt")}
    assert relyd.admin("GET", WEB).json() == old | {"seats": 3} | times


def test_it_is_in_the_documents():
    rows = [line for line in printed("api").splitlines() if "seats" in line or "motto" in line]
    assert rows == ["| `seats` | 1 to 7 | `3` | How many it seats. |", "| `motto` | 2 to 12 characters or null |  | What it goes by. |"]


def test_it_is_in_the_openapi_document():
    schemas = contract.document(GROWN)["components"]["schemas"]
    assert schemas["Identity"]["properties"]["seats"] == {"type": "integer", "minimum": 1, "maximum": 7, "default": 3, "description": "How many it seats."}
    assert schemas["Identity"]["properties"]["motto"] == {"type": ["string", "null"], "minLength": 2, "maxLength": 12, "description": "What it goes by."}
    required = schemas["IdentityShown"]["allOf"][1]["required"]
    assert "seats" in required and "motto" not in required


@pytest.mark.parametrize("name", ["patches_every_field", "compares_records", "has_every_field", "enforces_the_limits_of_the_schema",
                                  "requires_what_the_schema_requires", "gives_the_defaults_that_hold"])
def test_it_is_in_the_model(name):
    """The model's own tests that walk the table: patches, what they change, the limits of the schema and defaults."""
    environment = os.environ | {"LSAN_OPTIONS": f"suppressions='{ROOT}/tests/lsan.supp'"}
    done = subprocess.run([TREE / "build/dev/tests/unit/model/test_model", name], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"OK ] {name}" in done.stdout + done.stderr
