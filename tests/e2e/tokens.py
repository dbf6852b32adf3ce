"""Minting: keys, JWKs, right tokens and wrong ones. Uses python3-cryptography, so that it shares no code with relyd."""

import base64
import functools
import hashlib
import json
import time
import uuid

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

CURVES = {"ES256": (ec.SECP256R1(), "P-256", 32), "ES384": (ec.SECP384R1(), "P-384", 48), "ES512": (ec.SECP521R1(), "P-521", 66)}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def encode(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    """JSON text as bytes; bytes and str are taken as they are."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def number(value, length=None):
    return encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A signing key for one algorithm."""

    def __init__(self, alg="RS256", kid=None, bits=2048):
        self.alg = alg
        if alg in CURVES:
            self.private = ec.generate_private_key(CURVES[alg][0])
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        der = self.public_bytes(serialization.Encoding.DER)
        self.kid = kid or encode(hashlib.sha256(der).digest())

    def public_bytes(self, encoding):
        return self.private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk(self, **changes):
        """The public JWK; a member of None is left out."""
        public = self.private.public_key()
        jwk = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg in CURVES:
            _, name, size = CURVES[self.alg]
            numbers = public.public_numbers()
            jwk |= {"kty": "EC", "crv": name, "x": number(numbers.x, size), "y": number(numbers.y, size)}
        elif self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            jwk |= {"kty": "OKP", "crv": "Ed25519", "x": encode(raw)}
        else:
            numbers = public.public_numbers()
            jwk |= {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        return {name: value for name, value in (jwk | changes).items() if value is not None}

    def signature(self, data, alg=None):
        alg = alg or self.alg
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = CURVES[self.alg][2]
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(HASHES[alg[2:]])))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        digest = HASHES[alg[2:]]
        if alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(data, padding.PKCS1v15(), digest)

    def sign(self, payload, alg=None, **header):
        """A compact JWS. `header` changes members of the right one; None leaves one out."""
        members = {"alg": alg or self.alg, "kid": self.kid} | header
        return self.sign_as_is({name: value for name, value in members.items() if value is not None}, payload, alg)

    def sign_as_is(self, header, payload, alg=None):
        """Header and payload may be values or bytes that are no JSON at all."""
        data = encode(compact(header)) + "." + encode(compact(payload))
        return data + "." + encode(self.signature(data.encode(), alg))


def hmac_token(secret, header, payload):
    """The algorithm confusion: HS256 under whatever bytes the attacker knows."""
    data = encode(compact(header)) + "." + encode(compact(payload))
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(data.encode())
    return data + "." + encode(mac.finalize())


@functools.lru_cache(maxsize=None)
def key(name, alg="RS256"):
    """A key that is made once a session, by a name of the test's own."""
    return Key(alg)


def jwks(*keys):
    return {"keys": [item.jwk() if isinstance(item, Key) else item for item in keys]}


def claims(issuer, account="builder", namespace="team-a", audience="relyd", lifetime=3600, **changes):
    """The payload of a bound service-account token, valid now; a change to None leaves a claim out."""
    now = int(time.time())
    payload = {
        "aud": [audience],
        "exp": now + lifetime,
        "iat": now - 5,
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account, "uid": str(uuid.uuid4())}},
        "nbf": now - 5,
        "sub": f"system:serviceaccount:{namespace}:{account}",
    }
    return {name: value for name, value in (payload | changes).items() if value is not None}


def payload_of(token):
    """The claims of a token, unverified."""
    return json.loads(decode(token.split(".")[1]))
