"""What we sign is verified by the published libraries of Standard Webhooks, in a receiver of its own language.

The libraries come from npm into the build directory, pinned by npm/package-lock.json; tools/check puts them there. Skipped
only where node is missing.
"""

import collections
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

import harness

HERE = pathlib.Path(__file__).parent
MODULES = harness.BUILD / "npm"
FIRST = "whsec_" + "QUFB" * 8
SECOND = "whsec_" + "QkJC" * 16
CHANGES = {"none", "body", "webhook-id", "webhook-timestamp", "webhook-signature"}


class NodeReceiver(harness.Process):

    def __init__(self, place, *secrets, fail_first=0):
        self.ca_file = place.path / "node.crt"
        key = place.path / "node.key"
        if not key.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                            "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            key, "-out", self.ca_file], check=True, capture_output=True, timeout=60)
        super().__init__(["node", HERE / "npm" / "receiver.mjs", MODULES, self.ca_file, key,
                          fail_first, *secrets], r"listening on (https://127\.0\.0\.1:\d+)")
        self.url = self.match.group(1)
        place.processes.append(self)

    def requests(self, count, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            self.read(0.1)
            found = [json.loads(line) for line in self.lines if line.startswith("{")]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, self.lines[-10:]


class StandardWebhooks(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def add(self, receiver, **members):
        return self.relay.add_webhook(url=receiver.url, tls={"ca": receiver.ca_file.read_text()},
                                      schedule=[1, 1], **members)

    def send(self, data):
        status, answer = self.relay.send(json.dumps({"type": "t", "source": "s", "data": data},
                                                    ensure_ascii=False).encode())
        self.assertEqual(status, 202, answer)

    def accepted(self, request, library, secret):
        """Whether the request verifies as it came; a flipped bit is refused in any case."""
        verdict = request["verdicts"][library][secret]
        self.assertEqual(set(verdict), CHANGES)
        for change in CHANGES - {"none"}:
            # With two signatures a bit of the last one harms only whoever needs that one.
            if change != "webhook-signature" or " " not in request["signature"]:
                self.assertFalse(verdict[change], (library, change))
        return verdict["none"]

    def test_both_libraries_verify_and_refuse_one_flipped_bit(self):
        receiver = NodeReceiver(self.place, FIRST, SECOND)
        self.add(receiver, secret=FIRST)
        for data in ({}, {"a": 1.0, "b": [None, "\u00e9\u2028"]}, {"large": "x" * 100000}):
            self.send(data)
        for request in receiver.requests(3):
            for library in ("standardwebhooks", "svix"):
                self.assertTrue(self.accepted(request, library, FIRST))
                self.assertFalse(self.accepted(request, library, SECOND))

    def test_real_payloads_arrive_byte_for_byte_and_verify(self):
        receiver = NodeReceiver(self.place, FIRST)
        self.add(receiver, secret=FIRST)
        file = MODULES / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
        payloads = [payload for kind in json.loads(file.read_text("utf-8"))
                    for payload in kind["examples"]]
        self.assertGreaterEqual(len(payloads), 329)
        sent = collections.Counter()
        for number, payload in enumerate(payloads):
            # In the spellings of JSON that producers have.
            data = json.dumps(payload, ensure_ascii=number % 2 == 0, indent=(None, 2, "\t")[number % 3],
                              separators=((",", ":"), (", ", " : "))[number // 2 % 2]).encode()
            status, answer = self.relay.send(b'{"type":"t","source":"s","data":%s}' % data)
            self.assertEqual(status, 202, answer)
            sent[hashlib.sha256(data).hexdigest()] += 1
        requests = receiver.requests(len(payloads), seconds=60)
        self.assertEqual(collections.Counter(request["sha256"] for request in requests), sent)
        for request in requests:
            self.assertEqual(request["type"], "application/json")
            for library in ("standardwebhooks", "svix"):
                self.assertTrue(self.accepted(request, library, FIRST))

    def test_minted_secrets_are_what_the_libraries_take(self):
        probe = NodeReceiver(self.place, FIRST)
        webhook = self.add(probe)
        probe.stop()
        receiver = NodeReceiver(self.place, webhook["secret"])
        self.relay.request("PATCH", f"/v1/webhooks/{webhook['id']}", {"url": receiver.url})
        self.send({"a": 1})
        request = receiver.requests(1)[0]
        for library in ("standardwebhooks", "svix"):
            self.assertTrue(self.accepted(request, library, webhook["secret"]))

    def test_a_retry_has_the_same_id_and_a_fresh_time_and_signature(self):
        receiver = NodeReceiver(self.place, FIRST, fail_first=2)
        self.add(receiver, secret=FIRST)
        self.send({"a": 1})
        requests = receiver.requests(3)
        self.assertEqual(len({request["id"] for request in requests}), 1)
        times = [int(request["timestamp"]) for request in requests]
        self.assertLess(times[0], times[2])
        self.assertNotEqual(requests[0]["signature"], requests[2]["signature"])
        for request in requests:
            self.assertTrue(self.accepted(request, "standardwebhooks", FIRST))
            self.assertTrue(self.accepted(request, "svix", FIRST))

    def test_both_secrets_verify_during_a_rotation_and_one_afterwards(self):
        receiver = NodeReceiver(self.place, FIRST, SECOND)
        webhook = self.add(receiver, secret=FIRST)
        rotate = f"/v1/webhooks/{webhook['id']}/rotate-secret"
        status, _, rotated = self.relay.request("POST", rotate, {"secret": SECOND, "overlap_s": 3})
        self.assertEqual((status, rotated["secret"]), (200, SECOND))
        self.assertRegex(rotated["previous_secret_until"], r"^\d{4}-")
        self.send({"during": 1})
        during = receiver.requests(1)[0]
        self.assertEqual(len(during["signature"].split(" ")), 2)
        for library in ("standardwebhooks", "svix"):
            for secret in (FIRST, SECOND):
                self.assertTrue(self.accepted(during, library, secret))
        time.sleep(3.2)
        self.send({"after": 1})
        after = receiver.requests(2)[1]
        for library in ("standardwebhooks", "svix"):
            self.assertFalse(self.accepted(after, library, FIRST))
            self.assertTrue(self.accepted(after, library, SECOND))
        self.assertTrue(during["signature"].startswith("v1,"))

    def test_ed25519_signatures_verify_with_the_public_key_alone(self):
        probe = NodeReceiver(self.place, FIRST)
        webhook = self.add(probe, settings={"signature": "v1a"})
        probe.stop()
        public = webhook["settings"]["public_key"]
        self.assertRegex(webhook["secret"], r"^whsk_[A-Za-z0-9+/]{86}==$")
        self.assertRegex(public, r"^whpk_[A-Za-z0-9+/]{43}=$")
        receiver = NodeReceiver(self.place, public, FIRST)
        self.relay.request("PATCH", f"/v1/webhooks/{webhook['id']}", {"url": receiver.url})
        self.send({"a": "\u00e9"})
        request = receiver.requests(1)[0]
        self.assertTrue(re.match(r"v1a,\S+$", request["signature"]))
        self.assertTrue(self.accepted(request, "node", public))
        self.assertFalse(self.accepted(request, "standardwebhooks", FIRST))
        # Rotated to the other kind: a receiver of either can follow.
        self.relay.request("POST", f"/v1/webhooks/{webhook['id']}/rotate-secret", {"secret": FIRST})
        self.send({"b": 1})
        request = receiver.requests(2)[1]
        self.assertTrue(self.accepted(request, "node", public))
        self.assertTrue(self.accepted(request, "svix", FIRST))


if __name__ == "__main__":
    if shutil.which("node") is None or shutil.which("npm") is None:
        print("SKIPPED: node and npm are missing (Debian packages nodejs and npm); nothing shows "
              "that the published libraries accept our signatures", file=sys.stderr)
        sys.exit(77)
    assert (MODULES / "node_modules" / "svix").exists(), \
        f"{MODULES} has no libraries; tools/check puts them there"
    unittest.main(verbosity=2)
