"""A relay in a small memory cgroup, all receivers down, more events than it can take.

Goal: with default settings it is never ended by the kernel; what it cannot take is refused with a time to
come back, and nothing that it acknowledged is lost. Method: a cgroup of its own (version 1 or 2; where
neither can be made, the test says so), batches of 2,000 small events as fast as possible.

Longer, by hand: RINGPOST_BUILD=$PWD/build python3 -B tests/e2e/small_memory_test.py --seconds 600
"""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import unittest

import harness

MIB = 1 << 20
BATCH = 2000
ORGANIZATIONS = 3
HOOKS = 4
SECONDS = 10


class MemoryCgroup:
    """A cgroup with a limit of its own. Raises OSError where it cannot be made."""

    def __init__(self, limit):
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        paths = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
        name = f"ringpost-test-{os.getpid()}"
        root = pathlib.Path("/sys/fs/cgroup")
        if "memory" in paths:
            self.path = root / "memory" / paths["memory"].lstrip("/") / name
            self.path.mkdir()
            (self.path / "memory.limit_in_bytes").write_text(str(limit))
            self.peak_file = "memory.max_usage_in_bytes"
        else:
            parent = root / paths[""].lstrip("/")
            if "memory" not in (parent / "cgroup.subtree_control").read_text().split():
                (parent / "cgroup.subtree_control").write_text("+memory")
            self.path = parent / name
            self.path.mkdir()
            (self.path / "memory.max").write_text(str(limit))
            self.peak_file = "memory.peak"

    def peak(self):
        file = self.path / self.peak_file
        return int(file.read_text()) if file.exists() else 0

    def close(self):
        for _ in range(100):
            try:
                return self.path.rmdir()
            except OSError:
                time.sleep(0.1)


class PidsCgroup(MemoryCgroup):
    """The same for the number of processes and threads."""

    def __init__(self, most):
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        parent = next(line.split(":", 2)[2] for line in lines if "pids" in line.split(":", 2)[1].split(","))
        self.path = pathlib.Path("/sys/fs/cgroup/pids") / parent.lstrip("/") / f"ringpost-test-{os.getpid()}-{most}"
        self.path.mkdir()
        (self.path / "pids.max").write_text(str(most))


class Flood(threading.Thread):
    """Posts batches without pause, until `stop`."""

    def __init__(self, relay, token, source):
        super().__init__(daemon=True)
        self.relay = relay
        self.token = token
        self.source = source
        self.answers = collections.Counter()
        self.accepted = 0
        self.unknown = 0  # Batches without an answer.
        self.problems = []
        self.stop = threading.Event()

    def run(self):
        line = json.dumps({"type": "t", "source": self.source, "data": {"n": 1}}) + "\n"
        body = (line * BATCH).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
        with contextlib.closing(self.relay.connect()) as connection:
            self.post(connection, body, headers)

    def post(self, connection, body, headers):
        while not self.stop.is_set():
            try:
                connection.request("POST", "/v1/events", body, headers)
                answer = connection.getresponse()
                raw = answer.read()
            except (OSError, http.client.HTTPException):
                self.unknown += 1
                connection.close()
                if self.relay.child.poll() is not None:
                    return
                continue
            self.answers[answer.status] += 1
            if answer.status == 202:
                self.accepted += json.loads(raw)["accepted"]
            elif answer.status not in (429, 503) or "Retry-After" not in answer.headers:
                self.problems.append((answer.status, dict(answer.headers), raw[:300]))


class SmallMemory(unittest.TestCase):

    def start(self, limit, *arguments):
        libraries = subprocess.run(["ldd", harness.RINGPOST], capture_output=True, text=True).stdout
        if re.search(r"lib(a|t)san", libraries):
            print("SKIPPED: a sanitizer needs more memory than this")
            self.skipTest("a sanitizer's memory")
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        try:
            self.cgroup = MemoryCgroup(limit)
        except (OSError, KeyError) as error:
            print(f"SKIPPED: no memory cgroup can be made here: {error}")
            self.skipTest("no memory cgroup")
        self.addCleanup(self.cgroup.close)
        self.addCleanup(self.place.close)  # Before the cgroup goes: it has to be empty.
        self.wrapper = self.place.path / "ringpost-in-cgroup"
        self.wrapper.write_text(f"#!/bin/sh\necho $$ > {self.cgroup.path}/cgroup.procs\n"
                                f"exec {harness.RINGPOST} \"$@\"\n")
        self.wrapper.chmod(0o755)
        self.arguments = arguments
        return self.restart()

    def restart(self):
        original, harness.RINGPOST = harness.RINGPOST, self.wrapper
        try:
            # The segments are the default's, unlike those of other tests.
            return self.place.relay("--set", "journal.segment_bytes=64MiB", *self.arguments, seconds=120)
        finally:
            harness.RINGPOST = original

    def hooks(self, relay):
        """Webhooks whose receivers are down; a token and a source for each."""
        pairs, self.webhooks = [], []
        for organization in range(ORGANIZATIONS):
            status, _, made = relay.request("POST", "/v1/tokens", {
                "name": f"flood-{organization}", "organization": f"organization-{organization}",
                "scopes": ["events:write", "webhooks:write"]})
            self.assertEqual(status, 201, made)
            for hook in range(HOOKS):
                source = f"app/{organization}/{hook}"
                status, _, answer = relay.request(
                    "POST", "/v1/webhooks", {"url": f"http://127.0.0.1:9/{organization}/{hook}",
                                             "sources": [source],
                                             # The default would wait 5 minutes after a second attempt.
                                             "schedule": [5] * 20},
                    {"Authorization": f"Bearer {made['token']}"})
                self.assertEqual(status, 201, answer)
                self.webhooks.append((made["token"], answer["id"]))
                pairs.append((made["token"], source))
        return pairs

    def flood(self, limit, *arguments):
        relay = self.start(limit, *arguments)
        floods = [Flood(relay, token, source) for token, source in self.hooks(relay)]
        begun = time.monotonic()
        for flood in floods:
            flood.start()
        resident = []
        while time.monotonic() < begun + SECONDS and relay.child.poll() is None:
            relay.read(0)
            resident.append((round(time.monotonic() - begun), relay.resident_kib() // 1024))
            time.sleep(1)
        self.assertIsNone(relay.child.poll(), "\n".join(relay.lines[-20:]))
        for flood in floods:
            flood.stop.set()
        for flood in floods:
            flood.join(60)
        accepted = sum(flood.accepted for flood in floods)
        deadline = time.monotonic() + 60
        while (status := relay.status())["backlog"] < accepted and time.monotonic() < deadline:
            time.sleep(0.5)  # The index is told a moment later.
        answers = sum((flood.answers for flood in floods), collections.Counter())
        unknown = sum(flood.unknown for flood in floods)
        print(f"{limit // MIB} MiB, {SECONDS} s: {accepted} accepted, answers {dict(answers)}, "
              f"{unknown} without one; resident MiB by second: {resident[::max(1, len(resident) // 12)]}; "
              f"peak of the cgroup {self.cgroup.peak() // MIB} MiB; limits {status['limits']}")
        self.assertEqual([problem for flood in floods for problem in flood.problems], [])
        self.assertGreater(accepted, 0)
        self.assertEqual(status["limits"]["memory_max"], limit)
        self.assertGreaterEqual(status["backlog"], accepted)
        self.assertLessEqual(status["backlog"], accepted + unknown * BATCH)
        late = [mib for second, mib in resident if second >= 60]
        if len(late) > 60:
            self.assertLess(max(late[-30:]) - max(late[:30]), limit // MIB // 10, "it is not flat")
        relay.kill()
        again = self.restart()
        self.assertEqual(again.status()["backlog"], status["backlog"], "lost or invented")
        self.drain(again, status["backlog"])
        self.assertEqual(again.stop(), 0)

    def drain(self, relay, count):
        """The receivers are back: all of it is delivered within the same memory."""
        sink = self.place.sink()
        for token, webhook in self.webhooks:
            status, _, answer = relay.request("PATCH", f"/v1/webhooks/{webhook}", {"url": sink.url, "tls": sink.tls()},
                                              {"Authorization": f"Bearer {token}"})
            self.assertEqual(status, 200, answer)
        begun = time.monotonic()
        while (status := relay.status())["backlog"] > 0 and time.monotonic() < begun + 120:
            self.assertIsNone(relay.child.poll(), "\n".join(relay.lines[-20:]))
            time.sleep(0.5)
        print(f"drained {count} in {time.monotonic() - begun:.1f} s, {relay.resident_kib() // 1024} MiB resident, "
              f"peak of the cgroup {self.cgroup.peak() // MIB} MiB")
        self.assertEqual((status["backlog"], status["totals"]["deliveries_delivered"]), (0, count))

    def test_256_mib_with_default_settings(self):
        self.flood(256 * MIB)

    def test_64_mib_as_a_sidecar(self):
        self.flood(64 * MIB)

    def test_too_few_threads_are_refused_in_words_and_leave_nothing(self):
        """Method: the limit of pids, which counts threads, from one thread to more than it needs."""
        for most in range(1, 24 if harness.ENGINE == "epoll" else 14):
            with self.subTest(most=most):
                place = harness.Workplace()
                self.addCleanup(place.close)
                try:
                    cgroup = PidsCgroup(most)
                except (OSError, KeyError, StopIteration) as error:
                    print(f"SKIPPED: no cgroup for the number of threads can be made here: {error}")
                    self.skipTest("no pids cgroup")
                self.addCleanup(cgroup.close)
                self.addCleanup(place.close)
                wrapper = place.path / "ringpost-in-cgroup"
                wrapper.write_text(f"#!/bin/sh\necho $$ > {cgroup.path}/cgroup.procs\nexec {harness.RINGPOST} \"$@\"\n")
                wrapper.chmod(0o755)
                done = subprocess.Popen([wrapper, "serve", "--data-dir", place.path / "data", "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                self.addCleanup(done.kill)
                said = ""
                while line := done.stdout.readline():
                    said += line
                    if " ready: " in line:
                        done.terminate()
                self.assertIn(done.wait(30), (0, 1), said)
                if done.returncode == 1:
                    self.assertRegex(said, "no further thread can be started; raise the limit", said)
                else:
                    self.assertIn(" ready: ", said)
                done.stdout.close()
        self.assertEqual(done.returncode, 0, said)

    def test_too_little_address_space_is_refused_and_enough_will_do(self):
        for kib, code in ((100_000, 1), (200_000, 1), (270_000, 1), (300_000, 0), (400_000, 0)):
            with self.subTest(kib=kib):
                place = harness.Workplace()
                self.addCleanup(place.close)
                wrapper = place.path / "ringpost-limited"
                wrapper.write_text(f"#!/bin/sh\nulimit -v {kib}\nexec {harness.RINGPOST} \"$@\"\n")
                wrapper.chmod(0o755)
                original, harness.RINGPOST = harness.RINGPOST, wrapper
                try:
                    if code == 1:
                        with self.assertRaisesRegex(AssertionError, r"needs at least 50 MiB of memory.*ulimit -v"):
                            place.relay()
                        self.assertFalse((place.path / "data").exists())
                        continue
                    relay = place.relay()
                finally:
                    harness.RINGPOST = original
                sink = place.sink()
                relay.add_webhook(url=sink.url, tls=sink.tls())
                for _ in range(200):
                    self.assertEqual(relay.send({"type": "t", "source": "s", "data": {"text": "x" * 10_000}})[0], 202)
                deadline = time.monotonic() + 30
                while relay.status()["backlog"] > 0 and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.assertEqual(relay.status()["totals"]["deliveries_delivered"], 200)
                self.assertEqual(relay.stop(), 0)

    def test_too_little_memory_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "needs at least 50 MiB of memory"):
            self.start(32 * MIB)


if __name__ == "__main__":
    if "--seconds" in sys.argv:
        at = sys.argv.index("--seconds")
        SECONDS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main(verbosity=2)
