"""POST /v1/issuers/{name}:refresh: the keys are fetched now, and the answer says step by step what happened."""

import http.client
import socket
import threading
import time

import tokens
import wire
from issuer import DISCOVERY, response
from test_conditions import conditions, first_false, settled
from test_misbehaving_issuers import JWKS

STEPS = ["resolve", "connect", "tls", "discovery", "issuer", "keys", "judge"]


def refresh(relyd, name="cluster"):
    answer = relyd.admin("POST", f"/v1/issuers/{name}:refresh")
    assert answer.status == 200, answer
    return answer.json()


def outcomes(found):
    assert [step["step"] for step in found["steps"]] == STEPS
    assert all(list(step) == ["step", "outcome", "reason", "detail", "ms"] and step["ms"] >= 0 and step["detail"] for step in found["steps"])
    return [step["outcome"] for step in found["steps"]]


def test_it_is_fetched_now(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    asked = issuer.count()
    found = refresh(relyd)
    assert list(found) == ["issuerName", "outcome", "steps", "kids", "generation"]
    assert (found["issuerName"], found["outcome"], found["kids"]) == ("cluster", "unchanged", [issuer.keys[0].kid])
    assert outcomes(found) == ["passed"] * 7 and found["steps"][0]["detail"] == "127.0.0.1"
    assert issuer.count() == asked + 1
    text = issuer.requests_text[-1].lower()
    assert b"cache-control: no-cache" in text and b"if-none-match" not in text
    issuer.keys = [*issuer.keys, tokens.key("rotated")]
    found = refresh(relyd)
    assert (found["outcome"], found["kids"]) == ("accepted", [key.kid for key in issuer.keys])


def test_a_set_that_drops_every_key_in_use(relyd, issuer):
    """It is held back, and an administrator who believes it says so."""
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    old, issuer.keys = issuer.keys[0], [tokens.key("rotated")]
    found = refresh(relyd)
    assert found["outcome"] == "held_back" and old.kid in found["kids"]
    answer = relyd.admin("POST", "/v1/issuers/cluster:refresh?believe=true")
    assert (answer.json()["outcome"], answer.json()["kids"]) == ("accepted", [issuer.keys[0].kid])


def test_what_fails_is_said(relyd, issuer):
    """And mended at once, whatever the back-off says."""
    issuer.answers[JWKS] = response({}, "404 Not Found")
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    found = refresh(relyd)
    assert found["outcome"] == "failed" and found["kids"] == []
    assert outcomes(found) == ["passed"] * 5 + ["failed", "skipped"]
    assert (found["steps"][5]["reason"], found["steps"][6]["reason"]) == ("not_found", "not_reached")
    assert "answered 404, not 200: to mend it, correct the path" in found["steps"][5]["detail"]
    del issuer.answers[JWKS]
    assert refresh(relyd)["outcome"] == "accepted"
    assert first_false(conditions(relyd, "cluster"))["reason"] == "none_yet"


def test_nothing_to_fetch(relyd):
    relyd.put_world()
    found = refresh(relyd, "prod")
    assert found["outcome"] == "unchanged" and len(found["kids"]) == 1
    assert outcomes(found) == ["skipped"] * 5 + ["passed"] * 2


def test_nobody_of_that_name(relyd):
    for path, status in (("/v1/issuers/nobody:refresh", 404), ("/v1/issuers/nobody:other", 404), ("/v1/issuers/:refresh", 404), ("/v1/issuers/a:b:refresh", 404)):
        assert relyd.admin("POST", path).status == status, path
    assert relyd.admin("GET", "/v1/issuers/nobody:refresh").header("allow") == "POST"
    assert relyd.admin("POST", "/v1/issuers/nobody:refresh?believe=maybe").json()["errors"][0]["field"] == "believe"


def test_an_issuer_that_hangs_holds_up_nobody_for_long(start, issuer):
    relyd = start(keys__fetch_timeout_ms=1500)
    ended = threading.Event()
    issuer.answers[DISCOVERY] = lambda server, connection: ended.wait(20)
    relyd.put_issuer("cluster", **issuer.record())
    begun = time.monotonic()
    found = refresh(relyd)
    assert time.monotonic() - begun < 10
    assert found["outcome"] == "failed"
    assert "not over in time" in found.get("detail", "") or outcomes(found)[3] == "failed"
    ended.set()


def test_who_orders_together_gets_one_fetch(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    asked, may_go = issuer.count(DISCOVERY), threading.Event()

    def wait(server, connection):
        may_go.wait(5)
        connection.sendall(response(server.discovery()))

    issuer.answers[DISCOVERY] = wait
    found = []
    threads = [threading.Thread(target=lambda: found.append(refresh(relyd)["outcome"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    wire.wait_for(lambda: issuer.count(DISCOVERY) > asked, what="the fetch")
    may_go.set()
    for thread in threads:
        thread.join()
    assert found == ["unchanged"] * 8
    assert issuer.count(DISCOVERY) - asked <= 2  # one that came when the first was over orders the next


def test_orders_do_not_hammer(start, issuer):
    """Three at once, then one in each keys.miss_cooldown_ms; where that is too long to wait for: 503."""
    relyd = start(keys__miss_cooldown_ms=600000)
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    asked = issuer.count()
    assert [relyd.admin("POST", "/v1/issuers/cluster:refresh").status for _ in range(5)] == [200] * 3 + [503] * 2
    answer = relyd.admin("POST", "/v1/issuers/cluster:refresh")
    assert answer.json()["code"] == "busy" and "too often of late" in answer.json()["detail"]
    assert issuer.count() == asked + 3


def test_a_client_who_leaves(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    settled(relyd, "cluster")
    may_go, asked = threading.Event(), issuer.count(DISCOVERY)

    def wait(server, connection):
        may_go.wait(5)
        connection.sendall(response(server.discovery()))

    issuer.answers[DISCOVERY] = wait
    for _ in range(3):
        client = http.client.HTTPConnection("relyd")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(str(relyd.socket))
        client.request("POST", "/v1/issuers/cluster:refresh")
        wire.wait_for(lambda: issuer.count(DISCOVERY) > asked, what="the fetch")
        client.close()
    may_go.set()
    assert refresh(relyd)["outcome"] == "unchanged"


