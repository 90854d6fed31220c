"""Lists of the past, on a real relay."""

import collections
import json
import time
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
        self.assertEqual(self.relay.cli("delivery", "list", "--error", "refused", "--since", "1h", "--until", "0").stdout, listed)
        self.assertIn("No ", self.relay.cli("event", "list", "--until", "2020-02-01").stdout)
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



class OneDelivery(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def test_its_bodies_are_saved_as_files(self):
        answer = "<script>alert(1)</script>\r\n"
        sink = self.place.sink("--status", "500", "--body", answer, plain=True)
        webhook = self.relay.add_webhook(url=sink.url, schedule=[1], events=["t"])
        body = '{"type":"t","source":"app/one","id":"../x\\"\\u000d","data":{"a": 1.0,  "b":2}}'
        status = self.relay.send(body.replace("\\u000d", ""))[0]
        self.assertEqual(status, 202)
        delivery = self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "dead")

        def saved(query, token=self.relay.token):
            return self.relay.request("GET", f"/v1/deliveries/{delivery['id']}/body{query}", headers={"Authorization": f"Bearer {token}"})

        for query, content, name in (
                ("", '{"a": 1.0,  "b":2}', "event.json"), ("?of=event&attempt=7", '{"a": 1.0,  "b":2}', "event.json"),
                ("?of=request", '{"a": 1.0,  "b":2}', "attempt-2-request.json"),
                ("?of=response&attempt=1", answer, "attempt-1-response.txt"), ("?of=response", answer, "attempt-2-response.txt")):
            status, headers, bytes_ = saved(query)
            self.assertEqual((status, bytes_.decode() if isinstance(bytes_, bytes) else bytes_), (200, content), query)
            self.assertEqual(headers["Content-Disposition"], f'attachment; filename="delivery-{delivery["id"]}-{name}"')
            self.assertEqual(headers["Content-Type"], "application/octet-stream")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertTrue(headers["Content-Security-Policy"].startswith("sandbox;"), headers)
        self.assertEqual([saved(query)[0] for query in ("?of=x", "?attempt=0", "?attempt=x", "?more=1")], [400] * 4)
        self.assertEqual(saved("?of=request&attempt=3")[0], 404)
        others = self.relay.request("POST", "/v1/tokens", {"name": "o", "organization": "other", "scopes": ["deliveries:read"]})[2]
        self.assertEqual(saved("", others["token"])[0], 404)
        writer = self.relay.request("POST", "/v1/tokens", {"name": "w", "scopes": ["webhooks:read"]})[2]
        self.assertEqual(saved("", writer["token"])[0], 403)


class Previews(unittest.TestCase):

    SECRET = "s3cr3t-of-the-hook"

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def preview(self, path, body, wanted=200):
        status, _, answer = self.relay.request("POST", path, body)
        self.assertEqual(status, wanted, answer)
        return answer

    def test_show_the_request_of_a_recorded_event(self):
        hook = {"dialect": "devopness", "url": "https://ci.example.org/in", "headers": {"Authorization": "Bearer " + self.SECRET, "X-A": "1"},
                "settings": {"pipeline_id": 33, "trigger_when": {"events": ["action.completed"]},
                             "request_body": {"text": "deploy {{ action.id }} is {{ action.status }}"}}}
        nothing = self.preview("/v1/preview", hook)
        self.assertEqual((nothing["event"], nothing["request"]), (None, None))
        self.assertIn("no such event", nothing["problem"])
        for number, kind in ((1, "action.completed"), (2, "action.queued")):
            event = {"id": f"e{number}", "type": kind, "source": "pipeline/33", "data": {"action": {"id": number, "status": kind[7:]}}}
            self.assertEqual(self.relay.send(event)[0], 202)
        made = self.preview("/v1/preview", hook)
        self.assertEqual((made["event"]["id"], made["would_receive"], made["reason"], made["problem"]), ("e1", True, None, None))
        request = made["request"]
        self.assertEqual((request["method"], request["url"]), ("POST", "https://ci.example.org/in"))
        self.assertEqual(json.loads(request["body"]), {"text": "deploy 1 is completed"})
        self.assertEqual((request["headers"]["X-A"], request["headers"]["Authorization"]), ("1", "*****"))
        self.assertNotIn(self.SECRET, json.dumps(made))
        other = self.preview("/v1/preview?id=e2", hook)
        self.assertEqual((other["event"]["id"], other["would_receive"], json.loads(other["request"]["body"])),
                         ("e2", False, {"text": "deploy 2 is queued"}))
        self.assertIsNotNone(other["reason"])

    def test_of_a_webhook_take_changes_and_keep_its_secrets(self):
        webhook = self.relay.add_webhook(url="https://ci.example.org/in", dialect="bitrise", secret=self.SECRET * 2)
        self.assertEqual(self.relay.send({"id": "e", "type": "build/finished", "source": "app/one", "data": {"build_status": 1}})[0], 202)
        path = f"/v1/webhooks/{webhook['id']}/preview"
        made = self.preview(path, {"url": "https://other.example.org/", "headers": {"X-Token": self.SECRET}})
        self.assertEqual(made["request"]["url"], "https://other.example.org/")
        self.assertEqual(made["request"]["headers"]["X-Token"], "*****")
        self.assertNotIn(self.SECRET, json.dumps(made))
        self.assertEqual(self.relay.request("GET", f"/v1/webhooks/{webhook['id']}")[2]["url"], "https://ci.example.org/in")
        self.preview(path, {"url": "no"}, 422)
        self.preview("/v1/webhooks/01ARZ3NDEKTSV4RRFFQ69G5FAV/preview", {}, 404)
        reader = self.relay.request("POST", "/v1/tokens", {"name": "r", "scopes": ["webhooks:read"]})[2]["token"]
        self.assertEqual(self.relay.request("POST", path, {}, headers={"Authorization": f"Bearer {reader}"})[0], 403)
        limited = self.relay.request("POST", "/v1/tokens", {"name": "l", "scopes": ["deliveries:read", "webhooks:read"], "sources": ["app/two"]})[2]["token"]
        self.assertEqual(self.relay.request("POST", "/v1/preview", {"url": "https://ci.example.org/", "sources": ["app/one"]},
                                            headers={"Authorization": f"Bearer {limited}"})[0], 403)


class Ids(unittest.TestCase):
    """Ids of producers in more segments than one file of ids has."""

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.ids_file = self.place.path / "data/journal/000/00000063.ids"

    def relay(self):
        return self.place.relay("--set", "server.shards=1")

    def wait_for_ids(self):
        deadline = time.monotonic() + 30
        while not self.ids_file.exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def check(self, relay, last):
        for number in (0, 1, last // 2, last):
            status, _, found = relay.request("GET", f"/v1/events?id=e{number}")
            self.assertEqual((status, [event["id"] for event in found["items"]]), (200, [f"e{number}"]))
        self.assertEqual(relay.request("GET", "/v1/events?id=none")[2]["items"], [])

    def test_are_found_with_a_file_of_ids_without_one_and_with_a_bad_one(self):
        relay = self.relay()
        filler = "x" * 100_000
        sent = 0
        while not (self.place.path / "data/journal/000/00000066.seg").exists():
            lines = (json.dumps({"id": f"e{sent + number}", "type": "t", "source": "s", "data": {"log": filler}})
                     for number in range(8))
            status, answer = relay.send("\n".join(lines), "application/x-ndjson")
            self.assertIn(status, (202, 503), answer)
            sent += 8 if status == 202 else 0
        self.wait_for_ids()
        self.check(relay, sent - 1)

        whole = self.ids_file.read_bytes()
        self.ids_file.write_bytes(bytes(4096) + whole[4096:])
        relay.kill()
        relay = self.relay()
        relay.wait_for("file of ids 00000063.ids of journal 0 cannot be used")
        deadline = time.monotonic() + 30
        while self.ids_file.read_bytes() != whole:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.check(relay, sent - 1)

        # While it is in use.
        self.ids_file.write_bytes(whole[:4096])
        self.check(relay, sent - 1)
        relay.wait_for("00000063.ids.* the file of ids cannot be used")
        relay.stop()
        self.ids_file.unlink()
        relay = self.relay()
        self.wait_for_ids()
        self.check(relay, sent - 1)


if __name__ == "__main__":
    unittest.main()
