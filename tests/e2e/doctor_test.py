"""`ringpost doctor`: what it finds on a good machine, and that each thing that is wrong is named with its remedy."""

import contextlib
import json
import os
import pathlib
import resource
import socket
import ssl
import subprocess
import threading
import time
import unittest

import harness

LOOPBACK = ("--set", 'delivery.allow_networks=["127.0.0.0/8"]', "--set",
            'delivery.plain_http_networks=["127.0.0.0/8"]')


class DoctorTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.data = self.place.path / "data"

    def run_doctor(self, *arguments, **options):
        return subprocess.run([harness.RINGPOST, "doctor", "--data-dir", self.data, *map(str, arguments)],
                              capture_output=True, text=True, timeout=90, **options)

    def findings(self, *arguments, code=0, **options):
        """By subject: verdict, text and remedy."""
        if "--listen" not in arguments:
            arguments = ("--listen", f"127.0.0.1:{harness.free_port()}", *arguments)
        done = self.run_doctor("--json", *arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (code, ""), done.stdout)
        report = json.loads(done.stdout)
        self.assertEqual(report["ok"], code == 0)
        for finding in report["findings"]:
            self.assertEqual(bool(finding["remedy"]), finding["verdict"] != "ok", finding)
        return {finding["subject"]: finding for finding in report["findings"]}

    def assert_finding(self, finding, verdict, text):
        self.assertEqual(finding["verdict"], verdict, finding)
        self.assertIn(text, finding["text"])


class Machine(DoctorTest):

    def test_a_good_machine(self):
        found = self.findings()
        for subject in ("kernel", "io_uring", "configuration", "memory", "threads", "file system", "disk space",
                        "disk writes", "data directory", "listener"):
            self.assertNotEqual(found[subject]["verdict"], "failure", found[subject])
        self.assert_finding(found["data directory"], "ok", "a first start will make it")
        self.assertFalse(self.data.exists(), "it changes nothing")
        self.assertEqual(list(self.place.path.iterdir()), [])

    def test_a_table_for_people(self):
        done = self.run_doctor("--listen", f"127.0.0.1:{harness.free_port()}")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^ok   kernel +Linux \d")
        self.assertRegex(done.stdout, r"(?m)^ok   disk writes|^warn disk writes")

    def test_beside_a_running_relay(self):
        relay = self.place.relay()
        self.data = relay.data_dir
        found = self.findings("--listen", f"127.0.0.1:{relay.port}")
        self.assert_finding(found["listener"], "ok", "in use; a relay is running")
        self.assert_finding(found["data directory"], "ok", "a relay is running with it")
        self.assert_finding(self.findings()["listener"], "warning", "is free, although a relay is running")
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.stop(), 0)
        self.assert_finding(self.findings()["data directory"], "ok", "of a relay that is stopped")

    def test_an_address_that_another_uses(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.assert_finding(self.findings("--listen", address, code=1)["listener"], "failure", address)

    def test_a_wrong_configuration(self):
        self.assert_finding(self.findings("--set", "server.shards=many", code=1)["configuration"], "failure",
                            "server.shards")
        self.data = pathlib.Path("/nonexistent/data")
        self.assert_finding(self.findings(code=1)["configuration"], "failure", "/nonexistent is not a directory")
        self.assertEqual(self.run_doctor("--nonsense").returncode, 2)

    def test_few_descriptors(self):
        found = self.findings(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
        self.assert_finding(found["open files"], "warning", "200 open files")

    @unittest.skipUnless(os.geteuid() == 0, "A SMALL DISK IS NOT TRIED: mounting a tmpfs needs root")
    def test_a_disk_without_room(self):
        disk = self.place.path / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)],
                                 stderr=subprocess.PIPE, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"A SMALL DISK IS NOT TRIED: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.data = disk / "data"
        found = self.findings("--set", "server.shards=1", code=1)
        self.assert_finding(found["disk space"], "failure", "a first start needs 136 MiB")
        self.assert_finding(found["file system"], "warning", "tmpfs")
        found = self.findings("--set", "server.shards=1", "--set", 'journal.segment_bytes="4MiB"')
        self.assert_finding(found["disk space"], "warning", "the journal may grow to 10240 MiB")

    def test_a_disk_that_cannot_be_written(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        self.assert_finding(self.findings(code=1, preexec_fn=limit)["disk writes"], "failure", "File too large")

    def test_a_certificate_that_ends_soon(self):
        for days, verdict in ((5, "warning"), (200, "ok")):
            key, certificate = self.place.path / "key.pem", self.place.path / "certificate.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", str(days), "-subj", "/CN=relay", "-keyout", key, "-out", certificate],
                           check=True, capture_output=True)
            config = self.place.path / "relay.toml"
            config.write_text(f'[[listener]]\naddress = "127.0.0.1:{harness.free_port()}"\n'
                              f'tls = {{certificate = "{certificate}", key = "{key}"}}\n')
            done = self.run_doctor("--json", "--config", config)
            found = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
            self.assertEqual(found["certificate"]["verdict"], verdict, found["certificate"])


class Directory(DoctorTest):

    def setUp(self):
        super().setUp()
        relay = self.place.relay()
        relay.add_webhook(url="https://127.0.0.1:1/", sources=["app/x"], secret="whsec_" + "QUJD" * 8)
        self.assertEqual(relay.stop(), 0)
        self.data = relay.data_dir

    def test_a_key_that_is_gone(self):
        self.data.with_suffix(".key").unlink()
        self.assert_finding(self.findings(code=1)["data directory"], "failure", "data.key is missing")

    def test_a_store_that_is_damaged(self):
        (self.data / "control.db").write_bytes(b"\0" * 8192)
        self.assert_finding(self.findings(code=1)["data directory"], "failure", "control.db")

    def test_a_link_to_nowhere(self):
        self.data = self.place.path / "link"
        self.data.symlink_to(self.place.path / "gone")
        self.assert_finding(self.findings(code=1)["configuration"], "failure", "is a link to a place that is not there")

    def test_a_unix_socket_is_left_alone(self):
        path = self.place.path / "relay.sock"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        self.findings("--listen", f"unix:{path}")
        self.assertTrue(path.is_socket())


class Receivers(DoctorTest):

    def test_a_webhook_is_checked_with_its_own_ca(self):
        relay = self.place.relay()
        sink = self.place.sink()
        made = {name: relay.add_webhook(url=sink.url + "/hook", sources=["app/x"], tls=tls)["id"]
                for name, tls in (("own", sink.tls()), ("none", {}), ("unverified", {"verify": False}))}
        config = self.place.path / "ringpost.toml"
        config.write_text('[delivery]\nallow_networks = ["127.0.0.0/8"]\n')
        for name, code, text in (("own", 0, "open and verified"), ("none", 1, "issuer is unknown"),
                                 ("unverified", 0, "NOT verified")):
            with self.subTest(name):
                done = relay.cli("webhook", "check", made[name], "--config", config, "--json", check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                found = {one["subject"]: one for one in json.loads(done.stdout)["findings"]}
                self.assertIn(text, found["TLS"]["text"])
        denied = relay.cli("webhook", "check", made["own"], check=False)
        self.assertEqual(denied.returncode, 1)
        self.assertIn("delivery.allow_networks", denied.stdout)
        self.assertIn("give its --config", denied.stdout)
        allowed = relay.cli("webhook", "check", made["own"], "--set",
                            'delivery.allow_networks=["127.0.0.0/8"]', check=False)
        self.assertEqual(allowed.returncode, 0, allowed.stdout)
        self.assertEqual(relay.cli("webhook", "check", "01JARQ5Z00000000000000NONE", check=False).returncode, 1)

    def test_each_step_of_a_good_one(self):
        sink = self.place.sink()
        found = self.findings("--url", sink.url + "/hook", *LOOPBACK, "--set", f"delivery.ca_file={sink.ca_file}")
        self.assert_finding(found["name"], "ok", "127.0.0.1 is at 127.0.0.1:")
        self.assert_finding(found["policy"], "ok", "are allowed")
        self.assert_finding(found["TLS"], "ok", "TLSv1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768")
        self.assert_finding(found["answer"], "ok", "HTTP 200 to a HEAD request")

    def test_plain_http(self):
        sink = self.place.sink("--status", "404", plain=True)
        found = self.findings("--url", sink.url, *LOOPBACK)
        self.assert_finding(found["connection"], "ok", "plain http")
        self.assert_finding(found["answer"], "ok", "HTTP 404")

    def test_the_step_that_fails_is_the_last(self):
        plain = self.place.sink(plain=True, name="plain")
        silent = self.place.sink("--fault", "reset", plain=True, name="silent")
        secure = self.place.sink(name="secure")
        nobody = harness.free_port()
        for url, options, code, step, text in (
                ("ftp://x", LOOPBACK, 1, "URL", "the URL"),
                ("https://no-such-name.invalid/", LOOPBACK, 1, "name", "no-such-name.invalid: "),
                (plain.url, (), 1, "policy", "not allowed"),
                (secure.url, (), 1, "policy", "is in a private, loopback or other special network"),
                (plain.url, LOOPBACK[:2], 1, "policy", "gets https only"),
                (f"http://127.0.0.1:{nobody}", LOOPBACK, 1, "connection", "refused"),
                (plain.url.replace("http:", "https:"), LOOPBACK, 1, "TLS", "127.0.0.1:"),
                (secure.url, LOOPBACK, 1, "TLS", "issuer is unknown"),
                (silent.url, LOOPBACK, 0, "answer", "closed the connection without an answer")):
            with self.subTest(url=url, step=step):
                found = self.findings("--url", url, *options, code=code)
                self.assertEqual(list(found)[-1], step, found)
                self.assertIn(text, found[step]["text"])

    def test_any_answer_is_judged_and_none_ends_the_program(self):
        for fault, options, verdict, text in (
                ("endless", (), "ok", "HTTP 200"), ("huge", (), "ok", "HTTP 200"),
                ("none", ("--status", "302"), "warning", "HTTP 302"), ("none", ("--status", "410"), "warning", "410"),
                ("none", ("--status", "404", "--body", "x" * 50_000), "ok", "HTTP 404")):
            with self.subTest(fault=fault, options=options[:2]):
                sink = self.place.sink("--fault", fault, *options, plain=True, name=f"sink-{fault}-{len(text)}")
                found = self.findings("--url", sink.url, *LOOPBACK)
                self.assert_finding(found["answer"], verdict, text)
                sink.stop()
        with socket.create_server(("127.0.0.1", 0)) as talker:
            def talk():
                connection = talker.accept()[0]
                with connection, contextlib.suppress(OSError):  # The doctor may have gone.
                    for line in (b"220 mail.example ESMTP\r\n", b"502 what?\r\n", b"502 again\r\n"):
                        connection.sendall(line)
                        time.sleep(0.05)
            thread = threading.Thread(target=talk, daemon=True)
            thread.start()
            found = self.findings("--url", "http://127.0.0.1:%d/" % talker.getsockname()[1], *LOOPBACK, code=1)
            self.assert_finding(found["answer"], "failure", "not an HTTP answer")

    def test_each_address_of_a_name_is_tried(self):
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            self.skipTest("IPv6 IS NOT TRIED: ::1 cannot be used here")
        with listener:
            done = self.run_doctor("--url", "http://localhost:%d/" % listener.getsockname()[1], "--set",
                                   'delivery.allow_networks=["127.0.0.0/8","::1/128"]', "--set",
                                   'delivery.plain_http_networks=["127.0.0.0/8","::1/128"]')
            self.assertRegex(done.stdout, r"FAIL connection +127.0.0.1:\d+: connection refused")
            self.assertRegex(done.stdout, r"ok   connection +open after")

    def test_the_relays_own_address_is_no_receiver(self):
        port = harness.free_port()
        found = self.findings("--listen", f"127.0.0.1:{port}", "--url", f"http://127.0.0.1:{port}/", *LOOPBACK, code=1)
        self.assert_finding(found["policy"], "failure", "the relay's own")


class OwnServers(DoctorTest):
    """The central relay of [forward], and the collector of [tracing]."""

    def setUp(self):
        super().setUp()
        self.token = self.place.path / "central.token"
        self.config = self.place.path / "ringpost.toml"

    def configure(self, **sections):
        lines = []
        for section, keys in sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(str(value))}" for key, value in keys.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def forward(self, relay, *scopes, **keys):
        made = relay.request("POST", "/v1/tokens", {"name": "sidecar", "scopes": list(scopes)})[2]
        self.token.write_text(made["token"])
        self.configure(forward={"url": f"http://127.0.0.1:{relay.port}", "token_file": self.token, **keys})

    def found(self, code=0, *arguments):
        return self.findings("--config", self.config, *arguments, code=code)

    def certificate(self, name, days=365, *options):
        path = self.place.path / name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        str(days), "-subj", f"/CN={name}", "-keyout", f"{path}.key", "-out", f"{path}.crt", *options],
                       check=True, capture_output=True, timeout=30)
        return path

    def serve(self, answer, context=None):
        """Answers every request so, over TLS with a context. @returns the port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def run():
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with contextlib.suppress(OSError):
                    if context:
                        connection = context.wrap_socket(connection, server_side=True)
                    self.requests.append(connection.recv(65536))
                    connection.sendall(answer)
                with contextlib.suppress(OSError):
                    connection.close()
        self.requests = []
        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1]

    def test_a_central_relay_that_takes_everything(self):
        central = self.place.relay(name="central")
        self.forward(central, "events:write", "deliveries:read")
        found = self.found()
        for step, text in (("name", "127.0.0.1 is at"), ("policy", "are allowed"), ("connection", "plain http"),
                           ("answer", "HTTP 200"), ("token", '"sidecar" of the organization default'),
                           ("window", "knows ids for 24h"), ("spool", "nothing was forwarded from here yet")):
            self.assert_finding(found["forward " + step], "ok", text)
        self.assertFalse(any(subject.startswith("tracing") for subject in found))
        self.assertEqual(central.request("GET", "/v1/events")[2]["items"], [])
        text = self.run_doctor("--config", self.config, "--listen", f"127.0.0.1:{harness.free_port()}").stdout
        self.assertRegex(text, r"(?m)^ok   forward token +taken: ")
        self.assertNotIn(self.token.read_text(), text)

    def test_what_is_wrong_with_the_token_and_the_window(self):
        central = self.place.relay("--set", "ingest.idempotency_window=1h", name="central")
        self.forward(central, "events:write")
        found = self.found(1)
        self.assert_finding(found["forward token"], "warning", "deliveries:read")
        self.assert_finding(found["forward window"], "failure", "knows ids for 1h")
        self.forward(central, "deliveries:read", idempotency_window="30m")
        found = self.found(1)
        self.assert_finding(found["forward token"], "failure", "lacks the scope events:write")
        self.assert_finding(found["forward window"], "ok", "after 1800s it is asked")
        self.token.write_text("wrong")
        found = self.found(1)
        self.assert_finding(found["forward token"], "failure", "HTTP 401")
        self.assertIn("ringpost token add", found["forward token"]["remedy"])
        self.assertNotIn("forward window", found)

    def test_the_step_that_fails_says_how_to_mend_it(self):
        self.token.write_text("a-token")
        moved = self.serve(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://b.example.org/\r\nContent-Length: 0\r\n\r\n")
        page = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
        away = self.serve(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        silent = self.serve(b"")
        for url, code, step, verdict, text in (
                ("https://no-such-name.invalid", 1, "name", "failure", "no-such-name.invalid: "),
                (f"http://127.0.0.1:{harness.free_port()}", 1, "connection", "failure", "refused"),
                (f"http://127.0.0.1:{moved}", 1, "answer", "failure", "https://b.example.org/"),
                (f"http://127.0.0.1:{page}", 1, "answer", "failure", "not the answer of a ringpost"),
                (f"http://127.0.0.1:{away}", 0, "answer", "warning", "HTTP 503"),
                (f"http://127.0.0.1:{silent}", 1, "answer", "failure", "closed the connection without an answer")):
            with self.subTest(url=url):
                self.configure(forward={"url": url, "token_file": self.token})
                found = self.found(code)
                steps = [subject for subject in found if subject.startswith("forward ") and subject != "forward spool"]
                self.assertEqual(steps[-1], "forward " + step)
                self.assert_finding(found["forward " + step], verdict, text)
        self.configure(forward={"url": "https://127.0.0.1:1", "token_file": self.token})
        found = self.found(1, "--set", 'delivery.deny_networks=["127.0.0.0/8"]')
        self.assert_finding(found["forward policy"], "failure", "delivery.deny_networks")
        port = harness.free_port()
        self.configure(forward={"url": f"http://127.0.0.1:{port}", "token_file": self.token})
        self.assert_finding(self.found(1, "--listen", f"127.0.0.1:{port}")["forward policy"], "failure", "the relay's own")

    def test_certificates_of_both_sides(self):
        server = self.certificate("server", 365, "-addext", "subjectAltName=IP:127.0.0.1")
        client, other = self.certificate("client", 5), self.certificate("other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{server}.crt", f"{server}.key")
        context.load_verify_locations(f"{client}.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        port = self.serve(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", context)
        self.token.write_text("a-token")
        keys = {"url": f"https://127.0.0.1:{port}", "token_file": self.token}
        for more, step, text, remedy in (
                ({}, "TLS", "certificate is self-signed", "forward.ca_file"),
                ({"ca_file": f"{server}.crt"}, "TLS", "requires a client certificate", "name one that it trusts"),
                ({"ca_file": f"{server}.crt", "certificate_file": f"{other}.crt", "key_file": f"{other}.key"}, "TLS",
                 "TLS failed", "does not take the certificate of forward.certificate_file"),
                ({"ca_file": f"{server}.crt", "certificate_file": f"{client}.crt", "key_file": f"{client}.key"}, "token",
                 "HTTP 401", "ringpost token add")):
            with self.subTest(more=more):
                self.configure(forward={**keys, **more})
                done = self.run_doctor("--json", "--config", self.config, "--listen", f"127.0.0.1:{harness.free_port()}")
                found = json.loads(done.stdout)["findings"]
                failed = [one for one in found if one["verdict"] == "failure"]
                self.assertEqual([one["subject"] for one in failed], ["forward " + step], failed)
                self.assertIn(text, failed[0]["text"])
                self.assertIn(remedy, failed[0]["remedy"])
        self.assertEqual([one["verdict"] for one in found if one["subject"] == "forward certificate"], ["warning"])

    def test_how_much_waits_for_the_central_relay(self):
        self.token.write_text("a-token")
        self.configure(forward={"url": f"http://127.0.0.1:{harness.free_port()}", "token_file": self.token})
        small = ("--set", "server.shards=1", "--set", "journal.segment_bytes=4MiB", "--set", "journal.retention_bytes=48MiB")
        relay = self.place.relay("--config", self.config, *small, name="sidecar")
        self.data = relay.data_dir
        self.assert_finding(self.found(1, *small)["forward spool"], "ok", "0 MiB of the 48 MiB")
        for number in range(36):
            event = {"type": "t", "source": "s", "data": {"text": str(number) * 500_000}}
            while (status := relay.send(event)[0]) != 202:
                self.assertEqual(status, 503)  # The next journal file is still being made.
                time.sleep(0.1)
        deadline = time.monotonic() + 30
        while self.found(1, *small)["forward spool"]["verdict"] == "ok":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertIn("ringpost forward status", self.found(1, *small)["forward spool"]["remedy"])

    def test_a_collector(self):
        good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        headers = self.place.path / "headers"
        headers.write_text("x-api-key: a-secret\n")
        for answer, code, verdict, text, remedy in (
                (good, 0, "ok", "HTTP 200", ""),
                (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 1, "failure", "HTTP 403", "tracing.headers_file"),
                (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 1, "failure", "HTTP 404", "tracing.endpoint"),
                (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", 0, "warning", "HTTP 503", "collector's log"),
                (b"\x00\x00\x06\x04 HTTP/2 ", 1, "failure", "not an HTTP answer", "port")):
            with self.subTest(answer=answer[:30]):
                port = self.serve(answer)
                self.configure(tracing={"endpoint": f"http://127.0.0.1:{port}", "headers_file": headers})
                found = self.found(code)
                self.assert_finding(found["tracing answer"], verdict, text)
                self.assertIn(remedy, found["tracing answer"]["remedy"])
                head, _, body = self.requests[0].partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"POST /v1/traces HTTP/1.1\r\n"), head)
                self.assertIn(b"x-api-key: a-secret", head)
                self.assertEqual(json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"], [])


class SupportBundle(DoctorTest):

    def test_has_what_helps_and_no_secret(self):
        hashed = subprocess.run([harness.RINGPOST, "hash-password"], input="correct horse", capture_output=True, text=True,
                                timeout=60).stdout.strip()
        config = self.place.path / "ringpost.toml"
        config.write_text(f'[log]\nlevel = "debug"\n[[user]]\nemail = "ada@example.org"\npassword = "{hashed}"\n'
                          'organization = "default"\n')
        relay = self.place.relay("--config", config)
        made = relay.add_webhook(url="https://127.0.0.1:1/hook?token=visible", sources=["app/x"],
                                 headers={"Authorization": "Bearer hidden"})
        relay.send({"type": "t", "source": "app/x", "data": {"payload": "private"}})
        output = self.place.path / "bundle.txt"
        arguments = ("support-bundle", "--config", config, "--data-dir", relay.data_dir, "--output", output)
        asked = relay.cli(*arguments, check=False)
        self.assertEqual(asked.returncode, 1)
        self.assertIn("--yes", asked.stdout)
        self.assertFalse(output.exists())
        done = relay.cli(*arguments, "--yes")
        self.assertIn(f"written: {output}", done.stdout)
        self.assertEqual(output.stat().st_mode & 0o777, 0o600)
        text = output.read_text()
        for part in ("== version", "== machine", "== configuration", "== files", "== status", "== metrics", 'level = "debug"',
                     "control.db", "00000001.seg", '"uptime_s"', "ringpost_build_info", "kernel"):
            self.assertIn(part, text)
        for secret in (relay.token, hashed, "ada@example.org", made["secret"], "visible", "hidden", "private",
                       (relay.data_dir.with_name(relay.data_dir.name + ".key")).read_text().strip()):
            self.assertNotIn(secret, text)
        again = relay.cli(*arguments, "--yes", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists", again.stderr.lower())
        relay.stop()
        output.unlink()
        alone = relay.cli(*arguments, "--yes")
        self.assertIn("cannot be reached", output.read_text())
        self.assertEqual(alone.returncode, 0)


if __name__ == "__main__":
    unittest.main()
