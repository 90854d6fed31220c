"""GET /v1/openapi.json and the readers of bodies agree, member by member.

Each body that the document shows is taken as a good one and changed in one place: a member at any depth gets null, the ends of
its limits and what lies beyond them, each word of its list and another, every other kind of value; it is left out; and an
unknown one is added. What the schema refuses is refused, by name; what it allows is taken, but for the rules that no schema can
say (RULES). Limits of texts are in bytes, so only texts in ASCII show their ends.
"""

import copy
import json
import unittest

import description
import harness

CALLS_OF_ONE_TOKEN = 25  # Some APIs allow a token, and an organization, so many calls a minute.
UNKNOWN = "Surprise-"  # No member of anything, and no name for an extension attribute.
HEADER = "X-Walk"  # Where a schema describes members without names.
KINDS = (None, True, -1, 0.5, 1 << 40, "", "\u0000", [], [[]], {}, {"a": {}})
LONG = "x" * 900_000


class Absent:

    def __repr__(self):
        return "absent"


ABSENT = Absent()


def changed(body, path, value):
    """The body with one member made another, or left out."""
    whole = copy.deepcopy(body)
    place = whole
    for step in path[:-1]:
        place = place[step]
    if value is not ABSENT:
        place[path[-1]] = value
    elif path[-1] in place:
        del place[path[-1]]
    return whole


class Walk:
    """Through the schema of a body: which members it has, and what to try as their values."""

    def __init__(self, described):
        self.described = described

    def parts(self, schema):
        """All that a schema is made of, none of which is made of others."""
        schema = self.described.follow(schema)
        inner = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, [])]
        plain = {name: value for name, value in schema.items()
                 if name not in ("anyOf", "oneOf", "allOf")}
        return [plain] + [one for part in inner for one in self.parts(part)]

    def members(self, schema, path=(), above=()):
        """Pairs of a path and the schema that stands there, an object's before its members'. A schema inside itself is not
        gone into again."""
        for part in self.parts(schema):
            names = tuple(part.get("properties", {}))
            if names and names in above:
                continue
            inside = above + (names,)
            for name, inner in part.get("properties", {}).items():
                yield path + (name,), inner
                yield from self.members(inner, path + (name,), inside)
            more = part.get("additionalProperties")
            if isinstance(more, dict) and path:
                yield path + (HEADER,), more
            if part.get("items"):
                yield path + (0,), part["items"]
                yield from self.members(part["items"], path + (0,), inside)

    def sample(self, schema):
        """A value that the schema allows."""
        for part in self.parts(schema):
            for value in self.samples(part):
                if not self.described.errors(schema, value):
                    return value
        return None

    def samples(self, part):
        yield from part.get("examples", [])
        yield from part.get("enum", [])
        yield {name: self.sample(inner) for name, inner in part.get("properties", {}).items()
               if name in part.get("required", [])}
        yield [self.sample(part["items"])] if "items" in part else []
        yield part.get("minimum", 1)
        yield from (True, "x", "x" * part.get("minLength", 1), "018f0c5e-7a61-7c3e-9d51-2b6f4a3c1d00",
                    "https://hooks.example.com/walk", "2031-05-04T09:08:07Z", "a/b")

    def edges(self, schema):
        """Values at the limits that a schema sets, and beyond them."""
        for part in self.parts(schema):
            if "minimum" in part:
                low, high = part["minimum"], part.get("maximum", part["minimum"])
                yield from (low - 1, low, float(low), low + 0.5, high, high + 1, 1e300)
            if "maxLength" in part:
                most = part["maxLength"]
                yield from ("x" * most, "x" * (most + 1), "é" * most, "é" * (most + 1))
            if "minLength" in part:
                yield from ("x" * part["minLength"], "x" * (part["minLength"] - 1))
            if "pattern" in part:
                yield from ("a b", "É", "-x", "X", "a/b", "\u0007")
            if "items" in part:
                item = self.sample(part["items"])
                yield from ([item], [item, None], [item] * part.get("maxItems", 2),
                            [item] * (part.get("maxItems", 1000) + 1))
            if "maxProperties" in part:
                yield {f"X-{number}": "y" for number in range(part["maxProperties"] + 1)}
                yield {f"X-{number}": "y" for number in range(part["maxProperties"])}
            yield from part.get("enum", [])
            if "enum" in part:
                yield "no-such-word"
        yield self.sample(schema)

    def changes(self, body, schema):
        """Bodies with one change, and the path of it."""
        places = {path: inner for path, inner in self.members(schema)}
        for path, inner in places.items():
            start = self.opened(body, path, schema)
            if start is None:
                continue
            long = [LONG] if len(path) == 1 else []
            for value in self.unlike([ABSENT, *KINDS, *long, *self.edges(inner)]):
                if not (value is ABSENT and isinstance(path[-1], int)):
                    yield path, value, changed(start, path, value)
        for path in [(UNKNOWN,)] + [path + (UNKNOWN,) for path in places]:
            start = self.opened(body, path, schema)
            if start is not None:
                yield path, 1, changed(start, path, 1)

    def opened(self, body, path, schema):
        """The body with room for a member: samples stand in for what the path goes through. None: there is no room."""
        for length in range(1, len(path)):
            if not self.holds(body, path[:length + 1]):
                room = self.holder(self.at(schema, path[:length]), path[length])
                if room is None:
                    return None
                body = changed(body, path[:length], room)
        return body if self.holds(body, path) else None

    def holds(self, body, path):
        """Whether there is an object for the path's last name, or an array with its last index."""
        for step in path[:-1]:
            try:
                body = body[step]
            except (KeyError, IndexError, TypeError):
                return False
        if isinstance(path[-1], int):
            return isinstance(body, list) and path[-1] < len(body)
        return isinstance(body, dict)

    def holder(self, schema, step):
        """A value that the schema allows, and that has room for a step."""
        for part in self.parts(schema):
            for value in self.samples(part):
                if self.holds(value, (step,)) and not self.described.errors(schema, value):
                    return value
        return None

    def at(self, schema, path):
        return next(inner for place, inner in self.members(schema) if place == path)

    @staticmethod
    def unlike(values):
        seen = set()
        for value in values:
            key = repr(value)
            if key not in seen:
                seen.add(key)
                yield value


# Members that have to be more than a schema can say, by a name on the path to them. What the schema refuses is refused for them, too.
RULES = {
    "url": "a URL that the egress policy allows", "target_url": "the same, as a template",
    "secret": "in the dialect's form", "ca": "certificates", "settings": "the dialect's, or templates",
    "organization": "the token's own", "time": "a day that there is", "expires_at": "in the future",
    "data_base64": "of bytes that are what datacontenttype says", "teams": "together at most 1,024 bytes",
    "conditions": "of names that the hook can see", "resource_type": "decides on the names of templates",
    "requires_secret": "with what is stored", "id": "read-only", "graphql_id": "read-only", "created_at": "read-only",
    "created_by": "read-only", "ringpost": "read-only", "enabled": "read-only in one API",
    "traceparent": "not all zeros", "datacontenttype": "may ask for JSON", "events": "that the dialect has",
    "sources": "that the dialect has", "dialect": "decides on other members",
    "host": "decides on other members", "pipeline": "of a trigger", "app": "of anything else", "context": "as CDEvents has it",
    "subject": "not empty in a CloudEvent", "overlap_s": "with a secret that is not the present one",
    "scope_uuids": "of the stored scope", "resource_id": "with the type of a resource", "scopes": "that the token has itself",
    "equals": "not together with `in`", "in": "not without a path", "path": "with what its value must be",
    "all": "alone", "any": "alone", "not": "alone", "prefix": "not without a path", "exists": "not without a path",
    "at_least": "a number of 64 bits, with a path", "at_most": "the same", "above": "the same", "below": "the same",
    "git": "a URL and a token, where none is stored; of no trigger",
    "response": "base64, and not together with `error`", "error": "not together with `response`",
    "since": "a time", "until": "a time", "status": "or `since`",
}


class Members(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        description.serve(cls)

    def test_document_and_reader_agree(self):
        faults = []
        for operation in self.described.operations:
            for kind, body in operation.examples():
                if isinstance(body, dict) and kind != description.FORM and not description.is_throttled(body):
                    self.walk(operation, kind, body, faults)
        self.assertEqual(faults, [], "\n".join(faults))

    def walk(self, operation, kind, example, faults):
        world = None
        for count, (path, value, body) in enumerate(Walk(self.described).changes(example, operation.schema(kind))):
            if count % CALLS_OF_ONE_TOKEN == 0:
                world = description.World(self.relay, self.described, self.receivers)
                values = world.values(operation)
            body = world.fitted(operation, values, kind, body)
            if operation.id == "sendEvents" and path != ("id",):
                body = description.unused(body)
            fault = self.fault(world, operation, values, kind, path, body)
            if fault:
                faults.append(f"{operation} {path} {str(value)[:60]!r}: {fault}")

    def fault(self, world, operation, values, kind, path, body):
        """What is wrong with the answer to a body; nothing if nothing is."""
        schema = operation.schema(kind)
        wrong = self.described.errors(schema, body)
        try:
            answer = world.call_checked(operation, values, kind=kind, body=body)
        except AssertionError as odd:
            return str(odd)
        if answer.status >= 500 or (wrong and answer.status < 400):
            return f"{answer.status} {answer.text[:300]}, though {wrong[:2]}"
        taken = answer.status < 400 or answer.status == operation.content.get("x-ringpost-alone")
        if not wrong and not taken and not self.has_rule(path, body):
            return f"{answer.status} {answer.text[:300]}, though it is as described"
        # Where there are several kinds of bodies, one of another kind's members may be named.
        names = [one for one in path if isinstance(one, str)]
        names += body if "anyOf" in self.described.follow(schema) else []
        if wrong and not any(name in answer.text for name in names):
            return f"{answer.status} {answer.text[:300]} names no member"
        return None

    def has_rule(self, path, body):
        return any(name in RULES for name in path) or not json.dumps(body, ensure_ascii=False).isascii()


if __name__ == "__main__":
    unittest.main(verbosity=2)
