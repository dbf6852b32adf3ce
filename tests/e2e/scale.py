"""How much of a large number a test does: `tests/run` a twentieth, `tests/run --long` all of it (RELYD_TEST_LONG=1)."""

import os

IS_LONG = os.environ.get("RELYD_TEST_LONG") == "1"
SHARE = 20


def count(whole, least=1):
    """`whole` in a long run, about a twentieth of it otherwise."""
    return whole if IS_LONG else max(least, whole // SHARE)
