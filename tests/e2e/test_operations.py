"""docs/operations.md: what it says of a running relyd, and its commands as they stand there, with this test's paths."""

import collections
import pathlib
import re
import signal
import subprocess

import pytest
import tokens
import wire
from service import BINARY, ISSUER, ROOT

PAGE = (ROOT / "docs/operations.md").read_text()


def command(beginning, relyd):
    """A command of the page: from the line that begins so to the end of its block."""
    block = next(block for block in re.findall(r"(?:^    .*\n)+", PAGE, re.M) if block.lstrip().startswith(beginning))
    text = "\n".join(line[4:] for line in block.splitlines())
    for theirs, ours in {
        "/var/lib/relyd": str(relyd.folder),
        "/var/backups": str(relyd.folder),
        "/etc/relyd": str(relyd.folder),
        "/run/relyd/admin.sock": relyd.socket,
        "127.0.0.1:8482": "%s:%d" % relyd.health,
        '"$(pidof relyd)"': str(relyd.process.pid if relyd.process else 0),
    }.items():
        text = text.replace(theirs, ours)
    return re.sub(r"^relyd ", f"{BINARY} ", text, flags=re.M)


def run(text, folder):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, capture_output=True, text=True, check=True).stdout


def thread_names(relyd):
    return [path.read_text().strip() for path in pathlib.Path(f"/proc/{relyd.process.pid}/task").glob("*/comm")]


def test_threads_have_their_names(start):
    """Each thread is found by its name in the page; two of one name would be two that nobody can tell apart."""
    relyd = start(workers=3)
    documented = set(re.findall(r"^\| `(relyd(?:-\w+)?)`", PAGE, re.M))
    main = pathlib.Path(BINARY).name[:15]  # the kernel calls the first thread as the file
    names = collections.Counter("relyd" if name == main else name for name in thread_names(relyd))
    if "libtsan" in pathlib.Path(f"/proc/{relyd.process.pid}/maps").read_text():
        names["relyd"] -= 1  # TSan's own, which has the process's name
    assert max(names.values()) == 1, names
    assert {re.sub(r"\d+$", "0", name) for name in names} == documented
    assert {"relyd-worker0", "relyd-worker1", "relyd-worker2"} < set(names)


def test_the_configuration_is_checked(relyd):
    check, _ = command("relyd --config", relyd).splitlines()
    assert run(check, relyd.folder) == "the configuration is right\n"


def test_probes(relyd):
    commands = command("curl -fsS http", relyd).splitlines()
    assert [run(line, relyd.folder) != "" for line in commands] == [True, True]


def test_a_stop_is_an_end_in_order(relyd):
    run(command("kill -TERM", relyd), relyd.folder)
    assert relyd.process.wait(30) == 0
    assert [entry["event"] for entry in relyd.events()][-2:] == ["stopping", "stopped"]


def test_sighup_reads_the_configuration_again(relyd):
    relyd.process.send_signal(signal.SIGHUP)
    wire.wait_for(lambda: [entry for entry in relyd.events() if entry["event"] == "configuration_loaded"], 10, "the line of the log")
    assert relyd.is_ready()


def test_a_restart_keeps_what_is_registered_and_fetched(start, issuer):
    relyd = start()
    relyd.put_issuer("fetched", issuer.url, caBundle=issuer.ca, allowPrivateAddresses=True, keys={"discovery": True})
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    token = issuer.token()
    wire.wait_for(lambda: relyd.reason(token) == "ok", 15, "the keys")
    relyd.stop()
    issuer.is_down = True
    relyd.start()
    assert relyd.reason(token) == "ok"


def test_a_backup_is_taken_and_put_back(relyd):
    """While writes go on; and what came after it is gone afterwards."""
    signer = relyd.put_world()
    run(command("sqlite3 /var/lib/relyd/relyd.db \".backup '/var/backups", relyd).replace("/relyd.db'", "/backup.db'"), relyd.folder)
    relyd.put_identity("later")
    relyd.stop()
    run(command("rm -f", relyd).replace(f"{relyd.folder}/relyd.db {relyd.folder}", f"{relyd.folder}/backup.db {relyd.folder}"), relyd.folder)
    relyd.start()
    assert relyd.admin("GET", "/v1/identities/later").status == 404
    assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
    assert relyd.database.stat().st_mode & 0o777 == 0o600


def test_a_copy_before_an_upgrade_opens(relyd):
    relyd.put_world()
    run(command("sqlite3 /var/lib/relyd/relyd.db \".backup '/var/lib", relyd), relyd.folder)
    assert run("sqlite3 before-upgrade.db 'SELECT count(*) FROM credential'", relyd.folder) == "1\n"


@pytest.mark.parametrize("is_stopped", [False, True])
def test_what_can_be_read_is_recovered(start, is_stopped):
    relyd = start()
    signer = relyd.put_world()
    if is_stopped:
        relyd.stop()
    run(command("{ echo", relyd), relyd.folder)
    if not is_stopped:
        relyd.stop()
    (relyd.folder / "recovered.db").replace(relyd.database)
    for suffix in ("-wal", "-shm"):
        relyd.database.with_name(relyd.database.name + suffix).unlink(missing_ok=True)
    relyd.start()
    assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
