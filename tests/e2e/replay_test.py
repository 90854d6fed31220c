"""Deliveries of the past that are sent again, by a real relay that is killed in between."""

import json
import time
import unittest

import harness

EVENTS = 3000


def ndjson(first, count, kind="build/finished", source="app/one"):
    return "\n".join(json.dumps({"id": f"e{number}", "type": kind, "source": source,
                                 "data": {"number": number}})
                     for number in range(first, first + count))


class Replays(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def wait_for(self, relay, replay, wanted, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            shown = relay.request("GET", f"/v1/replays/{replay['id']}")[2]
            if wanted(shown):
                return shown
            self.assertLess(time.monotonic(), deadline, shown)
            time.sleep(0.05)

    def test_dead_letters_are_sent_again_once(self):
        port = harness.free_port()
        relay = self.place.relay()
        webhook = relay.add_webhook(url=f"http://127.0.0.1:{port}", schedule=[])
        relay.send(ndjson(1, 8), "application/x-ndjson")
        relay.wait_until_settled()
        sink = self.place.sink(plain=True, listen=f"127.0.0.1:{port}")
        counted = relay.cli("replay", "start", "--status", "dead", "--dry-run", "--wait", "30s")
        self.assertRegex(counted.stdout, r"matched +8\n")
        self.assertRegex(counted.stdout, r"sent +0\n")
        done = relay.cli("replay", "start", webhook["id"], "--status", "dead", "--wait", "30s")
        self.assertRegex(done.stdout, r"sent +8\n")
        twice = relay.cli("replay", "start", "--status", "dead", "--wait", "30s")
        self.assertRegex(twice.stdout, r"sent +0\n")
        self.assertRegex(twice.stdout, r"skipped +8\n")
        relay.wait_until_settled()
        self.assertEqual(len(sink.received()), 8)
        listed = relay.cli("replay", "list").stdout
        self.assertEqual(listed.count(" done "), 2)
        self.assertEqual(listed.count(" done, dry run "), 1)
        repeats = relay.deliveries(webhook, "&status=delivered")
        self.assertEqual(len({item["redelivery_of"] for item in repeats}), 8)
        relay.cli("webhook", "remove", webhook["id"])
        gone = relay.cli("replay", "start", webhook["id"], "--status", "dead", check=False)
        self.assertEqual(gone.returncode, 1)

    def test_a_replay_that_is_killed_sends_everything_once(self):
        sink = self.place.sink(plain=True)
        other = self.place.sink(name="other", plain=True)
        relay = self.place.relay()
        relay.add_webhook(url=sink.url)
        into = relay.add_webhook(url=other.url, sources=["app/nothing"])
        for first in range(0, EVENTS, 500):
            relay.send(ndjson(first, 500), "application/x-ndjson")
        relay.wait_until_settled()
        _, _, replay = relay.request("POST", "/v1/replays", {
            "since": "2020-01-01T00:00:00Z", "source": "app/one", "into": into["id"]})
        reached = 0
        for _ in range(4):
            shown = self.wait_for(relay, replay, lambda one: one["sent"] > reached)
            self.assertEqual(shown["state"], "running")
            reached = shown["sent"] + 200
            relay.kill()
            relay = self.place.relay()
        done = self.wait_for(relay, replay, lambda one: one["state"] != "running")
        self.assertEqual((done["state"], done["matched"], done["sent"], done["skipped"]),
                         ("done", EVENTS, EVENTS, 0))
        relay.wait_until_settled()
        received = other.received()
        self.assertEqual(len({row["delivery"] for row in received}), EVENTS)
        self.assertEqual(len({row["sha256"] for row in received}), EVENTS)

    def test_a_replay_stops_when_it_is_told_to_and_stays_so_over_a_restart(self):
        sink = self.place.sink(plain=True)
        relay = self.place.relay()
        relay.add_webhook(url=sink.url)
        relay.send(ndjson(0, 1500), "application/x-ndjson")
        relay.wait_until_settled()
        _, _, replay = relay.request("POST", "/v1/replays", {"since": "2020-01-01T00:00:00Z"})
        self.wait_for(relay, replay, lambda one: one["sent"] > 0)
        relay.cli("replay", "pause", replay["id"])
        relay.wait_until_settled()
        paused = self.wait_for(relay, replay, lambda one: True)
        self.assertEqual(paused["state"], "paused")
        self.assertEqual(len(sink.received()), 1500 + paused["sent"])
        relay.stop()
        relay = self.place.relay()
        time.sleep(1)
        self.assertEqual(len(sink.received()), 1500 + paused["sent"])
        relay.cli("replay", "resume", replay["id"])
        self.wait_for(relay, replay, lambda one: one["sent"] > paused["sent"])
        shown = relay.cli("replay", "cancel", replay["id"]).stdout
        self.assertIn("cancelled", shown)
        relay.wait_until_settled()
        ended = self.wait_for(relay, replay, lambda one: True)
        self.assertLess(ended["sent"], 1500)
        self.assertEqual(len({row["delivery"] for row in sink.received()}), 1500 + ended["sent"])
        audit = [entry["operation"] for entry in relay.request("GET", "/v1/audit")[2]["items"]]
        self.assertEqual(audit[:3], ["replay.cancel", "replay.resume", "replay.pause"])


if __name__ == "__main__":
    unittest.main()
