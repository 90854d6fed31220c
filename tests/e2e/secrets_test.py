"""Known secrets go through a relay's whole life, and are looked for everywhere they must not be."""

import json
import os
import pathlib
import pty
import random
import resource
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest

import harness

SEED = int(os.environ.get("RINGPOST_SEED", "0")) or random.randrange(1, 1 << 32)


def run(*arguments, **options):
    """Runs the program to its end; returns its exit code and its output."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(harness.RINGPOST), *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, **options)
    return done.returncode, done.stdout + done.stderr


class SecretsTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.data = self.place.path / "data"
        self.key_file = self.place.path / "data.key"
        self.secrets = []

    def fresh(self, prefix=""):
        self.secrets.append(prefix + secrets.token_hex(24))
        return self.secrets[-1]

    def add(self, relay, secret, **members):
        return relay.add_webhook(url="http://127.0.0.1:9/hook", dialect="bitrise", secret=secret,
                                 **members)

    def rotate(self, *arguments):
        return run("secrets", "rotate", "--data-dir", self.data, *arguments)

    def hits(self, directory=None):
        """Where a secret can be read: (file, secret) pairs."""
        found = []
        for path in sorted((directory or self.data).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                found += [(path.name, secret) for secret in self.secrets
                          if secret.encode() in content]
        return found

    def assert_no_hit(self, relay=None):
        self.assertEqual(self.hits(), [])
        if relay is None:
            return
        relay.read(0)
        said = "\n".join(relay.lines)
        arguments = pathlib.Path(f"/proc/{relay.child.pid}/cmdline").read_bytes()
        environment = pathlib.Path(f"/proc/{relay.child.pid}/environ").read_bytes()
        for secret in self.secrets:
            self.assertNotIn(secret, said)
            self.assertNotIn(secret.encode(), arguments)
            self.assertNotIn(secret.encode(), environment)


class AtRest(SecretsTest):

    def test_no_secret_can_be_read_whatever_the_relay_lives_through(self):
        sink = self.place.sink("--bitrise-secret", "unused", plain=True)
        relay = self.place.relay("--set", "log.level=debug")
        self.assertTrue(any(str(self.key_file) in line for line in relay.lines) or
                        relay.wait_for(r"secrets are encrypted with the new key in .*data\.key"))
        self.assertEqual(self.key_file.stat().st_mode & 0o777, 0o600)
        (self.data / "probe").write_text(self.fresh())
        self.assertEqual(len(self.hits()), 1, "the search finds nothing at all")
        (self.data / "probe").unlink()

        webhook = relay.add_webhook(url=sink.url, dialect="bitrise", secret=self.fresh(),
                                    headers={"X-Token": self.fresh()}, schedule=[1])
        self.assert_no_hit(relay)
        rotated = self.fresh()
        status, _, shown = relay.request("POST", f"/v1/webhooks/{webhook['id']}/rotate-secret",
                                         {"secret": rotated})
        self.assertEqual((status, shown["secret"]), (200, rotated))
        self.assertEqual(relay.request("PATCH", f"/v1/webhooks/{webhook['id']}",
                                       {"headers": {"X-Token": self.fresh()}})[0], 200)
        for path in ("/v1/webhooks", f"/v1/webhooks/{webhook['id']}"):
            shown = json.dumps(relay.request("GET", path)[2])
            self.assertIn('"X-Token": "*****"', shown)
            self.assertEqual([secret for secret in self.secrets if secret in shown], [])
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        sink.wait_for_count(1)
        relay.wait_until_settled()
        gone = self.add(relay, self.fresh())
        self.assertEqual(relay.request("DELETE", f"/v1/webhooks/{gone['id']}")[0], 204)
        refused = relay.request("POST", "/v1/webhooks",
                                {"url": "nonsense", "secret": self.fresh()})
        self.assertEqual(refused[0], 422, refused)
        self.assertNotIn(self.secrets[-1], json.dumps(refused[2]))
        self.assert_no_hit(relay)
        relay.kill()
        self.assert_no_hit()

        self.assertEqual(self.rotate()[0], 0)
        self.assert_no_hit()
        relay = self.place.relay("--set", "log.level=debug")
        self.assertNotIn("new key", "\n".join(relay.lines))
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        signatures = [row["signature"] for row in sink.wait_for_count(2)]
        self.assertEqual(len(signatures), 2)
        self.assert_no_hit(relay)
        self.assertEqual(relay.stop(), 0)
        self.assert_no_hit()

    def test_the_same_secret_signs_after_a_rotation(self):
        secret = self.fresh()
        sink = self.place.sink("--bitrise-secret", secret, plain=True)
        relay = self.place.relay()
        relay.add_webhook(url=sink.url + "/bitrise", dialect="bitrise", secret=secret)
        self.assertEqual(relay.stop(), 0)
        code, said = self.rotate()
        self.assertEqual(code, 0, said)
        self.assertIn("secrets of 1 webhooks encrypted with the new key", said)
        relay = self.place.relay()
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual([row["signature"] for row in sink.wait_for_count(1)], ["good"])
        relay.wait_until_settled()
        self.assertEqual(relay.stop(), 0)

    def test_a_receiver_reads_its_secret_from_a_file(self):
        secret = self.fresh()
        file = self.place.path / "receiver.secret"
        file.write_text(secret + "\n")
        sink = self.place.sink("--bitrise-secret", f"@{file}", plain=True)
        self.assertNotIn(secret.encode(),
                         pathlib.Path(f"/proc/{sink.child.pid}/cmdline").read_bytes())
        relay = self.place.relay()
        relay.add_webhook(url=sink.url, dialect="bitrise", secret=secret)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual([row["signature"] for row in sink.wait_for_count(1)], ["good"])
        file.unlink()
        refused = subprocess.run([harness.SINK, "--bitrise-secret", f"@{file}"], text=True,
                                 capture_output=True, timeout=60)
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"{file} cannot be read", refused.stderr)

    def test_an_abort_leaves_no_core_file(self):
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        with_core = os.waitstatus_to_exitcode  # The status says more than the exit code.
        control = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"],
                                   cwd=self.place.path, stderr=subprocess.DEVNULL)
        status = os.waitpid(control.pid, 0)[1]
        control.returncode = with_core(status)
        can_dump = os.WCOREDUMP(status)
        for core in self.place.path.glob("core*"):
            core.unlink()
        relay = self.place.relay()
        self.add(relay, self.fresh())
        relay.child.send_signal(signal.SIGABRT)
        status = os.waitpid(relay.child.pid, 0)[1]
        relay.child.returncode = with_core(status)
        relay.child.stdout.close()
        self.assertTrue(os.WIFSIGNALED(status))
        self.assertFalse(os.WCOREDUMP(status))
        self.assert_no_hit()
        if not can_dump:
            self.skipTest("this machine writes no core files at all")


class Refusals(SecretsTest):

    def refused(self, *told):
        before = {path: path.read_bytes() for path in self.data.glob("control.db")}
        code, said = run("serve", "--data-dir", self.data, "--listen", "127.0.0.1:0")
        self.assertEqual(code, 1, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        for words in told:
            self.assertIn(words, said)
        for path, content in before.items():
            self.assertEqual(path.read_bytes(), content)

    def test_wrong_missing_open_and_damaged_key_files(self):
        relay = self.place.relay()
        self.add(relay, self.fresh())
        self.assertEqual(relay.stop(), 0)
        good = self.key_file.read_text()

        (self.place.path / "other").mkdir()
        other = self.place.path / "other.key"
        stranger = harness.Relay(self.place.path / "other")
        self.place.processes.append(stranger)
        self.assertEqual(stranger.stop(), 0)
        self.key_file.write_text(other.read_text())
        self.refused("control.db: wrong key", "restore the key file", "nothing was changed")
        self.assertEqual(self.key_file.read_text(), other.read_text())

        self.key_file.unlink()
        self.refused("data.key is missing", "no new key was created")
        self.assertFalse(self.key_file.exists())

        self.key_file.write_text(good[:-3])
        self.key_file.chmod(0o600)
        self.refused("data.key is not a key file: line")

        self.key_file.write_text(good)
        self.key_file.chmod(0o644)
        self.refused("data.key can be read by other users (mode 0644)", "chmod 600")
        config = self.place.path / "c.toml"
        config.write_text(f'[server]\ndata_dir = "{self.data}"\n')
        code, said = run("check-config", config)
        self.assertEqual(code, 1)
        self.assertIn("mode 0644", said)

        self.key_file.chmod(0o600)
        self.assertEqual(run("check-config", config)[0], 0)
        relay = self.place.relay()
        self.assertEqual(len(relay.request("GET", "/v1/webhooks")[2]["items"]), 1)
        code, said = self.rotate()
        self.assertEqual(code, 1)
        self.assertIn("a relay is running with the data directory", said)
        self.assertEqual(self.key_file.read_text(), good)

    def test_a_key_inside_of_the_data_directory(self):
        code, said = run("serve", "--data-dir", self.data, "--listen", "127.0.0.1:0", "--set",
                         f"secrets.key_file={self.data}/key")
        self.assertEqual(code, 1)
        self.assertIn("is inside the data directory", said)
        self.assertFalse((self.data / "key").exists())


class Rotation(SecretsTest):

    WEBHOOKS = 300
    KILLS = 25

    def check_start(self, expected):
        relay = self.place.relay()
        found, cursor = 0, ""
        while True:
            page = relay.request("GET", f"/v1/webhooks?limit=200{cursor}")[2]
            found += len(page["items"])
            if not page["next_cursor"]:
                break
            cursor = "&cursor=" + page["next_cursor"]
        self.assertEqual(found, expected)
        relay.kill()

    def keys(self):
        return [line for line in self.key_file.read_text().splitlines()
                if line and not line.startswith("#")]

    def test_killed_anywhere_the_relay_starts_and_the_next_rotation_ends_it(self):
        print(f"seed {SEED}", file=sys.stderr)
        chance = random.Random(SEED)
        relay = self.place.relay()
        for _ in range(self.WEBHOOKS):
            self.add(relay, self.fresh())
        self.assertEqual(relay.stop(), 0)
        began = time.monotonic()
        self.assertEqual(self.rotate()[0], 0)
        whole = time.monotonic() - began
        killed = unfinished = 0
        for _ in range(self.KILLS):
            before = self.keys()
            child = subprocess.Popen(
                [str(harness.RINGPOST), "secrets", "rotate", "--data-dir", str(self.data)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, whole))
            child.kill()
            killed += child.wait() != 0
            unfinished += len(self.keys()) > len(before)
            self.assertEqual(self.hits(), [])
            self.check_start(self.WEBHOOKS)
        print(f"{killed} of {self.KILLS} rotations killed, {unfinished} between their steps, "
              f"a whole one takes {whole:.3f} s", file=sys.stderr)
        self.assertGreater(killed, 0)
        code, said = self.rotate()
        self.assertEqual(code, 0, said)
        self.assertIn(f"secrets of {self.WEBHOOKS} webhooks", said)
        self.assertEqual(len(self.keys()), 1)
        self.check_start(self.WEBHOOKS)

    def test_the_states_between_its_steps_open(self):
        relay = self.place.relay()
        self.add(relay, self.fresh())
        self.assertEqual(relay.stop(), 0)
        old_key, old_data = self.key_file.read_text(), self.place.path / "old"
        shutil.copytree(self.data, old_data)
        self.assertEqual(self.rotate()[0], 0)
        new_key = self.key_file.read_text()
        both = new_key + old_key
        self.key_file.write_text(both)  # Sealed anew, and the old key not yet removed.
        self.check_start(1)
        shutil.rmtree(self.data)
        shutil.copytree(old_data, self.data)  # The new key in the file, and nothing sealed anew.
        self.check_start(1)
        self.key_file.write_text(new_key)
        code, said = run("serve", "--data-dir", self.data, "--listen", "127.0.0.1:0")
        self.assertEqual(code, 1)
        self.assertIn("wrong key", said)
        self.key_file.write_text(both)
        self.assertEqual(self.rotate()[0], 0)
        self.assertEqual(len(self.keys()), 1)
        self.check_start(1)

    def test_there_must_be_something_to_rotate(self):
        code, said = run("secrets", "rotate", "--data-dir", self.place.path / "nowhere")
        self.assertEqual(code, 1)
        self.assertIn("control.db does not exist", said)
        self.assertFalse((self.place.path / "nowhere").exists())


class Passwords(SecretsTest):

    def config_with(self, text):
        config = self.place.path / "users.toml"
        config.write_text(f'[server]\ndata_dir = "{self.data}"\n'
                          f'[[user]]\nemail = "ada@example.org"\npassword = "{text}"\n')
        return run("check-config", config)

    def test_a_line_of_standard_input_becomes_a_hash_for_the_configuration(self):
        said = []
        for given in (b"correct horse\n", b"correct horse", b"correct horse\nmore\n"):
            done = subprocess.run([str(harness.RINGPOST), "hash-password"], input=given,
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            said.append(done.stdout.decode())
            self.assertRegex(said[-1], r"^scrypt\$15\$8\$3\$[A-Za-z0-9+/]{22}==\$"
                                       r"[A-Za-z0-9+/]{43}=\n$")
        self.assertEqual(len(set(said)), 3, "each has a salt of its own")
        self.assertEqual(self.config_with(said[0].strip())[0], 0)
        code, told = self.config_with("correct horse")
        self.assertEqual(code, 1)
        self.assertIn("users.toml:5:12", told)
        self.assertNotIn("horse", told)
        for bad in (b"", b"\n", b"x", b"seven77\n", b"\xef\xbb\xbfseven77\n", b"x" * 1025):
            done = subprocess.run([str(harness.RINGPOST), "hash-password"], input=bad,
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (1, b""))

    def type_at_a_terminal(self, *lines):
        """Returns the exit code, and all that the terminal showed."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(harness.RINGPOST, ["ringpost", "hash-password"])
        shown = b""
        waiting = list(lines)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # The child has closed its end.
                break
            if waiting and shown.count(b": ") == len(lines) - len(waiting) + 1:
                os.write(terminal, waiting.pop(0))
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()

    def test_a_terminal_does_not_show_it_and_asks_twice(self):
        code, shown = self.type_at_a_terminal(b"correct horse\n", b"correct horse\n")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("horse", shown)
        self.assertIn("scrypt$", shown)
        code, shown = self.type_at_a_terminal(b"correct horse\n", b"correct house\n")
        self.assertEqual(code, 1, shown)
        self.assertIn("the two passwords differ", shown)
        code, shown = self.type_at_a_terminal(b"corr\x03")
        self.assertEqual(code, 1, shown)
        self.assertNotIn("scrypt$", shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
