"""GET /v1/stream and `ringpost delivery tail`: deliveries as they end, to clients that come, go and come back."""

import json
import os
import select
import signal
import socket
import subprocess
import time
import unittest

import harness

SECONDS = 30


def ndjson(*ids, kind="build/finished", source="app/one"):
    return "\n".join(json.dumps({"id": one, "type": kind, "source": source, "data": {}}) for one in ids)


class Stream:
    """A client of Python's own library: events are read from the connection as they come."""

    def __init__(self, relay, query="", last_id=None, token=None):
        self.connection = relay.connect()
        headers = {"Authorization": f"Bearer {token or relay.token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self.connection.request("GET", "/v1/stream" + query, headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.last_id = last_id
        if self.status == 200:
            self.take()  # The place where it begins.

    def take(self):
        """The next event's fields, without comments; None at the end."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            if line == "\n":
                self.last_id = fields.get("id", self.last_id)
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value

    def events(self, count):
        """The next ones with data."""
        found = []
        while len(found) < count:
            fields = self.take()
            if fields is None:
                break
            if "data" in fields:
                found.append((fields["event"], json.loads(fields["data"])))
        return found

    def ids(self, count):
        return [data["event"]["id"] for _, data in self.events(count)]

    def close(self):
        self.answer.close()
        self.connection.close()


class StreamTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", "server.shards=2")
        self.sink = self.place.sink(plain=True)
        self.webhook = self.relay.add_webhook(url=self.sink.url, schedule=[])

    def stream(self, *arguments, **options):
        stream = Stream(self.relay, *arguments, **options)
        self.addCleanup(stream.close)
        return stream

    def send(self, *ids, **members):
        self.assertEqual(self.relay.send(ndjson(*ids, **members), "application/x-ndjson")[0], 202)

    def token(self, **members):
        status, _, made = self.relay.request(
            "POST", "/v1/tokens", {"name": "t", "scopes": ["deliveries:read"], **members})
        self.assertEqual(status, 201, made)
        return made


class Listening(StreamTest):

    def test_deliveries_come_as_they_end(self):
        self.send("before")
        self.relay.wait_until_settled()
        stream = self.stream()
        self.assertEqual(stream.answer.headers["Content-Type"], "text/event-stream")
        self.assertEqual(stream.answer.headers["Cache-Control"], "no-store")
        self.send("one")
        (kind, told), = stream.events(1)
        self.assertEqual(kind, "delivery")
        self.assertEqual(told["event"], {"id": "one", "type": "build/finished", "source": "app/one"})
        self.assertEqual((told["status"], told["webhook"]), ("delivered", self.webhook["id"]))
        listed = self.relay.deliveries(self.webhook)[0]
        self.assertEqual(told, listed, "what a list shows of it")
        self.send("two", "three")
        self.assertCountEqual(stream.ids(2), ["two", "three"])

    def test_filters_are_those_of_lists(self):
        bad = self.place.sink("--status", "503", name="bad", plain=True)
        failing = self.relay.add_webhook(url=bad.url, schedule=[1])
        dead = self.stream("?status=dead&response_status=5xx")
        of_one = self.stream("?webhook=" + self.webhook["id"] + "&type=b")
        attempts = self.stream("?attempts=true&webhook=" + failing["id"])
        self.send("x", kind="a")
        self.send("y", kind="b", source="app/two")
        self.assertEqual(of_one.ids(1), ["y"])
        told = dead.events(2)
        self.assertEqual({data["webhook"] for _, data in told}, {failing["id"]})
        self.assertEqual({data["last_attempt"]["error"]["code"] for _, data in told}, {"bad_status"})
        kinds = [(kind, data["status"], data["attempt_count"]) for kind, data in attempts.events(4)]
        self.assertCountEqual(kinds, 2 * [("attempt", "pending", 1)] + 2 * [("delivery", "dead", 2)])

    def test_it_goes_on_behind_the_last_event_also_after_a_kill(self):
        stream = self.stream()
        self.send("one", "two")
        heard = stream.ids(2)
        place = stream.last_id
        stream.close()
        self.send("three")
        self.relay.wait_until_settled()
        self.relay.kill()
        self.relay = self.place.relay("--set", "server.shards=2")
        self.send("four")
        self.relay.wait_until_settled()
        again = self.stream(last_id=place)
        self.send("five")
        heard += again.ids(3)
        self.assertCountEqual(heard, ["one", "two", "three", "four", "five"])
        self.assertEqual(Stream(self.relay, "?type=x", last_id=place).status, 400)

    def test_many_are_told_once_each(self):
        stream = self.stream()
        ids = [f"e{number}" for number in range(3000)]
        for begin in range(0, len(ids), 500):
            self.send(*ids[begin:begin + 500])
        self.assertCountEqual(stream.ids(len(ids)), ids)

    def test_a_client_of_http_1_0_gets_the_body_as_it_is(self):
        with socket.create_connection(("127.0.0.1", self.relay.port), timeout=SECONDS) as client:
            client.sendall(b"GET /v1/stream HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer "
                           + self.relay.token.encode() + b"\r\n\r\n")
            lines = client.makefile("rb")
            head = []
            while (line := lines.readline()) != b"\r\n":
                head.append(line.lower())
            self.assertNotIn(b"transfer-encoding: chunked\r\n", head)
            self.assertIn(b"connection: close\r\n", head)
            self.assertEqual(lines.readline(), b"retry: 2000\n")
            self.send("one")
            while not (line := lines.readline()).startswith(b"data: "):
                self.assertTrue(line)
            self.assertEqual(json.loads(line[6:])["event"]["id"], "one")
            self.relay.stop()
            lines.read()  # To the end, which is one of the connection.


class Ending(StreamTest):

    def test_a_stop_ends_it_in_order_and_is_not_held_up(self):
        stream = self.stream()
        began = time.monotonic()
        self.assertEqual(self.relay.stop(), 0)
        self.assertLess(time.monotonic() - began, 20)
        self.assertIsNone(stream.take())  # http.client raises if the last chunk is missing.

    def test_a_reload_does_not(self):
        stream = self.stream()
        before = self.relay.status()["last_reload"]
        self.relay.child.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while self.relay.status()["last_reload"] == before:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.send("one")
        self.assertEqual(stream.ids(1), ["one"])

    def test_a_deleted_token_ends_it(self):
        token = self.token()
        stream = self.stream(token=token["token"])
        self.relay.request("DELETE", f"/v1/tokens/{token['id']}")
        (kind, notice), = stream.events(1)
        self.assertEqual((kind, notice["code"]), ("notice", "signed_out"))
        self.assertIsNone(stream.take())
        self.assertEqual(Stream(self.relay, token=token["token"]).status, 401)

    def test_an_expired_token_ends_it(self):
        stream = self.stream(token=self.token(expires_in_s=2)["token"])
        self.assertEqual(stream.events(1)[0][1]["code"], "signed_out")

    def test_others_hear_nothing_and_take_nobodys_place(self):
        self.relay = self.place.relay("--set", "api.streams_max=3", "--set",
                                      "api.streams_per_organization_max=2", name="other")
        self.webhook = self.relay.add_webhook(url=self.sink.url)
        foreign = self.token(organization="other")["token"]
        theirs = self.stream(token=foreign)
        self.assertEqual(theirs.status, 200)
        first = self.stream()
        self.stream()
        refused = Stream(self.relay)
        self.assertEqual(refused.status, 429)
        self.assertEqual(json.loads(refused.answer.read())["type"], "urn:ringpost:too-many-streams")
        third = self.token(organization="third")["token"]
        self.assertEqual(Stream(self.relay, token=third).status, 503)
        first.close()
        deadline = time.monotonic() + SECONDS
        while (again := Stream(self.relay)).status != 200:
            self.assertLess(time.monotonic(), deadline, "the place of a client that has gone is free")
            time.sleep(0.05)
        self.send("one")
        self.relay.wait_until_settled()
        theirs.connection.sock.settimeout(1)
        with self.assertRaises(TimeoutError):
            theirs.take()
        again.close()


class Tail(StreamTest):

    def tail(self, *arguments):
        child = subprocess.Popen(
            [str(harness.RINGPOST), "delivery", "tail", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, RINGPOST_URL=f"http://127.0.0.1:{self.relay.port}", RINGPOST_TOKEN=self.relay.token))
        self.addCleanup(self.end, child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdout, child.stderr):
            pipe.close()

    def hear(self, child, wanted):
        """Reads lines of JSON until these ids were told; returns all ids."""
        told = []
        while not set(wanted) <= set(told):
            told.append(json.loads(child.stdout.readline())["event"]["id"])
        return told

    def send_until_told(self, child):
        """Of a command that says nothing of its own: it listens when it has told of something."""
        for number in range(100):
            self.send(f"warm-{number}")
            if select.select([child.stdout], [], [], 0.3)[0]:
                return
        self.fail("nothing is told")

    def test_a_line_for_each(self):
        child = self.tail("--count", "2")
        head = child.stdout.readline().decode()
        self.assertEqual(head.split(), ["TIME", "STATUS", "RESULT", "TYPE", "SOURCE", "DELIVERY"])
        self.send("one", "two")
        output, errors = child.communicate(timeout=SECONDS)
        self.assertEqual((child.returncode, errors), (0, b""), output)
        rows = output.decode().splitlines()
        self.assertEqual(len(rows), 2)
        for row in rows:
            self.assertEqual(row.split()[2:6], ["delivered", "200", "build/finished", "app/one"])

    def test_json_lines_go_on_after_a_restart(self):
        child = self.tail("--json", self.webhook["id"])
        self.send_until_told(child)
        self.send("one")
        heard = self.hear(child, ["one"])
        port = self.relay.port
        self.relay.stop()
        self.relay = self.place.relay("--set", "server.shards=2", listen=(f"127.0.0.1:{port}",))
        self.send("two", "three")
        heard += self.hear(child, ["two", "three"])
        self.assertEqual(len(heard), len(set(heard)), heard)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=SECONDS)
        self.assertEqual(child.returncode, -signal.SIGINT)
        self.assertEqual(errors.decode().count("connecting again"), 1, errors)

    def test_it_ends_when_nobody_reads_it(self):
        child = self.tail("--json")
        child.stdout.close()
        deadline = time.monotonic() + SECONDS
        number = 0
        while child.poll() is None:
            self.assertLess(time.monotonic(), deadline)
            self.send(f"e{number}")
            number += 1
            time.sleep(0.1)
        self.assertNotEqual(child.returncode, 3)

    def test_what_cannot_be_is_said(self):
        for arguments, code, words in (
                (["--status", "in_flight"], 1, "status"), (["nothing"], 1, "webhook"),
                (["--count", "0"], 2, "--count"), (["--since", "x"], 2, "--since")):
            done = self.relay.cli("delivery", "tail", *arguments, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)
        self.relay.stop()
        done = self.relay.cli("delivery", "tail", check=False)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
