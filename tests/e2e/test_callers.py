"""Who asks, over real connections: client certificates and tokens at every door of the data plane, and on the control plane."""

import contextlib
import grp
import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import http2
import pytest
import tokens
import wire
from authorities import Authority, write_server
from issuer import DISCOVERY, Issuer
from service import BINARY, ISSUER, ROOT, TOKENREVIEWS

IDENTITIES = {
    "gateway": {"roles": ["reviewer"], "certificates": ["dns:gw.example"]},
    "ops": {"roles": ["admin"], "certificates": ["uri:spiffe://prod/ops"]},
    "sees": {"roles": ["viewer"], "certificates": ["email:sees@x.example"]},
    "other": {"certificates": ["cn:other"]},
    "asleep": {"roles": ["reviewer"], "certificates": ["dns:asleep.example"], "enabled": False},
}


class Guarded:
    """A relyd that asks who it is: a data plane and a control plane with TLS, and a world of callers."""

    def __init__(self, start, folder, **settings):
        self.folder, self.authority = folder, Authority("callers")
        self.server = write_server(folder)
        self.authority.write(folder / "callers.crt")
        self.data, self.control = (("127.0.0.1", wire.free_port()) for _ in range(2))
        self.unix = f"{folder}/data.sock"
        tls = {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key", "client_ca": f"{folder}/callers.crt"}
        self.relyd = start(listeners=[
            {"address": "%s:%d" % self.data, "callers": "reviewers", "tls": tls},
            {"address": "%s:%d" % self.control, "serves": "control", "tls": tls},
            {"address": f"unix:{self.unix}", "callers": "reviewers"},
        ], **settings)
        self.signer = self.relyd.put_world()
        self.workload = self.signer.sign(tokens.claims(ISSUER))
        for name, fields in IDENTITIES.items():
            self.relyd.put_identity(name, **fields)
            self.relyd.put_credential("own", name, subject=name, audiences=["relyd", "elsewhere"])

    def token(self, name, **changes):
        return self.signer.sign(tokens.claims(ISSUER, sub=name, **changes))

    def context(self, *names, authority=None, **more):
        """A client that trusts the server, and shows a certificate of these names; without any it shows none."""
        context = self.server.trust()
        if names:
            (authority or self.authority).equip(context, self.folder, *names, **more)
        return context

    def ask(self, method, path, context=None, address=None, body=None, headers=None):
        with contextlib.closing(wire.Client(address or self.data, context or self.context())) as client:
            return client.ask(method, path, body, headers)

    def ask_all(self, context, token=None):
        """How check, TokenReview and review answer who shows this: (status, code or reason) of each."""
        of_check = {"Authorization": f"Bearer {self.workload}"} | ({"x-relyd-caller": f"Bearer {token}"} if token else {})
        of_others = {"Authorization": f"Bearer {token}"} if token else {}
        check = self.ask("GET", "/check/default", context, headers=of_check)
        review = self.ask("POST", TOKENREVIEWS + "?timeout=30s", context, headers=of_others,
                          body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": self.workload}})
        own = self.ask("POST", "/v1/review", context, headers=of_others, body={"token": self.workload})
        for answer in (review, own):
            assert (answer.header("www-authenticate") is not None) == (answer.status == 401)
        return [(check.status, check.header("x-relyd-reason")),
                (review.status, review.json().get("reason") or review.json()["status"]["authenticated"]),
                (own.status, own.json().get("code") or own.json()["decision"])]


@pytest.fixture
def guarded(start, tmp_path):
    return Guarded(start, tmp_path)


ALLOWED = [(200, None), (200, True), (200, "allow")]
UNPROVEN = [(403, "caller_not_permitted"), (401, "Unauthorized"), (401, "unauthenticated")]
WITHOUT_ROLE = [(403, "caller_not_permitted"), (403, "Forbidden"), (403, "not_permitted")]


# --- the data plane -------------------------------------------------------------------------------------------------


def test_every_door_by_certificate(guarded):
    for names, expected in ((["dns:gw.example"], ALLOWED), (["uri:spiffe://prod/ops"], ALLOWED), (["email:sees@x.example"], WITHOUT_ROLE),
                            (["cn:other"], WITHOUT_ROLE), (["dns:asleep.example"], UNPROVEN), (["dns:unknown.example"], UNPROVEN),
                            (["dns:unknown.example", "dns:gw.example"], ALLOWED), (["dns:gw.example", "uri:spiffe://prod/ops"], UNPROVEN),
                            (["cn:gw.example"], UNPROVEN), (["uri:gw.example"], UNPROVEN), ([], UNPROVEN)):
        assert guarded.ask_all(guarded.context(*names)) == expected, names
    refused = guarded.context("dns:gw.example", authority=Authority("callers"))  # the same names, and another key
    with pytest.raises(OSError):
        guarded.ask_all(refused)


class Rotating:
    """A data plane, a control plane, and callers of a cluster that rotates its keys without a word."""

    def __init__(self, start, tmp_path, issuer, **settings):
        self.issuer, self.count = issuer, 0
        self.guarded = Guarded(start, tmp_path, **({"keys__miss_cooldown_ms": 100, "keys__miss_wait_ms": 5000} | settings))
        self.guarded.relyd.put_issuer("cluster", **issuer.record())
        for name in ("gateway", "ops"):
            self.guarded.relyd.put_credential("fetched", name, issuer=issuer.url, subject=name)
        wire.wait_for(lambda: self.guarded.relyd.admin("GET", "/v1/issuers/cluster/keys").json().get("keys"), what="the first keys")

    def rotate(self):
        self.count += 1
        self.issuer.keys = [tokens.key(f"new-{self.count}", "ES256")]

    def headers(self, door):
        caller = f"Bearer {self.issuer.token(sub='ops' if door == 'control' else 'gateway')}"
        return {"Authorization": f"Bearer {self.guarded.workload}", "x-relyd-caller": caller} if door == "check" else {"Authorization": caller}

    def ask(self, door):
        method, path, address, body = {"check": ("GET", "/check/default", self.guarded.data, None),
                                       "review": ("POST", "/v1/review", self.guarded.data, {"token": self.guarded.workload}),
                                       "control": ("PUT", f"/v1/identities/made-{self.count}", self.guarded.control, {})}[door]
        return self.guarded.ask(method, path, None, address, body, self.headers(door))


def test_a_callers_own_key_is_fetched(start, tmp_path, issuer):
    """His issuer has new keys: what he asks waits for them, body and all, on either plane, and is then handled once."""
    rotating = Rotating(start, tmp_path, issuer)
    for door, status in (("check", 200), ("review", 200), ("control", 201)):
        for _ in range(2):
            rotating.rotate()
            assert rotating.ask(door).status == status, door
    text = wire.ask(rotating.guarded.relyd.health, "GET", "/metrics").body.decode()
    assert "relyd_callers_refused_total{reason=\"bad_token\"} 0\n" in text


def test_a_callers_own_key_is_fetched_by_http2(start, tmp_path, issuer):
    """Three requests of one connection, with heads and bodies of their own, wait for the same key."""
    rotating = Rotating(start, tmp_path, issuer)
    guarded = rotating.guarded
    body = json.dumps({"token": guarded.workload}).encode()
    context = guarded.context()
    context.set_alpn_protocols(["h2"])
    with http2.Line(guarded.data, context) as line:
        for _ in range(2):
            rotating.rotate()
            caller = rotating.issuer.token(sub="gateway")
            streams = [line.open(http2.request("/check/default", token=guarded.workload, x_relyd_caller=f"Bearer {caller}")),
                       line.open(http2.request("/v1/review", "POST", token=caller, content_type="application/json"), body=body),
                       line.open(http2.request("/v1/review", "POST", token=caller, content_type="application/json"), body=body)]
            assert [line.wait(stream).status for stream in streams] == [200, 200, 200]


def test_a_callers_key_that_does_not_come_is_waited_for_once(start, tmp_path, issuer):
    """The issuer says nothing: he is refused when keys.miss_wait_ms is over, in the words of his door."""
    rotating = Rotating(start, tmp_path, issuer, keys__miss_wait_ms=300)
    release = threading.Event()
    answer = issuer.answer
    issuer.answer = lambda path, connection: release.wait(30) and answer(path, connection)
    try:
        for door, refused in (("check", (403, "caller_not_permitted")), ("review", (401, "unauthenticated")), ("control", (401, "unauthenticated"))):
            rotating.rotate()
            begun = time.monotonic()
            got = rotating.ask(door)
            assert (got.status, got.header("x-relyd-reason") or got.json()["code"]) == refused
            assert 0.25 <= time.monotonic() - begun < 10, door
    finally:
        release.set()


def test_an_issuer_that_says_nothing_leaves_administrators_their_places(start, tmp_path, issuer):
    """Made-up keys of one issuer on the control plane: an administrator of another, whose key is new, waits for it all the same."""
    silent, release = Issuer(), threading.Event()
    silent.answer = lambda path, connection: release.wait(60)
    rotating = Rotating(start, tmp_path, issuer)
    rotating.guarded.relyd.put_issuer("silent", **silent.record())
    answered = []

    def knock(number):
        token = tokens.key("stranger", "ES256").sign(tokens.claims(silent.url), kid=f"made-up-{number}")
        answered.append(rotating.guarded.ask("GET", "/v1/issuers", None, rotating.guarded.control, None, {"Authorization": f"Bearer {token}"}))

    strangers = [threading.Thread(target=knock, args=(number,)) for number in range(40)]
    try:
        for stranger in strangers:
            stranger.start()
        wire.wait_for(lambda: len(answered) >= 8, what="the first that find no place")
        rotating.rotate()
        assert rotating.ask("control").status == 201
    finally:
        release.set()
        for stranger in strangers:
            stranger.join()
        silent.stop()
    assert {answer.status for answer in answered} == {401}


def test_who_leaves_while_his_key_is_fetched(start, tmp_path, issuer):
    """And who breaks off: others are served meanwhile and behind him, and what he asked is not done."""
    rotating = Rotating(start, tmp_path, issuer)
    release = threading.Event()
    answer = issuer.answer
    issuer.answer = lambda path, connection: release.wait(30) and answer(path, connection)
    rotating.rotate()
    lines = []
    for door, method, path, address in (("check", "GET", "/check/default", rotating.guarded.data),
                                        ("control", "PUT", "/v1/identities/left", rotating.guarded.control)):
        line = rotating.guarded.context().wrap_socket(socket.create_connection(address, timeout=wire.TIMEOUT), server_hostname="localhost")
        head = "".join(f"{name}: {value}\r\n" for name, value in rotating.headers(door).items())
        line.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n{head}\r\n{{}}".encode())
        lines.append(line)
    wire.wait_for(lambda: issuer.requests.count(DISCOVERY) >= 2, what="the fetch that they wait for")
    for line in lines:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
    assert rotating.guarded.ask_all(rotating.guarded.context("dns:gw.example")) == ALLOWED
    release.set()
    wire.wait_for(lambda: rotating.ask("control").status == 201, what="the new key")
    assert rotating.guarded.relyd.admin("GET", "/v1/identities/left").status == 404


def test_a_revoked_identity_asks_no_more(guarded):
    by_certificate, by_token = guarded.context("dns:gw.example"), guarded.token("gateway")
    for fields, expected in (({}, UNPROVEN), ({"issuedBefore": "2001-01-01T00:00:00Z"}, UNPROVEN), ({"issuerName": "prod"}, ALLOWED)):
        revoked = guarded.relyd.admin("POST", "/v1/revocations", {"identity": "gateway", "reason": "r"} | fields)
        assert revoked.status == 201
        assert guarded.ask_all(by_certificate) == expected, fields
        assert guarded.ask_all(guarded.context(), by_token) == (ALLOWED if "issuedBefore" in fields else UNPROVEN), fields
        assert guarded.relyd.admin("DELETE", revoked.header("location")).status == 204
        assert guarded.ask_all(by_certificate) == guarded.ask_all(guarded.context(), by_token) == ALLOWED


def test_every_door_by_token(guarded):
    later = int(time.time()) - 7200
    for token, expected in ((guarded.token("gateway"), ALLOWED), (guarded.token("ops"), ALLOWED), (guarded.token("sees"), WITHOUT_ROLE),
                            (guarded.token("other"), WITHOUT_ROLE), (guarded.token("asleep"), UNPROVEN), (guarded.token("nobody"), UNPROVEN),
                            (guarded.token("gateway", aud="elsewhere"), UNPROVEN), (guarded.token("gateway", exp=later, iat=later - 60), UNPROVEN),
                            (tokens.key("strange").sign(tokens.claims(ISSUER, sub="gateway")), UNPROVEN), ("relyd-bootstrap-guess", UNPROVEN),
                            ("no token", UNPROVEN), (guarded.workload, WITHOUT_ROLE)):
        assert guarded.ask_all(guarded.context(), token) == expected, token[:40]
    unknown = guarded.context("dns:unknown.example")  # a certificate that nobody knows counts as none
    assert guarded.ask_all(unknown, guarded.token("gateway")) == ALLOWED
    known = guarded.context("dns:gw.example")  # the first proof counts; a gateway passes on what its client sends
    assert guarded.ask_all(known, guarded.token("nobody")) == ALLOWED


def test_what_a_client_sends_through_a_gateway_proves_nothing(guarded):
    """A gateway that appends its own header to one of its client's has two, of which nobody knows which is whose."""
    token = guarded.token("gateway")
    head = f"GET /check/default HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {guarded.workload}\r\n"
    own = f"x-relyd-caller: Bearer {token}\r\n"
    for headers, status in ((own, 200), (own + own, 403), (f"x-relyd-caller: Bearer x\r\n{own}", 403), (f"{own}x-relyd-caller: \r\n", 403),
                            ("x-relyd-caller: Basic Z3c6Z3c=\r\n", 403), ("x-relyd-caller: \r\n", 403), (f"x-relyd-caller: {token}\r\n", 403),
                            (f"x-relyd-caller: Bearer {token}, Bearer {token}\r\n", 403), ("", 403)):
        plain = socket.create_connection(guarded.data, timeout=wire.TIMEOUT)
        with contextlib.closing(guarded.context().wrap_socket(plain, server_hostname="localhost")) as line:
            line.sendall((head + headers + "\r\n").encode())
            assert wire.statuses(line.recv(65536)) == [status], headers[:40]


def test_a_refused_caller_is_told_apart_from_a_refused_token(guarded):
    answer = guarded.ask("GET", "/check/default", headers={"Authorization": f"Bearer {guarded.workload}"})
    assert answer.header("www-authenticate") is None
    guarded.relyd.wait_for_words("caller_not_permitted")
    line = next(event for event in guarded.relyd.events() if event.get("reason") == "caller_not_permitted")
    assert line["endpoint"] == "check" and "subject" not in line and "must prove who he is" in line["detail"]
    answer = guarded.ask("POST", "/v1/review", guarded.context("cn:other"), body={"token": guarded.workload})
    assert "certificate:other has not the role reviewer" in answer.json()["detail"]
    for path in ("/nothing", "/livez", "/v1/issuers"):  # which paths there are, nobody is told
        assert guarded.ask("GET", path).status == 401
    text = wire.ask(guarded.relyd.health, "GET", "/metrics").body.decode()
    assert 'relyd_callers_refused_total{reason="anonymous"} 4\n' in text


def test_every_refused_caller_is_in_the_log(guarded):
    guarded.ask_all(guarded.context("dns:unknown.example"))
    guarded.relyd.wait_for_words('"caller_not_permitted"', 3)
    lines = [event for event in guarded.relyd.events() if event.get("reason") == "caller_not_permitted"]
    assert sorted(line["endpoint"] for line in lines) == ["check", "review", "tokenreview"]
    assert len({line["decisionId"] for line in lines}) == 3
    for line in lines:
        assert "dns:unknown.example" in line["detail"] and line["peer"].startswith("127.0.0.1:")
    text = wire.ask(guarded.relyd.health, "GET", "/metrics").body.decode()
    assert 'relyd_callers_refused_total{reason="anonymous"} 3\n' in text
    assert 'reason="proven"' not in text


def test_whom_a_gateway_asks_for_learns_nothing_of_the_gateway(guarded):
    """Envoy, Traefik and Caddy pass the answer on: what the gateway's own proof said stands in the log alone."""
    guarded.relyd.put_credential("second", "payments-api", subject="gateway")
    of_check = {"Authorization": f"Bearer {guarded.workload}"}
    for name, secret in (("gateway", "payments-api"), ("nobody", "nobody")):
        answer = guarded.ask("GET", "/check/default", headers=of_check | {"x-relyd-caller": f"Bearer {guarded.token(name)}"})
        assert answer.header("x-relyd-reason") == "caller_not_permitted"
        assert secret not in answer.body.decode() + repr(answer.headers)
        guarded.relyd.wait_for_words("among them gateway and payments-api" if name == "gateway" else 'subject \\"nobody\\"')
    answer = guarded.ask("GET", "/check/default", guarded.context("dns:asleep.example"), headers=of_check)
    assert answer.status == 403 and "asleep" not in answer.body.decode() + repr(answer.headers)
    guarded.relyd.wait_for_words("identity asleep is disabled")


def test_a_name_that_is_taken_away_counts_no_more(guarded):
    context = guarded.context("dns:gw.example")
    with contextlib.closing(wire.Client(guarded.data, context)) as client:
        ask = lambda: client.ask("GET", "/check/default", headers={"Authorization": f"Bearer {guarded.workload}"}).status
        assert ask() == 200
        guarded.relyd.put_identity("gateway", roles=["reviewer"])
        assert ask() == 403  # on the very same connection
        guarded.relyd.put_identity("gateway", **IDENTITIES["gateway"])
        assert ask() == 200
        guarded.relyd.put_identity("gateway", **IDENTITIES["gateway"] | {"roles": []})
        assert ask() == 403


def test_an_authority_that_is_taken_away_counts_no_more(guarded):
    context = guarded.context("dns:gw.example")
    with contextlib.closing(wire.Client(guarded.data, context)) as client:
        ask = lambda: client.ask("GET", "/check/default", headers={"Authorization": f"Bearer {guarded.workload}"}).status
        assert ask() == 200
        Authority("callers").write(guarded.folder / "callers.crt")
        guarded.relyd.process.send_signal(signal.SIGHUP)
        guarded.relyd.wait_for_words('"certificate_loaded"', 4)
        assert ask() == 200  # as long as it is open
    with pytest.raises(OSError):
        guarded.ask_all(context)


def test_peers_of_a_unix_socket(guarded):
    """Root and relyd's own user need no more; whoever else reaches it shows a token."""
    of_check = {"Authorization": f"Bearer {guarded.workload}"}
    assert wire.ask(guarded.unix, "GET", "/check/default", headers=of_check).status == 200
    assert wire.ask(guarded.unix, "GET", "/check/default", headers=of_check | {"x-relyd-caller": "Bearer x"}).status == 403
    assert wire.ask(guarded.unix, "GET", "/check/default", headers=of_check | {"x-relyd-caller": "Basic Z3c6Z3c="}).status == 403
    assert wire.ask(guarded.unix, "POST", "/v1/review", {"token": guarded.workload}, {"Authorization": "Basic Z3c6Z3c="}).status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_members_of_a_group_administer(start, tmp_path):
    group = grp.getgrnam("games")
    relyd = start(admin__socket_group="games")
    assert os.stat(relyd.socket).st_gid == group.gr_gid
    put = b"PUT /v1/identities/made HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    assert wire.statuses(wire.exchange_as_somebody(relyd.socket, put, group.gr_gid)) == [201]
    assert wire.exchange_as_somebody(relyd.socket, put, 65534) is None
    assert wire.statuses(wire.exchange_as_somebody(relyd.socket, put, first=group.gr_gid)) == [200]  # a peer's first group is not among his others
    os.chmod(relyd.socket, 0o666)
    assert wire.statuses(wire.exchange_as_somebody(relyd.socket, put, 65534)) == [401]
    assert actors(relyd)[-1] == "uid:65534"


# --- the control plane ----------------------------------------------------------------------------------------------


def actors(relyd):
    with contextlib.closing(sqlite3.connect(relyd.database)) as database:
        return [row[0] for row in database.execute("SELECT actor FROM change_log ORDER BY revision")]


def test_who_wrote_what(guarded):
    ways = ((guarded.context("uri:spiffe://prod/ops"), {}, "certificate:ops"),
            (guarded.context(), {"Authorization": f"Bearer {guarded.token('ops')}"}, "identity:ops"))
    for number, (context, headers, actor) in enumerate(ways):
        answer = guarded.ask("PUT", f"/v1/identities/made-{number}", context, guarded.control, {}, headers)
        assert answer.status == 201, answer
        assert actors(guarded.relyd)[-1] == actor
    assert wire.ask(guarded.relyd.admin_tcp, "PUT", "/v1/identities/made-3", {}).status == 201
    assert actors(guarded.relyd)[-1].startswith("tcp:127.0.0.1:")
    assert actors(guarded.relyd)[0] == f"uid:{os.getuid()}"


def test_who_may_not_write(guarded):
    for names, token, status in (([], None, 401), (["dns:unknown.example"], None, 401), (["dns:gw.example"], None, 403),
                                 (["email:sees@x.example"], None, 403), ([], "other", 403), ([], "nobody", 401)):
        headers = {"Authorization": f"Bearer {guarded.token(token)}"} if token else {}
        answer = guarded.ask("PUT", "/v1/identities/made", guarded.context(*names), guarded.control, {}, headers)
        assert answer.status == status, (names, token, answer)
    assert guarded.relyd.admin("GET", "/v1/identities/made").status == 404
    guarded.relyd.wait_for_words('"caller_refused"', 6)
    assert guarded.ask("GET", "/v1/identities", guarded.context("email:sees@x.example"), guarded.control).status == 200
    assert guarded.ask("GET", "/livez", None, guarded.control).status == 200
    assert guarded.ask("GET", "/metrics", None, guarded.control).status == 401


def test_a_page_of_its_own_gets_in_and_no_other(guarded):
    headers = {"Authorization": f"Bearer {guarded.token('ops')}", "Host": "relyd.example:8443"}
    for origin, status in ((None, 200), ("https://relyd.example:8443", 200), ("https://evil.example", 403), ("http://relyd.example:8443", 403),
                           ("https://relyd.example", 403), ("null", 403)):
        with_origin = headers | ({"Origin": origin} if origin else {})
        assert guarded.ask("GET", "/v1/issuers", None, guarded.control, headers=with_origin).status == status, origin


def test_an_owner_over_the_wire(guarded):
    guarded.relyd.put_identity("app", owners=["other"])
    context = guarded.context("cn:other")
    path = "/v1/identities/app/federatedIdentityCredentials"
    body = {"issuer": ISSUER, "subject": "s", "audiences": ["relyd"]}
    assert guarded.ask("PUT", f"{path}/new", context, guarded.control, body).status == 201
    assert guarded.ask("PUT", path.replace("app", "gateway") + "/new", context, guarded.control, body).status == 403
    assert guarded.ask("PUT", "/v1/identities/app", context, guarded.control, {}).status == 403
    assert actors(guarded.relyd)[-1] == "certificate:other"
    guarded.relyd.put_identity("second")
    guarded.relyd.put_credential("same", "second", subject="s")  # whom else there is an owner does not see
    for who, expected in ((context, []), (guarded.context("uri:spiffe://prod/ops"), ["overlap"])):
        changed = guarded.ask("PUT", f"{path}/new", who, guarded.control, body | {"description": "changed"})
        assert (changed.status, [warning["code"] for warning in changed.json()["warnings"]]) == (200, expected)
    guarded.relyd.put_identity("app", owners=["other"], roles=["reviewer"])
    assert guarded.ask("DELETE", f"{path}/new", context, guarded.control).status == 403


# --- the first administrator ----------------------------------------------------------------------------------------


def test_the_line_of_bootstrap_goes_where_the_page_puts_it(tmp_path):
    """docs/callers.md: into the file that --print-config and the package make, which has `auth:` already."""
    commands = re.findall(r"^    (\(umask 077; relyd --bootstrap .*|sed -i .*)\n", (ROOT / "docs/callers.md").read_text(), re.M)
    assert len(commands) == 2
    relyd = lambda *words: subprocess.run([BINARY, *words], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path)
    (tmp_path / "relyd.yaml").write_text(relyd("--print-config").stdout)
    script = "\n".join(commands).replace("/etc/relyd/", "").replace("relyd --", f"{BINARY} --")
    subprocess.run(["sh", "-ec", script], check=True, timeout=60, cwd=tmp_path)
    digest = hashlib.sha256((tmp_path / "first").read_text().split("\n")[0].encode()).hexdigest()
    assert relyd("--config", "relyd.yaml", "--check-config").stderr.count("auth.bootstrap_tokens is set") == 1
    assert f'  bootstrap_tokens: ["{digest}"]\n' in relyd("--config", "relyd.yaml", "--print-config").stdout
    assert (tmp_path / "first").stat().st_mode & 0o077 == 0  # whoever has it is an administrator


def test_the_first_administrator(start):
    """relyd --bootstrap, its line in the configuration, an identity with the role; then without the line."""
    token, line = subprocess.run([BINARY, "--bootstrap"], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert token.startswith("relyd-bootstrap-") and len(token) == len("relyd-bootstrap-") + 43
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert line == f'auth: {{bootstrap_tokens: ["{digest}"]}}'
    address = ("127.0.0.1", wire.free_port())
    relyd = start(auth__bootstrap_tokens=[digest], listeners=[{"address": "%s:%d" % address, "serves": "control"}])
    relyd.wait_for_words("bootstrap_token_set")
    ask = lambda shown, path, **fields: wire.ask(address, "PUT", path, fields, {"Authorization": f"Bearer {shown}"}).status
    assert ask(token + "x", "/v1/identities/ops", roles=["admin"]) == 401
    assert ask(token, "/v1/identities/ops", roles=["admin"]) == 201
    assert ask(token, "/v1/identities/ops") == 200  # the last one may go: whoever has the token makes the next
    assert actors(relyd) == ["bootstrap", "bootstrap"]
    relyd.settings.pop("auth.bootstrap_tokens")
    relyd.restart()
    assert ask(token, "/v1/identities/ops", roles=["admin"]) == 401
    assert token not in relyd.log()
