"""What must not compile (fault E): a dropped judgement or fault, and a look into a payload before its signature has been checked."""

import re
import shutil
import subprocess

import pytest
from tree import ROOT, files, short, without_comments

COMPILERS = [name for name in ("cc", "clang-14") if shutil.which(name)]

HEADERS = '#include "relyd/decide.h"\n#include "relyd/keys.h"\n#include "relyd/keyset.h"\n#include "relyd/signature.h"\n'
RIGHT = """
enum rely_reason judge(struct rely_claims *claims, const struct rely_time_rules *rules, struct rely_detail *detail)
{
    return rely_claims_check_time(claims, rules, 0, detail);
}
"""
WRONG = {
    "dropped time": """
void judge(struct rely_claims *claims, const struct rely_time_rules *rules, struct rely_detail *detail)
{
    rely_claims_check_time(claims, rules, 0, detail);
}
""",
    "dropped claims": """
void judge(const struct rely_verified *verified, struct rely_pool *pool, struct rely_claims *out, struct rely_detail *detail)
{
    rely_claims_read(verified, RELY_LIT("sub"), pool, out, detail);
}
""",
    "dropped signature": """
void judge(const struct rely_unverified *token, const struct rely_key *key, struct rely_verified *out, struct rely_detail *detail)
{
    rely_signature_verify(token, key, out, detail);
}
""",
    "dropped rules": """
void judge(const struct rely_snapshot *snapshot, const struct rely_match_query *query, struct rely_matches *out, struct rely_detail *detail)
{
    rely_credentials_match(snapshot, query, out, detail);
}
""",
    "dropped fault": """
void judge(const struct rely_keyset *keyset, struct rely_err *err)
{
    rely_keyset_check_usable(keyset, err);
}
""",
    "dropped refusal": """
void judge(struct rely_detail *detail)
{
    rely_refuse(detail, RELY_EXPIRED, "x");
}
""",
    "dropped fault of a hook": """
struct hooks {
    RELY_MUST_USE bool (*commit)(void *context, struct rely_err *err);
};
void judge(const struct hooks *hooks, struct rely_err *err)
{
    hooks->commit(0, err);
}
""",
    "dropped fault of a hook that is handed in": """
void judge(RELY_MUST_USE bool (*bring)(struct rely_err *err), struct rely_err *err)
{
    bring(err);
}
""",
    "a function of one's own": """
static enum rely_reason refuse(void)
{
    return RELY_EXPIRED;
}
void judge(void)
{
    refuse();
}
""",
    "unverified claims": """
uint32_t judge(const struct rely_unverified *token)
{
    return rely_view_member(&token->payload.view_, 0, RELY_LIT("sub"));
}
""",
}


def compile_c(compiler, text):
    flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-S", "-o", "/dev/null", "-xc", "-"]
    return subprocess.run([compiler, *flags], input=text, capture_output=True, text=True)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_is_right_compiles(compiler):
    done = compile_c(compiler, HEADERS + RIGHT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_does_not_compile(compiler, what):
    done = compile_c(compiler, HEADERS + WRONG[what].replace("void judge", "void judge_(void);\nvoid judge"))
    assert done.returncode != 0
    assert re.search(r"unused-result|poisoned", done.stderr), done.stderr


def test_only_two_folders_look_into_unverified_payloads():
    found = {short(path) for path in files(".c", ".h", under="src") if "RELY_READS_UNVERIFIED" in path.read_text()}
    assert found == {"src/token/token.c", "src/signature/signature.c"}
    assert not [path for path in files(".c", ".h", under="bench") if "RELY_READS_UNVERIFIED" in path.read_text()]


# --- a fault must be looked at ----------------------------------------------------------------------------------------

# They record a fault, and return false for the caller's own `return`.
RECORDERS = {"rely_err_set", "rely_err_prefix", "rely_err_because", "rely_sql_fault", "rely_sql_damaged"}


def droppable(text):
    """Functions of a header that say by a bool whether there is a fault, and may be called as a statement."""
    found = re.findall(r"^(?!\s)((?:\w+ )*?)bool (\w+)\(([^;{]*)\)[^;{]*;", without_comments(text), re.M)
    return [name for words, name, takes in found if "struct rely_err *" in takes and "RELY_MUST_USE" not in words and name not in RECORDERS]


def droppable_hooks(text):
    """Pointers to such functions, wherever they are declared: what is called through them may be dropped as well."""
    found = re.findall(r"(RELY_MUST_USE\s+)?\bbool \(\*(\w+)\)\(([^()]*)\)", without_comments(text))
    return [name for word, name, takes in found if "struct rely_err *" in takes and not word]


@pytest.mark.parametrize("path", files(".h", under="include/relyd") + files(".h", under="src"), ids=short)
def test_no_fault_can_be_dropped(path):
    assert droppable(path.read_text()) == []


@pytest.mark.parametrize("path", files(".h", ".c", under="include/relyd") + files(".h", ".c", under="src"), ids=short)
def test_no_fault_of_a_hook_can_be_dropped(path):
    assert droppable_hooks(path.read_text()) == []


def test_a_droppable_fault_is_found():
    taken = "RELY_MUST_USE bool rely_right(int a,\n    struct rely_err *err);\nvoid rely_void(struct rely_err *err);\n"
    assert droppable(taken + "/* It. */\nbool rely_wrong(int a,\n    struct rely_err *err);\n") == ["rely_wrong"]


def test_a_droppable_hook_is_found():
    right = "struct rely_hooks {\n    RELY_MUST_USE bool (*right)(int a,\n        struct rely_err *err);\n    bool (*other)(int a);\n"
    assert droppable_hooks(right + "};\n") == []
    assert droppable_hooks(right + "    bool (*wrong)(int a,\n        struct rely_err *err);\n};\n") == ["wrong"]
    handed_in = "static bool carry(%sbool (*bring)(struct rely_err *), struct rely_err *err)\n{\n}\n"
    assert droppable_hooks(handed_in % "") == ["bring"]
    assert droppable_hooks(handed_in % "RELY_MUST_USE ") == []
