#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of a JUnit file of ctest or pytest.

A cmocka binary is one test to ctest; its own cases are counted from the output that ctest keeps.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree


def tally_case(case):
    """Returns (passed, failed, skipped) of one <testcase>."""
    is_failed = any(case.find(tag) is not None for tag in ("failure", "error")) or case.get("status") == "fail"
    if not is_failed and (case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")):
        return 0, 0, 1
    output = case.findtext("system-out") or ""
    passed = sum(int(number) for number in re.findall(r"^\[  PASSED  \] (\d+) test\(s\)\.$", output, re.M))
    failed = sum(int(number) for number in re.findall(r"^\[  FAILED  \] (\d+) test\(s\)", output, re.M))
    if is_failed:
        return passed, max(failed, 1), 0
    return max(passed, 1), 0, 0


def main():
    cases = list(ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
    if not cases:
        sys.exit(f"{sys.argv[1]}: no test was run")
    print(*(sum(column) for column in zip(*map(tally_case, cases))))


if __name__ == "__main__":
    main()
