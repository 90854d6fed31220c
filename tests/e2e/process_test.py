"""The relay as a process: one per directory, clear ends for bad configurations, orderly stops."""

import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

import harness


def run(*arguments, **options):
    """Runs the program to its end; returns its exit code and its output."""
    done = subprocess.run([str(harness.RINGPOST), *map(str, arguments)], capture_output=True,
                          text=True, timeout=20, stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout + done.stderr


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def make_certificate(directory, name="localhost"):
    """A key and a certificate signed by itself, for 127.0.0.1; returns the two files."""
    key, certificate = directory / "own.key", directory / "own.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(certificate)],
                   check=True, capture_output=True, timeout=20)
    return key, certificate


class ProcessTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)


class Lock(ProcessTest):

    def test_keeps_a_second_relay_out_and_is_free_after_a_kill(self):
        first = self.place.relay()
        began = time.monotonic()
        code, said = run("serve", "--data-dir", first.data_dir, "--listen", "127.0.0.1:0")
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(code, 1)
        self.assertIn(f"another relay is running with the data directory {first.data_dir}", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertEqual(first.request("GET", "/v1/status")[0], 200)
        first.kill()
        self.assertEqual(self.place.relay().stop(), 0)


class Configuration(ProcessTest):

    # What is wrong, and what the message must say. Each stands in line 2 of its file.
    WRONG = {
        "syntax": ("[server]\nshards = = 3\n", "c.toml:2:"),
        "unknown key": ("[server]\nshard = 3\n",
                        'c.toml:2:1: unknown key "server.shard"; did you mean "shards"?'),
        "unknown section": ("[server]\n[jornal]\n", 'did you mean "journal"?'),
        "wrong type": ("[server]\nshards = \"two\"\n",
                       "c.toml:2:10: [server] shards must be an integer, not a string"),
        "number with a fraction": ("[server]\nshards = 1.5\n", "c.toml:2:10:"),
        "out of range": ("[server]\nshards = 4096\n",
                         "c.toml:2:10: [server] shards = 4096 is outside 0 to 64"),
        "size out of range": ("[journal]\nsegment_bytes = \"1KiB\"\n",
                              "c.toml:2:17: [journal] segment_bytes = 1KiB is outside 4MiB"),
        "no duration": ("[server]\ndrain_max = \"soon\"\n", "c.toml:2:13:"),
        "no network": ("[delivery]\nallow_networks = [\"10.0.0.0/33\"]\n", "c.toml:2:19:"),
        "no address": ("[[listener]]\naddress = \"nowhere\"\n", "c.toml:2:11:"),
        "one bracket": ("[listener]\naddress = \"127.0.0.1:0\"\n",
                        "must be written as [[listener]]"),
        "unknown level": ("[log]\nlevel = \"loud\"\n", "known: debug, info, warning, error"),
        "together": ("[ingest]\nbatch_bytes_max = \"64KiB\"\n",
                     "ingest.batch_bytes_max must be at least ingest.event_bytes_max"),
    }

    def verdict_of(self, text):
        """What check-config and serve say; they must agree."""
        file = self.place.path / "c.toml"
        file.write_text(text)
        data = self.place.path / "never"
        checked = run("check-config", file)
        served = run("serve", "--config", file, "--data-dir", data)
        self.assertEqual(checked, served)
        self.assertFalse(data.exists(), "half open")
        return checked

    def test_is_refused_with_its_place_and_alike_by_check_and_start(self):
        for name, (text, expected) in self.WRONG.items():
            with self.subTest(name):
                code, said = self.verdict_of(text)
                self.assertEqual(code, 1, said)
                self.assertIn(expected, said)
                self.assertIn(f"{self.place.path}/c.toml", said)

    def test_reports_every_problem_at_once(self):
        _, said = self.verdict_of("[server]\nshards = 99\n[log]\njson = 1\ncolour = true\n")
        for place in ("c.toml:2:", "c.toml:4:", "c.toml:5:"):
            self.assertIn(place, said)

    def test_names_a_file_that_is_missing(self):
        for command in (["check-config"], ["serve", "--config"]):
            code, said = run(*command, self.place.path / "none.toml")
            self.assertEqual(code, 1)
            self.assertIn("none.toml: cannot be read", said)
            code, said = run(*command, self.place.path)
            self.assertEqual((code, "cannot be read" in said), (1, True), said)

    def test_an_empty_data_directory_is_refused(self):
        code, said = run("serve", "--data-dir", "")
        self.assertEqual(code, 1)
        self.assertIn("--data-dir: must not be empty", said)

    def test_wants_certificate_and_key_that_belong_together(self):
        key, certificate = make_certificate(self.place.path)
        listener = '[[listener]]\naddress = "127.0.0.1:0"\ntls = {%s}\n'
        for tls, expected in (
                (f'certificate = "{certificate}"', "needs both certificate and key"),
                (f'certificate = "{certificate}", key = "{certificate}"', "the key that belongs"),
                (f'certificate = "{certificate}", key = "/nowhere.key"', "/nowhere.key cannot be read: not found"),
                (f'certificate = "{key}", key = "{key}"', "are not a PEM certificate")):
            with self.subTest(tls):
                code, said = self.verdict_of(listener % tls)
                self.assertEqual(code, 1, said)
                self.assertIn("c.toml:3:", said)
                self.assertIn(expected, said)

    def test_a_port_in_use_is_named_and_nothing_stays_open(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            code, said = run("serve", "--data-dir", self.place.path / "data", "--listen", address)
        self.assertEqual(code, 1)
        self.assertIn(f"cannot listen at {address}", said)
        self.assertIn("another process listens there", said)
        self.assertEqual(self.place.relay().stop(), 0)

    def test_two_listeners_with_one_address_are_refused_by_the_check_and_the_start(self):
        text = '[[listener]]\naddress = "127.0.0.1:18420"\n[[listener]]\naddress = "0.0.0.0:18420"\n'
        code, said = self.verdict_of(text)
        self.assertEqual(code, 1)
        self.assertIn("c.toml:4:11: [listener] address = ", said)

    def test_a_socket_that_is_bound_and_does_not_listen_yet_is_left_alone(self):
        path = self.place.path / "other.sock"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            code, said = run("serve", "--data-dir", self.place.path / "data", "--listen",
                             f"unix:{path}")
            self.assertEqual(code, 1, said)
            self.assertIn(f"cannot listen at unix:{path}", said)
            other.listen()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))

    def test_a_file_in_the_place_of_a_socket_is_named_for_what_it_is(self):
        file = self.place.path / "precious"
        file.write_text("kept")
        code, said = run("serve", "--data-dir", self.place.path / "data", "--listen", f"unix:{file}")
        self.assertEqual(code, 1)
        self.assertIn(f"cannot listen at unix:{file}: a file that is not a socket is in the way", said)
        self.assertEqual(file.read_text(), "kept")

    def test_an_unknown_key_of_the_command_line_is_named_with_its_option(self):
        code, said = run("serve", "--data-dir", self.place.path / "data", "--set", "foo.bar=1")
        self.assertEqual(code, 1)
        self.assertIn('--set foo.bar=1: unknown key "foo"; known here: ', said)

    def test_the_sinks_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            done = subprocess.run([harness.SINK, "--plain", "--listen", address], text=True,
                                  capture_output=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"ringpost-sink: cannot listen at {address}: another process "
                         "listens there; stop it, or choose another address with --listen\n")

    def test_a_first_start_that_fails_leaves_nothing_that_it_created(self):
        key, certificate = make_certificate(self.place.path)
        config = self.place.path / "wrong.toml"
        config.write_text('[[listener]]\naddress = "127.0.0.1:0"\n'
                          f'tls = {{certificate = "{certificate}", key = "{certificate}"}}\n')
        data = self.place.path / "data"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for arguments in (("--listen", "nonsense"),
                              ("--listen", "192.0.2.1:8420"),
                              ("--listen", f"127.0.0.1:{port}"),
                              ("--listen", "127.0.0.1:0", "--listen", f"127.0.0.1:{port}"),
                              ("--listen", f"unix:{self.place.path}/new.sock",
                               "--listen", f"127.0.0.1:{port}"),
                              ("--listen", f"unix:{self.place.path}/none/a.sock"),
                              ("--config", config),
                              ("--listen", "127.0.0.1:0", "--set",
                               f"secrets.key_file={self.place.path}/none/data.key"),
                              ("--listen", "127.0.0.1:0", "--set",
                               f"secrets.key_file={data}/data.key")):
                with self.subTest(arguments):
                    before = sorted(self.place.path.iterdir())
                    code, said = run("serve", "--data-dir", data, *arguments)
                    self.assertEqual(code, 2 if "nonsense" in arguments else 1, said)
                    self.assertEqual(sorted(self.place.path.iterdir()), before, said)
        data.mkdir()  # A directory that was there stays, and so does what is in it.
        (data / "notes").write_text("kept")
        (data / "journal").write_text("not a directory")
        code, said = run("serve", "--data-dir", data, "--listen", "127.0.0.1:0")
        self.assertEqual(code, 1, said)
        self.assertEqual(sorted(path.name for path in data.iterdir()), ["journal", "notes"])
        self.assertFalse((self.place.path / "data.key").exists())

    def test_a_later_start_that_fails_keeps_everything(self):
        relay = self.place.relay()
        self.assertEqual(relay.stop(), 0)
        kept = [relay.data_dir / "admin.token", relay.data_dir / "control.db",
                self.place.path / "data.key"]
        before = [path.stat().st_ino for path in kept]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, said = run("serve", "--data-dir", relay.data_dir, "--listen",
                             "127.0.0.1:%d" % taken.getsockname()[1])
        self.assertEqual(code, 1, said)
        self.assertEqual([path.stat().st_ino for path in kept], before)

    def test_warns_of_tokens_over_plain_http_on_the_network(self):
        for address, warned in (("0.0.0.0:0", True), ("127.0.0.1:0", False), ("[::1]:0", False),
                                (f"unix:{self.place.path}/socket", False)):
            with self.subTest(address):
                data = self.place.path / f"data{len(address)}"
                relay = subprocess.Popen([harness.RINGPOST, "serve", "--data-dir", data,
                                          "--listen", address], stderr=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
                self.addCleanup(relay.kill)
                self.assertIn("ready", relay.stdout.readline())
                relay.terminate()
                said = relay.communicate(timeout=20)[1]
                self.assertEqual("has no TLS and is not on loopback" in said, warned, said)
                self.assertNotIn("engine features", said)

    def test_every_problem_of_a_configuration_says_which_program_speaks(self):
        for command in (["check-config"], ["serve", "--config"]):
            code, said = run(*command, self.place.path / "none.toml")
            self.assertEqual(code, 1)
            self.assertTrue(said.startswith("ringpost: "), said)

    def test_another_relays_port_is_in_use_too(self):
        first = self.place.relay()
        code, said = run("serve", "--data-dir", self.place.path / "other", "--listen",
                         f"127.0.0.1:{first.port}")
        self.assertEqual(code, 1)
        self.assertIn("another process listens there", said)
        self.assertEqual(first.stop(), 0)

    def test_a_start_after_one_that_failed_writes_a_token_that_works(self):
        data = self.place.path / "data"
        data.mkdir()
        (data / "journal").write_text("not a directory")
        code, said = run("serve", "--data-dir", data, "--listen", "127.0.0.1:0")
        self.assertEqual(code, 1)
        self.assertIn(f"{data}/journal cannot be created", said)
        (data / "journal").unlink()
        relay = self.place.relay()
        self.assertEqual(run("status", "--url", f"http://127.0.0.1:{relay.port}", "--token",
                             f"@{data / 'admin.token'}")[0], 0)
        self.assertEqual(relay.stop(), 0)

    def test_a_first_start_that_fails_tells_nobody_of_token_and_key_so_the_next_does(self):
        data = self.place.path / "data"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for _ in range(2):
                code, said = run("serve", "--data-dir", data, "--listen", address)
                self.assertEqual((code, "admin.token" in said), (1, False), said)
        with open("/dev/full", "w", encoding="ascii") as full:  # Nobody reads it: not told either.
            deaf = subprocess.Popen([harness.RINGPOST, "serve", "--data-dir", data, "--listen",
                                     f"unix:{self.place.path}/socket"], stdout=full,
                                    stderr=subprocess.PIPE, text=True)
            while "journals read" not in (line := deaf.stderr.readline()):
                self.assertNotEqual(line, "", "it ended")
            time.sleep(0.2)
            deaf.terminate()
            deaf.communicate(timeout=20)
        for told in (True, False):
            relay = self.place.relay()
            relay.read(0.2)
            said = "\n".join(relay.lines)
            self.assertEqual(f"the admin token is in {data}/admin.token" in said, told, said)
            self.assertEqual(f"the new key in {data}.key: keep a copy elsewhere" in said, told, said)
            self.assertEqual(relay.stop(), 0)  # In order: a kill may come before the note is durable.

    def test_a_refusal_in_the_middle_of_a_large_request_is_told(self):
        relay = self.place.relay()
        file = self.place.path / "events.ndjson"
        event = json.dumps({"type": "t", "source": "s", "data": {"padding": "x" * 10000}})
        file.write_text(f"{event}\n" * 500)
        wrong = self.place.path / "wrong"
        wrong.write_text("wrong")
        for _ in range(5):
            code, said = run("send", "--url", f"http://127.0.0.1:{relay.port}", "--token",
                             f"@{wrong}", file)
            self.assertIn(code, (1, 3), said)  # 3: reset before the answer was read.
            self.assertIn("ringpost: ", said)
            self.assertNotIn("assertion", said)
        self.assertEqual(relay.stop(), 0)

    def test_the_example_passes_the_check(self):
        code, example = run("check-config", "--example")
        self.assertEqual(code, 0)
        file = self.place.path / "example.toml"
        file.write_text(example)
        self.assertEqual(run("check-config", file), (0, f"{file}: ok\n"))

    def test_wrong_use_of_the_command_line_is_told_and_exits_with_2(self):
        for arguments in ([], ["nonsense"], ["serve", "--nonsense"], ["check-config"],
                          ["webhook"], ["webhook", "show"], ["delivery", "show"], ["send", "/"],
                          ["webhook", "update", "X"], ["webhook", "add", "--url", "https://a.test",
                                                       "--schedule", "1", "--no-retries"]):
            with self.subTest(arguments):
                code, said = run(*arguments)
                self.assertEqual(code, 2)
                self.assertNotEqual(said.strip(), "")
        for option, value, form in (("--set", "shards", "the form section.key=value"), ("--listen", "8420", "an address like 127.0.0.1:8420")):
            code, said = run("serve", option, value)
            self.assertEqual((code, f"{option}: must " in said, form in said, f'not "{value}"' in said), (2, True, True, True), said)
        self.assertIn('"frobnicate"', run("webhook", "frobnicate")[1])
        self.assertIn('no command "staus"; did you mean "status"?', run("staus")[1])
        self.assertIn('no option "--jason"; did you mean "--json"?', run("status", "--jason")[1])
        code, said = run("serve", "--set", "server.shards=many")
        self.assertEqual(code, 1)
        self.assertIn("--set server.shards=many", said)


class Help(unittest.TestCase):

    COMMANDS = ([], ["serve"], ["check-config"], ["send"], ["status"], ["reload"], ["webhook"],
                *(["webhook", name] for name in ("add", "list", "show", "update", "remove",
                                                 "enable", "disable", "rotate-secret")),
                ["delivery"], *(["delivery", name] for name in ("list", "show", "redeliver")))

    def test_is_there_for_every_command(self):
        for command in self.COMMANDS:
            with self.subTest(command):
                code, said = run(*command, "--help")
                self.assertEqual(code, 0)
                self.assertIn("Usage:", said)
                # The name, not the path that it was started by.
                self.assertIn(" ".join(["Usage: ringpost", *command, "[OPTIONS]"]), said)
                self.assertEqual(run("help", *command), (0, said))
                if command not in ([], ["webhook"], ["delivery"]):
                    self.assertIn("Exit codes:", said)
        self.assertRegex(run("--version")[1], r"^ringpost \d+\.\d+\.\d+\n$")


class Stop(ProcessTest):

    def test_right_after_the_start_is_in_order_too(self):
        """The control side still prepares segments then, and wakes shards that may be gone."""
        for delay in (0, 0, 0, 0.01, 0.02, 0.05, 0.1):
            relay = self.place.relay()
            time.sleep(delay)
            self.assertEqual(relay.stop(), 0, relay.lines)

    def relay(self, *options):
        return self.place.relay("--set", "delivery.connections_per_endpoint_max=1024", *options)

    def start_with_load(self, drain):
        """A relay under load, one of whose receivers hangs; returns it and what was acknowledged: the
        hashes of the events' data."""
        self.sink = self.place.sink(plain=True)
        hanging = self.place.sink("--fault", "hang", name="hanging", plain=True)
        relay = self.relay("--set", f"server.drain_max={drain}")
        relay.add_webhook(url=self.sink.url, sources=["good/*"])
        self.stuck = relay.add_webhook(url=hanging.url, sources=["stuck/*"], timeout_ms=30000)
        noted = []
        self.sent = set()
        self.assertEqual(relay.send({"type": "t", "source": "stuck/1", "data": {}})[0], 202)
        hanging.wait_for_count(1)

        def send(number):
            connection, token = relay.connect(), relay.token
            try:
                for count in range(100000):
                    data = '{"client":%d,"n":%d}' % (number, count)
                    self.sent.add(sha256(data))
                    status, _, answer = relay.request(
                        "POST", "/v1/events", '{"type":"t","source":"good/%d","data":%s}' %
                        (number, data), {"Authorization": f"Bearer {token}"}, connection)
                    if status != 202:
                        break
                    noted.append(sha256(data))
            except (OSError, harness.http.client.HTTPException):
                pass

        self.threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        return relay, noted

    def assert_nothing_lost(self, noted):
        for thread in self.threads:
            thread.join(10)
        self.assertGreater(len(noted), 10)
        relay = self.relay()
        deadline = time.monotonic() + 30
        while relay.status()["backlog"] > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(relay.status()["backlog"], 1, "all but the one that hangs")
        received = {row["sha256"] for row in self.sink.received()}
        self.assertEqual(set(noted) - received, set(), "lost")
        self.assertEqual(received - self.sent, set(), "never sent, or altered")
        found = relay.deliveries(self.stuck)
        self.assertIn(found[0]["status"], ("pending", "in_flight"))
        relay.kill()

    def test_ends_with_0_within_the_drain_time_and_loses_nothing(self):
        relay, noted = self.start_with_load(drain="2s")
        began = time.monotonic()
        self.assertEqual(relay.stop(seconds=10), 0)
        took = time.monotonic() - began
        self.assertGreater(took, 1.0, "the hanging delivery got no time")
        self.assertLess(took, 6)
        self.assert_nothing_lost(noted)

    def test_a_second_signal_shortens_it(self):
        relay, noted = self.start_with_load(drain="60s")
        began = time.monotonic()
        relay.child.send_signal(signal.SIGTERM)
        relay.wait_for("stopping")
        self.assertEqual(relay.stop(seconds=10), 0)
        self.assertLess(time.monotonic() - began, 8)
        self.assert_nothing_lost(noted)

    def test_with_500_deliveries_in_flight_a_second_signal_loses_none(self):
        """Reliability P-1, whole: under load, with a receiver that hangs and 500 that are slow."""
        relay, noted = self.start_with_load(drain="60s")
        slow = self.place.sink("--delay-ms", "8000", name="slow", plain=True)
        webhooks = 125  # Each begins with four attempts at once.
        for number in range(webhooks):
            relay.add_webhook(url=slow.url, sources=[f"slow/{number}"], schedule=[1] * 20,
                              timeout_ms=30000)
        datas = ['{"slow":%d}' % number for number in range(500)]
        status, answer = relay.send("".join(
            '{"type":"t","source":"slow/%d","data":%s}\n' % (number % webhooks, data)
            for number, data in enumerate(datas)), "application/x-ndjson")
        self.assertEqual((status, answer["accepted"]), (202, 500))
        slow_noted = {sha256(data) for data in datas}
        deadline = time.monotonic() + 7
        while relay.status()["totals"]["deliveries_in_flight"] < 501:
            self.assertLess(time.monotonic(), deadline, relay.status()["totals"])
            time.sleep(0.02)
        relay.child.send_signal(signal.SIGTERM)
        relay.wait_for("stopping")
        self.assertEqual(relay.stop(seconds=10), 0)

        relay = self.relay()
        waiting = {delivery["id"] for delivery in self.deliveries_of(relay, slow.url)
                   if delivery["status"] != "delivered"}
        self.assertGreater(len(waiting), 400, "the second signal did not shorten the drain")
        relay.kill()
        self.assert_nothing_lost(noted)
        received = {row["sha256"] for row in slow.received()}
        self.assertEqual(slow_noted - received, set(), "lost")
        self.assertEqual(received - slow_noted, set(), "never sent, or altered")

    def deliveries_of(self, relay, url):
        webhooks = relay.request("GET", "/v1/webhooks?limit=200")[2]["items"]
        return [delivery for webhook in webhooks if webhook["url"].rstrip("/") == url
                for delivery in relay.deliveries(webhook)]


class Output(ProcessTest):
    """What nobody reads, or nobody opened, holds up neither service nor end."""

    def serve(self, redirection="", *arguments, **options):
        """A relay whose output goes where a shell's `redirection` says; waits until it answers."""
        data = self.place.path / "data"
        port = harness.free_port()
        command = ["sh", "-c", f'exec "$0" "$@" {redirection}', str(harness.RINGPOST), "serve",
                   "--data-dir", str(data), "--listen", f"127.0.0.1:{port}", *arguments]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + harness.START_SECONDS
        while self.ask(port, "/healthz") != 200:
            self.assertIsNone(child.poll(), "it ended")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        return child, port, data

    @staticmethod
    def ask(port, path, token=None, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self, child):
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), 0)

    @staticmethod
    def full_pipe():
        """Both ends of a pipe that takes no more."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        return reader, writer

    def test_closed_descriptors_are_taken_by_no_file_of_ours(self):
        for redirection in ("2>&-", ">&-", "<&-", "<&- >&- 2>&-"):
            with self.subTest(redirection):
                child, port, data = self.serve(redirection, "--set", "log.level=debug")
                token = (data / "admin.token").read_text().strip()
                self.assertEqual(self.ask(port, "/v1/status", token), 200)
                for number in range(3):
                    held = os.readlink(f"/proc/{child.pid}/fd/{number}")
                    self.assertFalse(held.startswith((str(data), "socket:")), held)
                self.stop(child)
                self.assertRegex((data / "lock").read_text(), r"\Aprocess \d+ [^\n]*\n\Z")

    def test_a_log_that_nobody_reads_holds_up_nobody(self):
        reader, writer = self.full_pipe()
        self.addCleanup(os.close, reader)
        child, port, data = self.serve("", stderr=writer, stdout=subprocess.DEVNULL)
        os.close(writer)
        token = (data / "admin.token").read_text().strip()
        for _ in range(50):
            self.assertIn(self.ask(port, "/v1/status", "wrong"), (401, 429))
        self.assertEqual(self.ask(port, "/v1/status", token), 200)
        self.stop(child)

    # What is dropped is counted, shown, and told once lines are read again.
    def test_the_lines_that_nobody_read_are_counted(self):
        reader, writer = self.full_pipe()
        self.addCleanup(os.close, reader)
        config = self.place.path / "relay.toml"
        config.write_text("")
        child, port, data = self.serve("", "--config", config, stderr=writer,
                                       stdout=subprocess.DEVNULL)
        os.close(writer)
        token = (data / "admin.token").read_text().strip()
        self.assertEqual(self.status(port, token)["log_lines_dropped"], 0)
        config.write_text("[log]\n" + "".join(f"key{number} = 1\n" for number in range(200)))
        for _ in range(110):
            self.assertEqual(self.ask(port, "/v1/admin/reload", token, "POST"), 422)
        dropped = self.status(port, token)["log_lines_dropped"]
        self.assertGreater(dropped, 0)
        text, told = b"", None
        deadline = time.monotonic() + 60
        while told is None and time.monotonic() < deadline:
            text = text[-200:] + os.read(reader, 65536)
            told = re.search(rb"(\d+) log lines were dropped, because nobody read", text)
        self.assertGreaterEqual(int(told[1]), dropped)
        self.stop(child)

    def status(self, port, token):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def test_standard_output_that_is_full_at_the_start_holds_up_nobody(self):
        reader, writer = self.full_pipe()
        self.addCleanup(os.close, reader)
        child, port, data = self.serve("", stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        token = (data / "admin.token").read_text().strip()
        self.assertEqual(self.ask(port, "/v1/status", token), 200)
        self.stop(child)

    def test_a_start_that_fails_ends_though_nobody_reads_why(self):
        reader, writer = self.full_pipe()
        self.addCleanup(os.close, reader)
        (self.place.path / "data").write_text("a file")
        child = subprocess.Popen([harness.RINGPOST, "serve", "--data-dir", self.place.path / "data"],
                                 stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
        os.close(writer)
        self.assertEqual(child.wait(20), 1)

    def test_signals_that_mean_nothing_end_nothing(self):
        child, port, data = self.serve("", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM,
                       signal.SIGPROF, signal.SIGIO, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP,
                       signal.SIGRTMIN, signal.SIGRTMAX):
            child.send_signal(number)
        time.sleep(0.2)
        self.assertEqual(self.ask(port, "/readyz"), 200)
        child.send_signal(signal.SIGPWR)
        self.assertEqual(child.wait(20), 0)

    def test_a_limit_of_file_size_is_a_failed_write_and_no_sudden_end(self):
        child, port, data = self.serve("", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        token = (data / "admin.token").read_text().strip()
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("POST", "/v1/events", '{"type":"t","source":"s","data":{}}',
                               {"Authorization": f"Bearer {token}",
                                "Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().status, 503)
        except (http.client.HTTPException, OSError):
            pass  # Whether it is stored nobody can know.
        finally:
            connection.close()
        self.assertEqual(self.ask(port, "/healthz"), 200)
        self.assertEqual(self.ask(port, "/readyz"), 503)
        asked = subprocess.run([harness.RINGPOST, "status", "--ready", "--url", f"http://127.0.0.1:{port}"],
                               capture_output=True, text=True)
        self.assertEqual((asked.returncode, asked.stdout), (1, ""), asked.stderr)
        self.stop(child)

    def test_the_sink_ends_though_nobody_reads_what_it_prints(self):
        reader, writer = self.full_pipe()
        self.addCleanup(os.close, reader)
        child = subprocess.Popen([harness.SINK, "--plain", "--listen", "127.0.0.1:0"],
                                 stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        child.wait(20)


class Crowd(ProcessTest):

    def test_who_asks_is_served_among_many_that_only_hold_connections(self):
        relay = self.place.relay("--set", "server.shards=1", "--set", "ingest.connections_max=100")
        idle = []
        self.addCleanup(lambda: [one.close() for one in idle])
        for round_ in range(10):
            for _ in range(60):
                idle.append(socket.create_connection(("127.0.0.1", relay.port)))
            event = '{"type":"t","source":"s","data":{}}'
            self.assertEqual(relay.request("POST", "/v1/events", event)[0], 202, round_)
        totals = relay.request("GET", "/v1/status")[2]["totals"]
        self.assertGreater(totals["connections_displaced"], 400)

    def test_announced_bodies_take_no_room(self):
        relay = self.place.relay("--set", "server.shards=1", "--set", "ingest.bodies_bytes_max=32MiB")
        idle = []
        self.addCleanup(lambda: [one.close() for one in idle])
        for _ in range(17):
            idle.append(socket.create_connection(("127.0.0.1", relay.port)))
            idle[-1].sendall(f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                             f"{relay.token}\r\nContent-Type: application/x-ndjson\r\n"
                             f"Content-Length: {16 << 20}\r\n\r\nx".encode())
        time.sleep(0.5)
        event = json.dumps({"type": "t", "source": "s", "data": {"text": "x" * 500_000}})
        self.assertEqual(relay.request("POST", "/v1/events", event)[0], 202)


if __name__ == "__main__":
    unittest.main(verbosity=2)
