"""How documents are fetched: redirects, answers that tell an administrator what to do, ranges and proxies."""

import json
import socket
import threading
import time

import pytest
import service
import wire
from issuer import DISCOVERY, response


def keys_of(relyd, name="cluster"):
    answer = relyd.admin("GET", f"/v1/issuers/{name}/keys")
    assert answer.status == 200, answer
    return answer.json()


def wait_for(relyd, member, name="cluster"):
    return wire.wait_for(lambda: keys_of(relyd, name).get(member), what=member)


def register(relyd, issuer, **fields):
    relyd.put_issuer("cluster", **issuer.record(**fields))
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)


def redirect(location, status="303 See Other"):
    return response("", status, "text/html", f"Location: {location}")


def test_discovery_redirects_within_the_origin(relyd, issuer):
    """fault C11: up to three, whatever the status, absolute or relative."""
    issuer.answers[DISCOVERY] = redirect("/a")
    issuer.answers["/a"] = redirect(issuer.url + "/b", "302 Found")
    issuer.answers["/b"] = redirect("c", "308 Permanent Redirect")
    issuer.answers["/c"] = response(issuer.discovery())
    register(relyd, issuer)
    wait_for(relyd, "keys")
    assert relyd.reason(issuer.token()) == "ok"
    assert issuer.requests == [DISCOVERY, "/a", "/b", "/c", "/openid/v1/jwks"]


def test_discovery_redirects_once_too_often(relyd, issuer):
    """fault C11"""
    issuer.answers[DISCOVERY] = redirect("/a")
    issuer.answers["/a"] = redirect("/b")
    issuer.answers["/b"] = redirect("/c")
    issuer.answers["/c"] = redirect("/d")
    issuer.answers["/d"] = response(issuer.discovery())
    register(relyd, issuer)
    assert wait_for(relyd, "lastError") == f"keys of issuer cluster: {issuer.url}/c: redirected more often than is allowed"
    assert "/d" not in issuer.requests


def test_the_redirected_document_must_name_the_issuer(relyd, issuer):
    """fault C11: a redirect changes nothing about what the document must say."""
    issuer.answers[DISCOVERY] = redirect("/a")
    issuer.answers["/a"] = response(issuer.discovery(issuer=issuer.url + "/a"))
    register(relyd, issuer)
    assert "names issuer" in wait_for(relyd, "lastError")


@pytest.mark.parametrize("target", ["https://127.0.0.1:{}/tenant-0123456789/0123456789/0123456789/.well-known/openid-configuration",
                                    "http://127.0.0.1:{}/x", "https://localhost:{}/x", "https://169.254.169.254/{}"])
def test_discovery_at_another_origin(start, issuer, target):
    """fault C11: never followed; lastError names the target and the field that may hold it."""
    relyd = start(issuers__allow_http=True)
    location = target.format(issuer.port + (1 if "tenant" in target else 0))
    issuer.answers[DISCOVERY] = redirect(location)
    register(relyd, issuer, allowHttp=True)
    assert wait_for(relyd, "lastError") == (
        f'keys of issuer cluster: {issuer.url}{DISCOVERY}: redirected to another origin, "{location}", which is never followed: '
        "if the document is right there, give that URL as discoveryUrl")
    assert issuer.requests == [DISCOVERY]


def test_key_set_at_another_origin(relyd, issuer):
    """fault C11, of the other document"""
    issuer.answers["/openid/v1/jwks"] = redirect("https://elsewhere.example/keys")
    register(relyd, issuer)
    assert wait_for(relyd, "lastError").endswith(
        'redirected to another origin, "https://elsewhere.example/keys", which is never followed: '
        "if the key set is right there, give that URL as keys.jwksUri")


@pytest.mark.parametrize("path", [DISCOVERY, "/openid/v1/jwks"])
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_issuer_behind_a_login(relyd, issuer, path, status):
    """fault C21: what to do about it, with what there is."""
    issuer.answers[path] = response({}, status)
    register(relyd, issuer)
    assert wait_for(relyd, "lastError") == (
        f"keys of issuer cluster: {issuer.url}{path}: answered {status[:3]}, not 200: a Kubernetes cluster shows its keys to strangers only "
        "when the ClusterRole system:service-account-issuer-discovery is bound to the group system:unauthenticated; bind it, give a token that may "
        "read them (bearerTokenFile), or upload the key set (keys.jwks)")
    wire.wait_for(lambda: "ClusterRole" in relyd.log(), what="the log line")


def test_other_statuses_get_no_advice(relyd, issuer):
    issuer.answers[DISCOVERY] = response({}, "404 Not Found")
    register(relyd, issuer)
    assert wait_for(relyd, "lastError") == f"keys of issuer cluster: {issuer.url}{DISCOVERY}: answered 404, not 200"


def test_an_aged_answer_is_fetched_again_soon(start, issuer):
    """fault C5: 3590 of its 3600 seconds are over, so the least time counts; 80 percent of it, give or take."""
    relyd = start(keys__refresh_min_s=10)
    issuer.answers["/openid/v1/jwks"] = response(issuer.jwks(), "200 OK", "application/json", "Cache-Control: max-age=3600",
                                                 "Age: 3590")
    register(relyd, issuer)
    wait_for(relyd, "keys")
    due = time.mktime(time.strptime(keys_of(relyd)["nextFetchAt"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert due - time.time() < 12


# --- ranges and proxies -----------------------------------------------------------------------------------------------


class Proxy:
    """An http proxy that knows CONNECT only."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.asked, self.heads = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            target = head.split()[1].decode()
            self.asked.append(target)
            self.heads.append(head)
            host, port = target.rsplit(":", 1)
            there = socket.create_connection((host, int(port)), 5)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=self.copy, args=(connection, there), daemon=True).start()
            self.copy(there, connection)
        except (OSError, IndexError, ValueError):
            connection.close()

    @staticmethod
    def copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def proxy():
    made = Proxy()
    yield made
    made.listener.close()


def test_keys_through_the_proxy(start, issuer, proxy):
    """fault C13: by the address that relyd has judged."""
    relyd = start(keys__proxy=proxy.url)
    register(relyd, issuer)
    wait_for(relyd, "keys")
    assert relyd.reason(issuer.token()) == "ok"
    assert proxy.asked == [f"127.0.0.1:{issuer.port}"] * 2


def test_the_fence_stands_before_the_proxy(start, issuer, proxy):
    """fault C13: what the record may not reach, the proxy is not asked for either."""
    relyd = start(keys__proxy=proxy.url)
    register(relyd, issuer, allowPrivateAddresses=False)
    assert "address 127.0.0.1 is in a special range" in wait_for(relyd, "lastError")
    assert proxy.asked == [] and issuer.requests == []


@pytest.fixture
def no_variables(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delitem(service.ENVIRONMENT, name, raising=False)
        monkeypatch.delitem(service.ENVIRONMENT, name.upper(), raising=False)


def test_proxy_variables_are_ignored_and_named(start, issuer, no_variables, monkeypatch):
    """fault C13: 0.1 ignored them silently."""
    monkeypatch.setitem(service.ENVIRONMENT, "HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setitem(service.ENVIRONMENT, "no_proxy", "localhost")
    relyd = start()
    lines = wire.wait_for(lambda: [line for line in relyd.log().splitlines() if "proxy_variables_ignored" in line], what="the warning")
    (event,) = [json.loads(line) for line in lines]
    assert event["level"] == "warning"
    assert event["message"] == ("the environment's HTTPS_PROXY, no_proxy are ignored: keys.proxy alone says through which proxy keys are fetched")
    register(relyd, issuer)
    wait_for(relyd, "keys")


def test_no_variables_no_warning(no_variables, relyd):
    wire.wait_for(lambda: '"ready"' in relyd.log(), what="the log")
    assert "proxy_variables_ignored" not in relyd.log()


def test_ranges(start, issuer):
    """fault C7: an allowed range needs no word in the record; a denied one is closed to every record."""
    relyd = start(fetch__allow_ranges=["127.0.0.1/32"])
    register(relyd, issuer, allowPrivateAddresses=False)
    wait_for(relyd, "keys")
    assert relyd.reason(issuer.token()) == "ok"
    count = len(issuer.requests)
    other = start(fetch__allow_ranges=["127.0.0.1/32"], fetch__deny_ranges=["127.0.0.0/8"])
    register(other, issuer)
    assert wait_for(other, "lastError").endswith("address 127.0.0.1 is in one of fetch.deny_ranges")
    assert len(issuer.requests) == count
