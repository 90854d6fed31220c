"""What the benchmarks of whole programs share: the machine, CPU time, noise, clients, receivers, relays, tables."""

import argparse
import base64
import collections
import datetime
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
import typing
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("RINGPOST_BUILD", str(ROOT / "build-check"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402

CONNECTIONS = 64
ALLOWED_CPUS = sorted(os.sched_getaffinity(0))
RELAY_CPU, CLIENT_CPU = ALLOWED_CPUS[0], ALLOWED_CPUS[-1]  # With one CPU everything shares it.
SECRET = base64.b64encode(b"0123456789abcdef01234567").decode()
SKIPPED = 77  # The exit code by which Meson knows a test that was left out.


# --- the command line ----------------------------------------------------------------------------

def read_options(rounds=5, seconds=4, quick_seconds=0.3, add=lambda parser: None):
    """The options that every benchmark has. add(parser): adds others."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"default: {rounds}")
    parser.add_argument("--seconds", type=float, default=seconds, metavar="S", help=f"of each run; default: {seconds}")
    parser.add_argument("--quick", action="store_true", help="one short round: tries the script, measures nothing")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    add(parser)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, quick_seconds
    return options


def leave_out(why):
    """Ends the program: this machine lacks something, which is no failure."""
    print(f"SKIPPED: {pathlib.Path(sys.argv[0]).name}: {why}", flush=True)
    sys.exit(SKIPPED)


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        leave_out(f"it needs {', '.join(missing)}: apt-get install {' '.join(missing)}")


def say_conditions(options):
    print(f"{os.uname().release}, {os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s", flush=True)


def print_table(columns, rows):
    """As Markdown. rows: lists of texts."""
    print("\n| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def finish(options, noise, figures):
    """The end of each benchmark's output."""
    print("\n" + noise.text())
    if options.json:
        print(json.dumps({**figures, "noise": noise.facts()}))


# --- the machine ---------------------------------------------------------------------------------

class Cpu(typing.NamedTuple):
    """CPU time of a process in seconds: `total` to the nanosecond, its two parts to the clock tick."""
    total: float
    user: float
    system: float

    def __sub__(self, before):
        return Cpu(*(after - start for after, start in zip(self, before)))


def cpu_of(pid):
    """What a process has used so far, all its threads."""
    place = pathlib.Path(f"/proc/{pid}")
    fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    total = sum(int((thread / "schedstat").read_text().split()[0]) for thread in (place / "task").iterdir())
    return Cpu(total / 1e9, int(fields[11]) / ticks, int(fields[12]) / ticks)


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
        ring = next((line.split("engine features: ", 1)[1] for line in relay.lines if "engine features: " in line), "unknown")
        return {"kernel": os.uname().release, "cpus": os.cpu_count(), "cpu": model,
                "cpu_flags": [flag for flag in wanted if flag in flags], "ring": ring,
                "file_system": file_system_of(place.path), "data_directory": str(place.path.parent),
                "sync_policy": "each event is on stable storage (O_DSYNC) before its 202",
                "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
                "build": str(harness.BUILD), "version": subprocess.run([harness.RINGPOST, "--version"], capture_output=True,
                                                                       text=True, check=True).stdout.strip()}
    finally:
        place.close()


# --- relay and receiver --------------------------------------------------------------------------

class Sink(harness.Process):
    """The receiver: TLS 1.3 and nothing older, signatures verified, on the client's CPU.

    scenario: what the endpoints do, as TOML. With identity, a certificate and its key, it can be started again as the same.
    """

    def __init__(self, place, *arguments, endpoints=1, scenario="", listen="127.0.0.1:0", identity=None):
        self.ca_file = identity[0] if identity else place.path / "ca.pem"
        plan, urls, self.secret_file = place.path / "scenario.toml", place.path / "urls", place.path / "standard.secret"
        plan.write_text(scenario or f'[[endpoint]]\ntls = "1.3"\ncount = {endpoints}\n')
        self.secret_file.write_text("whsec_" + SECRET)
        certificate = ["--certificate", identity[0], "--key", identity[1]] if identity else ["--ca-out", self.ca_file]
        super().__init__([harness.SINK, "--listen", listen, *certificate, "--scenario", plan, "--urls-out", urls,
                          "--control", "127.0.0.1:0", "--standard-secret", f"@{self.secret_file}", *arguments],
                         r"live page at (http://\S+)")
        place.processes.append(self)
        pin(self.child.pid, CLIENT_CPU)
        self.urls = urls.read_text().split()

    def report(self):
        with urllib.request.urlopen(self.match.group(1) + "/report.json", timeout=30) as answer:
            return json.load(answer)

    def tls(self):
        return {"ca": self.ca_file.read_text()}


def start_relay(place, *arguments, shards=1):
    relay = place.relay("--set", f"server.shards={shards}", "--set", "journal.segment_bytes=64MiB", *arguments)
    if shards == 1:
        pin(relay.child.pid, RELAY_CPU)
    return relay


def add_webhook(relay, connection, url, sink, **members):
    """A webhook that sends to a receiver's URL, signed."""
    status, _, answer = relay.request("POST", "/v1/webhooks", {"url": url, "tls": sink.tls(), "schedule": [], "secret": "whsec_" + SECRET,
                                                               **members}, connection=connection)
    if status != 201:
        sys.exit(f"the webhook was refused: {answer}")


def add_webhooks(relay, sink, count):
    """Webhooks for all events; they take turns in the receiver's endpoints."""
    connection = relay.connect()
    for index in range(count):
        add_webhook(relay, connection, sink.urls[index % len(sink.urls)] + "/in", sink)
    connection.close()


class Pair:
    """A relay and a receiver, with webhooks for all events, and the runs that were made with them."""

    def __init__(self, fan_out=1, shards=1, arguments=()):
        self.place = harness.Workplace()
        self.sink = Sink(self.place, endpoints=min(fan_out, 100))
        self.relay = start_relay(self.place, *arguments, shards=shards)
        add_webhooks(self.relay, self.sink, fan_out)
        self.runs = []

    def close(self):
        self.place.close()


def totals(relay):
    return relay.status()["totals"]


def wait_until_delivered(relay, seconds=600):
    """Returns the relay's counters then. Asks more and more seldom, since each answer costs the relay CPU."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while True:
        counters = totals(relay)
        if counters["deliveries_pending"] == 0:
            return counters
        if time.monotonic() > deadline:
            sys.exit("the relay did not deliver everything in time")
        time.sleep(pause)
        pause = min(0.25, pause * 1.5)


# --- load ----------------------------------------------------------------------------------------

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


def write_script(path, body, **headers):
    """A script for wrk."""
    lines = [f'wrk.headers["{name.replace("_", "-")}"] = "{value}"\n' for name, value in headers.items()]
    path.write_text(f'wrk.method = "POST"\nwrk.body = [[{body}]]\n' + "".join(lines))
    return path


def on_client_cpu(command):
    return ["taskset", "-c", str(CLIENT_CPU), *map(str, command)]


def run_wrk(url, script, seconds, connections=CONNECTIONS):
    """Requests answered and what was wrong with them: any other status than 2xx or 3xx, and broken connections.

    seconds: whole ones, at least one.
    """
    done = subprocess.run(on_client_cpu(["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s", "-s", script, url]),
                          capture_output=True, text=True, check=True)
    requests = int(next(line.split()[0] for line in done.stdout.splitlines() if "requests in" in line))
    bad = [line.strip() for line in done.stdout.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    return requests, "; ".join(bad)


def run_load(*arguments, seconds, environment=None):
    """One run of ringpost-load, as its --json describes it; also if requests failed or the generator was late.

    seconds: 0 if the arguments have --count.
    """
    command = on_client_cpu([harness.LOAD, *arguments, "--duration", f"{round(seconds * 1000)}ms", "--json"])
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **(environment or {})))
    if done.returncode not in (0, 1, 4) or not done.stdout:
        sys.exit(f"{' '.join(command)} failed: {done.stderr}")
    return json.loads(done.stdout)["runs"][0]


def note_of(run):
    """What was wrong with a run of ringpost-load."""
    return "; ".join([f"{count} {kind}" for kind, count in run["errors"].items()] + ["the generator was late"] * (not run["valid"]))


def post_events(relay, *arguments, seconds, size=1024):
    """Events from ringpost-load. arguments: its options, such as --rate; size: of the data, in bytes."""
    return run_load("relay", "--size", size, *arguments, seconds=seconds, environment={
        "RINGPOST_URL": f"http://127.0.0.1:{relay.port}", "RINGPOST_TOKEN": relay.token})


def numbered(part, number):
    """The data of an event, of 1 KiB, by which a receiver knows it again."""
    return f'{{"part":"{part}","event":{number},"padding":"{"x" * 950}"}}'


def arrivals(ledger, endpoint, part, count):
    """When events with `numbered` data first came to an endpoint (the begin of its name), in seconds since 1970, by number."""
    numbers = {hashlib.sha256(numbered(part, number).encode()).hexdigest(): number for number in range(count)}
    found = {}
    with ledger.open() as lines:
        for line in lines:
            time_ns, _, _, digest, _, _, name = line.rstrip("\n").split("\t")
            if name.startswith(endpoint) and digest in numbers:
                found.setdefault(numbers[digest], int(time_ns) / 1e9)
    return found


def start_of(run):
    return datetime.datetime.fromisoformat(run["started_at"].replace("Z", "+00:00")).timestamp()


def latencies_ms(run, arrived, rate):
    """From the time when an event of a run at a fixed rate was due until it arrived, by the clock of the receiver."""
    latencies = sorted((when - start_of(run) - number / rate) * 1e3 for number, when in arrived.items())
    if not latencies:
        sys.exit("no event arrived")
    return {"p50_ms": statistics.median(latencies), "p99_ms": latencies[len(latencies) * 99 // 100], "max_ms": latencies[-1]}


def us_each(spent, count):
    return spent.total * 1e6 / max(count, 1)


def per_request(pid, work):
    """CPU of a process per request of `work`, which returns how many there were and what was wrong with them."""
    before = cpu_of(pid)
    count, bad = work()
    spent = cpu_of(pid) - before
    ticked = max(spent.user + spent.system, 1e-9)
    us = us_each(spent, count)
    return {"count": count, "bad": bad, "us": us, "user_us": us * spent.user / ticked, "system_us": us * spent.system / ticked}


def wrk_through_relay(relay, script, **options):
    """Work for `per_request`: deliveries, until everything is delivered."""
    def work():
        before = totals(relay)["deliveries_delivered"]
        _, bad = run_wrk(f"http://127.0.0.1:{relay.port}/v1/events", script, **options)
        return wait_until_delivered(relay)["deliveries_delivered"] - before, bad
    return work


def load_through_relay(relay, *arguments, **how):
    """Posts events as post_events does, until everything is delivered: CPU, and what the relay's counters say."""
    first, before, began = totals(relay), cpu_of(relay.child.pid), time.monotonic()
    run = post_events(relay, *arguments, **how)
    last = wait_until_delivered(relay)
    seconds = time.monotonic() - began
    spent = cpu_of(relay.child.pid) - before
    change = {name: last[name] - first[name] for name in first}
    events, deliveries = max(change["events_accepted"], 1), max(change["deliveries_delivered"], 1)
    return {"us": us_each(spent, deliveries), "events": change["events_accepted"], "deliveries": change["deliveries_delivered"],
            "refused": run["failed"], "per_second": change["deliveries_delivered"] / seconds,
            "writes_per_event": change["syncs_completed"] / events, "journal_bytes_per_event": change["journal_bytes"] / events,
            "journal_bytes_per_delivery": change["journal_bytes"] / deliveries, "latency": run["latency"], "note": note_of(run)}


def load_through_proxy(proxy, sink, *arguments, seconds):
    """Posts signed requests with the same data; CPU of the proxy."""
    before = cpu_of(proxy.child.pid)
    run = run_load("receiver", proxy.url, "--standard-secret", f"@{sink.secret_file}", "--size", 1024, *arguments, seconds=seconds)
    spent = cpu_of(proxy.child.pid) - before
    return {"us": us_each(spent, run["succeeded"]), "requests": run["succeeded"], "latency": run["latency"], "note": note_of(run)}


def median_of(results, name):
    return statistics.median(result[name] for result in results)


def rounds_text(results, name, digits=2):
    """Of a table: the figure of each round, and what was wrong."""
    notes = collections.Counter(result["note"] for result in results if result["note"])
    return "; ".join([", ".join(f"{result[name]:,.{digits}f}" for result in results)] +
                     [f"in {count} of {len(results)} runs {note}" for note, count in notes.items()])
