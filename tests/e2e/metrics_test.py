"""`GET /metrics` of real relays: what it shows adds up with the status and with what was sent, and only those who may
see it do.
"""

import http.client
import json
import time
import unittest

import harness
import scrape

OPENMETRICS = "application/openmetrics-text"
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1tZXRyaWNzLXRlc3Q="


def ask(port, method, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return answer, raw.decode()


class Figures(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", "metrics.webhooks_max=2")
        self.sink = self.place.sink(plain=True)

    def event(self, source, **members):
        return {"type": "build/finished", "source": source, "data": {"n": 1}, **members}

    def test_deliveries_of_every_kind_add_up(self):
        """Method: receivers that accept, answer 500, and are not there; a duplicate, refusals of three kinds."""
        url = self.sink.url
        good = self.relay.add_webhook(url=url + "/good", sources=["app/good"], schedule=[], secret=SECRET,
                                      headers={"X-Api-Key": "key-of-the-receiver"})
        bad = self.place.sink("--status", "500", plain=True, name="bad")
        failing = self.relay.add_webhook(url=bad.url + "/bad", sources=["app/bad"], schedule=[])
        absent = self.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=["app/absent"],
                                        schedule=[3600])
        for _ in range(20):
            self.assertEqual(self.relay.send(self.event("app/good"))[0], 202)
        for _ in range(3):
            self.assertEqual(self.relay.send(self.event("app/bad"))[0], 202)
        for _ in range(4):
            self.assertEqual(self.relay.send(self.event("app/absent"))[0], 202)
        self.assertEqual(self.relay.send(self.event("app/good", id="one"))[0], 202)
        self.assertEqual(self.relay.send(self.event("app/good", id="one"))[0], 202)
        self.assertEqual(self.relay.send("{")[0], 400)
        self.assertEqual(self.relay.send({"type": 1})[0], 422)
        self.assertEqual(self.relay.request("POST", "/v1/events", self.event("app/good"),
                                            {"Authorization": "Bearer wrong"})[0], 401)
        self.wait_for_attempts(28)
        found = scrape.scrape(self.relay)
        status = self.relay.status()

        self.assertEqual(found.sample("ringpost_events_accepted_total"), 28)
        self.assertEqual(found.sample("ringpost_events_duplicate_total"), 1)
        refused = "ringpost_event_requests_refused_total"
        self.assertEqual(found.sample(refused, reason="invalid"), 2)
        self.assertEqual(found.sample(refused, reason="unauthorized"), 1)
        self.assertEqual(found.sum(refused), 3)
        self.assertEqual(found.sample("ringpost_deliveries_total"), 28)
        finished = "ringpost_deliveries_finished_total"
        self.assertEqual(found.sample(finished, result="delivered"), 21)
        self.assertEqual(found.sample(finished, result="dead"), 3)
        self.assertEqual(found.sample("ringpost_deliveries_pending"), 4)
        self.assertEqual(found.sum(finished) + found.sample("ringpost_deliveries_pending"), 28)
        ended = "ringpost_attempts_finished_total"
        self.assertEqual(found.sample(ended, result="success"), 21)
        self.assertEqual(found.sample(ended, result="server_error"), 3)
        self.assertGreaterEqual(found.sample(ended, result="connection_failed"), 1)
        self.assertEqual(found.sum(ended) + found.sample("ringpost_attempts_put_back_total") +
                         found.sample("ringpost_deliveries_in_flight"),
                         found.sample("ringpost_attempts_started_total"))
        for histogram, count in (("ringpost_accept_latency_seconds", 29), ("ringpost_delivery_latency_seconds", 21)):
            self.assertEqual(found.sample(histogram + "_count"), count)
            self.assertEqual(found.sample(histogram + "_bucket", le="+Inf"), count)
            self.assertGreater(found.sample(histogram + "_sum"), 0)
            counts = [value for _, value in sorted((float(labels["le"]), value) for labels, value in
                                                   found.family(histogram + "_bucket"))]
            self.assertEqual(counts, sorted(counts))
        self.assertEqual(len(self.sink.received()), 21)

        totals = status["totals"]
        for name, value in (("events_accepted", 28), ("events_refused", 3), ("deliveries_delivered", 21),
                            ("attempts_failed", found.sum(ended) - 21),
                            ("journal_bytes", found.sample("ringpost_journal_written_bytes_total")),
                            ("syncs_completed", found.sample("ringpost_journal_syncs_total"))):
            self.assertEqual(totals[name], value, name)
        self.assertEqual(status["backlog"], 4)
        self.assertGreater(totals["ring_submissions"], 0)
        self.assertGreater(totals["ring_enters"], 0)
        self.assertEqual(totals["ring_overflows"], 0)

        self.assertEqual(found.family("ringpost_webhook_deliveries_pending"),
                         [({"organization": "default", "webhook": absent["id"]}, 4)])
        [(_, oldest)] = found.family("ringpost_webhook_oldest_undelivered_timestamp_seconds")
        self.assertEqual(oldest, found.sample("ringpost_oldest_undelivered_timestamp_seconds"))
        self.assertLess(abs(time.time() - oldest), 3600)
        self.check_process(found)
        for text in (SECRET, "key-of-the-receiver", self.relay.token, "://", "127.0.0.1", good["id"], failing["id"],
                     "app/", str(self.relay.data_dir)):
            self.assertNotIn(text, found.text)

    def wait_for_attempts(self, count, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            status = self.relay.status()
            totals = status["totals"]
            done = totals["deliveries_delivered"] + totals["deliveries_dead"] + totals["deliveries_pending"]
            # The index, which `backlog` is of, is told a moment later.
            settled = (totals["deliveries_pending"], totals["deliveries_in_flight"], status["backlog"])
            if settled == (4, 0, 4) and done == count:
                return
            self.assertLess(time.monotonic(), deadline, totals)
            time.sleep(0.05)

    def check_process(self, found):
        self.assertGreater(found.sample("process_resident_memory_bytes"), 1_000_000)
        self.assertGreater(found.sample("process_open_fds"), 10)
        self.assertGreater(found.sample("process_max_fds"), found.sample("process_open_fds"))
        self.assertGreater(found.sample("process_cpu_seconds_total"), 0)
        self.assertLess(abs(time.time() - found.sample("process_start_time_seconds")), 3600)
        self.assertGreater(found.sample("ringpost_data_directory_free_bytes"), 0)
        self.assertGreaterEqual(found.sample("ringpost_journal_disk_bytes"), 4 << 20)
        self.assertEqual(found.sample("ringpost_webhooks"), 3)
        self.assertEqual([value for _, value in found.family("ringpost_build_info")], [1])

    def test_series_are_bounded_by_configuration(self):
        """Method: five webhooks with pending deliveries, a limit of two; then a reload with another limit."""
        config = self.place.path / "relay.toml"
        config.write_text("[metrics]\nwebhooks_max = 2\n")
        relay = self.place.relay("--config", config, name="bounded")
        for count in range(1, 6):
            webhook = relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=[f"app/{count}"],
                                        schedule=[3600])
            for _ in range(count):
                self.assertEqual(relay.send(self.event(f"app/{count}"))[0], 202)
        self.assertEqual(webhook["organization"], "default")
        pending = "ringpost_webhook_deliveries_pending"
        self.assertEqual(sorted(value for _, value in scrape.scrape(relay).family(pending)), [4, 5])
        config.write_text("[metrics]\nwebhooks_max = 4\n")
        self.assertEqual(relay.request("POST", "/v1/admin/reload")[0], 200)
        found = scrape.scrape(relay)
        self.assertEqual(sorted(value for _, value in found.family(pending)), [2, 3, 4, 5])
        self.assertEqual(found.sample("ringpost_configuration_reload_successful"), 1)
        config.write_text("[metrics]\nwebhooks_max = 0\n")
        self.assertEqual(relay.request("POST", "/v1/admin/reload")[0], 200)
        self.assertEqual(scrape.scrape(relay).family(pending), [])
        config.write_text("[metrics]\nwebhooks_max = 1001\n")
        self.assertEqual(relay.request("POST", "/v1/admin/reload")[0], 422)
        self.assertEqual(scrape.scrape(relay).sample("ringpost_configuration_reload_successful"), 0)


class Access(unittest.TestCase):
    """Listeners: the first serves everything with tokens, then one for metrics alone, one for events alone."""

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        config = cls.place.path / "relay.toml"
        config.write_text("""
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
serves = ["metrics"]
[[listener]]
address = "127.0.0.1:0"
serves = ["events"]
""")
        cls.relay = cls.place.relay("--config", config, listen=())
        cls.api, cls.metrics, cls.events = cls.relay.ports()

    def token(self, **members):
        return self.relay.request("POST", "/v1/tokens", {"name": "x", **members})[2]["token"]

    def test_a_listener_of_metrics_serves_them_to_everybody_and_nothing_else(self):
        answer, text = ask(self.metrics, "GET", "/metrics", Accept=OPENMETRICS)
        self.assertEqual(answer.status, 200)
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertEqual(answer.headers["Vary"], "Accept")
        self.assertEqual(ask(self.metrics, "GET", "/metrics", Authorization="Bearer wrong")[0].status, 200)
        self.assertEqual(ask(self.metrics, "GET", "/healthz")[0].status, 200)
        for path in ("/v1/status", "/v1/webhooks", "/v1/openapi.json", "/metrics/", "/metricsx", "/"):
            self.assertEqual(ask(self.metrics, "GET", path, Authorization=f"Bearer {self.relay.token}")[0].status, 404,
                             path)
        self.assertEqual(ask(self.metrics, "POST", "/v1/events")[0].status, 404)
        self.assertEqual(ask(self.metrics, "GET", "/metrics", Host="evil.example")[0].status, 421)

    def test_a_listener_of_the_api_asks_for_a_token(self):
        self.assertEqual(ask(self.api, "GET", "/metrics")[0].status, 401)
        scraper = self.token(scopes=["metrics:read"])
        bearer = f"Bearer {scraper}"
        self.assertEqual(ask(self.api, "GET", "/metrics", Authorization=bearer)[0].status, 200)
        self.assertEqual(ask(self.api, "GET", "/v1/status", Authorization=bearer)[0].status, 403)
        self.assertEqual(ask(self.api, "POST", "/v1/events", Authorization=bearer)[0].status, 403)
        for members in ({"scopes": ["events:write"]}, {"scopes": ["metrics:read"], "organization": "acme"},
                        {"scopes": ["metrics:read"], "sources": ["app/x"]}):
            bearer = f"Bearer {self.token(**members)}"
            self.assertEqual(ask(self.api, "GET", "/metrics", Authorization=bearer)[0].status, 403, members)

    def test_a_listener_of_events_has_no_metrics(self):
        for authorization in (f"Bearer {self.relay.token}", "Bearer wrong"):
            self.assertEqual(ask(self.events, "GET", "/metrics", Authorization=authorization)[0].status, 404)

    def test_get_and_head_are_taken_and_nothing_else(self):
        head, body = ask(self.metrics, "HEAD", "/metrics")
        self.assertEqual((head.status, body), (200, ""))
        self.assertGreater(int(head.headers["Content-Length"]), 5000)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer, text = ask(self.metrics, method, "/metrics")
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"), method)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertEqual(json.loads(text)["status"], 405)

    def test_the_format_is_the_one_that_is_wanted(self):
        plain = "text/plain; version=0.0.4; charset=utf-8"
        new = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        for accept, kind in (("*/*", plain), ("application/json", plain), (OPENMETRICS, new),
                             (OPENMETRICS + ";q=0.1, text/plain", plain), ("nonsense;;,", plain),
                             ("text/plain;q=0.2, " + OPENMETRICS + ';version="1.0.0";q=0.9', new)):
            answer, text = ask(self.metrics, "GET", "/metrics", Accept=accept)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, kind), accept)
            self.assertEqual(text.endswith("# EOF\n"), kind == new)
            scrape.Scrape(text)
        self.assertEqual(ask(self.metrics, "GET", "/metrics")[0].headers["Content-Type"], plain)

    def test_both_formats_have_the_same_samples(self):
        old = scrape.Scrape(ask(self.metrics, "GET", "/metrics")[1])
        new = scrape.Scrape(ask(self.metrics, "GET", "/metrics", Accept=OPENMETRICS)[1])
        self.assertEqual(old.samples.keys(), new.samples.keys())
        for name, kind in new.types.items():
            suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
            self.assertEqual(old.types[name + suffix], "gauge" if kind == "info" else kind)
            self.assertTrue(new.helps[name])


if __name__ == "__main__":
    unittest.main(verbosity=2)
