"""Users on a real relay: made and changed with the program, signed in from a browser, not guessed, not forged."""

import http.client
import json
import os
import pty
import subprocess
import unittest

import harness

PASSWORD = "correct horse battery"


class Users(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def user(self, relay, *arguments, given=None, code=0):
        """Runs `ringpost user`. @returns its output, or what it refused."""
        environment = dict(os.environ, RINGPOST_URL=f"http://127.0.0.1:{relay.port}", RINGPOST_TOKEN=relay.token)
        done = subprocess.run([harness.RINGPOST, "user", *arguments], input=given, capture_output=True, text=True,
                              env=environment, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def signs_in(self, relay, name, password):
        connection = relay.connect()
        connection.request("POST", "/v1/session/sign-in", json.dumps({"name": name, "password": password}),
                           {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        self.assertIn(status, (201, 401))
        return status == 201

    def test_the_commands(self):
        relay = self.place.relay()
        self.assertIn("No users.", self.user(relay, "list"))
        file = self.place.path / "password"
        file.write_text(PASSWORD + "\n")
        made = json.loads(self.user(relay, "add", "--name", "ann", "--scope", "webhooks:read", "--password-file", file, "--json"))
        self.assertEqual((made["scopes"], made["sources"], made["enabled"]), (["webhooks:read"], ["*"], True))
        self.assertTrue(self.signs_in(relay, "ann", PASSWORD))
        other = self.user(relay, "add", "--name", "bob", "--scope", "admin", "--source", "app/*", "--organization", "acme",
                          given="пароль из двадцати букв\n")
        self.assertIn("acme/bob", other)
        self.assertNotIn("пароль", other)
        self.assertTrue(self.signs_in(relay, "acme/bob", "пароль из двадцати букв"))
        self.assertIn("ann", self.user(relay, "list"))
        self.assertNotIn("bob", self.user(relay, "list"))
        self.assertIn("acme/bob", self.user(relay, "list", "--organization", "acme"))
        self.assertIn("enabled", self.user(relay, "show", made["id"]))
        self.assertIn(made["id"], self.user(relay, "show", "ann"))
        self.assertEqual(json.loads(self.user(relay, "show", "acme/bob", "--json"))["sources"], ["app/*"])
        for nobody in ("bob", "acme/ann", "acm/bob"):
            self.assertIn(f'the name "{nobody}"', self.user(relay, "show", nobody, code=1))
        self.assertIn("removed", self.user(relay, "remove", "acme/bob"))
        self.assertIn("disabled", self.user(relay, "change", "ann", "--disable"))
        self.assertFalse(self.signs_in(relay, "ann", PASSWORD))
        changed = self.user(relay, "change", made["id"], "--enable", "--scope", "deliveries:read", "--source", "app/x",
                            "--password-file", "-", given="staple battery horse")
        for word in ("deliveries:read", "app/x", "enabled"):
            self.assertIn(word, changed)
        self.assertTrue(self.signs_in(relay, "ann", "staple battery horse"))
        self.assertIn("removed", self.user(relay, "remove", made["id"]))
        self.assertFalse(self.signs_in(relay, "ann", "staple battery horse"))
        self.assertIn("no such user", self.user(relay, "show", made["id"], code=1))
        self.assertIn('the name "ann"', self.user(relay, "show", "ann", code=1))

    def test_what_the_commands_refuse(self):
        relay = self.place.relay()
        add = ("add", "--name", "ann", "--scope", "admin")
        self.assertIn("at least 12 characters", self.user(relay, *add, given="short\n", code=1))
        self.assertIn("empty", self.user(relay, *add, given="", code=2))
        told = self.user(relay, *add, "--password", PASSWORD, code=2)  # Everybody here can read arguments.
        self.assertIn('no option "--password"', told)
        self.assertNotIn(PASSWORD, told)
        broken = self.place.path / "broken"
        broken.write_bytes(b"caf\xe9 caf\xe9 caf\xe9")
        self.assertIn("UTF-8", self.user(relay, *add, "--password-file", broken, code=2))
        self.assertIn("is required", self.user(relay, "change", "01JARQ5Z", code=2))
        self.assertIn("No users.", self.user(relay, "list"))

    def test_a_password_is_typed_without_being_shown(self):
        relay = self.place.relay()
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(RINGPOST_URL=f"http://127.0.0.1:{relay.port}", RINGPOST_TOKEN=relay.token)
            os.execv(harness.RINGPOST, ["ringpost", "user", "add", "--name", "ann", "--scope", "admin"])
        seen = b""
        for prompt in (b"Password: ", b"Repeat: "):
            while prompt not in seen:
                seen += os.read(terminal, 1024)
            os.write(terminal, PASSWORD.encode() + b"\n")
        while True:
            try:
                more = os.read(terminal, 1024)
            except OSError:  # The other end is closed.
                break
            if not more:
                break
            seen += more
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, seen)
        os.close(terminal)
        self.assertNotIn(PASSWORD.encode(), seen)
        self.assertTrue(self.signs_in(relay, "ann", PASSWORD))

    def test_signing_in_over_the_wire(self):
        relay = self.place.relay("--set", "server.shards=2")
        own = f"http://127.0.0.1:{relay.port}"
        user = {"name": "ann", "password": "correct horse battery", "scopes": ["webhooks:read", "webhooks:write"]}
        self.assertEqual(relay.request("POST", "/v1/users", user)[0], 201)

        def ask(method, path, body=None, kind="application/json", source="127.0.0.1", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=30, source_address=(source, 0))
            self.addCleanup(connection.close)
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body),
                               {"Content-Type": kind, **headers})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

        def sign_in(password=user["password"], name="ann", **more):
            return ask("POST", "/v1/session/sign-in", {"name": name, "password": password}, **{"Origin": own, **more})

        # Forged: by another site, by another port of this host, as a form or a text that no browser asks about.
        for foreign in ({"Origin": "https://evil.example"}, {"Origin": f"http://127.0.0.1:{relay.port + 1}"}, {"Origin": "null"},
                        {"Sec_Fetch_Site": "cross-site"}):
            answer = ask("POST", "/v1/session/sign-in", {"name": "ann", "password": user["password"]}, **foreign)
            self.assertEqual((answer[0], answer[1]["Set-Cookie"]), (403, None), foreign)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            self.assertEqual(sign_in(kind=kind)[0], 415, kind)
        status, headers, _ = sign_in()
        self.assertEqual(status, 201)
        cookie = headers["Set-Cookie"].split(";")[0]
        webhook = {"url": "https://example.com/"}
        self.assertEqual(ask("GET", "/v1/webhooks", Cookie=cookie)[0], 200)
        self.assertEqual(ask("POST", "/v1/webhooks", webhook, Cookie=cookie, Origin=own)[0], 201)
        password = {"current_password": user["password"], "password": "staple battery horse"}
        for foreign in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "same-site"}, {}):
            self.assertEqual(ask("POST", "/v1/webhooks", webhook, Cookie=cookie, **foreign)[0], 403, foreign)
            self.assertEqual(ask("POST", "/v1/session/password", password, Cookie=cookie, **foreign)[0], 403, foreign)

        # A stranger who guesses is stopped, and the user is not.
        seen = [sign_in("wrong wrong wrong", source="127.0.0.66")[0] for _ in range(40)]
        self.assertEqual(set(seen), {401, 429})
        self.assertLessEqual(seen.count(401), 6)
        self.assertEqual(sign_in()[0], 201)

        # The password, and what the user may do, are those of now on every connection, and after a restart.
        self.assertEqual(ask("POST", "/v1/session/password", password, Cookie=cookie, Origin=own)[0], 200)
        self.assertEqual(ask("GET", "/v1/webhooks", Cookie=cookie)[0], 200)
        self.assertEqual(relay.stop(), 0)
        relay = self.place.relay("--set", "server.shards=2")
        own = f"http://127.0.0.1:{relay.port}"
        self.assertEqual(ask("GET", "/v1/webhooks", Cookie=cookie)[0], 401)
        self.assertEqual(sign_in(Origin=own)[0], 401)
        self.assertEqual(sign_in(password["password"], Origin=own)[0], 201)
        for file in relay.data_dir.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"scrypt$", file.read_bytes(), file)


if __name__ == "__main__":
    unittest.main(verbosity=2)
