"""Requests that are not quite HTTP, over TCP, TLS and Unix sockets: one refusal, the end, no event.

Each request smuggles a good one behind itself; whoever answers twice has read it wrongly.
"""

import re
import socket
import ssl
import unittest

import harness
from process_test import make_certificate

EVENT = b'{"type":"t","source":"s","data":{}}'
STATUS_LINE = re.compile(rb"^HTTP/1\.1 \d{3} ", re.MULTILINE)


class Wire(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        key, certificate = make_certificate(cls.place.path)
        cls.certificate = certificate
        cls.unix = cls.place.path / "r.sock"
        config = cls.place.path / "c.toml"
        config.write_text(f'''[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
tls = {{certificate = "{certificate}", key = "{key}"}}
[[listener]]
address = "unix:{cls.unix}"
''')
        cls.relay = cls.place.relay("--config", config, listen=())
        cls.relay.wait_for("journals read")
        cls.tls_port = int(re.search(r"https://127.0.0.1:(\d+)",
                                             "\n".join(cls.relay.lines))[1])
        cls.tls = ssl.create_default_context(cafile=certificate)
        cls.token = cls.relay.token
        cls.authorization = f"Authorization: Bearer {cls.token}\r\n".encode()
        cls.second = cls.request(b"Content-Length: %d\r\n" % len(EVENT), EVENT)

    @classmethod
    def request(cls, fields, body=b"", line=b"POST /v1/events HTTP/1.1", host=b"Host: localhost\r\n"):
        return (line + b"\r\n" + host + cls.authorization +
                b"Content-Type: application/json\r\n" + fields + b"\r\n" + body)

    def connect(self, way):
        if way == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            connection.connect(str(self.unix))
            return connection
        port = self.tls_port if way == "tls" else self.relay.port
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        if way == "tcp":
            return connection
        return self.tls.wrap_socket(connection, server_hostname="127.0.0.1")

    def exchange(self, way, request, end=False):
        """Sends the bytes; returns the answer, and whether the relay closed after it."""
        with self.connect(way) as connection:
            answer = b""
            try:
                connection.sendall(request)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    answer += chunk
            except TimeoutError:
                return answer, False
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                pass
            return answer, True

    def events(self):
        return self.relay.status()["totals"]["events_accepted"]

    def assert_refused(self, request, statuses=(400,), ways=("tcp",), follow=True, end=False):
        before = self.events()
        for way in ways:
            answer, closed = self.exchange(way, request + (self.second if follow else b""), end)
            self.assertTrue(closed, (way, "left open", answer))
            self.assertEqual(len(STATUS_LINE.findall(answer)), 1, (way, answer))
            self.assertIn(int(answer[9:12]), statuses, answer)
        self.assertEqual(self.events(), before)

    def test_a_good_request_is_accepted_on_every_way(self):
        for way in ("tcp", "tls", "unix"):
            before = self.events()
            answer, _ = self.exchange(way, self.request(
                b"Content-Length: %d\r\nConnection: close\r\n" % len(EVENT), EVENT))
            self.assertTrue(answer.startswith(b"HTTP/1.1 202 "), answer)
            self.assertEqual(self.events(), before + 1)

    def test_a_target_in_absolute_form_is_read_if_it_names_the_host(self):
        fields = b"Content-Length: %d\r\nConnection: close\r\n" % len(EVENT)
        for line in (b"POST http://LOCALHOST/v1/events HTTP/1.1", b"POST https://localhost/v1/events HTTP/1.1"):
            before = self.events()
            answer, _ = self.exchange("tcp", self.request(fields, EVENT, line=line))
            self.assertTrue(answer.startswith(b"HTTP/1.1 202 "), answer)
            self.assertEqual(self.events(), before + 1)
        for line in (b"POST http://y/v1/events HTTP/1.1", b"POST http://localhost:80/v1/events HTTP/1.1",
                     b"POST http://u@localhost/v1/events HTTP/1.1", b"POST ftp://localhost/v1/events HTTP/1.1"):
            self.assert_refused(self.request(b"Content-Length: %d\r\n" % len(EVENT), EVENT, line=line))

    def test_length_and_chunked_together(self):
        both = (b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked\r\n")
        for fields in (both[0] + both[1], both[1] + both[0]):
            self.assert_refused(self.request(fields, b"0\r\n\r\nX"), ways=("tcp", "tls", "unix"))

    def test_forms_of_content_length(self):
        for value in (b"5, 5", b"5\r\nContent-Length: 5", b"5\r\nContent-Length: 6", b"+5", b"-5",
                      b"0x5", b"5 5", b"5;", b"", b"1_0", b"18446744073709551616", b"5\x0b",
                      b"5\x00", b"\xa05", b"5.0", b"0005, 5"):
            with self.subTest(value):
                self.assert_refused(self.request(b"Content-Length: " + value + b"\r\n", b"{   }"),
                                    ways=("tcp", "unix"))

    def test_transfer_encodings_in_disguise(self):
        for field in (b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked, chunked",
                      b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked",
                      b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding : chunked",
                      b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                      b"Transfer-Encoding: xchunked", b"Transfer-Encoding: \"chunked\""):
            with self.subTest(field):
                self.assert_refused(self.request(field + b"\r\n", b"0\r\n\r\n"), (400, 501))

    def test_grammar_of_chunks(self):
        chunked = b"Transfer-Encoding: chunked\r\n"
        for body in (b"0x5\r\n", b"+5\r\n", b"-5\r\n", b" 5\r\n", b"5_0\r\n", b"\r\n",
                     b"FFFFFFFFFFFFFFFF5\r\n", b"5\nabcde\r\n0\r\n\r\n", b"5\r\r;x\r\n",
                     b"5\r\nabcdeX\r\n0\r\n\r\n", b"5;" + b"x" * 65536 + b"\r\n"):
            with self.subTest(body[:30]):
                self.assert_refused(self.request(chunked, body), (400, 413, 431))

    def test_trailers_are_not_merged_into_headers(self):
        body = b"%x\r\n%s\r\n0\r\nAuthorization: Bearer %s\r\n\r\n" % (
            len(EVENT), EVENT, self.token.encode())
        request = (b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
        before = self.events()
        answer, _ = self.exchange("tcp", request)
        self.assertIn(answer[9:12], (b"400", b"401"))
        self.assertEqual(self.events(), before)

    def test_an_unfinished_body_is_never_an_event(self):
        before = self.events()
        for request in (self.request(b"Content-Length: %d\r\n" % (len(EVENT) + 1), EVENT),
                        self.request(b"Transfer-Encoding: chunked\r\n",
                                     b"%x\r\n%s\r\n" % (len(EVENT), EVENT))):
            for way in ("tcp", "unix"):
                answer, closed = self.exchange(way, request, end=True)
                self.assertTrue(closed)
                self.assertNotIn(b" 202 ", answer)
        self.assertEqual(self.events(), before)

    def test_bytes_of_headers(self):
        for field in (b"X: a\rB: c", b"X: a\x00", b"X: a\r\n b", b"X : a", b": a", b"X\x85: a",
                      b"X", b"X: a\nY: b", b"Host: y"):
            with self.subTest(field):
                length = b"\r\nContent-Length: %d\r\n" % len(EVENT)
                self.assert_refused(self.request(field + length, EVENT), ways=("tcp", "unix"))
        length = b"Content-Length: %d\r\n" % len(EVENT)
        for host in (b"", b"Host: a b\r\n", b" X: a\r\nHost: localhost\r\n"):
            with self.subTest(host):
                self.assert_refused(self.request(length, EVENT, host=host))
        for line, statuses in ((b"POST /v1/events HTTP/1.32", (400, 505)),
                               (b"POST /v1/events HTTP/2.0", (400, 505)),
                               (b"post /v1/events HTTP/1.1", (400, 405, 501)),
                               (b"POST  /v1/events HTTP/1.1", (400,)),
                               (b"POST /v1/events", (400, 505)),
                               (b"POST /v1/ev\x00ents HTTP/1.1", (400,))):
            with self.subTest(line):
                self.assert_refused(self.request(length, EVENT, line=line), statuses)
        bare = self.request(length, EVENT).replace(b"\r\n", b"\n")
        self.assert_refused(bare)

    def test_http2_is_not_offered(self):
        # The preface of RFC 9113, 3.4, with the SETTINGS frame that follows it.
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
        self.assert_refused(preface, (505,), ways=("tcp", "tls", "unix"))
        self.assert_refused(preface[:16], (505,), ways=("tcp", "tls", "unix"), follow=False)
        # Nor by an upgrade (RFC 7540, 3.2), which is ignored: the answer is one of HTTP/1.1.
        upgrade = (b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
                   b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: %d\r\n" % len(EVENT))
        for way in ("tcp", "tls", "unix"):
            before = self.events()
            answer, closed = self.exchange(way, self.request(upgrade, EVENT) + preface)
            self.assertTrue(closed, answer)
            self.assertTrue(answer.startswith(b"HTTP/1.1 202 "), answer)
            self.assertEqual(len(STATUS_LINE.findall(answer)), 1, answer)
            self.assertNotIn(b"upgrade", answer.lower())
            self.assertEqual(self.events(), before + 1)

    def test_tls_negotiates_http_1_1_only(self):
        context = ssl.create_default_context(cafile=self.certificate)
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1")):
            context.set_alpn_protocols(offered)
            with socket.create_connection(("127.0.0.1", self.tls_port), timeout=5) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                    self.assertEqual(connection.selected_alpn_protocol(), chosen)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=5) as plain:
            with self.assertRaises(ssl.SSLError):
                context.wrap_socket(plain, server_hostname="127.0.0.1")

    def test_limits(self):
        length = b"Content-Length: %d\r\n" % len(EVENT)
        many = b"".join(b"X-%d: a\r\n" % number for number in range(120))
        big = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 4000) for number in range(12))
        for request, status in (
                (self.request(length, EVENT, line=b"POST /" + b"a" * 9000 + b" HTTP/1.1"), 414),
                (self.request(b"X: " + b"a" * 9000 + b"\r\n" + length, EVENT), 431),
                (self.request(many + length, EVENT), 431),
                (self.request(big + length, EVENT), 431),
                (self.request(b"Content-Length: 1048577\r\n"), 413),
                (self.request(b"Content-Length: 1048577\r\nExpect: 100-continue\r\n"), 413),
                (self.request(b"Expect: something\r\n" + length, EVENT), 417),
                (self.request(b"Transfer-Encoding: chunked\r\n",
                              b"100001\r\n" + b"x" * 0x100001 + b"\r\n0\r\n\r\n"), 413)):
            with self.subTest(request[:200]):
                self.assert_refused(request, (status,), follow=len(request) < 100000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
