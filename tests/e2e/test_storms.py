"""Starts and stops while scrapers, writers, reviews and key fetches go on (faults B1, B2, B3; of E: no test starts or stops
under load). What a start or a stop does to a request may be a closed connection, never more."""

import http.client
import random
import signal
import threading
import time

import pytest
import tokens
import wire
from scale import count
from service import ISSUER, SANITIZER, Relyd

GONE = (OSError, http.client.HTTPException)  # no process, or one that is going
ROTATE_S = 0.15


class Storm:
    """Threads that ask one relyd all the time, whether it runs or not."""

    def __init__(self, relyd, signer, issuer):
        self.relyd, self.signer, self.issuer = relyd, signer, issuer
        self.is_over = False
        self.faults = []
        self.attempted = {}  # identity -> the last number that was sent
        self.acknowledged = {}  # identity -> the last number that was answered with success
        self.answers = {"scrape": 0, "write": 0, "review": 0}
        self.lock = threading.Lock()
        works = [self.scrape, self.scrape, self.scrape_kept, self.write, self.write, self.upload, self.review, self.review_unknown, self.rotate]
        self.threads = [threading.Thread(target=self.run, args=(work, index)) for index, work in enumerate(works)]
        for thread in self.threads:
            thread.start()

    def run(self, work, index):
        while not self.is_over:
            try:
                work(index)
            except GONE:
                time.sleep(0.005)
            except Exception as fault:  # noqa: BLE001 a thread's own failure is the test's
                self.faults.append(repr(fault))
                return

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(60)
        assert self.faults == []

    def note(self, kind):
        with self.lock:
            self.answers[kind] += 1

    def scrape(self, index):
        for address in (self.relyd.health, self.relyd.admin_tcp, self.relyd.socket):
            try:
                answer = wire.ask(address, "GET", "/metrics")
                if answer.status == 200:
                    assert b"\nrelyd_http_requests_total " in answer.body
                    self.note("scrape")
                assert wire.ask(address, "GET", "/readyz").status in (200, 503)
            except GONE:
                time.sleep(0.002)

    def scrape_kept(self, index):
        """A scraper that keeps its connection."""
        client = wire.Client(self.relyd.admin_tcp)
        try:
            while not self.is_over:
                answer = client.ask("GET", "/metrics")
                assert answer.status == 200, answer
                self.note("scrape")
        finally:
            client.close()

    def write(self, index):
        name = f"storm-{index}-{random.randrange(20)}"
        number = self.attempted.get(name, 0) + 1
        self.attempted[name] = number
        answer = self.relyd.admin("PUT", f"/v1/identities/{name}", {"description": f"{number}"})
        assert answer.status in (200, 201, 503), answer
        if answer.status != 503:
            self.acknowledged[name] = number
            self.note("write")

    def upload(self, index):
        """Judged by two threads: whose key it may be the control thread says, while the write waits for it."""
        keys = tokens.jwks(tokens.key(f"uploaded-{random.randrange(8)}"))
        record = {"issuer": "https://uploads.example", "keys": {"jwks": keys}}
        answer = self.relyd.admin("PUT", f"/v1/issuers/upload-{random.randrange(2)}", record)
        is_repeated = answer.status == 400 and "is one of issuer upload-" in answer.json()["errors"][0]["message"]
        assert is_repeated or answer.status in (200, 201, 503), answer
        self.note("write")

    def review(self, index):
        client = wire.Client(self.relyd.data)
        token = self.signer.sign(tokens.claims(ISSUER))
        try:
            while not self.is_over:
                answer = client.ask("POST", "/v1/review", {"token": token})
                assert answer.status == 200 and answer.json()["reason"] == "ok", answer
                self.note("review")
        finally:
            client.close()

    def review_unknown(self, index):
        """A key that nobody has published: the keeper fetches, and workers wait for it."""
        answer = self.relyd.check(self.issuer.token(tokens.key(f"unpublished-{random.randrange(4)}")))
        assert answer.status in (401, 503), answer
        self.note("review")

    def rotate(self, index):
        """Every fetch brings another set, which is stored and published: at the stop, too."""
        self.issuer.keys = [tokens.key(f"rotated-{random.randrange(8)}")]
        time.sleep(ROTATE_S)

    def check_writes(self):
        """Nothing that was acknowledged is lost, and nothing is there that nobody sent."""
        for name, number in list(self.acknowledged.items()):
            answer = self.relyd.admin("GET", f"/v1/identities/{name}")
            assert answer.status == 200, f"{name} was acknowledged: {answer}"
            found = int(answer.json()["description"])
            assert number <= found, f"{name}: {number} was acknowledged, {found} is there"
            assert found <= self.attempted[name]


def stop_early(relyd):
    """As soon as it has begun to listen."""
    seen = relyd.log().count('"listening"')
    relyd.spawn()
    wire.wait_for(lambda: relyd.process.poll() is not None or relyd.log().count('"listening"') > seen, 30, "a line in the log")


@pytest.mark.long
@pytest.mark.threads
def test_b1_b2_b3_starts_and_stops_under_load(tmp_path, issuer):
    relyd = Relyd(tmp_path / "relyd", keys__miss_wait_ms=50, keys__miss_cooldown_ms=100, shutdown__drain_ms=200,
                  log__decisions="none")
    relyd.start()
    signer = relyd.put_world()
    relyd.put_issuer("cluster", **issuer.record())
    relyd.stop()
    storm = Storm(relyd, signer, issuer)
    try:
        for number in range(count(300, 20)):
            if number % 4 == 3:
                stop_early(relyd)
            else:
                relyd.start()
                storm.check_writes()
                time.sleep(random.uniform(0, 0.15))
            stop_now(relyd)
    finally:
        storm.end()
        relyd.stop()
    relyd.start()
    storm.check_writes()
    relyd.stop()
    assert min(storm.answers.values()) > 0, storm.answers


def stop_now(relyd):
    """The log is looked through once at the end of each round only as far as it is new."""
    process = relyd.process
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    relyd.process = None
    log = relyd.log()
    assert not SANITIZER.search(log), log[-20000:]
    assert code == 0, f"exit code {code}:\n{log[-5000:]}"
    relyd.log_path.write_text("")
