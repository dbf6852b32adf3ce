"""First of all: does a server accept the right token, and refuse the wrong ones? Who lets one through is not measured."""

import base64
import json

from . import prepare

PAST_S = 1700003600


def break_signature(token):
    """Another byte in the middle of the signature, still good base64url."""
    head, signature = token.rsplit(".", 1)
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{head}.{signature[:middle]}{other}{signature[middle + 1:]}"


def remove_signature(token):
    payload = token.split(".")[1]
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    return f"{header}.{payload}."


def cases():
    """[(what it is, token, whether it is right)]"""
    found = []
    for alg in ("RS256", "ES256"):
        right = prepare.read_token(prepare.make_tokens("right", alg))
        found += [
            (f"{alg} right", right, True),
            (f"{alg} signature", break_signature(right), False),
            (f"{alg} audience", prepare.read_token(prepare.make_tokens("audience", alg, audience="other")), False),
            (f"{alg} expired", prepare.read_token(prepare.make_tokens("expired", alg, expires=PAST_S)), False),
            (f"{alg} issuer", prepare.read_token(prepare.make_tokens("issuer", alg, issuer="https://other.example")), False),
        ]
    return found + [("alg none", remove_signature(right), False), ("no token", "", False)]


def is_right_answer(status, is_right):
    return status == 200 if is_right else status in (401, 403)


def run(server):
    """{case: (status, whether that was right)}; a TokenReview peer is asked that way too."""
    answers = {}
    for name, token, is_right in cases():
        status = server.check(token)
        answers[name] = (status, is_right_answer(status, is_right))
    if "tokenreview" in server.workloads:
        for name, token, is_right in cases():
            if token:
                status = server.review(token)
                answers[f"review {name}"] = (status, is_right_answer(status, is_right))
    return answers
