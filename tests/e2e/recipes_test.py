"""The recipes of bench/README.md, as they stand there but shortened.

Goal: whoever pastes one gets what the page promises. Method: the shell blocks of a section run in one bash, with shorter
times and lower rates, free ports in the place of those that are written there, and a relay of the test's own.
"""

import json
import os
import pathlib
import re
import subprocess
import unittest

import harness

README = pathlib.Path(__file__).resolve().parents[2] / "bench" / "README.md"
TOOLS = os.pathsep.join(str(program.parent) for program in (harness.RINGPOST, harness.LOAD))


def recipe(title):
    """The shell blocks of a section, in order."""
    section = README.read_text().split(f"\n### {title}\n")[1].split("\n### ")[0].split("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


class Recipes(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def run_recipe(self, title, changes, codes=(0,), **environment):
        """changes: what stands in the recipe, and what is run instead; each must stand there."""
        script = recipe(title)
        for written, run in changes.items():
            self.assertIn(written, script)
            script = script.replace(written, str(run))
        done = subprocess.run(["bash", "-c", script], cwd=self.place.path, timeout=120, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, PATH=TOOLS + os.pathsep + os.environ["PATH"], **environment))
        self.assertIn(done.returncode, codes, done.stdout)
        return done.stdout

    def of_relay(self, relay):
        return {"RINGPOST_URL": f"http://127.0.0.1:{relay.port}", "RINGPOST_TOKEN": f"@{relay.data_dir}/admin.token"}

    def read(self, name):
        return (self.place.path / name).read_text()

    def test_how_many_events_per_second(self):
        relay = self.place.relay()
        # At any rate the machine may be too busy: that is a result, too.
        said = self.run_recipe("How many events per second does my relay take?", {
            "500-50000": "20-40", "--sweep-steps 10": "--sweep-steps 2", "--duration 10s": "--duration 1s",
            '"$(pidof -s ringpost)"': relay.child.pid}, codes=(0, 1, 4), **self.of_relay(relay))
        for part in ("offered/s", "delivery p99", "CPU us/delivery"):
            self.assertIn(part, said)
        self.assertRegex(said, "Highest rate that the target kept up with|did not keep up with the lowest rate|INVALID: the generator")
        self.assertIn("CPU against offered rate", self.read("capacity.html"))

    def test_does_my_receiver_keep_up(self):
        sink = self.place.sink()
        said = self.run_recipe("Does my receiver keep up?", {
            "https://hooks.example.org/in --i-own-this-target hooks.example.org": f"{sink.url}/in --ca {sink.ca_file}",
            "--rate 50-1000": "--rate 20-60", "--duration 2m": "--duration 2s"}, codes=(0, 4))
        self.assertIn("80 succeeded, 0 failed", said)
        self.assertIn("Latency over time", self.read("receiver.html"))

    def test_a_receiver_that_is_down(self):
        relay = self.place.relay()
        said = self.run_recipe("What happens when my receiver is down for ten minutes?", {
            'from = "1m"': 'from = "2s"', 'for = "10m"': 'for = "2s"', "--rate 200": "--rate 50", "--duration 15m": "--duration 6s",
            "127.0.0.1:8443": f"127.0.0.1:{harness.free_port()}", "127.0.0.1:8500": "127.0.0.1:0",
            "--event 'load.*'": "--event 'load.*' --schedule 1s,1s,1s,1s,1s", '"$(pidof -s ringpost)"': relay.child.pid},
            **self.of_relay(relay))
        self.assertIn("events accepted      300", said)
        report = json.loads(self.read("sink.json"))
        self.assertEqual((report["endpoints"][0]["deliveries"], report["duplicates_after_success"]), (300, 0))
        self.assertGreater(relay.status()["totals"]["attempts_failed"], 0)
        self.assertIn("Latency over time", self.read("outage.html"))

    def test_which_of_two_builds(self):
        for name in ("build-old", "build-new"):
            (self.place.path / name).symlink_to(harness.BUILD)
        said = self.run_recipe("Which of two builds is faster?", {
            "1 2 3 4 5": "1 2", "/var/tmp/compare": self.place.path / "compare", "127.0.0.1:8420": f"127.0.0.1:{harness.free_port()}",
            "--rate 5000": "--rate 50", "--warm-up 2s --duration 20s": "--warm-up 500ms --duration 1s"})
        self.assertEqual(said.count("build-new-"), 2, said)
        for name in ("build-old-1", "build-new-2"):
            run = json.loads(self.read(name + ".json"))["runs"][0]
            self.assertEqual((run["failed"], run["sink"]["missing"], run["processes"][0]["name"]), (0, 0, "ringpost"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
