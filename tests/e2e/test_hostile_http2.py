"""What is hostile over HTTP/1.1, over HTTP/2: every row of the table of hostile requests that has a meaning there, and every target
of the doors' tables, which is answered as over HTTP/1.1. Chunks, line ends, versions and folded headers have none."""

import contextlib
import json
import re
import socket

import http2
import pytest
import test_doors
import tokens
import wire
from http2 import DATA, END_STREAM, frame, request
from service import ISSUER, TOKENREVIEWS

CHECK = "/check/default"
MALFORMED = {400, None}  # None: the stream is reset, unanswered


def check(method="GET", path=CHECK, *behind, **fields):
    return [*request(path, method, **fields), *behind]


ROWS = {  # name: (headers, body, right answers)
    "two different lengths": (check("POST", CHECK, ("content-length", "5"), ("content-length", "6")), b"12345", MALFORMED),
    **{f"length {length!r}": (check("POST", content_length=length), b"12345", MALFORMED)
       for length in ("5, 6", "-1", "+5", "0x5", "5 5", "", "abc", "18446744073709551616", "99999999999999999999999", "5;", "5.0", " 5", "4", "6")},
    **{f"transfer-encoding {coding}": (check("POST", transfer_encoding=coding), b"0\r\n\r\n", MALFORMED)
       for coding in ("chunked", "chunked, identity", "identity", "xchunked", "chunked\x0b", "gzip", "cow")},
    **{f"{byte!r} in a value": (check(x_a=f"a{byte}b"), None, MALFORMED) for byte in "\r\n\0\x01\x0b\x1f\x7f"},
    **{f"{byte!r} in the token": (check(authorization=f"Bearer TOKEN{byte}"), None, MALFORMED | {401}) for byte in "\r\n\0\x7f \t"},
    **{f"header name {name!r}": (check("GET", CHECK, (name, "b")), None, MALFORMED) for name in ("", "x a", " x-a", "x-a ", "x:a", "X-A", "x\0", "x\n", "x\x7f", "x(")},
    **{f"header name {name!r} beside a right token": (check("GET", CHECK, (name, "b"), authorization="Bearer TOKEN"), None, MALFORMED) for name in ("", "x a", "X-A", "x\n")},
    "a fold": (check(x_a="a\r\n b"), None, MALFORMED),
    "no host": (check(**{":authority": None}), None, MALFORMED),
    "two hosts": (check("GET", CHECK, ("host", "relyd"), ("host", "relyd")), None, MALFORMED),
    "two authorities": ([(":authority", "relyd"), *check()], None, MALFORMED),
    "a host with a path": (check(**{":authority": "relyd/x"}), None, MALFORMED),
    "two authorizations": (check("GET", CHECK, ("authorization", "Bearer TOKEN"), authorization="Bearer TOKEN"), None, {401}),
    "authorizations in a list": (check(authorization="Bearer TOKEN, Bearer TOKEN"), None, {401}),
    "basic": (check(authorization="Basic dTpw"), None, {401}),
    "bearer without a token": (check(authorization="Bearer"), None, {401}),
    "bearer with two tokens": (check(authorization="Bearer TOKEN TOKEN"), None, {401}),
    "a tab behind bearer": (check(authorization="Bearer\tTOKEN"), None, {401}),
    "the token in a query": (check("GET", CHECK + "?access_token=TOKEN"), None, {401, 403}),
    "the token in a cookie": (check("GET", CHECK, ("cookie", "access_token=TOKEN"), ("cookie", "authorization=Bearer TOKEN")), None, {401}),
    "an authorization of 15 kB": (check(authorization="Bearer " + "x" * 15000), None, {401}),
    **{f"method {method!r}": (check(method, "/v1/review"), None, {404, 405}) for method in ("TRACE", "OPTIONS", "DELETE", "get", "AAAAAAAAAAAA")},
    "a method with NUL": (check("G\0T"), None, MALFORMED),
    "an empty method": (check(""), None, MALFORMED),
    "an absolute target": (check("GET", "http://evil.example" + CHECK), None, MALFORMED),
    "a target without a slash": (check("GET", "check/default"), None, MALFORMED),
    "an asterisk that is not asked for options": (check("GET", "*"), None, MALFORMED),
    **{f"{byte!r} in a target": (check("GET", CHECK + "/" + byte), None, MALFORMED) for byte in " \0\x01\t\x0b\x1f\x7f"},
    **{f"{name} is none of HTTP/2's": (check("GET", CHECK, (name, value), authorization="Bearer TOKEN"), None, MALFORMED)
       for name, value in (("connection", "authorization"), ("connection", "close"), ("keep-alive", "timeout=5"), ("proxy-connection", "x"), ("upgrade", "h2c"), ("te", "gzip"), (":x", "y"), (":status", "200"))},
    "te: trailers": (check(te="trailers", authorization="Bearer TOKEN"), None, {200}),
    "a range": (check(range="bytes=0-1", authorization="Bearer TOKEN"), None, {200}),
    "a post without a length": (check("POST", "/v1/review", content_type="application/json"), b'{"token":"x"}', {200}),
    "text": (check("POST", "/v1/review", content_type="text/plain"), b'{"token":"x"}', {415}),
    "gzip": (check("POST", "/v1/review", content_type="application/json", content_encoding="gzip"), b"\x1f\x8b", {400, 415}),
}

BODIES = {"empty": b"", "cut": b'{"spec":', "null": b"null", "a list": b"[]", "no spec": b"{}", "no token": b'{"spec":{}}', "a null token": b'{"spec":{"token":null}}',
          "a token that is a list": b'{"spec":{"token":[]}}', "two specs": b'{"spec":{"token":"a"},"spec":{"token":"b"}}',
          "a Pod": b'{"kind":"Pod","spec":{"token":"a"}}', "audiences of numbers": b'{"spec":{"token":"a","audiences":[1]}}',
          "100,000 open lists": b"[" * 100000, "50,000 open objects": b'{"a":' * 25000, "not UTF-8": b'{"spec":{"token":"\xff"}}', "garbage behind": b'{"spec":{"token":"a"}} x'}


@pytest.fixture(scope="module")
def token(shared):
    return shared.signer.sign(tokens.claims(ISSUER))


def with_token(text, token):
    return text.replace("TOKEN", token) if isinstance(text, str) else text


@pytest.mark.parametrize("name", ROWS)
def test_a_hostile_request(shared, token, name):
    headers, body, right = ROWS[name]
    with http2.Line(shared.data) as line:
        stream = line.open([(field, with_token(value, token)) for field, value in headers], body=body)
        answer = line.wait(stream)
        assert (None if answer is None else answer.status) in right, answer
        assert 200 in right or answer is None or answer.header("x-relyd-identity") is None
        assert not line.is_closed and line.ask(token=token).status == 200  # its neighbours are served


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_token_review(shared, name):
    """As over HTTP/1.1, word for word."""
    body = BODIES[name]
    over_1 = wire.ask(shared.data, "POST", TOKENREVIEWS, body, {"Content-Type": "application/json"})
    with http2.Line(shared.data) as line:
        over_2 = line.ask(TOKENREVIEWS, "POST", body=body, content_type="application/json")
        assert 400 <= over_1.status < 500
        assert (over_2.status, over_2.json()) == (over_1.status, json.loads(over_1.body))


def test_a_length_of_10_gb(shared):
    with http2.Line(shared.data) as line:
        stream = line.open(request("/v1/review", "POST", content_type="application/json", content_length="10000000000"), is_last=False)
        assert line.wait(stream).status == 413
        assert line.ask().status == 401


def test_an_end_in_the_middle_of_a_body(shared):
    with http2.Line(shared.data) as line:
        stream = line.open(request("/v1/review", "POST", content_type="application/json", content_length="50"), is_last=False)
        line.send(frame(DATA, 0, stream, b'{"token"'))
        line.socket.shutdown(socket.SHUT_WR)
        assert line.drain().resets[stream] == http2.CANCEL and stream not in line.answers


def test_a_body_shorter_than_its_length(shared):
    with http2.Line(shared.data) as line:
        stream = line.open(request("/v1/review", "POST", content_type="application/json", content_length="50"), is_last=False)
        line.send(frame(DATA, END_STREAM, stream, b'{"token":"x"}'))
        assert line.wait(stream) is None and line.resets[stream] == http2.PROTOCOL_ERROR


OWN = ("date", "connection", "x-relyd-decision-id")  # of each answer, or of HTTP/1.1
TARGETS = [*test_doors.BELOW, *test_doors.UNKNOWN_ROUTE, *test_doors.INVALID_QUERY, *test_doors.RESTRICTED, *test_doors.NOTHING]


def without_id(body):
    return re.sub(rb'"decisionId":"\w+"', b"", body)


@pytest.mark.parametrize("part", range(8))
def test_doors_over_http2(shared, token, part):
    """Each target of the doors' tables: the same status, headers and body as over HTTP/1.1."""
    with http2.Line(shared.data) as line, contextlib.closing(test_doors.Line(shared.data)) as other:
        for target in TARGETS[part::8]:
            if not target.startswith("/"):
                continue
            for method in test_doors.METHODS:
                status, headers, body = other.ask(method, target, f"Authorization: Bearer {token}")
                answer = line.ask(target.encode("latin-1"), method, token=token)
                found = {name: value for name, value in answer.headers if name not in OWN}
                expected = {name: value for name, value in headers.items() if name not in OWN}
                assert (answer.status, found, without_id(answer.body)) == (status, expected, without_id(body)), (method, target)
