"""The n-th fetch of an issuer's documents fails, in each way and wherever in its life that is: nobody is let in meanwhile who should
not be, the keys in force stay, and relyd comes to the right end by itself."""

import itertools

import pytest
import tokens
import wire
from issuer import response
from scale import IS_LONG

WAYS = {
    "closed": lambda connection: connection.close(),
    "half": lambda connection: connection.sendall(response({"keys": []})[:-4]),
    "500": lambda connection: connection.sendall(response({}, "500 Internal Server Error")),
    "no JSON": lambda connection: connection.sendall(response(b"<html>")),
}


def fail_once(issuer, n, way):
    """The n-th answer from now on, counted from 0, is another one. Returns how many were asked for, as a function."""
    whole, numbers, asked = issuer.answer, itertools.count(), []

    def answer(path, connection):
        asked.append(path)
        if next(numbers) == n:
            WAYS[way](connection)
        else:
            whole(path, connection)

    issuer.answer = answer
    return lambda: len(asked)


def reasons_until_ok(relyd, token):
    """Every reason on the way."""
    found = set()

    def is_ok():
        found.add(relyd.reason(token))
        return "ok" in found

    wire.wait_for(is_ok, 40, "an allow")
    return found - {"ok"}


@pytest.mark.long
@pytest.mark.parametrize("way", list(WAYS) if IS_LONG else ["closed", "half"])
@pytest.mark.parametrize("n", range(4))
def test_every_fetch_may_fail(start, issuer, n, way):
    """0 and 1 are the first discovery document and key set; the others are a rotation's."""
    relyd = start(keys__miss_wait_ms=100, keys__miss_cooldown_ms=100)
    count = fail_once(issuer, n, way)
    relyd.put_issuer("cluster", **issuer.record())
    relyd.put_identity()
    relyd.put_credential(issuer=issuer.url)
    assert reasons_until_ok(relyd, issuer.token()) <= {"keys_unavailable", "key_unknown"}
    old, new = issuer.keys[0], tokens.key("rotated")
    issuer.keys = [old, new]
    assert reasons_until_ok(relyd, issuer.token(new)) <= {"key_unknown"}
    assert relyd.reason(issuer.token(old)) == "ok"
    assert relyd.reason(tokens.key("a stranger's").sign(tokens.claims(issuer.url))) == "key_unknown"
    page = relyd.admin("GET", "/v1/issuers/cluster/keys").json()
    assert {key["kid"] for key in page["keys"]} == {old.kid, new.kid}
    assert "lastError" not in page or page["lastError"] is None
    assert count() > n
    issuer.is_down = True
    relyd.restart()
    assert relyd.reason(issuer.token(new)) == "ok"
