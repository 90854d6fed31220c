"""Devopness' hooks on a real relay: made over their API, filled in, filtered, logged and called."""

import hashlib
import hmac
import json
import subprocess
import time
import unittest
import urllib.parse

import harness

TOKEN = "glpat-0123456789"

# The specification's vector of an incoming call.
VECTOR = ('{"action":"opened","pull_request":{"number":7,"head":{"ref":"feature/login",'
          '"sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"}}}')
VECTOR_SECRET = "devo-demo-secret"
VECTOR_SIGNATURE = "sha256=3b030151563d5c5c0adc91e3d8302e9bf9c44ab26da7433e64cc71511cfc67a8"
VARIABLES = [
    {"name": "source_type", "type": "string", "required": True, "default_value": "branch"},
    {"name": "source_ref", "path": "pull_request.head.ref", "type": "string", "required": True,
     "default_value": "main"},
    {"name": "pull_request_id", "path": "pull_request.number", "type": "integer",
     "required": False},
    {"name": "pull_request_title", "path": "pull_request.title", "type": "string",
     "required": False},
    {"name": "commit_hash", "path": "pull_request.head.sha", "type": "string", "required": False},
]


def action(status, pipeline=33, title='Say "hi" & <b>'):
    """An event as a scheduler posts it."""
    return {
        "type": "action.status_changed", "source": f"scheduler/{pipeline}",
        "data": {
            "action": {"id": 8801, "pipeline_id": pipeline, "type": "deploy", "status": status,
                       "resource": {"id": 44, "type": "application"},
                       "triggered_from": {"hook_parsed_variables": {
                           "pull_request_id": 57, "pull_request_title": title}}},
            "application": {"id": 44, "name": "shop",
                            "source_provider": {"access_token": TOKEN}},
            "user": {"name": "Ada"}}}


class Hooks(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def ask(self, relay, method, path, body=None, **headers):
        status, answer_headers, answer = relay.request(method, path, body, headers)
        return status, answer_headers, answer

    def make(self, relay, sink, path="/pipelines/33/hooks/outgoing", **members):
        body = {"name": "note", "verify_ssl": False,
                "target_url": sink.url + "/issues/{{ action.triggered_from.hook_parsed_variables."
                                         "pull_request_id }}/comments?t={{ action.triggered_from."
                                         "hook_parsed_variables.pull_request_title }}",
                "settings": {
                    "request_headers": [
                        {"name": "Authorization",
                         "value": "Bearer {{ application.source_provider.access_token }}"}],
                    "request_body": {"body": "{{ application.name }} is {{ action.status }}"}},
                "trigger_when": {"events": ["action.status_changed"], "conditions": []}}
        body.update(members)
        status, _, hook = self.ask(relay, "POST", path, body)
        self.assertEqual(status, 201, hook)
        return hook

    def wait_for_requests(self, relay, hook, count, seconds=30):
        kind = {"in": "incoming", "out": "outgoing"}[hook["type"]]
        deadline = time.monotonic() + seconds
        while True:
            status, _, found = self.ask(relay, "GET", f"/hooks/{kind}/{hook['id']}/requests")
            self.assertEqual(status, 200)
            if len(found) >= count:
                return found
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.05)

    def test_an_action_fills_url_headers_and_body(self):
        sink = self.place.sink("--print", "--body", '{"id": 1}', "--answer-header",
                               "Content-Type: application/json")
        relay = self.place.relay()
        hook = self.make(relay, sink)
        self.assertEqual(len(hook["secret"]), 40)
        self.assertEqual(relay.send(action("in-progress"))[0], 202)
        sink.wait_for(r"POST /issues/57/comments\?t=Say%20%22hi%22%20%26%20%3Cb%3E ")
        sink.wait_for(rf"^ +Authorization: Bearer {TOKEN}$")
        sink.wait_for(r'^ +\{"body":"shop is in-progress"\}$')
        self.assertEqual([line for line in sink.lines if line.startswith("  ringpost-")],
                         ["  ringpost-hops: 1"])

        relay.wait_until_settled()
        relation, = self.wait_for_requests(relay, hook, 1)
        self.assertEqual((relation["hook_id"], relation["action_id"], relation["retry_of"]),
                         (hook["id"], 8801, None))
        status, _, request = self.ask(relay, "GET", "/hook-requests/" + relation["id"])
        self.assertEqual(status, 200)
        self.assertEqual(request["request_headers"]["Authorization"], "*****")
        self.assertEqual(request["request_body"], {"body": "shop is in-progress"})
        self.assertEqual((request["response_status_code"], request["response_body"]),
                         (200, {"id": 1}))
        self.assertEqual(request["response_headers"]["Content-Type"], "application/json")
        self.assertEqual(request["url"], sink.url + "/issues/57/comments?t=Say%20%22hi%22%20%26"
                                                    "%20%3Cb%3E")
        self.assertNotIn(TOKEN, json.dumps(request))
        self.assertEqual(request["hook"]["id"], hook["id"])
        self.assertEqual(relay.stop(), 0)

    def test_a_body_that_fills_to_nothing_is_shown_as_nothing(self):
        sink = self.place.sink()
        relay = self.place.relay()
        hook = self.make(relay, sink, settings={"request_body": "{{ action.nothing }}"})
        self.assertEqual(relay.send(action("failed"))[0], 202)
        webhook, = relay.request("GET", "/v1/webhooks")[2]["items"]
        delivery = relay.wait_for_delivery(webhook, lambda found: found["status"] == "delivered")
        relation, = self.wait_for_requests(relay, hook, 1)
        request = self.ask(relay, "GET", "/hook-requests/" + relation["id"])[2]
        self.assertEqual(request["request_body"], {"raw": ""})
        sent = delivery["attempts"][0]["request"]
        self.assertEqual((sent["headers"]["Content-Length"], sent["body"]), ("0", ""))
        self.assertNotIn(TOKEN, json.dumps(delivery))

    def test_who_sees_a_log_sees_each_of_its_requests(self):
        """Also of events that came by another name of the pipeline."""
        sink = self.place.sink()
        relay = self.place.relay()
        hook = self.make(relay, sink)
        self.assertEqual(relay.send(action("failed"))[0], 202)  # Of scheduler/33.
        relation, = self.wait_for_requests(relay, hook, 1)
        for source, status in (("pipeline/33", 200), ("pipeline/34", 404)):
            token = relay.request("POST", "/v1/tokens", {
                "name": source, "scopes": ["deliveries:read"], "sources": [source]})[2]["token"]
            bearer = {"Authorization": "Bearer " + token}
            for path in (f"/hooks/outgoing/{hook['id']}/requests",
                         "/hook-requests/" + relation["id"]):
                self.assertEqual(self.ask(relay, "GET", path, **bearer)[0], status, path)

    def test_only_what_the_hook_wants_is_sent(self):
        sink = self.place.sink()
        relay = self.place.relay()
        condition = {"path": "action.triggered_from.hook_parsed_variables.pull_request_title",
                     "accepted_values": ["wanted"]}
        self.make(relay, sink, target_url=sink.url + "/{{ action.status }}",
                  trigger_when={"events": ["action.failed", "action.completed"],
                                "conditions": [condition]})
        self.make(relay, sink, "/hooks/outgoing", target_url=sink.url + "/old",
                  resource_type="application", resource_id=44, action_type="deploy",
                  trigger_when={"events": ["action.failed"]})
        self.make(relay, sink, target_url=sink.url + "/none", trigger_when=None)
        sent = [action("in-progress", title="wanted"), action("failed", title="other"),
                action("completed", title="wanted"), action("failed", pipeline=34, title="wanted"),
                action("failed", title="wanted")]
        for event in sent:
            self.assertEqual(relay.send(event)[0], 202)
        relay.wait_until_settled()
        # The new form: the third and the last. The old form, of the resource: every failure.
        self.assertEqual(len(sink.wait_for_count(5)), 5)
        self.assertEqual(relay.status()["backlog"], 0)

    def test_hooks_are_listed_changed_and_removed(self):
        sink = self.place.sink()
        relay = self.place.relay()
        hooks = [self.make(relay, sink, resource_type="application", resource_id=44)
                 for _ in range(3)]
        path = "/hooks/outgoing/" + hooks[0]["id"]
        self.assertEqual(self.ask(relay, "GET", path)[2]["secret"], "*****")
        status, headers, page = self.ask(relay, "GET", "/pipelines/33/hooks?per_page=2")
        self.assertEqual((status, [hook["id"] for hook in page]),
                         (200, [hook["id"] for hook in hooks[:2]]))
        self.assertIn('page=2&per_page=2>; rel="next"', headers["Link"])
        self.assertEqual(len(self.ask(relay, "GET", "/applications/44/hooks")[2]), 3)
        self.assertEqual(self.ask(relay, "PUT", path, {"id": hooks[0]["id"], "name": "off",
                                                       "active": False})[0], 204)
        self.assertEqual(relay.send(action("failed"))[0], 202)
        self.assertEqual(len(sink.wait_for_count(2)), 2)
        for hook in hooks:
            self.assertEqual(self.ask(relay, "DELETE", "/hooks/outgoing/" + hook["id"])[0], 204)
        self.assertEqual(self.ask(relay, "GET", path)[0], 404)
        status, _, answer = self.ask(relay, "POST", "/pipelines/33/hooks/outgoing",
                                     {"name": "n", "target_url": "https://{{ user.name }}/"})
        self.assertEqual((status, list(answer["errors"])), (422, ["target_url"]))
        self.assertEqual(self.ask(relay, "GET", path, Authorization="Bearer wrong")[0], 401)
        status, headers, answer = self.ask(relay, "PATCH", path)
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD, PUT, DELETE"))

    def test_the_native_api_makes_hooks_too(self):
        sink = self.place.sink("--print")
        relay = self.place.relay()
        webhook = relay.add_webhook(
            dialect="devopness", url=sink.url + "/", tls={"verify": False},
            settings={"pipeline_id": 33, "target_url": sink.url + "/{{ action.id }}",
                      "trigger_when": {"events": ["action.failed"]}})
        self.assertEqual(webhook["sources"], ["pipeline/33"])
        relay.send(action("failed"))
        sink.wait_for(r"POST /8801 ")

    def test_a_call_becomes_an_event_for_whoever_subscribed(self):
        sink = self.place.sink("--print", plain=True)
        relay = self.place.relay()
        relay.add_webhook(url=sink.url, sources=["pipeline/33"], events=["hook.triggered"])
        status, _, hook = self.ask(
            relay, "POST", "/pipelines/33/hooks/incoming",
            {"name": "from the git host", "requires_secret": True, "secret_algorithm": "sha256",
             "secret_header_name": "x-hub-signature-256", "settings": {"variables": VARIABLES}})
        self.assertEqual(status, 201, hook)
        self.assertEqual(hook["url"],
                         f"http://127.0.0.1:{relay.port}/hooks/incoming/{hook['id']}")
        # The vector's secret: the webhook below the hook takes one over the native API.
        native = [item for item in relay.request("GET", "/v1/webhooks")[2]["items"]
                  if item["dialect"] == "devopness"][0]
        self.assertEqual(relay.request("PATCH", "/v1/webhooks/" + native["id"],
                                       {"secret": VECTOR_SECRET})[0], 200)
        path = f"/hooks/{hook['id']}/trigger"
        for wrong in ("", "sha256=" + "0" * 64):
            self.assertEqual(self.call(relay, path, VECTOR, wrong)[0], 403)
        status, headers, answer = self.call(relay, path, VECTOR, VECTOR_SIGNATURE)
        self.assertEqual((status, answer),
                         (200, {"message": "Hook successfully triggered", "errors": None}))
        action_id = int(headers["X-Devopness-Action-Id"])
        sink.wait_for(rf'"action":{{"id":{action_id},.*"pipeline_id":33,.*"status":"pending".*'
                      r'"hook_parsed_variables":\{"source_type":"branch",'
                      r'"source_ref":"feature/login","pull_request_id":7,'
                      r'"pull_request_title":null,"commit_hash":"3b1f')
        logged, = self.wait_for_requests(relay, hook, 1)
        self.assertEqual((logged["action_id"], logged["ip_address"]), (action_id, "127.0.0.1"))
        request = self.ask(relay, "GET", "/hook-requests/" + logged["id"])[2]
        self.assertEqual(request["request_body"], json.loads(VECTOR))
        self.assertEqual(request["response_status_code"], 200)
        self.assertEqual(relay.wait_until_settled()["backlog"], 0)

        # GitHub's webhooks send forms unless somebody chooses otherwise. No other call takes one.
        form = urllib.parse.urlencode({"payload": VECTOR}).encode()
        signature = "sha256=" + hmac.new(VECTOR_SECRET.encode(), form, hashlib.sha256).hexdigest()
        as_form = {"Content-Type": "application/x-www-form-urlencoded", "X-Hub-Signature-256": signature}
        status, _, answer = relay.request("POST", path, form, as_form)
        self.assertEqual(status, 200, answer)
        for logged in self.wait_for_requests(relay, hook, 2):
            request = self.ask(relay, "GET", "/hook-requests/" + logged["id"])[2]
            self.assertEqual(request["request_body"], json.loads(VECTOR))
        self.assertEqual(relay.request("POST", path, form, {**as_form, "Content-Type": "text/plain"})[0], 415)
        self.assertEqual(relay.request("POST", "/v1/webhooks", form, as_form)[0], 415)

        # After a restart the hook is found by its id alone, and its log is there.
        self.assertEqual(relay.stop(), 0)
        relay = self.place.relay()
        status, headers, _ = self.call(relay, f"/hooks-incoming/{hook['id']}", VECTOR,
                                       VECTOR_SIGNATURE.upper().replace("SHA256", "sha256"))
        self.assertEqual(status, 200)
        self.assertGreater(int(headers["X-Devopness-Action-Id"]), action_id)
        self.assertEqual(len(self.wait_for_requests(relay, hook, 3)), 3)

    def test_a_call_that_meets_no_condition_is_logged_and_starts_nothing(self):
        sink = self.place.sink(plain=True)
        relay = self.place.relay()
        relay.add_webhook(url=sink.url)
        hook = self.ask(relay, "POST", "/pipelines/33/hooks/incoming", {
            "name": "n", "trigger_when": {"conditions": [
                {"type": "request_body", "path": "action", "accepted_values": ["closed"]}]}})[2]
        path = "/hooks/incoming/" + hook["id"]
        status, headers, answer = self.call(relay, path, VECTOR)
        self.assertEqual((status, answer["message"]), (200, "Hook conditions not met"))
        self.assertNotIn("X-Devopness-Action-Id", headers)
        logged, = self.wait_for_requests(relay, hook, 1)
        self.assertIsNone(logged["action_id"])
        self.assertEqual(self.call(relay, path, "{")[0], 422)
        self.assertEqual(self.ask(relay, "PUT", path, {"id": hook["id"], "name": "n",
                                                       "active": False})[0], 204)
        self.assertEqual(self.call(relay, path, VECTOR)[0], 404)
        relay.wait_until_settled()
        self.assertEqual(sink.received(), [])

    def test_githubs_ping_starts_nothing(self):
        relay = self.place.relay()
        hook = self.ask(relay, "POST", "/pipelines/33/hooks/incoming", {"name": "n"})[2]
        path = "/hooks/incoming/" + hook["id"]
        status, headers, _ = self.call(relay, path, '{"zen": "Speak like a human."}', **{"X-GitHub-Event": "ping"})
        self.assertEqual((status, headers["X-Devopness-Action-Id"]), (200, None))
        status, headers, _ = self.call(relay, path, "{}", **{"X-GitHub-Event": "push"})
        self.assertEqual(status, 200)
        self.assertIsNotNone(headers["X-Devopness-Action-Id"])

    def test_a_password_gives_a_token(self):
        printed = subprocess.run([harness.RINGPOST, "hash-password"], input="correct horse\n",
                                 capture_output=True, text=True, check=True, timeout=60).stdout
        config = self.place.path / "relay.toml"
        config.write_text('[[user]]\nemail = "ada@example.org"\n'
                          f'password = "{printed.strip().split()[-1]}"\n')
        relay = self.place.relay("--config", config)
        login = {"email": "ada@example.org", "password": "correct horse"}
        status, _, answer = self.ask(relay, "POST", "/users/login", login, Authorization="")
        self.assertEqual((status, answer["token_type"], answer["expires_in"]),
                         (200, "Bearer", 86400))
        self.assertEqual(self.ask(relay, "GET", "/pipelines/33/hooks",
                                  Authorization="Bearer " + answer["access_token"])[0], 200)
        self.assertEqual(self.ask(relay, "POST", "/users/login",
                                  dict(login, password="wrong"), Authorization="")[0], 401)

        def refresh(token):
            return self.ask(relay, "POST", "/users/refresh-token", {"refresh_token": token},
                            Authorization="")

        def list_hooks(token):
            return self.ask(relay, "GET", "/pipelines/33/hooks",
                            Authorization="Bearer " + token)[0]

        status, _, fresh = refresh(answer["refresh_token"])
        self.assertEqual((status, fresh["token_type"], fresh["expires_in"]),
                         (200, "Bearer", 86400))
        self.assertEqual(refresh(answer["refresh_token"])[0], 401)  # It is used up.
        self.assertEqual((list_hooks(answer["access_token"]), list_hooks(fresh["access_token"]),
                          list_hooks(fresh["refresh_token"])), (401, 200, 401))
        self.assertNotIn(fresh["refresh_token"].encode(),
                         b"".join(file.read_bytes() for file in relay.data_dir.glob("control*")))
        relay.stop()
        relay = self.place.relay("--config", config)  # It outlives a restart.
        status, _, fresh = refresh(fresh["refresh_token"])
        self.assertEqual(status, 200)
        self.assertEqual(self.ask(relay, "GET", "/users/logout",
                                  Authorization="Bearer " + fresh["access_token"])[0], 204)
        self.assertEqual((list_hooks(fresh["access_token"]), refresh(fresh["refresh_token"])[0]),
                         (401, 401))
        self.assertEqual(self.ask(relay, "GET", "/users/logout")[0], 204)  # The admin's stays.
        self.assertEqual(list_hooks(relay.token), 200)

    def call(self, relay, path, body, signature="", **more):
        """A call as a git host makes it: without a token."""
        connection = relay.connect()
        headers = {"Content-Type": "application/json", **more}
        if signature:
            headers["X-Hub-Signature-256"] = signature
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, answer.headers, json.loads(raw)


if __name__ == "__main__":
    unittest.main(verbosity=2)
