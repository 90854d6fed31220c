"""A running relay reads its configuration again: all of it or nothing, and no connection is dropped."""

import http.client
import json
import signal
import ssl
import subprocess
import threading
import time
import unittest

import harness
from process_test import make_certificate, run

# The Unix socket is the first shard's alone: on the others a listener's number is not its place.
LISTENERS = '''
[[listener]]
address = "unix:own.socket"
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
tls = {certificate = "own.crt", key = "own.key"}
'''


class ConfiguredRelay(harness.Relay):
    """A relay whose configuration is all in its file: plain and TLS, on ports that the kernel chose."""

    def __init__(self, place):
        self.data_dir = place / "data"
        self.file = place / "ringpost.toml"
        harness.Process.__init__(
            self, [harness.RINGPOST, "serve", "--config", self.file, "--data-dir", self.data_dir],
            r"ready: http://127\.0\.0\.1:(\d+)")
        self.port = int(self.match.group(1))
        self.tls_port = int(self.wait_for(r"ready: https://127\.0\.0\.1:(\d+)").group(1))

    def reload(self):
        return self.request("POST", "/v1/admin/reload")

    def hang_up(self, seconds=10):
        """The signal; returns what became of it."""
        before = self.status()["last_reload"]
        self.child.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + seconds
        while (last := self.status()["last_reload"]) == before:
            assert time.monotonic() < deadline, "SIGHUP was not heeded"
            time.sleep(0.01)
        return last

    def said(self, text):
        """Whether the log has it; the log has a thread of its own."""
        deadline = time.monotonic() + 5
        while not any(text in line for line in self.lines) and time.monotonic() < deadline:
            self.read(0.05)
        return any(text in line for line in self.lines)

    def connect_tls(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.tls_port, timeout=30, context=context)


def shown_certificate(connection):
    return connection.sock.getpeercert(binary_form=True)


class Load:
    """Producers on kept connections, from beginning to end; each answer is noted."""

    def __init__(self, relay, connections):
        self.relay = relay
        self.statuses = []
        self.failures = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(number, connection))
                        for number, connection in enumerate(connections)]
        for thread in self.threads:
            thread.start()

    def send(self, number, connection):
        token, count = self.relay.token, 0
        try:
            connection.connect()
            socket = connection.sock
            while not self.ending.is_set():
                count += 1
                status, _, _ = self.relay.request(
                    "POST", "/v1/events",
                    '{"type":"t","source":"load/%d","id":"%d","data":{}}' % (number, count),
                    {"Authorization": f"Bearer {token}"}, connection)
                self.statuses.append(status)
                assert connection.sock is socket, "another connection"
        except (OSError, AssertionError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(30)


class ReloadTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def configure(self, server="", ingest="", delivery="", log="", more="", networks=True):
        """Writes the file; certificates are always at the same place."""
        allowed = '["127.0.0.0/8"]' if networks else "[]"
        listeners = LISTENERS.replace("own.", f"{self.place.path}/own.")
        (self.place.path / "ringpost.toml").write_text(
            f"[server]\nshards = 2\n{server}\n[ingest]\n{ingest}\n[journal]\n"
            f'segment_bytes = "4MiB"\n[delivery]\nallow_networks = {allowed}\n'
            f"plain_http_networks = {allowed}\n{delivery}\n[log]\n{log}\n{listeners}{more}")

    def start(self, **sections):
        make_certificate(self.place.path)
        self.configure(**sections)
        relay = ConfiguredRelay(self.place.path)
        self.place.processes.append(relay)
        return relay

    def user(self, email, password):
        hashed = subprocess.run([harness.RINGPOST, "hash-password"], input=password, text=True,
                                capture_output=True, check=True, timeout=60).stdout.strip()
        return f'[[user]]\nemail = "{email}"\npassword = "{hashed}"\n'

    def login(self, relay, email, password):
        while True:  # There is a bound on verifications a second.
            status, headers, _ = relay.request("POST", "/users/login",
                                               {"email": email, "password": password})
            if status != 429:
                return status
            time.sleep(int(headers["Retry-After"]))


class Live(ReloadTest):

    def test_under_load_all_of_it_takes_effect_and_no_connection_is_dropped(self):
        """By turns by signal and by the API, over plain and TLS connections that are kept."""
        relay = self.start()
        sink = self.place.sink(plain=True)
        relay.add_webhook(url=sink.url, sources=["load/*"])
        load = Load(relay, [relay.connect(), relay.connect(), relay.connect_tls(),
                            relay.connect_tls()])
        shown = set()
        for turn in range(10):
            make_certificate(self.place.path)  # Renewed, under the same names.
            self.configure(delivery=f"connections_per_endpoint_max = {turn % 3 + 1}",
                           ingest=f"connections_max = {100 + turn}")
            if turn % 2 == 0:
                self.assertTrue(relay.hang_up()["ok"])
            else:
                status, _, answer = relay.reload()
                self.assertEqual((status, answer["needs_restart"]), (200, []))
            connection = relay.connect_tls()
            connection.connect()
            expected = ssl.PEM_cert_to_DER_cert((self.place.path / "own.crt").read_text())
            self.assertEqual(shown_certificate(connection), expected)
            shown.add(expected)
            connection.close()
        self.assertEqual(len(shown), 10)
        load.end()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.statuses), {202})
        self.assertGreater(len(load.statuses), 100)
        self.assertEqual(relay.wait_until_settled()["totals"]["deliveries_delivered"],
                         len(load.statuses))
        self.assertEqual(relay.stop(), 0)

    def test_limits(self):
        relay = self.start()
        kept = relay.connect()
        self.addCleanup(kept.close)
        event = json.dumps({"type": "t", "source": "s", "data": {"x": "x" * 5000}})
        post = lambda: relay.request("POST", "/v1/events", event, connection=kept)[0]
        self.assertEqual(post(), 202)
        self.configure(ingest='event_bytes_max = "2KiB"')
        self.assertEqual(relay.reload()[0], 200)
        self.assertEqual(post(), 413)
        self.configure()
        self.assertTrue(relay.hang_up()["ok"])
        self.assertEqual(post(), 202)

    def test_more_memory_than_there_is_is_warned_of(self):
        relay = self.start(server='memory_max = "120MiB"')
        self.configure(server='memory_max = "120MiB"', delivery="pending_max = 1000000")
        self.assertEqual(relay.reload()[0], 200)
        self.assertTrue(relay.said("the relay may use only 120 MiB"), relay.lines)
        self.assertTrue(relay.said("warning the configured limits allow up to"), relay.lines)

    def test_networks(self):
        relay = self.start()
        sink = self.place.sink(plain=True)
        webhook = relay.add_webhook(url=sink.url, sources=["s"], schedule=[])
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        sink.wait_for_count(1)
        self.configure(networks=False)
        self.assertEqual(relay.reload()[0], 200)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        dead = relay.wait_for_delivery(webhook, lambda found: found["status"] == "dead")
        self.assertEqual(dead["attempts"][0]["error"]["code"], "destination_denied")
        status, _, _ = relay.request("POST", "/v1/webhooks", {"url": sink.url})
        self.assertEqual(status, 422)
        self.configure()
        self.assertTrue(relay.hang_up()["ok"])
        self.assertEqual(relay.request("POST", "/v1/webhooks", {"url": sink.url})[0], 201)
        self.assertEqual(len(sink.received()), 1)

    def test_users_networks_that_are_told_and_the_log(self):
        relay = self.start(more=self.user("ada@example.org", "old password"))
        self.assertEqual(self.login(relay, "ada@example.org", "old password"), 200)
        self.configure(more=self.user("ada@example.org", "new password"), log='level = "error"',
                       server='webhook_ips = ["192.0.2.0/24"]')
        self.assertEqual(relay.reload()[0], 200)
        self.assertEqual(self.login(relay, "ada@example.org", "new password"), 200)
        self.assertEqual(self.login(relay, "ada@example.org", "old password"), 401)
        self.assertIn("192.0.2.0/24", str(relay.request("GET", "/v2/meta")[2]))
        self.configure()
        self.assertEqual(relay.reload()[0], 200)
        self.assertTrue(relay.said("changed: server.webhook_ips, user, log.level"), relay.lines)
        count = sum("configuration reloaded" in line for line in relay.lines)
        self.assertEqual(count, 1, "the first was not for the log of that level")

    def test_how_long_a_stop_waits(self):
        relay = self.start(server='drain_max = "60s"')
        sink = self.place.sink("--fault", "hang", plain=True)
        relay.add_webhook(url=sink.url, timeout_ms=30000)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        sink.wait_for_count(1)
        self.configure(server='drain_max = "1s"')
        self.assertEqual(relay.reload()[0], 200)
        self.assertEqual(relay.stop(seconds=20), 0)

    def test_what_waits_for_a_restart_is_named(self):
        relay = self.start()
        self.configure(server='drain_max = "5s"', log="json = true",
                       more='[[listener]]\naddress = "127.0.0.1:1"\n')
        status, _, answer = relay.reload()
        self.assertEqual((status, answer["needs_restart"]), (200, ["listener", "log.json"]))
        self.assertTrue(relay.said("the new value of log.json takes effect after a restart"))
        self.assertEqual(relay.status()["last_reload"], {
            "ok": True, "at": answer["applied_at"], "problem": None,
            "needs_restart": ["listener", "log.json"]})
        newest = relay.request("GET", "/v1/audit?limit=1")[2]["items"][0]
        self.assertEqual((newest["operation"], newest["members"]),
                         ("configuration.reload", ["server.drain_max"]))


class Refused(ReloadTest):

    WRONG = {
        "syntax": ({"log": "level = = 3"}, "ringpost.toml:"),
        "unknown key": ({"server": "drain = 3"}, 'unknown key "server.drain"'),
        "out of range": ({"ingest": "connections_max = 0"}, "connections_max = 0 is outside"),
        "together": ({"ingest": 'batch_bytes_max = "64KiB"'}, "must be at least"),
    }

    def assert_refused(self, relay, expected):
        """By the API, the signal and the client alike; check-config says the same."""
        before = relay.status()
        status, headers, problem = relay.reload()
        self.assertEqual(status, 422, problem)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        first = problem["errors"][0]
        self.assertEqual(first["file"], str(relay.file))
        self.assertIn(expected, f"{first['file']}:{first['line']}: {first['text']}")
        last = relay.hang_up()
        self.assertFalse(last["ok"])
        self.assertIn(expected, last["problem"])
        self.assertTrue(relay.said("configuration not reloaded: " + last["problem"]))
        checked = json.loads(run("check-config", "--json", relay.file)[1])
        self.assertEqual(checked["problems"], problem["errors"])
        done = relay.cli("reload", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the previous configuration remains in effect\n  " + last["problem"], done.stderr)
        self.assertEqual(relay.status()["last_reload"]["needs_restart"],
                         (before["last_reload"] or {"needs_restart": []})["needs_restart"])

    def test_as_a_whole_and_the_old_one_stays_in_force(self):
        relay = self.start(ingest='event_bytes_max = "8KiB"')
        load = Load(relay, [relay.connect(), relay.connect_tls()])
        old = ssl.PEM_cert_to_DER_cert((self.place.path / "own.crt").read_text())
        make_certificate(self.place.path)  # Good by itself; the file beside it is not.
        for name, (sections, expected) in self.WRONG.items():
            with self.subTest(name):
                limit = 'event_bytes_max = "2MiB"\n' if name == "together" else ""
                self.configure(**{**sections, "ingest": limit + sections.get("ingest", "")},
                               networks=False)
                self.assert_refused(relay, expected)
                connection = relay.connect_tls()
                connection.connect()
                self.assertEqual(shown_certificate(connection), old)
                connection.close()
                large = {"type": "t", "source": "s", "data": {"x": "x" * 10000}}
                self.assertEqual(relay.send(large)[0], 413)
                self.assertEqual(
                    relay.request("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/"})[0], 201)
        load.end()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.statuses), {202})
        self.configure()
        done = relay.cli("reload")
        self.assertIn("configuration reloaded at ", done.stdout)
        self.assertTrue(relay.status()["last_reload"]["ok"])

    def test_a_certificate_without_its_key(self):
        relay = self.start()
        own = (self.place.path / "own.key").read_bytes()
        make_certificate(self.place.path)
        (self.place.path / "own.key").write_bytes(own)  # The renewal is half done.
        self.configure(ingest='event_bytes_max = "2KiB"')
        self.assert_refused(relay, "the key that belongs to it")
        large = {"type": "t", "source": "s", "data": {"x": "x" * 5000}}
        self.assertEqual(relay.send(large)[0], 202)

    def test_a_file_that_is_gone(self):
        relay = self.start()
        relay.file.unlink()
        self.assert_refused(relay, "cannot be read")
        self.assertIn("REFUSED", relay.cli("status").stdout)

    def test_with_a_token_that_is_not_the_operators(self):
        relay = self.start()
        token = relay.request("POST", "/v1/tokens", {
            "name": "other", "organization": "other", "scopes": ["admin"]})[2]["token"]
        status, _, _ = relay.request("POST", "/v1/admin/reload",
                                     headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(status, 403)
        self.assertIsNone(relay.status()["last_reload"])


class WithoutAFile(ReloadTest):

    def test_a_reload_is_fine(self):
        relay = self.place.relay()
        status, _, answer = relay.request("POST", "/v1/admin/reload")
        self.assertEqual((status, answer["needs_restart"]), (200, []))
        self.assertEqual(json.loads(relay.cli("reload", "--json").stdout)["needs_restart"], [])
        done = relay.cli("reload", "--url", "http://127.0.0.1:1", check=False)
        self.assertEqual(done.returncode, 3)

    def test_signals_in_a_row_and_one_while_it_stops(self):
        relay = self.place.relay()
        for _ in range(50):
            relay.child.send_signal(signal.SIGHUP)
        relay.child.send_signal(signal.SIGTERM)
        relay.child.send_signal(signal.SIGHUP)
        self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
