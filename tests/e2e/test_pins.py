"""The uid of a service account: an account that was made anew is another one. Pinned by hand, and by the first use, which waits for it."""

import concurrent.futures
import contextlib
import json
import sqlite3
import threading

import pytest
import scale
import tokens
import wire
from service import ISSUER
from test_registry_faults import fill, small_disk  # noqa: F401
from test_slow_disk import locked

PROD = "/v1/issuers/prod"
CREDENTIAL = "/v1/identities/payments-api/federatedIdentityCredentials/builder"
ONE, TWO = "11111111-aaaa-4bbb-8ccc-000000000001", "11111111-aaaa-4bbb-8ccc-000000000002"


def token(relyd, uid=ONE, **changes):
    claims = tokens.claims(ISSUER, **changes)
    account = claims["kubernetes.io"]["serviceaccount"]
    claims["kubernetes.io"]["serviceaccount"] = account | {"uid": uid} if uid is not None else {"name": account["name"]}
    return relyd.signer.sign(claims)


def pin(relyd, uid):
    """By hand; None takes it away."""
    shown = relyd.admin("GET", CREDENTIAL).json()
    return relyd.put(CREDENTIAL, shown | {"serviceAccountUid": uid})


def pinned(relyd, path=CREDENTIAL):
    return relyd.admin("GET", path).json().get("serviceAccountUid")


def pin_first_uses(relyd, rule="first-use"):
    shown = relyd.admin("GET", PROD).json()
    return relyd.put(PROD, shown | {"guards": shown["guards"] | {"pinServiceAccountUid": rule}})["guards"]["pinServiceAccountUid"]


@pytest.fixture
def world(relyd):
    relyd.signer = relyd.put_world()
    return relyd


@pytest.mark.threads
def test_by_hand(world):
    one, two, none = token(world), token(world, TWO), token(world, None)
    assert [world.reason(each) for each in (one, two, none)] == ["ok"] * 3
    assert pin(world, ONE)["serviceAccountUid"] == ONE
    for _ in range(4):
        assert [world.reason(each) for each in (one, two, none)] == ["ok", "uid_changed", "uid_changed"]
    assert world.check(two).status == 403 and ONE not in world.check(two).body.decode()
    assert f"is for the service account with uid {ONE}, and the token's has" in world.explain(two)["detail"]
    world.restart()
    assert [world.reason(each) for each in (one, two, none)] == ["ok", "uid_changed", "uid_changed"]
    assert "serviceAccountUid" not in pin(world, None)
    assert [world.reason(each) for each in (one, two, none)] == ["ok"] * 3


def test_what_matches_otherwise(world):
    """Only what would match but for its uid is said to have changed."""
    pin(world, ONE)
    assert world.reason(token(world, TWO, audience="else")) == "no_matching_credential"
    assert world.reason(token(world, ONE, audience="else")) == "audience_mismatch"
    expression = {"value": "claims['sub'] eq 'system:serviceaccount:team-a:builder'", "languageVersion": 1}
    world.put(CREDENTIAL.replace("builder", "rule"), {"issuerName": "prod", "claimsMatchingExpression": expression, "audiences": ["relyd"]})
    assert world.review(token(world, TWO))["identities"][0]["credential"] == "rule"
    assert world.review(token(world, ONE))["identities"][0]["credential"] == "builder"


@pytest.mark.parametrize("uid, code", [
    (ONE[:-1], "too_short"), (ONE + "1", "too_long"), (ONE.upper(), "invalid_text"), (ONE.replace("-", "a"), "invalid_text"),
    (ONE[:8] + "1" + ONE[9:], "invalid_text"), ("g" + ONE[1:], "invalid_text"), (7, "wrong_type"),
])
def test_what_is_no_uid(shared, uid, code):
    shown = shared.admin("GET", CREDENTIAL).json()
    answer = shared.admin("PUT", CREDENTIAL, shown | {"serviceAccountUid": uid})
    assert answer.status == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("serviceAccountUid", code)]


@pytest.mark.threads
def test_the_first_use_is_written_down(world):
    assert pin_first_uses(world) == "first-use"
    etag = world.admin("GET", CREDENTIAL).header("etag")
    explained = world.explain(token(world))
    assert (explained["reason"], explained["steps"][-1]["step"]) == ("pin_pending", "decision")
    assert pinned(world) is None  # whoever explains asks for nothing
    assert world.check(token(world)).status == 200
    assert pinned(world) == ONE and world.admin("GET", CREDENTIAL).header("etag") != etag
    for _ in range(4):
        assert [world.reason(token(world, uid)) for uid in (ONE, TWO)] == ["ok", "uid_changed"]
    world.restart()
    assert [world.reason(token(world, uid)) for uid in (TWO, ONE)] == ["uid_changed", "ok"]
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        [row] = database.execute("SELECT actor, object, name, before, after FROM change_log WHERE operation = 'pin'")
    assert row[:3] == ("cluster:prod", "federatedIdentityCredential", "payments-api/builder")
    before, after = json.loads(row[3]), json.loads(row[4])
    assert after.pop("serviceAccountUid") == ONE and before.pop("updatedAt") <= after.pop("updatedAt") and before == after


@pytest.mark.threads
def test_for_whom_nothing_is_written_down(world):
    """A refused use is none, what is in shadow neither; an expression and a group are for many accounts; off is off."""
    assert world.check(token(world)).status == 200 and pinned(world) is None
    pin_first_uses(world)
    refused = [token(world, audience="else"), token(world, account="other"), token(world, lifetime=-4000)]
    assert [world.reason(each) for each in refused] == ["audience_mismatch", "no_matching_credential", "expired"]
    assert world.reason(token(world), identity="nobody") == "no_matching_credential"
    world.put("/v1/routes/narrow", {"audiences": ["relyd"], "groups": ["other"]})
    assert world.check(token(world), "/check/narrow").header("x-relyd-reason") == "identity_not_allowed"
    assert pinned(world) is None
    shown = world.admin("GET", CREDENTIAL).json()
    world.put(CREDENTIAL, shown | {"mode": "shadow"})
    assert world.reason(token(world)) == "no_matching_credential"
    world.put("/v1/issuerGroups/all", {"issuers": ["prod"]})
    for name, said in (("by-group", {"issuerGroup": "all", "subject": shown["subject"]}),
                       ("by-rule", {"issuerName": "prod", "claimsMatchingExpression": {"value": "claims['sub'] matches 'system:*'", "languageVersion": 1}})):
        path = CREDENTIAL.replace("builder", name)
        world.put(path, said | {"audiences": ["relyd"]})
        assert world.check(token(world)).header("x-relyd-credential") == name
        assert pinned(world, path) is None
        world.admin("DELETE", path)
    assert pinned(world) is None


def test_a_token_without_a_uid(world):
    pin_first_uses(world)
    for uid in (None, "", "short", ONE.upper()):
        assert world.reason(token(world, uid)) == "guard_refused"
    assert "guard pinServiceAccountUid" in world.explain(token(world, None))["detail"]
    assert pinned(world) is None


@pytest.mark.threads
def test_nothing_passes_while_it_cannot_be_written(start):
    relyd = start(keys__miss_wait_ms=300, tokenreview__error_on_refusal=False)
    relyd.signer = relyd.put_world()
    pin_first_uses(relyd)
    first = token(relyd)
    with locked(relyd):
        answers = [relyd.check(first), relyd.check(first)]
        assert [(answer.status, answer.header("x-relyd-reason")) for answer in answers] == [(401, "pin_pending")] * 2
        status = relyd.tokenreview(first)
        assert status["authenticated"] is False and "pin_pending" in status["error"]  # else kube-apiserver would remember it
    wire.wait_for(lambda: pinned(relyd) == ONE, 10, "the uid")
    assert relyd.check(first).status == 200 and relyd.reason(token(relyd, TWO)) == "uid_changed"


def test_nothing_passes_on_a_full_disk(start, small_disk):
    relyd = start(registry__path=str(small_disk / "relyd.db"))
    relyd.signer = relyd.put_world()
    pin_first_uses(relyd)
    fill(small_disk)
    number = 0
    while relyd.admin("PUT", f"/v1/identities/fill-{number}", {"description": "x" * 600}).status == 201:
        number += 1
    first = token(relyd)
    for _ in range(3):
        assert relyd.check(first).header("x-relyd-reason") == "pin_pending"
    wire.wait_for(lambda: "uid_not_pinned" in relyd.log(), 10, "the log")
    (small_disk / "ballast").unlink()
    wire.wait_for(lambda: relyd.check(first).status == 200, 10, "the uid")
    assert relyd.reason(token(relyd, TWO)) == "uid_changed"


@pytest.mark.threads
def test_many_wait_for_one_pin(start):
    relyd = start(keys__miss_wait_ms=4000)
    relyd.signer = relyd.put_world()
    pin_first_uses(relyd)
    relyd.put_credential("other", subject="system:serviceaccount:team-a:other")
    asked = [token(relyd) for _ in range(20)] + [token(relyd, TWO, account="other") for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        assert set(pool.map(relyd.reason, asked)) == {"ok"}
    assert (pinned(relyd), pinned(relyd, CREDENTIAL.replace("builder", "other"))) == (ONE, TWO)


@pytest.mark.long
@pytest.mark.threads
def test_two_uids_at_one_instant(start):
    """One account is made anew while both have tokens: exactly one of both ever passes, whichever asks first, at both workers."""
    relyd = start(keys__miss_wait_ms=4000, log__decisions="none")
    relyd.signer = relyd.put_world()
    pin_first_uses(relyd)
    heads = [{"Authorization": f"Bearer {token(relyd, uid)}"} for uid in (ONE, TWO)]
    clients = [wire.Client(relyd.data) for _ in range(8)]
    winners = set()
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(contextlib.closing(client))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(clients)))
        for number in range(scale.count(1000)):
            gate = threading.Barrier(len(clients))

            def ask(place):
                gate.wait()
                return client_answer(clients[place], heads[place % 2])

            reasons = list(pool.map(ask, range(len(clients))))
            passed = {place % 2 for place, reason in enumerate(reasons) if reason == "ok"}
            assert len(passed) == 1 and set(reasons) == {"ok", "uid_changed"}, (number, reasons)
            [winner] = passed
            assert pinned(relyd) == (ONE, TWO)[winner]
            assert [client_answer(client, heads[1 - winner]) for client in clients] == ["uid_changed"] * len(clients)
            winners.add(winner)
            pin(relyd, None)
    assert winners == {0, 1}


def client_answer(client, head):
    answer = client.ask("GET", "/check/default", headers=head)
    return "ok" if answer.status == 200 else answer.header("x-relyd-reason")
