"""Bitrise's API on a real relay: webhooks made over it, deliveries to a receiver, its log."""

import hashlib
import http.client
import json
import time
import unittest

import harness

SECRET = "relay-demo-secret"
APP = "c0ffee1234abcd56"
PATH = f"/v0.1/apps/{APP}/outgoing-webhooks"
# The specification's example, 245 bytes.
BUILD = (b'{"build_slug":"7f3c9a10b2d44e6f","build_number":128,"app_slug":"c0ffee1234abcd56",'
         b'"build_status":1,"build_triggered_workflow":"release","git":{"provider":"github",'
         b'"src_branch":"feature/login","dst_branch":"main","pull_request_id":57,"tag":null}}')
SIGNATURE = "sha256=6ec7dae990eeafe2979a7512b55746da209220b24162dad1b30244403945a4ba"


class BitriseTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def ask(self, method, path, body=None, headers=None):
        """As Bitrise's clients do: the bare token. Returns status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=30)
        sent = {"Authorization": self.relay.token} if headers is None else headers
        if body is not None:
            sent = {"Content-Type": "application/json", **sent}
            body = json.dumps(body)
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        parsed = json.loads(answer.read())
        connection.close()
        return answer.status, parsed

    def make(self, sink, **members):
        status, made = self.ask("POST", PATH, {"events": ["build"], "url": sink.url + "/in",
                                               "secret": SECRET, **members})
        self.assertEqual(status, 201, made)
        self.trust(made["data"]["slug"], sink)
        return made["data"]

    def trust(self, slug, sink):
        """Bitrise's API knows no private CA: that is the native API's."""
        status, _, answer = self.relay.request("PATCH", f"/v1/webhooks/{slug}",
                                               {"tls": sink.tls()})
        self.assertEqual(status, 200, answer)

    def send(self, kind="build/finished", source="app/" + APP, data=BUILD):
        event = b'{"type":"%s","source":"%s","data":%s}' % (kind.encode(), source.encode(), data)
        status, answer = self.relay.send(event)
        self.assertEqual(status, 202, answer)

    def items(self, slug, wanted):
        """The log, newest first, once it holds so many answered deliveries."""
        deadline = time.monotonic() + 30
        while True:
            status, log = self.ask("GET", f"{PATH}/{slug}/delivery-items")
            self.assertEqual(status, 200, log)
            answered = [item for item in log["data"] if item["response_http_status"] is not None]
            if len(answered) >= wanted:
                return log["data"]
            self.assertLess(time.monotonic(), deadline, log)
            time.sleep(0.05)

    def test_a_webhook_lives_and_its_deliveries_are_shown_and_repeated(self):
        sink = self.place.sink("--bitrise-secret", SECRET)
        webhook = self.make(sink, headers={"X-Team": "mobile", "X-Api-Token": "unseen"})
        slug = webhook["slug"]
        self.assertEqual(webhook["headers"], {"X-Team": "mobile", "X-Api-Token": "unseen"})
        self.assertEqual(self.ask("GET", PATH)[1]["data"][0]["headers"],
                         {"X-Team": "mobile", "X-Api-Token": "*****"})

        self.send()
        self.send(source="app/other")
        self.send(kind="deploy/finished")
        row, = sink.wait_for_count(1)
        self.assertEqual((row["signature"], row["sha256"], row["attempt"]),
                         ("good", hashlib.sha256(BUILD).hexdigest(), "1"))
        item, = self.items(slug, 1)
        self.assertEqual(self.ask("GET", f"{PATH}/{slug}/delivery-items/{item['slug']}"),
                         (200, item))
        self.assertEqual(item["request_url"], sink.url + "/in")
        self.assertEqual(item["request_payload"].encode(), BUILD)
        self.assertEqual((item["response_http_status"], item["response_seconds"],
                          item["response_body"]), (200, 0, "ok"))
        headers = json.loads(item["request_headers"])
        self.assertEqual(headers["Bitrise-Event-Type"], "build/finished")
        self.assertEqual(headers["Bitrise-App-Id"], APP)
        self.assertEqual(headers["Bitrise-Hook-Signature"], SIGNATURE)
        self.assertEqual((headers["X-Team"], headers["X-Api-Token"]), ("mobile", "*****"))
        self.assertEqual(json.loads(item["response_headers"])["Content-Type"], "text/plain")

        # A redelivery takes the URL, headers and secret of now, and the bytes of then.
        changed = self.place.sink("--bitrise-secret", "another", name="changed")
        status, updated = self.ask("PUT", f"{PATH}/{slug}",
                                   {"events": ["all"], "url": changed.url + "/new",
                                    "headers": {"X-Team": "desktop"}, "secret": "another"})
        self.assertEqual((status, updated["data"]["headers"]), (200, {"X-Team": "desktop"}))
        self.trust(slug, changed)
        self.assertEqual(self.ask("POST", f"{PATH}/{slug}/delivery-items/{item['slug']}/redeliver"),
                         (200, {"message": "ok"}))
        row, = changed.wait_for_count(1)
        self.assertEqual((row["signature"], row["sha256"]),
                         ("good", hashlib.sha256(BUILD).hexdigest()))
        newest, oldest = self.items(slug, 2)
        self.assertEqual(oldest, item, "the old item stays as it was")
        self.assertEqual(newest["request_url"], changed.url + "/new")
        self.assertEqual(json.loads(newest["request_headers"])["X-Team"], "desktop")

        # A redelivery that the native API gave other headers does not hand them on.
        status, _, answer = self.relay.request("POST", f"/v1/deliveries/{newest['slug']}/redeliver",
                                               {"headers": {"X-Once": "1"}})
        self.assertEqual(status, 202, answer)
        once = self.items(slug, 3)[0]
        self.assertEqual(json.loads(once["request_headers"])["X-Once"], "1")
        self.ask("POST", f"{PATH}/{slug}/delivery-items/{once['slug']}/redeliver")
        self.assertNotIn("X-Once", json.loads(self.items(slug, 4)[0]["request_headers"]))

        self.assertEqual(self.ask("DELETE", f"{PATH}/{slug}")[1]["data"]["slug"], slug)
        self.assertEqual(self.ask("GET", f"{PATH}/{slug}/delivery-items")[0], 404)
        self.assertEqual(len(sink.received()), 1, "other apps and types do not come")
        self.assertEqual((sink.stop(), changed.stop()), (0, 0), "a signature was bad")

    def test_there_is_one_attempt_whatever_the_answer(self):
        sink = self.place.sink("--status", "503")
        slug = self.make(sink, secret="")["slug"]
        self.send()
        item, = self.items(slug, 1)
        self.assertEqual(item["response_http_status"], 503)
        self.assertNotIn("Bitrise-Hook-Signature", json.loads(item["request_headers"]))
        self.relay.wait_until_settled()
        row, = sink.received()
        self.assertEqual(row["signature"], "none")
        status, _, native = self.relay.request("GET", f"/v1/webhooks/{slug}")
        self.assertEqual((native["schedule"], native["timeout_ms"]), ([], 10_000))

    def test_a_webhook_whose_endpoint_was_gone_is_brought_back_by_mending_it(self):
        gone = self.place.sink("--status", "410", name="gone")
        slug = self.make(gone)["slug"]
        self.send()
        item, = self.items(slug, 1)
        self.assertEqual(item["response_http_status"], 410)
        native = f"/v1/webhooks/{slug}"
        deadline = time.monotonic() + 30
        while self.relay.request("GET", native)[2]["state"] == "active":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.send()

        mended = self.place.sink("--bitrise-secret", SECRET, name="mended")
        body = {"events": ["build"], "url": mended.url + "/in"}
        self.assertEqual(self.ask("PUT", f"{PATH}/{slug}", body)[0], 200)
        self.trust(slug, mended)
        self.send()
        mended.wait_for_count(1)
        self.assertEqual(self.relay.request("GET", native)[2]["state"], "active")

        # What a person stopped stays so.
        self.assertEqual(self.relay.request("POST", native + "/disable")[0], 200)
        self.assertEqual(self.ask("PATCH", f"{PATH}/{slug}", body)[0], 200)
        self.assertEqual(self.relay.request("GET", native)[2]["state"], "disabled")
        self.assertEqual(len(gone.received()), 1, "nothing was sent while it was stopped")

    def test_the_native_api_filters_builds_by_their_branch(self):
        sink = self.place.sink()
        self.relay.add_webhook(url=sink.url, dialect="bitrise", sources=["app/" + APP],
                               filter={"branches": "main"}, tls=sink.tls())
        self.send()
        self.send(data=BUILD.replace(b"feature/login", b"main"))
        self.send(data=BUILD.replace(b"feature/login", b""))
        self.relay.wait_until_settled()
        self.assertEqual(len(sink.received()), 2, "main, and the tag that is of no branch")

    def test_groups_survive_a_restart_and_pipeline_matches_nothing(self):
        sink = self.place.sink()
        pipeline = self.make(sink, events=["pipeline"])["slug"]
        both = self.make(sink, events=["build", "all"])["slug"]
        for kind in ("build/triggered", "build/finished", "pipeline/finished", "pipeline", "later"):
            self.send(kind=kind)
        sink.wait_for_count(5)
        self.relay.wait_until_settled()
        self.assertEqual(len(sink.received()), 5, "once each")
        self.assertEqual(self.relay.stop(), 0)
        self.relay = self.place.relay()
        groups = {item["slug"]: item["events"] for item in self.ask("GET", PATH)[1]["data"]}
        self.assertEqual(groups, {pipeline: ["pipeline"], both: ["build", "all"]})
        self.assertEqual(self.items(pipeline, 0), [])
        self.assertEqual(len(self.items(both, 5)), 5)

    def test_tokens_are_bare_and_what_they_may_not_do_is_not_there(self):
        token = self.relay.token
        for headers in ({"Authorization": token}, {"Authorization": f"Bearer {token}"},
                        {"Bitrise-Addon-Auth-Token": token}):
            self.assertEqual(self.ask("GET", PATH, headers=headers)[0], 200, headers)
        for headers in ({}, {"Authorization": "wrong"}, {"Authorization": f"token {token}"},
                        {"Authorization": "wrong", "Bitrise-Addon-Auth-Token": token}):
            status, answer = self.ask("GET", PATH, headers=headers)
            self.assertEqual((status, list(answer)), (401, ["message"]), headers)
        body = {"events": ["all"], "url": "https://ci.example.org/"}
        addon = {"Bitrise-Addon-Auth-Token": token}
        status, answer = self.ask("POST", PATH, {**body, "url": "https://127.0.0.1/"}, addon)
        self.assertEqual((status, answer["data"]["registered_by_addon"]), (201, True))
        webhook = f"{PATH}/{answer['data']['slug']}"
        for method, path in (("PUT", webhook), ("PATCH", webhook), ("DELETE", webhook),
                             ("GET", webhook + "/delivery-items"),
                             ("GET", webhook + "/delivery-items/x"),
                             ("POST", webhook + "/delivery-items/x/redeliver")):
            self.assertEqual(self.ask(method, path, headers=addon)[0], 401, (method, path))
        self.assertEqual(self.relay.request("GET", "/v1/webhooks", headers=addon)[0], 200)
        self.assertEqual(self.relay.request("GET", "/v1/webhooks",
                                            headers={"Authorization": token})[0], 401,
                         "the native API takes Bearer only")
        status, answer = self.ask("POST", PATH, {"events": [], "url": "x"})
        self.assertEqual((status, answer), (400, {"message":
                                                  "`events` must have at least one entry."}))
        status, answer = self.ask("POST", PATH, body, {"Authorization": token,
                                                       "Content-Type": "text/plain"})
        self.assertEqual((status, list(answer)), (415, ["message"]))
        self.assertEqual(self.ask("GET", "/v0.1/nothing")[0], 404)
        self.assertEqual(self.ask("GET", webhook)[0], 405)

    def test_the_native_api_makes_such_webhooks_by_settings(self):
        webhook = self.relay.add_webhook(url="https://ci.example.org/in", dialect="bitrise",
                                         sources=["app/" + APP], settings={"events": ["build"]})
        self.assertEqual(webhook["events"], ["build/triggered", "build/finished"])
        self.assertEqual(webhook["settings"], {"events": ["build"], "registered_by_addon": False})
        listed, = self.ask("GET", PATH)[1]["data"]
        self.assertEqual((listed["slug"], listed["events"]), (webhook["id"], ["build"]))
        self.relay.request("PATCH", f"/v1/webhooks/{webhook['id']}", {"events": ["*"]})
        self.assertEqual(self.ask("GET", PATH)[1]["data"][0]["events"], ["all"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
