"""Tokens of a real kube-apiserver through the running service, each at its own time: nothing here can rot."""

import json
import pathlib

import pytest
import tokens
import wire
from service import VECTORS, Relyd

ISSUER = "https://127.0.0.1:6443"
BUILDER = "system:serviceaccount:team-a:builder"
ALGORITHMS = ("rs256", "es256", "es384", "es512")
ODD_AUDIENCES = {
    "raw-aud-unicode": "größe-日本-😀",
    "raw-aud-html": 'a<b>&c"d\\e/f\u2028',
    "raw-aud-600": "a" * 600,
}


def read(name):
    return (VECTORS / name).read_text().strip()


def jwks(name):
    return {"keys": {"jwks": json.loads(read(name))}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Four clusters that share the default issuer URL and are told apart by their keys."""
    relyd = Relyd(tmp_path_factory.mktemp("kubernetes")).start()
    try:
        for alg in ALGORITHMS:
            relyd.put_issuer(f"cluster-{alg}", ISSUER, **jwks(f"{alg}/jwks.json"))
            relyd.put_identity(f"builder-{alg}")
            put_credential(relyd, alg, "builder", audiences=["relyd", ISSUER, "https://relyd.example.com/", "aud-100"])
            put_credential(relyd, alg, "longest", subject=tokens.payload_of(read(f"{alg}/longest-sub.jwt"))["sub"])
            relyd.put_identity(f"odd-{alg}")
            put_credential(relyd, alg, "odd", f"odd-{alg}", audiences=list(ODD_AUDIENCES.values()))
        yield relyd
    finally:
        relyd.stop()


def put_credential(relyd, alg, name, identity=None, **fields):
    record = {"issuer": ISSUER, "issuerName": f"cluster-{alg}", "subject": BUILDER, "audiences": ["relyd"]}
    relyd.put_credential(name, identity or f"builder-{alg}", **(record | fields))


def explain(relyd, name, seconds=30, **fields):
    """The review of a recorded token, so many seconds after it was issued."""
    token = read(name)
    return relyd.explain(token, at=tokens.payload_of(token)["iat"] + seconds, **fields)


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize(
    "name",
    ["builder-10m", "builder-1y", "builder-aud-default", "builder-aud-multi", "builder-aud-relyd", "builder-aud-url"]
    + ["builder-node", "builder-pod-node", "builder-pod-pending", "builder-secret", "longest-sub", "raw-3607"]
    + ["raw-3607-apiaud", "raw-aud-100", "raw-aud-dup", "raw-max"],
)
def test_accepted(cluster, alg, name):
    decision = explain(cluster, f"{alg}/{name}.jwt")
    assert decision["reason"] == "ok", decision
    # not one of the other three with the same URL
    found = [(identity["issuer"], identity["name"]) for identity in decision["identities"]]
    assert found == [(f"cluster-{alg}", f"builder-{alg}")]


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("name", ODD_AUDIENCES)
def test_odd_audiences(cluster, alg, name):
    decision = explain(cluster, f"{alg}/{name}.jwt", audiences=[ODD_AUDIENCES[name]])
    assert (decision["reason"], decision["identities"][0]["name"]) == ("ok", f"odd-{alg}")
    assert explain(cluster, f"{alg}/{name}.jwt", audiences=["relyd"])["reason"] == "audience_mismatch"


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize(
    "name, reason",
    [
        ("deployer", "no_matching_credential"),
        ("teamb-builder", "no_matching_credential"),
        ("raw-aud-nul", "malformed_token"),  # relyd\0evil: a C string would end in time to match
        ("raw-aud-empty", "invalid_claim"),
        ("raw-aud-20k", "token_too_large"),
    ],
)
def test_refused(cluster, alg, name, reason):
    assert explain(cluster, f"{alg}/{name}.jwt")["reason"] == reason


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_other_audience_than_the_caller_accepts(cluster, alg):
    decision = explain(cluster, f"{alg}/builder-aud-relyd.jwt", audiences=["https://elsewhere.example"])
    assert decision["reason"] == "audience_mismatch"


def test_legacy_secret_token(cluster):
    """Never expires, names no audience, and its signature verifies with the published keys."""
    assert cluster.explain(read("rs256/legacy-secret-token.jwt"))["reason"] == "unknown_issuer"
    cluster.put_issuer("legacy-probe", "https://legacy.example", **jwks("rs256/jwks.json"))
    answer = cluster.admin("PUT", "/v1/issuers/legacy-url", {"issuer": "kubernetes/serviceaccount"} | jwks("rs256/jwks.json"))
    assert answer.status == 201  # fault C9: nothing is fetched from such a name
    decision = cluster.explain(read("rs256/legacy-secret-token.jwt"))
    assert decision["reason"] == "missing_claim", decision


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize(
    "seconds, reason",
    [(-61, "not_yet_valid"), (-59, "ok"), (0, "ok"), (3600 + 59, "ok"), (3600 + 60, "expired"), (86400, "expired")],
)
def test_times(cluster, alg, seconds, reason):
    assert explain(cluster, f"{alg}/builder-aud-relyd.jwt", seconds)["reason"] == reason


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("part, reasons", [(0, {"malformed_token", "key_unknown", "bad_signature", "algorithm_not_allowed"}), (1, {"malformed_token", "bad_signature", "unknown_issuer"}), (2, {"bad_signature", "malformed_token"})])
def test_one_changed_character(cluster, alg, part, reasons):
    """Whatever character of a right token is changed, the answer is no."""
    token = read(f"{alg}/builder-aud-relyd.jwt")
    at = tokens.payload_of(token)["iat"] + 30
    parts = token.split(".")
    for position in range(0, len(parts[part]), 37):
        changed = list(parts)
        new = "A" if parts[part][position] != "A" else "B"
        changed[part] = parts[part][:position] + new + parts[part][position + 1 :]
        decision = cluster.explain(".".join(changed), at=at)
        assert decision["decision"] == "deny"
        assert decision["reason"] in reasons, (position, decision)


def test_signature_under_another_clusters_key(cluster):
    """The same payload with the key id of another cluster of the same URL."""
    token = read("rs256/builder-aud-relyd.jwt")
    header = {"alg": "RS256", "kid": json.loads(read("es256/jwks.json"))["keys"][0]["kid"]}
    _, payload, signature = token.split(".")
    forged = ".".join([tokens.encode(tokens.compact(header)), payload, signature])
    decision = cluster.explain(forged, at=tokens.payload_of(token)["iat"] + 30)
    assert decision["reason"] == "algorithm_not_allowed"


def test_set_of_several_keys(start):
    relyd = start()
    relyd.put_issuer("several", ISSUER, **jwks("several-keys/jwks.json"))
    relyd.put_identity()
    relyd.put_credential(issuer=ISSUER)
    for name in ("several-keys/builder-1y", "rs256/builder-10m", "es256/builder-10m", "es384/builder-10m", "es512/builder-10m"):
        assert explain(relyd, f"{name}.jwt")["reason"] == "ok"


def test_rotation(start):
    """Old key only; both, the new one first; new only: as a real cluster published them."""
    url = "https://127.0.0.1:9943"
    relyd = start()
    steps = [
        ("phase1", {"phase1": "ok", "phase2": "key_unknown", "phase3": "key_unknown"}),
        ("phase2", {"phase1": "ok", "phase2": "ok", "phase3": "ok"}),
        ("phase3", {"phase1": "key_unknown", "phase2": "ok", "phase3": "ok"}),
    ]
    for phase, expected in steps:
        relyd.put_issuer("rotating", url, **jwks(f"rotate/{phase}.jwks.json"))
        relyd.put_identity()
        relyd.put_credential(issuer=url)
        for name, reason in expected.items():
            assert explain(relyd, f"rotate/{name}.jwt")["reason"] == reason, (phase, name)


def test_long_lifetimes_can_be_refused(start):
    relyd = start()
    relyd.put_issuer("strict", ISSUER, maxTokenLifetimeSeconds=86400, **jwks("rs256/jwks.json"))
    relyd.put_identity()
    relyd.put_credential(issuer=ISSUER, audiences=["relyd", ISSUER])
    assert explain(relyd, "rs256/builder-aud-relyd.jwt")["reason"] == "ok"
    for name in ("builder-1y", "raw-max", "raw-3607-apiaud"):
        assert explain(relyd, f"rs256/{name}.jwt")["reason"] == "lifetime_too_long"


def test_recorded_tokenreview_requests_are_understood(cluster):
    """The bodies that were sent to the real API: long expired by now, and read all the same."""
    names = sorted(pathlib.Path(VECTORS / "tokenreview").glob("*.request.json"))
    assert len(names) >= 10
    for name in names:
        body = json.loads(name.read_text())
        version = body.get("apiVersion", "authentication.k8s.io/v1").rsplit("/", 1)[1]
        answer = wire.ask(cluster.data, "POST", f"/apis/authentication.k8s.io/{version}/tokenreviews", body)
        if body["spec"].get("token"):
            assert answer.status == 200 and answer.json()["status"].get("authenticated", False) is False, name
        else:
            assert answer.status == 400, name
