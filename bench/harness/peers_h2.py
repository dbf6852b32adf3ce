"""What stands beside relyd in bench/http2: other software that answers the headers of its allow and looks at nothing, and the peers that do its
check, by their HTTP/2 port."""

import os
import shutil
import subprocess

from . import checks, peers, prepare, servers

GO = prepare.ROOT / "build/bench-go"


def ask_by_curl(server, *options):
    command = ["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", *options, f"http://127.0.0.1:{server.h2_port}/check/default"]
    return subprocess.run(command, capture_output=True, text=True).stdout


class Fixed(servers.Server):
    """Told the header lines of relyd's answer."""

    is_checking = False

    def __init__(self, answer):
        super().__init__()
        self.recorded = answer
        self.port = self.h2_port

    def header_lines(self):
        """[(name, value)]; nginx leaves out what is empty, so all get a letter for it."""
        lines = self.recorded.split(b"\r\n\r\n")[0].decode().split("\r\n")
        return [(name, value or "-") for name, value in (line.split(": ", 1) for line in lines)]

    def set_up(self):
        (self.folder / "answer").write_text("".join(f"{name}: {value}\r\n" for name, value in self.header_lines()), newline="")

    def judge(self):
        """What is wrong with its answer; empty when nothing is."""
        answer = ask_by_curl(self, "-D", "-")
        lacking = [name for name, value in self.header_lines() if f"\n{name}: {value}\n" not in answer.lower()]
        return f"answers without {', '.join(lacking)}: {answer}" if lacking or not answer.startswith("HTTP/2 200") else ""


class PackagedFixed(Fixed, peers.Packaged):
    template = ""
    line = ""  # a header in its configuration

    def set_up(self):
        text = " ".join(self.line.format(name=name, value=value) for name, value in self.header_lines())
        self.fill(self.template, "configuration", HEADERS=text)


class NginxFixed(PackagedFixed):
    """nginx alone, `return 200`."""

    name = "nginx"
    packages = ("nginx",)
    template = "nginx-fixed.conf"
    line = 'add_header {name} "{value}";'

    def command(self):
        return [peers.PEERS / "nginx/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "configuration"]


class HAProxyFixed(PackagedFixed):
    """HAProxy alone, `http-request return`."""

    name = "haproxy-alone"
    packages = ("haproxy",)
    template = "haproxy-fixed.cfg"
    line = 'hdr {name} "{value}"'

    def command(self):
        return [peers.PEERS / "haproxy/usr/sbin/haproxy", "-db", "-f", self.folder / "configuration"]


class NodeFixed(Fixed):
    """Node's http2 module alone."""

    name = "node"

    def missing(self):
        return "" if shutil.which("node") else "node is not installed (Debian: apt-get install nodejs)"

    def command(self):
        return ["node", peers.TEMPLATES / "fixed.mjs", self.port, self.folder / "answer"]


class GoFixed(Fixed):
    """Go's net/http with x/net's h2c, by Debian's Go."""

    name = "go"

    def missing(self):
        return build_go()

    def command(self):
        return [GO / "fixed-go", self.port, self.folder / "answer"]


def build_go():
    """fixed.go by the unpacked packages of conf/setup/packages.bench-http2, offline; returns why not, or nothing."""
    source, program = peers.TEMPLATES / "fixed.go", GO / "fixed-go"
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return ""
    lacking = prepare.unpack_peers("packages.bench-http2")
    if lacking:
        return "no package " + ", ".join(lacking)
    root = GO / "root"  # what its two packages install to one place
    for name in ("golang-1.19-go", "golang-1.19-src") if not root.is_dir() else ():
        shutil.copytree(peers.PEERS / name / "usr", root, symlinks=True, dirs_exist_ok=True, copy_function=os.link)
    path = ":".join(str(peers.PEERS / name / "usr/share/gocode") for name in ("golang-golang-x-net-dev", "golang-golang-x-text-dev"))
    settings = {"GOROOT": root / "lib/go-1.19", "GOPATH": path, "GOCACHE": GO / "cache", "GO111MODULE": "off", "CGO_ENABLED": "0", "GOPROXY": "off"}
    done = subprocess.run([root / "lib/go-1.19/bin/go", "build", "-o", program, source], capture_output=True, text=True,
                          env=os.environ | {key: str(value) for key, value in settings.items()})
    return "" if done.returncode == 0 else f"go: {done.stderr.strip()}"


class Checking:
    """Does relyd's check, and is asked right and wrong tokens by HTTP/2 first."""

    workloads = ("repeated",)

    def __init__(self, answer):
        super().__init__()

    def check(self, token):
        return int(ask_by_curl(self, "-w", "%{http_code}", *(["-H", f"authorization: Bearer {token}"] if token else [])))

    def judge(self):
        wrong = [name for name, (_, is_right) in checks.run(self).items() if not is_right]
        return f"wrong answers: {', '.join(wrong)}" if wrong else ""


class NginxLuaCacheH2(Checking, peers.NginxLuaCache):
    """nginx with Lua, its token cache on."""


class NodeFastJwtH2(Checking, peers.NodeFastJwt):
    """Node's http2 module with fast-jwt and its cache."""


class HAProxyH2(Checking, peers.HAProxy):
    """HAProxy's jwt_verify, which has no cache."""


ALL = [NginxFixed, HAProxyFixed, NodeFixed, GoFixed, NginxLuaCacheH2, NodeFastJwtH2, HAProxyH2]
