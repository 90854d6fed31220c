"""What the benchmarks of whole programs share: the machine, CPU time, noise, a client, receivers, relays."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("RINGPOST_BUILD", str(ROOT / "build-check"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS_EACH", "4"))
CONNECTIONS = 64
# With one CPU everything shares it.
RELAY_CPU, CLIENT_CPU = 0, min(1, os.cpu_count() - 1)
SECRET = base64.b64encode(b"0123456789abcdef01234567").decode()


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name} needs {', '.join(missing)}: apt-get install {' '.join(missing)}")


def server_program(name):
    """A server that tools/check has unpacked into the build directory, or the system's."""
    unpacked = harness.BUILD / "servers" / "root" / "usr" / "sbin" / name
    if unpacked.exists():
        return str(unpacked)
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        sys.exit(f"there is no {name}: run `. tools/packages.sh && ensure_servers {harness.BUILD}`, which unpacks it there, "
                 f"or apt-get install {name}")
    return found


def server_environment():
    """With the libraries that were unpacked beside the servers."""
    library = harness.BUILD / "servers" / "root" / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    return dict(os.environ, LD_LIBRARY_PATH=str(library)) if library.exists() else dict(os.environ)


def cpu_seconds(pid):
    """User and system time of a process, all threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def pin(pid, *cpus):
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cpus)


class Noise:
    """How much the machine disturbs: the same work again and again, and the time that the hypervisor took."""

    def __init__(self):
        self.samples = []
        self.before = self.ticks()

    @staticmethod
    def ticks():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return sum(fields[:8]), fields[7]

    def sample(self):
        block = bytes(1 << 20)
        started = time.thread_time()
        for _ in range(20):
            hashlib.sha256(block).digest()
        self.samples.append(time.thread_time() - started)

    def facts(self):
        total, stolen = (after - before for after, before in zip(self.ticks(), self.before))
        middle = statistics.median(self.samples)
        return {"load_average": round(os.getloadavg()[0], 1), "stolen_percent": round(100 * stolen / max(total, 1), 1),
                "same_work_spread_percent": round(100 * (max(self.samples) - min(self.samples)) / middle, 1)}

    def text(self):
        facts = self.facts()
        return (f"noise: the same work took {facts['same_work_spread_percent']} % more CPU at worst than at best, "
                f"{facts['stolen_percent']} % of the time stolen by the hypervisor, load average {facts['load_average']}")


def run_wrk(url, script, seconds=SECONDS, connections=CONNECTIONS):
    """Requests answered and what was wrong with them: any other status than 2xx or 3xx, and broken connections."""
    done = subprocess.run(["taskset", "-c", str(CLIENT_CPU), "wrk", "-t1", f"-c{connections}",
                           f"-d{max(1, round(seconds))}s", "-s", str(script), url], capture_output=True, text=True, check=True)
    requests = int(next(line.split()[0] for line in done.stdout.splitlines() if "requests in" in line))
    bad = [line.strip() for line in done.stdout.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    return requests, "; ".join(bad)


def write_script(path, body, **headers):
    lines = [f'wrk.headers["{name.replace("_", "-")}"] = "{value}"\n' for name, value in headers.items()]
    path.write_text(f'wrk.method = "POST"\nwrk.body = [[{body}]]\n' + "".join(lines))
    return path


def data_of(size):
    """The data of an event, this many bytes of JSON."""
    return '{"build_number":128,"log":"' + "x" * (size - 29) + '"}'


def event_of(size):
    return '{"type":"build/finished","source":"app/bench","data":' + data_of(size) + "}"


def signature_headers(body):
    now = str(int(time.time()))
    signed = f"bench.{now}.".encode() + body.encode()
    digest = hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()
    return {"webhook_id": "bench", "webhook_timestamp": now, "webhook_signature": "v1," + base64.b64encode(digest).decode()}


class Sink(harness.Process):
    """The receiver: TLS 1.3 and nothing older, signatures verified, on the client's CPU."""

    def __init__(self, place, *arguments, endpoints=1):
        self.ca_file = place.path / "ca.pem"
        scenario, urls = place.path / "scenario.toml", place.path / "urls"
        scenario.write_text(f'[[endpoint]]\ntls = "1.3"\ncount = {endpoints}\n')
        secret = place.path / "standard.secret"
        secret.write_text("whsec_" + SECRET)
        super().__init__([harness.SINK, "--listen", "127.0.0.1:0", "--ca-out", self.ca_file, "--scenario", scenario,
                          "--urls-out", urls, "--control", "127.0.0.1:0", "--standard-secret", f"@{secret}", *arguments],
                         r"live page at (http://\S+)")
        place.processes.append(self)
        pin(self.child.pid, CLIENT_CPU)
        self.urls = urls.read_text().split()

    def report(self):
        with urllib.request.urlopen(self.match.group(1) + "/report.json", timeout=30) as answer:
            return json.load(answer)

    def tls(self):
        return {"ca": self.ca_file.read_text()}


def start_relay(place, name="data", shards=1):
    relay = place.relay("--set", f"server.shards={shards}", "--set", "journal.segment_bytes=64MiB", name=name)
    if shards == 1:
        pin(relay.child.pid, RELAY_CPU)
    return relay


def add_webhooks(relay, sink, count):
    for index in range(count):
        relay.add_webhook(url=sink.urls[index % len(sink.urls)] + "/in", tls=sink.tls(), schedule=[], secret="whsec_" + SECRET)


def delivered(relay):
    return relay.request("GET", "/v1/status")[2]["totals"]["deliveries_delivered"]


def wait_until_delivered(relay, seconds=120):
    deadline = time.monotonic() + seconds
    while relay.request("GET", "/v1/status")[2]["totals"]["deliveries_pending"] > 0:
        if time.monotonic() > deadline:
            sys.exit("the relay did not deliver everything in time")
        time.sleep(0.05)


def per_request(pid, work):
    """CPU of a process per request of `work`, which returns how many there were and what was wrong with them."""
    before = cpu_seconds(pid)
    count, bad = work()
    user, system = (after - start for after, start in zip(cpu_seconds(pid), before))
    return {"count": count, "bad": bad, "user_us": user * 1e6 / max(count, 1), "system_us": system * 1e6 / max(count, 1),
            "us": (user + system) * 1e6 / max(count, 1)}


def through_relay(relay, script, **options):
    def work():
        before = delivered(relay)
        _, bad = run_wrk(f"http://127.0.0.1:{relay.port}/v1/events", script, **options)
        wait_until_delivered(relay)
        return delivered(relay) - before, bad
    return work


def file_system_of(path):
    """Type and mount point of where a path is."""
    path = pathlib.Path(path).resolve()
    best = ("unknown", "")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind = line.split()[:3]
        inside = point == "/" or path == pathlib.Path(point) or pathlib.Path(point) in path.parents
        if inside and len(point) >= len(best[1]):
            best = (kind, point)
    return best[0]


def machine():
    """What a figure has to be read with."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith("model name")), "unknown")
    flags = next((line.split(":", 1)[1].split() for line in cpu.splitlines() if line.startswith(("flags", "Features"))), [])
    wanted = ("sse4_2", "pclmulqdq", "aes", "sha_ni", "avx2", "vaes", "vpclmulqdq", "avx512f", "sha1", "sha2", "pmull", "hypervisor")
    place = harness.Workplace()
    try:
        relay = place.relay("--set", "server.shards=1", "--set", "log.level=debug")
        ring = next((line[line.index("io_uring with"):] for line in relay.lines if "io_uring with" in line), "unknown")
        return {"kernel": os.uname().release, "cpus": os.cpu_count(), "cpu": model,
                "cpu_flags": [flag for flag in wanted if flag in flags], "ring": ring,
                "file_system": file_system_of(place.path), "data_directory": str(place.path.parent),
                "sync_policy": "each event is on stable storage (O_DSYNC) before its 202",
                "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
                "build": str(harness.BUILD), "version": subprocess.run([harness.RINGPOST, "--version"], capture_output=True,
                                                                       text=True, check=True).stdout.strip()}
    finally:
        place.close()
