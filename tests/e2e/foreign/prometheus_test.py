"""Prometheus itself scrapes a real relay, and reads the alert rules and the queries of the dashboard.

Goal: what is shipped in tools/monitoring works as it is: every file is accepted, every rule fires where it should, and
every metric that a rule or a panel asks for is one that a relay has.
"""

import json
import re
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

import foreign
import harness
import scrape

MONITORING = foreign.HERE.parents[2] / "tools" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
ALERTS_TEST = foreign.HERE / "prometheus" / "alerts_test.yml"
DASHBOARD = MONITORING / "dashboard.json"
PROGRAMS = harness.BUILD / "servers" / "root" / "usr" / "bin"
METRIC = re.compile(r"\b((?:ringpost|process)_[a-z_]+)\b(?!\")")
SUFFIX = re.compile(r"_(bucket|count|sum)$")
# Only there under conditions: after a reload, with TLS, with [forward], with [tracing].
CONDITIONAL = {"ringpost_tracing_spans_dropped_total", "ringpost_configuration_reload_successful", "ringpost_certificate_expiry_timestamp_seconds", "ringpost_forward_held",
               "ringpost_forward_oldest_timestamp_seconds", "ringpost_forward_lost_events", "ringpost_forward_set_aside_events"}
SECONDS = 60


def program(name):
    return foreign.need(foreign.installed(name, PROGRAMS / name))


def setUpModule():
    program("prometheus")
    program("promtool")
    foreign.need(foreign.python("python"))
    foreign.need(foreign.program("openssl"))


def expressions(dashboard):
    """What the panels ask for, with the variables as Grafana fills them in for "All"."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield (target["expr"].replace("$__rate_interval", "1m").replace("$job", ".*")
                   .replace("$instance", ".*"))


def rule_names():
    return re.findall(r"^ +- alert: (\w+)$", ALERTS.read_text(), re.MULTILINE)


class Files(unittest.TestCase):

    def test_the_rules_are_accepted_and_fire_where_they_should(self):
        foreign.run([program("promtool"), "check", "rules", ALERTS])
        foreign.run([program("promtool"), "test", "rules", ALERTS_TEST])

    def test_each_rule_is_tried(self):
        tried = re.findall(r"^  - name: (Ringpost\w+)$", ALERTS_TEST.read_text(), re.MULTILINE)
        self.assertGreater(len(rule_names()), 20)
        self.assertEqual(set(tried), set(rule_names()))

    def test_each_rule_says_what_is_wrong_and_what_to_do(self):
        rules = re.split(r"^ +- alert: ", ALERTS.read_text(), flags=re.MULTILINE)[1:]
        for rule in rules:
            name = rule.split("\n", 1)[0]
            self.assertRegex(rule, r"labels: \{severity: (critical|warning)\}", name)
            self.assertRegex(rule, r'summary: ".+\."', name)
            self.assertRegex(rule, r"description: >-\n +\S+", name)

    def test_the_dashboard_has_its_parts_once(self):
        dashboard = json.loads(DASHBOARD.read_text())
        ids = [panel["id"] for panel in dashboard["panels"]]
        titles = [panel["title"] for panel in dashboard["panels"]]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual(len(set(titles)), len(titles))
        placed = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & placed, panel["title"])
            placed |= cells
            if panel["type"] != "row":
                self.assertTrue(panel["targets"], panel["title"])


class Prometheus(harness.Process):
    """A server on a port of its own, with its data in a folder of the test."""

    def __init__(self, folder, config):
        self.port = harness.free_port()
        path = folder / "prometheus.yml"
        path.write_text(config)
        foreign.run([program("promtool"), "check", "config", path])
        super().__init__(
            [program("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={folder / 'prometheus'}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=info"],
            r"Server is ready to receive web requests")

    def get(self, path, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query),
                                    timeout=30) as answer:
            return json.load(answer)["data"]

    def value(self, expression):
        """Of a query with one result; None: it has none."""
        result = self.get("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None


class Scraping(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        folder = cls.place.path
        foreign.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-days", "30", "-subj", "/CN=relay", "-addext", "subjectAltName=IP:127.0.0.1",
                     "-keyout", folder / "tls.key", "-out", folder / "tls.crt"])
        config = folder / "relay.toml"
        config.write_text(f"""
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
serves = ["metrics"]
[[listener]]
address = "127.0.0.1:0"
tls = {{certificate = "{folder}/tls.crt", key = "{folder}/tls.key"}}
""")
        cls.relay = cls.place.relay("--config", config, listen=())
        cls.ports = cls.relay.ports()
        token = cls.relay.request("POST", "/v1/tokens", {"name": "prometheus", "scopes": ["metrics:read"]})[2]
        (folder / "token").write_text(token["token"])
        cls.deliver_some()
        cls.prometheus = Prometheus(folder, f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s}}
rule_files: [{ALERTS}]
scrape_configs:
  - job_name: ringpost
    static_configs: [{{targets: ["127.0.0.1:{cls.ports[1]}"]}}]
  - job_name: with-a-token
    scheme: https
    tls_config: {{ca_file: {folder}/tls.crt}}
    authorization: {{credentials_file: {folder}/token}}
    static_configs: [{{targets: ["127.0.0.1:{cls.ports[2]}"]}}]
""")
        cls.place.processes.append(cls.prometheus)

    @classmethod
    def deliver_some(cls):
        sink = cls.place.sink(plain=True)
        cls.relay.add_webhook(url=sink.url, sources=["app/good"])
        cls.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=["app/absent"], schedule=[3600])
        for source, count in (("app/good", 10), ("app/absent", 3)):
            for _ in range(count):
                status = cls.relay.send({"type": "build/finished", "source": source, "data": {}})[0]
                assert status == 202, status
        sink.wait_for_count(10)

    def wait_for(self, expression, wanted):
        deadline = time.monotonic() + SECONDS
        while (value := self.prometheus.value(expression)) != wanted:
            self.assertLess(time.monotonic(), deadline, f"{expression} is {value}, not {wanted}")
            time.sleep(0.2)

    def test_it_scrapes_with_and_without_a_token(self):
        for job in ("ringpost", "with-a-token"):
            self.wait_for(f'up{{job="{job}"}}', 1)
            self.wait_for(f'ringpost_events_accepted_total{{job="{job}"}}', 13)
            self.wait_for(f'ringpost_attempts_finished_total{{job="{job}",result="success"}}', 10)
            self.wait_for(f'sum(ringpost_webhook_deliveries_pending{{job="{job}"}})', 3)
            self.wait_for(f'ringpost_accept_latency_seconds_bucket{{job="{job}",le="+Inf"}}', 13)
        for target in self.prometheus.get("targets")["activeTargets"]:
            self.assertEqual((target["health"], target["lastError"]), ("up", ""), target)
        [build] = self.prometheus.get("query", query='ringpost_build_info{job="ringpost"}')["result"]
        self.assertRegex(build["metric"]["version"], r"^\d+\.\d+\.\d+$")
        kinds = {name: found[0] for name, found in self.prometheus.get("metadata").items()}
        self.assertEqual(kinds["ringpost_journal_written_bytes"]["unit"], "bytes")  # OpenMetrics was asked for.
        self.assertEqual(kinds["ringpost_journal_written_bytes"]["type"], "counter")
        self.assertEqual(kinds["ringpost_accept_latency_seconds"]["type"], "histogram")

    def test_it_evaluates_the_rules(self):
        self.wait_for('up{job="ringpost"}', 1)
        deadline = time.monotonic() + SECONDS
        while True:
            rules = [rule for group in self.prometheus.get("rules")["groups"] for rule in group["rules"]]
            if all(rule["health"] == "ok" for rule in rules):
                break
            self.assertLess(time.monotonic(), deadline, [(rule["name"], rule["health"]) for rule in rules])
            time.sleep(0.2)
        self.assertEqual([rule["name"] for rule in rules], rule_names())

    def test_it_answers_every_query_of_the_dashboard(self):
        self.wait_for('up{job="ringpost"}', 1)
        for expression in expressions(json.loads(DASHBOARD.read_text())):
            with self.subTest(expression):
                self.prometheus.get("query", query=expression)

    def test_rules_and_dashboard_ask_for_metrics_that_there_are(self):
        names = scrape.scrape(self.relay).names()
        asked = {"alerts.yml": ALERTS.read_text(), "dashboard.json": DASHBOARD.read_text()}
        for name, text in asked.items():
            found = {metric for metric in METRIC.findall(text) if not metric.endswith("_")}
            self.assertGreater(len(found), 20, name)
            self.assertEqual(found - names - CONDITIONAL, set(), name)
        self.assertIn("ringpost_certificate_expiry_timestamp_seconds", names)
        self.assertEqual(self.relay.request("POST", "/v1/admin/reload")[0], 200)
        names = scrape.scrape(self.relay).names()
        deadline = time.monotonic() + SECONDS
        sidecar = self.sidecar()
        while missing := CONDITIONAL - names - scrape.scrape(sidecar).names():
            self.assertLess(time.monotonic(), deadline, missing)
            time.sleep(0.2)

    def sidecar(self):
        """A relay with an event for a central relay and a collector that are away."""
        folder = self.place.path
        (folder / "central.token").write_text("a-token\n")
        config = folder / "sidecar.toml"
        config.write_text(f'[forward]\nurl = "http://127.0.0.1:{harness.free_port()}"\ntoken_file = "{folder}/central.token"\n'
                          f'[tracing]\nendpoint = "http://127.0.0.1:{harness.free_port()}"\n')
        relay = self.place.relay("--config", config, name="sidecar")
        self.assertEqual(relay.send({"type": "build.finished", "source": "pipeline/demo"})[0], 202)
        return relay

    def test_published_parsers_accept_both_formats(self):
        plain = scrape.scrape(self.relay).text
        checked = subprocess.run([program("promtool"), "check", "metrics"], input=plain, text=True,
                                 capture_output=True, timeout=60)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        bearer = {"Authorization": f"Bearer {self.relay.token}"}
        new = scrape.scrape(self.relay, {**bearer, "Accept": "application/openmetrics-text; version=1.0.0"}).text
        for module, text in (("prometheus_client.parser", plain), ("prometheus_client.openmetrics.parser", new)):
            families = self.parse(module, text)
            self.assertGreater(len(families), 60, module)
            self.assertIn(["ringpost_events_accepted", "counter", 1], families, module)
            self.assertIn(["ringpost_attempts_finished", "counter", 11], families, module)
            self.assertIn(["ringpost_deliveries_pending", "gauge", 1], families, module)

    def parse(self, module, text):
        """Name, type and count of samples of each family, as the Python client reads them."""
        script = (f"import json, sys\nfrom {module} import text_string_to_metric_families as parse\n"
                  "print(json.dumps([[f.name, f.type, len(f.samples)] for f in parse(sys.stdin.read())]))")
        done = subprocess.run([str(foreign.PYTHON), "-c", script], input=text, text=True, capture_output=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr[-4000:])
        return json.loads(done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
