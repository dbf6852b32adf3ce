"""Registries of any size, filled by SQL into the schema that relyd itself has made. Kept in build/bench-data."""

import hashlib
import json
import shutil
import sqlite3
import time
import typing
import uuid

from . import prepare, servers

TYPES = "jwt\njose\nat+jwt\n"
ALL_ALGORITHMS = 2046  # bits 1 to 10
GROUPS_MAX = 16  # of one issuer


class Size(typing.NamedTuple):
    """How many there are of each. Credential k, one of both kinds, is what bench_tokens makes the k-th subject for."""

    credentials: int  # by exact subject
    issuers: int
    expressions: int = 0
    groups: int = 0

    @property
    def rules(self):
        return self.credentials + self.expressions

    def is_expression(self, k):
        """They are spread evenly."""
        return k * self.expressions // self.rules != (k + 1) * self.expressions // self.rules


def make_empty(kind):
    """A database with the schema of this relyd, and one issuer, identity and credential, which say what a column must have."""
    path = prepare.DATA / f"empty-{kind.name}.db"
    with kind() as relyd:
        relyd.register(1)
        relyd.keep_registry(path)
    return path


def read_schema(database):
    rows = database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def issuers(count):
    for i in range(count):
        yield (f"cluster-{i:05}", f"{prepare.ISSUER}/{i:05}", 3, ALL_ALGORITHMS, TYPES, 60, 1)


def identities(count):
    for i in range(count):
        name = f"team-{i:05}"
        yield (name, str(uuid.UUID(int=i, version=4)), name)


def groups_of(issuer, size):
    """The first has all; of the others an issuer, from 0, is in none to fifteen."""
    more = min(issuer % GROUPS_MAX, size.groups - 1) if size.groups else 0
    return ([1] if size.groups else []) + sorted({2 + (issuer + 7 * i) % (size.groups - 1) for i in range(more)})


def members(size):
    for i in range(size.issuers):
        for group in groups_of(i, size):
            yield (group, f"cluster-{i:05}", i + 1)


def expression(e, k, size):
    """The e-th expression, for the k-th subject: (issuer_id, group_id, text, prefix, key). A tenth of them have one beginning, in the group
    of all, and are told apart by namespace; of the others half are for the record, half for one of its groups."""
    space, account, issuer = f"team-{k // 20:05}", f"app-{k % 20:02}", k % size.issuers
    name = f"claims['/kubernetes.io/serviceaccount/name'] eq '{account}'"
    if e % 10 == 0:
        text = f"claims['sub'] matches 'system:serviceaccount:*' and claims['/kubernetes.io/namespace'] eq '{space}' and {name}"
        return None, 1, text, "system:serviceaccount:", f"kubernetes.io\x1fnamespace\x1f{space}"
    prefix = f"system:serviceaccount:{space}:"
    if e % 2 == 0:
        return (None, groups_of(issuer, size)[-1], f"claims['sub'] matches '{prefix}*' and {name}", prefix,
                f"kubernetes.io\x1fserviceaccount\x1fname\x1f{account}")
    prefix += account[:-1]
    return issuer + 1, None, f"claims['sub'] matches '{prefix}?'", prefix, None


def credentials(size):
    """The k-th is for issuer k mod all of them, identity k / 20; where there are groups, each hundredth exact one is for one of its groups."""
    for k in range(size.rules):
        identity, account = divmod(k, 20)
        head = (str(uuid.UUID(int=1 << 64 | k, version=4)), identity + 1, f"app-{account:02}", prepare.AUDIENCE + "\n")
        if size.is_expression(k):
            issuer, group, text, prefix, key = expression(k * size.expressions // size.rules, k, size)
            yield (*head, issuer, group, None, text, prefix, key)
        else:
            groups = groups_of(k % size.issuers, size) if k % 100 == 50 else []
            scope = (None, groups[-1]) if groups else (k % size.issuers + 1, None)
            yield (*head, *scope, f"system:serviceaccount:team-{identity:05}:app-{account:02}", None, None, None)


def insert(database, table, columns, rows):
    """Columns that the table does not have are left out, and those that it must have are filled as relyd has filled them in its own row,
    which goes: a schema may be an older or a newer one."""
    there = {row[1]: row for row in database.execute(f"PRAGMA table_info({table})")}
    columns = columns.split()
    chosen = [at for at, name in enumerate(columns) if name in there]
    must = [name for name, row in there.items() if row[3] and row[4] is None and not row[5] and name not in columns]
    own = database.execute(f"SELECT {', '.join(must)} FROM {table}").fetchone() if must else ()
    needed = dict(zip(must, own or [int(time.time())] * len(must)))  # without a row: created_at and updated_at
    database.execute(f"DELETE FROM {table}")
    database.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    names = ", ".join([columns[at] for at in chosen] + list(needed))
    marks = ", ".join("?" * (len(chosen) + len(needed)))
    behind = tuple(needed.values())
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})",
                         (tuple(row[at] for at in chosen) + behind for row in rows))


def fill(database, size):
    """In one transaction and without the triggers, which look at every line of every list; they are put back."""
    now = int(time.time())
    triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    insert(database, "issuer", "name url key_source algorithms types leeway_s keys_generation", issuers(size.issuers))
    document = (prepare.DATA / "jwks.json").read_text()
    insert(database, "key_set", "issuer_id document fetched_at", ((i + 1, document, now) for i in range(size.issuers)))
    insert(database, "identity", "name uid username", identities((size.rules + 19) // 20))
    if size.groups:
        insert(database, "issuer_group", "name", ((f"group-{i:03}",) for i in range(size.groups)))
        insert(database, "issuer_group_member", "group_id name issuer_id", members(size))
    insert(database, "credential", "uuid identity_id name audiences issuer_id group_id subject expression match_prefix match_key",
           credentials(size))
    for _, sql in triggers:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def make(size, kind=servers.Relyd):
    """The path of a registry of this size with the schema of this relyd, made unless it is there."""
    empty = make_empty(kind)
    with sqlite3.connect(empty) as database:
        keys = hashlib.sha256((prepare.DATA / "jwks.json").read_bytes()).hexdigest()[:8]
        path = prepare.DATA / f"registry-{'-'.join(map(str, size))}-{read_schema(database)}-{keys}.db"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.copy(empty, partial)
        database = sqlite3.connect(partial, isolation_level=None)
        fill(database, size)
        database.close()
        partial.rename(path)
    return path
