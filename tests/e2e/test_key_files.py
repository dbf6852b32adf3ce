"""Keys in files below keys.folder: what is read and when, what is refused with which condition, and that what is in force holds meanwhile."""

import json
import os
import sqlite3

import pytest
import tokens
import wire
from service import ISSUER
from test_conditions import conditions, first_false
from test_key_origins import pem_of, problems
from test_reload import LOADED, hang_up, said, write

NAME = "prod.jwks"
KEYS = "/v1/issuers/prod/keys"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "keys.d"
    made.mkdir()
    return made


@pytest.fixture
def relyd(start, folder):
    relyd = start(keys__folder=str(folder))
    relyd.put_identity()
    return relyd


def put(folder, text, name=NAME):
    """As whoever rotates does it: beside it, and renamed."""
    beside = folder / (name + ".new")
    beside.write_text(text if isinstance(text, str) else json.dumps(text))
    beside.rename(folder / name)


def register(relyd, name="prod", file=NAME, **fields):
    record = relyd.put_issuer(name, keys={"file": file}, **fields)
    relyd.put_credential(name, issuer=record["issuer"])
    return record


def shown(relyd, name="prod"):
    return relyd.admin("GET", f"/v1/issuers/{name}/keys").json()


def await_kids(relyd, *keys, name="prod"):
    kids = [tokens.key(key).kid for key in keys]
    found = wire.wait_for(lambda: [key["kid"] for key in shown(relyd, name)["keys"]] == kids and shown(relyd, name), 20, f"{kids} in force")
    relyd.await_all_workers()
    return found


def token(key, **more):
    return key.sign(tokens.claims(ISSUER, **more))


def refresh(relyd, query="", name="prod"):
    answer = relyd.admin("POST", f"/v1/issuers/{name}:refresh{query}")
    assert answer.status == 200, answer
    return answer.json()


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_is_a_source(relyd, folder):
    """Tokens are good by it, also after a restart without the file; the file is shown, and nothing is asked of a network."""
    key = tokens.key("a")
    put(folder, tokens.jwks(key))
    record = register(relyd)
    assert record["keys"] == {"file": NAME}
    found = await_kids(relyd, "a")
    assert (found["source"], found["file"], found["generation"]) == ("file", NAME, 1) and "hardLimitAt" in found
    assert relyd.reason(token(key)) == "ok"
    actor, after = sqlite3.connect(relyd.database).execute("SELECT actor, after FROM change_log WHERE object = 'keySet'").fetchone()
    assert actor == "keys" and (json.loads(after)["sourceUrl"], json.loads(after)["kids"]) == ("file:" + NAME, [key.kid])
    reasons = {item["type"]: item["reason"] for item in conditions(relyd, "prod") if item["type"] != "TokensSeen"}
    assert reasons == {"NameResolved": "not_needed", "Connected": "not_needed", "TlsTrusted": "not_needed", "DiscoveryRead": "not_needed",
                       "IssuerMatches": "not_needed", "KeysRead": "read", "KeysUsable": "usable", "Ready": "ready"}
    relyd.stop()
    (folder / NAME).unlink()
    relyd.start()
    relyd.await_all_workers()
    assert relyd.reason(token(key)) == "ok"
    assert relyd.admin("GET", "/v1/issuers/prod").json()["keys"] == {"file": NAME}
    assert relyd.admin("PUT", "/v1/issuers/prod", relyd.admin("GET", "/v1/issuers/prod").json()).status == 200


def test_pem_in_a_file(relyd, folder):
    keys = [tokens.key("a"), tokens.key("b")]
    put(folder, "both keys:\n" + "".join(pem_of(key) for key in keys))
    register(relyd)
    await_kids(relyd, "a", "b")
    assert [relyd.reason(token(key)) for key in keys] == ["ok", "ok"]


def test_a_change_is_seen_by_itself(relyd, folder):
    """Within some seconds, without anybody's word; a file that nobody has written is not read again."""
    keys = [tokens.key("a"), tokens.key("b")]
    put(folder, tokens.jwks(keys[0]))
    register(relyd)
    await_kids(relyd, "a")
    put(folder, tokens.jwks(*keys))
    await_kids(relyd, "a", "b")
    assert [relyd.reason(token(key)) for key in keys] == ["ok", "ok"]


def test_sighup_looks_now(relyd, folder):
    put(folder, tokens.jwks(tokens.key("a")))
    register(relyd)
    attempt = await_kids(relyd, "a")["lastAttemptAt"]
    wire.wait_for(lambda: shown(relyd)["nextFetchAt"] > attempt, what="the next look is planned")
    put(folder, tokens.jwks(tokens.key("a"), tokens.key("b")))
    write(relyd)
    hang_up(relyd, LOADED)
    wire.wait_for(lambda: len(shown(relyd)["keys"]) == 2, 5, "the new key")


def test_refresh_reads_now(relyd, folder):
    """Step by step; an unchanged file is read all the same, and is unchanged."""
    put(folder, tokens.jwks(tokens.key("a")))
    register(relyd)
    await_kids(relyd, "a")
    answer = refresh(relyd)
    assert (answer["outcome"], answer["kids"]) == ("unchanged", [tokens.key("a").kid])
    assert [(step["step"], step["outcome"]) for step in answer["steps"]] == [
        ("resolve", "skipped"), ("connect", "skipped"), ("tls", "skipped"), ("discovery", "skipped"), ("issuer", "skipped"), ("keys", "passed"), ("judge", "passed")]
    put(folder, tokens.jwks(tokens.key("a"), tokens.key("b")))
    answer = refresh(relyd)
    assert (answer["outcome"], answer["kids"]) == ("accepted", [tokens.key("a").kid, tokens.key("b").kid])


def test_a_missing_key_causes_a_look(relyd, folder):
    """A token by a key that was written a moment ago waits for it, as with an issuer that is fetched."""
    put(folder, tokens.jwks(tokens.key("a")))
    register(relyd)
    await_kids(relyd, "a")
    put(folder, tokens.jwks(tokens.key("a"), tokens.key("b")))
    assert relyd.reason(token(tokens.key("b"))) == "ok"


def test_a_set_that_drops_every_key_is_held_back(relyd, folder):
    """As when it is fetched: the present keys hold, the new ones are guests, and an administrator may order it."""
    old, new = tokens.key("a"), tokens.key("b")
    put(folder, tokens.jwks(old))
    register(relyd)
    await_kids(relyd, "a")
    assert relyd.reason(token(old)) == "ok"
    put(folder, tokens.jwks(new))
    assert refresh(relyd)["outcome"] == "held_back"
    assert shown(relyd)["pending"]["why"] == "drops_keys_in_use"
    relyd.await_all_workers()
    assert [relyd.reason(token(key)) for key in (old, new)] == ["ok", "ok"]
    assert refresh(relyd, "?believe=true")["outcome"] == "accepted"
    relyd.await_all_workers()
    assert "pending" not in shown(relyd) and relyd.reason(token(old)) == "key_unknown"


def test_kubernetes_swaps_links(relyd, folder):
    """A volume of secrets: the name is a link to a link, both below the folder, and the second is swapped."""
    for when, kids in (("1", "a"), ("2", "ab")):
        (folder / ("..2026_" + when)).mkdir()
        (folder / ("..2026_" + when) / NAME).write_text(json.dumps(tokens.jwks(*(tokens.key(kid) for kid in kids))))
    os.symlink("..2026_1", folder / "..data")
    os.symlink("..data/" + NAME, folder / NAME)
    register(relyd)
    await_kids(relyd, "a")
    os.symlink("..2026_2", folder / "..data_tmp")
    os.rename(folder / "..data_tmp", folder / "..data")
    await_kids(relyd, "a", "b")


# --- what is no key set ----------------------------------------------------------------------------------------------


def make_folder(path):
    path.mkdir()


def lead_out(path):
    outside = path.parent.parent / "outside.jwks"
    outside.write_text(json.dumps(tokens.jwks(tokens.key("b"))))
    os.symlink(outside, path)


def lead_out_by_a_folder(path):
    other = path.parent.parent / "keys.d.old"
    other.mkdir()
    (other / NAME).write_text(json.dumps(tokens.jwks(tokens.key("b"))))
    os.symlink("../keys.d.old/" + NAME, path)


BAD_FILES = {
    "missing": (lambda path: None, "KeysRead", "file_missing", "it cannot be opened: No such file or directory"),
    "a link to nothing": (lambda path: os.symlink("nothing", path), "KeysRead", "file_missing", "it cannot be opened"),
    "empty": (lambda path: path.write_text(""), "KeysRead", "file_unreadable", "it is empty"),
    "a folder": (make_folder, "KeysRead", "file_unreadable", "it is no regular file"),
    "a pipe": (lambda path: os.mkfifo(path), "KeysRead", "file_unreadable", "it is no regular file"),
    "a device": (lambda path: os.symlink("/dev/zero", path), "KeysRead", "file_unreadable", "it is no regular file"),
    "a link to outside": (lead_out, "KeysRead", "file_unreadable", "it is a link that leads out of the folder"),
    "a link to a folder beside": (lead_out_by_a_folder, "KeysRead", "file_unreadable", "it is a link that leads out of the folder"),
    "a loop of links": (lambda path: os.symlink(NAME, path), "KeysRead", "file_unreadable", "Too many levels of symbolic links"),
    "large": (lambda path: path.write_text(json.dumps(tokens.jwks(tokens.key("b"))) + " " * 1048576), "KeysRead", "too_large", "it is larger than 1048576 bytes (keys.max_bytes)"),
    "html": (lambda path: path.write_text("<html></html>"), "KeysRead", "not_json", "key set at file:" + NAME),
    "half": (lambda path: path.write_text(json.dumps(tokens.jwks(tokens.key("b")))[:-9]), "KeysRead", "not_json", "key set at file:" + NAME),
    "a list": (lambda path: path.write_text("[]"), "KeysRead", "not_json", "no JSON object"),
    "no keys": (lambda path: path.write_text('{"keys": []}'), "KeysUsable", "empty_set", "key set at file:" + NAME),
    "half a PEM": (lambda path: path.write_text(pem_of(tokens.key("b"))[:200]), "KeysRead", "file_unreadable", "file " + NAME),
}


def await_failure(relyd):
    return wire.wait_for(lambda: first_false(conditions(relyd, "prod")[:-1]), what="the failure")


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_key_set(relyd, folder, name):
    """The first condition that is false says what it is, Ready that there is no key, and mended it is read by itself."""
    spoil, condition, reason, words = BAD_FILES[name]
    spoil(folder / NAME)
    register(relyd)
    false = await_failure(relyd)
    assert (false["type"], false["reason"]) == (condition, reason) and words in false["message"]
    assert conditions(relyd, "prod")[-1]["reason"] == "not_ready"
    assert relyd.reason(token(tokens.key("b"))) == "keys_unavailable"
    hang_up(relyd, LOADED)  # looks once more
    wire.wait_for(lambda: said(relyd, "key_fetch_failed"), what="the line")
    if (folder / NAME).is_dir() and not (folder / NAME).is_symlink():
        (folder / NAME).rmdir()
    put(folder, tokens.jwks(tokens.key("a")))
    refresh(relyd)
    await_kids(relyd, "a")
    assert relyd.reason(token(tokens.key("a"))) == "ok"
    assert len(said(relyd, "key_fetch_failed")) == 1  # however often it was looked at


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_in_force_holds(relyd, folder, name):
    """Whatever becomes of the file: an accident in the folder refuses no good token."""
    key = tokens.key("a")
    put(folder, tokens.jwks(key))
    register(relyd)
    await_kids(relyd, "a")
    assert relyd.reason(token(key)) == "ok"
    (folder / NAME).unlink()
    BAD_FILES[name][0](folder / NAME)
    answer = refresh(relyd)
    assert answer["outcome"] == ("held_back" if name == "no keys" else "failed") and answer["kids"] == [key.kid]
    assert relyd.reason(token(key)) == "ok"
    assert conditions(relyd, "prod")[-1]["reason"] == "ready"


def test_private_keys_in_a_file(relyd, folder):
    """Whoever can read the file could sign: none is taken, and none is shown."""
    key = tokens.key("a")
    secret = dict(key.jwk(), d="c2VjcmV0")
    put(folder, {"keys": [secret]})
    register(relyd)
    false = await_failure(relyd)
    assert (false["type"], false["reason"]) == ("KeysUsable", "private_members")
    assert "c2VjcmV0" not in relyd.log() + json.dumps(shown(relyd))


def test_keys_of_another_record(relyd, folder):
    """A file that was copied twice: the second record does without."""
    key = tokens.key("a")
    for name in ("first", "second"):
        put(folder, tokens.jwks(key), name)
    register(relyd, "first", "first")
    await_kids(relyd, "a", name="first")
    relyd.put_issuer("second", keys={"file": "second"})
    false = wire.wait_for(lambda: first_false(conditions(relyd, "second")[:-1]), what="the failure")
    assert (false["type"], false["reason"]) == ("KeysUsable", "keys_of_another_issuer")


def test_another_file_is_another_source(relyd, folder):
    """Its keys are gone with the name, as with another URL."""
    put(folder, tokens.jwks(tokens.key("a")))
    register(relyd)
    await_kids(relyd, "a")
    relyd.put_issuer(keys={"file": "other"})
    relyd.await_all_workers()
    assert relyd.reason(token(tokens.key("a"))) == "keys_unavailable"
    relyd.put_issuer(keys={"jwks": tokens.jwks(tokens.key("a"))})
    relyd.await_all_workers()
    assert relyd.reason(token(tokens.key("a"))) == "ok"


# --- records ------------------------------------------------------------------------------------------------------------

REFUSED = {
    "../secret": "invalid_value", "a/b": "invalid_value", "..": "invalid_value", ".hidden": "invalid_value", "a b": "invalid_value", "@pod": "invalid_value",
    "": "too_short", "x" * 121: "too_long", 7: "wrong_type", None: "wrong_type"}  # fmt: skip


@pytest.mark.parametrize("file", REFUSED)
def test_names_that_are_refused(relyd, file):
    answer = relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"file": file}})
    assert problems(answer) == [("keys.file", REFUSED[file])]


def test_what_it_goes_with(start, relyd):
    """A folder; and neither a token for fetching nor another source."""
    body = {"issuer": ISSUER, "keys": {"file": NAME}}
    answer = start().admin("PUT", "/v1/issuers/prod", body)
    assert problems(answer) == [("keys.file", "not_allowed")] and "needs keys.folder in the configuration" in answer.json()["errors"][0]["message"]
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", body | {"bearerTokenFile": "t"})) == [("bearerTokenFile", "not_allowed")]
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", body | {"discoveryUrl": "https://a.example/d"})) == [("discoveryUrl", "not_allowed")]
    assert problems(relyd.admin("PUT", "/v1/issuers/prod", {"issuer": ISSUER, "keys": {"file": NAME, "discovery": True}})) == [("keys", "too_many")]
    assert relyd.admin("PUT", "/v1/issuers/prod", {"trustDomain": "a.example", "keys": {"file": NAME}}).status == 201


def test_without_the_folder_any_more(relyd, folder):
    """What is in force stays so, and the condition says what is missing."""
    put(folder, tokens.jwks(tokens.key("a")))
    register(relyd)
    await_kids(relyd, "a")
    relyd.stop()
    del relyd.settings["keys.folder"]
    relyd.start()
    relyd.await_all_workers()
    assert refresh(relyd)["outcome"] == "failed"
    assert relyd.reason(token(tokens.key("a"))) == "ok"
    false = await_failure(relyd)
    assert false["reason"] == "file_unreadable" and "keys.folder is not set" in false["message"]


def test_many_files(relyd, folder):
    """More than are held at a time: each is read."""
    for i in range(40):
        put(folder, tokens.jwks(tokens.key("a").jwk(kid=f"k{i}")), f"k{i}")
        relyd.put_issuer(f"many-{i:02}", f"https://many-{i}.example", keys={"file": f"k{i}"})
    hang_up(relyd, LOADED)
    for i in range(40):
        wire.wait_for(lambda i=i: [key["kid"] for key in shown(relyd, f"many-{i:02}")["keys"]] == [f"k{i}"], what=f"keys of {i}")
