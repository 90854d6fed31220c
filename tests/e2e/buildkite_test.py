"""Buildkite's notification services on a real relay: made over their API, pinged, filtered, signed."""

import http.server
import json
import threading
import time
import unittest

import harness

SERVICES = "/v2/organizations/default/services"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PIPELINE = "018f6b1e-aaaa-4abc-8def-00000000000a"
OTHER_PIPELINE = "018f6b1e-bbbb-4abc-8def-00000000000b"
TEAM = "018f6b1e-1111-4abc-8def-00000000000a"
CLUSTER = "018f6b1e-cccc-4abc-8def-00000000000a"


class Recorder:
    """A receiver that keeps what came: the sink notes only hashes."""

    def __init__(self):
        recorder = self
        self.requests = []
        self.changed = threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with recorder.changed:
                    recorder.requests.append((dict(self.headers.items()), body))
                    recorder.changed.notify_all()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/bk" % self.server.server_port

    def wait_for_count(self, count, seconds=20):
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.requests) >= count, seconds)
            assert arrived, f"{len(self.requests)} of {count} arrived"
            return list(self.requests)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class BuildkiteTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", 'server.webhook_ips=["192.0.2.0/24"]')

    def call(self, method, path="", body=None):
        return self.relay.request(method, SERVICES + path, body)

    def make(self, url, settings=None, **members):
        body = {"provider": "webhook", "settings": {"url": url, **(settings or {})}, **members}
        status, _, service = self.call("POST", "", body)
        self.assertEqual(status, 201, service)
        return service

    def send(self, event="build.finished", branch="main", pipeline=PIPELINE, **attributes):
        data = {"build": {"branch": branch}, "pipeline": {"id": pipeline, "slug": "app"}}
        data["pipeline"]["cluster_id"] = attributes.pop("pipeline_cluster", None)
        status, answer = self.relay.send({"type": event, "source": "pipeline/app", "data": data,
                                          **attributes})
        self.assertEqual(status, 202, answer)

    def recorder(self):
        recorder = Recorder()
        self.addCleanup(recorder.close)
        return recorder


class Requests(BuildkiteTest):

    def test_a_new_service_is_pinged_and_gets_what_it_asked_for(self):
        recorder = self.recorder()
        service = self.make(recorder.url, {"events": ["build.finished"], "token": TOKEN})
        headers, body = recorder.wait_for_count(1)[0]
        ping = json.loads(body)
        self.assertEqual(headers["X-Buildkite-Event"], "ping")
        self.assertEqual(list(ping), ["event", "service", "organization", "sender"])
        self.assertEqual(ping["service"], {"id": service["id"], "provider": "webhook",
                                           "settings": {"url": recorder.url}})
        self.assertEqual(ping["sender"]["name"], "admin")
        self.assertEqual(ping["organization"]["slug"], "default")
        base = f"http://127.0.0.1:{self.relay.port}"
        self.assertEqual(ping["organization"]["url"], base + "/v2/organizations/default")
        self.assertEqual(service["url"], base + SERVICES + "/" + service["id"])

        self.send("build.running")
        self.send("build.finished")
        headers, body = recorder.wait_for_count(2)[1]
        self.assertEqual(set(headers), {
            "Host", "User-Agent", "Accept", "Accept-Encoding", "X-Buildkite-Token",
            "X-Buildkite-Event", "X-Buildkite-Request", "Content-Type", "Content-Length",
            "ringpost-hops"})
        self.assertEqual(headers["User-Agent"], "Buildkite-Request")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["X-Buildkite-Token"], TOKEN)
        self.assertTrue(body.startswith(b'{"event":"build.finished","build": {"branch": "main"}'),
                        body)
        self.assertTrue(body.endswith(b',"sender":' + json.dumps(
            ping["sender"], separators=(",", ":")).encode() + b"}"), body)

        status, _, changed = self.call("PATCH", "/" + service["id"],
                                       {"settings": {"events": []}})
        self.assertEqual((status, changed["settings"]["events"]), (200, []))
        self.assertEqual(recorder.wait_for_count(3)[2][0]["X-Buildkite-Event"], "ping")
        self.send("build.finished")
        self.call("PUT", f"/{service['id']}/disable")
        self.call("PATCH", "/" + service["id"], {"description": "off"})
        time.sleep(0.3)
        self.assertEqual(len(recorder.requests), 3)

    def test_both_token_modes_verify(self):
        for mode in ("token", "signature"):
            sink = self.place.sink("--buildkite-secret", TOKEN, name=mode)
            service = self.make(sink.url, {"events": ["build.finished"], "token": TOKEN,
                                           "token_mode": mode, "tls_verify": False})
            sink.wait_for_count(1)
            self.send()
            rows = sink.wait_for_count(2)
            self.assertEqual({row["signature"] for row in rows}, {"good"}, mode)
            self.assertEqual(len({row["delivery"] for row in rows}), 2, mode)
            self.call("PATCH", "/" + service["id"], {"settings": {"token": "another"}})
            self.assertEqual(sink.wait_for_count(3)[2]["signature"], "bad", mode)
            self.assertEqual(self.call("DELETE", "/" + service["id"])[0], 204)

    def test_the_log_shows_requests_and_sends_them_again(self):
        sink = self.place.sink("--buildkite-secret", TOKEN)
        service = self.make(sink.url, {"events": ["build.finished"], "token": TOKEN,
                                       "tls_verify": False})
        sink.wait_for_count(1)
        self.send()
        sink.wait_for_count(2)
        self.relay.wait_until_settled()
        path = f"/{service['id']}/requests"
        newest, oldest = self.call("GET", path)[2]["items"]
        self.assertEqual((newest["event"], oldest["event"]), ("build.finished", "ping"))
        self.assertEqual(newest["request"]["headers"]["X-Buildkite-Request"], newest["id"])
        self.assertEqual(newest["request"]["headers"]["X-Buildkite-Token"], "*****")
        self.assertEqual(newest["response"]["status"], 200)
        self.assertEqual(json.loads(newest["request"]["body"])["event"], "build.finished")
        status, _, answer = self.call("POST", f"{path}/{newest['id']}/redeliver")
        self.assertEqual(status, 202, answer)
        rows = sink.wait_for_count(3)
        self.assertEqual(rows[1]["sha256"], rows[2]["sha256"])
        self.assertEqual(rows[2]["signature"], "good")


class Filters(BuildkiteTest):

    def test_branches_pipelines_teams_and_clusters_are_kept_apart(self):
        services = {
            "branch": {"branch_configuration": "main release/*"},
            "pipeline": {"scope": "some_projects", "scope_uuids": [PIPELINE]},
            "team": {"scope": "some_teams", "scope_uuids": [TEAM]},
            "cluster": {"scope": "some_clusters", "scope_uuids": [CLUSTER]},
        }
        recorders = {name: self.recorder() for name in services}
        events = ["build.finished", "agent.lost"]
        for name, members in services.items():
            self.make(recorders[name].url, {"events": events}, **members)
        self.send(branch="feature/1", pipeline=OTHER_PIPELINE)  # For none of them.
        self.send(branch="release/7", pipeline=OTHER_PIPELINE)
        self.send(branch="feature/2", pipeline=PIPELINE)
        self.send(branch="feature/3", pipeline=OTHER_PIPELINE, teams=[TEAM])
        self.send(branch="feature/4", pipeline=OTHER_PIPELINE, pipeline_cluster=CLUSTER)
        status, answer = self.relay.send({"type": "agent.lost", "source": "agent/1",
                                          "data": {"agent": {"name": "mac-1"}}})
        self.assertEqual(status, 202, answer)
        wanted = {"branch": "release/7", "pipeline": "feature/2", "team": "feature/3",
                  "cluster": "feature/4"}
        for recorder in recorders.values():
            recorder.wait_for_count(3)
        self.relay.wait_until_settled()
        for name, recorder in recorders.items():
            bodies = [json.loads(body) for _, body in recorder.requests]
            seen = sorted((body["event"], body.get("build", {}).get("branch")) for body in bodies)
            self.assertEqual(seen, [("agent.lost", None), ("build.finished", wanted[name]),
                                    ("ping", None)], name)

    def test_the_command_line_makes_what_buildkites_api_makes(self):
        recorder = self.recorder()
        self.relay.cli("webhook", "add", "--dialect", "buildkite", "--url", recorder.url,
                       "--pipeline", PIPELINE.upper())
        recorder.wait_for_count(1)  # The ping.
        status, _, answer = self.call("GET")
        self.assertEqual(status, 200, answer)
        service, = answer["items"]
        self.assertEqual((service["scope"], service["scope_uuids"]), ("some_projects", [PIPELINE]))
        self.assertEqual(service["created_by"]["name"], "admin")
        self.send(pipeline=OTHER_PIPELINE)
        self.send()
        status, _ = self.relay.send({"type": "agent.connected", "source": "agent/1",
                                     "data": {"agent": {"id": "1"}}})
        self.assertEqual(status, 202)
        *_, build, agent = recorder.wait_for_count(3)
        self.assertEqual({sent["X-Buildkite-Event"] for sent, _ in (build, agent)},
                         {"build.finished", "agent.connected"})
        status, _, changed = self.call("PATCH", "/" + service["id"], {
            "scope": "some_projects", "scope_uuids": [OTHER_PIPELINE]})
        self.assertEqual((status, changed["scope_uuids"]), (200, [OTHER_PIPELINE]))
        recorder.wait_for_count(4)  # The change's ping.
        self.send()
        self.send(pipeline=OTHER_PIPELINE)
        *_, (_, body) = recorder.wait_for_count(5)
        self.assertEqual(json.loads(body)["pipeline"]["id"], OTHER_PIPELINE)


    def test_an_empty_scope_gets_nothing(self):
        """What Terraform sends for a scope whose list is not filled yet."""
        events = ["build.finished", "agent.lost"]
        recorders = [self.recorder() for _ in range(4)]
        services = [self.make(recorders[0].url, {"events": events}, scope="some_projects"),
                    self.make(recorders[1].url, {"events": events}, scope="some_teams",
                              scope_uuids=[]),
                    self.make(recorders[2].url, {"events": events}, scope="some_clusters",
                              scope_uuids=None),
                    self.make(recorders[3].url, {"events": events}, scope="some_projects",
                              scope_uuids=[PIPELINE])]
        status, _, emptied = self.call("PATCH", "/" + services[3]["id"], {
            "description": None, "branch_configuration": None, "scope_uuids": []})
        self.assertEqual(status, 200, emptied)
        self.assertEqual((emptied["scope"], emptied["scope_uuids"]), ("some_projects", []))
        for recorder in recorders:
            recorder.wait_for_count(1)
        self.send()
        self.relay.send({"type": "agent.lost", "source": "agent/1", "data": {"agent": {}}})
        self.relay.wait_until_settled()
        kinds = {headers["X-Buildkite-Event"] for recorder in recorders
                 for headers, _ in recorder.requests}
        self.assertEqual(kinds, {"ping"})

    def test_every_id_is_a_uuid_that_strict_readers_take(self):
        recorder = self.recorder()
        service = self.make(recorder.url, {"events": ["build.finished"]})
        for _ in range(20):
            self.send()
        seen = recorder.wait_for_count(21)
        self.relay.wait_until_settled()
        before = self.call("GET", f"/{service['id']}/requests")[2]
        ids = [headers["X-Buildkite-Request"] for headers, _ in seen]
        ids += [item["id"] for item in before["items"]]
        ids += [service["id"], service["created_by"]["id"], json.loads(seen[1][1])["sender"]["id"]]
        for text in ids:
            self.assertRegex(text, r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                   r"[0-9a-f]{12}$")
        shown = self.relay.cli("delivery", "show", before["items"][0]["id"], "--json")
        listed = json.loads(self.relay.cli("delivery", "list", service["id"], "--json").stdout
                            .splitlines()[0])
        self.assertIn(json.loads(shown.stdout)["id"], json.dumps(listed))
        self.relay.stop()
        self.relay = self.place.relay("--set", 'server.webhook_ips=["192.0.2.0/24"]')
        self.assertEqual(self.call("GET", f"/{service['id']}/requests")[2], before)


class Api(BuildkiteTest):

    def test_limits_calls_and_says_how_many_are_left(self):
        for call in range(1, 51):
            status, headers, _ = self.call("GET")
            self.assertEqual((status, headers["RateLimit-User-Remaining"]), (200, str(50 - call)))
        status, headers, refused = self.call("GET")
        self.assertEqual(status, 429)
        self.assertEqual(set(refused), {"message", "scope", "limit", "current", "reset"})
        self.assertEqual((refused["limit"], refused["current"]), (50, 50))
        self.assertEqual(headers["RateLimit-Remaining"], "150")
        self.assertEqual((headers["RateLimit-Scope"], headers["RateLimit-User-Scope"]),
                         ("rest", "rest_user"))
        self.assertLessEqual(int(headers["RateLimit-User-Reset"]), 60)

    def test_answers_in_buildkites_shape(self):
        status, _, meta = self.relay.request("GET", "/v2/meta", headers={"Authorization": ""})
        self.assertEqual((status, meta), (200, {"webhook_ips": ["192.0.2.0/24"]}))
        for path in (SERVICES + "/nothing", "/v2/organizations/other/services",
                     "/v2/organizations/default/pipelines"):
            status, _, answer = self.relay.request("GET", path)
            self.assertEqual((status, list(answer)), (404, ["message"]), path)
        status, _, answer = self.relay.request("GET", SERVICES, headers={"Authorization": ""})
        self.assertEqual((status, list(answer)), (401, ["message"]))
        status, _, answer = self.call("POST", "", {"provider": "webhook"})
        self.assertEqual((status, answer["message"]), (422, "Validation Failed"))
        self.assertEqual([(error["field"], error["code"]) for error in answer["errors"]],
                         [("settings.url", "missing_field")])

    def test_a_restart_keeps_services_and_the_command_line_pings_them(self):
        recorder = self.recorder()
        service = self.make(recorder.url, {"events": ["job.started"]}, description="kept")
        recorder.wait_for_count(1)
        self.assertEqual(self.relay.stop(), 0)
        self.relay = self.place.relay()
        _, _, listed = self.call("GET")
        url = listed["items"][0].pop("url")  # Another port.
        self.assertTrue(url.endswith(service.pop("url")[-36:]))
        self.assertEqual(listed["items"], [service])
        native = self.relay.request("GET", "/v1/webhooks")[2]["items"][0]
        self.assertEqual(native["dialect"], "buildkite")
        self.assertRegex(self.relay.cli("webhook", "ping", native["id"]).stdout, r"^delivery \w{26}$")
        _, body = recorder.wait_for_count(2)[1]
        self.assertEqual(json.loads(body)["service"]["id"], service["id"])

    def test_the_native_api_makes_them_too(self):
        recorder = self.recorder()
        webhook = self.relay.add_webhook(
            url=recorder.url, dialect="buildkite", secret=TOKEN, events=["build.*"],
            settings={"token_mode": "signature", "scope": "some_projects",
                      "scope_uuids": [PIPELINE]})
        self.assertEqual(webhook["settings"]["token_mode"], "signature")
        path = f"/v1/webhooks/{webhook['id']}"
        recorder.wait_for_count(1)
        self.relay.request("PATCH", path, {"description": "changed"})
        recorder.wait_for_count(2)
        self.relay.request("PATCH", path, {"description": "changed"})
        self.send(pipeline=OTHER_PIPELINE)
        self.send()
        *pings, (headers, body) = recorder.wait_for_count(3)
        self.assertEqual([sent["X-Buildkite-Event"] for sent, _ in pings], ["ping", "ping"])
        self.assertEqual(headers["X-Buildkite-Event"], "build.finished")
        self.assertRegex(headers["X-Buildkite-Signature"],
                         r"^timestamp=\d+,signature=[0-9a-f]{64}$")
        self.assertEqual(json.loads(body)["sender"]["name"], "admin", "the token that made it")


if __name__ == "__main__":
    unittest.main(verbosity=2)
