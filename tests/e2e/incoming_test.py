"""Calls of git hosts on a real relay: signed by others' libraries, made durable, delivered on, and refused as a host expects.

GitHub's own example payloads come with Octokit's packages from npm (npm/package-lock.json); tools/check puts them there.
"""

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import unittest
import urllib.parse
import uuid

import harness

HERE = pathlib.Path(__file__).parent
MODULES = harness.BUILD / "npm"
COMMIT = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
MIB = 1 << 20


def github_push(branch="main", padding=0):
    return json.dumps({
        "ref": f"refs/heads/{branch}", "before": "1" * 40, "after": COMMIT,
        "head_commit": {"id": COMMIT, "message": "Add login\n\nWith tests"},
        "repository": {"full_name": "acme/shop"}, "sender": {"login": "ada"},
        "padding": "x" * padding}).encode()


def sign(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Receiver:
    """Keeps what it gets; plain http."""

    def __init__(self):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                requests.append((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Caller(unittest.TestCase):
    """Makes git sources, and calls them."""

    relay = None

    def add(self, host, **members):
        status, _, source = self.relay.request("POST", "/v1/sources",
                                                          {"host": host, **members})
        self.assertEqual(status, 201, source)
        return source

    def post(self, source, body, headers, kind="application/json"):
        """Calls the relay as a host does: no token, the path from the URL that was shown."""
        connection = self.relay.connect()
        path = urllib.parse.urlsplit(source["url"]).path
        connection.request("POST", path, body, {"Content-Type": kind, **headers})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    def call(self, source, body, event="push", delivery=None):
        """A call of GitHub."""
        return self.post(source, body, {
            "X-GitHub-Event": event, "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + sign(source["secret"], body)})


class Incoming(Caller):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        cls.relay = cls.place.relay("--set", "server.shards=2")

    def test_every_host_by_its_own_rule(self):
        secret = "a-secret-of-sixteen"
        gitlab = json.dumps({"object_kind": "push", "ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT,
                             "checkout_sha": COMMIT, "user_username": "ada",
                             "project": {"path_with_namespace": "acme/shop"}}).encode()
        cloud = json.dumps({"actor": {"nickname": "ada"}, "repository": {"full_name": "acme/shop"},
                            "push": {"changes": [{"old": None, "new": {
                                "type": "branch", "name": "main", "target": {"hash": COMMIT}}}]}}).encode()
        server = json.dumps({"eventKey": "repo:refs_changed", "actor": {"name": "ada"},
                             "repository": {"slug": "shop", "project": {"key": "acme"}},
                             "changes": [{"ref": {"id": "refs/heads/main"}, "fromHash": "0" * 40,
                                          "toHash": COMMIT}]}).encode()
        gitea = json.dumps(json.loads(github_push()), indent=2).encode()
        signed = {body: sign(secret, body) for body in (gitlab, cloud, server, gitea, github_push())}
        calls = {
            "github": (github_push(), lambda body, key: {
                "X-GitHub-Event": "push", "X-GitHub-Delivery": key, "X-Hub-Signature-256": "sha256=" + signed[body]}),
            "gitlab": (gitlab, lambda _, key: {
                "X-Gitlab-Event": "Push Hook", "Idempotency-Key": key, "X-Gitlab-Token": secret}),
            "bitbucket": (cloud, lambda body, key: {
                "X-Event-Key": "repo:push", "X-Request-UUID": key, "X-Hub-Signature": "sha256=" + signed[body]}),
            "bitbucket-server": (server, lambda body, key: {
                "X-Event-Key": "repo:refs_changed", "X-Request-Id": key, "X-Hub-Signature": "sha256=" + signed[body]}),
            "gitea": (gitea, lambda body, key: {
                "X-Gitea-Event": "push", "X-Gitea-Delivery": key, "X-Gitea-Signature": signed[body]}),
            "forgejo": (gitea, lambda body, key: {
                "X-Forgejo-Event": "push", "X-Forgejo-Delivery": key, "X-Forgejo-Signature": signed[body]}),
            "gogs": (gitea, lambda body, key: {
                "X-Gogs-Event": "push", "X-Gogs-Delivery": key, "X-Gogs-Signature": signed[body]}),
        }
        sink = self.place.sink(plain=True, name="hosts")
        self.relay.add_webhook(url=sink.url, sources=["repository/*"], events=["git.push"],
                               filter={"branches": "main"})
        wanted = set()
        for host, (body, headers) in calls.items():
            with self.subTest(host):
                source = self.add(host, secret=secret)
                key = str(uuid.uuid4())
                status, answer = self.post(source, body, headers(body, key))
                self.assertEqual((status, answer["accepted"], answer["deliveries"]), (202, 1, 1), answer)
                self.assertEqual(answer["events"][0]["id"], key)
                status, again = self.post(source, body, headers(body, key))
                self.assertEqual((status, again["duplicates"]), (200, 1), again)
                wrong = headers(body, str(uuid.uuid4()))
                proof = list(wrong)[-1]
                for value in (None, "", wrong[proof][:-1], wrong[proof][:-1] + "~"):
                    changed = {name: wrong[name] for name in wrong if name != proof}
                    if value is not None:
                        changed[proof] = value
                    self.assertEqual(self.post(source, body, changed)[0], 401, (proof, value))
                wanted.add(hashlib.sha256(body).hexdigest())
        arrived = sink.wait_for_count(len(calls))
        self.assertEqual({row["sha256"] for row in arrived}, wanted, "what a host sent arrives byte for byte")
        self.assertEqual(len(arrived), len(calls))

    @unittest.skipIf(shutil.which("node") is None, "node is not installed")
    def test_every_example_of_github_signed_by_octokit(self):
        source = self.add("github")
        file = MODULES / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
        bodies = [(kind["name"], json.dumps(example, ensure_ascii=False).encode())
                  for kind in json.loads(file.read_text("utf-8")) for example in kind["examples"]]
        lines = b"".join(base64.b64encode(body) + b"\n" for _, body in bodies)
        signed = subprocess.run(["node", HERE / "npm" / "sign_calls.mjs", MODULES, source["secret"]],
                                input=lines, capture_output=True, check=True, timeout=60).stdout.split()
        self.assertEqual(len(signed), len(bodies))
        sink = self.place.sink(plain=True, name="octokit")
        self.relay.add_webhook(url=sink.url, sources=["repository/*"], events=["git.pull_request"])
        statuses, pulls = [], set()
        for (name, body), signature in zip(bodies, signed):
            status, answer = self.post(source, body, {
                "X-GitHub-Event": name, "X-GitHub-Delivery": str(uuid.uuid4()),
                "X-Hub-Signature-256": signature.decode()})
            self.assertIn(status, (200, 202), (name, answer))
            statuses.append(status)
            if name == "pull_request":
                pulls.add(hashlib.sha256(body).hexdigest())
        self.assertGreater(statuses.count(202), 250)
        arrived = sink.wait_for_count(len(pulls))
        self.assertEqual({row["sha256"] for row in arrived}, pulls)

    def test_facts_are_attributes_of_a_cloudevent(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        source = self.add("github")
        webhook = self.relay.add_webhook(url=receiver.url, dialect="cloudevents", events=["git.push"],
                                         sources=["repository/github/acme/shop"],
                                         settings={"mode": "binary", "handshake": False})
        self.addCleanup(self.relay.request, "DELETE", f"/v1/webhooks/{webhook['id']}")
        body = github_push("feature/login")
        self.assertEqual(self.call(source, body, delivery="d-7")[0], 202)
        self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        headers, received = receiver.requests[-1]
        sent = {name.lower(): value for name, value in headers.items()}
        self.assertEqual(received, body)
        for name, value in {"id": "d-7", "type": "git.push", "source": "repository/github/acme/shop",
                            "subject": "refs/heads/feature/login", "branch": "feature/login", "githost": "github",
                            "gitevent": "push", "gitrepository": "acme/shop", "gitaction": "updated",
                            "gitcommit": COMMIT, "gittitle": "Add%20login", "gitauthor": "ada"}.items():
            self.assertEqual(sent.get("ce-" + name), value, name)

    def test_a_form_is_taken_as_its_json(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        source = self.add("github")
        webhook = self.relay.add_webhook(url=receiver.url, events=["git.push"], filter={"branches": "form"})
        self.addCleanup(self.relay.request, "DELETE", f"/v1/webhooks/{webhook['id']}")
        text = github_push("form")
        form = urllib.parse.urlencode({"payload": text}).encode()
        status, answer = self.post(source, form, {
            "X-GitHub-Event": "push", "X-GitHub-Delivery": "f-1",
            "X-Hub-Signature-256": "sha256=" + sign(source["secret"], form)},
            kind="application/x-www-form-urlencoded")
        self.assertEqual(status, 202, answer)
        self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        self.assertEqual(receiver.requests[-1][1], text)

    def test_a_push_starts_a_build_of_an_app(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        shown = self.relay.cli("source", "add", "--host", "github", "--app", "c0ffee1234abcd56").stdout
        self.assertIn("/h/github/c0ffee1234abcd56/", shown)
        source = self.add("github", app="c0ffee1234abcd56")
        webhook = self.relay.add_webhook(url=receiver.url, sources=["app/c0ffee1234abcd56"], events=["build/trigger"])
        self.addCleanup(self.relay.request, "DELETE", f"/v1/webhooks/{webhook['id']}")
        status, answer = self.call(source, github_push(), delivery="b-1")
        self.assertEqual((status, answer["success_responses"][0]["commit_hash"]), (201, COMMIT), answer)
        self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        build = json.loads(receiver.requests[-1][1])
        self.assertEqual(build["hook_info"], {"type": "bitrise"})
        self.assertEqual(build["build_params"]["branch"], "main")
        self.assertEqual(build["build_params"]["commit_message"], "Add login\n\nWith tests")
        self.assertEqual(self.call(source, github_push(), delivery="b-1")[0], 200, "no second build")
        self.assertEqual(len(receiver.requests), 1)
        skipped = github_push().replace(b"Add login", b"Add login [skip ci]")
        status, answer = self.call(source, skipped)
        self.assertEqual((status, answer["success_responses"], len(answer["skipped_responses"])), (200, [], 1))
        self.assertEqual(self.call({**source, "secret": "another secret"}, github_push())[0], 401)

    def test_anything_calls_a_pipeline_trigger(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        shown = self.relay.cli("source", "add", "--host", "buildkite", "--pipeline", "main-app").stdout
        self.assertIn(f":{self.relay.port}/deliver/bktr_", shown)
        self.assertIn("pipeline.triggered of pipeline/main-app", shown)
        self.assertNotIn("secret", shown)
        trigger = self.add("buildkite", pipeline="main-app", description="from anywhere")
        self.assertEqual((trigger["pipeline"], trigger["app"], trigger["secret"]), ("main-app", None, ""))
        webhook = self.relay.add_webhook(url=receiver.url, sources=["pipeline/main-app"], events=["pipeline.triggered"])
        self.addCleanup(self.relay.request, "DELETE", f"/v1/webhooks/{webhook['id']}")
        status, answer = self.post(trigger, b'{"ref": "main", "n": 1.0}', {})
        self.assertEqual((status, list(answer), str(uuid.UUID(answer["id"]))), (201, ["id"], answer["id"]))
        found = self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        self.assertEqual(self.relay.request("GET", "/v1/events/" + answer["id"])[0], 200, "it is the event's id")
        self.assertEqual(found["event"]["source"], "pipeline/main-app")
        sent = receiver.requests[-1][1]
        self.assertTrue(sent.endswith(b'"webhook":{"ref": "main", "n": 1.0}}'), sent)
        self.assertEqual(json.loads(sent)["trigger"]["description"], "from anywhere")

        def answer_of(path, body=b"{}", headers=None):
            status, answer = self.post({"url": "http://relay" + path}, body, headers or {})
            self.assertEqual(list(answer), ["message"], answer)
            return status, answer["message"]

        path = urllib.parse.urlsplit(trigger["url"]).path
        self.assertEqual(answer_of(path[:-1] + "~"), (404, "Pipeline trigger not found"))
        self.assertEqual(answer_of("/deliver/other_token"), (400, "Invalid pipeline trigger token"))
        self.assertEqual(answer_of(path, b"{")[0], 400)
        self.assertEqual(self.post({"url": "http://relay/in/buildkite/" + path.rsplit("/", 1)[1]}, b"{}", {})[0], 404)
        self.relay.request("PATCH", f"/v1/sources/{trigger['id']}", {"enabled": False})
        self.assertEqual(answer_of(path), (403, "Pipeline trigger is disabled"))
        self.relay.request("PATCH", f"/v1/sources/{trigger['id']}", {"enabled": True})
        status, _, rotated = self.relay.request("POST", f"/v1/sources/{trigger['id']}/rotate-secret", {})
        self.assertEqual(status, 200, rotated)
        self.assertEqual(answer_of(path)[0], 401, "it has a secret now")
        status, _ = self.post(trigger, b"{}", {"Linear-Signature": sign(rotated["secret"], b"{}")})
        self.assertEqual(status, 201)

    def test_triggers_are_of_a_pipeline_and_few(self):
        for members, member in (({"host": "buildkite"}, "pipeline"),
                                ({"host": "buildkite", "pipeline": "a b"}, "pipeline"),
                                ({"host": "buildkite", "pipeline": "p", "app": "c0ffee"}, "app"),
                                ({"host": "github", "pipeline": "p"}, "pipeline"),
                                ({"host": "buildkite", "pipeline": "p", "secret": "short"}, "secret")):
            status, _, answer = self.relay.request("POST", "/v1/sources", members)
            self.assertEqual((status, answer["member"]), (422, member), answer)
        for _ in range(10):
            self.add("buildkite", pipeline="few")
        status, _, answer = self.relay.request("POST", "/v1/sources", {"host": "buildkite", "pipeline": "few"})
        self.assertEqual(status, 409, answer)
        self.add("buildkite", pipeline="other")

    def test_pings_and_calls_without_a_repository_are_answered(self):
        source = self.add("github")
        status, answer = self.call(source, b'{"zen":"Speak like a human.","hook_id":1}', "ping")
        self.assertEqual(status, 200)
        self.assertTrue(answer["message"].startswith("pong"), answer)
        status, answer = self.call(source, b'{"organization":{"login":"acme"}}', "organization")
        self.assertEqual(status, 200, answer)
        server = self.add("bitbucket-server")
        self.assertEqual(self.post(server, b"{}", {"X-Event-Key": "diagnostics:ping"})[0], 200)

    def test_what_cannot_be_read_is_refused_in_words(self):
        source = self.add("github")
        self.assertEqual(self.call(source, b"{")[0], 400)
        status, problem = self.call(source, b'{"action":"opened"}', "pull_request")
        self.assertEqual((status, problem["member"]), (422, "number"))
        status, _ = self.post(source, b"x", {"X-GitHub-Event": "push"}, kind="text/plain")
        self.assertEqual(status, 415)
        missing = {**source, "url": source["url"][:-1] + "0" if source["url"][-1] != "0" else source["url"][:-1] + "1"}
        self.assertEqual(self.call(missing, github_push())[0], 404)
        status, headers, _ = self.relay.request("GET", urllib.parse.urlsplit(source["url"]).path)
        self.assertEqual((status, headers["Allow"]), (405, "POST"))

    def test_secrets_are_rotated_and_sources_switched_off(self):
        source = self.add("github")
        path = f"/v1/sources/{source['id']}"
        status, _, rotated = self.relay.request("POST", path + "/rotate-secret", {"overlap_s": 3600})
        self.assertEqual(status, 200, rotated)
        self.assertNotEqual(rotated["secret"], source["secret"])
        self.assertEqual(self.call(source, github_push())[0], 202, "the old one is still good")
        self.assertEqual(self.call(rotated, github_push())[0], 202)
        self.relay.request("POST", path + "/rotate-secret", {"overlap_s": 0})
        self.assertEqual(self.call(rotated, github_push())[0], 401)
        status, _, last = self.relay.request("POST", path + "/rotate-secret", {"secret": "a-secret-of-sixteen"})
        self.assertEqual((status, last["secret"]), (200, "a-secret-of-sixteen"))
        self.relay.request("PATCH", path, {"enabled": False})
        self.assertEqual(self.call(last, github_push())[0], 404)
        self.relay.request("PATCH", path, {"enabled": True})
        self.assertEqual(self.call(last, github_push())[0], 202)
        self.assertEqual(self.relay.request("DELETE", path)[0], 204)
        self.assertEqual(self.call(last, github_push())[0], 404)

    def test_from_the_command_line(self):
        shown = self.relay.cli("source", "add", "--host", "gitlab", "--description", "the group").stdout
        self.assertIn("GitLab", shown)
        self.assertIn(f":{self.relay.port}/in/gitlab/", shown)
        self.assertIn("whsec_", shown)
        self.assertIn("only this once", shown)
        one = json.loads(self.relay.cli("source", "add", "--host", "gitea", "--json").stdout)
        self.assertEqual(self.call({**one, "url": one["url"]}, github_push())[0], 401, "GitHub's headers")
        listed = self.relay.cli("source", "list").stdout
        self.assertIn(one["id"], listed)
        self.assertIn(one["url"], listed)
        self.assertNotIn("whsec_", listed)
        self.assertNotIn("whsec_", self.relay.cli("source", "show", one["id"]).stdout)
        self.assertIn("disabled", self.relay.cli("source", "disable", one["id"]).stdout)
        self.assertIn("enabled", self.relay.cli("source", "enable", one["id"]).stdout)
        self.assertIn("other words", self.relay.cli("source", "update", one["id"], "--description",
                                                    "other words").stdout)
        rotated = self.relay.cli("source", "rotate-secret", one["id"], "--overlap", "1h").stdout
        self.assertIn("whsec_", rotated)
        self.assertIn("old secret until", rotated)
        self.relay.cli("source", "remove", one["id"])
        self.assertEqual(self.relay.cli("source", "show", one["id"], check=False).returncode, 1)
        self.assertEqual(self.relay.cli("source", "add", "--host", "cvs", check=False).returncode, 1)
        self.assertEqual(self.relay.cli("source", "add", check=False).returncode, 2)

    def test_secret_in_the_arguments_is_refused(self):
        done = self.relay.cli("source", "add", "--host", "github", "--secret", "a-secret-of-sixteen", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("a-secret-of-sixteen", done.stderr)


class Limits(Caller):

    def test_bodies_are_as_large_as_the_host_sends_them_and_no_larger(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        self.relay = place.relay("--set", "journal.segment_bytes=64MiB")
        source = self.add("github")
        empty = len(github_push())
        body = github_push(padding=25 * MIB - empty)
        self.assertEqual(len(body), 25 * MIB)
        status, answer = self.call(source, body)
        self.assertEqual(status, 202, answer)
        # What was accepted can be sent again.
        sink = place.sink()
        hook = self.relay.add_webhook(url=sink.url, tls=sink.tls(), sources=["repository/*"])
        self.assertEqual(self.call(source, body, "again-1")[0], 202)
        first = self.relay.wait_for_delivery(hook, lambda one: one["status"] == "delivered")
        status, _, made = self.relay.request("POST", f"/v1/deliveries/{first['id']}/redeliver")
        self.assertEqual(status, 202, made)
        self.relay.wait_for_delivery(
            hook, lambda one: one["id"] != first["id"] and one["status"] == "delivered")
        try:
            status, answer = self.call(source, body + b" ")
            self.assertEqual(status, 413, answer)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It was refused by its length, before it was read.
        cloud = self.add("bitbucket")
        try:
            self.assertEqual(self.post(cloud, b" " * (MIB + 1), {})[0], 413)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertEqual(self.post(cloud, b" " * MIB, {})[0], 401)


class Durability(Caller):

    def test_a_call_that_was_answered_survives_a_kill(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        relay = self.relay = place.relay()
        source = self.add("github")
        port = harness.free_port()
        relay.add_webhook(url=f"http://127.0.0.1:{port}/", events=["git.push"], schedule=[1] * 30)
        body = github_push()
        self.assertEqual(self.call(source, body, delivery="d-1")[0], 202)
        relay.kill()
        again = self.relay = place.relay()
        self.assertEqual(self.call(source, body, delivery="d-1")[0], 200,
                         "GitHub's redelivery of it")
        sink = place.sink(plain=True, listen=f"127.0.0.1:{port}")
        self.assertEqual([row["sha256"] for row in sink.wait_for_count(1)], [hashlib.sha256(body).hexdigest()])
        again.wait_until_settled()
        self.assertEqual(len(sink.received()), 1)


if __name__ == "__main__":
    unittest.main()
