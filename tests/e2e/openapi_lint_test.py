"""A published linter finds no fault with the OpenAPI document: @redocly/cli, as tools/check installs it."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import description
import harness

REDOCLY = harness.BUILD / "npm" / "node_modules" / ".bin" / "redocly"
RULES = pathlib.Path(__file__).parent / "redocly.yaml"


class Lint(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if shutil.which("node") is None:
            print("SKIPPED: there is no node on this machine; NOBODY has linted openapi.json. "
                  "tools/check installs it.", file=sys.stderr)
            sys.exit(77)  # Meson's word for it.
        assert REDOCLY.exists(), f"{REDOCLY} is not there; tools/check puts it there"

    def lint(self, document):
        """@returns what the linter finds: lists of severity, rule and message."""
        environment = dict(os.environ, REDOCLY_TELEMETRY="off",
                           REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
        done = subprocess.run(
            [REDOCLY, "lint", "--config", RULES, "--format", "json", document],
            capture_output=True, text=True, env=environment, timeout=120)
        problems = json.loads(done.stdout)["problems"]
        return [(one["severity"], one["ruleId"], one["message"], one["location"][0].get("pointer"))
                for one in problems]

    def test_finds_no_error(self):
        found = self.lint(description.DOCUMENT)
        for one in found:
            print(*one, file=sys.stderr)
        self.assertEqual([one for one in found if one[0] == "error"], [])

    def test_would_find_one(self):
        broken = json.loads(description.DOCUMENT.read_text())
        broken["paths"]["/v1/webhooks"]["get"]["summary"] = 5
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "broken.json"
            path.write_text(json.dumps(broken))
            self.assertIn("error", [one[0] for one in self.lint(path)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
