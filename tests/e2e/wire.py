"""HTTP as a client sees it: one-shot requests over TCP or a unix socket, and raw bytes for what no client should send."""

import contextlib
import http.client
import json
import os
import random
import select
import socket
import subprocess
import time

import scale

JSON = {"Content-Type": "application/json"}
TIMEOUT = 20 * scale.PATIENCE


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # [(lower-case name, value)]
        self.body = body

    def header(self, name):
        """The value of a header that is there once, or None."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


def connect(address, timeout=TIMEOUT):
    """`address` is (host, port) or the path of a unix socket."""
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout=timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect(address)
    return connection


class Client(http.client.HTTPConnection):
    """A connection that is kept between requests."""

    def __init__(self, address, context=None):
        """In: context - for TLS; the server is localhost then, whatever its address."""
        super().__init__("%s:%d" % address if isinstance(address, tuple) else "localhost", timeout=TIMEOUT)
        self.address, self.context = address, context

    def connect(self):
        """As http.client does; head and body are two writes, and the second one would wait for the first one's ACK."""
        self.sock = connect(self.address)
        if isinstance(self.address, tuple):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost")

    def ask(self, method, path, body=None, headers=None):
        """`body` that is not bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = JSON | headers
        self.request(method, path, body, headers)
        answer = self.getresponse()
        return Answer(answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read())


def ask(address, method, path, body=None, headers=None):
    """One request on a connection of its own."""
    with contextlib.closing(Client(address)) as client:
        return client.ask(method, path, body, headers)


def exchange(address, data, seconds=3, is_open=False):
    """Sends bytes as they are; returns all that comes back until the server closes, or is silent for `seconds`."""
    received = b""
    with contextlib.closing(connect(address)) as connection:
        try:
            connection.sendall(data)
            if not is_open:
                connection.shutdown(socket.SHUT_WR)
            while select.select([connection], [], [], seconds)[0]:
                piece = connection.recv(65536)
                if not piece:
                    break
                received += piece
        except OSError:
            pass  # reset, or closed before all was sent
    return received


def statuses(received):
    """The status codes of the answers in a byte stream, by their Content-Length; [] is "closed without an answer"."""
    found = []
    while received.startswith(b"HTTP/1."):
        head, _, rest = received.partition(b"\r\n\r\n")
        found.append(int(head.split()[1]))
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        received = rest[int(length[0].split(b":")[1]) :] if length else b""
        if found[-1] == 100:
            found.pop()
            received = rest
    return found


def wait_for(condition, seconds=15, what="it"):
    """Polls until the condition yields something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}; the last value was {value!r}"
        time.sleep(0.02)


# Below those that the kernel gives to clients, which would be in the way. Of several processes of a run each has its own.
PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = list(range(12000 + PROCESS, 30000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
random.shuffle(PORTS)


def free_port():
    """A port that nobody listens on, and never the same one twice."""
    while True:
        port = PORTS.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue  # somebody else's


# From within the folder: what is above it may be anybody's, and is shut again by another run of the tests.
AS_SOMEBODY = """
import os, socket, sys
folder, name, data, first, *groups = sys.argv[1:]
os.chdir(folder)
os.setgroups([int(group) for group in groups]); os.setgid(int(first)); os.setuid(65534)
line = socket.socket(socket.AF_UNIX)
try:
    line.connect(name)
except PermissionError:
    sys.exit(13)
try:
    line.sendall(bytes.fromhex(data))
    sys.stdout.buffer.write(line.recv(65536))
except (BrokenPipeError, ConnectionResetError):
    pass
"""


def exchange_as_somebody(path, data, *groups, first=65534):
    """What is answered at a unix socket to a user who is nobody, with this first group and in these; None: he may not connect. Needs root."""
    folder, name = os.path.split(path)
    os.chmod(folder, 0o755)
    done = subprocess.run(["python3", "-c", AS_SOMEBODY, folder, name, data.hex(), str(first), *map(str, groups)], capture_output=True, timeout=60)
    assert done.returncode in (0, 13), done.stderr
    return None if done.returncode == 13 else done.stdout
