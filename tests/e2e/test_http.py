"""Requests that no client should send. After each, a good one must still be answered, and none may get two answers."""

import socket
import time

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

GET = b"GET /check/default HTTP/1.1\r\nHost: x\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % TOKENREVIEWS.encode()
BODY = b'{"spec":{"token":"x.y.z"}}'


def chunked(first):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + first


def length(value, body=BODY):
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + body


def line(value):
    return value + b"\r\nHost: x\r\n\r\n"


# name: (bytes, the right statuses)
CASES = {
    "control": (GET + b"\r\n", [401]),
    "control POST": (length(b"%d" % len(BODY)), [200]),
    "Content-Length and Transfer-Encoding": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "two Content-Lengths": (POST + b"Content-Length: 26\r\nContent-Length: 5\r\n\r\n" + BODY, [400]),
    "Content-Length list": (length(b"5, 6"), [400, 413]),
    "Content-Length -1": (length(b"-1"), [400, 413]),
    "Content-Length +5": (length(b"+5"), [400, 413]),
    "Content-Length 0x5": (length(b"0x5"), [400, 413]),
    "Content-Length 5 5": (length(b"5 5"), [400, 413]),
    "Content-Length empty": (length(b""), [400, 413]),
    "Content-Length abc": (length(b"abc"), [400, 413]),
    "Content-Length 2^64": (length(b"18446744073709551616"), [400, 413]),
    "Content-Length of 23 digits": (length(b"9" * 23), [400, 413]),
    "Content-Length 10 GB": (length(b"10737418240", b""), [400, 413]),
    "Transfer-Encoding identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", [400, 501]),
    "Transfer-Encoding xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400, 501]),
    "Transfer-Encoding gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", [400, 501]),
    "Transfer-Encoding with a blank before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunk size too large": (chunked(b"ffffffffffffffff1\r\n"), [400, 413]),
    "chunk size -1": (chunked(b"-1\r\nx"), [400, 413]),
    "chunk size 0x5": (chunked(b"0x5\r\nabcde\r\n0\r\n\r\n"), [400, 413]),
    "chunk size g": (chunked(b"g\r\n"), [400, 413]),
    "chunk size empty": (chunked(b"\r\n"), [400, 413]),
    "chunk without its end": (chunked(b"3\r\nabcXX0\r\n\r\n"), [400]),
    "bare CR in a header": (GET + b"X: a\rb\r\n\r\n", [400]),
    "NUL in a header": (GET + b"X: a\0b\r\n\r\n", [400]),
    "header without a colon": (GET + b"nonsense\r\n\r\n", [400]),
    "header without a name": (GET + b": x\r\n\r\n", [400]),
    "blank in a header's name": (GET + b"a b: x\r\n\r\n", [400]),
    "blank before the first header": (b"GET /check/default HTTP/1.1\r\n Host: x\r\n\r\n", [400]),
    "no Host": (b"GET /check/default HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": (GET + b"Host: y\r\n\r\n", [400]),
    "obs-fold": (GET + b"X: a\r\n b\r\n\r\n", [400, 401]),
    "header of 1 MB": (GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", [401]),
    "header of 1 MB elsewhere": (POST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", [431]),
    "10000 headers": (GET + b"X: a\r\n" * 10000 + b"\r\n", [401]),
    "101 headers": (POST + b"X: a\r\n" * 100 + b"\r\n", [431]),
    "Authorization of 100 kB": (GET + b"Authorization: Bearer " + b"a" * 100_000 + b"\r\n\r\n", [400, 401, 431]),
    "request line of 1 MB": (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [400, 414, 431]),
    "TRACE": (line(b"TRACE / HTTP/1.1"), [400, 404, 405, 501]),
    "CONNECT": (line(b"CONNECT x:443 HTTP/1.1"), [400, 404, 405, 501]),
    "method in lower case": (line(b"get /livez HTTP/1.1"), [400, 404, 405, 501]),
    "NUL in the method": (line(b"G\0T / HTTP/1.1"), [400]),
    "no version": (b"GET /nothing\r\n\r\n", [400, 404]),
    "HTTP/2.0": (line(b"GET /nothing HTTP/2.0"), [400, 505]),
    "HTTP/9.9": (line(b"GET /nothing HTTP/9.9"), [400, 505]),
    "http/1.1": (line(b"GET /nothing http/1.1"), [400]),
    "four words": (line(b"GET /nothing HTTP/1.1 x"), [400]),
    "absolute form": (line(b"GET http://evil.example/nothing HTTP/1.1"), [400, 404, 421]),
    "asterisk": (line(b"GET * HTTP/1.1"), [400, 404, 405]),
    "two slashes": (line(b"GET //evil.example/nothing HTTP/1.1"), [400, 404]),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, [400]),
    "zeros": (b"\0" * 1000, [400]),
    "path /../../etc/passwd": (line(b"GET /../../etc/passwd HTTP/1.1"), [400, 404]),
    "path %2e%2e": (line(b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), [400, 404]),
    "path %00": (line(b"GET /nothing%00.html HTTP/1.1"), [400, 404]),
    "path overlong": (line(b"GET /%c0%ae%c0%ae/ HTTP/1.1"), [400, 404]),
    "path ff fe": (line(b"GET /\xff\xfe HTTP/1.1"), [400, 404]),
    "path %zz": (line(b"GET /%zz HTTP/1.1"), [400, 404]),
    "path with a fragment": (line(b"GET /nothing#x HTTP/1.1"), [400, 404]),
    "Expect: garbage": (POST + b"Expect: garbage\r\nContent-Length: 26\r\n\r\n" + BODY, [200, 400, 417]),
    "body shorter than announced": (length(b"100"), [400, 408]),
    "Upgrade: h2c": (GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", [400, 401]),
    "Range": (GET + b"Range: bytes=0-0\r\n\r\n", [401, 416]),
    "gzip that is none": (POST + b"Content-Encoding: gzip\r\nContent-Length: 26\r\n\r\n" + BODY, [200, 400, 415]),
}


@pytest.mark.parametrize("name", CASES)
def test_right_status_or_closed(shared, name):
    data, right = CASES[name]
    received = wire.exchange(shared.data, data, seconds=0.7)
    found = wire.statuses(received)
    assert len(found) <= 1, f"two answers to one request: {received[:600]!r}"
    assert found and found[0] in right, received[:600]
    assert shared.check().status == 401


def test_pipelined_requests(shared):
    received = wire.exchange(shared.data, (GET + b"\r\n") * 100, seconds=3)
    assert wire.statuses(received) == [401] * 100


def test_pipelined_posts_with_bodies(shared):
    one = length(b"%d" % len(BODY))
    assert wire.statuses(wire.exchange(shared.data, one * 20, seconds=3)) == [200] * 20


def test_a_chunked_request_is_one_of_many(shared):
    one = chunked(b"1a\r\n" + BODY + b"\r\n0\r\n\r\n")
    received = wire.exchange(shared.data, one + GET + b"\r\n" + one, seconds=3)
    assert wire.statuses(received) == [200, 401, 200]
    assert b"connection: close" not in received.lower()


def test_trailers_do_not_smuggle(shared):
    token = shared.signer.sign(tokens.claims(ISSUER)).encode()
    data = b"POST /check/default HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
    assert wire.statuses(wire.exchange(shared.data, data, seconds=1)) in ([401], [400], [])


def test_expect_continue(shared):
    with wire.connect(shared.data) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 26\r\n\r\n")
        first = connection.recv(65536)
        assert first.startswith((b"HTTP/1.1 100", b"HTTP/1.1 4", b"HTTP/1.1 200"))
        if first.startswith(b"HTTP/1.1 100"):
            connection.sendall(BODY)
            assert b"HTTP/1.1 200" in first.partition(b"\r\n\r\n")[2] + connection.recv(65536)


@pytest.mark.threads
def test_slow_and_idle_clients_are_cut_off(start):
    """Idle, slow header, slow body, never reads: a good request is answered all the time, and they all end."""
    relyd = start(http__idle_timeout_ms=1500, http__head_timeout_ms=1500, http__body_timeout_ms=1500)
    relyd.put_world()
    held = [wire.connect(relyd.data) for _ in range(40)]
    for number, connection in enumerate(held):
        connection.setblocking(False)
        if number % 4 == 1:
            connection.send(b"GET /check/default HTTP/1.1\r\nX-Slow: ")
        if number % 4 == 2:
            connection.send(POST + b"Content-Length: 5000\r\n\r\n{")
        if number % 4 == 3:
            connection.send((GET + b"\r\n") * 50)
    end = time.monotonic() + 15
    open_ones = list(held)
    while open_ones and time.monotonic() < end:
        begin = time.monotonic()
        assert relyd.check().status == 401
        assert time.monotonic() - begin < 2
        for number, connection in enumerate(held):
            if number % 4 == 1 and connection in open_ones:
                try:
                    connection.send(b"a")
                except OSError:
                    pass
        open_ones = [connection for connection in open_ones if is_open(connection)]
        time.sleep(0.1)  # how fast the bodies come
    assert not open_ones
    for said in ("a request's head takes longer than http.head_timeout_ms", "a request's body takes longer than http.body_timeout_ms"):
        relyd.wait_for_words(said)
    for connection in held:
        connection.close()


def is_open(connection):
    try:
        while True:
            if not connection.recv(65536):
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.threads
def test_clients_that_leave(shared):
    """Connections that are reset at every possible moment."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    request = GET + b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    for count in list(range(0, len(request), 101)) + [len(request)] * 20:
        connection = wire.connect(shared.data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(request[:count])
        connection.close()
    assert shared.check(token).status == 200
