"""Metrics, probes, and the log: which has the refusal, and never the token."""

import http.client
import json
import os
import re
import signal
import threading
import time

import pytest
import tokens
import wire
from service import ISSUER, Relyd

pytestmark = pytest.mark.threads


def metrics(relyd, address=None):
    """{sample with its labels: value}; the text must be in Prometheus' format."""
    answer = wire.ask(address or relyd.health, "GET", "/metrics")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain; version=0.0.4")
    samples = {}
    for line in answer.body.decode().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line), line
            continue
        found = re.fullmatch(r'([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\S+)', line)
        assert found, line
        assert found.group(1) not in samples
        samples[found.group(1)] = float(found.group(2))
    return samples


def test_reviews_are_counted(start):
    relyd = start(workers=4)
    signer = relyd.put_world()
    good, bad = signer.sign(tokens.claims(ISSUER)), signer.sign(tokens.claims(ISSUER, account="deployer"))
    for _ in range(10):
        relyd.reason(good)
        relyd.check(bad)
        relyd.tokenreview(good)
    relyd.check()
    samples = metrics(relyd)
    assert samples['relyd_reviews_total{endpoint="review",reason="ok"}'] == 10
    assert samples['relyd_reviews_total{endpoint="check",reason="no_matching_credential"}'] == 10
    assert samples['relyd_reviews_total{endpoint="tokenreview",reason="ok"}'] == 10
    assert samples['relyd_reviews_total{endpoint="check",reason="no_token"}'] == 1
    assert samples["relyd_review_duration_seconds_count"] == 31
    assert samples['relyd_review_duration_seconds_bucket{le="+Inf"}'] == 31
    assert 0 < samples["relyd_review_duration_seconds_sum"] < 10
    assert samples["relyd_http_requests_total"] >= 31


def test_gauges(relyd):
    before = metrics(relyd)["relyd_revision"]
    relyd.put_world()
    samples = metrics(relyd)
    assert (samples["relyd_issuers"], samples["relyd_identities"], samples["relyd_credentials"]) == (1, 1, 1)
    assert samples["relyd_revision"] == before + 3
    assert abs(samples["process_start_time_seconds"] - time.time()) < 120
    assert samples["process_resident_memory_bytes"] > 1_000_000
    assert any(name.startswith("relyd_build_info{") for name in samples)
    assert metrics(relyd, relyd.socket)["relyd_credentials"] == 1


def test_counters_only_grow(relyd):
    relyd.put_world()
    first = metrics(relyd)
    relyd.check()
    second = metrics(relyd)
    for name, value in first.items():
        if "_total" in name or "_bucket" in name or name.endswith("_count"):
            assert second[name] >= value, name


def test_probes(relyd):
    for address in (relyd.health, relyd.socket, relyd.admin_tcp):
        for path in ("/livez", "/readyz"):
            answer = wire.ask(address, "GET", path)
            assert (answer.status, answer.body) == (200, b"ok\n")
            assert wire.ask(address, "HEAD", path).status == 200
            refused = wire.ask(address, "POST", path, {})
            assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_a1_the_data_plane_has_no_health(relyd, path):
    """Fault A1: beside the check, whose path is the client's own, nothing stands that answers 200 without a token."""
    for method in ("GET", "HEAD", "POST"):
        assert wire.ask(relyd.data, method, path).status == 404


@pytest.mark.parametrize("path", ["/", "/v1/issuers", "/v1/explain", "/check/default", "/v1/review", "/livez/", "/metrics/x"])
def test_a_health_listener_has_nothing_else(relyd, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = wire.ask(relyd.health, method, path, {} if method in ("POST", "PUT") else None)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_the_control_planes_metrics_stand_behind_its_guard(relyd):
    """Fault D: a page in somebody's browser, or a name rebound to 127.0.0.1, must not read them."""
    for path in ("/livez", "/readyz", "/metrics"):
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = wire.ask(relyd.admin_tcp, "GET", path, headers=headers)
            assert (answer.status, answer.json()["code"]) == (403, "not_permitted")
            assert wire.ask(relyd.health, "GET", path, headers=headers).status == 200


def test_probes_and_administrators_do_not_lock_each_other_out(relyd):
    """The health listener has room of its own: nobody's connection ends for the other's sake, where the oldest would."""
    held = [wire.connect(relyd.admin_tcp) for _ in range(210)]
    assert relyd.admin("GET", "/v1/issuers").status == 200
    probes = [wire.connect(relyd.health) for _ in range(64)]
    assert wire.ask(relyd.health, "GET", "/livez").status == 200
    for connection in held:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    for connection in held + probes:
        connection.close()
    held = [wire.connect(relyd.admin_tcp) for _ in range(300)]
    assert wire.ask(relyd.health, "GET", "/livez").status == 200
    for connection in held:
        connection.close()
    held = [wire.connect(relyd.health) for _ in range(100)]
    assert relyd.admin("GET", "/v1/issuers").status == 200
    for connection in held:
        connection.close()
    assert wire.ask(relyd.health, "GET", "/livez").status == 200


def test_decision_ids_count_up_and_never_repeat(start):
    """Of each worker one after the other, also where a digit carries: 300 are more than two digits hold."""
    relyd = start(workers=1)
    ids = [relyd.check().header("x-relyd-decision-id") for _ in range(300)]
    assert all(re.fullmatch("[0-9a-f]{32}", text) for text in ids)
    assert [int(text, 16) - int(ids[0], 16) for text in ids] == list(range(300))


def test_a_review_stands_in_the_bucket_of_its_time(start):
    """Of one the sum is its time: it is in every bucket that is as long, and in none that is shorter."""
    relyd = start()
    relyd.check("not.a.token")
    samples = metrics(relyd)
    bounds = {float(re.search('le="(.+)"', name)[1]): count for name, count in samples.items() if "duration_seconds_bucket" in name}
    assert len(bounds) == 13
    assert bounds == {bound: samples["relyd_review_duration_seconds_sum"] <= bound for bound in bounds}


def test_log_has_decisions_and_never_tokens(start):
    relyd = start(log__decisions="all", log__level="debug")
    signer = relyd.put_world()
    claims = tokens.claims(ISSUER)
    sent = [signer.sign(claims), signer.sign(tokens.claims(ISSUER, account="deployer")), "garbage.garbage.garbage-that-is-long-enough"]
    for token in sent:
        relyd.review(token)
        relyd.check(token)
        relyd.check(token, f"/check/default?access_token={token}")
        relyd.tokenreview(token)
        relyd.explain(token)
        wire.ask(relyd.data, "POST", "/v1/review", b'{"token": "' + token.encode() + b'", ', wire.JSON)
    ids = [relyd.review(token)["decisionId"] for token in sent]
    relyd.stop()
    log = relyd.log()
    for token in sent:
        for part in token.split("."):
            assert part[:40] not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    decisions = {line["decisionId"]: line for line in lines if line["event"] == "decision"}
    allow, deny, garbage = (decisions[id] for id in ids)
    assert (allow["outcome"], allow["reason"], allow["jti"]) == ("allow", "ok", claims["jti"])
    assert (allow["issuer"], allow["identity"], allow["credential"]) == ("prod", "payments-api", "builder")
    assert (deny["outcome"], deny["reason"], deny["subject"]) == ("deny", "no_matching_credential", "system:serviceaccount:team-a:deployer")
    assert (garbage["outcome"], garbage["reason"]) == ("deny", "malformed_token")
    assert all({"time", "level", "event"} <= set(line) for line in lines)


@pytest.mark.parametrize("setting, expected", [("none", set()), ("refusals", {"deny"}), ("all", {"allow", "deny"})])
def test_which_decisions_are_logged(start, setting, expected):
    relyd = start(log__decisions=setting)
    signer = relyd.put_world()
    relyd.reason(signer.sign(tokens.claims(ISSUER)))
    relyd.reason("not.a.token")
    relyd.stop()
    lines = [json.loads(line) for line in relyd.log().splitlines() if line.startswith("{")]
    assert {line["outcome"] for line in lines if line["event"] == "decision"} == expected


def test_no_text_of_a_stranger_forges_a_line(start):
    relyd = start()
    signer = relyd.put_world()
    evil = 'x"}\n{"event":"decision","outcome":"allow","reason":"ok"\x1b[2J\u2028'
    relyd.reason(signer.sign(tokens.claims(ISSUER, sub=evil, jti=evil, **{"kubernetes.io": None})))
    relyd.reason(signer.sign(tokens.claims("https://" + evil)))
    relyd.stop()
    log = relyd.log()
    assert "\x1b" not in log
    for line in log.splitlines():
        if '"decision"' in line:
            assert json.loads(line)["outcome"] == "deny"


STRANGE = {
    "C1 controls": "\x80\x85\x9b31m\x9f",
    "bidirectional overrides and isolates": "\u202a\u202e\u202c\u2066\u2069\u200e\u200f\u061c",
    "letters from right to left": "\u05d0\u0627\u0660",
    "combining and invisible": "a\u0301\u0489\u200b\u200d\u00ad\u2060\ufeff\ufe0f\u180e",
    "beyond the first plane": "\U000e0041\U0001f600\U00010ffd",
    "line ends": "\n\r\x0b\x0c\x85\u2028\u2029",
    "an 8-bit CSI inside of UTF-8": "\u00db\u4e9b",
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_d_no_text_of_a_stranger_changes_how_a_line_is_shown(start, text):
    """Fault D: iss, kid, typ, alg, sub, jti and audiences of tokens, and the paths they come by."""
    relyd = start()
    signer = relyd.put_world()
    relyd.reason(signer.sign(tokens.claims("https://" + text)))
    relyd.reason(signer.sign(tokens.claims(ISSUER, sub=text, jti=text, audience=text, **{"kubernetes.io": None})))
    relyd.reason(signer.sign(tokens.claims(ISSUER), kid=text))
    relyd.reason(signer.sign(tokens.claims(ISSUER), typ=text))
    relyd.reason(signer.sign_as_is({"alg": text, "kid": text, "crit": [text]}, tokens.claims("https://" + text)))
    relyd.stop()
    log = relyd.log_path.read_bytes()
    assert not [byte for byte in set(log) if not (0x20 <= byte < 0x7F or byte == 0x0A)]
    lines = [json.loads(line) for line in log.splitlines() if b'"decision"' in line]
    assert len(lines) == 5
    assert "https://" + text in [line.get("issuer") for line in lines]
    assert text in [line.get("subject") for line in lines]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def test_b14_allows_and_events_have_a_stream_of_their_own(tmp_path):
    relyd = Relyd(tmp_path / "apart", log__allows="stdout")
    relyd.allows_path = tmp_path / "allows.log"
    relyd.start()
    signer = relyd.put_world()
    assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
    assert relyd.reason("not.a.token") == "malformed_token"
    relyd.stop()
    assert [line["outcome"] for line in lines_of(relyd.allows_path) if line["event"] == "decision"] == ["allow"]
    assert {"listening", "ready", "stopped"} <= {line["event"] for line in lines_of(relyd.allows_path)}
    assert [line.get("outcome") for line in lines_of(relyd.log_path)] == ["deny"]


def refuse(relyd, source, count):
    """So many refusals of a peer with this address, over one connection."""
    connection = http.client.HTTPConnection(*relyd.data, timeout=wire.TIMEOUT, source_address=(source, 0))
    for _ in range(count):
        connection.request("GET", "/check/default")
        answer = connection.getresponse()
        assert answer.status == 401
        answer.read()
    connection.close()


def test_b14_a_flood_of_refusals_is_sampled_and_counted(start):
    relyd = start(log__refusals_per_s=10)
    started = time.monotonic()
    flood = threading.Thread(target=refuse, args=(relyd, "127.0.0.1", 2000))
    flood.start()
    for number in range(2, 7):
        refuse(relyd, f"127.0.0.{number}", 5)
    flood.join()
    seconds = time.monotonic() - started
    wire.wait_for(lambda: "refusals_left_out" in relyd.log(), what="the count of what was left out")
    left_out = metrics(relyd, relyd.socket)["relyd_log_refusals_left_out_total"]
    relyd.stop()
    lines = lines_of(relyd.log_path)
    written = [line for line in lines if line["event"] == "decision"]
    told = [line for line in lines if line["event"] == "refusals_left_out"]
    assert len(written) + left_out == 2000 + 5 * 5
    assert sum(line["count"] for line in told) == left_out
    assert sum(line["reasons"]["no_token"] for line in told) == left_out
    assert all(line["peers"] >= 1 for line in told)
    assert len(written) <= (seconds + 2) * 10 + 5 * 5
    for number in range(2, 7):
        assert len([line for line in written if line["peer"].startswith(f"127.0.0.{number}:")]) == 5


def test_d_lines_for_which_there_is_no_room_are_counted(start, tmp_path):
    """Nobody reads standard error: refusals are lost, and counted; allows and events are all there."""
    reader, writer = os.pipe()
    relyd = Relyd(tmp_path / "deaf", log__allows="stdout", log__refusals_per_s=1000000, workers=1)
    relyd.allows_path, relyd.log_path = tmp_path / "allows.log", f"/proc/self/fd/{writer}"
    try:
        relyd.start()
        signer = relyd.put_world()
        lost = 0
        while lost < 100:
            refuse(relyd, "127.0.0.1", 500)
            samples = metrics(relyd, relyd.socket)
            lost = samples["relyd_log_lines_lost_total"]
        assert samples["relyd_log_refusals_left_out_total"] == 0
        for _ in range(50):
            assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
        wire.wait_for(lambda: len([1 for line in lines_of(relyd.allows_path) if line.get("outcome") == "allow"]) == 50)
        wire.wait_for(lambda: "log_lines_lost" in {line["event"] for line in lines_of(relyd.allows_path)})
    finally:
        relyd.process.kill()
        relyd.process.wait()
        os.close(reader)
        os.close(writer)


VOLATILE = re.compile(r"process_|relyd_connections$|relyd_http_held_bytes|relyd_key_set_(age|limit)_|relyd_issuer_clock_skew_|.*_bucket\{|.*_sum$")


def what_changes(relyd, act):
    """{metric: by how much} of everything that one event moves; the second scrape is a request, too."""
    before = metrics(relyd, relyd.socket)
    act()
    after = metrics(relyd, relyd.socket)
    return {name: after[name] - before.get(name, 0) for name in after
            if after[name] != before.get(name, 0) and not VOLATILE.match(name)}


def reviewed(endpoint, reason, **more):
    """What one review of a token changes, and what it may change beside that."""
    names = {"hit": 'relyd_cache_lookups_total{outcome="hit"}', "miss": 'relyd_cache_lookups_total{outcome="miss"}',
             "rechecked": "relyd_signature_rechecks_total", "waited": "relyd_key_waits_total",
             "left_out": "relyd_log_refusals_left_out_total", "fetched": 'relyd_fetches_total{outcome="ok"}',
             "failed": 'relyd_fetches_total{outcome="failed"}'}
    changed = {f'relyd_reviews_total{{endpoint="{endpoint}",reason="{reason}"}}': 1, "relyd_http_requests_total": 2,
               "relyd_review_duration_seconds_count": 1}
    return changed | {names[name]: value for name, value in more.items()}


def test_e_each_counter_has_its_own_event(start, issuer):
    """Fault E: nobody noticed when counters were swapped. Each event here moves its own ones, by exactly so much."""
    relyd = start(workers=1, crypto__own_arithmetic=True, crypto__recheck_one_in=1, log__refusals_per_s=0,
                  keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    signer = relyd.put_world()
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_issuer("second", issuer="https://second.example", keys={"jwks": tokens.jwks(tokens.key("second"))})
    relyd.put_issuer("third", issuer="https://third.example", keys={"jwks": tokens.jwks(tokens.key("third"))})
    relyd.put_credential("other", subject="other")
    relyd.put_identity("more")
    relyd.put_identity("and-more")
    wire.wait_for(lambda: relyd.admin("GET", "/v1/issuers/cluster/keys").json().get("keys"))
    samples = metrics(relyd, relyd.socket)
    assert (samples["relyd_issuers"], samples["relyd_identities"], samples["relyd_credentials"]) == (4, 3, 2)

    token = signer.sign(tokens.claims(ISSUER))
    for expected in (reviewed("review", "ok", miss=1, rechecked=1),
                     reviewed("review", "ok", miss=1, rechecked=1),
                     reviewed("review", "ok", hit=1)):
        assert what_changes(relyd, lambda: relyd.reason(token)) == expected
    assert what_changes(relyd, lambda: relyd.check(token)) == reviewed("check", "ok", hit=1)
    assert what_changes(relyd, lambda: relyd.tokenreview(token)) == reviewed("tokenreview", "ok", hit=1)
    assert what_changes(relyd, relyd.check) == reviewed("check", "no_token")
    assert what_changes(relyd, lambda: relyd.admin("GET", "/v1/issuers")) == {"relyd_http_requests_total": 2}
    assert what_changes(relyd, lambda: relyd.put_identity("yet-more")) == {
        "relyd_http_requests_total": 2, "relyd_revision": 1, "relyd_identities": 1}

    strange = tokens.key("never-published")
    refused = what_changes(relyd, lambda: relyd.reason(issuer.token(strange)))
    fetched = refused.pop('relyd_fetches_total{outcome="ok"}')
    again = {"relyd_cache_lookups_total{outcome=\"miss\"}": refused['relyd_cache_lookups_total{outcome="miss"}']}
    assert fetched in (1, 2) and refused == reviewed("review", "key_unknown", waited=1) | again

    issuer.answers["/openid/v1/jwks"] = lambda server, connection: connection.close()
    changed = what_changes(relyd, lambda: relyd.reason(issuer.token(strange)))
    assert changed['relyd_fetches_total{outcome="failed"}'] == 1
    assert changed['relyd_fetch_failures_total{reason="cut_short"}'] == 1

    left_out = what_changes(relyd, lambda: [relyd.check() for _ in range(200)])
    assert 0 < left_out.pop("relyd_log_refusals_left_out_total") < 200
    assert left_out == {'relyd_reviews_total{endpoint="check",reason="no_token"}': 200, "relyd_http_requests_total": 201,
                        "relyd_review_duration_seconds_count": 200}
    assert metrics(relyd, relyd.socket)["relyd_log_lines_lost_total"] == 0
