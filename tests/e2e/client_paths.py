"""What clients may write behind a gateway's host name: a corpus of request targets that try to be something else."""

import itertools
import random

SEED = 7

AIMS = ["livez", "readyz", "metrics", "v1/review", "v1/issuers", "v1/identities/admin", "check/default", "check/other",
        "apis/authentication.k8s.io/v1/tokenreviews", "openapi.json", "orders/7", ""]
UPS = ["..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..;", "..;a=b", "%252e%252e", "..%00", "..%09", "..%20", "..%0d%0a",
       "%c0%ae%c0%ae", "%u002e%u002e", "...", ".", "%2e", "..%23", "..%3f", "..\\"]
SLASHES = ["/", "%2f", "%2F", "//", "\\", "%5c", "%252f", "/./", "%c0%af", ";/", "/;/", "%2f%2f", "/%2e/"]
QUERIES = ["", "?", "?aud=relyd", "?aud=other", "?audience=x", "?identity=admin", "?identity=payments-api", "?aud=relyd&aud=other",
           "?aud=%zz", "?%61ud=other", "?aud", "?aud=", "?&&&", "?x=1&aud=42", "?aud=relyd#f", "#f", "%3faud=other", "?a?b", "?=x",
           "?identity=admin&identity=payments-api", "?aud=a%00b", "?AUD=other", "?timeout=10s"]
PLAIN = ["/", "/a", "/a/b/c", "/orders/7", "/~user", "/a;b=c", "/a,b", "/a:b@c", "/a%20b", "/%", "/%zz", "/%2", "/a+b", "/*",
         "/%ff%fe", "/%e2%82%ac", "/" + "a" * 4000, "/" + "%41" * 900, "/" + "../" * 300 + "livez", "/" + "/" * 500, "/.",
         "/..", "/...", "/./", "/../", "/%2e", "/%2e%2e", "/%2e%2e%2f", "/%00", "/%0a", "/%0d%0aX-Relyd-Identity:%20admin",
         "/check/default", "/check/default/", "/check/default/..", "//check/default", "/check//default", "/check/default%2f",
         "/CHECK/DEFAULT", "/check", "/check/", "/check/default?aud=relyd", "/check/default?identity=payments-api"]


def make_climb(random_state):
    """Up and away: dots and slashes in any spelling, then one of the service's own resources."""
    steps = "".join(random_state.choice(SLASHES) + random_state.choice(UPS) for _ in range(random_state.randint(1, 4)))
    return "/" + random_state.choice(["", "a", "orders/7", "x/y"]) + steps + random_state.choice(SLASHES) + random_state.choice(AIMS)


def corpus(count):
    """`count` different targets, the same ones in every run; those that were thought of come first."""
    state = random.Random(SEED)
    simple = ["/" + slash.lstrip("/") + up + slash2 + aim for slash, up, slash2, aim in
              itertools.product(["/"], UPS, SLASHES, AIMS)]
    state.shuffle(simple)
    paths = [plain + query for plain, query in itertools.product(PLAIN, QUERIES[:3])] + ["/" + query for query in QUERIES]
    paths += [path + state.choice(QUERIES) for path in simple]
    known = dict.fromkeys(paths)
    while len(known) < count:
        known[make_climb(state) + state.choice(QUERIES)] = None
    thought_of = [path + query for path in PLAIN for query in QUERIES[:3]] + ["/" + query for query in QUERIES]
    rest = [path for path in known if path not in set(thought_of)]
    state.shuffle(rest)
    return (list(dict.fromkeys(thought_of)) + rest)[:count]
