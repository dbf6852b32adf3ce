"""Every deliberate error of tests/mutants can still be made: `tests/run --long` tries them."""

import collections
import re
import sys

import pytest
from tree import ROOT

sys.path.insert(0, str(ROOT / "tests/mutants"))
import mutants  # noqa: E402

ALL = mutants.load_all()


@pytest.mark.parametrize("mutant", ALL, ids=[mutant.get("name", "?") for mutant in ALL])
def test_mutant_fits_the_tree(mutant):
    assert mutants.fault_of(mutant) is None


def test_names_are_unique():
    counts = collections.Counter(mutant["name"] for mutant in ALL)
    assert not [name for name, count in counts.items() if count > 1]


def test_every_list_is_tried():
    """A part of `tests/run --long` names its lists, so that none takes more than 20 minutes."""
    named = re.findall(r"^    run_mutants (.*)$", (ROOT / "tests/run").read_text(), re.M)
    lists = [path.stem.removeprefix("list_") for path in mutants.FOLDER.glob("list_*.py")]
    assert sorted(" ".join(named).split()) == sorted(lists)
