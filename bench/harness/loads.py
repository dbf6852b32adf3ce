"""The work loads, and one measurement of one of them: bench_load on its core, the server's CPU and memory beside it."""

import json
import subprocess

from . import prepare
from .servers import LOAD_CORE, SERVER_CORE

CONNECTIONS = 64

ALL = {
    "repeated": "one RS256 token again and again, GET /check/default",
    "rotation": "1,000 RS256 tokens in turn, GET /check/default",
    "never-seen": "RS256 tokens, each sent once, GET /check/default",
    "never-seen-es": "ES256 tokens, each sent once, GET /check/default",
    "tokenreview": "one RS256 token again and again, POST of a TokenReview",
    "repeated-tls": "one RS256 token again and again, GET /check/default over TLS 1.3",
    "handshakes": "a TLS 1.3 connection for each GET /check/default of one RS256 token, nothing resumed",
}


# what bench_load is told of them
TLS = {"repeated-tls": ["--tls"], "handshakes": ["--tls", "--fresh"]}


class Tokens:
    """Files of tokens, and which of them a server has not seen since it started."""

    warm = 2000  # tokens of each file that only warm servers up (just-in-time compilers)

    def __init__(self, rs_count, es_count):
        self.templates = prepare.make_templates()
        self.rs = prepare.make_tokens("never-seen", "RS256", count=rs_count)
        self.es = prepare.make_tokens("never-seen", "ES256", count=es_count)

    def arguments(self, workload):
        """Of bench_load."""
        template = self.templates["review" if workload == "tokenreview" else "check"]
        tokens = self.es if workload == "never-seen-es" else self.rs
        arguments = ["--template", template, "--tokens", tokens]
        if workload == "rotation":
            return arguments + ["--count", 1000]
        if workload.startswith("never-seen"):
            return arguments + ["--first", 1000 + self.warm, "--once"]
        return arguments + ["--count", 1, *TLS.get(workload, [])]

    def warm_up(self, server, workload):
        arguments = self.arguments(workload)
        if workload.startswith("never-seen"):
            arguments[arguments.index("--first") + 1] = 1000
            arguments += ["--count", self.warm]
        shoot(server, arguments, 0.3)


def shoot(server, arguments, seconds, connections=CONNECTIONS, is_spinning=True, may_fail=False):
    port = server.tls_port if "--tls" in arguments else server.port
    command = ["taskset", "-c", str(LOAD_CORE), prepare.program("bench_load"), "--port", port, "--seconds", seconds,
               "--connections", connections, *arguments]
    if is_spinning:
        command.append("--spin")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0 and not (may_fail and done.stdout):
        raise RuntimeError(f"{server.name}: {done.stderr} {done.stdout}")
    return json.loads(done.stdout)


def measure(server, arguments, seconds, **options):
    """bench_load's result, with the server's CPU in microseconds a request, its busy share, and its memory."""
    before = server.cpu_seconds()
    result = shoot(server, arguments, seconds, **options)
    used = server.cpu_seconds() - before
    result["server_cpu_us"] = used / max(result["requests"], 1) * 1e6
    result["server_busy_share"] = used / result["seconds"]
    result["server_bytes"] = server.resident_bytes()
    return result


def measure_stalls(seconds):
    """What the machine alone does to threads that never sleep, on both cores at once, with no server running."""
    running = {name: subprocess.Popen(["taskset", "-c", str(core), prepare.program("bench_stalls"), str(seconds)],
                                      stdout=subprocess.PIPE, text=True)
               for name, core in (("server", SERVER_CORE), ("load", LOAD_CORE))}
    return {name: json.loads(process.communicate(timeout=seconds + 60)[0]) for name, process in running.items()}
