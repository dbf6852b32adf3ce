"""The repository's files, for the house rules."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {"build", ".git", "quickstart.d", "__pycache__", ".cache", ".pytest_cache", "vectors", "corpus"}


def files(*suffixes, under="."):
    """Every file of the tree, or of a folder, whose name ends in one of the suffixes; generated ones are left out."""
    found = []
    for path in sorted((ROOT / under).rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not SKIPPED.intersection(parts) and path.suffix in (suffixes or (path.suffix,)):
            found.append(path)
    return found


def sources():
    """relyd's own C: what the rules of style are for."""
    return [path for folder in ("include", "src", "tests/demo", "bench") for path in files(".c", ".h", under=folder)]


def short(path):
    return str(path.relative_to(ROOT))


def without_comments(text):
    """The same text, same lines, with comments and literals blanked."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def functions(path):
    """(name, first line number, number of lines, is static) of every function of a file laid out by clang-format."""
    lines = without_comments(path.read_text()).split("\n")
    found = []
    for number, line in enumerate(lines):
        if line != "{":
            continue
        start = number
        while start > 0 and lines[start - 1].strip() and not re.match(r"[}#]|.*;\s*$", lines[start - 1]):
            start -= 1
        signature = " ".join(lines[start:number])
        name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", signature))
        end = next(index for index in range(number, len(lines)) if lines[index] == "}")
        if name:
            found.append((name.group(1), start + 1, end - start + 1, signature.startswith("static")))
    return found
