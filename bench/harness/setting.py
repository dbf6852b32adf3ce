"""relyd with its 1,000 credentials, and the bare handler that answers the same bytes."""

import socket
import ssl

from . import prepare, servers


def registry_of(kind):
    return prepare.DATA / f"registry-{kind.name}.db"


def record_relyd(tokens):
    """A registry to start from, and the bytes that relyd answers, for the bare handler."""
    relyd = servers.Relyd()
    with relyd:
        relyd.register(relyd.credentials)
        token = prepare.read_token(tokens.rs).encode()
        answers = {}
        for method, template in (("get", "check"), ("post", "review")):
            text = tokens.templates[template].read_bytes()
            length = len(text.split(b"\r\n\r\n")[1]) - len(b"{token}") + len(token)
            request = text.replace(b"{length}", str(length).encode()).replace(b"{token}", token)
            answers[method] = servers.record_answer(relyd, request)
        relyd.keep_registry(registry_of(servers.Relyd))
    return answers


def register_before():
    """The same registry, made by the relyd of before: it may not know today's schema."""
    with servers.Before() as before:
        before.register(before.credentials)
        before.keep_registry(registry_of(servers.Before))


def make_server(kind, answers):
    if issubclass(kind, servers.Relyd):
        return kind(registry=registry_of(kind))
    return kind(answers) if issubclass(kind, servers.Ceiling) else kind()


# --- TLS ---------------------------------------------------------------------------------------------------------------


def make_client_certificate():
    """(path of the authority, (path of the certificate, path of its key))"""
    authority = prepare.make_certificate("authority")
    return authority[0], prepare.make_certificate("gateway", authority)


def make_context(certificate=None):
    """A client that takes the server for what it says; certificate: of its own, with the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def connect(server, context=None):
    """Over TLS where there is a context."""
    plain = socket.create_connection(("127.0.0.1", server.tls_port if context else server.port), 60)
    return context.wrap_socket(plain) if context else plain
