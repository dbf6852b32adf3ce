"""The gateways of conf/gateways when there is no decision: relyd down, slow, overloaded, or somebody else at its address. None lets a request through."""

import contextlib
import signal
import socketserver
import threading
import time

import application
import gateways
import pytest
import ready_gateways
import scale
import tokens
import wire
from service import ISSUER

KINDS = sorted(ready_gateways.STARTS)
# What a client gets that nobody could decide about: (relyd down, slow, overloaded). nginx and HAProxy tell them apart in their logs alone.
TOLD = {"nginx": (503, 503, 503), "caddy": (502, 504, 503), "haproxy": (503, 503, 503)}
PATIENCE_S = 6 * scale.PATIENCE  # each gives up well before, also where it tries another relyd


@contextlib.contextmanager
def running(kind, folder, relyd_port, **more):
    """(ask, the paths that have reached the application)"""
    with application.running() as behind:
        place = ready_gateways.Place(folder, relyd_port, behind.port)
        with gateways.running(ready_gateways.STARTS[kind](place, **more), place.port):

            def ask(token, method="GET", body=None):
                start = time.monotonic()
                answer = wire.ask(place.address, method, "/orders/7?x=1", body, {"Authorization": f"Bearer {token}", "Cookie": "a=b", "X-Relyd-Caller": "Bearer x"})
                assert time.monotonic() - start < PATIENCE_S
                return answer

            yield ask, behind.requests


def start_world(start, **settings):
    relyd = start(workers=1, **settings)
    signer = relyd.put_world()
    relyd.put("/v1/routes/web", {"audiences": ["relyd"]})
    return relyd, signer


@pytest.mark.parametrize("kind", KINDS)
def test_relyd_down_and_slow(start, tmp_path, kind):
    relyd, signer = start_world(start)
    right = signer.sign(tokens.claims(ISSUER))
    with running(kind, tmp_path, relyd.data[1]) as (ask, reached):
        assert ask(right).status == 200
        relyd.halt()
        try:
            for method, body in (("GET", None), ("POST", b"x" * 100_000)):
                assert ask(right, method, body).status == TOLD[kind][1]
        finally:
            relyd.process.send_signal(signal.SIGCONT)
        relyd.kill()
        for method, body in (("GET", None), ("POST", b"x" * 100_000)):
            assert ask(right, method, body).status == TOLD[kind][0]
        assert len(reached) == 1
        relyd.start()
        assert wire.wait_for(lambda: ask(right).status == 200, what="an allow after relyd is there again")


@pytest.mark.parametrize("kind", KINDS)
def test_relyd_overloaded(start, tmp_path, kind):
    """503 from relyd itself: more forgeries in a second than it looks at."""
    relyd, _ = start_world(start, keys__kidless_failures_per_s=1)
    relyd.put_issuer("shed", "https://shed.example", keys={"jwks": tokens.jwks(tokens.key("right"))})
    forged = tokens.key("wrong").sign(tokens.claims("https://shed.example"), kid=None)
    with running(kind, tmp_path, relyd.data[1]) as (ask, reached):
        answer = wire.wait_for(lambda: next((answer for answer in (ask(forged) for _ in range(4)) if answer.status != 401), None), what="a second that is used up")
        assert answer.status == TOLD[kind][2] and answer.header("retry-after") is None and answer.header("www-authenticate") is None
        if kind == "caddy":
            assert answer.json()["reason"] == "overloaded"
        if kind == "nginx":
            assert answer.header("x-relyd-reason") == "overloaded"
        assert reached == []


class Stranger(socketserver.ThreadingTCPServer):
    """At relyd's address, and none: answers `answer` to whatever is asked, and keeps what that was."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), None)
        self.answer, self.asked = b"", []
        self.port = self.server_address[1]

    def finish_request(self, request, client_address):
        received = b""
        while b"\r\n\r\n" not in received:
            piece = request.recv(65536)
            if not piece:
                return
            received += piece
        self.asked.append(received)
        request.sendall(self.answer)


@contextlib.contextmanager
def stranger():
    with Stranger() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def written(status, *fields):
    return "\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 0", "Connection: close", *fields, "", ""]).encode()


NO_DECISION = [written(status, "X-Relyd-Decision-Id: 1", "X-Relyd-Identity: admin") for status in (400, 404, 408, 413, 429, 431, 500, 502, 503, 504)] + [
    written(302, "Location: /"), written(307, "Location: http://127.0.0.1:1/"), b"", b"HTTP/1.1 200", b"\x00\xff nonsense\r\n\r\n", written(200)[:-4], written(200)[:-2] + b"X",
    b"HTTP/1.1 200 OK\r\nX-Relyd-Identity: " + b"a" * 100_000 + b"\r\n\r\n"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_decision_lets_nothing_through(tmp_path, kind):
    with stranger() as relyd, running(kind, tmp_path, relyd.port) as (ask, reached):
        for answer in NO_DECISION:
            relyd.answer = answer
            status = ask("x.y.z").status
            assert status >= 300 and reached == [], answer
            if kind != "caddy":  # which hands on whatever is no 2xx
                assert status == 503, answer


@pytest.mark.parametrize("kind", KINDS)
def test_what_relyd_is_asked(tmp_path, kind):
    """GET at the fixed path, with the one token, without body, and without what the client says about relyd."""
    with stranger() as relyd, running(kind, tmp_path, relyd.port) as (ask, _):
        relyd.answer = written(401, 'WWW-Authenticate: Bearer realm="relyd"')
        for method, body in (("GET", None), ("POST", b'{"x": 1}'), ("DELETE", None)):
            relyd.asked.clear()
            assert ask("x.y.z", method, body).status == 401
            head, _, rest = relyd.asked[0].lower().partition(b"\r\n\r\n")
            assert head.startswith(b"get /check/web http/1.1\r\n") and head.count(b"\r\nauthorization: bearer x.y.z") == 1
            assert b"x-relyd-" not in head and rest == b""
            assert kind == "caddy" or b"cookie" not in head


def test_haproxys_script_may_break(tmp_path):
    """A script with an error in it, or one that says nothing, lets nothing through; nor does a 200 that is not relyd's."""
    for number, inside in enumerate(('error("broken")', "return", 'txn:set_var("txn.relyd", "")', "core.httpclient():get({})")):
        folder = tmp_path / str(number)
        folder.mkdir()
        script = folder / "broken.lua"
        script.write_text('core.register_action("relyd_check", { "http-req" }, function(txn, path) %s end, 1)' % inside)
        with stranger() as relyd, running("haproxy", folder, relyd.port, script=script) as (ask, reached):
            assert ask("x.y.z").status == 503 and reached == []
    with stranger() as relyd, running("haproxy", tmp_path, relyd.port) as (ask, reached):
        for fields, status in (((), 503), (("X-Relyd-Identity: admin",), 503), (("X-Relyd-Decision-Id: 1",), 200)):
            relyd.answer = written(200, *fields)
            assert ask("x.y.z").status == status
            assert len(reached) == (status == 200)
