"""Real gateways in front of a backend, asking relyd about every request: nginx and Caddy as Debian ships them."""

import http.server
import json
import threading

import gateways
import pytest
import tokens
import wire
from service import ISSUER


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it got."""

    def do_GET(self):
        body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


NGINX = """
  upstream relyd {{ server 127.0.0.1:{relyd}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      auth_request /auth;
      auth_request_set $relyd_identity $upstream_http_x_relyd_identity;
      auth_request_set $relyd_reason $upstream_http_x_relyd_reason;
      proxy_set_header X-Relyd-Identity $relyd_identity;
      proxy_set_header X-Relyd-Username "";
      add_header X-Reason $relyd_reason always;
      proxy_pass http://127.0.0.1:{backend};
    }}
    location = /auth {{
      internal;
      proxy_pass http://relyd/check/default?aud=relyd;
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_set_header X-Original-URI $request_uri;
    }}
  }}
"""

CADDY = """
http://:{port} {{
  bind 127.0.0.1
  route {{
    request_header -X-Relyd-*
    forward_auth 127.0.0.1:{relyd} {{
      uri /check/default?aud=relyd
      copy_headers X-Relyd-Identity
    }}
    reverse_proxy 127.0.0.1:{backend}
  }}
}}
"""


def start_nginx(folder, **ports):
    return gateways.start_nginx(folder, NGINX.format(**ports))


def start_caddy(folder, **ports):
    return gateways.start_caddy(folder, CADDY.format(**ports))


@pytest.fixture(scope="module", params=[start_nginx, start_caddy], ids=["nginx", "caddy"])
def gateway(request, shared, backend, tmp_path_factory):
    """(host, port) of a gateway in front of the backend."""
    port = wire.free_port()
    process = request.param(tmp_path_factory.mktemp("gateway"), port=port, relyd=shared.data[1], backend=backend)
    with gateways.running(process, port):
        yield "127.0.0.1", port


def ask(gateway, token=None, path="/orders/7", method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return wire.ask(gateway, method, path, None, headers)


def identity_at_backend(answer):
    assert answer.status == 200, answer
    return [value for name, value in answer.json() if name == "x-relyd-identity"]


def test_allowed(gateway, shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    assert identity_at_backend(ask(gateway, token)) == ["payments-api"]
    assert identity_at_backend(ask(gateway, token, method="POST")) == ["payments-api"]
    assert identity_at_backend(ask(gateway, token, "/a%20b/../c?x=1&aud=other")) == ["payments-api"]


def test_forged_identity_is_overwritten(gateway, shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    assert identity_at_backend(ask(gateway, token, X_Relyd_Identity="admin")) == ["payments-api"]
    assert ask(gateway, "not.a.token", X_Relyd_Identity="admin").status == 401


@pytest.mark.parametrize(
    "make, status",
    [
        (lambda shared: None, 401),
        (lambda shared: "not.a.token", 401),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, lifetime=-100, iat=None, nbf=None)), 401),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, account="deployer")), 403),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, audience="other")), 403),
        (lambda shared: shared.signer.sign(tokens.claims("https://elsewhere.example")), 401),
    ],
)
def test_refused_with_the_right_status(gateway, shared, make, status):
    """Never 500, which is what nginx makes of anything but 2xx, 401 and 403."""
    answer = ask(gateway, make(shared))
    assert answer.status == status
    if status == 401:
        assert answer.header("www-authenticate").startswith('Bearer realm="relyd"')


def test_many_requests(gateway, shared):
    good, bad = shared.signer.sign(tokens.claims(ISSUER)), shared.signer.sign(tokens.claims(ISSUER, account="x"))
    client = wire.Client(gateway)
    for _ in range(100):
        assert client.ask("GET", "/", None, {"Authorization": f"Bearer {good}"}).status == 200
        assert client.ask("GET", "/", None, {"Authorization": f"Bearer {bad}"}).status == 403
    client.close()


def test_two_authorization_headers_never_pass(gateway, shared):
    """Caddy passes both on; a backend may read the other one than relyd judged."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    head = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAuthorization: Bearer other\r\n\r\n"
    (status,) = wire.statuses(wire.exchange(gateway, head.encode(), seconds=1, is_open=True))
    assert status in (400, 401)


@pytest.mark.parametrize("subject", ["s" * 600, "ü" * 600, "😀" * 600], ids=["ASCII", "two bytes", "four bytes"])
def test_b16_every_subject_fits_into_a_gateways_buffer(gateway, shared, subject):
    """Fault B16: headers of 7.7 kB were 500 at nginx, whose buffer has 4 KiB."""
    shared.put_identity("long-subject", usernameFrom="subject")
    shared.put_credential("long", "long-subject", subject=subject)
    token = shared.signer.sign(tokens.claims(ISSUER, sub=subject, **{"kubernetes.io": None}))
    assert identity_at_backend(ask(gateway, token)) == ["long-subject"]
