"""Tables for keys that are used often: who gets one, that nothing is judged otherwise, and that they go with their key."""

import threading
import time

import pytest
import tokens
import wire
from test_observe import metrics

pytestmark = pytest.mark.threads

ALGORITHMS = ("ES256", "ES384", "ES512")
OWN = {"crypto__own_arithmetic": True}  # whatever the environment says
EARNED = 32  # signatures that verified; RELY_KEY_TABLE_SUCCESSES


@pytest.fixture
def relyd(start):
    return start(**OWN)


def url_of(alg):
    return f"https://{alg.lower()}.example"


def put_key(relyd, alg, key):
    relyd.put_issuer(alg.lower(), issuer=url_of(alg), keys={"jwks": tokens.jwks(key)})


def put_world(relyd, *algs):
    """An issuer with an uploaded key set and a credential for each; {alg: its key}."""
    relyd.put_identity()
    keys = {alg: tokens.key(f"tables-{alg}", alg) for alg in algs}
    for alg, key in keys.items():
        put_key(relyd, alg, key)
        relyd.put_credential(name=alg.lower(), issuer=url_of(alg))
    return keys


def token_of(alg, key, **changes):
    return key.sign(tokens.claims(url_of(alg), **changes))


def tampered(token):
    """The same signature under another payload."""
    header, _, signature = token.split(".")
    payload = tokens.payload_of(token) | {"jti": "another"}
    return ".".join((header, tokens.encode(tokens.compact(payload)), signature))


def use(relyd, alg, key, count=EARNED + 8):
    for _ in range(count):
        assert relyd.reason(token_of(alg, key)) == "ok"


def tables(relyd):
    return metrics(relyd)["relyd_key_tables"]


def wait_for_tables(relyd, count):
    wire.wait_for(lambda: tables(relyd) == count, what=f"{count} tables, not {tables(relyd):.0f}")


def test_keys_that_are_used_get_tables(relyd):
    keys = put_world(relyd, *ALGORITHMS, "RS256")
    assert tables(relyd) == 0
    for alg, key in keys.items():
        use(relyd, alg, key)
    wait_for_tables(relyd, 3)
    for alg, key in keys.items():
        for _ in range(20):
            good = token_of(alg, key)
            assert relyd.reason(tampered(good)) == "bad_signature"
            assert relyd.reason(good) == "ok"
        stranger = tokens.key(f"stranger-{alg}", alg)
        assert relyd.reason(stranger.sign(tokens.claims(url_of(alg)), kid=key.kid)) == "bad_signature"
        assert relyd.reason(token_of(alg, key, audience="other")) == "audience_mismatch"
    assert tables(relyd) == 3


def test_tables_go_with_their_keys(relyd):
    keys = put_world(relyd, *ALGORITHMS)
    for alg, key in keys.items():
        use(relyd, alg, key)
    wait_for_tables(relyd, 3)
    for left, (alg, old) in enumerate(keys.items()):
        new = tokens.Key(alg, kid=old.kid)  # the same name, another key
        put_key(relyd, alg, new)
        assert relyd.reason(token_of(alg, old)) == "bad_signature"
        assert relyd.reason(token_of(alg, new)) == "ok"
        wait_for_tables(relyd, 2 - left)
        keys[alg] = new
    for alg, key in keys.items():
        use(relyd, alg, key)
    wait_for_tables(relyd, 3)
    relyd.admin("DELETE", "/v1/identities/payments-api/federatedIdentityCredentials/es256")
    assert relyd.admin("DELETE", "/v1/issuers/es256").status == 204
    wait_for_tables(relyd, 2)
    assert relyd.reason(token_of("ES256", keys["ES256"])) == "unknown_issuer"


@pytest.mark.parametrize("limit", [0, 1])
def test_the_limit_holds(start, limit):
    relyd = start(keys__tables=limit, **OWN)
    keys = put_world(relyd, *ALGORITHMS)
    for alg, key in keys.items():
        use(relyd, alg, key)
    time.sleep(0.5)  # a table too many would be there by now
    assert tables(relyd) == limit
    for alg, key in keys.items():
        assert relyd.reason(token_of(alg, key)) == "ok"
        assert relyd.reason(tampered(token_of(alg, key))) == "bad_signature"


def test_strangers_and_repeated_tokens_earn_nothing(relyd):
    keys = put_world(relyd, "ES256")
    stranger = tokens.key("stranger-ES256", "ES256")
    good = token_of("ES256", keys["ES256"])
    for _ in range(2 * EARNED):
        assert relyd.reason(stranger.sign(tokens.claims(url_of("ES256")), kid=keys["ES256"].kid)) == "bad_signature"
        assert relyd.reason(good) == "ok"  # from the cache of one of two workers
    time.sleep(0.3)  # one too many would be there by now
    assert tables(relyd) == 0


def test_keys_change_while_tables_are_made(start):
    """Reviews, rotations and builds at once: the sanitizers' test. Whoever signs with the key of the moment is allowed."""
    relyd = start(workers=3, **OWN)
    keys = put_world(relyd, *ALGORITHMS)
    is_over = threading.Event()
    seen, faults = set(), []

    def review(alg):
        while not is_over.is_set():
            try:
                seen.add(relyd.reason(token_of(alg, keys[alg])))
            except Exception as fault:  # reported by the test's own thread
                faults.append(fault)
                return

    threads = [threading.Thread(target=review, args=(alg,)) for alg in ALGORITHMS]
    for thread in threads:
        thread.start()
    for _ in range(8):
        for alg in ALGORITHMS:
            new = tokens.Key(alg)
            put_key(relyd, alg, new)
            keys[alg] = new
        time.sleep(0.4)  # in which tables are earned, begun and made
    is_over.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert seen <= {"ok", "key_unknown"} and "ok" in seen
    for alg in ALGORITHMS:
        use(relyd, alg, keys[alg])
    wait_for_tables(relyd, 3)


def test_stop_while_tables_are_made(start):
    relyd = start(**OWN)
    for alg, key in put_world(relyd, *ALGORITHMS).items():
        use(relyd, alg, key, EARNED)
    relyd.stop()
