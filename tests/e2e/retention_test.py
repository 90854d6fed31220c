"""Old journal files go although a receiver has been away for longer than they are kept."""

import json
import time
import unittest

import harness

LIMIT = 16 << 20
SEGMENT = 4 << 20
# What is prepared ahead, what is being written, and what is on its way.
SLACK = 4 * SEGMENT


def batch(first, count, source="app/bulk"):
    return "\n".join(json.dumps({"id": f"b{number}", "type": "build/finished", "source": source,
                                 "data": {"text": "x" * 8000}})
                     for number in range(first, first + count))


class DeadEndpoint(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.start()

    def start(self):
        self.relay = self.place.relay("--set", f"journal.segment_bytes={SEGMENT}",
                                      "--set", f"journal.retention_bytes={LIMIT}",
                                      "--set", "server.shards=1")

    def journal_bytes(self):
        return self.relay.status()["storage"]["journal_bytes"]

    def carried(self):
        return self.relay.status()["storage"]["events_carried"]

    def fill(self, first, batches):
        for number in range(batches):
            status, body = self.relay.send(batch(first + number * 100, 100), "application/x-ndjson")
            self.assertEqual(status, 202, body)

    def wait_until(self, holds, what, seconds=30):
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def test_what_is_pending_is_carried_forward_and_arrives_once(self):
        port = harness.free_port()
        hook = self.relay.add_webhook(url=f"http://127.0.0.1:{port}", schedule=[5] * 32, sources=["app/dead"])
        sent = [self.relay.send(json.dumps({"id": f"d{number}", "type": "build/finished", "source": "app/dead",
                                            "data": {"number": number}}))
                for number in range(3)]
        self.assertEqual([status for status, _ in sent], [202] * 3)
        pending = {item["id"] for item in self.relay.deliveries(hook)}
        self.assertEqual(len(pending), 3)

        for life in range(3):
            self.fill(life * 10000, 50)
            self.wait_until(lambda: self.journal_bytes() <= LIMIT + SLACK, "the journal keeps to its limit")
            self.wait_until(lambda: self.carried() >= 3, "events are carried")
            # Still there, once, with the same ids.
            listed = [item["id"] for item in self.relay.deliveries(hook)]
            self.assertEqual(sorted(listed), sorted(pending))
            for delivery in pending:
                self.assertEqual(self.relay.delivery(delivery)["status"], "pending")
            status, _, found = self.relay.request("GET", "/v1/events?source=app/dead")
            self.assertEqual([item["id"] for item in found["items"]], ["d2", "d1", "d0"])
            self.relay.kill()
            self.start()
        self.fill(90000, 50)
        self.wait_until(lambda: self.carried() >= 3, "events are carried")
        self.assertIn("events carried forward", self.relay.cli("status").stdout)

        sink = self.place.sink(plain=True, listen=f"127.0.0.1:{port}")
        sink.wait_for_count(3, seconds=60)
        self.relay.wait_until_settled()
        states = {item["id"]: item["status"] for item in self.relay.deliveries(hook)}
        self.assertEqual(states, {delivery: "delivered" for delivery in pending})
        self.relay.kill()
        self.start()
        self.relay.wait_until_settled()
        audit = self.relay.cli("audit", "gaps", "--data-dir", self.relay.data_dir).stdout
        self.assertIn("Nothing is missing.", audit)
        self.assertEqual(sorted(row["delivery"] for row in sink.received()), sorted(pending))


if __name__ == "__main__":
    unittest.main()
