#!/usr/bin/env python3
"""Fetches the sources that tools/crates locks, once for all builds of this user.

    tools/packaged_source.py fetch NAME      prints the folder that holds the crate's files, and its version
    tools/packaged_source.py cached [NAME]   exit 0 if NAME (or all) are there already, 1 if not
    tools/packaged_source.py cargo           exit 0 if a cargo is here that can fetch them, else says what is wrong

The folder is <cache>/NAME-VERSION-CHECKSUM, where <cache> is $XDG_CACHE_HOME/ringpost or ~/.cache/ringpost. It is renamed
into place as a whole, and every file is compared with its checksum before each use.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

CRATES = pathlib.Path(os.environ.get("RINGPOST_CRATES", pathlib.Path(__file__).resolve().parent / "crates"))
CARGO_MIN = (1, 70)  # The first that reads the registry without a copy of its whole index.


class Refusal(Exception):
    """A reason for a person: what is wrong, where, how to mend it."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "ringpost"


def locked_crates():
    """Name to (version, checksum) of every crate that comes from the registry."""
    lock = tomllib.loads((CRATES / "Cargo.lock").read_text())
    return {package["name"]: (package["version"], package["checksum"]) for package in lock["package"] if "checksum" in package}


def what_instead(name):
    manifest = tomllib.loads((CRATES / "Cargo.toml").read_text())
    return manifest["package"]["metadata"]["instead"].get(name, "there is no other way")


def crate_folder(name):
    locked = locked_crates()
    if name not in locked:
        raise Refusal(f"{CRATES / 'Cargo.lock'} locks no crate {name}; it has {', '.join(sorted(locked))}")
    version, checksum = locked[name]
    return cache_folder() / f"{name}-{version}-{checksum[:16]}"


def fault_of(folder, checksum):
    """What is wrong with an unpacked crate, or None."""
    try:
        listed = json.loads((folder / ".cargo-checksum.json").read_text())
        if listed["package"] != checksum:
            return f"its checksum is {listed['package']}, the lock file wants {checksum}"
        for path, expected in listed["files"].items():
            if hashlib.sha256((folder / path).read_bytes()).hexdigest() != expected:
                return f"{path} has changed"
    except FileNotFoundError as error:
        return f"{os.path.relpath(error.filename, folder)} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return str(error)
    return None


def cargos():
    """Every cargo in PATH, first come first, with its version; (0, 0) for one that does not run."""
    for folder in os.get_exec_path():
        path = shutil.which("cargo", path=folder)
        if path is None:
            continue
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, cwd=CRATES).stdout
        except OSError:
            said = ""
        found = re.match(r"cargo (\d+)\.(\d+)", said)
        yield path, tuple(map(int, found.groups())) if found else (0, 0)


def require_cargo():
    """The first cargo in PATH that is new enough."""
    found = list(cargos())
    for path, version in found:
        if version >= CARGO_MIN:
            return path
    needed = ".".join(map(str, CARGO_MIN))
    old = "; ".join(f"{path} is {'.'.join(map(str, version))}" for path, version in found)
    raise Refusal(f"cargo {needed} or newer is needed, and {old or 'there is none'} "
                  "(Debian 12: apt-get install cargo-web; newer: apt-get install cargo)")


def explain(name, version, said):
    """Cargo's words about a failure, with what they mean for us."""
    words = said.lower()
    unreached = ("offline", "resolve host", "connect", "timed out", "timeout", "network", "spurious")
    if "checksum" in words:
        reason = "what the registry sends does not have the checksum of the lock file; do not use it before you know why"
    elif any(word in words for word in unreached):
        reason = "the first build needs the package registry, which cannot be reached; later builds do not need it"
    elif "yanked" in words or "failed to select a version" in words or "no matching package" in words:
        reason = (f"the registry no longer has this version. To use another one, write its number into {CRATES}/Cargo.toml and run "
                  "`cargo update` there, after a look at what changed in it")
    else:
        reason = "later builds will not need it, this first one does"
    indented = "\n".join("    " + line for line in said.strip().splitlines())
    return f"cargo could not fetch the crate {name} {version}: {reason}. Cargo said:\n{indented}"


def vendor(cargo, name, version, into):
    """Has cargo unpack all locked crates into a folder; the checksums are cargo's to verify."""
    command = [cargo, "vendor", "--locked", "--versioned-dirs", "--respect-source-config", str(into)]
    run = subprocess.run(command, cwd=CRATES, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        raise Refusal(explain(name, version, run.stderr))


@contextlib.contextmanager
def only_one(cache):
    """Builds that start at the same time wait for each other."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = open(cache / "lock", "a")
    except OSError as error:
        raise Refusal(f"no cache can be kept in {cache}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for abandoned in cache.glob("scratch-*"):  # Of one that was killed.
            shutil.rmtree(abandoned, ignore_errors=True)
        yield


def fetch(name):
    """The folder of a crate's files, fetched if it is not there, or not whole."""
    folder = crate_folder(name)
    version, checksum = locked_crates()[name]
    with only_one(folder.parent):
        if folder.exists():
            fault = fault_of(folder, checksum)
            if fault is None:
                return folder
            print(f"{folder}: {fault}; fetching it again", file=sys.stderr)
        cargo = require_cargo()
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="scratch-") as scratch:
            vendor(cargo, name, version, pathlib.Path(scratch) / "crates")
            fetched = pathlib.Path(scratch) / "crates" / f"{name}-{version}"
            fault = fault_of(fetched, checksum)
            if fault is not None:
                raise Refusal(f"cargo unpacked a crate {name} {version} that is not whole: {fault}")
            if folder.exists():
                folder.rename(pathlib.Path(scratch) / "broken")
            fetched.rename(folder)
    return folder


def is_cached(names):
    locked = locked_crates()
    return all(fault_of(crate_folder(name), locked[name][1]) is None for name in names)


def main(arguments):
    match arguments:
        case ["fetch", name]:
            try:
                print(fetch(name), locked_crates()[name][0], sep="\n")
            except Refusal as refusal:
                print(f"error: {refusal}\nWithout it: {what_instead(name)}", file=sys.stderr)
                return 1
        case ["cached", *names]:
            return 0 if is_cached(names or locked_crates()) else 1
        case ["cargo"]:
            require_cargo()
        case _:
            print(__doc__.strip(), file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        sys.exit(1)
