"""TLS with other libraries, old and new: who agrees on what, as the relay records it; and what the programs are built from."""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from process_test import make_certificate, run

HERE = pathlib.Path(__file__).parent
# tools/check puts it there (tests/e2e/openssl/requirements.txt); by hand, another Python may be named.
MODERN_PYTHON = os.environ.get("RINGPOST_TLS_PYTHON", harness.BUILD / "python-tls" / "bin" / "python")
HYBRID = "X25519MLKEM768"
VERSION = json.loads(run("version", "--json")[1])
BORINGSSL = next(each for each in VERSION["dependencies"] if each["name"] == "BoringSSL")
IS_CURRENT = BORINGSSL["linked"] == "static"


def has_modern_openssl():
    try:
        return subprocess.run([str(MODERN_PYTHON), "-c", "import OpenSSL.SSL as S; S.Connection.get_group_name"],
                              capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def knows_curve(curve):
    """The OpenSSL of some Pythons cannot choose X25519 this way."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        return False
    return True


class OldReceiver:
    """Python's own ssl, with one elliptic curve."""

    def __init__(self, certificate, key, curve, version_max=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")  # Of TLS 1.2; the server's own order counts.
        context.set_ecdh_curve(curve)
        context.maximum_version = version_max
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.serve, args=(context,), daemon=True).start()

    def serve(self, context):
        while True:
            try:
                plain = self.listener.accept()[0]
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    received = b""
                    while b"\r\n\r\n" not in received:
                        received += connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass


class TlsTest(unittest.TestCase):
    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.key, self.certificate = make_certificate(self.place.path)

    def deliver(self, relay, url, count=1):
        """The relay's records of that many deliveries to the URL, one after the other."""
        webhook = relay.add_webhook(url=url, tls={"ca": self.certificate.read_text()}, schedule=[])
        recorded = []
        for number in range(count):
            relay.send({"type": "a", "source": "app/1", "id": f"{url} {number}", "data": {}})
            relay.wait_until_settled()
            recorded.append(relay.delivery(relay.deliveries(webhook)[0]["id"]))
        return recorded

    def serving_relay(self):
        listener = self.place.path / "listener.toml"
        listener.write_text('[[listener]]\naddress = "127.0.0.1:0"\n'
                            f'tls = {{certificate = "{self.certificate}", key = "{self.key}"}}\n')
        process = harness.Process([harness.RINGPOST, "serve", "--config", listener, "--data-dir", self.place.path / "served"],
                                  r"ready: .*?https://127\.0\.0\.1:(\d+)")
        self.place.processes.append(process)
        return int(process.match.group(1))


class OldLibraries(TlsTest):
    def test_a_receiver_without_the_hybrid_is_met_on_its_own_curve(self):
        relay = self.place.relay()
        for curve, group in (("prime256v1", "P-256"), ("X25519", "X25519"), ("secp384r1", "P-384")):
            if not knows_curve(curve):
                print(f"SKIPPED: this Python cannot choose {curve}")
                continue
            receiver = OldReceiver(self.certificate, self.key, curve)
            self.addCleanup(receiver.listener.close)
            for delivery in self.deliver(relay, receiver.url, 2):
                attempt, = delivery["attempts"]
                self.assertIsNone(attempt["error"])
                self.assertEqual(attempt["tls"]["version"], "TLSv1.3")
                self.assertEqual(attempt["tls"]["group"], group)

    def test_a_receiver_of_tls_1_2(self):
        receiver = OldReceiver(self.certificate, self.key, "prime256v1", ssl.TLSVersion.TLSv1_2)
        self.addCleanup(receiver.listener.close)
        relay = self.place.relay()
        delivery, = self.deliver(relay, receiver.url)
        self.assertEqual(delivery["attempts"][0]["tls"], {
            "version": "TLSv1.2", "cipher": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "group": "P-256", "resumed": False})
        shown = relay.cli("delivery", "show", delivery["id"]).stdout
        self.assertIn("    TLS       TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, P-256\n", shown)
        address = receiver.url.split("/")[2]
        self.assertIn(f"    address   {address}, new connection\n", shown)
        self.assertRegex(shown, r"    time      connect \d+\.\d ms, TLS \d+\.\d ms, first byte \d+\.\d ms\n")
        self.assertEqual(delivery["attempts"][0]["connection"], {"address": address, "reused": False})
        timings = delivery["attempts"][0]["timings"]
        self.assertIsNone(timings["name_ms"])
        self.assertGreater(timings["tls_ms"], 0)
        whole = delivery["attempts"][0]["duration_ms"] + 1
        self.assertLessEqual(sum(taken for taken in timings.values() if taken), whole)

    def test_a_client_without_the_hybrid_is_served(self):
        port = self.serving_relay()
        for curve in filter(knows_curve, ("prime256v1", "X25519")):
            context = ssl.create_default_context(cafile=self.certificate)
            context.set_ecdh_curve(curve)
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1") as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertEqual(connection.recv(65536)[:15], b"HTTP/1.1 200 OK")


class Tickets(TlsTest):
    def test_outlive_the_connections_and_deliveries_of_an_endpoint(self):
        """A receiver that closes each connection, and an event now and then."""
        relay = self.place.relay()
        receiver = OldReceiver(self.certificate, self.key, "X25519" if knows_curve("X25519") else "prime256v1")
        self.addCleanup(receiver.listener.close)
        webhook = relay.add_webhook(url=receiver.url, tls={"ca": self.certificate.read_text()}, schedule=[])
        resumed = []
        for number in range(3):
            relay.send({"type": "a", "source": "app/1", "id": str(number), "data": {}})
            shown = relay.wait_for_delivery(
                webhook, lambda found, number=number: found["status"] == "delivered" and found["event"]["id"] == str(number))
            resumed.append(shown["attempts"][0]["tls"]["resumed"])
            time.sleep(0.3)  # The connection is closed and the endpoint is not in use.
        self.assertEqual(resumed, [False, True, True])


class WhatIsRecorded(TlsTest):
    def test_our_own_receiver(self):
        sink = self.place.sink()
        relay = self.place.relay()
        webhook = relay.add_webhook(url=sink.url + "/", tls=sink.tls())
        relay.send({"type": "a", "source": "app/1", "data": {}})
        delivery = relay.wait_for_delivery(webhook, lambda found: found["status"] == "delivered")
        self.assertEqual(delivery["attempts"][0]["tls"], {
            "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": HYBRID if IS_CURRENT else "X25519",
            "resumed": False})

    def test_plain_http_and_a_handshake_that_fails_have_none(self):
        sink = self.place.sink(plain=True)
        relay = self.place.relay()
        plain = relay.add_webhook(url=sink.url + "/")
        failing = relay.add_webhook(url=sink.url.replace("http:", "https:") + "/", schedule=[])
        relay.send({"type": "a", "source": "app/1", "data": {}})
        for webhook, status in ((plain, "delivered"), (failing, "dead")):
            delivery = relay.wait_for_delivery(webhook, lambda found: found["status"] == status)
            self.assertIsNone(delivery["attempts"][0]["tls"])
            self.assertNotIn("TLSv1", relay.cli("delivery", "show", delivery["id"]).stdout)


@unittest.skipUnless(IS_CURRENT, "built with the system's BoringSSL, which may have no post-quantum key exchange")
@unittest.skipUnless(has_modern_openssl(), f"no current OpenSSL at {MODERN_PYTHON}: tools/check installs it")
class ModernOpenssl(TlsTest):
    def test_a_receiver_takes_the_hybrid(self):
        receiver = harness.Process([MODERN_PYTHON, "-B", HERE / "openssl/peer.py", "serve", self.certificate, self.key],
                                   r"listening (\d+)")
        self.place.processes.append(receiver)
        for delivery in self.deliver(self.place.relay(), f"https://127.0.0.1:{receiver.match.group(1)}/", 2):
            self.assertEqual(delivery["attempts"][0]["tls"]["group"], HYBRID)
        receiver.wait_for(f"group {HYBRID}")

    def test_a_client_is_served_over_the_hybrid(self):
        done = subprocess.run([str(MODERN_PYTHON), "-B", str(HERE / "openssl/peer.py"), "ask", str(self.serving_relay()),
                               str(self.certificate)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, f"group {HYBRID}\nHTTP/1.1 200 OK\n", done.stderr)


class Go(TlsTest):
    """Go's libraries: net/http at both ends, with Go's own choice of groups and with others."""

    @classmethod
    def setUpClass(cls):
        if shutil.which("go") is None:
            raise unittest.SkipTest("NO GO: nobody has tried Go's crypto/tls; install a Go that builds tests/e2e/go (go.mod)")
        folder = tempfile.TemporaryDirectory(prefix="ringpost-go-")
        cls.addClassCleanup(folder.cleanup)
        cls.peer = pathlib.Path(folder.name) / "peer"
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
        built = subprocess.run(["go", "build", "-o", str(cls.peer), "."], cwd=HERE / "go", env=environment, capture_output=True,
                               text=True, timeout=300)
        if "requires go" in built.stderr:
            raise unittest.SkipTest("OLD GO: nobody has tried Go's crypto/tls: " + built.stderr.strip())
        assert built.returncode == 0, built.stderr

    def groups(self):
        """What Go is asked to take, and what is agreed on."""
        yield (), HYBRID if IS_CURRENT else "X25519"
        for group in ("X25519", "P-256", "P-384"):
            yield (group,), group
        if IS_CURRENT:
            yield (HYBRID,), HYBRID

    def start_receiver(self, *taken):
        receiver = harness.Process([self.peer, "serve", self.certificate, self.key, *taken], r"listening (\d+)")
        self.place.processes.append(receiver)
        return receiver, f"https://127.0.0.1:{receiver.match.group(1)}/"

    def test_a_receiver_agrees(self):
        relay = self.place.relay()
        for taken, group in self.groups():
            with self.subTest(taken):
                receiver, url = self.start_receiver(*taken)
                delivery, = self.deliver(relay, url)
                self.assertEqual(delivery["attempts"][0]["tls"], {
                    "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": group, "resumed": False})
                receiver.wait_for(f"^group {group}, resumed false$")

    def test_a_receiver_takes_its_tickets_back(self):
        """It closes each connection, and the rate keeps the attempts apart."""
        relay = self.place.relay("--set", "server.shards=1")
        receiver, url = self.start_receiver()
        webhook = relay.add_webhook(url=url, tls={"ca": self.certificate.read_text()}, schedule=[], rate_per_second=2)
        relay.send("".join(json.dumps({"type": "a", "source": "app/1", "data": {"n": n}}) + "\n" for n in range(4)), "application/x-ndjson")
        relay.wait_until_settled()
        sessions = [relay.delivery(each["id"])["attempts"][0]["tls"] for each in relay.deliveries(webhook)]
        self.assertIn(True, [session["resumed"] for session in sessions])
        self.assertIn(False, [session["resumed"] for session in sessions])
        receiver.wait_for("resumed true$")

    def test_a_client_is_served_and_resumed(self):
        port = self.serving_relay()
        for taken, group in self.groups():
            with self.subTest(taken):
                done = subprocess.run([str(self.peer), "ask", str(port), str(self.certificate), *taken], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual(done.stdout, f"group {group}, resumed false\n200 OK\ngroup {group}, resumed true\n200 OK\n",
                                 done.stderr)


class WhatItIsBuiltFrom(unittest.TestCase):
    def test_the_programs_show_no_symbol_of_the_library(self):
        if not IS_CURRENT:
            self.skipTest("built with the system's BoringSSL, which is a shared library")
        for program in (harness.RINGPOST, harness.SINK):
            dynamic = subprocess.run(["readelf", "--dyn-syms", "--wide", str(program)], capture_output=True, text=True, check=True,
                                     timeout=60).stdout
            self.assertIn("malloc", dynamic)  # It did look.
            self.assertEqual(re.findall(r"\b(?:SSL|CRYPTO|EVP|X509|BORINGSSL|bssl)_\w+", dynamic), [])

    def test_version_names_every_library(self):
        code, text = run("version", "--verbose")
        self.assertEqual(code, 0)
        self.assertEqual(text.splitlines()[0], "ringpost " + VERSION["version"])
        self.assertEqual(run("version"), (0, text.splitlines()[0] + "\n"))
        self.assertEqual(run("--version"), (0, text.splitlines()[0] + "\n"))
        self.assertGreaterEqual(len(VERSION["dependencies"]), 12)
        for each in VERSION["dependencies"]:
            row, = [line for line in text.splitlines() if line.startswith(each["name"] + " ")]
            for member in ("version", "origin", "linked", "purpose"):
                self.assertIn(each[member], row)
                self.assertNotIn(each[member], ("", "undefined", "unknown"))

    def test_the_spdx_file_names_the_same(self):
        document = json.loads((harness.BUILD / "ringpost.spdx.json").read_text())
        self.assertEqual(document["spdxVersion"], "SPDX-2.3")
        packages = {package["name"]: package for package in document["packages"]}
        self.assertEqual({name: package["versionInfo"] for name, package in packages.items()},
                         {"ringpost": VERSION["version"]} | {each["name"]: each["version"] for each in VERSION["dependencies"]})
        identifiers = [package["SPDXID"] for package in document["packages"]]
        self.assertEqual(len(set(identifiers)), len(identifiers))
        for relationship in document["relationships"]:
            self.assertIn(relationship["spdxElementId"], identifiers + ["SPDXRef-DOCUMENT"])
            self.assertIn(relationship["relatedSpdxElement"], identifiers)
        if IS_CURRENT:
            self.assertEqual(len(packages["BoringSSL"]["checksums"][0]["checksumValue"]), 64)


if __name__ == "__main__":
    unittest.main(verbosity=2)
