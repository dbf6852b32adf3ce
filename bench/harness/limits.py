"""What no server can pass: a bare libh2o handler, and after it the one public-key operation of `openssl speed`."""

import re
import subprocess

from .servers import SERVER_CORE


def openssl_speed(seconds):
    """Verifications a second of one core, by CPU time."""
    done = subprocess.run(
        ["taskset", "-c", str(SERVER_CORE), "openssl", "speed", "-seconds", str(seconds), "rsa2048", "ecdsap256"],
        capture_output=True, text=True, check=True,
    )
    rsa = re.search(r"^rsa 2048 bits +\S+ +\S+ +\S+ +([\d.]+)", done.stdout, re.M)
    ec = re.search(r"^ *256 bits ecdsa \(nistp256\) +\S+ +\S+ +\S+ +([\d.]+)", done.stdout, re.M)
    return {"rs256": float(rsa.group(1)), "es256": float(ec.group(1))}


def of(workload, bare_rps, verify):
    """Requests a second that nothing can pass: 1 / (1 / bare + 1 / verify) where a signature must be checked."""
    rate = {"never-seen": verify["rs256"], "never-seen-es": verify["es256"]}.get(workload)
    return bare_rps if rate is None else 1 / (1 / bare_rps + 1 / rate)
