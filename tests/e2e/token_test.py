"""Tokens on a real relay: revoked and expired at once, bound to sources, not guessed, written down."""

import http.client
import json
import subprocess
import time
import unittest

import harness

GUESSES = 10_000


class Tokens(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        cls.relay = cls.place.relay("--set", "server.shards=2")

    def make(self, *scopes, token=None, **members):
        """@returns the record of a new token, with its text."""
        body = {"name": "test", "scopes": list(scopes) or ["admin"], **members}
        status, _, made = self.ask("POST", "/v1/tokens", token, body)
        self.assertEqual(status, 201, made)
        return made

    def ask(self, method, path, token=None, body=None, connection=None, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.relay.request(method, path, body, headers, connection)

    def send(self, token, events, connection=None):
        """Posts events of these sources as lines; returns the status and the answer."""
        lines = "\n".join(json.dumps({"type": "t", "source": source, "data": {}})
                          for source in events)
        status, _, answer = self.ask("POST", "/v1/events", token, lines, connection,
                                     **{"Content-Type": "application/x-ndjson"})
        return status, answer

    def test_revokes_on_open_connections_of_every_shard(self):
        made = self.make("events:write", "webhooks:read")
        connections = [self.relay.connect() for _ in range(8)]  # The kernel spreads them.
        try:
            for connection in connections:
                self.assertEqual(self.send(made["token"], ["a"], connection)[0], 202)
                self.assertEqual(
                    self.ask("GET", "/v1/webhooks", made["token"], None, connection)[0], 200)
            self.assertEqual(self.ask("DELETE", f"/v1/tokens/{made['id']}")[0], 204)
            for connection in connections:
                self.assertEqual(self.send(made["token"], ["a"], connection)[0], 401)
                self.assertEqual(
                    self.ask("GET", "/v1/webhooks", made["token"], None, connection)[0], 401)
        finally:
            for connection in connections:
                connection.close()

    def test_expires_on_an_open_connection(self):
        made = self.make("events:write", "webhooks:read", expires_in_s=2)
        connection = self.relay.connect()
        statuses = set()
        deadline = time.monotonic() + 30
        while 401 not in statuses:
            self.assertLess(time.monotonic(), deadline, statuses)
            statuses.add(self.send(made["token"], ["a"], connection)[0])
            time.sleep(0.05)
        self.assertEqual(statuses, {202, 401})
        self.assertEqual(self.ask("GET", "/v1/webhooks", made["token"])[0], 401)
        connection.close()

    def test_keeps_a_token_to_its_sources(self):
        narrow = self.make("admin", sources=["own/*"])["token"]
        self.assertEqual(self.send(narrow, ["own/1", "own/2"])[0], 202)
        before = self.relay.status()["totals"]["events_accepted"]
        status, problem = self.send(narrow, ["own/1", "pipeline/1", "own/2"])
        self.assertEqual((status, problem["line"], problem["member"]), (403, 2, "source"))
        self.assertEqual(self.relay.status()["totals"]["events_accepted"], before)

        wide = self.relay.add_webhook(url="https://127.0.0.1:1/", sources=["pipeline/1"])
        self.assertEqual(self.ask("GET", f"/v1/webhooks/{wide['id']}", narrow)[0], 404)
        status, _, problem = self.ask("POST", "/v1/webhooks", narrow,
                                      {"url": "https://127.0.0.1:1/"})
        self.assertEqual((status, problem["member"]), (403, "sources"))
        status, _, own = self.ask("POST", "/v1/webhooks", narrow,
                                  {"url": "https://127.0.0.1:1/", "sources": ["own/9"]})
        self.assertEqual(status, 201, own)
        items = self.ask("GET", "/v1/webhooks", narrow)[2]["items"]
        self.assertEqual([item["id"] for item in items], [own["id"]])

    def test_hides_what_belongs_to_another_organization(self):
        sink = self.place.sink(name="sink-organizations")
        webhook = self.relay.add_webhook(url=sink.url + "/in", sources=["app/hidden"],
                                         tls=sink.tls())
        admin = self.relay.token
        status, answer = self.send(admin, ["app/hidden"])
        self.assertEqual(status, 202)
        event = answer["events"][0]["id"]
        delivery = self.relay.wait_for_delivery(webhook, lambda d: d["status"] == "delivered")
        theirs = self.make("admin", organization="acme")
        for method, path in (("GET", f"/v1/webhooks/{webhook['id']}"),
                             ("PATCH", f"/v1/webhooks/{webhook['id']}"),
                             ("DELETE", f"/v1/webhooks/{webhook['id']}"),
                             ("POST", f"/v1/webhooks/{webhook['id']}/disable"),
                             ("GET", f"/v1/webhooks/{webhook['id']}/deliveries"),
                             ("GET", f"/v1/deliveries/{delivery['id']}"),
                             ("POST", f"/v1/deliveries/{delivery['id']}/redeliver"),
                             ("GET", f"/v1/events/{event}"),
                             ("DELETE", f"/v1/tokens/{self.make('events:write')['id']}"),
                             ("GET", "/v1/tokens?organization=default"),
                             ("GET", "/v1/audit?organization=default")):
            body = {} if method in ("PATCH", "POST") else None
            self.assertEqual(self.ask(method, path, theirs["token"], body)[0], 404, (method, path))
        self.assertEqual(self.ask("GET", "/v1/webhooks", theirs["token"])[2]["items"], [])
        # An event of theirs reaches no webhook of ours.
        self.assertEqual(self.send(theirs["token"], ["app/hidden"])[0], 202)
        self.assertEqual(len(self.relay.deliveries(webhook)), 1)

    def test_slows_down_guesses_and_never_a_good_token(self):
        good = self.make("events:write", "webhooks:read")["token"]
        connection = self.relay.connect()
        counts = {}
        text = set()
        for number in range(GUESSES):
            token = f"rp_{number:064x}"
            if number % 2:
                connection.request("GET", "/v1/webhooks",
                                   headers={"Authorization": f"Bearer {token}"})
            else:  # Without a body: a refusal before one would close the connection.
                connection.request("POST", "/v1/events", body=b"",
                                   headers={"Authorization": f"Bearer {token}",
                                            "Content-Type": "application/json"})
            answer = connection.getresponse()
            text.add((number % 2, answer.status, answer.read()))
            counts[answer.status] = counts.get(answer.status, 0) + 1
            if answer.status == 429:
                self.assertGreater(int(answer.headers["Retry-After"]), 0)
            if number % 500 == 0:
                self.assertEqual(self.send(good, ["a"])[0], 202)
                self.assertEqual(self.ask("GET", "/v1/webhooks", good)[0], 200)
        connection.close()
        self.assertEqual(set(counts), {401, 429})
        # Two shards and the control thread count by themselves: 20 at once, one in three seconds.
        self.assertLess(counts[401], 500, counts)
        self.assertEqual(len(text), 4, text)  # One refusal of each kind at each door.
        totals = self.relay.status()["totals"]
        self.assertGreaterEqual(totals["tokens_refused"], GUESSES)
        self.assertGreaterEqual(totals["tokens_throttled"], counts[429])
        for _ in range(20):
            self.relay.read(0.05)
        lines = [line for line in self.relay.lines if "invalid token" in line]
        self.assertTrue(lines)
        self.assertLess(len(lines), 100)
        self.assertFalse([line for line in self.relay.lines if "rp_" in line])

    def test_guesses_from_500_addresses_hold_up_no_good_token(self):
        good = self.make("webhooks:read")["token"]
        before = self.relay.status()["totals"]["tokens_refused"]
        for number in range(500):
            source = f"127.0.{1 + number // 250}.{1 + number % 250}"
            connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=10,
                                                    source_address=(source, 0))
            for guess in range(20):
                connection.request("GET", "/v1/webhooks",
                                   headers={"Authorization": f"Bearer rp_{number:032x}{guess:032x}"})
                answer = connection.getresponse()
                answer.read()
                self.assertIn(answer.status, (401, 429))
            if number % 50 == 0:  # Also from where the guesses come.
                connection.request("GET", "/v1/webhooks", headers={"Authorization": f"Bearer {good}"})
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, 200)
                self.assertEqual(self.ask("GET", "/v1/webhooks", good)[0], 200)
            connection.close()
        self.assertGreaterEqual(self.relay.status()["totals"]["tokens_refused"] - before, GUESSES)

    def test_writes_down_changes(self):
        admin = self.make("admin", organization="audited")
        token = admin["token"]
        _, _, webhook = self.ask("POST", "/v1/webhooks", token,
                                 {"url": "https://127.0.0.1:1/?key=hidden"})
        path = f"/v1/webhooks/{webhook['id']}"
        self.ask("PATCH", path, token, {"description": "x"})
        self.ask("DELETE", path, token)
        status, _, audit = self.ask("GET", "/v1/audit?organization=audited")
        self.assertEqual(status, 200, audit)
        self.assertEqual([(entry["operation"], entry["members"], entry["status"])
                          for entry in audit["items"]],
                         [("webhook.delete", [], 204),
                          ("webhook.update", ["description"], 200),
                          ("webhook.create", ["url", "secret"], 201),
                          ("token.create", ["name", "scopes", "organization"], 201)])
        newest = audit["items"][0]
        self.assertEqual(newest["token"], {"id": admin["id"], "name": "test",
                                           "organization": "audited"})
        self.assertTrue(newest["peer"].startswith("127.0.0.1:"), newest)
        self.assertNotIn("hidden", json.dumps(audit))
        self.assertEqual(audit["items"][3]["token"]["name"], "admin")
        self.assertEqual(self.ask("GET", "/v1/audit", token)[2], audit)

    def test_manages_tokens_from_the_command_line(self):
        made = self.relay.cli("token", "add", "--name", "ci", "--scope", "events:write",
                              "--source", "app/*", "--expires-in", "12h")
        self.assertIn("shown only this once", made.stdout)
        text = next(line.split()[1] for line in made.stdout.splitlines()
                    if line.startswith("token "))
        self.assertEqual(self.send(text, ["app/cli"])[0], 202)
        listed = self.relay.cli("token", "list").stdout
        self.assertIn("app/*", listed)
        self.assertNotIn(text, listed)
        as_json = json.loads(self.relay.cli("token", "add", "--name", "other", "--scope", "admin",
                                            "--organization", "other-one", "--json").stdout)
        listed = self.relay.cli("token", "list", "--organization", "other-one").stdout
        self.assertIn(as_json["id"], listed)
        self.assertIn("removed", self.relay.cli("token", "remove", as_json["id"]).stdout)
        self.assertEqual(self.ask("GET", "/v1/webhooks", as_json["token"])[0], 401)
        self.assertEqual(self.relay.cli("token", "add", "--name", "x", "--scope", "admin",
                                        "--expires-in", "soon", check=False).returncode, 2)
        for source, code in (("", 1), (None, 2)):  # As an unset variable makes it.
            words = ("--source",) if source is None else ("--source", source)
            self.assertEqual(self.relay.cli("token", "add", "--name", "x", "--scope", "admin",
                                            *words, check=False).returncode, code)
        for _ in range(2):
            self.relay.cli("token", "add", "--name", "twin", "--scope", "events:write")
        twins = self.relay.cli("token", "remove", "twin", check=False)
        self.assertEqual(twins.returncode, 1)
        self.assertRegex(twins.stderr, r'2 have the name "twin"; give an id: \S{26} \S{26}\n')
        self.assertIn("removed", self.relay.cli("token", "remove", "ci").stdout)
        self.assertIn("removed", self.relay.cli("token", "remove", twins.stderr.split()[-1]).stdout)
        last = self.relay.cli("token", "remove", self.operator(), check=False)
        self.assertEqual(last.returncode, 1)
        self.assertIn("Make the new one first", last.stderr)

    def test_makes_an_admin_token_while_the_relay_is_stopped(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        relay = place.relay()
        lost = relay.data_dir / "admin.token"
        running = relay.cli("token", "add", "--data-dir", relay.data_dir, check=False)
        self.assertEqual((running.returncode, running.stdout), (1, ""))
        self.assertIn("stop it first", running.stderr)
        relay.stop()
        lost.unlink()

        def offline(*arguments):
            return subprocess.run([harness.RINGPOST, "token", "add", "--data-dir", relay.data_dir,
                                   *arguments], capture_output=True, text=True, timeout=60)

        made = offline("--out", lost)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(lost.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(lost.read_text().strip(), made.stdout + made.stderr)
        self.assertEqual(offline("--out", lost).returncode, 1)  # It is there: not overwritten.
        printed = offline("--name", "rescue")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertEqual(offline("--scope", "events:write").returncode, 2)
        relay = place.relay()
        for token in (relay.token, printed.stdout.strip()):
            status, _, listed = relay.request("GET", "/v1/tokens", None,
                                              {"Authorization": "Bearer " + token})
            self.assertEqual(status, 200)
        self.assertEqual([item["name"] for item in listed["items"]], ["rescue", "admin", "admin"])

    def operator(self):
        items = self.ask("GET", "/v1/tokens?limit=200")[2]["items"]
        return next(item["id"] for item in items if item["name"] == "admin")


if __name__ == "__main__":
    unittest.main(verbosity=2)
