#!/usr/bin/env python3
"""Checks that each header of src/ and include/ compiles alone: it includes all that it uses.

A header that is the first include of some source shows it there. The others are compiled here, with
the options of a source of the same folder (or of any). The argument is the build directory.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
NAMES_A_FILE = {"-o", "-c", "-MF", "-MQ"}
ONLY_FOR_OBJECTS = {"-MD", "-O3", "-O2", "-g"}


def headers():
    for folder in ("include", "src"):
        for header in sorted((ROOT / folder).rglob("*.h")):
            yield header, header.relative_to(ROOT / folder).as_posix()


def shown_by_sources():
    """The headers that are the first include of a source."""
    shown = set()
    for folder in ("src", "tests", "tools", "bench"):
        for source in (ROOT / folder).rglob("*.cc"):
            first = INCLUDE.search(source.read_text())
            if first:
                shown.add(first.group(1))
    return shown


def options_by_folder(build):
    """How sources are compiled, without what is about their own files."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if not source.is_relative_to(ROOT / "src") or source.suffix != ".cc":
            continue
        words, options = shlex.split(entry["command"]), []
        while words:
            word = words.pop(0)
            if word in NAMES_A_FILE:
                words.pop(0)
            elif word not in ONLY_FOR_OBJECTS:
                options.append(word)
        found.setdefault(source.parent, options)
    return found


def compile_alone(header, options, build):
    done = subprocess.run([*options, "-fsyntax-only", "-x", "c++", "-include", str(header), "/dev/null"],
                          cwd=build, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    folders = options_by_folder(build)
    shown = shown_by_sources()
    waiting = [(path, name) for path, name in headers() if name not in shown]
    any_options = next(iter(folders.values()))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(compile_alone, path, folders.get(path.parent, any_options), build)
                for path, name in waiting}
        for name, job in jobs.items():
            code, errors = job.result()
            if code:
                failed += 1
                print(f"{name} does not compile alone:\n{errors}")
    print(f"{len(jobs)} headers compiled alone, {failed} problems; {len(shown)} are the first include of a source")
    return 1 if failed or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
