"""Goal: both ends of every range of every argument are taken as they are said to be, and nothing that
stands in an argument reaches an assertion. Method: the programs are run with each value."""

import contextlib
import http.client
import json
import subprocess
import unittest

import harness

HUGE = 2 ** 64
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
EVENT = '{"type":"t","source":"s","data":{}}'

# Of each argument: what it takes and what it does not. Both ends of its range are in the first.
SENT = {
    "--batch": (["1", "10000"], ["0", "10001", "-1", str(HUGE), "x", ""]),
    "--wait": (["0", "1ms", "4294967295s", "49710d"], ["-1s", "4294967296s", "49711d", "1y", "", "s", "90"]),
}
LISTED = {"--limit": (["1", "1000000"], ["0", "1000001", "-1", str(HUGE), ""])}
WEBHOOK = {
    "--timeout": (["100ms", "120s"], ["99ms", "121s", "-1s", f"{HUGE}s", "", "30"]),
    "--concurrency": (["1", "256"], ["0", "257", "-1", str(HUGE), ""]),
    "--rate": (["1", "100000"], ["0", "100001", "-1", str(HUGE), ""]),
    "--schedule": (["1s", "1s,7d"], ["99ms", "-1s", "8d", f"{HUGE}s", "", "5"]),
}
TOKEN = {"--expires-in": (["1h"], ["0s", "-1s", f"{HUGE}d", "x", "", "90", "1500ms"])}
SIGNED = {"--timestamp": (["0", "9000000000", "1970-01-01T00:00:00Z"],
                          ["-1", "9000000001", str(HUGE), "10000-01-01T00:00:00Z", "x"])}
SINK = {
    "--status": (["200", "599"], ["199", "600", "-1", str(HUGE), ""]),
    "--delay-ms": (["0", "4294967295"], ["-1", "4294967296", str(HUGE), ""]),
    "--fail-first": (["0", str(10 ** 12)], ["-1", str(10 ** 12 + 1), str(HUGE), ""]),
    "--quit-after": (["0", str(10 ** 12)], ["-1", str(10 ** 12 + 1), str(HUGE), ""]),
    "--expect": (["0", "1000"], ["-1", "100000001", str(HUGE), ""]),
}


class ArgumentRange(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        cls.relay = cls.place.relay()

    def run_program(self, program, *arguments, text=""):
        return subprocess.run([program, *map(str, arguments)], input=text, capture_output=True,
                              text=True, timeout=20,
                              env={"RINGPOST_URL": f"http://127.0.0.1:{self.relay.port}",
                                   "RINGPOST_TOKEN": self.relay.token,
                                   "RINGPOST_SECRET": SECRET})

    def check(self, command, ranges, text=""):
        for option, (taken, refused) in ranges.items():
            for value in taken + refused:
                with self.subTest(command=command, option=option, value=value):
                    done = self.run_program(harness.RINGPOST, *command, f"{option}={value}",
                                            text=text)
                    if value in taken:
                        self.assertEqual(done.returncode, 0, done.stderr)
                    else:
                        self.assertIn(done.returncode, (1, 2), done.stderr)
                        self.assertNotEqual(done.stderr, "")
                    self.assertNotIn("assert", done.stderr)

    def test_of_the_client(self):
        self.check(["send", "-"], SENT, EVENT + "\n")
        self.check(["audit", "list"], LISTED)
        self.check(["webhook", "add", "--url", "https://127.0.0.1:1/"], WEBHOOK)
        self.check(["token", "add", "--name", "n", "--scope", "events:write"], TOKEN)
        self.check(["sign", "--dialect", "standard", "--body", "-"], SIGNED, "{}")

    def test_of_the_relay(self):
        for listen in ("127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", "[::1]:65536", "unix:",
                       "unix:/" + "x" * 108, ""):
            with self.subTest(listen):
                done = self.run_program(harness.RINGPOST, "serve", "--data-dir",
                                        self.place.path / "other", "--listen", listen)
                self.assertIn(done.returncode, (1, 2), done.stderr)

    def test_of_the_sink(self):
        for option, (taken, refused) in SINK.items():
            for value in refused:
                with self.subTest(option=option, value=value):
                    done = self.run_program(harness.SINK, "--plain", "--listen", "127.0.0.1:0",
                                            "--id-member", "n", f"{option}={value}")
                    self.assertEqual(done.returncode, 2, done.stderr)
            for value in taken:
                with self.subTest(option=option, value=value):
                    self.answer_once(option, value)

    def answer_once(self, option, value):
        """A sink with this argument takes a request and ends in order."""
        sink = harness.Sink(self.place.path, "--id-member", "n", f"{option}={value}", plain=True)
        self.place.processes.append(sink)
        connection = http.client.HTTPConnection(sink.url.removeprefix("http://"), timeout=0.5)
        with contextlib.suppress(OSError, http.client.HTTPException):  # Some wait very long.
            connection.request("POST", "/", json.dumps({"n": 1}))
            connection.getresponse().read()
        connection.close()
        self.assertIn(sink.stop(), (0, 1), sink.lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
