"""A database that does not answer holds up those who want it, and nobody else: it is locked by another program here."""

import concurrent.futures
import contextlib
import json
import re
import sqlite3
import time

import tokens
import wire
from test_keys import register, wait_for_keys


@contextlib.contextmanager
def locked(relyd):
    """As by a backup tool that holds the lock, or a disk that hangs: for as long as it is told."""
    database = sqlite3.connect(relyd.database, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


def quickly(ask):
    """The write that waits has 5 s; whoever waits with it takes as long as the lock is held."""
    begin = time.monotonic()
    answer = ask()
    assert time.monotonic() - begin < 2
    return answer


def test_a_locked_database_holds_up_only_those_who_write(start, issuer):
    relyd = start(keys__miss_cooldown_ms=100, keys__miss_wait_ms=4000)
    register(relyd, issuer)
    wait_for_keys(relyd)
    new = tokens.key("rotated", "ES256")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        with locked(relyd):
            write = pool.submit(relyd.admin, "PUT", "/v1/identities/waits", {})
            reads = [pool.submit(relyd.admin, "GET", path) for path in ("/v1/identities/payments-api", "/v1/issuers")]
            wire.wait_for(lambda: relyd.admin("GET", "/metrics").status == 200, 5, "metrics")
            issuer.keys = [new]
            assert quickly(lambda: relyd.reason(issuer.token(new))) == "ok"  # fetched, and in force in every worker
            assert quickly(lambda: wire.ask(relyd.health, "GET", "/readyz")).status == 200
            assert quickly(lambda: relyd.admin("GET", "/metrics")).status == 200
            assert quickly(lambda: relyd.explain(issuer.token(new)))["decision"] == "allow"
            assert not write.done()
        assert write.result().status == 201
        assert [read.result().status for read in reads] == [200, 200]
    assert relyd.admin("GET", "/v1/identities/waits").status == 200
    wire.wait_for(lambda: len(fetched_rows(relyd)) == 2, 10, "the rotated set's row")


def fetched_rows(relyd):
    with sqlite3.connect(relyd.database) as database:
        return database.execute("SELECT 1 FROM change_log WHERE operation = 'fetch'").fetchall()


def count_connections(relyd):
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    return int(re.search(r"^relyd_connections (\d+)$", text, re.M).group(1))


def test_relyd_stops_while_the_database_is_locked(start, issuer):
    """A write that waits longer than the drain gets no word whether it happened; what was acknowledged is there."""
    relyd = start(shutdown__drain_ms=500)
    assert relyd.admin("PUT", "/v1/identities/before", {}).status == 201
    with concurrent.futures.ThreadPoolExecutor(1) as pool, locked(relyd):
        write = pool.submit(relyd.admin, "PUT", "/v1/identities/waits", {})
        wire.wait_for(lambda: count_connections(relyd) == 2, 5, "the write's connection, beside the probe's")
        begin = time.monotonic()
        relyd.stop()
        assert time.monotonic() - begin < 15
        assert write.result().status == 503
    relyd.start()
    assert relyd.admin("GET", "/v1/identities/before").status == 200
    assert relyd.admin("GET", "/v1/identities/waits").status == 404
    assert json.loads(relyd.log().splitlines()[0])
