"""schemathesis reads the relay's own description and calls every operation of every API with what it makes of it: all
phases, a bounded number of examples, always the same ones. No answer is a 5xx or unlike its description, and what the description
refuses is refused. That what it allows is taken is shown by ../openapi_members_test.py, member by member: schemathesis knows no
rule beyond the schema, such as that a webhook's sources stay within the token's.
"""

import os
import pathlib
import re
import unittest

import foreign
import harness

HERE = pathlib.Path(__file__).parent
SECONDS = 500
EXAMPLES = int(os.environ.get("RINGPOST_EXAMPLES", "1"))  # For each operation and phase; more by hand.


class Schemathesis(unittest.TestCase):

    def setUp(self):
        self.tool = foreign.need(foreign.python("schemathesis"))
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def test_every_operation(self):
        relay = self.place.relay()
        relay.add_webhook(url=self.place.sink(plain=True).url)
        relay.send('{"type":"t","source":"s","data":{}}')
        url = f"http://127.0.0.1:{relay.port}"
        done = foreign.attempt(
            [self.tool, "--config-file", HERE / "schemathesis.toml", "run", url + "/v1/openapi.json", "--url", url,
             "--header", f"Authorization: Bearer {relay.token}", "--max-examples", EXAMPLES,
             "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--suppress-health-check", "all",
             "--no-color"],
            seconds=SECONDS, cwd=self.place.path,
            env=foreign.environment(SCHEMATHESIS_HOOKS=str(HERE / "schemathesis_hooks.py"), RELAY_URL=url,
                                    RELAY_TOKEN=relay.token))
        self.assertEqual(done.returncode, 0, done.stdout[-40000:] + done.stderr[-2000:])
        found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
        self.assertGreater(int(found[2]), 1000, done.stdout[-2000:])
        print(found[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
