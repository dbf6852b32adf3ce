"""Settings that are taken up while relyd runs, on SIGHUP or when the file has changed; and files that are not good."""

import contextlib
import grp
import hashlib
import os
import signal
import subprocess
import time

import pytest
import wire
from authorities import write_server
from service import BINARY, write_yaml
from test_callers import Guarded
from test_restart import ROUNDS, Load

LOADED, BAD, RESTART = "configuration_loaded", "configuration_not_loaded", "restart_needed"


def write(relyd, **settings):
    """The configuration with these changed; None: without it."""
    changed = relyd.settings | {name.replace("__", "."): value for name, value in settings.items()}
    relyd.settings = {name: value for name, value in changed.items() if value is not None}
    (relyd.folder / "relyd.yaml").write_text(write_yaml(relyd.settings))


def said(relyd, event):
    return [line["message"] for line in relyd.events() if line["event"] == event]


def hang_up(relyd, event):
    """SIGHUP; the sentence with which relyd answers it."""
    before = len(said(relyd, event))
    relyd.process.send_signal(signal.SIGHUP)
    return wire.wait_for(lambda: said(relyd, event)[before:], 20, event)[0]


def gauge(relyd, name):
    lines = wire.ask(relyd.health, "GET", "/metrics").body.decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def gauges(relyd):
    return [gauge(relyd, f'relyd_reload_failed{{what="{what}"}}') for what in ("configuration", "certificates")]


def details(relyd):
    answer = wire.ask(relyd.health, "GET", "/readyz")
    assert answer.status == 200  # always: reviews go on
    return [] if answer.body == b"ok\n" else [detail["word"] for detail in answer.json()["details"]]


# --- what is taken up -----------------------------------------------------------------------------------------------


def test_a_bootstrap_token_comes_and_goes(start):
    token = subprocess.run([BINARY, "--bootstrap"], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()[0]
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "serves": "control", "callers": "administrators"}])
    ask = lambda: wire.ask(address, "GET", "/v1/issuers", headers={"Authorization": f"Bearer {token}"}).status
    assert ask() == 401
    write(relyd, auth__bootstrap_tokens=[hashlib.sha256(token.encode()).hexdigest()])
    assert hang_up(relyd, LOADED) == "in force as they are now: auth.bootstrap_tokens"
    assert ask() == 200
    relyd.wait_for_words("bootstrap_token_set")  # as at a start: whoever has it is an administrator
    write(relyd, auth__bootstrap_tokens=None)
    hang_up(relyd, LOADED)
    assert ask() == 401


def test_another_audience_of_callers(start, tmp_path):
    """Also for a token that was taken before and is still remembered, on both planes."""
    guarded = Guarded(start, tmp_path)
    of_check = {"Authorization": f"Bearer {guarded.workload}", "x-relyd-caller": f"Bearer {guarded.token('gateway')}"}
    of_control = {"Authorization": f"Bearer {guarded.token('ops')}"}
    ask = lambda: (guarded.ask("GET", "/check/default", headers=of_check).status, guarded.ask("GET", "/v1/issuers", address=guarded.control, headers=of_control).status)
    assert [ask(), ask()] == [(200, 200)] * 2
    write(guarded.relyd, auth__audience="elsewhere")
    assert hang_up(guarded.relyd, LOADED) == "in force as they are now: auth.audience"
    assert ask() == (403, 401)
    write(guarded.relyd, auth__audience="relyd")
    hang_up(guarded.relyd, LOADED)
    assert ask() == (200, 200)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_another_group_of_administrators(start):
    relyd = start()
    group = grp.getgrnam("games").gr_gid
    ask = lambda: wire.exchange_as_somebody(relyd.socket, b"GET /v1/issuers HTTP/1.1\r\nHost: x\r\n\r\n", group)
    assert ask() is None
    write(relyd, admin__socket_group="games")
    assert hang_up(relyd, LOADED) == "in force as they are now: admin.socket_group"
    assert wire.statuses(ask()) == [200] and os.stat(relyd.socket).st_mode & 0o777 == 0o660  # open to no more than the group
    write(relyd, admin__socket_group="nobody-has-it")
    assert "nobody-has-it" in hang_up(relyd, BAD)
    assert wire.statuses(ask()) == [200] and details(relyd) == ["configuration_not_loaded"]
    write(relyd, admin__socket_group=None)
    hang_up(relyd, LOADED)
    assert wire.statuses(ask()) == [401] and details(relyd) == []


def test_ranges_that_nothing_is_fetched_from(start, issuer):
    relyd = start(fetch__allow_ranges=["127.0.0.1/32"])
    fields = {"caBundle": issuer.ca, "keys": {"discovery": True}}
    state = lambda name: relyd.admin("GET", f"/v1/issuers/{name}/keys").json()
    relyd.put_issuer("before", issuer.url, **fields)
    wire.wait_for(lambda: state("before").get("keys"), 20, "its keys")
    write(relyd, fetch__deny_ranges=["127.0.0.0/8"])
    assert hang_up(relyd, LOADED) == "in force as they are now: fetch.deny_ranges"
    relyd.put_issuer("behind", f"{issuer.url}/behind", **fields)
    error = wire.wait_for(lambda: state("behind").get("lastError"), 20, "the refusal")
    assert error.endswith("address 127.0.0.1 is in one of fetch.deny_ranges")
    assert state("before").get("keys")  # a set that was taken stays


def test_fewer_lines_of_refusals(start):
    relyd = start(log__refusals_per_s=1000000)
    refusals = lambda: sum(line["event"] == "decision" for line in relyd.events())
    with contextlib.closing(wire.Client(relyd.data)) as client:
        ask = lambda: [client.ask("GET", "/check/default", headers={"Authorization": "Bearer x"}).status for _ in range(400)]
        assert ask() == [401] * 400
        wire.wait_for(lambda: refusals() == 400, what="all of them")
        write(relyd, log__refusals_per_s=0)
        assert hang_up(relyd, LOADED) == "in force as they are now: log.refusals_per_s"
        ask()
    left_out = wire.wait_for(lambda: gauge(relyd, "relyd_log_refusals_left_out_total"), what="some that are left out")
    assert left_out > 300  # the others are samples
    wire.wait_for(lambda: refusals() == 800 - left_out, what="the samples")


# --- what waits -----------------------------------------------------------------------------------------------------


def test_what_needs_a_restart_is_named_in_one_line(start):
    relyd = start()
    write(relyd, workers=3, cache__entries=4096, admin__listen=None, auth__audience="other")
    assert hang_up(relyd, RESTART) == "these have changed in the configuration and are as they were until a restart: workers, admin.listen, cache.entries"
    assert said(relyd, LOADED) == ["in force as they are now: auth.audience"]
    assert wire.ask(relyd.admin_tcp, "GET", "/livez").status == 200
    assert hang_up(relyd, RESTART).endswith("workers, admin.listen, cache.entries")  # it is still so
    assert said(relyd, LOADED)[1:] == ["nothing has changed in it that is taken up while relyd runs"]
    relyd.restart()
    with pytest.raises(OSError):
        wire.ask(relyd.admin_tcp, "GET", "/livez")


def test_a_proxy_waits_for_a_restart(start, issuer):
    """Though ranges that stand beside it are taken up, by which the same fetches go."""
    relyd = start(fetch__allow_ranges=["127.0.0.1/32"])
    write(relyd, keys__proxy="http://127.0.0.1:%d" % wire.free_port(), fetch__deny_ranges=["192.0.2.0/24"])
    assert hang_up(relyd, RESTART).endswith("until a restart: keys.proxy")
    assert said(relyd, LOADED) == ["in force as they are now: fetch.deny_ranges"]
    relyd.put_issuer("direct", issuer.url, caBundle=issuer.ca, keys={"discovery": True})
    state = lambda: relyd.admin("GET", "/v1/issuers/direct/keys").json()
    assert wire.wait_for(lambda: state().get("keys") or state().get("lastError"), 20, "its keys") == state().get("keys"), state()


def test_a_listener_that_has_changed_is_named(start):
    address = ("127.0.0.1", wire.free_port())
    relyd = start(listeners=[{"address": "%s:%d" % address, "callers": "anyone"}])
    write(relyd, listeners=[{"address": "%s:%d" % address, "callers": "reviewers"}])
    assert hang_up(relyd, RESTART).endswith("until a restart: listeners")


# --- what is not good -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, complaint", [
    ("", "relyd.yaml"), ("auth: {audience: \"\"}\n", "auth.audience"), ("auth: [\n", "relyd.yaml:"), ("no_such: 1\n", "no_such"),
    ("auth: {audience: other}\nworkers: -1\n", "workers"), ("fetch: {deny_ranges: [\"127.0.0.0/99\"]}\n", "fetch.deny_ranges")])
def test_a_bad_file_changes_nothing(start, text, complaint):
    relyd = start(auth__audience="first")
    good = (relyd.folder / "relyd.yaml").read_text()
    if text == "":
        (relyd.folder / "relyd.yaml").unlink()
    else:
        (relyd.folder / "relyd.yaml").write_text(text)
    sentence = hang_up(relyd, BAD)
    assert sentence.startswith("relyd goes on with the settings that it has: ") and complaint in sentence
    assert gauges(relyd) == [1, 0] and details(relyd) == ["configuration_not_loaded"]
    assert said(relyd, LOADED) == [] and said(relyd, RESTART) == []
    (relyd.folder / "relyd.yaml").write_text(good)
    hang_up(relyd, LOADED)
    assert gauges(relyd) == [0, 0] and details(relyd) == []


@pytest.mark.parametrize("bad", ["first", "second"])
def test_a_bad_certificate_is_seen_until_it_is_good(start, tmp_path, bad):
    listeners = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_server(tmp_path / name)
        listeners.append({"address": f"127.0.0.1:{wire.free_port()}", "callers": "anyone",
                          "tls": {"certificate": f"{tmp_path}/{name}/tls.crt", "key": f"{tmp_path}/{name}/tls.key"}})
    relyd = start(listeners=listeners)
    certificate = tmp_path / bad / "tls.crt"
    good = certificate.read_text()
    certificate.write_text("nothing\n")
    hang_up(relyd, "certificate_not_loaded")
    (relyd.folder / "relyd.yaml").write_text("nothing\n")
    hang_up(relyd, BAD)
    assert gauges(relyd) == [1, 1] and details(relyd) == ["configuration_not_loaded", "certificate_not_loaded"]
    write(relyd)
    hang_up(relyd, LOADED)
    assert gauges(relyd) == [0, 1] and details(relyd) == ["certificate_not_loaded"]
    certificate.write_text(good)
    relyd.process.send_signal(signal.SIGHUP)
    wire.wait_for(lambda: details(relyd) == [], what="the good one")
    assert gauges(relyd) == [0, 0]


# --- when -----------------------------------------------------------------------------------------------------------


def test_a_file_that_has_changed_is_read_without_a_word(start):
    """When it has been left alone: half of a file is never taken up. Whoever sends signals all the while keeps nobody from looking."""
    relyd, other = start(), start()
    until = time.monotonic() + 12
    while time.monotonic() < until:  # longer than relyd looks away
        write(relyd, auth__audience=f"at-{time.monotonic()}")
        time.sleep(0.2)
    write(relyd, auth__audience="last")
    assert said(relyd, LOADED) == []
    wire.wait_for(lambda: relyd.process.send_signal(signal.SIGUSR1) or said(relyd, LOADED), 40, "the change")
    assert said(relyd, LOADED) == ["in force as they are now: auth.audience"]
    assert said(other, LOADED) == []  # as it was at the start: nothing to say, however often it is looked at


@pytest.mark.threads
def test_reloads_under_load(start, tmp_path):
    guarded = Guarded(start, tmp_path)
    with Load(guarded) as load:
        for round in range(ROUNDS):
            write(guarded.relyd, auth__audience=f"round-{round}", log__refusals_per_s=round, fetch__deny_ranges=[f"192.0.2.{round}/32"])
            assert hang_up(guarded.relyd, LOADED) == "in force as they are now: auth.audience, fetch.deny_ranges, log.refusals_per_s"
        checks = load.checks
    assert load.faults == [], load.faults[:5]
    assert checks > 10 * ROUNDS and len(load.written) > 0
    assert guarded.relyd.log().count('"certificate_loaded"') >= 2 * (ROUNDS + 1)
