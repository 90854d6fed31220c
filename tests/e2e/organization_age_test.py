"""[organizations.NAME] retention_age: what is older is gone for everybody who asks, on every road; nothing else is.

Method: two organizations, one with an age of its own, have the same events. Its age is long first, then so short that
the events are older, then long again: what was hidden is there again, since its journal file is.
"""

import json
import time
import unittest

import harness
from stream_test import Stream

SCOPES = ["admin", "events:write", "webhooks:read", "webhooks:write", "deliveries:read", "deliveries:redeliver"]


class Caller:
    """An organization, with a webhook, a service, and an event that was delivered."""

    marks = set()

    def __init__(self, test, organization):
        self.test = test
        status, _, made = test.relay.request(
            "POST", "/v1/tokens", {"name": organization, "organization": organization, "scopes": SCOPES})
        test.assertEqual(status, 201, made)
        self.token = made["token"]
        self.organization = organization
        self.webhook = self.ask("POST", "/v1/webhooks", {"url": test.sink.url, "schedule": []}, 201)["id"]
        # It is pinged: that is what its log has.
        self.services = f"/v2/organizations/{organization}/services"
        self.service = self.ask("POST", self.services, {"provider": "webhook", "settings": {
            "url": test.sink.url, "events": ["build.finished"]}}, 201)["id"]
        stream = Stream(test.relay, token=self.token)
        self.first_place = stream.last_id
        self.send("event-1")
        while True:
            (_, told), = stream.events(1)
            if told["event"]["id"] == "event-1":
                break
        self.delivery = told["id"]
        stream.close()
        test.relay.wait_until_settled()

    def request(self, method, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        return self.test.relay.request(method, path, body, headers)

    def ask(self, method, path, body=None, wanted=200):
        status, _, answer = self.request(method, path, body)
        self.test.assertEqual(status, wanted, (self.organization, path, answer))
        return answer

    def send(self, event):
        answer = self.ask("POST", "/v1/events", {"id": event, "type": "build/finished", "source": "app/one",
                                                 "data": {"word": "needle"}}, 202)
        self.test.assertEqual(answer["accepted"], 1, answer)

    def resumed(self):
        """Which events a stream that goes on from the beginning tells, up to one that ends now."""
        stream = Stream(self.test.relay, token=self.token, last_id=self.first_place)
        self.send(f"mark-{time.monotonic_ns()}")
        told = []
        while not told or not told[-1].startswith("mark-") or told[-1] in self.marks:
            told += stream.ids(1)
        self.marks.add(told[-1])
        stream.close()
        return told

    def replayed(self):
        replay = self.ask("POST", "/v1/replays", {"dry_run": True, "status": "delivered"}, 201)["id"]
        deadline = time.monotonic() + 20
        while (shown := self.ask("GET", f"/v1/replays/{replay}"))["state"] == "running":
            self.test.assertLess(time.monotonic(), deadline, shown)
            time.sleep(0.05)
        return self.delivery in shown["sample"]


class OrganizationAge(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.file = self.place.path / "ringpost.toml"
        self.write("1h")
        self.start()
        self.sink = self.place.sink(plain=True)

    def write(self, age):
        self.file.write_text(f'[organizations.acme]\nretention_age = "{age}"\n')

    def start(self):
        self.relay = self.place.relay("--config", self.file, "--set", "server.shards=2")

    def reload(self, age):
        self.write(age)
        status, _, outcome = self.relay.request("POST", "/v1/admin/reload")
        self.assertEqual(status, 200, outcome)
        self.assertEqual(outcome["needs_restart"], [])
        values = {item["key"]: item["value"] for item in self.relay.request("GET", "/v1/admin/config")[2]["items"]}
        self.assertIn("acme ", values["organizations"])

    def check(self, caller, visible):
        """Every road of the native API, and that of the services."""
        webhook = {"url": self.sink.url}
        delivery = f"/v1/deliveries/{caller.delivery}"
        has_delivery = lambda items: caller.delivery in [item["id"] for item in items]
        has_event = lambda items: "event-1" in [item["id"] for item in items]
        tried = lambda items: has_event([item["event"] for item in items])
        lists = [("GET", "/v1/deliveries?limit=200", None, has_delivery),
                 ("GET", f"/v1/webhooks/{caller.webhook}/deliveries?limit=200", None, has_delivery),
                 ("GET", "/v1/deliveries?text=needle&limit=200", None, has_delivery),
                 ("GET", "/v1/events?limit=200", None, has_event),
                 ("GET", "/v1/events?text=needle&limit=200", None, has_event),
                 ("GET", "/v1/events?id=event-1", None, has_event),
                 ("POST", "/v1/dry-run?limit=200", webhook, tried),
                 ("POST", f"/v1/webhooks/{caller.webhook}/dry-run?limit=200", {}, tried)]
        for method, path, body, has in lists:
            page = caller.ask(method, path, body)
            self.assertEqual(has(page["items"]), visible, (caller.organization, path))
            self.assertIsNone(page["next_cursor"], path)
        for path in (delivery, delivery + "/body", delivery + "/body?of=request", "/v1/events/event-1",
                     "/v1/events/event-1?source=app/one"):
            caller.ask("GET", path, wanted=200 if visible else 404)
        shown = caller.ask("POST", f"/v1/webhooks/{caller.webhook}/preview?id=event-1", {})
        self.assertEqual(shown["event"] is not None, visible)
        self.assertEqual("event-1" in caller.resumed(), visible)
        self.assertEqual(caller.replayed(), visible)
        if not visible:
            caller.ask("POST", delivery + "/redeliver", {}, wanted=404)
            caller.ask("GET", f"/v1/deliveries?redelivery_of={caller.delivery}", wanted=400)
        logged = caller.ask("GET", f"{caller.services}/{caller.service}/requests")
        self.assertEqual(len(logged["items"]), 1 if visible else 0)

    def test_what_is_older_is_gone_on_every_road(self):
        acme, other = Caller(self, "acme"), Caller(self, "other")
        for caller in (acme, other):
            self.check(caller, True)
        time.sleep(1.1)
        self.reload("1s")
        self.check(acme, False)
        self.check(other, True)
        self.relay.kill()
        self.start()
        self.check(acme, False)
        self.check(other, True)
        self.reload("1h")
        for caller in (acme, other):
            self.check(caller, True)

    def test_what_is_pending_is_shown_until_it_has_ended(self):
        acme = Caller(self, "acme")
        port = harness.free_port()
        late = acme.ask("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{port}", "schedule": [2] * 30,
                                                 "sources": ["app/late"]}, 201)["id"]
        acme.ask("POST", "/v1/events", {"id": "late", "type": "build/finished", "source": "app/late", "data": {}}, 202)
        path = f"/v1/webhooks/{late}/deliveries"
        delivery = acme.ask("GET", path)["items"][0]["id"]
        time.sleep(1.1)
        self.reload("1s")
        for life in range(2):
            self.assertEqual([item["id"] for item in acme.ask("GET", path)["items"]], [delivery])
            self.assertEqual(acme.ask("GET", f"/v1/deliveries/{delivery}")["event"]["id"], "late")
            # What the same event was for another webhook is over.
            self.assertEqual([item["id"] for item in acme.ask("GET", "/v1/events/late")["deliveries"]], [delivery])
            self.assertEqual([item["id"] for item in acme.ask("GET", "/v1/events")["items"]], ["late"])
            if life == 0:
                self.relay.kill()
                self.start()
        sink = self.place.sink(plain=True, listen=f"127.0.0.1:{port}", name="late")
        sink.wait_for_count(1)
        self.relay.wait_until_settled()
        self.assertEqual(acme.ask("GET", path)["items"], [])
        acme.ask("GET", f"/v1/deliveries/{delivery}", wanted=404)
        acme.ask("GET", "/v1/events/late", wanted=404)
        self.assertEqual([row["delivery"] for row in sink.received()], [delivery])

    def test_an_age_beyond_the_journals_is_refused(self):
        self.write("169h")
        done = self.relay.cli("check-config", self.file, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ringpost.toml:2:17: [organizations.acme] retention_age = 169h is longer than "
                      "journal.retention_age = 168h", done.stdout + done.stderr)
        status, _, outcome = self.relay.request("POST", "/v1/admin/reload")
        self.assertEqual(status, 422, outcome)


if __name__ == "__main__":
    unittest.main()
