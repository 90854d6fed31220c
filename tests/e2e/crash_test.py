"""Kills the relay with SIGKILL again and again, and counts what was lost: it must be nothing.

Clients note every 2xx, with the event's id and the hash of its data, before they send the next
event. Two webhooks take every event, each over TLS at a receiver of its own. In the end everything
noted must have been delivered to both (nothing lost), everything delivered must have been sent (no
phantoms), with the bytes that were sent (nothing altered), and no kill may cost more extra copies
than deliveries can have been in flight (reliability D-1).
"""

import bisect
import collections
import contextlib
import hashlib
import http.client
import json
import os
import random
import socket
import sys
import threading
import time
import unittest

import harness

CYCLES = int(os.environ.get("RINGPOST_CYCLES", "50"))
SEED = int(os.environ.get("RINGPOST_SEED", "0")) or random.randrange(1, 1 << 32)
CLIENTS = 4
KILL_AFTER_SECONDS = (0.05, 0.35)
IN_FLIGHT_MAX = 64  # To one receiver: connections of an endpoint, and attempts of a webhook.
# An answered attempt makes room for the next one before the write that notes it is durable: one kill
# may find a round of attempts in each of the two states. (Clients wait for the same writes, so there
# is not much more to deliver in that time.)
COPIES_OF_ONE_KILL_MAX = 2 * IN_FLIGHT_MAX


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Client(threading.Thread):
    """Sends one event after the other to whichever relay runs; its ledger outlives them all."""

    def __init__(self, number, seed):
        super().__init__(daemon=True)
        self.number = number
        self.random = random.Random(seed)
        self.sent = {}  # Hash of the data: written before the event is sent.
        self.acknowledged = {}  # Likewise, after its 2xx: the event's id.
        self.refused = []
        self.target = None
        self.ended = False
        self.idle = threading.Event()
        self.target_changed = threading.Event()

    def run(self):
        while not self.ended:
            self.target_changed.wait(1)
            self.target_changed.clear()
            if target := self.target:
                self.send_until_it_dies(*target)

    def send_until_it_dies(self, port, token):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while not self.ended and self.target:
                data = self.make_data()
                self.sent[sha256(data)] = True
                event = '{"type":"build/finished","source":"app/1","data":' + data + "}"
                connection.request("POST", "/v1/events", body=event, headers=headers)
                answer = connection.getresponse()
                content = answer.read()
                if 200 <= answer.status < 300:
                    self.acknowledged[sha256(data)] = json.loads(content)["events"][0]["id"]
                else:
                    self.refused.append((answer.status, content))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # Killed in between: this event may be stored or not, both are right.
        finally:
            connection.close()

    def make_data(self):
        padding = "x" * self.random.choice((0, 10, 500, 5000, 40000))
        return json.dumps({"client": self.number, "number": len(self.sent), "padding": padding})


class KillLoop(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def test_nothing_is_lost_invented_or_altered(self):
        print(f"seed {SEED}", file=sys.stderr)
        chance = random.Random(SEED)
        sinks = [self.place.sink(name=name) for name in ("one", "other")]
        clients = [Client(number, SEED + number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        webhooks = None
        starts, self.began = [], []
        for cycle in range(CYCLES):
            if cycle % 100 == 0 and cycle > 0:
                acknowledged = sum(len(client.acknowledged) for client in clients)
                print(f"cycle {cycle}: {acknowledged} acknowledged, slowest start "
                      f"{max(starts):.2f} s", file=sys.stderr, flush=True)
            relay = self.start(starts)
            webhooks = webhooks or [relay.add_webhook(url=sink.url, tls=sink.tls(),
                                                      schedule=[1] * 20) for sink in sinks]
            for client in clients:
                client.target = (relay.port, relay.token)
                client.target_changed.set()
            time.sleep(chance.uniform(*KILL_AFTER_SECONDS))
            relay.kill()
            for client in clients:
                client.target = None
        for client in clients:
            client.ended = True
            client.target_changed.set()
        for client in clients:
            client.join(30)
            self.assertFalse(client.is_alive())

        relay = self.start(starts)
        relay.wait_until_settled(120)
        sent = set().union(*(client.sent for client in clients))
        acknowledged = set().union(*(client.acknowledged for client in clients))
        for sink in sinks:
            with self.subTest(sink.url):
                self.judge(sink, sent, acknowledged)
        self.judge_answers(clients)
        for webhook in webhooks:
            self.judge_history(relay, webhook)
        print(f"kill loop: {CYCLES} cycles, {len(acknowledged)} acknowledged, slowest start "
              f"{max(starts):.2f} s", file=sys.stderr)
        self.assertGreater(len(acknowledged), CYCLES)
        self.assertEqual(relay.stop(), 0)

    def start(self, starts):
        began = time.monotonic()
        self.began.append(time.time_ns())
        # A start reads the whole journal: without a bound a thousand cycles would mostly read. The
        # short segments let retention work among the kills.
        relay = self.place.relay("--set", "journal.segment_bytes=16MiB", "--set",
                                 "journal.retention_bytes=128MiB", "--set",
                                 "journal.retention_age=1s")
        starts.append(time.monotonic() - began)
        size = self.journal_bytes(relay)
        # D-1's time is that of a machine which has nothing else to do.
        share = max(1, os.getloadavg()[0] / os.cpu_count())
        self.assertLess(starts[-1], (5 + size / (1 << 30)) * share,
                        f"ready too late with {size} bytes")
        return relay

    def journal_bytes(self, relay):
        """While the relay runs: a file that expired may be gone before it is measured."""
        size = 0
        for file in (relay.data_dir / "journal").rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                size += file.stat().st_size
        return size

    def judge_answers(self, clients):
        ids = [event for client in clients for event in client.acknowledged.values()]
        self.assertEqual(len(ids), len(set(ids)), "an id was given twice")
        self.assertEqual(sum((client.refused for client in clients), []), [])

    def judge_history(self, relay, webhook):
        """What was killed between a segment and its index is made again."""
        deadline = time.monotonic() + 120
        while relay.status()["history"]["segments_unindexed"] > 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        listed = relay.deliveries(webhook)
        ids = [item["event"]["id"] for item in listed]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual({item["status"] for item in listed}, {"delivered"})
        self.assertGreater(len(ids), 0)

    def extra_copies(self, received):
        """How many deliveries came again, by the relay (counted from 1) that was killed over them."""
        extra = collections.Counter()
        killed = {}
        for row in sorted(received, key=lambda row: int(row["time_ns"])):
            if earlier := killed.get(row["delivery"]):
                extra[earlier] += 1
            killed[row["delivery"]] = bisect.bisect_right(self.began, int(row["time_ns"]))
        return extra

    def judge(self, sink, sent, acknowledged):
        received = sink.received()
        hashes = {row["sha256"] for row in received}
        by_delivery = {}
        for row in received:
            by_delivery.setdefault(row["delivery"], set()).add(row["sha256"])
        lost = acknowledged - hashes
        unknown = hashes - sent  # A phantom, or an event whose bytes were changed.
        altered = [delivery for delivery, bodies in by_delivery.items() if len(bodies) > 1]
        extra = self.extra_copies(received)
        most = max(extra.values(), default=0)
        print(f"kill loop: {len(by_delivery)} delivered over TLS in {len(received)} requests, "
              f"{len(received) - len(by_delivery)} duplicates, at most {most} of one kill, "
              f"{len(lost)} lost, {len(unknown)} phantom or altered", file=sys.stderr)
        self.assertTrue(sink.url.startswith("https://"))
        self.assertLessEqual(most, COPIES_OF_ONE_KILL_MAX, extra)
        self.assertLessEqual(sum(extra.values()), IN_FLIGHT_MAX * CYCLES)
        self.assertLessEqual(set(extra), set(range(1, CYCLES + 1)), "copies that no kill explains")
        self.assertEqual(lost, set())
        self.assertEqual(unknown, set())
        self.assertEqual(altered, [])
        self.assertEqual(len(by_delivery), len(hashes), "one event became two deliveries")


class OutcomeLost(unittest.TestCase):
    """The receiver has answered 200, and the relay dies before it can note that."""

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def test_delivers_again_under_the_same_id_and_shows_both_attempts(self):
        # A receiver of our own: it kills the relay between reading the request and answering it.
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)
        self.addCleanup(listener.close)
        relay = self.place.relay()
        webhook = relay.add_webhook(url="http://127.0.0.1:%d/hook" % listener.getsockname()[1],
                                    schedule=[1, 1, 1])
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {"n": 1}})[0], 202)
        connection, first = self.take_request(listener)
        time.sleep(0.3)  # The start of the attempt is on disk long before; the answer is not.
        relay.freeze()  # Whole: a shard that still ran would note the answer.
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        relay.kill()
        connection.close()

        relay = self.place.relay()
        connection, second = self.take_request(listener)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(first["ringpost-delivery"], second["ringpost-delivery"])
        self.assertEqual(first["webhook-id"], second["webhook-id"])
        self.assertNotEqual(first["webhook-signature"], "")
        self.assertLessEqual(int(first["webhook-timestamp"]), int(second["webhook-timestamp"]))
        shown = relay.wait_for_delivery(webhook, lambda found: found["status"] == "delivered")
        connection.close()
        self.assertEqual(shown["id"], first["ringpost-delivery"])
        attempts = shown["attempts"]
        self.assertEqual([attempt["number"] for attempt in attempts], [1, 2])
        self.assertEqual(attempts[0]["error"]["code"], "interrupted")
        self.assertIsNone(attempts[0]["response"])
        self.assertIsNone(attempts[1]["error"])
        self.assertEqual(attempts[1]["response"]["status"], 200)
        self.assertEqual([first["ringpost-attempt"], second["ringpost-attempt"]], ["1", "2"])
        self.assertEqual(relay.stop(), 0)

    def take_request(self, listener):
        """Accepts a connection and reads one request; returns both, the latter as its headers."""
        connection, _ = listener.accept()
        connection.settimeout(10)
        stream = connection.makefile("rb")
        stream.readline()
        headers = http.client.parse_headers(stream)
        stream.read(int(headers["Content-Length"]))
        return connection, headers


if __name__ == "__main__":
    unittest.main(verbosity=2)
