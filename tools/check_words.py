#!/usr/bin/env python3
"""Looks for turns of phrase that strangers stumble over, in texts that they read.

Error texts, log lines, help, configuration, API descriptions, pages and comments of headers are written as an operator would say
them aloud (.github/CONTRIBUTING.md, "Words"). Each rule says what to write instead. Exit code 1 if anything is found.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Everywhere: pattern, and what to write instead.
EVERYWHERE = [
    (r"\bstands? (twice|more than once)\b", "appears more than once"),
    (r"\bgo(es)? by\b(?! (itself|default))", "uses, follows, is known as"),
    (r"\bwhat (is|are) no more\b", "was removed"),
    (r"\bcomes? to the same\b", "is the same"),
    (r"\b(did|does|do) not come to (it|that)\b", "did not happen"),
    (r"\b(is|are|be) told of\b", "is shown, is reported"),
    (r"\bso dear\b|\bis dear\b|\bdearer\b|\bto be dear\b|\bdear to\b", "expensive"),
    (r"\bwhose(soever)? it is\b", "who owns it"),
    (r"\bon the books\b|\b(goes|go|put|puts) on record\b", "recorded, stored"),
    (r"\bfor who\b", "for those who; name who it is"),
    (r"\bof before\b", "the previous, the old"),
    (r"\b(as it|as they) stands?\b", "unchanged, as in"),
    (r"\bwhat (it|they) stands? (on|for)\b", "what it uses, what it means"),
    (r"\bwhat stands\b", "the value, the text, what is"),
    (r"\bto the letter\b|\bby its (own )?word\b", "exactly, strictly"),
    (r"\bwaits? for a restart\b", "needs a restart, takes effect after one"),
    (r"\bmay bear\b|\bas long as .{1,30} bears\b", "may have, allows"),
    (r"\bgets? at nothing\b", "cannot reach anything"),
    (r"\ba word for people\b", "a description"),
    (r"\btime is over\b", "time is up"),
    (r"\b(is|are) drawn (anew|afresh)\b|\bwritten anew\b", "again, rewritten"),
]
# In texts of the program and in pages, not in comments.
IN_TEXTS = [
    (r"\bwhoever\b", "anyone who; name who it is"),
    (r"\b(minted|mints)\b", "generated"),
    (r"\bgoes without saying\b|\bspeaks? of a\b", "suggests, looks like"),
    (r"\bsays so aloud\b", "says so"),
    (r"\bin force (when|once|since|from)\b", "in effect"),
]
# In texts of the program alone.
IN_PROGRAM = [
    (r"(?<!there )\bis no (?!longer|such|more\b|other\b|JSON\b)[a-z]+", "is not a …"),
    (r"(?<!there )\bis none\b(?! of)", "is not valid"),
    (r"(?<!there )\bis no JSON\b", "is not JSON"),
    (r"\bof (its|their|our) own\b", "its own …"),
    (r"\bso many\b", "name the number"),
    (r"\bfor people\b", "leave it out"),
    (r"\bstands? (there|here|beside|behind|together|by itself)\b", "is, appears"),
    (r"\bbehind (it|the (end|comma|last|front))\b", "after"),
    (r"\b(is|are|be) told\b", "is shown, is reported"),
    (r"\bexcludes? each other\b", "give only one of"),
    (r"\bnames? a member twice\b", "name the member: is in the body twice"),
    (r"\bcome back in\b", "try again in"),
    (r"\bfollow(s|ed)? from the\b", "is derived from, is set by"),
    (r"\btells (of|before|again|when|how)\b", "shows, reports"),
    (r"\bis taken for\b", "is treated as"),
    (r"\bonly one understood\b|\bonly [a-zA-Z-]+ understood\b", "supported"),
    (r"\bthat cannot be used\b", "invalid"),
    (r"\bcame as\b(?! `)", "has the type"),
    (r"\bis good when\b", "is valid once"),
    (r"\bleft (alone|as it (is|was))\b", "ignored, not changed"),
    (r"\btoo, as\b", "also because"),
]
COMMENT = re.compile(r"//[/!]?<?(.*)")
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
    """What of a file strangers read: line, text, and the rules for it."""
    path = ROOT / name
    whole = path.read_text()
    if path.suffix in (".cc", ".h"):
        for line, text in literals(whole):
            if " " in text:
                yield line, text, IN_TEXTS + IN_PROGRAM
        for number, line in enumerate(whole.splitlines() if path.suffix == ".h" else [], 1):
            if comment := COMMENT.search(line):
                yield number, comment[1], []
    elif path.suffix == ".json":
        for one in re.finditer(r'"(?:description|summary)": "((?:[^"\\]|\\.)*)"', whole):
            yield whole.count("\n", 0, one.start()) + 1, one[1], IN_TEXTS + IN_PROGRAM
    else:
        rules = IN_TEXTS + (IN_PROGRAM if path.suffix in (".toml", ".txt") else [])
        for number, line in enumerate(whole.splitlines(), 1):
            yield number, line, rules


def read_by_strangers(name):
    if name.endswith((".cc", ".h")):
        return name.startswith(("src/", "tools/", "include/"))
    if name.endswith(".json"):
        return name.endswith("openapi.json")
    return name.endswith((".md", "guide.txt", "example.toml"))


def main():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    files = [name for name in names if read_by_strangers(name) and (ROOT / name).exists()]
    problems = 0
    for name in files:
        for line, text, rules in texts(name):
            for pattern, instead in EVERYWHERE + rules:
                for found in re.finditer(pattern, text, re.IGNORECASE):
                    print(f'{name}:{line}: "{found[0]}"; write: {instead}')
                    problems += 1
    print(f"{len(files)} files, {problems} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
