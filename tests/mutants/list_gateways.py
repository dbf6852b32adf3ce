"""Deliberate errors in conf/gateways: what would let through, hand on or lose too much, and the test with the real gateway, or with its algorithm, that sees it."""

PROXIES = "tests/e2e/test_proxies.py::"
TROUBLE = "tests/e2e/test_proxy_trouble.py::"
FORMS = "tests/e2e/test_gateway_forms.py"


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="11", file=f"conf/gateways/{file}", old=old, new=new, caught_by=caught_by)


def nginx(name, old, new, test):
    return mutant(f"nginx: {name}", "nginx.conf", old, new, test)


def caddy(name, old, new, test):
    return mutant(f"Caddy: {name}", "Caddyfile", old, new, test)


def haproxy(name, old, new, test):
    return mutant(f"HAProxy: {name}", "haproxy.cfg", old, new, test)


def form(name, file, old, new):
    return mutant(f"{file}: {name}", file, old, new, FORMS)


MUTANTS = [
    nginx("nobody is asked", "    auth_request /relyd-check;\n", "", PROXIES + "test_allowed"),
    nginx("clients reach the question", "        internal;\n", "", PROXIES + "test_allowed"),
    nginx("any protocol is passed on", "~*^websocket$ websocket;", "~. $http_upgrade;", PROXIES + "test_no_other_protocol"),
    nginx("groups are the client's", "    proxy_set_header X-Relyd-Groups $relyd_groups;\n", "", PROXIES + "test_what_a_client_forges_ends_at_the_gateway"),
    nginx("names with underscores pass", "underscores_in_headers off", "underscores_in_headers on", PROXIES + "test_what_a_client_forges_ends_at_the_gateway"),
    nginx("the application gets the token", "    proxy_set_header Authorization '';\n", "", PROXIES + "test_allowed"),
    nginx("a token has 8 kB", "    large_client_header_buffers 4 32k;\n", "", PROXIES + "test_tokens_as_long_as_they_may_be"),
    nginx("an upload has a megabyte", "    client_max_body_size 100m;\n", "", PROXIES + "test_an_upload_of_20_mib"),
    nginx("a 403 has no challenge", "    add_header WWW-Authenticate $challenge_of_403 always;\n", "", PROXIES + "test_refused"),
    nginx("who is slow is waited for", "        proxy_read_timeout 2s;\n", "", TROUBLE + "test_relyd_down_and_slow"),
    nginx("no decision is 500", "    error_page 500 = @unchecked;\n", "", TROUBLE + "test_relyd_overloaded"),
    nginx("relyd gets what the client says", "        proxy_pass_request_headers off;\n", "", TROUBLE + "test_what_relyd_is_asked"),
    nginx("anybody may be relyd", "        #tls proxy_ssl_verify on;\n", "", "tests/e2e/test_gateway_callers.py::test_a_gateway_asks_no_stranger"),
    caddy("one spelling is stripped", "request_header -*relyd*", "request_header -X-Relyd-*", PROXIES + "test_what_a_client_forges_ends_at_the_gateway"),
    caddy("Connection names what is ours", '\t\trespond @names_ours "Connection names a header that this gateway needs" 400\n', "", PROXIES + "test_connection_takes_no_header_away"),
    caddy("any protocol is passed on", "\t\trequest_header @no_websocket -Upgrade\n", "", PROXIES + "test_no_other_protocol"),
    caddy("the client's query is handed on", "uri /check/web?\n", "uri /check/web\n", PROXIES + "test_allowed"),
    caddy("the application gets the token", "\t\trequest_header -Authorization\n", "", PROXIES + "test_allowed"),
    caddy("what is not there is copied", " X-Relyd-Decision-Id\n", " X-Relyd-Decision-Id X-Relyd-Hashed\n", PROXIES + "test_allowed"),
    caddy("who is slow is waited for", "\t\t\t\tresponse_header_timeout 2s\n", "", TROUBLE + "test_relyd_down_and_slow"),
    haproxy("two tokens pass", "    http-request deny deny_status 400 if { req.fhdr_cnt(authorization) gt 1 }\n", "", PROXIES + "test_two_authorization_headers_never_pass"),
    haproxy("Connection names what is ours", "    http-request deny deny_status 400 if { req.fhdr(connection) -m sub -i relyd authorization }\n", "", PROXIES + "test_connection_takes_no_header_away"),
    haproxy("any protocol is passed on", "    http-request del-header upgrade if { req.fhdr(upgrade) -m reg -i [^websockt] }\n", "", PROXIES + "test_no_other_protocol"),
    haproxy("one spelling is stripped", "http-request del-header relyd -m sub", "http-request del-header x-relyd- -m beg", PROXIES + "test_what_a_client_forges_ends_at_the_gateway"),
    haproxy("what the script has not marked passes", "    http-request deny deny_status 503 unless { var(txn.relyd) -m str allowed }\n", "", TROUBLE + "test_haproxys_script_may_break"),
    haproxy("any mark will do", "unless { var(txn.relyd) -m str allowed }", "unless { var(txn.relyd) -m found }", TROUBLE + "test_haproxys_script_may_break"),
    haproxy("the application gets the token", "    http-request del-header authorization\n", "", PROXIES + "test_allowed"),
    haproxy("who is slow is waited for", "    timeout server 2s\n", "", TROUBLE + "test_relyd_down_and_slow"),
    haproxy("a token has no room", "    tune.bufsize 49152\n", "", PROXIES + "test_tokens_as_long_as_they_may_be"),
    haproxy("what is added has no room", "    tune.maxrewrite 8192\n", "", PROXIES + "test_a_head_that_just_fits_keeps_its_identity"),
    mutant("relyd.lua: whoever answers 200 is relyd", "relyd.lua", ' or not answer.headers["x-relyd-decision-id"]', "", TROUBLE + "test_haproxys_script_may_break"),
    mutant("relyd.lua: every answer is an allow", "relyd.lua", "if answer.status ~= 200 or", "if answer.status < 200 or", TROUBLE + "test_what_is_no_decision_lets_nothing_through"),
    form("rules that name nothing", "istio.yaml", "    - {}\n", "    []\n"),
    form("a path that is no door", "istio.yaml", "pathPrefix: /check/web", "pathPrefix: /chek/web"),
    form("a header that is the client's", "istio.yaml", "            - x-relyd-groups\n", ""),
    form("one spelling is stripped", "traefik.yaml", '"(?i)^x[-_.]relyd[-_.]"', '"^X-Relyd-"'),
    form("the application gets the token", "traefik.yaml", '          Authorization: ""\n', '          Authorization: "Bearer x"\n'),
    form("no time for a new key", "envoy-http.yaml", "timeout: 1s}", "timeout: 0.2s}"),
    form("a header that is the client's", "envoy-http.yaml", "                        - remove: x-relyd-uid\n", ""),
    form("underscores pass", "envoy-http.yaml", "DROP_HEADER", "ALLOW"),
    form("no decision is an allow", "envoy-http.yaml", "                      transport_api_version: V3\n", "                      transport_api_version: V3\n                      failure_mode_allow: true\n"),
    form("a route that no client names", "envoy-grpc.yaml", "relyd.route: web", "relyd.rout: web"),
    form("relyd gets no token", "envoy-grpc.yaml", "                          - exact: authorization\n", ""),
    form("no time limit for gRPC", "istio.yaml", '          port: 8443\n          timeout: 1s\n          statusOnError: "503"\n', '          port: 8443\n          statusOnError: "503"\n'),
    form("no time limit", "envoy-gateway.yaml", "    timeout: 1s\n", ""),
    form("the filter is another", "gateway-api.yaml", "type: ExternalAuth", "type: ExtAuth"),
    form("audiences as of everybody", "kube-apiserver-webhook.yaml", '"callerAudiences": "trusted", ', ""),
    form("the API server may not ask", "kube-apiserver-webhook.yaml", '"roles": ["reviewer"], ', ""),
    form("the user is an identity", "vault.sh", '"user": "kubernetes", ', ""),
    form("a parameter that is none", "vault.sh", "disable_local_ca_jwt", "disable_local_jwt"),
]
