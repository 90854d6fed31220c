"""Published HTTP servers receive from a real relay, are killed and restarted in the middle, and miss nothing.

Goal: whatever a receiver is built with, every event arrives at least once, byte for byte, with a signature that the
published library verifies; what it said 2xx to is not sent again.
Method: for each server the same three waves of events: a quiet one; one in whose middle the server is killed
(SIGKILL) and started again; one in whose middle it is asked to stop (SIGTERM) and started again. The servers write
down what came; the ledgers are compared at the end.
"""

import base64
import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

import foreign
import harness

HERE = foreign.HERE / "receivers"
SERVERS = harness.BUILD / "servers" / "root"
SECRET = "whsec_" + base64.b64encode(b"foreign receivers' secret...").decode()
WAVE = 60


def setUpModule():
    foreign.need(foreign.python("python"))
    foreign.need(foreign.program("openssl"))


class Place:
    """A folder with a certificate for 127.0.0.1 and what one receiver writes down."""

    def __init__(self, path):
        self.path = path
        self.certificate, self.key = path / "tls.crt", path / "tls.key"
        foreign.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-days", "2", "-subj", "/CN=receiver", "-addext",
                     "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate])
        self.bundle = path / "bundle.pem"
        self.bundle.write_text(self.certificate.read_text() + self.key.read_text())
        self.ledger = path / "ledger"
        self.ledger.touch()

    def lines(self):
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]


class Server:
    """A published server on a port of its own, that can be killed and started again."""

    def __init__(self, place, command, port, tls=True, environment=None):
        self.port = port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/in"
        self.command = [str(part) for part in command]
        self.log = open(place.path / f"server-{port}.log", "ab")
        self.environment = dict(os.environ, LEDGER=str(place.ledger), PYTHONPATH=str(HERE),
                                PYTHONDONTWRITEBYTECODE="1", **(environment or {}))
        self.cwd = place.path
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.command, env=self.environment, cwd=self.cwd, stdout=self.log,
                                      stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.child.poll() is None, pathlib.Path(self.log.name).read_text()[-4000:]
                assert time.monotonic() < deadline, f"{self.command} does not listen"
                time.sleep(0.05)

    def end(self, how):
        """The whole group: some servers have workers, which a killed parent leaves behind."""
        if how == signal.SIGKILL:
            os.killpg(self.child.pid, how)
        else:
            self.child.send_signal(how)
        try:
            self.child.wait(timeout=15)
        except subprocess.TimeoutExpired:  # It waits for kept connections, as some do.
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def close(self):
        if self.child.poll() is None:
            self.end(signal.SIGKILL)
        self.log.close()


def stdlib(place, port, tls):
    parts = [place.certificate, place.key] if tls else []
    return [foreign.PYTHON, HERE / "stdlib.py", port, *parts]


def gunicorn(place, port, worker, *options):
    return [foreign.need(foreign.python("gunicorn")), "--bind", f"127.0.0.1:{port}", "--certfile",
            place.certificate, "--keyfile", place.key, "--workers", 2, "--worker-class", worker,
            "--graceful-timeout", 2, *options, "wsgi:app"]


class Receivers(unittest.TestCase):

    def setUp(self):
        self.workplace = harness.Workplace()
        self.addCleanup(self.workplace.close)
        self.place = Place(self.workplace.path)
        self.relay = self.workplace.relay()

    def server(self, command, **options):
        port = harness.free_port()
        made = Server(self.place, command(port), port, **options)
        self.addCleanup(made.close)
        return made

    def need(self, found):
        """Skips this test alone, aloud."""
        if found.path is None:
            self.skipTest(f"{found.name} is missing: {found.remedy}")
        return found.path

    def unpacked(self, name):
        return self.need(foreign.installed(name, SERVERS / "usr" / "sbin" / name))

    def wave(self, name, middle=lambda: None):
        """Posts a wave of events one by one; `middle` happens half-way. @returns their data by id."""
        sent = {}
        for number in range(WAVE):
            if number == WAVE // 2:
                middle()
            identifier = f"{name}-{number}"
            data = json.dumps({"number": number, "wave": name, "text": "ü\u2028\"" * (number % 7)})
            sent[identifier] = data
            status, answer = self.relay.send(
                f'{{"type":"build.finished","source":"app/foreign","id":"{identifier}","data":{data}}}'.encode())
            self.assertEqual(status, 202, answer)
        return sent

    def drive(self, server, front=None):
        """@param front  what the relay connects to, if it is not the server that writes the ledger."""
        front = front or server
        webhook = self.relay.add_webhook(url=front.url, secret=SECRET, schedule=[1, 1, 1, 2, 2, 5, 5, 5],
                                         tls={"ca": self.place.certificate.read_text()})
        sent = self.wave("quiet")
        self.relay.wait_until_settled()
        self.assertEqual(len(self.place.lines()), WAVE, "a quiet wave arrives exactly once")
        sent |= self.wave("killed", lambda: (server.end(signal.SIGKILL), server.start()))
        self.relay.wait_until_settled()
        sent |= self.wave("stopped", lambda: (front.end(signal.SIGTERM), front.start()))
        self.relay.wait_until_settled(120)
        self.judge(webhook, sent)

    def judge(self, webhook, sent):
        deliveries = self.relay.deliveries(webhook)
        self.assertEqual(collections.Counter(one["status"] for one in deliveries), {"delivered": len(sent)})
        bodies = collections.defaultdict(list)
        for line in self.place.lines():
            bodies[line["id"]].append(base64.b64decode(line["body"]).decode())
        wanted = {one["id"]: sent[one["event"]["id"]] for one in deliveries}
        self.assertEqual(set(bodies), set(wanted), "every event arrived, and nothing else")
        self.assertFalse({key: found for key, found in bodies.items() if set(found) != {wanted[key]}})
        attempts = sum(len(self.relay.delivery(one["id"])["attempts"]) for one in deliveries)
        count = sum(map(len, bodies.values()))
        self.assertLessEqual(count, attempts, "each request that came whole is an attempt on record")
        good, forged = foreign.run([foreign.PYTHON, HERE / "verify.py", self.place.ledger, SECRET]).split()
        self.assertEqual((int(good), int(forged)), (count, 0))
        print(f"{self.id().rsplit('.')[-1]}: {len(sent)} events, {attempts} attempts, {count - len(sent)} repeated",
              flush=True)

    def test_python_http_server(self):
        self.drive(self.server(lambda port: stdlib(self.place, port, tls=True)))

    def test_gunicorn_sync(self):
        self.drive(self.server(lambda port: gunicorn(self.place, port, "sync")))

    def test_gunicorn_threads(self):
        self.drive(self.server(lambda port: gunicorn(self.place, port, "gthread", "--threads", 4,
                                                     "--keep-alive", 5)))

    def test_uvicorn(self):
        program = self.need(foreign.python("uvicorn"))
        self.drive(self.server(lambda port: [
            program, "asgi:app", "--host", "127.0.0.1", "--port", port, "--ssl-certfile",
            self.place.certificate, "--ssl-keyfile", self.place.key, "--timeout-graceful-shutdown", 2,
            "--log-level", "warning"]))

    def node(self, kind):
        program = self.need(foreign.program("node", at_least=18))
        return self.server(lambda port: [program, HERE / "node.mjs", foreign.NPM.parent, kind, port,
                                         self.place.certificate, self.place.key])

    def test_node_https(self):
        self.drive(self.node("https"))

    def test_express(self):
        self.need(foreign.npm_package("express"))
        self.drive(self.node("express"))

    def test_puma(self):
        program = self.need(foreign.program("puma"))
        self.drive(self.server(lambda port: [
            program, "--threads", "1:4", "--bind",
            f"ssl://127.0.0.1:{port}?key={self.place.key}&cert={self.place.certificate}",
            HERE / "config.ru"], environment={"RACK_ENV": "production"}))

    def test_php_built_in_server(self):
        program = self.need(foreign.program("php"))
        self.drive(self.server(lambda port: [program, "-S", f"127.0.0.1:{port}", HERE / "router.php"],
                               tls=False, environment={"PHP_CLI_SERVER_WORKERS": "3"}))

    def filled(self, name, port, backend):
        text = (HERE / name).read_text()
        for key, value in {"PORT": port, "BACKEND": backend, "CERTIFICATE": self.place.certificate,
                           "KEY": self.place.key, "BUNDLE": self.place.bundle, "PLACE": self.place.path}.items():
            text = text.replace(key, str(value))
        path = self.place.path / name
        path.write_text(text)
        return path

    def test_nginx(self):
        program = self.unpacked("nginx")
        backend = self.server(lambda port: stdlib(self.place, port, tls=False), tls=False)
        front = self.server(lambda port: [program, "-e", "stderr", "-p", self.place.path, "-c",
                                          self.filled("nginx.conf", port, backend.port)])
        self.drive(backend, front)

    def test_haproxy(self):
        program = self.unpacked("haproxy")
        backend = self.server(lambda port: stdlib(self.place, port, tls=False), tls=False)
        front = self.server(
            lambda port: [program, "-db", "-f", self.filled("haproxy.cfg", port, backend.port)],
            environment={"LD_LIBRARY_PATH": str(SERVERS / "usr" / "lib" / f"{os.uname().machine}-linux-gnu")})
        self.drive(backend, front)


if __name__ == "__main__":
    unittest.main(verbosity=2)
