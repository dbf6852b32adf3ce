"""`tests/run --changed` (tests/changed.py) knows the folders and the black-box tests that are there."""

import sys

from tree import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import changed  # noqa: E402

FILES = {path.stem.removeprefix("test_") for path in (ROOT / "tests/e2e").glob("test_*.py")}
NAMED = {name for names in changed.E2E.values() for name in names} | set(changed.BESIDE)


def test_every_file_is_some_folders():
    assert FILES - NAMED == set()


def test_named_files_exist():
    assert NAMED - FILES == set()


def test_what_differs_is_found():
    """A change to claims, its header and its tests: its own tests and those that judge tokens."""
    names = ["src/claims/time.c", "include/relyd/claims.h", "tests/unit/claims/main.c", "README.md"]
    assert changed.folders(names) == ["claims"]
    assert changed.unit_tests(names) == ["unit_claims"]
    assert "tests/e2e/test_kubernetes_tokens.py" in changed.e2e_files(names)
    assert "tests/e2e/test_rest.py" not in changed.e2e_files(names)
    assert changed.tidy_files(names) == ["src/claims/time.c"]


def test_a_changed_test_runs_itself_only():
    assert changed.e2e_files(["tests/e2e/test_rest.py"]) == ["tests/e2e/test_rest.py"]
    assert changed.unit_tests(["tests/e2e/test_rest.py"]) == []


def test_a_folder_that_nobody_knows_runs_everything():
    assert len(changed.e2e_files(["src/newcomer/x.c"])) == len(FILES)
