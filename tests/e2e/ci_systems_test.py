"""tools/integrations with programs of the CI systems themselves: Buildkite's agent runs jobs with our hooks, and the libraries that
Tekton and Drone use send their calls. `tools/check --integrations` builds them; without them these tests are skipped, and say so.
"""

import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import unittest
import urllib.parse

import harness

PLACE = harness.BUILD / "ci-systems"
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tools" / "integrations"
HARD = 'a "quoted" \\ name\nß'
READ = 'a "quoted" \\ name ß'


@unittest.skipUnless((PLACE / "agent").exists(), "CI SYSTEMS ARE NOT TRIED: tools/check --integrations builds their programs")
class CiSystemsTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def events(self, relay):
        """By type."""
        items = relay.request("GET", "/v1/events?limit=200")[2]["items"]
        shown = [relay.request("GET", "/v1/events/" + urllib.parse.quote(item["id"], safe=""))[2] for item in items]
        self.assertEqual(len({event["type"] for event in shown}), len(shown), shown)
        return {event["type"]: event for event in shown}


class BuildkitesServer(http.server.BaseHTTPRequestHandler):
    """What the agent tells during a job, and asks: there is always what it asks for."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"exists": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST

    def log_message(self, form, *arguments):
        pass


class Buildkite(CiSystemsTest):

    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BuildkitesServer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def job(self, relay, command="true", hooks=("pre-exit", "pre-command"), **variables):
        """Runs a job as `buildkite-agent start` would: checkout, hooks, command. @returns exit code and log."""
        path = self.place.path
        folder = path / "hooks"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if "pre-exit" in hooks:
            shutil.copy(FOLDER / "buildkite" / "pre-exit", folder / "pre-exit")
        if "pre-command" in hooks:  # As its README has it.
            text = (FOLDER / "buildkite" / "README.md").read_text()
            lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
            start = lines.index("#!/bin/sh")
            hook = "\n".join(lines[start:start + 2]).replace("/etc/buildkite-agent/hooks", str(folder))
            (folder / "pre-command").write_text(hook + "\n")
            (folder / "pre-command").chmod(0o755)
        repository = path / "repository"
        if not repository.exists():
            for step in (["init", "-q", "-b", "main", str(repository)],
                         ["-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q",
                          "--allow-empty", "-m", "first"]):
                subprocess.run(["git", *step], check=True, timeout=60)
        environment = {
            "PATH": f"{harness.RINGPOST.parent.resolve()}:{os.environ['PATH']}", "HOME": str(path), "RINGPOST_WAIT": "1s",
            "RINGPOST_URL": f"http://127.0.0.1:{relay.port if relay else harness.free_port()}",
            "RINGPOST_TOKEN": relay.token if relay else "none",
            "BUILDKITE_COMMAND": command, "BUILDKITE_JOB_ID": "0190-1", "BUILDKITE_LABEL": HARD, "BUILDKITE_BUILD_ID": "0190-0",
            "BUILDKITE_BUILD_NUMBER": "128", "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/demo/builds/128",
            "BUILDKITE_REPO": str(repository), "BUILDKITE_COMMIT": "HEAD", "BUILDKITE_BRANCH": "main",
            "BUILDKITE_ORGANIZATION_SLUG": "acme", "BUILDKITE_PIPELINE_SLUG": "demo", "BUILDKITE_PIPELINE_PROVIDER": "git",
            "BUILDKITE_AGENT_NAME": "agent-1", "BUILDKITE_AGENT_ACCESS_TOKEN": "no-token-at-all",
            "BUILDKITE_AGENT_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}",
            "BUILDKITE_BUILD_PATH": str(path / "builds"), "BUILDKITE_HOOKS_PATH": str(folder), "BUILDKITE_PLUGINS_PATH": str(path / "plugins"),
            "BUILDKITE_SOCKETS_PATH": str(path / "sockets"), "BUILDKITE_BIN_PATH": str(PLACE.resolve()), "BUILDKITE_COMMAND_EVAL": "true",
            "BUILDKITE_SHELL": "/bin/bash -e -c", "BUILDKITE_GIT_SUBMODULES": "false", "BUILDKITE_SSH_KEYSCAN": "false",
            "BUILDKITE_GIT_CLONE_FLAGS": "-v", "BUILDKITE_GIT_CLEAN_FLAGS": "-ffxdq", "BUILDKITE_GIT_FETCH_FLAGS": "-v",
            "BUILDKITE_AGENT_DEBUG": "false", "BUILDKITE": "true", "CI": "true", "BUILDKITE_PULL_REQUEST": "false",
            **variables}
        # The agent calls itself by this name in what it makes of hooks.
        link = path / "buildkite-agent"
        if not link.exists():
            link.symlink_to((PLACE / "agent").resolve())
        environment["PATH"] = f"{path}:{environment['PATH']}"
        environment["BUILDKITE_BIN_PATH"] = str(path)
        done = subprocess.run([link, "bootstrap"], env=environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def test_a_job_that_passes(self):
        relay = self.place.relay()
        code, log = self.job(relay, "echo built")
        self.assertEqual(code, 0, log)
        self.assertIn("built", log)
        found = self.events(relay)
        self.assertEqual(set(found), {"job.started", "job.finished"}, log)
        for kind, state, status in (("job.started", "running", None), ("job.finished", "passed", 0)):
            event = found[kind]
            self.assertEqual((event["source"], event["branch"]), ("pipeline/demo", "main"))
            self.assertEqual(event["data"]["job"], {"id": "0190-1", "name": READ, "state": state, "exit_status": status})
            self.assertEqual((event["data"]["build"]["number"], event["data"]["agent"]), (128, {"name": "agent-1"}))
        self.assertRegex(found["job.finished"]["data"]["build"]["commit"], "^([0-9a-f]{40}|HEAD)$")

    def test_a_job_that_fails(self):
        relay = self.place.relay()
        code, log = self.job(relay, "exit 3")
        self.assertEqual(code, 3, log)
        self.assertEqual(self.events(relay)["job.finished"]["data"]["job"]["state"], "failed")
        self.assertEqual(self.events(relay)["job.finished"]["data"]["job"]["exit_status"], 3)

    def test_a_checkout_that_fails(self):
        relay = self.place.relay()
        code, log = self.job(relay, BUILDKITE_REPO=str(self.place.path / "nowhere"), BUILDKITE_GIT_CLONE_FLAGS="-q")
        self.assertNotEqual(code, 0, log)
        self.assertEqual(self.events(relay)["job.finished"]["data"]["job"]["state"], "failed")

    def test_a_relay_that_is_away_fails_no_job_and_leaks_nothing(self):
        code, log = self.job(None, 'echo "event ${RINGPOST_JOB_EVENT:-none}"')
        self.assertEqual(code, 0, log)
        self.assertIn("event none", log)


class CloudEvents(CiSystemsTest):

    def send(self, mode, sink, name):
        done = subprocess.run([PLACE / "sender", "cloudevents", mode, sink, name], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout)

    def test_the_official_library_sends_as_tekton_does(self):
        config = self.place.path / "ringpost.toml"
        config.write_text('[[listener]]\naddress = "127.0.0.1:0"\n[[listener]]\naddress = "127.0.0.1:0"\nserves = ["cloudevents"]\n')
        relay = harness.Relay(self.place.path / "data", "--config", config, listen=())
        self.place.processes.append(relay)
        sink = f"http://tekton:{relay.token}@127.0.0.1:{relay.ports()[1]}/"
        for mode, count in (("binary", 1), ("structured", 2), ("batch", 4)):
            with self.subTest(mode):
                for _ in range(2):
                    self.assertEqual(self.send(mode, sink, mode), 202)
                self.assertEqual(len(relay.request("GET", "/v1/events")[2]["items"]), count)
                event = relay.request("GET", f"/v1/events/{mode}")[2]
                self.assertEqual((event["type"], event["source"], event["subject"], event["time"]),
                                 ("dev.tekton.event.pipelinerun.successful.v1", "/apis/namespaces/ci/pipelineruns/build-1", "build-1",
                                  "2026-01-02T03:04:05Z"))
                self.assertEqual(event["data"], {"pipelineRun": {"metadata": {"name": "build-1"}}})
        self.assertEqual(self.send("binary", sink.replace(relay.token, "wrong"), "x"), 401)


class Drone(CiSystemsTest):

    def test_calls_that_drones_library_signs(self):
        relay = self.place.relay()
        for name in ("jenkins", "drone"):
            (self.place.path / name).write_text(f"{name}-secret\n")
        environment = dict(os.environ, PATH=f"{harness.RINGPOST.parent}:{os.environ['PATH']}", RINGPOST_TOKEN=relay.token,
                           RINGPOST_URL=f"http://127.0.0.1:{relay.port}")
        bridge = harness.Process([sys.executable, "-B", FOLDER / "bridge" / "ringpost_bridge.py", "--listen", "127.0.0.1:0",
                                  "--jenkins-secret-file", self.place.path / "jenkins", "--drone-secret-file", self.place.path / "drone"],
                                 r"listening on http://127\.0\.0\.1:(\d+)", environment)
        self.place.processes.append(bridge)

        def tell(kind, secret="drone-secret"):
            return subprocess.run([PLACE / "sender", "drone", f"http://127.0.0.1:{bridge.match.group(1)}/drone", secret, kind],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(tell("success").returncode, 0)
        event = self.events(relay)["build.finished"]
        self.assertEqual((event["source"], event["branch"], event["data"]["build"]["number"]), ("pipeline/octocat/hello-world", "main", 42))
        self.assertEqual(tell("user").returncode, 0)
        refused = tell("failure", "wrong")
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual(set(self.events(relay)), {"build.finished", "user.created"})


if __name__ == "__main__":
    unittest.main()
