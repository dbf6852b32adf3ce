"""Faults B11 and B22, and of D the file's mode: a disk or a registry that fails takes nothing from reviews, and tells why."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess

import pytest
import service
import tokens
import wire

CREDENTIAL = "/v1/identities/payments-api/federatedIdentityCredentials/builder"


def problem(answer):
    return answer.status, answer.json()["code"]


def metric(relyd, name):
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def ready(relyd):
    answer = wire.ask(relyd.health, "GET", "/readyz")
    assert answer.status == 200, answer
    return answer.body.decode()


def read_events(relyd, event):
    entries = [json.loads(line) for line in relyd.log().splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry["event"] == event]


def events(relyd, event, count):
    """So many lines, and no more; the log is written behind the answer."""
    wire.wait_for(lambda: len(read_events(relyd, event)) >= count, 10, f"{count} lines of {event}")
    assert len(read_events(relyd, event)) == count
    return read_events(relyd, event)


@contextlib.contextmanager
def by_hand(relyd):
    """The database without the schema's checks; commits."""
    database = sqlite3.connect(relyd.database, isolation_level=None)
    database.execute("PRAGMA ignore_check_constraints = ON")
    database.execute("PRAGMA foreign_keys = OFF")
    yield database
    database.close()


def assert_damaged(relyd, signer):
    """Reviews go on, writes do not, and everybody is told."""
    faults = metric(relyd, "relyd_control_faults_total")
    for path in ("/v1/identities/other", "/v1/issuers/prod", CREDENTIAL):
        answer = relyd.admin("PUT", path, {"issuer": service.ISSUER} if "issuers" in path else {})
        assert problem(answer) == (503, "registry_damaged")
        assert answer.json()["detail"].startswith("writes have stopped: ")
    assert problem(relyd.admin("DELETE", CREDENTIAL)) == (503, "registry_damaged")
    assert metric(relyd, "relyd_control_faults_total") == faults + 4
    assert metric(relyd, "relyd_registry_damaged") == 1
    assert json.loads(ready(relyd))["details"][0]["word"] == "registry_damaged"
    assert events(relyd, "registry_damaged", 1)[0]["level"] == "error"
    events(relyd, "control_fault", faults + 4)
    assert relyd.reason(signer.sign(tokens.claims(service.ISSUER))) == "ok"
    assert relyd.reason(signer.sign(tokens.claims(service.ISSUER, audience="other"))) == "audience_mismatch"


BREAKS = {
    "text": ("UPDATE identity SET description = CAST(x'c328' AS TEXT)", "/v1/identities/payments-api"),
    "list": ("UPDATE identity SET description = CAST(x'c328' AS TEXT)", "/v1/identities"),
    "key set": ("UPDATE key_set SET document = CAST(x'ff' AS TEXT)", "/v1/issuers/prod"),
    "keys": ("UPDATE issuer SET key_source = 9", "/v1/issuers/prod/keys"),
    "schema": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE rubbish' WHERE name = 'identity';"
        "PRAGMA schema_version = 99",
        "/v1/identities",
    ),
    "page": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'identity';"
        "PRAGMA schema_version = 99",
        "/v1/identities",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_b11_damage_found_by_a_read(start, name):
    relyd = start()
    signer = relyd.put_world()
    assert ready(relyd) == "ok\n"
    assert metric(relyd, "relyd_registry_damaged") == 0
    script, path = BREAKS[name]
    with by_hand(relyd) as database:
        database.executescript(script)
    answer = relyd.admin("GET", path)
    assert problem(answer) == (503, "registry_damaged"), answer
    assert_damaged(relyd, signer)


def test_b11_a_row_that_cannot_be_read_back(start):
    """0.1 committed it and aborted: a trigger of a hand's own damages the row that is being written."""
    relyd = start()
    signer = relyd.put_world()
    with by_hand(relyd) as database:
        database.execute("CREATE TRIGGER bad AFTER UPDATE OF description ON credential BEGIN UPDATE credential SET"
                         " audiences = 'x' || char(10) || 'rest' WHERE id = NEW.id; END")
        database.execute("DROP TRIGGER credential_audiences_update")
    revision = metric(relyd, "relyd_revision")
    answer = relyd.admin("PUT", CREDENTIAL, {"issuer": service.ISSUER, "subject": "system:serviceaccount:team-a:builder",
                                             "audiences": ["relyd"], "description": "new"})
    assert problem(answer) == (503, "registry_damaged"), answer
    assert metric(relyd, "relyd_revision") == revision
    assert_damaged(relyd, signer)
    with by_hand(relyd) as database:
        assert database.execute("SELECT audiences FROM credential").fetchall() == [("relyd\n",)]
        database.execute("DROP TRIGGER bad")
    relyd.restart()
    assert ready(relyd) == "ok\n"
    relyd.put_credential(description="new")


def register_fetched(relyd, issuer):
    issuer.show_standby()
    relyd.put_issuer("fetched", **issuer.record())
    relyd.put_credential("fetched", issuerName="fetched", issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", 10, "the first key")
    issuer.use_standby(relyd)


def assert_rotates(relyd, issuer, name):
    """A key that the issuer has only now is in force within moments, and the old one is gone."""
    old = issuer.keys[0]
    issuer.keys[:] = [tokens.key(name)]
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", 10, "the rotated key")
    wire.wait_for(lambda: relyd.reason(issuer.token(old)) == "key_unknown", 10, "the rotation in the other worker")


def test_b11_keys_rotate_while_the_registry_is_damaged(start, issuer):
    """Also those of the record whose row cannot be read."""
    relyd = start(keys__miss_cooldown_ms=100)
    signer = relyd.put_world()
    register_fetched(relyd, issuer)
    with by_hand(relyd) as database:
        database.execute("UPDATE issuer SET leeway_s = 99999 WHERE name = 'fetched'")
    assert problem(relyd.admin("GET", "/v1/issuers/fetched/keys")) == (503, "registry_damaged")
    assert_rotates(relyd, issuer, "rotated")
    assert_damaged(relyd, signer)
    assert_rotates(relyd, issuer, "rotated again")


def refusal_at_start(relyd):
    config = relyd.folder / "relyd.yaml"
    done = subprocess.run([service.BINARY, "--config", str(config)], capture_output=True, text=True, timeout=60,
                          env=service.ENVIRONMENT)
    assert done.returncode == 1, done
    return done.stderr


def test_b22_a_damaged_registry_does_not_start(start):
    relyd = start()
    relyd.put_world()
    relyd.stop()
    whole = relyd.database.read_bytes()
    for page in range(0, len(whole) // 4096):
        damaged = bytearray(whole)
        damaged[page * 4096 : (page + 1) * 4096] = bytes(range(256)) * 16
        relyd.database.write_bytes(damaged)
        message = refusal_at_start(relyd)
        assert "damaged" in message and "(see DAMAGE in relyd(8))" in message
        assert relyd.database.read_bytes() == damaged, "it was written to"
    relyd.database.write_bytes(whole)
    with by_hand(relyd) as database:
        database.execute("UPDATE credential SET subject = CAST(x'ff' AS TEXT)")
    assert "the database is damaged" in refusal_at_start(relyd)
    relyd.database.write_bytes(whole)
    relyd.start()
    events(relyd, "registry_created", 1)
    opened = events(relyd, "registry_opened", 1)[0]
    assert "every page, row and index looked at in" in opened["message"]


def test_an_empty_file_is_said(start):
    """What a copy that did not succeed leaves: relyd begins anew, and not without a word."""
    relyd = start()
    relyd.put_world()
    relyd.stop()
    events(relyd, "registry_empty", 0)
    relyd.database.write_bytes(b"")
    for suffix in ("-wal", "-shm"):
        relyd.database.with_name(relyd.database.name + suffix).unlink(missing_ok=True)
    relyd.start()
    (line,) = events(relyd, "registry_empty", 1)
    assert line["level"] == "warning" and "put the copy back" in line["message"]
    assert relyd.admin("GET", "/v1/issuers").json() == {"value": []}


def test_what_relyd_8_says_of_damage_works(start):
    """Its commands, as they stand there: the page that cannot be read is the change log's, and all objects come back."""
    relyd = start()
    signer = relyd.put_world()
    relyd.stop()
    with by_hand(relyd) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'change_log'").fetchone()
    damaged = bytearray(relyd.database.read_bytes())
    damaged[(page - 1) * 4096 : (page - 1) * 4096 + 64] = b"\xff" * 64
    relyd.database.write_bytes(damaged)
    assert "damaged" in refusal_at_start(relyd)
    text = (service.ROOT / "docs/relyd.8").read_text()
    commands = re.search(r"^\.SH DAMAGE\n.*?^\.nf\n(.*?)^\.fi$", text, re.M | re.S).group(1).replace("relyd.db", relyd.database.name)
    subprocess.run(["bash", "-c", commands], cwd=relyd.database.parent, stderr=subprocess.DEVNULL)
    (relyd.database.parent / "recovered.db").replace(relyd.database)
    relyd.start()
    assert relyd.reason(signer.sign(tokens.claims(service.ISSUER))) == "ok"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that a test may fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def assert_refused_writes(relyd, signer, detail):
    lines = int(metric(relyd, "relyd_control_faults_total"))
    answer = relyd.admin("PUT", "/v1/identities/other", {"description": "x"})
    assert problem(answer) == (500, "internal_error")
    assert detail in answer.json()["detail"]
    assert detail in events(relyd, "control_fault", lines + 1)[-1]["message"]
    assert metric(relyd, "relyd_control_faults_total") == lines + 1
    assert relyd.reason(signer.sign(tokens.claims(service.ISSUER))) == "ok"
    assert relyd.admin("GET", CREDENTIAL).status == 200


def fill(folder):
    with contextlib.suppress(OSError), open(folder / "ballast", "wb") as ballast:
        while True:
            os.write(ballast.fileno(), bytes(512))


def test_b11_full_disk(start, small_disk, issuer):
    relyd = start(registry__path=str(small_disk / "relyd.db"), keys__miss_cooldown_ms=100)
    relyd.database = small_disk / "relyd.db"
    signer = relyd.put_world()
    register_fetched(relyd, issuer)
    fill(small_disk)
    number = 0
    while relyd.admin("PUT", f"/v1/identities/fill-{number}", {"description": "x" * 600}).status == 201:
        number += 1
    assert_refused_writes(relyd, signer, "database or disk is full")
    assert metric(relyd, "relyd_registry_damaged") == 0
    assert_rotates(relyd, issuer, "rotated on a full disk")
    (small_disk / "ballast").unlink()
    relyd.put_identity("other")
    assert relyd.admin("GET", f"/v1/identities/fill-{number}").status == 404
    assert relyd.admin("GET", "/v1/identities/other").status == 200


def test_b11_disk_that_became_read_only(start, small_disk):
    relyd = start(registry__path=str(small_disk / "relyd.db"))
    signer = relyd.put_world()
    relyd.stop()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "Read-only file system" in refusal_at_start(relyd)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    relyd.start()
    relyd.put_identity("other")
    assert relyd.reason(signer.sign(tokens.claims(service.ISSUER))) == "ok"


def test_d_mode_of_a_file_that_is_there(start):
    relyd = start()
    relyd.put_world()
    relyd.stop()
    relyd.database.chmod(0o640)
    relyd.start()
    assert relyd.database.stat().st_mode & 0o777 == 0o600
    assert "had mode 0640, and has 0600 now" in events(relyd, "registry_mode", 1)[0]["message"]
    relyd.stop()
    relyd.database.chmod(0o602)
    assert "everybody could have changed the registry" in refusal_at_start(relyd)
    relyd.database.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(relyd.database, 65534, 65534)
        assert "belongs to uid 65534, and relyd runs as uid 0" in refusal_at_start(relyd)
        os.chown(relyd.database, 0, 0)
    wal = relyd.database.with_name("relyd.db-wal")
    wal.write_bytes(b"")
    wal.chmod(0o666)
    assert "relyd.db-wal has mode 0666" in refusal_at_start(relyd)
    wal.unlink()
    relyd.start()
