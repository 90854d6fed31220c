"""`ringpost listen` and the listeners behind it: deliveries to receivers that the relay cannot reach."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

import harness

SECONDS = 30


class Receiver:
    """Of Python's own library; answers as the test says and keeps what came."""

    def __init__(self, port=0):
        receiver = self
        self.received = []
        self.answer = (200, {"X-From": "dev"}, b"taken")
        self.pause = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((self.path, dict(self.headers), body))
                time.sleep(receiver.pause)
                status, headers, answer = receiver.answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?a=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ListenTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        # Without networks the relay itself may connect to nothing here.
        self.relay = self.place.relay("--set", "server.shards=2", networks=())

    def send(self, one, **members):
        event = {"id": one, "type": "build/finished", "source": "app/one", "data": {"n": 1}, **members}
        self.assertEqual(self.relay.send(json.dumps(event))[0], 202)

    def settled(self, status):
        """The organization's one delivery, once it has this status."""
        deadline = time.monotonic() + SECONDS
        while True:
            items = self.relay.request("GET", "/v1/deliveries")[2]["items"]
            if items and items[0]["status"] == status:
                return self.relay.delivery(items[0]["id"])
            self.assertLess(time.monotonic(), deadline, items)
            time.sleep(0.05)


class Command(ListenTest):

    def listen(self, url, *arguments):
        child = subprocess.Popen(
            [str(harness.RINGPOST), "listen", "--forward", url, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, RINGPOST_URL=f"http://127.0.0.1:{self.relay.port}",
                                             RINGPOST_TOKEN=self.relay.token))
        self.addCleanup(self.end, child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdout, child.stderr):
            pipe.close()

    def beginning(self, child):
        """What it says before anything comes: the webhook's id and the secret."""
        lines = [child.stdout.readline().decode() for _ in range(3)]
        self.assertIn("Requests go to", lines[1])
        return re.search(r"webhook (\w+);", lines[0])[1], lines[2].split()[1]

    def receiver(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.close)
        return receiver

    def test_a_delivery_comes_signed_and_its_answer_is_recorded(self):
        receiver = self.receiver()
        child = self.listen(receiver.url)
        webhook, secret = self.beginning(child)
        self.send("one")
        line = child.stdout.readline().decode().split()
        self.assertEqual(line[1:4], ["build/finished", "app/one", "200"])
        delivery = self.settled("delivered")
        self.assertEqual(line[6], delivery["id"])
        (path, headers, body), = receiver.received
        self.assertEqual((path, body), ("/hook?a=1", b'{"n": 1}'))
        self.assertEqual(headers["Host"], f"127.0.0.1:{receiver.port}")
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        self.assertEqual(headers["webhook-signature"], "v1," + digest)
        attempt, = delivery["attempts"]
        self.assertEqual(attempt["response"]["status"], 200)
        self.assertEqual(attempt["response"]["body"], "taken")
        self.assertEqual(attempt["response"]["headers"]["X-From"], "dev")
        self.assertEqual(attempt["request"]["url"], receiver.url)
        shown = self.relay.request("GET", f"/v1/webhooks/{webhook}")[2]
        self.assertIs(shown["listener"], True)

    def test_it_ends_with_its_webhook(self):
        child = self.listen(self.receiver().url)
        webhook, _ = self.beginning(child)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(SECONDS), 0)
        self.assertEqual(self.relay.request("GET", f"/v1/webhooks/{webhook}")[0], 404)

    def test_a_receiver_that_is_down_is_shown_and_the_delivery_can_be_sent_again(self):
        port = free_port()
        child = self.listen(f"http://127.0.0.1:{port}/", "--json")
        child.stderr.readline()
        self.send("one")
        told = json.loads(child.stdout.readline())
        self.assertEqual((told["error"], told["status"]), ("refused", 0))
        failed = self.settled("dead")
        self.assertEqual(failed["attempts"][0]["error"]["code"], "refused")
        receiver = self.receiver(port=port)
        receiver.answer = (500, {}, b"no")
        self.relay.request("POST", f"/v1/deliveries/{failed['id']}/redeliver")
        self.assertEqual(json.loads(child.stdout.readline())["status"], 500)
        again = self.settled("dead")
        self.assertEqual(again["attempts"][0]["response"]["status"], 500)
        self.assertEqual(again["redelivery_of"], failed["id"])

    def test_what_is_no_http_is_judged_as_from_any_receiver(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            child = self.listen(f"http://127.0.0.1:{server.getsockname()[1]}/")
            self.beginning(child)
            self.send("one")
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello, I am no web server\r\n\r\n")
                self.assertIn("no HTTP answer", child.stdout.readline().decode())
        self.assertEqual(self.settled("dead")["attempts"][0]["error"]["code"], "malformed")

    def test_other_dialects_and_filters(self):
        receiver = self.receiver()
        child = self.listen(receiver.url, "--dialect", "bitrise", "--app", "one", "--event", "build/*")
        child.stdout.readline()
        self.send("other", type="deploy/finished")
        self.send("one", data={"build_slug": "b"})
        while "build/finished" not in child.stdout.readline().decode():
            pass
        self.assertEqual(len(receiver.received), 1)
        self.assertEqual(receiver.received[0][1]["Bitrise-Event-Type"], "build/finished")

    def test_a_large_event_comes_whole(self):
        receiver = self.receiver()
        child = self.listen(receiver.url)
        self.beginning(child)
        text = "x" * 900_000
        self.send("one", data={"text": text})
        self.settled("delivered")
        self.assertEqual(json.loads(receiver.received[0][2]), {"text": text})

    def test_it_goes_on_after_a_restart_of_the_relay(self):
        receiver = self.receiver()
        child = self.listen(receiver.url)
        self.beginning(child)
        port = self.relay.port
        self.relay.kill()
        self.relay = self.place.relay("--set", "server.shards=2", networks=(), listen=(f"127.0.0.1:{port}",))
        self.send("one")
        self.settled("delivered")
        self.assertEqual(len(receiver.received), 1)

    def test_wrong_use_is_said(self):
        for arguments, words in ((["--forward", "localhost:3000"], "--forward"), ([], "--forward"),
                                 (["--forward", "http://127.0.0.1:1/", "--dialect", "x"], "dialect")):
            done = self.relay.cli("listen", *arguments, check=False)
            self.assertIn(done.returncode, (1, 2), done.stderr)
            self.assertIn(words, done.stderr)


class Api(ListenTest):

    def setUp(self):
        super().setUp()
        status, _, self.listener = self.relay.request(
            "POST", "/v1/listeners", {"url": "http://localhost:9/in", "schedule": []})
        self.assertEqual(status, 201, self.listener)
        self.path = f"/v1/listeners/{self.listener['id']}"

    def open(self, token=None):
        connection = self.relay.connect()
        connection.request("GET", self.path + "/stream",
                           headers={"Authorization": f"Bearer {token or self.relay.token}"})
        answer = connection.getresponse()
        answer.owner = connection
        self.addCleanup(connection.close)
        return answer

    def take(self, answer):
        fields = {}
        while (line := answer.readline().decode()) not in ("", "\n"):
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        if "data" not in fields:
            return self.take(answer) if line else None
        return fields["event"], json.loads(fields["data"])

    def reply(self, delivery, **members):
        return self.relay.request("POST", f"{self.path}/answers/{delivery}", members)

    def test_what_was_not_answered_is_sent_again_and_no_attempt_is_used_up(self):
        self.send("one")
        first = self.open()
        kind, request = self.take(first)
        self.assertEqual((kind, request["attempt"]), ("request", 1))
        self.assertIn(b"POST /in HTTP/1.1\r\n", base64.b64decode(request["request"]))
        first.close()
        first.owner.close()
        time.sleep(0.5)
        again = self.take(self.open())[1]
        self.assertEqual((again["delivery"], again["attempt"]), (request["delivery"], 1))
        answer = base64.b64encode(b"HTTP/1.1 204 No Content\r\n\r\n").decode()
        self.assertEqual(self.reply(request["delivery"], attempt=1, response=answer)[0], 204)
        self.assertEqual(len(self.settled("delivered")["attempts"]), 1)
        self.assertEqual(self.reply(request["delivery"], attempt=1, response=answer)[0], 404, "it is over")

    def test_a_newer_stream_takes_over(self):
        first = self.open()
        first.readline()
        second = self.open()
        self.assertEqual(self.take(first)[1]["code"], "replaced")
        self.assertIsNone(self.take(first))
        self.send("one")
        self.assertEqual(self.take(second)[0], "request")

    def test_a_deleted_listener_ends_its_stream(self):
        stream = self.open()
        self.send("one")
        self.take(stream)
        self.assertEqual(self.relay.request("DELETE", f"/v1/webhooks/{self.listener['id']}")[0], 204)
        self.assertEqual(self.take(stream)[1]["code"], "deleted")
        self.settled("cancelled")

    def test_a_disabled_listener_says_so(self):
        stream = self.open()
        self.relay.request("POST", f"/v1/webhooks/{self.listener['id']}/disable")
        self.assertEqual(self.take(stream)[1]["code"], "disabled")
        self.assertIsNone(self.take(stream))

    def test_a_token_hears_nothing_beyond_its_sources(self):
        made = self.relay.request("POST", "/v1/tokens", {
            "name": "t", "scopes": ["webhooks:write"], "sources": ["app/*"]})[2]["token"]
        self.listener = self.relay.request("POST", "/v1/listeners", {
            "url": "http://localhost:9/in", "sources": ["app/*"]}, {"Authorization": f"Bearer {made}"})[2]
        self.path = f"/v1/listeners/{self.listener['id']}"
        stream = self.open(made)
        self.relay.request("PATCH", f"/v1/webhooks/{self.listener['id']}", {"sources": ["*"]})
        self.send("hidden", source="secret/one")
        kind, notice = self.take(stream)
        self.assertEqual((kind, notice["code"]), ("notice", "signed_out"))
        self.assertEqual(self.open(made).status, 404)

    def test_answers_that_are_none(self):
        stream = self.open()
        self.send("one")
        delivery = self.take(stream)[1]["delivery"]
        answer = base64.b64encode(b"HTTP/1.1 200 OK\r\n\r\n").decode()
        for members, member in (
                ({"response": answer}, "attempt"), ({"attempt": 0, "response": answer}, "attempt"), ({"attempt": 1}, "response"),
                ({"attempt": 1, "response": "%"}, "response"), ({"attempt": 1, "response": ""}, "response"),
                ({"attempt": 1, "error": "bad_status"}, "error"), ({"attempt": 1, "error": "refused", "x": 1}, "x"),
                ({"attempt": 1, "error": "refused", "response": answer}, "response")):
            status, _, problem = self.reply(delivery, **members)
            self.assertEqual((status, problem["member"]), (422, member), members)
        self.assertEqual(self.reply(delivery, attempt=2, response=answer)[0], 404)
        self.assertEqual(self.reply("01ARZ3NDEKTSV4RRFFQ69G5FAV", attempt=1, response=answer)[0], 404)
        self.assertEqual(self.reply("x", attempt=1, response=answer)[0], 404)
        self.assertEqual(self.reply(delivery, attempt=1, error="refused")[0], 204)
        self.settled("dead")

    def test_others_cannot_listen(self):
        def token(**members):
            return self.relay.request("POST", "/v1/tokens", {"name": "t", **members})[2]["token"]
        self.assertEqual(self.open(token(scopes=["webhooks:write"], organization="other")).status, 404)
        self.assertEqual(self.open(token(scopes=["webhooks:read", "deliveries:read"])).status, 403)
        ordinary = self.relay.add_webhook(url="https://example.com/")
        self.path = f"/v1/listeners/{ordinary['id']}"
        self.assertEqual(self.open().status, 404)

    def test_there_are_not_too_many(self):
        statuses = [self.relay.request("POST", "/v1/listeners", {"url": "http://localhost:9/"})[0] for _ in range(20)]
        self.assertEqual(statuses, 19 * [201] + [429])

    def test_a_stop_is_not_held_up(self):
        stream = self.open()
        self.send("one")
        self.take(stream)
        began = time.monotonic()
        self.assertEqual(self.relay.stop(), 0)
        self.assertLess(time.monotonic() - began, 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
