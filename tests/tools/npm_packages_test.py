"""What tools/npm_packages.py keeps is whole, and is fetched once; an npm that fails is named."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "npm_packages.py"
NPM = """#!/bin/sh
echo called >>"$CALLS"
[ -z "$FAILS" ] || { echo "npm ERR! the registry is away" >&2; exit 1; }
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/node_modules/thing" && echo content >"$2/node_modules/thing/index.js"
"""


class NpmPackages(unittest.TestCase):

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="ringpost-npm-"))
        self.addCleanup(shutil.rmtree, self.place)
        for name in ("bin", "wanted"):
            (self.place / name).mkdir()
        (self.place / "wanted" / "package.json").write_text("{}")
        (self.place / "wanted" / "package-lock.json").write_text('{"name": "sample"}')
        for name in ("npm", "node"):
            (self.place / "bin" / name).write_text(NPM)
            (self.place / "bin" / name).chmod(0o755)
        self.calls = self.place / "calls"

    def run_tool(self, command, path=None, **environment):
        path = path if path is not None else f"{self.place / 'bin'}:{os.environ['PATH']}"
        return subprocess.run([sys.executable, "-B", TOOL, command, self.place / "wanted"], capture_output=True, text=True,
                              env={"PATH": path, "XDG_CACHE_HOME": str(self.place), "CALLS": str(self.calls), **environment})

    def fetched(self):
        done = self.run_tool("fetch")
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(done.stdout.strip())

    def call_count(self):
        return len(self.calls.read_text().splitlines())

    def test_fetches_once(self):
        self.assertEqual(self.run_tool("cached").returncode, 1)
        folder = self.fetched()
        self.assertEqual((folder / "node_modules" / "thing" / "index.js").read_text(), "content\n")
        self.assertEqual(self.run_tool("cached").returncode, 0)
        self.assertEqual(self.run_tool("fetch", path="/nowhere").stdout.strip(), str(folder))  # Neither npm nor node.
        self.assertEqual(self.call_count(), 1)

    def test_another_lock_file_is_another_folder(self):
        first = self.fetched()
        (self.place / "wanted" / "package-lock.json").write_text('{"name": "sample", "x": 1}')
        self.assertNotEqual(self.fetched(), first)

    def test_what_was_changed_is_fetched_again(self):
        for damage in (lambda file: file.write_text("other"), lambda file: file.unlink(),
                       lambda file: (file.parent / "more.js").write_text("")):
            folder = self.fetched()
            damage(folder / "node_modules" / "thing" / "index.js")
            self.assertEqual(self.run_tool("cached").returncode, 1)
            self.assertEqual(self.fetched(), folder)
        self.assertEqual(self.call_count(), 4)

    def test_says_what_is_missing(self):
        refused = self.run_tool("fetch", path="/nowhere")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("apt-get install nodejs npm", refused.stderr)
        refused = self.run_tool("fetch", FAILS="1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the registry is away", refused.stderr)
        self.assertEqual(self.run_tool("cached").returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
