"""Faults C6 and C9: a registry that relyd 0.1 made opens, shows what 0.1 showed, and takes what 0.1 refused."""

import json
import pathlib
import sqlite3
import subprocess

import service
import tokens
import wire

REGISTRY = service.ROOT / "tests/vectors/registry"
SHOWN = json.loads((REGISTRY / "registry-0.1.json").read_text())
REVISION = SHOWN.pop("revision")


def put_old_registry(folder):
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "relyd.db") as database:
        database.executescript((REGISTRY / "registry-0.1.sql").read_text())
    return folder / "relyd.db"


def start_old(tmp_path, **settings):
    put_old_registry(tmp_path / "old")
    settings = {"issuers__allow_http": True, "identities__allow_system_names": True} | settings
    return service.Relyd(tmp_path / "old", **settings).start()


# Fields that 0.1 did not have.
OF_IDENTITIES = {"roles": [], "owners": [], "certificates": []}
OF_CREDENTIALS = {"enabled": True, "mode": "enforce"}
GUARDS = {"requiredClaims": [], "singleAudience": False, "refuseStretched": False, "pinServiceAccountUid": "off", "allowedSubjects": []}
OF_ISSUERS = {"aliases": [], "allowCostlyKeys": False, "subjectClaim": "sub", "guards": GUARDS, "isShared": False, "pinClaims": [], "pushSubjects": [], "issuerGroups": []}


def brought_to(path):
    return OF_CREDENTIALS if "Credentials/" in path else OF_IDENTITIES if "/identities/" in path else OF_ISSUERS if "/keys" not in path else {}


def test_c9_shows_what_0_1_showed(tmp_path):
    relyd = start_old(tmp_path)
    try:
        for path, expected in SHOWN.items():
            answer = relyd.admin("GET", path)
            assert answer.status == 200, answer
            shown = answer.json()
            assert ("status" in shown) == (brought_to(path) is OF_ISSUERS)
            shown.pop("status", None)  # of this process
            assert shown == brought_to(path) | expected["object"]
            assert answer.header("etag") == expected["etag"]
        relyd.put_issuer("next", "urn:example:ci", keys={"jwks": tokens.jwks(tokens.key("prod"))})
        assert relyd.admin("GET", "/v1/issuers/next").header("etag") == f'"{REVISION + 1:x}"'
        relyd.put_credential("next", issuer="urn:example:ci", subject="next")
        relyd.restart()
        assert relyd.admin("GET", "/v1/issuers/next").json()["issuer"] == "urn:example:ci"
        token = tokens.key("prod").sign(tokens.claims("urn:example:ci", sub="next"))
        assert relyd.review(token)["issuer"] == "next"
    finally:
        relyd.stop()


def test_c9_a_newer_registry_is_refused_by_name(tmp_path):
    database = put_old_registry(tmp_path / "new")
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 77")
    config = tmp_path / "relyd.yaml"
    config.write_text(f'registry:\n  path: "{database}"\nadmin:\n  socket: "{tmp_path}/s"\nlisten:\n'
                      f'  - "127.0.0.1:{wire.free_port()}"\n')
    done = subprocess.run([service.BINARY, "--config", str(config)], capture_output=True, text=True, timeout=60,
                          env=service.ENVIRONMENT)
    assert done.returncode == 1
    assert "its schema has version 77, and this relyd knows versions up to 7: a newer relyd has written it" in done.stderr
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (77,)


def test_b21_a10_keys_that_0_1_took(tmp_path):
    """`relyd.io/issuer` in an identity's extra came out twice; one of kubernetes.io was not judged again."""
    relyd = start_old(tmp_path)
    token = tokens.key("prod").sign(tokens.claims("urn:example:ci", sub="next"))
    try:
        relyd.put_issuer("next", "urn:example:ci", keys={"jwks": tokens.jwks(tokens.key("prod"))})
        relyd.put_credential("next", issuer="urn:example:ci", subject="next")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = wire.ask(relyd.data, "POST", service.TOKENREVIEWS, body)
        assert answer.body.count(b'"relyd.io/issuer"') == 1
        extra = answer.json()["status"]["user"]["extra"]
        assert extra["relyd.io/issuer"] == ["next"]
        assert extra["example.com/team"] == ["a", "b"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["forged"]
        assert "sub.relyd.io/x" not in extra
        relyd.settings["identities.allow_system_names"] = False
        relyd.restart()
        assert relyd.reason(token) == "identity_not_allowed"
        assert relyd.check(token).status == 403
    finally:
        relyd.stop()
