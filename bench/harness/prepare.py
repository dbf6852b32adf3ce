"""Before anything is measured: the release build, the peers, keys and tokens. All is kept in build/ and made once."""

import json
import os
import pathlib
import shutil
import subprocess
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
BUILD = ROOT / "build/bench"
DATA = ROOT / "build/bench-data"
PEERS = ROOT / "build/bench-peers"
NODE = ROOT / "build/bench-node"
MULTIARCH = sysconfig.get_config_var("MULTIARCH")  # of Debian's libraries: x86_64-linux-gnu
ISSUER = "https://oidc.bench.example"
FIRST_ISSUER = ISSUER + "/00000"
AUDIENCE = "relyd-bench"
STRIDE = 7919  # of bench_tokens: token i is for credential (i * STRIDE) mod all of them


def say(text):
    print(text, flush=True)


def build(*targets):
    """The release preset in a folder of the bench's own."""
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release", "-B", str(BUILD)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(BUILD), "--target", *targets], check=True, stdout=subprocess.DEVNULL)


def program_of(revision):
    """relyd as it was at a revision, by the release preset, in a folder of that revision's own."""
    commit = subprocess.run(["git", "rev-parse", "--verify", revision + "^{commit}"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.strip()
    folder = ROOT / "build/bench-before" / commit[:12]
    if not (folder / "build/relyd").exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
        subprocess.run(["cmake", "--preset", "release", "-B", "build"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", "build", "--target", "relyd"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "build/relyd"


def knows(revision, setting):
    """Does docs/settings.md of that revision have it?"""
    command = ["git", "grep", "-q", "-F", setting, revision, "--", "docs/settings.md"]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def program(name):
    return BUILD / name if name == "relyd" else BUILD / "bench" / name


# --- tokens --------------------------------------------------------------------------------------------------------


def make_tokens(name, alg="RS256", **options):
    """The path of a file with tokens, made unless it is there; options are bench_tokens's. The name stands for them all."""
    DATA.mkdir(parents=True, exist_ok=True)
    known = "-".join([name, alg, *(f"{key}_{value}" for key, value in sorted(options.items()))])
    path = DATA / (known.replace("/", "_").replace(":", "_") + ".txt")
    if not path.exists():
        command = [program("bench_tokens"), "--folder", DATA, "--file", path.name, "--alg", alg]
        command += ["--processes", str(os.cpu_count())]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        subprocess.run(command, check=True)
    return path


def read_token(path, line=0):
    with open(path) as file:
        for _ in range(line):
            file.readline()
        return file.readline().strip()


def jwks():
    return json.loads((DATA / "jwks.json").read_text())


def write_template(name, text):
    path = DATA / name
    path.write_bytes(text.replace("\n", "\r\n").encode() if "\r" not in text else text.encode())
    return path


def make_templates():
    """Requests with {token} and {length} in them, as gateways and API servers send them."""
    DATA.mkdir(parents=True, exist_ok=True)
    check = "GET /check/default HTTP/1.1\nHost: gateway.example\nAuthorization: Bearer {token}\n\n"
    body = (
        '{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},'
        '"spec":{"token":"{token}","audiences":["%s"]},"status":{"user":{}}}' % AUDIENCE
    )
    review = (
        "POST /apis/authentication.k8s.io/v1/tokenreviews HTTP/1.1\nHost: gateway.example\n"
        "Accept: application/json, */*\nContent-Type: application/json\nContent-Length: {length}\n\n"
    )
    return {"check": write_template("check.req", check), "review": write_template("review.req", review + body)}


# --- certificates ----------------------------------------------------------------------------------------------------


def make_certificate(name, authority=None):
    """Paths of a P-256 certificate of DNS:name.bench.example and its key, made unless they are there; signed by itself or by an
    authority that was made so."""
    DATA.mkdir(parents=True, exist_ok=True)
    certificate, key = DATA / f"{name}.crt", DATA / f"{name}.key"
    if not certificate.exists():
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                   "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.bench.example", "-keyout", key, "-out", certificate]
        if authority:
            command += ["-CA", authority[0], "-CAkey", authority[1], "-addext", "basicConstraints=critical,CA:FALSE"]
        subprocess.run(command, check=True, capture_output=True)
        key.chmod(0o600)
    return certificate, key


# --- peers ---------------------------------------------------------------------------------------------------------


def unpack_peers(list_name="packages.bench"):
    """Debian's packages of a list in conf/setup and what they need, under build/bench-peers; returns what is missing."""
    script = """
        . conf/setup/install.sh
        list=$(mktemp)
        wanted=$(list_packages "$1")
        { printf '%s\\n' $wanted
          apt-get -s --no-install-recommends install $wanted 2>/dev/null | awk '/^Inst/ {print $2}'; } | sort -u > "$list"
        while read -r name; do
            printf '%s\\n' "$name" > "$list.one"
            unpack_packages "$list.one" build/bench-peers || true
        done < "$list"
        rm -f "$list" "$list.one"
    """
    wanted = [line for line in (ROOT / "conf/setup" / list_name).read_text().split("\n") if line and line[0] != "#"]
    if not all((PEERS / name).is_dir() for name in wanted):
        subprocess.run(["bash", "-c", script, "unpack", f"conf/setup/{list_name}"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
    return [name for name in wanted if not (PEERS / name).is_dir()]


def install_node_peers():
    """jose and fast-jwt by npm, in build/bench-node; returns why not, or nothing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed (Debian: apt-get install nodejs npm)"
    package = BENCH / "peers/package.json"
    copy = NODE / "package.json"
    if not (NODE / "node_modules/fast-jwt").is_dir() or copy.read_text() != package.read_text():
        NODE.mkdir(parents=True, exist_ok=True)
        shutil.copy(package, copy)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=NODE, capture_output=True, text=True)
        if done.returncode != 0:
            copy.unlink()
            return "npm: " + done.stderr.strip().splitlines()[-1]
    return ""


def library_path():
    folders = [str(path) for path in sorted(PEERS.glob(f"*/usr/lib/{MULTIARCH}"))]
    return ":".join(folders + [os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(":")
