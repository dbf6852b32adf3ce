"""Issuers that answer wrongly, slowly, endlessly or elsewhere. Each must end in its right answer within the fetch
timeout, with bounded memory, without a request to anybody else, and without harm to the other issuers."""

import gzip
import json
import socket
import ssl
import threading
import time

import pytest
import tokens
import wire
from issuer import DISCOVERY, Authority, Issuer, authority, response
from service import Relyd

JWKS = "/openid/v1/jwks"
MEGABYTE = 1024 * 1024


class Place:
    """One issuer of the table: a path of its own on the server."""

    def __init__(self, server, base):
        self.server, self.base, self.url = server, base, server.url + base
        self.jwks = json.dumps(tokens.jwks(*server.keys)).encode()
        self.trap = f"https://127.0.0.1:{server.trap.port}"

    def discovery(self, **changes):
        return self.server.discovery(self.base, **changes)


def until_closed(connection, piece, pause=0.0):
    """Sends the same bytes again and again until the client has had enough."""
    while True:
        connection.sendall(piece)
        time.sleep(pause)


def raw(data, *more):
    """A key set's answer, byte for byte, and then what the functions in `more` do to the connection."""

    def serve(server, connection):
        connection.sendall(data)
        for step in more:
            step(connection)

    return serve


def redirect(location, status="302 Found"):
    return f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def chunks(body, size=1):
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


HEAD = b"HTTP/1.1 200 OK\r\n"
JSON_HEAD = HEAD + b"Content-Type: application/json\r\n"
hang = lambda connection: time.sleep(6)  # noqa: E731

# what the key set's URL answers: (place -> answer, the right reason; "either" where it is a matter of taste)
JWKS_ANSWERS = {
    "ok": (lambda p: response(p.jwks), "ok"),
    "jwkset": (lambda p: response(p.jwks, "200 OK", "application/jwk-set+json"), "ok"),
    "noct": (lambda p: HEAD + b"Content-Length: %d\r\n\r\n" % len(p.jwks) + p.jwks, "ok"),
    "chunked": (lambda p: JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(p.jwks), "ok"),
    "close": (lambda p: JSON_HEAD + b"Connection: close\r\n\r\n" + p.jwks, "ok"),
    "http10": (lambda p: b"HTTP/1.0 200 OK\r\n\r\n" + p.jwks, "ok"),
    "cookie": (lambda p: response(p.jwks, "200 OK", "application/json", "Set-Cookie: a=b"), "ok"),
    "ccbig": (lambda p: response(p.jwks, "200 OK", "application/json", "Cache-Control: max-age=99999999999999999999"), "ok"),
    "ccneg": (lambda p: response(p.jwks, "200 OK", "application/json", "Cache-Control: max-age=-1", "Expires: 0"), "ok"),
    "nostore": (lambda p: response(p.jwks, "200 OK", "application/json", "Cache-Control: no-store"), "ok"),
    "html": (lambda p: response(p.jwks, "200 OK", "text/html"), "either"),
    "e500": (lambda p: response(p.jwks, "500 Oops"), "no"),
    "e503": (lambda p: response(p.jwks, "503 Later", "application/json", "Retry-After: 86400"), "no"),
    "e404": (lambda p: response(p.jwks, "404 Not Found"), "no"),
    "c201": (lambda p: response(p.jwks, "201 Created"), "either"),
    "c204": (lambda p: b"HTTP/1.1 204 No Content\r\n\r\n", "no"),
    "c206": (lambda p: response(p.jwks, "206 Partial Content"), "no"),
    "c304": (lambda p: b"HTTP/1.1 304 Not Modified\r\n\r\n", "no"),
    "empty": (lambda p: response(b""), "no"),
    "nokeys": (lambda p: response("{}"), "no"),
    "emptykeys": (lambda p: response('{"keys":[]}'), "no"),
    "garbage": (lambda p: response("garbage"), "no"),
    "truncated": (lambda p: response(p.jwks[:-5]), "no"),
    "trailing": (lambda p: response(p.jwks + b"x"), "no"),
    "utf16": (lambda p: response(p.jwks.decode().encode("utf-16")), "no"),
    "dupmember": (lambda p: response(p.jwks[:-1] + b',"keys":[]}'), "no"),
    "deep": (lambda p: response(b"[" * 50000), "no"),
    "deeper": (lambda p: response(b'{"keys":' + b"[" * 30000), "no"),
    "manykeys": (lambda p: response(json.dumps({"keys": [{"kty": "x"}] * 20000 + json.loads(p.jwks)["keys"]})), "no"),
    "big": (lambda p: raw(JSON_HEAD + b"Content-Length: 67108864\r\n\r\n", lambda c: until_closed(c, b" " * MEGABYTE)), "no"),
    "endless": (lambda p: raw(JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda c: until_closed(c, b"10000\r\n" + b" " * 65536 + b"\r\n")), "no"),
    "endlesshdr": (lambda p: raw(HEAD, lambda c: until_closed(c, b"X-A: " + b"a" * 8000 + b"\r\n")), "no"),
    "endless100": (lambda p: raw(b"", lambda c: until_closed(c, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)), "no"),
    "gzip": (lambda p: response(gzip.compress(p.jwks), "200 OK", "application/json", "Content-Encoding: gzip"), "either"),
    "bomb": (lambda p: response(gzip.compress(b" " * (64 * MEGABYTE)), "200 OK", "application/json", "Content-Encoding: gzip"), "no"),
    "hang": (lambda p: raw(b"", hang), "no"),
    "slow": (lambda p: raw(JSON_HEAD + b"Content-Length: 500\r\n\r\n", lambda c: until_closed(c, b" ", 0.3)), "no"),
    "slowhdr": (lambda p: raw(HEAD + b"X: ", lambda c: until_closed(c, b"a", 0.3)), "no"),
    "reset": (lambda p: raw(b"", lambda c: c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")), "no"),
    "closemid": (lambda p: JSON_HEAD + b"Content-Length: 5000\r\n\r\n" + p.jwks, "no"),
    "cllong": (lambda p: raw(JSON_HEAD + b"Content-Length: 10737418240\r\n\r\n" + p.jwks, hang), "no"),
    "clneg": (lambda p: JSON_HEAD + b"Content-Length: -1\r\n\r\n" + p.jwks, "either"),
    "clhuge": (lambda p: raw(JSON_HEAD + b"Content-Length: %d\r\n\r\n" % (2**64 + len(p.jwks)) + p.jwks, hang), "no"),
    "cltwo": (lambda p: JSON_HEAD + b"Content-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(p.jwks) + p.jwks, "no"),
    "chunkbad": (lambda p: JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "no"),
    "chunkhuge": (lambda p: raw(JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", hang), "no"),
    "status": (lambda p: b"HTTP/9.9 abc\r\n\r\n" + p.jwks, "no"),
    "http09": (lambda p: p.jwks, "no"),
    "rmeta": (lambda p: redirect("http://169.254.169.254/"), "no"),
    "rtrap": (lambda p: redirect(p.trap + "/jwks"), "no"),
    "rhttp": (lambda p: redirect(p.url.replace("https:", "http:") + "/x"), "no"),
    "rfile": (lambda p: redirect("file:///etc/passwd"), "no"),
    "rgopher": (lambda p: redirect("gopher://127.0.0.1/"), "no"),
    "rloop": (lambda p: redirect(p.url + JWKS), "no"),
    "r300": (lambda p: b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "no"),
    "rother": (lambda p: redirect(p.server.url + "/ok" + JWKS), "either"),
    "dupkid": (lambda p: response(json.dumps(tokens.jwks(tokens.key("wrong").jwk(kid=p.server.keys[0].kid), p.server.keys[0]))), "ok"),
    "privatekey": (lambda p: response(json.dumps(tokens.jwks(p.server.keys[0].jwk(d="AQAB")))), "either"),
}

# what the discovery URL answers; the key set itself is right
DISCOVERY_ANSWERS = {
    "dissuer": (lambda p: response(p.discovery(issuer="https://elsewhere.example")), "no"),
    "dslash": (lambda p: response(p.discovery(issuer=p.url + "/")), "no"),
    "dnoissuer": (lambda p: response(p.discovery(issuer=None)), "no"),
    "dnojwks": (lambda p: response(p.discovery(jwks_uri=None)), "no"),
    "dhttp": (lambda p: response(p.discovery(jwks_uri="http://127.0.0.1/jwks")), "no"),
    "dmeta": (lambda p: response(p.discovery(jwks_uri="https://169.254.169.254/jwks")), "no"),
    "dfile": (lambda p: response(p.discovery(jwks_uri="file:///etc/passwd")), "no"),
    "drel": (lambda p: response(p.discovery(jwks_uri=JWKS)), "no"),
    "darr": (lambda p: response(p.discovery(jwks_uri=[p.url + JWKS])), "no"),
    "duser": (lambda p: response(p.discovery(jwks_uri=p.url.replace("//", "//user:password@") + JWKS)), "no"),
    "dcrlf": (lambda p: response(p.discovery(jwks_uri=p.url + JWKS + "\r\nX: y")), "no"),
    "dnul": (lambda p: response(p.discovery(jwks_uri=p.url + JWKS + "\0x")), "no"),
    "dlist": (lambda p: response("[]"), "no"),
    "dnotjson": (lambda p: response("<html></html>", "200 OK", "text/html"), "no"),
    "dbig": (lambda p: response(b" " * (20 * MEGABYTE)), "no"),
    "dlong": (lambda p: response(p.discovery(jwks_uri=p.url + "/" + "a" * MEGABYTE)), "no"),
    "dtwice": (lambda p: response(json.dumps(p.discovery())[:-1] + f', "issuer": "{p.url}"}}'), "no"),
    "d404": (lambda p: response(p.discovery(), "404 Not Found"), "no"),
}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """All of them, registered with one relyd."""
    server = Issuer()
    server.trap = Issuer(tokens.key("wrong"))
    relyd = Relyd(tmp_path_factory.mktemp("crowd"), keys__miss_wait_ms=0, keys__fetch_timeout_ms=2500).start()
    try:
        for name, (make, _) in (JWKS_ANSWERS | DISCOVERY_ANSWERS).items():
            place = Place(server, f"/{name}")
            server.answers[place.base + (JWKS if name in JWKS_ANSWERS else DISCOVERY)] = make(place)
            relyd.put_issuer(f"issuer-{name}", **server.record(issuer=place.url))
            relyd.put_identity(f"identity-{name}")
            relyd.put_credential(identity=f"identity-{name}", issuer=place.url)
        relyd.server = server
        yield relyd
        assert server.trap.requests == []
        assert relyd.resident_bytes() < 900 * MEGABYTE
    finally:
        server.stop()
        server.trap.stop()
        relyd.stop()


def settled(relyd, name):
    """The keys' page once the first attempt is over."""

    def over():
        page = relyd.admin("GET", f"/v1/issuers/{name}/keys").json()
        return page if page.get("keys") or page.get("lastError") else None

    return wire.wait_for(over, 20, f"the first fetch of {name}")


@pytest.mark.parametrize("name", JWKS_ANSWERS | DISCOVERY_ANSWERS)
def test_issuer(crowd, name):
    _, right = (JWKS_ANSWERS | DISCOVERY_ANSWERS)[name]
    page = settled(crowd, f"issuer-{name}")
    reason = crowd.reason(crowd.server.token(base=f"/{name}"))
    assert reason in {"ok": ["ok"], "no": ["keys_unavailable"], "either": ["ok", "keys_unavailable"]}[right], page
    if reason != "ok":
        assert page["lastError"]


def test_the_good_ones_work_meanwhile(crowd):
    for name in ("ok", "jwkset", "chunked"):
        settled(crowd, f"issuer-{name}")
        assert crowd.reason(crowd.server.token(base=f"/{name}")) == "ok"


# --- TLS -------------------------------------------------------------------------------------------------------------


def old_tls():
    context = authority().context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def asks_for_a_certificate():
    context = authority().context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority().pem)
    return context


CONTEXTS = {
    "expired": lambda: authority().context(days=(-10, -1)),
    "not yet valid": lambda: authority().context(days=(1, 10)),
    "of another address": lambda: authority().context(address="127.0.0.2"),
    "of another authority": lambda: Authority().context(),
    "TLS 1.1 only": old_tls,
    "asks for a client certificate": asks_for_a_certificate,
}


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls(start, name):
    server = Issuer(context=CONTEXTS[name]())
    try:
        relyd = start(keys__miss_wait_ms=0, keys__fetch_timeout_ms=2000)
        relyd.put_issuer("cluster", **server.record())
        assert settled(relyd, "cluster")["lastError"]
        assert relyd.reason(server.token()) == "keys_unavailable"
        assert server.requests == []
    finally:
        server.stop()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", None])
def test_no_tls_at_all(start, answer):
    """Plain HTTP, silence, or nobody there."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = "https://127.0.0.1:%d" % listener.getsockname()[1]
    if answer is None:
        listener.close()
    else:
        threading.Thread(target=serve_once, args=(listener, answer), daemon=True).start()
    relyd = start(keys__miss_wait_ms=0, keys__fetch_timeout_ms=1000)
    relyd.put_issuer("cluster", url, allowPrivateAddresses=True)
    assert settled(relyd, "cluster")["lastError"]
    assert relyd.reason(tokens.key("issuer").sign(tokens.claims(url))) == "keys_unavailable"
    listener.close()


def serve_once(listener, answer):
    try:
        connection, _ = listener.accept()
        connection.sendall(answer)
        while connection.recv(65536):  # until relyd has enough of it
            pass
        connection.close()
    except OSError:
        pass


def test_d_what_is_wrong_with_the_document_is_said(crowd):
    """Fault D: a document without an issuer was said to name issuer ""."""
    base = crowd.server.url
    for name, said in (
        ("dnoissuer", "has no issuer, and must name the registered one"),
        ("dslash", f'names issuer "{base}/dslash/", not the registered one'),
    ):
        right = f"keys of issuer issuer-{name}: the discovery document at {base}/{name}{DISCOVERY} {said}"
        assert settled(crowd, f"issuer-{name}")["lastError"] == right
