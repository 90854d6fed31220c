"""Receivers that misbehave: each attempt ends in time, with the outcome that fits, in bounded memory."""

import json
import socket
import threading
import time
import unittest

import harness


class Receiver:
    """A receiver of bytes given beforehand; for what the sink does not do."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.answer = answer
        self.requests = []
        self.open = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.listener.getsockname()[1]

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                self.requests.append(connection.recv(65536))
                if self.answer:
                    connection.sendall(self.answer)
                    connection.close()
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()
        self.thread.join(5)


class ReceiverTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def attempt(self, url, **webhook):
        """Delivers one event in one attempt; returns the attempt and the delivery's end."""
        webhook = self.relay.add_webhook(url=url, **{"schedule": [], "timeout_ms": 5000, **webhook})
        status, answer = self.relay.send({"type": "t", "source": "s", "data": {}})
        self.assertEqual(status, 202, answer)
        delivery = self.relay.wait_for_delivery(
            webhook, lambda found: found["status"] in ("delivered", "dead"))
        self.relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")
        self.assertEqual(len(delivery["attempts"]), 1)
        return delivery["attempts"][0], delivery["status"]

    def receiver(self, answer):
        receiver = Receiver(answer)
        self.addCleanup(receiver.close)
        return receiver

    def test_drip_and_hang_end_at_the_total_time_as_a_timeout(self):
        for fault in ("drip", "hang"):
            with self.subTest(fault):
                sink = self.place.sink("--fault", fault, name=fault, plain=True)
                attempt, end = self.attempt(sink.url, timeout_ms=2500)
                self.assertEqual((attempt["error"]["code"], end), ("timed_out", "dead"))
                self.assertGreaterEqual(attempt["duration_ms"], 2400)
                self.assertLess(attempt["duration_ms"], 5000)
        self.assertEqual(self.relay.status()["totals"]["deliveries_in_flight"], 0)

    def test_a_receiver_that_accepts_and_reads_nothing_is_a_timeout_too(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            attempt, _ = self.attempt("http://127.0.0.1:%d" % listener.getsockname()[1],
                                      timeout_ms=1500)
        self.assertEqual(attempt["error"]["code"], "timed_out")

    def test_endless_answers_count_by_their_status_and_take_no_memory(self):
        before = self.relay.resident_kib()
        for fault in ("endless", "huge"):
            sink = self.place.sink("--fault", fault, name=fault, plain=True)
            for _ in range(3):
                attempt, end = self.attempt(sink.url)
                self.assertEqual(end, "delivered", attempt)
                self.assertEqual(attempt["response"]["status"], 200)
                self.assertTrue(attempt["response"]["truncated"])
                self.assertLessEqual(len(attempt["response"]["body"]), 64 << 10)
                self.assertLess(attempt["duration_ms"], 4500, "drained, not closed")
        self.assertLess(self.relay.resident_kib() - before, 8 << 10)

    def test_cut_reset_refused_and_garbled_answers_fail_with_their_reasons(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        self.assertEqual(self.attempt(nobody)[0]["error"]["code"], "refused")
        reset = self.place.sink("--fault", "reset", name="reset", plain=True)
        attempt, _ = self.attempt(reset.url)
        self.assertIn(attempt["error"]["code"], ("reset", "closed"))
        for answer in (b"nonsense\r\n\r\n", b"\r\nHTTP/1.1 200 OK\r\n\r\n",
                       b"HTTP/1.1 100 Continue\r\nX: " + b"a" * 200000 + b"\r\n\r\n"):
            with self.subTest(answer[:60]):
                attempt, end = self.attempt(self.receiver(answer).url)
                self.assertEqual(end, "dead")
                self.assertIn(attempt["error"]["code"], ("malformed", "too_large"))

    # What the receiver sends, the error that this is, and how its reason reads.
    UNREADABLE = (
        (b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", "malformed", "not 100 to 599"),
        (b"garbage \x1b]0;owned\x07\xff\r\n\r\n", "malformed", "does not begin with HTTP/1.1"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed", "does not begin with HTTP/1.1 or HTTP/1.0"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, "too_large", "too many interim answers"),
        (b"HTTP/1.1 200 OK\r\nX: never ends", "closed", "before the head of its answer was complete"),
    )

    def test_what_is_no_answer_is_explained_and_its_first_bytes_are_shown(self):
        for answer, code, reason in self.UNREADABLE:
            with self.subTest(answer[:60]):
                webhook = self.relay.add_webhook(url=self.receiver(answer).url, schedule=[])
                self.relay.send({"type": "t", "source": "s", "data": {}})
                delivery = self.relay.wait_for_delivery(webhook, lambda d: d["status"] == "dead")
                attempt = delivery["attempts"][0]
                error = attempt["error"]
                self.assertEqual((error["code"], error["side"]), (code, "endpoint"))
                self.assertIn(reason, error["detail"])
                self.assertIsNone(attempt["response"])
                received = error["received"]
                self.assertLessEqual(len(received), 1024)
                self.assertTrue(answer.decode(errors="replace").startswith(received), received)
                self.assertGreaterEqual(len(received), min(len(answer), 18))
                listed = self.relay.deliveries(webhook)[0]["last_attempt"]["error"]
                self.assertEqual((listed["detail"], "received" in listed), (error["detail"], False))
                shown = self.relay.cli("delivery", "show", delivery["id"]).stdout
                self.assertIn(f"{code} (endpoint): {error['detail']}\n    received\n      ", shown)
                raw = self.relay.cli("delivery", "show", delivery["id"], "--json").stdout
                for output in (shown, raw):
                    self.assertNotRegex(output, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
                self.relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")

    def test_a_2xx_whose_body_is_cut_is_a_success(self):
        for plain in (True, False):
            cut = self.place.sink("--fault", "cut", name=f"cut-{plain}", plain=plain)
            for _ in range(3):
                attempt, end = self.attempt(cut.url, tls=cut.tls())
                self.assertEqual((attempt["error"], end), (None, "delivered"))
                self.assertEqual(attempt["response"]["note"], "the answer's body was cut short")
                self.assertTrue(attempt["response"]["truncated"])

    def test_error_statuses_are_tried_again_and_retry_after_is_heeded(self):
        sink = self.place.sink("--fail-first", "1", "--answer-header", "Retry-After: 2", plain=True)
        webhook = self.relay.add_webhook(url=sink.url, schedule=[1])
        self.relay.send({"type": "t", "source": "s", "data": {}})
        delivery = self.relay.wait_for_delivery(webhook, lambda found: found["status"] ==
                                                "delivered")
        first, second = delivery["attempts"]
        self.assertEqual(first["error"]["code"], "bad_status")
        self.assertEqual(first["response"]["status"], 503)
        self.assertIsNone(second["error"])
        rows = sink.received()
        self.assertEqual([row["attempt"] for row in rows], ["1", "2"])
        self.assertEqual(rows[0]["delivery"], rows[1]["delivery"])
        waited = (int(rows[1]["time_ns"]) - int(rows[0]["time_ns"])) / 1e9
        self.assertGreaterEqual(waited, 1.9, "came before Retry-After")
        failing = self.place.sink("--status", "500", name="failing", plain=True)
        attempt, end = self.attempt(failing.url)
        self.assertEqual((attempt["response"]["status"], end), (500, "dead"))

    def test_redirects_are_failures_and_not_followed(self):
        target = self.place.sink(name="target", plain=True)
        for status in ("301", "302", "307", "308"):
            sink = self.place.sink("--status", status, "--answer-header",
                                   f"Location: {target.url}/", name=status, plain=True)
            attempt, end = self.attempt(sink.url)
            self.assertEqual((attempt["response"]["status"], end), (int(status), "dead"))
        self.assertEqual(target.received(), [])

    def test_a_certificate_that_does_not_verify_ends_before_a_request_byte(self):
        sink = self.place.sink()
        for tls in ({}, {"ca": self.place.sink(name="other").ca_file.read_text()}):
            attempt, end = self.attempt(sink.url, tls=tls)
            self.assertEqual((attempt["error"]["code"], end), ("certificate_invalid", "dead"))
            self.assertIsNone(attempt["request"])
            self.assertIn("certificate", attempt["error"]["detail"])
        self.assertEqual(sink.received(), [])
        attempt, end = self.attempt(sink.url, tls={"verify": False})
        self.assertEqual(end, "delivered", attempt)


class Certificates(unittest.TestCase):
    """A company's own CA, for every receiver of the relay."""

    EVENT = {"type": "build/done", "source": "app/one", "data": {}}

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.sink = self.place.sink()

    def end(self, relay, **members):
        webhook = relay.add_webhook(url=self.sink.url, schedule=[], **members)
        relay.send(self.EVENT)
        return relay.wait_for_delivery(
            webhook, lambda found: found["status"] in ("delivered", "dead"))

    def test_its_file_is_trusted_beside_what_a_webhook_names(self):
        relay = self.place.relay("--set", f"delivery.ca_file={self.sink.ca_file}")
        self.assertEqual(self.end(relay)["status"], "delivered")
        other = self.place.sink(name="other")
        dead = self.end(relay, tls=other.tls())
        self.assertEqual(dead["attempts"][0]["error"]["code"], "certificate_invalid")
        self.assertEqual(self.end(relay, tls=self.sink.tls())["status"], "delivered")

    def test_a_reload_brings_it_and_takes_it_away(self):
        file = self.place.path / "relay.toml"
        file.write_text("")
        relay = self.place.relay("--config", file)
        self.assertEqual(self.end(relay)["status"], "dead")
        for text, status in ((f'ca_file = "{self.sink.ca_file}"', "delivered"), ("", "dead")):
            file.write_text("[delivery]\n" + text)
            code, _, answer = relay.request("POST", "/v1/admin/reload")
            self.assertEqual((code, answer["needs_restart"]), (200, []))
            self.assertEqual(self.end(relay)["status"], status)
        file.write_text('[delivery]\nca_file = "/nowhere.pem"')
        code, _, answer = relay.request("POST", "/v1/admin/reload")
        self.assertEqual(code, 422)
        self.assertIn("/nowhere.pem cannot be read", json.dumps(answer))

    def test_every_log_says_why_a_handshake_failed(self):
        relay = self.place.relay()
        dead = self.end(relay, dialect="bitrise", sources=["app/one"], timeout_ms=10000)
        reason = dead["attempts"][0]["error"]["detail"]
        path = f"/v0.1/apps/one/outgoing-webhooks/{dead['webhook']}/delivery-items"
        item = relay.request("GET", path)[2]["data"][0]
        self.assertEqual((item["response_http_status"], item["error"]), (None, reason))


class Destinations(unittest.TestCase):

    FORBIDDEN = ("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.1/",
                 "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://10.0.0.1/",
                 "https://169.254.169.254/latest/meta-data", "https://192.168.1.1/",
                 "https://0.0.0.0/", "https://[fe80::1]/", "https://[fc00::1]/",
                 "https://100.64.0.1/", "https://224.0.0.1/", "http://example.com/",
                 "ftp://example.com/", "https://user:word@example.com/", "https://", "nonsense")

    def test_are_refused_when_the_webhook_is_made(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        relay = place.relay(networks=())
        for url in self.FORBIDDEN:
            with self.subTest(url):
                status, _, answer = relay.request("POST", "/v1/webhooks",
                                                  {"url": url, "sources": ["*"], "events": ["*"]})
                self.assertEqual((status, answer.get("member")), (422, "url"))
        self.assertEqual(relay.status()["webhooks"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
