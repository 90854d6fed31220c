"""CPU per event (1 KiB, fan-out 1, durable, signed) against a proxy's CPU per request: for vs-haproxy and vs-nginx."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import measuring
from measuring import ROUNDS, SECONDS, harness


def show(name, result, receiver_us):
    print(f"  {name:9} {result['us']:6.2f} us CPU each ({result['user_us']:.2f} user + {result['system_us']:.2f} system), "
          f"{result['count']:,} in {SECONDS:g} s; the receiver {receiver_us:.2f} us {result['bad']}", flush=True)


def receiver_cost(before, after):
    cpu = sum(after["cpu"][part] - before["cpu"][part] for part in ("user_seconds", "system_seconds"))
    return cpu * 1e6 / max(after["requests"] - before["requests"], 1)


def checked(name, result, before, after):
    """Every request must have reached the receiver, been answered with 200, and come over a connection that was kept."""
    problems = [result["bad"]] if result["bad"] else []
    arrived = after["requests"] - before["requests"]
    if arrived < result["count"]:
        problems.append(f"only {arrived} of {result['count']} requests reached the receiver")
    if set(after["statuses"]) - {"200"}:
        problems.append(f"the receiver answered {after['statuses']}")
    if after["connections"] - before["connections"] > max(200, arrived // 50):
        problems.append(f"{after['connections'] - before['connections']} connections were opened: none is kept")
    if problems:
        sys.exit(f"{name}: this is no fair run: {'; '.join(problems)}")


def compare(name, write_config, command, limit):
    """Runs both in turn and prints medians.

    write_config(path, front, port, ca): writes the proxy's configuration. command(config): how to start it in the foreground,
    as one process that does all the work.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args()
    measuring.need("wrk", "taskset")
    place = harness.Workplace()
    proxy = None
    try:
        sink = measuring.Sink(place)
        relay = measuring.start_relay(place)
        measuring.add_webhooks(relay, sink, 1)
        script = measuring.write_script(place.path / "relay.lua", measuring.event_of(1024), Content_Type="application/json",
                                        Authorization=f"Bearer {relay.token}")
        plain = measuring.write_script(place.path / "proxy.lua", measuring.data_of(1024), Content_Type="application/json")
        front = 20000 + os.getpid() % 20000
        config = place.path / f"{name}.conf"
        write_config(config, front, int(sink.urls[0].rsplit(":", 1)[1]), sink.ca_file)
        proxy = subprocess.Popen(command(config), stdout=subprocess.DEVNULL, env=measuring.server_environment())
        time.sleep(1)
        if proxy.poll() is not None:
            sys.exit(f"{name} did not start: {' '.join(command(config))}")
        measuring.pin(proxy.pid, measuring.RELAY_CPU)

        def through_proxy():
            return measuring.run_wrk(f"http://127.0.0.1:{front}/in", plain)

        sides = {"ringpost": (relay.child.pid, measuring.through_relay(relay, script)), name: (proxy.pid, through_proxy)}
        print(f"{os.uname().release}, {os.cpu_count()} CPUs, {ROUNDS} rounds of {SECONDS:g} s, {measuring.CONNECTIONS} connections, "
              "TLS 1.3 to the receiver")
        noise, each, receiver = measuring.Noise(), {side: [] for side in sides}, {side: [] for side in sides}
        for _ in range(ROUNDS):
            noise.sample()
            for side, (pid, work) in sides.items():
                before = sink.report()
                result = measuring.per_request(pid, work)
                after = sink.report()
                show(side, result, receiver_cost(before, after))
                checked(side, result, before, after)
                each[side].append(result["us"])
                receiver[side].append(receiver_cost(before, after))
    finally:
        if proxy is not None:
            proxy.terminate()
            proxy.wait()
        place.close()
    ours, theirs = (statistics.median(each[side]) for side in sides)
    ours_receiver = statistics.median(receiver["ringpost"])
    print(f"\nmedian: ringpost {ours:.2f} us per event, {name} {theirs:.2f} us per request, ratio {ours / theirs:.2f} (limit {limit})")
    print(f"the receiver took {ours_receiver:.2f} us per request of the relay: {ours / ours_receiver:.2f} x as fast per core "
          "(at least 1.5, or it limits what is measured)")
    print(noise.text())
    if options.json:
        print(json.dumps({"ringpost_us": ours, f"{name}_us": theirs, "ratio": ours / theirs, "limit": limit,
                          "receiver_us": ours_receiver, "rounds": each, "noise": noise.facts()}))
