"""The lines that README asks a newcomer to paste, pasted.

Goal: what README shows under "Your first delivery" works as it stands there.
Method: its shell blocks run in one bash, in order, with free ports in the place of the usual ones, and
a wait until everything is settled in the place of `sleep 1`.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
SETTLED = """until ringpost status --json | grep -q '"backlog":0[,}]'; do sleep 0.1; done"""


def blocks():
    """The shell blocks of the section, as they stand there."""
    section = README.read_text().split("\n## Your first delivery\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


class FirstDelivery(unittest.TestCase):
    def run_blocks(self, home):
        """Runs all blocks; returns what each one printed."""
        (home / "build").symlink_to(harness.BUILD)
        port = str(harness.free_port())
        relay = harness.free_port()
        mark = "---- next block ----"
        script = "set -e\n" + f"echo '{mark}'\n".join(blocks())
        script = script.replace("8443", port).replace("sleep 1", SETTLED)
        script = script.replace("serve --data-dir data", f"serve --data-dir data --listen 127.0.0.1:{relay}")
        stop = "trap 'kill $(jobs -p); wait' EXIT\n"
        environment = {"HOME": str(home), "PATH": os.environ["PATH"],
                       "RINGPOST_URL": f"http://127.0.0.1:{relay}"}
        done = subprocess.run(["bash", "-c", stop + script], cwd=home, env=environment, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout.split(mark)

    def test_every_line_works_when_pasted(self):
        with tempfile.TemporaryDirectory(prefix="ringpost-readme.") as home:
            started, delivered, failed, dialects = self.run_blocks(pathlib.Path(home))
        self.assertIn("events accepted        0", started)
        self.assertRegex(delivered, r"POST /first +signature good")
        self.assertRegex(failed, r"last failure .*ringpost delivery show [0-9A-Z]{26}")
        self.assertIn("connection refused", failed)
        for path in ("/first", "/bitrise", "/buildkite"):
            self.assertRegex(dialects, rf"POST {path} +signature good")
        self.assertRegex(dialects, r"POST /devopness (.|\n)*?deploy 5 is completed")
        self.assertRegex(dialects, r"POST /cloudevents (.|\n)*?artifact\.published")
        self.assertNotIn("signature bad", dialects)


if __name__ == "__main__":
    unittest.main(verbosity=2)
