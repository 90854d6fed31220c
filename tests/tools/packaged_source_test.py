"""Sources from cargo's registry: whole or not at all, and every failure says what to do.

The registry is a stand-in: a program `cargo` that unpacks one small crate, or fails as the real one does.
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "packaged_source.py"
CHECKSUM = "ab" * 32
FILES = {"Cargo.toml": "[package]\n", "deps/code.c": "int main;\n"}


class PackagedSource(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="ringpost-packaged-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.cache = self.root / "cache"
        crates = self.root / "crates"
        crates.mkdir()
        (crates / "Cargo.toml").write_text('[package.metadata.instead]\nwanted = "take the system\'s"\n')
        (crates / "Cargo.lock").write_text(
            f'[[package]]\nname = "wanted"\nversion = "1.2.3"\nchecksum = "{CHECKSUM}"\n[[package]]\nname = "own"\nversion = "0.0.0"\n')
        self.place = self.cache / "ringpost" / f"wanted-1.2.3-{CHECKSUM[:16]}"
        self.bin = self.root / "bin"

    def install_cargo(self, vendor, version="1.96.0", folder=None):
        """A cargo whose `vendor INTO` runs these lines of Python."""
        folder = folder or self.bin
        folder.mkdir(exist_ok=True)
        program = folder / "cargo"
        program.write_text(f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
                           f"if sys.argv[1] == '--version': print('cargo {version} (x)'); sys.exit()\n"
                           "into = pathlib.Path(sys.argv[-1]) / 'wanted-1.2.3'\n"
                           f"open({str(self.root / 'calls')!r}, 'a').write('x')\n" + textwrap.dedent(vendor))
        program.chmod(0o755)

    def unpack(self, package=CHECKSUM, spoiled=False):
        listed = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in FILES.items()}
        return f"""
            for name, text in {FILES!r}.items():
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                (into / name).write_text(text + {'"?"' if spoiled else '""'})
            (into / '.cargo-checksum.json').write_text({json.dumps({"files": listed, "package": package})!r})
        """

    def start_tool(self, *arguments):
        environment = {"PATH": str(self.bin), "HOME": str(self.root), "XDG_CACHE_HOME": str(self.cache),
                       "RINGPOST_CRATES": str(self.root / "crates")}
        return subprocess.Popen([sys.executable, "-B", str(TOOL), *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def run_tool(self, *arguments):
        process = self.start_tool(*arguments)
        said, complaints = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complaints)

    def calls(self):
        return len((self.root / "calls").read_text()) if (self.root / "calls").exists() else 0

    def assert_refused(self, *words):
        done = self.run_tool("fetch", "wanted")
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in (*words, "Without it: take the system's"):
            self.assertIn(word, done.stderr)
        self.assertFalse(self.place.exists())
        self.assertEqual([path.name for path in self.place.parent.glob("scratch-*")], [])

    def test_fetches_once(self):
        self.install_cargo(self.unpack())
        self.assertEqual(self.run_tool("cached").returncode, 1)
        for _ in range(2):
            done = self.run_tool("fetch", "wanted")
            self.assertEqual(done.stdout.splitlines(), [str(self.place), "1.2.3"], done.stderr)
        self.assertEqual(self.calls(), 1)
        self.assertEqual((self.place / "deps/code.c").read_text(), FILES["deps/code.c"])
        self.assertEqual(self.run_tool("cached", "wanted").returncode, 0)

    def test_needs_no_cargo_for_what_is_there(self):
        self.install_cargo(self.unpack())
        self.run_tool("fetch", "wanted")
        (self.bin / "cargo").unlink()
        self.assertEqual(self.run_tool("fetch", "wanted").returncode, 0)

    def test_fetches_again_what_is_half_there(self):
        self.install_cargo(self.unpack())
        self.run_tool("fetch", "wanted")
        code = self.place / "deps/code.c"
        for spoil in (code.unlink, lambda: code.write_text("int m"), lambda: (self.place / ".cargo-checksum.json").write_text("{"),
                      lambda: (self.place / ".cargo-checksum.json").unlink()):
            spoil()
            self.assertEqual(self.run_tool("cached").returncode, 1)
            done = self.run_tool("fetch", "wanted")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("fetching it again", done.stderr)
            self.assertEqual(code.read_text(), FILES["deps/code.c"])

    def test_sweeps_up_after_one_that_was_killed(self):
        self.install_cargo(self.unpack())
        left = self.place.parent / "scratch-left"
        left.mkdir(parents=True)
        self.assertEqual(self.run_tool("fetch", "wanted").returncode, 0)
        self.assertFalse(left.exists())

    def test_two_at_once_wait_for_one_fetch(self):
        self.install_cargo(" " * 12 + "import time; time.sleep(0.5)" + self.unpack())
        running = [self.start_tool("fetch", "wanted") for _ in range(2)]
        for process in running:
            said, complaints = process.communicate(timeout=60)
            self.assertEqual(said.splitlines(), [str(self.place), "1.2.3"], complaints)
        self.assertEqual(self.calls(), 1)

    def test_one_that_is_killed_while_it_fetches_leaves_nothing_half(self):
        self.install_cargo("(into / 'deps').mkdir(parents=True); (into / 'deps/code.c').write_text('int m')\n"
                           f"open({str(self.root / 'cargo.pid')!r}, 'w').write(str(os.getpid()))\nimport time; time.sleep(60)")
        killed = self.start_tool("fetch", "wanted")
        while not (self.root / "cargo.pid").exists() or not (self.root / "cargo.pid").read_text():
            self.assertIsNone(killed.poll())
            time.sleep(0.01)
        killed.kill()
        killed.communicate(timeout=60)
        os.kill(int((self.root / "cargo.pid").read_text()), signal.SIGKILL)
        self.assertFalse(self.place.exists())
        self.install_cargo(self.unpack())
        self.assertEqual(self.run_tool("fetch", "wanted").returncode, 0)
        self.assertEqual((self.place / "deps/code.c").read_text(), FILES["deps/code.c"])
        self.assertEqual(list(self.place.parent.glob("scratch-*")), [])

    def test_refuses_another_package(self):
        self.install_cargo(self.unpack(package="cd" * 32))
        self.assert_refused("is not whole", "cd" * 32)

    def test_refuses_what_was_not_unpacked_whole(self):
        self.install_cargo(self.unpack(spoiled=True))
        self.assert_refused("is not whole", "has changed")

    def test_says_what_cargo_said_and_what_it_means(self):
        for said, meaning in (
                ("checksum for `wanted v1.2.3` changed between lock files", "does not have the checksum of the lock file"),
                ("failed to verify the checksum of `wanted v1.2.3`", "does not have the checksum of the lock file"),
                ("[6] Could not resolve host: index", "cannot be reached"),
                ("attempting to make an HTTP request, but --offline was specified", "cannot be reached"),
                ("no matching package named `wanted` found", "no longer has this version"),
                ("failed to select a version for the requirement `wanted`: version 1.2.3 is yanked", "no longer has this version")):
            with self.subTest(said):
                self.install_cargo(f"sys.exit({said!r})")
                self.assert_refused("the crate wanted 1.2.3", said, meaning)

    def test_asks_for_a_cargo_that_can(self):
        self.assert_refused("cargo 1.70 or newer is needed, and there is none", "cargo-web")
        self.install_cargo(self.unpack(), version="0.66.0")
        self.assert_refused("cargo 1.70 or newer is needed", "is 0.66")

    def test_takes_the_first_cargo_that_is_new_enough(self):
        self.install_cargo(self.unpack(), version="1.65.0")
        newer = self.root / "newer"
        self.install_cargo(self.unpack(), folder=newer)
        self.bin = f"{self.bin}:{newer}"
        self.assertEqual(self.run_tool("fetch", "wanted").returncode, 0)

    def test_names_a_crate_that_is_not_locked(self):
        done = self.run_tool("fetch", "other")
        self.assertEqual(done.returncode, 1)
        self.assertIn("locks no crate other; it has wanted", done.stderr)

    def test_says_that_the_cache_cannot_be_written(self):
        self.cache.write_text("a file")
        done = self.run_tool("fetch", "wanted")
        self.assertEqual(done.returncode, 1)
        self.assertIn("set XDG_CACHE_HOME", done.stderr)


if __name__ == "__main__":
    unittest.main()
