"""Restart without a lost request: a successor that takes over, sockets that systemd keeps, and notice before a stop."""

import concurrent.futures
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
import tokens
import wire
from authorities import write_server
from service import BINARY, ENVIRONMENT, ISSUER, SANITIZER, write_yaml
from test_callers import Guarded
from test_slow_disk import locked

ROUNDS = int(os.environ.get("RELYD_RESTARTS", "5"))


class Load:
    """Clients that ask all the time, each kept alive, over plain text and TLS; and one that writes. Whatever is not as it should be is kept."""

    def __init__(self, guarded):
        self.guarded, self.faults, self.checks, self.written = guarded, [], 0, []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.check, args=(guarded.relyd.data, None)) for _ in range(2)]
        self.threads += [threading.Thread(target=self.check, args=(guarded.data, guarded.context("dns:gw.example")))]
        self.threads += [threading.Thread(target=self.connect_anew), threading.Thread(target=self.write)]
        for thread in self.threads:
            thread.start()

    def note(self, what, fault):
        self.faults.append(f"{what}: {fault!r}")

    def check(self, address, context):
        """As HTTP has it: a connection whose answer says that it ends is opened anew."""
        headers = {"Authorization": f"Bearer {self.guarded.workload}"}
        client = wire.Client(address, context)
        while not self.is_over.is_set():
            try:
                answer = client.ask("GET", "/check/default", None, headers)
                if answer.status != 200:
                    self.note("check", answer)
                self.checks += 1
                if answer.header("connection") == "close":
                    client.close()
            except OSError as fault:
                self.note("check over TLS" if context else "check", fault)
                client.close()
        client.close()

    def connect_anew(self):
        headers = {"Authorization": f"Bearer {self.guarded.workload}"}
        while not self.is_over.is_set():
            try:
                if wire.ask(self.guarded.relyd.data, "GET", "/check/default", None, headers).status != 200:
                    self.note("new connection", "not 200")
            except OSError as fault:
                self.note("new connection", fault)

    def write(self):
        """What is acknowledged stays; a 503 says when to ask again."""
        number = 0
        while not self.is_over.is_set():
            number += 1
            try:
                answer = wire.ask(self.guarded.relyd.socket, "PUT", f"/v1/identities/written-{number}", {})
                if answer.status == 201:
                    self.written.append(f"written-{number}")
                elif answer.status != 503 or answer.json()["code"] != "handing_over" or answer.header("retry-after") != "1":
                    self.note("write", answer)
            except OSError as fault:
                self.note("write", fault)
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, kind, fault, trace):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        if kind is not None:
            return
        with contextlib.closing(sqlite3.connect(self.guarded.relyd.database)) as database:
            there = {row[0] for row in database.execute("SELECT name FROM identity")}
        assert set(self.written) <= there


def take_over(relyd):
    """A successor in the place of what runs; returns when the one before has ended, in order."""
    before = relyd.process
    with open(relyd.log_path, "ab") as log:
        successor = subprocess.Popen([BINARY, "--config", str(relyd.folder / "relyd.yaml"), "--take-over"], stdout=log, stderr=log, env=ENVIRONMENT)
    assert before.wait(60) == 0, relyd.log()[-3000:]
    relyd.process = successor
    wire.wait_for(relyd.is_ready, 30, "the successor")


@pytest.mark.threads
def test_a_successor_takes_over_under_load(start, tmp_path):
    guarded = Guarded(start, tmp_path, shutdown__drain_ms=2000)
    with Load(guarded) as load:
        for _ in range(ROUNDS):
            take_over(guarded.relyd)
        checks = load.checks
    assert load.faults == [], load.faults[:5]
    assert checks > 50 * ROUNDS and len(load.written) > ROUNDS
    log = guarded.relyd.log()
    assert log.count('"handed_over"') == log.count('"taking_over"') == ROUNDS
    assert '"hand_over_failed"' not in log


def test_a_listener_that_the_successor_has_no_more(start):
    """Its socket comes along all the same, and must not stay open, where whoever connects would wait for nobody."""
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "callers": "anyone"}])
    assert wire.ask(address, "GET", "/check/default").status == 401
    del relyd.settings["listeners"]
    (relyd.folder / "relyd.yaml").write_text(write_settings(relyd))
    take_over(relyd)
    with pytest.raises(ConnectionRefusedError):
        wire.ask(address, "GET", "/check/default")


def test_who_has_handed_over_gives_no_notice(start):
    relyd = start(shutdown__notice_ms=600000)
    take_over(relyd)
    relyd.process.send_signal(signal.SIGTERM)  # here it does, until the second signal
    wire.wait_for(lambda: wire.ask(relyd.health, "GET", "/readyz").status == 503, what="readiness is withdrawn")
    relyd.process.send_signal(signal.SIGTERM)
    assert relyd.process.wait(30) == 0


def greet(relyd, greeting=b"relyd-handover 1\n"):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(wire.TIMEOUT)
    line.connect(relyd.socket + ".handover")
    line.sendall(greeting)
    return line


@pytest.mark.threads
def test_a_successor_that_does_not_come(start):
    """The one before goes on, with all that it had: also when it had closed the database already."""
    relyd = start()
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    for number in range(3):
        with contextlib.closing(greet(relyd)) as line:
            records, descriptors, _, _ = socket.recv_fds(line, 128, 1)
            assert len(records) == 128 and len(descriptors) == 1
            answer = relyd.admin("PUT", "/v1/identities/refused", {})
            assert (answer.status, answer.json()["code"], answer.header("retry-after")) == (503, "handing_over", "1")
            assert relyd.reason(token) == "ok"
            for descriptor in descriptors:
                os.close(descriptor)
        relyd.wait_for_words('"hand_over_failed"', number + 1)
        wire.wait_for(lambda: relyd.admin("PUT", f"/v1/identities/again-{number}", {}).status == 201, what="writing again")
    assert relyd.admin("GET", "/v1/identities/refused").status == 404
    assert relyd.reason(token) == "ok"
    assert "control_fault" not in relyd.log()  # what is refused meanwhile is no fault


@pytest.mark.parametrize("plane", ["data", "admin_tcp"])
def test_a_successor_that_cannot_start(start, plane):
    """Another configuration, whose listener cannot be had: it ends, says why, keeps nothing, and the one before goes on."""
    relyd = start()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        config = relyd.folder / "other.yaml"
        config.write_text((relyd.folder / "relyd.yaml").read_text().replace("127.0.0.1:%d" % getattr(relyd, plane)[1], "127.0.0.1:%d" % taken.getsockname()[1]))
        done = subprocess.run([BINARY, "--config", str(config), "--take-over"], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 1 and "another process listens there" in done.stderr
    assert not SANITIZER.search(done.stderr), done.stderr
    relyd.wait_for_words('"hand_over_failed"')
    wire.wait_for(lambda: relyd.admin("PUT", "/v1/identities/again", {}).status == 201, what="writing again")
    assert "control_fault" not in relyd.log()  # what is refused meanwhile is no fault


def test_somebody_who_has_written_meanwhile(start):
    """What is in memory stands for what was stored: then nothing more is written, and reviews go on."""
    relyd = start()
    token = relyd.put_world().sign(tokens.claims(ISSUER))
    with contextlib.closing(greet(relyd)) as line:
        socket.recv_fds(line, 128, 1)
        with contextlib.closing(sqlite3.connect(relyd.database)) as database:
            database.execute("INSERT INTO change_log (at, actor, object, name, operation) VALUES (0, 'a', 'identity', 'b', 'create')")
            database.commit()
    relyd.wait_for_words("the registry cannot be opened again")
    assert relyd.admin("PUT", "/v1/identities/again", {}).json()["code"] == "handing_over"
    assert relyd.reason(token) == "ok"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_a_stranger_gets_no_sockets(start):
    relyd = start()
    assert os.stat(relyd.socket + ".handover").st_mode & 0o777 == 0o600
    os.chmod(relyd.socket + ".handover", 0o666)
    assert wire.exchange_as_somebody(relyd.socket + ".handover", b"relyd-handover 1\n") == b""
    assert '"handing_over"' not in relyd.log()
    with contextlib.closing(greet(relyd, b"GET / HTTP/1.1\r\n\r\n")) as line, contextlib.suppress(ConnectionResetError):
        assert line.recv(128) == b""
    assert relyd.admin("PUT", "/v1/identities/still", {}).status == 201


# --- a thread that is held up ----------------------------------------------------------------------------------------

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WAIT_ALL = 0x4206, 0x4207, 17, 0x40000000


def ptrace(request, thread):
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if trace(request, thread, None, None) != 0:
        pytest.skip(f"no thread can be held up here: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def held_up(thread):
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_ALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)


def find_thread(relyd, name):
    """A thread gives itself its name, a moment after it was begun."""
    tasks = pathlib.Path(f"/proc/{relyd.process.pid}/task")
    named = wire.wait_for(lambda: [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text() == f"{name}\n"], what=f"the thread {name}")
    return named[0]


def waits_in(relyd, thread, place):
    """Of the kernel: a lock that is taken is asked for again after a nap, another thread's word is waited for in a futex."""
    return place in pathlib.Path(f"/proc/{relyd.process.pid}/task/{thread}/wchan").read_text()


def test_a_folder_of_keys_that_hangs_holds_up_no_stop(start):
    """As a network mount does: the thread that reads files comes back from nothing."""
    relyd = start()
    files = find_thread(relyd, "relyd-files")
    ptrace(PTRACE_SEIZE, files)
    ptrace(PTRACE_INTERRUPT, files)
    os.waitpid(files, WAIT_ALL)
    try:
        relyd.process.send_signal(signal.SIGTERM)
        relyd.wait_for_words('"stopped"')
    finally:
        ctypes.CDLL(None).ptrace(PTRACE_DETACH, files, None, None)  # where it is there still
        with contextlib.suppress(ChildProcessError):
            os.waitpid(files, WAIT_ALL | os.WNOHANG)
    relyd.stop()


@pytest.mark.threads
def test_an_upload_in_the_middle_of_a_hand_over(start):
    """The registry's thread waits for the control thread's word, and the hand-over for the registry's: each is woken."""
    relyd = start()
    control, registry, handover = (find_thread(relyd, f"relyd-{name}") for name in ("control", "registry", "handover"))
    body = {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(tokens.key("prod"))}}
    with concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as hold:
        with locked(relyd):
            upload = pool.submit(relyd.admin, "PUT", "/v1/issuers/prod", body)
            wire.wait_for(lambda: waits_in(relyd, registry, "nanosleep"), what="the upload, which waits for the database")
            hold.enter_context(held_up(control))
        wire.wait_for(lambda: waits_in(relyd, registry, "futex"), what="the question whether its keys are free")
        with contextlib.closing(greet(relyd)) as line:
            relyd.wait_for_words('"handing_over"')
            wire.wait_for(lambda: waits_in(relyd, handover, "futex"), what="the hand-over, which waits for the registry")
            hold.close()
            _, descriptors, _, _ = socket.recv_fds(line, 128, 1)
            for descriptor in descriptors:
                os.close(descriptor)
        assert len(descriptors) == 1 and upload.result().status == 201
    relyd.wait_for_words('"hand_over_failed"')


def test_a_relyd_that_cannot_be_asked_is_not_nobody(start):
    """Beside one that runs there must be no ordinary start, which could have the database at the same time."""
    relyd = start()
    relyd.stop()
    os.symlink("admin.sock.handover", relyd.socket + ".handover")
    done = subprocess.run([BINARY, "--config", str(relyd.folder / "relyd.yaml"), "--take-over"], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 1 and "cannot take over at" in done.stderr and "symbolic links" in done.stderr


def test_nobody_to_take_over_from_is_an_ordinary_start(start):
    relyd = start()
    relyd.stop()
    with open(relyd.log_path, "ab") as log:
        relyd.process = subprocess.Popen([BINARY, "--config", str(relyd.folder / "relyd.yaml"), "--take-over"], stdout=log, stderr=log, env=ENVIRONMENT)
    wire.wait_for(relyd.is_ready, 30, "readiness")
    relyd.wait_for_words('"nobody_to_take_over_from"')


# --- systemd --------------------------------------------------------------------------------------------------------

# Holds the sockets, as systemd does, and starts relyd with them whenever it has ended.
HOLDER = """
import os, signal, socket, subprocess, sys
binary, config, count, *addresses = sys.argv[1:]
kept = []
for address in addresses:
    host, _, port = address.rpartition(":")
    line = socket.socket(socket.AF_UNIX if host == "unix" else socket.AF_INET)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    line.bind(port if host == "unix" else (host, int(port)))
    line.listen(1024)
    kept.append(line)
def pass_on():
    for number, line in enumerate(kept):
        os.dup2(os.dup(line.fileno()), 20 + number)
    for number in range(len(kept)):
        os.dup2(20 + number, 3 + number)
    os.environ["LISTEN_PID"] = str(os.getpid())
for _ in range(int(count)):
    environment = os.environ | {"LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": "data:control:probes"}
    relyd = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0" --config "$1"', binary, config], env=environment, preexec_fn=pass_on, close_fds=False)
    print(relyd.pid, flush=True)
    code = relyd.wait()
    assert code == 0, code
"""


def test_sockets_that_somebody_keeps(start, tmp_path):
    """A restart takes as long as a start, and nobody is refused meanwhile."""
    relyd = start()  # for its folder, settings and world
    signer = relyd.put_world()
    relyd.stop()
    address, probes = "127.0.0.1:%d" % relyd.data[1], ("127.0.0.1", wire.free_port())
    del relyd.settings["listen"]
    relyd.settings["admin.socket"] = ""
    os.unlink(relyd.socket)
    relyd.settings["listeners"] = [{"address": "fd:data", "callers": "anyone"}, {"address": "fd:control", "serves": "control"},
                                   {"address": "fd:probes", "serves": "health"}]
    (relyd.folder / "relyd.yaml").write_text(write_settings(relyd))
    token = {"Authorization": f"Bearer {signer.sign(tokens.claims(ISSUER))}"}
    with open(relyd.log_path, "ab") as log:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, BINARY, str(relyd.folder / "relyd.yaml"), str(ROUNDS + 1), address,
                                   f"unix:{relyd.socket}", "%s:%d" % probes], stdout=subprocess.PIPE, stderr=log, text=True, env=ENVIRONMENT)
    try:
        for number in range(ROUNDS + 1):
            pid = int(holder.stdout.readline())
            wire.wait_for(lambda: relyd.log().count('"ready"') >= number + 2, 30, "a start")
            for _ in range(20):
                assert wire.ask(relyd.data, "GET", "/check/default", None, token).status == 200
            assert wire.ask(probes, "GET", "/livez").status == 200
            assert wire.ask(relyd.socket, "PUT", f"/v1/identities/kept-{number}", {}).status == 201
            os.kill(pid, signal.SIGTERM)
            answers = []
            waiting = [threading.Thread(target=note_answer, args=(relyd.data, token, answers)) for _ in range(10)]
            for thread in waiting:
                thread.start()
            if number < ROUNDS:  # nobody comes after the last one
                for thread in waiting:
                    thread.join()
                assert answers == [200] * 10
        assert holder.wait(60) == 0
    finally:
        holder.kill()
        holder.stdout.close()


def write_settings(relyd):
    return write_yaml(relyd.settings)


def note_answer(address, headers, answers):
    with contextlib.suppress(OSError):
        answers.append(wire.ask(address, "GET", "/check/default", None, headers).status)


def test_systemd_passes_a_socket(start):
    """systemd-socket-activate is systemd's own way to try it: the first connection starts relyd, which serves it."""
    relyd = start()
    token = {"Authorization": f"Bearer {relyd.put_world().sign(tokens.claims(ISSUER))}"}
    relyd.stop()
    del relyd.settings["listen"]
    relyd.settings["listeners"] = [{"address": "fd:data", "callers": "anyone"}]
    (relyd.folder / "relyd.yaml").write_text(write_settings(relyd))
    with open(relyd.log_path, "ab") as log:
        relyd.process = subprocess.Popen(["systemd-socket-activate", "-l", "127.0.0.1:%d" % relyd.data[1], "--fdname=data", "-E", "LSAN_OPTIONS",
                                          BINARY, "--config", str(relyd.folder / "relyd.yaml")], stdout=log, stderr=log, env=ENVIRONMENT)
    wire.wait_for(lambda: note_answer(relyd.data, token, answers := []) or answers == [200], 30, "the first answer")
    relyd.wait_for_words("data plane on fd:data, passed on")


CLEAR, OPEN, FAR = {"callers": "reviewers"}, {"callers": "anyone"}, "is reachable from other machines"


@pytest.mark.parametrize("serves, fields, has_tls, address, process, words", [
    ("data", OPEN, False, None, None, "no socket of this name was passed"), ("data", OPEN, False, "127.0.0.1", "1", "no socket of this name was passed"),
    ("data", OPEN, False, "0.0.0.0", None, FAR), ("data", OPEN, True, "0.0.0.0", None, FAR), ("data", CLEAR, False, "0.0.0.0", None, FAR),
    ("control", {}, False, "0.0.0.0", None, FAR)])
def test_a_socket_that_is_open_to_others_is_judged_at_the_start(start, tmp_path, serves, fields, has_tls, address, process, words):
    """Where it listens the configuration does not say. Of another process (LISTEN_PID) it is none."""
    relyd = start()
    relyd.stop()
    write_server(tmp_path)
    tls = {"tls": {"certificate": f"{tmp_path}/tls.crt", "key": f"{tmp_path}/tls.key"}} if has_tls else {}
    relyd.settings["listeners"] = [{"address": "fd:passed", "serves": serves} | fields | tls]
    relyd.settings |= {"allow_unauthenticated": True} if serves == "control" else {}  # of reviews, and of nothing else
    (relyd.folder / "relyd.yaml").write_text(write_settings(relyd))
    environment = dict(ENVIRONMENT)
    with contextlib.ExitStack() as stack:
        kept = address and stack.enter_context(socket.create_server((address, 0)))
        environment |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "passed"} if kept else {}
        command = ["sh", "-c", f'LISTEN_PID={process or "$$"} exec "$0" --config "$1"', BINARY, str(relyd.folder / "relyd.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, close_fds=False,
                              preexec_fn=(lambda: os.dup2(kept.fileno(), 3)) if kept else None)
    assert done.returncode == 1 and words in done.stderr, done.stderr[-1000:]


# --- notice ---------------------------------------------------------------------------------------------------------


def test_readiness_is_withdrawn_first(start):
    relyd = start(shutdown__notice_ms=60000)
    token = {"Authorization": f"Bearer {relyd.put_world().sign(tokens.claims(ISSUER))}"}
    relyd.process.send_signal(signal.SIGTERM)
    wire.wait_for(lambda: wire.ask(relyd.health, "GET", "/readyz").status == 503, what="readiness is withdrawn")
    assert wire.ask(relyd.data, "GET", "/check/default", None, token).status == 200
    assert wire.ask(relyd.health, "GET", "/livez").status == 200
    time.sleep(1.5)  # longer than the drain
    assert wire.ask(relyd.data, "GET", "/check/default", None, token).status == 200
    relyd.process.send_signal(signal.SIGTERM)  # enough
    assert relyd.process.wait(30) == 0


def is_refused(address):
    try:
        wire.connect(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_whoever_comes_while_it_ends_is_refused(start):
    """And does not wait at a copy of the socket, which is kept for a successor, for nobody to take him."""
    relyd = start(shutdown__drain_ms=20000)
    registry = find_thread(relyd, "relyd-registry")
    with concurrent.futures.ThreadPoolExecutor(1) as pool, locked(relyd):
        write = pool.submit(relyd.admin, "PUT", "/v1/identities/waits", {})
        wire.wait_for(lambda: waits_in(relyd, registry, "nanosleep"), what="the write, which waits for the database")
        relyd.process.send_signal(signal.SIGTERM)
        wire.wait_for(lambda: is_refused(relyd.data) and is_refused(relyd.socket), what="a refusal")
        assert not write.done() and relyd.process.poll() is None
