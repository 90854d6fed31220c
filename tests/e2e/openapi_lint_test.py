"""Published linters find no fault with the OpenAPI document: @redocly/cli and Spectral, as tools/check installs
them. And it is spelled the way that generators of clients can read: src/control/README.md says how."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import description
import harness

REDOCLY = harness.BUILD / "npm" / "node_modules" / ".bin" / "redocly"
SPECTRAL = REDOCLY.parent / "spectral"
RULES = pathlib.Path(__file__).parent / "redocly.yaml"
SPECTRAL_RULES = pathlib.Path(__file__).parent / "spectral.yaml"
SCHEMAS = ("schema", "items", "additionalProperties", "not", "propertyNames")
LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf")
INT32_MAX = 2**31 - 1


class Lint(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if shutil.which("node") is None:
            print("SKIPPED: there is no node on this machine; NOBODY has linted openapi.json. "
                  "tools/check installs it.", file=sys.stderr)
            sys.exit(77)  # Meson's word for it.
        for tool in (REDOCLY, SPECTRAL):
            assert tool.exists(), f"{tool} is not there; tools/check puts it there"

    def lint(self, document):
        """@returns what the linter finds: lists of severity, rule and message."""
        environment = dict(os.environ, REDOCLY_TELEMETRY="off",
                           REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
        done = subprocess.run(
            [REDOCLY, "lint", "--config", RULES, "--format", "json", document],
            capture_output=True, text=True, env=environment, timeout=120)
        problems = json.loads(done.stdout)["problems"]
        return [(one["severity"], one["ruleId"], one["message"], one["location"][0].get("pointer"))
                for one in problems]

    def test_finds_nothing(self):
        self.assertEqual(self.lint(description.DOCUMENT), [])

    def test_spectral_finds_nothing(self):
        done = subprocess.run(
            [SPECTRAL, "lint", "--ruleset", SPECTRAL_RULES, "--fail-severity", "hint",
             description.DOCUMENT], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_would_find_one(self):
        broken = json.loads(description.DOCUMENT.read_text())
        broken["paths"]["/v1/webhooks"]["get"]["summary"] = 5
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "broken.json"
            path.write_text(json.dumps(broken))
            self.assertIn("error", [one[0] for one in self.lint(path)])


def schemas_in(part, place="#"):
    """Every schema of a part of the document, with its place. Examples hold none."""
    if isinstance(part, list):
        for index, entry in enumerate(part):
            yield from schemas_in(entry, f"{place}/{index}")
    if not isinstance(part, dict):
        return
    for name, inner in part.items():
        here = f"{place}/{name}"
        if name in ("example", "examples", "x-ringpost-event"):
            continue
        if name in SCHEMAS and place != "#/components":
            yield here, inner
        elif name in LISTS_OF_SCHEMAS:
            yield from ((f"{here}/{index}", schema) for index, schema in enumerate(inner))
        elif name == "properties" or here == "#/components/schemas":
            yield from ((f"{here}/{member}", schema) for member, schema in inner.items())
            yield from (found for member, schema in inner.items()
                        for found in schemas_in(schema, f"{here}/{member}"))
            continue
        yield from schemas_in(inner, here)


def faults(place, schema):
    """What is wrong with the spelling of one schema, though a validator would take it."""
    if isinstance(schema, bool):
        return [] if place.endswith("/additionalProperties") else ["is a boolean"]
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    real = [kind for kind in kinds if kind != "null"]
    found = []
    if kinds == ["null"] and "/anyOf/" not in place:
        found.append("is null alone")
    if len(real) > 1 or (set(real) & {"array", "object"} and "null" in kinds):
        found.append("has several kinds in `type`, not in `anyOf`")
    if real == ["array"] and "items" not in schema:
        found.append("is an array without `items`")
    if "const" in schema:
        found.append("has a `const`")
    if "enum" in schema and not real and not place.endswith("/propertyNames/not"):
        found.append("is an `enum` without a `type`")
    wide = schema.get("maximum", INT32_MAX + 1) > INT32_MAX and "format" not in schema
    if real == ["integer"] and wide and "enum" not in schema:
        found.append("is an integer that may need 64 bits and says no `format`")
    if {"type": "null"} in schema.get("oneOf", []):
        found.append("may be null by `oneOf`, not by `anyOf`")
    return found


class Spelling(unittest.TestCase):

    def test_is_one_that_generators_read(self):
        content = json.loads(description.DOCUMENT.read_text())
        schemas = list(schemas_in(content))
        self.assertGreater(len(schemas), 500)
        self.assertEqual([(place, fault) for place, schema in schemas
                          for fault in faults(place, schema)], [])

    def test_names_parameters_of_paths_by_identifiers(self):
        for path in json.loads(description.DOCUMENT.read_text())["paths"]:
            for name in re.findall(r"\{([^}]*)\}", path):
                self.assertTrue(name.isidentifier(), path)

    def test_documents_a_default_for_every_operation(self):
        for operation in description.Description(description.DOCUMENT.read_text()).operations:
            self.assertIn("default", operation.responses, operation)

    def test_finds_each_fault(self):
        for schema in (True, {"type": "null"}, {"type": ["object", "array"]},
                       {"type": ["array", "null"], "items": {}}, {"type": "array"}, {"const": 1},
                       {"enum": ["a"]}, {"type": "integer"},
                       {"type": "integer", "maximum": 2**53}, {"oneOf": [{}, {"type": "null"}]}):
            self.assertEqual(len(faults("#/x", schema)), 1, schema)


if __name__ == "__main__":
    unittest.main(verbosity=2)
