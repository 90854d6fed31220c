"""A relay that breaks its promises on purpose: what a load test must find.

It has as much of the native API as `ringpost-load relay --sink` needs, takes every event with 202, and delivers to each webhook at
once, except for the faults that it is asked for: by the event's number modulo ten.
"""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import socketserver
import ssl
import threading
import time
import urllib.parse

LOST, TWICE, FORGED, UNSIGNED = 3, 5, 7, 9


class LossyRelay(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, faults):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = faults
        self.webhooks = {}
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def deliver(self, event):
        fault = event["data"]["ringpost_load"]["event"] % 10
        fault = fault if fault in self.faults else None
        if fault == LOST:
            return
        for webhook in list(self.webhooks.values()):
            for _ in range(2 if fault == TWICE else 1):
                self.post(webhook, event, fault)

    def post(self, webhook, event, fault):
        body = json.dumps(event["data"], separators=(",", ":"))
        now = str(int(time.time()))
        key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        if fault == FORGED:
            key = key[::-1]
        signature = base64.b64encode(hmac.digest(key, f"{event['id']}.{now}.{body}".encode(), hashlib.sha256)).decode()
        headers = {"webhook-id": event["id"], "webhook-timestamp": now, "webhook-signature": "v1," + signature}
        url = urllib.parse.urlsplit(webhook["url"])
        connection = http.client.HTTPSConnection(
            url.hostname, url.port, timeout=10, context=ssl.create_default_context(cadata=webhook["tls"]["ca"]))
        connection.request("POST", url.path, body, {} if fault == UNSIGNED else headers)
        connection.getresponse().read()
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200, {"status": "ready"} if self.path == "/readyz" else {"totals": {}})

    def do_DELETE(self):
        self.server.webhooks.pop(self.path.rsplit("/", 1)[1], None)
        self.answer(200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/webhooks":
            with self.server.lock:
                name = str(len(self.server.webhooks))
                self.server.webhooks[name] = json.loads(body)
            return self.answer(201, {"id": name})
        if not body.strip():
            return self.answer(400, {"title": "Bad Request", "status": 400, "detail": "There is no event."})
        self.answer(202, {"accepted": 1, "duplicates": 0, "deliveries": len(self.server.webhooks), "unmatched": 0})
        self.server.deliver(json.loads(body))
