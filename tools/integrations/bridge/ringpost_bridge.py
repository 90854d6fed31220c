#!/usr/bin/env python3
"""Passes on calls that the relay itself has no receiver for: Jenkins' Notification plugin and Drone's webhooks.

    ringpost_bridge.py --listen 127.0.0.1:8430 --jenkins-secret-file FILE --drone-secret-file FILE [--spool DIR]

It listens at POST /jenkins/SECRET and POST /drone, makes an event of each call (README.md has the mapping), and hands it to
`ringpost send`, which reads RINGPOST_URL and RINGPOST_TOKEN. The answer is 204 when the relay, or the spool, has the event,
and 502 when nobody has it.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading

BODY_BYTES_MAX = 1 << 20
CALLS_MAX = 16  # At the same time.
SECONDS_MAX = 10  # For a client that is slow.


def jenkins_event(body):
    """Of the Notification plugin: one event for each phase of a build."""
    build = body["build"]
    branch = build.get("scm", {}).get("branch", "")
    return {"type": "build." + build["phase"].lower(), "source": "pipeline/" + body["name"],
            "id": f"{build.get('full_url') or build['url']}#{build['phase']}",
            "branch": branch.removeprefix("origin/"), "data": body}


def drone_event(kind, body):
    """Of Drone: a build that was made, goes on or has ended; users and repositories."""
    if kind != "build":
        subject = body.get(kind, {})
        name = subject.get("slug") or subject.get("login") or str(subject.get("id"))
        return {"type": f"{kind}.{body['action']}", "source": "drone/" + name, "data": body}
    build, slug = body["build"], body["repo"]["slug"]
    state = "finished" if build.get("finished") else "started" if build.get("started") else "created"
    return {"type": "build." + state, "source": "pipeline/" + slug, "id": f"{slug}#{build['number']}-{state}",
            "branch": build.get("target", ""), "data": body}


def drone_signature_is_good(headers, body, secret):
    """An HTTP signature (draft-cavage-http-signatures) over `date` and `digest`, which is the body's SHA-256, and perhaps others.

    Drone's server signs these two, its library for plugins five.
    """
    found = dict(re.findall(r'(\w+)="([^"]*)"', headers.get("Signature", "")))
    names = found.get("headers", "").split(" ")
    if found.get("algorithm") != "hmac-sha256" or not {"date", "digest"} <= set(names):
        return False
    digest = "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
    if headers.get("Digest") != digest:
        return False
    text = "\n".join(f"{name}: {headers.get(name)}" for name in names)
    expected = base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).decode()
    return hmac.compare_digest(expected, found.get("signature", ""))


class Bridge(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        host, port = options.listen.rsplit(":", 1)
        self.jenkins_secret = read_secret(options.jenkins_secret_file)
        self.drone_secret = read_secret(options.drone_secret_file)
        self.command = [options.ringpost, "send", "--wait", options.wait]
        if options.spool:
            self.command += ["--spool", options.spool]
        self.places = threading.BoundedSemaphore(CALLS_MAX)
        super().__init__((host, int(port)), Call)

    def process_request(self, request, client_address):
        self.places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def send(self, event):
        done = subprocess.run(self.command, input=json.dumps(event).encode(), stdout=subprocess.DEVNULL, check=False)
        return done.returncode == 0


class Call(http.server.BaseHTTPRequestHandler):
    timeout = SECONDS_MAX

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            return self.reply(413, f"send a Content-Length of at most {BODY_BYTES_MAX}")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return self.reply(400, "the body is not complete")
        if not self.is_authentic(body):
            return self.reply(403, "unknown path, or a wrong secret or signature")
        try:
            event = self.event_of(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            return self.reply(422, f"this is not a body that is known here: {problem!r}")
        if self.server.send(event):
            return self.reply(204, "")
        return self.reply(502, "the relay does not have the event")

    def is_authentic(self, body):
        if self.path == "/drone":
            secret = self.server.drone_secret
            return bool(secret) and drone_signature_is_good(self.headers, body, secret)
        secret = self.server.jenkins_secret
        return bool(secret) and hmac.compare_digest(self.path.encode(), b"/jenkins/" + secret)

    def event_of(self, body):
        if self.path != "/drone":
            return jenkins_event(body)
        return drone_event(self.headers.get("X-Drone-Event") or body["event"], body)

    def reply(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, form, *arguments):
        """The path has a secret: nothing is logged of it."""


def read_secret(path):
    return pathlib.Path(path).read_bytes().strip() if path else b""


def main():
    parser = argparse.ArgumentParser(description="Passes on calls of Jenkins' Notification plugin and of Drone to a ringpost relay.")
    parser.add_argument("--listen", default="127.0.0.1:8430", help="address and port")
    parser.add_argument("--jenkins-secret-file", help="a file with the end of Jenkins' URL: /jenkins/SECRET")
    parser.add_argument("--drone-secret-file", help="a file with Drone's DRONE_WEBHOOK_SECRET")
    parser.add_argument("--ringpost", default="ringpost", help="the program")
    parser.add_argument("--wait", default="5s", help="as of ringpost send")
    parser.add_argument("--spool", help="as of ringpost send: a drop directory of the relay")
    with Bridge(parser.parse_args()) as bridge:
        print(f"listening on http://{bridge.server_address[0]}:{bridge.server_address[1]}", flush=True)
        bridge.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
