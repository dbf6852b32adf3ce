"""Connections: who is cut off and who gets in, at the limits of a listener, of descriptors and of memory; and the drain."""

import contextlib
import grp
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import ssl
import subprocess
import sys
import threading
import time

import pytest
import tokens
import wire
from authorities import write_server
from scale import IS_LONG, count
from service import BINARY, ISSUER, TOKENREVIEWS, Relyd, write_yaml

GET = b"GET /check/default HTTP/1.1\r\nHost: x\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % TOKENREVIEWS.encode()
GONE = (OSError, http.client.HTTPException)


def metric(relyd, name):
    for line in wire.ask(relyd.socket, "GET", "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"no {name}")


def cuts(relyd, limit):
    return metric(relyd, 'relyd_connections_cut_total{limit="%s"}' % limit)


def events(relyd, word):
    lines = [json.loads(line) for line in relyd.log().splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if line["event"] == word]


def is_open(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(65536))
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def held(connections):
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


# --- where it listens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_d_a_port_that_the_kernel_chooses_is_one(tmp_path, host):
    """`:0` gave each worker a port of its own, and said none of them."""
    relyd = Relyd(tmp_path / "relyd", workers=4, listen=[f"{host}:0"], admin__listen=f"{host}:0").start()
    try:
        wire.wait_for(lambda: len(events(relyd, "listening")) == 4, what="a line for each listener")
        said = dict(re.fullmatch(r"(.*) on .*:(\d+)", line).groups() for line in events(relyd, "listening") if "unix:" not in line)
        port = int(said["data plane"])
        assert port > 0 and wire.ask(("127.0.0.1", int(said["control plane"])), "GET", "/v1/issuers").status == 200
        assert {wire.ask(("127.0.0.1", port), "GET", "/check/default").status for _ in range(20)} == {401}
        table = pathlib.Path(f"/proc/{relyd.process.pid}/net/tcp").read_text().splitlines()[1:]
        listening = [line.split() for line in table if line.split()[3] == "0A"]
        assert len([row for row in listening if int(row[1].split(":")[1], 16) == port]) == 4
    finally:
        relyd.stop()


def test_a_list_of_listeners(start, tmp_path):
    """Beside the short forms: each serves what it says, a unix socket has the mode and the group that it says."""
    group = grp.getgrgid(os.getgroups()[0] if os.getgroups() else os.getgid()).gr_name
    relyd = start(listeners=[
        {"address": "127.0.0.1:0"}, {"address": f"unix:{tmp_path}/d", "socket_mode": "0666", "socket_group": group},
        {"address": f"unix:{tmp_path}/c", "serves": "control", "socket_mode": "0600"}, {"address": f"unix:{tmp_path}/h", "serves": "health"},
    ])
    wire.wait_for(lambda: len(events(relyd, "listening")) == 8, what="a line for each listener")
    port = next(int(line.rpartition(":")[2]) for line in events(relyd, "listening")[1:] if line.startswith("data plane on 127"))
    for address, paths in (
        (relyd.data, {"/check/default": 401, "/readyz": 404, "/v1/issuers": 404}),
        (("127.0.0.1", port), {"/check/default": 401, "/readyz": 404, "/v1/issuers": 404}),
        (f"{tmp_path}/d", {"/check/default": 401, "/readyz": 404, "/v1/issuers": 404}),
        (f"{tmp_path}/c", {"/check/default": 404, "/readyz": 200, "/v1/issuers": 200}),
        (f"{tmp_path}/h", {"/check/default": 404, "/readyz": 200, "/v1/issuers": 404}),
    ):
        assert {path: wire.ask(address, "GET", path).status for path in paths} == paths, address
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o666 and (tmp_path / "d").group() == group
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600 and (tmp_path / "h").stat().st_mode & 0o777 == 0o660


def test_a_group_that_is_not_there_is_said(tmp_path):
    relyd = Relyd(tmp_path / "relyd", listeners=[{"address": f"unix:{tmp_path}/d", "socket_group": "nobody-has-it"}])
    with pytest.raises(AssertionError, match="there is no group nobody-has-it on this machine"):
        relyd.start()


# --- room ------------------------------------------------------------------------------------------------------------


def test_b17_idle_connections_lock_no_administrator_out(start):
    relyd = start(admin__max_connections=32)
    with held([wire.connect(relyd.admin_tcp) for _ in range(100)]) as idle:
        for address in (relyd.admin_tcp, relyd.socket) * 20:
            begin = time.monotonic()
            assert wire.ask(address, "GET", "/v1/issuers").status == 200
            assert time.monotonic() - begin < 2
        with held([wire.connect(relyd.socket) for _ in range(14)]) as local:
            assert wire.ask(relyd.socket, "GET", "/v1/issuers").status == 200
            wire.wait_for(lambda: sum(map(is_open, idle)) <= 16, what="16 of 32 for TCP")
            assert all(map(is_open, local))  # nobody of TCP has taken the socket's share
    assert cuts(relyd, "connections") >= 84
    lines = wire.wait_for(lambda: events(relyd, "limit_reached"))
    assert len(lines) == 1, lines  # a line, not a hundred
    assert "admin.max_connections" in lines[0] and "16 connections are open" in lines[0]


SLOW = {
    "idle": b"",
    "slow head": b"GET /v1/issuers HTTP/1.1\r\nX-Slow: ",
    "slow body": b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{",
    "never reads": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000,
}


@pytest.mark.parametrize("kind", SLOW)
def test_b17_slow_clients_lock_no_administrator_out(start, kind):
    relyd = start(admin__max_connections=32)
    with held([wire.connect(relyd.admin_tcp) for _ in range(100)]) as slow:
        for connection in slow:
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.send(SLOW[kind])
        begin = time.monotonic()
        assert wire.ask(relyd.socket, "GET", "/v1/issuers").status == 200
        assert time.monotonic() - begin < 5
        assert wire.ask(relyd.admin_tcp, "GET", "/v1/issuers").status == 200
        assert time.monotonic() - begin < 10


def test_b18_longest_idle_makes_room(start):
    """Forty connections where sixteen may be: the newest sixteen are open, and whoever comes is answered at once."""
    relyd = start(workers=1, http__max_connections=16)
    with held([wire.connect(relyd.data) for _ in range(40)]) as idle:
        begin = time.monotonic()
        assert relyd.check().status == 401
        assert time.monotonic() - begin < 2
        wire.wait_for(lambda: cuts(relyd, "connections") == 25, what="24 and one more")
        assert [is_open(connection) for connection in idle] == [False] * 25 + [True] * 15
    lines = wire.wait_for(lambda: events(relyd, "limit_reached"))
    assert len(lines) == 1 and "16 connections are open" in lines[0] and "http.max_connections" in lines[0]


def limited(folder, descriptors, **settings):
    relyd = Relyd(folder, **settings)
    relyd.prefix = ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    return relyd


def test_b18_few_descriptors_are_said_with_both_numbers(tmp_path):
    relyd = limited(tmp_path / "relyd", 1024).start()
    try:
        assert events(relyd, "few_descriptors") == [
            "RLIMIT_NOFILE is 1024: the workers take 462 connections in place of 20000 (231 in place of 10000 each, http.max_connections): raise it (LimitNOFILE= of the unit, ulimit -n), or lower that",
            "RLIMIT_NOFILE is 1024: the control plane takes 153 connections in place of 256 (admin.max_connections): raise it, or lower that",
            "RLIMIT_NOFILE is 1024: 51 fetches of keys run at once in place of 416, at 4 descriptors each: raise it",
        ]
        with held([wire.connect(relyd.data) for _ in range(900)]):
            assert relyd.check().status == 401
            assert relyd.admin("GET", "/v1/issuers").status == 200
        assert not [line for line in relyd.log().splitlines() if "EMFILE" in line or "Too many open files" in line]
    finally:
        relyd.stop()


def test_b18_too_few_descriptors_are_refused(tmp_path):
    relyd = limited(tmp_path / "relyd", 100)
    relyd.spawn()
    assert relyd.process.wait(20) == 1
    relyd.process = None
    assert "100 file descriptors (RLIMIT_NOFILE) are too few for 2 workers with these listeners: at least 333 are needed: raise the limit" in relyd.log()


def test_settings_under_their_old_name(tmp_path):
    """A configuration of 0.1 is taken, and says what to write today."""
    relyd = Relyd(tmp_path / "relyd", http__request_timeout_ms=1500).start()
    try:
        relyd.wait_for_words('"old_setting"')
        assert events(relyd, "old_setting") == ["http.request_timeout_ms is an old name: write http.idle_timeout_ms"]
        with held([wire.connect(relyd.data)]) as idle:
            wire.wait_for(lambda: not is_open(idle[0]), 10, "the end of an idle connection")
        assert cuts(relyd, "idle_time") == 1
    finally:
        relyd.stop()
    old = tmp_path / "old.yaml"
    old.write_text(write_yaml({"http.request_timeout_ms": 1500}))
    answer = subprocess.run([BINARY, "--check-config", "--config", str(old)], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "the configuration is right\n")
    assert answer.stderr == f"{old}:2:3: warning: http.request_timeout_ms is an old name: write http.idle_timeout_ms\n"
    both = tmp_path / "both.yaml"
    both.write_text(write_yaml({"http.request_timeout_ms": 1500, "http.idle_timeout_ms": 1500}))
    answer = subprocess.run([BINARY, "--check-config", "--config", str(both)], capture_output=True, text=True)
    assert answer.returncode == 2 and "set twice" in answer.stderr


def test_two_never_share_an_address(tmp_path):
    """SO_REUSEPORT let a second relyd of the same user take half of the connections without a word."""
    first = Relyd(tmp_path / "first").start()
    try:
        second = Relyd(tmp_path / "second")
        second.data = first.data
        second.settings["listen"] = ["%s:%d" % first.data]
        second.spawn()
        assert second.process.wait(20) == 1
        second.process = None
        assert (f"cannot listen on 127.0.0.1:{first.data[1]}: bind: Address already in use: another process listens there, perhaps another "
                "relyd (ss -ltnp shows which): stop that one, or give this one another address") in second.log()
        assert events(second, "ready") == []
        assert first.check().status == 401
    finally:
        first.stop()


def test_of_those_that_begin_at_once_one_has_the_address(tmp_path):
    all_of_them = [Relyd(tmp_path / str(number), workers=2 + number % 2) for number in range(6)]
    for relyd in all_of_them:
        relyd.settings["listen"] = ["%s:%d" % all_of_them[0].data]
        relyd.spawn()
    wire.wait_for(lambda: sum(relyd.process.poll() == 1 for relyd in all_of_them) >= 5, 60, "the end of all but one")
    (left,) = [relyd for relyd in all_of_them if relyd.process.poll() is None]
    left.stop()


# --- memory and time -------------------------------------------------------------------------------------------------


def raise_descriptors(needed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))


# The worst shapes: as much as may be held without being a whole request.
HEAD = POST + b"X: " + b"a" * 65000
UNFINISHED = {
    "endless head": HEAD + b"a" * 300_000,
    "head without its end": HEAD,
    "head and body": HEAD + b"\r\nContent-Length: 131000\r\n\r\n" + b"a" * 130_999,
    "body": POST + b"Content-Length: 131000\r\n\r\n" + b"a" * 130_999,
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096 + b"\r\n1f000\r\n" + b"a" * 126_000,
}


def send_all_that_goes(connections, data):
    """Each connection gets as much as it takes, until none takes more."""
    left = {connection: memoryview(data) for connection in connections}
    quiet_since = time.monotonic()
    while left and time.monotonic() - quiet_since < 0.5:
        for connection, rest in list(left.items()):
            try:
                left[connection] = rest[connection.send(rest[:65536]) :]
                quiet_since = time.monotonic()
            except BlockingIOError:
                continue
            except OSError:
                left[connection] = b""  # cut off
            if not left[connection]:
                del left[connection]


@pytest.mark.long
@pytest.mark.parametrize("shape", UNFINISHED)
def test_b4_unfinished_requests_are_bounded(tmp_path, shape):
    """10,000 against one worker (a twentieth in a short run, against a twentieth of the budget's least)."""
    number = count(10000)
    raise_descriptors(number + 1000)
    relyd = Relyd(tmp_path / "relyd", workers=1, http__max_connections=12000, http__memory_mib=128 if IS_LONG else 16,
                  http__head_timeout_ms=60000, http__body_timeout_ms=60000, log__decisions="none").start()
    try:
        honest = wire.Client(relyd.data)
        assert honest.ask("GET", "/check/default").status == 401
        with held([wire.connect(relyd.data) for _ in range(number)]) as connections:
            for connection in connections:
                connection.setblocking(False)
            resident = []
            sender = threading.Thread(target=send_all_that_goes, args=(connections, UNFINISHED[shape]))
            sender.start()
            while sender.is_alive():
                resident.append(relyd.resident_bytes())
                time.sleep(0.01)
            times = []
            for _ in range(100):
                begin = time.monotonic()
                assert honest.ask("GET", "/check/default").status == 401
                times.append(time.monotonic() - begin)
            budget = relyd.settings["http.memory_mib"] << 20
            assert metric(relyd, "relyd_http_held_bytes") <= budget
            assert cuts(relyd, "memory") + cuts(relyd, "head_size") > number / 10
            assert sorted(times)[50] < 0.05 and sorted(times)[95] < 1, sorted(times)
            if IS_LONG:
                assert max(resident) < 384 << 20, max(resident) >> 20
        honest.close()
        assert relyd.check().status == 401
    finally:
        relyd.stop()


def make_hello():
    """What a client sends first; and then nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@pytest.mark.long
def test_handshakes_that_stop_in_the_middle_are_bounded(tmp_path):
    """10,000 against one worker, each of which has cost a signature and what OpenSSL holds; others shake hands all the while."""
    number = count(10000)
    raise_descriptors(number + 1000)
    server, address = write_server(tmp_path), ("127.0.0.1", wire.free_port())
    tls = {"certificate": f"{tmp_path}/tls.crt", "key": f"{tmp_path}/tls.key"}
    relyd = Relyd(tmp_path / "relyd", workers=1, http__max_connections=12000, http__memory_mib=128 if IS_LONG else 16,
                  http__head_timeout_ms=60000, log__decisions="none", listeners=[{"address": "%s:%d" % address, "tls": tls, "callers": "anyone"}]).start()
    try:
        hello, resident = make_hello(), []
        with held([]) as connections:
            for _ in range(number):
                connections.append(wire.connect(address))
                connections[-1].sendall(hello)
                if len(connections) % 50 == 0:
                    resident.append(relyd.resident_bytes())
                    with contextlib.closing(wire.Client(address, server.trust())) as client:
                        assert client.ask("GET", "/check/default").status == 401
            assert metric(relyd, "relyd_http_held_bytes") <= relyd.settings["http.memory_mib"] << 20
            assert cuts(relyd, "memory") > number / 10
            if IS_LONG:
                assert max(resident) < 384 << 20, max(resident) >> 20
        assert relyd.check().status == 401
    finally:
        relyd.stop()


# What a client does that sends without end and takes what comes, on four connections: in a process of its own.
PUMP = r"""
import os, selectors, socket, sys
data = b"GET /check/default HTTP/1.1\r\nHost: x\r\n\r\n" * 20000
selector, left = selectors.DefaultSelector(), {}
for _ in range(4):
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    connection.setblocking(False)
    left[connection] = memoryview(data)
    selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
while True:
    for key, mask in selector.select():
        connection = key.fileobj
        if mask & selectors.EVENT_READ and not connection.recv(1 << 20):
            sys.exit(0)
        if mask & selectors.EVENT_WRITE:
            left[connection] = left[connection][connection.send(left[connection]):] or memoryview(data)
"""


def ask_often(client, number):
    """The time that 99 of 100 requests keep."""
    times = []
    for _ in range(number):
        begin = time.monotonic()
        assert client.ask("GET", "/check/default").status == 401
        times.append(time.monotonic() - begin)
    return sorted(times)[number * 99 // 100]


@pytest.mark.long
def test_b5_pipelining_clients_hold_nobody_up(tmp_path):
    relyd = Relyd(tmp_path / "relyd", workers=1, log__decisions="none").start()
    with contextlib.closing(wire.Client(relyd.data)) as honest:
        alone = ask_often(honest, count(2000, 200))  # what this machine does when others use it, too
    with subprocess.Popen([sys.executable, "-c", PUMP, str(relyd.data[1])]) as pump, contextlib.closing(wire.Client(relyd.data)) as honest:
        wire.wait_for(lambda: metric(relyd, "relyd_http_requests_total") > 2000, what="four pipelining connections")
        beside = ask_often(honest, count(2000, 200))
        before = metric(relyd, "relyd_http_requests_total")
        wire.wait_for(lambda: metric(relyd, "relyd_http_requests_total") > before + 1000, what="them, still at it")
        pump.kill()
    assert beside < (0.01 + alone if IS_LONG else 0.25)
    relyd.stop()


# --- the drain -------------------------------------------------------------------------------------------------------


class Asking(threading.Thread):
    """A client that asks on one connection as long as it may, and makes another when it is told to close."""

    def __init__(self, relyd, token):
        super().__init__()
        self.relyd, self.token = relyd, token
        self.answered, self.lost, self.closes = 0, [], 0
        self.start()

    def run(self):
        while True:
            client = wire.Client(self.relyd.data)
            try:
                client.connect()
            except OSError:
                return  # nobody listens any more
            with contextlib.closing(client):
                if not self.ask_until_closed(client):
                    return

    def ask_until_closed(self, client):
        while True:
            try:
                answer = client.ask("POST", "/v1/review", {"token": self.token})
            except GONE as fault:
                self.lost.append(repr(fault))
                return False
            assert answer.status == 200 and answer.json()["reason"] == "ok", answer
            self.answered += 1
            if answer.header("connection") == "close":
                self.closes += 1
                return True


@pytest.mark.long
@pytest.mark.threads
def test_b19_no_request_is_lost_by_a_stop(tmp_path):
    relyd = Relyd(tmp_path / "relyd", shutdown__drain_ms=4000, log__decisions="none").start()
    token = relyd.put_world().sign(tokens.claims(ISSUER, lifetime=36000))
    answered = 0
    for number in range(count(100, 5)):
        clients = [Asking(relyd, token) for _ in range(8)]
        wire.wait_for(lambda: all(client.answered for client in clients), what="each to be under way")
        relyd.stop()
        for client in clients:
            client.join(30)
        assert [lost for client in clients for lost in client.lost] == [], f"stop {number}"
        assert sum(client.closes for client in clients) >= 8
        answered += sum(client.answered for client in clients)
        relyd.start()
    relyd.stop()
    assert answered > 0


def test_e_readiness_is_withdrawn_first(tmp_path, issuer):
    """While a request in flight holds the drain: /readyz says no, /livez yes, metrics come, and the request is answered."""
    relyd = Relyd(tmp_path / "relyd", keys__miss_wait_ms=3000, keys__miss_cooldown_ms=100, shutdown__drain_ms=8000).start()
    relyd.put_issuer("cluster", **issuer.record())
    wire.wait_for(lambda: relyd.admin("GET", "/v1/issuers/cluster/keys").json().get("keys"))
    issuer.answers["/openid/v1/jwks"] = lambda server, connection: time.sleep(8)
    answers = []
    token = issuer.token(tokens.key("never-published"))
    slow = threading.Thread(target=lambda: answers.append(relyd.review(token)))
    probes = [wire.Client(address) for address in (relyd.health, relyd.socket, relyd.admin_tcp)]
    assert [probe.ask("GET", "/readyz").status for probe in probes] == [200] * 3
    slow.start()
    wire.wait_for(lambda: metric(relyd, "relyd_key_waits_total") == 1)
    relyd.process.send_signal(signal.SIGTERM)
    wire.wait_for(lambda: wire.ask(relyd.health, "GET", "/readyz").status == 503, 2, "readiness withdrawn")
    for probe in probes:
        answer = probe.ask("GET", "/readyz")
        assert (answer.status, answer.body) == (503, b"not ready\n")
        assert probe.ask("GET", "/livez").status == 200
        assert b"relyd_connections " in probe.ask("GET", "/metrics").body
    assert slow.is_alive()
    with pytest.raises(OSError):
        wire.connect(relyd.data)
    for probe in probes:
        probe.close()
    slow.join(20)
    assert answers and answers[0]["reason"] == "key_unknown"
    relyd.stop()
