"""Sizes and shapes: parameters of a function, prototypes of a header, includes, and what stands inside an assertion. Each rule is a
function from a text to what breaks it, which is also shown deliberate violations."""

import re

import pytest
from tree import ROOT, files, functions, short, sources, without_comments

PARAMETERS_MAX = 5
# Handed to a library that says what they take: SSL_CTX_set_alpn_select_cb, libnghttp2's callbacks.
LIBRARIES_OWN = {"choose_protocol", "read_answer", "read_body", "note_header", "refuse_invalid_header", "note_data"}
PROTOTYPES_MAX = 15
DEPTH_MAX = 6

# --- parameters -------------------------------------------------------------------------------------------------------


def count_parameters(signature):
    """Of a function's head, without its attributes; `...` is none."""
    inside = re.sub(r"__attribute__\s*\(\(.*?\)\)\)?", "", signature).partition("(")[2].rpartition(")")[0]
    while re.search(r"\([^()]*\)|\[[^]]*\]", inside):
        inside = re.sub(r"\([^()]*\)|\[[^]]*\]", "", inside)
    pieces = [piece.strip() for piece in inside.split(",")]
    return 0 if pieces in ([""], ["void"]) else len([piece for piece in pieces if piece != "..."])


def with_many_parameters(path):
    lines = without_comments(path.read_text()).split("\n")
    found = []
    for name, first, count, _ in functions(path):
        text = "\n".join(lines[first - 1 : first - 1 + count + 20])
        if count_parameters(text.partition("\n{")[0]) > PARAMETERS_MAX and name not in LIBRARIES_OWN:
            found.append(name)
    return found


@pytest.mark.parametrize("path", sources(), ids=short)
def test_no_function_takes_more_than_five(path):
    assert with_many_parameters(path) == []


@pytest.mark.parametrize(
    "head, count",
    [
        ("static int sum(int a, int b, int c, int d, int e, int f)", 6),
        ("void each(void (*visit)(int a, int b), char out[2], int c,\n          int d, int e, int f)", 6),
        ("bool log(int a, const char *format, ...) __attribute__((format(printf, 2, 3)))", 2),
        ("void nothing(void)", 0),
    ],
)
def test_parameters_are_counted(tmp_path, head, count):
    path = tmp_path / "x.c"
    path.write_text("/* A violation. */\n#include <stdio.h>\n\n" + head + "\n{\n}\n")
    assert count_parameters(head) == count
    assert bool(with_many_parameters(path)) == (count > PARAMETERS_MAX)


# --- prototypes -------------------------------------------------------------------------------------------------------


def prototypes(text):
    """The names of the functions that a header declares; inline ones are defined, not declared."""
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)\)?", "", without_comments(text))
    return re.findall(r"^(?!static|typedef|#|\s)[\w *]+?\**\b(\w+)\([^;{]*\)\s*;", text, re.M)


@pytest.mark.parametrize("path", files(".h", under="include/relyd"), ids=short)
def test_no_header_declares_more_than_fifteen(path):
    assert len(prototypes(path.read_text())) <= PROTOTYPES_MAX


def test_prototypes_are_counted():
    one = "/* It. */\nstruct rely_x *rely_one(int a,\n    void (*done)(void *context)) __attribute__((returns_nonnull));\n"
    text = one + "static inline int rely_two(void)\n{\n    return 1;\n}\ntypedef void rely_three(int);\n"
    assert prototypes(text) == ["rely_one"]
    assert len(prototypes(one * 16)) == 16


# --- includes ---------------------------------------------------------------------------------------------------------


def read_includes():
    """{file: the files of the tree that it includes}."""
    graph = {}
    for path in sources():
        graph[short(path)] = []
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M):
            places = [(base / name).resolve() for base in (path.parent, ROOT / "src", ROOT / "include", ROOT / "tests/unit")]
            graph[short(path)] += [short(place) for place in places if place.is_file()][:1]
    return graph


def longest_chain(graph, start, above=()):
    """The longest way down from a file; AssertionError for a circle."""
    assert start not in above, "a circle: " + " -> ".join((*above, start))
    chains = [longest_chain(graph, target, (*above, start)) for target in graph.get(start, [])]
    return [start, *max(chains, key=len, default=[])]


def too_deep(graph):
    chains = {start: longest_chain(graph, start) for start in graph}
    return {start: chain for start, chain in chains.items() if len(chain) - 1 > DEPTH_MAX}


def test_includes_are_not_deep_and_go_in_no_circle():
    assert too_deep(read_includes()) == {}


def test_depths_and_circles_are_found():
    chain = {str(number): [str(number + 1)] for number in range(7)}
    assert list(too_deep(chain)) == ["0"]
    assert longest_chain(chain, "0") == list("01234567")
    with pytest.raises(AssertionError, match="a circle: a.h -> b.h -> a.h"):
        too_deep({"a.h": ["b.h"], "b.h": ["a.h"]})


# --- assertions -------------------------------------------------------------------------------------------------------

# What an assertion may call: each only looks.
LOOKS = set("strlen memcmp strcmp sizeof offsetof defined".split()) | {
    "timer_at",  # a place of the heap
    "rely_loop_connections",  # a count
    "rely_slice_equal",
    "rely_time_is_utc",
}


def assertions(text):
    """What stands inside each RELY_ASSERT of a text."""
    text = re.sub(r"^\s*#.*$", "", without_comments(text), flags=re.M)
    for match in re.finditer(r"\bRELY_ASSERT\(", text):
        depth, end = 1, match.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield " ".join(text[match.end() : end - 1].split())


def may_write(claim):
    """Why a claim may do more than look; None."""
    called = [name for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", claim) if name not in LOOKS]
    if called:
        return f"calls {', '.join(called)}"
    if re.search(r"\+\+|--|(?<![=!<>])=(?!=)", claim):
        return "assigns"
    return None


@pytest.mark.parametrize("path", sources(), ids=short)
def test_nothing_is_done_inside_an_assertion(path):
    wrong = {claim: may_write(claim) for claim in assertions(path.read_text()) if may_write(claim)}
    assert wrong == {}


@pytest.mark.parametrize(
    "claim, why",
    [
        ("read_origin(handle, &from)", "calls read_origin"),
        ("a == 1 &&\n    curl_url_set(handle,\n        0) == 0", "calls curl_url_set"),
        ("count++ < 5", "assigns"),
        ("(fault = 0) == 0", "assigns"),
        ("places -= 1", "assigns"),
        ("a <= b && c >= d && e != f && strlen(text) == 3", None),
    ],
)
def test_what_an_assertion_does_is_found(claim, why):
    text = "/* RELY_ASSERT(in_a_comment()) */\nvoid f(void)\n{\n    RELY_ASSERT(" + claim + ");\n}\n"
    assert [may_write(found) for found in assertions(text)] == [why]
