"""Events as strangers' clients send them: what may not pass for JSON, compressed bodies, byte order marks,
times in queries, and what the relay says of an event that nobody wants."""

import base64
import gzip
import hmac
import http.server
import json
import threading
import unittest

import harness

FORGED = b'{"ok":1},"type":"deploy.approved","source":"app/production"'


class Receiver:
    """Answers 204 and keeps what came."""

    def __init__(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.requests = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/in" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Intake(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def receiver(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        return receiver

    def file(self, name, content):
        path = self.place.path / name
        path.write_bytes(content)
        return path

    def test_bytes_that_are_not_json_never_speak_for_another_source(self):
        receivers = {}
        for dialect, settings in (("cloudevents", {"handshake": False}), ("buildkite", None),
                                  ("standard", None), ("bitrise", None)):
            receivers[dialect] = self.receiver()
            members = {"settings": settings} if settings else {}
            self.relay.add_webhook(url=receivers[dialect].url, dialect=dialect, schedule=[],
                                   **members)
        event = {"specversion": "1.0", "id": "1", "type": "build.finished", "source": "app/mine",
                 "data_base64": base64.b64encode(FORGED).decode()}
        status, problem = self.relay.send(dict(event, datacontenttype="application/json"),
                                          "application/cloudevents+json")
        self.assertEqual((status, problem["member"]), (422, "data_base64"), problem)
        for number, more in enumerate(({}, {"datacontenttype": "text/plain"},
                                       {"datacontenttype": "image/png"})):
            status, answer = self.relay.send(dict(event, id=f"e{number}", **more),
                                             "application/cloudevents+json")
            self.assertEqual(status, 202, answer)
            status, _, stored = self.relay.request("GET", f"/v1/events/e{number}")
            self.assertEqual((status, stored["source"]), (200, "app/mine"))
            self.assertEqual(base64.b64decode(stored["data_base64"]) if "data_base64" in stored
                             else stored["data"].encode(), FORGED)
        self.relay.wait_until_settled()
        self.assertEqual(len(receivers["cloudevents"].requests), 3)
        for dialect, receiver in receivers.items():
            for headers, body in receiver.requests:
                if "json" not in headers["Content-Type"]:
                    continue
                self.assertEqual(json.loads(body).get("source", "app/mine"), "app/mine", dialect)

    def test_an_event_without_data_has_no_content_type_either(self):
        plain, agent = self.receiver(), self.receiver()
        self.relay.add_webhook(url=plain.url, dialect="standard")
        self.relay.add_webhook(url=agent.url, dialect="buildkite", events=["build.finished"])
        status, answer = self.relay.send({"type": "build.finished", "source": "pipeline/x"})
        self.assertEqual((status, answer["deliveries"]), (202, 2), answer)
        self.relay.wait_until_settled()
        (headers, body), = plain.requests
        self.assertEqual((headers["Content-Type"], headers["Content-Length"], body), (None, "0", b""))
        (headers, body), = [one for one in agent.requests
                            if one[0]["X-Buildkite-Event"] == "build.finished"]  # A ping came, too.
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(json.loads(body)["event"], "build.finished")

    def test_events_come_with_gzip(self):
        lines = b'\n'.join(json.dumps({"type": "packed", "source": "s", "id": f"packed-{n}"}).encode()
                           for n in range(1000))
        for content, expected in ((lines, (1000, 0)), (lines, (0, 1000))):
            status, answer = self.relay.send(gzip.compress(content), "application/x-ndjson",
                                                   **{"Content-Encoding": "gzip"})
            self.assertEqual((status, answer["accepted"], answer["duplicates"]), (202, *expected))
        for content, expected in ((lines, 400), (gzip.compress(lines)[:-9], 400),
                                  (gzip.compress(b" " * (100 << 20)), 413)):
            status, answer = self.relay.send(content, "application/x-ndjson",
                                                   **{"Content-Encoding": "gzip"})
            self.assertEqual(status, expected, answer)

    def test_other_compressed_bodies_are_refused_in_the_words_of_their_api(self):
        body = gzip.compress(b'{"type":"t","source":"s","data":{}}')
        for coding in ("br", "gzip, gzip", "deflate"):
            status, headers, answer = self.relay.request(
                "POST", "/v1/events", body, {"Content-Type": "application/json", "Content-Encoding": coding})
            self.assertEqual((status, headers["Accept-Encoding"]), (415, "gzip"), answer)
        for path, members in (("/v1/webhooks", "detail"),
                              ("/v0.1/apps/a/outgoing-webhooks", "message"),
                              ("/v2/organizations/default/services", "message"),
                              ("/pipelines/1/hooks/outgoing", "message")):
            for coding in ("gzip", "identity, br", "x"):
                status, headers, answer = self.relay.request(
                    "POST", path, body, {"Content-Type": "application/json",
                                         "Content-Encoding": coding})
                self.assertEqual((status, headers["Accept-Encoding"]), (415, "identity"), path)
                self.assertIn("compressed", answer[members])
        for coding in ("identity", "Identity", ""):
            status, _ = self.relay.send({"type": "t", "source": "s"}, **{"Content-Encoding": coding})
            self.assertEqual(status, 202, coding)

    def test_a_body_without_a_type_is_told_which_one(self):
        for path in ("/v1/events", "/v1/webhooks", "/v0.1/apps/a/outgoing-webhooks",
                     "/v2/organizations/default/services", "/pipelines/1/hooks/outgoing"):
            for kind, advice in (
                    ("", "add the header Content-Type: application/json"),
                    ("application/x-www-form-urlencoded", "replace the header Content-Type with application/json"),
                    ("text/plain", "replace the header Content-Type with application/json")):
                status, _, answer = self.relay.request("POST", path, b'{"a":1}',
                                                       {"Content-Type": kind})
                self.assertEqual(status, 415, (path, kind, answer))
                self.assertIn(advice, answer.get("detail", answer.get("message")))
        status, _, answer = self.relay.request("POST", "/v1/events", b'{"a":1}',
                                               {"Content-Type": "application/json; charset=latin1"})
        self.assertEqual(status, 415)
        self.assertIn("send it in UTF-8, with the header Content-Type: application/json", answer["detail"])

    def test_http_2_is_answered_in_words(self):
        answer = harness.raw_exchange(self.relay.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        self.assertTrue(answer.startswith(b"HTTP/1.1 505 "), answer)
        self.assertIn(b"HTTP/1.1, not HTTP/2", answer)

    def test_a_plus_in_a_query_is_a_plus_where_an_offset_begins(self):
        webhook = self.relay.add_webhook(url="https://ci.example.org/in")
        for time in ("2026-11-29T10:00:00+01:00", "2026-11-29T10:00:00%2B01:00",
                     "2026-11-29T10:00:00Z", "2026-11-29+10:00:00Z"):
            for path in (f"/v1/webhooks/{webhook['id']}/deliveries", "/v1/audit"):
                for name in ("since", "until"):
                    status, _, answer = self.relay.request("GET", f"{path}?{name}={time}")
                    self.assertEqual(status, 200, (path, time, answer))

    def test_a_byte_order_mark_is_named_in_a_body_and_no_part_of_a_secret(self):
        mark = b"\xef\xbb\xbf"
        for path, kind in (("/v1/events", "application/json"), ("/v1/events", "application/x-ndjson"),
                           ("/v1/events", "application/cloudevents+json"),
                           ("/v1/webhooks", "application/json"),
                           ("/v2/organizations/default/services", "application/json")):
            status, _, answer = self.relay.request("POST", path, mark + b'{"type":"t"}',
                                                   {"Content-Type": kind})
            self.assertEqual(status, 400, answer)
            self.assertIn("byte order mark", answer.get("detail", answer.get("message")), path)
        receiver = self.receiver()
        secret = self.file("bitrise.secret", mark + b"hush\n")
        self.relay.cli("webhook", "add", "--dialect", "bitrise", "--url", receiver.url, "--app",
                       "c0ffee1234abcd56", "--secret", f"@{secret}")
        event = b'{"type":"build/finished","source":"app/c0ffee1234abcd56","data":{"n":1}}\n'
        sent = self.relay.cli("send", self.file("events.ndjson", mark + event * 2))
        self.assertEqual((sent.stdout, sent.stderr), ("accepted 2, deliveries 2\n", ""))
        self.relay.wait_until_settled()
        headers, body = receiver.requests[0]
        signature = hmac.new(b"hush", body, "sha256").hexdigest()
        self.assertEqual(headers["Bitrise-Hook-Signature"], f"sha256={signature}")

    def test_an_event_that_nobody_wants_is_named(self):
        _, _, token = self.relay.request("POST", "/v1/tokens",
                                         {"name": "other", "scopes": ["events:write"],
                                          "organization": "another"})
        self.relay.add_webhook(url="https://ci.example.org/in", events=["build/*"])
        ordinary = self.relay.send({"type": "build/finished", "source": "s"})[1]
        self.assertEqual((ordinary["deliveries"], ordinary["unmatched"],
                          ordinary["events"][0]["webhooks"]), (1, 0, 1))
        status, answer = self.relay.send({"type": "build/finished", "source": "s"},
                                         Authorization=f"Bearer {token['token']}")
        self.assertEqual((status, answer["unmatched"], answer["organization"],
                          answer["events"][0]["webhooks"]), (202, 1, "another", 0))
        sent = self.relay.cli("send", "--type", "deploy", "--source", "s")
        self.assertEqual(sent.stdout, "accepted 1, deliveries 0\n")
        self.assertIn("1 event matched no active webhook", sent.stderr)
        self.assertIn("organization, which is default", sent.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
