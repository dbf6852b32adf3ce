"""Other software that does the same check: signature, iss, aud, exp, sub, and an identity in a header of the 200."""

import re
import subprocess

from . import prepare
from .servers import Server

PEERS = prepare.PEERS
TEMPLATES = prepare.BENCH / "peers"


class Packaged(Server):
    """A peer of conf/setup/packages.bench."""

    packages = ()

    def missing(self):
        lacking = [name for name in self.packages if not (PEERS / name).is_dir()]
        return "no package " + ", ".join(lacking) if lacking else ""

    def fill(self, template, name, **values):
        """A configuration file with its @NAMES@ replaced."""
        keys = {key["kty"]: key["kid"] for key in prepare.jwks()["keys"]}
        certificate, key = prepare.make_certificate("server")
        values |= {"PORT": self.port, "TLS_PORT": self.tls_port, "H2_PORT": self.h2_port, "CERTIFICATE": certificate, "KEY": key, "DATA": prepare.DATA, "RUN": self.folder, "ISSUER": prepare.FIRST_ISSUER,
                   "AUDIENCE": prepare.AUDIENCE, "PEERS": TEMPLATES, "RSA_KID": keys["RSA"], "EC_KID": keys["EC"]}
        text = (TEMPLATES / template).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        assert not re.search(r"@[A-Z_]+@", text), text
        (self.folder / name).write_text(text)

    def ask_version(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment())
        return (done.stdout + done.stderr).strip().split("\n")[0]


class HAProxy(Packaged):
    name = "haproxy"
    packages = ("haproxy",)

    def version(self):
        return self.ask_version(PEERS / "haproxy/usr/sbin/haproxy", "-v")

    def set_up(self):
        self.fill("haproxy.cfg", "haproxy.cfg")

    def command(self):
        return [PEERS / "haproxy/usr/sbin/haproxy", "-db", "-f", self.folder / "haproxy.cfg"]


class NginxLua(Packaged):
    name = "nginx-lua"
    packages = ("nginx", "libnginx-mod-http-ndk", "libnginx-mod-http-lua", "lua-resty-core", "lua-resty-lrucache", "lua-cjson")
    is_caching = False

    def version(self):
        return self.ask_version(PEERS / "nginx/usr/sbin/nginx", "-v")

    def set_up(self):
        self.fill(
            "nginx.conf", "nginx.conf", CACHE="true" if self.is_caching else "false", CORE=PEERS / "lua-resty-core",
            LRU=PEERS / "lua-resty-lrucache", CJSON=PEERS / f"lua-cjson/usr/lib/{prepare.MULTIARCH}", NDK=PEERS / "libnginx-mod-http-ndk",
            LUA=PEERS / "libnginx-mod-http-lua",
        )

    def command(self):
        return [PEERS / "nginx/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log",
                "-c", self.folder / "nginx.conf"]


class NginxLuaCache(NginxLua):
    name = "nginx-lua-cache"
    workloads = Server.workloads + ("tokenreview", "repeated-tls")
    is_caching = True


class Nginx(Packaged):
    """Looks at no token: what it does is the handshake, and an answer of its own."""

    name = "nginx"
    packages = ("nginx",)
    workloads = ("handshakes",)
    is_checking = False

    def version(self):
        return self.ask_version(PEERS / "nginx/usr/sbin/nginx", "-v")

    def set_up(self):
        self.fill("nginx-tls.conf", "nginx.conf")

    def command(self):
        return [PEERS / "nginx/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log",
                "-c", self.folder / "nginx.conf"]


class Apache(Packaged):
    name = "apache-openidc"
    packages = ("apache2-bin", "libapache2-mod-auth-openidc")

    def version(self):
        return self.ask_version(PEERS / "apache2-bin/usr/sbin/apache2", "-v")

    def set_up(self):
        (self.folder / "htdocs/check").mkdir(parents=True)
        (self.folder / "htdocs/check/default").write_text("")
        self.folder.chmod(0o755)
        self.fill("apache.conf", "apache.conf", APACHE=PEERS / "apache2-bin", OIDC=PEERS / "libapache2-mod-auth-openidc")

    def command(self):
        return [PEERS / "apache2-bin/usr/sbin/apache2", "-DFOREGROUND", "-f", self.folder / "apache.conf"]


class NodeJose(Server):
    name = "node-jose"
    package = "jose"

    def missing(self):
        return prepare.install_node_peers()

    def version(self):
        node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
        text = (prepare.NODE / "node_modules" / self.package / "package.json").read_text()
        return f"Node {node}, {self.package} " + re.search(r'"version": *"([^"]+)"', text).group(1)

    def environment(self):
        return super().environment() | {"BENCH_NODE_MODULES": str(prepare.NODE / "node_modules")}

    def command(self):
        return ["node", TEMPLATES / "node.mjs", self.package, self.port, self.h2_port, prepare.DATA, prepare.FIRST_ISSUER, prepare.AUDIENCE]


class NodeFastJwt(NodeJose):
    name = "node-fast-jwt"
    package = "fast-jwt"


ALL = [NginxLuaCache, NodeFastJwt, HAProxy, NginxLua, NodeJose, Apache, Nginx]
QUICK = [NginxLuaCache, NodeFastJwt, HAProxy, Nginx]
