"""A disk under the control store that takes as long as it likes: only changes wait for it.

Every sync of the store's files waits at a gate (disk_gate).
"""

import threading
import time
import unittest

import disk_gate
import harness

SYNCS = r"""
static int is_store(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "/control.db") != NULL;
}

static int sync_by(long call, int descriptor) {
  if (is_store(descriptor) && pass_gate() != 0) return -1;
  return syscall(call, descriptor);
}

int fsync(int descriptor) { return sync_by(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_by(SYS_fdatasync, descriptor); }
"""

EVENT = {"type": "t", "source": "s", "data": {}}


class SlowDisk(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)
        self.gate = self.place.path / "gate"
        self.waiting = self.place.path / "gate.waiting"
        self.gate.touch()
        self.sink = self.place.sink(plain=True)
        self.relay = self.start()
        self.url = self.sink.url + "/hook"

    def start(self):
        return self.place.relay(environment=disk_gate.environment(self.place.path, self.gate, SYNCS))

    def open_gate(self, text=""):
        staged = self.place.path / "gate.new"
        staged.write_text(text)
        staged.rename(self.gate)

    def close_gate(self):
        self.gate.unlink()

    def change(self, answers):
        """Creates a webhook in a thread."""
        def create():
            try:
                answers.append(self.relay.request("POST", "/v1/webhooks", {"url": self.url}))
            except (OSError, harness.http.client.HTTPException):
                pass  # The relay was killed.
        thread = threading.Thread(target=create)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def wait_for_a_sync(self):
        deadline = time.monotonic() + 30
        while not self.waiting.exists():
            self.assertLess(time.monotonic(), deadline, "no sync of the store came")
            time.sleep(0.01)

    def test_only_changes_wait(self):
        self.relay.add_webhook(url=self.url)
        self.close_gate()
        answers = []
        threads = [self.change(answers)]
        self.wait_for_a_sync()
        threads.append(self.change(answers))
        for path in ("/v1/webhooks", "/v1/audit", "/v1/tokens", "/v1/status"):
            self.assertEqual(self.relay.request("GET", path)[0], 200)
        self.assertEqual(self.relay.request("POST", "/v1/events", EVENT)[0], 202)
        self.sink.wait_for_count(1)
        self.assertEqual(answers, [])
        self.open_gate()
        for thread in threads:
            thread.join()
        self.assertEqual([answer[0] for answer in answers], [201, 201])
        self.assertEqual(self.relay.request("POST", "/v1/events", EVENT)[0], 202)
        self.sink.wait_for_count(1 + 3)  # Neither of them got the first.
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1 + 3)
        self.assertEqual(self.relay.stop(), 0)

    def test_a_failed_sync_stops_changes_alone(self):
        self.relay.add_webhook(url=self.url)
        self.open_gate("fail")
        for _ in range(2):
            status, headers, problem = self.relay.request("POST", "/v1/webhooks",
                                                          {"url": self.url})
            self.assertEqual(status, 503, problem)
        self.relay.wait_for("cannot be changed until the relay is restarted")
        self.assertEqual(self.relay.request("GET", "/v1/webhooks")[0], 200)
        storage = self.relay.request("GET", "/v1/status")[2]["storage"]
        self.assertEqual([storage["state"], storage["store_state"]], ["ok", "failed"])
        self.assertIn("the device failed", storage["store_detail"])
        shown = self.relay.cli("status").stdout
        self.assertIn("webhooks and tokens cannot be changed until a restart", shown)
        self.assertEqual(self.relay.request("POST", "/v1/events", EVENT)[0], 202)
        self.sink.wait_for_count(1)
        self.relay.wait_until_settled()
        self.assertEqual(len(self.sink.received()), 1)
        self.open_gate()
        self.assertEqual(self.relay.stop(), 0)
        self.relay = self.start()
        self.relay.add_webhook(url=self.url)

    def test_a_change_that_was_never_answered_may_be_lost(self):
        hook = self.relay.add_webhook(url=self.url)["id"]
        self.close_gate()
        answers = []
        thread = self.change(answers)
        self.wait_for_a_sync()
        self.relay.kill()
        thread.join()
        self.assertEqual(answers, [])
        self.open_gate()
        self.relay = self.start()
        items = self.relay.request("GET", "/v1/webhooks")[2]["items"]
        self.assertIn(hook, [item["id"] for item in items])
        self.relay.add_webhook(url=self.url)


if __name__ == "__main__":
    unittest.main(verbosity=2)
