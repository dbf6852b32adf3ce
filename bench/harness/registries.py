"""Registries of any size, filled by SQL into the schema that relyd itself has made. Kept in build/bench-data."""

import hashlib
import json
import shutil
import sqlite3
import time
import uuid

from . import prepare, servers

TYPES = "jwt\njose\nat+jwt\n"
ALL_ALGORITHMS = 2046  # bits 1 to 10


def make_empty(kind):
    """A database with the schema of this relyd and nothing in it."""
    path = prepare.DATA / f"empty-{kind.name}.db"
    with kind() as relyd:
        relyd.keep_registry(path)
    return path


def read_schema(database):
    rows = database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def issuers(count, now):
    for i in range(count):
        yield (f"cluster-{i:05}", f"{prepare.ISSUER}/{i:05}", 0, 0, 1, 3, ALL_ALGORITHMS, TYPES, 60, 1, now, now)


def identities(count, now):
    for i in range(count):
        name = f"team-{i:05}"
        yield (name, str(uuid.UUID(int=i, version=4)), name, 0, "", "", 1, now, now)


def credentials(count, issuer_count, now):
    """Credential k: what bench_tokens makes subjects for."""
    for k in range(count):
        identity, account = divmod(k, 20)
        yield (str(uuid.UUID(int=1 << 64 | k, version=4)), identity + 1, k % issuer_count + 1, f"app-{account:02}",
               f"system:serviceaccount:team-{identity:05}:app-{account:02}", prepare.AUDIENCE + "\n", now, now)


def insert(database, table, columns, rows):
    names = ", ".join(columns.split())
    marks = ", ".join("?" * len(columns.split()))
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


def fill(database, credential_count, issuer_count):
    """In one transaction and without the triggers, which look at every line of every list; they are put back."""
    now = int(time.time())
    triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    insert(database, "issuer", "name url allow_http allow_private_addresses is_enabled key_source algorithms types leeway_s "
           "keys_generation created_at updated_at", issuers(issuer_count, now))
    document = (prepare.DATA / "jwks.json").read_text()
    insert(database, "key_set", "issuer_id document fetched_at", ((i + 1, document, now) for i in range(issuer_count)))
    insert(database, "identity", "name uid username is_username_subject groups extra is_enabled created_at updated_at",
           identities((credential_count + 19) // 20, now))
    insert(database, "credential", "uuid identity_id issuer_id name subject audiences created_at updated_at",
           credentials(credential_count, issuer_count, now))
    for _, sql in triggers:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def make(credential_count, issuer_count, kind=servers.Relyd):
    """The path of a registry of this size with the schema of this relyd, made unless it is there."""
    empty = make_empty(kind)
    with sqlite3.connect(empty) as database:
        keys = hashlib.sha256((prepare.DATA / "jwks.json").read_bytes()).hexdigest()[:8]
        path = prepare.DATA / f"registry-{credential_count}-{issuer_count}-{read_schema(database)}-{keys}.db"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.copy(empty, partial)
        database = sqlite3.connect(partial, isolation_level=None)
        fill(database, credential_count, issuer_count)
        database.close()
        partial.rename(path)
    return path
