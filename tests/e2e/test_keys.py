"""Where keys come from: discovery, rotation, outages, restarts; and what is not fetched."""

import concurrent.futures
import json
import threading
import time

import pytest
import tokens
import wire
from issuer import DISCOVERY, response

pytestmark = pytest.mark.threads


def register(relyd, issuer, **fields):
    relyd.put_issuer("cluster", **issuer.record(**fields))
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)


def wait_for_keys(relyd, name="cluster"):
    return wire.wait_for(lambda: keys_of(relyd, name).get("keys"), what="the key set")


def keys_of(relyd, name="cluster"):
    answer = relyd.admin("GET", f"/v1/issuers/{name}/keys")
    assert answer.status == 200, answer
    return answer.json()


def test_discovery(relyd, issuer):
    register(relyd, issuer)
    (key,) = wait_for_keys(relyd)
    assert key["kid"] == issuer.keys[0].kid
    assert relyd.reason(issuer.token()) == "ok"
    assert issuer.requests == [DISCOVERY, "/openid/v1/jwks"]
    assert b"Cookie" not in b"".join(issuer.requests_text) and b"Authorization" not in b"".join(issuer.requests_text)


def test_first_review_waits_for_the_first_fetch(start, issuer):
    """No sleep between registering and the first token: the answer is right all the same."""
    relyd = start(keys__miss_wait_ms=5000)
    register(relyd, issuer)
    assert relyd.reason(issuer.token()) == "ok"


def test_jwks_uri(relyd, issuer):
    register(relyd, issuer, keys={"jwksUri": issuer.url + "/openid/v1/jwks"})
    wait_for_keys(relyd)
    assert relyd.reason(issuer.token()) == "ok"
    assert issuer.count(DISCOVERY) == 0


def test_discovery_url_elsewhere(relyd, issuer):
    url = "https://kubernetes.default.svc.cluster.local"
    issuer.answers["/elsewhere"] = response(issuer.discovery(issuer=url))
    relyd.put_issuer("cluster", **issuer.record(issuer=url, discoveryUrl=issuer.url + "/elsewhere"))
    relyd.put_identity()
    relyd.put_credential(issuer=url)
    wait_for_keys(relyd)
    assert relyd.reason(issuer.keys[0].sign(tokens.claims(url))) == "ok"


def test_issuer_with_a_slash_at_its_end(relyd, issuer):
    """One terminating slash is dropped for the well-known path; `iss` keeps it, as on AKS."""
    issuer.answers[DISCOVERY] = response(issuer.discovery(issuer=issuer.url + "/"))
    relyd.put_issuer("cluster", **issuer.record(issuer=issuer.url + "/"))
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url + "/")
    wait_for_keys(relyd)
    assert relyd.reason(issuer.keys[0].sign(tokens.claims(issuer.url + "/"))) == "ok"
    assert relyd.reason(issuer.token()) == "unknown_issuer"


def test_rotation_is_noticed_by_the_first_token(start, issuer):
    """An unknown kid wakes the fetcher; the review waits for it and is answered right."""
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    for number in range(3):
        new = tokens.key(f"rotated-{number}")
        issuer.keys = [new, issuer.keys[0]]
        assert relyd.reason(issuer.token(new)) == "ok", number
        relyd.await_all_workers()
        assert relyd.reason(issuer.token(issuer.keys[1])) == "ok"


def test_a_key_published_during_a_fetch_is_found(start, issuer):
    """What is under way has read the keys before the new one was among them: whoever brings that waits for the next."""
    relyd = start(keys__miss_wait_ms=4000)
    register(relyd, issuer)
    wait_for_keys(relyd)
    before, new, path = issuer.jwks(), tokens.key("rotated", "ES256"), "/openid/v1/jwks"
    is_taken, may_go = threading.Event(), threading.Event()

    def answer_late(_, connection):
        is_taken.set()
        may_go.wait(10)
        connection.sendall(response(before))

    issuer.answers[path] = answer_late
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(relyd.reason, issuer.token(tokens.key("made-up", "ES256")))
        assert is_taken.wait(10)
        issuer.keys = [new]
        del issuer.answers[path]
        second = pool.submit(relyd.reason, issuer.token(new))
        wire.wait_for(lambda: b"\nrelyd_key_waits_total 2\n" in wire.ask(relyd.health, "GET", "/metrics").body, 5, "both, waiting")
        may_go.set()
        assert (first.result(), second.result()) == ("key_unknown", "ok")


def test_key_that_was_withdrawn(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    old, new = tokens.key("issuer"), tokens.key("rotated-0")
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    issuer.keys = [new]
    assert relyd.reason(issuer.token(new)) == "ok"
    assert relyd.reason(issuer.token(old)) == "key_unknown"


def test_a_set_without_a_key_in_use_is_held_back(start, issuer):
    """The present key holds, the new one is a guest beside it; a restart brings back the present one, and forgets that it was seen."""
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100, workers=2)
    old, new = issuer.keys[0], tokens.key("rotated-0")
    register(relyd, issuer)
    wait_for_keys(relyd)
    assert relyd.reason(issuer.token(old)) == "ok"
    issuer.keys = [new]
    for _ in range(10):  # connections of their own, so both workers
        assert relyd.reason(issuer.token(new)) == "ok"
        assert relyd.reason(issuer.token(old)) == "ok"
    relyd.wait_for_words('"keys_held_back"')
    page = relyd.admin("GET", "/v1/issuers/cluster/keys").json()
    assert page["pending"] == {"since": page["pending"]["since"], "why": "drops_keys_in_use", "kids": [new.kid]}
    assert {key["kid"] for key in page["keys"]} == {old.kid, new.kid}
    assert all(key["firstSeenAt"] <= key["lastSeenAt"] and key["lastUsedAt"] for key in page["keys"])
    assert page["fetchedAt"] <= page["pending"]["since"] < page["nextFetchAt"] < page["hardLimitAt"]
    metrics = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    assert "\nrelyd_key_sets_held_back_total 1\n" in metrics and "\nrelyd_keys_first_seen_total 2\n" in metrics
    issuer.is_down = True
    relyd.restart()
    assert relyd.reason(issuer.token(old)) == "ok"
    assert relyd.reason(issuer.token(new)) == "key_unknown"


def test_an_empty_set_takes_no_key_away(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    key = issuer.keys.pop()
    assert relyd.reason(issuer.token(tokens.key("made-up", "ES256"))) == "key_unknown"
    relyd.wait_for_words('"keys_held_back"')
    assert relyd.reason(issuer.token(key)) == "ok"


def test_unknown_keys_do_not_flood_the_issuer(start, issuer):
    relyd = start(keys__miss_wait_ms=50, keys__miss_cooldown_ms=60000)
    register(relyd, issuer)
    wait_for_keys(relyd)
    before = issuer.count()
    for number in range(100):
        assert relyd.reason(issuer.keys[0].sign(tokens.claims(issuer.url), kid=f"unknown-{number}")) == "key_unknown"
    assert issuer.count() - before == 3  # a bucket of three, and the next in a minute


def test_wait_is_bounded(start, issuer):
    """The issuer hangs: the review answers after keys.miss_wait_ms, and known keys do not wait at all."""
    relyd = start(keys__miss_wait_ms=300, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.answers["/openid/v1/jwks"] = lambda server, connection: time.sleep(5)
    begin = time.monotonic()
    assert relyd.reason(issuer.token(tokens.key("never-published"))) == "key_unknown"
    assert 0.2 < time.monotonic() - begin < 3
    begin = time.monotonic()
    assert relyd.reason(issuer.token()) == "ok"
    assert time.monotonic() - begin < 1


def test_outage_keeps_the_keys(start, issuer):
    relyd = start(keys__miss_wait_ms=500, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.is_down = True
    assert relyd.reason(issuer.token(tokens.key("never-published"))) == "key_unknown"
    assert relyd.reason(issuer.token()) == "ok"
    wire.wait_for(lambda: keys_of(relyd).get("lastError"), what="the failure to be shown")
    relyd.restart()  # still down: the stored key set is used
    assert relyd.reason(issuer.token()) == "ok"
    relyd.kill()
    relyd.start()
    assert relyd.reason(issuer.token()) == "ok"


def test_a_set_without_usable_keys_does_not_replace_a_good_one(start, issuer):
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    for body in ('{"keys": []}', "{}", "[]", "garbage", '{"keys": [{"kty": "oct", "k": "AAAA"}]}', ""):
        issuer.answers["/openid/v1/jwks"] = response(body)
        outcome = "held_back" if body == '{"keys": []}' else "failed"
        assert relyd.admin("POST", "/v1/issuers/cluster:refresh").json()["outcome"] == outcome, body
        assert relyd.reason(issuer.token(tokens.key("never-published"))) == "key_unknown"
        assert relyd.reason(issuer.token()) == "ok"


def test_never_had_keys(relyd, issuer):
    issuer.is_down = True
    register(relyd, issuer)
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    assert relyd.tokenreview(issuer.token())["error"].startswith("keys_unavailable: ")
    assert relyd.check(issuer.token()).status == 401  # a decision, never a 5xx


def test_private_addresses_need_the_administrators_word(start, issuer):
    relyd = start(keys__miss_wait_ms=500)
    register(relyd, issuer, allowPrivateAddresses=False)
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    wire.wait_for(lambda: keys_of(relyd).get("lastError"), what="the failure to be shown")
    assert issuer.requests == []
    register(relyd, issuer)
    wait_for_keys(relyd)
    assert relyd.reason(issuer.token()) == "ok"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "017700000001", "169.254.169.254", "[fd00::1]"],
)
def test_spellings_of_private_addresses(start, issuer, host):
    """The address that is connected to counts, not how it is spelled."""
    relyd = start(keys__miss_wait_ms=0)
    answer = relyd.admin("PUT", "/v1/issuers/cluster", {"issuer": "https://x.example", "keys": {"jwksUri": f"https://{host}:{issuer.port}/openid/v1/jwks"}, "caBundle": issuer.ca})
    if answer.status in (200, 201):
        wire.wait_for(lambda: keys_of(relyd).get("lastError"), what="the failure to be shown")
        assert not keys_of(relyd).get("keys")
    else:
        assert answer.status == 400
    assert issuer.requests == []


def test_ca_bundle_is_the_only_trust(start, issuer):
    relyd = start(keys__miss_wait_ms=1000)
    record = issuer.record()
    del record["caBundle"]
    relyd.put_issuer("cluster", **record)
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    assert issuer.requests == []


def test_http_needs_two_words(start, issuer):
    relyd = start()
    body = {"issuer": "http://plain.example", "allowHttp": True}
    assert relyd.admin("PUT", "/v1/issuers/plain", body).status == 400
    other = start(issuers__allow_http=True)
    assert other.admin("PUT", "/v1/issuers/plain", {"issuer": "http://plain.example"}).status == 400
    assert other.admin("PUT", "/v1/issuers/plain", body).status == 201


def test_keys_page(relyd, issuer):
    weak = tokens.Key("RS256", bits=1024)
    issuer.answers["/openid/v1/jwks"] = response(json.dumps(tokens.jwks(issuer.keys[0], weak, {"kty": "oct", "k": "AA"})))
    register(relyd, issuer)
    wait_for_keys(relyd)
    page = keys_of(relyd)
    assert [key["kid"] for key in page["keys"]] == [issuer.keys[0].kid]
    assert len(page["skipped"]) == 2
    assert relyd.reason(issuer.token(weak)) == "weak_key"


def test_upload_instead_of_fetching(relyd, issuer):
    register(relyd, issuer)
    wait_for_keys(relyd)
    other = tokens.key("uploaded")
    register(relyd, issuer, keys={"jwks": tokens.jwks(other)})
    assert relyd.reason(issuer.token(other)) == "ok"
    assert relyd.reason(issuer.token()) == "key_unknown"
    count = len(issuer.requests)
    assert relyd.reason(issuer.token(tokens.key("never-published"))) == "key_unknown"
    assert len(issuer.requests) == count


def test_many_issuers_at_once(start, issuer):
    """Fetches of one issuer do not hold up those of others."""
    relyd = start(keys__miss_wait_ms=2000)
    issuer.answers["/hanging" + DISCOVERY] = lambda server, connection: time.sleep(8)
    relyd.put_identity()
    for name in ["hanging"] + [f"cluster-{number}" for number in range(30)]:
        relyd.put_issuer(name, **issuer.record(issuer=f"{issuer.url}/{name}"))
        if name != "hanging":
            relyd.put_identity(name)
            relyd.put_credential(identity=name, issuer=f"{issuer.url}/{name}")
    for number in range(30):
        assert relyd.reason(issuer.token(base=f"/cluster-{number}")) == "ok"


def test_stop_in_the_middle_of_a_fetch(start, issuer):
    relyd = start(keys__miss_wait_ms=10000)
    issuer.answers[DISCOVERY] = lambda server, connection: time.sleep(8)
    register(relyd, issuer)
    begin = time.monotonic()
    relyd.stop()
    assert time.monotonic() - begin < 7


def history_of(relyd):
    return [(entry["operation"], entry["added"], entry["removed"]) for entry in keys_of(relyd)["history"]]


def test_what_has_become_of_the_keys(start, issuer):
    """Which came and went, when and from where; and since when each is there: a restart forgets neither."""
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    first, second, third = issuer.keys[0], tokens.key("rotated-0"), tokens.key("rotated-1")
    register(relyd, issuer)
    wait_for_keys(relyd)
    seen_at = keys_of(relyd)["keys"][0]["firstSeenAt"]
    wire.wait_for(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > seen_at, what="the next second, so that the second key is younger")
    issuer.keys = [first, second]
    assert relyd.reason(issuer.token(second)) == "ok"
    expected = [("keys", [first.kid], []), ("keys", [second.kid], [])]
    wire.wait_for(lambda: history_of(relyd) == expected, what="the second change to be stored")
    page = keys_of(relyd)
    seen = {key["kid"]: key["firstSeenAt"] for key in page["keys"]}
    assert seen[first.kid] < seen[second.kid]
    assert [entry["at"] for entry in page["history"]] == [seen[first.kid], seen[second.kid]]
    assert {entry["sourceUrl"] for entry in page["history"]} == {issuer.url + "/openid/v1/jwks"}
    issuer.is_down = True
    relyd.restart()
    page_after = keys_of(relyd)
    assert page_after["history"] == page["history"]
    assert {key["kid"]: key["firstSeenAt"] for key in page_after["keys"]} == seen
    given = {"keys": {"jwks": {"keys": [third.jwk()]}}}
    assert relyd.admin("PUT", "/v1/issuers/cluster", issuer.record(**given)).status == 200
    page = keys_of(relyd)
    assert history_of(relyd) == [*expected, ("replace", [third.kid], [first.kid, second.kid])]
    assert page["history"][2]["actor"] and "sourceUrl" not in page["history"][2]
    (key,) = page["keys"]
    assert key["firstSeenAt"] == page["history"][2]["at"]
    relyd.restart()
    assert keys_of(relyd)["keys"][0]["firstSeenAt"] == key["firstSeenAt"]
