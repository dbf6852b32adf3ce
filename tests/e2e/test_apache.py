"""Debian's Apache with mod_oauth2 and with mod_auth_openidc, each with its file of conf/gateways, in front of an application: both ask by introspection."""

import contextlib
import hashlib
import json
import pathlib
import re
import signal
import socketserver
import tempfile
import threading
import time

import apache
import application
import gateways
import pytest
import scale
import tokens
import wire
from authorities import Authority, write_server
from service import ISSUER, Relyd
from test_introspection import ELSEWHERE, REASONS, of_records, of_rules, of_the_token
from test_slow_disk import locked

KINDS = sorted(apache.KINDS)
IDENTITY = {"x-relyd-identity": "payments-api", "x-relyd-username": "payments-api", "x-relyd-subject": "system:serviceaccount:team-a:builder", "x-relyd-issuer": "prod"}
SLOWEST_S = {"oauth2": 15, "auth_openidc": 3}
ROUTE, OPEN = "/v1/routes/web", {"audiences": ["relyd"]}


class World:
    """A relyd with a listener that asks who it is, the certificate of a gateway, and what the refusals are about."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.port = wire.free_port()
        authority = Authority("callers")
        write_server(folder)
        authority.write(folder / "callers.crt")
        certificate, key = authority.issue(folder, "dns:gw.example")
        key.chmod(0o644)  # Apache's children are somebody else
        self.tls = {"certificate": certificate, "key": key, "trusted": folder / "tls.crt"}
        self.relyd = Relyd(folder / "relyd", keys__miss_wait_ms=0, listeners=[
            {"address": f"127.0.0.1:{self.port}", "callers": "reviewers",
             "tls": {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key", "client_ca": f"{folder}/callers.crt"}}], **settings)

    def start(self):
        relyd = self.relyd.start()
        self.signer = relyd.put_world(tokens.key("prod"), tokens.Key(bits=1024, kid="weak"))
        relyd.put(ROUTE, OPEN)
        relyd.put_identity("gateway", roles=["reviewer"], certificates=["dns:gw.example"])
        self.right = self.sign()
        return self

    def sign(self, **changes):
        return self.signer.sign(tokens.claims(ISSUER, **changes))

    @contextlib.contextmanager
    def gateway(self, kind, behind, relyd_port=None, **more):
        folder = self.folder / f"{kind}-{wire.free_port()}"
        folder.mkdir()
        place = apache.Place(folder, relyd_port or self.relyd.data[1], behind.port, self.port, self.tls)
        place.kind = kind
        with gateways.running(apache.start(place, kind, **more), place.port):
            yield place


@contextlib.contextmanager
def a_world(**settings):
    """In a folder that Apache's children may enter."""
    with tempfile.TemporaryDirectory(prefix="relyd-apache-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o711)
        world = World(folder, **settings)
        try:
            yield world.start()
        finally:
            world.relyd.stop()


@pytest.fixture(scope="module")
def world():
    with a_world() as made:
        yield made


@pytest.fixture(scope="module")
def behind():
    with application.running() as server:
        yield server


@pytest.fixture(scope="module", params=KINDS)
def gateway(request, world, behind):
    with world.gateway(request.param, behind) as place:
        yield place
        log = place.log.read_text()
        assert world.right not in log and world.right[-100:] not in log  # no token is ever in Apache's own log


def ask(place, token=None, path="/orders/7", method="GET", body=None, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return wire.ask(place.address, method, path, body, headers)


def reached(answer):
    """The headers that the application got; no token, and of relyd's these four, each once."""
    assert answer.status == 200, answer
    names = [name for name, _ in answer.json()]
    assert sorted(name for name in names if "relyd" in name) == sorted(IDENTITY)
    assert not {"authorization", "oidc_access_token"} & set(names)
    return dict(answer.json())


def who(headers):
    return {name: headers[name] for name in IDENTITY}


def is_whole(received):
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
    return length is not None and len(body) >= int(length[1])


def exchange(place, sent):
    """What comes back, up to the end of one answer."""
    received = b""
    with wire.connect(place.address) as line:
        line.sendall(sent)
        while not is_whole(received) and (piece := line.recv(65536)):
            received += piece
    return received


def raw(place, *lines):
    return exchange(place, "\r\n".join(["GET / HTTP/1.1", "Host: x", *lines, "", ""]).encode())


def of_application(received):
    return dict(json.loads(received.split(b"\r\n\r\n", 1)[1]))


# --- who it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/orders/7", "/a%20b/../c?x=1&token=other", "//relyd", "/v1/introspect"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_allowed(gateway, world, method, path):
    assert who(reached(ask(gateway, world.right, path, method))) == IDENTITY
    assert ask(gateway, "x.y.z", path, method).status == 401


@pytest.mark.parametrize("name", ["X-Relyd-Identity", "X-RELYD-USERNAME", "x-relyd-groups", "X-Relyd-Hashed", "X-Relyd-Caller", "X-Relyd-active", "X-Relyd-access_token",
                                  "X_Relyd_Identity", "X-Relyd_Username", "X_RELYD-Groups", "x_relyd_subject", "X.Relyd.Uid"])
def test_what_a_client_forges_ends_at_the_gateway(gateway, world, name):
    assert who(reached(wire.ask(gateway.address, "GET", "/", None, {"Authorization": f"Bearer {world.right}", name: "admin"}))) == IDENTITY
    assert wire.ask(gateway.address, "GET", "/", None, {"Authorization": "Bearer x.y.z", name: "admin"}).status == 401


@pytest.mark.parametrize("connection", ["close, X-Relyd-Identity", "x-relyd-username", "Authorization", "keep-alive, AUTHORIZATION, close",
                                        "close\r\nConnection: X-Relyd-Identity"])
def test_connection_takes_no_header_away(gateway, world, connection):
    received = raw(gateway, f"Connection: {connection}", f"Authorization: Bearer {world.right}")
    assert wire.statuses(received) == [200] and who(of_application(received)) == IDENTITY
    assert wire.statuses(raw(gateway, f"Connection: {connection}")) == [401]


def test_a_name_cannot_end_its_header(gateway, world):
    """A subject may be any text: what is no plain character comes percent-encoded, and so does the percent sign."""
    subject = 'any\r\nX-Admin: 1 \xfc%41 "q"'
    expression = {"value": "claims['sub'] matches 'any*'", "languageVersion": 1}
    world.relyd.put_identity("odd", usernameFrom="subject")
    world.relyd.put("/v1/identities/odd/federatedIdentityCredentials/rule", {"issuer": ISSUER, "claimsMatchingExpression": expression, "audiences": ["relyd"]})
    headers = reached(ask(gateway, world.sign(sub=subject, **{"kubernetes.io": None})))
    assert headers["x-relyd-username"] == headers["x-relyd-subject"] == "any%0d%0aX-Admin:%201%20%c3%bc%2541%20%22q%22"
    assert headers["x-relyd-identity"] == "odd" and "x-admin" not in headers


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refusals(world):
    found = of_the_token(world.signer) | of_records(world.relyd, world.signer) | of_rules(world.relyd, world.signer)
    return {reason: sent[1] if isinstance(sent, tuple) else sent for reason, sent in found.items()}


OF_ROUTES = {"identity_not_allowed": {"identities": ["second"]}, "issuer_not_allowed": {"issuers": ["off"]}}


def refused_before(world, reason):
    return [event for event in world.relyd.events() if (event.get("endpoint"), event.get("reason")) == ("introspection", reason)]


def assert_refused(answer, error="invalid_token"):
    assert answer.status == 401 and answer.header("x-relyd-reason") is None
    challenge = answer.header("www-authenticate")
    assert challenge.startswith("Bearer ") and f'error="{error}"' in challenge


@pytest.mark.parametrize("reason", sorted(REASONS - ELSEWHERE - {"pin_pending"}))
def test_refused(gateway, world, behind, refusals, reason):
    """401 whatever the reason is, which stands in relyd's log; twice, as nothing is remembered."""
    before, logged = len(behind.requests), len(refused_before(world, reason))
    world.relyd.put(ROUTE, OPEN | OF_ROUTES.get(reason, {}))
    for _ in range(2):
        assert_refused(ask(gateway, refusals[reason]))
    world.relyd.put(ROUTE, OPEN)
    assert len(behind.requests) == before
    wire.wait_for(lambda: len(refused_before(world, reason)) == logged + 2, what="the log")


def test_refused_while_a_uid_cannot_be_written_down(gateway, world, refusals):
    claims = tokens.payload_of(refusals["pin_pending"])
    name = f"system:serviceaccount:team-a:{gateway.kind}"
    world.relyd.put_credential(gateway.kind.replace("_", "-"), issuer=claims["iss"], subject=name)
    claims |= {"sub": name, "kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": gateway.kind, "uid": "11111111-aaaa-4bbb-8ccc-000000000001"}}}
    with locked(world.relyd):
        assert_refused(ask(gateway, tokens.key("guarded").sign(claims)))


@pytest.mark.parametrize("lines", [[], ["Authorization: Basic eDp5"], ["Authorization: Bearer"], ["Authorization: bearer "], ["Cookie: access_token={token}"],
                                   ["X-Authorization: Bearer {token}"], ["Proxy-Authorization: Bearer {token}"]])
def test_no_token(gateway, world, behind, lines):
    before = len(behind.requests)
    assert wire.statuses(raw(gateway, *[line.format(token=world.right) for line in lines])) == [401]
    assert ask(gateway, path=f"/?access_token={world.right}").status == 401
    form = f"access_token={world.right}".encode()
    assert ask(gateway, method="POST", body=form, **{"Content-Type": "application/x-www-form-urlencoded"}).status == 401
    assert len(behind.requests) == before


@pytest.mark.parametrize("second", ["Bearer {token}", "Bearer x", "Basic eDp5", ""])
def test_two_authorization_headers_never_pass(gateway, world, behind, second):
    before = len(behind.requests)
    lines = ["Authorization: Bearer " + world.right, "Authorization: " + second.format(token=world.right)]
    for order in (lines, lines[::-1]):
        assert wire.statuses(raw(gateway, *order)) == [401]
    assert len(behind.requests) == before


@pytest.mark.parametrize("line", ["OPTIONS * HTTP/1.1", "TRACE / HTTP/1.1", "GET http://127.0.0.1/ HTTP/1.1", "GET //x HTTP/1.1", "GET /%2e%2e/x HTTP/1.1", "GET /a%2Fb HTTP/1.1",
                                  "CONNECT 127.0.0.1:80 HTTP/1.1", "HEAD / HTTP/1.1", "ODD / HTTP/1.1", "GET / HTTP/1.0"])
def test_no_request_goes_round(gateway, behind, line):
    before = len(behind.requests)
    received = wire.exchange(gateway.address, f"{line}\r\nHost: x\r\n\r\n".encode(), seconds=0.5, is_open=True)
    assert received and len(behind.requests) == before, received


def test_the_way_bearer_is_written(gateway, world):
    for line in ("authorization: bearer {}", "AUTHORIZATION: BEARER {}", "Authorization: Bearer   {}", "Authorization:Bearer {}  "):
        assert wire.statuses(raw(gateway, line.format(world.right))) == [200], line


def test_a_refused_gateway_lets_nobody_in(world, behind):
    """Its certificate is nobody's any more: relyd says 401 to Apache, of whom it is about."""
    with world.gateway("auth_openidc", behind) as place:
        assert ask(place, world.right).status == 200
        world.relyd.put_identity("gateway", roles=["reviewer"])
        assert_refused(ask(place, world.right))
        world.relyd.put_identity("gateway", roles=["reviewer"], certificates=["dns:gw.example"])
        assert ask(place, world.right).status == 200


def test_only_relyd_is_believed(world, behind):
    """Whoever has taken its address has no certificate for it."""
    world.tls["trusted"], right = world.folder / "callers.crt", world.tls["trusted"]
    try:
        with world.gateway("auth_openidc", behind) as place:
            assert_refused(ask(place, world.right))
    finally:
        world.tls["trusted"] = right


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_what_is_revoked_is_refused_at_once(gateway, world):
    token = world.sign(jti=f"leaked-at-{gateway.kind}")
    assert [ask(gateway, token).status for _ in range(3)] == [200] * 3
    assert world.relyd.admin("POST", "/v1/revocations", {"jti": f"leaked-at-{gateway.kind}", "issuerName": "prod", "reason": "leaked"}).status == 201
    assert [ask(gateway, token).status for _ in range(3)] == [401] * 3


def test_what_mod_oauth2_remembers_without_expiry(world, behind):
    """An allow for 300 s, and longer than the token is good."""
    world.relyd.put_issuer("short", "https://short.example", keys={"jwks": tokens.jwks(tokens.key("short"))}, leewaySeconds=0)
    world.relyd.put_credential("short", issuer="https://short.example")
    with world.gateway("oauth2", behind, without="expiry=0&") as place:
        token = tokens.key("short").sign(tokens.claims("https://short.example", lifetime=5))
        assert ask(place, token).status == 200
        wire.wait_for(lambda: world.relyd.reason(token) == "expired", what="its end")
        assert ask(place, token).status == 200


def test_what_mod_auth_openidc_does_without_interval(world, behind):
    """Short tokens, which its cache can take, pass until they end."""
    small = tokens.key("small", "ES256")
    world.relyd.put_issuer("small", "https://small.example", keys={"jwks": tokens.jwks(small)}, leewaySeconds=0)
    world.relyd.put_credential("small", issuer="https://small.example", subject="small")
    sign = lambda lifetime: small.sign({"iss": "https://small.example", "sub": "small", "aud": "relyd", "exp": int(time.time()) + lifetime})
    with world.gateway("auth_openidc", behind, without="        OIDCOAuthTokenIntrospectionInterval -1\n") as place:
        long, short = sign(600), sign(5)
        assert len(long) < 500 and [ask(place, token).status for token in (long, short)] == [200, 200]
        world.relyd.put_credential("small", issuer="https://small.example", subject="small", enabled=False)
        assert ask(place, long).status == 200 and world.relyd.reason(long) == "no_matching_credential"
        wire.wait_for(lambda: ask(place, short).status == 401, what="its end")
        assert ask(place, long).status == 200
        world.relyd.put_credential("small", issuer="https://small.example", subject="small")


def test_what_mod_auth_openidc_logs_without_interval(world, behind):
    with world.gateway("auth_openidc", behind, without="        OIDCOAuthTokenIntrospectionInterval -1\n") as place:
        assert ask(place, world.right).status == 200
        wire.wait_for(lambda: world.right in place.log.read_text(), what="the token")


# --- large things ---------------------------------------------------------------------------------------------------


def sized(world, size):
    """A good token of about so many bytes."""
    return world.sign(pad="x" * ((size - len(world.sign(pad=""))) * 3 // 4))


@pytest.mark.parametrize("size", [8 * 1024, 16 * 1024])
def test_long_tokens(gateway, world, size):
    token = sized(world, size)
    assert size - 8 < len(token) <= size
    assert who(reached(ask(gateway, token))) == IDENTITY


def test_tokens_that_are_too_long(gateway, world):
    assert_refused(ask(gateway, sized(world, 17 * 1024)))
    assert ask(gateway, sized(world, 40 * 1024)).status == 400


@pytest.mark.parametrize("is_chunked", [False, True])
def test_uploads(gateway, world, behind, is_chunked):
    body = bytes(range(256)) * (20 * 4096)
    sent = iter([body[i : i + 65536] for i in range(0, len(body), 65536)]) if is_chunked else body
    with contextlib.closing(wire.Client(gateway.address)) as client:
        client.request("POST", "/up", sent, {"Authorization": f"Bearer {world.right}"}, encode_chunked=is_chunked)
        answer = client.getresponse()
        assert (answer.status, answer.headers["x-body"]) == (200, hashlib.sha256(body).hexdigest())


def test_a_refused_upload_reaches_nobody(gateway, behind):
    before = len(behind.requests)
    assert_refused(ask(gateway, "x.y.z", "/up", "POST", b"z" * 20971520))
    assert len(behind.requests) == before


# --- other protocols ------------------------------------------------------------------------------------------------


def upgrade(place, token, *protocols, connection="Upgrade"):
    """(connection, what came back up to the end of a head)"""
    line = wire.connect(place.address)
    fields = [f"Upgrade: {name}" for name in protocols] + [f"Connection: {connection}", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    line.sendall("\r\n".join(["GET /socket HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *fields, "", ""]).encode())
    received = b""
    while b"\r\n\r\n" not in received and (piece := line.recv(65536)):
        received += piece
    return line, received


@pytest.mark.parametrize("name, connection", [("websocket", "Upgrade"), ("WebSocket", "keep-alive, upgrade"), ("websocket", "upgrade, X-Relyd-Identity")])
def test_websockets(gateway, world, behind, name, connection):
    """Bytes go both ways; who it is came with the upgrade, whatever Connection names."""
    line, received = upgrade(gateway, world.right, name, connection=connection)
    with line:
        assert received.startswith(b"HTTP/1.1 101 "), received
        back = received.partition(b"\r\n\r\n")[2]
        for piece in (b"hello", bytes(range(256)) * 1024):
            line.sendall(piece)
            back = back.removeprefix(b"payments-api\n")
            while len(back) < len(piece):
                back = (back + line.recv(65536)).removeprefix(b"payments-api\n")
            assert back == piece
            back = b""
    before = len(behind.requests)
    line, received = upgrade(gateway, "x.y.z", name, connection=connection)
    with line:
        assert received.startswith(b"HTTP/1.1 401 ") and len(behind.requests) == before


@pytest.mark.parametrize("protocols", [["h2c"], ["h2c, websocket"], ["h2c", "websocket"], ["websocket, h2c"], ["TLS/1.0"]], ids=str)
def test_no_other_protocol(gateway, world, protocols):
    """Through a connection that has become h2c the application would get requests that nobody has checked."""
    line, received = upgrade(gateway, world.right, *protocols)
    with line:
        assert received.startswith(b"HTTP/1.1 200 "), received
        assert b'"upgrade"' not in received.lower()


# --- when there is no decision --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_relyd_down_slow_and_back(kind):
    """401, which says that the token is wrong: there is no other word for it in Apache."""
    with a_world(workers=1) as world, application.running() as behind, world.gateway(kind, behind) as place:
        assert ask(place, world.right).status == 200
        world.relyd.halt()
        try:
            start = time.monotonic()
            assert_refused(ask(place, world.right))
            assert time.monotonic() - start < SLOWEST_S[kind] + 3 * scale.PATIENCE
        finally:
            world.relyd.process.send_signal(signal.SIGCONT)
        world.relyd.kill()
        for method, body in (("GET", None), ("POST", b"x" * 100_000)):
            assert_refused(ask(place, world.right, method=method, body=body))
        assert len(behind.requests) == 1
        world.relyd.start()
        assert wire.wait_for(lambda: ask(place, world.right).status == 200, what="an allow after relyd is there again")


@pytest.mark.parametrize("kind", KINDS)
def test_relyd_overloaded(kind):
    with a_world(workers=1, keys__kidless_failures_per_s=1) as world, application.running() as behind, world.gateway(kind, behind) as place:
        world.relyd.put_issuer("shed", "https://shed.example", keys={"jwks": tokens.jwks(tokens.key("right"))})
        forged = tokens.key("wrong").sign(tokens.claims("https://shed.example"), kid=None)

        def shed():
            assert_refused(ask(place, forged))
            return refused_before(world, "overloaded")

        wire.wait_for(shed, what="a second that is used up")
        assert behind.requests == []
        assert ask(place, world.right).status == 200


class Stranger(socketserver.ThreadingTCPServer):
    """At relyd's address, and none: answers `answer` to whatever is asked."""

    daemon_threads = allow_reuse_address = True
    answer = b""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), None)
        self.asked = []

    def finish_request(self, request, client_address):
        received = b""
        while not re.search(rb"\r\n\r\n.*token_type_hint", received, re.S):
            piece = request.recv(65536)
            if not piece:
                return
            received += piece
        self.asked.append(received)
        request.sendall(self.answer)


def written(status, body, *fields):
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", "Connection: close", *fields, "", body]).encode()


YES = '{"active": true, "sub": "a", "client_id": "a"}'
NO_DECISION = [written(status, YES) for status in (302, 400, 401, 403, 404, 429, 500, 503)] + [written(200, body) for body in (
    "", "{}", "[]", "true", '{"active": "true", "client_id": "a"}', '{"active": 1, "client_id": "a"}', '{"active": null, "client_id": "a"}', '{"sub": "a", "client_id": "a"}',
    '{"active": true}', '{"active": true, "client_id": 7}', '{"active": true, "client_id": "a"', '{"error": "x", "active": true, "client_id": "a"}')] + [
    b"", b"HTTP/1.1 200", b"\x00\xff nonsense\r\n\r\n", written(200, YES)[:-9], written(307, "", "Location: http://127.0.0.1:1/")]


def test_what_is_no_decision_lets_nothing_through(world):
    with Stranger() as stranger, application.running() as behind, world.gateway("oauth2", behind, relyd_port=stranger.server_address[1]) as place:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        for answer in NO_DECISION:
            stranger.answer = answer
            assert ask(place, "x.y.z").status == 401 and behind.requests == [], answer
        stranger.answer = written(200, YES)  # the one that is one
        assert ask(place, "x.y.z", Cookie="a=b").status == 200
        head, _, body = stranger.asked[-1].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /routes/web/introspect HTTP/1.1\r\n") and body == b"token=x.y.z&token_type_hint=access_token"
        assert b"cookie" not in head.lower() and b"\r\nauthorization" not in head.lower()
        stranger.shutdown()
