"""What a cluster says is deleted: `POST /v1/issuers/{name}/tombstones`, by a token of its own."""

import contextlib
import http.client
import threading
import time

import pytest
import scale
import tokens
import wire

PUSHER = "system:serviceaccount:relyd:key-push"
PATH = "/v1/issuers/prod/tombstones"
ISSUER = "https://prod.example"


class World:
    def __init__(self, relyd):
        self.relyd = relyd
        self.key = tokens.key("prod")
        self.put()
        relyd.put_identity()
        relyd.put_credential()

    def put(self, **fields):
        self.relyd.put_issuer(keys={"jwks": tokens.jwks(self.key)}, **{"pushSubjects": [PUSHER]} | fields)

    def pusher(self, key=None, **changes):
        claims = {"sub": PUSHER, "kubernetes.io": {"namespace": "relyd", "serviceaccount": {"name": "key-push", "uid": "pusher-uid"}}}
        return (key or self.key).sign(tokens.claims(ISSUER, **claims | changes))

    def push(self, *uids, token=None, path=PATH, body=None):
        body = {"uids": [{"kind": kind, "uid": uid} for kind, uid in uids]} if body is None else body
        headers = {"Authorization": f"Bearer {self.pusher() if token is None else token}"}
        return self.relyd.admin("POST", path, body, headers)

    def workload(self, **of):
        own = {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": "account-uid"}} | of
        return self.key.sign(tokens.claims(ISSUER, **{"kubernetes.io": own}))

    def revocations(self):
        return self.relyd.admin("GET", "/v1/revocations?limit=1000").json()["value"]


@pytest.fixture
def world(relyd):
    return World(relyd)


KINDS = {
    "serviceAccount": ("serviceAccountUid", {"serviceaccount": {"name": "builder", "uid": "gone"}}),
    "pod": ("podUid", {"pod": {"name": "p", "uid": "gone"}}),
    "secret": ("secretUid", {"secret": {"name": "s", "uid": "gone"}}),
    "node": ("nodeUid", {"node": {"name": "n", "uid": "gone"}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_deleted_is_refused_from_then_on(world, kind):
    field, bound = KINDS[kind]
    token = world.workload(**bound)
    assert world.relyd.reason(token) == "ok"
    answer = world.push((kind, "gone"), (kind, "another"), (kind, "another"))
    assert (answer.status, answer.json()) == (200, {"accepted": 2, "known": 1})
    assert world.relyd.reason(token) == "revoked"
    assert world.relyd.reason(world.workload()) == "ok"
    found = world.revocations()
    assert sorted(one[field] for one in found) == ["another", "gone"] and {one["issuerName"] for one in found} == {"prod"}
    assert {one["reason"] for one in found} == {"deleted, as its cluster says"}


def test_it_ends_with_the_last_token(world):
    world.put(maxTokenLifetimeSeconds=3600)
    token = world.pusher(iat=now(), nbf=now(), exp=now() + 600)
    assert world.push(("pod", "gone"), token=token).status == 200
    until = time.strptime(world.revocations()[0]["until"], "%Y-%m-%dT%H:%M:%SZ")
    assert 3600 <= time.mktime(until) - time.timezone - time.time() <= 3600 + 300


def test_again_and_out_of_order(world):
    """Replayed, or one behind the other: nothing comes back to life, and nothing is there twice."""
    token = world.pusher()
    first, second = [("pod", "one"), ("pod", "two")], [("pod", "two"), ("pod", "three")]
    assert world.push(*second, token=token).json() == {"accepted": 2, "known": 0}
    assert world.push(*first, token=token).json() == {"accepted": 1, "known": 1}
    for again in (second, first):
        assert world.push(*again, token=token).json() == {"accepted": 0, "known": 2}
    assert len(world.revocations()) == 3


def test_of_another_cluster_it_says_nothing(world):
    """The same uid in another record is another object."""
    other = tokens.key("other")
    world.relyd.put_issuer("other", "https://other.example", keys={"jwks": tokens.jwks(other)})
    world.relyd.put_credential("elsewhere", issuer="https://other.example")
    bound = {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": "x"}, "pod": {"name": "p", "uid": "gone"}}
    token = other.sign(tokens.claims("https://other.example", **{"kubernetes.io": bound}))
    world.push(("pod", "gone"))
    assert world.relyd.reason(token) == "ok"
    assert world.push(("pod", "gone"), path="/v1/issuers/other/tombstones").status == 403


def now():
    return int(time.time())


NOT_PROVEN = {
    "nothing": lambda world: "",
    "no JWT": lambda world: "abc",
    "another key": lambda world: world.pusher(tokens.key("stranger")),
    "forged kid": lambda world: tokens.key("stranger").sign(tokens.claims(ISSUER, sub=PUSHER), kid=world.key.kid),
    "expired": lambda world: world.pusher(exp=now() - 3600, iat=now() - 7200, nbf=now() - 7200),
    "of tomorrow": lambda world: world.pusher(iat=now() + 86400, nbf=now() + 86400, exp=now() + 90000),
}


@pytest.mark.parametrize("name", NOT_PROVEN)
def test_who_is_not_the_cluster(world, name):
    answer = world.push(("pod", "gone"), token=NOT_PROVEN[name](world))
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated"), answer
    assert world.revocations() == []


NOT_PERMITTED = {
    "another subject": ({"sub": "system:serviceaccount:team-a:builder",
                         "kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": "u"}}}, "pushSubjects"),
    "its beginning": ({"sub": PUSHER + "2", "kubernetes.io": {"namespace": "relyd", "serviceaccount": {"name": "key-push2", "uid": "u"}}}, "pushSubjects"),
    "another audience": ({"aud": ["vault"]}, "auth.audience"),
}


@pytest.mark.parametrize("name", NOT_PERMITTED)
def test_whose_tokens_may_not(world, name):
    changes, words = NOT_PERMITTED[name]
    token = world.pusher(**changes)
    answer = world.push(("pod", "gone"), token=token)
    assert (answer.status, answer.json()["code"]) == (403, "not_permitted") and words in answer.json()["detail"]
    assert world.revocations() == []
    wire.wait_for(lambda: "tombstones" in world.relyd.log(), what="a line of the log")
    assert token not in world.relyd.log()


def test_nobody_may_without_push_subjects(world):
    world.put(pushSubjects=[])
    assert world.push(("pod", "gone")).status == 403


def test_a_revoked_pusher(world):
    """By its own uid: whoever has stolen its token is stopped as everybody is."""
    assert world.push(("serviceAccount", "pusher-uid")).json() == {"accepted": 1, "known": 0}
    assert world.push(("pod", "gone")).status == 401


def test_a_disabled_record(world):
    world.put(enabled=False)
    assert world.push(("pod", "gone")).status == 401


def test_an_administrator_is_no_cluster(world):
    assert world.relyd.admin("POST", PATH, {"uids": [{"kind": "pod", "uid": "gone"}]}).status == 401


WRONG = {
    "no list": ({}, "uids"),
    "empty": ({"uids": []}, "uids"),
    "an object": ({"uids": {}}, "uids"),
    "another member": ({"uids": [{"kind": "pod", "uid": "a"}], "force": True}, "uids"),
    "too many": ({"uids": [{"kind": "pod", "uid": str(i)} for i in range(1001)]}, "uids"),
    "kind": ({"uids": [{"kind": "namespace", "uid": "a"}]}, "uids[0].kind"),
    "no kind": ({"uids": [{"kind": "pod", "uid": "a"}, {"uid": "a", "x": 1}]}, "uids[1].kind"),
    "no uid": ({"uids": [{"kind": "pod", "uid": ""}]}, "uids[0].uid"),
    "long uid": ({"uids": [{"kind": "pod", "uid": "x" * 601}]}, "uids[0].uid"),
    "control": ({"uids": [{"kind": "pod", "uid": "a\n"}]}, "uids[0].uid"),
    "text": ({"uids": ["a"]}, "uids[0]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bodies_that_are_refused_whole(world, name):
    body, field = WRONG[name]
    answer = world.push(body=body)
    assert answer.status == 400 and answer.json()["code"] == "invalid_body", answer
    assert (answer.json()["errors"][0]["field"], answer.json()["errors"][0]["code"]) == (field, "invalid_value")
    assert world.revocations() == []


def test_a_thousand_at_once(world):
    answer = world.push(*[("pod", f"pod-{i}") for i in range(1000)])
    assert answer.json() == {"accepted": 1000, "known": 0}
    assert world.relyd.reason(world.workload(pod={"name": "p", "uid": "pod-999"})) == "revoked"
    assert world.relyd.restart() and world.relyd.reason(world.workload(pod={"name": "p", "uid": "pod-0"})) == "revoked"


def test_a_flood_of_reports(world):
    """Of one cluster one report is written at a time, in parts: whoever else writes has his turn between them."""
    answers, is_over, token = [], threading.Event(), world.pusher()

    def flood(number):
        count = 0
        while not is_over.is_set():
            count += 1
            answers.append(world.push(*[("pod", f"{number}-{count}-{i}") for i in range(500)], token=token))

    strangers = [threading.Thread(target=flood, args=(number,)) for number in range(8)]
    for stranger in strangers:
        stranger.start()
    try:
        wire.wait_for(lambda: len(answers) > 20, 60, "the flood")
        for number in range(5):
            begun = time.monotonic()
            world.relyd.put_identity("between", description=f"{number}")
            assert time.monotonic() - begun < 3 * scale.PATIENCE
    finally:
        is_over.set()
        for stranger in strangers:
            stranger.join()
    assert {(answer.status, answer.json().get("code")) for answer in answers} == {(200, None), (503, "busy")}
    accepted = sum(answer.json().get("accepted", 0) for answer in answers)
    assert accepted > 0 and accepted % 500 == 0


def test_a_stop_in_the_middle_of_a_report(start):
    """What is written stays, and the rest is not begun."""
    world = World(start(shutdown__drain_ms=0))
    answers = []

    def push():
        with contextlib.suppress(OSError, http.client.HTTPException):
            answers.append(world.push(*[("pod", f"pod-{i}") for i in range(1000)]))

    pushing = threading.Thread(target=push)
    pushing.start()
    wire.wait_for(world.revocations, what="the first part")
    world.relyd.stop()
    pushing.join()
    assert [answer.status for answer in answers] in ([], [200], [503])
    world.relyd.start()
    written = len(world.revocations())
    assert 0 < written <= 1000 and (written == 1000 or written % 64 == 0)


def test_push_subjects_are_a_list_of_eight(relyd):
    for subjects, field, code in (([str(i) for i in range(9)], "pushSubjects", "too_many"), (["a", "a"], "pushSubjects[1]", "duplicate"),
                                  ([""], "pushSubjects[0]", "too_short"), ("a", "pushSubjects", "wrong_type")):
        answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "pushSubjects": subjects})
        assert answer.status == 400
        assert (answer.json()["errors"][0]["field"], answer.json()["errors"][0]["code"]) == (field, code)
    assert relyd.put_issuer(pushSubjects=[PUSHER])["pushSubjects"] == [PUSHER]
