"""Durability seen from outside: syncs before answers, a full disk, torn and damaged journals."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

import harness

EVENT = '{"type":"t","source":"s","data":{"n":%d,"padding":"%s"}}'


class StorageTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)


class Syncs(StorageTest):

    def totals(self, relay):
        return relay.status()["totals"]

    def test_every_answer_follows_a_sync(self):
        relay = self.place.relay()
        connection, token = relay.connect(), relay.token
        before = self.totals(relay)["syncs_completed"]
        for count in range(1, 101):
            status, _, _ = relay.request("POST", "/v1/events", EVENT % (count, ""),
                                         {"Authorization": f"Bearer {token}"}, connection)
            self.assertEqual(status, 202)
            if count % 20 == 0:  # One client: each event has a sync of its own.
                self.assertGreaterEqual(self.totals(relay)["syncs_completed"] - before, count)
        connection.close()

    def test_many_clients_share_them(self):
        # All clients have sent before the relay takes its next turn, however fast the machine is.
        relay = self.place.relay("--set", "server.shards=1")
        clients, rounds = 64, 10
        body = (EVENT % (1, "")).encode()
        request = (f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {relay.token}\r\n"
                   "Content-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        before = self.totals(relay)
        connections = [socket.create_connection(("127.0.0.1", relay.port), timeout=20)
                       for _ in range(clients)]
        for _ in range(rounds):
            relay.freeze()
            for connection in connections:
                connection.sendall(request)
            relay.thaw()
            for connection in connections:
                self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 202"))
        for connection in connections:
            connection.close()
        after = self.totals(relay)
        events = after["events_accepted"] - before["events_accepted"]
        syncs = after["syncs_completed"] - before["syncs_completed"]
        print(f"{clients} clients: {events} events, {syncs} syncs", file=sys.stderr)
        self.assertEqual(events, clients * rounds)
        self.assertLess(syncs, events / 4)


@unittest.skipUnless(os.geteuid() == 0, "FULL DISK IS NOT TESTED: mounting a tmpfs needs root")
class Outcomes(StorageTest):

    def test_no_end_goes_unrecorded_however_large_the_answers(self):
        sink = self.place.sink("--body", "z" * 16_000, plain=True)
        relay = self.place.relay("--set", "server.shards=1")
        for _ in range(4):
            relay.add_webhook(url=sink.url)
        for _ in range(2):
            lines = "\n".join(EVENT % (number, "") for number in range(1000))
            status, answer = relay.send(lines, "application/x-ndjson")
            self.assertEqual(status, 202, answer)
        totals = relay.wait_until_settled(120)["totals"]
        self.assertEqual(totals["deliveries_delivered"], 8000)
        self.assertEqual((totals["outcomes_unrecorded"], totals["outcomes_bare"]), (0, 0))
        self.assertEqual(relay.stop(), 0)
        relay = self.place.relay("--set", "server.shards=1")
        self.assertIn("0 deliveries pending", relay.wait_for("journals read").string)
        relay.stop()
        self.assertEqual(len(sink.received()), 8000)


class FullDisk(StorageTest):

    def setUp(self):
        super().setUp()
        self.disk = self.place.path / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs",
                                  str(self.disk)], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("FULL DISK IS NOT TESTED: " + mounted.stderr)
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=False)

    def test_refuses_with_a_reason_keeps_delivering_and_accepts_again(self):
        sink = self.place.sink(plain=True)
        relay = harness.Relay(self.disk / "data", "--set", "server.shards=1")
        self.place.processes.append(relay)
        relay.add_webhook(url=sink.url, schedule=[1] * 20)
        accepted, refused = 0, None
        for number in range(200):
            event = EVENT % (number, "x" * 900_000)
            status, headers, answer = relay.request("POST", "/v1/events", event)
            if status != 202:  # Perhaps only the next file is not ready yet.
                time.sleep(2)
                status, headers, answer = relay.request("POST", "/v1/events", event)
            if status != 202:
                refused = (status, headers, answer)
                break
            accepted += 1
        self.assertIsNotNone(refused, "200 events of 0.9 MB on a disk of 40 MB")
        status, headers, answer = refused
        self.assertIn(status, (503, 507), answer)
        self.assertIn("Retry-After", headers)
        self.assertGreater(accepted, 8)
        relay.wait_until_settled(60)
        self.assertEqual(len({row["delivery"] for row in sink.received()}), accepted)
        self.assertEqual(relay.cli("webhook", "list").returncode, 0)

        subprocess.run(["mount", "-o", "remount,size=160m", str(self.disk)], check=True)
        deadline = time.monotonic() + 10
        while relay.send(EVENT % (1000, ""))[0] != 202:
            self.assertLess(time.monotonic(), deadline, "not accepting 10 s after space returned")
            time.sleep(0.2)
        relay.wait_until_settled(60)
        relay.kill()
        relay = harness.Relay(self.disk / "data", "--set", "server.shards=1")
        self.place.processes.append(relay)
        self.assertEqual(relay.status()["backlog"], 0)
        self.assertIn("0 damaged places", relay.wait_for("journals read").string)
        relay.kill()

    def test_ends_find_room_although_attempts_have_filled_the_disk(self):
        sink = self.place.sink(plain=True)
        address = sink.url.removeprefix("http://")
        sink.stop()
        relay = harness.Relay(self.disk / "data", "--set", "server.shards=1")
        self.place.processes.append(relay)
        relay.add_webhook(url=sink.url, schedule=[1] * 16 + [5] * 16)
        accepted, count = 0, 512
        while count > 0:
            lines = "\n".join(EVENT % (accepted + number, "x" * 300) for number in range(count))
            status, answer = relay.send(lines, "application/x-ndjson")
            if status == 202:
                accepted += count
            elif status == 507:
                count //= 2
            else:  # It is catching up.
                self.assertEqual(status, 503, answer)
                time.sleep(0.1)
            self.assertLess(accepted, 200_000)
        self.assertEqual(relay.request("GET", "/readyz")[0], 503)
        self.assertGreater(accepted, 5000)
        time.sleep(3)  # Attempts to nobody take what they may.
        sink = harness.Sink(self.place.path, listen=address, plain=True)
        self.place.processes.append(sink)
        totals = relay.wait_until_settled(120)["totals"]
        self.assertEqual(totals["deliveries_delivered"], accepted)
        time.sleep(1.5)  # An end may wait a second for others to share its page with.
        relay.kill()
        subprocess.run(["mount", "-o", "remount,size=160m", str(self.disk)], check=True)
        relay = harness.Relay(self.disk / "data", "--set", "server.shards=1")
        self.place.processes.append(relay)
        self.assertIn("0 deliveries pending", relay.wait_for("journals read").string)
        relay.kill()
        received = [row["delivery"] for row in sink.received()]
        self.assertEqual(len(set(received)), accepted)
        self.assertEqual(len(received), accepted)


class History(StorageTest):
    """What people can list and show lasts as long as the journal, whatever becomes of its indexes."""

    SMALL = ("--set", "server.shards=1", "--set", "journal.segment_bytes=4MiB")
    COUNT = 400

    def indexes(self):
        return sorted((self.place.path / "data" / "journal").rglob("*.idx"))

    def wait_for_indexes(self, relay, count):
        deadline = time.monotonic() + 60
        while len(self.indexes()) < count or relay.status()["history"]["segments_unindexed"] > 0:
            self.assertLess(time.monotonic(), deadline, self.indexes())
            time.sleep(0.1)

    def verify(self):
        return subprocess.run([harness.JOURNAL, "verify", self.place.path / "data"],
                              capture_output=True, text=True, timeout=60)

    def flip_a_bit(self, file, offset):
        content = bytearray(file.read_bytes())
        content[offset] ^= 1
        file.write_bytes(content)

    def restarted(self):
        relay = self.place.relay(*self.SMALL)
        relay.wait_until_settled()
        return relay

    def test_it_is_whole_after_damage_and_says_what_it_makes_again(self):
        sink = self.place.sink(plain=True)
        relay = self.place.relay(*self.SMALL)
        webhook = relay.add_webhook(url=sink.url)
        for number in range(self.COUNT):
            self.assertEqual(relay.send(EVENT % (number, "x" * 30_000))[0], 202)
        relay.wait_until_settled()
        self.wait_for_indexes(relay, 2)
        listed = relay.deliveries(webhook)
        self.assertEqual(len(listed), self.COUNT)
        relay.kill()
        verified = self.verify()
        self.assertEqual(verified.returncode, 0, verified)
        self.assertRegex(verified.stdout, r"; \d+ indexes$")

        first, second = self.indexes()[:2]
        self.flip_a_bit(first, 4096 + 100)
        self.flip_a_bit(second, 10)
        verified = self.verify()
        self.assertEqual(verified.returncode, 0, verified)
        self.assertEqual(verified.stdout.count("the index is of no use"), 2, verified.stdout)
        relay = self.restarted()
        self.assertEqual(relay.deliveries(webhook), listed)
        relay.wait_for(f"{second}.*made again from the segment")
        relay.wait_for(f"{first}.*made again from the segment")
        shown = relay.delivery(listed[-1]["id"])
        self.assertEqual(len(shown["attempts"]), 1)
        relay.kill()

        for file in self.indexes():  # As the data directory of an older release.
            file.unlink()
        relay = self.restarted()
        self.wait_for_indexes(relay, 3)
        self.assertEqual(relay.deliveries(webhook), listed)
        self.assertEqual(relay.stop(), 0)
        verified = self.verify()
        self.assertEqual(verified.returncode, 0, verified)
        self.assertNotIn("of no use", verified.stdout)


class Damage(StorageTest):

    SHARD = ("--set", "server.shards=1")

    def make_directory(self, count, padding=""):
        """A killed relay's directory with `count` undelivered events, each with an attempt of its own;
        returns hashes of the data. How far the journal got is noted every 50 ms, and was at the end.
        """
        relay = self.place.relay(*self.SHARD, "--set", "delivery.circuit_failures=0")
        relay.add_webhook(url="https://127.0.0.1:9/", schedule=[3600], sources=["s"])
        hashes = []
        for number in range(count):
            event = EVENT % (number, padding)
            self.assertEqual(relay.send(event)[0], 202)
            hashes.append(hashlib.sha256(event[event.index('"data":') + 7:-1].encode()).hexdigest())
        time.sleep(0.2)
        relay.kill()
        return hashes

    def segments(self, directory):
        return sorted(path for path in (directory / "data" / "journal").rglob("*")
                      if path.is_file() and path.stat().st_size >= 1 << 20)

    def copy(self, name):
        copy = self.place.path / name
        copy.mkdir()
        shutil.copytree(self.place.path / "data", copy / "data")
        shutil.copy2(self.place.path / "data.key", copy / "data.key")
        return copy

    def used_bytes(self, segment):
        return len(segment.read_bytes().rstrip(b"\0"))

    def start(self, directory):
        relay = harness.Relay(directory / "data", *self.SHARD)
        self.place.processes.append(relay)
        found = relay.wait_for(r"journals read: (\d+) events.* (\d+) torn tails, (\d+) damaged")
        return relay, tuple(int(figure) for figure in found.groups())

    def newest_used(self, directory):
        return max((segment for segment in self.segments(directory) if self.used_bytes(segment)
                    > 8192), key=self.used_bytes)

    def test_a_torn_tail_costs_what_was_torn_and_nothing_else(self):
        self.make_directory(20)
        used = self.used_bytes(self.newest_used(self.place.path))
        whole, torn_in_all, lost_in_all = None, 0, 0
        for number, cut in enumerate((0, 7, 4096, 8191)):
            directory = self.copy(f"torn-{number}")
            segment = self.newest_used(directory)
            os.truncate(segment, used - cut)
            verified = subprocess.run([harness.JOURNAL, "verify", directory / "data"],
                                      capture_output=True, text=True, timeout=20)
            relay, (events, torn, damaged) = self.start(directory)
            self.assertEqual(self.told(relay, "tail truncated"), torn, relay.lines)
            self.assertEqual(self.told(relay, segment.name), torn, relay.lines)
            self.assertEqual(self.told(relay, f"{segment}: tail truncated at offset"), torn)
            self.assertEqual(self.told(relay, "warning /"), torn, relay.lines)
            lost_in_all += self.assert_verdict(verified, torn)
            torn_in_all += torn
            whole = whole or events
            self.assertLessEqual(events, whole)
            self.assertGreaterEqual(events, whole - 3 if cut <= 8191 else 0)
            self.assertEqual(damaged, 0, relay.lines)
            self.assertEqual(relay.send(EVENT % (77, ""))[0], 202)
            relay.kill()
            relay, (again, torn, damaged) = self.start(directory)
            self.assertEqual((again, damaged), (events + 1, 0), "later appends must be readable")
            self.assertEqual(self.told(relay, "tail truncated"), 0, "told at every start")
            relay.kill()
        self.assertEqual(whole, 20)
        self.assertGreater(torn_in_all, 0)
        self.assertGreater(lost_in_all, 0)

    def test_a_torn_tail_that_nobody_knows_more_of_is_sound(self):
        self.make_directory(20)
        segment = self.newest_used(self.place.path)
        used = self.used_bytes(segment)
        (segment.parent / "written").unlink()  # As after a power loss.
        os.truncate(segment, used - 7)
        verified = self.journal("verify", self.place.path / "data")
        self.assertEqual(verified.returncode, 0, verified)
        self.assertIn("sound except for 1 torn tail", verified.stdout)

    def journal(self, *arguments):
        return subprocess.run([harness.JOURNAL, *arguments], capture_output=True, text=True, timeout=20)

    def test_a_damaged_segment_is_repaired_into_a_new_file(self):
        """Whatever the damage: the relay starts with the new file, and verify finds nothing wrong with it."""
        self.make_directory(40, "x" * 3000)
        wounds = {
            "a flipped bit": lambda content, used: content.__setitem__(used // 2, content[used // 2] ^ 1),
            "zeroed pages": lambda content, used: content.__setitem__(
                slice(used // 8192 * 4096, used // 8192 * 4096 + 8192), bytes(8192)),
            "a torn end": lambda content, used: content.__setitem__(slice(used - 9000, used), bytes(9000)),
            "a cut file": lambda content, used: content.__delitem__(slice(used // 2, None)),
            "a wrong header": lambda content, used: content.__setitem__(slice(0, 4096), b"#" * 4096),
        }
        for number, (what, wound) in enumerate(wounds.items()):
            with self.subTest(what):
                directory = self.copy(f"repair-{number}")
                segment = self.newest_used(directory)
                which = f"{segment.parent.name}/{int(segment.stem)}"
                content = bytearray(segment.read_bytes())
                wound(content, self.used_bytes(segment))
                segment.write_bytes(content)
                new = directory / "new.seg"
                done = self.journal("repair", directory / "data", which, "--output", new)
                self.assertEqual((done.returncode, done.stderr), (1, ""), done)
                self.assertIn("records, of them", done.stdout)
                self.assertEqual(segment.read_bytes(), bytes(content), "the original was changed")
                again = self.journal("repair", directory / "data", which, "--output", new)
                self.assertEqual(again.returncode, 2)
                self.assertIn("is there already", again.stderr)
                kept = self.events_of(directory)
                os.replace(new, segment)
                verified = self.journal("verify", directory / "data")
                self.assertEqual(verified.returncode, 0, verified)
                self.assertTrue(verified.stdout.splitlines()[-1].startswith("sound: "), verified.stdout)
                self.assertEqual(self.events_of(directory), kept)
                sound = self.journal("repair", directory / "data", which, "--output", directory / "more.seg")
                self.assertEqual(sound.returncode, 0, sound)
                self.assertFalse((directory / "more.seg").exists())
                relay, (events, torn, damaged) = self.start(directory)
                self.assertEqual((events, torn, damaged), (len(kept), 0, 0))
                self.assertEqual(relay.send(EVENT % (77, ""))[0], 202)
                relay.kill()

    def events_of(self, directory):
        """Where each event is that can be read."""
        dumped = self.journal("dump", directory / "data", "--record", "event").stdout.splitlines()
        records = [json.loads(line) for line in dumped]
        return {record["position"]: record["uid"] for record in records if "record" in record}

    def test_repair_tells_which_deliveries_have_lost_their_event(self):
        self.make_directory(20)
        segment = self.newest_used(self.place.path)
        dumped = [json.loads(line) for line in self.journal("dump", self.place.path / "data").stdout.splitlines()]
        tried = {record["event"]: record["delivery"] for record in dumped if record.get("record") == "outcome"}
        position, delivery = next(iter(tried.items()))
        content = bytearray(segment.read_bytes())
        content[int(position.rsplit("/", 1)[1]) + 40] ^= 1
        segment.write_bytes(content)
        done = self.journal("repair", self.place.path / "data", position.rsplit("/", 1)[0],
                            "--output", self.place.path / "new.seg")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("1 deliveries are known whose event is lost", done.stdout)
        self.assertIn(delivery, done.stdout)
        self.assertIn("1 are lost", done.stdout)

    def test_repair_refuses_what_it_must_not_do(self):
        self.make_directory(3)
        relay = harness.Relay(self.place.path / "data", *self.SHARD)
        self.place.processes.append(relay)
        data = self.place.path / "data"
        segment = self.segments(self.place.path)[0]
        which = f"{segment.parent.name}/{int(segment.stem)}"
        inside = self.journal("repair", data, which, "--output", segment.parent / "new.seg")
        self.assertEqual(inside.returncode, 2)
        self.assertIn("a relay runs on", inside.stderr)
        for wrong, why in (("7", "like 007/42"), ("000/4000", "not found")):
            refused = self.journal("repair", data, wrong, "--output", self.place.path / "new.seg")
            self.assertEqual(refused.returncode, 2)
            self.assertIn(why.lower(), refused.stderr.lower())
        relay.kill()

    def told(self, relay, text):
        return sum(text in line for line in relay.lines)

    def assert_verdict(self, verified, torn):
        """What was cut off is known to have been durable: a start goes on, but it is a loss."""
        *findings, verdict = verified.stdout.splitlines()
        self.assertEqual(len(findings), torn)
        for finding in findings:
            self.assertIn("end is unfinished or damaged", finding)
        lost = any("acknowledged are lost" in finding for finding in findings)
        self.assertEqual(verified.returncode, 1 if lost else 0, verified.stdout)
        expected = "damaged: 1 finding;" if lost else "sound except for 1 torn tail: " if torn else "sound: "
        self.assertTrue(verdict.startswith(expected), verdict)
        return lost

    def test_a_loss_stops_the_start_and_verify_says_the_same(self):
        """Whatever is gone: acknowledged events are not missed in silence."""
        self.make_directory(40, "x" * 3000)
        losses = {
            "nothing": lambda journal, newest: None,
            "the newest segment": lambda journal, newest: newest.unlink(),
            "all behind its header": lambda journal, newest: os.truncate(newest, 4096),
            "half of it": lambda journal, newest: os.truncate(newest, self.used_bytes(newest) // 2),
            "zeros behind its header": lambda journal, newest: self.zero(newest, 4096),
            "zeros in its second half":
                lambda journal, newest: self.zero(newest, self.used_bytes(newest) // 2),
            "a folder": lambda journal, newest: shutil.rmtree(journal / "000"),
            "all folders": lambda journal, newest: shutil.rmtree(journal),
            "the mark and the first segment": lambda journal, newest: (
                (journal / "000" / "oldest").unlink(), (journal / "000" / "00000001.seg").unlink()),
            "the control store": lambda journal, newest: [
                path.unlink() for path in journal.parent.glob("control.db*")],
        }
        for number, (what, lose) in enumerate(losses.items()):
            with self.subTest(what):
                directory = self.copy(f"loss-{number}")
                lose(directory / "data" / "journal", self.newest_used(directory))
                verified = subprocess.run([harness.JOURNAL, "verify", directory / "data"],
                                          capture_output=True, text=True, timeout=20)
                started = self.starts(directory)
                self.assertEqual(started, what == "nothing")
                self.assertEqual(verified.returncode, 0 if started else 1, verified)
                if not started:
                    self.assertIn("a start refuses", verified.stdout)

    def zero(self, segment, offset):
        size = segment.stat().st_size
        os.truncate(segment, offset)
        os.truncate(segment, size)

    def starts(self, directory):
        try:
            self.start(directory)[0].kill()
            return True
        except AssertionError:
            return False

    def test_a_flipped_bit_is_never_delivered_and_never_silent(self):
        """In the middle of the journal: good records stand behind it, so it is no torn tail."""
        self.make_directory(20)
        used = self.used_bytes(self.newest_used(self.place.path))
        for number, offset in enumerate(range(4096 + 40, used - 5000, max(used // 4, 1))):
            directory = self.copy(f"flip-{number}")
            segment = self.newest_used(directory)
            content = bytearray(segment.read_bytes())
            if content[offset] == 0:  # Padding between blocks: find a byte that says something.
                offset = next(place for place in range(offset, used) if content[place] != 0)
            content[offset] ^= 0x10
            segment.write_bytes(content)
            before = hashlib.sha256(bytes(content)).hexdigest()
            with self.subTest(offset):
                said = self.outcome_of(directory)
                self.assertIn(segment.name, said, "the damaged file is not named")
                self.assertEqual(hashlib.sha256(segment.read_bytes()).hexdigest(), before,
                                 "the damaged file was changed")

    def outcome_of(self, directory):
        """Starts on a damaged directory; returns what the relay said about it."""
        try:
            relay, (_, _, damaged) = self.start(directory)
            shown = relay.status()["storage"]["journal_damages"]
        except AssertionError as refused:
            return str(refused)
        self.assertGreaterEqual(damaged, 1)
        self.assertEqual(shown, damaged, "people must see it in the status")
        relay.kill()
        return "\n".join(relay.lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
