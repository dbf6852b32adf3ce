"""A server under measurement: started on its own core, asked, watched and stopped. relyd and the bare libh2o handler."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import prepare

SERVER_CORE = 0
LOAD_CORE = 1 if (os.cpu_count() or 1) > 1 else 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """What differs stands in the subclasses: name, workloads, command()."""

    name = ""
    workloads = ("repeated", "rotation", "never-seen", "never-seen-es")
    is_peer = True
    is_checking = True  # looks at tokens, and is asked wrong ones first

    def __init__(self):
        self.port, self.tls_port, self.h2_port = free_port(), free_port(), free_port()  # the last: HTTP/2 in clear text
        self.process = None
        self.folder = None

    def missing(self):
        """Why this server cannot be started here; empty when it can."""
        return ""

    def version(self):
        return ""

    def set_up(self):
        """Files that the process needs, in self.folder."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return os.environ | {"LD_LIBRARY_PATH": prepare.library_path()}

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"relyd-bench-{self.name}-"))
        self.set_up()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *map(str, self.command())], env=self.environment(), cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=open(self.folder / "out.log", "wb"), stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 120
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                logs = [path.read_text(errors="replace")[-1000:] for path in sorted(self.folder.glob("*.log"))]
                code = self.process.poll()
                self.stop()
                raise RuntimeError(f"{self.name} does not start (exit code {code}): " + "\n".join(logs))
            time.sleep(0.001)
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.stop()

    # --- what it uses ---------------------------------------------------------------------------------------------

    def processes(self):
        found, ahead = [], [self.process.pid]
        while ahead:
            pid = ahead.pop()
            found.append(pid)
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                ahead += [int(child) for child in children.read_text().split()]
        return found

    def cpu_seconds(self):
        """Of all processes and threads, exact to nanoseconds: the kernel's per-process CPU clocks."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.processes())

    def resident_bytes(self):
        """Proportional, so that pages which processes share are counted once."""
        total = 0
        for pid in self.processes():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1)) * 1024
        return total

    # --- asking ---------------------------------------------------------------------------------------------------

    def ask(self, method, path, headers=None, body=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict((key.lower(), value) for key, value in answer.getheaders()), answer.read()
        finally:
            connection.close()

    def check(self, token):
        return self.ask("GET", "/check/default", {"Authorization": f"Bearer {token}"} if token else {})[0]

    def review(self, token):
        status, _, body = self.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                                   {"Content-Type": "application/json"}, json.dumps(tokenreview(token)))
        return 200 if status in (200, 201) and json.loads(body)["status"].get("authenticated") is True else 401


def tokenreview(token):
    return {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
            "spec": {"token": token, "audiences": [prepare.AUDIENCE]}, "status": {"user": {}}}


CLEAR = ("repeated", "rotation", "never-seen", "never-seen-es", "tokenreview")
TLS = ("repeated-tls", "handshakes")


class Relyd(Server):
    name = "relyd"
    workloads = CLEAR + TLS
    is_peer = False
    registry = None  # a database to start from
    credentials = 1000
    callers = "anyone"  # of the listener with TLS
    client_ca = None  # whose client certificates must be shown there

    def __init__(self, registry=None, workers=1):
        super().__init__()
        self.admin_port = free_port()
        self.h2_port = self.port
        self.registry = registry
        self.workers = workers

    def program(self):
        return prepare.program("relyd")

    def version(self):
        return subprocess.run([self.program(), "--version"], capture_output=True, text=True).stdout.strip()

    def listeners(self):
        """Lines of the configuration."""
        if not set(TLS) & set(self.workloads):
            return ""
        certificate, key = prepare.make_certificate("server")
        clients = f', client_ca: "{self.client_ca}", client_certificates: required' if self.client_ca else ""
        return (f'listeners:\n  - address: "127.0.0.1:{self.tls_port}"\n    callers: {self.callers}\n'
                f'    tls: {{certificate: "{certificate}", key: "{key}"{clients}}}\n')

    def set_up(self):
        self.database = self.folder / "relyd.db"
        if self.registry is not None:
            shutil.copy(self.registry, self.database)
        (self.folder / "relyd.yaml").write_text(
            f'listen: ["127.0.0.1:{self.port}"]\nworkers: {self.workers}\n'
            f'admin:\n  socket: ""\n  listen: "127.0.0.1:{self.admin_port}"\n'
            f'registry:\n  path: "{self.database}"\n' + self.listeners()
        )

    def command(self):
        return [self.program(), "--config", self.folder / "relyd.yaml"]

    def answers(self):
        try:
            return self.ask("GET", "/readyz", port=self.admin_port)[0] == 200
        except OSError:
            return False

    def write(self, path, body):
        status, _, answer = self.ask("PUT", path, {"Content-Type": "application/json"}, json.dumps(body), self.admin_port)
        assert status in (200, 201), (path, status, answer)

    def register(self, credentials):
        """One issuer, and as many credentials as bench_tokens makes subjects for, 20 under an identity."""
        self.write("/v1/issuers/cluster-00000", {"issuer": prepare.FIRST_ISSUER, "keys": {"jwks": prepare.jwks()}})
        for number in range(credentials):
            identity, account = divmod(number, 20)
            if account == 0:
                self.write(f"/v1/identities/team-{identity:05}", {})
            self.write(
                f"/v1/identities/team-{identity:05}/federatedIdentityCredentials/app-{account:02}",
                {"issuer": prepare.FIRST_ISSUER, "audiences": [prepare.AUDIENCE],
                 "subject": f"system:serviceaccount:team-{identity:05}:app-{account:02}"},
            )

    def keep_registry(self, path):
        """The database as it is after an orderly stop."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.copy(self.database, path)


class Ceiling(Server):
    """A bare libh2o handler that answers relyd's own bytes; checks nothing."""

    name = "bare-libh2o"
    workloads = Relyd.workloads
    is_peer = False
    is_checking = False

    def __init__(self, answers=None):
        super().__init__()
        self.recorded = answers or {}

    def version(self):
        done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "libh2o-evloop-dev"], capture_output=True, text=True)
        return "libh2o-evloop " + done.stdout.strip()

    def command(self):
        certificate, key = prepare.make_certificate("server")
        command = [prepare.program("bench_ceiling"), self.port, "--tls-port", self.tls_port, "--certificate", certificate, "--key", key]
        for method in self.recorded:
            command += [f"--{method}", self.folder / method]
        return command

    def set_up(self):
        for method, answer in self.recorded.items():
            (self.folder / method).write_bytes(answer)


class Floor(Ceiling):
    """A loop of epoll, recv and send that answers relyd's own bytes, without any HTTP: what the kernel costs."""

    name = "floor"
    workloads = CLEAR

    def version(self):
        return ""

    def command(self):
        command = [prepare.program("bench_floor"), self.port]
        for method in self.recorded:
            command += [f"--{method}", self.folder / method]
        return command


class Before(Relyd):
    """relyd as it was at the revision that --before names, built from git."""

    name = "before"
    revision = ""

    @classmethod
    def set_revision(cls, revision):
        """There has not always been TLS."""
        cls.revision = revision
        cls.workloads = Relyd.workloads if prepare.knows(revision, "tls.certificate") else CLEAR

    def program(self):
        return prepare.program_of(self.revision)


def record_answer(server, request):
    """The answer to a request without what libh2o writes itself, as bench_ceiling reads it."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
        head, body = answer.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
        while len(body) < length:
            body += connection.recv(65536)
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 200"), answer
    own = (b"connection:", b"content-length:", b"date:", b"server:")
    kept = [line for line in lines[1:] if not line.lower().startswith(own)]
    return b"".join(line + b"\r\n" for line in kept) + b"\r\n" + body
