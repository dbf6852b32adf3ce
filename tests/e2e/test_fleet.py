"""Hundreds of clusters, each with a key of its own: one rule for all by a group, and many of one `iss` told apart by their keys."""

import contextlib
import json
import re
import sqlite3

import pytest
import tokens
import wire

GROUPS = "/v1/issuerGroups"
SUBJECT = "system:serviceaccount:team-a:builder"
SHARED_URL = "https://kubernetes.default.svc.cluster.local"
CLUSTERS = 500
SIBLINGS = 300


class Fleet:
    """Clusters by name, each with its own key, whose `kid` is made as Kubernetes makes it."""

    def __init__(self, relyd, urls):
        """In: urls - {name: iss}."""
        self.relyd, self.urls = relyd, urls
        self.keys = {name: tokens.Key("ES256") for name in urls}
        with contextlib.closing(wire.Client(relyd.socket)) as client:
            for name, url in urls.items():
                record = {"issuer": url, "keys": {"jwks": tokens.jwks(self.keys[name])}}
                assert client.ask("PUT", f"/v1/issuers/{name}", record).status == 201

    def token(self, name, **header):
        return self.keys[name].sign(tokens.claims(self.urls[name]), **header)

    def check_each(self, names, identity):
        """A token of each, on one connection: the decision names identity and cluster."""
        with contextlib.closing(wire.Client(self.relyd.data)) as client:
            for name in names:
                answer = client.ask("GET", "/check/default", headers={"Authorization": f"Bearer {self.token(name)}"})
                found = (answer.status, answer.header("x-relyd-identity"), answer.header("x-relyd-issuer"))
                assert found == (200, identity, name), answer


def put_rule(relyd, identity, **fields):
    relyd.put_identity(identity)
    relyd.put(f"/v1/identities/{identity}/federatedIdentityCredentials/rule", {"subject": SUBJECT, "audiences": ["relyd"]} | fields)


def count_lookups(relyd):
    """{outcome: how often} of the verified-token caches."""
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    return {outcome: int(count) for outcome, count in re.findall(r'^relyd_cache_lookups_total\{outcome="(\w+)"\} (\d+)$', text, re.M)}


def what_signed(relyd, token):
    """What explain says of who may have signed, and which keys were tried: ([record], [kid])."""
    steps = {step["step"]: step for step in relyd.explain(token)["steps"]}
    found = steps["keys"].get("candidates", [])
    return [candidate["issuer"] for candidate in found], [key["kid"] for candidate in found for key in candidate["tried"]]


def test_five_hundred_clusters_and_one_more(relyd):
    """The 501st is one small write, in force in every worker when it is acknowledged, and no remembered token of another is verified
    again for it."""
    names = [f"c{number:03}" for number in range(CLUSTERS + 1)]
    fleet = Fleet(relyd, {name: f"https://{name}.example" for name in names})
    relyd.put(f"{GROUPS}/fleet", {"issuers": names[:-1]})
    put_rule(relyd, "builders", issuerGroup="fleet")
    fleet.check_each(names[:-1], "builders")
    known, last = fleet.token(names[0]), fleet.token(names[-1])
    for _ in range(64):  # so often that both workers remember both
        assert relyd.check(known).status == 200
        assert relyd.check(last).header("x-relyd-reason") == "no_matching_credential"
    with sqlite3.connect(relyd.database) as database:
        before = database.execute("SELECT max(revision) FROM change_log").fetchone()[0]
    lookups = count_lookups(relyd)
    answer = relyd.admin("PUT", f"{GROUPS}/fleet/issuers/{names[-1]}")
    assert (answer.status, answer.body) == (204, b"")
    for _ in range(16):
        answer = relyd.check(last)
        assert (answer.status, answer.header("x-relyd-identity"), answer.header("x-relyd-issuer")) == (200, "builders", names[-1])
        assert relyd.check(known).header("x-relyd-issuer") == names[0]
    assert count_lookups(relyd) == {"hit": lookups["hit"] + 32, "miss": lookups["miss"]}
    decision = relyd.review(last)
    assert (decision["issuer"], [match["name"] for match in decision["identities"]]) == (names[-1], ["builders"])
    with sqlite3.connect(relyd.database) as database:
        rows = database.execute("SELECT object, name, after FROM change_log WHERE revision > ?", (before,)).fetchall()
    assert [row[:2] for row in rows] == [("issuerGroupMember", f"fleet/{names[-1]}")]
    assert len(rows[0][2]) < 200 and json.loads(rows[0][2])["name"] == names[-1]


@pytest.fixture
def siblings(relyd):
    """Clusters that all call themselves by the default of kubeadm, the first with a rule of its own beside the group's."""
    names = [f"s{number:03}" for number in range(SIBLINGS)]
    fleet = Fleet(relyd, dict.fromkeys(names, SHARED_URL))
    relyd.put(f"{GROUPS}/fleet", {"issuers": names[1:]})
    put_rule(relyd, "builders", issuerGroup="fleet")
    put_rule(relyd, "first", issuerName=names[0])
    fleet.names = names
    return fleet


def test_three_hundred_clusters_of_one_iss(siblings):
    """The right record each time, and at the cost of one: its key alone is tried, whoever stands before and behind."""
    relyd, names = siblings.relyd, siblings.names
    siblings.check_each(names[1:], "builders")
    siblings.check_each(names[:1], "first")
    for name in names[::10]:
        assert what_signed(relyd, siblings.token(name)) == ([name], [siblings.keys[name].kid])


def test_a_sibling_speaks_for_no_other(siblings):
    """Neither under another's kid nor under one that nobody has; and without any the keys of all would have to be tried."""
    relyd, names = siblings.relyd, siblings.names
    other = siblings.keys[names[7]]
    forged = siblings.token(names[0], kid=other.kid)
    assert relyd.reason(forged) == "bad_signature"
    assert what_signed(relyd, forged) == ([names[7]], [other.kid])
    stranger = tokens.Key("ES256").sign(tokens.claims(SHARED_URL))
    assert relyd.reason(stranger) == "key_unknown"
    assert what_signed(relyd, stranger)[1] == []
    assert relyd.reason(siblings.token(names[0], kid=None)) == "ambiguous_issuer"
