"""The limits: through REST, by two writers at once, and past relyd, directly in the database."""

import concurrent.futures
import sqlite3
import uuid

import pytest
import tokens
from service import ISSUER

CREDENTIALS = "/v1/identities/payments-api/federatedIdentityCredentials"


def post_credential(relyd, number):
    body = {"name": f"credential-{number}", "issuer": ISSUER, "subject": f"subject-{number}", "audiences": ["relyd"]}
    return relyd.admin("POST", CREDENTIALS, body)


def code_of(answer):
    return answer.status, answer.json()["code"]


def field_of(answer):
    """(field, code) of the one field that is wrong."""
    assert code_of(answer) == (400, "invalid_body"), answer
    (error,) = answer.json()["errors"]
    return error["field"], error["code"]


def test_20_credentials_and_not_21(relyd):
    relyd.put_world()
    for number in range(19):
        assert post_credential(relyd, number).status == 201
    assert code_of(post_credential(relyd, 20)) == (409, "too_many_credentials")
    assert relyd.admin("DELETE", f"{CREDENTIALS}/credential-3").status == 204
    assert post_credential(relyd, 20).status == 201
    assert code_of(post_credential(relyd, 21)) == (409, "too_many_credentials")
    relyd.put_identity("another-one")
    relyd.put_credential(identity="another-one")  # the quota is per identity


def test_quota_is_settable(start):
    relyd = start(registry__max_credentials_per_identity=2)
    relyd.put_world()
    assert post_credential(relyd, 1).status == 201
    assert code_of(post_credential(relyd, 2)) == (409, "too_many_credentials")


@pytest.mark.parametrize("writers", [2, 8])
def test_concurrent_writers_cannot_pass_the_quota(relyd, writers):
    relyd.put_world()
    with concurrent.futures.ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(lambda number: post_credential(relyd, number), range(40)))
    assert sorted({answer.status for answer in answers}) == [201, 409]
    assert sum(answer.status == 201 for answer in answers) == 19
    assert len(relyd.admin("GET", CREDENTIALS).json()["value"]) == 20


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
@pytest.mark.parametrize("field", ["subject", "audiences", "description"])
def test_600_characters_and_not_601(relyd, field, letter):
    """Characters are code points, whatever their bytes."""
    relyd.put_world()

    def put(count):
        text = letter * count
        body = {"issuer": ISSUER, "subject": "limit", "audiences": ["relyd"]}
        return relyd.admin("PUT", f"{CREDENTIALS}/limit", body | {field: [text] if field == "audiences" else text})

    answer = put(600)
    assert answer.status == 201, answer
    assert field_of(put(601)) == ("audiences[0]" if field == "audiences" else field, "too_long")
    kept = relyd.admin("GET", f"{CREDENTIALS}/limit").json()[field]
    assert kept == ([letter * 600] if field == "audiences" else letter * 600)


@pytest.mark.parametrize("letter", ["a", "😀"])
def test_600_characters_of_a_subject_work_in_a_review(relyd, letter):
    signer = relyd.put_world()
    relyd.put_credential("long-one", subject=letter * 600)
    changes = {"kubernetes.io": None}
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, sub=letter * 600, **changes))) == "ok"
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, sub=letter * 599, **changes))) == "no_matching_credential"
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, sub=letter * 601, **changes))) != "ok"


@pytest.mark.parametrize("name, is_right", [("a" * 120, True), ("abc", True), ("A-_9", True)] + [(name, False) for name in ("ab", "a" * 121, "-abc", "_abc", "a.b.c", "äbc")])
def test_names(relyd, name, is_right):
    answer = relyd.admin("POST", "/v1/identities", {"name": name})
    assert answer.status == (201 if is_right else 400), answer
    if not is_right:
        assert field_of(answer)[0] == "name"


def test_10_audiences_and_not_11(relyd):
    relyd.put_world()
    relyd.put_credential(audiences=[f"audience-{number}" for number in range(10)])
    body = {"issuer": ISSUER, "subject": "x", "audiences": [f"audience-{number}" for number in range(11)]}
    assert field_of(relyd.admin("PUT", f"{CREDENTIALS}/eleven", body))[0] == "audiences"
    assert field_of(relyd.admin("PUT", f"{CREDENTIALS}/none", body | {"audiences": []}))[0] == "audiences"


# --- in SQL, while the service runs -----------------------------------------------------------------------------


def columns_of(database, table):
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def table_with(database, *columns):
    """The table that has all these columns, whatever it is called."""
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    (found,) = [table for table in tables if set(columns) <= set(columns_of(database, table))]
    return found


@pytest.fixture
def database(relyd):
    relyd.put_world()
    connection = sqlite3.connect(relyd.database, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    yield connection
    connection.close()


def copy_row(database, table, **changes):
    """Inserts a copy of the table's first row with some columns changed."""
    names = [name for name in columns_of(database, table) if name != "id"]
    row = database.execute(f"SELECT {', '.join(names)} FROM {table} LIMIT 1").fetchone()
    values = dict(zip(names, row)) | changes
    marks = ", ".join("?" for _ in values)
    database.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def copy_credential(database, number, **changes):
    table = table_with(database, "subject", "identity_id")
    unique = {"uid": str(uuid.uuid4()), "uuid": str(uuid.uuid4())}
    unique = {name: value for name, value in unique.items() if name in columns_of(database, table)}
    copy_row(database, table, **({"name": f"sql-{number}", "subject": f"sql-{number}"} | unique | changes))


def test_sql_cannot_pass_the_quota(relyd, database):
    for number in range(19):
        copy_credential(database, number)
    with pytest.raises(sqlite3.IntegrityError):
        copy_credential(database, 20)


@pytest.mark.parametrize("letter", ["a", "😀"])
def test_sql_cannot_store_601_characters(relyd, database, letter):
    copy_credential(database, 1, subject=letter * 600)
    with pytest.raises(sqlite3.IntegrityError):
        copy_credential(database, 2, subject=letter * 601)


def test_sql_cannot_store_a_nul_or_an_empty_subject(relyd, database):
    for subject in ("a\0b", "", "a" * 10 + "\0" + "b" * 700):
        with pytest.raises(sqlite3.IntegrityError):
            copy_credential(database, 1, subject=subject)


def test_sql_cannot_duplicate_issuer_and_subject(relyd, database):
    with pytest.raises(sqlite3.IntegrityError):
        copy_credential(database, 1, subject="system:serviceaccount:team-a:builder")


def test_sql_cannot_orphan_a_credential(relyd, database):
    with pytest.raises(sqlite3.IntegrityError):
        copy_credential(database, 1, identity_id=999999)


def test_d_every_way_a_username_arises(relyd):
    """Fault D: "at most 253" is true of a username that is given; a subject's may be as long as a subject."""
    signer = relyd.put_world()
    longest = "\U0001f600" * 253
    assert relyd.admin("PUT", "/v1/identities/given", {"username": longest + "x"}).json()["errors"][0]["code"] == "too_long"
    assert relyd.put_identity("given", username=longest)["username"] == longest
    assert relyd.put_identity("n" * 120)["username"] == "n" * 120
    relyd.put_identity("subject", usernameFrom="subject")
    for identity, username in (("given", longest), ("n" * 120, "n" * 120), ("subject", "\U0001f600" * 600)):
        subject = username if identity == "subject" else identity
        relyd.put_credential(identity=identity, subject=subject)
        token = signer.sign(tokens.claims(ISSUER, sub=subject, **{"kubernetes.io": None}))
        assert relyd.tokenreview(token)["user"]["username"] == username
        assert relyd.review(token)["identities"][0]["username"] == username
        assert relyd.check(token).status == 200
    too_long = {"issuer": ISSUER, "subject": "\U0001f600" * 601, "audiences": ["relyd"]}
    answer = relyd.admin("PUT", "/v1/identities/subject/federatedIdentityCredentials/long", too_long)
    assert answer.json()["errors"][0] | {"message": ""} == {"field": "subject", "code": "too_long", "message": ""}
