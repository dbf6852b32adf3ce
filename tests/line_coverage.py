#!/usr/bin/env python3
"""Lines of each folder of src/ that the unit tests run, with a floor for each: for `tests/run --long coverage`.

    tests/line_coverage.py BUILD-FOLDER      after its unit tests have run; exits 1 when a folder is beneath its floor

A floor is raised when more is tested; it is lowered by nobody. What only runs with sockets and threads is tested from outside
(tests/e2e), so that its floor here says little; what judges tokens has to be near the top.
"""

import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Per cent of the lines, rounded down.
FLOORS = {
    "caller": 95,
    "admin": 92,
    "base": 94,
    "claims": 99,
    "config": 97,
    "control": 5,
    "credentials": 99,
    "decide": 98,
    "endpoints": 96,
    "expression": 99,
    "fetch": 93,
    "http": 97,
    "json": 98,
    "keeper": 95,
    "keys": 98,
    "loop": 93,
    "model": 85,
    "observe": 97,
    "policy": 97,
    "protobuf": 99,
    "registry": 96,
    "service": 5,
    "signature": 93,
    "snapshot": 99,
    "store": 93,
    "token": 99,
    "yaml": 97,
}


def read_notes(path):
    """What gcov knows of one object file."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(path)], capture_output=True, text=True, check=False, cwd=path.parent)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def folder_of(source, base):
    """The folder of src/ of a file; None: it is none of relyd's own, or a header of others."""
    path = (pathlib.Path(base) / source).resolve()
    parts = path.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ()
    return parts[1] if len(parts) == 3 and parts[0] == "src" else None


def count_lines(build):
    """{folder: {(file, line): has it run}}; a line counts once, in however many objects it is."""
    lines = collections.defaultdict(dict)
    for path in sorted(pathlib.Path(build).resolve().rglob("*.gcno")):
        for notes in read_notes(path):
            for file in notes["files"]:
                folder = folder_of(file["file"], notes["current_working_directory"])
                for line in file["lines"] if folder else ():
                    key = (file["file"], line["line_number"])
                    lines[folder][key] = lines[folder].get(key, False) or line["count"] > 0
    return lines


def judge(shares, floors):
    """What is wrong with these percentages."""
    beneath = [f"{folder}: {share:.1f} %, its floor is {floors[folder]}" for folder, share in shares.items() if share < floors.get(folder, 0)]
    unknown = [f"{folder}: {share:.1f} %, and no floor in tests/line_coverage.py" for folder, share in shares.items() if folder not in floors]
    return sorted(beneath + unknown)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shares = {folder: 100 * sum(lines.values()) / len(lines) for folder, lines in count_lines(sys.argv[1]).items()}
    for folder, share in sorted(shares.items()):
        print(f"{folder:12} {share:5.1f} %  floor {FLOORS.get(folder, '-')}")
    wrong = judge(shares, FLOORS)
    for sentence in wrong:
        print(f"coverage: {sentence}", file=sys.stderr)
    sys.exit(1 if wrong or not shares else 0)


if __name__ == "__main__":
    main()
