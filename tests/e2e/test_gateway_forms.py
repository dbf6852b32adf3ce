"""The files of conf/gateways whose programs are not to be had here: their form, the doors that they name, and what they mean to a real relyd."""

import json
import os
import re
import socket
import subprocess

import envoy
import gateway_algorithms
import pytest
import tokens
import wire
import yaml
from gateway_algorithms import ExtAuthz, joined
from ready_gateways import FILES, follow
from service import BINARY, ISSUER, ROOT, TOKENREVIEWS
from test_callers import Guarded
from test_gateway_callers import Webhook

NOT_RUN = ["envoy-gateway.yaml", "envoy-grpc.yaml", "envoy-http.yaml", "gateway-api.yaml", "istio.yaml", "kube-apiserver-webhook.yaml", "traefik.yaml", "vault.sh"]
IDENTITY = ["x-relyd-identity", "x-relyd-username", "x-relyd-uid", "x-relyd-groups", "x-relyd-issuer", "x-relyd-subject", "x-relyd-credential",
            "x-relyd-decision-id"]


def text_of(name, is_tls=False):
    text = (FILES / name).read_text()
    return re.sub(r"#tls ", "", re.sub(r"(?m)^.*# plain\n", "", text)) if is_tls else text


def documents(name, is_tls=False):
    return list(yaml.safe_load_all(text_of(name, is_tls)))


def document(name, is_tls=False):
    (only,) = documents(name, is_tls)
    return only


# --- form -----------------------------------------------------------------------------------------------------------


def test_every_file_is_run_or_says_that_it_is_not():
    """A file that no test takes is worse than none."""
    tests = "".join(path.read_text() for path in FILES.parents[1].glob("tests/e2e/*.py"))
    for path in FILES.iterdir():
        says = re.match(r"(#!/bin/sh\n)?# Not run against [^\n]*: checked by form, [^\n]* against relyd\.\n", path.read_text())
        assert bool(says) == (path.name in NOT_RUN) and f'"{path.name}"' in tests, path.name


def test_none_has_a_switch_that_lets_through_what_nobody_decided():
    """Not even in a comment, from where it would be copied."""
    for path in FILES.iterdir():
        assert not re.search(r"fail(ure)?_?(mode_?)?(allow|open)|deny_at_disable|filter_enabled", path.read_text(), re.I), path.name


DURATION = re.compile(r"(\d+(\.\d+)?)s|\d+ms")
TEXT, NUMBER, TIME = str, int, DURATION
ADDRESS = {"socket_address": {"address": TEXT, "port_value": NUMBER}}
NAMES = {"patterns": [{"exact": TEXT}]}
FILE = {"filename": TEXT}
TLS_OF_ENVOY = {"sni": TEXT, "common_tls_context": {"tls_certificates": [{"certificate_chain": FILE, "private_key": FILE}], "validation_context": {
    "trusted_ca": FILE, "match_typed_subject_alt_names": [{"san_type": TEXT, "matcher": {"exact": TEXT}}]}}}
BACKEND_TLS = {"apiVersion": TEXT, "kind": TEXT, "metadata": {"name": TEXT, "namespace": TEXT}, "spec": {
    "targetRefs": [{"group": TEXT, "kind": TEXT, "name": TEXT}], "validation": {"caCertificateRefs": [{"group": TEXT, "kind": TEXT, "name": TEXT}], "hostname": TEXT}}}
METADATA = {"apiVersion": TEXT, "kind": TEXT, "metadata": {"name": TEXT, "namespace": TEXT}}

# Envoy's messages by the last word of their type, and which fields of them are used; the rest as the files stand, each from its own API's source.
MESSAGES = {
    "HttpConnectionManager": {"stat_prefix": TEXT, "max_request_headers_kb": NUMBER, "request_headers_timeout": TIME, "stream_idle_timeout": TIME,
                              "common_http_protocol_options": {"headers_with_underscores_action": TEXT, "idle_timeout": TIME},
                              "early_header_mutation_extensions": ["extension"], "upgrade_configs": [{"upgrade_type": TEXT}],
                              "route_config": {"name": TEXT, "virtual_hosts": [{"name": TEXT, "domains": [TEXT], "routes": [
                                  {"match": {"prefix": TEXT}, "route": {"cluster": TEXT, "timeout": TIME}, "typed_per_filter_config": "extensions"}]}]},
                              "http_filters": ["extension"]},
    "HeaderMutation": {"mutations": [{"remove": TEXT}]},
    "ExtAuthz": {"transport_api_version": TEXT, "status_on_error": {"code": TEXT}, "http_service": {
        "server_uri": {"uri": TEXT, "cluster": TEXT, "timeout": TIME}, "path_prefix": TEXT,
        "authorization_response": {"allowed_upstream_headers": NAMES, "allowed_client_headers": NAMES}},
        "encode_raw_headers": bool, "allowed_headers": NAMES, "grpc_service": {"envoy_grpc": {"cluster_name": TEXT}, "timeout": TIME}},
    "ExtAuthzPerRoute": {"check_settings": {"context_extensions": {"relyd.route": TEXT}}},
    "HttpProtocolOptions": {"explicit_http_config": {"http2_protocol_options": {}}},
    "Router": {},
    "UpstreamTlsContext": TLS_OF_ENVOY,
}
CLUSTER = {"name": TEXT, "type": TEXT, "connect_timeout": TIME, "transport_socket": "extension", "typed_extension_protocol_options": "extensions",
           "load_assignment": {"cluster_name": TEXT, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": ADDRESS}}]}]}}
ENVOY = [{"static_resources": {"listeners": [{"name": TEXT, "address": ADDRESS, "filter_chains": [{"filters": ["extension"]}]}], "clusters": [CLUSTER]}}]
FORMS = {
    "envoy-grpc.yaml": ENVOY,
    "envoy-http.yaml": ENVOY,
    "traefik.yaml": [{"http": {
        "middlewares": {"relyd-before": {"headers": {"customRequestHeaders": {"Connection": TEXT}}},
                        "relyd": {"forwardAuth": {"address": TEXT, "tls": {"ca": TEXT, "cert": TEXT, "key": TEXT}, "trustForwardHeader": bool,
                                                  "authRequestHeaders": [TEXT], "authResponseHeadersRegex": TEXT}},
                        "relyd-after": {"headers": {"customRequestHeaders": {"Authorization": TEXT}}}},
        "routers": {"application": {"rule": TEXT, "entryPoints": [TEXT], "tls": {}, "middlewares": [TEXT], "service": TEXT}},
        "services": {"application": {"loadBalancer": {"servers": [{"url": TEXT}]}}}}}],
    "istio.yaml": [
        {"apiVersion": TEXT, "kind": TEXT, "spec": {"meshConfig": {"extensionProviders": [{"name": TEXT, "envoyExtAuthzHttp": {
            "service": TEXT, "port": NUMBER, "timeout": TIME, "pathPrefix": TEXT, "statusOnError": TEXT, "includeRequestHeadersInCheck": [TEXT],
            "headersToUpstreamOnAllow": [TEXT], "headersToDownstreamOnDeny": [TEXT]},
            "envoyExtAuthzGrpc": {"service": TEXT, "port": NUMBER, "timeout": TIME, "statusOnError": TEXT}}]}}},
        METADATA | {"spec": {"host": TEXT, "trafficPolicy": {"tls": {name: TEXT for name in ("mode", "clientCertificate", "privateKey", "caCertificates", "sni")}
                                                             | {"subjectAltNames": [TEXT]}}}},
        METADATA | {"spec": {"selector": {"matchLabels": {"app": TEXT}}, "action": TEXT, "provider": {"name": TEXT}, "rules": [{}]}}],
    "envoy-gateway.yaml": [METADATA | {"spec": {"targetRefs": [{"group": TEXT, "kind": TEXT, "name": TEXT}], "extAuth": {
        "timeout": TIME, "headersToExtAuth": [TEXT], "http": {"backendRefs": [{"name": TEXT, "port": NUMBER}], "path": TEXT, "headersToBackend": [TEXT]}}}}, BACKEND_TLS],
    "gateway-api.yaml": [METADATA | {"spec": {"parentRefs": [{"name": TEXT}], "hostnames": [TEXT], "rules": [{
        "filters": [{"type": TEXT, "externalAuth": {"protocol": TEXT, "backendRef": {"name": TEXT, "port": NUMBER}, "http": {"path": TEXT, "allowedResponseHeaders": [TEXT]}},
                     "requestHeaderModifier": {"remove": [TEXT]}}],
        "timeouts": {"request": TIME}, "backendRefs": [{"name": TEXT, "port": NUMBER}]}]}}, BACKEND_TLS],
    "kube-apiserver-webhook.yaml": [{
        "apiVersion": TEXT, "kind": TEXT, "current-context": TEXT, "clusters": [{"name": TEXT, "cluster": {"server": TEXT, "certificate-authority": TEXT}}],
        "users": [{"name": TEXT, "user": {"client-certificate": TEXT, "client-key": TEXT}}], "contexts": [{"name": TEXT, "context": {"cluster": TEXT, "user": TEXT}}]}],
}


def strangers(value, form, path=""):
    """What a document has that its form does not."""
    if form == "extensions":  # by their name
        return [wrong for name, inner in value.items() for wrong in strangers({"name": name, "typed_config": inner}, "extension", path)]
    if form == "extension":
        kind = value.get("typed_config", {}).get("@type", "")
        known = kind.startswith("type.googleapis.com/envoy.extensions.") and MESSAGES.get(kind.rsplit(".", 1)[-1])
        if not isinstance(known, dict) or set(value) != {"name", "typed_config"}:
            return [f"{path}: {kind}"]
        return strangers({name: inner for name, inner in value["typed_config"].items() if name != "@type"}, known, f"{path}({value['name']})")
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [path]
        return [wrong for name, inner in value.items() for wrong in (strangers(inner, form[name], f"{path}.{name}") if name in form else [f"{path}.{name}"])]
    if isinstance(form, list):
        return [wrong for number, item in enumerate(value) for wrong in strangers(item, form[0], f"{path}[{number}]")] if isinstance(value, list) else [path]
    if form is DURATION:
        return [] if isinstance(value, str) and DURATION.fullmatch(value) else [path]
    return [] if type(value) is form else [path]


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("name", FORMS)
def test_only_fields_that_there_are(name, is_tls):
    found = documents(name, is_tls)
    assert len(found) == len(FORMS[name])
    assert [wrong for value, form in zip(found, FORMS[name]) for wrong in strangers(value, form)] == []


def test_what_is_no_field_is_found():
    (config,) = documents("envoy-http.yaml")
    form = FORMS["envoy-http.yaml"][0]
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    for change in (lambda: manager["typed_config"].update({"failure_mode_allow": True}), lambda: manager["typed_config"]["http_filters"][0].update(disabled=True),
                   lambda: manager["typed_config"]["http_filters"][0]["typed_config"].update({"@type": "type.googleapis.com/envoy.extensions.x.v3.Other"}),
                   lambda: config["static_resources"]["clusters"][0].update(connect_timeout=1)):
        change()
        assert len(strangers(config, form)) >= 1
        (config,) = documents("envoy-http.yaml")
        manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]


# --- what the files say ---------------------------------------------------------------------------------------------


def seconds(text):
    return int(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])


def of_envoy():
    (config,) = documents("envoy-http.yaml")
    (listener,) = config["static_resources"]["listeners"]
    return config["static_resources"]["clusters"], listener["filter_chains"][0]["filters"][0]["typed_config"]


def exact(names):
    return [pattern["exact"] for pattern in names["patterns"]]


def from_envoy():
    clusters, manager = of_envoy()
    settings = manager["http_filters"][0]["typed_config"]
    service = settings["http_service"]
    assert [item["name"] for item in manager["http_filters"]] == ["envoy.filters.http.ext_authz", "envoy.filters.http.router"]
    assert settings["status_on_error"] == {"code": "ServiceUnavailable"} and service["server_uri"]["cluster"] in {cluster["name"] for cluster in clusters}
    response = service["authorization_response"]
    return ExtAuthz(service["path_prefix"], seconds(service["server_uri"]["timeout"]), 503, exact(response["allowed_upstream_headers"]),
                    exact(response["allowed_client_headers"]))


def from_istio():
    mesh, rule, policy = documents("istio.yaml")
    provider, by_grpc = mesh["spec"]["meshConfig"]["extensionProviders"]
    assert by_grpc["envoyExtAuthzGrpc"] == {name: provider["envoyExtAuthzHttp"][name] for name in ("service", "port", "timeout", "statusOnError")}
    asked = provider["envoyExtAuthzHttp"]
    assert (policy["spec"]["action"], policy["spec"]["provider"]["name"], policy["spec"]["rules"]) == ("CUSTOM", provider["name"], [{}])
    assert rule["spec"]["host"] == asked["service"] and rule["spec"]["trafficPolicy"]["tls"]["subjectAltNames"] == [asked["service"]]
    return ExtAuthz(asked["pathPrefix"], seconds(asked["timeout"]), int(asked["statusOnError"]), asked["headersToUpstreamOnAllow"], asked["headersToDownstreamOnDeny"],
                    asked["includeRequestHeadersInCheck"])


def from_envoy_gateway():
    policy, tls = documents("envoy-gateway.yaml")
    asked = policy["spec"]["extAuth"]
    assert [backend["name"] for backend in asked["http"]["backendRefs"]] == [target["name"] for target in tls["spec"]["targetRefs"]]
    return ExtAuthz(asked["http"]["path"], seconds(asked["timeout"]), 403, asked["http"]["headersToBackend"], None, asked["headersToExtAuth"])


def from_gateway_api():
    route, tls = documents("gateway-api.yaml")
    (rule,) = route["spec"]["rules"]
    asked = rule["filters"][0]["externalAuth"]
    assert [item["type"] for item in rule["filters"]] == ["ExternalAuth", "RequestHeaderModifier"] and asked["protocol"] == "HTTP"
    assert asked["backendRef"]["name"] == tls["spec"]["targetRefs"][0]["name"] and len(asked["http"]["allowedResponseHeaders"]) <= 64
    return ExtAuthz(asked["http"]["path"], seconds(rule["timeouts"]["request"]), 403, asked["http"]["allowedResponseHeaders"], None)


ASKING = {"envoy-http.yaml": from_envoy, "istio.yaml": from_istio, "envoy-gateway.yaml": from_envoy_gateway, "gateway-api.yaml": from_gateway_api}


def doors():
    """(method, pattern) of every path of the data plane."""
    printed = json.loads(subprocess.run([BINARY, "--print-docs", "openapi"], check=True, capture_output=True, text=True).stdout)
    return [(method.upper(), re.compile(re.sub(r"\{\w+\}", "[A-Za-z0-9][A-Za-z0-9_-]+", path))) for path, methods in printed["paths"].items() for method in methods]


@pytest.mark.parametrize("name, method, path", [
    *((name, "GET", make().prefix) for name, make in ASKING.items()),
    ("traefik.yaml", "GET", re.sub(r"^https?://[^/]*", "", document("traefik.yaml")["http"]["middlewares"]["relyd"]["forwardAuth"]["address"])),
    ("kube-apiserver-webhook.yaml", "POST", re.sub(r"^https://[^/]*", "", document("kube-apiserver-webhook.yaml")["clusters"][0]["cluster"]["server"])),
    ("vault.sh", "POST", re.search(r'kubernetes_host="https://[^/]*(/[^"]*)"', text_of("vault.sh")).group(1) + TOKENREVIEWS)])
def test_the_paths_are_doors_of_relyd(name, method, path):
    assert [pattern for known, pattern in doors() if known == method and pattern.fullmatch(path)], path


@pytest.mark.parametrize("name", ASKING)
def test_time_limits_and_headers(name):
    """More than keys.miss_wait_ms, and not for ever; every identity header, since what is not replaced is the client's."""
    settings = ASKING[name]()
    assert 0.5 <= settings.timeout <= 60 and set(IDENTITY) <= set(settings.upstream) <= {*IDENTITY, "x-relyd-hashed", "x-relyd-would-deny"}
    if settings.client is not None:
        assert set(settings.client) == {"content-type", "www-authenticate", "x-relyd-reason", "x-relyd-decision-id"}


def test_envoy_takes_away_what_it_sets():
    clusters, manager = of_envoy()
    removed = {item["remove"] for item in manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"]}
    assert removed == {*from_envoy().upstream, "x-relyd-caller"} and manager["common_http_protocol_options"]["headers_with_underscores_action"] == "DROP_HEADER"
    assert manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] in {cluster["name"] for cluster in clusters}
    assert all(cluster["load_assignment"]["cluster_name"] == cluster["name"] for cluster in clusters)
    assert "transport_socket" in documents("envoy-http.yaml", is_tls=True)[0]["static_resources"]["clusters"][0]


# --- what they mean to relyd ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(shared):
    shared.put("/v1/routes/web", {"audiences": ["relyd"]})
    shared.right = shared.signer.sign(tokens.claims(ISSUER))
    shared.wrong = shared.signer.sign(tokens.claims(ISSUER, account="x"))
    return shared


def play(name, address, authorization, target="/orders/7?x=1&aud=other", method="POST", more=()):
    headers = [("Host", "shop.example"), *(("Authorization", value) for value in authorization), *more]
    if name == "traefik.yaml":
        return gateway_algorithms.traefik(document(name), address, headers)
    return gateway_algorithms.ext_authz(ASKING[name](), address, method, target, headers)


EVERY = ["traefik.yaml", *ASKING]


@pytest.mark.parametrize("name", EVERY)
def test_an_allow(asked, name):
    for target in ("/orders/7?x=1&aud=other", "/", "//x/../y?identity=admin", "/%2e%2e/v1/review"):
        forged = [("X-Relyd-Identity", "admin"), ("x-relyd-groups", "admins")]
        outcome = play(name, asked.data, [f"Bearer {asked.right}"], target, more=forged)
        assert outcome.status is None
        assert [outcome.of(header) for header in ("x-relyd-identity", "x-relyd-groups")] == [["payments-api"], ["payments"]]
        assert all(outcome.of(header) for header in IDENTITY)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("status, reason, make", [
    (401, "no_token", lambda asked: []),
    (401, "malformed_token", lambda asked: ["Bearer x.y.z"]),
    (403, "no_matching_credential", lambda asked: [f"Bearer {asked.wrong}"]),
    (401, "malformed_token", lambda asked: [f"Bearer {asked.right}", "Bearer x.y.z"]),
])
def test_a_refusal(asked, name, status, reason, make):
    outcome = play(name, asked.data, make(asked))
    assert (outcome.status, outcome.of("x-relyd-reason")) == (status, [reason])
    assert outcome.of("www-authenticate")[0].startswith('Bearer realm="relyd"') and outcome.of("content-type") == ["application/json"]
    assert json.loads(outcome.body)["decisionId"] == outcome.of("x-relyd-decision-id")[0]


def test_traefik_takes_forged_headers_away_in_any_spelling(asked):
    forged = [(name, "admin") for name in ("X-Relyd-Hashed", "X_Relyd_Identity", "x-relyd_username", "X.Relyd.Uid", "X-RELYD-Other")]
    outcome = play("traefik.yaml", asked.data, [f"Bearer {asked.right}"], more=[*forged, ("Connection", "close, X-Relyd-Identity")])
    assert outcome.status is None and "admin" not in dict(outcome.headers).values() and outcome.of("authorization") == []
    assert outcome.of("x-relyd-identity") == ["payments-api"]
    lost = play("traefik.yaml", asked.data, [f"Bearer {asked.right}"], more=[("Connection", "Authorization")])
    assert lost.of("x-relyd-identity") == ["payments-api"]


def test_a_route_that_strips_the_token(asked):
    asked.put("/v1/routes/web", {"audiences": ["relyd"], "stripAuthorization": True})
    try:
        outcome = play("envoy-http.yaml", asked.data, [f"Bearer {asked.right}"])
        assert outcome.status is None and outcome.of("authorization") == []
    finally:
        asked.put("/v1/routes/web", {"audiences": ["relyd"]})


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("gateway-api.yaml", "traefik.yaml")])
def test_nobody_answers_in_time(asked, name):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert play(name, silent.getsockname(), [f"Bearer {asked.right}"]).status in (403, 503)


@pytest.mark.parametrize("name", EVERY)
def test_nobody_is_there(asked, name):
    assert play(name, ("127.0.0.1", wire.free_port()), [f"Bearer {asked.right}"]).status in (403, 500, 503)


# --- the steps before a gateway's first request ---------------------------------------------------------------------


def test_the_route_that_the_files_name(start):
    """docs/gateways.md's commands: without the route the gateways get `unknown_route`, with it the token for its audience passes."""
    relyd, key = start(), tokens.key("prod-eu-3")
    page = (ROOT / "docs/gateways.md").read_text()

    def ask(audience):
        claims = tokens.claims("https://oidc.example.com/prod-eu-3", namespace="ns1", account="app", audience=audience)
        answer = wire.ask(relyd.data, "GET", "/check/web", headers={"Authorization": f"Bearer {key.sign(claims)}"})
        return answer.status, answer.header("x-relyd-reason"), answer.header("x-relyd-identity")

    assert ask("https://web.example")[:2] == (403, "unknown_route")
    assert len(follow(page, relyd, key)) == 4
    assert ask("https://web.example") == (200, None, "payments-api") and ask("relyd")[:2] == (403, "audience_mismatch")


# --- kube-apiserver and Vault ---------------------------------------------------------------------------------------


def test_kubectl_with_another_clusters_token(start, tmp_path):
    """The steps as the file has them, done by curl; then what a kube-apiserver asks and makes of the answer."""
    guarded = Guarded(start, tmp_path)
    config = document("kube-apiserver-webhook.yaml")
    key = tokens.key("other cluster")
    steps = follow(text_of("kube-apiserver-webhook.yaml"), guarded.relyd, key)
    assert len(steps) == 5
    (certificate,) = json.loads(re.search(r'"certificates": (\[.*?\])', steps[-1]).group(1))
    path = re.sub(r"^https://[^/]*", "", config["clusters"][0]["cluster"]["server"])
    own = ["https://kubernetes.default.svc.cluster.local"]
    webhook = Webhook(guarded, guarded.context(certificate), path=path, audiences=own)
    claims = tokens.claims("https://oidc.example.com/other", namespace="ops", account="kubectl", audience="https://relyd.example")
    for version in ("v1", "v1beta1"):
        status, answer = webhook.review(key.sign(claims), version)
        told = answer["status"]
        assert (status, told["authenticated"], told["user"]["username"], told["user"]["groups"]) == (200, True, "other-ops", ["ops"])
        assert answer["apiVersion"] == f"authentication.k8s.io/{version}" and set(told["audiences"]) & set(own) and "error" not in told
    for wrong in (claims | {"aud": own}, claims | {"sub": "system:serviceaccount:ops:other"}):
        status, answer = webhook.review(key.sign(wrong))
        assert (status, answer["status"]["authenticated"]) == (200, False) and answer["status"]["error"] and "audiences" not in answer["status"]
    webhook.line.close()
    status, answer = Webhook(guarded, guarded.context("dns:other.example"), path=path, audiences=own).review(key.sign(claims))
    assert (status, answer["kind"]) == (401, "Status")


def run_vault(tmp_path):
    """What vault.sh tells Vault: ([words without =], {parameter: value}) of each call."""
    stub = tmp_path / "vault"
    stub.write_text('#!/usr/bin/python3\nimport json, sys\nopen(sys.argv[0] + ".calls", "a").write(json.dumps(sys.argv[1:]) + "\\n")\n')
    stub.chmod(0o755)
    subprocess.run(["sh", FILES / "vault.sh"], check=True, timeout=60, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    calls = [json.loads(line) for line in (tmp_path / "vault.calls").read_text().splitlines()]
    return [([word for word in call if "=" not in word or word.startswith("-")], dict(word.split("=", 1) for word in call if "=" in word and not word.startswith("-")))
            for call in calls]


def test_vault(start, tmp_path):
    """vault.sh's steps by curl, and with a vault that writes down what it is told; then what Vault's kubernetes auth asks, and whom it lets in."""
    (enabled, _), (config_path, config), (role_path, role) = run_vault(tmp_path)
    assert enabled == ["auth", "enable", "-path=relyd", "kubernetes"] and config_path == ["write", "auth/relyd/config"] and role_path[1].startswith("auth/relyd/role/")
    assert set(config) == {"kubernetes_host", "kubernetes_ca_cert", "token_reviewer_jwt", "disable_local_ca_jwt"}
    assert set(role) == {"bound_service_account_names", "bound_service_account_namespaces", "audience", "token_policies", "token_ttl"}

    guarded = Guarded(start, tmp_path)
    key, issuer = tokens.key("prod-eu-3"), "https://oidc.example.com/prod-eu-3"
    assert len(follow(text_of("vault.sh"), guarded.relyd, key)) == 6
    account, namespace = role["bound_service_account_names"], role["bound_service_account_namespaces"]
    path = re.sub(r"^https://[^/]*", "", config["kubernetes_host"]) + TOKENREVIEWS

    def log_in(account, audience=role["audience"], reviewer="vault"):
        claims = tokens.claims(issuer, namespace=namespace, account=account, audience=audience)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {"creationTimestamp": None},
                "spec": {"token": key.sign(claims), "audiences": [role["audience"]]}, "status": {"user": {}}}
        own = key.sign(tokens.claims(issuer, namespace="vault", account=reviewer, audience="relyd"))
        answer = guarded.ask("POST", path, body=body, headers={"Authorization": f"Bearer {own}"})
        status = answer.json()["status"]
        if not 200 <= answer.status <= 206 or isinstance(status, str) or status.get("error") or not status["authenticated"]:
            return None
        assert status["user"]["uid"] == claims["kubernetes.io"]["serviceaccount"]["uid"]
        return status["user"]["username"].split(":")

    assert log_in(account) == ["system", "serviceaccount", namespace, account]
    assert log_in("other") is None and log_in(account, "relyd") is None and log_in(account, reviewer="other") is None


# --- Envoy's gRPC ----------------------------------------------------------------------------------------------------


def ask_as_envoy(client, headers, method="GET"):
    """Of the file: the listed headers as they came, and the route's context_extensions. (status for the client or None, headers for the application)."""
    (config,) = documents("envoy-grpc.yaml")
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    settings = manager["http_filters"][0]["typed_config"]
    (relyd,) = [cluster for cluster in config["static_resources"]["clusters"] if cluster["name"] == settings["grpc_service"]["envoy_grpc"]["cluster_name"]]
    assert settings["encode_raw_headers"] is True and settings["status_on_error"] == {"code": "ServiceUnavailable"}
    assert 0.5 <= seconds(settings["grpc_service"]["timeout"]) <= 60 and "typed_extension_protocol_options" in relyd
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    extensions = route["typed_per_filter_config"]["envoy.filters.http.ext_authz"]["check_settings"]["context_extensions"]
    sent = [(name.lower(), value) for name, value in headers if name.lower() in exact(settings["allowed_headers"])]
    request = envoy.check_request(header_map=sent, method=method, **{name.replace(".", "__"): value for name, value in extensions.items()})
    answer = client.call(envoy.CHECK, request)
    passed = dict(joined(headers))
    if answer.status.code != 0:
        return answer.denied_response.status.code, None
    passed |= envoy.headers_of(answer.ok_response.headers)
    for name in answer.ok_response.headers_to_remove:
        passed.pop(name, None)
    return None, passed


def test_envoys_grpc_file(asked):
    forged = [(name, "forged") for name in IDENTITY] + [("X-Relyd-Caller", "forged")]
    with envoy.Envoy(asked.data) as client:
        status, passed = ask_as_envoy(client, [*forged, ("Authorization", f"Bearer {asked.right}")])
        assert status is None and passed["x-relyd-identity"] == "payments-api" and "forged" not in [passed[name] for name in IDENTITY]
        assert ask_as_envoy(client, forged) == (401, None)
        assert ask_as_envoy(client, [("authorization", f"Bearer {asked.wrong}")])[0] in (401, 403)
        assert ask_as_envoy(client, [("authorization", f"Bearer {asked.right}")] * 2) == (401, None)
        asked.put("/v1/routes/web", {"audiences": ["other"]})  # the file's route counts, and not the listener's
        assert ask_as_envoy(client, [("authorization", f"Bearer {asked.right}")]) == (403, None)
        asked.put("/v1/routes/web", {"audiences": ["relyd"], "stripAuthorization": True})
        assert "authorization" not in ask_as_envoy(client, [("authorization", f"Bearer {asked.right}")])[1]
        asked.put("/v1/routes/web", {"audiences": ["relyd"]})


def test_envoys_grpc_file_takes_away_what_relyd_sets():
    """The same as the other: what differs is how relyd is asked."""
    both = []
    for name in ("envoy-http.yaml", "envoy-grpc.yaml"):
        (config,) = documents(name)
        manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        both.append({name: value for name, value in manager.items() if name not in ("http_filters", "route_config")})
    assert both[0] == both[1]
