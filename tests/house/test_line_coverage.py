"""The floors of coverage (tests/line_coverage.py), which `tests/run --long coverage` holds against what the unit tests run."""

import sys

from tree import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import line_coverage  # noqa: E402


def test_every_folder_has_a_floor():
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders - set(line_coverage.FLOORS) == set()


def test_what_is_beneath_its_floor_is_found():
    assert line_coverage.judge({"token": 98.9}, {"token": 99}) == ["token: 98.9 %, its floor is 99"]
    assert line_coverage.judge({"token": 99.0, "newcomer": 100.0}, {"token": 99}) == [
        "newcomer: 100.0 %, and no floor in tests/line_coverage.py"
    ]
    assert line_coverage.judge({"token": 99.0}, {"token": 99}) == []
