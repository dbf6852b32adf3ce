"""What stands behind a gateway: says which headers it got and what a body was, and echoes bytes once another protocol is asked for."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading

PIECE = 1 << 16


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.headers["Upgrade"]:
            self.echo()
            return
        digest = self.read_body()
        told = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.send_header("X-Body", digest)
        self.end_headers()
        self.wfile.write(told)

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET

    def echo(self):
        """No frames: what a gateway passes on are bytes. The first that go back are the identity that came with the upgrade."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.write(str(self.headers["X-Relyd-Identity"]).encode() + b"\n")
        self.close_connection = True
        while piece := self.rfile.read1(PIECE):
            self.wfile.write(piece)

    def read_body(self):
        digest = hashlib.sha256()
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                digest.update(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers["Content-Length"] or 0)
        while left and (piece := self.rfile.read(min(left, PIECE))):
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    """`requests` are the paths that have reached it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Application)
        self.requests = []
        self.port = self.server_address[1]

    def handle_error(self, request, client_address):
        pass  # a gateway that goes away in the middle


@contextlib.contextmanager
def running():
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
