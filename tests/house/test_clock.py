"""What time it is, src/base/clock.c alone asks the system: everything else can be run with another time."""

import re

import pytest
from tree import ROOT, files, short

READS = re.compile(
    r"\b(clock_gettime|clock_getres|gettimeofday|timespec_get|ftime|times|getrusage|clock|time)\s*\(|\bCLOCK_(REALTIME|MONOTONIC|BOOTTIME|TAI|PROCESS|THREAD)[A-Z_]*\b"
    r"|__builtin_ia32_rdtsc|\b__rdtsc\b"
)
COMMENTS_AND_TEXTS = re.compile(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', re.S)
OWNER = "src/base/clock.c"
# timerfd_create and pthread_cond_timedwait take a clock's name, and would ask nobody; today none is used.


def reads(text):
    return [found[0] for found in READS.finditer(COMMENTS_AND_TEXTS.sub(" ", text))]


def sources():
    return [path for path in files(".c", ".h") if short(path).startswith(("src/", "include/"))]


@pytest.mark.parametrize("path", sources(), ids=short)
def test_only_base_reads_a_clock(path):
    if short(path) != OWNER:
        assert not reads(path.read_text()), f"{short(path)}: ask relyd/clock.h, or take the time as a parameter"


def test_the_owner_reads_one():
    assert "clock_gettime(" in reads((ROOT / OWNER).read_text())


VIOLATIONS = {
    "the wall clock": "int64_t f(void)\n{\n    return time(NULL);\n}\n",
    "with a blank": "int64_t f(void)\n{\n    return time (NULL);\n}\n",
    "the monotonic one": "void f(struct timespec *t)\n{\n    clock_gettime(CLOCK_MONOTONIC, t);\n}\n",
    "the old one": "void f(struct timeval *t)\n{\n    gettimeofday(t, NULL);\n}\n",
    "a name for others": "static const clockid_t clock_of = CLOCK_REALTIME;\n",
    "the processor's": "uint64_t f(void)\n{\n    return __rdtsc();\n}\n",
}
INNOCENT = {
    "a comment": "/* not time(NULL), which steps */\n",
    "a text": 'const char *f(void)\n{\n    return "time(NULL)";\n}\n',
    "another function": "int64_t f(void)\n{\n    return rely_clock_now_s() + expiry_time(7);\n}\n",
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_found(name):
    assert reads(VIOLATIONS[name])


@pytest.mark.parametrize("name", INNOCENT)
def test_others_are_not(name):
    assert not reads(INNOCENT[name])
