"""tools/integrations: each file is run as its CI system runs it, against a real relay."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import urllib.parse

import harness

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tools" / "integrations"
SCRIPTS = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh"))
# What every shell script has to stand: quotes, a backslash, a line break, letters that are not ASCII.
HARD = 'a "quoted" \\ name\nß'
READ = 'a "quoted" \\ name ß'


class IntegrationsTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def relay(self, *arguments, **options):
        return self.place.relay(*arguments, **options)

    def environment(self, relay=None, **variables):
        """Of a job: only what is named here, and where the programs are."""
        url = f"http://127.0.0.1:{relay.port if relay else harness.free_port()}"
        return {"PATH": f"{harness.RINGPOST.parent}:{os.environ['PATH']}", "RINGPOST_URL": url, "RINGPOST_WAIT": "1s",
                "RINGPOST_TOKEN": relay.token if relay else "none", **variables}

    def run_script(self, name, environment, *arguments, shell="/bin/sh"):
        done = subprocess.run([shell, FOLDER / name, *arguments], env=environment, capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        return done.stderr

    def only_event(self, relay):
        items = relay.request("GET", "/v1/events")[2]["items"]
        self.assertEqual(len(items), 1, items)
        return relay.request("GET", "/v1/events/" + urllib.parse.quote(items[0]["id"], safe=""))[2]

    def assert_event(self, relay, **wanted):
        event = self.only_event(relay)
        self.assertEqual({name: event.get(name) for name in wanted}, wanted, event)


BUILDKITE = {"BUILDKITE_PIPELINE_SLUG": "demo", "BUILDKITE_JOB_ID": "0190-1", "BUILDKITE_LABEL": HARD, "BUILDKITE_BRANCH": "main",
             "BUILDKITE_BUILD_ID": "0190-0", "BUILDKITE_BUILD_NUMBER": "128", "BUILDKITE_COMMIT": "c6d86dc",
             "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/demo/builds/128", "BUILDKITE_AGENT_NAME": "agent-1",
             "BUILDKITE_COMMAND_EXIT_STATUS": "3"}
GITHUB = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "17", "GITHUB_RUN_NUMBER": "4", "GITHUB_RUN_ATTEMPT": "1",
          "GITHUB_JOB": "test", "GITHUB_WORKFLOW": HARD, "GITHUB_REF_NAME": "main", "GITHUB_SHA": "c6d86dc",
          "GITHUB_SERVER_URL": "https://github.com", "RUNNER_NAME": "runner-1", "RUNNER_TRACKING_ID": "github_1"}
GITLAB = {"CI_PROJECT_PATH": "acme/shop", "CI_JOB_ID": "71", "CI_JOB_NAME": HARD, "CI_JOB_STAGE": "test", "CI_JOB_STATUS": "failed",
          "CI_JOB_URL": "https://gitlab.example.org/acme/shop/-/jobs/71", "CI_PIPELINE_ID": "31", "CI_COMMIT_REF_NAME": "main",
          "CI_PIPELINE_URL": "https://gitlab.example.org/acme/shop/-/pipelines/31", "CI_COMMIT_SHA": "c6d86dc"}
WOODPECKER = {"CI_REPO": "acme/shop", "CI_PIPELINE_NUMBER": "8", "CI_PIPELINE_STATUS": "success", "CI_COMMIT_BRANCH": HARD,
              "CI_PIPELINE_URL": "https://ci.example.org/repos/1/pipeline/8", "CI_COMMIT_SHA": "c6d86dc"}
DRONE = {"DRONE_REPO": "acme/shop", "DRONE_BUILD_NUMBER": "8", "DRONE_BUILD_STATUS": "failure", "DRONE_BRANCH": "main",
         "DRONE_BUILD_LINK": "https://drone.example.org/acme/shop/8", "DRONE_COMMIT_SHA": "c6d86dc"}
JENKINS = {"JOB_NAME": HARD, "BUILD_NUMBER": "18", "BUILD_TAG": "jenkins-asgard-18", "GIT_BRANCH": "main", "GIT_COMMIT": "c6d86dc",
           "BUILD_URL": "http://localhost:8080/job/asgard/18/"}


class Scripts(IntegrationsTest):

    def test_buildkite(self):
        relay = self.relay()
        for _ in range(2):  # A hook that is called again sends a duplicate.
            self.run_script("buildkite/pre-exit", self.environment(relay, **BUILDKITE))
        self.assert_event(relay, type="job.finished", source="pipeline/demo", branch="main")
        data = self.only_event(relay)["data"]
        self.assertEqual(data["job"], {"id": "0190-1", "name": READ, "state": "failed", "exit_status": 3})
        self.assertEqual((data["build"]["number"], data["pipeline"], data["agent"]), (128, {"slug": "demo"}, {"name": "agent-1"}))

    def test_buildkites_agent_sources_it_and_finds_nothing_changed(self):
        relay = self.relay()
        hook = (f"RINGPOST_JOB_EVENT=job.started; set -eu; names() {{ compgen -A variable -A function; }}; before=$(names);"
                f" . {FOLDER}/buildkite/pre-exit;"
                ' [ "$(names | grep -vx before)" = "$before" ]; echo "on: $-"')
        done = subprocess.run(["bash", "-c", hook], env=self.environment(relay, **BUILDKITE), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        options = done.stdout.removeprefix("on: ")
        self.assertTrue("e" in options and "u" in options, options)
        self.assert_event(relay, type="job.started")
        self.assertEqual(self.only_event(relay)["data"]["job"]["state"], "running")

    def test_github_runner(self):
        relay = self.relay()
        self.run_script("github-runner/job-completed.sh", self.environment(relay, **GITHUB))
        self.assert_event(relay, type="job.completed", source="repository/github/acme/shop", branch="main")
        data = self.only_event(relay)["data"]
        self.assertEqual((data["workflow"], data["run"]["id"], data["run"]["url"]),
                         (READ, 17, "https://github.com/acme/shop/actions/runs/17"))
        self.run_script("github-runner/job-started.sh", self.environment(relay, **GITHUB))
        types = {event["type"] for event in relay.request("GET", "/v1/events")[2]["items"]}
        self.assertEqual(types, {"job.completed", "job.started"})

    def test_gitlab_job(self):
        relay = self.relay()
        self.run_script("gitlab/job-finished.sh", self.environment(relay, **GITLAB))
        self.assert_event(relay, type="job.finished", source="repository/gitlab/acme/shop", branch="main")
        job = self.only_event(relay)["data"]["job"]
        self.assertEqual((job["id"], job["name"], job["state"]), (71, READ, "failed"))

    def test_woodpecker_and_drone(self):
        relay = self.relay()
        self.run_script("woodpecker/pipeline-finished.sh", self.environment(relay, **WOODPECKER))
        self.assert_event(relay, type="build.finished", source="pipeline/acme/shop", branch=READ)
        other = self.relay(name="other")
        self.run_script("woodpecker/pipeline-finished.sh", self.environment(other, **DRONE))
        build = self.only_event(other)["data"]["build"]
        self.assertEqual((build["number"], build["state"], build["branch"]), (8, "failure", "main"))

    def test_jenkins_over_a_unix_socket(self):
        socket = self.place.path / "ringpost.sock"
        relay = self.relay(listen=("127.0.0.1:0", f"unix:{socket}"))
        header = self.place.path / "header"
        header.write_text(f"Authorization: Bearer {relay.token}\n")
        self.run_script("jenkins/build-finished.sh", self.environment(**JENKINS, RINGPOST_TOKEN_FILE=str(header)), "FAILURE", socket)
        self.assert_event(relay, type="build.finished", source="pipeline/" + READ, branch="main")
        self.assertEqual(self.only_event(relay)["data"]["build"]["state"], "FAILURE")
        failed = self.run_script("jenkins/build-finished.sh", self.environment(**JENKINS, RINGPOST_TOKEN_FILE=str(header)), "SUCCESS",
                                 self.place.path / "nobody.sock")
        self.assertIn("the build's result was not sent", failed)

    def test_none_fails_a_build(self):
        for script in SCRIPTS:
            name = str(script.relative_to(FOLDER))
            with self.subTest(name):
                self.run_script(name, self.environment())
                self.run_script(name, {"PATH": "/nowhere"})

    def test_what_cannot_be_sent_goes_into_the_spool(self):
        spool = self.place.path / "spool"
        variables = {**BUILDKITE, **GITHUB, **GITLAB, **WOODPECKER, "RINGPOST_SPOOL": str(spool)}
        names = ["buildkite/pre-exit", "github-runner/job-completed.sh", "gitlab/job-finished.sh", "woodpecker/pipeline-finished.sh"]
        for name in names:
            self.run_script(name, self.environment(**variables))
        self.assertEqual(len(list((spool / "new").iterdir())), len(names))

    def test_they_pass_shellcheck(self):
        if shutil.which("shellcheck") is None:
            self.skipTest("SHELLCHECK IS NOT THERE: scripts are only parsed")
        done = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_each_is_an_executable_posix_script(self):
        self.assertEqual(len(SCRIPTS), 6)
        for script in SCRIPTS:
            self.assertTrue(os.access(script, os.X_OK), script)
            self.assertEqual(subprocess.run(["sh", "-n", script], timeout=10).returncode, 0, script)


class CloudEvents(IntegrationsTest):

    def cloudevents_relay(self):
        config = self.place.path / "ringpost.toml"
        config.write_text('[[listener]]\naddress = "127.0.0.1:0"\n[[listener]]\naddress = "127.0.0.1:0"\nserves = ["cloudevents"]\n')
        relay = harness.Relay(self.place.path / "data", "--config", config, listen=())
        self.place.processes.append(relay)
        return relay, relay.ports()[1]

    def post(self, url, headers, body):
        """As Go's net/http does: user and password of the URL are HTTP Basic."""
        parts = urllib.parse.urlsplit(url)
        headers = dict(headers)
        if parts.password and "Authorization" not in headers:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def test_tekton(self):
        relay, port = self.cloudevents_relay()
        sink = re.search(r"sink: (\S+)", (FOLDER / "tekton" / "config-events.yaml").read_text()).group(1)
        sink = sink.replace("TOKEN", relay.token).replace("ringpost.ringpost.svc:8421", f"127.0.0.1:{port}")
        run = {"pipelineRun": {"metadata": {"name": "build-1"}, "status": {"conditions": [{"status": "True"}]}}}
        headers = {"ce-specversion": "1.0", "ce-id": "0190-7", "ce-source": "/apis/namespaces/ci/pipelineruns/build-1",
                   "ce-type": "dev.tekton.event.pipelinerun.successful.v1", "ce-subject": "build-1",
                   "ce-time": "2026-01-02T03:04:05Z", "Content-Type": "application/json"}
        for _ in range(2):
            self.assertEqual(self.post(sink, headers, json.dumps(run)), 202)
        self.assert_event(relay, type="dev.tekton.event.pipelinerun.successful.v1", source="/apis/namespaces/ci/pipelineruns/build-1",
                          data=run)
        self.assertEqual(self.post(sink.replace(relay.token, "wrong"), headers, "{}"), 401)
        self.assertEqual(self.post(sink.rstrip("/") + "/v1/events", headers, "{}"), 404, "it serves nothing else")
        self.assertEqual(self.post(f"http://x:{relay.token}@127.0.0.1:{relay.port}/", headers, "{}"), 404, "others have no such path")

    def test_argo_workflows(self):
        relay, port = self.cloudevents_relay()
        text = (FOLDER / "argo" / "exit-handler.yaml").read_text()
        for name, value in (("namespace", "ci"), ("name", "build-1"), ("uid", "0190-8"), ("status", "Failed")):
            text = text.replace("{{workflow.%s}}" % name, value)
        headers = {name: value.strip('"') for name, value in re.findall(r'- \{name: (\S+), value: ("[^"]*"|[^}]*)\}', text)}
        headers["Authorization"] = f"Bearer {relay.token}"
        body = re.search(r"body: \|\n\s+(.*)\n", text).group(1)
        url = re.search(r"url: (\S+)", text).group(1).replace("ringpost.ringpost.svc:8421", f"127.0.0.1:{port}")
        self.assertEqual(self.post(url, headers, body), 202)
        self.assert_event(relay, type="workflow.finished", source="pipeline/ci/build-1",
                          data={"workflow": {"name": "build-1", "uid": "0190-8", "status": "Failed"}})


class GitLab(IntegrationsTest):

    def test_pipeline_events_and_system_hooks(self):
        relay = self.relay()
        source = json.loads(relay.cli("source", "add", "--host", "gitlab", "--json").stdout)
        path = urllib.parse.urlsplit(source["url"]).path
        pipeline = {"object_kind": "pipeline", "object_attributes": {"id": 31, "ref": "master", "status": "success"},
                    "project": {"path_with_namespace": "acme/shop", "web_url": "https://gitlab.example.org/acme/shop"}}
        push = {"event_name": "push", "before": "95790bf8", "after": "da1560886d", "ref": "refs/heads/master", "user_name": "John Smith",
                "checkout_sha": "da1560886d", "project_id": 15, "commits": [], "total_commits_count": 0, **{"project": pipeline["project"]}}
        for hook, body in (("Pipeline Hook", pipeline), ("System Hook", push)):
            status, _, answer = relay.request("POST", path, body, {"X-Gitlab-Event": hook, "X-Gitlab-Token": source["secret"],
                                                                   "X-Gitlab-Event-UUID": hook})
            self.assertEqual(status, 202, answer)
        types = {event["type"] for event in relay.request("GET", "/v1/events")[2]["items"]}
        self.assertEqual(types, {"git.pipeline", "git.push"})


class Bridge(IntegrationsTest):

    def bridge(self, relay=None, *arguments):
        for name in ("jenkins", "drone"):
            (self.place.path / name).write_text(f"{name}-secret\n")
        environment = self.environment(relay)
        bridge = harness.Process([sys.executable, "-B", FOLDER / "bridge" / "ringpost_bridge.py", "--listen", "127.0.0.1:0", "--wait", "1s",
                                  "--jenkins-secret-file", self.place.path / "jenkins", "--drone-secret-file", self.place.path / "drone",
                                  *arguments], r"listening on http://127\.0\.0\.1:(\d+)", dict(os.environ, **environment))
        self.place.processes.append(bridge)
        self.port = int(bridge.match.group(1))

    def post(self, path, body, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def drone(self, kind, body, secret=b"drone-secret"):
        """As Drone signs: https://docs.drone.io/webhooks/overview/"""
        text = json.dumps(body).encode()
        digest = "SHA-256=" + base64.b64encode(hashlib.sha256(text).digest()).decode()
        date = "Fri, 12 Nov 2021 23:33:47 GMT"
        signed = hmac.new(secret, f"date: {date}\ndigest: {digest}".encode(), hashlib.sha256).digest()
        signature = f'keyId="hmac-key",algorithm="hmac-sha256",signature="{base64.b64encode(signed).decode()}",headers="date digest"'
        return self.post("/drone", text, {"X-Drone-Event": kind, "Date": date, "Digest": digest, "Signature": signature})

    def test_jenkins_notification_plugin(self):
        relay = self.relay()
        self.bridge(relay)
        body = {"name": "asgard", "url": "job/asgard/",
                "build": {"full_url": "http://localhost:8080/job/asgard/18/", "number": 18, "phase": "COMPLETED", "status": "SUCCESS",
                          "url": "job/asgard/18/", "scm": {"url": "https://github.com/evgeny-goldin/asgard.git",
                                                           "branch": "origin/master", "commit": "c6d86dc"}}}
        for _ in range(2):
            self.assertEqual(self.post("/jenkins/jenkins-secret", json.dumps(body)), 204)
        self.assert_event(relay, type="build.completed", source="pipeline/asgard", branch="master", data=body)
        self.assertEqual(self.post("/jenkins/wrong", json.dumps(body)), 403)
        self.assertEqual(self.post("/jenkins/jenkins-secret", "{}"), 422)
        self.assertEqual(self.post("/jenkins/jenkins-secret", "{"), 422)

    def test_drone(self):
        relay = self.relay()
        self.bridge(relay)
        build = {"action": "updated", "repo": {"slug": "octocat/hello-world"},
                 "build": {"id": 9, "number": 42, "status": "success", "target": "main", "started": 1564085874, "finished": 1564086343}}
        self.assertEqual(self.drone("build", build), 204)
        self.assert_event(relay, type="build.finished", source="pipeline/octocat/hello-world", branch="main", data=build)
        self.assertEqual(self.drone("build", build, b"wrong"), 403)
        self.assertEqual(self.post("/drone", json.dumps(build)), 403)
        self.assertEqual(self.drone("user", {"action": "created", "user": {"id": 1, "login": "octocat"}}), 204)

    def test_a_signature_that_drone_made(self):
        """Date, digest and signature of a real call, with the secret `webhook-secret`."""
        sys.path.insert(0, str(FOLDER / "bridge"))
        self.addCleanup(sys.path.pop, 0)
        sys.dont_write_bytecode = True
        import ringpost_bridge
        text = "date: Fri, 12 Nov 2021 23:33:47 GMT\ndigest: SHA-256=kCit1zUa+1aDpnZhDSBCa0iVYPTeF6k2jCjHwE2lnQY="
        made = base64.b64encode(hmac.new(b"webhook-secret", text.encode(), hashlib.sha256).digest()).decode()
        self.assertEqual(made, "nMQOWQSyloFPh3ZB8Uoh/D9QyzCtnVf0tk/jemJm058=")
        headers = {"Date": "x", "Digest": "SHA-256=" + base64.b64encode(hashlib.sha256(b"{}").digest()).decode(),
                   "Signature": 'algorithm="hmac-sha256",headers="date",signature=""'}
        self.assertFalse(ringpost_bridge.drone_signature_is_good(headers, b"{}", b"secret"))

    def test_an_event_that_nobody_has_is_no_success(self):
        self.bridge()
        self.assertEqual(self.drone("user", {"action": "created", "user": {"id": 1, "login": "octocat"}}), 502)
        spool = self.place.path / "spool"
        self.bridge(None, "--spool", spool)
        self.assertEqual(self.drone("user", {"action": "created", "user": {"id": 1, "login": "octocat"}}), 204)
        self.assertEqual(len(list((spool / "new").iterdir())), 1)


if __name__ == "__main__":
    unittest.main()
