"""The published EventSource for Node follows GET /v1/stream as browsers do: it comes back by itself, with Last-Event-ID."""

import json
import pathlib
import subprocess
import time
import unittest

import foreign
import harness

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 60


class EventSource(unittest.TestCase):

    def setUp(self):
        node = foreign.need(foreign.program("node"))
        modules = foreign.need(foreign.npm_package("eventsource")).parent.parent
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.address = f"127.0.0.1:{harness.free_port()}"
        self.relay = self.place.relay(listen=(self.address,))
        self.relay.add_webhook(url=self.place.sink(plain=True).url)
        self.client = subprocess.Popen(
            [node, HERE.parent / "npm" / "event_source.mjs", modules, f"http://{self.address}/v1/stream?status=delivered",
             self.relay.token], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.said = []

    def end(self):
        self.client.kill()
        self.client.wait()
        self.client.stdout.close()

    def wait_for(self, what):
        """Reads on until something said is as wanted; returns it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            line = self.client.stdout.readline()
            self.assertTrue(line, self.said)
            self.said.append(json.loads(line))
            if what(self.said[-1]):
                return self.said[-1]
        raise AssertionError(self.said)

    def send(self, number):
        self.assertEqual(self.relay.send(json.dumps(
            {"id": f"e{number}", "type": "t", "source": "s", "data": {"text": "a\n\nb"}}))[0], 202)

    def test_hears_every_delivery_once_across_a_restart_of_the_relay(self):
        self.wait_for(lambda one: one.get("open"))
        self.send(1)
        first = self.wait_for(lambda one: one.get("event") == "delivery")
        self.assertEqual(first["data"]["event"]["id"], "e1")
        self.assertTrue(first["id"])
        self.relay.stop()
        self.relay = self.place.relay(listen=(self.address,))
        self.send(2)
        self.relay.wait_until_settled()
        self.wait_for(lambda one: one.get("event") == "delivery" and one["data"]["event"]["id"] == "e2")
        self.send(3)
        self.wait_for(lambda one: one.get("event") == "delivery" and one["data"]["event"]["id"] == "e3")
        told = [one["data"]["event"]["id"] for one in self.said if "event" in one]
        self.assertEqual(told, ["e1", "e2", "e3"])
        self.assertEqual(sum("open" in one for one in self.said), 2)

    def test_stops_for_good_when_its_token_is_gone(self):
        self.wait_for(lambda one: one.get("open"))
        token, = [one for one in self.relay.request("GET", "/v1/tokens")[2]["items"]]
        status, _, made = self.relay.request("POST", "/v1/tokens", {"name": "second", "scopes": ["admin"]})
        self.assertEqual(status, 201, made)
        self.relay.request("DELETE", f"/v1/tokens/{token['id']}",
                           headers={"Authorization": f"Bearer {made['token']}"})
        notice = self.wait_for(lambda one: one.get("event") == "notice")
        self.assertEqual(notice["data"]["code"], "signed_out")
        self.wait_for(lambda one: one.get("error") == 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
