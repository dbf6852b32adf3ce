"""Real gateways in front of a backend, asking relyd about every request; each started with a folder and ports of its own."""

import contextlib
import os
import shutil
import subprocess
import sysconfig

import wire
from service import ROOT

PROXIES = ROOT / "build/proxies"
LIBRARIES = ":".join(str(path) for path in sorted(PROXIES.glob(f"*/usr/lib/{sysconfig.get_config_var('MULTIARCH')}")))


def binary(name, inside):
    """Installed, or unpacked by tests/run."""
    found = shutil.which(name) or PROXIES / name / inside
    assert shutil.which(str(found)), f"there is no {name}; tests/run e2e unpacks one"
    return str(found)


def is_up(process, port):
    assert process.poll() is None
    try:
        wire.connect(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


@contextlib.contextmanager
def running(process, *ports):
    """A started gateway, stopped at the end; yields when all its ports are open."""
    try:
        for port in ports:
            wire.wait_for(lambda: is_up(process, port), what="the gateway")
        yield process
    finally:
        process.terminate()
        process.wait(10)


NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  keepalive_requests 1000000;
  {inside}
}}
"""


def start_nginx(folder, inside):
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, inside=inside))
    return subprocess.Popen(
        [binary("nginx", "usr/sbin/nginx"), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    )


def start_caddy(folder, inside):
    config = folder / "Caddyfile"
    config.write_text("{\n  admin off\n  auto_https off\n}\n" + inside)
    return run_caddy(folder, config)


def run_caddy(folder, config):
    with open(folder / "caddy.log", "w") as log:
        command = [binary("caddy", "usr/bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
        return subprocess.Popen(command, stderr=log, env={"HOME": str(folder), "XDG_DATA_HOME": str(folder)})


def start_haproxy(folder, inside, lua):
    (folder / "ask.lua").write_text(lua)
    config = folder / "haproxy.cfg"
    config.write_text(f"global\n  lua-load {folder}/ask.lua\ndefaults\n  mode http\n  timeout client 30s\n  timeout connect 5s\n"
                      "  timeout server 30s\n" + inside)
    return run_haproxy(folder, config)


def run_haproxy(folder, config):
    with open(folder / "haproxy.log", "w") as log:
        command = [binary("haproxy", "usr/sbin/haproxy"), "-db", "-f", str(config)]
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"LD_LIBRARY_PATH": LIBRARIES})
