"""Real gateways in front of an application, asking relyd about every request: Debian's nginx, Caddy and HAProxy with the files of conf/gateways."""

import contextlib
import hashlib
import json
import os
import time

import application
import gateways
import pytest
import ready_gateways
import tokens
import wire
from service import ISSUER, Relyd

# What an application gets, each of them once. Caddy cannot copy X-Relyd-Hashed, which is not always there.
IDENTITY = {"x-relyd-identity": "payments-api", "x-relyd-username": "payments-api", "x-relyd-groups": "payments", "x-relyd-issuer": "prod",
            "x-relyd-subject": "system:serviceaccount:team-a:builder", "x-relyd-credential": "builder"}
ALWAYS = {*IDENTITY, "x-relyd-uid", "x-relyd-decision-id"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A relyd whose route `web` is asked, and what its refusals are about."""
    relyd = Relyd(tmp_path_factory.mktemp("world")).start()
    try:
        relyd.signer = signer = relyd.put_world()
        keys = {"jwks": tokens.jwks(signer)}
        for name, more in (("asleep", {"enabled": False}), ("strict", {"guards": {"singleAudience": True}, "maxTokenLifetimeSeconds": 600, "types": ["at+jwt"]}),
                           ("elsewhere", {})):
            relyd.put_issuer(name, f"https://{name}.example", keys=keys, **more)
            relyd.put_credential(name, issuer=f"https://{name}.example")
        for name, subject, more in (("disabled", "disabled", {"enabled": False}), ("outside", "outside", {}), ("twin", "twin", {}), ("other-twin", "twin", {})):
            relyd.put_identity(name, **more)
            relyd.put_credential(name, name, subject=subject)
        relyd.put("/v1/routes/web", {"audiences": ["relyd"], "issuers": ["prod", "asleep", "strict"],
                                     "groups": ["passes"], "identities": ["payments-api", "disabled", "twin", "other-twin"]})
        relyd.put("/v1/routes/shady", {"audiences": ["relyd"], "mode": "shadow"})
        revocation = relyd.admin("POST", "/v1/revocations", {"jti": "leaked", "issuerName": "prod", "reason": "in a log"})
        assert revocation.status == 201, revocation
        relyd.right = signer.sign(tokens.claims(ISSUER))
        yield relyd
    finally:
        relyd.stop()


@pytest.fixture(scope="module")
def behind():
    with application.running() as server:
        yield server


def start_one(kind, factory, world, behind, **more):
    place = ready_gateways.Place(factory.mktemp(kind), world.data[1], behind.port, **more)
    place.kind = kind
    return place, gateways.running(ready_gateways.STARTS[kind](place), place.port)


@pytest.fixture(scope="module", params=sorted(ready_gateways.STARTS))
def gateway(request, world, behind, tmp_path_factory):
    place, is_running = start_one(request.param, tmp_path_factory, world, behind)
    with is_running:
        yield place


def ask(place, token=None, path="/orders/7", method="GET", body=None, **headers):
    headers = {name.replace("__", "-"): value for name, value in headers.items()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return wire.ask(place.address, method, path, body, headers)


def reached(answer):
    """The headers that the application got, by name; none of relyd's twice, and no token."""
    assert answer.status == 200, answer
    names = [name for name, _ in answer.json()]
    assert "authorization" not in names and len([name for name in names if "relyd" in name]) == len({name for name in names if "relyd" in name})
    return dict(answer.json())


# --- who it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/orders/7", "/a%20b/../c?x=1&aud=other&identity=admin", "/relyd-check?aud=other"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_allowed(gateway, world, method, path):
    """The client's path, query and method are its own: relyd is asked at a fixed path, and counts none of them."""
    if gateway.kind == "nginx" and path.startswith("/relyd-check"):
        assert ask(gateway, world.right, path, method).status == 404  # nginx's own
        return
    headers = reached(ask(gateway, world.right, path, method))
    assert {name: headers[name] for name in IDENTITY} == IDENTITY
    assert headers["x-relyd-decision-id"] and {name for name in headers if "relyd" in name} == ALWAYS


FORGED = ["X-Relyd-Identity", "X-RELYD-USERNAME", "x-relyd-groups", "X-Relyd-Hashed", "X-Relyd-Would-Deny", "X-Relyd-Reason", "X-Relyd-Caller",
          "X_Relyd_Identity", "X-Relyd_Username", "X_RELYD-Groups", "x_relyd_subject", "X.Relyd.Uid"]


@pytest.mark.parametrize("name", FORGED)
def test_what_a_client_forges_ends_at_the_gateway(gateway, world, name):
    """Also where many applications read the same: WSGI, CGI and PHP make one name of X-Relyd-Identity and X_Relyd_Identity."""
    headers = reached(wire.ask(gateway.address, "GET", "/", None, {"Authorization": f"Bearer {world.right}", name: "admin"}))
    assert {name: headers[name] for name in IDENTITY} == IDENTITY
    leaves = {"x.relyd.uid"} if gateway.kind == "nginx" else set()  # no spelling that CGI knows
    assert {name for name in headers if "relyd" in name} - leaves == ALWAYS
    assert wire.ask(gateway.address, "GET", "/", None, {"Authorization": "Bearer x.y.z", name: "admin"}).status == 401


@pytest.mark.parametrize("connection", ["close, X-Relyd-Identity", "x-relyd-username", "Authorization", "keep-alive, AUTHORIZATION, close",
                                        "close\r\nConnection: X-Relyd-Identity"])
def test_connection_takes_no_header_away(gateway, world, connection):
    """Caddy drops what Connection names, before it asks (the token) and before it passes on (who it is)."""
    head = f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nAuthorization: Bearer {world.right}\r\n\r\n"
    received = wire.exchange(gateway.address, head.encode(), seconds=1, is_open=True)
    if gateway.kind == "nginx":
        assert wire.statuses(received) == [200] and b'["x-relyd-identity", "payments-api"]' in received and b"authorization" not in received.lower()
    else:
        assert wire.statuses(received) == [400]


def test_shadow_names_nobody(world, behind, tmp_path_factory, gateway):
    """What a route in shadow lets through has an empty identity, or none, and never the client's: an application refuses it."""
    place, is_running = start_one(gateway.kind, tmp_path_factory, world, behind, route="shady")
    with is_running:
        for token in ("x.y.z", world.signer.sign(tokens.claims(ISSUER, account="x"))):
            headers = reached(ask(place, token, X__Relyd__Identity="admin", X__Relyd__Groups="admins"))
            assert not any(headers.get(name) for name in IDENTITY) and headers["x-relyd-decision-id"]


# --- refusals -------------------------------------------------------------------------------------------------------


def sign(issuer=ISSUER, header=None, **changes):
    return lambda world: world.signer.sign(tokens.claims(issuer, **changes), **(header or {}))


STRICT = {"header": {"typ": "at+jwt"}, "lifetime": 500}
REFUSED = {
    "no_token": (401, lambda world: None),
    "malformed_token": (401, lambda world: "not.a.token"),
    "token_too_large": (401, sign(pad="x" * 13000)),
    "unsupported_critical_header": (401, sign(header={"crit": ["x"], "x": 1})),
    "token_type_not_accepted": (401, sign("https://strict.example", lifetime=500, header={"typ": "other"})),
    "unknown_issuer": (401, sign("https://nobody.example")),
    "issuer_disabled": (401, sign("https://asleep.example")),
    "key_unknown": (401, sign(header={"kid": "another"})),
    "algorithm_not_allowed": (401, lambda world: tokens.hmac_token(b"x", {"alg": "HS256", "kid": world.signer.kid}, tokens.claims(ISSUER))),
    "bad_signature": (401, lambda world: world.right[:-8] + ("AAAAAAAA" if world.right[-8:] != "AAAAAAAA" else "BBBBBBBB")),
    "missing_claim": (401, sign(exp=None)),
    "invalid_claim": (401, sign(exp="soon")),
    "expired": (401, sign(lifetime=-100, iat=None, nbf=None)),
    "not_yet_valid": (401, sign(nbf=int(time.time()) + 3000)),
    "issued_in_future": (401, sign(iat=int(time.time()) + 3000, nbf=None)),
    "lifetime_too_long": (401, sign("https://strict.example", header={"typ": "at+jwt"})),
    "guard_refused": (403, sign("https://strict.example", aud=["relyd", "more"], **STRICT)),
    "revoked": (401, sign(jti="leaked")),
    "audience_mismatch": (403, sign(audience="other")),
    "no_matching_credential": (403, sign(account="deployer")),
    "identity_disabled": (403, sign(sub="disabled")),
    "identity_not_allowed": (403, sign(sub="outside")),
    "ambiguous_identity": (403, sign(sub="twin")),
    "issuer_not_allowed": (403, sign("https://elsewhere.example")),
}


def assert_refused(gateway, answer, status, reason):
    """What each gateway hands on of relyd's answer: all of them who was asked, and why not; nginx no body, its own on a 403 included."""
    assert (answer.status, answer.header("x-relyd-reason")) == (status, reason), answer
    assert len(answer.header("x-relyd-decision-id")) == 32
    challenge = answer.header("www-authenticate")
    if reason == "caller_not_permitted":
        assert challenge is None
    else:
        assert challenge.startswith('Bearer realm="relyd"') and (reason == "no_token") == ("error=" not in challenge)
        assert (status == 403) == ("insufficient_scope" in challenge)
    if gateway.kind != "nginx":
        assert (answer.json()["reason"], answer.json()["decisionId"]) == (reason, answer.header("x-relyd-decision-id"))


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(gateway, world, behind, reason):
    """Never 500, which is what nginx makes of anything but 2xx, 401 and 403; and the application hears nothing of it."""
    status, make = REFUSED[reason]
    before = len(behind.requests)
    assert_refused(gateway, ask(gateway, make(world), X__Relyd__Identity="admin"), status, reason)
    assert len(behind.requests) == before


def test_a_route_that_is_not_there(gateway, world, behind, tmp_path_factory):
    place, is_running = start_one(gateway.kind, tmp_path_factory, world, behind, route="nowhere")
    with is_running:
        assert_refused(place, ask(place, world.right), 403, "unknown_route")


def test_many_requests(gateway, world):
    bad = world.signer.sign(tokens.claims(ISSUER, account="x"))
    client = wire.Client(gateway.address)
    for _ in range(100):
        assert client.ask("GET", "/", None, {"Authorization": f"Bearer {world.right}"}).status == 200
        assert client.ask("GET", "/", None, {"Authorization": f"Bearer {bad}"}).status == 403
    client.close()


@pytest.mark.parametrize("second", ["Bearer other", "bearer x.y.z", "Basic YTpi", ""])
def test_two_authorization_headers_never_pass(gateway, world, behind, second):
    """Caddy passes both on to relyd; an application may read the other one than relyd judged."""
    before = len(behind.requests)
    for pair in ((f"Bearer {world.right}", second), (second, f"Bearer {world.right}")):
        head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nAuthorization: %s\r\n\r\n" % pair
        (status,) = wire.statuses(wire.exchange(gateway.address, head.encode(), seconds=1, is_open=True))
        assert status == (401 if gateway.kind == "caddy" else 400)
    assert len(behind.requests) == before


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", ["s" * 600, "ü" * 600, "😀" * 600], ids=["ASCII", "two bytes", "four bytes"])
def test_b16_every_subject_fits_into_a_gateways_buffer(gateway, world, subject):
    """Fault B16: headers of 7.7 kB were 500 at nginx, whose buffer has 4 KiB."""
    world.put_identity("payments-api", usernameFrom="subject", groups=["payments"])
    world.put_credential("long", subject=subject)
    headers = reached(ask(gateway, world.signer.sign(tokens.claims(ISSUER, sub=subject, **{"kubernetes.io": None}))))
    assert headers["x-relyd-identity"] == "payments-api" and headers["x-relyd-subject"] == headers["x-relyd-username"]
    assert headers["x-relyd-subject"].startswith("s" * 600 if subject[0] == "s" else "sha256=")
    world.put_identity("payments-api", groups=["payments"])


def token_of(world, length):
    """A right token of exactly so many bytes."""
    def make(padding):
        return world.signer.sign(tokens.claims(ISSUER, jti="0", pad="x" * padding))
    near = (length - len(make(0))) * 3 // 4
    return next(token for token in map(make, range(near - 4, near + 5)) if len(token) == length)


@pytest.mark.parametrize("length, status", [(8192, 200), (12288, 200), (16384, 200), (16385, 401)])
def test_tokens_as_long_as_they_may_be(gateway, world, length, status):
    answer = ask(gateway, token_of(world, length), Cookie="c" * 6000)
    if status == 200:
        assert reached(answer)["x-relyd-identity"] == "payments-api"
    else:
        assert_refused(gateway, answer, status, "token_too_large")


def test_a_head_that_just_fits_keeps_its_identity(gateway, world):
    """What is added to the head has room beside it: HAProxy would leave out headers for which there is none, and pass the request on."""
    world.put_identity("wide", usernameFrom="subject", groups=["passes", "g" * 250, "h" * 250])
    world.put_credential("wide", "wide", subject="w" * 600)
    token = world.signer.sign(tokens.claims(ISSUER, sub="w" * 600))

    def answer_to(length):
        return ask(gateway, token, Cookie="c" * (length // 2), X__Other="o" * (length // 2))

    fits, too_long = 20_000, 70_000
    while too_long - fits > 10:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if answer_to(middle).status == 200 else (fits, middle)
    assert fits > 32_000 and answer_to(too_long).status in (400, 401, 431)
    for length in range(fits - 1000, fits, 50):
        headers = reached(answer_to(length))
        assert (headers["x-relyd-identity"], {name for name in headers if "relyd" in name}) == ("wide", ALWAYS)


def test_heads_that_are_too_long_do_not_pass(gateway, behind):
    before = len(behind.requests)
    assert ask(gateway, "x" * 200_000).status in (400, 401, 431)
    assert len(behind.requests) == before


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
def test_an_upload_of_20_mib(gateway, world, is_chunked):
    body = os.urandom(20 << 20)
    pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    with contextlib.closing(wire.Client(gateway.address)) as client:
        client.request("PUT", "/up", pieces if is_chunked else body, {"Authorization": f"Bearer {world.right}"})
        answer = client.getresponse()
        assert (answer.status, answer.getheader("x-body")) == (200, hashlib.sha256(body).hexdigest())
        assert ["x-relyd-identity", "payments-api"] in json.loads(answer.read())


def test_a_refused_upload_is_not_taken(gateway, world, behind):
    """With `Expect: 100-continue` the refusal comes in place of the 100. Who sends all the same may lose the answer, and nothing passes."""
    before = len(behind.requests)
    bad = world.signer.sign(tokens.claims(ISSUER, account="x"))
    head = f"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: {20 << 20}\r\nAuthorization: Bearer {bad}\r\n"
    asked = wire.exchange(gateway.address, (head + "Expect: 100-continue\r\n\r\n").encode(), seconds=1, is_open=True)
    assert asked.startswith(b"HTTP/1.1 403 ")
    sent = wire.exchange(gateway.address, (head + "\r\n").encode() + bytes(20 << 20), seconds=1, is_open=True)
    assert sent == b"" or sent.startswith(b"HTTP/1.1 403 ")
    assert len(behind.requests) == before


# --- other protocols ------------------------------------------------------------------------------------------------

UPGRADE = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"


def upgrade(gateway, token, *protocols):
    """A connection, and what came back of the head and the application's first line."""
    connection = wire.connect(gateway.address)
    fields = "".join(f"Upgrade: {protocol}\r\n" for protocol in protocols)
    connection.sendall(f"{UPGRADE}{fields}Authorization: Bearer {token}\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received or (received.startswith(b"HTTP/1.1 101 ") and received.endswith(b"\r\n\r\n")):
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return connection, received


def test_a_websocket(gateway, world, behind):
    connection, received = upgrade(gateway, world.right, "websocket")
    with connection:
        assert received.startswith(b"HTTP/1.1 101 ") and received.endswith(b"\r\n\r\npayments-api\n")
        for piece in (b"hello", b"\x00\xff" * 5000):
            connection.sendall(piece)
            back = b""
            while len(back) < len(piece):
                back += connection.recv(65536)
            assert back == piece
    before = len(behind.requests)
    connection, received = upgrade(gateway, world.signer.sign(tokens.claims(ISSUER, account="x")), "websocket")
    with connection:
        assert received.startswith(b"HTTP/1.1 403 ")
    assert len(behind.requests) == before


@pytest.mark.parametrize("protocols", [["h2c"], ["h2c, websocket"], ["h2c", "websocket"], ["websocket, h2c"], ["TLS/1.0"]], ids=str)
def test_no_other_protocol(gateway, world, protocols):
    """Through a connection that has become h2c the application would get requests that nobody has checked."""
    connection, received = upgrade(gateway, world.right, *protocols)
    with connection:
        if protocols == ["h2c", "websocket"] and received.startswith(b"HTTP/1.1 400 "):
            return
        assert received.startswith(b"HTTP/1.1 200 ") and b'"upgrade", ' not in received.lower(), received
