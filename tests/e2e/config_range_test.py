"""The ends of every range of the configuration: check-config and a start give one verdict.

Goal: no value that the check accepts ends a start, whatever component it reaches; and nothing outside of
a range is accepted. Method: the example names every key; an absurd value makes the check tell the
range; a relay is then started with all low ends, and one with all high ends.
"""

import re
import subprocess
import tomllib
import unittest

import harness

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MILLISECONDS = {"ms": 1, "s": 1000, "h": 3_600_000}
# The largest segments of as many shards would fill the disk of a test machine.
START = {"server.shards": ("1", "1")}


def check(place, *assignments):
    """The exit code of check-config and what it said."""
    file = place.path / "empty.toml"
    file.write_text("")
    sets = [part for one in assignments for part in ("--set", one)]
    done = subprocess.run([harness.RINGPOST, "check-config", file, *sets], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


def absurd(value):
    """A value of the same kind that is outside of every range; nothing for a kind without ranges."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or re.fullmatch(r"\d+[KMG]iB", str(value)):
        return "9000000000000000000"
    if re.fullmatch(r"\d+(ms|s|m|h|d)", str(value)):
        return '"999999999s"'
    return None


def outside(end, step):
    """The value next to an end of a range."""
    number, unit = re.fullmatch(r"(\d+)(\D*)", end).groups()
    if unit in MILLISECONDS:
        return f'"{int(number) * MILLISECONDS[unit] + step}ms"'
    return str(int(number) * UNITS.get(unit, 1) + step)


def written(end):
    return end if end.isdigit() else f'"{end}"'


class ConfigRange(unittest.TestCase):

    def setUp(self):
        self.place = harness.Workplace()
        self.addCleanup(self.place.close)

    def ranges(self):
        """Each key that has a range, with both ends as the check tells them."""
        example = subprocess.run([harness.RINGPOST, "check-config", "--example"], capture_output=True,
                                 text=True, check=True, timeout=60).stdout
        found = {}
        for section, members in tomllib.loads(example).items():
            for key, value in members.items() if isinstance(members, dict) else ():
                wrong = absurd(value)
                if wrong is None:
                    continue
                name = f"{section}.{key}"
                code, said = check(self.place, f"{name}={wrong}")
                ends = re.search(r"is outside (\S+) to (\S+)", said)
                self.assertEqual(code, 1, said)
                self.assertIsNotNone(ends, f"{name}: {said}")
                found[name] = ends.groups()
        return found

    def test_every_key_has_ends_and_a_relay_starts_at_them(self):
        ranges = self.ranges()
        self.assertGreater(len(ranges), 14)
        for name, (low, high) in ranges.items():
            for value in (outside(low, -1), outside(high, 1)):
                code, said = check(self.place, f"{name}={value}")
                self.assertEqual(code, 1, f"{name}={value}")
                if not value.startswith('"-') and not value.startswith("-"):
                    self.assertIn("is outside", said)
        for end in (0, 1):
            assignments = [f"{name}={written(START.get(name, ends)[end])}"
                           for name, ends in ranges.items()]
            with self.subTest(assignments):
                self.assertEqual(check(self.place, *assignments), (0, check(self.place)[1]))
                self.start_with(assignments)

    def start_with(self, assignments):
        sets = [part for one in assignments for part in ("--set", one)]
        relay = self.place.relay(*sets)
        status, answer = relay.send({"source": "app/one", "type": "build/finished", "data": {}})
        self.assertEqual(status, 202, answer)
        self.assertEqual(relay.stop(), 0)
        self.place.relay(*sets).stop()  # Again, on what it left.

    def test_sizes_between_pages_are_refused_with_the_next_ones(self):
        code, said = check(self.place, "journal.segment_bytes=5000001")
        self.assertEqual(code, 1)
        self.assertIn("4997120 and 5001216", said)
        for size in (4997120, 5001216):
            self.assertEqual(check(self.place, f"journal.segment_bytes={size}")[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
