"""An API server on loopback that answers TokenReviews, and lies in every way that is worth trying."""

import json
import threading

import tokens
from issuer import Issuer, response

TOKENREVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
NO = {"user": {}, "error": "[invalid bearer token, service account token has been invalidated]"}


def review(status, http="201 Created", **members):
    """The bytes of an answer."""
    return response(json.dumps({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {}, "status": status} | members), http)


def yes(question, **changes):
    """What a real API server says of a token that is good."""
    claims = tokens.payload_of(question["spec"]["token"])
    account = claims["kubernetes.io"]["serviceaccount"]
    user = {"username": claims["sub"], "uid": account["uid"], "groups": ["system:serviceaccounts", "system:authenticated"]}
    return {"authenticated": True, "user": user, "audiences": question["spec"]["audiences"]} | changes


class Cluster(Issuer):
    """`say`: bytes, a status, or a function from the question to one of these. `gate`: answers wait for it."""

    def __init__(self, **changes):
        super().__init__(tokens.key("cluster"), **changes)
        self.questions, self.heads = [], []
        self.say = yes
        self.gate = threading.Event()
        self.gate.set()
        self.answers[TOKENREVIEWS] = lambda issuer, connection: issuer.take(connection)

    def take(self, connection):
        head, _, body = self.requests_text[-1].partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        while len(body) < int(lines["Content-Length"]):
            body += connection.recv(65536)
        question = json.loads(body)
        with self.lock:
            self.questions.append(question)
            self.heads.append({name.lower(): value for name, value in lines.items()} | {"method": head.split()[0].decode()})
        self.gate.wait(10)
        said = self.say(question) if callable(self.say) else self.say
        if callable(said):
            said(connection)
        else:
            connection.sendall(said if isinstance(said, bytes) else review(said))

    def asked(self):
        with self.lock:
            return len(self.questions)

    def liveness(self, **fields):
        return {"url": self.url, "caBundle": self.ca, "bearerTokenFile": "reviewer.token"} | fields
