"""Clients that published generators make of the relay's own description compile, and manage a webhook with it.

Each is used by a program as a user would write it: client_usage.py, client_usage.ts, go/client_usage.go. It creates a
webhook, lists it, changes it, sends it a ping, waits for the delivery, and deletes it, and prints what it saw.
"""

import json
import shutil
import unittest

import foreign
import harness

STEPS = ["created", "listed", "updated", "pinged", "delivered", "deleted", "gone"]


def setUpModule():
    foreign.need(foreign.python("python"))


class Client(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()
        self.receiver = self.place.sink(plain=True)
        self.document = self.place.path / "openapi.json"
        content = self.relay.request("GET", "/v1/openapi.json")[2]
        self.document.write_text(json.dumps(content))

    def need(self, found):
        """Skips this test alone, aloud. @returns the program's path."""
        if found.path is None:
            self.skipTest(f"{found.name} is missing: {found.remedy}")
        return found.path

    def check(self, output):
        """Each step is a line of the program; the receiver knows of the ping too."""
        self.assertEqual(output.split(), STEPS)
        self.assertEqual(len(self.receiver.received()), 1)
        self.assertEqual(self.relay.request("GET", "/v1/webhooks")[2]["items"], [])

    def arguments(self):
        return [f"http://127.0.0.1:{self.relay.port}", self.relay.token, self.receiver.url]

    def test_openapi_python_client(self):
        tool = self.need(foreign.python("openapi-python-client"))
        made = self.place.path / "relay_client"
        foreign.run([tool, "generate", "--path", self.document, "--meta", "none",
                     "--output-path", made])
        shutil.copy(foreign.HERE / "client_usage.py", self.place.path / "usage.py")
        typed = foreign.attempt([foreign.PYTHON, "-m", "mypy", "usage.py", "relay_client"],
                                cwd=self.place.path)
        # Of a body of several media types with a list among them it makes what Python cannot run.
        wrong = {line.split(":")[0] for line in typed.stdout.splitlines() if ": error:" in line}
        self.assertLessEqual(wrong, {"relay_client/api/events/send_events.py"}, typed.stdout)
        self.check(foreign.run([foreign.PYTHON, "usage.py", *self.arguments()],
                               cwd=self.place.path))

    def test_oapi_codegen(self):
        tool = self.need(foreign.go("oapi-codegen"))
        go = self.need(foreign.program("go"))
        program = self.place.path / "program"
        shutil.copytree(foreign.HERE / "go", program)
        (program / "relay").mkdir()
        foreign.run([tool, "-generate", "types,client", "-package", "relay", "-o",
                     program / "relay" / "relay.go", self.document])
        foreign.run([go, "build", "-o", "usage", "."], seconds=300, cwd=program,
                    env=foreign.environment(GOTOOLCHAIN="local", GOFLAGS="-mod=readonly"))
        self.check(foreign.run([program / "usage", *self.arguments()]))

    def test_openapi_typescript(self):
        self.need(foreign.program("node", at_least=20))
        tool = self.need(foreign.npm("openapi-typescript"))
        made = self.place.path / "client"
        made.mkdir()
        (made / "node_modules").symlink_to(foreign.NPM)
        (made / "package.json").write_text('{"type": "module"}')
        foreign.run([tool, self.document, "-o", made / "relay.d.ts", "--default-non-nullable", "false"])
        shutil.copy(foreign.HERE / "client_usage.ts", made)
        foreign.run([self.need(foreign.npm("tsc")), "--strict", "--target", "es2022", "--module", "nodenext",
                     "--skipLibCheck", "client_usage.ts"], cwd=made)
        self.check(foreign.run(["node", "client_usage.js", *self.arguments()], cwd=made))

    def test_openapi_generator(self):
        self.need(foreign.program("java", at_least=11))
        tool = self.need(foreign.python("openapi-generator-cli"))
        made = self.place.path / "typescript"
        foreign.run([tool, "generate", "-g", "typescript-fetch", "-i", self.document, "-o", made])
        foreign.run([self.need(foreign.npm("tsc")), "--noEmit", "--strict", "--target", "es2022", "--lib",
                     "es2022,dom", "--module", "nodenext", "--skipLibCheck", "index.ts"], cwd=made)


if __name__ == "__main__":
    unittest.main(verbosity=2)
