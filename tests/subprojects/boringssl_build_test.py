"""BoringSSL is built once for all builds, whole or not at all, and every failure says what to do.

cmake and ninja are stand-ins: ninja writes two small files where the libraries would be.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = pathlib.Path(__file__).resolve().parent.parent.parent / "subprojects/boringssl/build.py"
LIBRARIES = ("libssl.a", "libcrypto.a")


class BoringsslBuild(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="ringpost-boringssl-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.bin = self.root / "bin"
        self.bin.mkdir()
        self.source = self.root / "cache/ringpost/boring-sys-1.2.3-abababab"
        self.source.mkdir(parents=True)
        self.install("cc", "print(1)")
        self.install("cmake", "")
        self.install_ninja("")

    def install(self, name, lines):
        program = self.bin / name
        program.write_text(f"#!{sys.executable}\nimport os, pathlib, sys, time\n{lines}\n")
        program.chmod(0o755)

    def install_ninja(self, before):
        """One that runs these lines of Python after the first of the two libraries."""
        self.install("ninja", f"open({str(self.root / 'calls')!r}, 'a').write('x')\n"
                     "build = pathlib.Path(sys.argv[2])\nbuild.mkdir()\n"
                     f"(build / 'libssl.a').write_text('ssl')\n{before}\n(build / 'libcrypto.a').write_text('crypto')")

    def start(self, output="output"):
        (self.root / output).mkdir(exist_ok=True)
        environment = {"PATH": str(self.bin), "HOME": str(self.root), "XDG_CACHE_HOME": str(self.root / "cache")}
        return subprocess.Popen([sys.executable, "-B", str(BUILD), str(self.source), str(self.root / output), str(self.bin / "cc"),
                                 str(self.bin / "cc")], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process):
        said = process.communicate(timeout=60)[1]
        return process.returncode, said

    def built(self):
        """The folder in the cache."""
        place, = self.source.parent.glob(self.source.name + "-built-*")
        return place

    def assert_built(self, output="output", times=1):
        self.assertEqual([(self.root / output / library).read_text() for library in LIBRARIES], ["ssl", "crypto"])
        self.assertEqual(len((self.root / "calls").read_text()), times)
        self.assertEqual(list(self.source.parent.glob("scratch-*")), [])

    def test_builds_once_for_all(self):
        for output in ("one", "two"):
            self.assertEqual(self.finish(self.start(output)), (0, ""))
            self.assert_built(output)

    def test_another_compiler_gets_its_own(self):
        self.finish(self.start())
        self.install("cc", "print(2)")
        self.finish(self.start())
        self.assert_built(times=2)

    def test_two_at_once_wait_for_one_build(self):
        self.install_ninja("time.sleep(0.5)")
        running = [self.start(output) for output in ("one", "two")]
        for process, output in zip(running, ("one", "two")):
            self.assertEqual(self.finish(process), (0, ""))
            self.assert_built(output)

    def test_one_that_is_killed_while_it_compiles_leaves_nothing_half(self):
        self.install_ninja(f"open({str(self.root / 'compiler')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
        killed = self.start()
        while not (self.root / "compiler").exists() or not (self.root / "compiler").read_text():
            self.assertIsNone(killed.poll())
            time.sleep(0.01)
        killed.kill()
        self.finish(killed)
        os.kill(int((self.root / "compiler").read_text()), signal.SIGKILL)
        self.assertFalse((self.root / "output/libssl.a").exists())
        self.install_ninja("")
        self.assertEqual(self.finish(self.start()), (0, ""))
        self.assert_built(times=2)

    def test_what_is_damaged_is_built_again(self):
        self.finish(self.start())
        times = 1
        for spoil in (lambda: (self.built() / "libcrypto.a").write_text(""), lambda: (self.built() / "libssl.a").unlink(),
                      lambda: (self.built() / "checksums.json").write_text("{")):
            spoil()
            self.assertEqual(self.finish(self.start()), (0, ""))
            times += 1
            self.assert_built(times=times)

    def test_a_failure_says_why_and_what_to_do_without(self):
        for program, lines, words in (("ninja", "sys.exit(print('code.cc:7: error: no such thing') or 1)", "code.cc:7: error"),
                                      ("cmake", "sys.exit(print('CMake 3.22 or higher is required') or 1)", "3.22 or higher"),
                                      ("cmake", None, "cmake, which builds BoringSSL, cannot be started")):
            with self.subTest(words):
                (self.bin / program).unlink()
                if lines is not None:
                    self.install(program, lines)
                code, said = self.finish(self.start())
                self.assertEqual(code, 1)
                self.assertIn(words, said)
                self.assertIn("Without it: use the BoringSSL of your distribution", said)
                self.assertIn("-Dboringssl=system", said)
                self.assertEqual([path.name for path in self.source.parent.glob("*-built-*")], [])
            self.install("cmake", "")
            self.install_ninja("")


if __name__ == "__main__":
    unittest.main()
