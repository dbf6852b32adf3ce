"""A relyd of the test's own: its folder, configuration, ports and process; and the questions that one asks it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import contract
import tokens
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RELYD_BINARY", str(ROOT / "build/dev/relyd"))
VECTORS = ROOT / "tests/vectors/kubernetes"
ENVIRONMENT = {"LSAN_OPTIONS": f"suppressions='{ROOT}/tests/lsan.supp'"} | os.environ
# RELYD_TEST_OWN_ARITHMETIC=false runs every test by OpenSSL's EVP only.
HAS_OWN_ARITHMETIC = os.environ.get("RELYD_TEST_OWN_ARITHMETIC") != "false"
OF_ENVIRONMENT = {} if HAS_OWN_ARITHMETIC else {"crypto.own_arithmetic": False}
TOKENREVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "https://prod.example"
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")




def write_yaml(settings):
    """{"a.b": value} as nested YAML."""
    lines, written = [], []
    for name, value in sorted(settings.items()):
        *parents, leaf = name.split(".")
        for depth, parent in enumerate(parents):
            if written[: depth + 1] != parents[: depth + 1]:
                lines.append("  " * depth + parent + ":")
        written = parents
        indent = "  " * len(parents)
        if isinstance(value, list):
            lines.append(f"{indent}{leaf}:")
            lines += [f"{indent}  - {json.dumps(item)}" for item in value]  # a mapping in one line is YAML, too
        elif isinstance(value, bool):
            lines.append(f"{indent}{leaf}: {str(value).lower()}")
        elif isinstance(value, int):
            lines.append(f"{indent}{leaf}: {value}")
        else:
            lines.append(f'{indent}{leaf}: "{value}"')
    return "\n".join(lines) + "\n"


class Relyd:
    def __init__(self, folder, **settings):
        """Settings by their key with `__` for the dot: `keys__miss_wait_ms=50`."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = ("127.0.0.1", wire.free_port())
        self.admin_tcp = ("127.0.0.1", wire.free_port())
        self.health = ("127.0.0.1", wire.free_port())
        self.socket = str(self.folder / "admin.sock")
        self.database = self.folder / "relyd.db"
        self.log_path = self.folder / "relyd.log"
        self.allows_path = None  # standard output, when a test wants it apart from standard error
        self.process = None
        self.prefix = []  # a program that starts relyd in its own place
        self.settings = {
            "listen": ["%s:%d" % self.data],
            "workers": 2,
            "admin.socket": self.socket,
            "admin.listen": "%s:%d" % self.admin_tcp,
            "health.listen": ["%s:%d" % self.health],
            "registry.path": str(self.database),
            "log.decisions": "all",
            "shutdown.drain_ms": 1000,
        } | OF_ENVIRONMENT | {name.replace("__", "."): value for name, value in settings.items()}

    # --- the process ---------------------------------------------------------------------------------------------

    def start(self):
        self.spawn()
        wire.wait_for(self.is_ready, 30, "readiness")
        return self

    def spawn(self):
        config = self.folder / "relyd.yaml"
        config.write_text(write_yaml(self.settings))
        with open(self.log_path, "ab") as log, open(self.allows_path or self.log_path, "ab") as allows:
            # SIGXFSZ stays ignored, as python has it: a limit on file sizes is then like a full disk.
            self.process = subprocess.Popen([*self.prefix, BINARY, "--config", str(config)], stdout=allows, stderr=log, env=ENVIRONMENT,
                                            restore_signals=False)

    def is_ready(self):
        assert self.process.poll() is None, f"relyd ended with {self.process.returncode}:\n{self.log()}"
        try:
            return wire.ask(self.health, "GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        """An orderly stop, which must be one: exit code 0 and nothing that a sanitizer has found."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.process = None
        assert not SANITIZER.search(self.log()), self.log()[-20000:]
        assert code == 0, f"exit code {code}:\n{self.log()[-5000:]}"

    def kill(self):
        """As a power cut would, for this process."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def halt(self):
        """Until SIGCONT. Each of its threads stops when the kernel comes to it, which takes a moment on a busy machine."""
        self.process.send_signal(signal.SIGSTOP)
        threads = pathlib.Path(f"/proc/{self.process.pid}/task")
        wire.wait_for(lambda: all((thread / "stat").read_text().rpartition(")")[2].split()[0] == "T" for thread in threads.iterdir()),
                      what="all threads to be halted")

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for_words(self, words, count=1):
        """So many times at least. The log has a thread of its own: what has happened is in it a moment later."""
        wire.wait_for(lambda: self.log().count(words) >= count, what=f"{words!r} in the log")

    def events(self):
        """The log's lines that are one, as objects; not the last, while it is being written."""
        return [json.loads(line) for line in self.log().split("\n")[:-1] if line.startswith("{")]

    def resident_bytes(self, which="VmRSS"):
        """VmHWM: the most that there has been."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{which}:\s+(\d+) kB", status).group(1)) * 1024

    # --- the control plane ---------------------------------------------------------------------------------------

    def admin(self, method, path, body=None, headers=None):
        """Every answer must be what the OpenAPI document promises."""
        answer = wire.ask(self.socket, method, path, body, headers)
        contract.hold(BINARY, method, path, answer)
        return answer

    def put(self, path, body, *expected):
        answer = self.admin("PUT", path, body)
        assert answer.status in (expected or (200, 201)), answer
        return answer.json()

    def put_issuer(self, name="prod", issuer=ISSUER, **fields):
        return self.put(f"/v1/issuers/{name}", {"issuer": issuer} | fields)

    def put_identity(self, name="payments-api", **fields):
        return self.put(f"/v1/identities/{name}", fields)

    def put_credential(self, name="builder", identity="payments-api", **fields):
        credential = {"issuer": ISSUER, "subject": "system:serviceaccount:team-a:builder", "audiences": ["relyd"]}
        return self.put(f"/v1/identities/{identity}/federatedIdentityCredentials/{name}", credential | fields)

    def put_world(self, *keys):
        """One issuer with an uploaded key set, one identity, one credential; the key that signs for it comes back."""
        signer = tokens.key("prod")
        self.put_issuer(keys={"jwks": tokens.jwks(*(keys or (signer,)))})
        self.put_identity(groups=["payments"], extra={"example.com/team": ["a", "b"]})
        self.put_credential()
        return signer

    # --- the data plane ------------------------------------------------------------------------------------------

    def await_all_workers(self):
        """What one worker has, all have: a write is acknowledged when every worker has it, and what came before it."""
        self.writes_awaited = getattr(self, "writes_awaited", 0) + 1
        self.put_identity("awaited", description=f"{self.writes_awaited}")

    def review(self, token, **fields):
        """The native review's JSON."""
        answer = wire.ask(self.data, "POST", "/v1/review", {"token": token} | fields)
        assert answer.status == 200, answer
        decision = answer.json()
        assert decision["decision"] == ("allow" if decision["reason"] == "ok" else "deny"), decision
        return decision

    def reason(self, token, **fields):
        return self.review(token, **fields)["reason"]

    def tokenreview(self, token, version="v1", **spec):
        """The status of a TokenReview."""
        body = {
            "apiVersion": f"authentication.k8s.io/{version}",
            "kind": "TokenReview",
            "spec": {"token": token} | spec,
        }
        answer = wire.ask(self.data, "POST", TOKENREVIEWS.replace("v1", version), body)
        assert answer.status == 200, answer
        assert answer.json()["apiVersion"] == f"authentication.k8s.io/{version}"
        assert answer.json()["kind"] == "TokenReview"
        return answer.json()["status"]

    def check(self, token=None, path="/check/default", method="GET", headers=None):
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return wire.ask(self.data, method, path, None, headers)

    def explain(self, token, at=None, **fields):
        """The control plane's review at a stated time."""
        body = {"token": token} | fields
        if at is not None:
            body["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        answer = self.admin("POST", "/v1/explain", body)
        assert answer.status == 200, answer
        return answer.json()
