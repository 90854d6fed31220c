"""Builds' states as commit statuses at git hosts: the real relay, and fakes of the hosts' APIs (git_hosts.py)."""

import hashlib
import hmac
import json
import time
import unittest
import urllib.parse

import git_hosts
import harness

COMMIT = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
OTHER = "b" * 40

# Of each vendor: the events of a build that runs and passes.
BUILDS = {
    "bitrise": ("app/shop", [
        ("build/triggered", {"build_number": 7, "build_status": 0}),
        ("build/finished", {"build_number": 7, "build_status": 1})]),
    "buildkite": ("pipeline/shop", [
        ("build.scheduled", {"build": {"number": 7, "state": "scheduled"}}),
        ("build.running", {"build": {"number": 7, "state": "running"}}),
        ("build.finished", {"build": {"number": 7, "state": "passed", "web_url": "https://ci.example.org/7"}})]),
    "devopness": ("pipeline/33", [
        ("action.queued", {"action": {"id": 7, "pipeline_id": 33, "status": "queued"}}),
        ("action.started", {"action": {"id": 7, "pipeline_id": 33, "status": "in-progress"}}),
        ("action.completed", {"action": {"id": 7, "pipeline_id": 33, "status": "completed"}})]),
}
PASSED = {"github": "success", "gitlab": "success", "bitbucket": "SUCCESSFUL", "bitbucket-server": "SUCCESSFUL",
          "gitea": "success", "forgejo": "success"}


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)


class StatusTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay("--set", "server.shards=2")

    def host(self, kind=git_hosts.GitHub, **options):
        host = kind(commits={COMMIT, OTHER}, **options)
        self.addCleanup(host.close)
        return host

    def hook(self, host, settings=None, **members):
        return self.relay.add_webhook(
            dialect="git-status", url=host.url, secret=host.token, **members,
            settings={"host": host.kind, **(settings or {})})

    def send(self, kind, data, source="app/shop", commit=COMMIT, **attributes):
        status, answer = self.relay.send({"type": kind, "source": source, "data": data, "gitcommit": commit,
                                          "gitrepository": "acme/shop", **attributes})
        self.assertEqual(status, 202, answer)
        return answer

    def finished(self, status=1, **attributes):
        return self.send("build/finished", {"build_number": 7, "build_status": status}, **attributes)

    def ended(self, hook, wanted="delivered"):
        return self.relay.wait_for_delivery(hook, lambda found: found["status"] == wanted)


class Hosts(StatusTest):

    def test_each_host_hears_of_each_vendors_builds(self):
        hosts = [self.host(kind) for kind in git_hosts.HOSTS]
        for host in hosts:
            self.hook(host)
        for source, events in BUILDS.values():
            for kind, data in events:
                self.send(kind, data, source)
                self.relay.wait_until_settled()
        for host in hosts:
            with self.subTest(host.kind):
                name = "key" if host.kind.startswith("bitbucket") else "context"
                for source, events in BUILDS.values():
                    took = [each for each in host.statuses if each[name] == source]
                    self.assertEqual(len(took), len(events), took)
                    self.assertEqual(took[-1]["state"], PASSED[host.kind])
                    self.assertNotEqual(took[0]["state"], PASSED[host.kind])
                    self.assertTrue(took[-1]["description"].endswith("7 passed"), took)
                    self.assertEqual({each["commit"] for each in took}, {COMMIT})

    def test_texts_too_long_for_a_host_are_cut_and_not_refused(self):
        settings = {"context": "{{ event.long }}", "description": "{{ event.long }}",
                    "target_url": "https://ci.example.org/{{ event.long }}"}
        hosts = [self.host(kind) for kind in git_hosts.HOSTS]
        hooks = [self.hook(host, settings) for host in hosts]
        self.finished(long="é" * 500)
        for host, hook in zip(hosts, hooks):
            self.ended(hook)
            self.assertEqual(len(host.statuses), 1, host.kind)

    def test_bitbucket_takes_a_user_and_password(self):
        host = self.host(git_hosts.Bitbucket, token="ada:app-password")
        self.ended_with(host)

    def ended_with(self, host):
        hook = self.hook(host)
        self.finished()
        self.ended(hook)
        self.assertEqual(len(host.statuses), 1)

    def test_other_events_are_not_for_it(self):
        hook = self.hook(self.host(), events=["*"])
        for kind, data in (("git.push", {}), ("job.finished", {"build": {"state": "passed"}}), ("build/odd", {}),
                           ("build.scheduled", {"build": {"state": "scheduled", "commit": "HEAD"}})):
            self.assertEqual(self.send(kind, data)["deliveries"], 0)
        self.assertEqual(self.relay.deliveries(hook), [])


class Refusals(StatusTest):

    def test_a_status_that_no_host_can_have_is_a_dead_letter_that_says_why(self):
        host = self.host()
        hook = self.hook(host)
        for attributes, words in (({"commit": "main"}, "settings.commit"),
                                  ({"gitrepository": "acme"}, "settings.repository")):
            self.finished(**attributes)
            found = self.ended(hook, "dead")
            self.assertEqual(found["attempts"][0]["error"]["code"], "not_renderable")
            self.assertIn(words, found["attempts"][0]["error"]["detail"])
        self.assertEqual(host.calls, [])

    def test_what_stays_wrong_is_not_repeated_and_a_rate_limit_is(self):
        host = self.host()
        hook = self.hook(host, schedule=[1, 1, 1])
        self.finished(commit="c" * 40)
        found = self.ended(hook, "dead")
        self.assertEqual([each["response"]["status"] for each in found["attempts"]], [422])
        host.failures = [git_hosts.GitHub.rate_limited, (503, {}, {})]
        self.finished()
        found = self.ended(hook)
        self.assertEqual([each["response"]["status"] for each in found["attempts"]], [403, 503, 201])

    def test_a_token_that_was_replaced_is_used_for_the_next_attempt(self):
        host = self.host()
        hook = self.hook(host, schedule=[1] * 30)
        host.token = "another-token"
        self.finished()
        wait_until(lambda: len(host.calls) > 0)
        status, _, answer = self.relay.request("POST", f"/v1/webhooks/{hook['id']}/rotate-secret", {})
        self.assertEqual((status, answer["member"]), (422, "secret"), "a host's token is not made up")
        status, _, answer = self.relay.request("POST", f"/v1/webhooks/{hook['id']}/rotate-secret",
                                               {"secret": "another-token"})
        self.assertEqual(status, 200, answer)
        self.assertNotIn("another-token", json.dumps(answer))
        self.ended(hook)

    def test_webhooks_that_cannot_work_are_refused(self):
        for members, member in (
                ({"settings": {"host": "github"}}, "secret"),
                ({"settings": {}, "secret": "t"}, "settings.host"),
                ({"secret": "t"}, "settings.host"),
                ({"settings": {"host": "gogs"}, "secret": "t"}, "settings.host"),
                ({"settings": {"host": "github"}, "secret": "a b"}, "secret"),
                ({"settings": {"host": "github", "repository": "../x"}, "secret": "t"}, "settings.repository"),
                ({"settings": {"host": "github"}, "secret": "t", "url": "https://github.com"}, "url"),
                ({"settings": {"host": "github"}, "secret": "t", "url": "https://api.github.com/?a=1"}, "url"),
                ({"settings": {"host": "github"}, "secret": "t", "events": ["git.push"]}, "events[0]"),
                ({"settings": {"host": "github"}, "secret": "t", "headers": {"Authorization": "x"}},
                 "headers.Authorization")):
            status, _, answer = self.relay.request("POST", "/v1/webhooks", {
                "dialect": "git-status", "url": "https://api.github.com", **members})
            self.assertEqual((status, answer.get("member")), (422, member), answer)
        hook = self.hook(self.host())
        for change in ({"secret": ""}, {"settings": {"host": None}}):
            status, _, answer = self.relay.request("PATCH", f"/v1/webhooks/{hook['id']}", change)
            self.assertEqual(status, 422, answer)
        status, _, answer = self.relay.request("POST", f"/v1/webhooks/{hook['id']}/ping")
        self.assertEqual(status, 409, answer)


class Secrecy(StatusTest):

    def test_the_token_is_nowhere_to_be_read(self):
        for kind in git_hosts.HOSTS:
            host = self.host(kind, token="very-secret-token-of-" + kind.kind)
            hook = self.hook(host)
            self.finished()
            found = self.ended(hook)
            shown = [json.dumps(each) for each in (
                hook, found, self.relay.request("GET", f"/v1/webhooks/{hook['id']}")[2],
                self.relay.request("GET", "/v1/audit")[2])]
            shown.append(self.relay.cli("webhook", "show", hook["id"]).stdout)
            shown.append(self.relay.cli("delivery", "show", found["id"]).stdout)
            for text in shown:
                self.assertNotIn(host.token, text)
            self.assertEqual(len(host.statuses), 1)
        self.relay.stop()
        for file in self.relay.data_dir.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"very-secret-token-of-", file.read_bytes(), file)


class Superseding(StatusTest):

    def test_only_the_newest_of_a_context_is_sent_while_the_host_is_slow(self):
        host = self.host()
        hook = self.hook(host)
        host.gate.clear()
        self.send("build/triggered", {"build_number": 7, "build_status": 0})
        wait_until(lambda: len(host.calls) == 1)
        for status in (2, 3, 1):
            self.finished(status)
        self.finished(2, commit=OTHER)
        self.finished(1, source="app/other")
        wait_until(lambda: len(self.relay.deliveries(hook, "&status=cancelled")) == 2)
        host.gate.set()
        self.relay.wait_until_settled()
        self.assertEqual([(each["commit"], each["context"], each["state"]) for each in host.statuses], [
            (COMMIT, "app/shop", "pending"), (COMMIT, "app/shop", "success"), (OTHER, "app/shop", "failure"),
            (COMMIT, "app/other", "success")])
        dropped = self.relay.deliveries(hook, "&status=cancelled")
        self.assertEqual([one["status_reason"] for one in dropped], 2 * ["a newer event says more about the same"])

    # Else a build that passed would be shown as one that runs, for ever.
    def test_what_failed_before_a_newer_one_was_sent_does_not_come_after_a_restart(self):
        host = self.host()
        hook = self.hook(host, schedule=[3, 3, 3])
        host.failures = [(503, {}, {})]
        self.send("build/triggered", {"build_number": 7, "build_status": 0})
        wait_until(lambda: len(host.calls) == 1)
        self.finished()
        wait_until(lambda: len(host.statuses) == 1)
        # On record, too: what the relay does not know to have sent it sends again.
        wait_until(lambda: len(self.relay.deliveries(hook, "&status=delivered")) == 1)
        self.relay.kill()
        self.relay = self.place.relay("--set", "server.shards=2")
        self.relay.wait_until_settled()
        time.sleep(4)
        self.assertEqual([each["state"] for each in host.statuses], ["success"])
        self.assertEqual(sorted(found["status"] for found in self.relay.deliveries(hook)), ["cancelled", "delivered"])


class Journey(StatusTest):
    """A push becomes a build, and the build's end a status of the commit that was pushed."""

    def test_from_the_push_to_the_status(self):
        host = self.host()
        self.hook(host, {"context": "ci/{{ event.source }}",
                         "target_url": "https://ci.example.org/builds/{{ build_slug }}"})
        status, _, source = self.relay.request("POST", "/v1/sources", {"host": "github", "app": "shop"})
        self.assertEqual(status, 201, source)
        triggers = self.relay.add_webhook(url=self.host(git_hosts.Gitea).url, sources=["app/shop"],
                                          events=["build/trigger"], schedule=[])
        push = json.dumps({"ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT,
                           "head_commit": {"id": COMMIT, "message": "Add login"},
                           "repository": {"full_name": "acme/shop"}, "sender": {"login": "ada"}}).encode()
        mac = hmac.new(source["secret"].encode(), push, hashlib.sha256).hexdigest()
        connection = self.relay.connect()
        connection.request("POST", urllib.parse.urlsplit(source["url"]).path, push, {
            "Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1",
            "X-Hub-Signature-256": "sha256=" + mac})
        self.assertEqual(connection.getresponse().status, 201)
        connection.close()
        wait_until(lambda: self.relay.deliveries(triggers))
        # What a scheduler does with the call that it got.
        event = self.relay.deliveries(triggers)[0]["event"]
        event = self.relay.request("GET", f"/v1/events/{event['id']}?source={event['source']}")[2]
        parameters = event["data"]["build_params"]
        for number, kind in ((0, "build/triggered"), (1, "build/finished")):
            self.send(kind, {"build_slug": "b-1", "build_number": 7, "build_status": number},
                      commit=parameters["commit_hash"])
            self.relay.wait_until_settled()
        self.assertEqual([(each["commit"], each["context"], each["state"], each["target_url"])
                          for each in host.statuses],
                         [(COMMIT, "ci/app/shop", state, "https://ci.example.org/builds/b-1")
                          for state in ("pending", "success")])


class CommandLine(StatusTest):

    def test_a_webhook_is_made_and_changed(self):
        host = self.host()
        token = self.place.path / "token"
        token.write_text(host.token + "\n")
        shown = self.relay.cli("webhook", "add", "--dialect", "git-status", "--url", host.url, "--secret", f"@{token}",
                               "--setting", "host=github", "--setting", "repository=acme/shop",
                               "--setting", "context=ci/{{ event.source }}", "--source", "app/*").stdout
        self.assertNotIn(host.token, shown)
        hook = self.relay.request("GET", "/v1/webhooks")[2]["items"][0]
        self.assertEqual(hook["settings"]["repository"], "acme/shop")
        self.relay.cli("webhook", "update", hook["id"], "--setting", "context=other")
        self.finished(gitrepository="not/this")
        self.ended(hook)
        self.assertEqual(host.statuses[0]["context"], "other")
        self.assertIn("git-status", self.relay.cli("webhook", "add", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
