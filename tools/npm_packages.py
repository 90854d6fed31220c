#!/usr/bin/env python3
"""Fetches the npm packages that a folder's package-lock.json locks, once for all builds of this user.

    tools/npm_packages.py fetch FOLDER       prints the folder that holds node_modules
    tools/npm_packages.py cached FOLDER      exit 0 if they are there already, 1 if not

The folder is <cache>/npm-NAME-CHECKSUM, where <cache> is $XDG_CACHE_HOME/ringpost or ~/.cache/ringpost, and CHECKSUM that of the
lock file. npm compares each package with the checksum in the lock file, and runs no script of a package. The folder is renamed into
place as a whole, and every file is compared with its checksum before each use: then neither npm nor a network is needed.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from packaged_source import Refusal, cache_folder, only_one  # noqa: E402

CHECKSUMS = "checksums.json"


def place_of(folder):
    lock = (folder / "package-lock.json").read_bytes()
    return cache_folder() / f"npm-{json.loads(lock)['name']}-{hashlib.sha256(lock).hexdigest()[:16]}"


def checksums_of(place):
    """Of every file that was installed. The links in .bin lead to some of them."""
    files = sorted(path for path in (place / "node_modules").rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def is_whole(place):
    try:
        return json.loads((place / CHECKSUMS).read_text()) == checksums_of(place)
    except (OSError, ValueError):
        return False


def require_npm():
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Refusal("npm and node are needed, and they are not here (Debian: apt-get install nodejs npm)")
    return npm


def install(npm, folder, into):
    """Has npm unpack the locked packages; their checksums are npm's to verify."""
    into.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, into)
    command = [npm, "ci", "--prefix", str(into), "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--loglevel=error"]
    run = subprocess.run(command, cwd=into, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        indented = "\n".join("    " + line for line in (run.stderr or run.stdout).strip().splitlines()[:20])
        raise Refusal(f"npm could not install the packages that {folder}/package-lock.json locks. The first build needs the package "
                      f"registry; later builds do not need it. npm said:\n{indented}")


def fetch(folder):
    place = place_of(folder)
    with only_one(place.parent):
        if not is_whole(place):
            npm = require_npm()
            with tempfile.TemporaryDirectory(dir=place.parent, prefix="scratch-") as scratch:
                fresh = pathlib.Path(scratch) / "fresh"
                install(npm, folder, fresh)
                (fresh / CHECKSUMS).write_text(json.dumps(checksums_of(fresh)))
                shutil.rmtree(place, ignore_errors=True)
                fresh.rename(place)
    return place


def main(arguments):
    match arguments:
        case ["fetch", folder]:
            print(fetch(pathlib.Path(folder)))
        case ["cached", folder]:
            return 0 if is_whole(place_of(pathlib.Path(folder))) else 1
        case _:
            print(__doc__.strip(), file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refusal, OSError) as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        sys.exit(1)
