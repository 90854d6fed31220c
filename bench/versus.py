"""CPU per event (1 KiB, fan-out 1, durable, signed) against a proxy's CPU per request: for vs-haproxy and vs-nginx."""

import statistics
import sys

import measuring
import proxies
from measuring import harness


def show(name, result, receiver_us, seconds):
    print(f"  {name:9} {result['us']:6.2f} us CPU each ({result['user_us']:.2f} user + {result['system_us']:.2f} system), "
          f"{result['count']:,} in {seconds:g} s; the receiver {receiver_us:.2f} us {result['bad']}", flush=True)


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


def measure(name, place, options, noise):
    """us CPU of both sides and of the receiver, for each round: {side: [..]}, {side: [..]}."""
    sink = measuring.Sink(place)
    relay = measuring.start_relay(place)
    measuring.add_webhooks(relay, sink, 1)
    script = measuring.write_script(place.path / "relay.lua", measuring.event_of(1024), Content_Type="application/json",
                                    Authorization=f"Bearer {relay.token}")
    plain = measuring.write_script(place.path / "proxy.lua", measuring.data_of(1024), Content_Type="application/json")
    proxy = proxies.Proxy(name, place, sink)
    sides = {"ringpost": (relay.child.pid, measuring.wrk_through_relay(relay, script, seconds=options.seconds)),
             name: (proxy.child.pid, lambda: measuring.run_wrk(proxy.url, plain, options.seconds))}
    each, receiver = {side: [] for side in sides}, {side: [] for side in sides}
    for _ in range(options.rounds):
        noise.sample()
        for side, (pid, work) in sides.items():
            before = sink.report()
            result = measuring.per_request(pid, work)
            after = sink.report()
            show(side, result, receiver_cost(before, after), options.seconds)
            checked(side, result, before, after)
            each[side].append(result["us"])
            receiver[side].append(receiver_cost(before, after))
    return each, receiver


def compare(name, limit):
    """Runs the relay and the proxy in turn and prints medians."""
    options = measuring.read_options(quick_seconds=1)
    measuring.need("wrk", "taskset")
    proxies.program_of(name)
    measuring.say_conditions(options)
    place, noise = harness.Workplace(), measuring.Noise()
    try:
        each, receiver = measure(name, place, options, noise)
    finally:
        place.close()
    ours, theirs = (statistics.median(each[side]) for side in ("ringpost", name))
    ours_receiver = statistics.median(receiver["ringpost"])
    print(f"\nmedian: ringpost {ours:.2f} us per event, {name} {theirs:.2f} us per request, ratio {ours / theirs:.2f} (limit {limit})")
    print(f"the receiver took {ours_receiver:.2f} us per request of the relay: {ours / ours_receiver:.2f} x as fast per core "
          "(at least 1.5, or it limits what is measured)")
    measuring.finish(options, noise, {"ringpost_us": ours, f"{name}_us": theirs, "ratio": ours / theirs, "limit": limit,
                                      "receiver_us": ours_receiver, "rounds": each})
