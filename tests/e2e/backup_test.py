"""`ringpost backup` of a relay under load and `ringpost restore`: what was acknowledged before is there, and is delivered."""

import json
import shutil
import subprocess
import threading
import time
import unittest

import harness


def run(*arguments, seconds=60):
    return subprocess.run([str(harness.RINGPOST), *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds)


class Load(threading.Thread):
    """Sends events until it is stopped; `acknowledged` has the ids of those that were taken."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.acknowledged, self.going = relay, [], True
        self.start()

    def run(self):
        number = 0
        while self.going:
            events = [{"id": f"e{number + place}", "type": "t", "source": "job/1", "data": {"text": "x" * 4000}}
                      for place in range(50)]
            number += len(events)
            try:
                status, _ = self.relay.send("".join(json.dumps(event) + "\n" for event in events), "application/x-ndjson")
            except OSError:
                return
            if status == 202:
                self.acknowledged += [event["id"] for event in events]
            else:
                time.sleep(0.05)

    def stop(self):
        self.going = False
        self.join()


class BackupTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.backup = self.place.path / "backup"

    def back_up(self, data):
        made = run("backup", self.backup, "--data-dir", data, "--json")
        self.assertEqual(made.returncode, 0, made.stderr)
        return json.loads(made.stdout)

    def restore(self, name, key):
        target = self.place.path / name
        restored = run("restore", self.backup, "--data-dir", target)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        shutil.copy(key, str(target) + ".key")
        verified = subprocess.run([harness.BUILD / "tools" / "ringpost-journal", "verify", target],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        return target

    def ids_in(self, relay):
        found, cursor = set(), ""
        while True:
            status, _, page = relay.request("GET", "/v1/events?limit=200" + cursor)
            self.assertEqual(status, 200, page)
            found.update(item["id"] for item in page["items"])
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]


class UnderLoad(BackupTest):

    def stream(self, relay, **headers):
        connection = relay.connect()
        connection.request("GET", "/v1/stream", headers={"Authorization": "Bearer " + relay.token, **headers})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.addCleanup(connection.close)
        return answer

    def stream_end(self, relay):
        for line in self.stream(relay):
            if line.startswith(b"id: "):
                return line[4:].strip().decode()

    def stream_begin(self, relay, last):
        lines = []
        for line in self.stream(relay, **{"Last-Event-ID": last}):
            lines.append(line.decode())
            if line.startswith(b"data: ") or len(lines) > 20:
                return "".join(lines)

    def test_a_stream_of_before_hears_of_a_gap(self):
        relay = self.place.relay("--set", "server.shards=1")
        relay.add_webhook(url=self.place.sink(plain=True).url)
        load = Load(relay)
        journal = relay.data_dir / "journal" / "000"
        newest = lambda: max(int(path.stem) for path in journal.glob("*.seg"))
        while newest() < 4:
            time.sleep(0.1)
        self.back_up(relay.data_dir)
        backed_up = newest()
        while newest() < backed_up + 4:
            time.sleep(0.1)
        load.stop()
        relay.wait_until_settled()
        end = self.stream_end(relay)
        relay.kill()
        token = relay.token
        target = self.restore("restored", str(relay.data_dir) + ".key")
        (target / "admin.token").write_text(token)
        self.assertIn('"gap"', self.stream_begin(self.place.relay("--set", "server.shards=1", name="restored"), end))

    def told_since(self, relay, last, wanted):
        """The ids of the events whose deliveries are told behind `last`, until `wanted` are all there; and the codes of
        notices."""
        events, codes, heartbeats = set(), [], 0
        for line in self.stream(relay, **{"Last-Event-ID": last}):
            heartbeats += line.startswith(b": ")
            if line.startswith(b"data: "):
                data = json.loads(line[6:])
                codes += [data["code"]] if "code" in data else []
                events.update([data["event"]["id"]] if "event" in data else [])
            if wanted <= events or heartbeats == 2:
                return events, codes

    def test_a_stream_of_before_is_told_all_that_came_after(self):
        def send(relay, name, count):
            for number in range(count):
                event = json.dumps({"id": f"{name}-{number}", "type": "t", "source": "job/1"})
                self.assertEqual(relay.send(event)[0], 202)
            relay.wait_until_settled()
            return {f"{name}-{number}" for number in range(count)}

        sink = self.place.sink(plain=True)
        options = ("--set", "server.shards=1")
        for starts in (0, 1, 3):  # Each begins a segment.
            with self.subTest(starts=starts):
                name = f"before-{starts}"
                relay = self.place.relay(*options, name=name)
                relay.add_webhook(url=sink.url)
                send(relay, "shared", 3)
                self.backup = self.place.path / f"backup-{starts}"
                self.back_up(relay.data_dir)
                for _ in range(starts):
                    relay.kill()
                    relay = self.place.relay(*options, name=name)
                    send(relay, f"lost-{relay.port}", 20)
                end = self.stream_end(relay)
                token = relay.token
                relay.kill()
                target = self.restore(f"restored-{starts}", str(relay.data_dir) + ".key")
                (target / "admin.token").write_text(token)
                restored = self.place.relay(*options, name=f"restored-{starts}")
                new = send(restored, "new", 10)
                told, codes = self.told_since(restored, end, new)
                self.assertLessEqual(new, told)
                self.assertEqual(codes, ["gap"] if starts > 0 else [])
                restored.kill()

    def test_a_damaged_file_is_copied_again(self):
        relay = self.place.relay("--set", "server.shards=1")
        load = Load(relay)
        time.sleep(2)
        load.stop()
        self.back_up(relay.data_dir)
        stored = next((self.backup / "files").glob("journal-*.seg"))
        content = bytearray(stored.read_bytes())
        content[len(content) // 2] ^= 1
        stored.write_bytes(content)
        self.assertEqual(run("restore", self.backup, "--data-dir", self.place.path / "bad").returncode, 1)
        self.back_up(relay.data_dir)
        self.restore("good", str(relay.data_dir) + ".key")

    def test_what_was_acknowledged_is_in_it_and_is_delivered(self):
        relay = self.place.relay("--set", "server.shards=2")
        sink = self.place.sink(plain=True)
        hook = relay.add_webhook(url=sink.url, secret="whsec_" + "A" * 32)
        load = Load(relay)
        reports = []
        before = []
        for _ in range(3):
            time.sleep(1.5)
            before = list(load.acknowledged)
            reports.append(self.back_up(relay.data_dir))
        load.stop()
        self.assertGreater(len(before), 1000)
        self.assertEqual([report["number"] for report in reports], [1, 2, 3])
        self.assertEqual(reports[0]["files_copied"], reports[0]["files"])
        self.assertLess(reports[2]["files_copied"], reports[2]["files"])
        self.assertLess(reports[2]["bytes_copied"], reports[2]["bytes"])
        relay.kill()
        key = str(relay.data_dir) + ".key"
        token = relay.token

        target = self.restore("restored", key)
        (target / "admin.token").write_text(token)
        again = self.place.relay(name="restored")
        status, _, shown = again.request("GET", f"/v1/webhooks/{hook['id']}")
        self.assertEqual((status, shown["url"]), (200, hook["url"]))
        self.assertLessEqual(set(before), self.ids_in(again))
        again.wait_until_settled()
        received = {entry["delivery"] for entry in sink.received()}
        items, cursor = [], ""
        while True:
            page = again.request("GET", f"/v1/deliveries?limit=200{cursor}")[2]
            items += page["items"]
            if not page["next_cursor"]:
                break
            cursor = "&cursor=" + page["next_cursor"]
        self.assertEqual({item["status"] for item in items}, {"delivered"})
        self.assertLessEqual({item["id"] for item in items}, received)
        gaps = run("audit", "gaps", "--data-dir", target)
        self.assertEqual(gaps.returncode, 0, gaps.stdout + gaps.stderr)

    def test_segments_may_expire_meanwhile(self):
        relay = self.place.relay("--set", "journal.retention_bytes=12MiB", "--set", "server.shards=1")
        load = Load(relay)
        for number in range(6):
            time.sleep(0.7)
            acknowledged = load.acknowledged[-50:]
            self.back_up(relay.data_dir)
            target = self.restore(f"restored-{number}", str(relay.data_dir) + ".key")
            gaps = run("audit", "gaps", "--data-dir", target, "--json")
            self.assertEqual(gaps.returncode, 0, gaps.stdout + gaps.stderr)
            shutil.rmtree(target)
        load.stop()
        self.assertTrue(acknowledged)
        stored = {path.name for path in (self.backup / "files").iterdir()}
        listed = {file["stored"] for file in json.loads((self.backup / "backup.json").read_text())["files"]}
        self.assertEqual(stored, listed, "what no backup needs is removed")

    def test_a_backup_that_is_cut_off_leaves_the_one_before(self):
        relay = self.place.relay()
        load = Load(relay)
        time.sleep(1)
        self.back_up(relay.data_dir)
        before = list(load.acknowledged)
        for tenths in range(1, 12):
            child = subprocess.Popen([harness.RINGPOST, "backup", self.backup, "--data-dir", relay.data_dir],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(tenths * 0.01)
            child.kill()
            child.wait()
            self.restore(f"after-{tenths}", str(relay.data_dir) + ".key")
        load.stop()
        relay.kill()
        again = self.place.relay(name="after-1")
        self.assertTrue(before)
        again.stop()
        self.back_up(relay.data_dir)


class Refusals(BackupTest):

    def refused(self, *arguments):
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def test_what_cannot_be_done_is_said(self):
        self.assertIn("has no relay's data", self.refused("backup", self.backup, "--data-dir", self.place.path / "none"))
        relay = self.place.relay()
        relay.stop()
        full = self.place.path / "full"
        full.mkdir()
        (full / "letter.txt").write_text("mine")
        self.assertIn("holds something else (letter.txt)", self.refused("backup", full, "--data-dir", relay.data_dir))
        self.assertEqual([path.name for path in full.iterdir() if path.name != "lock"], ["letter.txt"])
        self.back_up(relay.data_dir)
        # What is not its own is not touched.
        strange = self.place.path / "strange"
        (strange / "files").mkdir(parents=True)
        (strange / "files" / "thesis.txt").write_text("mine")
        self.assertIn("thesis.txt", self.refused("backup", strange, "--data-dir", relay.data_dir))
        self.assertEqual((strange / "files" / "thesis.txt").read_text(), "mine")
        linked = self.place.path / "linked"
        linked.mkdir()
        (linked / "files").symlink_to(strange / "files")
        self.assertIn("symbolic link", self.refused("backup", linked, "--data-dir", relay.data_dir))
        for inside in (relay.data_dir, relay.data_dir / "copy"):
            self.assertIn("is in the data directory", self.refused("backup", inside, "--data-dir", relay.data_dir))
        for stored in (self.backup / "files").iterdir():
            self.assertEqual(stored.stat().st_mode & 0o077, 0, stored)
        other = self.place.relay(name="other")
        other.stop()
        self.assertIn("another data directory", self.refused("backup", self.backup, "--data-dir", other.data_dir))
        self.assertIn("is not empty", self.refused("restore", self.backup, "--data-dir", other.data_dir))
        empty = self.place.path / "empty"
        empty.mkdir()
        self.assertIn("holds no backup", self.refused("restore", empty, "--data-dir", self.place.path / "new"))
        for stored in (self.backup / "files").glob("*.seg*"):
            content = bytearray(stored.read_bytes())
            content[5000] ^= 1
            stored.write_bytes(content)
            break
        self.assertIn("is damaged", self.refused("restore", self.backup, "--data-dir", self.place.path / "new"))
        self.assertFalse((self.place.path / "new" / "control.db").exists())
        usage = run("backup")
        self.assertEqual(usage.returncode, 2)
        self.assertIn("DIR", usage.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
