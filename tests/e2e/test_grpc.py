"""Envoy's check by gRPC, and grpc.health.v1, asked by grpcio: the same decisions as /check/, in Envoy's words."""

import contextlib
import json
import struct
import threading
import time

import envoy
import grpc
import http2
import pytest
import tokens
import wire
from envoy import CHECK, HEALTH, MESSAGE, Envoy, check_request, headers_of
from http2 import request
from kubernetes_protobuf import varint
from service import ISSUER
from test_tls import Secured

IDENTITY = ["x-relyd-identity", "x-relyd-username", "x-relyd-uid", "x-relyd-issuer", "x-relyd-subject", "x-relyd-credential", "x-relyd-groups"]
GRPC = {"content_type": "application/grpc", "te": "trailers"}


def sign(relyd, **more):
    return relyd.signer.sign(tokens.claims(ISSUER, **more))


def bearer(token):
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def world(start):
    relyd = start()
    relyd.signer = relyd.put_world()
    return relyd


@pytest.fixture(scope="module")
def asked(shared):
    with Envoy(shared.data) as client:
        client.relyd, client.token = shared, sign(shared)
        yield client


def frame_message(message, flag=0):
    return bytes([flag]) + struct.pack(">I", len(message)) + message


def call_raw(relyd, body, path=CHECK, **more):
    """A call as bytes: the answer, and its trailers, which are the head where there is no message."""
    with http2.Line(relyd.data) as line:
        stream = line.open(request(path, "POST", **(GRPC | more)), body=body)
        answer = line.wait(stream)
        return answer, trailers_of(line, stream, answer)


def trailers_of(line, stream, answer):
    if stream in line.trailers:
        return dict(line.trailers[stream])
    found = {name: answer.header(name) for name in ("grpc-status", "grpc-message") if answer.header(name) is not None}
    assert not found or answer.body == b""
    return found


# --- decisions ----------------------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_an_allow(asked):
    for _ in range(3):
        answer = asked.check(bearer(asked.token))
        assert answer.HasField("status") and answer.status.code == 0
        headers = headers_of(answer.ok_response.headers)
        check = asked.relyd.check(asked.token)
        assert {name: headers[name] for name in IDENTITY} == {name: check.header(name) for name in IDENTITY}
        assert set(headers) == {*IDENTITY, "x-relyd-decision-id"} and len(headers["x-relyd-decision-id"]) == 32
        assert list(answer.ok_response.headers_to_remove) == []
        metadata = answer.dynamic_metadata
        assert list(metadata["groups"]) == ["payments"]
        assert {name: metadata[name] for name in ("identity", "username", "issuer", "subject", "audience", "credential", "uid", "decisionId")} == {
            "identity": "payments-api", "username": "payments-api", "issuer": "prod", "subject": "system:serviceaccount:team-a:builder", "audience": "relyd",
            "credential": "builder", "uid": headers["x-relyd-uid"], "decisionId": headers["x-relyd-decision-id"]}
        assert not answer.HasField("denied_response") and not answer.HasField("error_response")


REFUSALS = {  # how the token is made: what is said of it
    "no_token": (lambda relyd: {}, 401, 16),
    "malformed_token": (lambda relyd: bearer("x.y.z"), 401, 16),
    "expired": (lambda relyd: bearer(sign(relyd, exp=int(time.time()) - 1000)), 401, 16),
    "unknown_issuer": (lambda relyd: bearer(relyd.signer.sign(tokens.claims("https://other.example"))), 401, 16),
    "bad_signature": (lambda relyd: bearer(sign(relyd)[:-6] + "AAAAAA"), 401, 16),
    "audience_mismatch": (lambda relyd: bearer(sign(relyd, aud=["other"])), 403, 7),
    "no_matching_credential": (lambda relyd: bearer(sign(relyd, sub="somebody-else")), 403, 7),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_denial_is_an_answer(asked, reason):
    """grpc-status 0 with a denial in it, word for word that of the check."""
    make, status, code = REFUSALS[reason]
    headers = make(asked.relyd)
    answer = asked.check(headers)
    check = wire.ask(asked.relyd.data, "GET", "/check/default", None, {name: value for name, value in headers.items()})
    assert (answer.status.code, answer.denied_response.status.code) == (code, status) == (code, check.status)
    said = headers_of(answer.denied_response.headers)
    assert said.pop("x-relyd-decision-id") and said.pop("content-type") == "application/json"
    assert said == {name: check.header(name) for name in ("x-relyd-reason", "www-authenticate")}
    assert said["x-relyd-reason"] == reason
    body, of_check = json.loads(answer.denied_response.body), check.json()
    assert body.pop("decisionId") and of_check.pop("decisionId") and body == of_check
    assert answer.status.message.startswith(f"{reason}: ")
    assert not answer.HasField("ok_response") and not answer.HasField("dynamic_metadata")


def test_both_lists_of_headers(asked):
    """Newer Envoys fill header_map with raw values, older ones headers; whatever stands in either counts."""
    good = ("authorization", f"Bearer {asked.token}")
    assert asked.check(header_map=[(":path", "/"), good]).status.code == 0
    assert asked.check(header_map=[good, good]).denied_response.body.count("malformed_token") > 0
    both = check_request(bearer(asked.token))
    both.attributes.request.http.header_map.headers.add(key="authorization", raw_value=b"Bearer x")
    assert asked.call(CHECK, both).status.code == 16
    twice = check_request(bearer(asked.token))
    twice.attributes.request.http.headers.add(key=b"authorization", value=b"Bearer x")
    assert asked.call(CHECK, twice).status.code == 16
    joined = asked.check({"authorization": f"Bearer {asked.token},Bearer {asked.token}"})
    assert headers_of(joined.denied_response.headers)["x-relyd-reason"] == "malformed_token"
    capital = check_request()
    capital.attributes.request.http.headers.add(key=b"Authorization", value=f"Bearer {asked.token}".encode())
    assert asked.call(CHECK, capital).status.code == 0
    assert asked.check({"authorization": f"Bearer {asked.token}\0x".encode()}).status.code == 16
    assert asked.check({"x-relyd-caller": f"Bearer {asked.token}", "cookie": asked.token}).status.code == 16


def test_the_token_is_the_clients_and_not_the_callers(asked):
    """The metadata of the call is Envoy's own."""
    answer = asked.check({}, metadata=[("authorization", f"Bearer {asked.token}")])
    assert headers_of(answer.denied_response.headers)["x-relyd-reason"] == "no_token"
    assert asked.check(bearer(asked.token), metadata=[("authorization", "Bearer x")]).status.code == 0


# --- what the gateway's configuration says ---------------------------------------------------------------------------------


def reason_of(answer):
    return "ok" if answer.status.code == 0 else headers_of(answer.denied_response.headers)["x-relyd-reason"]


def test_context_extensions(world):
    world.put("/v1/routes/shop", {"audiences": ["shop"], "stripAuthorization": True})
    world.put_credential(audiences=["relyd", "shop", "both"])
    with Envoy(world.data) as client:
        relyd_token, both = sign(world), sign(world, aud=["shop", "both"])
        assert reason_of(client.check(bearer(relyd_token))) == "ok"
        assert reason_of(client.check(bearer(relyd_token), route="shop")) == "audience_mismatch"
        answer = client.check(bearer(both), route="shop")
        assert reason_of(answer) == "ok" and list(answer.ok_response.headers_to_remove) == ["authorization"]
        assert reason_of(client.check(bearer(both), aud="both")) == "ok"
        assert reason_of(client.check(bearer(both), aud="relyd")) == "audience_mismatch"
        assert reason_of(client.check(bearer(relyd_token), identity="payments-api")) == "ok"
        assert reason_of(client.check(bearer(relyd_token), identity="orders")) == "no_matching_credential"
        assert reason_of(client.check(bearer(relyd_token), route="nowhere")) == "unknown_route"
        assert reason_of(client.check(bearer(relyd_token), virtual_host="x", other="y")) == "ok"
        assert reason_of(client.check(bearer(relyd_token), relyd__audience="relyd")) == "invalid_query"
        assert reason_of(client.check(bearer(relyd_token), relyd__="")) == "invalid_query"
        for word in ("route", "aud", "identity"):
            assert reason_of(client.check(bearer(relyd_token), **{word: ""})) == "invalid_query"
            assert reason_of(client.check(bearer(relyd_token), **{word: b"\xff"})) == "invalid_query"
            assert reason_of(client.check(bearer(relyd_token), **{word: b"relyd\0"})) == "invalid_query"
        twice = check_request(bearer(relyd_token), aud="relyd")
        twice.attributes.context_extensions.add(key=b"relyd.aud", value=b"relyd")
        assert reason_of(client.call(CHECK, twice)) == "invalid_query"


def test_the_listeners_route(start):
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "route": "shop"}])
    relyd.signer = relyd.put_world()
    with Envoy(address) as client:
        assert reason_of(client.check(bearer(sign(relyd)))) == "unknown_route"
        relyd.put("/v1/routes/shop", {"audiences": ["shop"]})
        assert reason_of(client.check(bearer(sign(relyd)))) == "audience_mismatch"
        assert reason_of(client.check(bearer(sign(relyd)), route="default")) == "ok"


def test_shadow_preflight_and_the_routes_headers(world):
    world.put("/v1/routes/shop", {"audiences": ["relyd"], "mode": "shadow", "passPreflight": True, "stripAuthorization": True,
                                  "responseHeaders": {"x-user": "username", "x-ref": "claim:ref", "x-aud": "audience"}})
    with Envoy(world.data) as client:
        allowed = headers_of(client.check(bearer(sign(world, ref="a b")), route="shop").ok_response.headers)
        assert {name: allowed[name] for name in ("x-user", "x-ref", "x-aud")} == {"x-user": "payments-api", "x-ref": "a%20b", "x-aud": "relyd"}
        answer = client.check(bearer("x.y.z"), route="shop")
        assert answer.status.code == 0 and not answer.HasField("dynamic_metadata") and list(answer.ok_response.headers_to_remove) == ["authorization"]
        passed = headers_of(answer.ok_response.headers)
        assert passed.pop("x-relyd-decision-id") and passed == {"x-user": "", "x-ref": "", "x-aud": "", "x-relyd-would-deny": "malformed_token"}
        world.put("/v1/routes/shop", {"audiences": ["relyd"], "passPreflight": True})
        preflight = {"origin": "https://a.example", "access-control-request-method": "PUT"}
        answer = client.check(preflight, method="OPTIONS", route="shop")
        assert answer.status.code == 0 and set(headers_of(answer.ok_response.headers).values()) == {""}
        assert reason_of(client.check(preflight, method="GET", route="shop")) == "no_token"
        assert reason_of(client.check(preflight | bearer("x.y.z"), method="OPTIONS", route="shop")) == "malformed_token"
        assert reason_of(client.check({"origin": "https://a.example"}, method="OPTIONS", route="shop")) == "no_token"


def test_who_asks(start):
    """A denial with 403, never an error of the call: what Envoy makes of one of those, a stranger would choose."""
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "callers": "reviewers"}])
    relyd.signer = relyd.put_world()
    relyd.put_identity("gateway", roles=["reviewer"])
    relyd.put_credential("own", "gateway", subject="gateway")
    gateway = f"Bearer {sign(relyd, sub='gateway')}"
    with Envoy(address) as client:
        for metadata in ((), [("authorization", "Bearer x.y.z")], [("authorization", f"Bearer {sign(relyd)}")], [("x-relyd-caller", gateway)]):
            answer = client.check(bearer(sign(relyd)), metadata=metadata)
            assert (answer.status.code, answer.denied_response.status.code) == (7, 403)
            said = headers_of(answer.denied_response.headers)
            assert said["x-relyd-reason"] == "caller_not_permitted" and "www-authenticate" not in said
        assert client.check(bearer(sign(relyd)), metadata=[("authorization", gateway)]).status.code == 0
        relyd.put_identity("orders")
        relyd.put("/v1/routes/shop", {"audiences": ["relyd"], "callers": ["orders"]})
        assert reason_of(client.check(bearer(sign(relyd)), metadata=[("authorization", gateway)], route="shop")) == "caller_not_permitted"
        assert client.call(HEALTH + "Check", MESSAGE["HealthCheckRequest"](), "HealthCheckResponse").status == 1  # a probe is asked nothing


def test_over_tls(start, tmp_path):
    secured = Secured(start, tmp_path)
    credentials = grpc.ssl_channel_credentials((secured.folder / "tls.crt").read_bytes())
    with Envoy(("localhost", secured.port), credentials) as client:
        assert client.check(bearer(sign(secured))).status.code == 0


def test_a_waiting_check(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    relyd.put_identity()
    relyd.put_issuer("fetched", **issuer.record(keys={"discovery": True}))
    relyd.put_credential("fetched", issuer=issuer.url)
    with Envoy(relyd.data) as client:
        wire.wait_for(lambda: client.check(bearer(issuer.token())).status.code == 0, what="the first set")
        new = tokens.key("new")
        issuer.keys.append(new)
        relyd.await_all_workers()
        assert client.check(bearer(issuer.token(new))).status.code == 0


# --- what is no CheckRequest -------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_denied(asked):
    whole = check_request(bearer(asked.token)).SerializeToString()
    for message in (whole[:-1], b"\x0a\xff\xff\xff\xff\xff", b"\x0b", whole + whole, b"\x0a\x00" * 3):
        answer, trailers = call_raw(asked.relyd, frame_message(message))
        assert (answer.status, trailers) == (200, {"grpc-status": "0"})
        read = MESSAGE["CheckResponse"].FromString(answer.body[5:])
        assert (read.status.code, reason_of(read)) == (7, "invalid_query"), message[:20]
    for message in (b"", b"\x0a\x00", b"\x0a\x04\x22\x02\x12\x00"):  # nothing of it need be there
        answer, trailers = call_raw(asked.relyd, frame_message(message))
        assert reason_of(MESSAGE["CheckResponse"].FromString(answer.body[5:])) == "no_token"


def test_bombs(asked):
    """What contains itself is unknown here; what is many times nothing has a limit."""
    resident = asked.relyd.resident_bytes()
    deep = b""
    for _ in range(4000):
        deep = b"\x32" + varint(len(deep) + len(varint(len(deep))) + 1) + b"\x0a" + varint(len(deep)) + deep if len(deep) < 50000 else deep
    metadata = b"\x5a" + varint(len(deep)) + deep
    answer, _ = call_raw(asked.relyd, frame_message(b"\x0a" + varint(len(metadata)) + metadata))
    assert reason_of(MESSAGE["CheckResponse"].FromString(answer.body[5:])) == "no_token"
    http_request = b"\x1a\x00" * 30000
    nested = b"\x12" + varint(len(http_request)) + http_request
    nested = b"\x22" + varint(len(nested)) + nested
    answer, _ = call_raw(asked.relyd, frame_message(b"\x0a" + varint(len(nested)) + nested))
    assert reason_of(MESSAGE["CheckResponse"].FromString(answer.body[5:])) == "invalid_query"
    assert asked.relyd.resident_bytes() - resident < 32 << 20


def test_too_large_is_denied(asked):
    """By what a client sent, and its gateway passed on: no error of the call, which might let it pass."""
    answer = asked.check({"x-big": "y" * 140000} | bearer(asked.token))
    assert reason_of(answer) == "token_too_large"
    assert reason_of(asked.check(bearer(asked.token))) == "ok"


FRAMES = {
    "nothing": (b"", {}, "13"),
    "cut off": (frame_message(b"abc")[:-1], {}, "13"),
    "two messages": (frame_message(b"") + frame_message(b""), {}, "13"),
    "compressed, by nothing": (frame_message(b"", 1), {}, "13"),
    "compressed": (frame_message(b"", 1), {"grpc_encoding": "gzip"}, "12"),
    "a flag that is none": (frame_message(b"", 2), {}, "13"),
    "a long length": (b"\0\xff\xff\xff\xff", {}, "13"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_no_message(asked, name):
    body, more, status = FRAMES[name]
    answer, trailers = call_raw(asked.relyd, body, **more)
    assert (answer.status, answer.header("content-type"), answer.header("content-length"), answer.body) == (200, "application/grpc", "0", b"")
    assert trailers["grpc-status"] == status and trailers["grpc-message"]
    if status == "12":
        assert answer.header("grpc-accept-encoding") == "identity"


def test_what_is_no_call(asked):
    good = frame_message(check_request(bearer(asked.token)).SerializeToString())
    for media_type in ("application/json", "application/grpc-web", "application/grpcx", None):
        assert call_raw(asked.relyd, good, content_type=media_type)[0].status == 415
    for media_type in ("application/grpc+proto", "application/grpc;a=b", "Application/GRPC"):
        assert call_raw(asked.relyd, good, content_type=media_type)[1]["grpc-status"] == "0"
    answer, trailers = call_raw(asked.relyd, good, "/envoy.service.auth.v3.Authorization/check")
    assert (answer.status, trailers["grpc-status"]) == (200, "12")
    assert call_raw(asked.relyd, good, "/envoy.service.auth.v2.Authorization/Check")[0].status == 404
    with http2.Line(asked.relyd.data) as line:
        assert line.ask(CHECK, **GRPC).status == 405
    assert wire.ask(asked.relyd.data, "POST", CHECK, b"", {"Content-Type": "application/grpc"}).status == 404  # HTTP/1.1 has no trailers
    with pytest.raises(grpc.RpcError) as error:
        asked.call("/envoy.service.auth.v3.Authorization/Other", check_request())
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


# --- health ---------------------------------------------------------------------------------------------------------------------


def test_health(asked):
    def ask(service):
        return asked.call(HEALTH + "Check", MESSAGE["HealthCheckRequest"](service=service), "HealthCheckResponse").status

    assert ask("") == ask("envoy.service.auth.v3.Authorization") == 1
    with pytest.raises(grpc.RpcError) as error:
        ask("other.Service")
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    statuses = asked.call(HEALTH + "List", b"", "HealthListResponse").statuses
    assert [(entry.key, entry.value.status) for entry in statuses] == [("", 1), ("envoy.service.auth.v3.Authorization", 1)]
    answer, trailers = call_raw(asked.relyd, frame_message(b"\xff"), HEALTH + "Check")
    assert trailers["grpc-status"] == "3"


def test_health_of_one_that_leaves(start):
    relyd = start(shutdown__drain_ms=3000)
    with http2.Line(relyd.data) as line:
        assert line.ask().status == 401
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        while line.goaway is None:
            assert line.take_frame() is not None
        answer = line.wait(line.open(request(HEALTH + "Check", "POST", **GRPC), body=frame_message(b"")))
        assert MESSAGE["HealthCheckResponse"].FromString(answer.body[5:]).status == 2
        line.drain()
        stopping.join()


# --- who watches ------------------------------------------------------------------------------------------------------------------

WATCH = HEALTH + "Watch"
WATCHED_MAX = 4  # a connection


def watch(line, service="", **more):
    """Opens a Watch: its stream."""
    message = MESSAGE["HealthCheckRequest"](service=service).SerializeToString()
    return line.open(request(WATCH, "POST", **(GRPC | more)), body=frame_message(message))


def statuses_of(body):
    """What was said so far, message by message."""
    said = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        assert body[0] == 0 and len(body) >= 5 + size
        said.append(MESSAGE["HealthCheckResponse"].FromString(body[5:5 + size]).status)
        body = body[5 + size:]
    return said


def hear(line, stream, count=1):
    """Reads until so much was said."""
    while stream not in line.answers or len(statuses_of(line.answers[stream].body)) < count:
        assert line.take_frame() is not None
    return statuses_of(line.answers[stream].body)


def hear_the_rest(call):
    with contextlib.suppress(grpc.RpcError):
        for answer in call:
            yield answer.status


def test_a_watch_by_grpcio(start):
    """The status at once, the last one when relyd leaves, and then the end of the call: nobody is waited for."""
    relyd = start(shutdown__drain_ms=20000)
    with Envoy(relyd.data) as client:
        calls = [client.watch(service) for service in ("", "envoy.service.auth.v3.Authorization", "other.Service")]
        assert [next(call).status for call in calls] == [1, 1, 3]
        assert client.call(HEALTH + "Check", MESSAGE["HealthCheckRequest"](), "HealthCheckResponse").status == 1
        begun = time.monotonic()
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        assert [list(hear_the_rest(call)) for call in calls] == [[2], [2], []]
        assert {(call.code(), call.details()) for call in calls} == {(grpc.StatusCode.UNAVAILABLE, "relyd stops")}
        stopping.join()
        assert time.monotonic() - begun < 10


def test_a_watch_is_given_up(asked):
    """By its client, or when its time is up: its place is another's at once."""
    for _ in range(3 * WATCHED_MAX):
        call = asked.watch()
        assert next(call).status == 1
        call.cancel()
        with pytest.raises(grpc.RpcError):
            next(call)
        assert call.code() == grpc.StatusCode.CANCELLED
    late = asked.watch(timeout=0.3)
    assert next(late).status == 1
    with pytest.raises(grpc.RpcError):
        next(late)
    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_how_many_watch(asked):
    with http2.Line(asked.relyd.data) as line, http2.Line(asked.relyd.data) as other:
        streams = [watch(line) for _ in range(WATCHED_MAX)]
        assert [hear(line, stream) for stream in streams] == [[1]] * WATCHED_MAX
        refused = watch(line)
        assert trailers_of(line, refused, line.wait(refused)) == {"grpc-status": "8", "grpc-message": "this connection watches as much as it may"}
        assert line.ask(token=asked.token).status == 200
        assert hear(other, watch(other)) == [1]  # of each connection
        line.send(http2.frame(http2.RST_STREAM, stream=streams[0], payload=struct.pack(">I", http2.CANCEL)))
        assert hear(line, watch(line)) == [1]
        assert not line.ended & set(streams[1:])


def test_what_is_no_watch(asked):
    for body, status in ((b"", "13"), (frame_message(b"\xff"), "3"), (frame_message(b"", 2), "13"), (frame_message(b"") * 2, "13")):
        answer, trailers = call_raw(asked.relyd, body, WATCH)
        assert (answer.status, answer.body, trailers["grpc-status"]) == (200, b"", status)
    with http2.Line(asked.relyd.data) as line:
        stream = watch(line)
        assert hear(line, stream) == [1]
        answer = line.answers[stream]
        assert (answer.status, answer.header("content-type"), answer.header("content-length")) == (200, "application/grpc", None)


def test_a_watch_that_comes_in_the_drain(start):
    """It hears that it is over, and is not kept."""
    relyd = start(shutdown__drain_ms=3000)
    with http2.Line(relyd.data) as line:
        first = watch(line)
        assert hear(line, first) == [1]
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        line.wait(first)
        assert hear(line, first, 2) == [1, 2] and dict(line.trailers[first])["grpc-status"] == "14"
        late = [watch(line), watch(line, "other.Service")]
        for stream, status in zip(late, (2, 3), strict=True):
            line.wait(stream)
            assert hear(line, stream) == [status] and dict(line.trailers[stream])["grpc-status"] == "14"
        line.drain()
        stopping.join()
        assert not line.resets


@pytest.mark.parametrize("closed", ["stream, all", "stream, the rest", "connection"])
def test_no_drain_waits_for_a_closed_window(start, closed):
    """Who watches and takes nothing is told by a reset."""
    relyd = start(shutdown__drain_ms=30000)
    hello = http2.settings(initial_window_size={"stream, all": 0, "stream, the rest": 10}.get(closed, 65535))
    with http2.Line(relyd.data, hello=hello) as line:
        if closed == "connection":  # its window, but for what one message takes
            left = 65535
            while left > 1000:
                left -= len(line.ask(token="x").body)
            while left >= 14:
                left -= len(line.ask(HEALTH + "Check", "POST", **GRPC, body=frame_message(b"")).body)
        streams = [watch(line), watch(line)]
        assert line.ping()
        begun = time.monotonic()
        stopping = threading.Thread(target=relyd.stop)
        stopping.start()
        line.drain()
        stopping.join()
        assert time.monotonic() - begun < 10 and set(line.resets.values()) == {http2.CANCEL} and set(line.resets) <= set(streams)


def test_a_watch_is_not_idle(start):
    """It has longer than the idle; but makes room for others as they do."""
    relyd = start(http__idle_timeout_ms=1000, http__max_connections=16, workers=1)
    with http2.Line(relyd.data) as line, http2.Line(relyd.data) as idle:
        stream = watch(line)
        assert hear(line, stream) == [1]
        assert idle.ping()
        idle.drain()  # its time is up
        assert line.ping() and stream not in line.ended
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                other = stack.enter_context(http2.Line(relyd.data))
                assert hear(other, watch(other)) == [1]
            line.drain()
            assert line.goaway == (1, http2.NO_ERROR)


# --- hostile watches ----------------------------------------------------------------------------------------------------------------

STORM = 2000


def open_many(line, count):
    """Watches, every other one of which is given up at once. False: the connection has ended."""
    for _ in range(count):
        stream = watch(line)
        if stream % 4 == 1:
            line.send(http2.frame(http2.RST_STREAM, stream=stream, payload=struct.pack(">I", http2.CANCEL)))
    return line.ping()


STORMS = {  # connections, watches of each, their first window
    "one connection": (1, STORM, 65535),
    "forty connections": (40, 100, 65535),
    "closed windows": (40, 8, 0),  # more would be refused, and who does not take that is waited for
    "windows of one message": (40, 100, 7),
}


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_of_watches(start, name):
    """What they hold is that of so many connections; others are served meanwhile, and a drain ends."""
    connections, count, window = STORMS[name]
    relyd = start(shutdown__drain_ms=20000, workers=1)
    token = relyd.put_world().sign(tokens.claims(ISSUER))
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(http2.Line(relyd.data, hello=http2.settings(initial_window_size=window))) for _ in range(connections)]
        for line in lines:
            assert open_many(line, count)
            assert relyd.check(token).status == 200
        held = [line for line in wire.ask(relyd.health, "GET", "/metrics").body.decode().splitlines() if line.startswith("relyd_http_held_bytes ")]
        assert 0 < float(held[0].split()[1]) < connections * 96 << 10
        begun = time.monotonic()
        relyd.stop()
        assert time.monotonic() - begun < 15
