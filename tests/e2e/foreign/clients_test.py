"""Published clients and SDKs use a relay as their documentation shows, and judge what it sends.

Goal: what these clients write is taken, and what they read is what they expect.
Method: curl with the lines of the vendors' pages (host, token and names filled in), Python's urllib and http.client,
the CloudEvents SDK in both directions, Octokit's verifier for signatures of the form sha256=, and uuid and zod for
everything that looks like a UUID.
"""

import http.client
import http.server
import json
import re
import subprocess
import threading
import unittest
import urllib.parse
import urllib.request

import foreign
import harness

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
APP = "c0ffee1234abcd56"


def setUpModule():
    foreign.need(foreign.program("node", at_least=20))
    foreign.need(foreign.npm_package("cloudevents"))
    foreign.need(foreign.program("curl"))


def ask(question, **content):
    done = subprocess.run(["node", foreign.HERE / "clients.mjs", foreign.NPM.parent, question],
                          input=json.dumps(content), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Capture:
    """A plain receiver that keeps headers and body of every request."""

    def __init__(self):
        self.requests = []
        capture = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                capture.requests.append({"path": self.path, "headers": headers, "body": body.decode()})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def at(self, path):
        return [one for one in self.requests if one["path"] == path]


class ClientsCase(unittest.TestCase):

    def setUp(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        self.relay = place.relay()
        self.api = f"http://127.0.0.1:{self.relay.port}"
        self.capture = Capture()
        self.addCleanup(self.capture.close)

    def curl(self, line):
        """A line of a shell, as pasted. @returns status and answer."""
        text = foreign.run(["bash", "-c", f"{line} --silent --show-error --write-out '\\n%{{http_code}}'"])
        body, status = text.rsplit("\n", 1)
        return int(status), json.loads(body) if body else None


class Curl(ClientsCase):

    def test_bitrise_as_its_page_shows(self):
        url = f"{self.api}/v0.1/apps/{APP}/outgoing-webhooks"
        status, made = self.curl(
            f'curl -X POST "{url}" -H "accept: application/json" -H "Authorization: {self.relay.token}" '
            '-H "Content-Type: application/json" -d "{ \\"events\\": [ \\"build\\" ], '
            '\\"url\\": \\"example.webhook.com\\", \\"headers\\": { \\"KEY\\": \\"value\\" }}"')
        self.assertEqual((status, made["data"]["url"]), (201, "example.webhook.com"))
        slug = made["data"]["slug"]
        status, shown = self.curl(f"curl -X GET '{url}' -H 'Authorization: {self.relay.token}'")
        self.assertEqual((status, [one["slug"] for one in shown["data"]]), (200, [slug]))
        status, changed = self.curl(
            f'curl -X PUT "{url}/{slug}" -H "accept: application/json" -H "Authorization: {self.relay.token}" '
            '-H "Content-Type: application/json" -d "{ \\"events\\": [ \\"all\\" ], '
            '\\"url\\": \\"example.webhook.com\\"}"')
        self.assertEqual((status, changed["data"]["events"]), (200, ["all"]))
        status, removed = self.curl(
            f'curl -X DELETE "{url}/{slug}" -H "accept: application/json" -H "Authorization: {self.relay.token}"')
        self.assertEqual((status, removed["data"]["slug"]), (200, slug))

    def test_buildkite_as_its_pages_show(self):
        url = f"{self.api}/v2/organizations/default/services"
        status, made = self.curl(
            f'curl -H "Authorization: Bearer {self.relay.token}" -X POST "{url}" -H "Content-Type: application/json" '
            "-d '{\"provider\": \"webhook\", \"settings\": {\"url\": \"https://example.webhook.com\", "
            "\"events\": [\"build.finished\"]}}'")
        self.assertEqual(status, 201, made)
        status, shown = self.curl(f'curl -H "Authorization: Bearer {self.relay.token}" -X GET "{url}"')
        self.assertEqual((status, [one["id"] for one in shown["items"]]), (200, [made["id"]]))

    def test_a_form_is_told_how_to_mend_itself(self):
        """`curl -d` without a type sends a form: the answer of each API says what to add."""
        for path in ("/v1/events", "/v1/webhooks", f"/v0.1/apps/{APP}/outgoing-webhooks",
                     "/v2/organizations/default/services", "/pipelines/33/hooks/outgoing"):
            with self.subTest(path):
                status, answer = self.curl(f"curl -X POST '{self.api}{path}' -d '{{}}' "
                                           f"-H 'Authorization: Bearer {self.relay.token}'")
                self.assertIn("Content-Type with application/json", json.dumps(answer), status)


class Standard(ClientsCase):

    def test_urllib_and_http_client_post_events(self):
        event = {"type": "build.finished", "source": "app/x", "data": {"n": 1}}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.relay.token}"}
        request = urllib.request.Request(f"{self.api}/v1/events", json.dumps(event).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual((answer.status, json.load(answer)["accepted"]), (202, 1))
        kept = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=10)
        for number in range(20):
            # An iterable without a length goes out in chunks.
            body = iter([json.dumps(event | {"id": str(number)}).encode()]) if number % 2 else json.dumps(event)
            kept.request("POST", "/v1/events", body, headers)
            answer = kept.getresponse()
            self.assertEqual((answer.status, json.load(answer)["accepted"]), (202, 1))
        kept.close()


class CloudEvents(ClientsCase):
    EVENTS = [
        {"id": "1", "type": "dev.example.done", "source": "/ci/x", "data": {"a": 1.5, "ü": "\u2028"}},
        {"id": "2", "type": "dev.example.done", "source": "/ci/x", "datacontenttype": "text/plain", "data": "näive %"},
        {"id": "3", "type": "dev.example.done", "source": "/ci/x", "subject": "a b c", "myext": "x é %", "flag": True,
         "count": 7, "data": [1, 2]},
        {"id": "4", "type": "dev.example.done", "source": "https://ci.example.org/x?y#z", "time": "2031-05-04T09:08:07.120Z",
         "dataschema": "https://example.org/s"},
    ]

    def test_what_the_sdk_writes_in_either_mode_is_one_event(self):
        self.add("structured")
        self.add("binary")
        encoded = ask("encode", events=self.EVENTS)  # Once: the SDK gives an event the time of its making.
        for mode in ("binary", "structured"):
            for event, coded in zip(self.EVENTS, encoded):
                with self.subTest(mode=mode, id=event["id"]):
                    self.post(coded[mode], duplicate=mode == "structured")
        self.relay.wait_until_settled()
        for path in ("/structured", "/binary"):
            arrived = {one["id"]: one for one in ask("decode", requests=self.capture.at(path))}
            for event in self.EVENTS:
                with self.subTest(path=path, id=event["id"]):
                    decode = urllib.parse.unquote if path == "/binary" else str
                    self.compare(event, arrived[event["id"]], decode)

    def add(self, mode):
        self.relay.add_webhook(url=f"{self.capture.url}/{mode}", dialect="cloudevents",
                               settings={"mode": mode, "handshake": False})

    def post(self, message, duplicate):
        body = message.get("body")
        body = body if isinstance(body, str) or body is None else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=10)
        connection.putrequest("POST", "/v1/events")
        for name, value in message["headers"].items():
            text = value if isinstance(value, str) else json.dumps(value)
            connection.putheader(name, text.encode())  # UTF-8, as SDKs send it.
        connection.putheader("Authorization", f"Bearer {self.relay.token}")
        data = (body or "").encode()
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        self.assertEqual((answer.status, json.load(answer).get("duplicates")), (202, int(duplicate)))
        connection.close()

    def compare(self, sent, arrived, decode):
        for name, value in sent.items():
            if name == "data":
                self.assertEqual(arrived.get("data"), value)
            elif name != "time":
                # The SDK leaves percent-encoded headers of the binary mode as they are.
                self.assertEqual(decode(str(arrived[name])).lower(), str(value).lower(), name)


class Judges(ClientsCase):

    def test_octokit_verifies_signatures_of_bitrise(self):
        self.relay.add_webhook(url=f"{self.capture.url}/in", dialect="bitrise", secret="It's a secret",
                               sources=[f"app/{APP}"])
        for number in range(5):
            status, _ = self.relay.send({"type": "build/finished", "source": f"app/{APP}",
                                         "data": {"build_number": number, "text": "ü" * number}})
            self.assertEqual(status, 202)
        self.relay.wait_until_settled()
        requests = [{"signature": one["headers"]["bitrise-hook-signature"], "body": one["body"]}
                    for one in self.capture.requests]
        forged = [dict(one, body=one["body"].replace("build_number", "build_numbes")) for one in requests]
        self.assertEqual(ask("verify", secret="It's a secret", requests=requests + forged),
                         [True] * 5 + [False] * 5)

    def test_everything_that_looks_like_a_uuid_is_one(self):
        seen = ""
        for dialect, source, members in (
                ("buildkite", "pipeline/demo", {}),
                ("devopness", "pipeline/33", {"settings": {"pipeline_id": 33, "action_type": "deploy", "trigger_when": {
                    "events": ["action.completed"]}, "request_body": '{"id":"{{ hook.id }}"}'}})):
            self.relay.add_webhook(url=f"{self.capture.url}/{dialect}", dialect=dialect, sources=[source], **members)
        for number in range(8):
            self.relay.send({"type": "build.finished", "source": "pipeline/demo", "data": {"build": {"number": number}}})
            self.relay.send({"type": "action.completed", "source": "pipeline/33",
                             "data": {"action": {"id": number, "status": "completed"}}})
        self.relay.wait_until_settled()
        services = "/v2/organizations/default/services"
        one = self.relay.request("GET", services)[2]["items"][0]
        hook = self.relay.request("GET", "/pipelines/33/hooks")[2]
        for path in (services, f"{services}/{one['id']}", f"{services}/{one['id']}/requests",
                     f"/hooks/outgoing/{hook[0]['id']}", f"/hooks/outgoing/{hook[0]['id']}/requests"):
            seen += json.dumps(self.relay.request("GET", path)[2])
        seen += json.dumps(self.capture.requests)
        ids = sorted(set(UUID.findall(seen)))
        self.assertGreater(len(ids), 10)
        self.assertEqual(ask("uuids", ids=ids), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
