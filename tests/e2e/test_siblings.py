"""Records that share an `iss`: a key is one record's, whoever else publishes it, and whatever the order."""

import json
import re
import sqlite3

import pytest
import tokens
import wire
from issuer import response

pytestmark = pytest.mark.threads

URL = "https://kubernetes.default.svc.cluster.local"


def put_record(relyd, name, *keys, **fields):
    """A record of the shared `iss` with an uploaded set, and its identity: the record's name."""
    relyd.put_issuer(name, URL, keys={"jwks": tokens.jwks(*keys)}, **fields)
    put_rule(relyd, name)


def put_rule(relyd, name):
    relyd.put_identity(f"of-{name}")
    relyd.put(
        f"/v1/identities/of-{name}/federatedIdentityCredentials/rule",
        {"issuerName": name, "subject": "system:serviceaccount:team-a:builder", "audiences": ["relyd"]},
    )


def sign(key, **header):
    return key.sign(tokens.claims(URL), **header)


def identity_of(relyd, token):
    decision = relyd.review(token)
    return [identity["name"] for identity in decision.get("identities", [])] or decision["reason"]


def keys_of(relyd, name):
    answer = relyd.admin("GET", f"/v1/issuers/{name}/keys")
    assert answer.status == 200, answer
    return answer.json()


def check_refused(answer, holder):
    assert answer.status == 400, answer
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["code"]) == ("keys.jwks", "duplicate_key")
    assert f"issuer {holder}," in problem["message"]


def test_a6_an_uploaded_set_with_anothers_key_is_refused(relyd):
    """The victim's own public key, under its kid, another or none, with another alg, alone or among others: the record
    that has it keeps it."""
    victim, own = tokens.key("victim"), tokens.key("own")
    put_record(relyd, "victim", victim)
    for jwk in (victim.jwk(), victim.jwk(kid="x"), victim.jwk(kid=None), victim.jwk(alg="PS512"), victim.jwk(alg=None)):
        for keys in ([jwk], [own.jwk(), jwk]):
            check_refused(relyd.admin("PUT", "/v1/issuers/other", {"issuer": URL, "keys": {"jwks": {"keys": keys}}}), "victim")
    assert relyd.admin("GET", "/v1/issuers/other").status == 404
    assert identity_of(relyd, sign(victim)) == identity_of(relyd, sign(victim, kid=None)) == ["of-victim"]
    put_record(relyd, "other", own)
    both = {"issuer": URL, "keys": {"jwks": tokens.jwks(own, victim)}}
    check_refused(relyd.admin("PUT", "/v1/issuers/other", both), "victim")
    assert identity_of(relyd, sign(own)) == ["of-other"]
    relyd.put_issuer("elsewhere", "https://elsewhere.example", keys={"jwks": tokens.jwks(victim)})  # another iss


def put_fetched(relyd, issuer, name, *keys, **fields):
    """A record of the shared `iss` whose set is fetched from a path of its own."""
    issuer.answers[f"/{name}"] = response({"keys": [key.jwk() for key in keys]})
    relyd.put_issuer(
        name, URL, keys={"jwksUri": f"{issuer.url}/{name}"}, caBundle=issuer.ca, allowPrivateAddresses=True, **fields
    )
    put_rule(relyd, name)


def await_everywhere(relyd, condition, what):
    """A fetched set reaches one worker before the other, and nothing acknowledges it."""
    wire.wait_for(condition, what=what)
    relyd.await_all_workers()


def count_repeated(relyd):
    text = relyd.admin("GET", "/metrics").body.decode()
    return int(re.search(r"^relyd_key_sets_repeated (\d+)$", text, re.M).group(1))


def test_a6_a_disabled_record_holds_no_key(relyd):
    """A record that lets no token through has no key against others; enabled again it does not take it back."""
    key = tokens.key("victim")
    put_record(relyd, "one", key)
    put_record(relyd, "one", key, enabled=False)
    assert relyd.reason(sign(key)) == "issuer_disabled"
    put_record(relyd, "two", key)
    assert identity_of(relyd, sign(key)) == ["of-two"]
    for enabling in ({"enabled": True}, {}):
        body = {"issuer": URL, "keys": {"jwks": tokens.jwks(key)}} | enabling
        check_refused(relyd.admin("PUT", "/v1/issuers/one", body), "two")
    assert relyd.admin("GET", "/v1/issuers/one").json()["enabled"] is False
    put_record(relyd, "one", key, enabled=False, description="it can be changed all the same")
    relyd.restart()
    assert identity_of(relyd, sign(key)) == ["of-two"]
    check_refused(relyd.admin("PUT", "/v1/issuers/one", {"issuer": URL, "keys": {"jwks": tokens.jwks(key)}}), "two")
    put_record(relyd, "two", tokens.key("other"))
    put_record(relyd, "one", key)
    assert identity_of(relyd, sign(key)) == ["of-one"]


def test_a6_a_disabled_records_fetched_key_goes_to_its_sibling(start, issuer):
    """At once, not at the sibling's next ordinary fetch; and it stays there when the record is enabled again, also after
    a restart, however the rows stand."""
    relyd = start()
    key, own = tokens.key("victim"), tokens.key("own")
    put_fetched(relyd, issuer, "first", key)
    await_everywhere(relyd, lambda: identity_of(relyd, sign(key)) == ["of-first"], what="the first record's keys")
    put_fetched(relyd, issuer, "second", key, own)
    await_everywhere(relyd, lambda: identity_of(relyd, sign(own)) == ["of-second"], what="the second record's keys")
    assert identity_of(relyd, sign(key)) == ["of-first"]
    assert count_repeated(relyd) == 1

    put_fetched(relyd, issuer, "first", key, enabled=False)
    wire.wait_for(lambda: len(keys_of(relyd, "second")["keys"]) == 2, what="the key, before any token asks for it")
    assert identity_of(relyd, sign(key)) == ["of-second"]
    put_fetched(relyd, issuer, "first", key)
    for _ in range(20):
        assert identity_of(relyd, sign(key)) == ["of-second"]
    warning = "1 key of issuer first is not used: issuer second with the same iss has it already"
    await_everywhere(relyd, lambda: keys_of(relyd, "first").get("lastError") == warning, what="the warning")
    assert identity_of(relyd, sign(key)) == ["of-second"]
    assert count_repeated(relyd) == 1
    relyd.restart()
    for _ in range(20):
        assert identity_of(relyd, sign(key)) == ["of-second"]
    await_everywhere(relyd, lambda: keys_of(relyd, "first").get("lastError") == warning, what="the warning")
    assert identity_of(relyd, sign(key)) == ["of-second"]


def test_a6_stored_sets_that_repeat_are_told_apart_at_the_start(start, issuer):
    """relyd 0.1 stored them so. The issuer does not answer, so that no fetch puts it right."""
    relyd = start()
    key, own = tokens.key("victim"), tokens.key("own")
    put_record(relyd, "first", key)
    put_fetched(relyd, issuer, "second", own)
    await_everywhere(relyd, lambda: identity_of(relyd, sign(own)) == ["of-second"], what="the second record's keys")
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    database.execute("UPDATE key_set SET document = ? WHERE issuer_id = (SELECT id FROM issuer WHERE name = 'second')",
                     (tokens.compact(tokens.jwks(key, own)).decode(),))
    database.commit()
    database.close()
    issuer.is_down = True
    relyd.start()
    assert [key["kid"] for key in keys_of(relyd, "second")["keys"]] == [own.kid]
    assert identity_of(relyd, sign(key)) == ["of-first"]
    assert identity_of(relyd, sign(own)) == ["of-second"]
    warning = "1 key of issuer second is not used: issuer first with the same iss has it already"
    relyd.wait_for_words(warning)
    assert relyd.log().count(warning) == 1


def test_a6_a_set_that_is_too_old_holds_no_key(start, issuer):
    """Nor does it take its key back when its issuer answers again, even with "nothing has changed"."""
    relyd = start(keys__miss_wait_ms=0, keys__max_age_s=3600)
    key, own = tokens.key("victim"), tokens.key("own")
    put_fetched(relyd, issuer, "first", key)
    await_everywhere(relyd, lambda: identity_of(relyd, sign(key)) == ["of-first"], what="the first record's keys")
    relyd.stop()
    database = sqlite3.connect(relyd.database)
    database.execute("UPDATE key_set SET fetched_at = fetched_at - 4000")
    database.commit()
    database.close()
    issuer.answers["/first"] = response({}, "503 Service Unavailable")
    relyd.start()
    assert relyd.reason(sign(key)) == "keys_unavailable"
    put_fetched(relyd, issuer, "second", key, own)
    await_everywhere(relyd, lambda: identity_of(relyd, sign(own)) == ["of-second"], what="the second record's keys")
    assert identity_of(relyd, sign(key)) == ["of-second"]
    put_fetched(relyd, issuer, "first", key, description="fetch at once")
    warning = "1 key of issuer first is not used: issuer second with the same iss has it already"
    await_everywhere(relyd, lambda: keys_of(relyd, "first").get("lastError") == warning, what="the warning")
    assert identity_of(relyd, sign(key)) == ["of-second"]


def test_a6_a_key_that_its_record_gave_up_is_free(relyd):
    first, second = tokens.key("first"), tokens.key("second")
    put_record(relyd, "one", first)
    put_record(relyd, "one", second)
    put_record(relyd, "two", first)
    assert identity_of(relyd, sign(first)) == ["of-two"]
    assert identity_of(relyd, sign(second)) == ["of-one"]


def test_a6_writes_that_share_a_commit_are_compared_too(relyd):
    """Ten records with one key at once, sent before any is answered: one has it."""
    body = json.dumps({"issuer": URL, "keys": {"jwks": tokens.jwks(tokens.key("victim"))}})
    clients = [wire.Client(relyd.socket) for _ in range(10)]
    for client in clients:
        client.connect()
    for number, client in enumerate(clients):
        client.request("PUT", f"/v1/issuers/record-{number}", body, wire.JSON)
    answers = [client.getresponse().status for client in clients]
    assert sorted(answers) == [201] + [400] * 9


def test_a6_a_fetched_set_loses_anothers_key_and_keeps_its_own(start, issuer):
    """The neighbour publishes the victim's key beside its own, before and after a restart of relyd, and after the victim's
    record has been fetched again and again: the order in which sets come or are loaded does not matter."""
    relyd = start()
    victim, own = tokens.key("victim"), tokens.key("own")
    put_record(relyd, "victim", victim)
    issuer.answers["/keys"] = response({"keys": [victim.jwk(), own.jwk(), victim.jwk(kid="another", alg=None)]})
    relyd.put_issuer(
        "neighbour", URL, keys={"jwksUri": issuer.url + "/keys"}, caBundle=issuer.ca, allowPrivateAddresses=True
    )
    put_rule(relyd, "neighbour")
    await_everywhere(relyd, lambda: keys_of(relyd, "neighbour")["keys"], what="the key set")

    def check(relyd):
        shown = keys_of(relyd, "neighbour")
        assert [key["kid"] for key in shown["keys"]] == [own.kid]
        assert identity_of(relyd, sign(victim)) == identity_of(relyd, sign(victim, kid=None)) == ["of-victim"]
        assert identity_of(relyd, sign(own)) == ["of-neighbour"]
        assert relyd.reason(sign(victim, kid="another")) == "key_unknown"
        return shown

    shown = check(relyd)
    warning = "2 keys of issuer neighbour are not used: issuer victim with the same iss has them already"
    assert shown["lastError"] == warning
    relyd.wait_for_words(warning)
    assert relyd.log().count(warning) == 1
    relyd.restart()
    check(relyd)


def test_a6_a_set_of_anothers_keys_alone_leaves_none(relyd, issuer):
    victim = tokens.key("victim")
    put_record(relyd, "victim", victim)
    issuer.answers["/keys"] = response({"keys": [victim.jwk()]})
    relyd.put_issuer(
        "neighbour", URL, keys={"jwksUri": issuer.url + "/keys"}, caBundle=issuer.ca, allowPrivateAddresses=True
    )
    warning = "1 key of issuer neighbour is not used: issuer victim with the same iss has it already"
    await_everywhere(relyd, lambda: keys_of(relyd, "neighbour").get("lastError") == warning, what="the warning")
    assert keys_of(relyd, "neighbour")["keys"] == []
    assert identity_of(relyd, sign(victim)) == ["of-victim"]
    relyd.restart()
    assert identity_of(relyd, sign(victim)) == ["of-victim"]
    assert relyd.log().count("stored_keys_unusable") == 0


def test_a6_a_neighbour_cannot_stop_a_withdrawal(start, issuer):
    """The neighbour had the victim's next key first. The victim loses that key, but what it withdraws is withdrawn, and
    its other keys come."""
    relyd = start()
    old, stolen, new, standby = (tokens.key(name) for name in ("old", "stolen", "new", "standby"))
    put_record(relyd, "neighbour", stolen)
    issuer.answers["/keys"] = response({"keys": [old.jwk(), standby.jwk()]}, "200 OK", "application/json", "Cache-Control: max-age=1")
    relyd.put_issuer("victim", URL, keys={"jwksUri": issuer.url + "/keys"}, caBundle=issuer.ca, allowPrivateAddresses=True)
    put_rule(relyd, "victim")
    await_everywhere(relyd, lambda: identity_of(relyd, sign(old)) == ["of-victim"], what="the key set")
    assert identity_of(relyd, sign(standby)) == ["of-victim"]  # in use: what keeps it is believed
    issuer.answers["/keys"] = response({"keys": [stolen.jwk(), new.jwk(), standby.jwk()]})
    await_everywhere(relyd, lambda: identity_of(relyd, sign(new)) == ["of-victim"], what="the rotation")
    assert relyd.reason(sign(old)) == "key_unknown"
    assert identity_of(relyd, sign(stolen)) == ["of-neighbour"]


def test_b13_a_flood_of_forged_tokens_without_kid_is_shed(start):
    """Four tries a second: a fifth is not made, on any door. What names its key, and what is known, goes on."""
    relyd = start(keys__kidless_failures_per_s=4, workers=1)
    key, other = tokens.key("victim"), tokens.key("other")
    put_record(relyd, "victim", key)
    forged, good, known = sign(other, kid=None), sign(key, kid=None), sign(key, kid=None, typ="JWT")
    for _ in range(3):
        assert relyd.reason(known) == "ok"

    def flood():
        answers = [relyd.check(forged) for _ in range(12)]
        assert {(answer.status, answer.header("x-relyd-reason")) for answer in answers} <= {
            (401, "bad_signature"),
            (503, "overloaded"),
        }
        return answers[-1].status == 503 and relyd.check(good).status == 503 and answers

    answers = wire.wait_for(flood, what="a second that is used up")
    assert all(answer.header("retry-after") is None for answer in answers)
    assert relyd.reason(sign(key)) == "ok"
    assert relyd.reason(known) == "ok"
    wire.wait_for(lambda: relyd.check(good).status == 200, what="the next second")
