"""The command line and the configuration file; and that generated pages are what the binary prints."""

import base64
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import wire
from service import BINARY, ROOT, Relyd, write_yaml


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=30)


def check(tmp_path, text):
    path = tmp_path / "relyd.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run("--check-config", "--config", str(path)), str(path)


@pytest.mark.parametrize("page", ["settings", "metrics", "reasons", "conditions", "tokens", "presets"])
def test_generated_pages_are_up_to_date(page):
    done = run("--print-docs", page)
    assert done.returncode == 0, done.stderr
    file = "docs/tokens-and-keys.md" if page == "tokens" else f"docs/{page}.md"
    assert (ROOT / file).read_text() == done.stdout, f"relyd --print-docs {page} > {file}"


TABLE = re.compile(r"<!-- ([\w ]+), by relyd --print-docs api -->\n.*?<!-- end -->\n", re.S)


def test_tables_of_the_api_are_up_to_date():
    """docs/api.md's paths and fields, from operation.def and object.def."""
    printed = {found.group(1): found.group(0) for found in TABLE.finditer(run("--print-docs", "api").stdout)}
    page = {found.group(1): found.group(0) for found in TABLE.finditer((ROOT / "docs/api.md").read_text())}
    assert len(printed) == 10
    assert page == printed, "conf/setup/print-docs"


def test_page_of_tokens_has_what_was_nowhere():
    """fault D: depth, duplicate names, U+0000, tries without kid, numbers and sizes, redirects, the kubernetes.io check."""
    page = run("--print-docs", "tokens").stdout
    for row in ("| depth | at most 32 ", "| duplicate names | none, ", "| U+0000, lone surrogates | ", "at most 8 | [`key_unknown`]",
                "`keys.kidless_failures_per_s` (100 by default", "at most 100000000000 from 1970", "`token.max_bytes` (",
                "`keys.max_bytes` (1048576 by default; bytes, 65536 to 8388608)", "`keys.max_count` (256 by default; keys, 1 to 1000)",
                "| redirects | 301, 302, 303, 307, 308, for discovery documents and key sets: at most 3, ", "| `kubernetes.io` | where "):
        assert row in page, row


def test_defaults_stand_in_the_table_of_settings_alone():
    """fault D: limits.h had defaults that nobody used."""
    assert not re.findall(r"\w*DEFAULT\w*", (ROOT / "include/relyd/limits.h").read_text().replace("RELY_LEEWAY_DEFAULT_S", "").replace("RELY_LIVENESS_RATE_DEFAULT", "").replace("RELY_LIST_DEFAULT", ""))


def test_example_configuration_is_up_to_date(tmp_path):
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    done = run("--print-config", "--config", str(empty))
    assert done.returncode == 0, done.stderr
    assert (ROOT / "conf/relyd.yaml").read_text() == done.stdout, "relyd --print-config > conf/relyd.yaml"


def test_example_configuration_is_right():
    done = run("--check-config", "--config", str(ROOT / "conf/relyd.yaml"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.path.exists("/etc/relyd/relyd.yaml"), reason="this machine has a relyd of its own")
def test_check_of_no_file_is_no_praise():
    done = run("--check-config")
    assert done.returncode == 0 and done.stdout == "there is no /etc/relyd/relyd.yaml, and no --config FILE: every setting has its default\n"


def test_printed_configuration_is_read_back(tmp_path):
    path = tmp_path / "relyd.yaml"
    path.write_text("workers: 3\nkeys:\n  miss_wait_ms: 77\nlog:\n  decisions: all\n")
    first = run("--print-config", "--config", str(path))
    again = tmp_path / "again.yaml"
    again.write_text(first.stdout)
    second = run("--print-config", "--config", str(again))
    assert first.stdout == second.stdout
    assert re.search(r"^ *miss_wait_ms: 77$", first.stdout, re.M)


def test_every_setting_is_tested_to_exist():
    names = re.findall(r'^SETTING_\w+\("([\w.]+)"', (ROOT / "include/relyd/settings.def").read_text(), re.M)
    assert len(names) > 15
    page = run("--print-docs", "settings").stdout
    assert not [name for name in names if f"`{name}`" not in page]


MISTAKES = {
    "unknown key": ("workerz: 2\n", 1, 1, "workers"),
    "unknown nested key": ("keys:\n  miss_wait: 5\n", 2, 3, "miss_wait_ms"),
    "duplicate key": ("workers: 2\nworkers: 3\n", 2, 1, "workers"),
    "10s for a number": ("keys:\n  miss_wait_ms: 10s\n", 2, 17, "10s"),
    "underscores in a number": ("token:\n  max_bytes: 8_192\n", 2, 14, "8_192"),
    "hexadecimal": ("workers: 0x2\n", 1, 10, "0x2"),
    "too small": ("token:\n  max_bytes: 1023\n", 2, 14, "1024"),
    "too large": ("token:\n  max_bytes: 65537\n", 2, 14, "65536"),
    "yes for a boolean": ("allow_unauthenticated: yes\n", 1, 24, "true"),
    "word for an enumeration": ("log:\n  level: loud\n", 2, 10, "debug"),
    "text where a list belongs": ("listen: 127.0.0.1:8480\n", 1, 9, "list"),
    "list where a text belongs": ("registry:\n  path: [a]\n", 2, 9, ""),
    "text where a section belongs": ("keys: 5\n", 1, 7, ""),
    "alias": ("workers: &a 2\ntoken: *a\n", None, None, ""),
    "tag": ("workers: !!int 2\n", None, None, ""),
    "two documents": ("workers: 2\n---\nworkers: 3\n", None, None, ""),
    "no YAML": ("workers: [\n", None, None, ""),
    "tab": ("keys:\n\tmiss_wait_ms: 5\n", None, None, ""),
    "no mapping": ("- a\n", None, None, ""),
    "no UTF-8": (b"registry:\n  path: \xff\n", None, None, ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_have_file_line_and_column(tmp_path, name):
    text, line, column, hint = MISTAKES[name]
    done, path = check(tmp_path, text)
    assert done.returncode == 2, done
    place = f"{path}:{line}:{column}: " if line else f"{path}:"
    assert done.stderr.startswith(place) and re.match(r".*?:\d+:\d+: ", done.stderr), done.stderr
    assert hint in done.stderr
    assert run("--config", path).returncode == 2  # and it does not start


def test_all_mistakes_are_named_at_once(tmp_path):
    done, path = check(tmp_path, "workerz: 2\ntoken:\n  max_bytes: x\nlog:\n  level: loud\n")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 3


def test_huge_configuration_is_refused(tmp_path):
    done, _ = check(tmp_path, "# " + "x" * 2_000_000 + "\nworkers: 2\n")
    assert done.returncode == 2


def test_missing_file():
    done = run("--config", "/nonexistent/relyd.yaml")
    assert done.returncode == 2
    assert "/nonexistent/relyd.yaml" in done.stderr


WRONG_COMMAND_LINES = {
    ("--unknown",): 'no such option: "--unknown"',
    ("--chek-config",): 'no such option: "--chek-config", did you mean --check-config?',
    ("--cofig=/etc/x",): 'no such option: "--cofig=/etc/x", did you mean --config?',
    ("--print",): 'no such option: "--print"',
    ("-x",): 'no such option: "-x"',
    ("extra",): 'no argument is expected beside options, found "extra"',
    ("version",): 'no argument is expected beside options, found "version"',
    ("--print-docs",): 'no value follows "--print-docs"',
    ("-c",): 'no value follows "-c"',
    ("--check-config", "--print-config"): "--check-config and --print-config do not go together",
    ("--print-config", "--config", "/etc/x", "--check-config"): "--print-config and --check-config do not go together",
    ("--print-docs", "api", "--version"): "--print-docs and --version do not go together",
}


@pytest.mark.parametrize("arguments", WRONG_COMMAND_LINES)
def test_wrong_command_lines(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"relyd: {WRONG_COMMAND_LINES[arguments]}\nrelyd: relyd --help lists the options\n"


def test_no_such_page():
    done = run("--print-docs", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "relyd: no page nothing; there are settings, metrics, reasons, conditions, tokens, presets, api and openapi\n"


def refused_start(relyd):
    """Of a relyd that must not start: the message of its start_failed, which stands on standard error in words, too."""
    relyd.spawn()
    assert relyd.process.wait(20) == 1
    relyd.process = None
    (line,) = [line for line in relyd.events() if line["event"] == "start_failed"]
    assert line["level"] == "error" and f"relyd: {line['message']}\n" in relyd.log()
    assert not [line for line in relyd.events() if line["event"] in ("stopped", "ready")]
    return line["message"]


def test_failed_starts_say_what_to_do(start, tmp_path):
    missing = tmp_path / "missing"
    nowhere = Relyd(tmp_path / "one", registry__path=str(missing / "relyd.db"))
    assert refused_start(nowhere) == (f"registry {missing}/relyd.db: No such file or directory: its folder {missing} is not there, and relyd makes "
                                      "none: mkdir it, mode 0700, for relyd's user")
    no_folder = Relyd(tmp_path / "two", admin__socket=str(missing / "admin.sock"))
    assert refused_start(no_folder) == (f"cannot listen on unix:{missing}/admin.sock: bind: No such file or directory: its folder is not there, and "
                                        "relyd makes none: mkdir it, for relyd's user")
    relyd = start()
    same = Relyd(tmp_path / "three", registry__path=str(relyd.database))
    assert refused_start(same) == (f"registry {relyd.database}: another relyd uses it (process {relyd.process.pid}): stop that one first, or give "
                                   "this one a registry.path of its own")


def test_nobody_to_administer_is_said(tmp_path):
    relyd = Relyd(tmp_path / "relyd", admin__socket="", workers=1).start()
    relyd.stop()
    assert not [line for line in relyd.events() if line["event"] == "no_control_plane"]
    (ready,) = [line for line in relyd.events() if line["event"] == "ready"]
    assert ready["message"].endswith(", 1 worker")
    relyd.settings["admin.listen"] = ""
    relyd.start().stop()
    (line,) = [line for line in relyd.events() if line["event"] == "no_control_plane"]
    assert line["level"] == "warning" and "neither admin.socket nor admin.listen is set, and none of listeners" in line["message"]


def test_head_too_small_for_a_token_is_said(tmp_path):
    done, path = check(tmp_path, "token:\n  max_bytes: 65536\n")
    assert (done.returncode, done.stdout) == (0, "the configuration is right\n")
    assert done.stderr.startswith(f"{path}:2:14: warning: token.max_bytes is 65536 and http.head_max_bytes, ")
    relyd = Relyd(tmp_path / "relyd", token__max_bytes=65536).start()
    relyd.stop()
    (line,) = [line for line in relyd.events() if line["event"] == "setting_doubted"]
    assert line["level"] == "warning" and "raise http.head_max_bytes to 69632 at least" in line["message"]


def test_signals_that_mean_nothing_end_nothing(start):
    relyd = start()
    meaningless = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGPIPE", "SIGXFSZ", "SIGCHLD", "SIGWINCH",
                   "SIGURG", "SIGRTMIN", "SIGRTMAX"]
    for name in meaningless:
        relyd.process.send_signal(getattr(signal, name))
    said = wire.wait_for(lambda: len(signals := [line["message"] for line in relyd.events() if line["event"] == "signal"]) == 9 and signals)
    for name in ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGPWR"):
        assert f"signal {int(getattr(signal, name))} ({name}) is ignored: SIGTERM and SIGINT stop relyd, no other means anything" in said
    assert relyd.check().status == 401


def test_the_demo_issuer_says_what_it_puts_in(tmp_path):
    """Whoever leaves the audience out reads in the help which one the token then has, and that a credential may want another."""
    mint, key = Path(BINARY).parent / "tests/demo/demo-mint", tmp_path / "key"
    told = subprocess.run([mint, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
    default = re.search(r"^    --audience TEXT .*\((.+)\)$", told, re.M).group(1)
    assert f'another audience than\n"{default}" needs --audience (quickstart\'s is https://relyd.example)' in told
    assert "readonly audience=https://relyd.example\n" in (ROOT / "quickstart").read_text()
    subprocess.run([mint, "key", key], timeout=30, check=True)
    token = subprocess.run([mint, "token", key], capture_output=True, text=True, timeout=30, check=True).stdout
    payload = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["aud"] == [default]


def test_help_and_version():
    told = run("--help").stdout
    assert "--config" in told
    for arguments in (("--check-config", "-h"), ("--help", "--version"), ("--check-config", "--help", "--print-config")):
        assert run(*arguments).stdout == told
    assert run("--check-config", "--check-config").returncode == 0
    build = (ROOT / "CMakeLists.txt").read_text()
    number = re.search(r"^project\(relyd VERSION (\d+\.\d+\.\d+) ", build, re.M).group(1)
    suffix = re.search(r'^set\(RELYD_VERSION "\$\{PROJECT_VERSION\}(-dev)?"\)$', build, re.M).group(1) or ""
    assert run("--version").stdout == f"relyd {number}{suffix}\n"


@pytest.mark.parametrize("address", ["0.0.0.0:8480", "[::]:8480", "192.0.2.1:8480"])
def test_open_listeners_need_a_word(tmp_path, address):
    """A listener that others can reach, without authentication, is refused unless it was asked for."""
    relyd = Relyd(tmp_path)
    relyd.settings["listen"] = [address]
    path = tmp_path / "relyd.yaml"
    path.write_text(write_yaml(relyd.settings))
    done = run("--config", str(path))
    assert done.returncode in (1, 2)
    assert "allow_unauthenticated" in done.stderr


def test_open_listener_when_asked_for(start):
    port = wire.free_port()
    relyd = start(allow_unauthenticated=True)
    relyd.stop()
    relyd.settings["listen"] = ["%s:%d" % relyd.data, f"0.0.0.0:{port}"]
    relyd.start()
    assert wire.ask(("127.0.0.1", port), "GET", "/check/default").status == 401


def test_health_listener_may_stand_open(start):
    """kubelet and Prometheus ask from elsewhere, without TLS; nothing there names a subject or a token."""
    port = wire.free_port()
    relyd = start()
    relyd.stop()
    relyd.settings["health.listen"] = ["%s:%d" % relyd.health, f"0.0.0.0:{port}"]
    relyd.start()
    assert wire.ask(("127.0.0.1", port), "GET", "/livez").status == 200


def test_admin_listener_must_be_loopback(tmp_path):
    relyd = Relyd(tmp_path)
    relyd.settings["admin.listen"] = "0.0.0.0:8481"
    path = tmp_path / "relyd.yaml"
    path.write_text(write_yaml(relyd.settings))
    done = run("--config", str(path))
    assert done.returncode in (1, 2) and "admin.listen" in done.stderr


def test_port_that_is_taken(start, tmp_path):
    relyd = start()
    second = Relyd(tmp_path / "second")
    second.settings["admin.listen"] = "%s:%d" % relyd.admin_tcp
    path = tmp_path / "second.yaml"
    path.write_text(write_yaml(second.settings))
    done = run("--config", str(path))
    assert done.returncode == 1 and str(relyd.admin_tcp[1]) in done.stderr
