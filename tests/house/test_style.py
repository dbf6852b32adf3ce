"""How the code must read, as far as a program can tell."""

import collections
import re

import pytest
from tree import ROOT, files, functions, short, sources, without_comments

C_FILES = [path for path in sources() if path.suffix == ".c"]
ALL_C = sources() + files(".c", ".h", under="tests")
HEADERS = files(".h", under="include/relyd")


@pytest.mark.parametrize("path", sources(), ids=short)
def test_no_function_over_60_lines(path):
    too_long = [(name, count) for name, _, count, _ in functions(path) if count > 60]
    assert not too_long


@pytest.mark.parametrize("path", C_FILES, ids=short)
def test_every_c_file_opens_with_a_comment(path):
    opening = re.match(r"/\*(.*?)\*/", path.read_text(), re.S)
    assert opening, "begin with a comment: what it decides, what it does not, who calls it"
    assert len(opening.group(1).split()) >= 8


@pytest.mark.parametrize("path", ALL_C, ids=short)
def test_no_goto(path):
    assert not re.search(r"\bgoto\b", without_comments(path.read_text()))


@pytest.mark.parametrize("path", sources(), ids=short)
def test_no_function_without_bounds(path):
    assert not re.search(r"\b(alloca|strcpy|strcat|sprintf|gets)\s*\(", without_comments(path.read_text()))


def test_nothing_is_left_to_do():
    marks = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b")))
    found = [short(path) for path in files() if marks.search(read_or_empty(path))]
    assert not found


def test_no_path_of_somebodys_machine():
    paths = re.compile("|".join(("/wo" + r"rk/(main|shared|test|\.)", r"\.lib" + "rary/", "/ro" + "ot/", r"/home/\w+/")))
    found = [short(path) for path in files() if paths.search(read_or_empty(path))]
    assert not found


def read_or_empty(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("path", HEADERS, ids=short)
def test_every_prototype_is_documented(path):
    """A comment stands right before it, on its line, or before the run of prototypes that it belongs to."""
    undocumented = []
    is_documented = False
    for block in re.split(r"(/\*.*?\*/)|\n[ \t]*\n", path.read_text(), flags=re.S):
        if block is None:
            is_documented = False
        elif block.startswith("/*"):
            is_documented = True
        else:
            names = re.findall(r"^(?!static|typedef|#|\s)[\w *]+?\**(rely_\w+)\([^;{]*\)[^;{]*;", block, re.M)
            undocumented += [] if is_documented else names
    assert not undocumented


def test_file_local_names_are_unique_in_the_tree():
    """One name, one function: a newcomer who searches finds the one that is meant."""
    places = collections.defaultdict(set)
    for path in sources():
        for name, _, _, is_static in functions(path):
            if is_static and path.suffix == ".c" and not short(path).startswith("bench/"):
                places[name].add(short(path))
    assert not {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}


@pytest.mark.parametrize("path", files(".c", under="src"), ids=short)
def test_external_names_have_the_prefix(path):
    wrong = [name for name, _, _, is_static in functions(path) if not is_static and not name.startswith("rely_")]
    assert wrong in ([], ["main"])


def test_every_reason_that_is_given_is_named_by_a_test():
    code = "\n".join(path.read_text() for path in files(".c", under="src"))
    table = (ROOT / "include/relyd/reason.def").read_text()
    reasons = re.findall(r'^REASON\((\w+), "(\w+)"', table, re.M)
    assert len(reasons) > 20
    tests = "\n".join(
        path.read_text() for path in files(".c", ".py", under="tests") if not short(path).startswith("tests/house/")
    )
    given = [(name, word) for name, word in reasons if re.search(rf"\bRELY_{name}\b", code)]
    unnamed = [word for name, word in given if f"RELY_{name}" not in tests and f'"{word}"' not in tests]
    assert not unnamed
