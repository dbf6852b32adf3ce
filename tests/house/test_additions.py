"""A kind of object takes few lines, whatever else changes: the made-up one of tests/kinds fits the tree as it is. `tests/run --long kinds`
builds and uses it."""

import sys

import pytest
from tree import ROOT

sys.path[:0] = [str(ROOT / "tests/kinds"), str(ROOT / "tests")]
import contact  # noqa: E402
import grown  # noqa: E402

LINES_MAX = 80  # issue 8 allows 150


def test_a_kind_takes_few_lines():
    assert 40 < contact.count_lines() <= LINES_MAX


def test_what_does_not_fit_is_seen():
    for text in ("", "a\na\n"):
        with pytest.raises(AssertionError, match="occurs"):
            grown.change(text, [("a\n", "b\n")])
