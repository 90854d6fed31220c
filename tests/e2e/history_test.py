"""Lists of the past, on a real relay."""

import collections
import json
import unittest
import urllib.parse

import harness


def ndjson(first, count, kind="build/finished", source="app/one"):
    return "\n".join(json.dumps({"id": f"e{number}", "type": kind, "source": source,
                                 "data": {"number": number}})
                     for number in range(first, first + count))


class Lists(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def all(self, path):
        found, cursor = [], ""
        while True:
            status, _, page = self.relay.request("GET", path + cursor)
            self.assertEqual(status, 200, page)
            found += page["items"]
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def test_deliveries_and_events_are_found_by_what_is_known_of_them(self):
        # So few failures that no circuit opens.
        good = self.place.sink(name="good", plain=True)
        bad = self.place.sink("--status", "503", name="bad", plain=True)
        one = self.relay.add_webhook(url=good.url, schedule=[])
        other = self.relay.add_webhook(url=bad.url, schedule=[], sources=["app/one"])
        nobody = self.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}", schedule=[],
                                        sources=["app/two"])
        self.relay.send(ndjson(1, 8), "application/x-ndjson")
        self.relay.send(ndjson(9, 5, "build/started", "app/two"), "application/x-ndjson")
        self.relay.send(ndjson(14, 5, "build/started", "app/none"), "application/x-ndjson")
        self.relay.wait_until_settled()

        every = self.all("/v1/deliveries?limit=7")
        self.assertEqual(len(every), 18 + 8 + 5)
        self.assertEqual(len({item["id"] for item in every}), len(every))
        times = [item["created_at"] for item in every]
        self.assertEqual(times, sorted(times, reverse=True))
        of = lambda query: collections.Counter(
            item["webhook"] for item in self.all("/v1/deliveries?limit=3&" + query))
        self.assertEqual(of("status=dead"), {other["id"]: 8, nobody["id"]: 5})
        self.assertEqual(of("error=refused"), {nobody["id"]: 5})
        self.assertEqual(of("response_status=5xx"), {other["id"]: 8})
        self.assertEqual(of("response_status=200&source=app%2Ftwo"), {one["id"]: 5})
        self.assertEqual(of("webhook=" + one["id"] + "&type=build/started"), {one["id"]: 10})

        events = self.all("/v1/events?limit=4")
        self.assertCountEqual([event["id"] for event in events],
                              [f"e{number}" for number in range(1, 19)])
        times = [event["accepted_at"] for event in events]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertCountEqual([event["id"] for event in self.all("/v1/events?source=app/two")],
                              [f"e{number}" for number in range(9, 14)])
        self.assertEqual({event["delivery_count"] for event in self.all("/v1/events?id=e3")}, {2})

        # By what is in them.
        text = urllib.parse.quote('"NUMBER": 3}')
        self.assertEqual({event["id"] for event in self.all("/v1/events?text=" + text)}, {"e3"})
        self.assertEqual({item["event"]["id"] for item in self.all("/v1/deliveries?limit=3&text=" + text)}, {"e3"})
        listed = self.relay.cli("delivery", "list", "--text", '"number": 3}').stdout
        self.assertEqual(listed.count("build/finished"), 2)

        # What a dry run says is what was done.
        for hook in (one, other, nobody):
            status, _, tried = self.relay.request("POST", f"/v1/webhooks/{hook['id']}/dry-run?limit=200")
            self.assertEqual((status, len(tried["items"])), (200, 18))
            received = {item["event"]["id"] for item in self.all(f"/v1/deliveries?webhook={hook['id']}")}
            self.assertEqual({item["event"]["id"] for item in tried["items"] if item["would_receive"]},
                             received)

        # The same on a terminal.
        tried = self.relay.cli("webhook", "dry-run", "--event", "build/finished", "--where", "number>=7",
                               "--limit", "200").stdout
        self.assertRegex(tried, r"yes +\S+ \S+ +build/finished +app/one +e8\b")
        self.assertRegex(tried, r"no .* e6 +`filter.data` does not hold: `number`")
        self.assertRegex(tried, r"no .* e9 +its type is not among `events`")
        self.assertIn("would receive 2 of these 18 events", tried)
        tried = self.relay.cli("webhook", "dry-run", other["id"], "--source", "app/two", "--id", "e9").stdout
        self.assertIn("would receive 1 of these 1 events", tried)
        listed = self.relay.cli("delivery", "list", "--error", "refused").stdout
        self.assertEqual(listed.count(nobody["id"]), 5)
        self.assertIn("refused", listed)
        shown = self.relay.cli("event", "list", "--id", "e3").stdout
        self.assertRegex(shown, r"build/finished +app/one +2 +e3")
        shown = self.relay.cli("event", "show", "e3").stdout
        self.assertIn('{"number":3}', shown)
        self.assertIn(one["id"], shown)
        wrong = self.relay.cli("delivery", "list", "--error", "gone", check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("timed_out", wrong.stderr)

        # What is sealed and indexed answers as what is in memory did.
        self.relay.kill()
        self.relay = self.place.relay()
        self.assertEqual(self.all("/v1/deliveries?limit=50"), every)
        self.assertEqual(self.all("/v1/events?limit=50"), events)

    def totals(self, path):
        status, _, found = self.relay.request("GET", path)
        self.assertEqual(status, 200, found)
        self.assertFalse(found["indexing"])
        return found

    def counted(self, path):
        """What all items of an answer come to, without latencies."""
        counts = collections.Counter()
        for item in self.totals(path)["items"]:
            counts.update({name: item[name] for name in ("events", "delivered", "failed", "dead", "cancelled")})
        return counts

    def test_totals_are_what_the_lists_say_and_stay_so(self):
        # So few failures that no circuit opens.
        good = self.place.sink(name="good", plain=True)
        bad = self.place.sink("--status", "503", name="bad", plain=True)
        one = self.relay.add_webhook(url=good.url, schedule=[])
        other = self.relay.add_webhook(url=bad.url, schedule=[], sources=["app/one"])
        idle = self.relay.add_webhook(url=good.url, sources=["app/none"])
        self.relay.send(ndjson(1, 8), "application/x-ndjson")
        self.relay.send(ndjson(9, 20, source="app/two"), "application/x-ndjson")
        self.relay.wait_until_settled()

        def check():
            self.assertEqual(self.counted(f"/v1/webhooks/{one['id']}/totals"),
                             {"events": 28, "delivered": 28, "failed": 0, "dead": 0, "cancelled": 0})
            self.assertEqual(self.counted(f"/v1/webhooks/{other['id']}/totals?step=1d"),
                             {"events": 8, "delivered": 0, "failed": 8, "dead": 8, "cancelled": 0})
            self.assertEqual(self.counted("/v1/totals"),
                             {"events": 36, "delivered": 28, "failed": 8, "dead": 8, "cancelled": 0})
            self.assertEqual(self.counted("/v1/totals?webhook=" + one["id"]), self.counted(f"/v1/webhooks/{one['id']}/totals"))
            by_webhook = {item["webhook"]: item for item in self.totals("/v1/totals?by=webhook")["items"]}
            self.assertEqual(set(by_webhook), {one["id"], other["id"], idle["id"]})
            self.assertEqual(by_webhook[one["id"]]["delivered"], 28)
            self.assertIsNotNone(by_webhook[one["id"]]["p99_ms"])
            self.assertEqual(by_webhook[other["id"]]["dead"], 8)
            self.assertIsNone(by_webhook[other["id"]]["p50_ms"])
            self.assertEqual(by_webhook[idle["id"]]["events"], 0)

        check()
        self.relay.stop()
        self.relay = self.place.relay()  # From index files now.
        check()
        self.relay.stop()
        for index in (self.relay.data_dir / "journal").glob("*/*.idx"):
            index.unlink()
        self.relay = self.place.relay()  # And from new ones.
        check()

    def test_the_client_shows_totals(self):
        sink = self.place.sink(plain=True)
        webhook = self.relay.add_webhook(url=sink.url)
        self.relay.send(ndjson(1, 7), "application/x-ndjson")
        self.relay.wait_until_settled()
        by_time = self.relay.cli("webhook", "totals", webhook["id"]).stdout
        self.assertIn("P99 MS", by_time.splitlines()[0])
        self.assertEqual(len(by_time.splitlines()), 25)
        self.assertEqual(sum(int(line.split()[2]) for line in by_time.splitlines()[1:]), 7)
        by_webhook = self.relay.cli("webhook", "totals").stdout
        self.assertEqual(by_webhook.splitlines()[1].split()[:3], [webhook["id"], "7", "7"])
        shown = self.relay.cli("webhook", "totals", webhook["id"], "--step", "1d", "--json").stdout
        self.assertEqual(json.loads(shown)["step_s"], 86400)
        refused = self.relay.cli("webhook", "totals", "--step", "1d", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--step", refused.stderr)

    def test_a_cursor_is_good_for_its_list_only(self):
        sink = self.place.sink(plain=True)
        webhook = self.relay.add_webhook(url=sink.url)
        self.relay.send(ndjson(1, 3), "application/x-ndjson")
        path = f"/v1/webhooks/{webhook['id']}/deliveries?limit=1"
        cursor = self.relay.request("GET", path)[2]["next_cursor"]
        self.assertEqual(self.relay.request("GET", f"{path}&cursor={cursor}")[0], 200)
        for other in (f"{path}&type=x", "/v1/deliveries?limit=1", "/v1/events?limit=1"):
            status, _, problem = self.relay.request("GET", f"{other}&cursor={cursor}")
            self.assertEqual((status, problem["member"]), (400, "cursor"), other)


if __name__ == "__main__":
    unittest.main()
