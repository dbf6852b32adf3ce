"""Apache as Debian has it, with one module and one file of conf/gateways."""

import os
import subprocess

import gateways
import ready_gateways

# What the head of each file says to enable, and what Debian's apache2 has enabled by itself.
MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http"]
KINDS = {"oauth2": ("libapache2-mod-oauth2", "apache-mod_oauth2.conf"), "auth_openidc": ("libapache2-mod-auth-openidc", "apache-mod_auth_openidc.conf")}

SERVER = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LogLevel info
User www-data
Group www-data
{loads}
Include {config}
"""


class Place(ready_gateways.Place):
    """One that asks relyd's port in clear text, or by TLS at `tls_port`."""

    def __init__(self, folder, relyd, application, tls_port, tls):
        super().__init__(folder, relyd, application)
        self.log = folder / "error.log"
        self.values |= {"relyd.example:8443": f"localhost:{tls_port}"}
        self.values |= {f"/etc/apache2/{name}": path for name, path in (("gateway.crt", tls["certificate"]), ("gateway.key", tls["key"]),
                                                                        ("relyd-ca.crt", tls["trusted"]))}


def start(place, kind, without=""):
    """`without`: a piece of the file that is left out, to see what it is for."""
    package, file = KINDS[kind]
    config = place.take(file, place.values, "relyd.conf")
    if without:
        text = config.read_text()
        assert text.count(without) == 1
        config.write_text(text.replace(without, ""))
    modules = "usr/lib/apache2/modules"
    loads = [f"LoadModule {name}_module {gateways.PROXIES}/apache2-bin/{modules}/mod_{name}.so" for name in MODULES]
    loads.append(f"LoadModule {kind}_module {gateways.PROXIES}/{package}/{modules}/mod_{kind}.so")
    whole = place.folder / "apache2.conf"
    whole.write_text(SERVER.format(folder=place.folder, loads="\n".join(loads), config=config))
    command = [gateways.binary("apache2-bin", "usr/sbin/apache2"), "-DFOREGROUND", "-f", str(whole)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"LD_LIBRARY_PATH": gateways.LIBRARIES})
