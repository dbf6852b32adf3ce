#!/usr/bin/env python3
"""The demo issuer: serves one JWKS and its discovery document over https on loopback, as kube-apiserver does.

    issuer.py PORT ISSUER-URL JWKS-FILE CERTIFICATE-FILE KEY-FILE

Only the Python standard library; for quickstart, never for production.
"""

import http.server
import json
import ssl
import sys


def main():
    port, issuer, jwks_file, certificate, key = sys.argv[1:]
    with open(jwks_file, "rb") as file:
        jwks = file.read()
    discovery = json.dumps(
        {
            "issuer": issuer,
            "jwks_uri": f"https://127.0.0.1:{port}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    ).encode()
    documents = {
        "/.well-known/openid-configuration": ("application/json", discovery),
        "/openid/v1/jwks": ("application/jwk-set+json", jwks),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            media_type, body = documents.get(self.path, (None, None))
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "public, max-age=3600")
            self.end_headers()
            self.wfile.write(body)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
