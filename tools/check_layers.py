#!/usr/bin/env python3
"""Checks the #include lines of src/ against the layers of src/ARCHITECTURE.md.

A folder includes from lower layers and from itself. Folders of one layer do not know each other.
Some libraries may be seen from one folder only. The table of ARCHITECTURE.md must name the same
layers as this file, so that neither drifts.
"""

import pathlib
import re
import sys

LAYERS = {
    "base": 0,
    "io": 1, "http": 1, "json": 1, "crypto": 1,
    "net": 2, "journal": 2, "replica": 2, "subscription": 2,
    "api": 3, "githost": 3, "index": 3, "incoming": 3, "console": 3,
    "dialect": 4,
    "ingest": 5, "delivery": 5, "control": 5,
    "shard": 6, "backup": 6,
    "server": 7, "cli": 7,
}
# server/main.cc puts the client commands into the one binary.
EXCEPTIONS = {("server/main.cc", "cli")}
# Library header: the folders that may see it.
ONLY_IN = {
    "liburing": {"io"},
    "llhttp": {"http"},
    "openssl/ssl": {"net"},
    "ares": {"net"},
    "sqlite3": {"control"},
    "toml++": {"server"},
    "spdlog": {"server"},
    "zlib": {"http"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


def library_of(header):
    for library in ONLY_IN:
        if header == library or header.startswith((library + ".", library + "/")):
            return library
    return None


def problems_of(path, source):
    name = path.relative_to(source).as_posix()
    folder = name.split("/")[0]
    if folder not in LAYERS:
        yield f"{name}: the folder {folder} has no layer; give it one here and in ARCHITECTURE.md"
        return
    for quote, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if quote == "<":
            library = library_of(header)
            if library and folder not in ONLY_IN[library]:
                yield f"{name}: <{header}> belongs to {', '.join(sorted(ONLY_IN[library]))} only"
            continue
        other = header.split("/")[0]
        if other in ("ringpost", folder) or (name, other) in EXCEPTIONS:
            continue
        if other not in LAYERS:
            yield f'{name}: "{header}" is no folder of src; include from the root of src'
        elif LAYERS[other] >= LAYERS[folder]:
            yield (f'{name}: "{header}" is on layer {LAYERS[other]}; '
                   f"{folder} is on {LAYERS[folder]} and sees lower layers only")


def documented_layers(text):
    return {folder: int(layer)
            for layer, folder in re.findall(r"^\| (\d) \| `(\w+)` \|", text, re.MULTILINE)}


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    source = root / "src"
    problems = []
    files = sorted(source.rglob("*.h")) + sorted(source.rglob("*.cc"))
    for path in files:
        problems += problems_of(path, source)
    documented = documented_layers((source / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    for folder in sorted(set(documented) ^ set(LAYERS)):
        problems.append(f"{folder}: named in only one of ARCHITECTURE.md and check_layers.py")
    for folder in sorted(set(documented) & set(LAYERS)):
        if documented[folder] != LAYERS[folder]:
            problems.append(f"{folder}: layer {documented[folder]} in ARCHITECTURE.md, "
                            f"{LAYERS[folder]} in check_layers.py")
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
