"""OAuth 2.0 token introspection (RFC 7662): what an allow says, that a refusal says nothing, what is no form, and who asks."""

import contextlib
import re
import time
import urllib.parse

import pytest
import tokens
import wire
from service import ISSUER, ROOT, Relyd
from test_callers import Guarded
from test_slow_disk import locked

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/v1/introspect"
INACTIVE = b'{"active":false}\n'
MEMBERS = ["active", "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "username", "token_type", "client_id", "relyd"]
DECISION_ID = re.compile("[0-9a-f]{32}")
REASONS = set(re.findall(r'^REASON\(\w+, "(\w+)"', (ROOT / "include/relyd/reason.def").read_text(), re.M))
# Of a check's query, of who asks and where: 404, 401 and 403 here; and what is no answer about a token: 400, 503.
ELSEWHERE = {"ok", "invalid_query", "unknown_route", "caller_not_permitted", "no_token", "overloaded", "internal_error"}


def form(**parameters):
    return urllib.parse.urlencode(parameters).encode()


def introspect(relyd, token, path=PATH, **more):
    answer = wire.ask(relyd.data, "POST", path, form(token=token, **more), FORM)
    assert answer.header("cache-control") == "no-store" and answer.header("content-type") == "application/json"
    return answer


def of_oauth(answer):
    """(status, error) of RFC 6749 s5.2; nobody on the way may keep it."""
    body = answer.json()
    assert set(body) <= {"error", "error_description"} and answer.header("cache-control") == "no-store"
    assert re.fullmatch(r"[ !#-\[\]-~]*", body.get("error_description", ""))
    return answer.status, body["error"]


def is_inactive(answer):
    return answer.status == 200 and answer.body == INACTIVE and bool(DECISION_ID.fullmatch(answer.header("x-relyd-decision-id")))


# --- what an allow says ---------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_everything_that_an_allow_says(shared):
    claims = tokens.claims(ISSUER, aud=["https://other.example", "relyd"])
    token = shared.signer.sign(claims)
    for _ in range(4):  # a remembered one, too
        answer = introspect(shared, token, token_type_hint="access_token")
        assert answer.status == 200 and DECISION_ID.fullmatch(answer.header("x-relyd-decision-id"))
        said = answer.json()
        assert list(said) == MEMBERS
        assert said == {"active": True, "iss": ISSUER, "sub": claims["sub"], "aud": ["https://other.example", "relyd"], "exp": claims["exp"],
                        "iat": claims["iat"], "nbf": claims["nbf"], "jti": claims["jti"], "username": "payments-api", "token_type": "Bearer",
                        "client_id": "payments-api", "relyd": {"credential": "builder", "issuer": "prod"}}
        assert all(isinstance(said[name], int) for name in ("exp", "iat", "nbf"))


def test_what_a_token_has_not_is_not_said(shared):
    said = introspect(shared, shared.signer.sign(tokens.claims(ISSUER, nbf=None, jti=None, aud="relyd"))).json()
    assert list(said) == [name for name in MEMBERS if name not in ("nbf", "jti")] and said["aud"] == ["relyd"]
    with_fraction = tokens.claims(ISSUER, iat=time.time() - 5.25, nbf=None)
    assert introspect(shared, shared.signer.sign(with_fraction)).json()["iat"] == int(with_fraction["iat"])
    assert "iat" not in introspect(shared, shared.signer.sign(tokens.claims(ISSUER, iat=None))).json()


def test_who_remembers_until_exp_does_so_no_longer_than_the_credential(relyd):
    signer = relyd.put_world()
    claims = tokens.claims(ISSUER)
    soon = int(time.time()) + 600
    relyd.put_credential(notAfter=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon)))
    for _ in range(4):
        assert introspect(relyd, signer.sign(claims)).json()["exp"] == soon
    relyd.put_credential(notAfter=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"] + 600)))
    assert introspect(relyd, signer.sign(claims)).json()["exp"] == claims["exp"]  # never the leeway's end


def test_names_of_the_identity_and_of_the_token(relyd):
    signer = tokens.key("prod")
    relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, aliases=["https://old.example"], subjectClaim="/kubernetes.io/namespace")
    relyd.put_identity(usernameFrom="subject")
    relyd.put_credential(subject='team "a" ü')
    token = signer.sign(tokens.claims("https://old.example", sub="who", **{"kubernetes.io": {"namespace": 'team "a" ü'}}))
    said = introspect(relyd, token).json()
    assert (said["iss"], said["sub"], said["username"], said["client_id"]) == ("https://old.example", 'team "a" ü', 'team "a" ü', "payments-api")
    assert said["relyd"] == {"credential": "builder", "issuer": "prod"}


def test_a_token_without_iss(relyd):
    svid = tokens.key("svid", "ES256")
    relyd.put_issuer("mesh", "https://mesh.example", keys={"jwks": tokens.jwks(svid)}, trustDomain="mesh.example")
    relyd.put_identity("web")
    relyd.put_credential("own", "web", issuer="https://mesh.example", subject="spiffe://mesh.example/web")
    said = introspect(relyd, svid.sign(tokens.claims(None, sub="spiffe://mesh.example/web", **{"kubernetes.io": None}))).json()
    assert said["active"] is True and "iss" not in said and said["relyd"]["issuer"] == "mesh"


# --- a refusal says nothing -----------------------------------------------------------------------------------------


ONE, TWO = "11111111-aaaa-4bbb-8ccc-000000000001", "11111111-aaaa-4bbb-8ccc-000000000002"
NOW = int(time.time())


def account(name, uid, **changes):
    claims = tokens.claims(ISSUER, account=name, **changes)
    claims["kubernetes.io"]["serviceaccount"]["uid"] = uid
    return claims


def of_the_token(signer):
    """Reason -> a token that is refused for what it is."""
    claims, strange = tokens.claims(ISSUER), tokens.key("strange")
    of = lambda **changes: signer.sign(tokens.claims(ISSUER, **changes))
    return {
        "malformed_token": "not.a.token",
        "token_too_large": "x" * 17000,
        "unsupported_critical_header": signer.sign(claims, crit=["x"], x=1),
        "token_type_not_accepted": signer.sign(claims, typ="logout+jwt"),
        "unknown_issuer": signer.sign(tokens.claims("https://nobody.example")),
        "key_unknown": strange.sign(claims),
        "algorithm_unavailable": signer.sign_as_is({"alg": "ML-DSA-65", "kid": signer.kid}, claims),
        "algorithm_not_allowed": tokens.hmac_token(b"x", {"alg": "HS256"}, claims),
        "weak_key": tokens.Key(bits=1024).sign(claims, kid="weak"),
        "bad_signature": strange.sign(claims, kid=signer.kid),
        "missing_claim": of(sub=None, **{"kubernetes.io": None}),
        "invalid_claim": of(aud=[]),
        "expired": of(lifetime=-100, iat=None, nbf=None),
        "not_yet_valid": of(nbf=NOW + 3000),
        "issued_in_future": of(iat=NOW + 3000),
        "audience_mismatch": of(audience="elsewhere"),
        "no_matching_credential": of(account="nobody"),
    }


def of_records(relyd, signer):
    """The same, for what the issuer's record says."""
    guarded, many = tokens.key("guarded"), [tokens.key(f"many-{number}", "ES256") for number in range(33)]
    relyd.put_issuer("off", "https://off.example", keys={"jwks": tokens.jwks(tokens.key("off"))}, enabled=False)
    relyd.put_issuer("away", "https://127.0.0.1:1", keys={"discovery": True})
    for number, key in enumerate(many):
        relyd.put_issuer(f"many-{number}", "https://many.example", keys={"jwks": tokens.jwks(key)})
    relyd.put_issuer("guarded", "https://guarded.example", keys={"jwks": tokens.jwks(guarded)}, maxTokenLifetimeSeconds=7200,
                     guards={"singleAudience": True, "pinServiceAccountUid": "first-use"})
    relyd.put_credential("first", issuer="https://guarded.example", subject="system:serviceaccount:team-a:first")
    relyd.put("/v1/routes/once", {"audiences": ["relyd"]})
    live = tokens.key("live")
    relyd.put_issuer("live", "https://live.example", keys={"jwks": tokens.jwks(live)}, liveness={"url": "https://127.0.0.1:1", "bearerTokenFile": "@pod"})
    for number, subject in enumerate(("someone", "system:serviceaccount:team-a:live")):
        relyd.put_credential(f"live-{number}", issuer="https://live.example", subject=subject)
    return {
        "token_not_live": live.sign(tokens.claims("https://live.example", sub="someone", **{"kubernetes.io": None})),
        "liveness_unavailable": live.sign(tokens.claims("https://live.example", account="live")),
        "issuer_disabled": tokens.key("off").sign(tokens.claims("https://off.example")),
        "keys_unavailable": signer.sign(tokens.claims("https://127.0.0.1:1")),
        "ambiguous_issuer": many[-1].sign(tokens.claims("https://many.example"), kid=None),
        "guard_refused": guarded.sign(tokens.claims("https://guarded.example", aud=["relyd", "second"])),
        "lifetime_too_long": guarded.sign(tokens.claims("https://guarded.example", lifetime=8000)),
        "pin_pending": ("once", guarded.sign(account("first", ONE, iss="https://guarded.example"))),
    }


def of_rules(relyd, signer):
    """The same, for what identities, credentials, routes and revocations say; with the path where it is."""
    of = lambda name, **changes: signer.sign(tokens.claims(ISSUER, account=name, **changes))
    subject = lambda name: f"system:serviceaccount:team-a:{name}"
    relyd.put_identity("second")
    relyd.put_identity("asleep", enabled=False)
    relyd.put_credential("asleep", "asleep", subject=subject("asleep"))
    for identity in ("payments-api", "second"):
        relyd.put_credential("both", identity, subject=subject("both"))
    relyd.put_credential("pinned", subject=subject("pinned"), serviceAccountUid=ONE)
    relyd.put("/v1/routes/narrow", {"audiences": ["relyd"], "identities": ["second"]})
    relyd.put("/v1/routes/foreign", {"audiences": ["relyd"], "issuers": ["off"]})
    assert relyd.admin("POST", "/v1/revocations", {"jti": "leaked", "issuerName": "prod", "reason": "leaked"}).status == 201
    return {
        "revoked": of("builder", jti="leaked"),
        "identity_disabled": of("asleep"),
        "ambiguous_identity": of("both"),
        "uid_changed": signer.sign(account("pinned", TWO)),
        "identity_not_allowed": ("narrow", of("builder")),
        "issuer_not_allowed": ("foreign", of("builder")),
    }


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """A relyd in which nothing waits, and of each reason (route, a token that is refused for it)."""
    relyd = Relyd(tmp_path_factory.mktemp("refusals"), keys__miss_wait_ms=0).start()
    try:
        signer = relyd.signer = relyd.put_world(tokens.key("prod"), tokens.Key(bits=1024, kid="weak"))
        found = of_the_token(signer) | of_records(relyd, signer) | of_rules(relyd, signer)
        yield relyd, {reason: sent if isinstance(sent, tuple) else ("default", sent) for reason, sent in found.items()}
    finally:
        relyd.stop()


def test_every_reason_is_here(refusals):
    assert set(refusals[1]) == REASONS - ELSEWHERE


@pytest.mark.parametrize("reason", sorted(REASONS - ELSEWHERE))
def test_a_refusal_is_inactive_and_nothing_else(refusals, reason):
    """Why it is stands in the log, beside the id that the header has."""
    relyd, sent = refusals
    route, token = sent[reason]
    explained = relyd.explain(token, endpoint="introspection", route=route)
    assert (explained["reason"], explained["endpoint"], explained["single"]) == (reason, "introspection", True)
    for path in [f"/routes/{route}/introspect"] + [PATH] * (route == "default"):
        with locked(relyd) if reason == "pin_pending" else contextlib.nullcontext():
            answer = introspect(relyd, token, path)
        assert is_inactive(answer), answer
        assert reason not in repr(answer.headers)
        relyd.wait_for_words(answer.header("x-relyd-decision-id"))
        line = next(event for event in relyd.events() if event.get("decisionId") == answer.header("x-relyd-decision-id"))
        assert (line["endpoint"], line["outcome"], line["reason"]) == ("introspection", "deny", reason)
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    assert f'relyd_reviews_total{{endpoint="introspection",reason="{reason}"}} ' in text


def test_what_is_in_shadow_lets_nobody_in(relyd):
    signer = relyd.put_world()
    allowed, refused = signer.sign(tokens.claims(ISSUER)), signer.sign(tokens.claims(ISSUER, account="nobody"))
    relyd.put("/v1/routes/shadow", {"audiences": ["relyd"], "mode": "shadow"})
    assert relyd.check(refused, "/check/shadow").status == 200
    for _ in range(4):
        assert is_inactive(introspect(relyd, refused, "/routes/shadow/introspect"))
        assert introspect(relyd, allowed, "/routes/shadow/introspect").json()["active"] is True
    relyd.put_credential(mode="shadow")
    assert is_inactive(introspect(relyd, allowed))


def test_names_stay_the_identitys(relyd):
    """Neither audiences of a caller nor the user of a TokenReview mean anything here."""
    signer = relyd.put_world()
    relyd.put("/v1/routes/hook", {"audiences": ["relyd"], "callerAudiences": "trusted", "user": "kubernetes"})
    token = signer.sign(tokens.claims(ISSUER))
    said = introspect(relyd, token, "/routes/hook/introspect", audiences="else", audience="else").json()
    assert (said["active"], said["username"], said["aud"]) == (True, "payments-api", ["relyd"])
    no_account = signer.sign(tokens.claims(ISSUER, **{"kubernetes.io": None}))
    assert introspect(relyd, no_account, "/routes/hook/introspect").json()["active"] is True


def test_a_listeners_route(start):
    at = wire.free_port()
    relyd = start(listeners=[{"address": f"127.0.0.1:{at}", "route": "narrow"}])
    signer = relyd.put_world()
    relyd.put("/v1/routes/narrow", {"audiences": ["elsewhere"]})
    ask = lambda path: wire.ask(("127.0.0.1", at), "POST", path, form(token=signer.sign(tokens.claims(ISSUER))), FORM)
    assert is_inactive(ask(PATH)) and ask("/routes/default/introspect").json()["active"] is True


def test_a_token_waits_for_its_key(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    relyd.put_world()
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_credential("fetched", issuer=issuer.url, subject="waits")
    wire.wait_for(lambda: relyd.admin("GET", "/v1/issuers/cluster/keys").json().get("keys"), what="the first keys")
    issuer.keys = [tokens.key("rotated", "ES256")]
    assert introspect(relyd, issuer.token(sub="waits")).json()["active"] is True


# --- what is no form ------------------------------------------------------------------------------------------------


def post(relyd, body, media_type=FORM["Content-Type"], path=PATH):
    return wire.ask(relyd.data, "POST", path, body, {} if media_type is None else {"Content-Type": media_type})


WRONG = {
    "nothing": b"", "no token": b"token_type_hint=access_token", "an empty token": b"token=", "no value": b"token", "twice": b"token=a&token=b",
    "twice by an escape": b"token=a&%74oken=a", "another twice": b"token=a&x=1&x=2", "no name": b"token=a&=b", "nothing between": b"token=a&&x=1",
    "a broken escape": b"token=a%2", "NUL": b"token=a%00b", "a raw NUL": b"token=a\0", "not UTF-8": b"token=%ff", "a surrogate": b"token=%ed%a0%80",
    "many": b"&".join(b"x%d=1" % number for number in range(10000)) + b"&token=a", "thirty-three": b"&".join(b"x%d=1" % number for number in range(32)) + b"&token=a",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_form(shared, name):
    assert of_oauth(post(shared, WRONG[name])) == (400, "invalid_request")


def test_a_missing_token_is_counted_and_has_a_decision(shared):
    answer = post(shared, b"token=")
    assert answer.json()["error_description"] == "the form has no token" and DECISION_ID.fullmatch(answer.header("x-relyd-decision-id"))
    text = wire.ask(shared.health, "GET", "/metrics").body.decode()
    assert 'relyd_reviews_total{endpoint="introspection",reason="no_token"} ' in text


def test_a_form_as_others_write_it(shared):
    token = shared.signer.sign(tokens.claims(ISSUER))
    escaped = "".join(f"%{ord(character):02X}" for character in token)
    others = "&".join(f"x{number}=1" for number in range(31))
    for body in (f"token={token}", f"token={escaped}", f"%74oken={token}", f"client_id=a&token={token}&client_secret=b&resource=%C3%A4+x",
                 f"token={token}&token_type_hint=refresh_token", f"token={token}&token_type_hint=%", f"{others}&token={token}"):
        answer = post(shared, body.encode())
        assert (answer.status, answer.json().get("active")) == ((400, None) if body.endswith("%") else (200, True)), body[:40]
    for changed in (f"token=+{token}", f"token={token}+", f"token={token}%0A", f"token={token}\n", f"token={token};x", f"token={token}%26x", f"token=Bearer+{token}"):
        assert is_inactive(post(shared, changed.encode())), changed[-20:]  # nothing is trimmed


@pytest.mark.parametrize("media_type, status", [
    ("application/x-www-form-urlencoded", 200), ("APPLICATION/X-WWW-FORM-URLENCODED", 200), ("application/x-www-form-urlencoded; charset=UTF-8", 200),
    ("application/x-www-form-urlencoded;charset=utf-8", 200), (None, 415), ("", 415), ("application/x-www-form-urlencodedx", 415), ("application/json", 415),
    ("text/plain", 415), ("multipart/form-data; boundary=x", 415), ("application/x-www-form-urlencode", 415),
])
def test_media_types(shared, media_type, status):
    answer = post(shared, form(token=shared.signer.sign(tokens.claims(ISSUER))), media_type)
    assert answer.status == status and (status == 200 or of_oauth(answer) == (415, "invalid_request"))


def test_two_content_types_are_none(shared):
    body = form(token=shared.signer.sign(tokens.claims(ISSUER)))
    line = b"Content-Type: application/x-www-form-urlencoded\r\n"
    head = lambda lines: b"POST /v1/introspect HTTP/1.1\r\nHost: x\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body)
    assert wire.statuses(wire.exchange(shared.data, head(line) + body)) == [200]
    assert wire.statuses(wire.exchange(shared.data, head(line + line) + body)) == [415]
    assert wire.statuses(wire.exchange(shared.data, head(line + b"Content-Type: application/json\r\n") + body)) == [415]


def test_a_json_body_is_no_form(shared):
    answer = wire.ask(shared.data, "POST", PATH, {"token": shared.signer.sign(tokens.claims(ISSUER))})
    assert of_oauth(answer) == (415, "invalid_request")


def test_in_chunks_and_of_a_megabyte(shared):
    body = form(token=shared.signer.sign(tokens.claims(ISSUER)))
    head = "POST /v1/introspect HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    chunks = b"".join(b"1\r\n" + body[i : i + 1] + b"\r\n" for i in range(len(body))) + b"0\r\n\r\n"
    received = wire.exchange(shared.data, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
    assert wire.statuses(received) == [200] and b'{"active":true,' in received
    received = wire.exchange(shared.data, f"{head}Content-Length: 1000000\r\n\r\n".encode() + b"token=" + b"a" * 999994)
    assert wire.statuses(received) == [413] and b'{"error":"invalid_request",' in received and b"cache-control: no-store" in received


@pytest.mark.parametrize("query", ["token=x", "token_type_hint=access_token", "x", "%zz", "&"])
def test_a_query_says_nothing(shared, query):
    """RFC 7662 s2.1: the token is in the body; who sends it in the query as well has it in somebody's log."""
    answer = post(shared, form(token=shared.signer.sign(tokens.claims(ISSUER))), path=f"{PATH}?{query}")
    assert of_oauth(answer) == (400, "invalid_request")
    assert post(shared, form(token=shared.signer.sign(tokens.claims(ISSUER))), path=f"{PATH}?").status == 200


@pytest.mark.parametrize("path", [PATH, "/routes/default/introspect", "/routes/nowhere/introspect"])
def test_methods(shared, path):
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = wire.ask(shared.data, method, path)
        assert (answer.status, answer.header("allow")) == (405, "POST")
        assert method == "HEAD" or of_oauth(answer) == (405, "invalid_request")


@pytest.mark.parametrize("path", ["/v1/introspect/", "/v1//introspect", "/v1/introspect/x", "/introspect", "/routes/default/v1/introspect", "/routes//introspect",
                                  "/routes/default%2Fx/introspect"])
def test_paths_that_are_none(shared, path):
    assert post(shared, form(token="x"), path=path).status == 404


def test_no_such_route(shared):
    answer = post(shared, form(token=shared.signer.sign(tokens.claims(ISSUER))), path="/routes/nowhere/introspect")
    assert of_oauth(answer) == (404, "unknown_route")
    assert answer.json()["error_description"] == "no route has the name 'nowhere'"  # no quote stands in a description


def test_what_is_shed(start):
    relyd = start(keys__kidless_failures_per_s=1, workers=1)
    relyd.put_issuer("shed", "https://shed.example", keys={"jwks": tokens.jwks(tokens.key("right"))})
    forged = tokens.key("wrong").sign(tokens.claims("https://shed.example"), kid=None)

    def shed():
        answers = [introspect(relyd, forged) for _ in range(4)]
        return answers[-1].status == 503 and answers[-1]

    answer = wire.wait_for(shed, what="a second that is used up")
    assert answer.body == b'{"error":"temporarily_unavailable"}\n' and answer.header("retry-after") is None
    relyd.wait_for_words(answer.header("x-relyd-decision-id"))


# --- who asks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(start, tmp_path):
    return Guarded(start, tmp_path)


def ask_guarded(guarded, context=None, authorization=None, path=PATH):
    headers = FORM | ({"Authorization": authorization} if authorization else {})
    return guarded.ask("POST", path, context, body=form(token=guarded.workload), headers=headers)


def test_who_may_ask(guarded):
    """By certificate or by a token of one's own; a Basic password is nobody's proof (RFC 6749 s2.3.1 would have one)."""
    basic = "Basic Z2F0ZXdheTpzZWNyZXQ="
    for context, authorization, expected in (
        (guarded.context("dns:gw.example"), None, 200), (guarded.context("dns:gw.example"), basic, 200), (None, f"Bearer {guarded.token('gateway')}", 200),
        (guarded.context("uri:spiffe://prod/ops"), None, 200),
        (None, None, (401, "invalid_client")), (None, basic, (401, "invalid_client")), (None, f"Bearer {guarded.token('nobody')}", (401, "invalid_client")),
        (guarded.context("dns:asleep.example"), None, (401, "invalid_client")), (guarded.context("dns:unknown.example"), basic, (401, "invalid_client")),
        (guarded.context("cn:other"), None, (403, "access_denied")), (None, f"Bearer {guarded.workload}", (403, "access_denied")),
    ):
        answer = ask_guarded(guarded, context, authorization)
        if expected == 200:
            assert answer.status == 200 and answer.json()["active"] is True
            continue
        assert of_oauth(answer) == expected, authorization
        shown = "invalid_token" if authorization and authorization.startswith("Bearer") and answer.status == 401 else None
        assert answer.header("www-authenticate") == {401: 'Bearer realm="relyd"' + (f', error="{shown}"' if shown else ""), 403: None}[answer.status]


def test_a_refused_caller_is_in_the_log(guarded):
    assert ask_guarded(guarded, guarded.context("dns:unknown.example")).status == 401
    guarded.relyd.wait_for_words('"caller_not_permitted"')
    line = next(event for event in guarded.relyd.events() if event.get("reason") == "caller_not_permitted")
    assert line["endpoint"] == "introspection" and "dns:unknown.example" in line["detail"] and "subject" not in line


def test_callers_of_a_route(guarded):
    guarded.relyd.put("/v1/routes/shop", {"audiences": ["relyd"], "callers": ["gateway"]})
    path = "/routes/shop/introspect"
    assert ask_guarded(guarded, guarded.context("dns:gw.example"), path=path).json()["active"] is True
    assert of_oauth(ask_guarded(guarded, guarded.context("uri:spiffe://prod/ops"), path=path)) == (403, "access_denied")
    assert of_oauth(wire.ask(guarded.relyd.data, "POST", path, form(token=guarded.workload), FORM)) == (403, "access_denied")  # who is let in unasked


def test_where_anyone_asks_a_password_means_nothing(shared):
    """Apache's modules send one whether it is wanted or not."""
    token = shared.signer.sign(tokens.claims(ISSUER))
    for authorization in ("Basic Z2F0ZXdheTpzZWNyZXQ=", "Bearer x", f"Bearer {token}"):
        answer = wire.ask(shared.data, "POST", PATH, form(token=token), FORM | {"Authorization": authorization})
        assert answer.json()["active"] is True
    assert is_inactive(wire.ask(shared.data, "POST", PATH, form(token="x"), FORM | {"Authorization": f"Bearer {token}"}))
