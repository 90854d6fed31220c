"""The first event, end to end, as a person does it: with the command line and a receiver over TLS."""

import base64
import concurrent.futures
import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import time
import unittest

import harness
from process_test import make_certificate

STANDARD_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BITRISE_SECRET = "a shared secret"


def sha256(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


class RelayTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def file(self, name, content):
        path = self.place.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


class Journey(RelayTest):

    def test_webhooks_are_found_by_the_source_of_an_event(self):
        relay = self.place.relay()
        one, kind, every, other = (
            relay.add_webhook(url="https://ci.example.org/in", sources=sources)["id"]
            for sources in (["app/one"], ["app/*"], ["*"], ["pipeline/one"]))
        for options, found in ((("--app", "one"), {one, kind, every}), (("--app", "two"), {kind, every}),
                               (("--pipeline", "one"), {every, other}), (("--source", "x"), {every}),
                               ((), {one, kind, every, other})):
            with self.subTest(options):
                listed = relay.cli("webhook", "list", *options).stdout.splitlines()[1:]
                self.assertEqual({line.split()[0] for line in listed}, found)
        listed = relay.request("GET", "/v1/webhooks?source=app/one&limit=2")[2]
        self.assertEqual(len(listed["items"]), 2)
        rest = relay.request("GET", f"/v1/webhooks?source=app/one&cursor={listed['next_cursor']}")[2]
        self.assertEqual({one["id"] for one in listed["items"] + rest["items"]}, {one, kind, every})

    def test_from_an_empty_directory_to_a_delivery_and_its_repetition(self):
        sink = self.place.sink("--standard-secret", STANDARD_SECRET)
        relay = self.place.relay()
        secret = self.file("secret", STANDARD_SECRET + "\n")
        self.assertIn("No webhooks yet", relay.cli("webhook", "list").stdout)
        added = relay.cli("webhook", "add", "--url", sink.url + "/hook", "--secret",
                          f"@{secret}", "--ca", sink.ca_file, "--source", "app/*",
                          "--event", "build/*", "--description", "the first one").stdout
        webhook = added.split()[1]
        self.assertNotIn(STANDARD_SECRET, added)  # The user knows it; only a generated one is shown.
        listed = relay.cli("webhook", "list").stdout.splitlines()
        self.assertEqual(len(listed), 2)
        self.assertIn(webhook, listed[1])
        shown = relay.cli("webhook", "show", webhook).stdout
        self.assertIn("the first one", shown)
        self.assertNotIn(STANDARD_SECRET, shown)

        data = self.file("data.json", '{"build": 7}')
        self.assertEqual(relay.cli("send", "--type", "build/finished", "--source", "app/1",
                                   "--data", f"@{data}").stdout,
                         "accepted 1, deliveries 1\n")
        row, = sink.wait_for_count(1)
        self.assertEqual((row["signature"], row["sha256"], row["attempt"]),
                         ("good", sha256('{"build": 7}'), "1"))
        relay.wait_until_settled()
        deliveries = relay.cli("delivery", "list", webhook).stdout.splitlines()
        self.assertRegex(deliveries[1], r"delivered +200 +1 +build/finished +app/1")
        self.assertEqual([line for line in deliveries if line != line.rstrip()], [])
        detail = relay.cli("delivery", "show", row["delivery"]).stdout
        for part in ("webhook-signature: v1,", '{"build": 7}', "response  200"):
            self.assertIn(part, detail)

        again = relay.cli("delivery", "redeliver", row["delivery"]).stdout.split()[1]
        changed = relay.cli("delivery", "redeliver", row["delivery"], "--data", '{"other":1.0}')
        rows = {row["delivery"]: row for row in sink.wait_for_count(3)}
        self.assertEqual(rows[again]["sha256"], sha256('{"build": 7}'))
        self.assertEqual(rows[changed.stdout.split()[1]]["sha256"], sha256('{"other":1.0}'))
        self.assertEqual({row["signature"] for row in rows.values()}, {"good"})
        relay.wait_until_settled()
        self.assertIn("repeats    " + row["delivery"], relay.cli("delivery", "show", again).stdout)
        status = relay.cli("status").stdout
        self.assertRegex(status, r"events accepted +1\n")
        self.assertRegex(status, r"delivered +3\n")
        # Scripts look for it by its text, as tools/quickstart does: nothing else has this name.
        status = relay.cli("status", "--json").stdout
        self.assertEqual((json.loads(status)["backlog"], status.count('"backlog":')), (0, 1))
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(sink.stop(), 0, "a signature was bad")

    def test_a_webhook_can_be_changed_paused_rotated_and_removed(self):
        sink = self.place.sink("--bitrise-secret", BITRISE_SECRET)
        relay = self.place.relay()
        secret = self.file("secret", BITRISE_SECRET)
        webhook = json.loads(relay.cli("webhook", "add", "--url", sink.url, "--dialect", "bitrise",
                                       "--secret", f"@{secret}", "--ca", sink.ca_file,
                                       "--source", "*", "--event", "*", "--json").stdout)["id"]
        event = ("send", "--type", "build/triggered", "--source", "app/1", "--data", "{}")
        relay.cli(*event)
        self.assertEqual(sink.wait_for_count(1)[0]["signature"], "good")
        self.assertIn("disabled", relay.cli("webhook", "disable", webhook).stdout)
        relay.cli(*event)
        self.assertIn("active", relay.cli("webhook", "enable", webhook).stdout)
        relay.cli(*event)
        self.assertEqual(len(sink.wait_for_count(2)), 2)
        self.assertIn("renamed", relay.cli("webhook", "update", webhook, "--description",
                                           "renamed", "--event", "build/finished").stdout)
        relay.cli(*event)
        relay.cli("webhook", "update", webhook, "--event", "build/*")
        self.assertRegex(relay.cli("webhook", "rotate-secret", webhook).stdout, r"secret +\S{16,}")
        relay.cli(*event)
        self.assertEqual([row["signature"] for row in sink.wait_for_count(3)],
                         ["good", "good", "bad"], "the new secret is in use, the sink has the old")
        self.assertEqual(relay.cli("webhook", "remove", webhook).stdout, f"removed {webhook}\n")
        gone = relay.cli("webhook", "show", webhook, check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("404: There is no such webhook", gone.stderr)


class Bodies(RelayTest):

    def test_arrive_byte_for_byte(self):
        """What JSON libraries like to change when they write a document anew."""
        limit = 1 << 20
        envelope = '{"type":"t","source":"s","data":%s}'
        room = limit - len(envelope % '{"p":""}')
        bodies = [
            '{}', '{"float":1.0}', '{"big":1e400,"exact":0.1000000000000000055511151231257827}',
            '{"huge":123456789012345678901234567890,"minus":-0,"exponent":1E+2}',
            '{"a":1,"a":2,"b":{"c":3,"c":3}}', '{"line":"\u2028\u2029","raw":"é😀"}',
            '{"escaped":"\\u2028\\u00e9\\ud83d\\ude00\\/"}', '{ "spaced" :\t[ 1 ,\r\n 2 ] }',
            '{"z":1,"a":2,"":3}', '{"nul":"\\u0000","del":"\u007f"}', '{"deep":' + "[" * 90 +
            "]" * 90 + '}', '{"p":"' + "x" * room + '"}']
        sink = self.place.sink("--standard-secret", STANDARD_SECRET)
        relay = self.place.relay()
        webhook = relay.add_webhook(url=sink.url, secret=STANDARD_SECRET, tls=sink.tls(),
                                    schedule=[])
        for body in bodies:
            status, answer = relay.send((envelope % body).encode())
            self.assertEqual(status, 202, (body[:60], answer))
        rows = sink.wait_for_count(len(bodies))
        self.assertEqual(sorted(row["sha256"] for row in rows), sorted(map(sha256, bodies)))
        self.assertEqual({row["signature"] for row in rows}, {"good"})
        relay.wait_until_settled()
        for delivery in relay.deliveries(webhook):
            headers = relay.delivery(delivery["id"])["attempts"][0]["request"]["headers"]
            self.assertEqual(headers["Content-Type"], "application/json")
        one_more = envelope % ('{"p":"' + "x" * (room + 1) + '"}')
        self.assertEqual(relay.send(one_more)[0], 413)

    def test_binary_cloudevents_carry_any_bytes(self):
        sink = self.place.sink(plain=True)
        relay = self.place.relay()
        webhook = relay.add_webhook(url=sink.url, schedule=[])
        bodies = [b"", b"\x00", b"\xef\xbb\xbf{}\n", b"\xff\xfe\x80", secrets.token_bytes(5000)]
        for number, body in enumerate(bodies):
            status, answer = relay.send(body, "application/octet-stream", **{
                "ce-specversion": "1.0", "ce-id": str(number), "ce-source": "s", "ce-type": "t"})
            self.assertEqual(status, 202, answer)
        rows = sink.wait_for_count(len(bodies))
        self.assertEqual(sorted(row["sha256"] for row in rows), sorted(map(sha256, bodies)))
        relay.wait_until_settled()
        headers = relay.delivery(rows[-1]["delivery"])["attempts"][0]["request"]["headers"]
        self.assertEqual(headers["Content-Type"], "application/octet-stream")
        self.assertEqual(len(relay.deliveries(webhook)), len(bodies))


class Producing(RelayTest):

    def setUp(self):
        super().setUp()
        self.sink = self.place.sink(plain=True)
        self.relay = self.place.relay()
        self.relay.add_webhook(url=self.sink.url, schedule=[])

    def accepted(self):
        return self.relay.status()["totals"]["events_accepted"]

    def test_takes_structured_cloudevents_alone_and_in_batches(self):
        event = {"specversion": "1.0", "id": "a", "source": "s", "type": "t", "data": {"n": 1}}
        kind = "application/cloudevents"
        self.assertEqual(self.relay.send(event, kind + "+json")[0], 202)
        batch = [dict(event, id="b"), dict(event, id="c", data=[1, 2])]
        status, answer = self.relay.send(json.dumps(batch), kind + "-batch+json")
        self.assertEqual((status, answer["accepted"]), (202, 2))
        self.sink.wait_for_count(3)
        status, answer = self.relay.send(dict(event, specversion="0.3"), kind + "+json")
        self.assertEqual((status, answer["member"]), (422, "specversion"))

    def test_an_idempotent_resend_is_answered_and_not_delivered_again(self):
        event = {"type": "t", "source": "s", "id": "same", "data": {}}
        first = self.relay.send(event)
        second = self.relay.send(event)
        self.assertEqual((first[0], first[1]["accepted"], first[1]["duplicates"]), (202, 1, 0))
        self.assertEqual((second[1]["accepted"], second[1]["duplicates"]), (0, 1))
        self.assertEqual(first[1]["events"][0]["id"], second[1]["events"][0]["id"])
        sent = self.relay.cli("send", "--type", "t", "--source", "s", "--id", "same", "--data",
                              "{}").stdout
        self.assertEqual(sent, "accepted 0, duplicates 1, deliveries 0\n")
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1)
        self.relay.kill()
        self.relay = self.place.relay()
        self.assertEqual(self.relay.send(event)[1]["duplicates"], 1, "forgotten by a restart")

    def test_fifty_equal_events_at_once_are_one(self):
        event = {"type": "t", "source": "s", "id": "same", "data": {"n": 1}}
        with concurrent.futures.ThreadPoolExecutor(50) as senders:
            answers = list(senders.map(lambda _: self.relay.send(event), range(50)))
        self.assertEqual({status for status, _ in answers}, {202})
        self.assertEqual(sum(answer["accepted"] for _, answer in answers), 1)
        self.assertEqual({answer["events"][0]["id"] for _, answer in answers}, {"same"})
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1)

    def test_an_id_with_another_content_is_refused_also_after_restart_and_kill(self):
        event = {"type": "t", "source": "s", "id": "same", "data": {"n": 1}}
        others = [dict(event, data={"n": 2}), dict(event, type="u"), dict(event, branch="main")]

        def check():
            for other in others:
                status, problem = self.relay.send(other)
                self.assertEqual((status, problem["type"], problem["member"]),
                                 (409, "urn:ringpost:id-conflict", "id"))
            lines = [dict(event, id="fresh"), event, others[0]]
            status, problem = self.relay.send("\n\n".join(map(json.dumps, lines)),
                                              "application/x-ndjson")
            self.assertEqual((status, problem["line"]), (409, 5))
            self.assertEqual(self.relay.send(event)[1]["duplicates"], 1)

        self.assertEqual(self.relay.send(event)[1]["accepted"], 1)
        check()
        self.assertEqual(self.relay.stop(), 0)
        self.relay = self.place.relay()
        check()
        self.relay.kill()
        self.relay = self.place.relay()
        check()
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1)

    def test_a_lost_answer_and_a_retry_are_one_event(self):
        body = json.dumps({"type": "t", "source": "s", "id": "lost", "data": {}}).encode()
        request = (b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" %
                   (self.relay.token.encode(), len(body), body))
        for cut in (1, len(body) // 2, len(body) - 1):  # Half a body is no event.
            with socket.create_connection(("127.0.0.1", self.relay.port)) as connection:
                connection.sendall(request[:-cut])
        with socket.create_connection(("127.0.0.1", self.relay.port)) as connection:
            connection.sendall(request)
        deadline = time.monotonic() + 20
        while self.accepted() == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        answer = self.relay.send(body)[1]
        self.assertEqual((answer["accepted"], answer["duplicates"]), (0, 1))
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1)

    def test_a_batch_with_a_bad_line_stores_nothing_and_names_the_line(self):
        good = '{"type":"t","source":"s","data":{"n":%d}}\n'
        for bad, said in (('{"type":"t","source":"s","data":{"n":}}\n', "Not JSON"),
                          ('{"type":"t","data":{}}\n', "source"),
                          ('{"type":"t","source":"s","data":{},"Typo!":1}\n', "Typo!"),
                          ('["no object"]\n', "object")):
            with self.subTest(bad):
                file = self.file("batch.ndjson", good % 1 + "\n" + bad + good % 2)
                done = self.relay.cli("send", file, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("line 3", done.stderr)
                self.assertIn(said, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(self.accepted(), 0)
        file = self.file("good.ndjson", "".join(good % number for number in range(2500)))
        self.assertEqual(self.relay.cli("send", file).stdout, "accepted 2,500, deliveries 2,500\n")
        self.sink.wait_for_count(2500)

    def test_one_json_document_may_span_lines(self):
        file = self.file("one.json", '{\n  "type": "t",\n  "source": "s",\n  "data": {\n  }\n}\n')
        self.assertEqual(self.relay.cli("send", file).stdout, "accepted 1, deliveries 1\n")

    def test_errors_are_readable_and_exit_codes_as_documented(self):
        def cli(*arguments, **changes):
            environment = dict(os.environ, RINGPOST_TOKEN=self.relay.token,
                               RINGPOST_URL=f"http://127.0.0.1:{self.relay.port}")
            environment.update(changes)
            done = subprocess.run([str(harness.RINGPOST), *map(str, arguments)], text=True,
                                  capture_output=True, env=environment, timeout=20,
                                  stdin=subprocess.DEVNULL)
            self.assertEqual(done.stdout, "")
            return done.returncode, done.stderr

        nobody = f"http://127.0.0.1:{harness.free_port()}"
        webhook = ("webhook", "add", "--url", self.sink.url, "--source", "*", "--event", "*")
        for arguments, changes, code, parts in (
                (["status"], {"RINGPOST_TOKEN": "wrong"}, 1, ["401", "admin.token"]),
                (["status"], {"RINGPOST_TOKEN": ""}, 1, ["401"]),
                (["status"], {"RINGPOST_URL": nobody}, 3, [nobody, "is the relay running there?"]),
                (["status"], {"RINGPOST_URL": "nonsense"}, 2, ["the relay's URL nonsense"]),
                (["send", "/nowhere"], {}, 2, ["/nowhere cannot be read"]),
                (["send", "--type", "t", "--source", "s", "--data", "{broken"], {}, 2,
                 ["--data is not JSON: line 1, column 2"]),
                (["delivery", "redeliver", "01J", "--data", '{"a":1,,}'], {}, 2,
                 ["--data is not JSON: line 1, column 8"]),
                (["status"], {"RINGPOST_URL": "http://127.0.0.1:8420/v1"}, 2,
                 ["has a path", "leave /v1 out"]),
                ([*webhook, "--header", "nocolon"], {}, 2, ["'Name: value'"]),
                ([*webhook, "--header", "Host: x"], {}, 1, ["Host", "is reserved and cannot be set"]),
                ([*webhook, "--dialect", "carrier-pigeon"], {}, 1, ['`dialect` must be']),
                (webhook, {"RINGPOST_SECRET": "short"}, 1, ['`secret` must be "whsec_"']),
                ([*webhook, "--secret", "short"], {}, 2, ["--secret takes @FILE"]),
                ([*webhook, "--timeout", "1ms"], {}, 1, ["timeout_ms"]),
                (["delivery", "show", "nothing"], {}, 1, ["404: There is no such delivery"])):
            with self.subTest(arguments=arguments, changes=changes):
                got, said = cli(*arguments, **changes)
                if code is None:
                    self.assertIn(got, (1, 2))
                else:
                    self.assertEqual(got, code, said)
                self.assertTrue(said.startswith("ringpost: "), said)
                for part in parts:
                    self.assertIn(part, said)

    def test_an_unknown_member_of_a_webhook_is_named(self):
        status, _, answer = self.relay.request("POST", "/v1/webhooks", {
            "url": self.sink.url, "sources": ["*"], "evnts": ["*"]})
        self.assertEqual((status, answer["member"]), (422, "evnts"))


class Listeners(RelayTest):

    def cli(self, *arguments, url, token):
        done = subprocess.run([str(harness.RINGPOST), *map(str, arguments), "--relay", url,
                               "--token", "-"], input=token, capture_output=True, text=True,
                              timeout=20)
        return done.returncode, done.stdout + done.stderr

    def assert_sent(self, result):
        """One event was taken, and nobody wants it."""
        code, said = result
        self.assertEqual((code, said.splitlines()[0]), (0, "accepted 1, deliveries 0"))
        self.assertIn("1 event matched no active webhook", said)

    def test_tls_unix_sockets_and_plain_tcp_serve_alike(self):
        key, certificate = make_certificate(self.place.path)
        unix = self.place.path / "ringpost.sock"
        config = self.file("c.toml", f'''[[listener]]
address = "127.0.0.1:0"
tls = {{certificate = "{certificate}", key = "{key}"}}
[[listener]]
address = "unix:{unix}"
[[listener]]
address = "127.0.0.1:0"
serves = ["events"]
''')
        relay = self.place.relay("--config", config, listen=())
        relay.wait_for("journals read")
        ready = "\n".join(relay.lines)
        tls = re.search(r"https://\S+", ready)[0]
        events_only = re.search(r"http://\S+", ready)[0]
        event = ("send", "--type", "t", "--source", "s", "--data", "{}")
        self.assert_sent(self.cli(*event, "--ca", certificate, url=tls, token=relay.token))
        self.assert_sent(self.cli(*event, url=f"unix:{unix}", token=relay.token))
        self.assert_sent(self.cli(*event, url=events_only, token=relay.token))
        code, said = self.cli("status", url=events_only, token=relay.token)
        self.assertEqual((code, "404" in said), (1, True), said)
        code, said = self.cli("status", url=tls, token=relay.token)
        self.assertEqual(code, 3, said)
        self.assertIn("certificate", said)
        self.assertEqual(oct(unix.stat().st_mode & 0o777), "0o660")
        relay.kill()
        relay = self.place.relay("--config", config, listen=())  # The socket's file is in no way.
        self.assert_sent(self.cli(*event, url=f"unix:{unix}", token=relay.token))
        self.assertEqual(relay.stop(), 0)
        self.assertFalse(unix.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
