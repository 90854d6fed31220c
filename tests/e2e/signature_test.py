"""`ringpost sign`, `ringpost verify` and the receiver: the specifications' vectors by the command line."""

import http.client
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BUILD = (b'{"build_slug":"7f3c9a10b2d44e6f","build_number":128,"app_slug":"c0ffee1234abcd56",'
         b'"build_status":1,"build_triggered_workflow":"release","git":{"provider":"github",'
         b'"src_branch":"feature/login","dst_branch":"main","pull_request_id":57,"tag":null}}')
# Dialect, secret, body, time, headers.
VECTORS = (
    ("bitrise", "relay-demo-secret", BUILD, None,
     {"Bitrise-Hook-Signature":
      "sha256=6ec7dae990eeafe2979a7512b55746da209220b24162dad1b30244403945a4ba"}),
    ("bitrise", "relay-demo-secret", BUILD + b"\n", None,
     {"Bitrise-Hook-Signature":
      "sha256=c8579f361cce9940ac913fd6a086c652bcdd34247569b6028967e8a8b916fe37"}),
    ("bitrise", "my-super-secret", b'{"app_slug":"test-app-slug"}', None,
     {"Bitrise-Hook-Signature":
      "sha256=0d86929661b1c7b216ca6a7ef4abe740ee6dc07d4afc2f21d78c888235d88713"}),
    ("bitrise", "89fa2fae2f7c89eca9d4dc1406ee5e1a", b'{"message":"test content"}', None,
     {"Bitrise-Hook-Signature": "sha1=c48856de832335695d0d1d4e3bca31d4687c0e0d"}),
    ("standard", STANDARD, b'{"test": 2432232314}', "1614265330",
     {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}),
)
DELIVERY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def run(*arguments, body=b"", secret=None):
    environment = {name: value for name, value in os.environ.items() if name != "RINGPOST_SECRET"}
    if secret is not None:
        environment["RINGPOST_SECRET"] = secret
    return subprocess.run([str(harness.RINGPOST), *map(str, arguments)], input=body,
                          capture_output=True, env=environment, timeout=30)


def verify(dialect, secret, body, headers, *arguments):
    options = [part for header in headers.items() for part in ("--header", "%s: %s" % header)]
    return run("verify", "--dialect", dialect, *options, *arguments, body=body, secret=secret)


class Verify(unittest.TestCase):

    def test_takes_the_vectors_and_names_what_is_wrong(self):
        for dialect, secret, body, time, headers in VECTORS:
            at = ("--at", time) if time else ()
            with self.subTest(headers=headers):
                done = verify(dialect, secret, body, headers, *at)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"valid\n", b""))
                done = verify(dialect, secret, body + b" ", headers, *at)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stdout, b"^not valid: .*signature (.* )?fits? .*secret\n$|^not valid: the signature does not fit")
                self.assertNotIn(secret.encode(), done.stdout + done.stderr)

    def test_judges_the_time_with_a_tolerance(self):
        _, secret, body, _, headers = VECTORS[-1]
        done = verify("standard", secret, body, headers)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rb"webhook-timestamp lies \d+ s in the past, and 300 s are")
        for tolerance, code in (("5m", 1), ("400s", 0), ("400000ms", 0), ("399s", 1), ("7m", 0),
                                ("1h", 0)):
            done = verify("standard", secret, body, headers, "--at", 1614265330 + 400,
                          "--tolerance", tolerance)
            self.assertEqual(done.returncode, code, (tolerance, done.stdout))

    def test_says_that_nothing_is_signed(self):
        done = verify("bitrise", "s", b"{}", {"X-Other": "1"})
        self.assertEqual((done.returncode, done.stdout),
                         (1, b"not valid: there is no Bitrise-Hook-Signature\n"))

    def test_wrong_usage_is_told_and_ends_with_2(self):
        for secret, arguments, part in (
                ("s", ("--dialect", "svix"), b"must be one of standard, bitrise"),
                (None, ("--dialect", "bitrise"), b"RINGPOST_SECRET"),
                (None, ("--dialect", "bitrise", "--secret", "s"), b"--secret takes @FILE"),
                ("short", ("--dialect", "standard"), b"whsec_"),
                ("s", ("--dialect", "bitrise", "--header", "no colon"), b"Name: value"),
                ("s", ("--dialect", "bitrise", "--tolerance", "soon"), b"--tolerance"),
                ("s", ("--dialect", "bitrise", "--tolerance", "400"), b"must be a number with a unit"),
                ("s", ("--dialect", "bitrise", "--tolerance", "9999999h"), b"--tolerance"),
                ("s", ("--dialect", "bitrise", "--at", "yesterday"), b"--at"),
                ("s", ("--dialect", "bitrise", "--body", "/nonexistent"), b"cannot be read"),
                ("s", (), b"--dialect")):
            with self.subTest(arguments):
                done = run("verify", *arguments, secret=secret)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(part, done.stderr)

    def test_help_shows_examples_and_exit_codes(self):
        for command in ("sign", "verify"):
            text = run(command, "--help").stdout
            for part in (b"Examples:", b"Exit codes:", b"RINGPOST_SECRET"):
                self.assertIn(part, text)


class Sign(unittest.TestCase):

    def test_prints_what_a_request_carries(self):
        for dialect, secret, body, _, headers in VECTORS[:3]:
            done = run("sign", "--dialect", dialect, "--type", "build/triggered", "--source",
                       "app/one", "--id", DELIVERY, body=body, secret=secret)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.decode().splitlines()
            self.assertIn("Bitrise-Hook-Signature: " + headers["Bitrise-Hook-Signature"], lines)
            for line in ("Bitrise-Event-Type: build/triggered", "Bitrise-App-Id: one",
                         "ringpost-delivery: " + DELIVERY, "Content-Type: application/json"):
                self.assertIn(line, lines)
            self.assertEqual([line for line in lines if line.lower().startswith(
                ("host:", "content-length:"))], [], "these are the client's")

    def test_signs_id_and_time_and_the_receivers_side_agrees(self):
        with tempfile.TemporaryDirectory() as directory:
            body = pathlib.Path(directory) / "body.json"
            body.write_bytes(BUILD)
            done = run("sign", "--dialect", "standard", "--body", body, "--id", DELIVERY,
                       "--timestamp", "2031-05-04T09:08:07Z", secret=STANDARD)
            headers = dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())
            self.assertEqual((headers["webhook-id"], headers["webhook-timestamp"]),
                             (DELIVERY, "1935652087"))
            checked = verify("standard", STANDARD, BUILD, headers, "--at", "1935652087")
            self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_signs_now_with_a_fresh_id_where_none_is_given(self):
        first, second = (run("sign", "--dialect", "standard", body=b"{}", secret=STANDARD)
                         for _ in range(2))
        headers = [dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())
                   for done in (first, second)]
        self.assertNotEqual(headers[0]["webhook-id"], headers[1]["webhook-id"])
        self.assertEqual(verify("standard", STANDARD, b"{}", headers[0]).returncode, 0)

    def test_what_is_signed_is_what_verify_takes(self):
        event = b'{"event":"build.finished","build":{},"sender":{"id":"1","name":"a"}}'
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "body.json"
            for dialect, secret, body, more in (
                    ("standard", STANDARD, BUILD, ()), ("bitrise", "b s", BUILD, ()),
                    ("buildkite", "bk", event, ()),
                    ("buildkite", "bk", event, ("--setting", "token_mode=signature"))):
                file.write_bytes(body)
                signed = run("sign", "--dialect", dialect, "--body", file, *more, secret=secret)
                self.assertEqual(signed.returncode, 0, signed.stderr)
                done = run("verify", "--dialect", dialect, "--body", file, "--header", "@-",
                           body=signed.stdout, secret=secret)
                self.assertEqual((done.returncode, done.stdout), (0, b"valid\n"), done.stderr)

    def test_another_body_than_the_one_given_is_not_signed(self):
        done = run("sign", "--dialect", "buildkite", "--setting", "token_mode=signature",
                   body=b'{"event":"build.finished"}', secret="bk")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertRegex(done.stderr, rb'the dialect buildkite sends another body for this event; sign that one: '
                                      rb'\{"event":"build.finished","sender":')

    def test_type_and_source_are_the_dialects_where_none_is_given(self):
        for dialect, body, line in (
                ("bitrise", BUILD, "Bitrise-Event-Type: build/finished"),
                ("bitrise", BUILD, "Bitrise-App-Id: c0ffee1234abcd56"),
                ("buildkite", b'{"event":"","sender":{}}', "X-Buildkite-Event: build.finished")):
            done = run("sign", "--dialect", dialect, body=body, secret="s")
            self.assertIn(line, done.stdout.decode().splitlines(), done.stderr)

    def test_wrong_usage_is_told_and_ends_with_2(self):
        for arguments, part in ((("--id", "msg_1"), b"ULID"), (("--timestamp", "x"), b"--timestamp"),
                                (("--setting", "x"), b"--setting"),
                                (("--setting", "x=1"), b"settings"),
                                (("--secret", "-"), b"24 to 64")):
            done = run("sign", "--dialect", "standard", *arguments, secret=STANDARD,
                       body=b"whsec_AAAA")
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(part, done.stderr)


class Receiver(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def post(self, sink, body, headers):
        host, port = sink.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("POST", "/", body=body, headers=headers)
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_verifies_each_dialect_and_tells_repetitions_by_its_id(self):
        sink = self.place.sink("--standard-secret", STANDARD, "--bitrise-secret", "b s", plain=True)

        def signed(dialect, secret, *more):
            done = run("sign", "--dialect", dialect, *more, body=BUILD, secret=secret)
            return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())

        standard = signed("standard", STANDARD)
        bitrise = signed("bitrise", "b s")
        foreign = {name: value for name, value in signed("standard", STANDARD).items()
                   if not name.startswith("ringpost-")}
        self.post(sink, BUILD, standard)
        self.post(sink, BUILD, standard)
        self.post(sink, BUILD, bitrise)
        self.post(sink, BUILD, foreign)
        self.post(sink, BUILD, foreign)
        self.post(sink, BUILD, signed("standard", STANDARD, "--timestamp", "1614265330"))
        self.post(sink, BUILD + b" ", bitrise)
        self.post(sink, BUILD, {})
        self.assertEqual([row["signature"] for row in sink.wait_for_count(8)],
                         ["good", "good", "good", "good", "good", "bad", "bad", "none"])
        self.assertEqual(sink.stop(), 1)
        totals = "\n".join(sink.lines)
        self.assertRegex(totals, r"duplicate deliveries +3\n")
        self.assertRegex(totals, r"signatures bad +2\n")

    def test_refuses_a_secret_that_its_dialect_cannot_use(self):
        done = subprocess.run([str(harness.SINK), "--standard-secret", "short"],
                              capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"whsec_", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
