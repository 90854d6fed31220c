"""Nothing goes in circles: not within a relay, and not between relays."""

import hashlib
import hmac
import http.client
import http.server
import json
import threading
import unittest
import urllib.parse

import git_hosts
import harness

COMMIT = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"


class Proxy:
    """A reverse proxy that maps whatever it is asked for to a path of a relay's."""

    def __init__(self, relay, target):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connection = http.client.HTTPConnection("127.0.0.1", relay.port)
                headers = {name: value for name, value in self.headers.items() if name != "Host"}
                connection.request("POST", target(self.headers), body, headers)
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ci/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Loops(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def refused(self, relay, url):
        status, _, answer = relay.request("POST", "/v1/webhooks", {"url": url})
        self.assertEqual((status, answer["member"]), (422, "url"), url)
        self.assertIn("leads back to this relay", answer["detail"])

    def test_a_relays_own_listeners_and_name_are_no_destinations(self):
        relay = self.place.relay("--set", "server.public_url=https://relay.example.org",
                                 listen=("127.0.0.1:0", "127.0.0.1:0"))
        for host in ("127.0.0.1", "localhost", "127.1"):
            self.refused(relay, f"http://{host}:{relay.port}/v1/events")
        self.refused(relay, "https://relay.example.org/v1/events")
        relay.add_webhook(url="https://relay.example.org:8443/other")

    def test_a_listener_at_every_address_is_found_at_each_of_them(self):
        relay = self.place.relay("--set", "delivery.allow_own_addresses=false")
        other = self.place.relay(name="other", listen=("0.0.0.0:0", "127.0.0.1:0"))
        port = other.ports()[0]
        self.refused(other, f"http://127.0.0.1:{port}/")
        self.refused(other, f"http://127.0.0.7:{port}/")
        relay.add_webhook(url=f"http://127.0.0.1:{port}/")

    # A name that leads here is not known when the webhook is made.
    def test_it_is_judged_at_the_connection_too(self):
        relay = self.place.relay("--set", "delivery.allow_own_addresses=true", name="data")
        hook = relay.add_webhook(url=f"http://127.0.0.1:{relay.port}/nowhere", schedule=[])
        event = {"type": "build/done", "source": "app/one", "data": {}}
        relay.send(event)
        found = relay.wait_for_delivery(hook, lambda found: found["status"] == "dead")
        self.assertEqual(found["attempts"][0]["response"]["status"], 404)
        port = relay.port
        relay.stop()
        relay = self.place.relay(name="data", listen=(f"127.0.0.1:{port}",))
        relay.send(event)
        earlier = found["id"]
        found = relay.wait_for_delivery(
            hook, lambda found: found["status"] == "dead" and found["id"] != earlier)
        self.assertEqual(found["attempts"][0]["error"]["code"], "destination_denied")

    # The body that a hook writes is a new event, without an id that would be known again.
    def test_two_relays_that_point_at_each_other_stop(self):
        relays = [self.place.relay(name=name) for name in ("one", "two")]
        data = {"action": {"id": 1, "pipeline_id": 33, "status": "completed"}}
        event = {"type": "action.status_changed", "source": "pipeline/33", "data": data}
        hooks = []
        for relay, other in (relays, reversed(relays)):
            hooks.append(relay.add_webhook(
                url=f"http://127.0.0.1:{other.port}/v1/events", dialect="devopness", schedule=[],
                settings={"pipeline_id": 33, "request_body": event,
                          "request_headers": [{"name": "Authorization",
                                               "value": "Bearer " + other.token}],
                          "trigger_when": {"events": ["action.status_changed"]}}))
        status, answer = relays[0].send(event)
        self.assertEqual(status, 202, answer)
        for relay in relays * 12:
            relay.wait_until_settled()
        ends = [found for relay, hook in zip(relays, hooks)
                for found in relay.deliveries(hook)]
        self.assertEqual(len(ends), 9)
        dead = [found for found in ends if found["status"] == "dead"]
        self.assertEqual(len(dead), 1)
        self.assertEqual(dead[0]["last_attempt"]["response_status"], 508)

    def circle(self, relay, hook, event, count):
        status, answer = relay.send(event)
        self.assertEqual(status, 202, answer)
        for _ in range(12):
            relay.wait_until_settled()
        ends = relay.deliveries(hook)
        self.assertEqual(len(ends), count, ends)
        self.assertEqual([found["last_attempt"]["response_status"] for found in ends
                          if found["status"] == "dead"], [508])

    def proxy(self, relay, target):
        proxy = Proxy(relay, target)
        self.addCleanup(proxy.close)
        return proxy

    # Neither the address nor the path says that it leads back.
    def test_a_proxy_that_maps_the_path_of_events_ends_no_circle(self):
        relay = self.place.relay()
        proxy = self.proxy(relay, lambda headers: "/v1/events")
        data = {"action": {"id": 1, "pipeline_id": 33, "status": "completed"}}
        event = {"type": "action.status_changed", "source": "pipeline/33", "data": data}
        hook = relay.add_webhook(
            url=proxy.url, dialect="devopness", schedule=[],
            settings={"pipeline_id": 33, "request_body": event,
                      "request_headers": [{"name": "Authorization",
                                           "value": "Bearer " + relay.token}],
                      "trigger_when": {"events": ["action.status_changed"]}})
        self.circle(relay, hook, event, 9)

    # The event that a call makes goes on with the call's count.
    def test_a_proxy_that_leads_to_an_api_ends_no_circle(self):
        relay = self.place.relay()
        proxy = self.proxy(
            relay, lambda headers: f"/v1/deliveries/{headers['ringpost-delivery']}/redeliver")
        hook = relay.add_webhook(url=proxy.url, schedule=[],
                                 headers={"Authorization": "Bearer " + relay.token})
        self.circle(relay, hook, {"type": "build/done", "source": "app/one", "data": {}}, 9)

    def test_a_proxy_that_leads_to_an_incoming_hook_ends_no_circle(self):
        relay = self.place.relay()
        status, _, incoming = relay.request("POST", "/pipelines/33/hooks/incoming",
                                            {"name": "in", "requires_secret": False})
        self.assertEqual(status, 201, incoming)
        proxy = self.proxy(relay, lambda headers: f"/hooks/{incoming['id']}/trigger")
        hook = relay.add_webhook(url=proxy.url, schedule=[], events=["hook.triggered"])
        data = {"hook": {"id": "x"}}
        self.circle(relay, hook,
                    {"type": "hook.triggered", "source": "pipeline/33", "data": data}, 9)

    def source(self, relay, host, **members):
        status, _, source = relay.request("POST", "/v1/sources", {"host": host, **members})
        self.assertEqual(status, 201, source)
        return source, urllib.parse.urlsplit(source["url"]).path

    # GitLab's proof is a header that any webhook may have, and its calls need no id: each is a new event.
    def test_a_proxy_that_leads_to_a_git_source_ends_no_circle(self):
        relay = self.place.relay()
        source, path = self.source(relay, "gitlab")
        proxy = self.proxy(relay, lambda headers: path)
        # Not of the dialect standard: GitLab, too, may sign in that form.
        hook = relay.add_webhook(url=proxy.url, schedule=[], events=["git.push"], sources=["repository/*"],
                                 dialect="cloudevents", settings={"mode": "binary", "handshake": False},
                                 headers={"X-Gitlab-Token": source["secret"], "X-Gitlab-Event": "Push Hook"})
        push = {"object_kind": "push", "ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT,
                "checkout_sha": COMMIT, "project": {"path_with_namespace": "acme/shop"}}
        self.circle(relay, hook, {"type": "git.push", "source": "repository/gitlab/acme/shop", "data": push}, 9)

    def test_the_count_of_a_git_hosts_call_is_read_and_bounded(self):
        relay = self.place.relay()
        source, path = self.source(relay, "gitlab")
        push = json.dumps({"object_kind": "push", "ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT,
                           "checkout_sha": COMMIT, "project": {"path_with_namespace": "acme/shop"}})
        for hops, wanted in (("1", 202), ("8", 202), ("9", 508), ("-1", 400), ("x", 400)):
            status, _, answer = relay.request("POST", path, push, {
                "X-Gitlab-Token": source["secret"], "X-Gitlab-Event": "Push Hook", "ringpost-hops": hops})
            self.assertEqual(status, wanted, (hops, answer))

    # A git host tells of each status that it was told of, and no count comes back with that.
    def test_a_status_that_the_host_reports_back_makes_no_other_status(self):
        relay = self.place.relay()
        source, path = self.source(relay, "github")
        host = git_hosts.GitHub(commits={COMMIT})
        self.addCleanup(host.close)
        reported = []

        def report(said):
            body = json.dumps({"sha": COMMIT, "state": said["state"], "context": said["context"],
                               "build_status": 1, "build": {"state": "passed", "commit": COMMIT},
                               "repository": {"full_name": "acme/shop"}, "sender": {"login": "ada"}}).encode()
            digits = hmac.new(source["secret"].encode(), body, hashlib.sha256).hexdigest()
            reported.append(relay.request("POST", path, body, {
                "X-GitHub-Event": "status", "X-GitHub-Delivery": f"d-{len(reported)}",
                "X-Hub-Signature-256": "sha256=" + digits})[::2])

        host.on_status = report
        relay.add_webhook(dialect="git-status", url=host.url, secret=host.token, events=["*"],
                          settings={"host": "github"})
        relay.send({"type": "build/finished", "source": "app/shop", "data": {"build_status": 1},
                    "gitcommit": COMMIT, "gitrepository": "acme/shop"})
        relay.wait_until_settled()
        (status, answer), = reported
        self.assertEqual((status, answer["accepted"], answer["deliveries"]), (202, 1, 0))
        self.assertEqual(len(host.statuses), 1)

    def test_no_webhook_may_say_the_count_itself(self):
        relay = self.place.relay()
        for name in ("Ringpost-Hops", "ringpost-delivery"):
            status, _, answer = relay.request("POST", "/pipelines/33/hooks/outgoing", {
                "name": "out", "target_url": "https://ci.example.org/",
                "settings": {"request_headers": [{"name": name, "value": "0"}]},
                "trigger_when": {"events": ["action.completed"]}})
            self.assertEqual(status, 422, answer)
            status, _, answer = relay.request("POST", "/v1/webhooks", {
                "url": "https://ci.example.org/", "headers": {name: "0"}})
            self.assertEqual(status, 422, answer)

    def test_two_counts_are_none(self):
        relay = self.place.relay()
        event = json.dumps({"type": "t", "source": "s", "data": {}})
        answer = harness.raw_exchange(relay.port, (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{relay.port}\r\nAuthorization: Bearer {relay.token}\r\n"
            f"Content-Type: application/json\r\nringpost-hops: 0\r\nRingpost-Hops: 9\r\nConnection: close\r\n"
            f"Content-Length: {len(event)}\r\n\r\n{event}").encode())
        self.assertIn(b" 400 ", answer.split(b"\r\n")[0])

    def test_the_count_of_a_request_is_read_and_bounded(self):
        relay = self.place.relay()
        event = json.dumps({"type": "build/done", "source": "app/one", "data": {}})
        for hops, wanted in (("1", 202), ("8", 202), ("9", 508), ("99999999999999999999", 400),
                             ("-1", 400), ("x", 400), ("", 400)):
            status, answer = relay.send(event, **{"ringpost-hops": hops})
            self.assertEqual(status, wanted, (hops, answer))


if __name__ == "__main__":
    unittest.main(verbosity=2)
