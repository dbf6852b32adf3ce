#!/usr/bin/python3
"""Well-behaved and misbehaving issuers for the tests of fetch: one process, raw sockets, one behaviour a path.

    server.py FOLDER

Makes certificates with the openssl command in FOLDER (ca.pem is for the test), listens on ports of the kernel's choice,
prints one line `name=port ...` and serves until its standard input ends.
"""
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from email.utils import formatdate

BODY = b'{"keys":[]}'
LIMIT = 4096  # max_bytes of the test's requests
PORTS = {}
HITS = {"trap": 0}
PROXIED = []
STOP = threading.Event()


# --- certificates ---------------------------------------------------------------------------------

def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")


def make_certificate(name, ca, alternative, end="20491231235959Z"):
    """By `openssl ca`, the one command of OpenSSL 3.0 that can write a time in the past."""
    folder = os.path.join(FOLDER, name + ".d")
    os.mkdir(folder)
    for file, text in (("index", ""), ("serial", "01\n"), ("cnf", (
            "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\ndefault_md=sha256\n"
            "policy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=%s\n"
            % (folder, folder, folder, alternative)))):
        with open(os.path.join(folder, file), "w") as out:
            out.write(text)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
            "-keyout", name + ".key", "-out", name + ".csr")
    openssl("ca", "-batch", "-notext", "-config", folder + "/cnf", "-cert", ca + ".pem", "-keyfile", ca + ".key",
            "-startdate", "20190101000000Z", "-enddate", end, "-in", name + ".csr", "-out", name + ".pem")


def tls(name, most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(FOLDER, name + ".pem"), os.path.join(FOLDER, name + ".key"))
    if most is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = most
    return context


# --- behaviours -----------------------------------------------------------------------------------

def answer(body=BODY, status="200 OK", headers=(), version="HTTP/1.1"):
    lines = ["%s %s" % (version, status), "Content-Length: %d" % len(body)] + list(headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def head(*headers, status="200 OK"):
    return ("HTTP/1.1 %s\r\n" % status + "".join(h + "\r\n" for h in headers) + "\r\n").encode()


def redirect(to, status="302 Found"):
    return lambda: answer(b"", status, ["Location: " + to])


def chunked(body, size):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size))
    return head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"


def origin(port="https", host="127.0.0.1", scheme="https"):
    return "%s://%s:%d" % (scheme, host, PORTS[port])


# Path to a function that yields the whole answer.
ANSWERS = {
    "/ok": lambda: answer(headers=["Cache-Control: public, max-age=300", "Content-Type: application/json"]),
    "/noct": lambda: answer(),
    "/nocache": lambda: answer(headers=["Cache-Control: max-age=300", "cache-control: no-store"]),
    "/chunked": lambda: chunked(BODY, 1),
    "/cl": lambda: head("Connection: close") + BODY,
    "/http10": lambda: b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "/empty": lambda: answer(b""),
    "/limit": lambda: answer(b"x" * LIMIT),
    "/limitchunked": lambda: chunked(b"x" * LIMIT, 1000),
    "/overlimit": lambda: answer(b"x" * (LIMIT + 1)),
    "/overlimitchunked": lambda: chunked(b"x" * (LIMIT + 1), 1000),
    "/continue": lambda: head(status="100 Continue") + answer(),
    "/e404": lambda: answer(status="404 Not Found"),
    "/e500": lambda: answer(status="500 Oops"),
    "/e503": lambda: answer(status="503 Busy", headers=["Retry-After: 86400"]),
    "/c201": lambda: answer(status="201 Created"),
    "/c204": lambda: head(status="204 No Content"),
    "/c206": lambda: answer(status="206 Partial Content"),
    "/gzip": lambda: answer(headers=["Content-Encoding: gzip"]),
    "/closemid": lambda: head("Content-Length: 3000") + BODY,
    "/closechunk": lambda: head("Transfer-Encoding: chunked") + b"b\r\n" + BODY + b"\r\n",
    "/clneg": lambda: head("Content-Length: -1") + BODY,
    "/clhuge": lambda: head("Content-Length: 18446744073709551627") + BODY,
    "/cltwo": lambda: head("Content-Length: 11", "Content-Length: 5") + BODY,
    "/cllist": lambda: head("Content-Length: 11, 11") + BODY,
    "/chunkbad": lambda: head("Transfer-Encoding: chunked") + b"zz\r\n" + BODY,
    "/chunkhuge": lambda: head("Transfer-Encoding: chunked") + b"ffffffffffffffff1\r\n" + BODY,
    "/status": lambda: b"HTTP/1.1 hello there\r\n\r\n" + BODY,
    "/http09": lambda: BODY,
    "/http3": lambda: b"HTTP/3.7 200 OK\r\nContent-Length: 11\r\n\r\n" + BODY,
    "/c304": lambda: head(status="304 Not Modified"),
    "/badetag": lambda: answer(headers=["ETag: not-quoted"]),
    "/age": lambda: answer(headers=["Cache-Control: max-age=3600", "Age: 3590"]),
    "/agedate": lambda: answer(headers=["Cache-Control: max-age=60", "Date: Sun, 06 Nov 1994 08:49:37 GMT"]),
    "/expires": lambda: answer(headers=["Expires: " + formatdate(time.time() + 100600, usegmt=True),
                                        "Date: " + formatdate(time.time() + 100000, usegmt=True)]),
    "/expires0": lambda: answer(headers=["Expires: 0", "Date: " + formatdate(usegmt=True)]),
    "/expirestwo": lambda: answer(headers=["Expires: " + formatdate(time.time() + 600, usegmt=True)] * 2),
    "/agelist": lambda: answer(headers=["Cache-Control: max-age=3600", "Age: 10, 3000"]),
    "/agebad": lambda: answer(headers=["Cache-Control: max-age=3600", "Age: -100"]),
    "/lines200": lambda: answer(headers=["X-%d: a" % number for number in range(200)]),
    "/lines300": lambda: answer(headers=["X-%d: a" % number for number in range(300)]),
    "/rmeta": redirect("http://169.254.169.254/"),
    "/rtrap": lambda: redirect(origin("trap", scheme="http"))(),
    "/rport": lambda: redirect(origin("trap_tls"))(),
    "/rhost": lambda: redirect(origin(host="localhost") + "/ok")(),
    "/rfile": redirect("file:///etc/passwd"),
    "/rgopher": redirect("gopher://127.0.0.1:70/"),
    "/rloop": redirect("/rloop"),
    "/rother": redirect("/ok"),
    "/rsee": redirect("/ok", "303 See Other"),
    "/rbody": lambda: answer(b"not the answer", "302 Found", ["Location: /ok"]),
    "/rbodytwice": lambda: answer(b"x" * LIMIT, "302 Found", ["Location: /rbody"]),
    "/retag": redirect("/etag"),
    "/rrelative": redirect("deeper/../ok?a=b", "308 Permanent Redirect"),
    "/rabsolute": lambda: redirect(origin() + "/rother", "307 Temporary Redirect")(),
    "/rcase": lambda: redirect("HTTPS://127.0.0.1:%d/ok" % PORTS["https"], "301 Moved")(),
    "/ruser": lambda: redirect("https://me@127.0.0.1:%d/ok" % PORTS["https"])(),
    "/rfragment": redirect("/ok#x"),
    "/rempty": redirect(""),
    "/rslashes": lambda: redirect("//127.0.0.1:%d/" % PORTS["trap_tls"])(),
    "/r300": lambda: answer(status="300 Choices"),
    "/r302": lambda: answer(b"", "302 Found"),
    "/rtwo": lambda: answer(b"", "302 Found", ["Location: /ok", "Location: /noct"]),
    "/proxied": lambda: answer(b"".join(PROXIED)[-LIMIT:]),
    "/rhits": lambda: answer(b'{"trap":%d}' % HITS["trap"]),
}


def drip(connection, first, piece, pause):
    connection.sendall(first)
    while not STOP.is_set():
        connection.sendall(piece)
        time.sleep(pause)


def reset(connection):
    connection.sendall(head("Content-Length: 3000") + BODY)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def drop_without_goodbye(connection):
    """The end of a body without length, and no close_notify: whoever is on the path can cut there."""
    connection.sendall(head("Connection: close") + BODY)
    os.close(connection.detach())


def answer_late(connection, seconds, bytes_of):
    STOP.wait(seconds)
    connection.sendall(bytes_of())


# Path to a function that has the connection to itself.
BEHAVIOURS = {
    "/big": lambda c: c.sendall(head("Content-Length: 67108864") + b" " * 67108864),
    "/large": lambda c: c.sendall(head("Content-Length: 6291456") + b" " * 6291456),
    "/bigchunked": lambda c: c.sendall(head("Transfer-Encoding: chunked") + b"4000000\r\n" + b" " * 67108864),
    "/endless": lambda c: drip(c, head("Transfer-Encoding: chunked"), b"400\r\n" + b" " * 1024 + b"\r\n", 0),
    "/endlesshdr": lambda c: drip(c, b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n", 0),
    "/longhdr": lambda c: drip(c, b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 1000, 0),
    "/endless100": lambda c: drip(c, b"", head(status="100 Continue"), 0),
    "/hang": lambda c: drip(c, b"", b"", 0.05),
    "/slow": lambda c: drip(c, head("Content-Length: 1000"), b" ", 0.05),
    "/slowhdr": lambda c: drip(c, b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "/cllong": lambda c: drip(c, head("Content-Length: 10000000000"), b"", 0.05),
    "/clsilent": lambda c: drip(c, head("Content-Length: 100"), b"", 0.05),
    "/late": lambda c: answer_late(c, 1.1, ANSWERS["/ok"]),
    "/rlate": lambda c: answer_late(c, 0.4, redirect("/rlate")),
    "/reset": reset,
    "/cut": drop_without_goodbye,
}


# --- serving --------------------------------------------------------------------------------------

def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(4096)
        if not more:
            return b""
        request += more
    return request


def serve_http(connection):
    request = read_request(connection)
    path = request.split(b" ")[1].split(b"?")[0].decode()
    if path == "/echo":
        connection.sendall(answer(request))
    elif path == "/etag" and b'\r\nIf-None-Match: "v1"\r\n' in request:
        connection.sendall(head('ETag: "v1"', "Cache-Control: max-age=20", status="304 Not Modified"))
    elif path == "/etag":
        connection.sendall(answer(headers=['ETag: "v1"', "Cache-Control: max-age=10"]))
    elif path in BEHAVIOURS:
        BEHAVIOURS[path](connection)
    else:
        connection.sendall(ANSWERS[path]())


def finish(connection):
    try:
        if isinstance(connection, ssl.SSLSocket):
            connection.settimeout(1)
            connection.unwrap()
    except (OSError, ValueError):
        pass
    connection.close()


def serve_connection(connection, context):
    try:
        connection.settimeout(5)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        serve_http(connection)
        finish(connection)
    except (OSError, IndexError, KeyError):
        connection.close()


def serve_trap(connection, context):
    HITS["trap"] += 1
    serve_connection(connection, context)


def copy_bytes(source, sink):
    try:
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_proxy(connection, context):
    """An http proxy that knows CONNECT only, and keeps what it was asked."""
    request = read_request(connection)
    PROXIED.append(request)
    host, port = request.split(b" ")[1].decode().rsplit(":", 1)
    target = socket.create_connection((host, int(port)), 5)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\nCache-Control: max-age=7\r\nETag: \"proxy\"\r\n\r\n")
    threading.Thread(target=copy_bytes, args=(connection, target), daemon=True).start()
    copy_bytes(target, connection)


def serve_refusal(connection, context):
    read_request(connection)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    connection.close()


def serve_noise(connection, context):
    connection.recv(4096)
    connection.sendall(answer())
    connection.close()


def serve_silence(connection, context):
    STOP.wait()


def listen(name, context=None, serve=serve_connection):
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    PORTS[name] = listener.getsockname()[1]

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    make_ca("ca")
    make_ca("otherca")
    make_certificate("good", "ca", "IP:127.0.0.1,DNS:localhost")
    make_certificate("wronghost", "ca", "DNS:issuer.example,IP:127.0.0.2")
    make_certificate("expired", "ca", "IP:127.0.0.1", "20200101000000Z")
    make_certificate("unknown", "otherca", "IP:127.0.0.1")
    good = tls("good")
    listen("https", good)
    listen("http")
    listen("wronghost", tls("wronghost"))
    listen("expired", tls("expired"))
    listen("unknown", tls("unknown"))
    listen("oldtls", tls("good", ssl.TLSVersion.TLSv1_1))
    listen("noise", serve=serve_noise)
    listen("silence", serve=serve_silence)
    listen("proxy", serve=serve_proxy)
    listen("refusing_proxy", serve=serve_refusal)
    listen("silence2", serve=serve_silence)
    listen("trap", serve=serve_trap)
    listen("trap_tls", good, serve_trap)
    closed = socket.create_server(("127.0.0.1", 0))
    PORTS["closed"] = closed.getsockname()[1]
    closed.close()
    print(" ".join("%s=%d" % item for item in PORTS.items()), flush=True)
    sys.stdin.read()
    STOP.set()


FOLDER = sys.argv[1]
main()
