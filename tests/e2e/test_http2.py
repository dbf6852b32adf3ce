"""HTTP/2 on the same ports: what passes over HTTP/1.1 passes, what does not does not, and what hostile frames cost."""

import contextlib
import json
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import http2
import pytest
import scale
import tokens
import wire
from http2 import ACK, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, pack, request
from issuer import response
from kubernetes_protobuf import varint
from service import ISSUER, TOKENREVIEWS
from test_tls import Secured, make_certificate, tls_of, trust_nobody

REVIEW = "/v1/review"
WATCH = "/grpc.health.v1.Health/Watch"


def sign(relyd, **more):
    return relyd.signer.sign(tokens.claims(ISSUER, **more))


def cuts(relyd, word):
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    return int(re.search(rf'^relyd_connections_cut_total\{{limit="{word}"\}} (\d+)$', text, re.M)[1])


# --- ordinary callers -----------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_every_door(shared):
    token = sign(shared)
    with http2.Line(shared.data) as line:
        for _ in range(3):
            check = line.ask(token=token)
            assert (check.status, check.header("x-relyd-identity"), check.body) == (200, "payments-api", b"")
        assert line.ask().header("www-authenticate") == 'Bearer realm="relyd"'
        body = json.dumps({"token": token}).encode()
        review = line.ask(REVIEW, "POST", content_type="application/json", body=body)
        assert (review.status, review.json()["decision"]) == (200, "allow")
        assert int(review.header("content-length")) == len(review.body)
        spec = json.dumps({"kind": "TokenReview", "spec": {"token": token}}).encode()
        status = line.ask(TOKENREVIEWS, "POST", content_type="application/json", body=spec).json()["status"]
        assert status["user"]["username"] == "payments-api"
        assert line.ask("/nowhere").status == 404
        assert line.ask(REVIEW).status == 405


def test_the_control_plane_and_health(start):
    relyd = start()
    with http2.Line(relyd.admin_tcp) as line:
        body = json.dumps({"issuer": "https://a.example"}).encode()
        made = line.ask("/v1/issuers/new", "PUT", body=body, content_type="application/json", **{":authority": "127.0.0.1"})
        assert made.status == 201, made
        assert line.ask("/v1/issuers", **{":authority": "127.0.0.1"}).json()["value"][0]["name"] == "new"
        assert line.ask("/livez", **{":authority": "evil.example"}).status == 403  # a page's, by its Host
    with http2.Line(relyd.health) as line:  # probes are asked by HTTP/1.1
        line.drain()
        assert not line.answers


def test_heads_and_bodies(shared):
    with http2.Line(shared.data) as line:
        head = line.ask("/nowhere", "HEAD")
        assert (head.status, head.body) == (404, b"") and int(head.header("content-length")) > 0
        stream = line.open(request(REVIEW, "POST", content_type="application/json", expect="100-continue"), is_last=False)
        while stream not in line.interim:
            assert line.take_frame() is not None
        line.send(frame(DATA, END_STREAM, stream, b'{"token":"x.y.z"}'))
        assert line.wait(stream).json()["reason"] == "malformed_token"
        stream = line.open(request(REVIEW, "POST", content_type="application/json", expect="something"), is_last=False)
        assert line.wait(stream).status == 417
        stream = line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False)
        for piece, flags in ((b'{"tok', 0), (b"", 0), (b'en":"x.y.z"', 0), (b"}", END_STREAM)):
            line.send(frame(DATA, flags, stream, piece))
        assert line.wait(stream).json()["reason"] == "malformed_token"


def test_a_check_is_answered_from_its_head(shared):
    """As over HTTP/1.1: whether a body comes, and what it is, is no matter of a check."""
    with http2.Line(shared.data) as line:
        stream = line.open(request("/check/default", "POST", token=sign(shared), content_length="20971520"), is_last=False)
        assert line.wait(stream).status == 200
        while stream not in line.resets:
            assert line.take_frame() is not None
        assert line.resets[stream] == http2.NO_ERROR
        assert line.ask().status == 401


def test_curl_nghttp_and_h2load(shared):
    token = sign(shared)
    url = "http://%s:%d/check/default" % shared.data
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %{http_version} %header{x-relyd-identity}",
                           "-H", f"Authorization: Bearer {token}", url], capture_output=True, text=True, check=True)
    assert done.stdout == "200 2 payments-api"
    shown = subprocess.run(["nghttp", "-nv", "-H", f"authorization: Bearer {token}", url], capture_output=True, text=True, check=True).stdout
    assert ":status: 200" in shown and "x-relyd-identity: payments-api" in shown
    shown = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "100", "-H", f"authorization: Bearer {token}", url], capture_output=True, text=True, check=True).stdout
    assert "2000 succeeded, 0 failed, 0 errored" in shown


@pytest.mark.parametrize("has_http2, chosen", [(True, "h2"), (False, "http/1.1")])
def test_alpn(start, tmp_path, has_http2, chosen):
    secured = Secured(start, tmp_path, has_http2=has_http2)
    context = trust_nobody()
    context.set_alpn_protocols(["http/1.1", "h2"])
    with contextlib.closing(secured.connect(context)) as line:
        assert line.selected_alpn_protocol() == chosen
    token = sign(secured)
    done = subprocess.run(["curl", "-sS", "--http2", "--cacert", secured.folder / "tls.crt", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           "-H", f"Authorization: Bearer {token}", f"https://localhost:{secured.port}/check/default"], capture_output=True, text=True, check=True)
    assert done.stdout == ("200 2" if has_http2 else "200 1.1")
    context = trust_nobody()
    context.set_alpn_protocols(["http/1.1"])
    with contextlib.closing(secured.connect(context)) as line:  # chosen is chosen: a preface makes no HTTP/2 of it
        line.sendall(http2.PREFACE)
        assert line.recv(65536).startswith(b"HTTP/1.1 ")


def test_a_health_listener_never_has_it(start, tmp_path):
    """Whatever its `http2` says: probes are asked by HTTP/1.1, and ALPN offers nothing else."""
    make_certificate(tmp_path)
    address = ("127.0.0.1", wire.free_port())
    start(listeners=[{"address": "%s:%d" % address, "serves": "health", "http2": True, "tls": tls_of(tmp_path)}])
    context = trust_nobody()
    context.set_alpn_protocols(["h2", "http/1.1"])
    for sent, status in ((b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 200), (http2.PREFACE, 505)):
        with contextlib.closing(context.wrap_socket(wire.connect(address))) as line:
            assert line.selected_alpn_protocol() == "http/1.1"
            line.sendall(sent)
            assert line.recv(65536).startswith(b"HTTP/1.1 %d " % status)
    context = trust_nobody()
    context.set_alpn_protocols(["h2"])
    with contextlib.closing(wire.connect(address)) as line, pytest.raises(ssl.SSLError, match="no application protocol"):
        context.wrap_socket(line).close()


def test_a_listener_without_it(start):
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "http2": False}], workers=1)
    for _ in range(5):
        assert wire.statuses(wire.exchange(address, http2.PREFACE)) in ([400], [505])
    assert wire.ask(address, "GET", "/check/default").status == 401
    relyd.wait_for_words("other_protocol")
    (line,) = [line for line in relyd.events() if line["event"] == "other_protocol"]  # once a minute
    assert re.fullmatch(r"127\.0\.0\.1:\d+ speaks HTTP/2 to a listener that does not: .*http2: false \(1 since the last such line\)", line["message"])


def test_upgrade_is_not_asked_for(shared):
    """RFC 9113 has taken `Upgrade: h2c` away: it is a header like others."""
    head = b"GET /check/default HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    assert wire.statuses(wire.exchange(shared.data, head)) == [401]


def test_a_preface_in_any_cuts(shared):
    for cut in (1, 3, 15, 16, 17, 23):
        with contextlib.closing(wire.connect(shared.data)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.sendall(http2.PREFACE[:cut])
            assert wire.ask(shared.data, "GET", "/check/default").status == 401  # in a turn behind it, often
            line.sendall(http2.PREFACE[cut:] + http2.settings())
            assert line.recv(9)[3] == SETTINGS


# --- what has two meanings --------------------------------------------------------------------------------------------


MALFORMED = {
    "two hosts": request(host="other"),
    "a scheme that is none of ours": request(**{":scheme": "ftp"}),
    "somebody before the host": request(**{":authority": "user:pw@host"}),
    "a host that is none": request(**{":authority": "a/b"}),
    "a control character": [*request(), ("x-a", b"a\x01b")],
    "a method that is none": request(method="GE T"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refused_as_malformed(shared, name):
    with http2.Line(shared.data) as line:
        answer = line.wait(line.open(MALFORMED[name]))
        assert answer is None or answer.status == 400, answer
        assert line.ask().status == 401  # the connection goes on


RESET = {
    "a NUL in a value": [*request(), ("x-a", b"a\0b")],
    "a line end in a value": [*request(), ("x-a", b"a\r\nx-relyd-caller: b")],
    "a blank around a value": [*request(), ("authorization", " Bearer x")],
    "a name in capitals": [*request(), ("X-A", "b")],
    "a blank in a name": [*request(), ("x a", "b")],
    "connection": [*request(), ("connection", "close, x-relyd-subject")],
    "transfer-encoding": [*request(), ("transfer-encoding", "chunked")],
    "te": [*request(), ("te", "gzip")],
    "a pseudo-header behind a header": [*request()[:2], ("x-a", "b"), *request()[2:]],
    "an unknown pseudo-header": [(":protocol", "websocket"), *request()],
    "no path": request(**{":path": None}),
    "an empty path": request(""),
    "two paths": [(":path", "/livez"), *request()],
    "no method": request(**{":method": None}),
    "no host at all": request(**{":authority": None}),
    "a length that is none": request(content_length="1x"),
    "two lengths": [*request(content_length="0"), ("content-length", "0")],
    "a length that is not the body's": request(content_length="7"),
}


@pytest.mark.parametrize("name", RESET)
def test_reset(shared, name):
    """What no request can be is none, with or without this header or that."""
    with http2.Line(shared.data) as line:
        stream = line.open(RESET[name])
        assert line.wait(stream) is None and line.resets[stream] != http2.NO_ERROR
        assert line.ask().status == 401


def test_two_authorizations_are_none(shared):
    token = sign(shared)
    with http2.Line(shared.data) as line:
        answer = line.wait(line.open([*request(token=token), ("authorization", f"Bearer {token}")]))
        assert (answer.status, answer.header("x-relyd-reason")) == (401, "malformed_token")
        answer = line.wait(line.open([*request(token=token), ("host", "relyd")]))  # the same twice is no contradiction
        assert answer.status == 200
        answer = line.wait(line.open([*request(token=token), ("host", "relyd"), ("host", "relyd")]))
        assert answer is None or answer.status == 400


def test_connect_and_options(shared):
    with http2.Line(shared.data) as line:
        answer = line.wait(line.open([(":method", "CONNECT"), (":authority", "relyd:443")], is_last=False))
        assert answer.status == 404
        assert line.ask("*", "OPTIONS").status == 404
        assert line.ask("/check/default/../../v1/review").header("x-relyd-reason") == "no_token"
        assert line.ask("/check/default#/x?a=b").status in (401, 403)


def test_trailers_of_a_request(shared):
    with http2.Line(shared.data) as line:
        stream = line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False)
        line.send(frame(DATA, 0, stream, b'{"token":"x.y.z"}') + frame(HEADERS, END_STREAM | END_HEADERS, stream, pack([("authorization", "Bearer x")])))
        assert line.wait(stream) is None
        assert line.ask().status == 401


def test_large_heads(shared):
    """As over HTTP/1.1: in the words of the door, and the connection goes on."""
    with http2.Line(shared.data) as line:
        head = [*request(token="x"), *((f"x-{n}", "y" * 1000) for n in range(40))]
        assert line.wait(line.open(head[:14])).status == 401
        big = pack([*request(), *((f"x-{n}", "y" * 15000) for n in range(5))])
        stream, line.next_id = line.next_id, line.next_id + 2
        pieces = [big[at:at + 16000] for at in range(0, len(big), 16000)]
        line.send(frame(HEADERS, END_STREAM, stream, pieces[0]) + b"".join(frame(http2.CONTINUATION, END_HEADERS * (piece is pieces[-1]), stream, piece) for piece in pieces[1:]))
        answer = line.wait(stream)
        assert answer is None or (answer.status, answer.header("x-relyd-reason")) == (401, "token_too_large")
    with http2.Line(shared.data) as line:
        answer = line.wait(line.open([*request(), *((f"x-{n}", "y") for n in range(101))]))
        assert (answer.status, answer.header("x-relyd-reason")) == (401, "token_too_large")
        assert line.wait(line.open([*request(), *((f"x-{n}", "y") for n in range(99))])).header("x-relyd-reason") == "no_token"


def test_a_head_beyond_the_limit(shared):
    """Of http.head_max_bytes, however short it is when it comes: one header of 4,000 bytes, and others that only name it."""
    with http2.Line(shared.data) as line:
        for count, reason in ((14, "malformed_token"), (16, "token_too_large")):
            packed = pack(request(token="x")) + b"\x40" + hpack_text(b"x-large") + hpack_text(b"y" * 4000) + b"\xbe" * count
            answer = line.wait(line.open(None, packed=packed))
            assert (answer.status, answer.header("x-relyd-reason")) == (401, reason)


def test_large_bodies(shared):
    with http2.Line(shared.data) as line:
        fits = json.dumps({"token": "x.y.z", "audiences": ["y" * 599] * 30}).encode()
        assert line.ask(REVIEW, "POST", body=fits, content_type="application/json").status == 200
        stream = line.open(request(REVIEW, "POST", content_length="1048577", content_type="application/json"), is_last=False)
        assert (line.wait(stream).status, line.answers[stream].json()["code"]) == (413, "body_too_large")
    for path, count in ((TOKENREVIEWS, 9), (REVIEW, 66)):
        with http2.Line(shared.data) as line:  # announced by nothing
            stream = line.open(request(path, "POST", content_type="application/json"), is_last=False)
            for number in range(count):
                assert stream not in line.answers, number
                line.send(frame(DATA, 0, stream, b" " * 16000))
                line.ping()
            assert line.wait(stream).status == 413
            assert line.ask().status == 401


# --- many at once, and in time -------------------------------------------------------------------------------------------


def test_a_hundred_streams(shared):
    token = sign(shared)
    with http2.Line(shared.data) as line:
        line.ping()  # its settings have been read
        streams = [line.open(request(token=token if n % 2 == 0 else None)) for n in range(100)]
        assert [line.wait(stream).status for stream in streams] == [200, 401] * 50


def begin_many(line, count):
    """Requests of 2 KB without their ends; those that were refused."""
    line.ping()
    streams = [line.open(request(REVIEW, "POST", content_type="application/json", x_a="y" * 1600), is_last=False) for _ in range(count)]
    line.ping()
    line.ping()  # the answer to one overtakes what was queued before
    return streams, [stream for stream in streams if line.resets.get(stream) == http2.REFUSED_STREAM]


def end_all(line, streams):
    for stream in streams:
        line.send(frame(DATA, END_STREAM, stream, b'{"token":"x.y.z"}'))
    assert all(line.wait(stream).status == 200 for stream in streams)


def test_more_unfinished_than_there_is_room_for(start):
    """A hundred heads before their bodies are ordinary, as long as few do so; then 24 KiB are left, and the rest may be sent again."""
    relyd = start(http__memory_mib=16, workers=1)
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(http2.Line(relyd.data)) for _ in range(16)]
        begun = [begin_many(line, 100) for line in lines[:4]]
        assert all(len(refused) == 0 and not line.answers for line, (_, refused) in zip(lines, begun))
        begun += [begin_many(line, 100) for line in lines[4:]]
        streams, refused = begun[-1]
        assert 80 <= len(refused) <= 95 and not lines[-1].answers
        for line, (streams, refused) in zip(lines, begun):
            end_all(line, [stream for stream in streams if stream not in refused])


@pytest.fixture
def waiting(start, issuer):
    """A relyd whose issuer does not answer for its new key until `issuer.may_answer` is set; `issuer.new` signs with it."""
    relyd = start(keys__miss_wait_ms=8000, keys__miss_cooldown_ms=100)
    relyd.signer = relyd.put_world()
    relyd.put_issuer("fetched", **issuer.record(keys={"discovery": True}))
    relyd.put_credential("fetched", issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the first set")
    relyd.await_all_workers()
    issuer.new, issuer.is_asked, issuer.may_answer = tokens.key("new"), threading.Event(), threading.Event()
    issuer.keys.append(issuer.new)

    def answer(server, connection):
        issuer.is_asked.set()
        issuer.may_answer.wait(wire.TIMEOUT)
        connection.sendall(response(server.jwks(), "200 OK", "application/jwk-set+json"))

    issuer.answers["/openid/v1/jwks"] = answer
    yield relyd
    issuer.may_answer.set()


@pytest.mark.threads
def test_a_wait_for_keys_holds_nobody(waiting, issuer):
    """One stream waits for a key that is being fetched; those behind it are answered meanwhile."""
    with http2.Line(waiting.data) as line:
        waits = line.open(request(token=issuer.token(issuer.new)))
        assert issuer.is_asked.wait(wire.TIMEOUT)
        quick = line.open(request(token=sign(waiting)))
        assert line.wait(quick).status == 200 and waits not in line.answers
        issuer.may_answer.set()
        assert line.wait(waits).status == 200


@pytest.mark.threads
@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_a_client_that_leaves_its_wait(waiting, issuer, how):
    with http2.Line(waiting.data) as line:
        stream = line.open(request(token=issuer.token(issuer.new)))
        assert issuer.is_asked.wait(wire.TIMEOUT)
        if how == "reset":
            line.send(frame(RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL)))
            assert line.ask().status == 401 and stream not in line.answers
        if how == "half":  # it still reads
            line.socket.shutdown(socket.SHUT_WR)
            issuer.may_answer.set()
            assert line.wait(stream).status == 200
            line.drain()
    issuer.may_answer.set()
    wire.wait_for(lambda: waiting.reason(issuer.token(issuer.new)) == "ok", what="the new key")


@pytest.mark.threads
@pytest.mark.parametrize("code", [None, http2.CANCEL])
def test_many_waits_of_a_client_that_left(waiting, issuer, code):
    """All of one connection that breaks while the first of them is answered: the others of it are gone by then."""
    with http2.Line(waiting.data) as line:
        streams = [line.open(request(token=issuer.token(issuer.new))) for _ in range(8)]
        assert issuer.is_asked.wait(wire.TIMEOUT)
        if code is not None:
            line.send(frame(RST_STREAM, 0, streams[1], struct.pack(">I", code)))
        assert line.ping()
    issuer.may_answer.set()
    wire.wait_for(lambda: waiting.reason(issuer.token(issuer.new)) == "ok", what="the new key")


@pytest.mark.threads
def test_many_waits_are_all_answered(waiting, issuer):
    with http2.Line(waiting.data) as line:
        streams = [line.open(request(token=issuer.token(issuer.new))) for _ in range(50)]
        assert issuer.is_asked.wait(wire.TIMEOUT)
        assert line.ping()
        issuer.may_answer.set()
        assert [line.wait(stream).status for stream in streams] == [200] * 50


def test_a_drain_ends_for_who_waits_beside_an_unfinished_request(start, issuer):
    """Its waiting request is told that no answer comes, though its connection is at another's body, too."""
    relyd = start(keys__miss_wait_ms=8000, shutdown__drain_ms=500)
    relyd.put_issuer("fetched", **issuer.record(keys={"discovery": True}))
    relyd.put_identity()
    relyd.put_credential("fetched", issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the first set")
    relyd.await_all_workers()
    may_answer, is_asked, new = threading.Event(), threading.Event(), tokens.key("new")

    def hang(server, connection):
        is_asked.set()
        may_answer.wait(wire.TIMEOUT)

    issuer.keys.append(new)
    issuer.answers["/openid/v1/jwks"] = hang
    with http2.Line(relyd.data) as line:
        waits = line.open(request(token=issuer.token(new)))
        line.open(request(REVIEW, "POST"), is_last=False)
        assert is_asked.wait(wire.TIMEOUT) and line.ping()
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        assert line.wait(waits).status == 503
        line.drain()
        may_answer.set()
        stopping.join()


def test_slow_requests_are_cut(start):
    relyd = start(http__body_timeout_ms=300, http__head_timeout_ms=300)
    with http2.Line(relyd.data) as line:
        stream = line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False)
        answer = line.wait(stream)
        assert (answer.status, answer.json()["code"]) == (408, "request_timeout")
        assert line.ask().status == 401
    with http2.Line(relyd.data) as line:  # a head without an end
        line.ping()
        line.send(frame(HEADERS, 0, 1, pack(request())))
        assert line.drain().goaway[1] == ENHANCE_YOUR_CALM
    with http2.Line(relyd.data) as line:  # who goes on beginning others has no more time for it
        stream = line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False)
        while stream not in line.answers:
            assert line.ask().status == 401
        assert line.answers[stream].status == 408


@pytest.fixture
def short(start):
    """A relyd of which others hold so much that a connection has 24 KiB for its requests."""
    relyd = start(http__memory_mib=16, workers=1)
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            begin_many(stack.enter_context(http2.Line(relyd.data)), 100)
        yield relyd


def test_more_bytes_of_unfinished_bodies_than_there_is_room_for(short):
    """48 KiB of those that were taken; but the oldest is served, however large."""
    with http2.Line(short.data) as line:
        line.ping()
        streams = [line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False) for _ in range(20)]
        for stream in streams:
            line.send(frame(DATA, 0, stream, b" " * 9000))
        assert line.ping() and line.ping()
        refused = [stream for stream in streams if line.resets.get(stream) == http2.REFUSED_STREAM]
        assert 14 <= len(refused) <= 18 and streams[0] not in refused and not line.answers
        for _ in range(4):
            line.send(frame(DATA, 0, streams[0], b" " * 9000))
        line.send(frame(DATA, END_STREAM, streams[0], b'{"token":"x.y.z"}'))
        assert line.wait(streams[0]).json()["reason"] == "malformed_token"


def test_more_answers_than_are_kept(shared):
    """16 that their client does not take; whatever it has taken before counts no more."""
    with http2.Line(shared.data) as line:
        for _ in range(300):
            assert len(line.ask("/nowhere").body) > 110  # 32 KiB together
        line.send(http2.settings(initial_window_size=0))
        assert line.ping()
        for _ in range(2):  # the second has the room of the first
            streams = []
            for _ in range(40):
                streams.append(line.open(request("/nowhere")))
                assert line.ping()
            assert line.ping()
            refused = [stream for stream in streams if line.resets.get(stream) == http2.REFUSED_STREAM]
            assert refused == streams[16:]
            for stream in streams[:16]:
                line.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 10000)))
                assert line.wait(stream).status == 404


def test_a_gateway_gives_up_many_at_once(shared):
    with http2.Line(shared.data) as line:
        rapid_reset(line, 3000)
        assert line.ask().status == 401 and line.goaway is None


def test_what_it_announces(shared):
    with http2.Line(shared.data) as line:
        assert line.ask().status == 401
        assert line.settings == {3: 100, 6: 65536, 9: 1}  # streams, bytes of a head, no priorities


def test_http_1_stays_http_1(shared):
    with contextlib.closing(wire.connect(shared.data)) as line:
        line.sendall(b"GET /check/default HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")
        line.sendall(http2.PREFACE + http2.settings())
        assert line.recv(65536).startswith(b"HTTP/1.1 505 ")


def test_who_asks_is_not_idle(start):
    relyd = start(http__idle_timeout_ms=1000)
    with http2.Line(relyd.data) as line:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert line.ask().status == 401
        assert line.goaway is None


def test_an_answered_stream_is_not_refused(short):
    """REFUSED_STREAM says that nobody has looked at it: DATA behind its answer must not bring that."""
    with http2.Line(short.data, hello=http2.settings(initial_window_size=0)) as line:
        line.ping()
        grows = line.open(request(REVIEW, "POST", content_type="application/json"), is_last=False)
        answered = line.open(request(REVIEW, "POST", content_type="application/json", expect="something"), is_last=False)
        for _ in range(4):
            line.send(frame(DATA, 0, grows, b" " * 15000))
        line.send(frame(DATA, 0, answered, b"x"))
        assert line.ping() and line.ping()
        assert line.answers[answered].status == 417 and not line.resets
        line.send(frame(WINDOW_UPDATE, 0, answered, struct.pack(">I", 1000)))
        assert line.wait(answered).json()["code"] == "expectation_failed"


def test_an_end_with_closed_windows(shared):
    """No window will ever open for what this client has not taken."""
    with http2.Line(shared.data, hello=http2.settings(initial_window_size=0)) as line:
        stream = line.open(request("/nowhere"))
        assert line.ping() and line.ping() and line.answers[stream].status == 404
        line.socket.shutdown(socket.SHUT_WR)
        assert line.drain().is_closed and stream not in line.ended  # long before http.idle_timeout_ms


def test_what_is_not_taken_has_its_time(start):
    """Whatever else its client does meanwhile."""
    relyd = start(http__idle_timeout_ms=1000)
    with http2.Line(relyd.data, hello=http2.settings(initial_window_size=0)) as line:
        kept = line.open(request("/nowhere"))
        while kept not in line.resets:
            other = line.open(request("/nowhere", "HEAD"), is_last=False)
            assert line.ping()
            line.send(frame(DATA, END_STREAM, other))
            assert line.ping()
        assert line.resets[kept] == http2.CANCEL and line.ping()
    assert cuts(relyd, "unsent") == 1


def test_an_idle_end_is_told(start):
    relyd = start(http__idle_timeout_ms=1000)
    with http2.Line(relyd.data) as line:
        assert line.ask().status == 401
        assert line.drain().goaway == (1, http2.NO_ERROR)


@pytest.mark.threads
def test_it_leaves_in_order(start):
    """Told at once that it is about to end, and once more when nothing more is served; what was asked is answered."""
    relyd = start(shutdown__drain_ms=3000)
    relyd.signer = relyd.put_world()
    with http2.Line(relyd.data) as line:
        assert line.ask(token=sign(relyd)).status == 200
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        while line.goaway is None:
            assert line.take_frame() is not None
        assert line.goaway == (0x7fffffff, http2.NO_ERROR)
        assert line.ask().status == 401
        line.drain()
        assert line.goaway == (3, http2.NO_ERROR)
        stopping.join()


# --- hostile frames -------------------------------------------------------------------------------------------------------


def rapid_reset(line, count):
    for _ in range(count):
        stream = line.open(request(token="x.y.z"))
        line.send(frame(RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL)))


def window_overflow(line, count):
    for _ in range(count):
        stream = line.open(request(REVIEW, "POST"), is_last=False)
        line.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7fffffff)))


def malformed_requests(line, count):
    for _ in range(count):
        line.open([*request(), ("X-A", "b")])


def data_behind_the_end(line, count):
    for _ in range(count):
        stream = line.open(request(REVIEW, "POST"))
        line.send(frame(DATA, 0, stream, b"x"))


def hpack_bomb(line, count):
    """A value of 4,000 bytes in the table, and references to it, a byte each."""
    first = b"\x40" + hpack_text(b"x-bomb") + hpack_text(b"y" * 4000)
    for _ in range(count // 100):
        line.open(None, packed=pack(request()) + first + b"\xbe" * 16000)


def hpack_text(text):
    return (bytes([len(text)]) if len(text) < 127 else b"\x7f" + varint(len(text) - 127)) + text


def continuation_flood(line, count):
    line.send(frame(HEADERS, END_STREAM, 1, pack(request())) + frame(http2.CONTINUATION, 0, 1) * count)


def many(kind, payload=b"", stream=0, flags=0):
    def flood(line, count):
        data = frame(kind, flags, stream, payload) * 100
        for _ in range(count // 100):
            line.send(data)
    return flood


FLOODS = {  # name: (what, how often, does it end the connection?)
    "rapid reset": (rapid_reset, 30000, True),
    "a stream's window overflows": (window_overflow, 5000, True),
    "malformed requests": (malformed_requests, 5000, True),
    "data behind the end of a stream": (data_behind_the_end, 5000, True),
    "HPACK bomb": (hpack_bomb, 2000, False),
    "CONTINUATION": (continuation_flood, 5000, True),
    "PING": (many(PING, b"12345678"), 100000, True),
    "SETTINGS": (many(SETTINGS), 100000, True),
    "unknown frames": (many(0xfa, b"x"), 100000, False),  # less work than to read them
    "WINDOW_UPDATE": (many(WINDOW_UPDATE, struct.pack(">I", 1)), 100000, True),
    "PRIORITY": (many(http2.PRIORITY, b"\0\0\0\0\1", 99), 100000, True),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(start, name):
    relyd = start()
    flood, count, is_ended = FLOODS[name]
    resident = relyd.resident_bytes()
    with http2.Line(relyd.data) as line:
        line.ping()
        reader = threading.Thread(target=line.drain, daemon=True)
        reader.start()
        flood(line, count)
        slowest = 0
        for _ in range(5):
            began = time.monotonic()
            assert relyd.check().status == 401
            slowest = max(slowest, time.monotonic() - began)
        if is_ended:
            reader.join(wire.TIMEOUT)
            assert line.is_closed
        else:
            line.socket.shutdown(socket.SHUT_RDWR)
            reader.join(wire.TIMEOUT)
    assert relyd.resident_bytes() - resident < 256 << 20  # AddressSanitizer keeps as much of what was freed
    assert relyd.check().status == 401


@pytest.mark.parametrize("flood", [malformed_requests, window_overflow])
def test_resets_that_it_makes_relyd_send(shared, flood):
    """MadeYouReset: 100 in a second, whatever they are for."""
    with http2.Line(shared.data) as line:
        flood(line, 40)
        assert line.ask().status == 401
        for _ in range(20):  # at once fewer than streams may be open, together fewer than frames may be sent
            if line.ping():
                flood(line, 40)
        assert line.goaway[1] == ENHANCE_YOUR_CALM
    assert cuts(shared, "frames") >= 1


SILENT = {
    "zero windows": (http2.settings(initial_window_size=0), lambda line: [line.open(request(REVIEW)) for _ in range(100)]),
    "slow readers": (None, lambda line: [line.open(request(token="x.y.z")) for _ in range(100)]),
    "unfinished heads": (None, lambda line: line.send(frame(HEADERS, 0, 1, pack([*request(), ("x-a", "y" * 16000)])))),
    "unfinished bodies": (None, lambda line: [line.open(request(REVIEW, "POST"), is_last=False, body=b" " * 700) for _ in range(100)]),
    "watches": (None, lambda line: [line.open(request(WATCH, "POST", content_type="application/grpc"), body=bytes(5)) for _ in range(100)]),
    "watches behind zero windows": (http2.settings(initial_window_size=0),
                                    lambda line: [line.open(request(WATCH, "POST", content_type="application/grpc"), body=bytes(5)) for _ in range(100)]),
}


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.long
def test_a_thousand_that_hold_what_they_can(start, name):
    """At most 64 MiB more than a thousand idle connections take; others are served within 50 ms. (Fewer under ASan, which keeps
    what was freed.)"""
    relyd = start(workers=1, http__max_connections=2000)
    hello, hold = SILENT[name]
    count = scale.count(1000)
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(http2.Line(relyd.data, hello=hello)) for _ in range(count)]
        for line in lines:
            assert line.ping(), (line.goaway, line.resets, wire.ask(relyd.health, "GET", "/metrics").body.decode().split("cut_total{limit")[-11:], other)
        idle = relyd.resident_bytes()
        for line in lines:
            hold(line)
        wire.wait_for(lambda: relyd.check().status == 401, what="an answer behind them")
        waits = []
        for _ in range(20):
            began = time.monotonic()
            assert relyd.check().status == 401
            waits.append(time.monotonic() - began)
        assert relyd.resident_bytes() - idle < 64 << 20, (relyd.resident_bytes() - idle) >> 20
        assert sorted(waits)[10] < 0.05


def test_acknowledgement_without_settings(shared):
    with http2.Line(shared.data, hello=frame(SETTINGS, ACK)) as line:
        line.ask()
        line.drain() if line.goaway else None
    assert shared.check().status == 401


@pytest.mark.parametrize("hello", [b"", frame(PING, payload=b"12345678"), frame(SETTINGS, payload=b"12345"), b"GET / HTTP/1.1\r\n\r\n", frame(0, 0, 0, b"x")])
def test_a_connection_that_begins_wrong(shared, hello):
    with http2.Line(shared.data, hello=hello or b"\0" * 64) as line:
        line.drain()
        assert not line.answers
    assert shared.check().status == 401
