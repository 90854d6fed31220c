#!/usr/bin/env python3
"""Puts the OpenAPI document together: the native part and one fragment of each dialect that has one.

    merge_openapi.py --version 1.2.3 --dialects src/dialect --output out.json --depfile out.d native.json

A fragment is src/dialect/<name>/openapi.json: tags, paths and components, in the words of OpenAPI 3.1.
It may refer to what the native part defines. A name that two of them define, a reference to nothing
and an unknown security scheme are errors: the build fails and says which.
"""

import argparse
import json
import pathlib
import sys

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FRAGMENT_MEMBERS = {"tags", "paths", "components"}


class Mistake(Exception):
    """What is wrong with the files, for whoever wrote them."""


def read(path):
    def once(pairs):
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise Mistake(f"{path}: `{name}` stands twice in one object")
        return dict(pairs)
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise Mistake(f"{path}:{error.lineno}: not JSON: {error.msg}") from error


def add(whole, part, path, what):
    for name, value in part.items():
        if name in whole:
            raise Mistake(f"{path}: {what} `{name}` is defined elsewhere already")
        whole[name] = value


def merge(native, fragments):
    """@param fragments  pairs of path and content. @returns the whole document."""
    document = dict(native)
    document["paths"] = dict(native["paths"])
    document["tags"] = list(native["tags"])
    document["components"] = {kind: dict(parts) for kind, parts in native["components"].items()}
    for path, fragment in fragments:
        if unknown := set(fragment) - FRAGMENT_MEMBERS:
            raise Mistake(f"{path}: a fragment has no member `{min(unknown)}`, only tags, paths and components")
        add(document["paths"], fragment.get("paths", {}), path, "the path")
        known = {tag["name"]: tag for tag in document["tags"]}
        add(known, {tag["name"]: tag for tag in fragment.get("tags", [])}, path, "the tag")
        document["tags"] = list(known.values())
        for kind, parts in fragment.get("components", {}).items():
            add(document["components"].setdefault(kind, {}), parts, path, f"components/{kind}")
    return document


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def check(document):
    check_operations(document)
    check_references(document, document)


def check_operations(document):
    tags = {tag["name"] for tag in document["tags"]}
    schemes = set(document["components"].get("securitySchemes", {}))
    ids = {}
    for place, operation in operations(document):
        name = operation.get("operationId")
        if not name:
            raise Mistake(f"{place} has no operationId")
        if name in ids:
            raise Mistake(f"{place} and {ids[name]} have the same operationId `{name}`")
        ids[name] = place
        for tag in operation.get("tags", []):
            if tag not in tags:
                raise Mistake(f"{place} has the tag `{tag}`, which nobody defines")
        for alternative in operation.get("security", document["security"]):
            for scheme in alternative:
                if scheme not in schemes:
                    raise Mistake(f"{place} has the security scheme `{scheme}`; known are " + ", ".join(sorted(schemes)))


def check_references(document, part):
    if isinstance(part, list):
        for value in part:
            check_references(document, value)
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name == "$ref" and isinstance(value, str):
            resolve(document, value)
        else:
            check_references(document, value)


def resolve(document, reference):
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if found is None:
            raise Mistake(f"the reference `{reference}` leads nowhere")


def main(arguments):
    parser = argparse.ArgumentParser()
    for name in ("version", "dialects", "output", "depfile"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("native")
    options = parser.parse_args(arguments)
    dialects = pathlib.Path(options.dialects).resolve()
    paths = sorted(dialects.glob("*/openapi.json"))
    try:
        document = merge(read(pathlib.Path(options.native)), [(path, read(path)) for path in paths])
        check(document)
    except Mistake as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 1
    document["info"] = {**document["info"], "version": options.version}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(options.output).write_text(text + "\n", encoding="utf-8")
    # The folders too: a fragment that is new, or gone, changes the time of its folder.
    folders = [dialects, *(path for path in sorted(dialects.iterdir()) if path.is_dir())]
    needed = " ".join(str(path).replace(" ", "\\ ") for path in [*paths, *folders])
    pathlib.Path(options.depfile).write_text(f"{options.output}: {needed}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
