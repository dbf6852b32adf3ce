"""The pure middle: what judges a token has no clock, lock, allocation but the pool's, I/O or log. So a review can be repeated, at
any time and anywhere, and comes to the same end."""

import re

import pytest
from tree import ROOT, files, functions, short, without_comments

MIDDLE = ("token", "keys", "signature", "claims", "credentials", "expression", "decide")

# What the middle may call of others than relyd: it looks at memory, and writes only where its parameters point.
PURE = r"mem(chr|cmp|cpy|move|set)|str(len|n?casecmp)|v?snprintf|va_(start|end)|offsetof|qsort|explicit_bzero|__builtin_c[lt]z"
# Numbers that workers count in a key, and the pointer to its table: no lock, and no order that anybody waits for.
ATOMICS = r"atomic_(load|store|fetch_(add|sub|or))_explicit|_Atomic"
# Signatures are OpenSSL's business; its objects live as long as the key or the thread that they were made for.
OPENSSL = r"(BN|EC|ERR|EVP|OPENSSL|OSSL|RSA)_\w+|EC_POINTs_\w+|i2d_PUBKEY"

# Of relyd's own lower folders, what allocates beside the pool, draws or speaks. Whole folders that do are not named one by one.
IMPURE_FOLDERS = ("observe", "fetch", "config", "yaml", "model", "store")
IMPURE = r"rely_(alloc|realloc|strdup_slice|random|alarm|now\w*|clock\w*|buf_\w+|json_\w+)"

# (where, what, why it may). Everything here happens when something is made, never while a token is judged, but for the last.
EXCEPTIONS = (
    ("src/keys/", r"rely_alloc|rely_strdup_slice|rely_json_\w+|rely_buf_\w+|free", "a key set is made when it is accepted, by one thread"),
    ("src/keys/pem.c", r"(BIO|PEM|X509)_\w+|d2i_\w+", "keys in PEM become a key set when they are given, once"),
    ("src/signature/", r"rely_alloc|free", "a key's verifier, the thread's scratch and the cache's secret are made once"),
    ("src/signature/", r"pthread_(once|once_t|key_t|key_create|setspecific|getspecific)", "a thread's scratch, and the tables of the curves, are made once"),
    ("src/(signature|decide)/", r"rely_random", "drawn once, at start: what decides which verifications are repeated, and the cache's secret"),
    ("src/decide/(cache|fingerprint|slots|liveness).c", rf"rely_alloc|free|{OPENSSL}", "a worker's cache and memory, and the key of its fingerprints, are made before its first request"),
    ("src/signature/signature.c", r"rely_alarm", "two arithmetics that disagree end the process: one of them would believe a forgery"),
)

KEYWORDS = set("if for while switch return sizeof do else case _Alignof _Static_assert __attribute__ defined void".split())
# Function pointers carry no parenthesis: these names are refused wherever they stand.
SPOKEN = re.compile(
    r"malloc|calloc|realloc|free|strdup|strndup|time|clock|clock_gettime|gettimeofday|nanosleep|usleep|sleep|getenv"
    r"|pthread_\w+|mtx_\w+|sem_\w+|printf|fprintf|puts|fputs|stdout|stderr|fopen|open|read|write|close|send|recv|socket|syslog"
)


def read_tree():
    """({function: the folder that defines it}, every macro)."""
    folder_of, macros = {}, set()
    headers = files(".h", ".def", under="include")
    for path in files(".c", ".h", under="src") + headers:
        folder = path.parent.name if path.is_relative_to(ROOT / "src") else "include"
        for name, _, _, _ in functions(path):
            folder_of[name] = folder
        macros |= set(re.findall(r"^\s*#\s*define\s+(\w+)", path.read_text(), re.M))
    return folder_of, macros


FOLDER_OF, MACROS = read_tree()


def is_excused(where, name):
    return any(re.match(place, where) and re.fullmatch(names, name) for place, names, _ in EXCEPTIONS)


def is_pure(where, name):
    """May this file of the middle call that?"""
    if name in KEYWORDS or name in MACROS or re.fullmatch(f"{PURE}|{ATOMICS}", name):
        return True
    if re.match("src/(keys|signature)/", where) and re.fullmatch(OPENSSL, name):
        return True
    if name in FOLDER_OF:
        return FOLDER_OF[name] not in IMPURE_FOLDERS and not re.fullmatch(IMPURE, name)
    return False


def own_names(text):
    """Parameters, members and attributes that are called or look as if: not functions of anybody else."""
    pointers = re.findall(r"\(\*\s*(?:const\s+)?(\w+)(?:\[\w*\])?\)\s*\(", text)
    attributes = re.findall(r"__attribute__\s*\(\((\w+)", text)
    members = re.findall(r"(?:->|\.)(\w+)\s*\(", text)
    types = re.findall(r"typedef[^;]*?(\w+)\([^;]*;", text)
    of_types = re.findall(rf"\b(?:{'|'.join(types)}) \*(\w+)", text) if types else []
    return set(pointers + attributes + members + types + of_types)


def breaks(where, text):
    """What a file of the middle does that it may not."""
    text = re.sub(r"^\s*#.*$|__attribute__\s*\(\(format\([^)]*\)\)\)", "", without_comments(text), flags=re.M)
    called = set(re.findall(r"\b([A-Za-z_]\w*)\s*\(", text)) - own_names(text)
    typed = set(re.findall(r"\b(?:enum|struct|union)\s+(\w+)", text)) | set(re.findall(r"\benum\s+\w+\s+(\w+)\s*\(", text))
    spoken = {name for name in re.findall(r"(?<![.>\w])[A-Za-z_]\w*\b", text) if SPOKEN.fullmatch(name)}
    wrong = {name for name in called - (typed - set(FOLDER_OF)) if not is_pure(where, name)} | spoken
    return sorted(name for name in wrong if not is_excused(where, name))


MIDDLE_FILES = [path for folder in MIDDLE if (ROOT / "src" / folder).is_dir() for path in files(".c", ".h", under=f"src/{folder}")]


@pytest.mark.parametrize("path", MIDDLE_FILES, ids=short)
def test_the_middle_is_pure(path):
    assert breaks(short(path), path.read_text()) == []


VIOLATIONS = {
    "a clock": ("src/claims/time.c", "bool f(void)\n{\n    return time(NULL) > 5;\n}\n", ["time"]),
    "another clock": ("src/decide/decide.c", "void f(struct timespec *t)\n{\n    clock_gettime(CLOCK_REALTIME, t);\n}\n", ["clock_gettime"]),
    "a lock": ("src/decide/cache.c", "void f(pthread_mutex_t *m)\n{\n    pthread_mutex_lock(m);\n}\n", ["pthread_mutex_lock", "pthread_mutex_t"]),
    "an allocation": ("src/claims/registered.c", "void *f(void)\n{\n    return rely_alloc(8);\n}\n", ["rely_alloc"]),
    "an allocation by pointer": ("src/token/token.c", "void f(struct rely_list *l)\n{\n    rely_list_add(l, free);\n}\n", ["free", "rely_list_add"]),
    "growing text": ("src/decide/told.c", "void f(struct rely_buf *b)\n{\n    rely_buf_putc(b, 'x');\n}\n", ["rely_buf_putc"]),
    "a line of the log": ("src/decide/decide.c", 'void f(void)\n{\n    rely_log_event(NULL, 0, "x", "y");\n}\n', ["rely_log_event"]),
    "a file": ("src/keys/jwk.c", "int f(int fd)\n{\n    return read(fd, NULL, 0);\n}\n", ["read"]),
    "standard error": ("src/signature/rsa.c", 'void f(void)\n{\n    fputs("x", stderr);\n}\n', ["fputs", "stderr"]),
    "a key set while a token is judged": ("src/decide/decide.c", "void f(void)\n{\n    rely_json_parse(RELY_LIT(\"{}\"), NULL);\n}\n", ["rely_json_parse"]),
    "OpenSSL elsewhere": ("src/claims/time.c", "void f(void)\n{\n    EVP_MD_CTX_new();\n}\n", ["EVP_MD_CTX_new"]),
    "a function that nobody knows": ("src/token/token.c", "void f(void)\n{\n    usleep_a_bit();\n}\n", ["usleep_a_bit"]),
}


@pytest.mark.parametrize("what", VIOLATIONS)
def test_a_violation_is_found(what):
    where, text, expected = VIOLATIONS[what]
    assert breaks(where, text + "\n".join(["/* time( in a comment is none */", 'const char *words = "malloc(";'])) in (
        expected,
        sorted(expected + ["f"]),
    )


@pytest.mark.parametrize("place, names, why", EXCEPTIONS, ids=[place + " " + names[:40] for place, names, _ in EXCEPTIONS])
def test_an_exception_is_needed(place, names, why):
    """One that nothing needs is taken away."""
    texts = [(short(path), without_comments(path.read_text())) for path in MIDDLE_FILES]
    assert why and any(re.match(place, where) and re.search(rf"\b({names})\b", text) for where, text in texts)
