"""Deliveries of the `cloudevents` dialect: permission first, events in both modes, and into a second relay."""

import http.server
import json
import threading
import unittest

import harness


class Target:
    """A receiver of CloudEvents that answers the validation request as told."""

    def __init__(self, allow="*", rate=None):
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_OPTIONS(self):
                target.note(self)
                self.send_response(200 if target.allow else 405)
                if target.allow:
                    self.send_header("WebHook-Allowed-Origin", target.allow)
                    if target.rate:
                        self.send_header("WebHook-Allowed-Rate", target.rate)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                target.note(self)
                self.send_response(target.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.allow, self.rate, self.status, self.requests = allow, rate, 202, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/events?a=1" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.requests.append((handler.command, handler.path, handler.headers, body))

    def methods(self):
        return [method for method, *_ in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class CloudEvents(unittest.TestCase):

    EVENT = {"id": "b 1", "type": "build/finished", "source": "app/my app", "subject": "main",
             "cluster": "eu", "data": {"n": 1.0}}

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", "server.public_url=https://relay.example.org")

    def target(self, **options):
        target = Target(**options)
        self.addCleanup(target.close)
        return target

    def add(self, url, **members):
        return self.relay.add_webhook(url=url, dialect="cloudevents", schedule=[1], **members)

    def deliver(self, webhook, event=None):
        status, answer = self.relay.send(event or self.EVENT)
        self.assertEqual(status, 202, answer)
        return self.relay.wait_for_delivery(
            webhook, lambda found: found["status"] in ("delivered", "dead"))

    def test_asks_in_the_public_urls_name_and_sends_one_object(self):
        target = self.target(allow="relay.example.org")
        webhook = self.add(target.url, secret="mF_9.B5f-4.1JqM")
        self.assertEqual(webhook["settings"], {"mode": "structured", "handshake": True})
        delivery = self.deliver(webhook)
        self.assertEqual(delivery["status"], "delivered")
        self.assertEqual(target.methods(), ["OPTIONS", "POST"])
        _, path, question, _ = target.requests[0]
        self.assertEqual((path, question["WebHook-Request-Origin"]),
                         ("/events?a=1", "relay.example.org"))
        _, _, headers, body = target.requests[1]
        self.assertEqual(headers["Content-Type"], "application/cloudevents+json; charset=utf-8")
        self.assertEqual(headers["WebHook-Request-Origin"], "relay.example.org")
        self.assertEqual(headers["Authorization"], "Bearer mF_9.B5f-4.1JqM")
        self.assertIn(b'"data":{"n": 1.0}', body)
        event = json.loads(body)
        self.assertEqual((event["specversion"], event["id"], event["source"], event["cluster"]),
                         ("1.0", "b 1", "app/my%20app", "eu"))
        attempt = delivery["attempts"][0]
        self.assertEqual(attempt["request"]["body"], body.decode())
        self.assertNotIn("mF_9", json.dumps(delivery))

    def test_without_permission_nothing_is_sent_and_the_attempt_says_so(self):
        target = self.target(allow=None)
        webhook = self.add(target.url)
        delivery = self.deliver(webhook)
        self.assertEqual((delivery["status"], len(delivery["attempts"])), ("dead", 2))
        self.assertEqual(set(target.methods()), {"OPTIONS"})
        attempt = delivery["attempts"][0]
        self.assertEqual(attempt["error"]["code"], "origin_refused")
        self.assertIn("WebHook-Allowed-Origin", attempt["error"]["detail"])
        self.assertEqual((attempt["request"]["method"], attempt["request"]["body"]),
                         ("OPTIONS", ""))
        self.assertEqual(attempt["response"]["status"], 405)
        shown = self.relay.cli("delivery", "show", delivery["id"]).stdout
        self.assertIn("the receiver does not permit deliveries", shown)

    def test_a_200_without_permission_is_not_shown_as_a_result(self):
        webhook = self.add(self.target(allow="https://other.example").url)
        self.assertEqual(self.deliver(webhook)["status"], "dead")
        row = self.relay.cli("delivery", "list", webhook["id"]).stdout.splitlines()[1]
        self.assertIn("origin_refused", row)
        self.assertNotIn("200", row.split())

    def test_who_adds_the_webhook_hears_at_once_whether_it_is_permitted(self):
        refusing, agreeing = self.target(allow=None), self.target()
        for target, said in ((refusing, "WebHook-Allowed-Origin"), (agreeing, "accepts deliveries")):
            shown = self.relay.cli("webhook", "add", "--dialect", "cloudevents", "--url",
                                   target.url).stdout
            self.assertIn(said, shown)
            self.assertEqual(target.methods(), ["OPTIONS"], "no event was needed")
        states = {webhook["url"]: webhook for webhook in
                  self.relay.request("GET", "/v1/webhooks")[2]["items"]}
        self.assertEqual(states[agreeing.url]["permission"], "granted")
        refused = states[refusing.url]
        self.assertEqual(refused["permission"], "refused")
        self.assertIn("405", refused["permission_reason"])
        refusing.allow = "*"
        self.assertEqual(self.deliver(refused)["status"], "delivered")
        status, _, shown = self.relay.request("GET", f"/v1/webhooks/{refused['id']}")
        self.assertEqual((shown["permission"], shown["permission_reason"]), ("granted", ""))

    def test_who_changes_the_webhook_or_reads_json_hears_it_too(self):
        agreeing, refusing = self.target(), self.target(allow=None)
        added = self.relay.cli("webhook", "add", "--dialect", "cloudevents", "--url", refusing.url, "--json")
        self.assertEqual(json.loads(added.stdout)["url"], refusing.url)
        self.assertIn("WebHook-Allowed-Origin", added.stderr)
        webhook = self.add(agreeing.url)
        for target, said in ((refusing, "WebHook-Allowed-Origin"), (agreeing, "accepts deliveries")):
            shown = self.relay.cli("webhook", "update", webhook["id"], "--url", target.url).stdout
            self.assertIn(said, shown)

    def test_415_is_final_and_an_event_that_fits_no_head_too(self):
        target = self.target()
        target.status = 415
        webhook = self.add(target.url, settings={"mode": "binary", "handshake": False})
        delivery = self.deliver(webhook)
        self.assertEqual((delivery["status"], len(delivery["attempts"])), ("dead", 1))
        self.assertEqual(target.methods(), ["POST"])
        large = dict(self.EVENT, id="large", **{f"e{index}": " " * 1024 for index in range(12)})
        delivery = self.deliver(webhook, large)
        self.assertEqual((delivery["status"], len(delivery["attempts"])), ("dead", 1))
        error = delivery["attempts"][0]["error"]
        self.assertEqual(error["code"], "not_renderable")
        self.assertIn("headers would be too large", error["detail"])
        shown = self.relay.cli("delivery", "show", delivery["id"]).stdout
        self.assertIn("headers would be too large", shown)
        self.assertIn("not_renderable", self.relay.cli("delivery", "list", webhook["id"]).stdout)
        self.assertEqual(target.methods(), ["POST"])

    def test_the_allowed_rate_spaces_deliveries(self):
        target = self.target(rate="120")
        webhook = self.add(target.url)
        for index in range(5):
            self.relay.send(dict(self.EVENT, id=str(index)))
        self.relay.wait_until_settled()
        self.assertEqual(target.methods().count("POST"), 5)
        started = sorted(self.relay.delivery(found["id"])["attempts"][0]["started_at"]
                         for found in self.relay.deliveries(webhook))
        seconds = [float(time[17:-1]) for time in started]
        self.assertGreaterEqual((seconds[-1] - seconds[0]) % 60, 1.9, started)

    def test_another_relay_takes_what_this_one_sends_in_both_modes(self):
        other = self.place.relay(name="other")
        sink = self.place.sink(plain=True)
        other.add_webhook(url=sink.url)
        for mode in ("structured", "binary"):
            self.add(f"http://127.0.0.1:{other.port}/v1/events", secret=other.token,
                     sources=[f"app/{mode}"], settings={"mode": mode, "handshake": False})
            status, _ = self.relay.send(dict(self.EVENT, id=mode, source=f"app/{mode}"))
            self.assertEqual(status, 202)
        sink.wait_for_count(2)
        bodies = {row["sha256"] for row in sink.received()}
        self.assertEqual(len(bodies), 1, "the data's bytes are the same")

    def test_what_it_cannot_do_is_refused_by_name(self):
        for members, member in (({"secret": "no token"}, "secret"),
                                ({"settings": {"mode": "batch"}}, "settings.mode"),
                                ({"settings": {"origin": "x"}}, "settings.origin"),
                                ({"headers": {"ce-id": "x"}}, "headers.ce-id")):
            status, _, answer = self.relay.request(
                "POST", "/v1/webhooks", {"url": "http://127.0.0.1:1/", "dialect": "cloudevents",
                                         **members})
            self.assertEqual((status, answer["member"]), (422, member))


if __name__ == "__main__":
    unittest.main(verbosity=2)
