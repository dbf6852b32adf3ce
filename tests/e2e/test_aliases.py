"""Further names of an issuer's record: tokens under each of them, keys that are one record's under each, discovery documents, what answers and logs say."""

import json

import pytest
import tokens
import wire
from issuer import DISCOVERY, Issuer, response
from service import ISSUER
from test_key_sources import Gate

pytestmark = pytest.mark.threads

NEW, OLD = "https://new.example", "kubernetes/serviceaccount"


def sign(key, iss, **changes):
    return key.sign(tokens.claims(iss, **changes))


def put_uploaded(relyd, name, url, key, **fields):
    relyd.put_issuer(name, url, keys={"jwks": tokens.jwks(key)}, **fields)
    put_rule(relyd, name)


def put_fetched(relyd, issuer, name, url, *keys, answer=None, **fields):
    """A record whose set is fetched from a path of its own."""
    issuer.answers[f"/{name}"] = answer or response({"keys": [key.jwk() for key in keys]})
    relyd.put_issuer(name, url, keys={"jwksUri": f"{issuer.url}/{name}"}, caBundle=issuer.ca, allowPrivateAddresses=True, **fields)
    put_rule(relyd, name)


def put_rule(relyd, name):
    relyd.put_identity(f"of-{name}")
    relyd.put(f"/v1/identities/of-{name}/federatedIdentityCredentials/rule",
              {"issuerName": name, "subject": "system:serviceaccount:team-a:builder", "audiences": ["relyd"]})


def whose(relyd, token):
    """The one answer of both workers."""
    found = {json.dumps([identity["name"] for identity in decision.get("identities", [])] or decision["reason"]) for decision in map(relyd.review, [token] * 8)}
    (answer,) = found
    return json.loads(answer)


def await_everywhere(relyd, condition, what):
    """A fetched set reaches one worker before the other, and nothing acknowledges it."""
    wire.wait_for(condition, what=what)
    relyd.await_all_workers()


def kids_of(relyd, name):
    return [key["kid"] for key in relyd.admin("GET", f"/v1/issuers/{name}/keys").json().get("keys", [])]


def problems(answer):
    assert answer.status == 400, answer
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def test_each_name(relyd):
    key = tokens.key("prod")
    put_uploaded(relyd, "prod", ISSUER, key, aliases=[NEW, OLD])
    assert relyd.admin("GET", "/v1/issuers/prod").json()["aliases"] == [NEW, OLD]
    for _ in range(2):
        for iss in (ISSUER, NEW, OLD):
            token = sign(key, iss)
            assert whose(relyd, token) == ["of-prod"]
            decision = relyd.review(token)
            assert (decision["issuer"], decision.get("iss")) == ("prod", None if iss == ISSUER else iss)
            assert relyd.check(token).header("x-relyd-issuer") == "prod"
        for iss in (NEW + "/", "Kubernetes/serviceaccount", ""):
            assert whose(relyd, sign(key, iss)) == "unknown_issuer"
        relyd.restart()
    allows = [line for line in relyd.events() if line["event"] == "decision" and line["outcome"] == "allow"]
    assert {line.get("iss") for line in allows} == {None, NEW, OLD} and {line["issuer"] for line in allows} == {"prod"}
    token = sign(key, NEW)
    assert whose(relyd, token) == ["of-prod"]
    put_uploaded(relyd, "prod", ISSUER, key, aliases=[OLD])
    assert whose(relyd, token) == "unknown_issuer"
    assert whose(relyd, sign(key, OLD)) == whose(relyd, sign(key, ISSUER)) == ["of-prod"]


@pytest.mark.parametrize("aliases, expected", [
    ([ISSUER], [("aliases[0]", "duplicate")]), (["a", "b", "a"], [("aliases[2]", "duplicate")]), ([f"a{n}" for n in range(9)], [("aliases", "too_many")]),
    ([""], [("aliases[0]", "too_short")]), (["x" * 601], [("aliases[0]", "too_long")]), (["a\nb"], [("aliases[0]", "invalid_text")]),
    ([7], [("aliases[0]", "wrong_type")]), ("a", [("aliases", "wrong_type")]), (["no uri:"], [("aliases[0]", "invalid_url")]),
])
def test_what_is_no_alias(shared, aliases, expected):
    assert problems(shared.admin("PUT", "/v1/issuers/names", {"issuer": ISSUER, "aliases": aliases})) == expected


def test_the_most_that_there_may_be(shared):
    aliases = ["x" * 600] + [f"urn:a:{number}" for number in range(7)]
    assert shared.put_issuer("names", ISSUER, aliases=aliases)["aliases"] == aliases
    assert shared.put_issuer("names", ISSUER)["aliases"] == []


def test_a_key_is_one_records_under_each_name(relyd):
    """Uploaded: an alias is refused under which another has the key, and a key under an alias that another has."""
    key, own = tokens.key("victim"), tokens.key("own")
    put_uploaded(relyd, "one", ISSUER, key)
    put_uploaded(relyd, "two", NEW, key)  # another iss
    body = {"issuer": NEW, "keys": {"jwks": tokens.jwks(key)}}
    for aliases in ([ISSUER], [OLD, ISSUER]):
        assert problems(relyd.admin("PUT", "/v1/issuers/two", body | {"aliases": aliases})) == [("keys.jwks", "duplicate_key")]
        assert problems(relyd.admin("PUT", "/v1/issuers/three", body | {"issuer": OLD, "aliases": aliases[-1:]})) == [("keys.jwks", "duplicate_key")]
    put_uploaded(relyd, "two", NEW, own, aliases=[ISSUER])
    assert whose(relyd, sign(own, ISSUER)) == whose(relyd, sign(own, NEW)) == ["of-two"]
    assert whose(relyd, sign(key, ISSUER)) == ["of-one"] and whose(relyd, sign(key, NEW)) == "key_unknown"
    assert problems(relyd.admin("PUT", "/v1/issuers/two", body | {"aliases": [ISSUER]})) == [("keys.jwks", "duplicate_key")]
    put_uploaded(relyd, "one", ISSUER, key, aliases=[OLD])
    assert problems(relyd.admin("PUT", "/v1/issuers/three", body | {"issuer": OLD})) == [("keys.jwks", "duplicate_key")]
    put_uploaded(relyd, "one", ISSUER, key, aliases=[OLD], description="it can be changed all the same")
    put_uploaded(relyd, "one", ISSUER, key)
    put_uploaded(relyd, "three", OLD, key)
    assert whose(relyd, sign(key, OLD)) == ["of-three"]


def test_writes_that_share_a_commit_are_compared_by_each_name(relyd):
    body = json.dumps({"issuer": ISSUER, "aliases": [OLD], "keys": {"jwks": tokens.jwks(tokens.key("victim"))}})
    clients = [wire.Client(relyd.socket) for _ in range(8)]
    for client in clients:
        client.connect()
    for number, client in enumerate(clients):
        client.request("PUT", f"/v1/issuers/many-{number}", body if number % 2 else body.replace(ISSUER, f"https://c{number}.example"), wire.JSON)
    assert sorted(client.getresponse().status for client in clients) == [201] + [400] * 7


def test_a_fetched_key_goes_with_the_name(start, issuer):
    """An alias that comes leaves the key to whom has it; one that goes gives it back at once."""
    relyd = start()
    key, own, stays = tokens.key("victim"), tokens.key("own"), tokens.key("third")
    put_fetched(relyd, issuer, "first", ISSUER, key)
    await_everywhere(relyd, lambda: whose(relyd, sign(key, ISSUER)) == ["of-first"], what="the first record's keys")
    put_fetched(relyd, issuer, "second", NEW, key, own)
    await_everywhere(relyd, lambda: len(kids_of(relyd, "second")) == 2, what="the second record's keys")
    assert whose(relyd, sign(key, NEW)) == ["of-second"]
    gate = Gate(issuer.answers["/second"])
    put_fetched(relyd, issuer, "second", NEW, answer=gate, aliases=[ISSUER])
    assert kids_of(relyd, "second") == []  # until it is fetched anew
    gate.let_go()
    await_everywhere(relyd, lambda: kids_of(relyd, "second") == [own.kid], what="the set without the other's key")
    assert whose(relyd, sign(own, ISSUER)) == ["of-second"] and whose(relyd, sign(key, ISSUER)) == ["of-first"]
    assert whose(relyd, sign(key, NEW)) == "key_unknown"
    # The first one gets an alias under which nobody has the key, and then gives up the name of both.
    put_fetched(relyd, issuer, "first", ISSUER, key, aliases=[OLD])
    await_everywhere(relyd, lambda: whose(relyd, sign(key, OLD)) == ["of-first"], what="the first record's keys again")
    put_fetched(relyd, issuer, "second", NEW, key, own)
    await_everywhere(relyd, lambda: len(kids_of(relyd, "second")) == 2, what="the key, without any token that asks for it")
    put_fetched(relyd, issuer, "third", "https://third.example", key, stays, aliases=[NEW])
    await_everywhere(relyd, lambda: "second with the same iss has it" in json.dumps(relyd.admin("GET", "/v1/issuers/third/keys").json()), what="the warning")
    put_fetched(relyd, issuer, "second", NEW, own, description="fetch at once")
    await_everywhere(relyd, lambda: kids_of(relyd, "third") == [key.kid, stays.kid], what="the key that was given up")
    assert whose(relyd, sign(key, NEW)) == whose(relyd, sign(stays, NEW)) == ["of-third"]  # a set that keeps a key in use is believed
    # What is given up under an alias goes to whom has it for its `iss`.
    put_fetched(relyd, issuer, "fourth", NEW, key)
    await_everywhere(relyd, lambda: "third with the same iss has it" in json.dumps(relyd.admin("GET", "/v1/issuers/fourth/keys").json()), what="the warning")
    put_fetched(relyd, issuer, "third", "https://third.example", stays, aliases=[NEW], description="fetch at once")
    await_everywhere(relyd, lambda: kids_of(relyd, "fourth") == [key.kid], what="the key that the alias had")


def test_a_name_that_goes_frees_its_keys(start, issuer):
    relyd = start()
    key, own = tokens.key("victim"), tokens.key("own")
    put_uploaded(relyd, "first", ISSUER, key, aliases=[NEW])
    put_fetched(relyd, issuer, "second", NEW, key, own)
    await_everywhere(relyd, lambda: kids_of(relyd, "second") == [own.kid], what="the second record's keys")
    put_uploaded(relyd, "first", ISSUER, key)
    await_everywhere(relyd, lambda: len(kids_of(relyd, "second")) == 2, what="the key, at once and not at the next ordinary fetch")
    assert whose(relyd, sign(key, NEW)) == ["of-second"] and whose(relyd, sign(key, ISSUER)) == ["of-first"]


def test_a_discovery_document_may_name_an_alias(relyd):
    """Several `--service-account-issuer`: the document names the first, the record another."""
    issuer = Issuer()
    try:
        issuer.answers[DISCOVERY] = response(issuer.discovery(issuer=NEW))
        relyd.put_issuer("moved", **issuer.record())
        wire.wait_for(lambda: "not the registered one" in relyd.admin("GET", "/v1/issuers/moved/keys").json().get("lastError", ""), what="the refusal")
        assert relyd.reason(issuer.token()) == "keys_unavailable"
        relyd.put_issuer("moved", **issuer.record(aliases=[NEW]))
        put_rule(relyd, "moved")
        await_everywhere(relyd, lambda: kids_of(relyd, "moved") == [issuer.keys[0].kid], what="the keys")
        assert whose(relyd, issuer.token()) == whose(relyd, sign(issuer.keys[0], NEW)) == ["of-moved"]
    finally:
        issuer.stop()


def test_a_credential_is_bound_by_the_issuer_alone(shared):
    """An alias of one may be the issuer of another: it says nothing of which record is meant."""
    shared.put_issuer("by-alias", "https://one.example", aliases=[NEW])
    rule = {"issuer": NEW, "subject": "s", "audiences": ["relyd"]}
    path = "/v1/identities/payments-api/federatedIdentityCredentials/by-alias"
    assert problems(shared.admin("PUT", path, rule)) == [("issuer", "not_registered")]
    assert problems(shared.admin("PUT", path, rule | {"issuerName": "by-alias"})) == [("issuer", "issuer_mismatch")]
    shared.put_issuer("named-so", NEW)
    assert shared.put(path, rule)["issuerName"] == "named-so"
