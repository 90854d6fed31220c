"""What receivers may answer, from real sockets: the table of answers over plain HTTP and over TLS, receivers that take a
request and go without a word, and receivers that answer twice or too early."""

import json
import pathlib
import socket
import ssl
import struct
import threading
import time
import unittest

import harness
from process_test import make_certificate

TABLE = json.loads(
    (pathlib.Path(__file__).parent.parent / "http/answers/table.json").read_text())["answers"]


def bytes_of(pieces):
    """A piece that is a number repeats the one before it that often in all."""
    if isinstance(pieces, str):
        return pieces.encode()
    text, last = "", ""
    for piece in pieces:
        if isinstance(piece, str):
            last = piece
            text += piece
        else:
            text += last * (piece - 1)
    return text.encode()


def read_request(connection):
    """One whole request, or nothing at the end of the stream."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Receiver:
    """Calls `serve(connection, number)` for each connection, in a thread of its own; closes it when that returns."""

    def __init__(self, serve, context=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.serve = serve
        self.context = context
        self.requests = []
        self.open = []
        self.over = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        scheme = "https" if self.context else "http"
        return "%s://127.0.0.1:%d" % (scheme, self.listener.getsockname()[1])

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.run, args=(connection, len(self.open)),
                             daemon=True).start()

    def run(self, connection, number):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.open.append(connection)
            self.serve(self, connection, number)
            connection.close()
        except (OSError, ValueError):
            pass

    def request(self, connection):
        head = read_request(connection)
        if head is not None:
            self.requests.append(head)
        return head

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()


def answers_with(row):
    data = bytes_of(row["bytes"])

    def serve(receiver, connection, _):
        while receiver.request(connection) is not None:
            connection.sendall(data)
            if row["end"] == "open":
                continue
            if row["end"] == "reset":
                time.sleep(0.3)  # It would overtake what was sent.
                return reset(connection)
            if row["end"] == "closed" and receiver.context:
                connection.unwrap()  # The close notice.
            return connection.close()

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class AnswersTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()

    def receiver(self, serve, context=None):
        receiver = Receiver(serve, context)
        self.addCleanup(receiver.close)
        return receiver

    def webhook(self, url, **members):
        return self.relay.add_webhook(url=url, **{"schedule": [], "timeout_ms": 2000, **members})

    def send(self):
        status, answer = self.relay.send({"type": "t", "source": "s", "data": {}})
        self.assertEqual(status, 202, answer)

    def attempt(self, webhook, before=None):
        """The one attempt of the newest delivery, once that has ended and is another one than before."""
        delivery = self.relay.wait_for_delivery(
            webhook, lambda found: found["id"] != before and found["status"] in
            ("delivered", "dead"), seconds=60)
        self.assertEqual(len(delivery["attempts"]), 1, delivery)
        return delivery["attempts"][0], delivery

    def expect_table(self, context, **members):
        rows = [row for row in TABLE if context or row["end"] != "cut"]
        receivers = [self.receiver(answers_with(row), context) for row in rows]
        webhooks = [self.webhook(receiver.url, **members) for receiver in receivers]
        self.send()
        shown = None
        for row, receiver, webhook in zip(rows, receivers, webhooks):
            with self.subTest(row["name"]):
                attempt, delivery = self.attempt(webhook)
                self.assertEqual(delivery["status"], "delivered" if row["success"] else "dead")
                self.assertEqual(len(receiver.requests), 1)
                response = attempt["response"]
                if row["status"] == 0:
                    self.assertIsNone(response)
                    self.assertEqual(attempt["error"]["detail"], row["note"])
                    continue
                self.assertEqual(response["status"], row["status"])
                # What comes behind the end is seen with it, or by the connection.
                if "more bytes came" not in row.get("note", "") or "note" in response:
                    self.assertEqual(response.get("note"), row.get("note"))
                self.assertEqual(response["body"], row["body"])
                shown = delivery if row["name"] == "half of the body" else shown
        said = self.relay.cli("delivery", "show", shown["id"]).stdout
        self.assertIn("    note      the answer's body was cut short\n", said)

    def test_the_table_over_plain_http(self):
        self.expect_table(None)

    def test_the_table_over_tls(self):
        key, certificate = make_certificate(self.place.path)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.expect_table(context, tls={"ca": certificate.read_text()})

    def test_a_success_stays_one_when_no_tls_record_comes_behind_its_head(self):
        """Our own alert about the record waits to go out then: it is no part of the request."""
        key, certificate = make_certificate(self.place.path)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", b"HTTP/1.1 200 OK\r\n\r\nok",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"):
            for record in (b"\x17\x03\x03\x00\x20" + b"z" * 32, b"HTTP/1.1 500 no\r\n\r\n",
                           b"\x15\x03\x03\x00\x02\x02\x50"):
                with self.subTest(head=head[16:40], record=record[:8]):

                    def serve(receiver, connection, _):
                        receiver.request(connection)
                        connection.sendall(head)
                        raw = socket.socket(fileno=socket.dup(connection.fileno()))
                        raw.sendall(record)
                        raw.close()
                        receiver.over.wait(1)

                    receiver = self.receiver(serve, context)
                    webhook = self.webhook(receiver.url, tls={"ca": certificate.read_text()})
                    self.send()
                    attempt, delivery = self.attempt(webhook)
                    self.assertEqual(delivery["status"], "delivered", attempt)
                    self.assertEqual((attempt["response"]["status"], len(receiver.requests)), (200, 1))
                    self.relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")

    def test_a_pause_counts_from_the_head_on_that_asks_for_it(self):
        """The body is still under way, for as long as the attempt may take."""

        def serve(receiver, connection, _):
            receiver.request(connection)
            connection.sendall(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 600\r\nContent-Length: 100\r\n\r\nslow")
            receiver.over.wait(60)

        receiver = self.receiver(serve)
        webhook = self.webhook(receiver.url, timeout_ms=60000)
        self.send()
        deadline = time.monotonic() + 30
        while not self.relay.request("GET", f"/v1/webhooks/{webhook['id']}")[2]["paused_until"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        while [one["status"] for one in self.relay.deliveries(webhook)] != ["in_flight"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        for _ in range(3):
            self.send()
        while [one["status"] for one in self.relay.deliveries(webhook)] != ["pending"] * 3 + ["in_flight"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(len(receiver.requests), 1)

    def test_a_request_that_was_read_is_not_sent_again_within_its_attempt(self):
        for last_word in ("closes", "resets"):
            for pause in (0, 1):
                with self.subTest(last_word, pause=pause):

                    def serve(receiver, connection, number):
                        receiver.request(connection)
                        if number == 1:
                            connection.sendall(OK)
                            receiver.request(connection)
                        time.sleep(pause)
                        if last_word == "resets":
                            reset(connection)

                    receiver = self.receiver(serve)
                    webhook = self.webhook(receiver.url, timeout_ms=5000)
                    self.send()
                    _, first = self.attempt(webhook)
                    self.assertEqual(first["status"], "delivered")
                    time.sleep(0.5)  # The connection has shown that it may be used again.
                    self.send()
                    attempt, delivery = self.attempt(webhook, first["id"])
                    self.assertEqual(delivery["status"], "dead")
                    self.assertEqual(attempt["error"]["code"],
                                     "closed" if last_word == "closes" else "reset")
                    self.assertEqual(len(receiver.requests), 2)
                    self.assertEqual(len(receiver.open), 1)
                    self.relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")

    def test_an_answer_that_comes_twice_is_not_taken_for_the_next_requests(self):
        for pause in (0, 0.001, 0.005):
            with self.subTest(pause=pause):

                def serve(receiver, connection, _):
                    if receiver.request(connection) is not None:
                        connection.sendall(OK)
                        time.sleep(pause)
                        connection.sendall(OK)

                receiver = self.receiver(serve)
                webhook = self.webhook(receiver.url, timeout_ms=20000)
                for _ in range(10):
                    event = json.dumps({"type": "t", "source": "s", "data": {}})
                    status, answer = self.relay.send("\n".join([event] * 20), "application/x-ndjson")
                    self.assertEqual(status, 202, answer)
                self.relay.wait_until_settled()
                found = self.relay.deliveries(webhook)
                delivered = [one for one in found if one["status"] == "delivered"]
                self.assertEqual(len(found), 200)
                self.assertLessEqual(len(delivered), len(receiver.requests))
                self.assertEqual(len(delivered), 200)
                newest = self.relay.delivery(found[0]["id"])["attempts"][0]["response"]
                # What was seen before, or what this attempt saw itself.
                self.assertRegex(newest["note"],
                                 "each attempt gets a new connection|after the end of the answer")
                self.relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")

    def test_a_2xx_from_a_receiver_that_never_read_the_request_is_no_success(self):
        # More than both systems buffer between them, with receive buffers this small.
        def serve(receiver, connection, _):
            connection.recv(1000)
            connection.sendall(OK)
            receiver.over.wait(3)
            reset(connection)

        receiver = self.receiver(serve)
        receiver.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        webhook = self.webhook(receiver.url, timeout_ms=10000)
        status, answer = self.relay.send({"type": "t", "source": "s",
                                          "data": {"text": "x" * 500_000}})
        self.assertEqual(status, 202, answer)
        attempt, delivery = self.attempt(webhook)
        self.assertEqual(delivery["status"], "dead")
        self.assertEqual(attempt["response"]["status"], 200)
        self.assertEqual(attempt["error"]["detail"],
                         "the receiver answered before it had received the whole request")


if __name__ == "__main__":
    unittest.main(verbosity=2)
