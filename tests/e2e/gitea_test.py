"""A real Gitea: pushes, tags, pull requests and comments come in by a webhook that the relay registers, and builds' states go back
as commit statuses. `tools/check --gitea` builds it; without it these tests are skipped, and say so.
"""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import harness

PLACE = harness.BUILD / "gitea"
PROGRAM = PLACE / "gitea"

SETTINGS = """
WORK_PATH = {path}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {source}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
SECRET_KEY = only-for-tests
INTERNAL_TOKEN = {internal_token}
[webhook]
ALLOWED_HOST_LIST = loopback
[actions]
ENABLED = false
[cron]
ENABLED = false
[log]
MODE = console
LEVEL = Warn
"""


class Gitea:
    """A server of its own with one user, in a temporary directory."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ringpost-gitea-")
        self.path = pathlib.Path(self.directory.name)
        self.port = harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.configuration = self.path / "app.ini"
        # It would rather not be root; and no git configuration of the machine is to be read.
        self.environment = dict(os.environ, GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT="true", HOME=str(self.path))
        internal_token = self.run("generate", "secret", "INTERNAL_TOKEN").stdout.strip()
        self.configuration.write_text(SETTINGS.format(
            path=self.path, port=self.port, source=PLACE / "source", internal_token=internal_token))
        self.run("migrate")
        made = self.run("admin", "user", "create", "--username", "ada", "--email", "ada@example.org", "--admin",
                        "--random-password", "--must-change-password=false", "--access-token")
        self.token = made.stdout.split("Access token was successfully created... ")[1].split()[0]
        self.log = open(self.path / "log.txt", "wb")
        self.process = subprocess.Popen([PROGRAM, "-c", self.configuration, "web"], env=self.environment,
                                        stdout=self.log, stderr=self.log)
        wait_until(self.is_ready, "Gitea did not start: " + str(self.path / "log.txt"))

    def run(self, *arguments):
        return subprocess.run([PROGRAM, "-c", self.configuration, *arguments], env=self.environment, check=True,
                              capture_output=True, text=True, timeout=60)

    def is_ready(self):
        try:
            return self.call("GET", "/version") is not None
        except OSError:
            return False

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + "/api/v1" + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{method} {path}: {refused.code} {refused.read()}") from None
        return json.loads(text) if text else None

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.directory.cleanup()


def wait_until(true, what="in vain", seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class GiteaTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if not PROGRAM.exists():
            raise unittest.SkipTest("NOBODY HAS TRIED A REAL GITEA: tools/check --gitea builds one, and then runs this")
        cls.gitea = Gitea()
        cls.addClassCleanup(cls.gitea.close)
        cls.made = 0

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        port = harness.free_port()
        self.relay = self.place.relay(
            "--set", "server.shards=2", "--set", f"server.public_url=http://127.0.0.1:{port}", listen=(f"127.0.0.1:{port}",))
        type(self).made += 1
        self.name = f"ada/shop{self.made}"
        self.gitea.call("POST", "/user/repos", {"name": self.name.split("/")[1], "auto_init": True, "default_branch": "main"})

    def repository(self, method, path, body=None):
        return self.gitea.call(method, f"/repos/{self.name}{path}", body)

    def source(self, *arguments):
        """A source as a person makes it, registered."""
        token = self.place.path / "gitea.token"
        token.write_text(self.gitea.token)
        token.chmod(0o600)
        source = json.loads(self.relay.cli("source", "add", "--host", "gitea", "--git", f"{self.gitea.url}/{self.name}.git",
                                           "--git-token", f"@{token}", *arguments, "--json").stdout)
        self.assertIn("made webhook", self.relay.cli("source", "register", source["id"]).stdout)
        return source

    def push(self, name, branch="main", **more):
        """Commits a file; returns the commit."""
        answer = self.repository("POST", f"/contents/{name}", {
            "content": base64.b64encode(name.encode()).decode(), "message": f"Add {name}\n\nWith care", "branch": branch, **more})
        return answer["commit"]["sha"]

    def event(self, kind, true=lambda event: True):
        """The whole event, as soon as it is there."""
        def find():
            listed = self.relay.request("GET", f"/v1/events?type={kind}&limit=50")[2]["items"]
            whole = [self.relay.request("GET", f"/v1/events/{each['id']}?source={each['source']}")[2] for each in listed]
            flat = [{**each, **each.get("extensions", {})} for each in whole]
            return next((each for each in flat if true(each)), None)
        return wait_until(find, f"no {kind}")

    def test_what_happens_at_gitea_becomes_events(self):
        self.source()
        commit = self.push("first.txt")
        push = self.event("git.push", lambda event: event.get("gitcommit") == commit)
        self.assertEqual((push["source"], push["branch"], push["gitrepository"], push["gittitle"], push["gitauthor"]),
                         (f"repository/gitea/{self.name}", "main", self.name, "Add first.txt", "ada"))

        self.repository("POST", "/tags", {"tag_name": "v1", "target": commit})
        tag = self.event("git.tag")
        self.assertEqual((tag["gittag"], tag["gitcommit"], tag["gitaction"]), ("v1", commit, "created"))

        head = self.push("second.txt", new_branch="feature/login")
        pull = self.repository("POST", "/pulls", {"title": "Log in", "head": "feature/login", "base": "main"})
        opened = self.event("git.pull_request", lambda event: event["gitaction"] == "opened")
        self.assertEqual((opened["gitnumber"], opened["gitbase"], opened["branch"], opened["gitcommit"], opened["gittitle"]),
                         (str(pull["number"]), "main", "feature/login", head, "Log in"))
        self.repository("POST", f"/issues/{pull['number']}/comments", {"body": "Looks good"})
        comment = self.event("git.comment")
        self.assertEqual((comment["gitaction"], comment["gittitle"], comment["gitnumber"]),
                         ("created", "Looks good", str(pull["number"])))
        self.repository("POST", f"/pulls/{pull['number']}/merge", {"Do": "merge"})
        self.event("git.pull_request", lambda event: event["gitaction"] == "merged")
        self.repository("DELETE", "/branches/feature/login")
        gone = self.event("git.delete")
        self.assertEqual((gone["branch"], gone["gitaction"]), ("feature/login", "deleted"))

    def test_registering_again_changes_the_webhook_and_its_secret(self):
        source = self.source()
        (before,) = self.repository("GET", "/hooks")
        self.assertIn(f"in place of {before['id']}", self.relay.cli("source", "register", source["id"]).stdout)
        (after,) = self.repository("GET", "/hooks")
        self.assertEqual((after["config"]["url"], after["active"]), (before["config"]["url"], True))
        # The relay takes the newest two secrets. The third shows that Gitea has it, and not the first.
        self.relay.cli("source", "register", source["id"])
        commit = self.push("after.txt")
        self.event("git.push", lambda event: event.get("gitcommit") == commit)

    def test_a_call_with_another_secret_is_refused(self):
        self.source()
        (hook,) = self.repository("GET", "/hooks")
        self.repository("DELETE", f"/hooks/{hook['id']}")
        self.repository("POST", "/hooks", {"type": "gitea", "active": True, "events": ["push"],
                                           "config": {**hook["config"], "secret": "of somebody else"}})
        self.push("forged.txt")
        wait_until(lambda: self.relay.status()["totals"]["events_refused_unauthorized"] > 0, "nothing was refused")
        self.assertEqual(self.relay.request("GET", "/v1/events?limit=5")[2]["items"], [])

    def test_from_a_push_to_a_commit_status(self):
        sink = self.place.sink(plain=True)
        self.source("--app", "c0ffee")
        self.relay.add_webhook(url=sink.url, sources=["app/c0ffee"], events=["build/trigger"])
        self.relay.add_webhook(dialect="git-status", url=self.gitea.url, secret=self.gitea.token, sources=["app/c0ffee"],
                               settings={"host": "gitea", "repository": self.name})
        commit = self.push("build-me.txt")
        sink.wait_for_count(1)
        trigger = self.event("build/trigger")
        self.assertEqual(trigger["data"]["build_params"]["commit_hash"], commit)
        self.repository("POST", "/tags", {"tag_name": "v1", "target": commit})
        self.event("build/trigger", lambda event: event["data"]["build_params"].get("tag") == "v1")
        for kind, status, wanted in (("build/triggered", 0, "pending"), ("build/finished", 1, "success")):
            code, answer = self.relay.send({"type": kind, "source": "app/c0ffee", "gitcommit": commit,
                                            "data": {"build_number": 7, "build_status": status}})
            self.assertEqual(code, 202, answer)
            shown = wait_until(lambda: [each for each in self.repository("GET", f"/commits/{commit}/status")["statuses"] or []
                                        if each["status"] == wanted], f"no {wanted}")
            self.assertEqual(shown[0]["context"], "app/c0ffee")


if __name__ == "__main__":
    unittest.main(verbosity=2)
