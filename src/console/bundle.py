#!/usr/bin/env python3
"""Makes the console's pages a C++ file: bundle.py OUTPUT WEB-FOLDER PACKAGES-FOLDER RUNBOOK, or bundle.py OUTPUT without the console.

esbuild puts the TypeScript and Preact into one script, and the style sheet into one file. Each gets a name with a checksum of its
content, the page gets links to these names, and all of it is stored twice, as it is and with gzip. Equal sources make equal bytes.
"""
import gzip
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".html": "text/html; charset=utf-8"}
LITERAL_BYTES = 4096  # Of one string literal; the compiler joins them.


def esbuild(packages):
    """The program itself: the package that npm chose for this machine has it."""
    found = list((packages / "node_modules" / "@esbuild").glob("*/bin/esbuild"))
    if len(found) != 1:
        sys.exit(f"error: {packages} has {len(found)} esbuild programs for this machine, and one is needed; remove that folder")
    return found[0]


def error_rows(runbook):
    """The runbook's table of error codes: code, what it means, what to do; without the marks of Markdown."""
    table = runbook.read_text().split("\n## What an attempt's error means\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \|(?: (.+?))? \|$", table)
    if len(rows) < 20:
        sys.exit(f"error: {runbook} has no table of what an attempt's error means that can be read")
    return [[code, means.replace("`", ""), todo.replace("`", "")] for code, means, todo in rows]


def bundle(web, packages, runbook, scratch):
    """Name to content of what the page loads: app.js, app.css."""
    rows = scratch / "runbook.json"
    rows.write_text(json.dumps(error_rows(runbook)))
    command = [esbuild(packages), web / "main.tsx", "--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8",
               "--legal-comments=none", "--jsx=automatic", "--jsx-import-source=preact", "--log-level=warning",
               f"--alias:runbook={rows}", f"--outfile={scratch / 'app.js'}"]
    done = subprocess.run(command, env={"NODE_PATH": str(packages / "node_modules"), "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit("error: esbuild could not bundle the console")
    files = {path.name: path.read_bytes() for path in scratch.iterdir() if path != rows}
    return files | {"icon.svg": (web / "icon.svg").read_bytes()}


def checksum(content):
    return hashlib.sha256(content).hexdigest()[:16]


def literal(content):
    """Bytes as C++ string literals. Three octal digits each, so that no digit behind them is taken for one more."""
    def byte(value):
        character = chr(value)
        return character if " " <= character <= "~" and character not in '"\\?' else f"\\{value:03o}"
    parts = [content[at:at + LITERAL_BYTES] for at in range(0, len(content), LITERAL_BYTES)]
    text = "\n     ".join('"' + "".join(map(byte, part)) + '"' for part in parts) or '""'
    return f"{{{text}, {len(content)}}}"


def entry(name, suffix, content):
    compressed = gzip.compress(content, 9, mtime=0)
    return (f'{{"{name}", "{TYPES[suffix]}",\n     {literal(content)},\n     {literal(compressed)},\n'
            f'     "W/\\"{checksum(content)}\\""}}')


def entries(web, packages, runbook):
    """The page's, and those of the assets."""
    page = (web / "index.html").read_text()
    assets = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in sorted(bundle(web, packages, runbook, pathlib.Path(scratch)).items()):
            path = pathlib.Path(name)
            hashed = f"{path.stem}.{checksum(content)}{path.suffix}"
            page = page.replace(f"assets/{name}", f"assets/{hashed}")
            assets.append(entry(hashed, path.suffix, content))
    return entry("", ".html", page.encode()), assets


def main(output, *sources):
    page, assets = entries(*map(pathlib.Path, sources)) if sources else ("{}", [])
    listed = "".join(f"    File{each},\n" for each in assets)
    pathlib.Path(output).write_text(
        '#include "console/site.h"\n\n#include <array>\n\n'
        '#pragma GCC diagnostic ignored "-Woverlength-strings"  // No compiler here has that limit.\n\n'
        'namespace ringpost::console {\nnamespace {\n\n'
        f"constexpr File the_page{page};\n\n"
        f"constexpr std::array<File, {len(assets)}> all_assets{{\n{listed}}};\n\n"
        "}  // namespace\n\n"
        "const File& page() {\n  return the_page;\n}\n\n"
        "std::span<const File> assets() {\n  return all_assets;\n}\n\n"
        "}  // namespace ringpost::console\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
