"""src/LAYERS is the architecture: a folder includes headers of lower lines only, or its own."""

import re

import pytest
from tree import ROOT, short, sources, files

# The C library and POSIX, which every folder may use.
FREE = re.compile(
    r"(assert|ctype|dirent|endian|errno|fcntl|float|getopt|grp|inttypes|limits|locale|math|netdb|poll|pthread|pwd|sched|semaphore"
    r"|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|time"
    r"|unistd|sys/\w+|netinet/\w+|arpa/inet|net/if|linux/\w+)\.h"
)


def read_layers():
    """[(folder, public headers, third-party prefixes)] from top to bottom."""
    layers = []
    for line in (ROOT / "src/LAYERS").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, rest = line.split(":", 1)
            headers, third_party = rest.split("|", 1)
            layers.append((folder, headers.split(), third_party.split()))
    return layers


LAYERS = read_layers()
RANK = {folder: rank for rank, (folder, _, _) in enumerate(LAYERS)}
OWNER = {header: folder for folder, headers, _ in LAYERS for header in headers}
THIRD_PARTY = {folder: prefixes for folder, _, prefixes in LAYERS}


def folder_of(path):
    parts = path.relative_to(ROOT).parts
    return OWNER[path.name] if parts[0] == "include" else parts[1]


def includes(path):
    return re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', path.read_text(), re.M)


def included_folder(path, name):
    """The folder that a quoted include leads to."""
    if name.startswith("relyd/"):
        return OWNER[name.removeprefix("relyd/")]
    for base in (path.parent, ROOT / "src"):
        target = (base / name).resolve()
        if target.is_file():
            return target.relative_to(ROOT / "src").parts[0]
    raise AssertionError(f"{short(path)} includes {name}, which is not there")


def layered():
    in_layers = [path for path in sources() if short(path).startswith(("src/", "include/"))]
    return [path for path in in_layers if short(path) != "src/main.c"]


@pytest.mark.parametrize("path", layered(), ids=short)
def test_includes_point_down(path):
    folder = folder_of(path)
    for quote, name in includes(path):
        if quote == '"':
            other = included_folder(path, name)
            assert RANK[other] >= RANK[folder], f"{short(path)}: {folder} must not include {name} of {other}, above it"


@pytest.mark.parametrize("path", layered(), ids=short)
def test_third_party_headers_stay_in_their_folder(path):
    allowed = THIRD_PARTY[folder_of(path)]
    for quote, name in includes(path):
        if quote == "<" and not FREE.fullmatch(name):
            assert name.startswith(tuple(allowed)), f"{short(path)}: <{name}> is not one that src/LAYERS allows here"


def test_every_folder_is_listed():
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders == set(RANK)


def test_every_header_is_listed():
    names = {path.name for path in files(".h", ".def", under="include/relyd")}
    assert names == set(OWNER) - {name for name in OWNER if not (ROOT / "include/relyd" / name).exists()}


def test_listed_headers_exist():
    missing = [name for name in OWNER if not (ROOT / "include/relyd" / name).is_file()]
    assert not missing


def used_by(folder):
    """The folders whose headers this one's files include, public headers among them."""
    paths = [path for path in layered() if folder_of(path) == folder]
    return {included_folder(path, name) for path in paths for quote, name in includes(path) if quote == '"'} - {folder}


@pytest.mark.parametrize("folder", RANK)
def test_a_library_uses_what_its_folder_includes(folder):
    text = (ROOT / "src" / folder / "CMakeLists.txt").read_text()
    found = re.search(r"\bUSES ([a-z_ \n]+)", text)
    assert set(found[1].split() if found else []) == used_by(folder), f"USES in src/{folder}/CMakeLists.txt"


def test_main_includes_public_headers_only():
    for quote, name in includes(ROOT / "src/main.c"):
        assert name.startswith("relyd/") if quote == '"' else FREE.fullmatch(name), name


def test_libjwt_is_spelled_in_tests_only():
    users = {short(path).split("/")[0] for path in files(".c", ".h") if ("<", "jwt.h") in includes(path)}
    assert users <= {"tests", "bench"}
