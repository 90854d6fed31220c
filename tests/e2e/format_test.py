"""Data directories that earlier builds wrote are opened by this one: all that they hold is there, and goes on.

`formats/NAME.tar.xz` holds a data directory with its key file; `formats/NAME.json` what its relay said of it. A build
that changes a format adds its own pair, and never changes another:

    RINGPOST_BUILD=$PWD/build-check python3 -B tests/e2e/format_test.py --make NAME
"""

import collections
import hashlib
import json
import pathlib
import sys
import tarfile
import time
import unittest
import urllib.parse

import harness

FORMATS = pathlib.Path(__file__).parent / "formats"
# Nothing of the past expires, whenever the test runs.
SETTINGS = ["--set", "server.shards=2", "--set", "journal.retention_age=87600h"]


def said_of(relay):
    """What a relay knows, without what time changes."""
    def every(path):
        found, cursor = [], ""
        while True:
            status, _, page = relay.request("GET", path + ("&" if "?" in path else "?") + "limit=200" + cursor)
            assert status == 200, (path, status, page)
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def digest(item, *names):
        return item and hashlib.sha256(json.dumps(of(item, *names), sort_keys=True).encode()).hexdigest()

    def of(item, *names):
        return {name: item.get(name) for name in names}

    deliveries = []
    for item in every("/v1/deliveries"):
        shown = relay.delivery(item["id"])
        told = of(shown, "id", "webhook", "event", "redelivery_of", "created_at")
        if shown["status"] not in ("pending", "in_flight"):  # Those go on.
            told["status"] = shown["status"]
            told["attempts"] = [
                of(attempt, "number", "started_at", "error") | {"request": digest(attempt["request"], "method", "headers", "body"),
                                                                "response": digest(attempt["response"], "status", "headers", "body")}
                for attempt in shown["attempts"]]
        deliveries.append(told)
    status, _, totals = relay.request("GET", "/v1/totals?by=webhook&limit=200&since=2026-01-01T00:00:00Z")
    assert status == 200 and not totals["cut"], totals
    return {
        "totals": [of(item, "webhook", "events", "delivered", "dead", "cancelled", "p50_ms", "p99_ms") for item in totals["items"]],
        "webhooks": [of(hook, "id", "dialect", "url", "sources", "events", "filter", "headers", "schedule", "settings", "state", "created_at")
                     for hook in every("/v1/webhooks")],
        "events": [of(event, "id", "source", "type", "accepted_at", "branch") for event in every("/v1/events")],
        "deliveries": deliveries,
        "sources": [of(source, "id", "host", "description") | {"path": urllib.parse.urlsplit(source["url"]).path} for source in every("/v1/sources")],
        "tokens": sorted(token["name"] for token in every("/v1/tokens")),
        "replays": [of(replay, "id", "state", "sent", "matched") for replay in every("/v1/replays")],
        "audit": len(every("/v1/audit")),
        "set_aside": [of(item, "id", "source", "type", "status", "reason", "send_again") for item in every("/v1/forward/set-aside")],
    }


def make(name):
    place = harness.Workplace()
    try:
        central = place.relay("--set", "ingest.event_bytes_max=2KiB", name="central")
        (place.path / "central.token").write_text(central.token)
        relay = place.relay(*SETTINGS, "--set", f"forward.url=http://127.0.0.1:{central.port}", "--set",
                            f"forward.token_file={place.path}/central.token")
        sink = place.sink(plain=True)
        nobody = "http://127.0.0.1:9/"
        good = relay.add_webhook(url=sink.url + "/good", sources=["app/*"], headers={"X-Team": "mobile"},
                                 filter={"branches": "main release/*"}, events=["build/*"])
        relay.add_webhook(url=nobody, sources=["app/*"], schedule=[604800], description="waits for a week")
        dead = relay.add_webhook(url=sink.url + "/dead", sources=["app/dead"], schedule=[])
        relay.add_webhook(url=sink.url, dialect="bitrise", sources=["app/c0ffee1234abcd56"], events=["build/finished"])
        relay.add_webhook(url=sink.url, dialect="buildkite", sources=["pipeline/x"], secret="token",
                          settings={"token_mode": "token"})
        relay.add_webhook(url=sink.url, dialect="cloudevents", sources=["*"], settings={"handshake": False})
        relay.add_webhook(url=sink.url, dialect="devopness", sources=["pipeline/33"], settings={
            "pipeline_id": 33, "trigger_when": {"events": ["action.completed"]}})
        for number in range(40):
            status, answer = relay.send({"id": f"b{number}", "type": "build/finished", "source": "app/one", "branch": "main",
                                         "data": {"number": number, "text": "Grüße, \u0000 \U0001f600", "fill": "x" * (97 * number)}})
            assert status == 202, answer
        relay.send({"id": "d1", "type": "build/finished", "source": "app/dead", "data": {"dead": True}})
        relay.send({"id": "n1", "type": "other", "source": "nobody/1", "data": []})
        relay.send("no JSON", "application/octet-stream", **{"ce-specversion": "1.0", "ce-id": "x1", "ce-type": "blob", "ce-source": "bin/1"})
        relay.request("POST", "/v1/sources", {"host": "github", "description": "the app"})
        relay.request("POST", "/v1/tokens", {"name": "producer", "scopes": ["events:write"]})
        relay.wait_for_delivery(dead, lambda found: found["status"] in ("dead", "delivered"))
        delivered = relay.wait_for_delivery(good, lambda found: found["status"] == "delivered")
        relay.request("POST", f"/v1/deliveries/{delivered['id']}/redeliver", {"data": {"edited": 1}})
        relay.cli("replay", "start", good["id"], "--status", "delivered", "--again", "--wait", "30s")
        deadline = time.monotonic() + 30
        while [one for one in relay.deliveries(good) if one["status"] != "delivered"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        while (forward := relay.request("GET", "/v1/forward")[2])["backlog_events"] > 0 or forward["set_aside"] == 0:
            assert time.monotonic() < deadline, forward
            time.sleep(0.1)
        central.stop()
        relay.cli("forward", "send-again", "b39")
        assert relay.stop() == 0
        # What a relay says of it that has just been started is what a later one must say.
        relay = place.relay(*SETTINGS)
        said = said_of(relay)
        token = relay.token
        relay.stop()
        (FORMATS / f"{name}.json").write_text(json.dumps({"token": token, "said": said}, separators=(",", ":"), sort_keys=True) + "\n")
        with tarfile.open(FORMATS / f"{name}.tar.xz", "w:xz") as archive:
            for path in ("data", "data.key"):
                archive.add(place.path / path, path)
    finally:
        place.close()


class Formats(unittest.TestCase):

    def test_every_earlier_format_is_read(self):
        kept = sorted(FORMATS.glob("*.tar.xz"))
        self.assertTrue(kept)
        for archive in kept:
            with self.subTest(archive.name):
                self.check(archive)

    def check(self, archive):
        place = harness.Workplace()
        self.addCleanup(place.close)
        with tarfile.open(archive) as packed:
            packed.extractall(place.path)
        expected = json.loads(archive.with_suffix("").with_suffix(".json").read_text())
        relay = place.relay(*SETTINGS)
        self.assertEqual(relay.token, expected["token"])
        said = json.loads(json.dumps(said_of(relay)))
        self.maxDiff = 4000
        going = {item["id"] for item in expected["said"]["deliveries"] if "status" not in item}
        for item in said["deliveries"]:
            if item["id"] in going:
                item.pop("status", None)
                item.pop("attempts", None)
        for what in expected["said"]:
            self.assertEqual(said[what], expected["said"][what], what)
        # Earlier indexes had no totals: they are made again.
        delivered = collections.Counter(item["webhook"] for item in said["deliveries"] if item.get("status") == "delivered")
        for total in said["totals"]:
            self.assertEqual(total["delivered"], delivered[total["webhook"]], total)
        # And it goes on.
        sink = place.sink(plain=True)
        hook = relay.add_webhook(url=sink.url, sources=["app/new"])
        self.assertEqual(relay.send({"id": "b1", "type": "t", "source": "app/new", "data": {}})[0], 202)
        relay.wait_for_delivery(hook, lambda found: found["status"] == "delivered")
        done = next(item for item in said["deliveries"] if item.get("status") == "delivered" and item["webhook"])
        status, _, made = relay.request("POST", f"/v1/deliveries/{done['id']}/redeliver")
        self.assertEqual(status, 202, made)
        self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2])
    else:
        unittest.main(verbosity=2)
