"""Fault A4: what an issuer answers counts for the question that was asked. An answer that comes after its administrator
has named another source, however late or early, is neither in force nor stored."""

import sqlite3
import threading

import pytest
import tokens
import wire
from issuer import DISCOVERY, Issuer, response

pytestmark = pytest.mark.threads
JWKS = "/openid/v1/jwks"


class Gate:
    """An answer that an issuer holds back until it is told to let go."""

    def __init__(self, answer):
        self.answer, self.arrived, self.opened, self.gone = answer, threading.Event(), threading.Event(), threading.Event()

    def __call__(self, server, connection):
        self.arrived.set()
        self.opened.wait(9)
        connection.sendall(self.answer)
        self.gone.set()

    def let_go(self):
        self.opened.set()
        assert self.gone.wait(10)


@pytest.fixture
def writers(request):
    """Administrators who change other objects all the time, so that a batch of writes is open when an answer comes."""

    class Writers:
        def __init__(self):
            self.is_over, self.threads = False, []

        def begin(self, relyd, count=3):
            for i in range(count):
                self.threads.append(threading.Thread(target=self.write, args=(relyd, i), daemon=True))
                self.threads[-1].start()

        def write(self, relyd, i):
            client, number = wire.Client(relyd.socket), 0
            while not self.is_over:
                number += 1
                assert client.ask("PUT", f"/v1/identities/noise-{i}", {"description": str(number)}).status in (200, 201)
            client.close()

        def end(self):
            self.is_over = True
            for thread in self.threads:
                thread.join()

    writers = Writers()
    yield writers
    writers.end()


def stored_documents(relyd):
    with sqlite3.connect(relyd.database) as database:
        return dict(database.execute("SELECT o.name, k.document FROM key_set k JOIN issuer o ON o.id = k.issuer_id"))


@pytest.mark.parametrize("moment", ["as the write is sent", "when it is acknowledged"])
@pytest.mark.parametrize("step", ["discovery", "key set"])
def test_a4_withdrawn_source_never_decides(start, issuer, writers, moment, step):
    """60 of 60 tries: the old source's answer is under way while the administrator moves the issuer elsewhere."""
    relyd = start(keys__miss_wait_ms=0)
    old, new = tokens.key("withdrawn"), tokens.key("issuer")
    writers.begin(relyd)
    relyd.put_identity()
    for number in range(60):
        name, base = f"moved-{number}", f"/moved-{number}"
        url = issuer.url + base
        if step == "discovery":
            gate = issuer.answers[base + "/old"] = Gate(response(issuer.discovery(base, jwks_uri=url + "/old-keys")))
            issuer.answers[base + "/old-keys"] = response(tokens.jwks(old))
            before, after = {"discoveryUrl": url + "/old"}, {"discoveryUrl": url + "/new"}
            issuer.answers[base + "/new"] = response(issuer.discovery(base))
        else:
            gate = issuer.answers[base + "/old-keys"] = Gate(response(tokens.jwks(old)))
            issuer.answers[base + "/old"] = response(issuer.discovery(base, jwks_uri=url + "/old-keys"))
            before, after = {"discoveryUrl": url + "/old"}, {}
        relyd.put_issuer(name, **issuer.record(issuer=url, **before))
        relyd.put_credential(f"rule-{number % 20}", identity=move_on(relyd, number), issuer=url)
        assert gate.arrived.wait(10)
        if moment == "as the write is sent":
            threading.Timer(0.001 * (number % 6), gate.let_go).start()
        relyd.put_issuer(name, **issuer.record(issuer=url, **after))
        withdrawn = old.sign(tokens.claims(url))
        assert relyd.reason(withdrawn) in ("key_unknown", "keys_unavailable"), number
        if moment == "when it is acknowledged":
            gate.let_go()
        good = new.sign(tokens.claims(url))

        def is_settled():
            assert relyd.reason(withdrawn) in ("key_unknown", "keys_unavailable"), number
            return relyd.reason(good) == "ok"

        wire.wait_for(is_settled, what="the new source's keys")
    writers.end()
    documents = wire.wait_for(lambda: len(stored_documents(relyd)) >= 60 and stored_documents(relyd), what="the last one's row, behind its edition")
    assert {name: old.kid in document for name, document in documents.items()} == {f"moved-{n}": False for n in range(60)}
    relyd.kill()
    relyd.start()
    for number in range(60):
        assert relyd.reason(old.sign(tokens.claims(f"{issuer.url}/moved-{number}"))) == "key_unknown", number


def move_on(relyd, number):
    """An identity with room for one more credential."""
    name = f"identity-{number}"
    relyd.put_identity(name)
    return name


SOURCES = {
    "caBundle": lambda issuer, key: {"caBundle": issuer.ca + "\n"},
    "allowPrivateAddresses": lambda issuer, key: {"allowPrivateAddresses": False},
    "allowHttp": lambda issuer, key: {"allowHttp": True},
    "bearerTokenFile": lambda issuer, key: {"bearerTokenFile": "nothing-there"},
    "proxy": lambda issuer, key: {"proxy": f"http://127.0.0.1:{wire.free_port()}"},
    "discoveryUrl": lambda issuer, key: {"discoveryUrl": issuer.url + "/nowhere"},
    "jwksUri": lambda issuer, key: {"keys": {"jwksUri": issuer.url + "/nowhere"}},
    "jwks": lambda issuer, key: {"keys": {"jwks": tokens.jwks(key)}},
}


@pytest.mark.parametrize("name", SOURCES)
def test_a4_another_source_drops_the_keys_and_the_answer_under_way(start, issuer, name):
    """Each field that says from where or how: keys of before are out of force with the write's acknowledgement, and a
    fetch that was under way brings nothing."""
    relyd = start(keys__miss_wait_ms=0, issuers__allow_http=True, keys__folder="/nowhere")
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the first keys")
    relyd.await_all_workers()
    gate = issuer.answers[JWKS] = Gate(response(issuer.jwks()))
    relyd.put_issuer("cluster", **issuer.record(description="asks again"))
    assert gate.arrived.wait(10)
    assert relyd.reason(issuer.token()) == "ok"
    for answer in (JWKS, DISCOVERY):
        issuer.answers[answer] = response({}, "404 Not Found") if answer != JWKS else gate
    other = tokens.key("uploaded")
    relyd.put_issuer("cluster", **issuer.record(**SOURCES[name](issuer, other)))
    right = "key_unknown" if name == "jwks" else "keys_unavailable"
    assert relyd.reason(issuer.token()) == right
    attempts = issuer.count(DISCOVERY)
    gate.let_go()
    if name == "jwks":
        wire.wait_for(lambda: relyd.reason(issuer.token(other)) == "ok", what="the uploaded key")
    else:
        wire.wait_for(lambda: keys_page(relyd).get("lastError"), what="the new source's failure")
    relyd.await_all_workers()
    assert relyd.reason(issuer.token()) == right
    assert attempts >= 1
    relyd.restart()
    assert relyd.reason(issuer.token()) == right


def keys_page(relyd, name="cluster"):
    return relyd.admin("GET", f"/v1/issuers/{name}/keys").json()


def test_a4_what_says_nothing_of_the_source_keeps_the_keys(relyd, issuer):
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the first keys")
    relyd.await_all_workers()
    issuer.is_down = True
    for fields in ({"description": "x"}, {"leewaySeconds": 5}, {"enabled": False}, {"enabled": True, "algorithms": ["RS256", "ES256"]}):
        relyd.put_issuer("cluster", **issuer.record(**fields))
        assert relyd.reason(issuer.token()) == ("ok" if fields.get("enabled", True) else "issuer_disabled")


def test_a4_a_record_of_the_same_name_asks_anew(start, issuer):
    """Deleted and made again while the answer is under way: another record, which never asked."""
    relyd = start(keys__miss_wait_ms=0)
    old = tokens.key("withdrawn")
    gate = issuer.answers["/old-keys"] = Gate(response(tokens.jwks(old)))
    relyd.put_issuer("cluster", **issuer.record(keys={"jwksUri": issuer.url + "/old-keys"}))
    assert gate.arrived.wait(10)
    assert relyd.admin("DELETE", "/v1/issuers/cluster").status == 204
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    gate.let_go()
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the new record's keys")
    relyd.await_all_workers()
    assert relyd.reason(issuer.token(old)) == "key_unknown"


# --- sources that are closed by now (A5) ------------------------------------------------------------------------------


CLOSED = {  # what the registry says of where the keys came from, the settings then, and the settings now
    "the key set over http": ("UPDATE key_set SET source_url = 'http://127.0.0.1:9/keys' WHERE source_url IS NOT NULL",
                              {"issuers.allow_http": True}, {"issuers.allow_http": False}, "http is not allowed"),
    "the discovery document over http": ("UPDATE issuer SET discovery_url = 'http://localhost:9/discovery' WHERE key_source = 1",
                                         {"issuers.allow_http": True}, {"issuers.allow_http": False}, "http is not allowed"),
    "an address that is denied": ("UPDATE issuer SET leeway_s = leeway_s", {}, {"fetch.deny_ranges": ["127.0.0.0/8"]},
                                  "the address 127.0.0.1 is in one of fetch.deny_ranges"),
    "an address that is allowed no more": ("UPDATE issuer SET allow_private_addresses = 0", {"fetch.allow_ranges": ["127.0.0.0/8"]},
                                           {"fetch.allow_ranges": ["127.0.0.2"]}, "the address 127.0.0.1 is special"),
}


@pytest.mark.parametrize("way", CLOSED)
def test_a5_keys_from_where_nothing_may_be_fetched_any_more(start, issuer, way):
    """Not for as long as keys may be old: whoever was on the path may have written them."""
    sql, then, now, why = CLOSED[way]
    relyd = start(keys__miss_wait_ms=0)
    relyd.put_identity()
    given = tokens.key("given")
    relyd.put_issuer("given", issuer="https://given.example", keys={"jwks": tokens.jwks(given)})
    relyd.put_credential("of-given", issuer="https://given.example")
    relyd.put_issuer("cluster", allowHttp=True, **issuer.record()) if "http" in way else relyd.put_issuer("cluster", **issuer.record())
    relyd.put_credential(issuer=issuer.url)
    wire.wait_for(lambda: relyd.reason(issuer.token()) == "ok", what="the key set")
    relyd.await_all_workers()
    relyd.stop()
    with sqlite3.connect(relyd.database) as database:
        database.execute(sql)
    issuer.is_down = True
    relyd.settings |= then
    relyd.start()
    assert relyd.reason(issuer.token()) == "ok"  # an outage
    assert "stored_keys_not_in_force" not in relyd.log()
    relyd.stop()
    relyd.settings |= now
    relyd.start()
    assert relyd.reason(issuer.token()) == "keys_unavailable"
    assert relyd.reason(given.sign(tokens.claims("https://given.example"))) == "ok"
    assert "keys" not in relyd.admin("GET", "/v1/issuers/cluster/keys").json() or relyd.admin("GET", "/v1/issuers/cluster/keys").json()["keys"] == []
    (line,) = wire.wait_for(lambda: [line for line in relyd.log().splitlines() if "stored_keys_not_in_force" in line], what="the line")
    assert "1 of the stored sets" in line and "issuer cluster: http" in line and why in line
    relyd.stop()
    for name in now:
        del relyd.settings[name]
    relyd.settings |= then
    relyd.start()
    assert relyd.reason(issuer.token()) == "ok"  # the administrator has changed his mind
