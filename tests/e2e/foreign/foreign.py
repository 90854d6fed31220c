"""Where the published programs are that these tests call, and how a test is skipped that lacks one.

tools/check installs them into the build directory (tools/packages.sh). A test names what it needs
first of all:

    def setUpModule():
        foreign.need(foreign.python("gunicorn"))
        foreign.need(foreign.program("node", at_least=20))
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # harness and description, when a test is run by hand.

import harness  # noqa: E402

PYTHON = harness.BUILD / "python" / "bin" / "python"
NPM = harness.BUILD / "npm" / "node_modules"
GO = harness.BUILD / "go"  # Programs that go.mod in go/ locks.
SKIPPED = 77  # Meson's word for it.


@dataclasses.dataclass
class Found:
    """A program that a test needs."""
    name: str
    path: pathlib.Path | None  # None: it is not there.
    remedy: str


def program(name, at_least=None):
    """A program of the machine: node, go, java, curl, … @param at_least  its first version number."""
    path = shutil.which(name)
    if path is not None and at_least is not None and version(path) < (at_least,):
        return Found(f"{name} {at_least} or later", None, f"this machine has {name} {version(path)}")
    return Found(name, path and pathlib.Path(path), "install it with the machine's package manager")


def version(path):
    """What a program answers to `--version`, or to `version`: numbers."""
    for word in ("--version", "version"):
        done = subprocess.run([path, word], capture_output=True, text=True, timeout=60)
        found = re.search(r"(\d+)\.(\d+)", done.stdout + done.stderr)
        if done.returncode == 0 and found:
            return tuple(map(int, found.groups()))
    return (0,)


def python(name):
    """A program that requirements.txt locks."""
    return installed(name, PYTHON.parent / name)


def npm(name):
    """A program that ../npm/package-lock.json locks."""
    return installed(name, NPM / ".bin" / name)


def npm_package(name):
    """A package that ../npm/package-lock.json locks."""
    return installed(name, NPM / name)


def go(name):
    """A program that go/go.mod locks."""
    return installed(name, GO / name)


def installed(name, path):
    return Found(name, path if path.exists() else None, "tools/check installs it")


def need(found):
    """@returns the program's path; the whole test is skipped, aloud, where it is missing."""
    if found.path is None:
        print(f"SKIPPED: {found.name} is missing; NOTHING of {pathlib.Path(sys.argv[0]).name} was "
              f"tested: {found.remedy}.", file=sys.stderr, flush=True)
        os._exit(SKIPPED)  # unittest would make an error of SystemExit.
    return found.path


def environment(**more):
    """This process's environment, and more."""
    return {**os.environ, **more}


def attempt(arguments, seconds=120, **options):
    """Runs a program to its end. @returns its exit code and output, as subprocess has them."""
    return subprocess.run([str(part) for part in arguments], capture_output=True, text=True,
                          timeout=seconds, **options)


def run(arguments, seconds=120, **options):
    """As attempt(); a failure shows what the program said. @returns its standard output."""
    done = attempt(arguments, seconds, **options)
    assert done.returncode == 0, (f"{arguments} ended with {done.returncode}:\n"
                                  f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    return done.stdout
