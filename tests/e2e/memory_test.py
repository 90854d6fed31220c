"""Request bodies: their memory is bounded over all connections, and the system's again afterwards.

Alone it prints its figures: RINGPOST_BUILD=$PWD/build python3 -B tests/e2e/memory_test.py
"""

import contextlib
import pathlib
import re
import socket
import time
import unittest

import harness

MIB = 1 << 20
CONNECTIONS = 150
ANNOUNCED = 16 * MIB
SENT = 4 * MIB
BUDGET = 64 * MIB
SHARDS = 2
OF_EACH_BODY = 2  # Bodies grow by doubling.


def replaces_the_allocator(relay):
    """A sanitizer keeps what was freed."""
    maps = pathlib.Path(f"/proc/{relay.child.pid}/maps").read_text()
    return re.search(r"lib(a|t)san", maps) is not None


class Memory(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", f"server.shards={SHARDS}",
                                      "--set", f"ingest.bodies_bytes_max={BUDGET}",
                                      "--set", "journal.segment_bytes=64MiB")
        self.head = (f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                     f"Authorization: Bearer {self.relay.token}\r\n")

    def open(self, stack, fields, body):
        """Connections that send a part of a body and stall. @returns the answers of those that got
        one: the others were let in."""
        answers = []
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", self.relay.port), timeout=5))
            try:
                connection.sendall((self.head + fields).encode() + b"\r\n")
                connection.sendall(body)
                connection.settimeout(0.05)
                answer = connection.recv(65536)
            except TimeoutError:
                continue  # It waits for the rest.
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            answers.append(answer)
        return answers

    def stall(self, name, fields, body):
        refused = self.relay.status()["totals"]["events_refused"]
        before = self.relay.resident_kib()
        with contextlib.ExitStack() as stack:
            answers = self.open(stack, fields, body)
            held = self.relay.resident_kib()
            self.assertLess(len(answers), CONNECTIONS)
            told = [answer for answer in answers if answer]
            self.assertTrue(told)
            for answer in told:
                self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
                self.assertIn(b"\r\nRetry-After: 5\r\n", answer)
                self.assertIn(b"ingest.bodies_bytes_max", answer)
            self.assertEqual(self.relay.status()["totals"]["events_refused"],
                             refused + len(answers))
            self.assertEqual(self.relay.request("GET", "/v1/webhooks")[0], 200)
        after = self.settled(before)
        print(f"{name}: {before // 1024} MiB at rest, {held // 1024} MiB with "
              f"{CONNECTIONS - len(answers)} of {CONNECTIONS} let in, {after // 1024} MiB afterwards")
        if not replaces_the_allocator(self.relay):
            self.assertLess(held - before, OF_EACH_BODY * SHARDS * BUDGET // 1024)
            self.assertLess(after - before, 24 * 1024)

    def settled(self, wanted, seconds=20):
        """The memory once it is back, or after a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.relay.resident_kib() > wanted + 8 * 1024:
            time.sleep(0.2)
        return self.relay.resident_kib()

    def test_bodies_of_announced_length(self):
        self.stall("announced", f"Content-Length: {ANNOUNCED}\r\n", b"x" * SENT)

    def test_chunked_bodies(self):
        self.stall("chunked", "Transfer-Encoding: chunked\r\n",
                   b"%x\r\n" % ANNOUNCED + b"x" * SENT)

    def test_the_largest_batch_fits(self):
        line = b'{"type":"t","source":"s","data":{"x":"%s"}}\n' % (b"x" * 900_000)
        body = line * (ANNOUNCED // len(line))
        for _ in range(3):
            status, _, answer = self.relay.request(
                "POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
            self.assertEqual(status, 202, answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
