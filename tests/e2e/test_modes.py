"""Credentials that are disabled, end at a time, or are in shadow: at every door, for tokens that every worker knows, in the log and the
metrics, and for who asks himself."""

import contextlib
import json
import re
import time

import pytest
import tokens
import wire
from service import ISSUER, TOKENREVIEWS

PATH = "/v1/identities/payments-api/federatedIdentityCredentials/builder"
LONG_AGO = "2020-01-01T00:00:00Z"
WAYS = {"disabled": {"enabled": False}, "ended": {"notAfter": LONG_AGO}, "shadow": {"mode": "shadow"}}


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def answers(relyd, token):
    """How every door answers, without what differs from one decision to the next."""
    check = relyd.check(token)
    found = [check.status, check.header("x-relyd-reason"), check.header("www-authenticate"), check.json(), relyd.tokenreview(token),
             relyd.review(token)]
    return json.loads(re.sub(r"[0-9a-f]{32}", "ID", json.dumps(found)))


# --- fields ---------------------------------------------------------------------------------------------------------------------


def test_the_fields_are_kept_and_shown_in_their_order(relyd):
    relyd.put_world()
    shown = relyd.admin("GET", PATH)
    members = ["audiences", "enabled", "mode", "description"]
    assert [name for name in shown.json() if name in members + ["notAfter"]] == members
    assert (shown.json()["enabled"], shown.json()["mode"]) == (True, "enforce")
    changed = relyd.put_credential(enabled=False, notAfter="2027-01-01T02:00:00.5+02:00", mode="shadow")
    assert list(changed)[5:10] == ["audiences", "enabled", "notAfter", "mode", "description"]
    assert (changed["enabled"], changed["notAfter"], changed["mode"]) == (False, "2027-01-01T00:00:00Z", "shadow")
    etag = relyd.admin("GET", PATH).header("etag")
    relyd.restart()
    assert relyd.admin("GET", PATH).json() == {name: value for name, value in changed.items() if name != "warnings"}
    assert relyd.admin("PUT", PATH, changed).header("etag") == etag
    assert relyd.put_credential(notAfter=None, enabled=True, mode="enforce") == shown.json() | {"warnings": []} | {"updatedAt": relyd.admin("GET", PATH).json()["updatedAt"]}


def test_what_is_no_time_and_no_mode_is_refused(relyd):
    relyd.put_world()
    before = relyd.admin("GET", PATH).json()
    for field, value, code in (
        ("notAfter", "2026-02-30T10:00:00Z", "invalid_value"),
        ("notAfter", "2026-11-22T10:00:60Z", "invalid_value"),
        ("notAfter", "2026-11-22T10:00:00", "invalid_value"),
        ("notAfter", "", "invalid_value"),
        ("notAfter", "1970-01-01T00:00:00Z", "out_of_range"),
        ("notAfter", "5138-11-16T09:46:41Z", "out_of_range"),
        ("notAfter", "9999-12-31T23:59:59Z", "out_of_range"),
        ("notAfter", 1795341600, "wrong_type"),
        ("mode", "off", "invalid_value"),
        ("mode", None, "invalid_value"),
        ("mode", True, "invalid_value"),
        ("enabled", "false", "wrong_type"),
        ("enabled", None, "wrong_type"),
    ):
        answer = relyd.admin("PUT", PATH, {"issuer": ISSUER, "subject": "s", "audiences": ["relyd"], field: value})
        assert answer.status == 400, (field, value)
        assert [(problem["field"], problem["code"]) for problem in answer.json()["errors"]] == [(field, code)]
    assert relyd.admin("GET", PATH).json() == before


# --- doors ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_at_every_door_as_if_it_were_missing(relyd, way):
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    relyd.admin("DELETE", PATH)
    missing = answers(relyd, token)
    assert missing[:2] == [403, "no_matching_credential"]
    assert missing[4]["authenticated"] is False and missing[5]["reason"] == "no_matching_credential"
    relyd.put_credential()
    for _ in range(20):  # now every worker knows it
        assert relyd.check(token).status == 200
    relyd.put_credential(**WAYS[way])
    for _ in range(20):
        assert answers(relyd, token) == missing
    other = signer.sign(tokens.claims(ISSUER, audience="elsewhere"))
    assert relyd.reason(other) == "no_matching_credential"  # not audience_mismatch
    relyd.put_credential()
    assert relyd.check(token).status == 200 and relyd.reason(other) == "audience_mismatch"


def test_a_credential_ends_with_its_last_second(relyd):
    """Of a token that is known all the time: up to the second of notAfter it is let in, from the next on it is not."""
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    end = int(time.time()) + 3
    relyd.put_credential(notAfter=at(end))
    seen = set()
    with contextlib.closing(wire.Client(relyd.data)) as client:
        while time.time() < end + 1.6:
            before = time.time()
            reason = client.ask("GET", "/check/default", None, {"Authorization": f"Bearer {token}"}).header("x-relyd-reason")
            if time.time() < end + 1:
                assert reason in (None, "ok"), (before, end)
                seen.add("in" if before < end else "in its second")
            elif before > end + 1.1:  # relyd's clock is behind by some milliseconds
                assert reason == "no_matching_credential", (before, end)
                seen.add("out")
            time.sleep(0.01)
    assert seen == {"in", "in its second", "out"}
    hits = re.search(r'relyd_cache_lookups_total\{outcome="hit"\} (\d+)', relyd.admin("GET", "/metrics").body.decode())
    assert int(hits.group(1)) > 50


# --- shadow ---------------------------------------------------------------------------------------------------------------------


def counted(relyd):
    text = relyd.admin("GET", "/metrics").body.decode()
    return [int(re.search(rf'relyd_shadow_matches_total\{{outcome="{outcome}"\}} (\d+)\n', text).group(1)) for outcome in ("allow", "deny")]


def decisions(relyd, count):
    """The last ones of the log, once there are so many."""
    wire.wait_for(lambda: len([1 for event in relyd.events() if event["event"] == "decision"]) >= count, what=f"{count} decisions")
    return [event for event in relyd.events() if event["event"] == "decision"]


def test_a_shadow_is_counted_and_logged(start):
    relyd = start(log__decisions="all")
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    assert relyd.check(token).status == 200 and counted(relyd) == [0, 0]
    relyd.put_identity("next")
    relyd.put_credential("rule", "next", mode="shadow")
    answer = relyd.check(token)  # beside one that counts: neither ambiguous, nor told
    assert (answer.status, answer.header("x-relyd-identity")) == (200, "payments-api")
    assert b"next" not in answer.body and "next" not in str(answer.headers)
    assert len(relyd.review(token)["identities"]) == 1
    assert counted(relyd) == [2, 0]
    relyd.admin("DELETE", PATH)
    assert relyd.check(token).header("x-relyd-reason") == "no_matching_credential"
    assert relyd.tokenreview(token).get("authenticated", False) is False
    assert counted(relyd) == [2, 2]
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, audience="elsewhere"))) == "no_matching_credential"
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, lifetime=-4000))) == "expired"
    assert counted(relyd) == [2, 2]
    found = [(line["reason"], line.get("identity"), line["shadow"]) for line in decisions(relyd, 7) if "shadow" in line]
    assert sorted(found, key=str) == [("no_matching_credential", None, "next/rule")] * 2 + [("ok", "payments-api", "next/rule")] * 2
    relyd.put_credential("rule", "next")
    assert relyd.check(token).header("x-relyd-identity") == "next"
    assert counted(relyd) == [2, 2]


def test_explain_names_what_is_not_in_force(relyd):
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    now = int(time.time())
    for way, field, words in (("disabled", "credentialEnabled", "the credential is disabled, last changed at 2"),
                              ("ended", "notAfter", " s before at"), ("shadow", "mode", "is shadow: it lets nobody in, last changed at 2")):
        relyd.put_credential(**WAYS[way])
        told = relyd.explain(token)
        assert (told["decision"], told["reason"]) == ("deny", "no_matching_credential")
        step = told["steps"][7]
        wrong = [entry for entry in step["compared"][0]["fields"] if not entry["equal"]]
        assert [entry["field"] for entry in wrong] == [field] and words in wrong[0]["note"]
        assert told["nearest"].startswith(f"the nearest credential is payments-api/builder: {field} ")
        assert step.get("shadow") == ("payments-api/builder" if way == "shadow" else None)
    relyd.put_credential(notAfter=at(now + 100))
    told = relyd.explain(token, at=now + 100)
    assert told["decision"] == "allow" and told["steps"][8]["validUntil"] == at(now + 100)
    assert relyd.explain(token, at=now + 101)["reason"] == "no_matching_credential"


# --- who asks -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def administered(relyd):
    """An administrator who comes by a token; what he shows is in `relyd.proof`."""
    signer = relyd.put_world()
    relyd.put_identity("ops", roles=["admin"])
    relyd.put_credential("own", "ops", subject="ops")
    relyd.proof = {"Authorization": "Bearer " + signer.sign(tokens.claims(ISSUER, sub="ops"))}
    return relyd


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_an_administrator_by_what_is_not_in_force(administered, way):
    relyd = administered
    for _ in range(3):
        assert relyd.admin("GET", "/v1/issuers", headers=relyd.proof).status == 200
    relyd.put_credential("own", "ops", subject="ops", **WAYS[way])  # as root
    for _ in range(3):
        answer = relyd.admin("GET", "/v1/issuers", headers=relyd.proof)
        assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
        assert "no federated credential matches issuer prod and subject" in answer.json()["detail"]


@pytest.mark.parametrize("way", WAYS)
def test_nobody_may_ask_by_what_is_not_in_force(start, tmp_path, way):
    """A gateway's own token, at each door of the data plane."""
    unix = f"{tmp_path}/data.sock"
    relyd = start(listeners=[{"address": f"unix:{unix}", "callers": "reviewers"}])
    signer = relyd.put_world()
    relyd.put_identity("gateway", roles=["reviewer"])
    relyd.put_credential("own", "gateway", subject="gateway")
    workload, own = signer.sign(tokens.claims(ISSUER)), signer.sign(tokens.claims(ISSUER, sub="gateway"))
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": workload}}

    def ask():
        check = wire.ask(unix, "GET", "/check/default", None, {"Authorization": f"Bearer {workload}", "x-relyd-caller": f"Bearer {own}"})
        others = [wire.ask(unix, "POST", path, sent, {"Authorization": f"Bearer {own}"}).status
                  for path, sent in ((TOKENREVIEWS, body), ("/v1/review", {"token": workload}))]
        return [check.status, check.header("x-relyd-reason"), *others]

    for _ in range(3):
        assert ask()[0] == 200 and ask()[2:] == [200, 200]
    relyd.put_credential("own", "gateway", subject="gateway", **WAYS[way])
    for _ in range(3):
        assert ask() == [403, "caller_not_permitted", 401, 401]


def test_the_last_administrators_way_in_stays(administered):
    relyd = administered
    path = "/v1/identities/ops/federatedIdentityCredentials/own"
    body = {"issuer": ISSUER, "subject": "ops", "audiences": ["relyd"]}
    later = {"notAfter": at(time.time() + 86400)}
    for change in (*WAYS.values(), later):
        answer = relyd.admin("PUT", path, body | change, headers=relyd.proof)
        assert (answer.status, answer.json()["code"]) == (409, "last_admin"), change
    relyd.put_identity("second", roles=["admin"])
    for change in (*WAYS.values(), later):  # none of these is another one's way in
        relyd.put_credential("own", "second", subject="second", **change)
        answer = relyd.admin("DELETE", path, headers=relyd.proof)
        assert (answer.status, answer.json()["code"]) == (409, "last_admin"), change
    relyd.put_credential("own", "second", subject="second")
    assert relyd.admin("PUT", path, body | later, headers=relyd.proof).status == 200


def test_an_owner_disables_and_ends_his_own(administered):
    relyd = administered
    signer = tokens.key("prod")
    relyd.put_identity("lead")
    relyd.put_credential("own", "lead", subject="lead")
    relyd.put_identity("app", owners=["lead"])
    proof = {"Authorization": "Bearer " + signer.sign(tokens.claims(ISSUER, sub="lead"))}
    path = "/v1/identities/app/federatedIdentityCredentials/main"
    body = {"issuer": ISSUER, "subject": "app", "audiences": ["relyd"]}
    assert relyd.admin("PUT", path, body, headers=proof).status == 201
    for change in WAYS.values():
        answer = relyd.admin("PUT", path, body | change, headers=proof)
        assert answer.status == 200 and change.items() <= answer.json().items()
        assert relyd.reason(signer.sign(tokens.claims(ISSUER, sub="app"))) == "no_matching_credential"
    relyd.put_credential("main", "payments-api", subject="app")  # the subject is another one's by now
    answer = relyd.admin("PUT", path, body, headers=proof)
    assert (answer.status, answer.json()["code"]) == (403, "not_permitted")
    assert relyd.reason(signer.sign(tokens.claims(ISSUER, sub="app"))) == "ok"
