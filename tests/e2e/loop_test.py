"""Nothing goes in circles: not within a relay, and not between relays."""

import json
import unittest

import harness


class Loops(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def refused(self, relay, url):
        status, _, answer = relay.request("POST", "/v1/webhooks", {"url": url})
        self.assertEqual((status, answer["member"]), (422, "url"), url)
        self.assertIn("leads back to this relay", answer["detail"])

    def test_a_relays_own_listeners_and_name_are_no_destinations(self):
        relay = self.place.relay("--set", "server.public_url=https://relay.example.org",
                                 listen=("127.0.0.1:0", "127.0.0.1:0"))
        for host in ("127.0.0.1", "localhost", "127.1"):
            self.refused(relay, f"http://{host}:{relay.port}/v1/events")
        self.refused(relay, "https://relay.example.org/v1/events")
        relay.add_webhook(url="https://relay.example.org:8443/other")

    def test_a_listener_at_every_address_is_found_at_each_of_them(self):
        relay = self.place.relay("--set", "delivery.allow_own_addresses=false")
        other = self.place.relay(name="other", listen=("0.0.0.0:0", "127.0.0.1:0"))
        port = int(next(line for line in other.lines if "0.0.0.0:" in line).rsplit(":", 1)[1])
        self.refused(other, f"http://127.0.0.1:{port}/")
        self.refused(other, f"http://127.0.0.7:{port}/")
        relay.add_webhook(url=f"http://127.0.0.1:{port}/")

    # A name that leads here is not known when the webhook is made.
    def test_it_is_judged_at_the_connection_too(self):
        relay = self.place.relay("--set", "delivery.allow_own_addresses=true", name="data")
        hook = relay.add_webhook(url=f"http://127.0.0.1:{relay.port}/nowhere", schedule=[])
        event = {"type": "build/done", "source": "app/one", "data": {}}
        relay.send(event)
        found = relay.wait_for_delivery(hook, lambda found: found["status"] == "dead")
        self.assertEqual(found["attempts"][0]["response"]["status"], 404)
        port = relay.port
        relay.stop()
        relay = self.place.relay(name="data", listen=(f"127.0.0.1:{port}",))
        relay.send(event)
        earlier = found["id"]
        found = relay.wait_for_delivery(
            hook, lambda found: found["status"] == "dead" and found["id"] != earlier)
        self.assertEqual(found["attempts"][0]["error"]["code"], "destination_denied")

    # The body that a hook writes is a new event, without an id that would be known again.
    def test_two_relays_that_point_at_each_other_stop(self):
        relays = [self.place.relay(name=name) for name in ("one", "two")]
        data = {"action": {"id": 1, "pipeline_id": 33, "status": "completed"}}
        event = {"type": "action.status_changed", "source": "pipeline/33", "data": data}
        hooks = []
        for relay, other in (relays, reversed(relays)):
            hooks.append(relay.add_webhook(
                url=f"http://127.0.0.1:{other.port}/v1/events", dialect="devopness", schedule=[],
                settings={"pipeline_id": 33, "request_body": event,
                          "request_headers": [{"name": "Authorization",
                                               "value": "Bearer " + other.token}],
                          "trigger_when": {"events": ["action.status_changed"]}}))
        status, answer = relays[0].send(event)
        self.assertEqual(status, 202, answer)
        for relay in relays * 12:
            relay.wait_until_settled()
        ends = [found for relay, hook in zip(relays, hooks)
                for found in relay.deliveries(hook)]
        self.assertEqual(len(ends), 9)
        dead = [found for found in ends if found["status"] == "dead"]
        self.assertEqual(len(dead), 1)
        self.assertEqual(dead[0]["last_attempt"]["response_status"], 508)

    def test_the_count_of_a_request_is_read_and_bounded(self):
        relay = self.place.relay()
        event = json.dumps({"type": "build/done", "source": "app/one", "data": {}})
        for hops, wanted in (("1", 202), ("8", 202), ("9", 508), ("99999999999999999999", 400),
                             ("-1", 400), ("x", 400), ("", 400)):
            status, answer = relay.send(event, **{"ringpost-hops": hops})
            self.assertEqual(status, wanted, (hops, answer))


if __name__ == "__main__":
    unittest.main(verbosity=2)
