"""Git sources registered at their hosts, and what did not come from there: the real relay, and fakes of the hosts (git_hooks.py)."""

import json
import re
import time
import unittest

import git_hooks
import harness


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.05)


class RegisterTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.port = harness.free_port()
        self.relay = self.start()

    def start(self):
        """The relay, always at the same address."""
        return self.place.relay(
            "--set", "server.shards=2", "--set", f"server.public_url=http://127.0.0.1:{self.port}",
            "--set", "incoming.gap_interval=1s", "--set", "incoming.redeliveries_per_minute=60",
            listen=(f"127.0.0.1:{self.port}",))

    def host(self, kind=git_hooks.GitHub, **options):
        host = kind(**options)
        self.addCleanup(host.close)
        return host

    def source(self, host, **members):
        status, _, source = self.relay.request("POST", "/v1/sources", {
            "host": host.kind, "git": {"url": host.repository_url, "token": host.token}, **members})
        self.assertEqual(status, 201, source)
        return source

    def register(self, source):
        status, headers, answer = self.relay.request("POST", f"/v1/sources/{source['id']}/register")
        return status, headers, answer

    def registered(self, host, **members):
        """A source, and its webhook at the host."""
        source = self.source(host, **members)
        status, _, answer = self.register(source)
        self.assertEqual(status, 200, answer)
        (hook,) = host.ours(self.relay)
        return source, hook

    def show(self, source):
        return self.relay.request("GET", f"/v1/sources/{source['id']}")[2]

    def gaps(self, source):
        return {gap["delivery"]: gap for gap in
                self.relay.request("GET", f"/v1/sources/{source['id']}/gaps")[2]["items"]}

    def events(self, **query):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.relay.request("GET", f"/v1/events?limit=100&{text}")[2]["items"]

    def test_a_push_becomes_an_event_once_the_source_is_registered(self):
        for kind in git_hooks.HOSTS:
            with self.subTest(kind.kind):
                host = self.host(kind)
                for number in range(5):  # Other webhooks, on pages before ours.
                    host.add(f"https://elsewhere.example/{number}")
                source, hook = self.registered(host)
                self.assertNotEqual(hook["secret"], source["secret"])
                delivery = host.push(hook)
                self.assertIn(host.calls_of(delivery)[0], (200, 202))
                self.assertIn(delivery, [event["id"] for event in self.events(type="git.push")])

    def test_registering_again_changes_the_one_webhook_and_its_secret(self):
        for kind in git_hooks.HOSTS:
            with self.subTest(kind.kind):
                host = self.host(kind)
                for number in range(3):
                    host.add(f"https://elsewhere.example/{number}")
                source, hook = self.registered(host)
                before = dict(hook)
                status, _, answer = self.register(source)
                self.assertEqual(status, 200, answer)
                (hook,) = host.ours(self.relay)
                self.assertEqual(hook["url"], before["url"])
                if host.change_keeps_secret:
                    self.assertEqual(answer["result"], f"made webhook {hook['id']} in place of {before['id']}")
                else:
                    self.assertEqual(answer["result"], f"changed webhook {hook['id']}")
                    self.assertEqual(hook["id"], before["id"])
                self.assertNotEqual(hook["secret"], before["secret"])
                for each in (hook, before):  # Calls with the old secret may be on their way.
                    self.assertIn(host.calls_of(host.push(each))[0], (200, 202))
                self.assertEqual(len(host.hooks), 4)

    def test_what_cannot_be_deleted_is_said_and_tried_again(self):
        host = self.host(git_hooks.Gitea)
        source, before = self.registered(host)
        respond, refused = host.respond, []

        def respond_but_not_to_deletes(method, *rest):
            if method == "DELETE" and not refused:
                refused.append(method)
                return 403, {}, {"message": "Must be an owner"}
            return respond(method, *rest)

        host.respond = respond_but_not_to_deletes
        status, _, answer = self.register(source)
        self.assertEqual((status, answer["failed"]), (200, False), answer)
        self.assertRegex(answer["result"], f"webhook {before['id']}, which it replaces, could not be deleted.*Must be an owner")
        self.assertEqual(len(host.ours(self.relay)), 2)
        self.assertEqual(self.register(source)[0], 200)
        (hook,) = host.ours(self.relay)
        self.assertIn(host.calls_of(host.push(hook))[0], (200, 202))

    def test_bitrise_registers_an_app(self):
        host = self.host()
        source = self.source(host, app="c0ffee")
        sink = self.place.sink(plain=True)
        self.relay.add_webhook(url=sink.url, sources=["app/c0ffee"], events=["build/trigger"])
        status, _, answer = self.relay.request("POST", "/v0.1/apps/c0ffee/register-webhook")
        self.assertEqual((status, answer), (200, {"status": "ok"}))
        (hook,) = host.ours(self.relay)
        self.assertIn("/h/github/c0ffee/", hook["url"])
        self.assertEqual(host.calls_of(host.push(hook)), [201])
        sink.wait_for_count(1)
        self.relay.request("POST", "/v0.1/apps/c0ffee/register-webhook")
        self.assertEqual(len(host.hooks), 1)
        self.assertEqual(self.show(source)["git"]["registration"]["hook_id"], str(hook["id"]))
        status, _, answer = self.relay.request("POST", "/v0.1/apps/other/register-webhook")
        self.assertEqual(status, 400)
        self.assertIn("ringpost source add", answer["message"])

    def test_what_a_host_refuses_is_said(self):
        host = self.host()
        source = self.source(host)
        cases = [
            (git_hooks.GitHub.unauthorized, 409, "expired"),
            ((403, {}, {"message": "Resource not accessible"}), 409, "Resource not accessible"),
            ((404, {}, {"message": "Not Found"}), 409, "no such repository"),
            ((301, {"Location": host.url + "/repositories/7/hooks"}, {}), 409, "moved"),
            (git_hooks.GitHub.rate_limited, 503, "rate limit"),
            ((502, {}, {}), 503, "failed itself"),
            ((200, {}, {"hooks": "many"}), 409, "not a list of webhooks"),
        ]
        for failure, wanted, words in cases:
            with self.subTest(words):
                host.failures.append(failure)
                status, headers, answer = self.register(source)
                self.assertEqual(status, wanted, answer)
                self.assertIn(words, answer["detail"])
                self.assertEqual("Retry-After" in headers, wanted == 503)
                registration = self.show(source)["git"]["registration"]
                self.assertTrue(registration["failed"])
                self.assertIn(words, registration["result"])
                self.assertIn(words, self.relay.cli("source", "show", source["id"]).stdout)
        self.assertNotIn(host.token, self.relay.cli("source", "show", source["id"], "--json").stdout)
        self.assertEqual(self.register(source)[0], 200)
        self.assertFalse(self.show(source)["git"]["registration"]["failed"])

    def test_nothing_waits_for_a_host_that_is_slow(self):
        host = self.host()
        source = self.source(host)
        host.gate.clear()
        connection = self.relay.connect()
        connection.request("POST", f"/v1/sources/{source['id']}/register",
                           headers={"Authorization": f"Bearer {self.relay.token}"})
        wait_until(lambda: host.calls)
        self.assertEqual(self.register(source)[0], 409)  # It is under way.
        for _ in range(20):
            self.assertEqual(self.relay.request("GET", "/v1/sources")[0], 200)
            self.assertEqual(self.relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        host.gate.set()
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_a_host_that_is_away(self):
        host = self.host()
        host.url = f"http://127.0.0.1:{harness.free_port()}"
        source = self.source(host)
        status, headers, answer = self.register(source)
        self.assertEqual(status, 503, answer)
        self.assertIn("could not be asked", answer["detail"])
        self.assertIn("Retry-After", headers)

    def test_what_was_pushed_while_the_relay_was_away_comes(self):
        for kind in (git_hooks.GitHub, git_hooks.GitLab):
            with self.subTest(kind.kind):
                host = self.host(kind)
                source, hook = self.registered(host)
                came = host.push(hook)
                self.relay.stop()
                missed = [host.push(hook) for _ in range(3)]
                self.relay = self.start()
                wait_until(lambda: len(host.calls_of(missed[-1])) == 2)
                wait_until(lambda: all(self.gaps(source).get(each, {}).get("state") == "filled" for each in missed))
                seen = [event["id"] for event in self.events(type="git.push")]
                for each in missed:
                    self.assertEqual(seen.count(each), 1)
                    self.assertEqual(len(host.calls_of(each)), 2)
                self.assertEqual(len(host.calls_of(came)), 1)
                told = self.relay.cli("source", "gaps", source["id"]).stdout
                self.assertEqual(told.count("filled"), 3, told)
                self.assertIn(missed[0], self.relay.cli("source", "gaps").stdout)
                git = self.show(source)["git"]
                self.assertEqual((git["gaps"]["search"], git["gaps"]["missing"]), ("on", 0))

    def test_what_always_fails_is_asked_for_three_times(self):
        host = self.host()
        source, hook = self.registered(host)
        bad = host.push(hook, b'{"ref": ')
        self.assertEqual(host.calls_of(bad), [400])
        wait_until(lambda: self.gaps(source).get(bad, {}).get("state") == "given_up")
        self.assertEqual(host.calls_of(bad), [400] * 4)
        gap = self.gaps(source)[bad]
        self.assertEqual((gap["asked"], gap["status"], gap["event"]), (3, 400, "push"))
        reads = len(host.calls)
        wait_until(lambda: len(host.calls) > reads + 3)  # It is read on, and nothing is asked for.
        self.assertEqual(host.calls_of(bad), [400] * 4)

    def test_a_log_that_cannot_be_read_is_said_and_tried_again(self):
        host = self.host()
        source, hook = self.registered(host)
        self.relay.stop()
        missed = host.push(hook)
        host.failures += [(500, {}, {}), (502, {}, {})]
        self.relay = self.start()
        wait_until(lambda: self.show(source)["git"]["gaps"]["problem"])
        self.assertIn("the last try failed", self.relay.cli("source", "show", source["id"]).stdout)
        wait_until(lambda: self.gaps(source).get(missed, {}).get("state") == "filled")
        self.assertIsNone(self.show(source)["git"]["gaps"]["problem"])
        self.assertIsNone(self.show(source)["git"]["gaps"]["not_searched"])

    def test_entries_of_a_log_that_cannot_be_read_are_said(self):
        host = self.host()
        source, _ = self.registered(host)
        host.failures += [(200, {}, [{"id": 1}, {"id": "x", "guid": "y"}])]
        wait_until(lambda: not host.failures)
        words = "2 entries of the host's log without a usable number or delivery id"
        # The next reading is whole, and may come soon.
        self.assertTrue(self.relay.wait_for(re.escape(words)))

    def test_hosts_without_a_log_are_named(self):
        host = self.host(git_hooks.Gitea)
        source, _ = self.registered(host)
        self.assertEqual(self.show(source)["git"]["gaps"]["search"], "not_offered")
        self.assertIn("shows no log", self.relay.cli("source", "show", source["id"]).stdout)
        self.assertIn("shows no log", self.relay.cli("source", "gaps", source["id"]).stderr)

    def test_the_command_line(self):
        host = self.host()
        token = self.place.path / "token"
        token.write_text(host.token + "\n")
        token.chmod(0o600)
        source = json.loads(self.relay.cli(
            "source", "add", "--host", "github", "--app", "c0ffee", "--git", host.repository_url,
            "--git-token", f"@{token}", "--json").stdout)
        self.assertIn("made webhook 40", self.relay.cli("source", "register", source["id"]).stdout)
        self.assertIn("webhook 40", self.relay.cli("source", "show", source["id"]).stdout)
        self.assertIn("Nothing is missing", self.relay.cli("source", "gaps").stdout)
        self.relay.cli("source", "update", source["id"], "--no-git")
        refused = self.relay.cli("source", "register", source["id"], check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--git", refused.stderr)
        refused = self.relay.cli("source", "update", source["id"], "--git", "https://github.com/acme",
                                 "--git-token", f"@{token}", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("git.url", refused.stderr)


if __name__ == "__main__":
    unittest.main()
