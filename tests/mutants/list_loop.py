"""Deliberate errors in loops, connections, starts and stops."""

MUTANTS = [
    dict(
        name="pipelining-without-a-fence",
        row="B5",
        file="src/http/request.c",
        old="if (connection->turn != loop->turn) {",
        new="if (connection->turn != UINT64_MAX) {",
        caught_by="unit_http",
    ),
    dict(
        name="edition-freed-before-it-is-back",
        row="B2",
        file="src/service/publish.c",
        old="if (publication->is_settled && publication->underway == 0)",
        new="if (publication->is_settled)",
        caught_by="tests/e2e/test_storms.py",
    ),
]
