"""The command line, driven as people and scripts do: webhooks of every kind, secrets out of sight, readable and
machine-readable answers, refusals that say how to mend them, shell completion, and the manual."""

import concurrent.futures
import fcntl
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import unittest

import harness
import time

DIALECTS = ["bitrise", "buildkite", "cloudevents", "devopness", "git-status", "standard"]
BITRISE_SECRET = "a secret of words"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e"


def run(*arguments, text=True, **changes):
    """Runs the client with nothing of this environment's relay; a change to None removes a variable."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("RINGPOST_")}
    environment.update({name: value for name, value in changes.items() if name.isupper() and value is not None})
    return subprocess.run([str(harness.RINGPOST), *map(str, arguments)], capture_output=True,
                          text=text, env=environment, timeout=60,
                          **{name: value for name, value in changes.items() if name.islower()})


def control_bytes(output):
    """What a terminal would obey: C0 but line ends, DEL, and C1 in UTF-8 or alone; what has no width or turns the direction."""
    text = output.decode("utf-8", errors="surrogateescape")
    return [character for character in text
            if (ord(character) < 0x20 and character != "\n") or 0x7F <= ord(character) < 0xA0
            or 0x200B <= ord(character) < 0x2010 or 0x2028 <= ord(character) < 0x202F or 0x2060 <= ord(character) < 0x2070
            or 0xDC80 <= ord(character) < 0xDD00 or ord(character) in (0x61C, 0xFEFF)]


class ClientTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        cls.relay = cls.place.relay()

    def file(self, name, content):
        path = self.place.path / name
        path.write_text(content)
        return path

    def client(self, *arguments, **changes):
        changes.setdefault("RINGPOST_URL", f"http://127.0.0.1:{self.relay.port}")
        changes.setdefault("RINGPOST_TOKEN", self.relay.token)
        return run(*arguments, **changes)

    def read(self, *arguments, **changes):
        """@returns what --json printed, of a command that succeeds."""
        done = self.client(*arguments, "--json", **changes)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return json.loads(done.stdout)


class Webhooks(ClientTest):

    def test_says_everything_that_a_webhook_has(self):
        added = self.read(
            "webhook", "add", "--url", "https://127.0.0.1:1/in", "--dialect", "standard",
            "--description", "all of it", "--source", "x/1", "--app", "c0ffee", "--pipeline", "7",
            "--pipeline", "slug", "--resource", "application/44", "--event", "build/*", "--event",
            "job.finished", "--branches", "main release/*", "--team", "a", "--team", "b",
            "--cluster", "c", "--where", "build.status=failed", "--where", "branch^=release/",
            "--header", "X-A: 1", "--header",
            "@%s" % self.file("headers", "Authorization: Bearer hidden\n"), "--schedule", "5s,2m",
            "--schedule", "1h", "--timeout", "1500ms", "--concurrency", "3", "--rate", "20",
            "--no-verify")
        self.assertEqual(added["sources"], ["x/1", "app/c0ffee", "pipeline/7", "pipeline/slug",
                                            "resource/application/44"])
        self.assertEqual(added["events"], ["build/*", "job.finished"])
        self.assertEqual(added["filter"], {"branches": "main release/*", "teams": ["a", "b"],
                                           "clusters": ["c"], "data": {"all": [
                                               {"path": "build.status", "equals": "failed"},
                                               {"path": "branch", "prefix": "release/"}]}})
        self.assertEqual(added["headers"], {"X-A": "1", "Authorization": "*****"})
        self.assertEqual((added["schedule"], added["timeout_ms"], added["concurrency_max"],
                          added["rate_per_second"], added["tls"]["verify"]),
                         ([5, 120, 3600], 1500, 3, 20, False))
        shown = self.client("webhook", "show", added["id"]).stdout
        for part in ("filter        branches main release/*; teams a, b; clusters c; "
                     'data build.status = "failed" and branch ^= "release/"',
                     "after 5 s, 2 min, 1 h", "rate          20 a second", "NOT VERIFIED",
                     "pipeline/slug", "X-A: 1", "state         active"):
            self.assertIn(part, shown)
        self.assertNotIn("secret", shown)
        listed = self.client("webhook", "list").stdout
        row = next(line for line in listed.splitlines() if line.startswith(added["id"]))
        for part in ("active", "standard", "https://127.0.0.1:1/in", "job.finished", "teams a, b"):
            self.assertIn(part, row)

    def test_an_event_reaches_those_whose_condition_its_data_meets(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}/"
        events = ({"id": "one", "data": {"build": {"status": "failed", "duration_s": 61.5}, "branch": "main"}},
                  {"id": "two", "data": {"build": {"status": "passed", "duration_s": 600}, "branch": "release/7"}},
                  {"id": "three", "data": {"build": {"status": "aborted"}, "branch": "main", "flaky": True}})
        wanted = {}
        for arguments, ids in (
                (("build.status=failed",), ["one"]),
                (('build.status=["failed","aborted"]', "branch=main"), ["one", "three"]),
                (("branch^=release/",), ["two"]), (("build.duration_s>61",), ["one", "two"]),
                (("build.duration_s>=61.5", "build.duration_s<100"), ["one"]),
                (("!flaky",), ["one", "two"]), (("flaky=true",), ["three"]), (("branch!=main",), ["two"]),
                (("@" + str(self.file("condition", '{"any":[{"path":"flaky","exists":true},'
                                      '{"not":{"path":"build.status","equals":"failed"}}]}')),), ["two", "three"])):
            where = [part for one in arguments for part in ("--where", one)]
            made = self.read("webhook", "add", "--url", nobody, "--source", "conditions/1", *where)
            wanted[made["id"]] = ids
        lines = "".join(json.dumps({"type": "build.finished", "source": "conditions/1", **event}) + "\n"
                        for event in events)
        self.assertEqual(self.client("send", "-", input=lines).returncode, 0)
        for webhook, ids in wanted.items():
            pages = [json.loads(line) for line in
                     self.client("delivery", "list", webhook, "--json").stdout.splitlines()]
            got = [item["event"]["id"] for page in pages for item in page["items"]]
            self.assertCountEqual(got, ids, self.client("webhook", "show", webhook).stdout)
        changed = self.read("webhook", "update", next(iter(wanted)), "--where", "")
        self.assertIsNone(changed["filter"]["data"])
        refused = self.client("webhook", "update", next(iter(wanted)), "--where", '{"path":"a..b","exists":true}')
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--where", refused.stderr)

    def test_warns_of_a_webhook_that_nothing_is_ever_sent_to(self):
        add = ("webhook", "add", "--url", "https://127.0.0.1:1/")
        for arguments, part in (
                (("--dialect", "devopness", "--pipeline", "33"), "trigger_when.events"),
                (("--dialect", "buildkite", "--setting", "scope=some_projects"), "scope_uuids"),
                (("--branches", "main !main"), "filter.branches"),
                (("--organization", "nosuch"), "ringpost token add")):
            with self.subTest(arguments):
                done = self.client(*add, *arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stderr.startswith("ringpost: warning: "), done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(part, done.stderr)
                told = self.client(*add, *arguments, "--json")
                self.assertEqual(len(json.loads(told.stdout)["warnings"]), 1)
                self.assertEqual(told.stderr, done.stderr)
        made = self.read(*add, "--branches", "main !*")
        self.assertIn("warning", self.client("webhook", "show", made["id"]).stderr)
        mended = self.client("webhook", "update", made["id"], "--branches", "main")
        self.assertEqual(mended.stderr, "")
        self.assertEqual(self.client("webhook", "disable", made["id"]).stderr, "")
        self.assertIn(f"ringpost webhook enable {made['id']}",
                      self.client("webhook", "show", made["id"]).stderr)
        self.assertEqual(self.client("webhook", "enable", made["id"]).stderr, "")

    def test_changes_what_is_given_and_resets_what_is_named(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--header", "X-A: 1",
                         "--header", "X-B: 2", "--branches", "main", "--rate", "5", "--no-retries")
        self.assertEqual(made["schedule"], [])
        path = ("webhook", "update", made["id"])
        changed = self.read(*path, "--header", "X-A:", "--header", "X-C: 3", "--team", "t",
                            "--schedule", "9s", "--app", "one")
        self.assertEqual(changed["headers"], {"X-B": "2", "X-C": "3"})
        self.assertEqual(changed["filter"], {"branches": "main", "teams": ["t"], "clusters": [],
                                             "data": None})
        self.assertEqual((changed["schedule"], changed["sources"], changed["rate_per_second"]),
                         ([9], ["app/one"], 5))
        self.assertEqual(self.read(*path, "--branches", "")["filter"]["branches"], "")
        reset = self.read(*path, "--reset", "rate_per_second", "--reset", "schedule", "--reset",
                          "headers", "--reset", "sources", "--reset", "filter")
        self.assertEqual((reset["rate_per_second"], reset["headers"], reset["sources"],
                          reset["filter"]["teams"], len(reset["schedule"]) > 1),
                         (None, {}, ["*"], [], True))
        for member in ("url", "secret", "enabled", "organization"):  # They have no default.
            refused = self.client(*path, "--reset", member)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"`{member}` cannot be reset", refused.stderr)
        nothing = self.client(*path)
        self.assertEqual(nothing.returncode, 2)
        self.assertIn("nothing to change", nothing.stderr)

    def test_the_examples_of_the_help_make_webhooks(self):
        for name in ("bitrise.secret", "buildkite.token", "github.token"):
            self.file(name, "0123456789abcdef0123456789abcdef")
        made = set()
        for line in run("webhook", "add", "--help").stdout.splitlines():
            if line.startswith("  ringpost webhook add "):
                done = self.client(*shlex.split(line)[1:], "--json", cwd=self.place.path)
                self.assertEqual(done.returncode, 0, (line, done.stderr))
                made.add(json.loads(done.stdout)["dialect"])
        self.assertEqual(sorted(made), DIALECTS)

    def test_patterns_that_could_never_match_are_refused_with_those_that_could(self):
        for words, told in (
                (("--dialect", "bitrise", "--event", "build"), 'settings.events, as ["build"]'),
                (("--dialect", "bitrise", "--app", "bad slug!"), "1 to 64 letters"),
                (("--dialect", "buildkite", "--event", "build.started"), "build.running"),
                (("--dialect", "devopness", "--event", "deploy"), "action.*")):
            done = self.client("webhook", "add", "--url", "https://127.0.0.1:1/", *words)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(told, done.stderr)

    def test_a_pipeline_makes_a_devopness_hook_that_is_listed_there(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--dialect",
                         "devopness", "--pipeline", "33")
        self.assertEqual(made["settings"]["pipeline_id"], 33)
        listed = self.relay.request("GET", "/pipelines/33/hooks")[2]
        self.assertEqual([hook["pipeline_id"] for hook in listed], [33])

    def test_settings_reach_the_dialect(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--dialect",
                         "cloudevents", "--setting", "mode=binary", "--setting", "handshake=true")
        self.assertEqual((made["settings"]["mode"], made["settings"]["handshake"]),
                         ("binary", True))
        self.assertIn("  mode: binary\n", self.client("webhook", "show", made["id"]).stdout)
        refused = self.client("webhook", "add", "--url", "https://127.0.0.1:1/", "--dialect",
                              "bitrise", "--setting", "anything=1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("settings", refused.stderr)
        self.assertIn("(--setting)", refused.stderr)

    def test_an_old_secret_signs_until_its_overlap_ends(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/")
        rotated = self.client("webhook", "rotate-secret", made["id"], "--overlap", "12h").stdout
        self.assertRegex(rotated, r"(?m)^old secret +also signs until \d{4}-")
        self.assertNotIn(made["secret"], rotated)

    def test_removes_with_an_answer_for_people_and_one_for_programs(self):
        for arguments, said in (([], "removed %s\n"), (["--json"], '{"removed":"%s"}\n')):
            made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/")["id"]
            self.assertEqual(self.client("webhook", "remove", made, *arguments).stdout,
                             said % made)

    def test_takes_an_id_in_either_spelling(self):
        """The dialects' APIs hand out UUIDs for what is a ULID here."""
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--dialect",
                         "buildkite")["id"]
        service, = self.relay.request(
            "GET", "/v2/organizations/default/services?per_page=1&before=ffffffff-ffff-ffff-ffff-"
            "ffffffffffff")[2]["items"]
        for spelling in (service["id"], service["id"].upper(), made, made.lower()):
            self.assertEqual(self.read("webhook", "show", spelling)["id"], made)
        self.client("webhook", "remove", service["id"])

    def test_the_operator_makes_webhooks_of_other_organizations(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--organization",
                         "acme")
        self.assertEqual(made["organization"], "acme")
        token = self.read("token", "add", "--name", "acme's", "--scope", "admin", "--organization",
                          "acme")["token"]
        shown = self.read("webhook", "show", made["id"], RINGPOST_TOKEN=token)
        self.assertEqual(shown["organization"], "acme")
        refused = self.client("webhook", "add", "--url", "https://127.0.0.1:1/", "--organization",
                              "default", RINGPOST_TOKEN=token)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("operator", refused.stderr)

    def test_an_id_cannot_lead_anywhere_else(self):
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/")["id"]
        for crooked in (f"{made}/deliveries", f"{made}?x=1", f"../webhooks/{made}",
                        f"{made} HTTP/1.1\r\nX: y"):
            done = self.client("webhook", "show", crooked)
            self.assertEqual(done.returncode, 1, crooked)
            self.assertEqual(len(done.stderr.splitlines()), 1)


class Secrets(ClientTest):

    def signed(self, sink, webhook, source):
        before = len(sink.received())
        self.relay.cli("send", "--type", "build/finished", "--source", source, "--data", "{}")
        return sink.wait_for_count(before + 1)[-1]["signature"]

    def test_come_from_a_file_standard_input_or_the_environment(self):
        sink = self.place.sink("--bitrise-secret", BITRISE_SECRET)
        common = ("webhook", "add", "--url", sink.url, "--dialect", "bitrise", "--ca",
                  sink.ca_file)
        file = self.file("secret", BITRISE_SECRET + "\n")
        self.read(*common, "--source", "app/file", "--secret", f"@{file}")
        self.read(*common, "--source", "app/stdin", "--secret", "-", input=BITRISE_SECRET)
        self.read(*common, "--source", "app/env", RINGPOST_SECRET=BITRISE_SECRET)
        for source in ("app/file", "app/stdin", "app/env"):
            self.assertEqual(self.signed(sink, None, source), "good", source)

    def test_are_refused_as_arguments_and_not_repeated(self):
        for arguments in (("webhook", "add", "--url", "https://h/", "--secret", "hidden words"),
                          ("webhook", "update", "01J", "--secret", "hidden words"),
                          ("webhook", "rotate-secret", "01J", "--secret", "hidden words"),
                          ("status", "--token", "hidden words")):
            done = self.client(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("takes @FILE", done.stderr)
            self.assertNotIn("hidden", done.stderr + done.stdout)

    def test_a_variable_left_over_changes_no_secret(self):
        sink = self.place.sink("--bitrise-secret", BITRISE_SECRET, name="sink-left-over")
        webhook = self.read("webhook", "add", "--url", sink.url, "--dialect", "bitrise", "--ca",
                            sink.ca_file, "--source", "app/left", "--secret", "-",
                            input=BITRISE_SECRET)
        self.read("webhook", "update", webhook["id"], "--description", "x",
                  RINGPOST_SECRET="another")
        self.assertEqual(self.signed(sink, webhook, "app/left"), "good")
        rotated = self.read("webhook", "rotate-secret", webhook["id"], "--secret", "-",
                            input="a third secret")
        self.assertEqual(rotated["secret"], "a third secret")
        self.assertEqual(self.signed(sink, webhook, "app/left"), "bad")

    def test_a_token_comes_from_a_file_too(self):
        file = self.relay.data_dir / "admin.token"
        for arguments, changes in ((["--token", f"@{file}"], {}),
                                   (["--token", "-"], {"input": self.relay.token})):
            done = self.client("status", "--json", *arguments, RINGPOST_TOKEN="wrong", **changes)
            self.assertEqual(done.returncode, 0, done.stderr)


class Terminal(ClientTest):

    def answering(self, body, status=200, kind="application/json"):
        """A server that is no relay; answers everything so. @returns its URL."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def test_control_bytes_of_payloads_and_answers_stay_on_paper(self):
        sink = self.place.sink("--body", HOSTILE, "--status", "500", plain=True)
        webhook = self.relay.add_webhook(url=sink.url, sources=["app/hostile"], schedule=[],
                                         description="\u009b31m")
        status, answer = self.relay.send(
            '{"type":"t","source":"app/hostile","data":{"x":"\x7f\u009b31m\u202e"}}'.encode())
        self.assertEqual(status, 202, answer)
        delivery = self.relay.wait_for_delivery(webhook, lambda d: d["status"] == "dead")
        for arguments in (["delivery", "show", delivery["id"]],
                          ["delivery", "list", webhook["id"]],
                          ["webhook", "show", webhook["id"]], ["webhook", "list"]):
            for more in ([], ["--json"]):
                done = self.client(*arguments, *more, text=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(control_bytes(done.stdout), [], done.stdout)
        shown = self.client("delivery", "show", delivery["id"]).stdout
        self.assertIn("\\x1b]0;owned\\x07\\x1b[2J", shown)
        as_json = self.read("delivery", "show", delivery["id"])
        self.assertEqual(as_json["attempts"][0]["response"]["body"],
                         self.relay.delivery(delivery["id"])["attempts"][0]["response"]["body"])

    def test_trouble_is_seen_at_a_glance(self):
        good = self.relay.add_webhook(url=self.place.sink(plain=True, name="good").url, sources=["app/good"])
        failing = self.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=["app/failing"],
                                         schedule=[3600])
        for number in range(20):
            self.assertEqual(self.relay.send({"type": "t", "source": "app/failing", "data": {"n": number}})[0], 202)
        self.assertEqual(self.relay.send(b"{")[0], 400)
        deadline = time.monotonic() + 20
        while "active, failing" not in (listed := self.client("webhook", "list").stdout):
            self.assertLess(time.monotonic(), deadline, listed)
            time.sleep(0.1)
        states = {line.split("  ")[0].strip(): line for line in listed.splitlines()}
        self.assertIn("  active, failing  ", states[failing["id"]])
        self.assertIn("  active   ", states[good["id"]])
        self.assertRegex(self.client("status").stdout, r"duplicates, refused  0, 1\n +invalid +1\n")

    def test_what_came_of_a_ping_can_be_waited_for(self):
        good = self.relay.add_webhook(url=self.place.sink(plain=True, name="good").url, sources=["app/good"])
        bad = self.relay.add_webhook(url=self.place.sink("--status", "500", plain=True, name="bad").url,
                                     sources=["app/bad"], schedule=[3600])
        hung = self.relay.add_webhook(url=self.place.sink("--fault", "hang", plain=True, name="hung").url,
                                      sources=["app/hung"])
        done = self.client("webhook", "ping", good["id"], "--wait", "30s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^delivery \w{26}\ndelivery +\w{26}\nstatus +delivered\n")
        delivery = done.stdout.split()[1]
        done = self.client("delivery", "redeliver", delivery, "--wait", "30s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rf"^redelivery \w{{26}}\ndelivery +\w{{26}}\nstatus +delivered\n(.*\n)*repeats +{delivery}\n")
        done = self.client("webhook", "ping", bad["id"], "--wait", "30s", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        asked, came = (json.loads(line) for line in done.stdout.splitlines())
        self.assertEqual((came["id"], came["attempts"][0]["response"]["status"]), (asked["id"], 500))
        done = self.client("webhook", "ping", hung["id"], "--wait", "300ms")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("no attempt has ended within 300ms; see: ringpost delivery show ", done.stderr)
        done = self.client("webhook", "ping", good["id"], "--wait", "soon")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--wait", done.stderr)

    def test_answers_of_what_is_no_relay_are_harmless(self):
        hostile = (HOSTILE + "\n<html>").encode("latin-1", errors="ignore")
        for status, kind in ((200, "text/html"), (404, "text/html"), (502, "text/html")):
            url = self.answering(hostile, status, kind)
            done = self.client("status", RINGPOST_URL=url, text=False)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertEqual(control_bytes(done.stderr), [], done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertIn(b"RINGPOST_URL", done.stderr)
        url = self.answering(b'{"items":7,"next_cursor":[]}')
        self.assertEqual(self.client("webhook", "list", RINGPOST_URL=url).returncode, 0)

    def test_says_that_a_body_is_cut_and_how_much_is_left_out(self):
        sink = self.place.sink("--body", "z" * 100_000, plain=True, name="sink-long")
        webhook = self.relay.add_webhook(url=sink.url, sources=["app/long"])
        self.relay.send({"type": "t", "source": "app/long", "data": {"x": "y" * 9000}})
        delivery = self.relay.wait_for_delivery(webhook, lambda d: d["status"] == "delivered")
        shown = self.client("delivery", "show", delivery["id"]).stdout
        self.assertRegex(shown, r"… 5,0\d\d bytes more \(--json has all\)")
        self.assertIn("(truncated: the relay stored only this much)", shown)

    def test_an_errors_text_is_shown(self):
        webhook = self.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=["app/nobody"],
                                         schedule=[])
        self.relay.send({"type": "t", "source": "app/nobody", "data": {}})
        delivery = self.relay.wait_for_delivery(webhook, lambda d: d["status"] == "dead")
        error = delivery["attempts"][0]["error"]
        shown = self.client("delivery", "show", delivery["id"]).stdout
        self.assertIn(f"    error     {error['code']} ({error['side']}): {error['detail']}", shown)


class OnATerminal:
    """A program that has a terminal of its own; what it draws is read as it comes."""

    def __init__(self, *arguments, term="xterm", size=(24, 80), **environment):
        self.ours, theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.drawn = b""
        environment = {**os.environ, "TERM": term, **environment}
        self.process = subprocess.Popen([harness.RINGPOST, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, wanted, seconds=30):
        deadline = time.monotonic() + seconds
        while not wanted(self.drawn):
            assert time.monotonic() < deadline, self.drawn
            if select.select([self.ours], [], [], 0.1)[0]:
                self.drawn += os.read(self.ours, 65536)

    def type(self, keys):
        os.write(self.ours, keys)

    def end(self, seconds=30):
        code = self.process.wait(timeout=seconds)
        while select.select([self.ours], [], [], 0.1)[0]:
            self.drawn += os.read(self.ours, 65536)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


class Top(ClientTest):

    ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"

    def start(self, *arguments, **options):
        terminal = OnATerminal("top", "--interval", "100ms", *arguments, RINGPOST_URL=f"http://127.0.0.1:{self.relay.port}",
                               RINGPOST_TOKEN=self.relay.token, **options)
        self.addCleanup(terminal.close)
        return terminal

    def check_restored(self, terminal):
        self.assertTrue(terminal.drawn.rstrip().endswith(self.LEAVE), terminal.drawn[-200:])
        self.assertIn(b"\x1b[?25h", terminal.drawn)
        self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)

    def test_draws_again_and_again_and_ends_on_q(self):
        terminal = self.start()
        terminal.wait_for(lambda drawn: drawn.count(b"latency to 202") >= 3)
        self.assertEqual(termios.tcgetattr(terminal.theirs)[3] & (termios.ICANON | termios.ECHO), 0)
        before = len(terminal.drawn)
        terminal.resize(5, 20)
        terminal.wait_for(lambda drawn: "… ".encode() in drawn[before:])
        frame = terminal.drawn[before:].split(b"\x1b[H")[-1].split(b"\x1b[J")[0]
        lines = frame.decode().replace("\x1b[K", "").replace("\r", "").split("\n")
        self.assertLessEqual(len(lines), 5)
        self.assertLessEqual(max(map(len, lines)), 20)
        terminal.type(b"q")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_signals_leave_the_terminal_as_it_was(self):
        for ended, code in ((lambda terminal: terminal.type(b"\x03"), 0), (lambda terminal: terminal.process.terminate(), -signal.SIGTERM)):
            terminal = self.start()
            terminal.wait_for(lambda drawn: b"latency" in drawn)
            ended(terminal)
            self.assertEqual(terminal.end(), code)
            self.check_restored(terminal)

    def test_prints_once_where_nothing_can_be_drawn(self):
        terminal = self.start(term="dumb")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn(b"\x1b", terminal.drawn)
        for arguments in ((), ("--once",)):
            done = self.client("top", "--interval", "100ms", *arguments, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"(?m)^  events +\d+\.\d/s, [\d,]+ accepted")
            self.assertRegex(done.stdout, r"(?m)^  0 +\d+\.\d/s")
        self.assertIn("totals", self.read("top"))

    def test_tells_of_webhooks_in_trouble_without_obeying_them(self):
        webhook = self.relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}/", sources=["app/top"], schedule=[3600],
                                         description="B\u200doard \u202e")
        for number in range(20):
            self.assertEqual(self.relay.send({"type": "t", "source": "app/top", "data": {"n": number}})[0], 202)
        deadline = time.monotonic() + 20
        while webhook["id"] not in (done := self.client("top", "--interval", "100ms", text=False)).stdout.decode():
            self.assertLess(time.monotonic(), deadline, done.stdout)
        self.assertEqual(control_bytes(done.stdout), [])
        self.assertRegex(done.stdout.decode(), webhook["id"] + r" +B\\u200doard \\u202e +\d+ attempts in a row failed")

    def test_goes_on_when_the_relay_comes_back(self):
        relay = self.place.relay(name="stopped")
        terminal = OnATerminal("top", "--interval", "100ms", size=(40, 200), RINGPOST_URL=f"http://127.0.0.1:{relay.port}",
                               RINGPOST_TOKEN=relay.token)
        self.addCleanup(terminal.close)
        terminal.wait_for(lambda drawn: b"latency" in drawn)
        relay.kill()
        terminal.wait_for(lambda drawn: b"The figures are old: " in drawn)
        terminal.type(b"q")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_says_why_it_cannot_begin(self):
        reader = self.relay.request("POST", "/v1/tokens", {"name": "r", "scopes": ["webhooks:read"]})[2]["token"]
        for code, part, changes in ((1, "scope", {"RINGPOST_TOKEN": reader}), (3, "refused", {"RINGPOST_URL": f"http://127.0.0.1:{harness.free_port()}"}),
                                    (2, "RINGPOST_TOKEN", {"RINGPOST_TOKEN": "@/nowhere"})):
            done = self.client("top", **changes)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertIn(part, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for interval in ("1ms", "2h", "x"):
            self.assertEqual(self.client("top", "--interval", interval).returncode, 2, interval)


class Open(ClientTest):

    def use(self, code):
        return self.relay.request("POST", "/v1/session-links/use", {"code": code}, headers={"Authorization": ""})

    def test_prints_a_link_that_is_good_once(self):
        done = self.client("open")
        self.assertEqual(done.returncode, 0, done.stderr)
        link = re.fullmatch(rf"http://127\.0\.0\.1:{self.relay.port}/console/#code=(\w+)\n", done.stdout)
        self.assertTrue(link, done.stdout)
        self.assertNotIn(self.relay.token, done.stdout + done.stderr)
        status, headers, answer = self.use(link[1])
        self.assertEqual((status, answer["token"]["name"]), (201, "admin"))
        self.assertIn("ringpost_session=", headers["Set-Cookie"])
        self.assertEqual(self.use(link[1])[0], 401)
        self.assertEqual(self.use(self.read("open")["code"])[0], 201)

    def test_names_the_console_as_the_browser_reaches_it(self):
        done = self.client("open", "--console", "https://relay.example.org")
        self.assertRegex(done.stdout, r"^https://relay\.example\.org/console/#code=\w+\n$")
        for changes in ({"RINGPOST_URL": "unix:/nowhere"},):
            done = self.client("open", **changes)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--console", done.stderr)
        for url in ("https://relay.example.org/console/", "relay.example.org", "ftp://x"):
            self.assertEqual(self.client("open", "--console", url).returncode, 2, url)

    def test_says_that_no_console_is_served(self):
        config = self.place.path / "api.toml"
        port = harness.free_port()
        config.write_text(f'[[listener]]\naddress = "127.0.0.1:{port}"\nserves = ["events", "api"]\n')
        relay = self.place.relay("--config", config, name="api", listen=())
        done = self.client("open", RINGPOST_URL=f"http://127.0.0.1:{port}", RINGPOST_TOKEN=f"@{relay.data_dir}/admin.token")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("--console", done.stderr)
        done = self.client("open", RINGPOST_TOKEN="wrong")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)


class Refusals(ClientTest):

    def test_are_one_line_that_says_how_to_mend_it(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        add = ("webhook", "add", "--url", "https://127.0.0.1:1/")
        for arguments, changes, code, parts in (
                (["status"], {"RINGPOST_URL": nobody}, 3,
                 [nobody, "is the relay running there? (ringpost serve)"]),
                (["status"], {"RINGPOST_TOKEN": "wrong"}, 1,
                 ["401", "--token @FILE", "RINGPOST_TOKEN", "admin.token"]),
                (["webhook", "show", "nothing"], {}, 1, ["404", "ringpost webhook list"]),
                (["delivery", "show", "nothing"], {}, 1, ["404", "ringpost delivery list WEBHOOK"]),
                (["token", "remove", "nothing"], {}, 1, ['the name "nothing"', "ringpost token list"]),
                (["token", "remove", "01JARQ5Z000000000000000000"], {}, 1, ["404", "ringpost token list"]),
                ([*add, "--branches", "!" * 5000], {}, 1, ["422", "filter.branches", "(--branches)"]),
                ([*add, "--rate", "1000000"], {}, 1, ["422", "rate_per_second", "(--rate)"]),
                ([*add, "--timeout", "1ms"], {}, 1, ["422", "(--timeout)"]),
                (["audit", "list", "--since", "yesterday"], {}, 1, ["since", "(--since)"]),
                ([*add, "--ca", "/nowhere"], {}, 2, ["/nowhere cannot be read"]),
                ([*add, "--schedule", "soon"], {}, 2, ["--schedule", "as in 90s"]),
                ([*add, "--secret", "@/nowhere"], {}, 2, ["/nowhere cannot be read"])):
            with self.subTest(arguments=arguments, changes=changes):
                done = self.client(*arguments, **changes)
                self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
                self.assertTrue(done.stderr.startswith("ringpost: "), done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                for part in parts:
                    self.assertIn(part, done.stderr)

    def test_a_health_check_needs_no_token(self):
        for token in (None, "@/no/such/file"):
            asked = self.client("status", "--ready", RINGPOST_TOKEN=token)
            self.assertEqual((asked.returncode, asked.stdout, asked.stderr), (0, "ready\n", ""))
        asked = self.client("status", "--ready", "--json", RINGPOST_TOKEN=None)
        self.assertEqual(json.loads(asked.stdout), {"status": "ready"})
        asked = self.client("status", "--ready", RINGPOST_URL=f"http://127.0.0.1:{harness.free_port()}")
        self.assertEqual(asked.returncode, 3, asked.stderr)

    def test_an_option_wins_over_a_variable(self):
        url = f"http://127.0.0.1:{self.relay.port}"
        for arguments in (["status", "--url", url], ["webhook", "list", "--url", url],
                          ["delivery", "show", "nothing", "--url", url],
                          ["send", "--type", "a", "--source", "b", "--url", url],
                          ["webhook", "add", "--url", "https://127.0.0.1:1/", "--relay", url]):
            with self.subTest(arguments=arguments):
                done = self.client(*arguments, RINGPOST_URL="http://127.0.0.1:1")
                self.assertNotIn("127.0.0.1:1:", done.stderr)
                self.assertEqual(done.returncode, int("nothing" in arguments), done.stderr)

    def test_too_many_wrong_tokens_say_when_to_try_again(self):
        said = ""
        for _ in range(60):
            said = self.client("status", RINGPOST_TOKEN="rp_wrong").stderr
            if "429" in said:
                break
        self.assertRegex(said, r"^ringpost: the relay answered 429: .*; try again in \d+ s\n$")

    def test_wrong_usage_is_exit_code_2(self):
        for arguments in ([], ["nothing"], ["webhook"], ["webhook", "add"], ["webhook", "show"],
                          ["webhook", "add", "--url", "https://h/", "--rate", "many"],
                          ["webhook", "add", "--url", "https://h/", "--no-retries", "--schedule",
                           "1"],
                          ["delivery", "list", "x", "--limit", "0"], ["completion", "csh"],
                          ["audit"], ["status", "extra"], ["send", "--type", "t"],
                          ["check-config"]):
            done = self.client(*arguments, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertTrue(done.stderr, arguments)

    def test_a_missing_command_is_named_with_its_place(self):
        for arguments, said in (
                (["token"], 'a command is missing: add, list, remove (ringpost token --help)'),
                (["secrets"], 'a command is missing: rotate (ringpost secrets --help)'),
                (["token", "sing"], 'there is no command "sing" (ringpost token --help)'),
                (["sing\x1b[31m"], 'there is no command "sing\\x1b[31m" (ringpost --help)')):
            done = self.client(*arguments, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (2, "", f"ringpost: {said}\n"))
        self.assertIn("a command is missing: serve, check-config, doctor, secrets, ",
                      self.client(stdin=subprocess.DEVNULL).stderr)
        self.assertIn("--name is required", self.client("token", "add").stderr)

    def test_with_json_the_problem_comes_as_json_too(self):
        done = self.client("webhook", "show", "nothing", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["status"], 404)
        self.assertIn("404", done.stderr)

    def test_check_config_gives_its_verdict_as_json(self):
        wrong = self.file("wrong.toml", "[server]\nshards = \"many\"\n")
        done = run("check-config", wrong, "--json")
        verdict = json.loads(done.stdout)
        self.assertEqual((done.returncode, verdict["ok"], done.stderr), (1, False, ""))
        self.assertEqual((verdict["problems"][0]["file"], verdict["problems"][0]["line"]),
                         (str(wrong), 2))
        right = self.file("right.toml", "")
        done = run("check-config", right, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)),
                         (0, {"ok": True, "problems": []}))


class Output(ClientTest):

    def test_that_cannot_be_written_is_a_failure(self):
        webhook = self.read("webhook", "add", "--url", "https://127.0.0.1:1/")["id"]
        many = self.file("empty.toml", "")
        for arguments in (["status"], ["status", "--json"], ["webhook", "list"],
                          ["webhook", "show", webhook], ["token", "list"], ["audit", "list"],
                          ["completion", "bash"], ["--version"], ["webhook", "--help"],
                          ["check-config", many], ["check-config", "--example"],
                          ["send", "--type", "t", "--source", "s"]):
            with self.subTest(arguments), open("/dev/full", "w", encoding="ascii") as full:
                environment = dict(os.environ, RINGPOST_URL=f"http://127.0.0.1:{self.relay.port}",
                                   RINGPOST_TOKEN=self.relay.token)
                done = subprocess.run([harness.RINGPOST, *arguments], stdout=full, text=True,
                                      stderr=subprocess.PIPE, env=environment, timeout=20)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, r"^ringpost: cannot write to standard output.*\n$")

    def test_of_the_other_programs_too(self):
        for program in (harness.JOURNAL, harness.SINK):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([program, "--version"], stdout=full, text=True,
                                      stderr=subprocess.PIPE, timeout=20)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("cannot write to standard output", done.stderr)


class Send(ClientTest):

    LINE = '{"type":"t","source":"app/send","data":{}}\n'

    def test_names_the_line_of_the_file(self):
        for blank in (0, 7):
            lines = [self.LINE] * 3000
            lines[2499] = '{"type":"t"}\n'
            for index in range(blank):
                lines[index * 300] = " \r\n"
            done = self.client("send", self.file("lines.ndjson", "".join(lines)))
            self.assertEqual(done.returncode, 1)
            self.assertIn("line 2500: ", done.stderr)
            self.assertRegex(done.stderr, r"nothing after line 2,0\d\d was accepted; the lines up to it")

    def test_skips_blank_lines_and_says_if_nothing_is_left(self):
        blanks = self.file("blanks.ndjson", "\n  \n\r\n" + self.LINE + "\n" * 5000 + self.LINE + "\n\n")
        done = self.client("send", blanks, "--batch", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^accepted 2, deliveries \d+\n$")
        for content in ("", "\n", " \r\n\t\n"):
            nothing = self.file("nothing", content)
            for done in (self.client("send", nothing), self.client("send", input=content)):
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, r"^ringpost: there is nothing to send: "
                                              r"(\S+/nothing|standard input) contains no event\n$")
        self.assertIn("Blank lines are skipped", self.client("send", "--help").stdout)

    def busy_relay(self, busy, problem="overloaded", retry_after="1"):
        """A relay that is busy so many times before it takes a batch; notes what it takes."""
        answers, taken = list(busy), []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = answers.pop(0) if answers else 202
                answer = {"type": f"urn:ringpost:{problem}", "detail": "busy"}
                if status == 202:
                    taken.append(body)
                    answer = {"accepted": len(body.splitlines()), "duplicates": 0}
                answer = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Retry-After", retry_after)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}", taken

    def test_waits_for_a_busy_relay_and_goes_on(self):
        url, taken = self.busy_relay([202, 503, 429, 202, 507])
        file = self.file("lines.ndjson", self.LINE * 30)
        done = self.client("send", file, "--batch", "10", RINGPOST_URL=url)
        self.assertEqual((done.returncode, done.stdout), (0, "accepted 30\n"), done.stderr)
        self.assertEqual([len(body.splitlines()) for body in taken], [10, 10, 10])
        said = done.stderr.splitlines()
        self.assertEqual(len(said), 3)
        self.assertEqual(said[0], "ringpost: the relay answered 503: busy; try again in 1 s; "
                                  "retrying automatically, 10 accepted so far")
        self.assertIn("20 accepted so far", said[2])

    def test_waits_no_longer_than_it_may(self):
        file = self.file("one.ndjson", self.LINE * 2)
        for more, answers in ((["--wait", "2s"], {"busy": [503] * 100}),
                              (["--wait", "0"], {"busy": [503] * 100}),
                              ([], {"busy": [503], "retry_after": "301"}),
                              ([], {"busy": [503], "retry_after": "Sun, 06 Nov 2095 08:49:37 GMT"}),
                              ([], {"busy": [503], "problem": "storage-failed"})):
            with self.subTest(more=more, answers=answers):
                url, taken = self.busy_relay(**answers)
                done = self.client("send", file, *more, RINGPOST_URL=url)
                self.assertEqual((done.returncode, done.stdout, taken), (1, "", []), done.stderr)
                self.assertEqual(done.stderr.count("retrying"), 2 if "2s" in more else 0)
        done = self.client("send", file, "--wait", "long")
        self.assertEqual(done.returncode, 2)
        self.assertIn('--wait: "long" must be a number with a unit', done.stderr)

    def piped(self, *arguments, url=None):
        """A sender whose standard input stays open."""
        environment = dict(os.environ, RINGPOST_URL=url or f"http://127.0.0.1:{self.relay.port}",
                           RINGPOST_TOKEN=self.relay.token)
        sender = subprocess.Popen([harness.RINGPOST, "send", *arguments], stdin=subprocess.PIPE, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(sender.wait)
        self.addCleanup(sender.kill)
        return sender

    def wait_until_accepted(self, count):
        deadline = time.monotonic() + 20
        while (accepted := self.relay.status()["totals"]["events_accepted"]) < count:
            self.assertLess(time.monotonic(), deadline, f"{accepted} of {count}")
            time.sleep(0.05)
        self.assertEqual(accepted, count)

    def test_lines_of_a_pipe_are_sent_as_they_come(self):
        accepted = self.relay.status()["totals"]["events_accepted"]
        sender = self.piped()
        line = self.LINE.encode()
        for count in (1, 2, 5):
            sender.stdin.write(b"\n" + line * count + b"  \n" + line[:9])
            sender.stdin.flush()
            self.wait_until_accepted(accepted + count)
            sender.stdin.write(line[9:])  # The rest of the line that was begun.
            sender.stdin.flush()
            accepted += count + 1
            self.wait_until_accepted(accepted)
        out, error = sender.communicate(timeout=20)
        self.assertEqual(sender.returncode, 0, error)
        self.assertRegex(out.decode(), r"^accepted 11, deliveries \d+\n$")

    def test_a_file_of_many_batches_an_object_on_many_lines_and_odd_ends(self):
        one = json.dumps(json.loads(self.LINE), indent=2)
        for content, count in ((self.LINE * 2500, 2500), (one, 1), ("\n\n" + one + "\n\n", 1),
                               (self.LINE.rstrip(), 1), (self.LINE * 3 + self.LINE.rstrip(), 4),
                               ("\ufeff" + self.LINE * 2, 2), ("\ufeff" + one, 1)):
            with self.subTest(content[:40]):
                name = self.file("events", content)
                for done in (self.client("send", name), self.client("send", input=content)):
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertRegex(done.stdout, rf"^accepted {count:,}\b")
        for content, said in (("{\n", "Not JSON"), (self.LINE + "{\n", "line 2")):
            done = self.client("send", self.file("bad", content))
            self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
            self.assertIn(said, done.stderr)
        (self.place.path / "wide").write_text(self.LINE, "utf-16")
        done = self.client("send", self.place.path / "wide")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("wide is UTF-16 text: save it as UTF-8", done.stderr)
        done = self.client("send", self.place.path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot be read", done.stderr)

    def test_waits_at_first_until_the_relay_is_there(self):
        port = harness.free_port()
        url = f"http://127.0.0.1:{port}"
        sender = self.piped("--wait", "30s", "--type", "t", "--source", "app/send", url=url)
        time.sleep(0.5)
        self.assertIsNone(sender.poll())
        self.place.relay(listen=(f"127.0.0.1:{port}",), name="late")
        out, error = sender.communicate(timeout=30)
        self.assertIn(b"401", error, "it was there, and knows other tokens")
        self.assertEqual(sender.returncode, 1)

    def test_best_effort_never_fails_a_build(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        event = ["--type", "t", "--source", "app/send"]
        for environment, said in (({"RINGPOST_URL": nobody}, "is the relay running there?"),
                                  ({"RINGPOST_TOKEN": "@/nonexistent/token"}, "cannot be read"),
                                  ({"RINGPOST_TOKEN": "wrong"}, "401")):
            done = self.client("send", "--best-effort", *event, **environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(said, done.stderr)
        self.assertEqual(self.client("send", "--best-effort", "--type", "t").returncode, 2)

    def test_an_interrupt_ends_the_wait(self):
        url, _ = self.busy_relay([503] * 100, retry_after="60")
        waiting = subprocess.Popen([harness.RINGPOST, "send", self.file("i.ndjson", self.LINE)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=dict(os.environ, RINGPOST_URL=url, RINGPOST_TOKEN="x"))
        self.assertIn("try again in 60 s; retrying", waiting.stderr.readline())
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=10)
        self.assertEqual(waiting.returncode, -signal.SIGINT)


class Lists(ClientTest):

    def test_the_audit_log_is_readable(self):
        self.read("webhook", "add", "--url", "https://127.0.0.1:1/", "--app", "other")
        made = self.read("webhook", "add", "--url", "https://127.0.0.1:1/?key=hidden", "--app", "x")
        self.read("webhook", "update", made["id"], "--description", "x")
        listed = self.client("audit", "list", "--limit", "2").stdout
        lines = listed.splitlines()
        self.assertRegex(lines[0], r"TIME +TOKEN +FROM +OPERATION +STATUS +OBJECT +MEMBERS")
        self.assertRegex(lines[1], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +admin +127\.0\.0\.1:\d+ +"
                                   rf"webhook\.update +200 +{made['id']} +description$")
        self.assertRegex(lines[2], r"webhook\.create +201 +%s +url, sources, secret$" % made["id"])
        self.assertRegex("\n".join(lines[3:]), r"^… more: raise --limit, or .* --cursor (\S+)$")
        rest = self.client("audit", "list", "--limit", "1", "--cursor", lines[3].split()[-1])
        self.assertIn("webhook.create", rest.stdout.splitlines()[1])
        self.assertNotIn("hidden", listed)
        newest = self.read("audit", "list", "--limit", "1")["items"]
        self.assertEqual([entry["operation"] for entry in newest], ["webhook.update"])
        self.assertEqual(self.client("audit", "list", "--until", "2001-01-01T00:00:00Z").stdout,
                         "Nothing was changed over the API in that time.\n")
        narrow = self.read("token", "add", "--name", "narrow", "--scope", "events:write")["token"]
        self.assertEqual(self.client("audit", "list", RINGPOST_TOKEN=narrow).returncode, 1)

    def test_walk_all_pages_up_to_the_limit(self):
        made = self.relay.add_webhook(url="https://127.0.0.1:1/", sources=["app/many"], schedule=[])
        with concurrent.futures.ThreadPoolExecutor(8) as senders:
            list(senders.map(lambda _: self.relay.send(
                {"type": "t", "source": "app/many", "data": {}}), range(230)))
        deadline = time.monotonic() + 20
        while len(self.relay.deliveries(made)) < 230:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        listed = self.client("delivery", "list", made["id"], "--limit", "1000").stdout
        self.assertEqual(len(listed.splitlines()), 231)
        listed = self.client("delivery", "list", made["id"], "--limit", "210").stdout.splitlines()
        self.assertEqual((len(listed), listed[-1].startswith("… more: ")), (212, True))
        rest = self.client("delivery", "list", made["id"], "--limit", "1000", "--cursor",
                           listed[-1].split()[-1]).stdout.splitlines()
        self.assertEqual(len(rest), 21)
        self.assertEqual({row.split()[0] for row in rest[1:]} & {row.split()[0] for row in listed},
                         set())
        pages = self.client("delivery", "list", made["id"], "--limit", "210", "--json").stdout
        self.assertEqual([len(json.loads(line)["items"]) for line in pages.splitlines()], [200, 10])
        self.assertEqual(
            self.client("delivery", "list", made["id"], "--status", "delivered").stdout,
            "No deliveries match.\n")


def commands(path=()):
    """Every command below `path`, from the help's own list."""
    help_text = run(*path, "--help").stdout
    found = re.search(r"^Subcommands:\n((?:  .*\n)+)", help_text, re.MULTILINE)
    for line in (found.group(1).splitlines() if found else ()):
        if name := re.match(r"  ([a-z-]+)", line):
            yield (*path, name.group(1))
            yield from commands((*path, name.group(1)))


class Help(unittest.TestCase):

    def test_every_command_states_its_exit_codes(self):
        found = [(), *commands()]
        self.assertGreater(len(found), 25)
        for path in found:
            done = run(*path, "--help")
            self.assertEqual(done.returncode, 0, path)
            self.assertIn("Exit codes: 0 ", done.stdout, path)

    def test_webhook_add_tells_of_every_dialect_and_groups_its_options(self):
        said = run("webhook", "add", "--help").stdout
        for heading in ("The webhook:", "Which events:", "Each request:", "The relay:"):
            self.assertIn(heading + "\n", said)
        for dialect in DIALECTS:
            self.assertRegex(said, rf"(?m)^{dialect}: ")
        self.assertGreaterEqual(said.count("  ringpost webhook add --"), len(DIALECTS))


class Completion(unittest.TestCase):
    """Each script is loaded into its shell, and asked as the shell asks at a press of Tab."""

    def script(self, shell):
        done = run("completion", shell)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def bash(self, *words):
        """What bash offers for the last word. Words are given as bash splits them."""
        program = self.script("bash") + """
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ringpost ringpost "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
        done = subprocess.run(["bash", "--norc", "-euo", "pipefail", "-c",
                               "set +e;" + program, "bash", "ringpost", *words],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stderr, "", words)
        return sorted(done.stdout.split())

    def test_bash_offers_commands_options_and_values(self):
        top = [path[0] for path in commands() if len(path) == 1]
        self.assertEqual(self.bash(""), sorted(top))
        self.assertEqual(self.bash("web"), ["webhook"])
        self.assertEqual(self.bash("webhook", "r"), ["remove", "rotate-secret"])
        self.assertIn("--branches", self.bash("webhook", "add", "--"))
        self.assertEqual(self.bash("webhook", "add", "--bra"), ["--branches"])
        self.assertNotIn("--branches", self.bash("webhook", "list", "--"))
        self.assertEqual(self.bash("webhook", "add", "--dialect", "bi"), ["bitrise"])
        self.assertEqual(self.bash("webhook", "add", "--dialect", "=", "bi"), ["bitrise"])
        self.assertEqual(self.bash("webhook", "add", "--dialect", "="), DIALECTS)
        self.assertEqual(self.bash("completion", "z"), ["zsh"])
        self.assertEqual(self.bash("delivery", "list", "01J", "--status", "de"),
                         ["dead", "delivered"])

    def test_bash_is_not_misled_by_values(self):
        # A value that is the name of a command, and a URL that bash splits at its colon.
        self.assertEqual(self.bash("send", "--type", "webhook", "--so"), ["--source"])
        self.assertEqual(self.bash("webhook", "add", "--url", "https", ":", "//h/", "--dialect",
                                   "sta"), ["standard"])
        self.assertEqual(self.bash("token", "add", "--scope", "deliveries", ":", "re"),
                         ["read", "redeliver"])
        self.assertEqual(self.bash("webhook", "add", "--description", ""), [])

    def test_bash_offers_files(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ca.pem").touch()
            self.assertEqual(self.bash("webhook", "add", "--ca", folder + "/c"),
                             [folder + "/ca.pem"])
            self.assertEqual(self.bash("webhook", "add", "--secret", f"@{folder}/c"),
                             [f"@{folder}/ca.pem"])
            self.assertEqual(self.bash("send", folder + "/c"), [folder + "/ca.pem"])

    def test_zsh_offers_the_same(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "_ringpost").write_text(self.script("zsh"))
            self.assertEqual(subprocess.run(["zsh", "-f", "-n", path / "_ringpost"]).returncode, 0)
            # A zsh in a terminal of its own; its completion widget prints what would be listed.
            (path / "inner").write_text("""
PS1='%' ; fpath=($1 $fpath) ; autoload -Uz compinit ; compinit -u -D
zstyle ':completion:*' list-grouped false ; zstyle ':completion:*' insert-tab false
zstyle ':completion:*' verbose no
compadd() {
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return $? }
  typeset -a __hits
  builtin compadd -A __hits "$@"
  for hit in $__hits; do print -rn -- "<hit>$hit</hit>"; done
}
bindkey '^M' undefined ; bindkey '^J' undefined ; bindkey '^I' complete-word
null-line() { print -n '<end>' }
zle -N null-line ; bindkey '^O' null-line
""")
            (path / "outer").write_text("""
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source $1/inner $1; print -n '<be''gin>'"
zpty -r -m inner line '*<begin>*'
for text in ${@[2,-1]}; do
  zpty -w -n inner "$text"$'\\t'$'\\x0f'
  zpty -r -m inner line '*<end>*'
  print -r -- "=$text" ; print -r -- "$line"
  zpty -w -n inner $'\\x15'
done
zpty -d inner
""")
            asked = ["ringpost webhook r", "ringpost webhook add --bra",
                     "ringpost webhook add --dialect ", "ringpost completion "]
            done = subprocess.run(["zsh", "-f", path / "outer", folder, *asked],
                                  capture_output=True, text=True, timeout=60,
                                  env=dict(os.environ, TERM="dumb", HOME=folder))
            self.assertEqual(done.returncode, 0, done.stderr)
            hits = [sorted(set(re.findall(r"<hit>(.*?)</hit>", part)))
                    for part in re.split(r"(?m)^=ringpost.*$", done.stdout)[1:]]
            self.assertEqual(len(hits), 4, done.stdout)
            self.assertEqual(hits[0], ["remove", "rotate-secret"], done.stdout)
            self.assertTrue(hits[1] and hits[1][0].startswith("--branches"), done.stdout)
            self.assertEqual(hits[2], DIALECTS, done.stdout)
            self.assertEqual(hits[3], ["bash", "fish", "zsh"], done.stdout)

    def test_fish_offers_the_same(self):
        if not shutil.which("fish"):
            self.skipTest("fish is not installed")
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "ringpost.fish"
            script.write_text(self.script("fish"))
            (pathlib.Path(folder) / "ca.pem").touch()

            def fish(line):
                done = subprocess.run(
                    ["fish", "--no-config", "-c", f"source {script}; complete -C \"$argv\"", line],
                    capture_output=True, text=True, timeout=30, cwd=folder,
                    env=dict(os.environ, HOME=folder))
                self.assertEqual(done.stderr, "", line)
                return sorted(row.split("\t")[0] for row in done.stdout.splitlines())

            self.assertEqual(fish("ringpost webhook r"), ["remove", "rotate-secret"])
            self.assertEqual(fish("ringpost webhook add --bra"), ["--branches"])
            self.assertEqual(fish("ringpost webhook add --dialect "), DIALECTS)
            self.assertEqual(fish("ringpost webhook list --bra"), [])
            self.assertEqual(fish("ringpost send --type webhook --so"), ["--source"])
            self.assertEqual(fish("ringpost completion z"), ["zsh"])
            self.assertEqual(fish("ringpost webhook add --ca ca"), ["ca.pem"])
            self.assertEqual(fish("ringpost webhook add --secret @ca"), ["@ca.pem"])


class Manual(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.pages = sorted([*(harness.BUILD / "src" / "server").glob("ringpost*.1"),
                            *(harness.BUILD / "tools").glob("ringpost*.1")])

    def test_has_a_page_for_every_command_and_program(self):
        wanted = {"ringpost.1", "ringpost-journal.1", "ringpost-load.1", "ringpost-sink.1"}
        wanted |= {f"ringpost-{path[0]}.1" for path in commands() if len(path) == 1}
        self.assertEqual({page.name for page in self.pages}, wanted)
        main = next(page for page in self.pages if page.name == "ringpost.1").read_text()
        for part in (".SH EXIT STATUS", ".SH ENVIRONMENT", ".SH FILES", ".SH EXAMPLES",
                     "RINGPOST_URL", "RINGPOST_TOKEN", "RINGPOST_SECRET", "admin.token"):
            self.assertIn(part, main)

    def test_groff_has_no_complaint(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        for page in self.pages:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page],
                                  capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)

    def test_mandoc_has_no_complaint(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        for page in self.pages:
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True,
                                  text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (0, ""), page)

    def test_shows_examples_that_can_be_copied(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        page = next(page for page in self.pages if page.name == "ringpost-webhook.1")
        text = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou", page], capture_output=True,
                              text=True, timeout=30).stdout
        self.assertIn("--source 'app/*' --event 'build.*'", text)

    def test_a_page_that_meson_forgets_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("--write-manual", pathlib.Path(folder) / "ringpost.1")
            self.assertEqual(done.returncode, 1)
            self.assertIn("ringpost-webhook.1 is not asked for", done.stderr)
            done = run("--write-manual", pathlib.Path(folder) / "other.1")
            self.assertEqual(done.returncode, 1)


class Installed(unittest.TestCase):

    def test_programs_pages_completions_and_licence_go_where_others_look(self):
        if not shutil.which("meson"):
            self.skipTest("meson is not installed")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["meson", "install", "-C", harness.BUILD, "--no-rebuild", "--destdir", folder],
                capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            files = {path.as_posix().split("/share/", 1)[-1].split("/bin/", 1)[-1]: path
                     for path in pathlib.Path(folder).rglob("*") if path.is_file()}
            pages = {f"man/man1/ringpost-{path[0]}.1" for path in commands() if len(path) == 1}
            shells = {"bash": "bash-completion/completions/ringpost.bash",
                      "zsh": "zsh/site-functions/_ringpost",
                      "fish": "fish/vendor_completions.d/ringpost.fish"}
            of_tools = {place.replace("ringpost", program)
                        for place in shells.values() for program in ("ringpost-load", "ringpost-sink")}
            self.assertEqual(set(files), pages | set(shells.values()) | of_tools | {
                "ringpost", "ringpost-load", "ringpost-sink", "ringpost-journal", "man/man1/ringpost.1", "man/man1/ringpost-load.1",
                "man/man1/ringpost-sink.1", "man/man1/ringpost-journal.1", "doc/ringpost/LICENSE", "doc/ringpost/RUNBOOK.md", "doc/ringpost/ringpost.spdx.json",
                "ringpost/monitoring/alerts.yml", "ringpost/monitoring/dashboard.json"})
            for shell, place in shells.items():
                self.assertEqual(files[place].read_text(), run("completion", shell).stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
