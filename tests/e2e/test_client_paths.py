"""Fault A1 as a property: whatever path, method and body a client sends through a gateway, only the token decides.

The paths go to relyd as Envoy would send them, and through real nginx, Caddy and HAProxy, with and without a right token."""

import contextlib
import socket
import time

import client_paths
import gateways
import pytest
import scale
import tokens
import wire
from service import ISSUER, Relyd

pytestmark = pytest.mark.long

PATHS = client_paths.corpus(scale.count(5000))
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
BODIES = [b"", b'{"token":"a.b.c","x":1}']
HELD_S = 0.2
RELYD_ANSWERS = {200, 401, 403, 503}


class Sender:
    """Requests as raw bytes over a kept connection, and their statuses; http.client would refuse half of the paths."""

    def __init__(self, address):
        self.address = address
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def read_answer(self, method):
        """(status, body, whether the connection goes on)"""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.connection.recv(65536)
            if not piece:
                return None, b"", False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        is_open = fields.get(b"connection", b"").strip() != b"close" and head.startswith(b"HTTP/1.1")
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            while not body.endswith(b"0\r\n\r\n") and method != "HEAD":
                body += self.connection.recv(65536)
            return status, body, is_open
        length = int(fields.get(b"content-length", b"0"))
        while len(body) < length and method != "HEAD" and status not in (204, 304):
            piece = self.connection.recv(65536)
            if not piece:
                return status, body, False
            body += piece
        return status, body, is_open and b"content-length" in fields

    def ask(self, method, target, body=b"", token=None):
        """(status or None when the connection was closed in silence, body, seconds)"""
        lines = [f"{method} {target} HTTP/1.1", "Host: gateway.example", "X-Relyd-Identity: admin"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body
        for is_fresh in (self.connection is None, True):
            if self.connection is None:
                self.connection = wire.connect(self.address)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = time.monotonic()
            try:
                self.connection.sendall(request)
                status, answer, is_open = self.read_answer(method)
            except OSError:
                status, answer, is_open = None, b"", False
            if not is_open:
                self.close()
            if status is not None or is_fresh:
                return status, answer, time.monotonic() - start


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    relyd = Relyd(tmp_path_factory.mktemp("paths"), log__decisions="none").start()
    try:
        signer = relyd.put_world()
        relyd.right = signer.sign(tokens.claims(ISSUER, lifetime=7200))
        relyd.wrong = signer.sign(tokens.claims(ISSUER, lifetime=7200, account="somebody-else"))
        yield relyd
    finally:
        relyd.stop()


def requests(share=1):
    """(path, method, body) of the corpus; `share` n takes every n-th."""
    number = 0
    for path in PATHS:
        for method in METHODS:
            for body in BODIES:
                number += 1
                if number % share == 0:
                    yield path, method, body


def ask_relyd(sender, method, target, body, token):
    """relyd's own answer; one that came late is asked for again, because the machine may have been busy."""
    for _ in range(3):
        status, answer, seconds = sender.ask(method, target, body, token)
        if seconds < HELD_S:
            break
    assert seconds < HELD_S, f"{method} {target!r} was held for {seconds:.3f} s"
    return status


def test_a1_as_envoy_sends_it(world):
    """Envoy appends the client's raw path and query to its prefix."""
    wrong = []
    with contextlib.closing(Sender(world.data)) as sender:
        for number, (path, method, body) in enumerate(requests()):
            target = "/check/default" + path
            token = (None, world.wrong, "not.a.token", world.right)[(number + number // 12) % 4]
            expected = 200 if token == world.right else 403 if token == world.wrong else 401
            if "\n" in path or " " in path or "#" in path:
                continue  # no proxy passes on a byte that is no part of a target
            status = ask_relyd(sender, method, target, body, token)
            if status != expected:
                wrong.append((method, target[:200], bool(body), status, expected))
    assert not wrong[:20], f"{len(wrong)} wrong answers"


def test_a1_a_raw_target_is_a_check_or_it_is_not(world):
    """Straight to the data plane: nothing is 2xx without a token, and a check is never answered as another resource."""
    wrong = []
    with contextlib.closing(Sender(world.data)) as sender:
        for path, method, body in requests():
            for target in (path, "http://relyd.example" + path):
                status = ask_relyd(sender, method, target, body, None)
                is_check = path.startswith("/check/")
                if status is not None and (status < 300 or (is_check and status not in RELYD_ANSWERS)):
                    wrong.append((method, target[:200], bool(body), status))
    assert not wrong[:20], f"{len(wrong)} wrong answers"


# --- real gateways ---------------------------------------------------------------------------------------------------

NGINX = """
  upstream relyd {{ server 127.0.0.1:{relyd}; keepalive 8; }}
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 8; }}
  server {{ listen 127.0.0.1:{backend}; location / {{ return 200 "backend:$http_x_relyd_identity"; }} }}
  server {{
    listen 127.0.0.1:{port};
    merge_slashes {merge};
    location / {{
      auth_request /auth;
      auth_request_set $relyd_identity $upstream_http_x_relyd_identity;
      proxy_set_header X-Relyd-Identity $relyd_identity;
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass http://backend;
    }}
    location = /auth {{
      internal;
      proxy_pass http://relyd/check/default{suffix};
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
  }}
"""

CADDY = """
http://:{backend} {{
  bind 127.0.0.1
  respond "backend:{{http.request.header.X-Relyd-Identity}}"
}}
http://:{port} {{
  bind 127.0.0.1
  route {{
    request_header -X-Relyd-*
    forward_auth 127.0.0.1:{relyd} {{
      uri /check/default{suffix}
      copy_headers X-Relyd-Identity
    }}
    reverse_proxy 127.0.0.1:{backend}
  }}
}}
"""

HAPROXY = """
frontend gateway
  bind 127.0.0.1:{port}
  http-request del-header x-relyd-identity
  http-request lua.ask_relyd
  http-request deny deny_status 401 unless {{ var(txn.relyd_status) -m int 200 }}
  http-request set-header x-relyd-identity %[var(txn.relyd_identity)]
  default_backend backend
backend backend
  http-request return status 200 content-type text/plain lf-string "backend:%[req.hdr(x-relyd-identity)]"
"""

LUA = """
core.register_action("ask_relyd", {{"http-req"}}, function(txn)
  local headers = {{}}
  local sent = txn.http:req_get_headers()["authorization"]
  if sent then headers["authorization"] = sent end
  local answer = core.httpclient():get{{url = "http://127.0.0.1:{relyd}/check/default" .. {suffix}, headers = headers}}
  txn:set_var("txn.relyd_status", answer.status)
  if answer.headers and answer.headers["x-relyd-identity"] then
    txn:set_var("txn.relyd_identity", answer.headers["x-relyd-identity"][0])
  end
end)
"""


def start_gateway(kind, folder, **ports):
    if kind.startswith("nginx"):
        suffix = {"nginx-request-uri": "$request_uri", "nginx-uri": "$uri", "nginx-fixed": "?aud=relyd"}[kind]
        inside = NGINX.format(suffix=suffix, merge="off" if kind == "nginx-uri" else "on", **ports)
        return gateways.start_nginx(folder, inside)
    if kind.startswith("caddy"):
        suffix = {"caddy-uri": "{http.request.orig_uri}", "caddy-fixed": "?aud=relyd"}[kind]
        return gateways.start_caddy(folder, CADDY.format(suffix=suffix, **ports))
    suffix = {"haproxy-path": "txn.sf:pathq()", "haproxy-fixed": '"?aud=relyd"'}[kind]
    return gateways.start_haproxy(folder, HAPROXY.format(**ports), LUA.format(suffix=suffix, **ports))


GATEWAYS = ["nginx-request-uri", "nginx-uri", "nginx-fixed", "caddy-uri", "caddy-fixed", "haproxy-path", "haproxy-fixed"]


@pytest.fixture(scope="module", params=GATEWAYS)
def gateway(request, world, tmp_path_factory):
    """(its kind, (host, port))"""
    ports = {"port": wire.free_port(), "backend": wire.free_port(), "relyd": world.data[1]}
    folder = tmp_path_factory.mktemp(request.param)
    with gateways.running(start_gateway(request.param, folder, **ports), ports["port"]):
        yield request.param, ("127.0.0.1", ports["port"])


def test_a1_through_a_gateway_nothing_passes_without_a_right_token(gateway, world):
    """401 and 403 come from relyd; 400 and what a gateway says of a target that it does not take are its own."""
    wrong = []
    with contextlib.closing(Sender(gateway[1])) as sender:
        for number, (path, method, body) in enumerate(requests()):
            token = (None, world.wrong)[(number + number // 12) % 2]
            status, answer, _ = sender.ask(method, path, body, token)
            if status is not None and (status < 300 or b"backend:" in answer or status >= 500):
                wrong.append((method, path[:200], bool(body), token is None, status, answer[:100]))
    assert not wrong[:20], f"{len(wrong)} wrong answers"


def test_a1_through_a_gateway_a_right_token_is_who_it_is(gateway, world):
    """Whatever the path, the backend hears relyd's identity and never the one that the client made up."""
    passed, wrong = 0, []
    with contextlib.closing(Sender(gateway[1])) as sender:
        for path, method, body in requests(share=7):
            status, answer, _ = sender.ask(method, path, body, world.right)
            if status == 200 and method != "HEAD":
                passed += 1
                if b"backend:payments-api" not in answer:
                    wrong.append((method, path[:200], answer[:100]))
    assert not wrong[:20], f"{len(wrong)} wrong answers"
    assert passed > len(PATHS) / 4
