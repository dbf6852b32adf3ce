"""Revocations: the first request behind the 201 is refused, by every door and in every worker; and what is over comes back."""

import contextlib
import sqlite3
import threading
import time

import pytest
import scale
import tokens
import wire
from service import ISSUER

REVOCATIONS = "/v1/revocations"
BOUND = {"kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": "account-uid"},
                           "pod": {"name": "p", "uid": "pod-uid"}, "secret": {"name": "s", "uid": "secret-uid"},
                           "node": {"name": "n", "uid": "node-uid"}}}
# What hits the token of `bound`; `kid` is None: its key's.
HITS = {"jti": "j-1", "subject": "system:serviceaccount:team-a:builder", "serviceAccountUid": "account-uid", "podUid": "pod-uid",
        "secretUid": "secret-uid", "nodeUid": "node-uid", "kid": None, "identity": "payments-api", "issuerName": "prod"}


def hitting(signer, word):
    return {word: HITS[word] or signer.kid}


def bound(signer, **changes):
    return signer.sign(tokens.claims(ISSUER, **({"jti": "j-1"} | BOUND | changes)))


def revoke(relyd, **fields):
    answer = relyd.admin("POST", REVOCATIONS, {"reason": "INC-1234"} | fields)
    assert answer.status == 201, answer
    assert answer.header("location") == f"{REVOCATIONS}/{answer.json()['id']}"
    return answer


def take_back(relyd, answer):
    assert relyd.admin("DELETE", answer.header("location")).status == 204


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.threads
@pytest.mark.parametrize("word", HITS)
def test_every_door(shared, word):
    token = bound(shared.signer)
    assert shared.check(token).status == 200
    revoked = revoke(shared, **hitting(shared.signer, word))
    refused = shared.check(token)
    assert (refused.status, refused.header("x-relyd-reason")) == (401, "revoked")
    assert shared.reason(token) == "revoked"
    status = shared.tokenreview(token)
    assert status["authenticated"] is False
    assert f"revocation {revoked.json()['id']} hits its {'issuer' if word == 'issuerName' else word}" in status["error"]
    told = shared.explain(token)
    step = next(step for step in told["steps"] if step["outcome"] == "refused")
    assert (step["step"], step["by"]) == ("decision" if word == "identity" else "revocations", word)
    assert step["revocation"] == revoked.header("location")
    assert "INC-1234" not in refused.body.decode() + str(refused.headers) + status["error"]
    take_back(shared, revoked)
    assert shared.check(token).status == 200


@pytest.mark.parametrize("narrow", [{"issuerName": "second"}, {"issuedBefore": at(-3600)}, {"issuedBefore": "2001-01-01T00:00:00Z"}])
def test_who_is_spared(shared, narrow):
    if "issuerName" in narrow:
        shared.put_issuer("second", "https://second.example")
    token = bound(shared.signer, iat=int(time.time()) - 5)
    for word in list(HITS)[:-1]:
        revoked = revoke(shared, **hitting(shared.signer, word), **narrow)
        assert shared.reason(token) == "ok"
        take_back(shared, revoked)


def test_one_token_by_itself(shared):
    """Of the token nothing is kept but its `jti`, and it is no longer revoked when it could not be accepted any more."""
    end = int(time.time()) + 600
    token, other = bound(shared.signer, jti="j-9", exp=end), bound(shared.signer)
    revoked = revoke(shared, token=token).json()
    assert {name: revoked[name] for name in ("jti", "issuerName", "reason", "until")} == {
        "jti": "j-9", "issuerName": "prod", "reason": "INC-1234", "until": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end + 60))}
    assert shared.reason(token) == "revoked"
    assert shared.reason(other) == "ok"
    assert revoke(shared, token=bound(shared.signer, jti="j-8"), until=None).json().get("until") is None
    kept = b"".join(path.read_bytes() for path in shared.folder.iterdir() if path.is_file())
    assert token.split(".")[2].encode() not in kept and token.split(".")[1].encode() not in kept


REFUSED = [
    ({"token": "abc"}, "token", "not_verified"),
    ({"token": ""}, "token", "not_verified"),
    ({"token": 5}, "token", "wrong_type"),
    ({"token": None}, "token", "wrong_type"),
    ({"token": "good", "jti": "j-1"}, "jti", "exactly_one"),
    ({"token": "good", "issuerName": "prod"}, "issuerName", "exactly_one"),
    ({"token": "good", "tokens": []}, "tokens", "exactly_one"),
    ({"token": "expired"}, "token", "not_verified"),
    ({"token": "forged"}, "token", "not_verified"),
    ({"token": "nameless"}, "token", "no_jti"),
    ({"token": "good", "reason": ""}, "reason", "too_short"),
    ({"token": "good", "until": "2001-01-01T00:00:00Z"}, "until", "out_of_range"),
    ({"token": "long"}, "jti", "too_long"),
    ({}, "jti", "exactly_one"),
    ({"kid": "a", "nodeUid": "b"}, "kid", "exactly_one"),
    ({"kid": "a" * 601}, "kid", "too_long"),
    ({"issuerName": "unknown"}, "issuerName", "not_registered"),
    ({"identity": "unknown"}, "identity", "not_registered"),
    ({"kid": "a", "name": "mine"}, "name", "unknown_field"),
    ({"kid": "a", "id": "mine"}, "id", "read_only"),
]


@pytest.mark.parametrize("body, field, code", REFUSED)
def test_what_is_refused(shared, body, field, code):
    named = {"good": lambda: bound(shared.signer), "expired": lambda: bound(shared.signer, exp=int(time.time()) - 600),
             "forged": lambda: bound(tokens.key("attacker")),
             "nameless": lambda: shared.signer.sign(tokens.claims(ISSUER) | {"jti": ""}),
             "long": lambda: bound(shared.signer, jti="j" * 601)}
    if body.get("token") in named:
        body = body | {"token": named[body["token"]]()}
    before = shared.admin("GET", REVOCATIONS + "?limit=1000").json()["value"]
    answer = shared.admin("POST", REVOCATIONS, {"reason": "r"} | body)
    assert answer.status == 400 and answer.json()["code"] == "invalid_body", answer
    assert (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]], answer
    assert str(body.get("token")) not in answer.body.decode() or len(str(body.get("token"))) < 5
    assert shared.admin("GET", REVOCATIONS + "?limit=1000").json()["value"] == before


def test_who_has_no_jti_is_told_what_spares_new_tokens(shared):
    nameless = shared.signer.sign(tokens.claims(ISSUER) | {"jti": ""})
    answer = shared.admin("POST", REVOCATIONS, {"reason": "r", "token": nameless})
    assert answer.json()["detail"] == "the token has no jti: revoke its subject, with issuedBefore where new tokens shall pass, or what else it is known by"


def test_pages_and_etags(relyd):
    made = [revoke(relyd, jti=f"j-{number}") for number in range(5)]
    listed, path = [], f"{REVOCATIONS}?limit=2"
    while path:
        page = relyd.admin("GET", path).json()
        listed += page["value"]
        path = page.get("nextLink")
    assert [item["id"] for item in listed] == sorted(answer.json()["id"] for answer in made)
    one = made[3]
    shown = relyd.admin("GET", one.header("location"))
    assert shown.json() == one.json() and shown.header("etag") == one.header("etag")
    assert relyd.admin("DELETE", one.header("location"), headers={"If-Match": '"77"'}).status == 412
    assert relyd.admin("DELETE", one.header("location"), headers={"If-Match": one.header("etag")}).status == 204
    assert relyd.admin("GET", one.header("location")).status == 404
    assert relyd.admin("PUT", made[0].header("location"), {"jti": "j", "reason": "r"}).status == 405
    assert wire.ask(relyd.health, "GET", "/metrics").body.decode().count("\nrelyd_revocations 4\n") == 1


def test_a_restart_takes_nothing_back(relyd):
    signer = relyd.put_world()
    token = bound(signer)
    revoked = [revoke(relyd, **hitting(signer, word)) for word in HITS]
    relyd.restart()
    for answer in revoked:
        assert relyd.reason(token) == "revoked"
        take_back(relyd, answer)
    assert relyd.reason(token) == "ok"


def test_what_is_over_comes_back_and_is_swept(relyd):
    """To the second, and with a row of the change log when it is deleted."""
    token = bound(relyd.put_world())
    relyd.put_issuer(keys={"jwks": relyd.admin("GET", "/v1/issuers/prod").json()["keys"]["jwks"]}, maxTokenLifetimeSeconds=7200)
    whole = revoke(relyd, issuerName="prod").json()
    assert tokens_until(whole) == 7200 + 2 * 60
    relyd.admin("DELETE", f"{REVOCATIONS}/{whole['id']}")
    kept = revoke(relyd, jti="another")
    revoke(relyd, jti="j-1", until=at(3))
    assert relyd.reason(token) == "revoked"
    wire.wait_for(lambda: relyd.reason(token) == "ok", 10, "its end")
    wire.wait_for(lambda: len(relyd.admin("GET", REVOCATIONS).json()["value"]) == 1, 30, "the sweep")
    revoke(relyd, jti="j-1", until=at(2))
    wire.wait_for(lambda: len(relyd.admin("GET", REVOCATIONS).json()["value"]) == 1, 30, "the next sweep")
    assert relyd.admin("GET", REVOCATIONS).json()["value"] == [kept.json()]
    relyd.wait_for_words('"event":"revocations_over"')
    with contextlib.closing(sqlite3.connect(f"file:{relyd.database}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT object, operation, after FROM change_log WHERE actor = 'sweep'").fetchall()
    assert rows == [("revocation", "delete", None)] * 2


def test_many_that_are_over_are_swept_one_batch_after_the_other(relyd):
    """However many end at once, the next ones are not left for ten seconds each: the list has room for new ones."""
    end = at(8)
    for number in range(500):
        revoke(relyd, jti=f"j-{number}", until=end)
    wire.wait_for(lambda: '"event":"revocations_over"' in relyd.log(), 30, "the first")
    count = lambda: len(relyd.admin("GET", f"{REVOCATIONS}?limit=1000").json()["value"])
    wire.wait_for(lambda: count() == 0, 8, "the rest")
    relyd.wait_for_words("200 revocations are over", 2)
    relyd.wait_for_words("100 revocations are over")


def tokens_until(shown):
    """Seconds from its creation to its end."""
    start, end = (time.mktime(time.strptime(shown[name], "%Y-%m-%dT%H:%M:%SZ")) for name in ("createdAt", "until"))
    return end - start


class Storm:
    """64 connections that ask all the time, of one thread."""

    def __init__(self, relyd, request, count=64):
        self.is_over, self.fault, self.answers, self.request = False, None, 0, request
        self.lines = [wire.connect(relyd.data) for _ in range(count)]
        self.thread = threading.Thread(target=self.ask_all)

    def ask_all(self):
        try:
            while not self.is_over:
                for line in self.lines:
                    line.sendall(self.request)
                for line in self.lines:
                    assert line.recv(65536)[:13] in (b"HTTP/1.1 200 ", b"HTTP/1.1 401 ")
                    self.answers += 1
        except Exception as fault:  # noqa: BLE001 the thread's own failure is the test's
            self.fault = repr(fault)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for line in self.lines:
            line.close()
        assert self.fault is None and self.answers > 0


@pytest.mark.long
@pytest.mark.threads
def test_the_first_request_behind_the_201(start):
    """By each kind in turn, while 64 connections ask: whoever asks next is refused, on connections of both workers."""
    relyd = start(log__decisions="none")
    signer = relyd.put_world()
    head = {"Authorization": f"Bearer {bound(signer)}"}
    request = f"GET /check/default HTTP/1.1\r\nHost: relyd\r\nAuthorization: {head['Authorization']}\r\n\r\n".encode()
    clients = [wire.Client(relyd.data) for _ in range(8)]
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(contextlib.closing(client))
        stack.enter_context(Storm(relyd, request))
        for number in range(scale.count(1000)):
            revoked = revoke(relyd, **hitting(signer, list(HITS)[number % len(HITS)]))
            reasons = [client.ask("GET", "/check/default", headers=head).header("x-relyd-reason") for client in clients]
            assert reasons == ["revoked"] * len(clients), number
            take_back(relyd, revoked)
            assert [client.ask("GET", "/check/default", headers=head).status for client in clients] == [200] * len(clients), number
