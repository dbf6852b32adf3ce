"""What a target means, byte for byte: paths that lead elsewhere after normalising, queries that are the client's, odd forms.

The property over thousands of paths is another file's; here each answer is written down. Faults A1, A2, A3, C14 and D.
"""

import contextlib
import json
import time

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X-ANY")

# Below /check/default/ all is the client's: decided by the token alone.
BELOW = """
/check/default
/check/default?
/check/default/
/check/default//
/check/default/orders/7
/check/default/../../livez
/check/default/../../readyz
/check/default/../../metrics
/check/default/../../v1/review
/check/default/../livez
/check/default/..
/check/default/../..
/check/default/../../..
/check/default/../../../../../../../../livez
/check/default/./../../livez
/check/default/.//.././../livez
/check/default/..//../livez
/check/default//../../livez
/check/default/x/../../../livez
/check/default/..;/..;/livez
/check/default/..%2f..%2flivez
/check/default/..%2F..%2Flivez
/check/default/%2e%2e/%2e%2e/livez
/check/default/%2E%2E/%2E%2E/metrics
/check/default/.%2e/.%2e/livez
/check/default/%2e%2e%2f%2e%2e%2flivez
/check/default/%252e%252e/%252e%252e/livez
/check/default/..%5c..%5clivez
/check/default/..\\..\\livez
/check/default/%c0%ae%c0%ae/%c0%ae%c0%ae/livez
/check/default/..%00/livez
/check/default/%00
/check/default/%0d%0aX-Relyd-Identity:%20admin
/check/default/%zz
/check/default/%
/check/default/%2
/check/default/a%20b
/check/default/*
/check/default/#x
/check/default/;x=y
/check/default/@
/check/default/:80
/check/default/~
/check/default/'"<>`{}|^
/check/default/\xff\xfe
/check/default/\xc3\xa9
/check/default/http://evil.example/livez
/check/default/?aud=other
/check/default/?aud=relyd&aud=other&identity=nobody
/check/default/?identity=nobody
/check/default/orders?aud=other
/check/default/orders?aud=%zz
/check/default/orders?&&=&%00
/check/default/orders?audience=x
/check/default/../..?aud=other
/check/default/..%3Faud=other
/check/default//?aud=other
/check/default/x?y?z#aud=other
/check/default?aud=relyd
/check/default?aud=%72elyd
/check/default?%61ud=relyd
/check/default?identity=payments-api
/check/default?identity=payments-api&aud=relyd
http://relyd/check/default
HTTP://relyd/check/default
https://relyd/check/default
http://relyd:8480/check/default/
http://user:pass@relyd/check/default
http:///check/default
http://relyd/check/default/../../livez
http://relyd/check/default/?aud=other
http://relyd#x/check/default
http://[::1]:1/check/default/%2e%2e/%2e%2e/livez
http://relyd/check/default?aud=relyd
""".split("\n")[1:-1]

# 403 unknown_route, whatever the token is.
UNKNOWN_ROUTE = """
/check/
/check//
/check//default
/check/?
/check/?aud=relyd
/check/defaul
/check/defaultx
/check/Default
/check/DEFAULT
/check/default%2f
/check/default%2F..%2F..%2Flivez
/check/default%2e
/check/default%00
/check/default%
/check/default%20
/check/%64efault
/check/defaul%74
/check/default;x
/check/default;/../../livez
/check/default#f
/check/default*
/check/default:
/check/default\\
/check/default&aud=relyd
/check/default\xff
/check/.default
/check/default.
/check/./default
/check/../check/default
/check/../livez
/check/../../livez
/check/..
/check/..%2flivez
/check/%2e%2e/livez
/check/%2e%2e%2flivez
/check/.
/check/livez
/check/metrics
/check/other
/check/other/
/check/other/default
/check/other?aud=relyd
/check/*
/check/check/default
/check/v1/review
http://relyd/check/
http://relyd/check/other
http://relyd/check/../livez
""".split("\n")[1:-1]

# The query of exactly /check/default is the gateway's: what is meant to restrict is never lost. 403 invalid_query.
INVALID_QUERY = """
/check/default?x
/check/default?x=1
/check/default?42
/check/default?aud=relyd&aud=relyd
/check/default?aud=relyd&aud=other
/check/default?aud=relyd&%61ud=relyd
/check/default?aud=relyd&%61%75%64=other
/check/default?identity=payments-api&identity=payments-api
/check/default?identity=payments-api&identity=admin
/check/default?audience=relyd
/check/default?Aud=relyd
/check/default?aud[]=relyd
/check/default?aud%20=relyd
/check/default?+aud=relyd
/check/default?aud=relyd&x
/check/default?aud=relyd&
/check/default?&aud=relyd
/check/default?aud=relyd&&identity=payments-api
/check/default?&
/check/default?=
/check/default?=relyd
/check/default??aud=relyd
/check/default?aud=%zz
/check/default?aud=%
/check/default?aud=relyd%2
/check/default?aud=relyd%00
/check/default?aud=%00relyd
/check/default?aud=%ff
/check/default?aud=\xff
/check/default?aud=%c0%ae
/check/default?aud=%ed%a0%80
/check/default?aud%00=relyd
/check/default?%00
/check/default?access_token=x
/check/default?aud=relyd&identity=payments-api&x=1
http://relyd/check/default?x
""".split("\n")[1:-1]

# A restriction that is read, and that nothing meets.
RESTRICTED = {
    "/check/default?aud=other": "audience_mismatch",
    "/check/default?aud=": "audience_mismatch",
    "/check/default?aud": "audience_mismatch",
    "/check/default?aud=Relyd": "audience_mismatch",
    "/check/default?aud=relyd%20": "audience_mismatch",
    "/check/default?aud=relyd+": "audience_mismatch",
    "/check/default?aud=relyd;identity=x": "audience_mismatch",
    "/check/default?aud=relyd#": "audience_mismatch",
    "/check/default?aud=relyd?": "audience_mismatch",
    "/check/default?aud=relyd/": "audience_mismatch",
    "/check/default?aud=relyd%26aud%3Dother": "audience_mismatch",
    "/check/default?identity=nobody": "no_matching_credential",
    "/check/default?identity=": "no_matching_credential",
    "/check/default?identity": "no_matching_credential",
    "/check/default?identity=payments-api%20": "no_matching_credential",
    "/check/default?identity=Payments-API": "no_matching_credential",
}

# No check, and nothing else either.
NOTHING = """
/
//
/check
/check?aud=relyd
/check%2Fdefault
/check%2fdefault/../../livez
/checks/default
/checkdefault
/Check/default
/CHECK/default
/%63heck/default
//check/default
///check/default
/./check/default
/../check/default
/x/../check/default
/%2e/check/default
/;/check/default
\\check\\default
check/default
*
x:443
ftp://relyd/check/default
http:/check/default
http:check/default
http//relyd/check/default
http://relyd
http://relyd/
http://relyd?x=/check/default
http://relyd/check
http://relyd//check/default
?/check/default
#/check/default
/livez
/readyz
/metrics
/livez/
/x/../livez
/v1/review/
/v1//review
/v1/./review
/v1/x/../review
/v1%2Freview
/v1/revie%77/
/v1/issuers
/v1/explain
/apis/authentication.k8s.io/v1/tokenreviews/
/apis/authentication%2ek8s.io/v1/tokenreviews
/apis//authentication.k8s.io/v1/tokenreviews
/apis/authentication.k8s.io/v2/tokenreviews
/apis/x/../authentication.k8s.io/v1/tokenreviews
/\xff
/%00
/%zz
""".split("\n")[1:-1]


class Line:
    """A connection on which targets are sent as they are (`latin-1` keeps their bytes), one at a time."""

    def __init__(self, address):
        self.address, self.socket, self.received = address, None, b""

    def ask(self, method, target, *lines, body=b""):
        """(status, headers, body)"""
        if self.socket is None:
            self.socket, self.received = wire.connect(self.address), b""
        head = [f"{method} {target} HTTP/1.1", "Host: relyd", *lines]
        self.socket.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        status, headers = self.read_head()
        if status == 100:
            status, headers = self.read_head()
        length = 0 if method == "HEAD" or status == 204 else int(headers["content-length"])
        self.read_until(lambda: len(self.received) >= length)
        answer, self.received = self.received[:length], self.received[length:]
        if headers["connection"] == "close":
            assert self.socket.recv(1) == b"", "bytes behind the last answer"
            self.close()
        assert self.received == b"", "bytes behind an answer"
        return status, headers, answer

    def read_until(self, is_enough):
        while not is_enough():
            piece = self.socket.recv(65536)
            assert piece, f"closed in the middle: {self.received[:300]}"
            self.received += piece

    def read_head(self):
        self.read_until(lambda: b"\r\n\r\n" in self.received)
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, name
            headers[name.lower()] = value
        return int(first.split()[1]), headers

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


@contextlib.contextmanager
def line_to(address):
    line = Line(address)
    try:
        yield line.ask
    finally:
        line.close()


def send(address, method, target, *lines, body=b""):
    """One request on a connection of its own."""
    with line_to(address) as ask:
        return ask(method, target, *lines, body=body)


@pytest.fixture
def ask(shared):
    """ask(method, target, header lines...) on one connection to the data plane."""
    with line_to(shared.data) as one:
        yield one


def check_refusal(answer, status, reason):
    found, headers, _ = answer
    assert (found, headers.get("x-relyd-reason")) == (status, reason), answer
    assert not [name for name in headers if name in ("x-relyd-identity", "x-relyd-username", "x-relyd-subject")]


@pytest.fixture(scope="module")
def bearer(shared):
    return f"Authorization: Bearer {shared.signer.sign(tokens.claims(ISSUER))}"


def test_the_tables_are_long():
    assert len(BELOW) + len(UNKNOWN_ROUTE) + len(INVALID_QUERY) + len(RESTRICTED) + len(NOTHING) >= 120


@pytest.mark.parametrize("target", BELOW)
def test_a1_the_token_alone_decides(ask, bearer, target):
    for method in METHODS:
        status, headers, _ = ask(method, target, bearer)
        assert (status, headers.get("x-relyd-identity")) == (200, "payments-api"), (method, target)
        check_refusal(ask(method, target), 401, "no_token")
        check_refusal(ask(method, target, "Authorization: Bearer x.y.z"), 401, "malformed_token")


@pytest.mark.parametrize("target", UNKNOWN_ROUTE)
def test_c14_no_such_route(ask, bearer, target):
    for method in METHODS:
        for lines in ([bearer], [], ["Authorization: Bearer x.y.z"]):
            check_refusal(ask(method, target, *lines), 403, "unknown_route")


@pytest.mark.parametrize("target", INVALID_QUERY)
def test_a3_a_query_that_is_not_the_checks(ask, bearer, target):
    for method in METHODS:
        check_refusal(ask(method, target, bearer), 403, "invalid_query")
        check_refusal(ask(method, target), 401, "no_token")


@pytest.mark.parametrize("target", RESTRICTED)
def test_a3_a_restriction_that_is_not_met(ask, bearer, target):
    for method in METHODS:
        check_refusal(ask(method, target, bearer), 403, RESTRICTED[target])
        check_refusal(ask(method, target), 401, "no_token")


@pytest.mark.parametrize("target", NOTHING)
def test_a1_nothing_is_resolved(ask, bearer, target):
    for method in METHODS:
        status, headers, body = ask(method, target, bearer)
        media_type, code = ("application/json", 404) if target.startswith("/apis/") else ("application/problem+json", "not_found")
        assert (status, headers.get("content-type")) == (404, media_type), (method, target, body)
        assert method == "HEAD" or json.loads(body)["code"] == code


def test_connect(shared, bearer):
    """By its authority-form it names nothing; with a path it is a check like any other."""
    assert send(shared.data, "CONNECT", "relyd:443", bearer)[0] == 404
    check_refusal(send(shared.data, "CONNECT", "/check/default"), 401, "no_token")
    check_refusal(send(shared.data, "CONNECT", "/check/default/../../livez"), 401, "no_token")


@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\t", b"\x0b", b"\x1f", b"\x7f"])
def test_control_characters_in_a_target_are_no_http(shared, byte):
    """400 and closed, before it is a check."""
    received = wire.exchange(shared.data, b"GET /check/default/" + byte + b" HTTP/1.1\r\nHost: x\r\n\r\n", seconds=2)
    assert wire.statuses(received) in ([400], [])


def test_long_targets(shared, bearer):
    for prefix, with_token, without in (
        ("/check/default/", (200, None), (401, "no_token")),
        ("/check/default/?", (200, None), (401, "no_token")),
        ("/check/default?aud=", (403, "audience_mismatch"), (401, "no_token")),
        ("/check/default?", (403, "invalid_query"), (401, "no_token")),
        ("/check/", (403, "unknown_route"), (403, "unknown_route")),
        ("/check/default/" + "../" * 10000, (200, None), (401, "no_token")),
    ):
        target = prefix + "a" * (60 * 1024 - len(prefix))
        for lines, expected in (([bearer], with_token), ([], without)):
            status, headers, _ = send(shared.data, "GET", target, *lines)
            assert (status, headers.get("x-relyd-reason")) == expected, prefix


def test_a_head_that_is_too_long(shared, bearer):
    """What makes a head so long is a token, in practice; a 431 would be a 500 at nginx."""
    padding = "X-Padding: " + "a" * 70_000
    check_refusal(send(shared.data, "GET", "/check/default", bearer, padding), 401, "token_too_large")
    check_refusal(send(shared.data, "GET", "/check/default/" + "a" * 70_000, bearer), 401, "token_too_large")
    status, headers, body = send(shared.data, "POST", "/v1/review", padding)
    assert (status, headers["content-type"], json.loads(body)["code"]) == (431, "application/problem+json", "head_too_large")
    status, headers, body = send(shared.data, "POST", TOKENREVIEWS, padding)
    assert (status, json.loads(body)["kind"], json.loads(body)["code"]) == (431, "Status", 431)


@pytest.mark.parametrize("version, lines, status, reason, words", [
    ("HTTP/1.1", ["Transfer-Encoding: gzip"], 403, "invalid_query", "The Transfer-Encoding of a request can only be chunked."),
    ("HTTP/2.0", [], 403, "invalid_query", "This listener speaks HTTP/1.1."),
    ("HTTP/1.1", ["X: y"] * 100, 401, "token_too_large", "token"),
])  # fmt: skip
def test_a_check_whose_head_is_refused(shared, bearer, version, lines, status, reason, words):
    """501, 505 and 431 would be a 500 at nginx; it is a check all the same, and never a yes."""
    received = wire.exchange(shared.data, "\r\n".join([f"GET /check/default {version}", "Host: x", bearer, *lines]).encode() + b"\r\n\r\n", seconds=2)
    assert wire.statuses(received) == [status]
    assert b"Connection: close\r\n" in received and f"x-relyd-reason: {reason}\r\n".encode() in received
    assert words in json.loads(received.partition(b"\r\n\r\n")[2])["error_description"]


# --- bodies ---------------------------------------------------------------------------------------------------------

LENGTH = "Content-Length: %d"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize("path", ["/check/default", "/check/default/x", "http://relyd/check/default"])
def test_a_body_does_not_matter(ask, bearer, path):
    full = b"x" * (128 * 1024)
    for lines, body in (
        ((LENGTH % 0,), b""),
        ((LENGTH % 5,), b"hello"),
        ((LENGTH % len(full),), full),
        (("Content-Type: application/json", LENGTH % 2), b"{]"),
        ((CHUNKED,), b"5\r\nhello\r\n0\r\n\r\n"),
        (("Expect: 100-continue", LENGTH % 0), b""),
        (("Content-Encoding: gzip", LENGTH % 5), b"hello"),
    ):
        for method in ("GET", "POST", "PUT", "DELETE"):
            status, headers, _ = ask(method, path, bearer, *lines, body=body)
            assert (status, headers.get("x-relyd-identity")) == (200, "payments-api"), (lines, method)
            check_refusal(ask(method, path, *lines, body=body), 401, "no_token")


BROKEN = {
    "too large": ((LENGTH % (128 * 1024 + 1),), b""),
    "much too large": ((LENGTH % 10**12,), b""),
    "too large in chunks": ((CHUNKED,), b"20001\r\n" + b"x" * 0x20001),
    "no chunk size": ((CHUNKED,), b"x\r\n"),
    "chunk without its end": ((CHUNKED,), b"3\r\nabcXX0\r\n\r\n"),
    "another expectation": (("Expect: cake", LENGTH % 2), b"hi"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("path", ["/check/default", "/check/other", "/check/default/../../v1/review", "http://relyd/check/default"])
def test_b15_a_body_that_cannot_be_read_does_not_matter(shared, bearer, name, path):
    """Never 400, 413 or 417, which are 500 at nginx: the token alone is judged. What follows is never a request."""
    lines, body = BROKEN[name]
    for sent in ([bearer], []):
        received = wire.exchange(
            shared.data,
            "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *sent, *lines]).encode() + b"\r\n\r\n" + body
            + b"\r\n\r\n" + f"GET /check/default HTTP/1.1\r\nHost: x\r\n{bearer}\r\n\r\n".encode() * 2, seconds=5, is_open=True,
        )
        expected = 403 if path == "/check/other" else 200 if sent else 401
        assert wire.statuses(received) == [expected], received
        assert (b"x-relyd-identity" in received) == (expected == 200)
        assert b"Connection: close\r\n" in received


@pytest.mark.parametrize("lines", [(LENGTH % 77,), (CHUNKED,), (LENGTH % 10**12,), (LENGTH % 77, "Expect: 100-continue")])
def test_b15_a_check_does_not_wait_for_its_body(shared, bearer, lines):
    """nginx passes on Content-Length and no body, unless it is told otherwise."""
    with contextlib.closing(wire.connect(shared.data)) as connection:
        begin = time.monotonic()
        connection.sendall("\r\n".join(["GET /check/default HTTP/1.1", "Host: x", bearer, *lines]).encode() + b"\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        assert time.monotonic() - begin < 2
        assert received.startswith(b"HTTP/1.1 200 ") and b"Connection: close\r\n" in received
        connection.sendall(b"x" * 77)  # what comes late is thrown away
        assert connection.recv(1) == b""


def test_b15_a_body_on_its_way_does_not_cost_the_answer(shared, bearer):
    """Whoever reads only when all is sent finds the answer: the kernel would throw it away if relyd closed at once."""
    with contextlib.closing(wire.connect(shared.data)) as connection:
        head = "\r\n".join(["POST /check/default HTTP/1.1", "Host: x", bearer, LENGTH % 2**20]).encode() + b"\r\n\r\n"
        for part in (head, *[b"x" * 2**15] * 32):
            connection.sendall(part)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name, status, code", [
    ("too large", 413, "body_too_large"),
    ("too large in chunks", 413, "body_too_large"),
    ("no chunk size", 400, "malformed_request"),
    ("another expectation", 417, "expectation_failed"),
])  # fmt: skip
def test_refused_bodies_are_problems_elsewhere(shared, name, status, code):
    """Fault D: 413 was the library's text/plain."""
    lines, body = BROKEN[name]
    if name == "too large":
        lines = (LENGTH % (3 * 1024 * 1024),)
    if name == "too large in chunks":
        body = b"300000\r\n" + b"x" * 0x300000
    for address, path in ((shared.data, "/v1/review"), (shared.data, "/nothing"), (shared.admin_tcp, "/v1/issuers"), (shared.socket, "/nothing")):
        head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines]).encode() + b"\r\n\r\n"
        received = wire.exchange(address, head + body, seconds=5, is_open=True)
        assert wire.statuses(received) == [status], received
        assert b"content-type: application/problem+json\r\n" in received
        assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == code
    received = wire.exchange(shared.data, f"POST {TOKENREVIEWS} HTTP/1.1\r\nHost: x\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + body, seconds=5, is_open=True)
    assert json.loads(received.partition(b"\r\n\r\n")[2])["kind"] == "Status"
    assert wire.statuses(received) == [status]


@pytest.mark.parametrize("path", ["/check/default", "/v1/review", TOKENREVIEWS, "/nothing"])
def test_a_head_with_two_meanings_has_no_path(shared, bearer, path):
    """So it is answered in no protocol's form: 400, and never a yes."""
    received = wire.exchange(shared.data, f"GET {path} HTTP/1.1\r\nHost: x\r\nHost: y\r\n{bearer}\r\n\r\n".encode(), seconds=2)
    assert wire.statuses(received) == [400]
    assert b"content-type: application/problem+json\r\n" in received
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "malformed_request"


# --- relyd's own protocol -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Audiences", "audience", "aud", "identities", "x", "tokens ", ""])
def test_a3_a_review_refuses_what_it_does_not_know(shared, name):
    """A misspelt restriction is none: it is refused, with its name."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    answer = wire.ask(shared.data, "POST", "/v1/review", {"token": token, name: ["other"]})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_body")
    assert [(entry["field"], entry["code"]) for entry in answer.json()["errors"]] == [(name, "unknown_field")]


def test_a_review_names_each_wrong_field(shared):
    """As the control plane does, and docs/api.md says of every refused body."""
    answer = wire.ask(shared.data, "POST", "/v1/review", {"audience": "a", "audiences": "a", "identity": 7})
    assert answer.status == 400
    assert [(entry["field"], entry["code"]) for entry in answer.json()["errors"]] == [
        ("audience", "unknown_field"), ("token", "required"), ("identity", "wrong_type"), ("audiences", "wrong_type")]
    answer = wire.ask(shared.data, "POST", "/v1/review", {"token": "x", "audiences": ["a"] * 33})
    assert answer.json()["errors"] == [{"field": "audiences", "code": "too_many", "message": "audiences has more than 32 entries"}]


def test_what_a_request_may_accept(shared):
    """32 audiences, and an identity that is a text: a restriction that cannot be read is none that may be passed over."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    many = [f"a{number}" for number in range(31)]
    for path, status in (("/v1/review", None), (TOKENREVIEWS, "status")):
        def ask(**members):
            body = {"token": token} | members
            answer = wire.ask(shared.data, "POST", path, {"spec": body} if status else body)
            return answer.status, answer.json()
        code, told = ask(audiences=["relyd", *many])
        assert code == 200 and (told["status"]["authenticated"] if status else told["decision"] == "allow")
        assert ask(audiences=["relyd", *many, "b"])[0] == 400
        assert ask(audiences=["relyd", 7])[0] == 400
        assert ask(audiences="relyd")[0] == 400
    assert ask(identity="nobody")[0] == 200  # no member of a TokenReview, which tolerates others
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        answer = wire.ask(shared.data, "POST", "/v1/review", {"token": token}, {"Content-Type": kind})
        assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")
    for identity in (7, True, ["payments-api"], {}):
        answer = wire.ask(shared.data, "POST", "/v1/review", {"token": token, "identity": identity})
        assert (answer.status, answer.json()["code"]) == (400, "invalid_body")
    assert wire.ask(shared.data, "POST", "/v1/review", {"token": token, "identity": None}).json()["decision"] == "allow"
    assert wire.ask(shared.data, "POST", "/v1/review", {"token": token, "identity": "nobody"}).json()["reason"] == "no_matching_credential"


def test_b13_what_is_shed_is_503_on_every_door(start):
    """No answer about the token: 503 without a challenge, which asks for another token; kube-apiserver must not cache it."""
    relyd = start(keys__kidless_failures_per_s=1, workers=1)
    relyd.put_issuer("shed", "https://shed.example", keys={"jwks": tokens.jwks(tokens.key("right"))})
    forged = tokens.key("wrong").sign(tokens.claims("https://shed.example"), kid=None)
    good = {"token": forged}

    def shed():
        for _ in range(4):
            relyd.check(forged)
        asked = relyd.check(forged), wire.ask(relyd.data, "POST", TOKENREVIEWS, {"spec": good}), wire.ask(relyd.data, "POST", "/v1/review", good)
        return [answer.status for answer in asked] == [503, 503, 503] and asked

    check, tokenreview, review = wire.wait_for(shed, what="a second that is used up")
    assert (check.header("x-relyd-reason"), check.header("www-authenticate")) == ("overloaded", None)
    told = tokenreview.json()
    assert (told["kind"], told["reason"], told["code"]) == ("Status", "ServiceUnavailable", 503)
    assert told["message"] == f"overloaded: {review.json()['detail']}"
    assert review.json()["detail"].startswith("Too many signatures of this issuer's tokens have failed in this second")
    assert (review.json()["decision"], review.json()["reason"]) == ("deny", "overloaded")


@pytest.mark.parametrize("query, code", [("aud=relyd", "unknown_field"), ("x", "unknown_field"), ("%zz", "invalid_value"), ("&", "invalid_value")])
def test_a_review_has_no_query(shared, query, code):
    token = shared.signer.sign(tokens.claims(ISSUER))
    answer = wire.ask(shared.data, "POST", f"/v1/review?{query}", {"token": token})
    assert (answer.status, answer.json()["code"], answer.json()["errors"][0]["code"]) == (400, "invalid_query", code)
    assert wire.ask(shared.data, "POST", "/v1/review?", {"token": token}).status == 200


def test_a_tokenreview_has_kubernetes_tolerance(shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    for query in ("timeout=30s", "timeout=30s&timeout=1s", "x", "fieldValidation=Strict", "%zz", "&&"):
        answer = wire.ask(shared.data, "POST", f"{TOKENREVIEWS}?{query}", {"spec": {"token": token, "audience": "x"}, "y": 1})
        assert answer.json()["status"]["authenticated"] is True


@pytest.mark.parametrize("path", ["/v1/review", TOKENREVIEWS, TOKENREVIEWS.replace("v1", "v1beta1"), "http://relyd/v1/review"])
def test_c14_methods_that_are_allowed(shared, path):
    for method in METHODS:
        status, headers, _ = send(shared.data, method, path)
        assert (status, headers.get("allow")) == ((405, "POST") if method != "POST" else (400, None)), method


# --- the control plane ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(shared):
    """The shared one with a second issuer: nothing here changes it."""
    shared.put_issuer("spare", "https://spare.example", keys={"jwks": tokens.jwks(tokens.key("spare"))})
    return shared


DETOURS = """
/v1/identities/..%2Fissuers%2Fspare
/v1/identities/..%2fissuers%2fspare
/v1/identities/%2e%2e/issuers/spare
/v1/identities/../issuers/spare
/v1/identities/%2E%2E%2Fissuers%2Fspare
/v1/identities/..%252Fissuers%252Fspare
/v1/identities/..%5Cissuers%5Cspare
/v1/identities/x/../../issuers/spare
/v1/identities/payments-api/../../issuers/spare
/v1/identities/payments-api%2FfederatedIdentityCredentials%2Fbuilder
/v1/identities/payments-api/federatedIdentityCredentials%2Fbuilder
/v1/identities/payments-api/federatedIdentityCredentials/..%2F..%2F..%2Fissuers%2Fspare
/v1/issuers/./spare
/v1/issuers//spare
/v1//issuers/spare
//v1/issuers/spare
/./v1/issuers/spare
/x/../v1/issuers/spare
/v1/x/../issuers/spare
/v1%2Fissuers%2Fspare
/v1/issuers%2Fspare
/v1/issuers/spare/
/v1/issuers/spare//
/v1/issuers/spare/.
/v1/issuers/spare/x/..
/v1/issuers/spare%2F
/v1/issuers/spare%2f
/v1/issuers/spare%20
/v1/issuers/spare%00
/v1/issuers/%00spare
/v1/issuers/spare%3FwithCredentials=true
/v1/issuers/spare%23
/v1/issuers/spare%3B
/v1/issuers/spare;x
/v1/issuers/spare%
/v1/issuers/spare%7
/v1/issuers/spare%zz
/v1/issuers/sp%c3%a4re
/v1/issuers/sp\xe4re
/v1/issuers/Spare
/v1/issuers/spare#x
/v1/Issuers/spare
/check/default/../../v1/issuers/spare
/livez/../v1/issuers/spare
/livez%2F..%2Fv1%2Fissuers%2Fspare
http://localhost/v1/identities/..%2Fissuers%2Fspare
http://localhost//v1/issuers/spare
""".split("\n")[1:-1]


def test_a2_no_detour_reaches_another_object(world):
    """Fault A2: `%2F` was decoded before the path was split. 404, and nothing has changed."""
    revision = world.explain("x.y.z")["revision"]
    for target in DETOURS:
        for method in ("DELETE", "GET", "HEAD"):
            status, _, body = send(world.socket, method, target)
            assert (status, method == "HEAD" or json.loads(body)["code"] == "not_found") == (404, True), (method, target)
    for target in DETOURS:
        body = b'{"issuer":"https://spare.example","keys":{"jwks":{"keys":[]}},"enabled":false}'
        for method in ("PUT", "POST"):
            status = send(world.socket, method, target, "Content-Type: application/json", LENGTH % len(body), body=body)[0]
            assert status in (400, 404, 405), (method, target)
    assert world.explain("x.y.z")["revision"] == revision
    assert world.admin("GET", "/v1/issuers/spare").json()["enabled"] is True


def test_names_may_be_written_with_escapes_of_their_characters(world):
    """What a careful client library escapes is still that name; nothing else is."""
    assert world.admin("GET", "/v1/issuers/%73pare").json()["name"] == "spare"
    assert world.admin("GET", "/v1/identities/payments%2Dapi").json()["name"] == "payments-api"
    assert send(world.socket, "GET", "http://localhost/v1/issuers/spare")[0] == 200


QUERIES = {
    "GET /v1/issuers?limit=5&limit=6": [("limit", "duplicate")],
    "GET /v1/issuers?limit=5&limit=5": [("limit", "duplicate")],
    "GET /v1/issuers?limit=5&%6Cimit=6": [("limit", "duplicate")],
    "GET /v1/issuers?Limit=5": [("Limit", "unknown_field")],
    "GET /v1/issuers?x": [("x", "unknown_field")],
    "GET /v1/issuers?x=1&y=2&limit=5": [("x", "unknown_field"), ("y", "unknown_field")],
    "GET /v1/issuers?limit=5&": [("", "invalid_value")],
    "GET /v1/issuers?limit=%zz": [("limit", "invalid_value")],
    "GET /v1/issuers?after=a%00": [("after", "invalid_value")],
    "GET /v1/issuers?limit=0": [("limit", "invalid_value")],
    "GET /v1/issuers?limit=": [("limit", "invalid_value")],
    "GET /v1/issuers?limit=1001": [("limit", "invalid_value")],
    "GET /v1/issuers?limit=5x": [("limit", "invalid_value")],
    "GET /v1/identities?withCredentials=true": [("withCredentials", "unknown_field")],
    "GET /v1/identities/payments-api?limit=5": [("limit", "unknown_field")],
    "GET /v1/identities/payments-api/federatedIdentityCredentials?subject=x": [("subject", "unknown_field")],
    "GET /v1/issuers/spare/keys?x": [("x", "unknown_field")],
    "DELETE /v1/issuers/spare?withcredentials=true": [("withcredentials", "unknown_field")],
    "DELETE /v1/issuers/spare?withCredentials=true&withCredentials=false": [("withCredentials", "duplicate")],
    "DELETE /v1/issuers/spare?withCredentials=yes": [("withCredentials", "invalid_value")],
    "DELETE /v1/issuers/spare?withCredentials": [("withCredentials", "invalid_value")],
    "DELETE /v1/issuers/spare?dryRun=true": [("dryRun", "unknown_field")],
    "DELETE /v1/identities/payments-api?withCredentials=false": [("withCredentials", "unknown_field")],
    "PUT /v1/identities/payments-api?dryRun=true": [("dryRun", "unknown_field")],
    "POST /v1/identities?dryRun=true": [("dryRun", "unknown_field")],
    "POST /v1/explain?at=5": [("at", "unknown_field")],
}


@pytest.mark.parametrize("question", QUERIES)
def test_parameters_of_the_control_plane(world, question):
    """Fault D: unknown and repeated ones were ignored."""
    method, target = question.split()
    revision = world.explain("x.y.z")["revision"]
    answer = world.admin(method, target, {"name": "abc"} if method in ("PUT", "POST") else None)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_query")
    assert [(entry["field"], entry["code"]) for entry in answer.json()["errors"]] == QUERIES[question]
    assert world.explain("x.y.z")["revision"] == revision


def test_good_parameters_of_the_control_plane(relyd):
    relyd.put_world()
    relyd.put_issuer("spare", "https://spare.example", keys={"jwks": tokens.jwks(tokens.key("spare"))})
    assert [item["name"] for item in relyd.admin("GET", "/v1/issuers?limit=1&after=prod").json()["value"]] == ["spare"]
    assert relyd.admin("GET", "/v1/issuers?").status == 200
    assert relyd.admin("GET", "/v1/issuers?%6Cimit=%31").json()["nextLink"] == "/v1/issuers?limit=1&after=prod"
    assert relyd.admin("DELETE", "/v1/issuers/prod?withCredentials=false").status == 409
    assert relyd.admin("DELETE", "/v1/issuers/prod?withCredentials=true").status == 204


ALLOWED = {
    "/v1/issuers": "GET, HEAD, POST",
    "/v1/issuers/prod": "GET, HEAD, PUT, DELETE",
    "/v1/issuers/nobody": "GET, HEAD, PUT, DELETE",
    "/v1/issuers/prod/keys": "GET, HEAD",
    "/v1/identities": "GET, HEAD, POST",
    "/v1/identities/payments-api": "GET, HEAD, PUT, DELETE",
    "/v1/identities/payments-api/federatedIdentityCredentials": "GET, HEAD, POST",
    "/v1/identities/payments-api/federatedIdentityCredentials/builder": "GET, HEAD, PUT, DELETE",
    "/v1/explain": "POST",
    "/livez": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/metrics": "GET, HEAD",
}


@pytest.mark.parametrize("path", ALLOWED)
def test_c14_every_resource_says_what_it_allows(shared, path):
    for method in METHODS:
        if method in ALLOWED[path].split(", "):
            continue
        with line_to(shared.socket) as ask:
            status, headers, _ = ask(method, path)
        assert (status, headers.get("allow"), headers["content-type"]) == (405, ALLOWED[path], "application/problem+json")


def test_the_authority_of_an_absolute_form_stands_behind_the_guard(shared):
    """RFC 9112 s3.2.2: it counts, and Host does not."""
    assert send(shared.admin_tcp, "GET", "http://127.0.0.1/v1/issuers")[0] == 200
    status, _, body = send(shared.admin_tcp, "GET", "http://evil.example/v1/issuers")
    assert (status, json.loads(body)["code"]) == (403, "not_permitted")
