"""Many tokens in one native review: each is answered, counted and logged as if it stood alone, in their order; and nobody else stands
behind them."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
import scale
import tokens
import wire
from issuer import Issuer
from service import ISSUER, TOKENREVIEWS, write_yaml
from test_pins import pin_first_uses
from test_restart import take_over

MOST = 256
BODY_BYTES = 1024 * 1024
REVIEW = "/v1/review"


def ask(relyd, batch, path=REVIEW, **fields):
    return wire.ask(relyd.data, "POST", path, {"tokens": batch} | fields)


def review(relyd, batch, **fields):
    """The answers, in the order of the tokens."""
    answer = ask(relyd, batch, **fields)
    assert answer.status == 200, answer
    assert list(answer.json()) == ["value"] and len(answer.json()["value"]) == len(batch)
    return answer.json()["value"]


def reasons(relyd, batch, **fields):
    return [each["reason"] for each in review(relyd, batch, **fields)]


def token(signer, **changes):
    return signer.sign(tokens.claims(ISSUER, **changes))


def metric(relyd, name):
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.split("\n") if line.startswith(name))


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


def mixed(signer):
    """Of many a fate."""
    return [
        token(signer), token(signer, lifetime=-600), "", token(signer, audience="other"), "no.token.atall", token(tokens.key("nobody")),
        token(signer), "x" * 70000, token(signer, account="stranger"), token(signer, iss="https://unknown.example"),
    ]


# --- answers ---------------------------------------------------------------------------------------------------------


def test_each_is_what_the_single_one_would_be(shared):
    batch = mixed(shared.signer)
    answers = review(shared, batch)
    ids = [each.pop("decisionId") for each in answers]
    singles = [shared.review(each) for each in batch]
    ids += [each.pop("decisionId") for each in singles]
    assert answers == singles
    assert len(set(ids)) == 2 * len(batch) and all(len(each) == 32 for each in ids)
    found = [each["reason"] for each in answers]
    assert found[:5] == ["ok", "expired", "no_token", "audience_mismatch", "malformed_token"]
    assert found[6:] == ["ok", "token_too_large", "no_matching_credential", "unknown_issuer"]
    assert all(each["route"] == "default" for each in answers)


def test_one_and_the_most(shared):
    good = token(shared.signer)
    assert reasons(shared, [good]) == ["ok"]
    assert reasons(shared, [good] * MOST) == ["ok"] * MOST
    assert reasons(shared, [good, "x"] * (MOST // 2)) == ["ok", "malformed_token"] * (MOST // 2)


def test_what_they_have_in_common(world):
    good, other = token(world.signer), token(world.signer, audience=None, aud=["relyd", "other"])
    assert reasons(world, [good, other], audiences=["relyd"]) == ["ok", "ok"]
    assert reasons(world, [good, other], audiences=["other"]) == ["audience_mismatch", "audience_mismatch"]
    assert reasons(world, [good, other], identity="payments-api", audiences=None) == ["ok", "ok"]
    assert reasons(world, [good, other], identity="nobody") == ["no_matching_credential"] * 2
    assert reasons(world, [good, other], token=None, identity=None) == ["ok", "ok"]


def test_under_a_route(world):
    world.put("/v1/routes/narrow", {"audiences": ["narrow"]})
    world.put_credential(audiences=["relyd", "narrow"])
    batch = [token(world.signer), token(world.signer, audience="narrow")]
    answer = ask(world, batch, "/routes/narrow/review")
    assert answer.status == 200, answer
    assert [(each["reason"], each["route"]) for each in answer.json()["value"]] == [("audience_mismatch", "narrow"), ("ok", "narrow")]
    assert ask(world, batch, "/routes/nowhere/review").status == 404
    single = wire.ask(world.data, "POST", "/routes/narrow/review", {"token": batch[1]}).json()
    assert (single["reason"], single["route"]) == ("ok", "narrow")


def test_each_is_counted_and_logged(world):
    batch = mixed(world.signer)
    before = {name: metric(world, name) for name in ('relyd_reviews_total{endpoint="review"', "relyd_review_duration_seconds_count")}
    answers = review(world, batch)
    for name, count in before.items():
        wire.wait_for(lambda name=name, count=count: metric(world, name) == count + len(batch), what=name)
    for each in answers:
        world.wait_for_words(each["decisionId"])
    said = {line["decisionId"]: line for line in world.events() if "decisionId" in line}
    for each in answers:
        assert said[each["decisionId"]]["reason"] == each["reason"]
        assert said[each["decisionId"]]["endpoint"] == "review"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, field, code, words",
    [
        ({"tokens": ["a"], "token": "a"}, "tokens", "exactly_one", "exactly one of token and tokens"),
        ({}, "token", "required", "token is required"),
        ({"tokens": None}, "token", "required", "token is required"),
        ({"tokens": []}, "tokens", "too_few", "tokens has 0 items; the least is 1"),
        ({"tokens": ["a"] * (MOST + 1)}, "tokens", "too_many", "tokens has 257 items; the limit is 256"),
        ({"tokens": ["a"] * 10000}, "tokens", "too_many", "tokens has 10000 items; the limit is 256"),
        ({"tokens": "a"}, "tokens", "wrong_type", "tokens must be a list of strings"),
        ({"tokens": {"a": "b"}}, "tokens", "wrong_type", "tokens must be a list of strings"),
        ({"tokens": ["a", 1]}, "tokens[1]", "wrong_type", "tokens[1] must be a string"),
        ({"tokens": [None]}, "tokens[0]", "wrong_type", "tokens[0] must be a string"),
        ({"tokens": ["a", ["b"], "c"]}, "tokens[1]", "wrong_type", "tokens[1] must be a string"),
        ({"tokens": ["a"], "identity": 1}, "identity", "wrong_type", "identity must be a string"),
        ({"tokens": ["a"], "audiences": "b"}, "audiences", "wrong_type", "audiences must be a list of strings"),
        ({"tokens": ["a"], "audiences": ["b"] * 33}, "audiences", "too_many", "audiences has more than 32 entries"),
        ({"tokens": ["a"], "tokes": 1}, "tokes", "unknown_field", "a review has token tokens audiences identity"),
    ],
)
def test_wrong_bodies(shared, body, field, code, words):
    answer = wire.ask(shared.data, "POST", REVIEW, body)
    assert answer.status == 400 and answer.json()["code"] == "invalid_body", answer
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == (field, code) and words in problem["message"]


def test_a_body_of_nothing_but_values_is_not_read_to_its_end(shared):
    body = b'{"tokens":[' + b"0," * (BODY_BYTES // 2 - 10) + b"0]}"
    answer = wire.ask(shared.data, "POST", REVIEW, body)
    assert answer.status == 400 and answer.json()["code"] == "invalid_body", answer
    assert "too many values" in answer.json()["detail"]


def padded(batch, size):
    """A body of that many bytes."""
    body = json.dumps({"tokens": batch}).encode()
    return body + b" " * (size - len(body))


def chunked(path, body):
    pieces = [body[at : at + 30000] for at in range(0, len(body), 30000)]
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("path", [REVIEW, "/routes/default/review"])
def test_a_mebibyte_is_taken(shared, path):
    batch = [token(shared.signer)] * MOST
    for size, status in ((BODY_BYTES, 200), (BODY_BYTES + 1, 413)):
        body = padded(batch, size)
        answer = wire.ask(shared.data, "POST", path, body)
        assert answer.status == status, answer
        assert wire.statuses(wire.exchange(shared.data, chunked(path, body), is_open=True)) == [status]
        if status == 413:
            assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize("path", [TOKENREVIEWS, "/routes/default" + TOKENREVIEWS, "/nowhere", "/v1/introspect/"])
def test_other_doors_take_no_more_than_before(shared, path):
    for body in (b" " * (128 * 1024 + 1), b" " * BODY_BYTES):
        assert wire.ask(shared.data, "POST", path, body).status == 413
        assert wire.statuses(wire.exchange(shared.data, chunked(path, body), is_open=True)) == [413]
    assert wire.ask(shared.data, "POST", path, b" " * 128 * 1024).status in (400, 404)


@pytest.mark.parametrize("cut", [1000, 40000, 131072, 300000])
def test_a_long_body_and_what_stands_behind_it(shared, cut):
    """In pieces of any size, with the next requests behind it at once."""
    body = json.dumps({"tokens": [token(shared.signer)] * MOST}).encode()
    sent = f"POST /v1/review HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    sent = (sent + b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n") * 3
    with contextlib.closing(wire.connect(shared.data)) as connection, connection.makefile("rb") as stream:
        for at in range(0, len(sent), cut):
            connection.sendall(sent[at : at + cut])
        for _ in range(3):
            status, answer = read_next(stream)
            assert status == 200 and [each["reason"] for each in answer["value"]] == ["ok"] * MOST
            assert read_next(stream)[0] == 404


def test_over_http2(shared, tmp_path):
    """Bodies of a mebibyte, of a length that is said or is not; what is longer is tested in test_http2.py."""
    body = padded([token(shared.signer)] * MOST, BODY_BYTES)
    (tmp_path / "body").write_bytes(body)
    for way in (["--data-binary", f"@{tmp_path}/body"], ["--upload-file", "-"]):
        command = ["curl", "-sS", "--http2-prior-knowledge", "-X", "POST", "-H", "Content-Type: application/json", "-w", "%{http_version} %{http_code}"]
        done = subprocess.run([*command, *way, "http://%s:%d/v1/review" % shared.data], input=body, capture_output=True, timeout=60)
        answer, _, said = done.stdout.rpartition(b"\n")
        assert said.split() == [b"2", b"200"], (said, done.stderr)
        assert [each["reason"] for each in json.loads(answer)["value"]] == ["ok"] * MOST


# --- others meanwhile -------------------------------------------------------------------------------------------------


def add_key(relyd, signer, alg, bits=2048):
    """A costly one, beside the world's."""
    costly = tokens.Key(alg, bits=bits)
    relyd.put_issuer(keys={"jwks": tokens.jwks(signer, costly)})
    return costly


def never_seen(key, count=MOST):
    return [token(key) for _ in range(count)]


@pytest.fixture
def slow(start):
    """One worker, and a key whose tokens take long."""
    relyd = start(workers=1, log__decisions="none")
    relyd.signer = relyd.put_world()
    relyd.costly = add_key(relyd, relyd.signer, "ES512")
    return relyd


def send(relyd, batch, path=REVIEW):
    """The connection, on which nothing was read yet."""
    body = json.dumps({"tokens": batch}).encode()
    connection = wire.connect(relyd.data)
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def read_next(stream):
    """Status and JSON."""
    status = int(stream.readline().split()[1])
    head = dict(line.strip().lower().split(b": ", 1) for line in iter(stream.readline, b"\r\n"))
    return status, json.loads(stream.read(int(head[b"content-length"])))


def read(connection):
    with contextlib.closing(connection), connection.makefile("rb") as stream:
        return read_next(stream)


def test_checks_are_answered_beside_a_batch(start):
    """256 tokens under RSA of 4096 bits, none seen before, on the only worker."""
    relyd = start(workers=1, log__decisions="none")
    relyd.signer = relyd.put_world()
    batch = never_seen(add_key(relyd, relyd.signer, "RS512", 4096))
    good, times, is_over = token(relyd.signer), [], threading.Event()

    def check_on():
        with contextlib.closing(wire.Client(relyd.data)) as client:
            while not is_over.is_set():
                begin = time.monotonic()
                assert client.ask("GET", "/check/default", None, {"Authorization": f"Bearer {good}"}).status == 200
                times.append(time.monotonic() - begin)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        checking = pool.submit(check_on)
        wire.wait_for(lambda: times)
        begin, before = time.monotonic(), len(times)
        assert reasons(relyd, batch) == ["ok"] * MOST
        took, meanwhile = time.monotonic() - begin, times[before:]
        is_over.set()
        checking.result()
    assert len(meanwhile) > 5, (took, meanwhile)
    assert sorted(meanwhile)[len(meanwhile) // 2] < 0.01 * scale.PATIENCE, (took, sorted(meanwhile))


def test_batches_go_by_turns(slow):
    """Who asks for what is known does not stand behind many who ask for what is not."""
    good = [token(slow.signer)] * MOST
    assert reasons(slow, good) == ["ok"] * MOST
    batch = never_seen(slow.costly)
    waiting = [send(slow, batch[at:] + batch[:at]) for at in range(8)]
    assert reasons(slow, good) == ["ok"] * MOST
    assert all(status == 200 and {each["reason"] for each in answer["value"]} == {"ok"} for status, answer in map(read, waiting))


def reviews(relyd):
    return metric(relyd, "relyd_reviews_total{")


def leave(connection):
    """By a reset, as when a process is killed that had not read all."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_who_leaves_ends_the_work(slow):
    batch = never_seen(slow.costly)
    before = reviews(slow)
    leaving = [send(slow, batch) for _ in range(8)]
    wire.wait_for(lambda: reviews(slow) > before)
    for connection in leaving:
        leave(connection)
    last = send(slow, never_seen(slow.costly, 3))
    assert read(last)[0] == 200
    wire.wait_for(lambda: metric(slow, "relyd_connections ") == 1, what="nobody else")
    assert reviews(slow) - before < 8 * MOST
    found = reviews(slow)
    assert slow.reason(token(slow.signer)) == "ok"
    wire.wait_for(lambda: reviews(slow) == found + 1)


# --- too many ---------------------------------------------------------------------------------------------------------


def test_beyond_what_all_may_hold_they_are_refused(start):
    """Bodies of a mebibyte, twice as many as half of http.memory_mib has room for; no token is remembered."""
    relyd = start(workers=1, http__memory_mib=16, log__decisions="refusals")
    relyd.signer = relyd.put_world()
    costly = add_key(relyd, relyd.signer, "ES512")
    batches = [[token(costly, filling="x" * 2400) for _ in range(MOST)] for _ in range(12)]
    connections = [send(relyd, batch) for batch in batches]
    assert relyd.check(token(relyd.signer)).status == 200
    answers = list(map(read, connections))
    refused = [answer for status, answer in answers if status == 503]
    assert {status for status, _ in answers} == {200, 503}
    assert {answer["code"] for answer in refused} == {"overloaded"} and "too many tokens wait" in refused[0]["detail"]
    assert all(each["reason"] == "ok" for status, answer in answers if status == 200 for each in answer["value"])
    wire.wait_for(lambda: metric(relyd, 'relyd_reviews_total{endpoint="review",reason="overloaded"}') == len(refused))
    relyd.wait_for_words('"overloaded"', len(refused))
    wire.wait_for(lambda: metric(relyd, "relyd_http_held_bytes") == 0, what="nothing held")
    assert reasons(relyd, batches[0]) == ["ok"] * MOST
    assert metric(relyd, "relyd_connections_cut_total") == 0


def test_answers_that_are_too_long_together(world):
    """One token's is 80 KiB: with 256 of them they are 20 MiB."""
    world.put_identity("long", extra={f"example.com/{number}": ["x" * 597 + f"{value:03}" for value in range(16)] for number in range(8)})
    world.put_credential(identity="long")
    good = token(world.signer)
    assert reasons(world, [good] * 150) == ["ok"] * 150
    answer = ask(world, [good] * MOST)
    assert answer.status == 503 and answer.json()["code"] == "overloaded" and "too long together" in answer.json()["detail"]


# --- keys and uids that are missing -----------------------------------------------------------------------------------


class Holding(Issuer):
    """Its next key set comes when it is let go."""

    def __init__(self):
        super().__init__()
        self.is_let_go = threading.Event()

    def hold(self):
        """And there is a new key, whose tokens come back."""
        self.keys.append(tokens.Key())
        self.answers["/openid/v1/jwks"] = Holding.wait
        return [self.token(self.keys[-1]) for _ in range(3)]

    def wait(self, connection):
        self.is_let_go.wait(20)
        del self.answers["/openid/v1/jwks"]
        self.answer("/openid/v1/jwks", connection)


@pytest.fixture
def holding():
    issuers = [Holding(), Holding()]
    yield issuers
    for each in issuers:
        each.is_let_go.set()
        each.stop()


def register(relyd, issuers):
    relyd.put_identity()
    for number, each in enumerate(issuers):
        relyd.put_issuer(f"cluster-{number}", **each.record())
        relyd.put_credential(f"builder-{number}", issuer=each.url)
        wire.wait_for(lambda each=each: relyd.reason(each.token()) == "ok", what="the first keys")


def test_all_missing_keys_are_asked_for_together(start, holding):
    relyd = start(workers=1, keys__miss_wait_ms=10000, keys__miss_cooldown_ms=100)
    register(relyd, holding)
    known = [each.token() for each in holding]
    missing, before = [each.hold() for each in holding], [each.count() for each in holding]
    batch = [known[0], *missing[0], known[1], *missing[1], "x"]
    connection = send(relyd, batch)
    for each, count in zip(holding, before):
        wire.wait_for(lambda each=each, count=count: each.count() == count + 1, what="both fetches at once")
    for each in holding:
        each.is_let_go.set()
    status, answer = read(connection)
    assert status == 200
    assert [each["reason"] for each in answer["value"]] == ["ok"] * 8 + ["malformed_token"]
    assert [each.count() for each in holding] == [count + 1 for count in before]
    assert metric(relyd, "relyd_key_waits_total") >= 6
    assert metric(relyd, "relyd_http_held_bytes") == 0


def test_a_batch_waits_once(start, holding):
    relyd = start(workers=1, keys__miss_wait_ms=1000, keys__miss_cooldown_ms=100)
    register(relyd, holding)
    missing = [each.hold() for each in holding]
    begin = time.monotonic()
    assert reasons(relyd, [*missing[0], *missing[1], missing[0][0]]) == ["key_unknown"] * 7
    assert 0.9 < time.monotonic() - begin < 1.9 * scale.PATIENCE


def test_many_batches_wait_for_one_key(start, holding):
    """All of their tokens: a batch has one place among those that wait."""
    relyd = start(workers=1, keys__miss_wait_ms=10000, keys__miss_cooldown_ms=100)
    register(relyd, holding[:1])
    missing = holding[0].hold()[:1] * MOST
    connections = [send(relyd, missing) for _ in range(8)]
    wire.wait_for(lambda: metric(relyd, "relyd_key_waits_total") >= 8 * MOST)
    holding[0].is_let_go.set()
    for connection in connections:
        status, answer = read(connection)
        assert status == 200 and [each["reason"] for each in answer["value"]] == ["ok"] * MOST


def test_first_uses_are_written_down(start):
    relyd = start(keys__miss_wait_ms=10000)
    relyd.signer = relyd.put_world()
    relyd.put_credential("other", subject="system:serviceaccount:team-a:other")
    pin_first_uses(relyd)
    one, other = token(relyd.signer), token(relyd.signer, account="other")
    assert reasons(relyd, [one, other, one, other, one]) == ["ok"] * 5
    assert reasons(relyd, [token(relyd.signer), one]) == ["uid_changed", "ok"]


# --- while one is under way -------------------------------------------------------------------------------------------


def under_way(relyd, count=6):
    """Batches of which some tokens are reviewed, and most are not."""
    before, batch = reviews(relyd), never_seen(relyd.costly)
    connections = [send(relyd, batch[at:] + batch[:at]) for at in range(0, 40 * count, 40)]
    wire.wait_for(lambda: reviews(relyd) > before)
    return connections


def test_each_token_is_judged_by_the_rules_of_its_turn(slow):
    connections = under_way(slow)
    slow.admin("DELETE", "/v1/identities/payments-api/federatedIdentityCredentials/builder")
    turned = 0
    for status, answer in map(read, connections):
        found = [each["reason"] for each in answer["value"]]
        allowed = found.count("ok")
        assert status == 200 and found == ["ok"] * allowed + ["no_matching_credential"] * (MOST - allowed)
        turned += 0 < allowed < MOST
    assert turned > 0


def test_a_stop_lets_it_come_to_its_end(slow):
    slow.settings["shutdown.drain_ms"] = 20000
    slow.restart()
    connections = under_way(slow)
    slow.stop()
    assert [(status, len(answer["value"])) for status, answer in map(read, connections)] == [(200, MOST)] * 6


def read_status(connection):
    """None: it was reset, with a body that was not read to its end."""
    with contextlib.closing(connection), connection.makefile("rb") as stream:
        try:
            return stream.readline().split()[1]
        except OSError:
            return None


def test_the_end_of_a_stop_ends_it(slow):
    slow.settings["shutdown.drain_ms"] = 1
    slow.restart()
    connections = under_way(slow)
    slow.process.send_signal(signal.SIGTERM)
    found = list(map(read_status, connections))
    assert b"503" in found and set(found) <= {b"503", b"200", None}


def test_a_successor_leaves_it_to_its_predecessor(slow):
    slow.settings["shutdown.drain_ms"] = 20000
    slow.restart()
    connections = under_way(slow)
    take_over(slow)
    assert [(status, {each["reason"] for each in answer["value"]}) for status, answer in map(read, connections)] == [(200, {"ok"})] * 6


def test_settings_may_change_meanwhile(slow):
    connections = under_way(slow)
    slow.settings["log.decisions"] = "all"
    (slow.folder / "relyd.yaml").write_text(write_yaml(slow.settings))
    slow.process.send_signal(signal.SIGHUP)
    slow.wait_for_words('"configuration_loaded"')
    assert [(status, {each["reason"] for each in answer["value"]}) for status, answer in map(read, connections)] == [(200, {"ok"})] * 6
