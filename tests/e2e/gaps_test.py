"""`ringpost audit gaps` beside a running relay and after it: what was accepted is delivered, pending or dead, and a planted
loss is found."""

import csv
import io
import json
import sqlite3
import subprocess
import time
import unittest

import harness

EVENTS = 400


def audit(data, *arguments):
    return subprocess.run([str(harness.RINGPOST), "audit", "gaps", "--data-dir", str(data), *arguments],
                          capture_output=True, text=True, timeout=60)


def summary(data, *arguments):
    lines = audit(data, "--json", *arguments).stdout.splitlines()
    return json.loads(lines[-1])["summary"], [json.loads(line) for line in lines[:-1]]


class Gaps(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", "server.shards=2")
        sink = self.place.sink()
        nobody = f"http://127.0.0.1:{harness.free_port()}/"
        self.good, self.bad, self.dead = (
            self.relay.add_webhook(sources=["job/*"], **members)["id"] for members in
            ({"url": sink.url + "/good", "tls": sink.tls()}, {"url": nobody, "schedule": [3600]},
             {"url": nobody, "schedule": []}))
        events = [{"type": "t", "source": f"job/{number}", "data": {"n": number}} for number in range(EVENTS)]
        lines = "".join(json.dumps(event) + "\n" for event in [*events, {"type": "t", "source": "none/1", "data": {}}])
        self.assertEqual(self.relay.send(lines, "application/x-ndjson")[0], 202)
        # The circuit of the receiver that is away opens after a few.
        deadline = time.monotonic() + 60
        while (totals := self.relay.status()["totals"])["deliveries_delivered"] < EVENTS or totals["deliveries_dead"] < 3:
            self.assertLess(time.monotonic(), deadline, totals)
            time.sleep(0.05)

    def test_what_was_accepted_is_all_there(self):
        self.relay.freeze()  # So that both count the same.
        total, listed = summary(self.relay.data_dir)
        self.relay.thaw()
        webhooks = {one.pop("webhook"): one for one in total.pop("webhooks")}
        dead = total["dead"]
        self.assertEqual(total, {"events": EVENTS + 1, "events_without_webhook": 1, "delivered": EVENTS, "dead": dead,
                                 "cancelled": 0, "pending": 2 * EVENTS - dead, "overdue": 0, "expired": 0, "missing": 0,
                                 "records_lost": 0, "damages": 0})
        self.assertIn(dead - self.relay.status()["totals"]["deliveries_dead"], range(-5, 1))
        self.assertEqual([webhooks[self.good]["delivered"], webhooks[self.bad]["pending"], webhooks[self.dead]["dead"]],
                         [EVENTS, EVENTS, dead])
        self.assertEqual({one["webhook"] for one in listed}, {self.bad, self.dead})
        self.assertEqual(len({one["delivery"] for one in listed}), 2 * EVENTS - dead)
        shown = audit(self.relay.data_dir)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("Nothing is missing.", shown.stdout)
        self.relay.stop()
        rows = list(csv.DictReader(io.StringIO(audit(self.relay.data_dir, "--csv").stdout)))
        self.assertEqual({(row["fate"], row["webhook"]) for row in rows}, {("pending", self.bad), ("pending", self.dead)})
        self.assertEqual(len(rows), 2 * EVENTS - summary(self.relay.data_dir)[0]["dead"])
        later = summary(self.relay.data_dir, "--since", "2100-01-01T00:00:00Z")[0]
        self.assertEqual((later["events"], later["pending"], later["dead"]), (0, 0, 0))

    def test_the_journals_are_exported_in_parts(self):
        self.relay.stop()

        def export(*arguments):
            done = subprocess.run([harness.JOURNAL, "export", self.relay.data_dir, *arguments], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.split(":", 1)[-1].split()

        whole, end = export()
        self.assertEqual(sum(one.get("record") == "event" for one in whole), EVENTS + 1)
        self.assertEqual([one for one in export(*end)[0] if "record" in one], [], "nothing is behind the end")
        events, _ = export("--record", "event", "--source", "job/7", "--data")
        self.assertEqual([(one["source"], one["data"]) for one in events], [("job/7", '{"n": 7}')])
        outcomes, _ = export("--record", "outcome", "--source", "job/7", "--type", "t")
        self.assertIn("delivered", {one["status"] for one in outcomes})
        self.assertEqual({one["event"] for one in outcomes}, {events[0]["position"]})
        self.assertEqual([one for one in export("--since", "2100-01-01T00:00:00Z")[0] if "record" in one], [])
        # It goes on behind what the first part had.
        middle = [one for one in whole if one.get("record") == "event"][EVENTS // 2]["position"]
        journal = middle.split("/")[0]
        rest, _ = export("--record", "event", "--after", middle)
        of = lambda records: [one["position"] for one in records if one.get("position", "").startswith(journal) and one["record"] == "event"]
        every = of(whole)
        self.assertEqual(of(rest), every[every.index(middle) + 1:])
        wrong = subprocess.run([harness.JOURNAL, "export", self.relay.data_dir, "--after", "7"], capture_output=True, text=True)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--after must be a position", wrong.stderr)

    def test_a_planted_loss_is_found(self):
        self.relay.stop()
        store = sqlite3.connect(self.relay.data_dir / "control.db")
        # As if the relay had taken everything for ended.
        changed = store.execute("INSERT INTO meta (name, value) VALUES ('settled_marks', '9,9') "
                                "ON CONFLICT (name) DO UPDATE SET value = '9,9'")
        self.assertEqual(changed.rowcount, 1)
        store.commit()
        store.close()
        found = audit(self.relay.data_dir)
        self.assertEqual(found.returncode, 1, found.stdout)
        total, listed = summary(self.relay.data_dir)
        self.assertEqual(total["missing"] + total["dead"], 2 * EVENTS)
        self.assertIn(f"Missing: {total['missing']} deliveries", found.stdout)
        self.assertEqual({(one["fate"], one["webhook"]) for one in listed},
                         {("missing", self.bad), ("missing", self.dead)})

    def test_damage_is_said_and_counted(self):
        self.relay.stop()
        segment = max((self.relay.data_dir / "journal").rglob("*.seg"), key=lambda path: path.stat().st_blocks)
        with segment.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(b"\xff" * 4096)
        found = audit(self.relay.data_dir)
        self.assertEqual(found.returncode, 1, found.stdout)
        self.assertIn(str(segment), found.stderr)
        self.assertNotIn("Nothing is missing", found.stdout)
        self.assertIn("damaged", found.stdout)
        self.assertGreater(summary(self.relay.data_dir)[0]["damages"], 0)

    def test_what_is_no_data_directory_is_refused(self):
        for arguments, code, part in ((("--data-dir", self.place.path), 1, "no relay's data"),
                                      (("--data-dir", self.relay.data_dir, "--since", "yesterday"), 2, "--since"),
                                      (("--data-dir", self.relay.data_dir, "--since", "2031-05-04T00:00:00Z", "--until",
                                        "2031-05-03T00:00:00Z"), 2, "--until"),
                                      (("--config", "/no/such.toml"), 1, "/no/such.toml")):
            done = subprocess.run([str(harness.RINGPOST), "audit", "gaps", *map(str, arguments)], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
