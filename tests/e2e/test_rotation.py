"""Rotations under a constant load of tokens that were never seen: no good one is refused, in whichever way an issuer rotates."""

import json
import os
import threading
import time

import pytest
import tokens
import wire
from issuer import DISCOVERY, response

pytestmark = [pytest.mark.threads, pytest.mark.long]

JWKS = "/openid/v1/jwks"
IS_LONG = os.environ.get("RELYD_TEST_LONG") == "1"
ROTATIONS, TOKENS = (10, 1000) if IS_LONG else (3, 300)  # so many tokens between two rotations
CLIENTS = 4


class Load:
    """Clients that sign a token and show it at once, one after the other. Nobody signs while the issuer rotates."""

    def __init__(self, relyd, issuer):
        self.relyd, self.issuer = relyd, issuer
        self.signer = issuer.keys[0]
        self.withdrawn = {}  # a key: when
        self.asked = []  # (key, reason, when it was answered, seconds)
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.faults = []
        self.threads = [threading.Thread(target=self.ask_on, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def ask_on(self):
        client = wire.Client(self.relyd.data)
        try:
            while not self.stop.is_set():
                with self.lock:
                    signer, token = self.signer, self.issuer.token(self.signer)
                begun = time.monotonic()
                reason = client.ask("POST", "/v1/review", {"token": token}).json()["reason"]
                now = time.monotonic()
                self.asked.append((signer, reason, now, now - begun))
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)
        finally:
            client.close()

    def go_on(self, count=TOKENS):
        """Until so many more tokens have been answered."""
        until = len(self.asked) + count
        wire.wait_for(lambda: self.faults or len(self.asked) >= until, 120, f"{count} more answers")
        assert not self.faults

    def rotate(self, published, signer):
        with self.lock:
            now = time.monotonic()
            self.withdrawn |= {key: now for key in self.issuer.keys if key not in published}
            self.issuer.keys, self.signer = published, signer

    def refused(self):
        """Good tokens that were: their key was published when they were answered."""
        return [(reason, signer.kid) for signer, reason, when, _ in self.asked
                if reason != "ok" and when < self.withdrawn.get(signer, when + 1)]

    def slowest(self, per_cent):
        return sorted(seconds for _, _, _, seconds in self.asked)[len(self.asked) * per_cent // 100]


def new_key(number, kid=None):
    return tokens.Key("ES256", kid=kid or f"key-{number}-{time.monotonic_ns()}")


# --- the ways ---------------------------------------------------------------------------------------------------------


def announce(load, number):
    """The new key is published first, and signs later; the old one goes last."""
    old, new = load.signer, new_key(number)
    load.rotate([old, new], old)
    load.go_on()
    load.rotate([old, new], new)
    load.go_on()
    load.rotate([new], new)


def swap(load, number):
    """Everything at the same moment."""
    new = new_key(number)
    load.rotate([new], new)


def keep_the_old(load, number):
    """As kube-apiserver after a restart: the new key signs at once, the old one verifies for longer."""
    old, new = load.signer, new_key(number)
    load.rotate([new, old], new)


def swap_under_the_kid(load, number):
    new = new_key(number, load.signer.kid)
    load.rotate([new], new)


class Network:
    """A cache before the issuer: what it has it gives out for an hour, to whoever does not ask for more."""

    def __init__(self, issuer):
        self.issuer, self.kept, self.passed = issuer, None, 0

    def __call__(self, server, connection):
        if self.kept is None or b"Cache-Control: no-cache" in self.issuer.requests_text[-1]:
            self.kept, self.passed = self.issuer.jwks(), self.passed + 1
        connection.sendall(response(self.kept, "200 OK", "application/jwk-set+json", "Cache-Control: public, max-age=3600", "Age: 1800"))


class Tagged:
    """An hour, with entity-tags."""

    def __init__(self, issuer):
        self.issuer = issuer

    def __call__(self, server, connection):
        body = self.issuer.jwks()
        tag = f'"{hash(body) & 0xffffffff:x}"'
        if f"If-None-Match: {tag}".encode() in self.issuer.requests_text[-1]:
            connection.sendall(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
        else:
            connection.sendall(response(body, "200 OK", "application/jwk-set+json", "Cache-Control: max-age=3600", f"ETag: {tag}"))


def answer_afresh(issuer):
    return lambda server, connection: connection.sendall(response(issuer.jwks(), "200 OK", "application/json", "Cache-Control: no-store"))


WAYS = {
    "new-key-first": (announce, answer_afresh),
    "at-the-same-moment": (swap, answer_afresh),
    "the-old-one-stays": (keep_the_old, answer_afresh),
    "behind-max-age": (swap, Tagged),
    "same-kid": (swap_under_the_kid, answer_afresh),
    "same-kid-behind-max-age": (swap_under_the_kid, Tagged),
    "through-a-caching-network": (swap, Network),
    "first-through-a-caching-network": (announce, Network),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_good_token_is_refused(start, issuer, way, record_property):
    """With a wait that the machine cannot use up: how long it takes, the property says."""
    rotate, serve = WAYS[way]
    relyd = start(keys__miss_wait_ms=10000, keys__miss_cooldown_ms=100)
    issuer.keys = [new_key(0)]
    issuer.answers[JWKS] = serve(issuer)
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    with Load(relyd, issuer) as load:
        for number in range(1, ROTATIONS + 1):
            load.go_on()
            rotate(load, number)
        load.go_on()
    assert load.refused() == []
    assert len({signer for signer, *_ in load.asked}) == ROTATIONS + 1
    record_property("p50_ms", round(load.slowest(50) * 1000, 1))
    record_property("p99_ms", round(load.slowest(99) * 1000, 1))
    print(json.dumps({"way": way, "tokens": len(load.asked), "p50_ms": load.slowest(50) * 1000, "p99_ms": load.slowest(99) * 1000}))
    assert issuer.requests.count(DISCOVERY) <= 1 + 3 * ROTATIONS + 3, "a fetch or two for each rotation"


def test_an_outage_costs_no_token(start, issuer):
    """The issuer is down, relyd is started anew meanwhile, and it comes back with another key: what can be accepted is."""
    relyd = start(keys__miss_wait_ms=10000, keys__miss_cooldown_ms=100)
    issuer.keys = [new_key(0)]
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    with Load(relyd, issuer) as load:
        load.go_on()
        issuer.is_down = True
        load.go_on()
    assert load.refused() == []
    relyd.restart()
    with Load(relyd, issuer) as load:
        load.go_on()
        issuer.is_down = False
        keep_the_old(load, 1)
        wire.wait_for(lambda: load.asked[-1][:2] == (load.signer, "ok"), 60, "the key that came with the end of the outage")
        back = time.monotonic()
        load.go_on()
    assert [row for row in load.asked if row[2] > back and row[1] != "ok"] == []
    assert all(reason in ("ok", "key_unknown") for _, reason, _, _ in load.asked)
