"""How long keys count, what becomes of them when the disk is full, what of them is logged, and which fetches strangers
can cause (faults A5, B6, B10, B12, C4, C5, C19)."""

import json
import resource
import socket
import sqlite3
import threading
import time

import pytest
import scale
import tokens
import wire
from issuer import DISCOVERY, Issuer, response
from test_keys import keys_of, register, wait_for_keys

JWKS = "/openid/v1/jwks"
DAY = 86400


def edit_database(relyd, sql, *values):
    """While relyd is down."""
    with sqlite3.connect(relyd.database) as database:
        database.execute(sql, values)


def read_rows(relyd, sql):
    with sqlite3.connect(relyd.database) as database:
        return database.execute(sql).fetchall()


def read_metric(relyd, name):
    text = relyd.admin("GET", "/metrics").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)}


def unknown(issuer, number):
    return issuer.keys[0].sign(tokens.claims(issuer.url), kid=f"made-up-{number}")


# --- age (A5) ---------------------------------------------------------------------------------------------------------


def test_a5_keys_stored_400_days_ago_do_not_count(start, issuer):
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET fetched_at = ?", int(time.time()) - 400 * DAY)
    issuer.is_down = True
    relyd.start()
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    told = json.dumps(relyd.explain(issuer.token()))
    assert "the key set of issuer cluster was last fetched 345600" in told and "s ago, and counts for 604800 s" in told
    ages = read_metric(relyd, "relyd_key_set")
    assert ages["relyd_key_sets_too_old"] == 1
    assert 400 * DAY <= ages['relyd_key_set_age_seconds{issuer="cluster"}'] < 400 * DAY + 60
    assert 400 * DAY <= ages["relyd_key_set_age_max_seconds"] < 400 * DAY + 60
    issuer.is_down = False  # the next good fetch brings the very same keys: now they are young
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", 30, "the next fetch")
    assert read_metric(relyd, "relyd_key_set")["relyd_key_sets_too_old"] == 0
    relyd.stop()
    assert read_rows(relyd, "SELECT fetched_at FROM key_set")[0][0] > time.time() - 120
    assert len(read_rows(relyd, "SELECT 1 FROM change_log WHERE operation = 'fetch'")) == 1


def test_a5_keys_grow_too_old_while_relyd_runs(start, issuer):
    """Also for a token whose signature is known to verify."""
    relyd = start(keys__miss_wait_ms=0, keys__max_age_s=3600)
    register(relyd, issuer)
    wait_for_keys(relyd)
    relyd.stop()
    end = int(time.time()) + 6
    edit_database(relyd, "UPDATE key_set SET fetched_at = ?", end - 3600)
    issuer.is_down = True
    relyd.start()
    token, asked = issuer.token(), 0
    while time.time() < end - 0.5:
        assert relyd.reason(token) == "ok"
        asked += 1
    assert asked >= 3
    wire.wait_for(lambda: relyd.reason(token) == "keys_unavailable", what="the end of the keys")
    assert end <= time.time() < end + 3 * scale.PATIENCE
    assert relyd.reason(issuer.token()) == "keys_unavailable"


def test_a5_uploaded_keys_do_not_age(start):
    relyd = start()
    signer = relyd.put_world()
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET fetched_at = 5")
    relyd.start()
    assert relyd.reason(signer.sign(tokens.claims("https://prod.example"))) == "ok"


def test_a_stored_set_that_cannot_be_used_is_said(start, issuer):
    """A newer relyd may find a key weak that an older one took: the issuer has no keys until they come again."""
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    register(relyd, issuer)
    wait_for_keys(relyd)
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET document = ?", '{"keys":[{"kty":"oct","k":"AAAA"}]}')
    issuer.is_down = True
    relyd.start()
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    wire.wait_for(lambda: "stored_keys_unusable" in relyd.log(), 10, "the line")
    entries = [json.loads(line) for line in relyd.log().splitlines() if line.startswith("{")]
    (said,) = [entry["message"] for entry in entries if entry["event"] == "stored_keys_unusable"]
    assert said.startswith("the stored key set of issuer cluster cannot be used: "), said
    issuer.is_down = False
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", 30, "the next fetch")


def put_fetched(relyd, issuer, names):
    """A record of each name, with keys of its own address, which have come."""
    for name in names:
        relyd.put_issuer(name, **issuer.record(issuer=f"{issuer.url}/{name}", keys={"jwksUri": f"{issuer.url}/{name}{JWKS}"}))
        wait_for_keys(relyd, name)


def test_a5_the_oldest_are_fetched_first(start, issuer):
    relyd = start(keys__miss_wait_ms=0)
    names = [f"cluster-{number}" for number in range(8)]
    put_fetched(relyd, issuer, names)
    relyd.stop()
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    for rank, number in enumerate(order):
        edit_database(relyd, "UPDATE key_set SET fetched_at = ? WHERE issuer_id = (SELECT id FROM issuer WHERE name = ?)",
                      int(time.time()) - 5 * DAY + rank * 3600, names[number])
    issuer.requests.clear()
    relyd.start()
    wire.wait_for(lambda: issuer.count() >= 4, 30, "four fetches")
    assert issuer.requests[:4] == [f"/{names[number]}{JWKS}" for number in order[:4]]


def test_a5_a_time_to_come_is_fetched_first(start, issuer):
    """Nobody knows how old a set is whose clock was wrong, whether it still counts (a day) or not."""
    relyd = start(keys__miss_wait_ms=0)
    names = [f"cluster-{number}" for number in range(6)]
    put_fetched(relyd, issuer, names)
    relyd.stop()
    ages = {0: -2 * DAY, 1: 40 * DAY, 2: -5 * DAY, 3: 3600, 4: -3 * DAY, 5: -400 * DAY}
    for number, age in ages.items():
        edit_database(relyd, "UPDATE key_set SET fetched_at = ? WHERE issuer_id = (SELECT id FROM issuer WHERE name = ?)",
                      int(time.time()) + age, names[number])
    issuer.requests.clear()
    relyd.start()
    wire.wait_for(lambda: issuer.count() >= 5, 30, "five fetches")
    order = [int(path.split("/")[1].removeprefix("cluster-")) for path in issuer.requests[:5]]
    assert sorted(order[:3]) == [1, 3, 5] and order[3:] == [2, 4], order


# --- full disk (B10) ---------------------------------------------------------------------------------------------------


def fill_disk(relyd):
    """From now on nothing that makes a file longer than the write-ahead log can be written."""
    wal = relyd.database.with_name(relyd.database.name + "-wal")
    number = 0
    while wal.stat().st_size < relyd.log_path.stat().st_size + 200000:
        number += 1
        relyd.put_identity("filler", description=f"{number:0600d}")
    resource.prlimit(relyd.process.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))


def empty_disk(relyd):
    resource.prlimit(relyd.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_b10_a_rotation_is_live_on_a_full_disk(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100, workers=2)
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    fill_disk(relyd)
    old, new = issuer.keys[0], tokens.key("rotated-0")
    issuer.keys = [new]
    for _ in range(20):  # connections of their own, so both workers
        assert relyd.reason(issuer.token(new)) == "ok"
        assert relyd.reason(issuer.token(old)) == "key_unknown"
    said = keys_of(relyd)["storeError"]
    assert said.startswith("database: ")
    assert [key["kid"] for key in keys_of(relyd)["keys"]] == [new.kid, issuer.standby.kid]
    relyd.wait_for_words('"keys_not_stored"')
    relyd.wait_for_words("the keys of issuer cluster are in force, and could not be stored")
    assert read_metric(relyd, "relyd_key_sets_unstored") == {"relyd_key_sets_unstored": 1}
    empty_disk(relyd)
    wire.wait_for(lambda: "storeError" not in keys_of(relyd), 30, "the set to be stored")
    assert read_metric(relyd, "relyd_key_sets_unstored") == {"relyd_key_sets_unstored": 0}
    issuer.is_down = True
    relyd.kill()
    relyd.start()
    assert relyd.reason(issuer.token(new)) == "ok"


def test_b10_a_restart_finds_what_could_be_stored(start, issuer):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    fill_disk(relyd)
    old, new = issuer.keys[0], tokens.key("rotated-0")
    issuer.keys = [new]
    assert relyd.reason(issuer.token(new)) == "ok"
    issuer.is_down = True
    relyd.kill()
    relyd.start()
    assert relyd.reason(issuer.token(old)) == "ok"
    assert relyd.reason(issuer.token(new)) == "key_unknown"


def test_b10_a_change_of_the_record_does_not_lose_what_waits(start, issuer):
    """What is in force and not stored stays so under a new description, and is dropped with its source."""
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    fill_disk(relyd)
    issuer.keys = [tokens.key("rotated-0")]
    assert relyd.reason(issuer.token()) == "ok"
    issuer.is_down = True
    empty_disk(relyd)
    relyd.put_issuer("cluster", **issuer.record(description="another"))
    wire.wait_for(lambda: "storeError" not in keys_of(relyd), 30, "the set to be stored")
    assert relyd.reason(issuer.token()) == "ok"
    assert read_rows(relyd, "SELECT document FROM key_set")[0][0].count(issuer.keys[0].kid) == 1


def test_b10_a_change_of_the_record_does_not_make_keys_old(start, issuer):
    """Those in force are younger than the stored ones, which do not count any more."""
    relyd = start(keys__miss_wait_ms=0, keys__max_age_s=3600)
    register(relyd, issuer)
    wait_for_keys(relyd)
    relyd.stop()
    edit_database(relyd, "UPDATE key_set SET fetched_at = fetched_at - 4000")
    issuer.is_down = True
    relyd.start()
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    fill_disk(relyd)
    issuer.is_down = False
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", 30, "young keys")
    wire.wait_for(lambda: "storeError" in keys_of(relyd), 30, "the keys not to be stored")
    issuer.is_down = True
    empty_disk(relyd)
    relyd.put_issuer("cluster", **issuer.record(description="another"))
    assert relyd.reason(issuer.token()) == "ok"
    assert read_metric(relyd, "relyd_key_set_age")['relyd_key_set_age_seconds{issuer="cluster"}'] < 600


# --- the change log (B12) -----------------------------------------------------------------------------------------------


def fetch_rows(relyd):
    return [json.loads(after) for (after,) in read_rows(relyd, "SELECT after FROM change_log WHERE operation = 'fetch' ORDER BY revision")]


def test_b12_only_other_keys_are_a_change(start, issuer):
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    issuer.keys = [tokens.key("issuer"), tokens.key("rotated-0"), tokens.key("rotated-1")]
    register(relyd, issuer)
    wait_for_keys(relyd)
    for number in range(8):
        issuer.keys = issuer.keys[1:] + issuer.keys[:1]
        document = {"nonce": number, "keys": [key.jwk() | {"x-nonce": str(number)} for key in issuer.keys]}
        issuer.answers[JWKS] = response(json.dumps(document, indent=number))
        count = issuer.count()
        wire.wait_for(lambda: relyd.reason(unknown(issuer, number)) == "key_unknown" and issuer.count() > count, what="the bucket to give a fetch")
        assert issuer.count() == count + 1
        assert relyd.reason(issuer.token()) == "ok"
    assert keys_of(relyd)["generation"] == 1
    relyd.stop()
    (row,) = fetch_rows(relyd)
    assert row["keyCount"] == 3


def test_b12_an_issuer_that_changes_its_keys_all_the_time(start, issuer):
    """Each change is in force at once; four are logged at once, the others are one row when their time comes, or relyd
    stops."""
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    issuer.show_standby()
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.use_standby(relyd)
    for number in range(12):
        issuer.keys = [tokens.key(f"changing-{number}", "ES256")]
        wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what=f"the bucket to give the fetch of rotation {number}")
    assert len(fetch_rows(relyd)) == 4
    relyd.wait_for_words("keys_accepted", 4)
    assert relyd.log().count("keys_accepted") == 4
    assert read_metric(relyd, "relyd_key_sets_unstored") == {"relyd_key_sets_unstored": 1}
    relyd.stop()
    rows = fetch_rows(relyd)
    assert len(rows) == 5 and rows[-1]["kids"] == [issuer.keys[0].kid, issuer.standby.kid]
    assert sum(row.get("mergedChanges", 0) for row in rows) == 8 and rows[-1]["mergedChanges"] >= 6  # a slow disk merges sooner
    issuer.is_down = True
    relyd.start()
    assert relyd.reason(issuer.token()) == "ok"


# --- another key under the same name (C4) -----------------------------------------------------------------------------


@pytest.mark.parametrize("before, after", [("RS256", "RS256"), ("ES256", "ES256"), ("RS256", "ES256"), ("weak", "RS256")])
def test_c4_a_new_key_under_the_old_kid(start, issuer, before, after):
    relyd = start(keys__miss_wait_ms=5000, keys__miss_cooldown_ms=100)
    old = tokens.Key("RS256", kid="the-only-one", bits=1024) if before == "weak" else tokens.Key(before, kid="the-only-one")
    new = tokens.Key(after, kid="the-only-one")
    issuer.keys = [old, tokens.key("issuer")]
    register(relyd, issuer)
    wait_for_keys(relyd)
    assert relyd.reason(issuer.token(old)) == ("weak_key" if before == "weak" else "ok")
    assert relyd.reason(issuer.token(tokens.key("issuer"))) == "ok"  # in use: a set that keeps it is believed
    issuer.keys = [new, tokens.key("issuer")]
    assert relyd.reason(issuer.token(new)) == "ok"
    assert relyd.reason(issuer.token(old)) == ("bad_signature" if old.alg == new.alg else "algorithm_not_allowed")


def test_c4_forged_tokens_cause_no_more_fetches_than_the_bucket_holds(start, issuer):
    relyd = start(keys__miss_wait_ms=100, keys__miss_cooldown_ms=1000)
    register(relyd, issuer)
    wait_for_keys(relyd)
    forger = tokens.Key("RS256", kid=issuer.keys[0].kid)
    begin, before = time.monotonic(), issuer.count()
    while time.monotonic() < begin + 4:
        assert relyd.reason(issuer.token(forger)) == "bad_signature"
        assert relyd.reason(issuer.token()) == "ok"
    assert 1 <= issuer.count() - before <= 3 + 4


def test_c4_a_young_set_is_doubted_within_the_bucket(start, issuer):
    relyd = start(keys__miss_wait_ms=1000, keys__miss_cooldown_ms=60000)
    register(relyd, issuer)
    wait_for_keys(relyd)
    forger = tokens.Key("RS256", kid=issuer.keys[0].kid)
    for _ in range(10):
        assert relyd.reason(issuer.token(forger)) == "bad_signature"
    assert issuer.count() == 1 + 3


def test_c4_an_uploaded_one_is_not(start, issuer):
    """There is nothing to wait for: the refusal comes at once."""
    relyd = start(keys__miss_wait_ms=10000)
    signer = relyd.put_world()
    forged = tokens.Key("RS256", kid=signer.kid).sign(tokens.claims("https://prod.example"))
    begin = time.monotonic()
    assert relyd.reason(forged) == "bad_signature"
    assert time.monotonic() - begin < 8


# --- fetches that missing keys cause (C5, C19, B6) ---------------------------------------------------------------------------


class Tagged:
    """A key set with an entity-tag, and a 304 for whoever has it already."""

    def __init__(self, issuer):
        self.issuer, self.unchanged = issuer, 0

    def __call__(self, server, connection):
        body = self.issuer.jwks()
        tag = self.make_tag(body)
        if f"If-None-Match: {tag}".encode() in self.issuer.requests_text[-1]:
            self.unchanged += 1
            connection.sendall(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
        else:
            connection.sendall(response(body, "200 OK", "application/jwk-set+json", f"ETag: {tag}"))


    def make_tag(self, body):
        return '"%x"' % (hash(body) & 0xFFFFFFFF)


class TaggedForEver(Tagged):
    """The tag says nothing of the document: a server that makes it from the file's name, or a cache that keeps an old one."""

    def make_tag(self, body):
        return '"jwks.json"'


def test_c19_a_tag_that_never_changes_does_not_hide_a_rotation(start, issuer):
    """Neither from those who ask for the new key, nor for as long as they ask."""
    relyd = start(keys__refresh_min_s=10, keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    tagged = issuer.answers[JWKS] = TaggedForEver(issuer)
    register(relyd, issuer)
    wait_for_keys(relyd)
    issuer.keys = [tokens.key("rotated-0")]
    token = issuer.token()
    wire.wait_for(lambda: relyd.reason(token) == "ok", 30, "the new key")
    assert tagged.unchanged > 0


def test_c5_c19_what_a_miss_causes_passes_caches_and_is_conditional(start, issuer):
    relyd = start(keys__miss_wait_ms=2000, keys__miss_cooldown_ms=100)
    tagged = issuer.answers[JWKS] = Tagged(issuer)
    register(relyd, issuer)
    wait_for_keys(relyd)
    first = b"".join(issuer.requests_text)
    assert b"no-cache" not in first and b"If-None-Match" not in first
    for number in range(3):
        issuer.requests_text.clear()
        assert relyd.reason(unknown(issuer, number)) == "key_unknown"
        document, key_set = issuer.requests_text
        assert b"Cache-Control: no-cache\r\n" in document and b"Cache-Control: no-cache\r\n" in key_set
        assert tagged.unchanged == number + 1
    issuer.keys = [tokens.key("rotated-0")]
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the bucket to give a fourth")
    assert tagged.unchanged == 3 and "lastError" not in keys_of(relyd)


def test_c5_age_counts(start, issuer):
    relyd = start(keys__refresh_min_s=10)
    issuer.answers[JWKS] = response(issuer.jwks(), "200 OK", "application/json", "Cache-Control: max-age=3600", "Age: 3590")
    register(relyd, issuer)
    wait_for_keys(relyd)
    page = keys_of(relyd)
    wait_s = time.mktime(time.strptime(page["nextFetchAt"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.strptime(page["lastAttemptAt"], "%Y-%m-%dT%H:%M:%SZ"))
    assert 9 <= wait_s <= 12


def test_e_keys_are_fetched_again_when_they_grow_old(start, issuer):
    """The ordinary refresh, without any token; and never before its least time."""
    relyd = start(keys__refresh_min_s=10, keys__refresh_max_s=60)
    issuer.show_standby()
    issuer.answers[JWKS] = response(issuer.jwks(), "200 OK", "application/json", "Cache-Control: max-age=0")
    register(relyd, issuer)
    wait_for_keys(relyd)
    begin = time.monotonic()
    new = tokens.key("rotated-0")
    issuer.keys = [new]
    del issuer.answers[JWKS]
    wire.wait_for(lambda: [key["kid"] for key in keys_of(relyd)["keys"]] == [new.kid, issuer.standby.kid], 30, "the ordinary refresh")
    assert time.monotonic() - begin > 9


def flood(relyd, issuer, stop, pause=0.05):
    client, number = wire.Client(relyd.data), 0
    while not stop.is_set():
        number += 1
        client.ask("POST", "/v1/review", {"token": unknown(issuer, number)})
        time.sleep(pause)
    client.close()


def test_c19_a_rotation_under_a_flood_of_made_up_kids(start, issuer):
    relyd = start(workers=2)
    register(relyd, issuer)
    wait_for_keys(relyd)
    stop = threading.Event()
    thread = threading.Thread(target=flood, args=(relyd, issuer, stop), daemon=True)
    thread.start()
    begin, before = time.monotonic(), issuer.count()
    wire.wait_for(lambda: issuer.count() - before >= 5, what="the flood to have had what is given at once, and more")
    waits = []
    for number in range(3):
        new = tokens.key(f"rotated-{number}")
        issuer.keys = [new, tokens.key("issuer")]
        changed, token = time.monotonic(), issuer.token(new)
        wire.wait_for(lambda: relyd.reason(token) == "ok", 10, "the rotation")
        waits.append(time.monotonic() - changed)
        time.sleep(0.3)  # the next comes somewhere between two fetches
    stop.set()
    thread.join()
    assert max(waits) < 1.7 * scale.PATIENCE, waits  # a second, and what this machine takes
    assert issuer.count() - before <= 3 + 1 + (time.monotonic() - begin)


class Plain:
    """Origins (addresses of loopback) with one key set, over http, which is cheaper for a test with hundreds."""

    def __init__(self, count, key):
        self.delay_s, self.counts, self.lock = 0, {}, threading.Lock()
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
        self.urls = [f"http://127.0.{1 + number // 200}.{1 + number % 200}:{self.listener.getsockname()[1]}" for number in range(count)]
        self.set_key(key)
        threading.Thread(target=self.accept_all, daemon=True).start()

    def set_key(self, key):
        self.answer = response(tokens.jwks(key), "200 OK", "application/json", "Cache-Control: max-age=3600")

    def accept_all(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                connection.recv(4096)
                time.sleep(self.delay_s)
                connection.sendall(self.answer)
                with self.lock:
                    host = connection.getsockname()[0]
                    self.counts[host] = self.counts.get(host, 0) + 1
        except OSError:
            pass

    def register(self, relyd, name):
        for number, url in enumerate(self.urls):
            relyd.put_issuer(f"{name}-{number}", issuer=url, keys={"jwksUri": url + "/keys"}, allowHttp=True, allowPrivateAddresses=True)


def test_c19_a_flood_over_other_issuers(start):
    """Issuers that are asked in vain are fetched, and in nobody's way: neither in the buckets nor in the places."""
    relyd = start(workers=2, issuers__allow_http=True, keys__miss_wait_ms=0)
    signer, stop = tokens.key("slow"), threading.Event()
    slow, honest = Plain(800, signer), Plain(1, tokens.key("issuer"))
    slow.register(relyd, "slow")
    honest.register(relyd, "honest")
    relyd.put_identity()
    relyd.put_credential(issuer=honest.urls[0])
    wire.wait_for(lambda: len(slow.counts) == 800 and honest.counts, 60, "the first fetches")
    slow.delay_s = 1.2

    def ask_all():
        client = wire.Client(relyd.data)
        forged = [signer.sign(tokens.claims(url), kid="made-up") for url in slow.urls]
        while not stop.is_set():
            for token in forged:
                client.ask("GET", "/check/default", headers={"Authorization": f"Bearer {token}"})  # one packet each
                time.sleep(0.002)
        client.close()

    thread = threading.Thread(target=ask_all, daemon=True)
    thread.start()
    wire.wait_for(lambda: min(slow.counts.values()) >= 2, 60, "the first round, when nobody knows yet who asks in vain")
    waits, before = [], sum(slow.counts.values())
    for number in range(3):
        wire.wait_for(lambda: sum(slow.counts.values()) - before > 35 * (number + 1), 60, "the others to be fetched")
        new = tokens.key(f"rotated-{number}")
        honest.set_key(new)
        begin, token = time.monotonic(), new.sign(tokens.claims(honest.urls[0]))
        wire.wait_for(lambda: relyd.reason(token) == "ok", 60, "the rotation")
        waits.append(time.monotonic() - begin)
    stop.set()
    thread.join()
    slow.listener.close()
    honest.listener.close()
    assert max(waits) < scale.PATIENCE, waits
    assert sum(slow.counts.values()) - before > 100  # they go on being fetched


def test_b6_made_up_kids_do_not_go_round_the_back_off(start, issuer):
    """An issuer that fails is tried again after 2 s, 4 s, ...: however often strangers ask for its keys."""
    relyd = start(workers=2)
    register(relyd, issuer, keys={"jwksUri": issuer.url + JWKS})
    wait_for_keys(relyd)
    issuer.answers[JWKS] = response({}, "500 Oops")
    stop, before = threading.Event(), issuer.count()
    thread = threading.Thread(target=flood, args=(relyd, issuer, stop, 0.02), daemon=True)
    thread.start()
    time.sleep(5)  # how often it is asked in that time is the test
    stop.set()
    thread.join()
    assert 2 <= issuer.count() - before <= 3


class Silent:
    """Ports that accept and say nothing, and ports whose queue is full: connecting takes for ever."""

    def __init__(self, accepting, deaf):
        self.listeners, self.held = [], []
        for _ in range(accepting):
            self.listeners.append(socket.create_server(("127.0.0.1", 0), backlog=200))
        for _ in range(deaf):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            self.listeners.append(listener)
            for _ in range(3):
                caller = socket.socket()
                caller.setblocking(False)
                caller.connect_ex(listener.getsockname())
                self.held.append(caller)
        self.urls = [f"https://127.0.0.1:{listener.getsockname()[1]}" for listener in self.listeners]

    def close(self):
        for one in self.held + self.listeners:
            one.close()


@pytest.mark.parametrize("had_keys", [False, True])
def test_b6_320_silent_issuers_do_not_hold_up_a_rotation(start, issuer, had_keys):
    """Whether they never answered, or have fallen silent; with made-up kids for each of them."""
    relyd = start(keys__miss_wait_ms=50, workers=2)
    silent, signer = Silent(40, 40), tokens.key("silent")
    register(relyd, issuer)
    wait_for_keys(relyd)
    urls = [f"{url}/{n}" for url in silent.urls for n in range(4)]
    for number, url in enumerate(urls):
        relyd.put_issuer(f"silent-{number}", issuer=url, keys={"jwksUri": url + "/keys"}, allowPrivateAddresses=True)
    if had_keys:
        relyd.stop()
        edit_database(relyd, "INSERT INTO key_set SELECT id, ?, jwks_uri, ? FROM issuer WHERE name LIKE 'silent-%'",
                      json.dumps(tokens.jwks(signer)), int(time.time()) - 3600)
        relyd.start()
    stop = threading.Event()

    def ask_all():
        client = wire.Client(relyd.data)
        while not stop.is_set():
            for url in urls:
                client.ask("POST", "/v1/review", {"token": signer.sign(tokens.claims(url), kid="made-up")})

    thread = threading.Thread(target=ask_all, daemon=True)
    thread.start()
    waits = []
    for number in range(3):
        time.sleep(1.5)  # in which the flood takes what it can get
        new = tokens.key(f"rotated-{number}")
        issuer.keys = [new]
        begin, token = time.monotonic(), issuer.token(new)
        wire.wait_for(lambda: relyd.reason(token) == "ok", 60, "the healthy rotation")
        waits.append(time.monotonic() - begin)
    stop.set()
    thread.join()
    silent.close()
    assert max(waits) < 2 * scale.PATIENCE, waits
