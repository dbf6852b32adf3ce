"""Deliberate errors in the signatures, the token cache and what is observed; and the test that must notice each."""

MUTANTS = [
    dict(
        name="log lines show what strangers wrote",
        row="D",
        file="src/observe/line.c",
        old="rely_buf_put_json_plainly(out, value);",
        new="rely_buf_put_json(out, value);",
        caught_by="unit_observe",
    ),
    dict(
        name="plain strings keep what is beyond the first plane",
        row="D",
        file="src/base/buf.c",
        old="    if (code < 0x80)\n",
        new="    if (code < 0x80 || code >= 0x10000)\n",
        caught_by="unit_base",
    ),
    dict(
        name="lines lost are not told to /metrics",
        row="D",
        file="src/observe/log.c",
        old="        lost += __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);\n",
        new="        lost += __atomic_load_n(&ring->lost, __ATOMIC_RELAXED) & 0;\n",
        caught_by="unit_observe",
    ),
]
