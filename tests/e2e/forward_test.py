"""Two relays: what one takes, the other gets once and in order, whatever ends in the middle."""

import http.client
import json
import random
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.parse

import harness

SEED = random.randrange(2**32)


class Wire:
    """TCP between the two relays: it cuts connections, keeps answers back, or answers by itself."""

    def __init__(self, port, context=None):
        self.port = port
        self.context = context
        self.cut_after = lambda: None  # Bytes of a connection, both ways together; None: all.
        self.drop_answers = False
        self.answer = b""  # In the central relay's place.
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.own_port}"

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        client.settimeout(30)
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            if self.answer:
                client.recv(65536)
                client.sendall(self.answer)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        except OSError:
            client.close()
            return
        left = [self.cut_after()]
        ways = [threading.Thread(target=self.pump, args=way, daemon=True)
                for way in ((client, server, left, False), (server, client, left, self.drop_answers))]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        client.close()
        server.close()

    @staticmethod
    def pump(source, target, left, drop):
        try:
            while data := source.recv(4096):
                if left[0] is not None:
                    left[0] -= len(data)
                    if left[0] < 0:
                        break
                if not drop:
                    target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Producer(threading.Thread):
    """Sends the events of one source in order, each until it is acknowledged."""

    def __init__(self, place, source, count):
        super().__init__(daemon=True)
        self.place, self.source, self.count = place, source, count
        self.ids = [f"{source}-{number}" for number in range(count)]
        self.failure = None

    def run(self):
        try:
            for begin in range(0, self.count, 5):
                lines = [json.dumps({"id": name, "type": "build/finished", "source": self.source,
                                     "data": {"build": name}}) for name in self.ids[begin:begin + 5]]
                self.send("\n".join(lines))
        except Exception as failure:  # For the test to raise.
            self.failure = failure

    def send(self, body):
        deadline = time.monotonic() + 60
        while True:
            try:
                status, answer = self.place.sidecar.send(body, "application/x-ndjson")
                if status == 202:
                    return
                assert status == 503, (status, answer)
            except (OSError, http.client.HTTPException):
                pass  # It is being restarted.
            assert time.monotonic() < deadline, "the relay takes nothing"
            time.sleep(0.05)


class ForwardTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.central_port = harness.free_port()
        self.central_arguments = []
        self.central = self.start_central()
        self.token_file = self.place.path / "central.token"
        self.token_file.write_text(self.central.token + "\n")
        self.wire = Wire(self.central_port)
        self.addCleanup(self.wire.close)
        self.config = self.place.path / "sidecar.toml"
        self.configure()
        self.sidecar_port = harness.free_port()
        self.sidecar = None

    def configure(self, **keys):
        values = {"url": self.wire.url, "token_file": str(self.token_file), **keys}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("[forward]\n" + "\n".join(lines) + "\n")

    def start_central(self):
        return self.place.relay(*self.central_arguments, name="central", listen=(f"127.0.0.1:{self.central_port}",))

    def start_sidecar(self, *arguments):
        self.sidecar = self.place.relay("--config", self.config, "--set", "server.shards=2", *arguments, name="sidecar",
                                        listen=(f"127.0.0.1:{self.sidecar_port}",))
        return self.sidecar

    def forward(self):
        return self.sidecar.request("GET", "/v1/forward")[2]

    def wait_for(self, state, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            forward = self.forward()
            if forward["state"] == state and (state != "idle" or forward["backlog_events"] == 0):
                return forward
            self.assertLess(time.monotonic(), deadline, forward)
            time.sleep(0.05)

    def send(self, *events):
        for event in events:
            status, answer = self.sidecar.send(event)
            self.assertEqual(status, 202, answer)

    @staticmethod
    def event(name, **members):
        return {"id": name, "type": "build/finished", "source": "app/one", "data": {"build": name}, **members}

    def arrived(self, source="app/one", expected=()):
        """The ids of a source at the central relay, in the order in which it took them.

        Events of one request have one time, and lists have them in any order: then `expected` says which.
        """
        found, cursor = [], ""
        while True:
            status, _, page = self.central.request("GET", f"/v1/events?source={source}&limit=200{cursor}")
            self.assertEqual(status, 200, page)
            found += [(item["accepted_at"], item["id"]) for item in page["items"]]
            if not page["next_cursor"]:
                places = {name: place for place, name in enumerate(expected)}
                return [name for _, name in sorted(found, key=lambda one: (one[0], places.get(one[1], 0), one[1]))]
            cursor = "&cursor=" + page["next_cursor"]


class Faults(ForwardTest):

    def test_thousands_of_events_through_kills_cuts_and_absence(self):
        generator = random.Random(SEED)
        print(f"seed {SEED}")
        self.central.kill()
        self.configure(batch_events_max=40)
        self.start_sidecar()
        producers = [Producer(self, f"app/{number}", 700) for number in range(4)]
        for producer in producers:
            producer.start()
        self.wait_for("waiting")
        self.central = self.start_central()
        self.wire.cut_after = lambda: generator.choice([None, None, generator.randrange(1, 12000)])
        for turn in range(6):
            time.sleep(generator.uniform(0.2, 0.7))
            if turn % 2 == 0:
                self.central.kill()
                time.sleep(generator.uniform(0, 0.3))
                self.central = self.start_central()
            else:
                self.sidecar.kill()
                self.start_sidecar()
        for producer in producers:
            producer.join(120)
            self.assertIsNone(producer.failure)
            self.assertFalse(producer.is_alive())
        self.wire.cut_after = lambda: None
        forward = self.wait_for("idle")
        self.assertEqual((forward["lost"], forward["set_aside"]), (0, 0))
        for producer in producers:
            self.assertEqual(self.arrived(producer.source, producer.ids), producer.ids)

    def test_an_overloaded_central_relay_is_left_alone(self):
        self.wire.answer = (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n"
                            b"Connection: close\r\n\r\n")
        self.start_sidecar()
        names = [str(number) for number in range(20)]
        self.send(*map(self.event, names))
        forward = self.wait_for("waiting")
        self.assertIn("503", forward["problem"])
        self.assertEqual(forward["backlog_events"], 20)
        self.wire.answer = b""
        self.assertEqual(self.wait_for("idle")["forwarded"], 20)
        self.assertEqual(self.arrived(expected=names), names)

    # The central relay has the events and has forgotten their ids; nobody has told the sidecar that it has them.
    def test_what_is_older_than_the_window_is_asked_for(self):
        self.central.kill()
        self.central_arguments = ["--set", "ingest.idempotency_window=1s"]
        self.central = self.start_central()
        self.configure(idempotency_window="1s")
        self.wire.drop_answers = True
        self.start_sidecar()
        self.send(self.event("one"), self.event("two/2"))
        deadline = time.monotonic() + 30
        while len(self.arrived()) < 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.sidecar.kill()
        time.sleep(2.5)
        self.wire.drop_answers = False
        self.start_sidecar()
        self.send(self.event("three"))
        self.wait_for("idle")
        names = ["one", "two/2", "three"]
        self.assertEqual(self.arrived(expected=names), names)


class Refusals(ForwardTest):

    def test_an_event_that_is_refused_keeps_no_other(self):
        self.central.kill()
        self.central_arguments = ["--set", "ingest.event_bytes_max=8KiB", "--set", "ingest.batch_bytes_max=64KiB"]
        self.central = self.start_central()
        self.configure(batch_bytes_max="32KiB")
        self.start_sidecar()
        self.send(self.event("a"), self.event("huge", data={"text": "x" * 20_000}), self.event("larger", data={"text": "x" * 90_000}),
                  self.event("b"))
        forward = self.wait_for("idle")
        self.assertEqual(forward["set_aside"], 2)
        self.assertEqual(self.arrived(), ["a", "b"])
        listed = json.loads(self.sidecar.cli("forward", "list", "--json").stdout)["items"]
        self.assertEqual([(item["id"], item["source"]) for item in listed], [("larger", "app/one"), ("huge", "app/one")])
        self.assertIn("huge", self.sidecar.cli("forward", "list", "--limit", "1", "--cursor", json.loads(
            self.sidecar.cli("forward", "list", "--json", "--limit", "1").stdout)["next_cursor"]).stdout)

    def test_what_fits_here_fits_there(self):
        """With the same limits, although an event grows on its way: alone it goes in binary mode."""
        limits = ["--set", "ingest.event_bytes_max=64KiB", "--set", "ingest.batch_bytes_max=64KiB"]
        self.central.kill()
        self.central_arguments = limits
        self.central = self.start_central()
        self.start_sidecar(*limits)
        body = bytes(range(256)) * 255
        headers = {"ce-specversion": "1.0", "ce-id": "bytes 100%", "ce-type": "t", "ce-source": "app/one", "ce-branch": "main"}
        self.send(self.event("before"))
        self.assertEqual(self.sidecar.send(body, "application/octet-stream", **headers)[0], 202)
        head = '{"id":"json","type":"t","source":"app/one","data":'
        text = head + json.dumps({"text": "x" * (65536 - len(head) - 13)}) + "}"
        self.assertGreater(len(text), 65500)
        self.assertEqual(self.sidecar.send(text)[0], 202)
        self.send(self.event("after"))
        self.assertEqual(self.wait_for("idle")["set_aside"], 0)
        self.assertEqual(self.arrived(), ["before", "bytes 100%", "json", "after"])
        for name in ("bytes 100%", "json"):
            path = "/v1/events/" + urllib.parse.quote(name, safe="")
            here, there = (relay.request("GET", path)[2] for relay in (self.sidecar, self.central))
            here.setdefault("time", here["accepted_at"])
            for event in (here, there):
                event.pop("accepted_at")
                event.pop("deliveries")
            self.assertEqual(there, here)

    def test_what_was_refused_is_sent_again_or_dropped(self):
        limits = ["--set", "ingest.event_bytes_max=8KiB", "--set", "ingest.batch_bytes_max=64KiB"]
        self.central.kill()
        self.central_arguments = limits
        self.central = self.start_central()
        self.configure(batch_bytes_max="32KiB")
        self.start_sidecar()
        large = {"text": "x" * 20_000}
        self.send(self.event("a"), *(self.event(name, data=large) for name in ("huge", "larger", "dropped")),
                  self.event("huge", source="app/two", data=large))
        self.assertEqual(self.wait_for("idle")["set_aside"], 4)
        for arguments, code, words in (((), 2, "--all"), (("huge", "--all"), 2, "--all"), (("nobody",), 1, "No such event")):
            done = self.sidecar.cli("forward", "send-again", *arguments, check=False)
            self.assertEqual((done.returncode, words in done.stderr), (code, True), done)
        self.assertEqual(self.sidecar.request("DELETE", "/v1/forward/set-aside?all=yes")[0], 400)
        self.assertEqual(self.sidecar.request("DELETE", "/v1/forward/set-aside?source=app/none")[2], {"events": 0})
        # Nothing was mended.
        self.assertIn("1 to be sent again", self.sidecar.cli("forward", "send-again", "huge", "--source", "app/one").stdout)
        self.assertEqual(self.wait_for("idle")["set_aside"], 4)
        self.assertIn("1 dropped", self.sidecar.cli("forward", "drop", "dropped").stdout)
        self.central.kill()
        self.central_arguments = []
        self.central = self.start_central()
        self.sidecar.cli("forward", "send-again", "huge", "--source", "app/two")
        deadline = time.monotonic() + 60
        while self.forward()["set_aside"] != 2:
            self.assertLess(time.monotonic(), deadline, self.forward())
            time.sleep(0.1)
        self.assertEqual(self.arrived("app/two"), ["huge"])
        self.central.kill()
        self.sidecar.cli("forward", "send-again", "--all")
        self.assertEqual(self.forward()["send_again"], 2)
        self.sidecar.kill()  # Nobody has to ask for it once more.
        self.start_sidecar()
        self.assertEqual(self.forward()["send_again"], 2)
        self.assertIn("2 wait", self.sidecar.cli("forward", "status").stdout)
        self.central = self.start_central()
        while self.forward()["set_aside"] != 0:
            self.assertLess(time.monotonic(), deadline, self.forward())
            time.sleep(0.1)
        self.assertEqual(sorted(self.arrived()), ["a", "huge", "larger"])
        self.assertIn("refused no event", self.sidecar.cli("forward", "list").stdout)
        audit = [item["operation"] for item in self.sidecar.request("GET", "/v1/audit")[2]["items"]]
        self.assertIn("forward.send_again", audit)
        self.assertIn("forward.drop", audit)

    def test_a_wrong_token_holds_everything_until_it_is_mended(self):
        self.token_file.write_text("wrong\n")
        self.start_sidecar()
        self.send(self.event("a"))
        forward = self.wait_for("held")
        self.assertIn("401", forward["problem"])
        self.assertIn("HELD", self.sidecar.cli("forward", "status").stdout)
        self.assertIn("held", self.sidecar.cli("status").stdout)
        metrics = self.sidecar.request("GET", "/metrics")[2].decode()
        self.assertIn("ringpost_forward_held 1\n", metrics)
        self.assertIn("ringpost_forward_backlog_events 1\n", metrics)
        self.send(self.event("b"))
        self.token_file.write_text(self.central.token)
        self.sidecar.cli("reload")
        self.wait_for("idle")
        self.assertEqual(self.arrived(), ["a", "b"])
        self.sidecar.read(0.5)
        log = "\n".join(self.sidecar.lines)
        self.assertIn("nothing is forwarded until this is mended", log)
        self.assertIn("takes events again", log)
        self.assertNotIn(self.central.token, log)

    def test_a_configuration_that_cannot_work_is_refused(self):
        for keys, words in (
                ({"url": "http://192.0.2.1"}, "is not https"),
                ({"url": "https://a.example.org/?x"}, "has a query"),
                ({"url": "ftp://a.example.org"}, "url = "),
                ({"token_file": ""}, "token_file is missing"),
                ({"token_file": "/nowhere"}, "token_file: /nowhere cannot be read"),
                ({"certificate_file": str(self.token_file)}, "give both or neither"),
                ({"ca_file": str(self.token_file)}, "not a list of certificates"),
                ({"sources": []}, "must name at least one"),
                ({"events": ["**"]}, "events: "),
                ({"batch_events_max": 0}, "outside 1 to 10000"),
                ({"tokenfile": "x"}, "unknown key")):
            with self.subTest(keys):
                self.configure(**keys)
                done = subprocess.run([str(harness.RINGPOST), "check-config", str(self.config)], capture_output=True, text=True,
                                      timeout=30)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(words, done.stdout + done.stderr)


class Contents(ForwardTest):

    def test_an_event_arrives_as_it_came(self):
        self.start_sidecar()
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.send(self.event("attributes", time="2031-05-04T09:08:07.5+02:00", subject="s", branch="main", cluster="c", orderingkey="k",
                             traceparent=trace, teams=["a,b", "c"], mine="x", number=7))
        self.send(self.event("several/lines?x=%41", teams=["a"]))
        self.assertEqual(self.sidecar.send('{"id": "spaced", "type": "t", "source": "app/one", "teams": ["a"],\n"data": {"a":\n 1.0}}')[0], 202)
        self.send({"type": "t", "source": "a source?ä", "data": {}})
        binary = {"ce-specversion": "1.0", "ce-id": "binary", "ce-type": "t", "ce-source": "app/one", "ce-time": "2031-05-04T09:08:07Z"}
        status, answer = self.sidecar.send(b"\x00\xff" * 100, "application/octet-stream", **binary)
        self.assertEqual(status, 202, answer)
        self.wait_for("idle")
        own = self.sidecar.request("GET", "/v1/events?limit=200")[2]["items"]
        self.assertEqual(len(own), 5)
        for item in own:
            path = "/v1/events/" + urllib.parse.quote(item["id"], safe="")
            here, there = (relay.request("GET", path)[2] for relay in (self.sidecar, self.central))
            here.setdefault("time", here["accepted_at"])
            for event in (here, there):
                event.pop("accepted_at")
                event.pop("deliveries")
            self.assertEqual(there, here)
        # Sent once more by hand, it is the same event to the central relay.
        body = self.event("direct", time="2031-05-04T09:08:07Z")
        self.send(body)
        self.wait_for("idle")
        self.assertEqual(self.central.send(body)[1]["duplicates"], 1)

    def test_only_what_is_chosen_is_forwarded(self):
        self.configure(sources=["app/*"], events=["build/*"])
        self.start_sidecar()
        hook = self.sidecar.add_webhook(url="http://127.0.0.1:9/nobody", schedule=[])
        self.assertEqual(self.sidecar.request("POST", f"/v1/webhooks/{hook['id']}/ping")[0], 202)
        self.send(self.event("no", source="pipeline/x"), self.event("neither", type="deploy/done"), self.event("yes"))
        found = self.sidecar.wait_for_delivery(hook, lambda found: found["status"] == "dead")
        self.assertEqual(self.sidecar.request("POST", f"/v1/deliveries/{found['id']}/redeliver")[0], 202)
        self.wait_for("idle")
        items = self.central.request("GET", "/v1/events")[2]["items"]
        self.assertEqual([item["id"] for item in items], ["yes"])

    def test_a_circle_of_relays_ends(self):
        self.start_sidecar()
        self.central.kill()
        token_file = self.place.path / "sidecar.token"
        token_file.write_text(self.sidecar.token)
        config = self.place.path / "central.toml"
        config.write_text(f'[forward]\nurl = "http://127.0.0.1:{self.sidecar_port}"\ntoken_file = "{token_file}"\n')
        self.central_arguments = ["--config", config]
        self.central = self.start_central()
        self.send(self.event("given"), {"type": "build/finished", "source": "app/one", "data": {}})
        deadline = time.monotonic() + 30
        # The first is known here, but without the time that it was given on its way: another event of the same id.
        while (back := self.central.request("GET", "/v1/forward")[2])["forwarded"] + back["set_aside"] < 2:
            self.assertLess(time.monotonic(), deadline, back)
            time.sleep(0.1)
        self.wait_for("idle")
        self.assertEqual(len(self.arrived()), 2)


class Certificates(ForwardTest):

    def certificate(self, name, *options):
        path = self.place.path / name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                        "-subj", f"/CN={name}", "-keyout", f"{path}.key", "-out", f"{path}.crt", *options],
                       check=True, capture_output=True, timeout=30)
        return path

    def test_both_sides_show_certificates(self):
        server = self.certificate("server", "-addext", "subjectAltName=IP:127.0.0.1")
        client = self.certificate("client")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{server}.crt", f"{server}.key")
        context.load_verify_locations(f"{client}.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        self.wire.close()
        self.wire = Wire(self.central_port, context)
        self.addCleanup(self.wire.close)
        self.configure()
        self.start_sidecar()
        self.send(self.event("a"))
        self.assertEqual(self.wait_for("held")["backlog_events"], 1)  # It does not trust the server.
        self.configure(ca_file=f"{server}.crt")
        self.sidecar.cli("reload")
        deadline = time.monotonic() + 30
        while "forward.certificate_file" not in (self.forward()["problem"] or "") or self.forward()["state"] != "held":
            self.assertLess(time.monotonic(), deadline, self.forward())
            time.sleep(0.1)
        self.assertEqual(self.arrived(), [])
        self.configure(ca_file=f"{server}.crt", certificate_file=f"{client}.crt", key_file=f"{client}.key")
        self.sidecar.cli("reload")
        self.wait_for("idle")
        self.assertEqual(self.arrived(), ["a"])


if __name__ == "__main__":
    unittest.main()
