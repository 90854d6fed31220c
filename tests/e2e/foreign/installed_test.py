"""What tools/check installs for the other tests here is there, in the versions that the locks name."""

import json
import re
import unittest

import foreign


class Installed(unittest.TestCase):

    def test_python_packages_are_those_of_the_lock(self):
        foreign.need(foreign.python("python"))
        shown = foreign.run([foreign.PYTHON, "-m", "pip", "list", "--format=json"])
        there = {re.sub(r"[-_.]+", "-", one["name"]).lower(): one["version"]
                 for one in json.loads(shown)}
        locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)",
                                 (foreign.HERE / "requirements.txt").read_text(), re.MULTILINE))
        self.assertGreater(len(locked), 10)
        self.assertEqual({name: there.get(name) for name in locked}, locked)

    def test_npm_packages_are_those_of_the_lock(self):
        foreign.need(foreign.program("node", at_least=20))
        foreign.need(foreign.npm("tsc"))
        wanted = json.loads((foreign.HERE.parent / "npm" / "package.json").read_text())
        for name, version in wanted["dependencies"].items():
            with self.subTest(name):
                there = json.loads((foreign.NPM / name / "package.json").read_text())
                self.assertEqual(there["version"], version)

    def test_locks_name_no_host(self):
        for path in (foreign.HERE / "requirements.txt",
                     foreign.HERE.parent / "npm" / "package-lock.json"):
            with self.subTest(path.name):
                self.assertNotRegex(path.read_text(), r'"resolved"|--(extra-)?index-url')


if __name__ == "__main__":
    unittest.main(verbosity=2)
