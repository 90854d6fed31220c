"""src/server/RUNBOOK.md says something of each alert and error code, and its commands exist and do what it says."""

import pathlib
import re
import shutil
import subprocess
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "src" / "server" / "RUNBOOK.md").read_text()
PROGRAMS = {"ringpost": harness.RINGPOST, "ringpost-journal": harness.JOURNAL}


def section(title):
    return RUNBOOK.split(f" {title}\n", 1)[1].split("\n#", 1)[0]


def commands():
    """Each command in the text, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(ringpost(?:-journal)? [^`]+)`", RUNBOOK)
    return [text.split() for text in lines + inline if text.split()[0] in PROGRAMS]


class Complete(unittest.TestCase):

    def test_has_a_section_for_each_alert(self):
        rules = (ROOT / "tools" / "monitoring" / "alerts.yml").read_text()
        alerts = re.findall(r"- alert: (\w+)", rules)
        self.assertGreater(len(alerts), 25)
        self.assertEqual(re.findall(r"(?m)^### (Ringpost\w+)$", RUNBOOK), alerts, "in their order")

    def test_has_a_row_for_each_error_code(self):
        source = (ROOT / "src" / "base" / "error.cc").read_text()
        codes = re.findall(r'case Errc::\w+: return "(\w+)";', source.split("name(Side")[0])
        self.assertGreater(len(codes), 20)
        rows = re.findall(r"(?m)^\| `(\w+)` \|", section("What an attempt's error means"))
        self.assertEqual(sorted(rows), sorted(codes + ["interrupted"]))

    def test_links_lead_to_sections(self):
        titles = set(re.findall(r"(?m)^#+ (.+)$", RUNBOOK))
        for title in re.findall(r'[Ss]ee "([^"]+)"', RUNBOOK):
            self.assertIn(title.rstrip(","), titles)
        for alert in re.findall(r"Ringpost[A-Z]\w+", RUNBOOK):
            self.assertIn(alert, titles)


class Commands(unittest.TestCase):

    def help_of(self, program, words):
        done = subprocess.run([PROGRAMS[program], *words, "--help"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, (program, words, done.stderr))
        return done.stdout

    def test_each_exists_with_its_options(self):
        self.assertGreater(len(commands()), 25)
        for program, *words in commands():
            with self.subTest(" ".join([program, *words])):
                names = []
                while len(names) < len(words) and re.search(rf"(?m)^  {re.escape(words[len(names)])}  ",
                                                            self.help_of(program, names)):
                    names.append(words[len(names)])
                self.assertTrue(names, "a command")
                text = self.help_of(program, names)
                for option in re.findall(r"--[a-z-]+", " ".join(words)):
                    self.assertRegex(text, rf"(?m)^  (\S+,)*{option}\b")


class Tasks(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.relay = self.place.relay()
        self.sink = self.place.sink(plain=True)

    def test_a_copy_of_directory_and_key_is_the_relay_somewhere_else(self):
        webhook = self.relay.add_webhook(url=self.sink.url, sources=["app/x"], secret="whsec_" + "QUJD" * 8)
        self.assertEqual(self.relay.send({"type": "t", "source": "app/x", "data": {}})[0], 202)
        self.relay.wait_for_delivery(webhook, lambda found: found["status"] == "delivered")
        self.assertEqual(self.relay.stop(), 0)
        old, new = self.relay.data_dir, self.place.path / "disk" / "data"
        new.parent.mkdir()
        new.mkdir()
        subprocess.run(["cp", "-a", old, new], check=True)  # One directory too deep.
        refused = subprocess.run([harness.RINGPOST, "serve", "--data-dir", new, "--listen", "127.0.0.1:0"],
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"holds no relay's data, but {new / old.name} does", refused.stderr)
        shutil.rmtree(new / old.name)
        subprocess.run(["cp", "-a", f"{old}/.", f"{new}/"], check=True)
        subprocess.run(["cp", "-a", old.with_suffix(".key"), new.with_suffix(".key")], check=True)
        verified = subprocess.run([harness.JOURNAL, "verify", new], capture_output=True, text=True, timeout=60)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        shutil.rmtree(old)
        moved = harness.Relay(new)
        self.place.processes.append(moved)
        self.assertEqual(len(moved.deliveries(webhook)), 1)
        self.assertEqual(moved.send({"type": "t", "source": "app/x", "data": {"n": 2}})[0], 202)
        self.sink.wait_for_count(2)

    def test_a_lost_admin_token_is_replaced(self):
        words = next(words for words in commands() if words[1:3] == ["token", "add"] and "--out" in words)
        self.assertEqual(self.relay.stop(), 0)
        (self.relay.data_dir / "admin.token").unlink()
        arguments = [str(self.relay.data_dir) if word == "DIR" else word for word in words[1:]]
        done = subprocess.run([harness.RINGPOST, *arguments], cwd=self.place.path, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        relay = self.place.relay()
        listed = subprocess.run(
            [harness.RINGPOST, "token", "list", "--url", f"http://127.0.0.1:{relay.port}", "--token",
             f"@{self.place.path}/admin.token"], capture_output=True, text=True, timeout=60)
        self.assertEqual(listed.returncode, 0, listed.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
