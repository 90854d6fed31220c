"""Bad surroundings: what a machine, a container or a volume may lack or have too much of when a relay starts.

Each start either serves, or ends with one line that says why and what to do; nothing acknowledged is lost by either.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import time
import unittest

import harness

harness.RINGPOST = harness.RINGPOST.resolve()  # Some starts are in other directories.
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


def can_unshare(*options):
    """Whether this user may make such namespaces."""
    return IS_ROOT and subprocess.run(["unshare", *options, "true"], capture_output=True, timeout=20).returncode == 0


class SurroundingsTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.place.path.chmod(0o755)

    def start(self, *arguments, launcher=(), **options):
        """A start that fails: its exit code and what it said."""
        if "--data-dir" not in arguments:
            arguments = ("--data-dir", self.place.path / "data", *arguments)
        if "--listen" not in arguments:
            arguments = ("--listen", "127.0.0.1:0", *arguments)
        done = subprocess.run([*launcher, str(harness.RINGPOST), "serve", "--set", "journal.segment_bytes=4MiB", *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **options)
        return done.returncode, done.stdout + done.stderr

    def assert_refused(self, words, *arguments, **options):
        code, said = self.start(*arguments, **options)
        self.assertEqual(code, 1, said)
        for word in words if isinstance(words, tuple) else (words,):
            self.assertIn(word, said)
        self.assertEqual(len(said.splitlines()), 1, said)

    def used_data(self, count=3):
        """A data directory with events, of a relay that has stopped."""
        relay = self.place.relay()
        for number in range(count):
            self.assertEqual(relay.send({"id": f"kept-{number}", "type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.stop(), 0)
        return relay.data_dir

    def assert_kept(self, relay, count=3):
        ids = {item["id"] for item in relay.request("GET", "/v1/events?limit=200")[2]["items"]}
        self.assertTrue({f"kept-{number}" for number in range(count)} <= ids, ids)


class Rights(SurroundingsTest):

    @unittest.skipUnless(IS_ROOT, "OTHER USERS ARE NOT TRIED: this needs root")
    def test_a_data_directory_of_another_user(self):
        data = self.used_data()
        self.assert_refused((f"{data} cannot be written", "number 65534", "chown -R"), user=NOBODY, group=NOBODY, extra_groups=[])
        for path in (data, *data.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        # The key file beside it is still root's.
        self.assert_refused("data.key", user=NOBODY, group=NOBODY, extra_groups=[])
        key = data.with_name("data.key")
        os.chown(key, NOBODY, NOBODY)
        relay = self.place.relay(launcher=("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"))
        self.assert_kept(relay)

    @unittest.skipUnless(IS_ROOT, "OTHER USERS ARE NOT TRIED: this needs root")
    def test_a_start_by_root_in_between_says_what_it_leaves_to_the_user(self):
        data = self.used_data()
        for path in (data, *data.rglob("*"), data.with_name("data.key")):
            os.chown(path, NOBODY, NOBODY)
        relay = self.place.relay()
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.stop(), 0)
        self.assert_refused(("data/journal/", "permission denied", "chown -R"), user=NOBODY, group=NOBODY, extra_groups=[])

    @unittest.skipUnless(IS_ROOT, "OTHER USERS ARE NOT TRIED: this needs root")
    def test_what_a_unit_may_not_do(self):
        config = self.place.path / "secret.toml"
        config.write_text("[log]\nlevel = \"info\"\n")
        config.chmod(0o600)
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.assert_refused((str(config), "ermission denied"), "--config", config, **as_nobody)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as limit:
            if int(limit.read()) > 443:
                home = self.place.path / "own"
                home.mkdir()
                os.chown(home, NOBODY, NOBODY)
                self.assert_refused("127.0.0.1:443", "--data-dir", home / "data", "--listen", "127.0.0.1:443", **as_nobody)
                self.assertEqual(list(home.iterdir()), [])
        self.assert_refused(f"{self.place.path}/new cannot be created", "--data-dir", self.place.path / "new", **as_nobody)

    def test_nothing_but_the_program(self):
        """No home, no variables at all, another working directory that is gone."""
        relay = self.place.relay(environment={})
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        done = subprocess.run([harness.RINGPOST, "status", "--url", f"http://127.0.0.1:{relay.port}"],
                              env={"RINGPOST_TOKEN": relay.token}, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(relay.stop(), 0)
        gone = self.place.path / "gone"
        gone.mkdir()
        relay = self.place.relay(environment={}, launcher=("sh", "-c", f'cd {gone} && rmdir {gone} && exec "$@"', "sh"))
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)


@unittest.skipUnless(can_unshare("--mount"), "READ-ONLY ROOTS ARE NOT TRIED: mounting needs root")
class Mounts(SurroundingsTest):

    def in_mounts(self, script):
        """A launcher that runs `script` in mounts of its own first."""
        return ("unshare", "--mount", "sh", "-ec", f'mount --make-rprivate /\n{script}\nexec "$@"', "sh")

    def test_a_read_only_root_with_a_volume(self):
        data = self.used_data()
        script = (f"mount --bind {self.place.path} {self.place.path}\n"
                  "mount -o remount,bind,ro /\n"
                  "mount -t tmpfs -o ro tmpfs /tmp 2>/dev/null || true\n") if not str(self.place.path).startswith("/tmp/") else (
                  f"mkdir -p {self.place.path}/volume\nmount --bind {self.place.path} {self.place.path}\nmount -o remount,bind,ro /\n")
        relay = self.place.relay(launcher=self.in_mounts(script))
        self.assert_kept(relay)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.stop(), 0)
        self.assertTrue(data.exists())

    def test_a_volume_that_is_read_only(self):
        data = self.used_data()
        read_only = self.in_mounts(f"mount --bind {data} {data}\nmount -o remount,bind,ro {data}\n")
        self.assert_refused((str(data), "read-only", "mount its file system"), launcher=read_only)
        relay = self.place.relay()
        self.assert_kept(relay)

    def test_no_tmp(self):
        """An empty /tmp that nobody can write."""
        data = pathlib.Path("/var/tmp") / f"ringpost-test-{os.getpid()}"
        self.addCleanup(shutil.rmtree, data, ignore_errors=True)
        data.mkdir()
        relay = harness.Relay(data / "data", launcher=self.in_mounts("mount -t tmpfs -o ro,size=4k tmpfs /tmp\n"))
        self.place.processes.append(relay)
        relay.add_webhook(url="https://127.0.0.1:9/", sources=["s"])
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.stop(), 0)


class Processes(SurroundingsTest):

    @unittest.skipUnless(can_unshare("--pid", "--fork"), "PID 1 IS NOT TRIED: this needs root")
    def test_pid_1_without_an_init(self):
        """It has no default actions for signals, and the orphans of others become its children."""
        relay = self.place.relay(launcher=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"))
        own = int(subprocess.run(["pgrep", "-P", str(relay.child.pid)], capture_output=True, text=True, timeout=20).stdout)
        self.assertRegex(pathlib.Path(f"/proc/{own}/status").read_text(), r"NSpid:\s+\d+\s+1\n")
        self.assertEqual(relay.send({"id": "kept-0", "type": "t", "source": "s", "data": {}})[0], 202)
        os.kill(own, signal.SIGTERM)
        self.assertEqual(relay.child.wait(20), 0)
        self.assert_kept(self.place.relay(), 1)

    def test_sigterm_at_any_moment_of_a_start(self):
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        generator = random.Random(seed)
        data = self.used_data(200)
        command = [str(harness.RINGPOST), "serve", "--data-dir", str(data), "--listen", "127.0.0.1:0", "--set", "journal.segment_bytes=4MiB"]
        for _ in range(25):
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(generator.uniform(0, 0.15))
            child.send_signal(signal.SIGTERM)
            said = child.communicate(timeout=40)[0]
            # Before its first line the program has not yet taken the signal over.
            self.assertIn(child.returncode, (0, -signal.SIGTERM), said)
        self.assert_kept(self.place.relay(), 200)

    def test_sigterm_at_any_moment_of_a_first_start(self):
        generator = random.Random(7)
        for number in range(15):
            data = self.place.path / f"first-{number}"
            child = subprocess.Popen([str(harness.RINGPOST), "serve", "--data-dir", str(data), "--listen", "127.0.0.1:0", "--set",
                                      "journal.segment_bytes=4MiB"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
            time.sleep(generator.uniform(0, 0.12))
            child.send_signal(signal.SIGTERM)
            said = child.communicate(timeout=40)[0]
            self.assertIn(child.returncode, (0, -signal.SIGTERM), said)
            relay = self.place.relay(name=data.name)
            self.assertEqual(relay.request("GET", "/v1/webhooks")[0], 200, "its token works")
            relay.kill()

    def test_the_second_of_two_says_who_holds_the_volume(self):
        relay = self.place.relay()
        self.assert_refused((f"process {relay.child.pid} on ", "since ", "stop it"))
        relay.kill()
        relay = self.place.relay()
        self.assert_refused(f"process {relay.child.pid} on ")
        for command in (("secrets", "rotate"), ("token", "add", "--name", "x")):
            done = subprocess.run([harness.RINGPOST, *command, "--data-dir", relay.data_dir], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"process {relay.child.pid} on ", done.stderr)


class Network(SurroundingsTest):

    def test_an_address_that_is_not_there_yet(self):
        self.assert_refused("192.0.2.7:8420", "--listen", "192.0.2.7:8420")
        self.assertEqual(list(self.place.path.iterdir()), [])

    @unittest.skipUnless(can_unshare("--net"), "A MACHINE WITHOUT NETWORK IS NOT TRIED: this needs root")
    def test_no_network_at_all(self):
        """Not even loopback is up: it serves a Unix socket, keeps what it takes, and delivers when the network is there."""
        data = self.used_data()
        path = self.place.path / "relay.sock"
        relay = harness.Relay(data, launcher=("unshare", "--net"), listen=("127.0.0.1:8420", f"unix:{path}"))
        self.place.processes.append(relay)
        environment = dict(os.environ, RINGPOST_URL=f"unix:{path}", RINGPOST_TOKEN=relay.token)

        def cli(*arguments, text=None):
            done = subprocess.run([harness.RINGPOST, *arguments], env=environment, capture_output=True, text=True, timeout=60, input=text)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        cli("webhook", "add", "--url", "http://127.0.0.1:9/", "--source", "s")
        cli("send", "--type", "t", "--source", "s", "--data", "{}")
        enter = ["nsenter", "--net", "--target", str(relay.child.pid)]
        deadline = time.monotonic() + 30
        while '"unreachable"' not in (listed := cli("delivery", "list", "--json")):
            self.assertLess(time.monotonic(), deadline, listed)
            time.sleep(0.2)
        subprocess.run([*enter, "ip", "link", "set", "lo", "up"], check=True, timeout=20)
        code = subprocess.run([*enter, harness.RINGPOST, "status", "--url", "http://127.0.0.1:8420"], env=environment,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(code.returncode, 0, code.stderr)

    @unittest.skipUnless(can_unshare("--mount", "--net"), "A MACHINE WITHOUT NAME SERVERS IS NOT TRIED: this needs root")
    def test_name_servers_that_are_away_at_the_start(self):
        resolv = self.place.path / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")  # Nobody listens at port 53 there.
        sink = self.place.sink(plain=True)
        launcher = ("unshare", "--mount", "sh", "-ec", f'mount --make-rprivate /\nmount --bind {resolv} /etc/resolv.conf\nexec "$@"', "sh")
        began = time.monotonic()
        relay = self.place.relay(launcher=launcher)
        self.assertLess(time.monotonic() - began, 10)
        hook = relay.add_webhook(url=sink.url.replace("127.0.0.1", "receiver.example.org"), sources=["s"], schedule=[1] * 30)
        other = relay.add_webhook(url=sink.url, sources=["s"])
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        self.assertEqual(relay.wait_for_delivery(other, lambda found: found["status"] == "delivered")["status"], "delivered")
        waiting = relay.wait_for_delivery(hook, lambda found: found["attempt_count"] > 0 if "attempt_count" in found else True)
        self.assertIn(waiting["status"], ("pending", "in_flight"))


class Clocks(SurroundingsTest):

    FAKETIME = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)

    def at(self, time_text):
        if self.FAKETIME is None:
            self.skipTest("A CLOCK THAT IS NOT SET IS NOT TRIED: the package libfaketime is not installed")
        return dict(os.environ, LD_PRELOAD=str(self.FAKETIME), FAKETIME=time_text, FAKETIME_DONT_FAKE_MONOTONIC="1")

    def test_a_clock_that_is_not_set_yet(self):
        """1970 at boot: events are taken and kept, and the right time comes later."""
        relay = self.place.relay(environment=self.at("@1970-01-01 00:00:10"))
        status, answer = relay.send({"id": "kept-0", "type": "t", "source": "s", "data": {}})
        self.assertEqual(status, 202, answer)
        self.assertEqual(relay.stop(), 0)
        relay = self.place.relay()
        self.assert_kept(relay, 1)
        self.assertEqual(relay.send({"id": "kept-1", "type": "t", "source": "s", "data": {}})[0], 202)
        self.assert_kept(relay, 2)
        self.assertEqual(relay.stop(), 0)
        relay = self.place.relay(environment=self.at("@1970-01-01 00:00:10"))
        self.assert_kept(relay, 2)
        self.assertEqual(relay.send({"id": "kept-2", "type": "t", "source": "s", "data": {}})[0], 202)
        self.assert_kept(relay, 3)

    def test_a_clock_that_is_set_while_it_runs(self):
        clock = self.place.path / "clock"
        clock.write_text("@1970-01-01 00:00:10\n")
        environment = {**self.at(""), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
        del environment["FAKETIME"]
        relay = self.place.relay(environment=environment)
        relay.wait_for("the clock is not set")
        port = harness.free_port()
        hook = relay.add_webhook(url=f"http://127.0.0.1:{port}/", sources=["s"], schedule=[1] * 32)
        self.assertEqual(relay.send({"type": "t", "source": "s", "data": {}})[0], 202)
        relay.wait_for_delivery(hook, lambda found: found["attempt_count"] > 0)
        clock.write_text("@2026-12-01 10:00:00\n")
        sink = self.place.sink(plain=True, listen=f"127.0.0.1:{port}")
        relay.wait_for_delivery(hook, lambda found: found["status"] == "delivered")
        sink.wait_for_count(1)
        self.assertEqual(relay.stop(), 0)


class Upgrades(SurroundingsTest):

    def test_a_store_of_a_newer_version_is_left_alone(self):
        data = self.used_data()
        store = sqlite3.connect(data / "control.db")
        version = store.execute("PRAGMA user_version").fetchone()[0]
        store.execute(f"PRAGMA user_version = {version + 1}")
        store.close()
        self.assert_refused((f"schema version {version + 1}", "start the newer ringpost"))
        store = sqlite3.connect(data / "control.db")
        store.execute(f"PRAGMA user_version = {version}")
        store.close()
        self.assert_kept(self.place.relay())

    def test_an_upgrade_that_is_killed_at_any_moment(self):
        """The first start of a newer version on what an older one wrote."""
        formats = pathlib.Path(__file__).parent / "formats"
        with tarfile.open(formats / "2026-11.tar.xz") as packed:
            packed.extractall(self.place.path)
        expected = json.loads((formats / "2026-11.json").read_text())["said"]
        forever = ("--set", "journal.retention_age=87600h")
        generator = random.Random(11)
        for _ in range(15):
            child = subprocess.Popen([str(harness.RINGPOST), "serve", "--data-dir", str(self.place.path / "data"), "--listen", "127.0.0.1:0",
                                      *forever], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(generator.uniform(0, 0.06))
            child.kill()
            child.wait()
        relay = self.place.relay(*forever)
        found = relay.request("GET", "/v1/events?limit=200")[2]["items"]
        self.assertEqual({event["id"] for event in found}, {event["id"] for event in expected["events"]})
        hooks = relay.request("GET", "/v1/webhooks?limit=200")[2]["items"]
        self.assertEqual({hook["id"] for hook in hooks}, {hook["id"] for hook in expected["webhooks"]})

    def test_a_program_that_is_replaced_while_it_runs(self):
        """A package that is unpacked and not yet configured: the old process serves on, and restarts as the new one."""
        program = self.place.path / "ringpost"
        shutil.copy(harness.RINGPOST, program)
        command = [str(program), "serve", "--data-dir", str(self.place.path / "data"), "--listen", "127.0.0.1:0", "--set",
                   "journal.segment_bytes=4MiB"]
        relay = harness.Process(command, r"ready: .*?http://127\.0\.0\.1:(\d+)")
        self.place.processes.append(relay)
        program.unlink()
        token = (self.place.path / "data" / "admin.token").read_text().strip()
        environment = {"RINGPOST_URL": f"http://127.0.0.1:{relay.match.group(1)}", "RINGPOST_TOKEN": token}
        for arguments in (("send", "--type", "t", "--source", "s", "--id", "kept-0", "--data", "{}"), ("reload",), ("status",)):
            done = subprocess.run([harness.RINGPOST, *arguments], env=environment, capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(relay.stop(), 0)
        self.assert_kept(self.place.relay(), 1)


class Snapshots(SurroundingsTest):

    def test_a_volume_that_comes_back_from_a_snapshot(self):
        """Taken while it ran; what came after it is gone, and everything else goes on."""
        relay = self.place.relay()
        sink = self.place.sink(plain=True)
        hook = relay.add_webhook(url=sink.url, sources=["s"])
        for number in range(20):
            self.assertEqual(relay.send({"id": f"kept-{number}", "type": "t", "source": "s", "data": {}})[0], 202)
        relay.freeze()
        shutil.copytree(relay.data_dir, self.place.path / "snapshot")
        relay.thaw()
        for number in range(20, 40):
            self.assertEqual(relay.send({"id": f"kept-{number}", "type": "t", "source": "s", "data": {}})[0], 202)
        relay.kill()
        shutil.rmtree(relay.data_dir)
        shutil.move(self.place.path / "snapshot", relay.data_dir)
        relay = self.place.relay()
        self.assert_kept(relay, 20)
        relay.wait_until_settled()
        for number in range(20, 40):  # As their producers would, who know that they are missing.
            self.assertEqual(relay.send({"id": f"kept-{number}", "type": "t", "source": "s", "data": {}})[0], 202)
        relay.wait_until_settled()
        self.assert_kept(relay, 40)
        self.assertEqual(len(relay.deliveries(hook)), 40)
        self.assertEqual(relay.stop(), 0)
        audit = subprocess.run([harness.RINGPOST, "audit", "gaps", "--data-dir", relay.data_dir], capture_output=True, text=True, timeout=60)
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)


if __name__ == "__main__":
    unittest.main()
