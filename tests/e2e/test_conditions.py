"""The status of an issuer: for each kind of failure the first condition that is False, its reason and what its message says. One table; docs/conditions.md
has the reasons, and the test that ends this file that none of them is missing here."""

import contextlib
import gzip
import json
import re
import socket
import threading
import time

import pytest
import tokens
import wire
from issuer import DISCOVERY, Issuer, response
from service import ROOT, Relyd
from test_misbehaving_issuers import CONTEXTS, JWKS, redirect

LONG_LABEL = "a" * 64 + ".example"  # no name: the resolver refuses it without asking anybody
ORDER = ["NameResolved", "Connected", "TlsTrusted", "DiscoveryRead", "IssuerMatches", "KeysRead", "KeysUsable", "TokensSeen", "Ready"]
NEEDED_BY = {"discovery": ORDER, "jwksUri": [name for name in ORDER if name not in ("DiscoveryRead", "IssuerMatches")], "jwks": ["KeysRead", "KeysUsable", "TokensSeen", "Ready"]}


class Case:
    """One issuer that fails: a path of its own on the server, or a place of its own."""

    def __init__(self, server, name, stack):
        self.server, self.base, self.stack = server, f"/{name}", stack
        self.url = server.url + self.base
        self.fields = {}

    def discovery(self, **changes):
        return self.server.discovery(self.base, **changes)

    def document(self, answer):
        self.server.answers[self.base + DISCOVERY] = answer

    def keys(self, answer):
        self.server.answers[self.base + JWKS] = answer if isinstance(answer, bytes) or callable(answer) else response(json.dumps(answer))

    def says(self, **changes):
        self.document(response(self.discovery(**changes)))

    def at(self, port, host="127.0.0.1"):
        self.url = f"https://{host}:{port}"

    def tls(self, name):
        server = Issuer(context=CONTEXTS[name]())
        self.stack.callback(server.stop)
        self.at(server.port)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listen(case, serve, backlog=10):
    """A server that does with each connection what it likes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    case.stack.callback(listener.close)

    def accept_all():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                case.stack.callback(connection.close)
                serve(connection)

    if serve is not None:
        threading.Thread(target=accept_all, daemon=True).start()
    case.at(listener.getsockname()[1])
    return listener


def answer_plainly(connection):
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def fill_backlog(case):
    """Nobody accepts, and no more may wait: what asks for a connection gets no answer."""
    listener = listen(case, None, backlog=0)
    for _ in range(3):
        waiting = socket.socket()
        waiting.setblocking(False)
        case.stack.callback(waiting.close)
        with contextlib.suppress(BlockingIOError):
            waiting.connect(listener.getsockname())


def hang(server, connection):
    connection.settimeout(30)
    connection.recv(1)


def private_set(case):
    return tokens.jwks(case.server.keys[0].jwk(d="AQAB"))


# name: (what is done, the first condition that is False, its reason, a part of its message)
DISCOVERY_CASES = {
    "name": (lambda c: c.at(443, LONG_LABEL), "NameResolved", "name_not_found", "the host name does not resolve"),
    "private": (lambda c: c.fields.update(allowPrivateAddresses=False), "Connected", "private_address", "address 127.0.0.1 is in a special range"),
    "refused": (lambda c: c.at(free_port()), "Connected", "connection_refused", "connection refused"),
    "backlog": (fill_backlog, "Connected", "connection_timeout", "within"),
    "no-way": (lambda c: c.at(443, "255.255.255.255"), "Connected", "unreachable", "etwork is unreachable"),
    "other-ca": (lambda c: c.tls("of another authority"), "TlsTrusted", "unknown_ca", "put the PEM of its authority into `caBundle`"),
    "no-pem": (lambda c: c.fields.update(caBundle="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "TlsTrusted", "unknown_ca", "caBundle is not PEM"),
    "other-name": (lambda c: c.tls("of another address"), "TlsTrusted", "wrong_name", "not for this host"),
    "expired": (lambda c: c.tls("expired"), "TlsTrusted", "certificate_expired", "certificate has expired"),
    "not-yet": (lambda c: c.tls("not yet valid"), "TlsTrusted", "certificate_not_yet_valid", "not yet valid"),
    "old-tls": (lambda c: c.tls("TLS 1.1 only"), "TlsTrusted", "tls_failed", "handshake failed"),
    "silent-tls": (lambda c: listen(c, lambda connection: None), "TlsTrusted", "tls_failed", "within"),
    "no-tls": (lambda c: listen(c, answer_plainly), "TlsTrusted", "not_tls", "handshake failed"),
    "client-certificate": (lambda c: c.tls("asks for a client certificate"), "TlsTrusted", "wants_client_certificate", "relyd has none to show"),
    "d401": (lambda c: c.document(response({}, "401 Unauthorized")), "DiscoveryRead", "unauthorized", "is bound to the group system:unauthenticated"),
    "d403": (lambda c: c.document(response({}, "403 Forbidden")), "DiscoveryRead", "forbidden", "is bound to the group system:unauthenticated"),
    "d404": (lambda c: c.document(response({}, "404 Not Found")), "DiscoveryRead", "not_found", "answered 404, not 200: to mend it, correct the path"),
    "d500": (lambda c: c.document(response({}, "500 Oops")), "DiscoveryRead", "server_error", "answered 500, not 200"),
    "d418": (lambda c: c.document(response({}, "418 Teapot")), "DiscoveryRead", "odd_status", "answered 418, not 200"),
    "away": (lambda c: c.document(redirect("https://elsewhere.example/")), "DiscoveryRead", "redirect_refused", "give that URL as discoveryUrl"),
    "in-circles": (lambda c: c.document(redirect(c.url + DISCOVERY)), "DiscoveryRead", "redirect_refused", "more often than is allowed"),
    "to-file": (lambda c: c.document(redirect("file:///etc/passwd")), "DiscoveryRead", "redirect_refused", "redirected to"),
    "large": (lambda c: c.document(response(b" " * 5_000_000)), "DiscoveryRead", "too_large", "larger than"),
    "silent": (lambda c: c.document(hang), "DiscoveryRead", "timeout", "within"),
    "cut": (lambda c: c.document(response(c.discovery())[:-9]), "DiscoveryRead", "cut_short", "not complete"),
    "closed": (lambda c: c.document(lambda server, connection: connection.close()), "DiscoveryRead", "cut_short", "not complete"),
    "html": (lambda c: c.document(response(b"<html></html>", "200 OK", "text/html")), "DiscoveryRead", "not_json", "a page for people (HTML)"),
    "gzip": (lambda c: c.document(response(gzip.compress(b"{}"), "200 OK", "application/json", "Content-Encoding: gzip")), "DiscoveryRead", "not_json", 'Content-Encoding "gzip"'),
    "no-jwks-uri": (lambda c: c.says(jwks_uri=None), "DiscoveryRead", "no_jwks_uri", "no usable jwks_uri"),
    "http-jwks-uri": (lambda c: c.says(jwks_uri="http://127.0.0.1/keys"), "DiscoveryRead", "jwks_uri_refused", "http is not allowed for this issuer"),
    "user-jwks-uri": (lambda c: c.says(jwks_uri="https://me@127.0.0.1/keys"), "DiscoveryRead", "jwks_uri_refused", "a user or password"),
    "slash": (lambda c: c.says(issuer=c.url + "/"), "IssuerMatches", "trailing_slash", "names issuer"),
    "other": (lambda c: c.says(issuer="https://elsewhere.example"), "IssuerMatches", "other_issuer", 'names issuer "https://elsewhere.example"'),
    "nobody": (lambda c: c.says(issuer=None), "IssuerMatches", "no_issuer", "has no issuer"),
    "keys-404": (lambda c: c.keys(response({}, "404 Not Found")), "KeysRead", "not_found", "answered 404"),
    "keys-html": (lambda c: c.keys(response(b"<html></html>")), "KeysRead", "not_json", "key set at"),
    "keys-list": (lambda c: c.keys(response(b"[]")), "KeysRead", "not_json", "no JSON object"),
    "keys-many": (lambda c: c.keys({"keys": [{"kty": "x"}] * 2000}), "KeysRead", "too_large", "more than"),
    "keys-refused": (lambda c: c.says(jwks_uri="https://127.0.0.1:%d/keys" % free_port()), "KeysRead", "connection_refused", "connection refused"),
    "keys-denied": (lambda c: c.says(jwks_uri=f"https://127.0.0.3:{c.server.port}/keys"), "KeysRead", "private_address", "fetch.deny_ranges"),
    "keys-other-name": (lambda c: c.says(jwks_uri=f"https://127.0.0.2:{c.server.port}/keys"), "KeysRead", "connection_refused", "connection refused"),
    "empty": (lambda c: c.keys({"keys": []}), "KeysUsable", "empty_set", "the key set has no keys"),
    "unknown-keys": (lambda c: c.keys({"keys": [{"kty": "x"}]}), "KeysUsable", "no_usable_keys", "no usable key; the first one is skipped because"),
    "weak": (lambda c: c.keys(tokens.jwks({"kty": "RSA", "kid": "w", "n": tokens.encode(b"\xc1" + b"\x55" * 127), "e": "AQAB"})), "KeysUsable", "weak_keys", "too weak or too large"),
    "private-keys": (lambda c: c.keys(private_set(c)), "KeysUsable", "private_members", "whoever has read the key set can sign with it"),
    "algorithms": (lambda c: c.fields.update(algorithms=["EdDSA"]), "KeysUsable", "algorithms_excluded", "add the algorithm"),
    "disabled": (lambda c: c.fields.update(enabled=False), "Ready", "disabled", "set `enabled` to true"),
}
EDGES = {"name_timeout", "proxy_refused", "file_missing", "file_unreadable", "keys_of_another_issuer", "too_old", "not_ready", "none_yet", "only_refused", "clock_skew"}  # each has a test of its own


def conditions(relyd, name):
    return relyd.admin("GET", f"/v1/issuers/{name}").json()["status"]["conditions"]


def first_false(found):
    return next((item for item in found if item["status"] == "False"), None)


def settled(relyd, name):
    """The conditions when the first fetch is over."""

    def over():
        found = conditions(relyd, name)
        return found if all(item["reason"] != "not_asked_yet" for item in found) or first_false(found[:-2]) else None

    return wire.wait_for(over, 30, f"the first fetch of {name}")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        server = Issuer()
        stack.callback(server.stop)
        relyd = Relyd(tmp_path_factory.mktemp("crowd"), keys__miss_wait_ms=0, keys__fetch_timeout_ms=4000, fetch__deny_ranges=["127.0.0.3/32"]).start()
        stack.callback(relyd.stop)
        for name, (make, *_) in DISCOVERY_CASES.items():
            case = Case(server, name, stack)
            make(case)
            relyd.put_issuer(f"issuer-{name}", **server.record(issuer=case.url) | case.fields)
        relyd.server = server
        yield relyd


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", DISCOVERY_CASES)
def test_the_first_false_condition(crowd, name):
    _, condition, reason, said = DISCOVERY_CASES[name]
    found = settled(crowd, f"issuer-{name}")
    assert [item["type"] for item in found] == ORDER
    false = first_false(found)
    assert (false["type"], false["reason"]) == (condition, reason), found
    assert said in false["message"], false
    at = ORDER.index(condition)
    after = {item["type"]: (item["status"], item["reason"]) for item in found[at + 1 : -1]}
    if condition != "Ready":
        assert after == {item: ("Unknown", "not_reached") for item in after}
        assert (found[-1]["status"], found[-1]["reason"]) == ("False", "not_ready")
    before = {item["status"] for item in found[:at] if item["type"] != "TokensSeen"}
    assert before <= {"True"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", false["since"])


def test_the_list_says_the_same(crowd):
    page = crowd.admin("GET", "/v1/issuers?limit=1000").json()["value"]
    listed = {item["name"]: first_false(item["status"]["conditions"]) for item in page}
    assert {name: (listed[f"issuer-{name}"]["type"], listed[f"issuer-{name}"]["reason"]) for name in DISCOVERY_CASES} == {
        name: (condition, reason) for name, (_, condition, reason, _) in DISCOVERY_CASES.items()}
    assert [len(crowd.admin("GET", f"/v1/issuers?limit={limit}").json()["value"]) for limit in (1, 2)] == [1, 2]


def test_relyd_stays_ready(crowd):
    """However many issuers fail: it is no reason to take relyd out of service."""
    settled(crowd, "issuer-refused")
    assert crowd.admin("GET", "/readyz").status == 200


def test_failures_are_counted_by_reason(crowd):
    for name in DISCOVERY_CASES:
        settled(crowd, f"issuer-{name}")
    text = crowd.admin("GET", "/metrics").body.decode()
    counted = set(re.findall(r'^relyd_fetch_failures_total\{reason="(\w+)"\} [1-9]', text, re.M))
    kept = {"algorithms_excluded", "weak_keys", "disabled"}  # their fetches succeed
    assert counted == {reason for _, _, reason, _ in DISCOVERY_CASES.values()} - kept


def test_a_good_one(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    found = settled(relyd, "cluster")
    assert [item["reason"] for item in found] == ["resolved", "connected", "trusted", "read", "same", "read", "usable", "none_yet", "ready"]
    assert {item["status"] for item in found if item["type"] != "TokensSeen"} == {"True"}
    assert [item["message"] for item in found if item["type"] != "TokensSeen"] == ["127.0.0.1"] + [""] * 7


def tokens_seen(relyd, name="cluster"):
    (found,) = [item for item in conditions(relyd, name) if item["type"] == "TokensSeen"]
    assert conditions(relyd, name)[-1]["status"] == "True"  # whatever it is, Ready is so all the same
    return found["status"], found["reason"], found["message"]


def test_what_becomes_of_its_tokens(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record(), leewaySeconds=60)
    settled(relyd, "cluster")
    status, reason, message = tokens_seen(relyd)
    assert (status, reason) == ("False", "none_yet") and "compare their `iss` with `issuer`" in message
    forged = tokens.Key("RS256", kid=issuer.keys[0].kid).sign(tokens.claims(issuer.url))
    assert relyd.reason(forged) == "bad_signature"
    status, reason, message = tokens_seen(relyd)
    assert (status, reason) == ("False", "only_refused") and "has signed none of them" in message and "POST /v1/explain" in message
    assert relyd.reason(issuer.token()) == "no_matching_credential"
    assert "was refused as no_matching_credential" in tokens_seen(relyd)[2]
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    now = int(time.time())
    assert relyd.reason(issuer.keys[0].sign(tokens.claims(issuer.url, iat=now - 600))) == "ok"
    assert tokens_seen(relyd) == ("True", "seen", "")
    assert relyd.reason(issuer.keys[0].sign(tokens.claims(issuer.url, iat=now + 500))) == "issued_in_future"
    assert tokens_seen(relyd)[1] == "seen"  # nobody's token that is refused says what time it is
    assert relyd.reason(issuer.keys[0].sign(tokens.claims(issuer.url, iat=int(time.time()) + 30))) == "ok"
    status, reason, message = tokens_seen(relyd)
    assert (status, reason) == ("False", "clock_skew") and "s ahead; the record's leewaySeconds is 60" in message
    text = relyd.admin("GET", "/metrics").body.decode()
    one, most = re.search(r'^relyd_issuer_clock_skew_seconds{issuer="cluster"} (\d+)$', text, re.M), re.search(r"^relyd_issuer_clock_skew_max_seconds (\d+)$", text, re.M)
    assert 28 <= int(one[1]) == int(most[1]) <= 31


def test_an_alias_and_a_name(relyd, issuer):
    other = f"https://localhost:{issuer.port}"
    issuer.answers[DISCOVERY] = response(issuer.discovery())
    relyd.put_issuer("cluster", **issuer.record(issuer=other, aliases=[issuer.url]), discoveryUrl=issuer.url + DISCOVERY)
    assert settled(relyd, "cluster")[4]["reason"] == "alias"


@pytest.mark.parametrize("source", NEEDED_BY)
def test_what_a_source_does_not_need(relyd, issuer, source):
    keys = {"discovery": True, "jwksUri": issuer.url + JWKS, "jwks": tokens.jwks(*issuer.keys)}[source]
    relyd.put_issuer("cluster", **issuer.record(keys={source: keys}))
    found = settled(relyd, "cluster")
    assert [item["type"] for item in found if item["reason"] != "not_needed"] == NEEDED_BY[source]
    assert {item["status"] for item in found if item["reason"] == "not_needed"} <= {"Unknown"}
    assert (found[-1]["status"], found[5]["reason"]) == ("True", "given" if source == "jwks" else "read")


def test_http_needs_no_certificate(start):
    relyd = start(issuers__allow_http=True)
    relyd.put_issuer("cluster", "http://127.0.0.1:%d" % free_port(), allowHttp=True, allowPrivateAddresses=True)
    found = settled(relyd, "cluster")
    assert (found[1]["reason"], found[2]["reason"]) == ("connection_refused", "not_needed")


@pytest.mark.parametrize("answer, condition, reason", [
    (response({}, "404 Not Found"), "KeysRead", "not_found"), (response({"keys": []}), "KeysUsable", "empty_set"), (redirect("https://elsewhere.example/"), "KeysRead", "redirect_refused")])
def test_a_key_set_by_its_url(relyd, issuer, answer, condition, reason):
    issuer.answers["/keys"] = answer
    relyd.put_issuer("cluster", **issuer.record(keys={"jwksUri": issuer.url + "/keys"}))
    false = first_false(settled(relyd, "cluster"))
    assert (false["type"], false["reason"]) == (condition, reason)


@pytest.mark.parametrize("text, reason", [(None, "file_missing"), ("", "file_unreadable"), ("no token at all", "file_unreadable")])
def test_a_token_that_cannot_be_sent(start, issuer, tmp_path, text, reason):
    if text is not None:
        (tmp_path / "cluster.token").write_text(text)
    relyd = start(keys__folder=str(tmp_path))
    relyd.put_issuer("cluster", **issuer.record(bearerTokenFile="cluster.token"))
    found = wire.wait_for(lambda: conditions(relyd, "cluster") if first_false(conditions(relyd, "cluster")[:-2]) else None, what="the failure")
    false = first_false(found)
    assert (false["type"], false["reason"]) == ("KeysRead", reason) and "file cluster.token in keys.folder" in false["message"]
    assert {item["reason"] for item in found[:5]} == {"not_asked_yet"} and issuer.requests == []


def test_a_proxy_that_refuses(start, issuer):
    relyd = start(keys__proxy="http://127.0.0.1:%d" % free_port())
    relyd.put_issuer("cluster", **issuer.record())
    false = first_false(settled(relyd, "cluster"))
    assert (false["type"], false["reason"]) == ("Connected", "proxy_refused")
    assert "the proxy (keys.proxy): connection refused" in false["message"]


def test_keys_of_another_issuer(relyd, issuer):
    relyd.put_issuer("first", **issuer.record())
    settled(relyd, "first")
    relyd.put_issuer("second", **issuer.record())
    false = first_false(settled(relyd, "second"))
    assert (false["type"], false["reason"]) == ("KeysUsable", "keys_of_another_issuer")
    assert "1 key of issuer second is not used: issuer first with the same iss has it already" in false["message"]
    assert first_false(conditions(relyd, "first"))["reason"] == "none_yet"


def test_what_is_in_force_stays_ready(start, issuer):
    """An outage: Connected says so, and Ready says that tokens are checked all the same, over a restart too."""
    relyd = start(keys__miss_wait_ms=200, keys__miss_cooldown_ms=100)
    relyd.put_issuer("cluster", **issuer.record())
    before = settled(relyd, "cluster")
    issuer.stop()
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    relyd.reason(tokens.key("strange").sign(tokens.claims(issuer.url)))
    false = wire.wait_for(lambda: first_false(conditions(relyd, "cluster")[:-2]), what="the failure")
    assert (false["type"], false["reason"]) == ("Connected", "connection_refused")
    after = conditions(relyd, "cluster")
    assert after[-1] == before[-1] and after[0] == before[0]  # since the same time
    assert after[3]["reason"] == "not_reached"
    relyd.restart()
    assert conditions(relyd, "cluster")[-1]["reason"] == "ready"
    assert relyd.reason(issuer.token()) == "ok"
    false = wire.wait_for(lambda: first_false(conditions(relyd, "cluster")[:-2]), 90, what="the failure")
    assert (false["reason"], conditions(relyd, "cluster")[-1]["status"]) == ("connection_refused", "True")


def test_what_is_shown_may_be_put_back(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    shown = relyd.admin("GET", "/v1/issuers/cluster")
    assert list(shown.json())[-3:] == ["status", "createdAt", "updatedAt"]
    body = shown.json() | {"status": {"conditions": "nobody looks at it"}}
    answer = relyd.admin("PUT", "/v1/issuers/cluster", json.dumps(body).encode())
    assert answer.status == 200 and answer.header("etag") == shown.header("etag")
    assert "status" not in answer.json()


def test_no_reason_is_missing():
    """Every reason that makes a condition False is in the table above, or has a test of its own."""
    rows = re.findall(r'^CAUSE\(\w+, "(\w+)", \w+, FALSE,', (ROOT / "include/relyd/condition.def").read_text(), re.M)
    assert len(rows) > 35 and set(rows) == {reason for _, _, reason, _ in DISCOVERY_CASES.values()} | EDGES
