"""Envoy's check by gRPC, and grpc.health.v1, asked by @grpc/grpc-js as npm has it: what it does that grpcio does not, and the same where it matters."""

import base64
import itertools
import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading

import pytest
import tokens
import wire
from envoy import MESSAGE, check_request, headers_of
from service import ISSUER
from test_kubernetes_clients import MODULES

pytestmark = pytest.mark.skipif(not (MODULES / "complete").is_file(), reason="there is no @grpc/grpc-js; tests/run e2e fetches it where there is npm")

OK, CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND, RESOURCE_EXHAUSTED, UNAVAILABLE = 0, 1, 4, 5, 8, 14
AUTHORIZATION = "envoy.service.auth.v3.Authorization"


class Calls:
    """One channel of grpc-js, in a process of its own."""

    def __init__(self, address, trace_path, **options):
        """In: options - of the channel, `keepalive_time_ms` for `grpc.keepalive_time_ms`. Its trace, in the file, has what it does with the connection."""
        words = [shutil.which("node"), str(pathlib.Path(__file__).parent / "grpc_js.mjs"), str(MODULES), "%s:%d" % address,
                 json.dumps({f"grpc.{name}": value for name, value in options.items()})]
        self.trace_path = trace_path
        with open(trace_path, "ab") as trace:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trace, text=True,
                                            env=os.environ | {"GRPC_TRACE": "keepalive,transport,subchannel", "GRPC_VERBOSITY": "DEBUG"})
        self.ids = itertools.count()
        self.said = {}  # call: what has come of it
        self.reader = threading.Thread(target=self.read_all, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        try:
            self.process.wait(wire.TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def read_all(self):
        for line in self.process.stdout:
            said = json.loads(line)
            self.said[said["id"]].put(said)

    def write(self, question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def begin(self, method, message=None, **more):
        """Returns the call's number."""
        call = next(self.ids)
        self.said[call] = queue.Queue()
        body = b"" if message is None else message.SerializeToString()
        self.write({"id": call, "method": method, "body": base64.b64encode(body).decode()} | more)
        return call

    def cancel(self, call):
        self.write({"cancel": call})

    def next(self, call, kind="HealthCheckResponse"):
        """The next message of a call, or at its end (code, details)."""
        said = self.said[call].get(timeout=3 * wire.TIMEOUT)
        return (said["code"], said["details"]) if "code" in said else MESSAGE[kind].FromString(base64.b64decode(said["body"]))

    def ask(self, method, message=None, kind="CheckResponse", **more):
        """A call with one answer: its message, or (code, details)."""
        call = self.begin(method, message, **more)
        answer = self.next(call, kind)
        if not isinstance(answer, tuple):
            assert self.next(call, kind) == (OK, "")
        return answer

    def check(self, headers=None, metadata=None, **words):
        return self.ask("check", check_request(headers, **words), metadata=metadata or {})

    def health(self, service="", **more):
        answer = self.ask("health", MESSAGE["HealthCheckRequest"](service=service), "HealthCheckResponse", **more)
        return answer if isinstance(answer, tuple) else answer.status

    def watch(self, service="", **more):
        return self.begin("watch", MESSAGE["HealthCheckRequest"](service=service), **more)

    def count(self, words):
        """How often the trace has them."""
        return self.trace_path.read_text(errors="replace").count(words)


@pytest.fixture
def connect(tmp_path):
    return lambda relyd, **options: Calls(relyd.data, tmp_path / "trace.log", **options)


@pytest.fixture(scope="module")
def signed(shared):
    shared.token = shared.signer.sign(tokens.claims(ISSUER))
    return shared


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_an_allow_and_denials(signed, connect):
    with connect(signed) as calls:
        answer = calls.check(bearer(signed.token))
        assert answer.status.code == 0 and answer.HasField("ok_response")
        headers, check = headers_of(answer.ok_response.headers), signed.check(signed.token)
        assert len(headers.pop("x-relyd-decision-id")) == 32
        assert headers == {name: check.header(name) for name in headers} and headers["x-relyd-identity"] == "payments-api"
        metadata = answer.dynamic_metadata
        assert (metadata["identity"], metadata["issuer"], list(metadata["groups"])) == ("payments-api", "prod", ["payments"])
        for headers, words, status, code, reason in (
            ({}, {}, 401, 16, "no_token"),
            (bearer("x.y.z"), {}, 401, 16, "malformed_token"),
            (bearer(f"{signed.token},{signed.token}"), {}, 401, 16, "malformed_token"),
            (bearer(signed.token), {"aud": "other"}, 403, 7, "audience_mismatch"),
            (bearer(signed.token), {"route": "nowhere"}, 403, 7, "unknown_route"),
            ({}, {"metadata": bearer(signed.token)}, 401, 16, "no_token"),  # it is the gateway's own
        ):
            answer = calls.check(headers, **words)
            assert (answer.status.code, answer.denied_response.status.code) == (code, status), reason
            assert headers_of(answer.denied_response.headers)["x-relyd-reason"] == reason
            assert json.loads(answer.denied_response.body)["reason"] == reason


def test_health(signed, connect):
    with connect(signed) as calls:
        assert [calls.health(service) for service in ("", AUTHORIZATION)] == [1, 1]
        assert calls.health("other.Service") == (NOT_FOUND, "there is no such service here")
        statuses = calls.ask("list", kind="HealthListResponse").statuses
        assert {entry.key: entry.value.status for entry in statuses} == {"": 1, AUTHORIZATION: 1}


def test_many_calls_have_one_connection(signed, connect):
    with connect(signed) as calls:
        assert calls.health() == 1
        begun = [calls.begin("check", check_request(bearer(signed.token))) for _ in range(250)]  # more than there may be streams at once
        assert {calls.next(call, "CheckResponse").status.code for call in begun} == {0}
        assert {calls.next(call) for call in begun} == {(OK, "")}
        watched = [calls.watch() for _ in range(4)]
        assert [calls.next(call).status for call in watched] == [1] * 4
        assert calls.next(calls.watch())[0] == RESOURCE_EXHAUSTED  # it has asked by the same connection
        assert calls.count("CONNECTING -> READY") == 1


def test_deadlines_and_cancels(start, connect, issuer):
    """Of what waits, and of what watches; whoever else is on the connection is served."""
    is_over = threading.Event()
    relyd = start(keys__miss_wait_ms=10000)
    relyd.put_identity()
    issuer.answers["/openid/v1/jwks"] = lambda _issuer, _connection: is_over.wait(30)
    relyd.put_issuer("silent", **issuer.record(keys={"discovery": True}))
    relyd.put_credential("silent", issuer=issuer.url)
    question = check_request(bearer(issuer.token()))
    with connect(relyd) as calls:
        late = calls.begin("check", question, deadline_ms=300)
        assert calls.next(late)[0] == DEADLINE_EXCEEDED
        for _ in range(6):
            given_up, watched, timed = calls.begin("check", question), calls.watch(), calls.watch(deadline_ms=300)
            assert calls.next(watched).status == calls.next(timed).status == 1
            calls.cancel(given_up)
            calls.cancel(watched)
            assert [calls.next(call)[0] for call in (given_up, watched, timed)] == [CANCELLED, CANCELLED, DEADLINE_EXCEEDED]
            assert calls.health() == 1
        assert calls.count("CONNECTING -> READY") == 1
    is_over.set()


def test_its_pings_are_answered(start, connect):
    """A gRPC server may call many of them too many. They keep no connection: a watch has its own time."""
    relyd = start(http__idle_timeout_ms=1000)
    with connect(relyd, keepalive_time_ms=200, keepalive_timeout_ms=5000, keepalive_permit_without_calls=1) as calls:
        watched = calls.watch()
        assert calls.next(watched).status == 1
        wire.wait_for(lambda: calls.count("Received ping response") >= 10, 30, "ten pings and their answers")
        assert calls.health() == 1 and calls.said[watched].empty()
        assert calls.count("CONNECTING -> READY") == 1


def test_an_idle_channel_connects_again(start, connect):
    relyd = start(http__idle_timeout_ms=1000)
    with connect(relyd, initial_reconnect_backoff_ms=100) as calls:
        assert calls.health() == 1
        wire.wait_for(lambda: calls.count("READY -> IDLE") > 0, 30, "the end of the connection")
        assert calls.health() == 1


def test_a_drain_is_told_and_the_next_relyd_found(start, connect):
    relyd = start(shutdown__drain_ms=20000)
    with connect(relyd, initial_reconnect_backoff_ms=100, min_reconnect_backoff_ms=100, max_reconnect_backoff_ms=200, enable_retries=0) as calls:
        watched, unknown = calls.watch(AUTHORIZATION), calls.watch("other.Service")
        assert [calls.next(watched).status, calls.next(unknown).status] == [1, 3]
        relyd.stop()
        assert calls.next(watched).status == 2
        assert calls.next(watched) == calls.next(unknown) == (UNAVAILABLE, "relyd stops")
        assert calls.health()[0] == UNAVAILABLE
        relyd.start()
        wire.wait_for(lambda: calls.health() == 1, 30, "the next relyd")
        assert calls.next(calls.watch()).status == 1
