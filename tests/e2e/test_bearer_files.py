"""Keys behind a login: a token out of a file below keys.folder, sent to the record's own origin and nowhere else."""

import os

import pytest
import tokens
import wire
from issuer import DISCOVERY, Issuer, response
from test_fetching import Proxy, keys_of, redirect, register, wait_for

SECRET = "abc.DEF-123_~+/=="
JWKS = "/openid/v1/jwks"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "keys.d"
    made.mkdir()
    (made / "cluster.token").write_text(SECRET + "\n")
    return made


@pytest.fixture
def guarded(start, folder):
    return start(keys__folder=str(folder))


def sent(issuer):
    """What each request said of itself: its path, and its Authorization."""
    with issuer.lock:
        texts = list(issuer.requests_text)
    return [(text.split()[1].decode(), [line.split(b": ", 1)[1].decode() for line in text.split(b"\r\n") if line.lower().startswith(b"authorization:")])
            for text in texts]


def assert_untold(relyd):
    """Neither the log nor the page of keys has the token."""
    assert SECRET not in relyd.log() and SECRET not in keys_of(relyd).get("lastError", "")


def test_the_token_goes_with_both_documents(guarded, issuer):
    register(guarded, issuer, bearerTokenFile="cluster.token")
    wait_for(guarded, "keys")
    assert guarded.reason(issuer.token()) == "ok"
    assert sent(issuer) == [(DISCOVERY, ["Bearer " + SECRET]), (JWKS, ["Bearer " + SECRET])]
    assert guarded.admin("GET", "/v1/issuers/cluster").json()["bearerTokenFile"] == "cluster.token"
    assert_untold(guarded)


def test_the_file_is_read_anew_each_time(guarded, issuer, folder):
    """A cluster gives out new tokens every hour."""
    register(guarded, issuer, bearerTokenFile="cluster.token")
    wait_for(guarded, "keys")
    (folder / "cluster.token").write_text("second")
    guarded.put_issuer("cluster", **issuer.record(bearerTokenFile="cluster.token", description="asks again"))
    wire.wait_for(lambda: sent(issuer)[-1] == (JWKS, ["Bearer second"]), what="the new token")


def test_kubernetes_swaps_links(guarded, issuer, folder):
    (folder / "..2026").mkdir()
    (folder / "..2026" / "linked").write_text("by-a-link")
    os.symlink("..2026", folder / "..data")
    os.symlink("..data/linked", folder / "linked")
    register(guarded, issuer, bearerTokenFile="linked")
    wait_for(guarded, "keys")
    assert sent(issuer)[0] == (DISCOVERY, ["Bearer by-a-link"])


def test_a_redirect_within_the_origin_keeps_it_and_no_other_gets_it(guarded, issuer):
    issuer.answers[DISCOVERY] = redirect("/a")
    issuer.answers["/a"] = response(issuer.discovery())
    other = Issuer(*issuer.keys)
    try:
        issuer.answers[JWKS] = redirect(other.url + JWKS)
        register(guarded, issuer, bearerTokenFile="cluster.token")
        assert "redirected to another origin" in wait_for(guarded, "lastError")
        assert [path for path, headers in sent(issuer) if headers == ["Bearer " + SECRET]] == [DISCOVERY, "/a", JWKS]
        assert sent(other) == []
        assert_untold(guarded)
    finally:
        other.stop()


def test_keys_elsewhere_are_fetched_without_it(guarded, issuer):
    """A document that points elsewhere carries no token away."""
    other = Issuer(*issuer.keys)
    try:
        issuer.answers[DISCOVERY] = response(issuer.discovery(jwks_uri=other.url + JWKS))
        register(guarded, issuer, bearerTokenFile="cluster.token")
        wait_for(guarded, "keys")
        assert sent(issuer) == [(DISCOVERY, ["Bearer " + SECRET])] and sent(other) == [(JWKS, [])]
    finally:
        other.stop()


def test_of_a_record_that_names_the_key_set(guarded, issuer):
    register(guarded, issuer, keys={"jwksUri": issuer.url + JWKS}, bearerTokenFile="cluster.token")
    wait_for(guarded, "keys")
    assert sent(issuer) == [(JWKS, ["Bearer " + SECRET])]


def make_folder(path):
    path.unlink()
    path.mkdir()


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


BAD_FILES = {
    "missing": (lambda path: path.unlink(), "it cannot be opened: No such file or directory"),
    "empty": (lambda path: path.write_text(""), "it is empty"),
    "a folder": (make_folder, "it is no regular file"),
    "a pipe": (make_pipe, "it is no regular file"),
    "large": (lambda path: path.write_text("x" * 16385), "it is larger than 16384 bytes"),
    "two lines": (lambda path: path.write_text(SECRET + "\r\nX-More: 1"), "is no token"),
    "blank": (lambda path: path.write_text(" \n"), "is no token"),
    "NUL": (lambda path: path.write_bytes(SECRET.encode() + b"\0"), "is no token"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_without_the_token_nothing_is_asked(guarded, issuer, folder, name):
    """Nor is the issuer asked without one: it would be another question."""
    spoil, why = BAD_FILES[name]
    spoil(folder / "cluster.token")
    register(guarded, issuer, bearerTokenFile="cluster.token")
    error = wait_for(guarded, "lastError")
    assert error.startswith(f"keys of issuer cluster: {issuer.url}{DISCOVERY}: bearerTokenFile: file cluster.token in keys.folder") and error.endswith(why)
    assert issuer.requests == []
    assert_untold(guarded)
    assert guarded.reason(issuer.token()) in ("keys_unavailable", "key_unknown")


REFUSED = {
    "../secret": ("invalid_value", "without folder and without a dot in front"),
    "a/b": ("invalid_value", "without folder and without a dot in front"),
    "..": ("invalid_value", "without folder and without a dot in front"),
    ".hidden": ("invalid_value", "without folder and without a dot in front"),
    "a b": ("invalid_value", "without folder and without a dot in front"),
    "": ("too_short", "bearerTokenFile"),
    "x" * 121: ("too_long", "bearerTokenFile"),
    7: ("wrong_type", "bearerTokenFile"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(guarded, issuer, name):
    code, words = REFUSED[name]
    answer = guarded.admin("PUT", "/v1/issuers/cluster", issuer.record(bearerTokenFile=name))
    assert answer.status == 400
    problem = answer.json()["errors"][0]
    assert (problem["field"], problem["code"]) == ("bearerTokenFile", code) and words in problem["message"]


def test_what_it_goes_with(start, guarded, issuer, folder):
    """Keys that are fetched, by https, where there is a folder."""
    uploaded = {"keys": {"jwks": tokens.jwks(issuer.keys[0])}, "bearerTokenFile": "cluster.token"}
    by_http = {"keys": {"jwksUri": "http://127.0.0.1:1/keys"}, "allowHttp": True, "bearerTokenFile": "cluster.token"}
    plain = start(issuers__allow_http=True, keys__folder=str(folder))
    for relyd, fields, words in ((guarded, uploaded, "goes only with keys that are fetched"), (plain, by_http, "is sent by https only"),
                                 (start(), {"bearerTokenFile": "cluster.token"}, "needs keys.folder in the configuration")):
        answer = relyd.admin("PUT", "/v1/issuers/cluster", issuer.record(**fields))
        assert answer.status == 400, answer
        assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("bearerTokenFile", "not_allowed")]
        assert words in answer.json()["errors"][0]["message"]


def test_a_folder_that_is_gone_from_the_settings(guarded, issuer):
    register(guarded, issuer, bearerTokenFile="cluster.token")
    wait_for(guarded, "keys")
    guarded.stop()
    del guarded.settings["keys.folder"]
    count = len(issuer.requests)
    guarded.start()
    guarded.await_all_workers()
    assert guarded.reason(issuer.token()) == "ok"  # what is in force stays so
    guarded.reason(issuer.token(tokens.key("another")))
    assert wait_for(guarded, "lastError").endswith("bearerTokenFile: file cluster.token in keys.folder: keys.folder is not set")
    assert len(issuer.requests) == count


# --- a proxy of the record's own ---------------------------------------------------------------------------------------


@pytest.fixture
def proxies():
    made = [Proxy(), Proxy()]
    yield made
    for proxy in made:
        proxy.listener.close()


def test_the_record_has_its_own_proxy(start, issuer, folder, proxies):
    """It stands for keys.proxy, and sees no token."""
    common, own = proxies
    relyd = start(keys__proxy=common.url, keys__folder=str(folder))
    register(relyd, issuer, proxy=own.url, bearerTokenFile="cluster.token")
    wait_for(relyd, "keys")
    assert common.asked == [] and own.asked == [f"127.0.0.1:{issuer.port}"] * 2
    assert all(b"authorization" not in head.lower() for head in own.heads)
    assert sent(issuer) == [(DISCOVERY, ["Bearer " + SECRET]), (JWKS, ["Bearer " + SECRET])]
    relyd.put_issuer("cluster", **issuer.record(bearerTokenFile="cluster.token"))
    wire.wait_for(lambda: len(common.asked) == 2, what="the common proxy")
    assert len(own.asked) == 2


def test_a_proxy_that_is_down_is_named(relyd, issuer):
    register(relyd, issuer, proxy=f"http://127.0.0.1:{wire.free_port()}")
    assert wait_for(relyd, "lastError") == f"keys of issuer cluster: {issuer.url}{DISCOVERY}: the record's proxy: connection refused"
    assert issuer.requests == []


def test_denied_ranges_hold_for_a_records_proxy(start, issuer, proxies):
    """What nothing is ever connected to, whatever a record says."""
    relyd = start(fetch__deny_ranges=["127.0.0.2/32"])
    register(relyd, issuer, proxy=proxies[0].url.replace("127.0.0.1", "127.0.0.2"))
    assert "127.0.0.2 is in one of fetch.deny_ranges" in wait_for(relyd, "lastError")


PROXIES = {"https://p:1": "only an http proxy", "http://p": "port is missing", "http://me:geheim@p:1": "user or password", "p:1": "only an http proxy"}


@pytest.mark.parametrize("proxy", PROXIES)
def test_proxies_that_are_refused(relyd, issuer, proxy):
    answer = relyd.admin("PUT", "/v1/issuers/cluster", issuer.record(proxy=proxy))
    assert answer.status == 400
    problem = answer.json()["errors"][0]
    assert (problem["field"], problem["code"]) == ("proxy", "invalid_url") and PROXIES[proxy] in problem["message"]
    assert "geheim" not in str(answer.json())
