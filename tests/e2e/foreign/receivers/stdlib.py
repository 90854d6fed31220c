"""http.server as its documentation shows it, behind `ssl`: HTTP/1.0, no length, no close_notify.

stdlib.py PORT [CERTIFICATE KEY]      without certificate: plain http, behind a proxy.
"""

import http.server
import ssl
import sys

import ledger


class Handler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ledger.note(self.headers["webhook-id"], self.headers["webhook-timestamp"],
                    self.headers["webhook-signature"], body)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
