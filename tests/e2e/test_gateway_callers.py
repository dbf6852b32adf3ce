"""Real gateways that prove who they are: nginx, Caddy and HAProxy by client certificate, curl both ways, and a webhook's client."""

import contextlib
import http.client
import json
import ssl
import subprocess

import gateways
import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS
from test_callers import Guarded
from test_proxies import backend, identity_at_backend  # noqa: F401 (a fixture)

NGINX = """
  server {{
    listen 127.0.0.1:{port};
    location / {{
      auth_request /auth;
      auth_request_set $relyd_identity $upstream_http_x_relyd_identity;
      proxy_set_header X-Relyd-Identity $relyd_identity;
      proxy_pass http://127.0.0.1:{backend};
    }}
    location = /auth {{
      internal;
      proxy_pass https://127.0.0.1:{relyd}/check/default;
      proxy_ssl_certificate {certificate};
      proxy_ssl_certificate_key {key};
      proxy_ssl_trusted_certificate {trusted};
      proxy_ssl_verify on; proxy_ssl_name localhost;
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_set_header x-relyd-caller "";
    }}
  }}
"""

CADDY = """
http://:{port} {{
  bind 127.0.0.1
  route {{
    request_header -X-Relyd-*
    forward_auth https://127.0.0.1:{relyd} {{
      uri /check/default?
      copy_headers X-Relyd-Identity
      transport http {{
        tls_client_auth {certificate} {key}
        tls_trusted_ca_certs {trusted}
        tls_server_name localhost
      }}
    }}
    reverse_proxy 127.0.0.1:{backend}
  }}
}}
"""

# HAProxy's own client has no certificate in Lua: a backend of its own has, and is asked over a loopback frontend.
HAPROXY = """
frontend in
  bind 127.0.0.1:{port}
  http-request del-header x-relyd- -m beg
  http-request lua.ask
  http-request deny deny_status 403 unless {{ var(txn.identity) -m found }}
  http-request set-header X-Relyd-Identity %[var(txn.identity)]
  default_backend app
frontend checks
  bind 127.0.0.1:{inner}
  default_backend relyd
backend relyd
  server one 127.0.0.1:{relyd} ssl crt {both} ca-file {trusted} verify required verifyhost localhost
backend app
  server one 127.0.0.1:{backend}
"""

LUA = """
core.register_action("ask", {{"http-req"}}, function(txn)
  local token = txn.sf:req_fhdr("authorization")
  local answer = core.httpclient():get{{url = "http://127.0.0.1:{inner}/check/default", headers = {{authorization = {{token}}}}}}
  if answer and answer.status == 200 then txn:set_var("txn.identity", answer.headers["x-relyd-identity"][0]) end
end)
"""


def start_nginx(folder, **values):
    return gateways.start_nginx(folder, NGINX.format(**values))


def start_caddy(folder, **values):
    return gateways.start_caddy(folder, CADDY.format(**values))


def start_haproxy(folder, certificate, key, **values):
    both = folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    values = values | {"both": both, "inner": wire.free_port()}
    return gateways.start_haproxy(folder, HAPROXY.format(**values), LUA.format(**values))


@pytest.mark.parametrize("start_gateway", [start_nginx, start_caddy, start_haproxy], ids=["nginx", "caddy", "haproxy"])
def test_a_gateway_with_a_certificate(start, tmp_path, backend, start_gateway):  # noqa: F811
    guarded = Guarded(start, tmp_path)
    token = {"Authorization": f"Bearer {guarded.workload}"}
    for name, is_permitted in (("dns:gw.example", True), ("cn:other", False)):
        certificate, key = guarded.authority.issue(tmp_path, name)
        port = wire.free_port()
        process = start_gateway(tmp_path, port=port, relyd=guarded.data[1], backend=backend, trusted=tmp_path / "tls.crt", certificate=certificate, key=key)
        with gateways.running(process, port):
            answer = wire.ask(("127.0.0.1", port), "GET", "/orders", headers=token)
            if is_permitted:
                assert identity_at_backend(answer) == ["payments-api"]
                forged = token | {"x-relyd-caller": "Bearer forged"}
                assert identity_at_backend(wire.ask(("127.0.0.1", port), "GET", "/orders", headers=forged)) == ["payments-api"]
                assert wire.ask(("127.0.0.1", port), "GET", "/orders").status in (401, 403)
            else:
                assert answer.status == 403, answer  # never 500, which nginx makes of a 401 without challenge or a 5xx


def curl(*words):
    return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *map(str, words)], capture_output=True, text=True, timeout=60).stdout


def test_curl(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    url = "https://localhost:%d/check/default" % guarded.data[1]
    trusting = ["--cacert", tmp_path / "tls.crt", "-H", f"Authorization: Bearer {guarded.workload}", url]
    certificate, key = guarded.authority.issue(tmp_path, "dns:gw.example")
    assert curl("--cert", certificate, "--key", key, *trusting) == "200"
    assert curl(*trusting) == "403"
    assert curl("-H", f"x-relyd-caller: Bearer {guarded.token('gateway')}", *trusting) == "200"
    assert curl("--cert", certificate, "--key", key, "--tlsv1.2", "--tls-max", "1.2", *trusting) == "200"


class Webhook:
    """What kube-apiserver's client-go sends: https only, HTTP/1.1 kept alive, the credentials of its kubeconfig, and nothing else that proves anything."""

    def __init__(self, guarded, context, token=None):
        self.line = http.client.HTTPSConnection("localhost", guarded.data[1], context=context, timeout=wire.TIMEOUT)
        self.headers = {"User-Agent": "kube-apiserver/v1.36.0", "Accept": "application/json, */*", "Content-Type": "application/json",
                        "Accept-Encoding": "gzip"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def review(self, token, version="v1beta1"):
        body = {"kind": "TokenReview", "apiVersion": f"authentication.k8s.io/{version}", "metadata": {"creationTimestamp": None},
                "spec": {"token": token, "audiences": ["relyd"]}, "status": {"user": {}}}
        self.line.request("POST", TOKENREVIEWS.replace("v1/", f"{version}/") + "?timeout=30s", json.dumps(body) + "\n", self.headers)
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_way_of_kube_apiserver(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    by_certificate = Webhook(guarded, guarded.context("dns:gw.example"))
    by_token = Webhook(guarded, guarded.context(), guarded.token("gateway"))
    for webhook in (by_certificate, by_token):
        with contextlib.closing(webhook.line):
            for _ in range(3):
                status, answer = webhook.review(guarded.workload)
                assert (status, answer["status"]["authenticated"], answer["apiVersion"]) == (200, True, "authentication.k8s.io/v1beta1")
            assert webhook.review("not a token")[1]["status"]["authenticated"] is False
    status, answer = Webhook(guarded, guarded.context()).review(guarded.workload)
    assert (status, answer["kind"], answer["reason"], answer["code"]) == (401, "Status", "Unauthorized", 401)
    status, answer = Webhook(guarded, guarded.context(), guarded.token("sees")).review(guarded.workload)
    assert (status, answer["reason"]) == (403, "Forbidden")
