"""Spans for a collector: what becomes of them when it is away, slow or refuses, and that no event waits for it."""

import http.server
import json
import threading
import time
import unittest

import harness

SECONDS = 30
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            answer = self.server.answers.pop(0) if self.server.answers else (200, {}, "{}")
            self.server.requests.append((self.path, dict(self.headers), body))
        status, headers, text = answer
        if status is None:  # Never.
            self.server.over.wait(SECONDS)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Tracing(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.port = harness.free_port()
        self.server = None

    def start_collector(self, *answers):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Collector)
        server.requests, server.answers, server.lock, server.over = [], list(answers), threading.Lock(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(server.over.set)
        self.server = server

    def relay(self, *settings, name="data"):
        sets = [part for setting in (f'tracing.endpoint="http://127.0.0.1:{self.port}"', *settings) for part in ("--set", setting)]
        return self.place.relay(*sets, name=name)

    def spans(self):
        with self.server.lock:
            return [span for _, _, body in self.server.requests for resource in body["resourceSpans"]
                    for scope in resource["scopeSpans"] for span in scope["spans"]]

    def wait_until(self, holds):
        deadline = time.monotonic() + SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def send(self, relay, identity, **headers):
        status, _ = relay.send(json.dumps({"id": identity, "type": "t", "source": "s", "data": {"n": 1}}), **headers)
        self.assertEqual(status, 202)

    def test_only_what_is_sampled_is_told_and_every_request_says_whether(self):
        self.start_collector()
        relay = self.relay("tracing.sample_ratio=0.0")
        sink = self.place.sink(plain=True)
        relay.add_webhook(url=sink.url)
        self.send(relay, "mine")
        self.send(relay, "sampled", traceparent=PARENT, tracestate="vendor=1")
        self.send(relay, "unsampled", traceparent=PARENT[:-1] + "0")
        relay.wait_until_settled()
        self.wait_until(lambda: len(self.spans()) == 2)
        self.assertEqual({span["traceId"] for span in self.spans()}, {TRACE})
        sent = {one["event"]["id"]: relay.delivery(one["id"])["attempts"][0]["request"]["headers"]
                for one in relay.request("GET", "/v1/deliveries")[2]["items"]}
        post = next(span for span in self.spans() if span["name"] == "POST")
        self.assertEqual(sent["sampled"]["traceparent"], f"00-{TRACE}-{post['spanId']}-01")
        self.assertEqual(sent["sampled"]["tracestate"], "vendor=1")
        self.assertEqual(sent["unsampled"]["traceparent"][-3:], "-00")
        self.assertEqual(sent["mine"]["traceparent"][-3:], "-00")
        self.assertNotIn(TRACE, sent["mine"]["traceparent"])

    def test_ids_are_the_same_after_a_restart(self):
        self.start_collector()
        relay = self.relay()
        webhook = relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", schedule=[2])
        self.send(relay, "e1")
        relay.wait_for_delivery(webhook, lambda one: one["attempt_count"] == 1)
        self.wait_until(lambda: len(self.spans()) == 2)
        relay.stop()
        relay = self.relay()
        relay.wait_until_settled()
        self.wait_until(lambda: len(self.spans()) == 3)
        # Which of accept and attempt comes first is not promised.
        accept = next(span for span in self.spans() if span["name"] == "accept")
        first, second = (span for span in self.spans() if span["name"] != "accept")
        for attempt in (first, second):
            self.assertEqual((attempt["traceId"], attempt["parentSpanId"]), (accept["traceId"], accept["spanId"]))
        self.assertNotEqual(first["spanId"], second["spanId"])

    def test_a_collector_that_comes_late_gets_what_waited(self):
        relay = self.relay()
        self.send(relay, "e1", traceparent=PARENT)
        self.wait_until(lambda: relay.status()["tracing"]["problem"] is not None)
        self.assertIn("refused", relay.cli("status").stdout)
        self.start_collector((503, {"Retry-After": "1"}, ""))
        self.wait_until(lambda: relay.status()["tracing"]["exported"] == 1)
        self.assertEqual({span["traceId"] for span in self.spans()}, {TRACE})
        self.assertEqual(relay.status()["tracing"] | {"endpoint": None}, {
            "endpoint": None, "queued": 0, "exported": 1, "dropped": {"full": 0, "refused": 0, "away": 0}, "problem": None})

    def test_what_is_refused_is_counted_and_said(self):
        self.start_collector((401, {"Content-Type": "application/json"}, '{"message": "who are you"}'),
                             (200, {}, '{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}'))
        relay = self.relay()
        self.send(relay, "e1")
        self.wait_until(lambda: relay.status()["tracing"]["dropped"]["refused"] == 1)
        self.assertIn("answered 401: who are you", relay.status()["tracing"]["problem"])
        self.send(relay, "e2")
        self.wait_until(lambda: relay.status()["tracing"]["dropped"]["refused"] == 2)
        metrics = relay.request("GET", "/metrics")[2].decode()
        self.assertIn('ringpost_tracing_spans_dropped_total{reason="refused"} 2', metrics)

    def test_a_collector_that_never_answers_delays_no_event(self):
        self.start_collector(*[(None, {}, "")] * 100)
        relay = self.relay('tracing.timeout="1s"')
        sink = self.place.sink(plain=True)
        relay.add_webhook(url=sink.url)
        for number in range(50):
            self.send(relay, f"e{number}")
        sink.wait_for_count(50)
        relay.wait_until_settled()
        self.wait_until(lambda: relay.status()["tracing"]["problem"] is not None)
        self.server.over.set()
        relay.stop()

    def test_a_reload_switches_it_on_and_off(self):
        self.start_collector()
        file = self.place.path / "ringpost.toml"
        file.write_text("")
        relay = self.place.relay("--config", file)
        sink = self.place.sink(plain=True)
        webhook = relay.add_webhook(url=sink.url)
        sent = lambda: relay.delivery(relay.deliveries(webhook)[0]["id"])["attempts"][0]["request"]["headers"]["traceparent"]
        self.send(relay, "off", traceparent=PARENT)
        relay.wait_until_settled()
        self.assertEqual(sent(), PARENT)
        file.write_text(f'[tracing]\nendpoint = "http://127.0.0.1:{self.port}"\n')
        relay.cli("reload")
        self.send(relay, "on", traceparent=PARENT)
        relay.wait_until_settled()
        self.assertNotEqual(sent(), PARENT)
        self.wait_until(lambda: len(self.spans()) == 2)
        file.write_text("")
        relay.cli("reload")
        self.send(relay, "off again", traceparent=PARENT)
        relay.wait_until_settled()
        self.assertEqual(sent(), PARENT)
        self.assertEqual(relay.status()["tracing"]["endpoint"], None)
        self.assertEqual(len(self.spans()), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
