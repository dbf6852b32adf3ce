"""Documents say what is there. (That generated ones are up to date is checked in tests/e2e/test_command_line.py.)"""

import re
import subprocess

import pytest
from tree import ROOT, files, functions, short

DOCUMENTS = files(".md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_relative_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (path.parent / target.split("#")[0]).exists(), target


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_names_of_the_tour_exist():
    """docs/tour.md walks one request through files and functions."""
    tour = (ROOT / "docs/tour.md").read_text()
    paths = re.findall(r"`([\w./-]+\.(?:c|h|def|py|md|yaml))`", tour)
    names = set(re.findall(r"`(\w+)\(\)`", tour))
    assert len(paths) >= 8 and len(names) >= 8
    assert not [path for path in paths if not (ROOT / path).is_file()]
    known = {name for path in files(".c", ".h") for name, _, _, _ in functions(path)}
    assert not names - known


def missing_words(text):
    """Functions, structs and paths of a page that the code does not have."""
    code = [path.read_text() for path in files(".c", ".h")]
    structs = {name for source in code for name in re.findall(r"^struct (\w+) \{", source, re.M)}
    known = {name for path in files(".c", ".h") for name, _, _, _ in functions(path)}
    paths = re.findall(r"`([\w./-]+\.(?:c|h|def|md))`", text)
    return (
        [name for name in re.findall(r"`(\w+)\(\)`", text) if name not in known]
        + [name for name in re.findall(r"`struct (\w+)`", text) if name not in structs]
        + [path for path in paths if not (ROOT / path).is_file()]
    )


def test_names_of_the_words_exist():
    """docs/words.md says what a word means in the code."""
    text = (ROOT / "docs/words.md").read_text()
    assert missing_words(text) == []
    assert missing_words("`no_such()`, `struct no_such`, `src/no_such.c`, `main()`") == ["no_such", "no_such", "src/no_such.c"]


def misplaced(text):
    """(function, file) where a page says that a function is in a file, and it is not."""
    pairs = re.findall(r"`(\w+)\(\)`(?:'s)? in `([\w./-]+\.[ch])`", text) + [
        (name, path) for path, name in re.findall(r"`([\w./-]+\.[ch])` `(\w+)\(\)`", text)
    ]
    return [(name, path) for name, path in pairs if name not in {found for found, _, _, _ in functions(ROOT / path)}], len(pairs)


def test_functions_of_the_tour_are_where_it_says():
    wrong, count = misplaced((ROOT / "docs/tour.md").read_text())
    assert wrong == [] and count > 20


def test_a_misplaced_function_is_found():
    text = "see `rely_review_run()` in `src/main.c`, and `src/main.c` `rely_alloc()`; `main()` in `src/main.c` is right"
    assert misplaced(text) == ([("rely_review_run", "src/main.c"), ("rely_alloc", "src/main.c")], 3)


def test_a_newcomers_questions_are_answered():
    """From the README in two steps: the tour, and the place that it names (which the tests above look for)."""
    readme, tour = ((ROOT / name).read_text() for name in ("README.md", "docs/tour.md"))
    assert "(docs/tour.md)" in readme
    answers = dict(re.findall(r"^\| ([^|]+\?) \| (.+) \|$", tour, re.M))
    asked = ("wrong audience", "limit of 20", "unknown `kid`", "owns a field", "writes to the database", "field of an object added", "kind of object added",
             "refusal's words", "run one test")
    for words in asked:
        answer = [text for question, text in answers.items() if words in question]
        assert len(answer) == 1 and re.search(r"`[\w./]+\.(c|def)`|\]\(", answer[0]), words


def test_every_reason_has_its_place_in_the_docs():
    words = re.findall(r'^REASON\(\w+, "(\w+)"', (ROOT / "include/relyd/reason.def").read_text(), re.M)
    page = (ROOT / "docs/reasons.md").read_text()
    assert not [word for word in words if f"## {word}\n" not in page]


def test_every_event_of_the_log_has_its_line():
    """docs/log.md and the source, both ways; levels, too, where the source has them."""
    page = (ROOT / "docs/log.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.M))
    found = {}
    for path in files(".c"):
        if "src" not in path.relative_to(ROOT).parts:
            continue
        text = path.read_text()
        for level, event in re.findall(r'rely_log_event\(\s*[^"]*?RELY_LOG_(\w+),\s*"(\w+)"', text):
            found.setdefault(event, set()).add(level.lower())
        for event in re.findall(r'rely_log_format_event\(now_s, "(\w+)"', text):
            found.setdefault(event, set()).add("warning")
        for event in re.findall(r'rely_config_add_note\([^"]*"(\w+)"', text):
            found.setdefault(event, set()).add("warning")
        for event in re.findall(r'rely_alarm\(\s*"(\w+)"', text):
            found.setdefault(event, set()).add("error")
    calls = sum(len(re.findall(r"rely_log_event\(", path.read_text())) for path in files(".c") if "src" in path.relative_to(ROOT).parts)
    assert calls > 25 and len(found) > 25
    assert {event: {level} for event, level in rows.items()} == found


def test_every_decision_is_in_the_list():
    folder = ROOT / "docs/decisions"
    pages = [(path.name[:4], path.name) for path in sorted(folder.glob("0*.md"))]
    assert len(pages) > 30 and re.findall(r"^\| \[(\d+)\]\(([\w.-]+)\) \| \S", (folder / "README.md").read_text(), re.M) == pages


def test_scripts_named_in_the_readme_can_be_run():
    for name in ("quickstart", "tests/run", ".ci/run"):
        assert (ROOT / name).stat().st_mode & 0o111, name


def test_quickstart_says_what_it_takes(tmp_path):
    """Its help is the comment at its top; nothing is installed, built or written for it, and another word is refused."""
    told = subprocess.run([ROOT / "quickstart", "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (told.returncode, told.stderr) == (0, "")
    for option in ("--once", "--help"):
        assert re.search(rf"^  \./quickstart {option}  +\w", told.stdout, re.M), told.stdout
    comment = "\n".join(f"# {line}".rstrip() for line in told.stdout.splitlines())
    assert f"bash\n{comment}\nset " in (ROOT / "quickstart").read_text()
    for wrong in (["--hepl"], ["--once", "--once"], ["--help", "x"]):
        refused = subprocess.run([ROOT / "quickstart", *wrong], capture_output=True, text=True, timeout=30)
        assert (refused.returncode, refused.stderr) == (1, "quickstart: usage: ./quickstart [--once | --help]\n")


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_the_help_of_tests_run_runs_nothing(asked):
    """Any other word with a hyphen is for pytest, so that this one ran everything."""
    told = subprocess.run([ROOT / "tests/run", asked], capture_output=True, text=True, timeout=30)
    assert (told.returncode, told.stderr) == (0, "") and "== house" not in told.stdout
    for option in ("--changed", "--long", "--help"):
        assert re.search(rf"^  tests/run {option}  +\w", told.stdout, re.M), told.stdout
    comment = "\n".join(f"# {line}".rstrip() for line in told.stdout.splitlines())
    assert f"bash\n{comment}\nset " in (ROOT / "tests/run").read_text()
