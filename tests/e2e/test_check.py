"""The gateways' endpoint: 200, 401 or 403 and nothing else, whatever the client sends."""

import base64
import hashlib
import urllib.parse

import pytest
import tokens
import wire
from service import ISSUER

IDENTITY_HEADERS = ("identity", "username", "uid", "issuer", "subject", "credential")


@pytest.fixture
def token(shared):
    return shared.signer.sign(tokens.claims(ISSUER))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "X-ANY"])
def test_any_method(shared, token, method):
    """Envoy asks with the method of its client."""
    answer = shared.check(token, method=method)
    assert (answer.status, answer.header("x-relyd-identity")) == (200, "payments-api")
    assert shared.check("not.a.token", method=method).status == 401


@pytest.mark.parametrize("path", ["/check/default", "/check/default/", "/check/default/orders/7", "/check/default/orders/7?x=1&y=%zz", "/check/default/a%2fb%20c", "/check/default?aud=relyd"])
def test_any_path_below(shared, token, path):
    assert shared.check(token, path).status == 200


@pytest.mark.parametrize("path", ["/check", "/Check/default", "/", "//check/default", "/checkx/default", "/check%2Fdefault"])
def test_paths_that_are_no_check(shared, token, path):
    assert shared.check(token, path).status == 404


@pytest.mark.parametrize("path", ["/check/", "/check//", "/check/defaultx", "/check/other", "/check/other/default", "/check/Default"])
def test_c14_unknown_routes(shared, token, path):
    """Fault C14: 403, since nginx makes 500 of a 404; with a token, without one, and by any method."""
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        for sent in (token, None, "not.a.token"):
            answer = shared.check(sent, path, method=method)
            assert (answer.status, answer.header("x-relyd-reason")) == (403, "unknown_route")


def test_only_the_beginning_of_a_name_is_said(shared, token):
    """Somebody may have put a token there, and what is said is logged."""
    name = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ"
    for path, what in ((f"/check/{name}/x", "no route has the name"), (f"/check/default?{name}=1", "the query parameter")):
        said = shared.check(token, path).json()["error_description"]
        assert f'{what} "{name[:24]}" and so on' in said and name[:25] not in said


def test_keep_alive_after_head_and_body(shared, token):
    """The connection must not get out of step: an answer to HEAD has no body, a request's body is read."""
    client = wire.Client(shared.data)
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        assert client.ask("HEAD", "/check/default", None, headers).status == 200
        assert client.ask("HEAD", "/check/default").status == 401
        assert client.ask("POST", "/check/default", b"x" * 5000, headers).status == 200
        assert client.ask("GET", "/nothing").status == 404
    client.close()


def test_no_token(shared):
    answer = shared.check()
    assert (answer.status, answer.header("x-relyd-reason")) == (401, "no_token")
    assert answer.header("www-authenticate") == 'Bearer realm="relyd"'  # RFC 6750 s3: no error code
    assert "error" not in answer.json()


@pytest.mark.parametrize(
    "make, status, error, reason",
    [
        (lambda shared: "not.a.token", 401, "invalid_token", "malformed_token"),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, lifetime=-100, iat=None, nbf=None)), 401, "invalid_token", "expired"),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, account="x")), 403, "insufficient_scope", "no_matching_credential"),
        (lambda shared: shared.signer.sign(tokens.claims(ISSUER, audience="x")), 403, "insufficient_scope", "audience_mismatch"),
    ],
)
def test_refusals(shared, make, status, error, reason):
    answer = shared.check(make(shared))
    assert (answer.status, answer.header("x-relyd-reason")) == (status, reason)
    challenge = answer.header("www-authenticate")
    assert challenge.startswith(f'Bearer realm="relyd", error="{error}", error_description="{reason}: ')
    assert challenge.endswith('"') and challenge.isascii() and challenge.isprintable()
    assert answer.header("content-type") == "application/json"
    body = answer.json()
    assert (body["error"], body["reason"]) == (error, reason)
    assert body["decisionId"] == answer.header("x-relyd-decision-id")
    for name in IDENTITY_HEADERS:
        assert answer.header(f"x-relyd-{name}") is None


def test_quotes_cannot_end_the_challenge(shared):
    token = shared.signer.sign(tokens.claims('https://x"y\\z.example/\r\nset-cookie: a=b'))
    answer = shared.check(token)
    assert answer.header("set-cookie") is None
    assert answer.header("www-authenticate").count('"') == 6 and "\\" not in answer.header("www-authenticate")


@pytest.mark.parametrize("subject", ["a\r\nx-relyd-identity: admin", "größe 😀", "a%0d%0ab", "x y\tz"])
def test_subjects_in_headers(shared, subject):
    """Printable ASCII only, so that no subject can end the line: everything else is percent-encoded."""
    shared.put_credential("odd", subject=subject.replace("\r\n", "~").replace("\t", " "))
    answer = shared.check(shared.signer.sign(tokens.claims(ISSUER, sub=subject, **{"kubernetes.io": None})))
    if answer.status == 200:
        value = answer.header("x-relyd-subject")
        assert value.isascii() and value.isprintable() and " " not in value
    else:
        assert answer.header("x-relyd-reason") in ("no_matching_credential", "invalid_claim")
    assert [value for name, value in answer.headers if name == "x-relyd-identity"] in ([], ["payments-api"])


@pytest.mark.parametrize(
    "query, status, reason",
    [
        ("aud=relyd", 200, None),
        ("aud=other&aud=relyd", 403, "invalid_query"),  # fault A3: a client could append one
        ("aud=relyd&aud=relyd", 403, "invalid_query"),
        ("aud=relyd&%61ud=relyd", 403, "invalid_query"),
        ("aud=other", 403, "audience_mismatch"),
        ("aud=%72elyd", 200, None),
        ("aud=", 403, "audience_mismatch"),
        ("aud=%zz", 403, "invalid_query"),  # fault C14
        ("aud=relyd%00", 403, "invalid_query"),
        ("aud=%ff", 403, "invalid_query"),
        ("aud=relyd&", 403, "invalid_query"),
        ("&aud=relyd", 403, "invalid_query"),
        ("=relyd", 403, "invalid_query"),
        ("audience=relyd", 403, "invalid_query"),
        ("Aud=relyd", 403, "invalid_query"),
        ("aud=relyd&x=1", 403, "invalid_query"),
        ("42", 403, "invalid_query"),
        ("&".join(["aud=x"] * 33), 403, "invalid_query"),
        ("", 200, None),
        ("identity=payments-api", 200, None),
        ("identity=nobody-else", 403, "no_matching_credential"),
        ("identity=payments-api&identity=other", 403, "invalid_query"),
        ("identity=payments-api&identity=payments-api", 403, "invalid_query"),
        ("identity=", 403, "no_matching_credential"),
        ("aud=relyd&identity=payments-api", 200, None),
        ("aud=relyd?identity=payments-api", 403, "audience_mismatch"),
        ("aud=relyd;identity=other", 403, "audience_mismatch"),
    ],
)
def test_query(shared, token, query, status, reason):
    answer = shared.check(token, f"/check/default?{query}")
    assert (answer.status, answer.header("x-relyd-reason")) == (status, reason)
    if reason == "invalid_query":
        assert "the query" in answer.json()["error_description"]


def raw(shared, *lines):
    """(status, reason) of a check with these header lines."""
    head = "GET /check/default HTTP/1.1\r\nHost: x\r\n" + "".join(line + "\r\n" for line in lines) + "\r\n"
    received = wire.exchange(shared.data, head.encode("latin-1"), seconds=2)
    found = [line for line in received.split(b"\r\n") if line.lower().startswith(b"x-relyd-reason:")]
    assert len(found) <= 1
    return wire.statuses(received), found[0].split(b":")[1].strip().decode() if found else None


def test_authorization_headers(shared, token):
    right, other = f"Authorization: Bearer {token}", "Authorization: Bearer x.y.z"
    assert raw(shared, right) == ([200], None)
    assert raw(shared, right, other) == ([401], "malformed_token")  # Caddy and Traefik pass both on
    assert raw(shared, other, right) == ([401], "malformed_token")
    assert raw(shared, right, right) == ([401], "malformed_token")
    assert raw(shared, right, "Authorization: Basic dTpw") == ([401], "malformed_token")
    assert raw(shared, f"authorization: bearer {token}") == ([200], None)
    assert raw(shared, f"Authorization: BEARER   {token}") == ([200], None)
    assert raw(shared, f"Authorization: Bearer {token}, Bearer {token}") == ([401], "malformed_token")
    assert raw(shared, f"Authorization: Bearer {token} {token}") == ([401], "malformed_token")
    for around in (",", " ,", "\t,", ";", "=", "\x01", "\x7f", "\xa0", '"'):
        assert raw(shared, f"Authorization: Bearer {token}{around}") in (([401], "malformed_token"), ([400], None)), around
        assert raw(shared, f"Authorization: Bearer {around}{token}") in (([401], "malformed_token"), ([400], None)), around
    assert raw(shared, "Authorization: Basic dTpw") in (([401], "no_token"), ([401], "malformed_token"))
    for nothing in ("Bearer", "Bearer ", "bearer    ", "BEARER \t", ""):  # fault D
        assert raw(shared, f"Authorization: {nothing}") == ([401], "no_token")
    assert raw(shared, f"Authorization: {token}")[0] == [401]
    assert raw(shared, f"Authorization: Bearer\t{token}")[0] == [401]
    assert raw(shared, f"Authorization: Bearer{token}")[0] == [401]
    assert raw(shared, f"X-Authorization: Bearer {token}") == ([401], "no_token")
    assert raw(shared, f"Proxy-Authorization: Bearer {token}") == ([401], "no_token")


def test_token_from_the_header_only(shared, token):
    assert shared.check(path=f"/check/default?access_token={token}").header("x-relyd-reason") == "no_token"
    assert shared.check(headers={"Cookie": f"access_token={token}"}).header("x-relyd-reason") == "no_token"
    body = f"access_token={token}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert wire.ask(shared.data, "POST", "/check/default", body, headers).header("x-relyd-reason") == "no_token"


def test_forged_headers_do_not_matter(shared, token):
    """nginx, Caddy and Traefik pass on what their client sends."""
    forged = {f"X-Relyd-{name}": "admin" for name in IDENTITY_HEADERS}
    answer = shared.check(token, headers=forged)
    assert answer.header("x-relyd-identity") == "payments-api"
    answer = shared.check("not.a.token", headers=forged)
    assert answer.status == 401
    assert not [name for name, _ in answer.headers if name in ("x-relyd-identity", "x-relyd-subject")]


def test_every_answer_of_an_allow_is_whole(shared, token):
    """All identity headers are always set, so that a proxy overwrites whatever its client sent."""
    answer = shared.check(token)
    for name in IDENTITY_HEADERS:
        assert answer.header(f"x-relyd-{name}")
    assert answer.header("content-length") in ("0", None)


# --- fault B16: the head of an allow fits into a proxy's buffer ------------------------------------------------------

SUBJECTS = {
    "600 ASCII": "s" * 600,
    "600 with blanks": "a b " * 150,
    "600 per cent signs": "%" * 600,
    "213 per cent signs": "%" * 213,
    "214 per cent signs": "%" * 214,
    "640 bytes": "a" * 580 + "%" * 20,
    "641 bytes": "a" * 578 + "%" * 21,
    "600 of two bytes": "ö" * 600,
    "600 of four bytes": "😀" * 600,
    "a digest's form": "sha256=" + "A" * 43,
    "only its beginning": "sha256=",
    "long, with its beginning": "sha256=" + "a" * 593,
    "long and odd, with its beginning": "sha256=" + "ö" * 593,
}


def header_of(value):
    """What docs/data-plane.md says of a value: (header, is hashed)."""
    encoded = "".join(chr(byte) if 0x20 < byte < 0x7F and byte != 0x25 else "%%%02X" % byte for byte in value.encode())
    if len(encoded) > 640:
        return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()).decode().rstrip("="), True
    return encoded.replace("sha256=", "sha256%3D", 1) if encoded.startswith("sha256=") else encoded, False


@pytest.fixture(scope="module")
def long_names(shared):
    """An identity whose username is the subject, and names as long as they may be."""
    shared.put_issuer("i" * 120, "https://long.example", keys={"jwks": tokens.jwks(tokens.key("long"))})
    shared.put_identity("n" * 120, usernameFrom="subject", groups=[f"{number:03}" + "ü" * 150 for number in range(64)])
    for number, subject in enumerate(SUBJECTS.values()):
        shared.put_credential(f"{number}".rjust(120, "c"), "n" * 120, issuer="https://long.example", subject=subject)
    return tokens.key("long")


@pytest.mark.parametrize("name", SUBJECTS)
def test_b16_allows_fit_into_4096_bytes(shared, long_names, name):
    subject = SUBJECTS[name]
    token = long_names.sign(tokens.claims("https://long.example", sub=subject, **{"kubernetes.io": None}))
    received = wire.exchange(shared.data, GET % token.encode(), seconds=2)
    assert received.startswith(b"HTTP/1.1 200 ") and len(received) < 4096
    answer = shared.check(token)
    value, is_hashed = header_of(subject)
    assert (answer.header("x-relyd-username"), answer.header("x-relyd-subject")) == (value, value)
    assert answer.header("x-relyd-hashed") == ("x-relyd-username,x-relyd-subject," if is_hashed else "") + "x-relyd-groups"
    assert len(answer.header("x-relyd-subject")) <= 642
    assert is_hashed or urllib.parse.unquote(value) == subject
    # nobody has the header of another one
    assert [other for other in SUBJECTS.values() if header_of(other)[0] == value] == [subject]


def test_groups_of_an_allow(relyd):
    """Joined by commas; what is longer than a header may be is the digest of what would have stood there."""
    signer = relyd.put_world()
    long = [f"group-{number:04}" for number in range(64)]
    for groups, value in (([], ""), (["payments"], "payments"), (["a,b", "c", "50%", "\u00fc x"], "a%2Cb,c,50%25,%C3%BC%20x"), (["sha256=x", "b"], "sha256%3Dx,b"),
                          (long, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(",".join(long).encode()).digest()).decode().rstrip("="))):
        relyd.put_identity(groups=groups)
        answer = relyd.check(signer.sign(tokens.claims(ISSUER)))
        assert (answer.status, answer.header("x-relyd-groups")) == (200, value), groups
        assert answer.header("x-relyd-hashed") == ("x-relyd-groups" if groups == long else None)


def test_b16_one_header_may_be_hashed_alone(shared, long_names):
    shared.put_identity("plain-name", username="payments")
    shared.put_credential("odd", "plain-name", issuer="https://long.example", subject="ü" * 600)
    token = long_names.sign(tokens.claims("https://long.example", sub="ü" * 600, **{"kubernetes.io": None}))
    answer = shared.check(token)
    assert answer.header("x-relyd-hashed") == "x-relyd-subject"
    assert (answer.header("x-relyd-username"), answer.header("x-relyd-subject")) == ("payments", header_of("ü" * 600)[0])


def test_b16_refusals_fit_too(shared, long_names):
    for token in (
        long_names.sign(tokens.claims("https://long.example", sub="😀" * 2000, **{"kubernetes.io": None})),
        long_names.sign(tokens.claims("https://long.example", aud=["😀" * 400] * 20)),
        long_names.sign(tokens.claims("https://" + "😀" * 2000)),
        long_names.sign(tokens.claims("https://long.example"), kid="😀" * 140),
        "x" * 30_000,
        "x",
    ):
        for path in ("/check/default", "/check/default?" + "ö" * 3000, "/check/" + "ö" * 3000):
            target = urllib.parse.quote(path, safe="/?").encode()
            received = wire.exchange(shared.data, (GET % token.encode()).replace(b"/check/default", target), seconds=2, is_open=True)
            head = received.partition(b"\r\n\r\n")[0]
            assert received.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 403 ")) and 100 < len(received) < 4096, len(received)
            assert head.isascii()


GET = b"GET /check/default HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n"
