"""How much of a large number a test does: `tests/run` a twentieth, `tests/run --long` all of it (RELYD_TEST_LONG=1). And how many
times as long as it should something may take: with TSan, which slows down ten times and more, RELYD_TEST_PATIENCE is 5."""

import os

IS_LONG = os.environ.get("RELYD_TEST_LONG") == "1"
SHARE = 20
PATIENCE = int(os.environ.get("RELYD_TEST_PATIENCE", "1"))


def count(whole, least=1):
    """`whole` in a long run, about a twentieth of it otherwise."""
    return whole if IS_LONG else max(least, whole // SHARE)
