"""The load generator: what it says is checked against the relay's counters and an independent receiver."""

import html.parser
import json
import os
import re
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree

import harness
import lossy_relay

DONE = (0, 4)  # On a busy machine the generator may be late: it says so, and its counts hold all the same.


def run(*arguments, environment=None, seconds=120):
    return subprocess.run([str(harness.LOAD), *map(str, arguments)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **(environment or {})), timeout=seconds)


def share_above(latency, limit_us):
    """The share of requests that took longer, from the percentiles."""
    below = [share for share, value in latency["percentiles"] if value <= limit_us]
    return 1 - max(below, default=0)


class Page(html.parser.HTMLParser):
    """Checks that elements close in order, and counts them."""

    VOID = {"meta", "br", "circle", "line", "rect", "polyline"}

    def __init__(self):
        super().__init__()
        self.open = []
        self.count = {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.open)


class LoadTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def to_relay(self, relay, *arguments, codes=DONE):
        """Runs `relay ... --json`; returns the result."""
        done = run("relay", *arguments, "--json", environment={
            "RINGPOST_URL": f"http://127.0.0.1:{relay.port}", "RINGPOST_TOKEN": relay.token})
        self.assertIn(done.returncode, codes, done.stdout[:2000] + done.stderr)
        return json.loads(done.stdout)

    def to_receiver(self, sink, *arguments, codes=DONE):
        done = run("receiver", sink.url + "/in", *arguments, "--json")
        self.assertIn(done.returncode, codes, done.stdout[:2000] + done.stderr)
        return json.loads(done.stdout)

    def secret_file(self, name, text):
        path = self.place.path / name
        path.write_text(text)
        return f"@{path}"

    # --- the relay -----------------------------------------------------------------------------------

    def test_counts_agree_with_the_relay_and_an_independent_receiver(self):
        relay = self.place.relay()
        sink = self.place.sink(plain=True)
        relay.add_webhook(url=sink.url, sources=["load/e2e"])
        result = self.to_relay(relay, "--rate", "100", "--duration", "2s", "--source", "load/e2e",
                               "--pid", relay.child.pid)
        run_ = result["runs"][0]
        self.assertEqual((run_["requests"], run_["succeeded"], run_["failed"]), (200, 200, 0))
        self.assertEqual(run_["latency"]["count"], 200)
        self.assertEqual(run_["relay"], {"accepted": 200, "duplicates": 0, "deliveries": 200, "unmatched": 0})
        totals = relay.wait_until_settled()["totals"]
        self.assertEqual((totals["events_accepted"], totals["deliveries_delivered"]), (200, 200))
        self.assertEqual(result["relay_counters"]["events_accepted"], 200)
        self.assertEqual(len({row["delivery"] for row in sink.wait_for_count(200)}), 200)
        process = run_["processes"][0]
        self.assertEqual(process["name"], "ringpost")
        self.assertGreater(process["resident_bytes_max"], 1 << 20)
        self.assertGreater(process["descriptors_max"], 3)

    def test_its_own_receiver_sees_every_delivery_once_signed(self):
        relay = self.place.relay()
        run_ = self.to_relay(relay, "--rate", "60", "--duration", "2s", "--warm-up", "500ms", "--sink", "--fan-out",
                             "4", "--dialect", "standard", "--dialect", "buildkite", "--type", "build.finished",
                             "--source", "pipeline/load", "--keys", "5")["runs"][0]
        sink = run_["sink"]
        self.assertEqual(run_["warm_up_requests"], 30)
        self.assertEqual(run_["requests"], 90)
        self.assertEqual((sink["expected"], sink["delivered"], sink["missing"]), (480, 480, 0))
        self.assertEqual((sink["signatures_bad"], sink["unsigned"], sink["without_signing"]), (0, 0, 0))
        self.assertEqual(sink["signatures_good"], sink["requests"])
        self.assertEqual(sink["accepted_to_delivered"]["count"], 360)
        self.assertEqual(relay.request("GET", "/v1/webhooks")[2]["items"], [])
        # And two more: Buildkite's webhooks get a ping when they are made.
        self.assertEqual(relay.status()["totals"]["deliveries_created"], 482)

    def test_webhooks_of_every_dialect_get_every_event(self):
        relay = self.place.relay()
        names = ["standard", "bitrise", "buildkite", "devopness", "cloudevents"]
        signing = ["standard", "bitrise", "buildkite"]
        for chosen in [[name] for name in names] + [names]:
            options = [part for name in chosen for part in ("--dialect", name)]
            run_ = self.to_relay(relay, "--rate", "100", "--count", "20", "--size", "300", "--sink", *options)["runs"][0]
            sink = run_["sink"]
            self.assertEqual((sink["expected"], sink["delivered"], sink["missing"]), (20 * len(chosen), 20 * len(chosen), 0))
            signed = 20 * len(set(chosen) & set(signing))
            self.assertEqual((sink["signatures_good"], sink["signatures_bad"], sink["unsigned"], sink["without_signing"]),
                             (signed, 0, 0, 20 * len(chosen) - signed), chosen)
            self.assertEqual(run_["offered_per_s"], 100)

    def test_a_relay_that_may_not_send_here_makes_no_webhook(self):
        relay = self.place.relay("--set", "delivery.deny_networks=[\"127.0.0.0/8\"]")
        done = run("relay", "--sink", "--count", "3", environment={
            "RINGPOST_URL": f"http://127.0.0.1:{relay.port}", "RINGPOST_TOKEN": relay.token})
        self.assertEqual(done.returncode, 1)
        self.assertIn("the relay made no webhook", done.stderr)

    def to_lossy(self, *faults, codes=(1,)):
        relay = lossy_relay.LossyRelay(faults)
        self.addCleanup(relay.close)
        done = run("relay", "--url", relay.url, "--rate", "50", "--count", "40", "--connections", "4", "--sink",
                   "--fan-out", "2", "--drain", "2s", "--json", environment={"RINGPOST_TOKEN": "t"})
        self.assertIn(done.returncode, codes, done.stdout[:2000] + done.stderr)
        self.assertEqual(relay.webhooks, {})
        return json.loads(done.stdout)["runs"][0]["sink"]

    def test_a_relay_that_loses_repeats_and_forges_is_found_out(self):
        sink = self.to_lossy(lossy_relay.LOST, lossy_relay.TWICE, lossy_relay.FORGED, lossy_relay.UNSIGNED)
        self.assertEqual((sink["expected"], sink["delivered"], sink["missing"]), (80, 72, 8))
        self.assertEqual((sink["duplicates"], sink["signatures_bad"], sink["unsigned"]), (8, 8, 8))
        self.assertEqual(sink["signatures_good"], 64)

    def test_each_of_its_faults_alone_decides_the_exit_code(self):
        for fault, member in ((lossy_relay.LOST, "missing"), (lossy_relay.FORGED, "signatures_bad"),
                              (lossy_relay.UNSIGNED, "unsigned")):
            self.assertEqual(self.to_lossy(fault)[member], 8)
        sink = self.to_lossy(lossy_relay.TWICE, codes=DONE)  # Permitted: at least once.
        self.assertEqual((sink["missing"], sink["duplicates"]), (0, 8))

    def test_a_webhook_that_is_deleted_in_between_loses_events(self):
        relay = self.place.relay()
        load = subprocess.Popen(
            [str(harness.LOAD), "relay", "--rate", "50", "--count", "150", "--sink", "--drain", "1s", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(
                os.environ, RINGPOST_URL=f"http://127.0.0.1:{relay.port}", RINGPOST_TOKEN=relay.token))
        while relay.status()["totals"]["deliveries_delivered"] < 10:
            time.sleep(0.05)
        webhook, = relay.request("GET", "/v1/webhooks")[2]["items"]
        relay.request("DELETE", "/v1/webhooks/" + webhook["id"])
        out, err = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 1, err)
        run_ = json.loads(out)["runs"][0]
        self.assertEqual(run_["relay"]["accepted"], 150)
        sink = run_["sink"]
        self.assertEqual((sink["expected"], sink["delivered"] + sink["missing"]), (150, 150))
        self.assertGreater(sink["missing"], 0)
        self.assertGreaterEqual(sink["missing"], run_["relay"]["unmatched"])
        self.assertGreater(run_["relay"]["unmatched"], 0)

    def test_a_sweep_with_losses_fails(self):
        relay = lossy_relay.LossyRelay((lossy_relay.LOST,))
        self.addCleanup(relay.close)
        done = run("relay", "--url", relay.url, "--sweep", "20-40", "--sweep-steps", "2", "--duration", "1s", "--sink",
                   "--drain", "1s", "--connections", "4", environment={"RINGPOST_TOKEN": "t"})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("deliveries missing", done.stdout)

    def test_batches_templates_and_a_count(self):
        relay = self.place.relay()
        sink = self.place.sink("--print", plain=True)
        relay.add_webhook(url=sink.url)
        run_ = self.to_relay(
            relay, "--rate", "200", "--count", "25", "--batch", "10", "--data",
            '{"n":{{counter 1}},"at":"{{timestamp}}","id":"{{uuid}}","r":{{random 5 6}}}')["runs"][0]
        self.assertEqual((run_["requests"], run_["events"], run_["relay"]["accepted"]), (3, 25, 25))
        sink.wait_for_count(25)
        sink.stop()
        numbers = re.findall(r'\{"n":(\d+),"at":"[^"]+Z","id":"[0-9a-f-]{36}","r":[56]\}', "\n".join(sink.lines))
        self.assertEqual(sorted(map(int, numbers)), list(range(1, 26)))

    def test_replay_sends_recorded_events_as_they_are(self):
        relay = self.place.relay()
        file = self.place.path / "recorded.ndjson"
        file.write_text("".join(
            json.dumps({"id": f"r{second}", "type": "t", "source": "s", "time": f"2031-05-04T09:08:{second:02}Z",
                        "data": {}}) + "\n" for second in (0, 10, 20)))
        run_ = self.to_relay(relay, "--replay", file, "--speed", "20")["runs"][0]
        self.assertEqual(run_["relay"]["accepted"], 3)
        self.assertGreaterEqual(run_["seconds"], 1.0)
        again = self.to_relay(relay, "--replay", file, "--rate", "100")["runs"][0]
        self.assertEqual(again["relay"], {"accepted": 0, "duplicates": 3, "deliveries": 0, "unmatched": 0})
        renewed = self.to_relay(relay, "--replay", file, "--rate", "100", "--new-ids", "--count", "2")["runs"][0]
        self.assertEqual((renewed["requests"], renewed["relay"]["accepted"]), (2, 2))
        for _ in range(2):
            seen = self.to_relay(relay, "--replay", file, "--rate", "100", "--sink", "--dialect", "standard", "--dialect",
                                 "bitrise")["runs"][0]["sink"]
            self.assertEqual((seen["expected"], seen["delivered"], seen["signatures_good"]), (6, 6, 6))

    def test_a_unix_socket_a_closed_loop_and_a_sweep(self):
        path = f"unix:{self.place.path}/relay.sock"
        relay = self.place.relay(listen=("127.0.0.1:0", path))
        closed = self.to_relay(relay, "--url", path, "--closed", "--connections", "4", "--duration", "1s")["runs"][0]
        self.assertFalse(closed["open_loop"])
        self.assertGreater(closed["succeeded"], 4)
        self.assertEqual(closed["connections"], 4)
        swept = self.to_relay(relay, "--sweep", "10-20", "--sweep-steps", "2", "--duration", "1s", codes=(0, 1, 4))
        self.assertTrue(swept["sweep"])
        self.assertEqual([run_["events"] for run_ in swept["runs"]], [10, 20])

    # --- a receiver ----------------------------------------------------------------------------------

    def test_a_stall_of_the_receiver_is_charged_to_all_that_it_kept_waiting(self):
        """With 8 connections a closed loop would count 8 slow requests. Here each request that was due counts."""
        sink = self.place.sink(plain=True)
        load = subprocess.Popen(
            [str(harness.LOAD), "receiver", sink.url, "--unsigned", "--rate", "100", "--duration", "5s",
             "--connections", "8", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sink.wait_for_count(100)
        sink.freeze()
        begun = time.monotonic()
        time.sleep(1.0)
        stalled = time.monotonic() - begun
        sink.thaw()
        out, err = load.communicate(timeout=60)
        self.assertIn(load.returncode, DONE, err)
        run_ = json.loads(out)["runs"][0]
        self.assertEqual((run_["requests"], run_["succeeded"]), (500, 500))
        # Those due in the first half of the stall waited for longer than the other half.
        expected = 100 * stalled / 2 / 500
        self.assertGreaterEqual(share_above(run_["latency"], stalled / 2 * 1e6), 0.8 * expected)
        self.assertGreaterEqual(run_["latency"]["max_us"], 0.9 * stalled * 1e6)
        self.assertGreater(run_["waited"], 50)
        self.assertGreater(run_["backlog_max"], 50)

    def test_a_closed_loop_would_not_see_the_stall(self):
        """The check of the test before this one: it tells the two apart."""
        sink = self.place.sink(plain=True)
        load = subprocess.Popen(
            [str(harness.LOAD), "receiver", sink.url, "--unsigned", "--closed", "--duration", "3s", "--connections", "8",
             "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sink.wait_for_count(100)
        sink.freeze()
        time.sleep(1.0)
        sink.thaw()
        run_ = json.loads(load.communicate(timeout=60)[0])["runs"][0]
        slow = share_above(run_["latency"], 0.5e6) * run_["requests"]
        self.assertLessEqual(slow, 3 * 8)  # One for each connection, and some for a slow machine.
        self.assertGreaterEqual(run_["latency"]["max_us"], 0.9e6)

    def test_requests_are_signed_in_each_dialect(self):
        secrets = {"standard": "whsec_" + "QUFB" * 8, "bitrise": "b" * 20, "buildkite": "k" * 20}
        options = {name: self.secret_file(name, secret) for name, secret in secrets.items()}
        sink = self.place.sink(*(part for name, option in options.items() for part in (f"--{name}-secret", option)))
        for name, option in options.items():
            extra = ["--setting", "token_mode=signature"] if name == "buildkite" else []
            run_ = self.to_receiver(sink, "--dialect", name, f"--{name}-secret", option, *extra, "--ca", sink.ca_file,
                                    "--rate", "50", "--count", "20", "--connections", "4")["runs"][0]
            self.assertEqual(run_["succeeded"], 20, name)
        received = sink.wait_for_count(60)
        self.assertEqual({row["signature"] for row in received}, {"good"})
        self.assertEqual(len({row["delivery"] for row in received}), 60)

    def test_requests_of_all_dialects_take_turns_and_have_the_size(self):
        sink = self.place.sink("--print")
        names = ["standard", "bitrise", "buildkite", "devopness", "cloudevents"]
        self.to_receiver(sink, *(part for name in names for part in ("--dialect", name)), "--unsigned", "--ca",
                         sink.ca_file, "--count", "10", "--size", "900", "--connections", "2")
        sink.wait_for_count(10)
        sink.stop()
        sizes = [int(line.split()[1]) for line in sink.lines if line.startswith("  Content-Length: ")]
        self.assertEqual(len(sizes), 10)
        self.assertGreater(min(sizes), 800)
        for mark in ("webhook-id: ", "Bitrise-Event-Type: build/finished", "X-Buildkite-Event: build.finished",
                     "Content-Type: application/cloudevents"):
            self.assertEqual(sum(mark in line for line in sink.lines), 2, mark)

    def test_endpoints_that_are_told_apart_by_name(self):
        """A receiver with one port for all of them, reached by the generator and by a relay."""
        urls = self.place.path / "urls"
        sink = harness.Process([harness.SINK, "--plain", "--listen", "127.0.0.1:0", "--by-name", "--endpoints", "2", "--json",
                                "--urls-out", urls], "endpoint-2.sink.localhost")
        self.place.processes.append(sink)
        first, second = urls.read_text().split()
        done = run("receiver", first, "--unsigned", "--count", "5", "--connections", "2")
        self.assertIn(done.returncode, DONE, done.stderr)
        relay = self.place.relay()
        relay.add_webhook(url=second)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        relay.wait_until_settled()
        sink.stop()
        report = json.loads(sink.lines[-1])
        self.assertEqual([endpoint["requests"] for endpoint in report["endpoints"]], [5, 1])

    def test_errors_are_counted_by_kind(self):
        sink = self.place.sink("--status", "429", plain=True)
        result = self.to_receiver(sink, "--unsigned", "--count", "10", codes=(1,))
        self.assertEqual(result["runs"][0]["errors"], {"status 429": 10})
        self.assertEqual(result["runs"][0]["failed"], 10)
        self.assertEqual(result["runs"][0]["first_refusal"], "status 429: ok")

    def test_ctrl_c_prints_the_results_so_far(self):
        sink = self.place.sink(plain=True)
        load = subprocess.Popen([str(harness.LOAD), "receiver", sink.url, "--unsigned", "--duration", "0", "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sink.wait_for_count(50)
        load.send_signal(signal.SIGINT)
        out, err = load.communicate(timeout=60)
        self.assertIn(load.returncode, DONE, err)
        run_ = json.loads(out)["runs"][0]
        self.assertTrue(run_["interrupted"])
        self.assertGreaterEqual(run_["succeeded"], 50)
        self.assertEqual(run_["failed"], 0)

    def test_ctrl_c_waits_for_deliveries_that_are_under_way(self):
        relay = self.place.relay()
        load = subprocess.Popen(
            [str(harness.LOAD), "relay", "--rate", "100", "--duration", "0", "--sink", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(
                os.environ, RINGPOST_URL=f"http://127.0.0.1:{relay.port}", RINGPOST_TOKEN=relay.token))
        while relay.status()["totals"]["deliveries_delivered"] < 50:
            time.sleep(0.05)
        load.send_signal(signal.SIGINT)
        out, err = load.communicate(timeout=60)
        self.assertIn(load.returncode, DONE, err)
        run_ = json.loads(out)["runs"][0]
        self.assertTrue(run_["interrupted"])
        self.assertEqual((run_["sink"]["missing"], run_["sink"]["delivered"]), (0, run_["relay"]["accepted"]))
        self.assertEqual(relay.request("GET", "/v1/webhooks")[2]["items"], [])

    def test_a_run_whose_generator_was_late_is_invalid(self):
        """As when the machine has no time for it: the generator itself stands still for a second."""
        sink = self.place.sink(plain=True)
        load = subprocess.Popen([str(harness.LOAD), "receiver", sink.url, "--unsigned", "--rate", "100", "--duration", "3s"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sink.wait_for_count(50)
        load.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        load.send_signal(signal.SIGCONT)
        out, err = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 4, out + err)
        self.assertIn("INVALID: the generator was late", out)

    # --- files ---------------------------------------------------------------------------------------

    def test_the_files_can_be_read(self):
        sink = self.place.sink(plain=True)
        page, hgrm = self.place.path / "report.html", self.place.path / "latency.hgrm"
        picture = self.place.path / "plots.svg"
        results = []
        for number in range(2):
            done = run("receiver", sink.url, "--unsigned", "--rate", "50", "--duration", "2s", "--json", "--html", page,
                       "--hgrm", hgrm, "--svg", picture)
            self.assertIn(done.returncode, DONE, done.stderr)
            results.append(self.place.path / f"{number}.json")
            results[-1].write_text(done.stdout)
        parsed = Page()
        parsed.feed(page.read_text())
        parsed.close()
        self.assertEqual(parsed.open, [])
        self.assertEqual(parsed.count["svg"], 3)
        self.assertNotIn("script", parsed.count)
        rows = [line.split() for line in hgrm.read_text().splitlines()[2:] if not line.startswith("#")]
        self.assertEqual(rows[-1][1:3], ["1.000000000000", "100"])
        values = [float(row[0]) for row in rows]
        self.assertEqual(values, sorted(values))
        compared = run("compare", *results)
        self.assertEqual(compared.returncode, 0, compared.stderr)
        self.assertRegex(compared.stdout, r"p99 +\S+ \S+ +\S+ \S+ +\d")
        self.assertEqual(run("compare", results[0], page).returncode, 2)
        figures = json.loads(run("compare", *results, "--json").stdout)["runs"][0]["figures"]
        self.assertEqual(figures["requests"], {"a": 100, "b": 100, "ratio": 1})
        svg = xml.etree.ElementTree.parse(picture).getroot()
        self.assertEqual(svg.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(len(svg.findall("{http://www.w3.org/2000/svg}g")), 3)

    # --- refusals ------------------------------------------------------------------------------------

    def assert_refused(self, code, text, *arguments, environment=None):
        done = run(*arguments, environment=environment)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_other_machines_are_not_attacked(self):
        for url in ("http://192.0.2.1/", "https://[2001:db8::1]/in", "http://0.0.0.0:80/"):
            self.assert_refused(2, "--i-own-this-target", "receiver", url, "--unsigned")
            self.assert_refused(2, "--i-own-this-target", "relay", "--url", url)
        self.assert_refused(2, "is not the URL's host", "receiver", "http://192.0.2.1/", "--unsigned",
                            "--i-own-this-target", "192.0.2.2")

    def test_webhooks_of_the_relay_that_lead_elsewhere_are_spared(self):
        relay = self.place.relay(networks=("127.0.0.0/8", "192.0.2.0/24"))
        webhook = relay.add_webhook(url="https://192.0.2.1/in", events=["load.*"])
        environment = {"RINGPOST_URL": f"http://127.0.0.1:{relay.port}", "RINGPOST_TOKEN": relay.token}
        self.assert_refused(2, webhook["id"], "relay", "--count", "1", environment=environment)
        self.assertEqual(relay.status()["totals"]["events_accepted"], 0)
        self.to_relay(relay, "--count", "1", "--type", "other.test")
        self.to_relay(relay, "--count", "1", "--i-own-this-target", "192.0.2.1")
        self.assertEqual(relay.status()["totals"]["deliveries_created"], 1)

    def test_targets_that_are_not_there_or_are_something_else(self):
        sink = self.place.sink(plain=True)
        self.assert_refused(3, "refused", "receiver", "http://127.0.0.1:9/", "--unsigned")
        self.assert_refused(3, "refused", "relay", "--url", "http://127.0.0.1:9")
        self.assert_refused(3, "is that a relay?", "relay", "--url", sink.url)
        self.assert_refused(3, "does not resolve", "receiver", "http://nobody.invalid/", "--unsigned")
        self.assert_refused(3, "/nothing.sock", "receiver", f"unix:{self.place.path}/nothing.sock", "--unsigned")

    def test_certificates_are_verified_unless_the_user_says_so(self):
        sink = self.place.sink()
        self.assert_refused(3, "--insecure", "receiver", sink.url, "--unsigned")
        self.to_receiver(sink, "--unsigned", "--count", "3", "--insecure", "--connections", "2")
        self.to_receiver(sink, "--unsigned", "--count", "3", "--ca", sink.ca_file, "--connections", "2")
        self.assert_refused(2, "--ca", "receiver", sink.url, "--unsigned", "--ca", "/nonexistent")

    def test_tokens_and_options_that_are_wrong(self):
        relay = self.place.relay()
        url = f"http://127.0.0.1:{relay.port}"
        self.assert_refused(1, "token", "relay", "--url", url, environment={"RINGPOST_TOKEN": "nonsense"})
        self.assert_refused(1, "token", "relay", "--url", url, environment={"RINGPOST_TOKEN": ""})
        for arguments in (["--rate", "x"], ["--rate", "5", "--closed"], ["--frobnicate"], ["--pid", "2147483647"],
                          ["--data", "[]"], ["--size", "1TB"], ["--html", "/nonexistent/x"],
                          ["--svg", "/nonexistent/x"], ["--fan-out", "2"], ["--new-ids"]):
            done = run("relay", "--url", url, *arguments)
            self.assertIn(done.returncode, (1, 2), arguments)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_a_scenario_file_is_read_and_judged(self):
        sink = self.place.sink(plain=True)
        scenario = self.place.path / "scenario.toml"
        scenario.write_text("unsigned = true\nrate = 30\ncount = 50\n")
        run_ = self.to_receiver(sink, "--scenario", scenario, "--count", "15")["runs"][0]
        self.assertEqual(run_["requests"], 15)
        scenario.write_text("unsigned = true\nrates = 30\n")
        self.assert_refused(2, ":2: there is no key rates", "receiver", sink.url, "--scenario", scenario)

    def test_help_states_the_exit_codes_and_completion_knows_the_commands(self):
        for command in ([], ["relay"], ["receiver"]):
            done = run(*command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("4 the run is invalid", " ".join(done.stdout.split()))
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("receiver", run("completion", shell).stdout)


if __name__ == "__main__":
    unittest.main()
