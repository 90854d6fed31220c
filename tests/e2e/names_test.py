"""Name servers that never answer: they cost others nothing, and the attempt says that it was the name.

Method: a mount namespace with a resolv.conf of our own, and a real name server on loopback that
answers some names and keeps silent about others. Needs root; where that is missing it says so.
"""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest

import harness

ADDRESS = "127.77.0.53"
SILENT = 400


class NameServer(threading.Thread):
    """Answers 127.0.0.1 for every name, but for those that begin with "silent" and, once it fell
    silent, for all."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.1)
        self.ended = False
        try:
            self.socket.bind((ADDRESS, 53))
        except OSError:
            self.socket.close()
            raise
        self.silent = False
        self.asked = 0

    def run(self):
        while not self.ended:
            try:
                question, peer = self.socket.recvfrom(512)
            except TimeoutError:
                continue
            self.asked += 1
            if self.silent or question[13:].startswith(b"silent"):
                continue
            end = question.index(b"\0", 12) + 5
            is_ipv4 = question[end - 4:end - 2] == b"\0\1"
            head = question[:2] + b"\x81\x80\0\1" + struct.pack("!HHH", int(is_ipv4), 0, 0)
            record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 1, 4) + socket.inet_aton("127.0.0.1")
            self.socket.sendto(head + question[12:end] + (record if is_ipv4 else b""), peer)

    def close(self):
        self.ended = True
        self.join()
        self.socket.close()


def cannot_try():
    """Why this machine cannot show it; nothing if it can."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs root and unshare"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        return "no mount namespaces here"
    return None


class Names(unittest.TestCase):

    def setUp(self):
        why = cannot_try()
        if why:
            print(f"SKIPPED: {why}")
            self.skipTest(why)
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        try:
            self.server = NameServer()
        except OSError as error:
            print(f"SKIPPED: {ADDRESS}:53 cannot be used: {error}")
            self.skipTest("no address for a name server")
        self.server.start()
        self.addCleanup(self.server.close)
        self.resolv = resolv = self.place.path / "resolv.conf"
        resolv.write_text(f"nameserver {ADDRESS}\noptions timeout:2\n")
        # A program of its own, so that the harness starts the relay as it does any other.
        wrapper = self.place.path / "ringpost-with-names"
        wrapper.write_text(f"#!/bin/sh\nexec unshare --mount sh -c 'mount --bind {resolv} /etc/resolv.conf && "
                           f"exec \"$@\"' sh {harness.RINGPOST} \"$@\"\n")
        wrapper.chmod(0o755)
        original, harness.RINGPOST = harness.RINGPOST, wrapper
        try:
            # No connection is kept, so that each attempt needs the name.
            self.relay = self.place.relay("--set", "server.shards=1", "--set", "delivery.idle_max=100ms")
        finally:
            harness.RINGPOST = original
        self.sink = self.place.sink(plain=True)
        self.port = self.sink.url.rsplit(":", 1)[1]

    def hook(self, name, source, **members):
        return self.relay.add_webhook(url=f"http://{name}:{self.port}/{name}", sources=[source],
                                      **members)

    def event(self, source):
        status, answer = self.relay.send({"type": "t", "source": source, "data": {}})
        self.assertEqual(status, 202, answer)

    def until(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.1)
        self.fail("it never came to that")

    def total(self, name):
        return self.relay.status()["totals"][name]

    def test_silent_names_hold_up_nobody_and_are_named(self):
        once = {"schedule": []}
        for number in range(SILENT):
            silent = self.hook(f"silent-{number}.test", "app/silent", **once)
        for number in range(50):
            self.hook(f"good-{number}.test", "app/good", **once)
        self.event("app/silent")
        time.sleep(1)
        for _ in range(3):
            self.event("app/good")
        self.until(lambda: self.total("deliveries_delivered") == 150)
        # Those that were asked for have failed; what never was goes on.
        self.until(lambda: self.total("deliveries_dead") == SILENT, 180)
        self.assertEqual(self.total("deliveries_delivered"), 150)
        self.assertGreater(self.total("names_queued"), 0)
        # The record of an end comes a little after its count.
        shown = self.relay.wait_for_delivery(silent, lambda found: found["status"] == "dead")
        error = shown["attempts"][-1]["error"]
        self.assertEqual(error["code"], "name_timed_out")
        self.assertIn("name servers did not answer in time", error["detail"])

    def test_a_name_goes_on_being_used_while_its_server_is_silent(self):
        self.hook("known.test", "app/known", schedule=[])
        self.event("app/known")
        self.until(lambda: self.total("deliveries_delivered") == 1)
        self.server.silent = True
        time.sleep(1.5)  # Its time to live is a second.
        for count in range(2, 5):
            self.event("app/known")
            self.until(lambda: self.total("deliveries_delivered") == count, 5)
        self.assertEqual(self.total("deliveries_dead"), 0)

    def test_a_mended_resolv_conf_is_read_while_names_wait(self):
        # Packets arrive there, and nobody answers.
        nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        nobody.bind(("127.77.0.54", 53))
        self.addCleanup(nobody.close)
        self.resolv.write_text("nameserver 127.77.0.54\n")
        self.hook("first.test", "app/first", schedule=[])
        self.hook("second.test", "app/second", schedule=[])
        self.event("app/first")
        time.sleep(1)
        self.resolv.write_text(f"nameserver {ADDRESS}\n")
        self.event("app/second")
        self.until(lambda: self.total("deliveries_delivered") == 2, 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
