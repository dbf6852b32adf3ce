"""What was acknowledged is live: in every worker, for the very next request."""

import concurrent.futures
import resource
import sqlite3

import pytest
import tokens
import wire
from service import ISSUER

CREDENTIAL = "/v1/identities/payments-api/federatedIdentityCredentials/builder"




def test_create_is_live_in_the_next_request(start):
    """1,000 reviews, each on a connection of its own, so that the kernel spreads them over all workers."""
    relyd = start(workers=4)
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    misses = []
    for number in range(250):
        assert relyd.admin("DELETE", CREDENTIAL).status == 204
        misses += [("deleted", number) for _ in range(2) if relyd.reason(token) != "no_matching_credential"]
        relyd.put_credential()
        misses += [("created", number) for _ in range(2) if relyd.reason(token) != "ok"]
    assert misses == []


def test_change_of_an_issuer_is_live(relyd):
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER, iat=None, nbf=None, lifetime=-100))
    for _ in range(50):
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, leewaySeconds=60)
        assert relyd.reason(token) == "expired"
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, leewaySeconds=300)
        assert relyd.reason(token) == "ok"


def test_uploaded_keys_are_live(relyd):
    old, new = tokens.key("old"), tokens.key("new")
    relyd.put_world()
    for signer, other in [(old, new), (new, old)] * 25:
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)})
        assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
        assert relyd.reason(other.sign(tokens.claims(ISSUER))) == "key_unknown"


@pytest.mark.threads
def test_reviews_during_writes(start):
    """Writers and readers at once: every answer is one of the two right ones, and the last write is what counts."""
    relyd = start(workers=4)
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    reasons = set()

    def read():
        for _ in range(100):
            reasons.add(relyd.reason(token))

    def write():
        for _ in range(40):
            relyd.admin("DELETE", CREDENTIAL)
            relyd.put_credential()

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        for work in [pool.submit(read) for _ in range(4)] + [pool.submit(write)]:
            work.result()
    assert reasons <= {"ok", "no_matching_credential"}
    assert relyd.reason(token) == "ok"


@pytest.mark.threads
def test_writers_from_everywhere(relyd):
    """Eight writers on objects of their own: all are there, and all are live."""
    signer = relyd.put_world()

    def write(number):
        relyd.put_identity(f"identity-{number}")
        relyd.put_credential(f"credential-{number}", f"identity-{number}", subject=f"robot-{number}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(60)))
    for number in range(60):
        payload = tokens.claims(ISSUER, sub=f"robot-{number}", **{"kubernetes.io": None})
        assert relyd.review(signer.sign(payload))["identities"][0]["name"] == f"identity-{number}"


def in_threads(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def read_log(relyd):
    with sqlite3.connect(relyd.database) as database:
        rows = database.execute("SELECT revision, operation, name FROM change_log ORDER BY revision").fetchall()
    database.close()
    return rows


@pytest.mark.threads
def test_shared_commits_are_live(start):
    """Eight kept connections, whose writes share commits: each is live when it is answered, and has its own revision."""
    relyd = start(workers=2)
    signer = relyd.put_world()
    before = len(read_log(relyd))

    def write(number):
        client, path = wire.Client(relyd.socket), f"/v1/identities/identity-{number}"
        token = signer.sign(tokens.claims(ISSUER, sub=f"robot-{number}", **{"kubernetes.io": None}))
        credential = {"issuer": ISSUER, "subject": f"robot-{number}", "audiences": ["relyd"]}
        assert client.ask("PUT", path, {}).status == 201
        for _ in range(15):
            assert client.ask("PUT", path + "/federatedIdentityCredentials/one", credential).status == 201
            assert relyd.review(token)["identities"][0]["name"] == f"identity-{number}"
            assert client.ask("DELETE", path + "/federatedIdentityCredentials/one").status == 204
            assert relyd.reason(token) == "no_matching_credential"
        client.close()

    in_threads(8, write)
    revisions = [row[0] for row in read_log(relyd)]
    assert revisions == list(range(1, before + 8 * 31 + 1))


@pytest.mark.threads
def test_one_of_many_is_accepted(relyd):
    """Eight writers want the same name, and of those who know an ETag one may write: the others are refused alone."""
    relyd.put_world()
    clients = [wire.Client(relyd.socket) for _ in range(8)]
    for number in range(20):
        path = f"/v1/identities/contested-{number}"
        created = in_threads(8, lambda i: clients[i].ask("POST", "/v1/identities", {"name": f"contested-{number}"}))
        assert sorted(answer.status for answer in created) == [201] + 7 * [409]
        assert {answer.json()["code"] for answer in created if answer.status == 409} == {"already_exists"}
        match = {"If-Match": clients[0].ask("GET", path).header("etag")}
        changed = in_threads(8, lambda i: clients[i].ask("PUT", path, {"description": f"by {i}"}, match))
        assert sorted(answer.status for answer in changed) == [200] + 7 * [412]
        winner = next(answer for answer in changed if answer.status == 200)
        assert clients[0].ask("GET", path).json() == winner.json()
    for client in clients:
        client.close()


def test_full_disk(start):
    """What cannot be written is refused, shows nowhere, and is not there after the next start."""
    relyd = start(workers=1)
    signer = relyd.put_world()
    wal = relyd.database.with_name(relyd.database.name + "-wal")
    limit = max(wal.stat().st_size, relyd.log_path.stat().st_size) + 60000
    resource.prlimit(relyd.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def write(number):
        accepted, client = [], wire.Client(relyd.socket)
        for step in range(20):
            answer = client.ask("PUT", f"/v1/identities/identity-{number}-{step}", {"description": "x" * 600})
            assert answer.status == 201 or (answer.status == 500 and answer.json()["code"] == "internal_error"), answer
            accepted += [f"identity-{number}-{step}"] if answer.status == 201 else []
        client.close()
        return accepted

    accepted = sum(in_threads(8, write), [])
    assert 0 < len(accepted) < 160
    resource.prlimit(relyd.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    relyd.put_identity("last", description="there is room again")
    for _ in range(2):
        page = relyd.admin("GET", "/v1/identities?limit=1000").json()["value"]
        assert sorted(row["name"] for row in page) == sorted(accepted + ["payments-api", "last"])
        assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
        assert [row[0] for row in read_log(relyd)] == list(range(1, len(accepted) + 5))
        relyd.restart()
