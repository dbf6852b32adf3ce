"""relyd with its 1,000 credentials, and the bare handler that answers the same bytes."""

from . import prepare, servers

REGISTRY = prepare.DATA / "registry.db"


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
        relyd.keep_registry(REGISTRY)
    return answers


def make_server(kind, answers):
    if kind is servers.Relyd:
        return kind(registry=REGISTRY)
    return kind(answers) if kind is servers.Ceiling else kind()
