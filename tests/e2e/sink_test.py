"""The receiver for tests, seen by clients that share no code with it: every behaviour, the ledger, the report."""

import base64
import collections
import hashlib
import hmac
import html.parser
import http.client
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time
import unittest
import urllib.parse

import harness

GUIDE = (pathlib.Path(__file__).resolve().parents[2] / "tools" / "sink" / "README.md").read_text()
SECRET = base64.b64encode(b"0123456789abcdef01234567").decode()


def standard_headers(delivery, body, secret=SECRET):
    now = str(int(time.time()))
    signed = f"{delivery}.{now}.".encode() + body
    digest = hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()
    return {"webhook-id": delivery, "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(digest).decode()}


class SinkTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def start(self, *arguments, plain=True, scenario=None, listen="127.0.0.1:0"):
        if scenario is not None:
            file = self.place.path / "scenario.toml"
            file.write_text(scenario)
            arguments = (*arguments, "--scenario", file)
        self.urls_file = self.place.path / "urls"
        sink = self.place.sink("--json", "--urls-out", self.urls_file, *arguments, plain=plain, listen=listen)
        self.urls = self.urls_file.read_text().split()
        return sink

    def context(self, sink, **versions):
        context = ssl.create_default_context(cadata=sink.tls()["ca"])
        for name, version in versions.items():
            setattr(context, name, version)
        return context

    def connect(self, url, context=None, timeout=10):
        where = urllib.parse.urlsplit(url)
        if where.scheme == "https":
            return http.client.HTTPSConnection(where.hostname, where.port, context=context, timeout=timeout)
        return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)

    def post(self, url, body=b"{}", headers=None, context=None, timeout=10):
        """Returns status, headers and body of one answer."""
        connection = self.connect(url, context, timeout)
        try:
            connection.request("POST", "/in", body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def report(self, sink, code=0):
        self.assertEqual(sink.stop(), code, sink.lines)
        return json.loads(sink.lines[-1])


class Behaviours(SinkTest):

    def test_statuses_come_in_their_shares(self):
        sink = self.start(scenario="[[endpoint]]\nstatus = { 200 = 60, 404 = 0, 503 = 40 }\nretry_after = 7\n")
        connection = self.connect(self.urls[0])
        seen = collections.Counter()
        for _ in range(500):
            connection.request("POST", "/", b"{}")
            answer = connection.getresponse()
            answer.read()
            seen[answer.status] += 1
            self.assertEqual(answer.headers["Retry-After"], "7" if answer.status == 503 else None)
        connection.close()
        self.assertEqual(set(seen), {200, 503})
        self.assertAlmostEqual(seen[503] / 500, 0.4, delta=0.1)
        report = self.report(sink)
        self.assertEqual(report["statuses"], {"200": seen[200], "503": seen[503]})
        self.assertEqual((report["requests"], report["answered_2xx"], report["connections"]), (500, seen[200], 1))

    def test_the_same_seed_draws_the_same(self):
        scenario = "seed = 5\n[[endpoint]]\nstatus = { 200 = 1, 503 = 1 }\n"
        rows = []
        for _ in range(2):
            self.start(scenario=scenario)
            rows.append([self.post(self.urls[0])[0] for _ in range(40)])
        self.assertEqual(rows[0], rows[1])

    def test_delays_are_at_least_what_is_asked_for(self):
        self.start(scenario="[[endpoint]]\ndelay = { min = '80ms', max = '120ms' }\n")
        for _ in range(3):
            started = time.monotonic()
            self.post(self.urls[0])
            self.assertGreaterEqual(time.monotonic() - started, 0.08)

    def test_faults(self):
        faults = ("reset", "hang", "drip", "endless", "huge", "cut")
        sink = self.start(scenario="".join(
            f"[[endpoint]]\nname = '{fault}'\nfault = '{fault}'\ndrip_interval = '2ms'\n" for fault in faults))
        url = dict(zip(faults, self.urls))
        with self.assertRaises((ConnectionResetError, http.client.RemoteDisconnected)):
            self.post(url["reset"])
        with self.assertRaises(TimeoutError):
            self.post(url["hang"], timeout=0.5)
        status, _, body = self.post(url["drip"])
        self.assertEqual((status, body), (200, b"ok"))
        for fault, length in (("endless", None), ("huge", "10737418240")):
            connection = self.connect(url[fault])
            connection.request("POST", "/", b"{}")
            answer = connection.getresponse()
            self.assertEqual(answer.headers["Content-Length"], length)
            self.assertEqual(len(answer.read(200_000)), 200_000)
            connection.close()
        with self.assertRaises(http.client.IncompleteRead):
            self.post(url["cut"])
        report = self.report(sink)
        self.assertEqual(report["faults"], {fault: 1 for fault in faults})
        self.assertEqual([endpoint["faults"] for endpoint in report["endpoints"]], [{fault: 1} for fault in faults])
        # Only a drip is an answer as well.
        self.assertEqual((report["statuses"], report["answered_2xx"]), ({"200": 1}, 1))

    def test_a_share_of_the_requests_gets_the_fault(self):
        sink = self.start(scenario="[[endpoint]]\nfault = 'reset'\nfault_share = 0.3\n")
        resets = 0
        for _ in range(200):
            try:
                self.post(self.urls[0])
            except (ConnectionResetError, http.client.RemoteDisconnected):
                resets += 1
        self.assertAlmostEqual(resets / 200, 0.3, delta=0.13)
        self.assertEqual(self.report(sink)["faults"], {"reset": resets})

    def test_each_endpoint_fails_first(self):
        self.start("--fail-first", "2", "--endpoints", "2")
        for url in self.urls:
            self.assertEqual([self.post(url)[0] for _ in range(3)], [503, 503, 200])

    def test_answers_have_the_body_and_headers_of_the_scenario(self):
        self.start("--body", "default", scenario="[[endpoint]]\nheaders = { X-One = 'two' }\n"
                   "[[endpoint]]\nbody = '{\"id\": 1}'\nheaders = { content-type = 'application/json' }\n")
        _, headers, body = self.post(self.urls[0])
        self.assertEqual((headers["X-One"], headers["Content-Type"], body), ("two", "text/plain", b"default"))
        _, headers, body = self.post(self.urls[1])
        self.assertEqual((headers.get_all("Content-Type"), body), (["application/json"], b'{"id": 1}'))


class Times(SinkTest):

    def wait_for(self, wanted, what):
        deadline = time.monotonic() + 20
        while True:
            try:
                seen = self.post(self.urls[0], timeout=0.3)[0]
            except ConnectionRefusedError:
                seen = "refused"
            except TimeoutError:
                seen = "hang"
            except OSError:
                seen = "reset"
            if seen == wanted:
                return
            self.assertLess(time.monotonic(), deadline, f"{what}: {seen}")
            time.sleep(0.05)

    def test_outages_begin_and_end(self):
        for kind, seen in (("refuse", "refused"), ("reset", "reset"), ("hang", "hang"), ("503", 503)):
            with self.subTest(kind):
                sink = self.start(scenario="[[endpoint]]\n[[endpoint.outage]]\nfrom = '1s'\nfor = '1500ms'\n"
                                  f"kind = '{kind}'\n")
                self.wait_for(200, "before")
                self.wait_for(seen, "during")
                self.wait_for(200, "after")
                sink.stop()

    def test_an_outage_ends_open_connections(self):
        self.start(scenario="[[endpoint]]\n[[endpoint.outage]]\nfrom = '1s'\nfor = '1h'\n")
        with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(self.urls[0]).port), timeout=20) as held:
            try:
                self.assertEqual(held.recv(1), b"")
            except ConnectionResetError:
                pass
        self.wait_for("refused", "from now on")

    def test_phases_follow_each_other(self):
        self.start(scenario="[[endpoint]]\n[[endpoint.phase]]\nfrom = '700ms'\nstatus = 429\n"
                   "[[endpoint.phase]]\nfrom = '1400ms'\nstatus = 204\n")
        for status in (200, 429, 204):
            self.wait_for(status, "phase")


class Tls(SinkTest):

    def test_versions(self):
        sink = self.start(plain=False, scenario="".join(
            f"[[endpoint]]\ntls = '{tls}'\n" for tls in ("both", "1.2", "1.3", "off")))
        both, old, new, plain = self.urls
        self.assertEqual([url.split(":")[0] for url in self.urls], ["https"] * 3 + ["http"])
        self.assertEqual(self.post(plain)[0], 200)
        old_only = self.context(sink, maximum_version=ssl.TLSVersion.TLSv1_2)
        new_only = self.context(sink, minimum_version=ssl.TLSVersion.TLSv1_3)
        for url, context in ((both, old_only), (both, new_only), (old, old_only), (new, new_only)):
            self.assertEqual(self.post(url, context=context)[0], 200)
        for url, context in ((old, new_only), (new, old_only)):
            with self.assertRaises(ssl.SSLError):
                self.post(url, context=context)
        self.assertEqual(self.report(sink)["handshakes_failed"], 2)

    def test_bad_certificates(self):
        reasons = {"good": None, "expired": "certificate has expired", "not_yet_valid": "certificate is not yet valid",
                   "wrong_name": "IP address mismatch", "unknown_issuer": "unable to get local issuer certificate",
                   "self_signed": "self-signed certificate"}
        sink = self.start(plain=False, scenario="".join(
            f"[[endpoint]]\ncertificate = '{kind}'\n" for kind in reasons))
        context = self.context(sink)
        for url, (kind, reason) in zip(self.urls, reasons.items()):
            with self.subTest(kind):
                if reason is None:
                    self.assertEqual(self.post(url, context=context)[0], 200)
                    continue
                with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                    self.post(url, context=context)
                self.assertIn(reason, str(caught.exception))


class Endpoints(SinkTest):

    def test_a_thousand_ports_are_told_apart(self):
        sink = self.start("--endpoints", "1000")
        self.assertEqual(len(set(self.urls)), 1000)
        for index in (0, 1, 499, 999):
            for _ in range(index % 3 + 1):
                self.assertEqual(self.post(self.urls[index])[0], 200)
        report = self.report(sink)
        counts = {endpoint["url"]: endpoint["requests"] for endpoint in report["endpoints"] if endpoint["requests"]}
        self.assertEqual(counts, {self.urls[index]: index % 3 + 1 for index in (0, 1, 499, 999)})

    def test_ports_follow_the_first_one(self):
        for attempt in range(10):
            sink = self.start(scenario="[[endpoint]]\n")
            port = urllib.parse.urlsplit(self.urls[0]).port
            sink.stop()
            try:
                self.start("--endpoints", "3", listen=f"127.0.0.1:{port}")
                break
            except AssertionError as error:  # Somebody else has one of the three ports.
                if attempt == 9 or "another process listens there" not in str(error):
                    raise
        self.assertEqual([urllib.parse.urlsplit(url).port for url in self.urls], [port, port + 1, port + 2])

    def test_names_of_one_port_are_told_apart(self):
        file = self.place.path / "names.toml"
        file.write_text("[[endpoint]]\nname = 'a'\n[[endpoint]]\nname = 'b'\nstatus = 404\n")
        ca_file = self.place.path / "ca.pem"
        sink = harness.Process([harness.SINK, "--listen", "127.0.0.1:0", "--by-name", "--scenario", file, "--json",
                                "--ca-out", ca_file], r"listening on https://a\.sink\.localhost:(\d+)")
        self.place.processes.append(sink)
        context = ssl.create_default_context(cafile=ca_file)
        statuses = []
        for name in ("a.sink.localhost", "b.sink.localhost", "c.sink.localhost"):
            with socket.create_connection(("127.0.0.1", int(sink.match.group(1))), timeout=10) as raw:
                with context.wrap_socket(raw, server_hostname=name) as connection:
                    connection.sendall(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: 0\r\n\r\n".encode())
                    statuses.append(int(connection.recv(1000).split()[1]))
        self.assertEqual(statuses, [200, 404, 421])
        report = self.report(sink)
        self.assertEqual([endpoint["requests"] for endpoint in report["endpoints"]], [1, 1])
        self.assertEqual(report["malformed"], 1)


class LedgerTest(SinkTest):

    def send(self, connection, delivery, number, key="k"):
        body = json.dumps({"build": {"number": number}, "branch": key}).encode()
        connection.request("POST", "/", body, {"webhook-id": delivery})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def test_finds_known_duplicates_and_losses(self):
        sink = self.start("--id-member", "build/number", "--expect", "20", "--fail-first", "1")
        connection = self.connect(self.urls[0])
        numbers = [number for number in range(1, 21) if number not in (7, 13, 20)]
        self.assertEqual(self.send(connection, "d1", 1), 503)
        for number in numbers:
            self.assertEqual(self.send(connection, f"d{number}", number), 200)
        for number in (3, 3, 5):
            self.send(connection, f"d{number}", number)
        connection.close()
        report = self.report(sink, code=1)
        self.assertEqual((report["duplicates"], report["duplicates_after_success"]), (4, 3))
        self.assertEqual(report["missing"], 3)
        self.assertEqual(report["endpoints"][0]["first_missing"], [7, 13, 20])
        self.assertEqual(report["endpoints"][0]["deliveries"], 17)

    def test_finds_what_came_out_of_order(self):
        sink = self.start("--id-member", "build/number", "--order-key", "branch")
        connection = self.connect(self.urls[0])
        for number, key in ((1, "a"), (2, "b"), (3, "a"), (2, "a"), (4, "b"), (4, "a")):
            self.send(connection, f"{key}{number}", number, key)
        connection.close()
        report = self.report(sink, code=1)
        self.assertEqual(report["out_of_order"], 1)
        self.assertEqual(report["endpoints"][0]["first_out_of_order"], [{"key": '"a"', "number": 2, "after": 3}])

    def test_every_endpoint_has_its_own(self):
        sink = self.start("--endpoints", "2", "--id-member", "build/number", "--expect", "2")
        for url, numbers in zip(self.urls, ((1, 2), (2,))):
            connection = self.connect(url)
            for number in numbers:
                self.send(connection, "same id", number)
            connection.close()
        report = self.report(sink, code=1)
        self.assertEqual([endpoint["missing"] for endpoint in report["endpoints"]], [0, 1])
        self.assertEqual([endpoint["duplicates"] for endpoint in report["endpoints"]], [1, 0])

    def test_the_ledger_file_names_the_endpoint(self):
        sink = self.start("--endpoints", "2")
        self.post(self.urls[1])
        line = sink.ledger.read_text().splitlines()[0].split("\t")
        self.assertEqual(line[6:], ["endpoint-2"])

    def test_verifies_every_dialect_with_the_secret_of_the_endpoint(self):
        body = b'{"build": 1}'
        for name, text in (("standard", "whsec_" + SECRET), ("bitrise", "bitrise secret")):
            (self.place.path / name).write_text(text)
        sink = self.start(scenario=f"[[endpoint]]\nsecrets = {{ standard = '@{self.place.path}/standard', "
                          f"bitrise = '@{self.place.path}/bitrise' }}\n[[endpoint]]\n")
        bitrise = "sha256=" + hmac.new(b"bitrise secret", body, hashlib.sha256).hexdigest()
        requests = [standard_headers("one", body), {"Bitrise-Hook-Signature": bitrise},
                    standard_headers("two", body, base64.b64encode(b"another secret 123456789").decode()), {}]
        for headers in requests:
            self.post(self.urls[0], body, headers)
        self.post(self.urls[1], body, requests[0])
        report = self.report(sink, code=1)
        self.assertEqual((report["signatures_good"], report["signatures_bad"], report["unsigned"]), (2, 1, 2))
        self.assertEqual(report["dialects"], {"standard": {"good": 1, "bad": 1}, "bitrise": {"good": 1, "bad": 0}})


class Threads(SinkTest):

    def connections(self, count):
        """Open ones: as many as this, one after the other."""
        made = []
        for _ in range(count):
            made.append(self.connect(self.urls[0]))
            made[-1].connect()
            self.addCleanup(made[-1].close)
        return made

    def send(self, connection, delivery):
        connection.request("POST", "/", b"{}", {"webhook-id": delivery})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def turns(self, sink):
        """How often each thread that serves connections had the processor."""
        tasks = pathlib.Path(f"/proc/{sink.child.pid}/task").iterdir()
        return {task.name: int((task / "schedstat").read_text().split()[2]) for task in tasks
                if task.name == str(sink.child.pid) or (task / "comm").read_text() == "receiver\n"}

    def test_each_serves_some_connections_and_all_count_together(self):
        sink = self.start("--threads", "3", "--fail-first", "1")
        connections = self.connections(6)
        before = self.turns(sink)
        self.assertEqual(len(before), 3)
        self.assertEqual(self.send(connections[0], "d0"), 503)
        for connection in connections:
            for number in range(50):
                self.assertEqual(self.send(connection, f"d{number}"), 200)
        after = self.turns(sink)
        for task, turns in after.items():
            self.assertGreaterEqual(turns - before[task], 50, "a third of the requests is its own")
        report = self.report(sink)
        self.assertEqual((report["requests"], report["connections"]), (301, 6))
        self.assertEqual((report["duplicates"], report["duplicates_after_success"]), (251, 250))
        self.assertEqual(report["endpoints"][0]["deliveries"], 50)

    def test_an_outage_ends_the_connections_of_all(self):
        self.start("--threads", "4", scenario="[[endpoint]]\n[[endpoint.outage]]\nfrom = '1s'\nfor = '1h'\n")
        for connection in self.connections(8):
            connection.sock.settimeout(20)
            try:
                self.assertEqual(connection.sock.recv(1), b"")
            except ConnectionResetError:
                pass

    def test_the_last_request_may_be_anybodys(self):
        for number in range(3):
            with self.subTest(number):
                sink = self.start("--threads", "3", "--quit-after", "5")
                connection = self.connections(3)[number]
                for delivery in range(5):
                    self.assertEqual(self.send(connection, f"d{delivery}"), 200)
                self.assertEqual(sink.child.wait(timeout=20), 0)

    def test_share_certificates_and_endpoints(self):
        sink = self.start("--threads", "2", "--endpoints", "2", plain=False)
        context = self.context(sink)
        for url in self.urls * 4:
            self.assertEqual(self.post(url, context=context)[0], 200)
        with self.assertRaises(ssl.SSLError):
            for _ in range(2):
                self.post(self.urls[0], context=ssl.create_default_context())
        report = self.report(sink)
        self.assertEqual([endpoint["requests"] for endpoint in report["endpoints"]], [4, 4])
        self.assertEqual((report["connections"], report["handshakes_failed"]), (9, 1))


class Report(SinkTest):

    def fetch(self, sink, path, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port(sink), timeout=10)
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def control_port(self, sink):
        return int(sink.wait_for(r"live page at http://127\.0\.0\.1:(\d+)").group(1))

    def test_says_the_same_everywhere(self):
        sink = self.start("--control", "127.0.0.1:0", "--endpoints", "2")
        for _ in range(3):
            self.post(self.urls[0], b"12345")
        fetched = json.loads(self.fetch(sink, "/report.json")[1])
        sink.child.send_signal(signal.SIGUSR1)
        signalled = json.loads(sink.wait_for(r"^\{.*\}$").group(0))
        ended = self.report(sink)
        for member in ("requests", "answered_2xx", "body_bytes", "connections", "statuses", "endpoints"):
            self.assertEqual(fetched[member], ended[member])
            self.assertEqual(signalled[member], ended[member])
        self.assertEqual((ended["requests"], ended["body_bytes"]), (3, 15))
        self.assertGreater(ended["cpu"]["us_per_request"], 0)

    def test_with_json_standard_output_has_nothing_else(self):
        with open(self.place.path / "out", "wb") as out:
            child = subprocess.Popen([str(harness.SINK), "--listen", "127.0.0.1:0", "--plain", "--control", "127.0.0.1:0", "--json"],
                                     stdout=out, stderr=subprocess.PIPE)
        self.addCleanup(child.stderr.close)
        said = child.stderr.readline() + child.stderr.readline()
        self.assertRegex(said, rb"listening on http://127\.0\.0\.1:\d+\n.*live page at http://127")
        child.terminate()
        self.assertEqual(child.wait(20), 0)
        self.assertEqual(json.loads((self.place.path / "out").read_text())["requests"], 0)

    def test_a_table_for_people(self):
        sink = self.place.sink("--endpoints", "2", "--expect", "1", "--id-member", "n", plain=True)
        self.assertEqual(sink.stop(), 1)
        text = "\n".join(sink.lines)
        for part in ("requests               0", "missing events         2", "missing: 1 at endpoint-1",
                     "CPU of the sink", "endpoint-2"):
            self.assertIn(part, text)

    def test_says_what_was_asked_for_and_what_is_out_of_order_now(self):
        """The page leaves out what a report cannot know, and shows an outage while it lasts."""
        sink = self.start("--control", "127.0.0.1:0", scenario="""
            [[endpoint]]
            [[endpoint]]
            [[endpoint.outage]]
            for = "1h"
            kind = "hang"
            """)
        report = json.loads(self.fetch(sink, "/report.json")[1])
        self.assertEqual((report["expect"], report["ordered"], report["verifies"]), (0, False, False))
        self.assertEqual([endpoint["outage"] for endpoint in report["endpoints"]], ["", "hang"])
        sink = self.start("--control", "127.0.0.1:0", "--expect", "3", "--id-member", "n", "--order-key", "k",
                          "--standard-secret", "whsec_" + SECRET)
        report = json.loads(self.fetch(sink, "/report.json")[1])
        self.assertEqual((report["expect"], report["ordered"], report["verifies"]), (3, True, True))

    def test_a_table_without_a_secret_says_that_nothing_was_verified(self):
        for secret, label in (([], "not verified: no secret"), (["--standard-secret", "whsec_" + SECRET], "without signature")):
            sink = self.place.sink(*secret, plain=True)
            sink.stop()
            self.assertIn(label, "\n".join(sink.lines))

    def test_options_that_contradict_each_other(self):
        for arguments in (["--ca-out", "/tmp/ca.pem", "--certificate", "c", "--key", "k"], ["--control", "192.0.2.1:80"]):
            done = subprocess.run([harness.SINK, "--listen", "127.0.0.1:0", *arguments], capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(arguments[0], done.stderr)

    def test_the_page_needs_nothing_from_elsewhere(self):
        sink = self.start("--control", "127.0.0.1:0")
        wanted = ["/"]
        seen = set()

        class Links(html.parser.HTMLParser):
            def handle_starttag(self, tag, attributes):
                for name, value in attributes:
                    assert not name.startswith("on") and name != "style", (tag, name)
                    if name in ("src", "href") and not value.startswith("data:"):
                        wanted.append("/" + value)

        while wanted:
            path = wanted.pop()
            seen.add(path)
            answer, body = self.fetch(sink, path)
            self.assertEqual(answer.status, 200, path)
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            policy = answer.headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
                self.assertIn(part, policy)
            self.assertNotRegex(body.decode(), r"(?i)https?://(?!127)|//[a-z]+\.|innerHTML|eval\(")
            if answer.headers["Content-Type"].startswith("text/html"):
                Links().feed(body.decode())
        self.assertEqual(seen, {"/", "/page.css", "/page.js"})

    def test_the_page_is_for_this_machine_and_for_reading(self):
        sink = self.start("--control", "127.0.0.1:0")
        for host, status in (("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 421),
                             ("127.0.0.1.evil.example", 421), ("localhost.evil.example:80", 421)):
            self.assertEqual(self.fetch(sink, "/report.json", host=host)[0].status, status, host)
        self.assertEqual(self.fetch(sink, "/", method="POST")[0].status, 405)
        self.assertEqual(self.fetch(sink, "/other")[0].status, 404)
        answer, body = self.fetch(sink, "/", method="HEAD")
        self.assertEqual((answer.status, body), (200, b""))


class Refusals(SinkTest):

    def run_sink(self, *arguments):
        return subprocess.run([harness.SINK, "--plain", *(() if "--listen" in arguments else ("--listen", "127.0.0.1:0")),
                               *map(str, arguments)],
                              capture_output=True, text=True, timeout=30)

    def test_a_wrong_scenario_says_where(self):
        file = self.place.path / "wrong.toml"
        for text, place, said in (
                ("[[endpoint]]\nstatsu = 200\n", "2:1", 'unknown key "endpoint.statsu"; known here: '),
                ("[[endpoint]]\n\ndelay = '20'\n", "3:9", "endpoint.delay must be a number with a unit"),
                ("[[endpoint]]\nfault = 'x'\n", "2:9", 'endpoint.fault must be one of "none", "reset"'),
                ("[[endpoint]\n", "1:", "")):
            file.write_text(text)
            done = self.run_sink("--scenario", file)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertTrue(done.stderr.startswith(f"ringpost-sink: {file}:{place}"), done.stderr)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_wrong_usage(self):
        good = self.place.path / "good.toml"
        good.write_text("[[endpoint]]\nport = 1\n")
        for arguments, said in (
                (("--scenario", self.place.path / "none.toml"), "none.toml cannot be read"),
                (("--scenario", good, "--endpoints", "2"), "excludes"),
                (("--scenario", good, "--by-name"), "share one port"),
                (("--control", "0.0.0.0:0"), "must be a loopback address"),
                (("--control", "nowhere"), "must be an address"),
                (("--threads", "0"), "--threads"), (("--threads", "65"), "--threads"),
                (("--endpoints", "0"), "--endpoints"), (("--endpoints", "10001"), "--endpoints"),
                (("--order-key", "k"), "--order-key needs --id-member"),
                (("--certificate", good), "belong together"),
                (("--urls-out", "/does/not/exist"), "--urls-out /does/not/exist cannot be written")):
            done = self.run_sink(*arguments)
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(said, done.stderr)

    def test_a_taken_port_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            second = self.place.path / "second.toml"
            second.write_text(f"[[endpoint]]\n[[endpoint]]\nport = {port}\n")
            for arguments in (("--listen", f"127.0.0.1:{port}"), ("--scenario", second),
                              ("--control", f"127.0.0.1:{port}")):
                done = self.run_sink(*arguments)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("another process", done.stderr)

    def test_help_states_exit_codes_and_every_key(self):
        text = self.run_sink("--help").stdout
        self.assertIn("Exit codes: 0 ", text)
        keys = set(re.findall(r"^\| `([a-z_]+)`", GUIDE.split("## Scenario")[1].split("## Report")[0], re.MULTILINE))
        self.assertGreater(len(keys), 15)
        for key in keys:
            self.assertIn(key, text)

    def test_the_example_of_the_guide_works(self):
        example = re.search(r"```toml\n(.*?)```", GUIDE, re.DOTALL).group(1)
        self.start(scenario=example)
        self.assertGreater(len(self.urls), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
