"""relyd with its 1,000 credentials, and the bare handler that answers the same bytes."""

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
