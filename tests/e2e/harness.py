"""Starts real relays and receivers for the end-to-end tests, and keeps the ledger.

Every process is started here and ended by its own id. Everything listens on loopback, on ports that
the kernel chooses, with data in a temporary directory.
"""

import ctypes
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ["RINGPOST_BUILD"])
RINGPOST = BUILD / "src" / "server" / "ringpost"
SINK = BUILD / "tools" / "ringpost-sink"
LOAD = BUILD / "tools" / "ringpost-load"
JOURNAL = BUILD / "tools" / "ringpost-journal"
START_SECONDS = 30
# `epoll` or `io_uring`: what relays are started with; without it they choose. `epoll` also forbids io_uring to this process
# and all that it starts, so that clients, generators and receivers run without it as well.
ENGINE = os.environ.get("RINGPOST_ENGINE")
SYS_IO_URING_SETUP = 425
EPHEMERAL_PORTS = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port():
    """A port of 127.0.0.1 on which nobody listens, for a server that cannot choose its own, or for nobody.

    It lies below the ports that the kernel hands out: no connection and no `:0` takes it before the server does.
    """
    end = int(EPHEMERAL_PORTS.read_text().split()[0])
    start = 10000 if end > 12000 else 1024
    while True:
        port = random.randrange(start, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def forbid_io_uring():
    """For this process and all that it starts: io_uring_setup fails with EPERM, as under many container profiles."""
    library = ctypes.CDLL(None, use_errno=True)
    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO, EPERM.
    steps = [(load, 0, 0, 0), (jump_if_equal, 0, 1, SYS_IO_URING_SETUP), (answer, 0, 0, refuse),
             (answer, 0, 0, allow)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer))
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if library.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        raise OSError("PR_SET_NO_NEW_PRIVS")
    if library.prctl(set_seccomp, filter_mode, program, 0, 0) != 0:
        raise OSError("PR_SET_SECCOMP")


if ENGINE == "epoll":
    forbid_io_uring()


class Process:
    """A child whose first lines of output say when it is ready."""

    def __init__(self, arguments, ready, environment=None, seconds=START_SECONDS, pass_fds=()):
        self.lines = []
        self.child = subprocess.Popen(
            [str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, pass_fds=pass_fds)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.rest = b""
        self.match = self.wait_for(ready, seconds)

    def read(self, seconds):
        """Reads what the child printed, waiting at most so long for something."""
        if select.select([self.child.stdout], [], [], seconds)[0]:
            chunk = os.read(self.child.stdout.fileno(), 65536)
            if not chunk:
                return False
            *lines, self.rest = (self.rest + chunk).split(b"\n")
            self.lines += [line.decode(errors="replace") for line in lines]
        return True

    def wait_for(self, pattern, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        seen = 0
        while time.monotonic() < deadline:
            alive = self.read(0.1)
            while seen < len(self.lines):
                found = re.search(pattern, self.lines[seen])
                seen += 1
                if found:
                    return found
            if not alive:
                self.child.wait()
                break
        raise AssertionError(f"{self.child.args[0]} never said /{pattern}/; it said:\n" +
                             "\n".join(self.lines[-40:]))

    def drain_output(self):
        while self.child.poll() is None or self.read(0):
            if not self.read(0.05):
                break

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.child.stdout.close()

    def freeze(self, seconds=10):
        """Stops every thread of the child where it is; returns when all of them stand still."""
        self.child.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + seconds
        tasks = pathlib.Path(f"/proc/{self.child.pid}/task")
        while time.monotonic() < deadline:
            states = [(task / "stat").read_text().rsplit(")", 1)[1].split()[0]
                      for task in tasks.iterdir()]
            if all(state == "T" for state in states):
                return
            time.sleep(0.01)
        raise AssertionError(f"threads still run: {states}")

    def thaw(self):
        self.child.send_signal(signal.SIGCONT)

    def stop(self, seconds=40):
        """Asks for an orderly stop and returns the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.child.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        if self.child.poll() is None:
            self.kill()
            raise AssertionError("did not stop in time; it said:\n" + "\n".join(self.lines[-40:]))
        self.read(0)
        self.child.stdout.close()
        return self.child.returncode

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


class Relay(Process):
    """`ringpost serve` on a data directory."""

    def __init__(self, data_dir, *arguments, listen=("127.0.0.1:0",), networks=("127.0.0.0/8",),
                 environment=None, seconds=START_SECONDS, launcher=(), pass_fds=()):
        self.data_dir = pathlib.Path(data_dir)
        engine = ["--set", f"server.engine={ENGINE}"] if ENGINE else []
        listeners = [part for address in listen for part in ("--listen", address)]
        allowed = json.dumps(list(networks))
        super().__init__(
            [*launcher, RINGPOST, "serve", "--data-dir", data_dir, *listeners, *engine,
             "--set", f"delivery.allow_networks={allowed}",
             "--set", f"delivery.plain_http_networks={allowed}",
             "--set", "journal.segment_bytes=4MiB", *arguments],
            r"ready: .*?(?:http://127\.0\.0\.1:(\d+)|unix:)", environment,
            seconds, pass_fds)
        self.port = int(self.match.group(1)) if self.match.group(1) else None

    def ports(self):
        """Of all listeners on TCP, in the order of the configuration."""
        self.read(1)
        return [int(line.rsplit(":", 1)[1]) for line in self.lines if " ready: " in line]

    @property
    def token(self):
        return (self.data_dir / "admin.token").read_text().strip()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def request(self, method, path, body=None, headers=None, connection=None):
        """Returns status, headers and the answer (parsed, if it is JSON)."""
        own = connection or self.connect()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent.update(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        own.request(method, path, body=body, headers=sent)
        answer = own.getresponse()
        raw = answer.read()
        if connection is None:
            own.close()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(raw) if raw and "json" in kind else raw

    def add_webhook(self, **members):
        status, _, webhook = self.request("POST", "/v1/webhooks", members)
        assert status == 201, (status, webhook)
        return webhook

    def cli(self, *arguments, check=True):
        environment = dict(os.environ, RINGPOST_URL=f"http://127.0.0.1:{self.port}",
                           RINGPOST_TOKEN=self.token)
        done = subprocess.run([str(RINGPOST), *map(str, arguments)], capture_output=True, text=True,
                              env=environment, timeout=60)
        if check:
            assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def send(self, body, kind="application/json", **headers):
        """Posts events; returns the status and the parsed answer."""
        status, _, answer = self.request("POST", "/v1/events", body,
                                         {"Content-Type": kind, **headers})
        return status, answer

    def status(self):
        return self.request("GET", "/v1/status")[2]

    def deliveries(self, webhook, query=""):
        """All deliveries of a webhook, newest first."""
        found, cursor = [], ""
        while True:
            page = self.request(
                "GET", f"/v1/webhooks/{webhook['id']}/deliveries?limit=200{query}{cursor}")[2]
            found += page["items"]
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def delivery(self, delivery_id):
        return self.request("GET", f"/v1/deliveries/{delivery_id}")[2]

    def wait_for_delivery(self, webhook, wanted, seconds=30):
        """Waits until the webhook's newest delivery is as wanted; returns it with its attempts."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.deliveries(webhook)
            if found and wanted(found[0]):
                return self.delivery(found[0]["id"])
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def wait_until_settled(self, seconds=60):
        """Waits until nothing is pending any more; returns the last status."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if status["backlog"] == 0:
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.05)


class Sink(Process):
    """`ringpost-sink`, a receiver over TLS (or plain http)."""

    def __init__(self, directory, *arguments, plain=False, listen="127.0.0.1:0"):
        self.directory = pathlib.Path(directory)
        self.ca_file = self.directory / "sink-ca.pem"
        self.ledger = self.directory / "sink-ledger.tsv"
        scheme = ["--plain"] if plain else ["--ca-out", self.ca_file]
        super().__init__([SINK, "--listen", listen, "--ledger", self.ledger, *scheme,
                          *arguments], r"listening on (https?://127\.0\.0\.1:\d+)")
        self.url = self.match.group(1)

    def tls(self):
        return {"ca": self.ca_file.read_text()} if self.ca_file.exists() else {}

    def received(self):
        """The ledger: one dict per request."""
        if not self.ledger.exists():
            return []
        names = ("time_ns", "delivery", "attempt", "sha256", "signature", "status")
        rows = []
        for line in self.ledger.read_text().splitlines():
            values = line.split("\t")
            if len(values) == len(names):
                rows.append(dict(zip(names, values)))
        return rows

    def wait_for_count(self, count, seconds=30):
        deadline = time.monotonic() + seconds
        while len(self.received()) < count:
            assert time.monotonic() < deadline, f"{len(self.received())} of {count} arrived"
            time.sleep(0.02)
        return self.received()


class Workplace:
    """A temporary directory, removed at the end; what still runs in it is killed."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="ringpost-test-"))
        self.processes = []

    def relay(self, *arguments, name="data", **options):
        relay = Relay(self.path / name, *arguments, **options)
        self.processes.append(relay)
        return relay

    def sink(self, *arguments, name="sink", **options):
        directory = self.path / name
        directory.mkdir(exist_ok=True)
        sink = Sink(directory, *arguments, **options)
        self.processes.append(sink)
        return sink

    def close(self):
        for process in self.processes:
            if process.child.poll() is None:
                process.kill()
            elif not process.child.stdout.closed:
                process.child.stdout.close()
        shutil.rmtree(self.path, ignore_errors=True)


def raw_exchange(port, request, seconds=5):
    """Sends bytes, returns everything that comes back until the relay closes or time is up."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return answer
