"""Liveness: behind a local allow the cluster that issued the token says whether what it is bound to is still there."""

import concurrent.futures
import json
import time
import uuid

import pytest
import tokens
import wire
from cluster import NO, Cluster, review, yes
from issuer import Authority, response
from service import ISSUER

SECRET = "reviewer.SECRET-1"
PROD = "/v1/issuers/prod"
CACHED = 4  # as often as it takes until a cache has a token


@pytest.fixture
def cluster():
    server = Cluster()
    yield server
    server.gate.set()
    server.stop()


class World:
    def __init__(self, start, folder, cluster, **settings):
        (folder / "keys.d").mkdir()
        (folder / "keys.d" / "reviewer.token").write_text(SECRET + "\n")
        self.cluster, self.key = cluster, tokens.key("prod")
        self.relyd = start(keys__folder=str(folder / "keys.d"), keys__miss_wait_ms=10000, **settings)
        self.put()
        self.relyd.put_identity()
        self.relyd.put_credential()
        self.relyd.await_all_workers()

    def put(self, private=True, **fields):
        return self.relyd.put_issuer(keys={"jwks": tokens.jwks(self.key)}, allowPrivateAddresses=private, liveness=self.cluster.liveness(**fields))

    def token(self, uid=None, pod=None, **changes):
        of = {"namespace": "team-a", "serviceaccount": {"name": "builder", "uid": uid or str(uuid.uuid4())}}
        if pod is not None:
            of["pod"] = {"name": "p", "uid": pod}
        return self.key.sign(tokens.claims(ISSUER, **{"kubernetes.io": of} | changes))


@pytest.fixture
def world(start, tmp_path, cluster):
    return World(start, tmp_path, cluster, workers=2)


def settle(world, token, reason, count=8):
    """Each worker says so, and goes on saying it."""
    assert [world.relyd.reason(token) for _ in range(count)] == [reason] * count


# --- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_it_is_asked_and_says_yes(world):
    token, begin = world.token(pod="pod-1", aud=["relyd", "vault"]), time.monotonic()
    answer = world.relyd.review(token)
    assert (answer["reason"], "liveness" in answer) == ("ok", False)
    question, head = world.cluster.questions[0], world.cluster.heads[0]
    assert question == {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {"token": token, "audiences": ["relyd", "vault"]}}
    assert (head["method"], head["content-type"], head["authorization"]) == ("POST", "application/json", "Bearer " + SECRET)
    assert world.relyd.check(token).status == 200
    assert world.relyd.tokenreview(token)["authenticated"] is True
    settle(world, token, "ok")
    assert world.cluster.asked() <= 1 + int((time.monotonic() - begin) / 5)  # every worker was told; it is asked for again when it is old
    assert SECRET not in world.relyd.log() and token not in world.relyd.log()


def test_two_workers_ask_once(world):
    world.cluster.gate.clear()
    uid, pods = str(uuid.uuid4()), ["pod-1"] * 100
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(world.relyd.reason, world.token(uid, pod)) for pod in pods]
        wire.wait_for(lambda: world.cluster.asked() == 1, what="the question")
        world.cluster.gate.set()
        assert {each.result() for each in answers} == {"ok"}
    assert world.cluster.asked() == 1
    assert world.relyd.reason(world.token(uid, "pod-2")) == "ok" and world.cluster.asked() == 2
    assert world.relyd.reason(world.token(str(uuid.uuid4()), "pod-1")) == "ok" and world.cluster.asked() == 3


def test_nobody_is_asked_about_what_rules_refuse(world):
    assert world.relyd.reason(world.token(sub="system:serviceaccount:team-a:other", **{"kubernetes.io": None})) == "no_matching_credential"
    assert world.relyd.reason(world.token(aud=["other"])) == "audience_mismatch"
    assert world.relyd.reason(world.token(exp=1)) == "expired"
    assert world.relyd.reason(tokens.key("stranger").sign(tokens.claims(ISSUER))) == "key_unknown"
    assert world.cluster.asked() == 0


def test_a_record_without_it_asks_nobody(world):
    world.relyd.put_issuer(keys={"jwks": tokens.jwks(world.key)})
    assert "liveness" not in world.relyd.admin("GET", PROD).json()
    settle(world, world.token(), "ok")
    assert world.cluster.asked() == 0


def test_a_token_without_an_account_is_not_live(world):
    world.relyd.put_credential("someone", subject="someone")
    assert world.relyd.reason(world.token(sub="someone", **{"kubernetes.io": None})) == "token_not_live"
    assert world.cluster.asked() == 0


def test_a_token_at_its_end_asks_nobody(world):
    """Its cluster would say no, and that would be taken for the end of its pod."""
    uid = str(uuid.uuid4())
    assert world.relyd.reason(world.token(uid, lifetime=0, exp=int(tokens.claims(ISSUER)["iat"]) + 7)) == "liveness_unavailable"
    assert world.cluster.asked() == 0
    assert world.relyd.reason(world.token(uid)) == "ok"


# --- no --------------------------------------------------------------------------------------------------------------


@pytest.mark.threads
def test_no_is_for_good(world):
    world.cluster.say = NO
    uid = str(uuid.uuid4())
    token = world.token(uid)
    settle(world, token, "token_not_live")
    world.cluster.say = yes
    settle(world, token, "token_not_live")
    settle(world, world.token(uid), "token_not_live")
    answer = world.relyd.check(token)
    assert (answer.status, answer.header("x-relyd-reason")) == (401, "token_not_live")
    assert world.cluster.asked() == 1
    assert world.relyd.reason(world.token()) == "ok"


def test_no_ends_what_a_cache_has(world):
    token = world.token()
    settle(world, token, "ok", CACHED * 2)
    world.cluster.say = NO
    wire.wait_for(lambda: world.relyd.reason(token) == "token_not_live", what="the end, asked behind an answer", seconds=20)
    world.cluster.say = yes
    settle(world, token, "token_not_live")


OTHERS = {
    "another uid": lambda question: yes(question, user=yes(question)["user"] | {"uid": "another"}),
    "another user": lambda question: yes(question, user=yes(question)["user"] | {"username": "system:serviceaccount:team-a:other"}),
    "nobody": lambda question: yes(question, user=yes(question)["user"] | {"username": "system:anonymous"}),
    "false": lambda question: {"authenticated": False, "user": {}},
    "null uid": lambda question: yes(question, user=yes(question)["user"] | {"uid": None}),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("unavailable", ["deny", "allow"])
def test_somebody_else_is_no(world, kind, unavailable):
    world.put(unavailable=unavailable)
    world.cluster.say = OTHERS[kind]
    settle(world, world.token(), "token_not_live")


# --- nothing ---------------------------------------------------------------------------------------------------------


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    while True:
        connection.sendall(b" " * 65536)


LIES = {
    "no status": review(None),
    "a text for a status": review("Failure"),
    "another kind": review({"authenticated": True}, kind="Status"),
    "another version": lambda question: review(yes(question), apiVersion="authentication.k8s.io/v9"),
    "a text for true": lambda question: yes(question, authenticated="true"),
    "true and no user": {"authenticated": True},
    "true and an error": lambda question: yes(question, error="but"),
    "no audiences": lambda question: {name: value for name, value in yes(question).items() if name != "audiences"},
    "another audience": lambda question: yes(question, audiences=["other"]),
    "twice": lambda question: response(json.dumps({"status": yes(question)})[:-1] + ',"status":{"authenticated":true}}'),
    "HTML": response("<html>login</html>", "200 OK", "text/html"),
    "cut short": lambda question: review(yes(question))[:-9],
    "empty": response(""),
    "500": lambda question: review(yes(question), "500 Internal Server Error"),
    "401": lambda question: review(yes(question), "401 Unauthorized"),
    "202": lambda question: review(yes(question), "202 Accepted"),
    "elsewhere": response("", "307 Temporary Redirect", "text/plain", "Location: /elsewhere"),
    "never ends": lambda question: endless,
    "hangs up": lambda question: lambda connection: connection.close(),
}


@pytest.mark.parametrize("kind", LIES)
def test_what_is_no_answer_is_no_yes(world, kind):
    world.cluster.say = LIES[kind]
    token = world.token()
    world.cluster.answers["/elsewhere"] = review(yes({"spec": {"token": token, "audiences": ["relyd"]}}))
    answer = world.relyd.review(token)
    assert (answer["decision"], answer["reason"]) == ("deny", "liveness_unavailable")
    assert world.relyd.tokenreview(token).get("error", "").startswith("liveness_unavailable")
    world.relyd.wait_for_words("liveness_not_said")
    assert SECRET not in world.relyd.log() and token not in world.relyd.log()
    world.cluster.say = yes
    wire.wait_for(lambda: world.relyd.reason(token) == "ok", what="the next question")


def test_allow_is_said(world):
    world.put(unavailable="allow")
    world.cluster.say = LIES["500"]
    answer = world.relyd.review(world.token())
    assert (answer["decision"], answer["liveness"]) == ("allow", "assumed")
    wire.wait_for(lambda: any(line.get("liveness") == "assumed" for line in world.relyd.events()), what="the decision's line")
    world.cluster.say = yes
    assert "liveness" not in world.relyd.review(world.token())


def test_a_cluster_that_is_away(world):
    world.cluster.stop()
    assert world.relyd.reason(world.token()) == "liveness_unavailable"
    world.put(unavailable="allow")
    assert world.relyd.review(world.token())["liveness"] == "assumed"


def test_waiting_ends(start, tmp_path, cluster):
    cluster.gate.clear()
    world = World(start, tmp_path, cluster)
    world.relyd.stop()
    world.relyd.settings["keys.miss_wait_ms"] = 50
    world.relyd.start()
    assert world.relyd.reason(world.token()) == "liveness_unavailable"
    world.put(unavailable="allow")
    assert world.relyd.review(world.token())["liveness"] == "assumed"


def test_the_fences_of_fetching_hold(world):
    world.put(private=False)
    assert world.relyd.reason(world.token()) == "liveness_unavailable"
    world.relyd.wait_for_words("127.0.0.1")
    assert world.cluster.asked() == 0


def test_its_own_authority_is_asked_for(world):
    world.put(caBundle=Authority().pem)
    assert world.relyd.reason(world.token()) == "liveness_unavailable"
    assert world.cluster.asked() == 0


def test_the_token_for_it_is_read_each_time(world, tmp_path):
    (tmp_path / "keys.d" / "reviewer.token").unlink()
    assert world.relyd.reason(world.token()) == "liveness_unavailable" and world.cluster.asked() == 0
    (tmp_path / "keys.d" / "reviewer.token").write_text("second")
    assert world.relyd.reason(world.token()) == "ok"
    assert world.cluster.heads[-1]["authorization"] == "Bearer second"


def test_the_rate_is_kept(world):
    world.put(ratePerSecond=1)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(world.relyd.reason, [world.token() for _ in range(16)]))
    assert set(answers) == {"ok", "liveness_unavailable"} and world.cluster.asked() == answers.count("ok") < 8


# --- who asks, explain, batches --------------------------------------------------------------------------------------


def test_an_administrators_own_token(world):
    world.relyd.put_identity("boss", roles=["admin"])
    world.relyd.put_credential("boss", "boss", subject="system:serviceaccount:ops:boss", audiences=["relyd"])
    of = {"namespace": "ops", "serviceaccount": {"name": "boss", "uid": "boss-uid"}}
    token = world.token(sub="system:serviceaccount:ops:boss", **{"kubernetes.io": of})
    headers = {"Authorization": f"Bearer {token}"}
    assert world.relyd.admin("GET", PROD, None, headers).status == 200 and world.cluster.asked() == 1
    gone = world.token(sub="system:serviceaccount:ops:boss", **{"kubernetes.io": of | {"pod": {"name": "p", "uid": "gone"}}})
    world.cluster.say = NO
    assert world.relyd.admin("GET", PROD, None, {"Authorization": f"Bearer {gone}"}).status == 401


def test_explain_asks_nobody(world):
    token = world.token()
    explained = world.relyd.explain(token)
    assert (explained["reason"], explained["steps"][-1]["step"]) == ("liveness_unavailable", "decision") and world.cluster.asked() == 0
    assert world.relyd.reason(token) == "ok"
    wire.wait_for(lambda: world.relyd.explain(token)["reason"] == "ok", what="the word at the control plane")


def test_of_many_tokens_each_is_asked(world):
    many = [world.token(), world.token(aud=["other"]), world.token()]
    answer = wire.ask(world.relyd.data, "POST", "/v1/review", {"tokens": many}).json()["value"]
    assert [each["reason"] for each in answer] == ["ok", "audience_mismatch", "ok"] and world.cluster.asked() == 2


# --- the record ------------------------------------------------------------------------------------------------------


def test_it_is_shown_and_taken_away(world):
    assert world.relyd.admin("GET", PROD).json()["liveness"] == world.cluster.liveness(unavailable="deny", ratePerSecond=50)
    token = world.token()
    world.cluster.say = NO
    settle(world, token, "token_not_live")
    world.cluster.say = yes
    world.put(ratePerSecond=3)  # another edition of the record is another word
    settle(world, token, "ok")
    world.relyd.restart()
    assert world.relyd.admin("GET", PROD).json()["liveness"]["ratePerSecond"] == 3
    shown = world.relyd.put_issuer(keys={"jwks": tokens.jwks(world.key)})
    assert "liveness" not in shown and any(each["code"] == "protection_left_out" and each["field"] == "liveness" for each in shown["warnings"])


WRONG = {
    "liveness": ("yes", "wrong_type"),
    "liveness.url": ({"bearerTokenFile": "t"}, "required"),
    "liveness.bearerTokenFile": ({"url": "https://c.example"}, "required"),
    "liveness.caBundle": ({"url": "https://c.example", "bearerTokenFile": "t", "caBundle": "none"}, "invalid_value"),
    "liveness.unavailable": ({"url": "https://c.example", "bearerTokenFile": "t", "unavailable": "maybe"}, "invalid_value"),
    "liveness.ratePerSecond": ({"url": "https://c.example", "bearerTokenFile": "t", "ratePerSecond": 1001}, "out_of_range"),
    "liveness.token": ({"url": "https://c.example", "bearerTokenFile": "t", "token": "t"}, "unknown_field"),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_a_record_may_not_say(world, field):
    value, code = WRONG[field]
    answer = world.relyd.admin("PUT", PROD, {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(world.key)}, "liveness": value})
    assert (answer.status, [(each["field"], each["code"]) for each in answer.json()["errors"]]) == (400, [(field, code)])


@pytest.mark.parametrize("url", ["http://c.example", "https://u@c.example", "https://c.example/?a", "c.example"])
def test_only_https(world, url):
    answer = world.relyd.admin("PUT", PROD, {"issuer": ISSUER, "keys": {"jwks": tokens.jwks(world.key)}, "liveness": {"url": url, "bearerTokenFile": "t"}})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (400, "liveness.url")


def test_it_needs_the_folder(relyd):
    answer = relyd.admin("PUT", PROD, {"issuer": ISSUER, "liveness": {"url": "https://c.example", "bearerTokenFile": "t"}})
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [("liveness.bearerTokenFile", "not_allowed")]
