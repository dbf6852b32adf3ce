"""Real gateways that prove who they are: nginx, Caddy and HAProxy by client certificate, curl both ways, and a webhook's client."""

import contextlib
import http.client
import json
import ssl
import subprocess

import application
import gateways
import pytest
import ready_gateways
import tokens
import wire
from service import ISSUER, TOKENREVIEWS
from test_callers import Guarded



@pytest.mark.parametrize("kind", sorted(ready_gateways.STARTS))
def test_a_gateway_with_a_certificate(start, tmp_path, kind):
    """The files of conf/gateways with their lines for TLS."""
    guarded = Guarded(start, tmp_path)
    guarded.relyd.put("/v1/routes/web", {"audiences": ["relyd"]})
    token = {"Authorization": f"Bearer {guarded.workload}"}
    for name, is_permitted in (("dns:gw.example", True), ("cn:other", False)):
        certificate, key = guarded.authority.issue(tmp_path, name)
        with application.running() as behind:
            place = ready_gateways.Place(tmp_path, guarded.data[1], behind.port, tls={"certificate": certificate, "key": key, "trusted": tmp_path / "tls.crt"})
            with gateways.running(ready_gateways.STARTS[kind](place), place.port):
                answer = wire.ask(place.address, "GET", "/orders", headers=token)
                if is_permitted:
                    assert identity_at(answer) == ["payments-api"]
                    forged = token | {"x-relyd-caller": "Bearer forged"}
                    assert identity_at(wire.ask(place.address, "GET", "/orders", headers=forged)) == ["payments-api"]
                    assert wire.ask(place.address, "GET", "/orders").status == 401
                else:  # never 500, which nginx makes of a 401 without challenge or a 5xx
                    assert (answer.status, answer.header("x-relyd-reason"), answer.header("www-authenticate")) == (403, "caller_not_permitted", None)
                    assert behind.requests == []


@pytest.mark.parametrize("kind", sorted(ready_gateways.STARTS))
def test_a_gateway_asks_no_stranger(start, tmp_path, kind):
    """Whoever has relyd's address and not its certificate says nothing that counts."""
    guarded = Guarded(start, tmp_path)
    guarded.relyd.put("/v1/routes/web", {"audiences": ["relyd"]})
    certificate, key = guarded.authority.issue(tmp_path, "dns:gw.example")
    guarded.authority.write(tmp_path / "another.crt")
    with application.running() as behind:
        place = ready_gateways.Place(tmp_path, guarded.data[1], behind.port, tls={"certificate": certificate, "key": key, "trusted": tmp_path / "another.crt"})
        with gateways.running(ready_gateways.STARTS[kind](place), place.port):
            assert wire.ask(place.address, "GET", "/orders", headers={"Authorization": f"Bearer {guarded.workload}"}).status in (502, 503)
        assert behind.requests == []


def identity_at(answer):
    """Who the application was told it is."""
    assert answer.status == 200, answer
    return [value for name, value in answer.json() if name == "x-relyd-identity"]


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

    def __init__(self, guarded, context, token=None, path=TOKENREVIEWS, audiences=("relyd",)):
        self.path, self.audiences = path, list(audiences)
        self.line = http.client.HTTPSConnection("localhost", guarded.data[1], context=context, timeout=wire.TIMEOUT)
        self.headers = {"User-Agent": "kube-apiserver/v1.36.0", "Accept": "application/json, */*", "Content-Type": "application/json",
                        "Accept-Encoding": "gzip"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def review(self, token, version="v1beta1"):
        body = {"kind": "TokenReview", "apiVersion": f"authentication.k8s.io/{version}", "metadata": {"creationTimestamp": None},
                "spec": {"token": token, "audiences": self.audiences}, "status": {"user": {}}}
        self.line.request("POST", self.path.replace("v1/", f"{version}/") + "?timeout=30s", json.dumps(body) + "\n", self.headers)
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
