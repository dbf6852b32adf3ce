"""What was acknowledged is live: in every worker, for the very next request."""

import concurrent.futures

import pytest
import tokens
from service import ISSUER

CREDENTIAL = "/v1/identities/payments-api/federatedIdentityCredentials/builder"




def test_create_is_live_in_the_next_request(start):
    """1,000 reviews, each on a connection of its own, so that the kernel spreads them over all workers."""
    relyd = start(workers=4)
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    misses = []
    for number in range(250):
        assert relyd.admin("DELETE", CREDENTIAL).status == 204
        misses += [("deleted", number) for _ in range(2) if relyd.reason(token) != "no_matching_credential"]
        relyd.put_credential()
        misses += [("created", number) for _ in range(2) if relyd.reason(token) != "ok"]
    assert misses == []


def test_change_of_an_issuer_is_live(relyd):
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER, iat=None, nbf=None, lifetime=-100))
    for _ in range(50):
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, leewaySeconds=60)
        assert relyd.reason(token) == "expired"
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)}, leewaySeconds=300)
        assert relyd.reason(token) == "ok"


def test_uploaded_keys_are_live(relyd):
    old, new = tokens.key("old"), tokens.key("new")
    relyd.put_world()
    for signer, other in [(old, new), (new, old)] * 25:
        relyd.put_issuer(keys={"jwks": tokens.jwks(signer)})
        assert relyd.reason(signer.sign(tokens.claims(ISSUER))) == "ok"
        assert relyd.reason(other.sign(tokens.claims(ISSUER))) == "key_unknown"


@pytest.mark.threads
def test_reviews_during_writes(start):
    """Writers and readers at once: every answer is one of the two right ones, and the last write is what counts."""
    relyd = start(workers=4)
    signer = relyd.put_world()
    token = signer.sign(tokens.claims(ISSUER))
    reasons = set()

    def read():
        for _ in range(100):
            reasons.add(relyd.reason(token))

    def write():
        for _ in range(40):
            relyd.admin("DELETE", CREDENTIAL)
            relyd.put_credential()

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        for work in [pool.submit(read) for _ in range(4)] + [pool.submit(write)]:
            work.result()
    assert reasons <= {"ok", "no_matching_credential"}
    assert relyd.reason(token) == "ok"


@pytest.mark.threads
def test_writers_from_everywhere(relyd):
    """Eight writers on objects of their own: all are there, and all are live."""
    signer = relyd.put_world()

    def write(number):
        relyd.put_identity(f"identity-{number}")
        relyd.put_credential(f"credential-{number}", f"identity-{number}", subject=f"robot-{number}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(60)))
    for number in range(60):
        payload = tokens.claims(ISSUER, sub=f"robot-{number}", **{"kubernetes.io": None})
        assert relyd.review(signer.sign(payload))["identities"][0]["name"] == f"identity-{number}"
