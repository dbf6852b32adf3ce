"""A database that does not answer holds up those who want it, and nobody else: it is locked by another program here."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import sqlite3
import time

import pytest
import scale
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
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
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


def ask_at_once(relyd, pool, count):
    writes = [pool.submit(wire.ask, relyd.socket, "PUT", f"/v1/identities/waits-{i}", {}) for i in range(count)]
    wire.wait_for(lambda: count_connections(relyd) > count, 5, "the writes' connections, beside the probe's")
    return writes


def test_who_waits_for_a_lock_together_gives_up_together(start):
    """Not one after the other, 5 s each: the last of a dozen would hear of it after a minute, and so would who only reads."""
    relyd = start()
    with concurrent.futures.ThreadPoolExecutor(13) as pool, locked(relyd):
        begin = time.monotonic()
        writes = ask_at_once(relyd, pool, 12)
        assert relyd.admin("GET", "/v1/identities").json() == {"value": []}
        assert [write.result().status for write in writes] == [500] * 12
        assert 4 < time.monotonic() - begin < 15
    relyd.put_identity("waits-0")


def test_many_that_wait_for_a_lock_do_not_hold_up_a_stop(start):
    relyd = start(shutdown__drain_ms=500)
    with concurrent.futures.ThreadPoolExecutor(12) as pool, locked(relyd):
        writes = ask_at_once(relyd, pool, 12)
        begin = time.monotonic()
        relyd.stop()
        assert time.monotonic() - begin < 15
        assert {write.result().status for write in writes} == {503}


@pytest.mark.skipif(scale.PATIENCE > 1, reason="bodies are read more slowly than what waits gives up")
def test_who_leaves_while_the_database_is_locked_does_not_pile_up(start):
    """A body of 2 MB each, and nobody waits for the answer: what has been asked for is held until it can be done."""
    relyd = start()
    body = json.dumps({"description": "x" * 2000000}).encode()
    head = f"PUT /v1/identities/waits HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with locked(relyd):
        for _ in range(60):
            with contextlib.closing(wire.connect(relyd.socket)) as connection:
                connection.sendall(head + body)
        wire.wait_for(lambda: "overloaded" in relyd.log(), 10, "the limit")
        assert quickly(lambda: wire.ask(relyd.health, "GET", "/readyz")).status == 200
    wire.wait_for(lambda: wire.ask(relyd.socket, "GET", "/v1/identities").status == 200, 20, "room")
    relyd.put_identity("waits")


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


def test_a_write_beside_a_stored_set_brings_no_withdrawn_key_back(start, issuer):
    """The set that is being stored has been replaced when a write of its record comes behind it: what is in force is younger."""
    relyd = start(keys__miss_cooldown_ms=100, keys__miss_wait_ms=4000)
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    withdrawn, last = tokens.key("withdrawn", "ES256"), tokens.key("last", "ES256")
    shown = relyd.admin("GET", "/v1/issuers/cluster").json()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with locked(relyd):
            for key in (withdrawn, last):
                issuer.keys = [key]
                assert quickly(lambda key=key: relyd.reason(issuer.token(key))) == "ok"
            write = pool.submit(relyd.admin, "PUT", "/v1/issuers/cluster", shown | {"description": "changed"})
            wire.wait_for(lambda: count_connections(relyd) >= 2, 5, "the write's connection, beside the probe's")
            issuer.keys, issuer.standby = [], None  # nothing to fetch that could mend it
        assert write.result().status == 200
    assert relyd.reason(issuer.token(last)) == "ok"
    assert relyd.reason(issuer.token(withdrawn)) == "key_unknown"
    relyd.restart()
    assert relyd.reason(issuer.token(withdrawn)) == "key_unknown"
    assert relyd.reason(issuer.token(last)) == "ok"  # stored behind the other


def ask_and_end(address, method, path, body=b""):
    """As `nc -N` and socat do: the client ends its side behind the request, and waits for the answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return wire.exchange(address, head.encode() + body, 10)


def test_who_ends_his_side_is_answered(start):
    relyd = start()
    for address in (relyd.socket, relyd.admin_tcp):
        for method, path, body, status in (("PUT", "/v1/identities/ends", b"{}", (200, 201)), ("GET", "/v1/identities/ends", b"", (200,)),
                                           ("GET", "/v1/identities/none", b"", (404,)), ("DELETE", "/v1/issuers/none", b"", (404,))):
            received = ask_and_end(address, method, path, body)
            assert wire.statuses(received)[0] in status, received
            assert json.loads(received.partition(b"\r\n\r\n")[2])


def cpu_seconds(relyd):
    fields = pathlib.Path(f"/proc/{relyd.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_who_has_ended_his_side_costs_nothing_while_he_waits(start):
    relyd = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool, locked(relyd):
        waits = pool.submit(ask_and_end, relyd.socket, "PUT", "/v1/identities/waits", b"{}")
        with contextlib.closing(wire.connect(relyd.socket)) as left:
            left.sendall(b"GET /v1/identities HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wire.wait_for(lambda: count_connections(relyd) >= 3, 5, "both connections, beside the probe's")
        before, begin = cpu_seconds(relyd), time.monotonic()
        time.sleep(1.5)  # for as long as nothing is to be done
        assert cpu_seconds(relyd) - before < 0.03 * (time.monotonic() - begin), "on a busy machine, too, whoever is woken for ever takes more"
    assert wire.statuses(waits.result()) == [201]
    wire.wait_for(lambda: count_connections(relyd) == 1, 5, "the end of who has left")
