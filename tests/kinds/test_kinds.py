"""Adds a kind of object to a copy of the tree (contact.py) and uses it as its users would: over REST, after a restart, in a database that
is older than it, with its limits in SQL, in the change log, the metrics, the documents and the OpenAPI schema; and the tests that walk over
all kinds hold for it. Part of `tests/run --long` (it builds the copy); tests/house/test_additions.py counts the lines that it takes."""

import os
import pathlib
import re
import sqlite3
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build/kinds/tree"
BEFORE, GROWN = str(ROOT / "build/dev/relyd"), str(TREE / "build/dev/relyd")

os.environ["RELYD_BINARY"] = GROWN
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests"), str(pathlib.Path(__file__).parent)]
import contact  # noqa: E402
import contract  # noqa: E402
import grown  # noqa: E402
import service  # noqa: E402

CONTACTS = "/v1/identities/web/contacts"
BOB = CONTACTS + "/bob"
DESK = {"name": "desk", "address": "tel:+49-30-1"}


@pytest.fixture(scope="module", autouse=True)
def built():
    grown.copy_tree(TREE, contact.edits())
    grown.build(TREE, "relyd", "test_model", "test_registry", "test_control")


@pytest.fixture
def relyd(tmp_path):
    relyd = service.Relyd(tmp_path / "relyd").start()
    relyd.put_identity("web")
    yield relyd
    relyd.stop()


def wrong(answer):
    assert answer.status == 400, answer
    return [(problem["field"], problem["code"]) for problem in answer.json()["errors"]]


def names(answer):
    assert answer.status == 200, answer
    return [item["name"] for item in answer.json()["value"]]


def held(relyd):
    """What the edition in force has."""
    return int(re.search(r"^relyd_contacts (\d+)$", relyd.admin("GET", "/metrics").body.decode(), re.M).group(1))


def change_log(relyd):
    database = sqlite3.connect(relyd.database)
    rows = database.execute("SELECT object, name, operation, before IS NOT NULL, after IS NOT NULL FROM change_log ORDER BY revision")
    return [row for row in rows if row[0] == "contact"]


def refused_start(relyd, binary):
    done = subprocess.run([binary, "--config", relyd.folder / "relyd.yaml"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    return done.stderr


# --- over REST --------------------------------------------------------------------------------------------------------


def test_it_is_created_and_read(relyd):
    made = relyd.admin("POST", CONTACTS, DESK)
    assert made.status == 201 and made.header("location") == CONTACTS + "/desk"
    assert list(made.json()) == ["name", "address", "urgent", "createdAt", "updatedAt"]
    assert (made.json()["address"], made.json()["urgent"]) == ("tel:+49-30-1", False)
    shown = relyd.admin("GET", CONTACTS + "/desk")
    assert shown.status == 200 and shown.json() == made.json() and shown.header("etag") == made.header("etag")
    assert relyd.admin("HEAD", CONTACTS + "/desk").status == 200
    assert relyd.admin("PATCH", CONTACTS + "/desk").header("allow") == "GET, HEAD, PUT, DELETE"


def test_it_is_listed_in_pages(relyd):
    for name in ("carl", "anna", "bob"):
        assert relyd.admin("PUT", f"{CONTACTS}/{name}", {"address": "tel:1"}).status == 201
    first = relyd.admin("GET", CONTACTS + "?limit=2")
    assert names(first) == ["anna", "bob"]
    assert first.json()["nextLink"] == CONTACTS + "?limit=2&after=bob"
    second = relyd.admin("GET", first.json()["nextLink"])
    assert names(second) == ["carl"] and "nextLink" not in second.json()


def test_it_is_replaced_by_who_has_seen_it(relyd):
    etag = relyd.admin("PUT", BOB, {"address": "tel:1"}).header("etag")
    changed = relyd.admin("PUT", BOB, {"address": "tel:2", "urgent": True}, headers={"If-Match": etag})
    assert changed.status == 200 and changed.header("etag") != etag and changed.json()["urgent"] is True
    late = relyd.admin("PUT", BOB, {"address": "tel:3"}, headers={"If-Match": etag})
    assert (late.status, late.json()["code"]) == (412, "precondition_failed")
    assert relyd.admin("PUT", BOB, changed.json()).header("etag") == changed.header("etag")
    assert relyd.admin("PUT", BOB, {"address": "tel:2"}).json()["urgent"] is False
    assert relyd.admin("PUT", BOB, {"address": "tel:4"}, headers={"If-None-Match": "*"}).status == 412


def test_it_is_refused_with_its_problems(relyd):
    for body, expected in (
        ({}, ("address", "required")),
        ({"address": "xy"}, ("address", "too_short")),
        ({"address": "x" * 41}, ("address", "too_long")),
        ({"address": "tel:1", "urgent": "yes"}, ("urgent", "wrong_type")),
        ({"address": "tel:1", "phone": "1"}, ("phone", "unknown_field")),
        ({"address": "tel:1", "name": "other"}, ("name", "immutable")),
        ({"address": "bob@example.com", "urgent": True}, ("urgent", "not_allowed")),
    ):
        assert wrong(relyd.admin("PUT", BOB, body)) == [expected]
    assert relyd.admin("GET", BOB).status == 404
    for address in ("xyz", "\xe9" * 40):
        assert relyd.admin("PUT", BOB, {"address": address}).status in (200, 201)


def test_its_name_is_taken_once_below_its_parent(relyd):
    relyd.put_identity("api")
    assert relyd.admin("POST", CONTACTS, DESK).status == 201
    again = relyd.admin("POST", CONTACTS, DESK)
    assert (again.status, again.json()["code"], again.json()["detail"]) == (409, "already_exists", "there is a contact of this name")
    assert relyd.admin("POST", "/v1/identities/api/contacts", DESK).status == 201
    nowhere = relyd.admin("POST", "/v1/identities/none/contacts", DESK)
    assert (nowhere.status, nowhere.json()["detail"]) == (404, "there is no such identity")


def test_it_is_deleted_alone_and_with_its_parent(relyd):
    etag = relyd.admin("PUT", BOB, {"address": "tel:1"}).header("etag")
    assert relyd.admin("DELETE", BOB, headers={"If-Match": '"0"'}).status == 412
    assert relyd.admin("DELETE", BOB, headers={"If-Match": etag}).status == 204
    assert relyd.admin("GET", BOB).status == 404 and relyd.admin("DELETE", BOB).status == 404
    for name in ("anna", "bob"):
        relyd.admin("PUT", f"{CONTACTS}/{name}", {"address": "tel:1"})
    assert held(relyd) == 2
    assert relyd.admin("DELETE", "/v1/identities/web").status == 204
    assert held(relyd) == 0
    assert [row[1:3] for row in change_log(relyd)][-2:] == [("web/anna", "delete"), ("web/bob", "delete")]
    relyd.put_identity("web")
    assert names(relyd.admin("GET", CONTACTS)) == []


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_it_is_there_after_a_restart(relyd):
    made = relyd.admin("POST", CONTACTS, DESK)
    assert held(relyd) == 1
    relyd.restart()
    shown = relyd.admin("GET", CONTACTS + "/desk")
    assert shown.json() == made.json() and shown.header("etag") == made.header("etag")
    assert held(relyd) == 1
    relyd.admin("DELETE", CONTACTS + "/desk")
    relyd.restart()
    assert held(relyd) == 0 and names(relyd.admin("GET", CONTACTS)) == []


def test_every_change_is_in_the_log(relyd):
    relyd.admin("PUT", BOB, {"address": "tel:1"})
    relyd.admin("PUT", BOB, {"address": "tel:2"})
    relyd.admin("PUT", BOB, {"address": "tel:2"})
    relyd.admin("PUT", BOB, {"address": "x"})
    relyd.admin("DELETE", BOB)
    assert change_log(relyd) == [
        ("contact", "web/bob", "create", 0, 1),
        ("contact", "web/bob", "replace", 1, 1),
        ("contact", "web/bob", "delete", 1, 0),
    ]


def test_its_limits_hold_in_sql(relyd):
    relyd.admin("PUT", BOB, {"address": "tel:1"})
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    database.execute("PRAGMA foreign_keys = ON")
    row = database.execute("SELECT name, address, is_urgent, identity_id FROM contact").fetchall()
    assert row == [("bob", "tel:1", 0, 1)]
    insert = "INSERT INTO contact (identity_id, name, address, is_urgent, created_at, updated_at, revision) VALUES "
    for change in (
        "UPDATE contact SET address = 'xy'",
        f"UPDATE contact SET address = '{'x' * 41}'",
        "UPDATE contact SET address = NULL",
        "UPDATE contact SET is_urgent = 2",
        "UPDATE contact SET name = 'other'",
        "UPDATE contact SET identity_id = 2",
        insert + "(1, 'bob', 'tel:1', 0, 0, 0, 9)",
        insert + "(1, '-', 'tel:1', 0, 0, 0, 9)",
        insert + "(7, 'anna', 'tel:1', 0, 0, 0, 9)",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(change)
    database.execute(insert + "(1, 'anna', 'tel:1', 1, 0, 0, 9)")
    database.commit()
    database.close()
    relyd.start()
    assert names(relyd.admin("GET", CONTACTS)) == ["anna", "bob"] and held(relyd) == 2


def test_an_older_database_is_carried_over(relyd, monkeypatch):
    relyd.stop()
    relyd.database.unlink()
    monkeypatch.setattr(service, "BINARY", BEFORE)
    relyd.start()
    old = relyd.put_identity("web", groups=["a"])
    relyd.stop()
    monkeypatch.setattr(service, "BINARY", GROWN)
    relyd.start()
    assert relyd.admin("GET", "/v1/identities/web").json() == old
    assert relyd.admin("POST", CONTACTS, DESK).status == 201
    relyd.restart()
    assert names(relyd.admin("GET", CONTACTS)) == ["desk"]
    relyd.stop()
    version = int(re.search(r"#define RELY_SCHEMA_VERSION (\d+)", (ROOT / "src/store/inside.h").read_text()).group(1))
    assert f"its schema has version {version + 1}, and this relyd knows versions up to {version}" in refused_start(relyd, BEFORE)
    relyd.start()


def test_a_table_that_is_gone_is_not_made_anew(relyd):
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    database.execute("DROP TABLE contact")
    database.close()
    assert "its table contact is missing" in refused_start(relyd, GROWN)


def test_an_index_that_is_not_complete_is_seen(relyd):
    """Of a database that is too large to be looked at whole."""
    relyd.admin("PUT", BOB, {"address": "tel:1"})
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    database.execute("CREATE TABLE ballast (x TEXT) STRICT")
    database.executemany("INSERT INTO ballast VALUES (?)", [("x" * 1000000,)] * 70)
    database.execute("CREATE TABLE empty (a, b)")
    database.execute("CREATE INDEX empty_index ON empty (a, b)")
    indexes = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'contact'")]
    database.commit()
    assert indexes == ["sqlite_autoindex_contact_1"]
    for index in indexes:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
        set_root_page(database, index, "(SELECT rootpage FROM sqlite_schema WHERE name = 'empty_index')")
        assert f"{index} is not complete" in refused_start(relyd, GROWN)
        set_root_page(database, index, page)
    database.close()
    relyd.start()
    assert names(relyd.admin("GET", CONTACTS)) == ["bob"]


def set_root_page(database, index, page):
    database.executescript(f"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = {page} WHERE name = '{index}';"
                           " PRAGMA writable_schema = RESET")


# --- where it is written down -------------------------------------------------------------------------------------------


def test_it_is_in_the_documents():
    assert grown.run_in(TREE, "conf/setup/print-docs", GROWN) == ""
    page = (TREE / "docs/api.md").read_text()
    assert "| `address` | 3 to 40 characters, required |  | Where it is reached. |\n" in page
    assert "| `urgent` | true or false | `false` | True: at any hour. |\n" in page
    assert "| `PUT /v1/identities/{identity}/contacts/{name}` | admin | Creates or replaces a contact. |\n" in page
    assert "| `relyd_contacts` | gauge |  | Registered contacts. |\n" in (TREE / "docs/metrics.md").read_text()


def test_it_is_in_the_openapi_document():
    document = contract.document(GROWN)
    schema = document["components"]["schemas"]["Contact"]
    assert schema["properties"]["address"] == {"type": "string", "minLength": 3, "maxLength": 40, "description": "Where it is reached."}
    assert schema["properties"]["urgent"] == {"type": "boolean", "default": False, "description": "True: at any hour."}
    assert schema["required"] == ["address"] and schema["additionalProperties"] is False
    assert set(document["paths"][CONTACTS.replace("web", "{identity}")]) == {"get", "post"}
    assert set(document["paths"][CONTACTS.replace("web", "{identity}") + "/{name}"]) == {"get", "put", "delete"}


# --- the tests that are there already -----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["model", "registry", "control"])
def test_unit_tests_hold(folder):
    environment = os.environ | {"LSAN_OPTIONS": f"suppressions='{ROOT}/tests/lsan.supp'"}
    done = subprocess.run([TREE / f"build/dev/tests/unit/{folder}/test_{folder}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_rules_of_the_house_hold():
    """After print-docs, as before a commit."""
    grown.run_in(TREE, "conf/setup/print-docs", GROWN)
    tests = [f"tests/house/test_{name}.py" for name in ("docs", "layers", "sizes", "style")]
    pages = [f"tests/e2e/test_command_line.py::test_{name}_up_to_date" for name in ("generated_pages_are", "tables_of_the_api_are")]
    grown.run_in(TREE, "/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *pages, "tests/e2e/test_openapi.py")
