"""An https issuer on loopback that can rotate its keys, be down, and misbehave in every way that is worth trying."""

import datetime
import functools
import ipaddress
import json
import pathlib
import socket
import ssl
import tempfile
import threading

import tokens
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DISCOVERY = "/.well-known/openid-configuration"


class Authority:
    """A certificate authority for 127.0.0.1."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relyd test CA")])
        self.certificate = self.build(self.name, self.key, is_ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def build(self, subject, key, is_ca=False, address="127.0.0.1", days=(-1, 30), signer=None):
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if not is_ca:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(signer or self.key, hashes.SHA256())

    def context(self, **changes):
        """A server's TLS context with a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        certificate = self.build(subject, key, **changes)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "both.pem"
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                + certificate.public_bytes(serialization.Encoding.PEM)
            )
            context.load_cert_chain(path)
        return context


@functools.lru_cache(maxsize=None)
def authority():
    return Authority()


def response(body, status="200 OK", media_type="application/json", *lines):
    """The bytes of an ordinary answer."""
    body = tokens.compact(body)
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Issuer:
    """Serves `self.answers[path]`: bytes, or a function that gets the issuer and the connection and writes itself."""

    def __init__(self, *keys, context=None):
        self.keys = list(keys) or [tokens.key("issuer")]
        self.standby = None
        self.context = context or authority().context()
        self.ca = authority().pem
        self.answers = {}
        self.requests = []  # paths, in the order in which they came
        self.requests_text = []
        self.lock = threading.Lock()
        self.is_down = False
        self.is_stopped = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.accept_all, daemon=True)
        self.thread.start()

    def stop(self):
        """Whoever comes from now on is refused by the kernel: the thread that accepts holds the socket until it has seen it."""
        self.is_stopped = True
        self.listener.close()
        self.thread.join()

    def accept_all(self):
        self.listener.settimeout(0.2)
        while not self.is_stopped:
            try:
                connection, _ = self.listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """One connection, one request. A client that goes away is no concern of the issuer's."""
        try:
            if self.is_down:
                connection.close()
                return
            connection.settimeout(10)
            with self.context.wrap_socket(connection, server_side=True) as secure:
                text = b""
                while b"\r\n\r\n" not in text:
                    piece = secure.recv(4096)
                    if not piece:
                        return
                    text += piece
                path = text.split()[1].decode()
                with self.lock:
                    self.requests.append(path)
                    self.requests_text.append(text)
                self.answer(path, secure)
        except (OSError, ValueError):
            pass

    def answer(self, path, connection):
        answer = self.answers.get(path)
        if answer is None and path.endswith(DISCOVERY):
            answer = response(self.discovery(path.removesuffix(DISCOVERY)))
        elif answer is None and path.endswith("/openid/v1/jwks"):
            answer = response(self.jwks(), "200 OK", "application/jwk-set+json", "Cache-Control: public, max-age=3600")
        elif answer is None:
            answer = response({}, "404 Not Found")
        if callable(answer):
            answer(self, connection)
        else:
            connection.sendall(answer)

    def discovery(self, base="", **changes):
        document = {
            "issuer": self.url + base,
            "jwks_uri": f"{self.url}{base}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return {name: value for name, value in (document | changes).items() if value is not None}

    def jwks(self):
        return json.dumps(tokens.jwks(*self.keys, *([self.standby] if self.standby else [])))

    def count(self, suffix="/openid/v1/jwks"):
        with self.lock:
            return sum(path.endswith(suffix) for path in self.requests)

    def show_standby(self):
        """Beside its keys, always: once a token of it was good, no rotation drops every key in use, and each is believed at once."""
        self.standby = tokens.key("standby", "ES256")

    def use_standby(self, relyd):
        assert relyd.reason(self.token(self.standby)) in ("ok", "no_matching_credential")

    def record(self, **fields):
        """The fields of an issuer record for this server."""
        return {"issuer": self.url, "caBundle": self.ca, "allowPrivateAddresses": True} | fields

    def token(self, key=None, base="", **changes):
        return (key or self.keys[0]).sign(tokens.claims(self.url + base, **changes))
