"""The files of conf/gateways as an administrator takes them: other addresses and paths, the lines for TLS where relyd asks who it is, and nothing else."""

import json
import re
import subprocess

import gateways
import tokens
import wire
from service import ROOT

FILES = ROOT / "conf/gateways"


def follow(text, relyd, key):
    """Does each `curl -f` of a page or a file's head, in order, at this relyd's socket: issuers have `key` in the place of discovery. The commands as written."""
    steps = [line.removeprefix("#").strip() for line in text.splitlines() if re.match(r"#?\s+curl -f ", line)]
    for step in steps:
        step = step.replace("/run/relyd/admin.sock", relyd.socket).replace('{"discovery": true}', json.dumps({"jwks": tokens.jwks(key)}))
        done = subprocess.run(["sh", "-c", step], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    return steps


class Place:
    """Where a gateway runs: its folder and port, whom it asks and what is behind it. `tls` has certificate, key and trusted."""

    def __init__(self, folder, relyd, application, route="web", tls=None):
        self.folder, self.port, self.tls = folder, wire.free_port(), tls or {}
        self.address = ("127.0.0.1", self.port)
        self.values = {":8000": f":{self.port}", ":8480": f":{relyd}", ":8080": f":{application}", "/check/web": f"/check/{route}"}
        if tls:
            self.values["relyd.example"] = "localhost"

    def of_tls(self, folder):
        """The paths of `folder` that a file names, as they are here."""
        if not self.tls:
            return {}
        both = self.folder / "gateway.pem"
        both.write_bytes(self.tls["certificate"].read_bytes() + self.tls["key"].read_bytes())
        return {f"{folder}/{name}": path for name, path in (("gateway.crt", self.tls["certificate"]), ("gateway.key", self.tls["key"]),
                                                            ("gateway.pem", both), ("relyd-ca.crt", self.tls["trusted"]))}

    def take(self, file, values, name=None):
        """A file with these values in it, and with TLS as its head says. Each is put in exactly where the file has what it stands for."""
        text = (FILES / file).read_text()
        if self.tls:
            text = re.sub(r"#tls ", "", re.sub(r"(?m)^.*# plain\n", "", text))
        for written, value in values.items():
            text = text.replace(written, str(value))
        path = self.folder / (name or file)
        path.write_text(text)
        return path


def start_nginx(place):
    inside = place.take("nginx.conf", place.values | place.of_tls("/etc/nginx"), "relyd.conf")
    return gateways.start_nginx(place.folder, f"include {inside};")


def start_caddy(place):
    config = place.take("Caddyfile", place.values | place.of_tls("/etc/caddy"))
    return gateways.run_caddy(place.folder, config)


def start_haproxy(place, script=None):
    """`script`: in the place of relyd.lua."""
    inner = {"abns@relyd-check": f"abns@relyd-check-{place.port}"}
    lua = script or place.take("relyd.lua", inner)
    config = place.take("haproxy.cfg", place.values | place.of_tls("/etc/haproxy") | inner | {"/etc/haproxy/relyd.lua": lua})
    return gateways.run_haproxy(place.folder, config)


STARTS = {"nginx": start_nginx, "caddy": start_caddy, "haproxy": start_haproxy}
