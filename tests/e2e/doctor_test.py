"""`ringpost doctor`: what it finds on a good machine, and that each thing that is wrong is named with its remedy."""

import contextlib
import json
import os
import pathlib
import resource
import socket
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
                for _ in range(2):
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
