"""kill -9 in the middle of writes: what was acknowledged is still there, and the database is whole."""

import random
import sqlite3
import subprocess
import threading

import tokens
import wire
from service import BINARY, ISSUER, Relyd, write_yaml

ROUNDS = 100


def write_until_killed(relyd, number, acknowledged, started):
    """Creates identities with one credential each; notes what was acknowledged."""
    step = 0
    while True:
        name = f"identity-{number}-{step}"
        try:
            relyd.put_identity(name)
            acknowledged.append(f"/v1/identities/{name}")
            started.set()
            relyd.put_credential("one", name, subject=f"subject-{number}-{step}")
            acknowledged.append(f"/v1/identities/{name}/federatedIdentityCredentials/one")
        except (OSError, wire.http.client.HTTPException):
            return
        step += 1


def check_database(relyd):
    with sqlite3.connect(relyd.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


def test_100_kills(start):
    chance = random.Random(20261122)
    relyd = start(workers=1, log__decisions="none")
    signer = relyd.put_world()
    total = 0
    for number in range(ROUNDS):
        acknowledged, started = [], threading.Event()
        writer = threading.Thread(target=write_until_killed, args=(relyd, number, acknowledged, started))
        writer.start()
        assert started.wait(20)
        threading.Event().wait(chance.uniform(0, 0.03))
        relyd.kill()
        writer.join(20)
        check_database(relyd)
        relyd.start()
        client = wire.Client(relyd.socket)
        for path in acknowledged:
            assert client.ask("GET", path).status == 200, (number, path)
        client.close()
        total += len(acknowledged)
    assert total > ROUNDS
    assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"


def test_deletes_stay_deleted(start):
    """A revoked right must not come back with a power cut."""
    chance = random.Random(7)
    relyd = start(workers=1)
    signer = relyd.put_world()
    for number in range(10):
        relyd.put_credential("doomed", subject="robot")
        assert relyd.admin("DELETE", "/v1/identities/payments-api/federatedIdentityCredentials/doomed").status == 204
        threading.Event().wait(chance.uniform(0, 0.005))
        relyd.kill()
        relyd.start()
        token = signer.sign(tokens.claims(ISSUER, sub="robot", **{"kubernetes.io": None}))
        assert relyd.reason(token) == "no_matching_credential", number


def test_second_relyd_on_one_database_is_refused(start, tmp_path):
    relyd = start()
    second = Relyd(tmp_path / "second")
    second.settings["registry.path"] = str(relyd.database)
    config = tmp_path / "second.yaml"
    config.write_text(write_yaml(second.settings))
    done = subprocess.run([BINARY, "--config", str(config)], capture_output=True, text=True, timeout=30)
    assert done.returncode not in (0, 2), done
    assert "relyd.db" in done.stderr + done.stdout
    relyd.put_world()
