"""Tokens of keys that nobody has, from many connections at once: what they cost the issuer, the memory, and the others."""

import base64
import json
import os
import secrets
import socket
import threading
import time

import pytest
import tokens
import wire
from issuer import DISCOVERY

pytestmark = [pytest.mark.threads, pytest.mark.long]

IS_LONG = os.environ.get("RELYD_TEST_LONG") == "1"
TOKENS = 1_000_000 if IS_LONG else 50_000
CONNECTIONS, AT_ONCE = 64, 16  # requests of one connection that are not answered


def make_up(claims):
    """A token of a kid of its own, which no key has signed."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": secrets.token_hex(8)}).encode()).rstrip(b"=")
    return b".".join((header, claims, base64.urlsafe_b64encode(secrets.token_bytes(64)).rstrip(b"=")))


class Stranger(threading.Thread):
    """Some connections, each with as many requests under way as it likes."""

    def __init__(self, address, claims, count):
        super().__init__(daemon=True)
        self.address, self.claims, self.left = address, claims, count
        self.answers, self.fault = {}, None

    def run(self):
        try:
            lines = [socket.create_connection(self.address, timeout=60) for _ in range(CONNECTIONS // 4)]
            while self.left > 0:
                for line in lines:
                    line.sendall(b"".join(self.request() for _ in range(AT_ONCE)))
                for line in lines:
                    self.read(line)
            for line in lines:
                line.close()
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault

    def request(self):
        self.left -= 1
        return b"GET /check/default HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % make_up(self.claims)

    def read(self, line):
        text = b""
        while text.count(b"x-relyd-reason: ") < AT_ONCE or not text.endswith(b"}\n"):
            piece = line.recv(1 << 18)
            assert piece, text[-500:]
            text += piece
        for part in text.split(b"x-relyd-reason: ")[1:]:
            reason = part[:part.index(b"\r")].decode()
            self.answers[reason] = self.answers.get(reason, 0) + 1


def test_made_up_kids_from_many_connections(start, issuer):
    """No more fetches than the bucket gives, no memory, and whoever has a known key never waits for any of it."""
    cooldown_s = 1
    relyd = start(keys__miss_cooldown_ms=cooldown_s * 1000, log__decisions="none")
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the first key")
    claims = base64.urlsafe_b64encode(json.dumps(tokens.claims(issuer.url)).encode()).rstrip(b"=")
    fetches, resident, begun = issuer.count(), relyd.resident_bytes(), time.monotonic()
    strangers = [Stranger(relyd.data, claims, TOKENS // 4) for _ in range(4)]
    for stranger in strangers:
        stranger.start()
    good = 0
    while any(stranger.is_alive() for stranger in strangers):
        assert relyd.reason(issuer.token()) == "ok"
        good += 1
    elapsed = time.monotonic() - begun
    assert [stranger.fault for stranger in strangers] == [None] * 4
    answers = {reason: sum(stranger.answers.get(reason, 0) for stranger in strangers)
               for reason in {name for stranger in strangers for name in stranger.answers}}
    assert set(answers) == {"key_unknown"} and sum(answers.values()) >= TOKENS
    assert good > 10
    assert issuer.count() - fetches <= 3 + 1 + elapsed / cooldown_s, (issuer.count() - fetches, elapsed)
    assert issuer.requests.count(DISCOVERY) <= fetches + 3 + 2 + elapsed / cooldown_s
    assert relyd.resident_bytes("VmHWM") - resident < 96 << 20
    print(json.dumps({"tokens": sum(answers.values()), "good": good, "seconds": round(elapsed, 1), "fetches": issuer.count() - fetches}))
    new = tokens.Key("ES256")
    issuer.keys = [new, issuer.keys[0]]
    wire.wait_for(lambda: relyd.reason(issuer.token(new)) == "ok", 10, "a rotation behind it")
