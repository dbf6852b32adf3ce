"""What Traefik's ForwardAuth and Envoy's HTTP ext_authz do, as their sources have it: what they ask, whom they let through, and with which headers.

Written for tests of configurations that cannot be run here; the values come from those files."""

import dataclasses
import re

import wire

HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "proxy-authenticate"}


@dataclasses.dataclass
class Outcome:
    """`status` is None where the request was passed on, with these headers; else what the client is answered."""

    status: int | None
    headers: list
    body: bytes = b""

    def of(self, name):
        return [value for key, value in self.headers if key.lower() == name]


def ask(address, method, target, headers, timeout):
    """(status, headers, body) of an answer, or None: none in time, or not one that HTTP knows."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    received = b""
    try:
        with wire.connect(address, timeout=timeout) as connection:
            connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            while piece := connection.recv(65536):
                received += piece
    except OSError:
        return None
    head, separator, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    if not separator or not lines[0].startswith("HTTP/1.1 "):
        return None
    return int(lines[0].split()[1]), [tuple(line.split(": ", 1)) for line in lines[1:]], body


# --- Traefik --------------------------------------------------------------------------------------------------------


def set_custom_headers(headers, middleware):
    """The middleware `headers`: an empty value takes the header away."""
    for name, value in middleware["headers"]["customRequestHeaders"].items():
        headers = [(key, old) for key, old in headers if key.lower() != name.lower()] + ([(name, value)] if value else [])
    return headers


def named_in_connection(headers):
    return {word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")}


def forward_auth(settings, address, headers, timeout=30):
    """pkg/middlewares/auth/forward.go: an Outcome."""
    wanted = {name.lower() for name in settings["authRequestHeaders"]}
    taken = HOP | named_in_connection(headers)
    asked = [("Host", "relyd")] + [(name, value) for name, value in headers if name.lower() in wanted and name.lower() not in taken]
    asked += [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/orders?x=1"), ("X-Forwarded-Host", "shop.example"), ("X-Forwarded-Proto", "https")]
    answer = ask(address, "GET", re.sub(r"^https?://[^/]*", "", settings["address"]), asked, timeout)
    if answer is None:
        return Outcome(500, [])
    status, told, body = answer
    if not 200 <= status < 300:
        return Outcome(status, [(name, value) for name, value in told if name.lower() not in HOP], body)
    pattern = re.compile(settings["authResponseHeadersRegex"])
    return Outcome(None, [pair for pair in headers if not pattern.search(pair[0])] + [pair for pair in told if pattern.search(pair[0])])


def traefik(config, address, headers):
    """The middlewares of the router in their order, and the proxy behind them, which takes away what Connection names."""
    http = config["http"]
    (router,) = http["routers"].values()
    for name in router["middlewares"]:
        middleware = http["middlewares"][name]
        if "headers" in middleware:
            headers = set_custom_headers(headers, middleware)
        else:
            outcome = forward_auth(middleware["forwardAuth"], address, headers)
            if outcome.status is not None:
                return outcome
            headers = outcome.headers
    taken = HOP | named_in_connection(headers)
    return Outcome(None, [pair for pair in headers if pair[0].lower() not in taken])


# --- Envoy ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class ExtAuthz:
    """What there is to set of it, whoever's file it was in."""

    prefix: str
    timeout: float
    on_error: int
    upstream: list  # names of headers that the application gets
    client: list  # and the client, of a refusal; None: all
    sent: list = dataclasses.field(default_factory=list)  # beside those that are always sent


def joined(headers):
    """Envoy's map: names in lower case, and what is there several times joined by commas."""
    found = {}
    for name, value in headers:
        found[name.lower()] = found[name.lower()] + "," + value if name.lower() in found else value
    return found


def ext_authz(settings, address, method, target, headers):
    """source/extensions/filters/common/ext_authz/ext_authz_http_impl.cc: an Outcome."""
    headers = joined(headers)
    always = {"host", "authorization", *settings.sent}
    asked = [(name, value) for name, value in headers.items() if name in always] + [("content-length", "0")]
    answer = ask(address, method, settings.prefix + target, asked, settings.timeout)
    if answer is None or answer[0] >= 500:
        return Outcome(settings.on_error, [])
    status, told, body = answer
    told = joined(told)
    if status != 200:
        shown = told if settings.client is None else {name: told[name] for name in {*settings.client, "www-authenticate", "location"} if name in told}
        return Outcome(status, list(shown.items()), body)
    for name in told.get("x-envoy-auth-headers-to-remove", "").split(","):
        headers.pop(name.strip(), None)
    return Outcome(None, list((headers | {name: told[name] for name in settings.upstream if name in told}).items()))
