"""OpenTelemetry's own SDK is the producer and the receiver, and its own protocol decodes what the relay exports: one trace."""

import json
import subprocess
import time
import unittest

import foreign
import harness

SECONDS = 30


class Tracing(unittest.TestCase):

    def setUp(self):
        python = foreign.need(foreign.python("python"))
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.peer = subprocess.Popen([python, foreign.HERE / "tracing_peer.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.url = f"http://127.0.0.1:{json.loads(self.peer.stdout.readline())['port']}"
        headers = self.place.path / "collector.headers"
        headers.write_text("x-api-key: hush\n")
        self.relay = self.place.relay(
            "--set", f'tracing.endpoint="{self.url}"', "--set", f'tracing.headers_file="{headers}"',
            "--set", 'tracing.attributes=["deployment.environment.name=test"]')

    def end(self):
        self.peer.kill()
        self.peer.wait()
        self.peer.stdin.close()
        self.peer.stdout.close()

    def ask(self, *words):
        print(*words, file=self.peer.stdin, flush=True)
        return json.loads(self.peer.stdout.readline())

    def send(self, identity):
        self.assertEqual(self.ask("send", f"http://127.0.0.1:{self.relay.port}", self.relay.token, identity), {"status": 202})

    def spans(self, count):
        """The report, once it has so many spans of the relay's."""
        deadline = time.monotonic() + SECONDS
        while True:
            report = self.ask("report")
            self.assertEqual(report["failures"], [])
            ours = [one for one in report["spans"] if one["of"] == "ringpost"]
            if len(ours) >= count:
                self.assertEqual(len(ours), count, ours)
                return report
            self.assertLess(time.monotonic(), deadline, report)
            time.sleep(0.1)

    def named(self, report, name):
        return [one for one in report["spans"] if one["name"] == name]

    def test_producer_relay_and_receiver_are_one_trace(self):
        self.relay.add_webhook(url=self.url + "/now", dialect="standard")
        self.send("build-1")
        self.relay.wait_until_settled()
        report = self.spans(2)
        [build], [accept], [post], [receive] = (self.named(report, name) for name in ("build", "accept", "POST", "receive"))
        self.assertEqual({one["trace"] for one in report["spans"]}, {build["trace"]})
        self.assertEqual(accept["parent"], build["span"])
        self.assertEqual(post["parent"], accept["span"])
        self.assertEqual(receive["parent"], post["span"])
        self.assertEqual((accept["kind"], post["kind"]), (2, 3))
        random = 2  # What the SDK says of its own ids, newer ones alone.
        self.assertEqual((accept["flags"] & ~random, post["flags"] & ~random), (0x301, 0x101))
        self.assertEqual(accept["flags"] & random, post["flags"] & random)
        self.assertGreater(accept["ns"], 0)
        self.assertGreater(post["ns"], 0)
        self.assertEqual(post["attributes"]["http.response.status_code"], 200)
        self.assertEqual(post["attributes"]["url.full"], self.url + "/now")
        self.assertEqual(accept["attributes"]["cloudevents.event_id"], "build-1")
        self.assertEqual(accept["attributes"]["ringpost.event.webhooks"], 1)
        resource = report["resources"][0]
        self.assertEqual(resource["service.name"], "ringpost")
        self.assertEqual(resource["deployment.environment.name"], "test")
        self.assertEqual(resource["key"], "hush")

    def test_each_attempt_is_a_span_and_a_redelivery_links_to_what_it_repeats(self):
        webhook = self.relay.add_webhook(url=self.url + "/later", dialect="standard", schedule=[1])
        self.send("build-2")
        delivery = self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        self.assertEqual(self.relay.request("POST", f"/v1/deliveries/{delivery['id']}/redeliver")[0], 202)
        # The redelivery's first attempt fails like the other's.
        self.relay.wait_until_settled()
        report = self.spans(6)
        posts = self.named(report, "POST")
        [accept], [redeliver] = self.named(report, "accept"), self.named(report, "redeliver")
        self.assertEqual([one["parent"] for one in posts], [accept["span"]] * 2 + [redeliver["span"]] * 2)
        self.assertEqual(redeliver["parent"], accept["span"])
        self.assertEqual(len({one["span"] for one in report["spans"]}), len(report["spans"]))
        # Whatever the receiver saw is beneath the attempt that it belongs to.
        self.assertEqual([one["parent"] for one in self.named(report, "receive")], [one["span"] for one in posts])
        first, second, third, _ = posts
        self.assertEqual((first["status"], first["attributes"]["error.type"]), (2, "503"))
        self.assertEqual((second["status"], second["attributes"]["http.request.resend_count"]), (0, 1))
        self.assertEqual(first["links"], [])
        self.assertEqual(third["links"], [[accept["trace"], first["span"]]])
        # What is on record is what was sent.
        attempts = self.relay.delivery(delivery["id"])["attempts"]
        sent = [attempt["request"]["headers"]["traceparent"] for attempt in attempts]
        self.assertEqual(sent, [f"00-{one['trace']}-{one['span']}-{one['flags'] & 0xff:02x}" for one in posts[:2]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
