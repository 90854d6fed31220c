"""Drop directories: files that are renamed into `new/` become events, each once, whatever happens to the relay."""

import json
import os
import socket
import subprocess
import threading
import time
import unittest

import harness

EVENT = '{"type": "build/finished", "source": "app/1", "data": {"number": %d}}'


class DropTest(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.drop = self.place.path / "drop"
        self.config = self.place.path / "ringpost.toml"
        self.write_config()

    def write_config(self, organization="default"):
        self.config.write_text(f'[[source]]\ndirectory = "{self.drop}"\norganization = "{organization}"\n')

    def relay(self, *arguments):
        relay = self.place.relay("--config", self.config, *arguments)
        self.wait_for(lambda: (self.drop / "bad").is_dir(), "the directory is not made")
        return relay

    def put(self, name, text):
        written = self.place.path / "written"
        written.write_text(text)
        os.rename(written, self.drop / "new" / name)

    def wait_for(self, done, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not done():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def waiting(self):
        return os.listdir(self.drop / "new") + os.listdir(self.drop / "cur")

    def wait_until_taken(self, seconds=30):
        self.wait_for(lambda: not self.waiting(), "files were left", seconds)


class Files(DropTest):

    def test_every_form_of_events_is_taken_and_the_files_go(self):
        relay = self.relay()
        self.put("one.json", EVENT % 1)
        self.put("lines", EVENT % 2 + "\n\n" + EVENT % 3 + "\n")
        self.put("cloudevent", '{"specversion": "1.0", "id": "c1", "source": "s", "type": "t", "data": [4]}')
        self.put("batch", '[{"specversion": "1.0", "id": "c2", "source": "s", "type": "t"}]')
        self.wait_until_taken()
        found = relay.request("GET", "/v1/events")[2]["items"]
        self.assertEqual(sorted(event["source"] for event in found), ["app/1"] * 3 + ["s"] * 2)
        self.assertEqual(relay.status()["totals"]["events_accepted"], 5)
        self.assertEqual(os.listdir(self.drop / "bad"), [])

    def test_a_bad_file_is_set_aside_with_the_reason(self):
        relay = self.relay()
        self.put("bad.json", EVENT % 1 + '\n{"type": "t"}\n')
        self.put("good.json", EVENT % 2)
        self.wait_until_taken()
        reason = json.loads((self.drop / "bad" / "bad.json.reason").read_text())
        self.assertEqual((reason["status"], reason["line"], reason["member"]), (422, 2, "source"))
        self.assertTrue((self.drop / "bad" / "bad.json").exists())
        self.assertEqual(relay.status()["totals"]["events_accepted"], 1, "nothing of a bad file is stored")
        relay.wait_for("set aside bad/bad.json")

    def test_a_relay_finds_what_came_while_it_was_stopped(self):
        self.relay().stop()
        for number in range(10):
            self.put(f"{number}.json", EVENT % number)
        relay = self.relay()
        self.wait_until_taken()
        self.assertEqual(relay.status()["totals"]["events_accepted"], 10)

    def test_the_events_are_of_the_directorys_organization(self):
        self.write_config("acme")
        relay = self.relay()
        self.put("one.json", EVENT % 1)
        self.wait_until_taken()
        self.assertEqual(relay.status()["totals"]["events_accepted"], 1)
        self.assertEqual(relay.request("GET", "/v1/events")[2]["items"], [])

    def test_a_second_relay_on_the_same_directory_takes_nothing(self):
        self.relay()
        second = self.place.relay("--config", self.config, name="second")
        second.wait_for("another relay takes events from it")
        self.put("one.json", EVENT % 1)
        self.wait_until_taken()
        self.assertEqual(second.status()["totals"]["events_accepted"], 0)

    def test_a_directory_that_cannot_be_made_is_named_and_the_relay_serves(self):
        self.drop.write_text("no directory")
        relay = self.place.relay("--config", self.config)
        relay.wait_for("drop directory .*: it cannot be opened: Not a directory")
        self.assertEqual(relay.send(EVENT % 1)[0], 202)


class Faults(DropTest):

    def test_files_wait_while_the_relay_refuses(self):
        relay = self.relay("--set", "delivery.pending_max=10", "--set", "server.shards=1")
        webhook = relay.add_webhook(url=f"http://127.0.0.1:{harness.free_port()}", schedule=[60])
        for number in range(200):
            self.put(f"{number:03}.json", EVENT % number)

        def refused():
            totals = relay.status()["totals"]
            return totals["events_over_share"] + totals["events_refused_overloaded"]

        self.wait_for(refused, "nothing was refused")
        self.assertGreater(len(self.waiting()), 100)
        self.assertEqual(relay.request("DELETE", f"/v1/webhooks/{webhook['id']}")[0], 204)
        self.wait_until_taken(60)
        self.assertEqual(relay.status()["totals"]["events_accepted"], 200)
        self.assertEqual(os.listdir(self.drop / "bad"), [])

    def test_kills_lose_nothing_and_double_nothing(self):
        sink = self.place.sink(plain=True)
        relay = self.relay("--set", "server.shards=2")
        relay.add_webhook(url=sink.url)
        count = 0
        for _ in range(6):
            for _ in range(150):
                count += 1
                self.put(f"{count}.json", EVENT % count)
            time.sleep(0.05)
            relay.kill()
            relay = self.relay("--set", "server.shards=2")
        self.wait_until_taken(60)
        relay.wait_until_settled()
        events = {row["delivery"] for row in sink.received()}
        self.assertEqual(len(events), count)


class Spool(DropTest):

    def send(self, url, *arguments, token="none", **options):
        environment = dict(os.environ, RINGPOST_URL=url, RINGPOST_TOKEN=token)
        return subprocess.run([harness.RINGPOST, "send", "--best-effort", "--spool", self.drop, *arguments],
                              capture_output=True, text=True, timeout=60, env=environment, **options)

    def test_what_a_relay_that_is_away_has_missed_it_takes_later(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        lines = "".join(EVENT % number + "\n" for number in range(25))
        done = self.send(nobody, "--batch", "10", "--wait", "200ms", input=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"is in {self.drop}/new (files: 3)", done.stderr)
        self.assertEqual(self.send(nobody, "--type", "t", "--source", "s", "--wait", "0s").returncode, 0)
        self.assertEqual(self.send(nobody, input='{\n"type": "t",\n"source": "s"}\n').returncode, 0)
        self.assertEqual(len(os.listdir(self.drop / "new")), 5)
        relay = self.relay()
        self.wait_until_taken()
        self.assertEqual(relay.status()["totals"]["events_accepted"], 27)
        self.assertEqual(os.listdir(self.drop / "bad"), [])

    def test_what_can_be_no_event_is_not_kept(self):
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        environment = dict(os.environ, RINGPOST_URL=nobody, RINGPOST_TOKEN="none")

        def strict(text):
            return subprocess.run([harness.RINGPOST, "send", "--spool", self.drop, "--batch", "2", "--wait", "0s"], input=text,
                                  capture_output=True, text=True, timeout=60, env=environment)

        done = strict("\n".join([EVENT % 1, EVENT % 2, EVENT % 3, "rubbish", EVENT % 5]) + "\n")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("line 4 is not an event: it is not JSON", done.stderr)
        self.assertEqual(len(os.listdir(self.drop / "new")), 1, "the batch before it is kept")
        done = strict('{"source": "s"}')
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('it has no "type"', done.stderr)
        done = self.send(nobody, "--wait", "0s", input=EVENT % 6 + "\nrubbish\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("line 2 is not an event", done.stderr)
        self.assertEqual(len(os.listdir(self.drop / "new")), 2)

    def test_a_relay_that_takes_them_leaves_the_directory_empty(self):
        relay = self.relay()
        done = self.send(f"http://127.0.0.1:{relay.port}", token=relay.token, input=EVENT % 1 + "\n" + EVENT % 2 + "\n")
        self.assertEqual((done.returncode, done.stderr.count("spool")), (0, 0), done.stderr)
        self.assertRegex(done.stdout, "^accepted 2")
        self.assertEqual(self.waiting(), [])

    def test_an_event_whose_answer_was_cut_off_is_taken_once(self):
        relay = self.relay()
        with socket.create_server(("127.0.0.1", 0)) as between:
            between.settimeout(30)

            def pass_on_and_say_nothing():
                """Every request, until one was an event's: its answer is read and kept."""
                while True:
                    client, _ = between.accept()
                    with client, socket.create_connection(("127.0.0.1", relay.port), timeout=30) as server:
                        request = client.recv(65536)
                        while b"\r\n\r\n" not in request or (b"POST" in request and EVENT[-1:].encode() != request.strip()[-1:]):
                            request += client.recv(65536)
                        server.sendall(request)
                        self.assertIn(b"202", server.recv(65536))
                        return

            thread = threading.Thread(target=pass_on_and_say_nothing)
            thread.start()
            done = self.send(f"http://127.0.0.1:{between.getsockname()[1]}", token=relay.token, input=EVENT % 1 + "\n")
            thread.join()
        self.assertEqual(done.returncode, 0)
        self.assertIn("(files: 1)", done.stderr)
        self.wait_until_taken()
        totals = relay.status()["totals"]
        self.assertEqual((totals["events_accepted"], totals["events_duplicate"]), (1, 1))

    def test_what_is_no_event_is_not_kept(self):
        relay = self.relay()
        done = self.send(f"http://127.0.0.1:{relay.port}", token=relay.token, input='{"type": "t"}\n')
        self.assertEqual(done.returncode, 0)
        self.assertIn("422", done.stderr)
        self.assertEqual(self.waiting(), [])

    def test_a_spool_that_cannot_be_written_is_said(self):
        self.drop.write_text("no directory")
        nobody = f"http://127.0.0.1:{harness.free_port()}"
        done = self.send(nobody, input=EVENT % 1)
        self.assertEqual(done.returncode, 0)
        self.assertIn("the events are lost: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
