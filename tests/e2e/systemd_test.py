"""The relay under a service manager, whose part is played here: sd_notify(3), sd_listen_fds(3), the watchdog."""

import ctypes
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness

# In the child, before the relay takes its place: descriptors from 3 on, and a pid, as systemd gives them.
LAUNCHER = """
import fcntl, os, sys
count = int(sys.argv[1])
# First out of the way of each other.
passed = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[2:2 + count]]
for place, one in enumerate(passed):
    os.dup2(one, 3 + place)
os.closerange(3 + count, 200)
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ.pop("PID_OFFSET", "0")))
os.environ["LISTEN_FDS"] = str(count)
arguments = sys.argv[2 + count:]
os.execv(arguments[0], arguments)
"""


def launcher_of(descriptors):
    return (sys.executable, "-c", LAUNCHER, len(descriptors), *descriptors)


class Manager:
    """The service manager's side of the notification socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.name = address.replace("\0", "@", 1)
        self.messages = []

    def receive(self, seconds):
        """The next message as a dict, or nothing if none comes in time."""
        self.socket.settimeout(seconds)
        try:
            text = self.socket.recv(65536).decode()
        except TimeoutError:
            return None
        self.messages.append(dict(line.split("=", 1) for line in text.split("\n")))
        return self.messages[-1]

    def wait_for(self, key, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.receive(0.2)
            if message and key in message:
                return message
        raise AssertionError(f"no {key}; there came {self.messages}")

    def drain(self):
        while self.receive(0.01):
            pass


class Listener:
    """A socket that outlives the relay; what systemd makes of ListenStream=."""

    def __init__(self, family=socket.AF_INET, address=("127.0.0.1", 0)):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(address)
        self.socket.listen(4096)
        self.socket.setblocking(False)
        name = self.socket.getsockname()
        self.address = f"unix:{name}" if family == socket.AF_UNIX else f"127.0.0.1:{name[1]}"


class SystemdTest(unittest.TestCase):

    def setUp(self):
        self.workplace = harness.Workplace()
        self.addCleanup(self.workplace.close)
        self.manager = Manager(str(self.workplace.path / "notify"))
        self.addCleanup(self.manager.socket.close)
        self.environment = dict(os.environ, NOTIFY_SOCKET=self.manager.name)

    def listener(self, *arguments):
        listener = Listener(*arguments)
        self.addCleanup(listener.socket.close)
        return listener

    def relay(self, *arguments, listeners=(), **options):
        descriptors = [listener.socket.fileno() for listener in listeners]
        passed = {"launcher": launcher_of(descriptors), "pass_fds": descriptors,
                  "listen": [listener.address for listener in listeners]} if listeners else {}
        return self.workplace.relay(*arguments, environment=self.environment, **{**passed, **options})

    def refusal(self, listeners, *addresses):
        """What a relay says that gets these sockets and does not start."""
        descriptors = [listener.fileno() for listener in listeners]
        done = subprocess.run(
            [str(part) for part in
             (*launcher_of(descriptors), harness.RINGPOST, "serve", "--data-dir",
              self.workplace.path / "data",
              *(part for address in addresses for part in ("--listen", address)))],
            env=self.environment, pass_fds=descriptors, capture_output=True, text=True, timeout=30,
            stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertFalse((self.workplace.path / "data").exists())
        return done.stderr

    def test_says_when_it_serves_reloads_and_stops(self):
        relay = self.relay("--set", "server.drain_max=7s")
        ready = self.manager.wait_for("READY")
        self.assertEqual((ready["READY"], ready["MAINPID"]), ("1", str(relay.child.pid)))
        self.assertTrue(ready["STATUS"])
        before = time.monotonic()
        relay.child.send_signal(signal.SIGHUP)
        reloading = self.manager.wait_for("RELOADING")
        self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), int(before * 1e6))
        self.manager.wait_for("READY")
        self.assertEqual(relay.request("POST", "/v1/admin/reload")[0], 200)
        self.manager.wait_for("RELOADING")
        self.manager.wait_for("READY")
        relay.child.send_signal(signal.SIGTERM)
        stopping = self.manager.wait_for("STOPPING")
        self.assertGreater(int(stopping["EXTEND_TIMEOUT_USEC"]), 7_000_000)
        self.assertEqual(relay.stop(), 0)
        self.assertNotIn("WATCHDOG", str(self.manager.messages))

    def test_a_refused_reload_ends_as_well(self):
        config = self.workplace.path / "ringpost.toml"
        config.write_text("[log]\nlevel = \"info\"\n")
        relay = self.relay("--config", config)
        self.manager.wait_for("READY")
        config.write_text("[log]\nlevel = \"loud\"\n")
        relay.child.send_signal(signal.SIGHUP)
        self.manager.wait_for("RELOADING")
        self.manager.wait_for("READY")

    def test_a_start_that_reads_journals_asks_for_time(self):
        relay = self.relay()
        self.assertEqual(relay.send({"type": "a", "source": "b"})[0], 202)
        self.assertEqual(relay.stop(), 0)
        self.manager.drain()
        self.manager.messages.clear()
        self.relay()
        self.manager.wait_for("READY")
        self.assertIn("EXTEND_TIMEOUT_USEC", self.manager.messages[0])

    def test_abstract_sockets(self):
        manager = Manager(f"\0ringpost-test-{os.getpid()}")
        self.addCleanup(manager.socket.close)
        self.environment["NOTIFY_SOCKET"] = manager.name
        self.relay()
        manager.wait_for("READY")

    def test_a_manager_that_is_gone_stops_nothing(self):
        self.environment["NOTIFY_SOCKET"] = str(self.workplace.path / "nobody")
        relay = self.relay()
        self.assertEqual(relay.send({"type": "a", "source": "b"})[0], 202)
        self.assertEqual(relay.stop(), 0)

    def test_the_watchdog_hears_of_a_relay_at_rest(self):
        self.environment["WATCHDOG_USEC"] = "400000"
        self.relay()
        for _ in range(3):
            self.manager.wait_for("WATCHDOG")

    def test_the_watchdog_of_another_process_is_left_alone(self):
        self.environment.update(WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        self.relay()
        self.manager.wait_for("READY")
        self.assertIsNone(self.manager.receive(1))

    def test_the_watchdog_hears_nothing_while_a_shard_hangs(self):
        self.environment["WATCHDOG_USEC"] = "1000000"
        relay = self.relay()
        self.manager.wait_for("WATCHDOG")
        tasks = pathlib.Path(f"/proc/{relay.child.pid}/task")
        shard = next(int(task.name) for task in tasks.iterdir()
                     if (task / "comm").read_text().strip() == "shard-0")
        seize, interrupt, detach = 0x4206, 0x4207, 17
        library = ctypes.CDLL(None, use_errno=True)
        library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        library.ptrace.restype = ctypes.c_long
        if library.ptrace(seize, shard, None, None) != 0:
            self.skipTest("a thread can only be stopped with CAP_SYS_PTRACE")
        library.ptrace(interrupt, shard, None, None)
        os.waitpid(shard, 0x40000000)  # __WALL
        relay.wait_for("the thread shard-0 hangs")
        self.manager.drain()
        self.assertIsNone(self.manager.receive(2))
        library.ptrace(detach, shard, None, None)
        self.manager.wait_for("WATCHDOG")

    def test_passed_sockets_are_used_and_kept(self):
        tcp = self.listener()
        path = self.listener(socket.AF_UNIX, str(self.workplace.path / "relay.sock"))
        relay = self.relay("--set", "server.shards=2", "--set", "server.memory_max=512MiB",
                           listeners=[tcp, path])
        self.assertEqual(relay.send({"type": "a", "source": "b"})[0], 202)
        health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path.address.removeprefix("unix:"))
            client.sendall(health)
            self.assertIn(b"200 OK", client.recv(65536))
        self.assertEqual(relay.stop(), 0)
        # Nobody serves, but both can be reached: the next relay answers.
        waiting = socket.create_connection(("127.0.0.1", relay.port))
        self.addCleanup(waiting.close)
        waiting.sendall(health)
        self.relay(listeners=[tcp, path])
        waiting.settimeout(30)
        self.assertIn(b"200 OK", waiting.recv(65536))

    def test_sockets_for_another_process_are_left_alone(self):
        tcp = self.listener()
        self.environment["PID_OFFSET"] = "1"
        relay = self.relay(listeners=[tcp], listen=["127.0.0.1:0"])
        self.assertNotEqual(f"127.0.0.1:{relay.port}", tcp.address)

    def test_a_socket_that_fits_no_listener_is_an_error(self):
        tcp = self.listener()
        said = self.refusal([tcp.socket], "127.0.0.1:0")
        self.assertIn(f"passes a socket at {tcp.address}, but no [[listener]] has this address", said)

    def test_a_descriptor_that_does_not_listen_is_an_error(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as foreign, open("/dev/null") as file:
            for one in (foreign, file):
                self.assertIn("not a listening stream socket", self.refusal([one], "127.0.0.1:0"))

    def test_an_address_that_is_passed_twice_is_an_error(self):
        tcp = self.listener()
        self.assertIn("list the address once", self.refusal([tcp.socket, tcp.socket], tcp.address))

    def test_lines_for_the_journal_have_a_priority(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        status = os.fstat(writing)
        done = subprocess.run(
            [str(harness.RINGPOST), "serve", "--data-dir", self.workplace.path / "none" / "data"],
            env=dict(os.environ, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}"), stderr=writing,
            stdin=subprocess.DEVNULL, timeout=30)
        os.close(writing)
        self.assertEqual(done.returncode, 1)
        lines = os.read(reading, 65536).decode().splitlines()
        self.assertTrue(all(re.match(r"<[3-7]>[^0-9]", line) for line in lines), lines)
        self.assertTrue(lines[-1].startswith("<3>ringpost: "), lines)

    def test_keys_come_as_credentials(self):
        relay = self.relay()
        self.assertEqual(relay.stop(), 0)
        credentials = self.workplace.path / "credentials"
        credentials.mkdir(mode=0o700)
        key = credentials / "ringpost.key"
        (self.workplace.path / "data.key").rename(key)
        key.chmod(0o440)  # As an access control list of systemd's looks.
        self.environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        relay = self.relay("--set", "secrets.key_file=@credential:ringpost.key")
        self.assertEqual(relay.send({"type": "a", "source": "b"})[0], 202)

    def test_ten_restarts_refuse_and_lose_nothing(self):
        tcp = self.listener()
        sink = self.workplace.sink()
        start = lambda: self.relay("--set", "server.shards=2", "--set", "server.memory_max=512MiB",
                                   listeners=[tcp])
        relay = start()
        relay.add_webhook(url=sink.url + "/in", tls=sink.tls())
        token, port = relay.token, relay.port
        over, accepted, failures = threading.Event(), [], []

        def produce(worker):
            """Twenty requests a second, each on a connection of its own."""
            due = time.monotonic()
            number = 0
            while not over.is_set():
                number += 1
                event = f"{worker}-{number}"
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    connection.request(
                        "POST", "/v1/events",
                        json.dumps({"type": "a", "source": "b", "id": event, "data": {"number": event}}),
                        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    (accepted if answer.status == 202 else failures).append((event, answer.status))
                except OSError as error:
                    failures.append((event, repr(error)))
                due += 0.05
                time.sleep(max(0, due - time.monotonic()))

        workers = [threading.Thread(target=produce, args=(worker,)) for worker in range(10)]
        for worker in workers:
            worker.start()
        for _ in range(10):
            time.sleep(0.5)
            self.manager.drain()
            self.assertEqual(relay.stop(), 0)
            relay = start()
        time.sleep(0.5)
        over.set()
        for worker in workers:
            worker.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(accepted), 500)
        relay.wait_until_settled()
        self.assertEqual(len({row["delivery"] for row in sink.received()}), len(accepted))


if __name__ == "__main__":
    unittest.main()
