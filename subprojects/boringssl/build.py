#!/usr/bin/env python3
"""Builds BoringSSL's two libraries once for all build directories of this user, and copies them into one.

    build.py SOURCE OUTPUT-DIRECTORY C-COMPILER C++-COMPILER

What was built is kept beside the fetched sources (tools/packaged_source.py), under a name made of all that shapes it, and compared
with its checksums before each use. Static, with hidden symbols and without debug information; never with sanitizers: see
subprojects/README.md.
"""
import hashlib
import json
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import packaged_source  # noqa: E402

LIBRARIES = ["libssl.a", "libcrypto.a"]
FLAGS = "-O3 -DNDEBUG -g0 -fvisibility=hidden"
OPTIONS = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-DBUILD_SHARED_LIBS=OFF",
           "-DCMAKE_POSITION_INDEPENDENT_CODE=ON", f"-DCMAKE_C_FLAGS_RELEASE={FLAGS}", f"-DCMAKE_CXX_FLAGS_RELEASE={FLAGS}"]


def place_for(source, compilers):
    """Where the libraries are kept: another compiler, source or option means another place."""
    versions = [subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout for compiler in compilers]
    shape = "\n".join([source.name, platform.machine(), *compilers, *versions, *OPTIONS])
    return source.parent / f"{source.name}-built-{hashlib.sha256(shape.encode()).hexdigest()[:16]}"


def checksums_of(place):
    return {library: hashlib.sha256((place / library).read_bytes()).hexdigest() for library in LIBRARIES}


def is_whole(place):
    try:
        return json.loads((place / "checksums.json").read_text()) == checksums_of(place)
    except (OSError, ValueError):
        return False


def run(command, log):
    try:
        with open(log, "a") as out:
            status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    except OSError as error:
        raise packaged_source.Refusal(f"{command[0]}, which builds BoringSSL, cannot be started: {error.strerror} "
                                      "(Debian: apt-get install cmake ninja-build)")
    if status != 0:
        lines = pathlib.Path(log).read_text(errors="replace").splitlines()
        raise packaged_source.Refusal("BoringSSL could not be built; the end of what was said:\n" + "\n".join(lines[-40:]))


def build(source, place, compilers):
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="scratch-") as scratch:
        log = scratch + "/log"
        run(["cmake", "-S", source / "deps/boringssl", "-B", scratch + "/build", *OPTIONS,
             f"-DCMAKE_C_COMPILER={compilers[0]}", f"-DCMAKE_CXX_COMPILER={compilers[1]}"], log)
        run(["ninja", "-C", scratch + "/build", "ssl", "crypto"], log)
        whole = pathlib.Path(scratch) / "whole"
        whole.mkdir()
        for library in LIBRARIES:
            shutil.copy(f"{scratch}/build/{library}", whole)
        (whole / "checksums.json").write_text(json.dumps(checksums_of(whole)))
        whole.rename(place)


def main(source, output, *compilers):
    source, output = pathlib.Path(source), pathlib.Path(output)
    place = place_for(source, compilers)
    with packaged_source.only_one(place.parent):
        if not is_whole(place):
            shutil.rmtree(place, ignore_errors=True)
            build(source, place, compilers)
    for library in LIBRARIES:
        shutil.copy(place / library, output / library)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (packaged_source.Refusal, OSError) as error:
        print(f"error: {error}\nWithout it: {packaged_source.what_instead('boring-sys')}", file=sys.stderr)
        sys.exit(1)
