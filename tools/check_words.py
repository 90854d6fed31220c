#!/usr/bin/env python3
"""Looks for turns of phrase that strangers stumble over, in texts that they read.

Error texts, log lines, help, configuration, API descriptions and pages are written as an operator would say them aloud
(.github/CONTRIBUTING.md, "Words"). Each rule says what to write instead. Exit code 1 if anything is found.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# In texts of the program and in pages: pattern, and what to write instead.
EVERYWHERE = [
    (r"\bstands? (twice|more than once)\b", "appears more than once"),
    (r"\bgo(es)? by\b(?! (itself|default))", "uses, follows, is known as"),
    (r"\bwhat (is|are) no more\b", "was removed"),
    (r"\bcomes? to the same\b", "is the same"),
    (r"\bwhoever\b", "anyone who; name who it is"),
    (r"\b(is|are|be) told of\b", "is shown, is reported"),
    (r"\bso dear\b|\bis dear\b|\bdearer\b|\bto be dear\b", "expensive"),
    (r"\bwhose(soever)? it is\b", "who owns it"),
    (r"\bon the books\b", "recorded"),
]
# In texts of the program alone.
IN_PROGRAM = [
    (r"(?<!there )\bis no (?!longer|such|more\b|other\b)[a-z]+", "is not a …"),
    (r"(?<!there )\bis none\b(?! of)", "is not valid"),
    (r"\bis no JSON\b", "is not JSON"),
    (r"\bof (its|their|our) own\b", "its own …"),
    (r"\bso many\b", "name the number"),
    (r"\bfor people\b", "leave it out"),
    (r"\bstands? (there|here|beside|behind|together|by itself)\b", "is, appears"),
    (r"\b(is|are|be) told\b", "is shown, is reported"),
    (r"\btells (of|before|again)\b", "shows, reports"),
    (r"\bexcludes? each other\b", "give only one of"),
    (r"\bnames? a member twice\b", "name the member: is in the body twice"),
    (r"\bcome back in\b", "try again in"),
    (r"\bfollow(s|ed)? from the\b", "is derived from, is set by"),
]
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def literals(text):
    """String literals of C++, neighbours joined, each with the line where it begins."""
    begin, joined, last_end = 0, "", -1
    for found in LITERAL.finditer(re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), text)):
        if last_end >= 0 and text[last_end:found.start()].strip() == "":
            joined += found[1]
        else:
            yield begin, joined
            begin, joined = text.count("\n", 0, found.start()) + 1, found[1]
        last_end = found.end()
    yield begin, joined


def texts(name):
    """What of a file strangers read: pairs of line and text, and whether the program says it."""
    path = ROOT / name
    if path.suffix in (".cc", ".h"):
        return [(line, text, True) for line, text in literals(path.read_text()) if " " in text]
    if path.suffix == ".json":
        found = re.finditer(r'"(?:description|summary)": "((?:[^"\\]|\\.)*)"', path.read_text())
        whole = path.read_text()
        return [(whole.count("\n", 0, one.start()) + 1, one[1], True) for one in found]
    says = path.suffix in (".toml", ".txt")
    return [(number, line, says) for number, line in enumerate(path.read_text().splitlines(), 1)]


def read_by_strangers(name):
    if name.endswith((".cc", ".h")):
        return name.startswith(("src/", "tools/"))
    if name.endswith(".json"):
        return name.endswith("openapi.json")
    return name.endswith((".md", "guide.txt", "example.toml"))


def main():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    files = [name for name in names if read_by_strangers(name) and (ROOT / name).exists()]
    problems = 0
    for name in files:
        for line, text, program in texts(name):
            for pattern, instead in EVERYWHERE + (IN_PROGRAM if program else []):
                for found in re.finditer(pattern, text, re.IGNORECASE):
                    print(f'{name}:{line}: "{found[0]}"; write: {instead}')
                    problems += 1
    print(f"{len(files)} files, {problems} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
