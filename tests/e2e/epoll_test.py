"""Everything runs where io_uring is forbidden, as in most containers: relay, clients, generator and receiver."""

import http.client
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import unittest

import disk_gate
import harness

# A write on a thread for files waits at the gate.
WRITES = r"""
ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
  char thread[16] = "";
  pthread_getname_np(pthread_self(), thread, sizeof thread);
  if (strcmp(thread, "files") == 0 && pass_gate() != 0) return -1;
  return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}
ssize_t pwrite(int descriptor, const void* bytes, size_t size, off64_t offset) {
  return pwrite64(descriptor, bytes, size, offset);
}
"""
EVENT = {"type": "build/finished", "source": "app/1", "data": {}}
WHY = "io_uring is not available: the system call is forbidden"


def run(*arguments, environment=None):
    """Runs a program to its end; returns its exit code and its output."""
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=environment)
    return done.returncode, done.stdout + done.stderr


class Epoll(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if not harness.ENGINE:
            harness.forbid_io_uring()

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def relay(self, *arguments, **options):
        """A relay that may choose its engine."""
        return self.place.relay("--set", "server.engine=auto", *arguments, **options)

    def test_a_relay_that_may_choose_takes_it_and_says_so(self):
        relay = self.relay()
        said = [line for line in relay.lines if "engine" in line]
        self.assertEqual(len(said), 1, relay.lines)
        self.assertIn(f"engine: epoll, because {WHY}", said[0])
        status = relay.status()
        self.assertEqual(status["engine"], "epoll")
        self.assertIn(WHY, status["engine_reason"])
        metrics = relay.request("GET", "/metrics")[2].decode()
        self.assertRegex(metrics, r'(?m)^ringpost_engine_info\{engine="epoll"\} 1$')
        self.assertRegex(relay.cli("status").stdout, rf"(?m)^ *engine +epoll: {re.escape(WHY)}")
        self.assertEqual(relay.stop(), 0)

    def test_a_relay_that_is_told_to_take_it_gives_no_reason(self):
        relay = self.place.relay("--set", "server.engine=epoll")
        self.assertTrue(any(line.endswith("engine: epoll") for line in relay.lines), relay.lines)
        self.assertIsNone(relay.status()["engine_reason"])
        self.assertEqual(relay.stop(), 0)

    def test_a_relay_that_is_told_to_take_io_uring_ends_with_one_line_and_leaves_nothing(self):
        data = self.place.path / "data"
        code, said = run(harness.RINGPOST, "serve", "--data-dir", data, "--listen", "127.0.0.1:0",
                         "--set", "server.engine=io_uring")
        self.assertEqual(code, 1)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn(WHY, said)
        self.assertIn('set server.engine to "auto" or "epoll"', said)
        self.assertFalse(data.exists())
        file = self.place.path / "ringpost.toml"
        file.write_text(f'[server]\nengine = "io_uring"\ndata_dir = "{data}"\n')
        code, said = run(harness.RINGPOST, "check-config", file)
        self.assertEqual(code, 1, said)
        self.assertIn(WHY, said)
        file.write_text(file.read_text().replace("io_uring", "auto"))
        self.assertEqual(run(harness.RINGPOST, "check-config", file)[0], 0)

    def test_nothing_acknowledged_is_lost_by_kills(self):
        sink = self.place.sink()
        relay = self.relay()
        webhook = relay.add_webhook(url=sink.url + "/in", tls=sink.tls())
        acknowledged = set()
        for cycle in range(4):
            for number in range(100):
                event = {"type": "build/finished", "source": "app/1", "id": f"{cycle}-{number}", "data": {"n": number}}
                status, answer = relay.send(event)
                self.assertEqual(status, 202, answer)
                acknowledged.add(event["id"])
            relay.kill()
            relay = self.relay()
        relay.wait_until_settled()
        deliveries = relay.deliveries(webhook)
        self.assertEqual({delivery["status"] for delivery in deliveries}, {"delivered"})
        self.assertEqual({delivery["event"]["id"] for delivery in deliveries}, acknowledged)
        received = {row["delivery"] for row in sink.received()}
        self.assertEqual({delivery["id"] for delivery in deliveries} - received, set())
        self.assertEqual({row["signature"] for row in sink.received()} & {"bad"}, set())
        self.assertEqual(relay.stop(), 0)

    def slow_relay(self):
        """A relay whose journal's writes wait for self.gate, which is open."""
        self.gate = self.place.path / "gate"
        self.gate.touch()
        self.addCleanup(self.gate.touch)
        return self.relay(environment=disk_gate.environment(self.place.path, self.gate, WRITES))

    def close_gate(self):
        self.gate.unlink()
        self.gate.with_suffix(".waiting").unlink(missing_ok=True)

    def wait_for_a_write(self):
        deadline = time.monotonic() + 20
        while not self.gate.with_suffix(".waiting").exists():
            self.assertLess(time.monotonic(), deadline, "no write came")
            time.sleep(0.01)

    def test_no_answer_comes_before_its_write_has_ended(self):
        relay = self.slow_relay()
        self.assertEqual(relay.send(EVENT)[0], 202)
        self.close_gate()
        answers = []
        senders = [threading.Thread(target=lambda: answers.append(relay.send(EVENT)[0])) for _ in range(3)]
        for sender in senders:
            sender.start()
        self.wait_for_a_write()
        for _ in range(20):  # The shard goes on meanwhile.
            self.assertEqual(relay.status()["engine"], "epoll")
        self.assertEqual(answers, [])
        self.gate.touch()
        for sender in senders:
            sender.join(20)
        self.assertEqual(answers, [202, 202, 202])
        self.assertEqual(relay.stop(), 0)

    def test_a_write_that_fails_is_no_202(self):
        relay = self.slow_relay()
        self.assertEqual(relay.send(EVENT)[0], 202)
        self.gate.write_text("fail")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            relay.send(EVENT)  # Nobody knows what the disk has of it: no answer.
        status, answer = relay.send(EVENT)
        self.assertEqual(status, 503, answer)
        self.assertEqual(relay.status()["storage"]["state"], "failed")
        self.assertEqual(relay.stop(), 0)

    def test_the_journals_files_are_written_through_to_the_disk(self):
        relay = self.relay()
        relay.send(EVENT)
        found = 0
        process = pathlib.Path(f"/proc/{relay.child.pid}")
        for descriptor in (process / "fd").iterdir():
            try:
                file = os.readlink(descriptor)
                info = (process / "fdinfo" / descriptor.name).read_text()
            except FileNotFoundError:
                continue  # Closed meanwhile.
            if not file.endswith("/00000001.seg"):
                continue  # Of the journals, only these are written to; others are being prepared.
            flags = int(re.search(r"flags:\s*(\d+)", info).group(1), 8)
            self.assertTrue(flags & os.O_DSYNC, (file, oct(flags)))
            found += 1
        self.assertGreater(found, 0)
        self.assertEqual(relay.stop(), 0)

    def test_clients_generator_and_receiver_run_too(self):
        sink = self.place.sink()
        socket = self.place.path / "socket"
        relay = self.relay(listen=("127.0.0.1:0", f"unix:{socket}"))
        relay.add_webhook(url=sink.url + "/in", tls=sink.tls())
        file = self.place.path / "event.json"
        file.write_text(json.dumps({"type": "build/finished", "source": "app/1", "data": {"text": "x" * 300_000}}))
        self.assertIn("accepted", relay.cli("send", file).stdout)
        environment = {"RINGPOST_TOKEN": relay.token, "PATH": "/usr/bin:/bin"}
        for url in (f"http://127.0.0.1:{relay.port}", f"unix:{socket}"):
            code, said = run(harness.LOAD, "relay", "--rate", "200", "--duration", "1s", "--json",
                             environment=dict(environment, RINGPOST_URL=url))
            self.assertIn(code, (0, 4), said)  # 4: this machine was too slow for the rate.
            [load] = json.loads(said[said.index("{"):])["runs"]
            self.assertEqual(load["failed"], 0, load)
            self.assertGreater(load["succeeded"], 0)
        relay.wait_until_settled()
        self.assertEqual(relay.status()["totals"]["deliveries_dead"], 0)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(sink.stop(), 0)


if __name__ == "__main__":
    unittest.main()
