#!/usr/bin/env python3
"""What differs from main, and which tests are nearest to it: for `tests/run --changed` and its part tidy.

    tests/changed.py unit     ctest's names
    tests/changed.py e2e      files of tests/e2e
    tests/changed.py tidy     C files of src/ to be looked at
    tests/changed.py skipped  what is not run, in words

On main itself, what differs is what is not committed; when all is, the last commit. A folder that E2E does not name runs every file.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

KEYS = ["keys", "conditions", "refresh", "rotation", "flood", "key_sources", "key_origins", "key_keeping", "key_documents", "siblings", "misbehaving_issuers", "fetching", "fetch_faults", "bearer_files", "key_files"]
TOKENS = ["hostile_tokens", "kubernetes_tokens", "straight_path"]
WRITES = ["rest", "limits", "acknowledged", "migration", "registry_faults", "slow_disk", "crash"]
DOORS = ["check", "tokenreview", "tokenreview_protobuf", "kubernetes_answers", "kubernetes_clients", "introspection", "told", "client_paths", "doors"]

# A folder of src/, and the black-box tests that see most of it: tests/e2e/test_NAME.py.
E2E = {
    "main.c": ["command_line", "install"],
    "service": ["revocations", "restart", "reload", "command_line", "observe", "connections", "slow_disk", "storms", "liveness"],
    "control": WRITES,
    "keeper": [*KEYS, "aliases"],
    "caller": ["callers", "gateway_callers"],
    "endpoints": DOORS + ["batches", "grpc", "grpc_js", "routes", "response_headers", "trusting_routes", "straight_path", "openapi"],
    "admin": ["callers", "conditions", "refresh", "rest", "in_cluster", "explain", "limits", "observe", "openapi"],
    "http": ["http", "http2", "hostile_http2", "connections", "client_paths", "doors", "openapi", "smuggling"],
    "loop": ["http", "http2", "connections", "storms", "tls", "callers"],
    "decide": TOKENS + DOORS + ["routes", "response_headers", "trusting_routes", "groups", "revocations", "explain", "siblings", "fleet", "modes", "guards", "pins", "liveness"],
    "registry": [*WRITES, "revocations", "tombstones", "routes", "response_headers", "warnings", "force", "groups", "tenants", "subject_claim", "aliases", "trust_domains"],
    "store": WRITES,
    "model": ["warnings", "force", "shorthands", "rest", "limits", "migration", "openapi", "guards", "tenants"],
    "credentials": ["straight_path", "explain", "told", "modes", "groups", "fleet", "expressions", "shorthands"],
    "expression": ["expressions", "rest", "explain", "straight_path"],
    "claims": [*TOKENS, "subject_claim", "trust_domains"],
    "signature": ["crypto", "ml_dsa", "key_tables", *TOKENS],
    "snapshot": ["aliases", "revocations", "rest", "acknowledged", "siblings", "fleet"],
    "keys": ["key_documents", "key_origins", "ml_dsa", "siblings", *TOKENS],
    "token": [*TOKENS, "trust_domains"],
    "fetch": ["fetching", "conditions", "refresh", "bearer_files", "key_files", "misbehaving_issuers", "key_sources", "liveness"],
    "config": ["command_line", "reload"],
    "yaml": ["command_line", "reload", "presets"],
    "policy": ["presets"],
    "observe": ["observe"],
    "json": [*TOKENS, "rest", "key_documents"],
    "protobuf": ["tokenreview_protobuf"],
    "base": [*TOKENS, "rest"],
}
# Of these whoever judges tokens by rules is tested as a whole, too.
WHOLE = {"unit_tenants": {"credentials", "decide", "expression", "snapshot"}}
# Tests that no folder names: what they stand on changes with everything.
BESIDE = ["harness", "proxies", "proxy_trouble", "apache", "gateway_forms", "operations"]


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.split("\n")[:-1]


def find_base():
    """The commit that the tree is compared with."""
    head = git("rev-parse", "HEAD")
    for name in ("main", "origin/main"):
        base = git("merge-base", "HEAD", name)
        if base and base != head:
            return base[0]
    return "HEAD" if git("status", "--porcelain") else "HEAD~1"


def changed_files():
    """Paths that are there and differ, new ones among them."""
    names = git("diff", "--name-only", find_base()) + git("ls-files", "--others", "--exclude-standard")
    return sorted(name for name in set(names) if (ROOT / name).is_file())


def header_owners():
    """{public header: its folder of src/}"""
    owners = {}
    for line in (ROOT / "src/LAYERS").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, rest = line.split(":", 1)
            owners |= {name: folder for name in rest.split("|")[0].split()}
    return owners


def folder_of(name):
    """The folder of src/ that a file belongs to; None: it is none's."""
    parts = name.split("/")
    if parts[0] == "src":
        return parts[1]
    if parts[:2] == ["include", "relyd"]:
        return header_owners().get(parts[2])
    if parts[:2] == ["tests", "unit"] and len(parts) > 3:
        return parts[2]
    return None


def folders(names):
    return sorted({folder for folder in map(folder_of, names) if folder})


def unit_tests(names):
    """What tests/unit/FOLDER/CMakeLists.txt makes of a folder."""
    found = []
    for folder in folders(names):
        page = ROOT / "tests/unit" / folder / "CMakeLists.txt"
        if page.is_file():
            found += [f"unit_{name}" for name in re.findall(r"relyd_unit_test\(\s*(\w+)", page.read_text())]
    found += [name for name, of in WHOLE.items() if of & set(folders(names))]
    found += [f"fuzz_{match[1]}" for match in (re.fullmatch(r"tests/fuzz/fuzz_(\w+)\.c", name) for name in names) if match]
    return sorted(set(found))


def e2e_files(names):
    """Files of tests/e2e: those that changed, and those of the folders that did."""
    everything = sorted(path.name for path in (ROOT / "tests/e2e").glob("test_*.py"))
    found = {name.split("/")[-1] for name in names if re.fullmatch(r"tests/e2e/test_\w+\.py", name)}
    for folder in folders(name for name in names if not name.startswith("tests/")):
        found |= {f"test_{name}.py" for name in E2E[folder]} if folder in E2E else set(everything)
    return [f"tests/e2e/{name}" for name in sorted(found & set(everything))]


def tidy_files(names):
    """C files of src/ that changed, and those beside a header of their folder that did."""
    found = {name for name in names if re.fullmatch(r"src/.*\.c", name)}
    for name in names:
        if re.fullmatch(r"src/\w+/\w+\.h", name):
            found |= {str(path.relative_to(ROOT)) for path in (ROOT / name).parent.glob("*.c")}
    return sorted(found)


def skipped(names):
    units = len(list((ROOT / "tests/unit").glob("*/CMakeLists.txt"))) - len(folders(names))
    files = len(list((ROOT / "tests/e2e").glob("test_*.py"))) - len(e2e_files(names))
    return [
        f"compared with {find_base()[:12]}: {len(names)} files, folders: {' '.join(folders(names)) or 'none'}",
        f"not run: unit tests of about {max(units, 0)} other folders, {files} files of tests/e2e, threads, release, quickstart, all of --long",
    ]


def main():
    kinds = {"unit": unit_tests, "e2e": e2e_files, "tidy": tidy_files, "skipped": skipped}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    for line in kinds[sys.argv[1]](changed_files()):
        print(line)


if __name__ == "__main__":
    main()
