"""merge_openapi.py: what goes together, and what does not."""

import copy
import importlib.util
import pathlib
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).parents[2] / "src" / "control" / "api" / "merge_openapi.py"
spec = importlib.util.spec_from_file_location("merge_openapi", SCRIPT)
merge_openapi = importlib.util.module_from_spec(spec)
spec.loader.exec_module(merge_openapi)

NATIVE = {
    "openapi": "3.1.0", "info": {"title": "x", "version": "0"}, "security": [{"bearer": []}],
    "tags": [{"name": "Events"}],
    "paths": {"/v1/events": {"post": {"operationId": "send", "tags": ["Events"], "responses": {}}}},
    "components": {"securitySchemes": {"bearer": {}}, "schemas": {"Problem": {"type": "object"}}},
}


def fragment():
    return {
        "tags": [{"name": "Other"}],
        "paths": {"/v9/hooks": {"get": {
            "operationId": "other", "tags": ["Other"], "security": [{"bearer": []}],
            "responses": {"200": {"content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/OtherHook"}}}}}}}},
        "components": {"schemas": {"OtherHook": {"type": "object"}}},
    }


def put_together(*fragments):
    document = merge_openapi.merge(NATIVE, [(f"{index}.json", part)
                                            for index, part in enumerate(fragments)])
    merge_openapi.check(document)
    return document


class Merge(unittest.TestCase):

    def refuse(self, text, *fragments):
        with self.assertRaisesRegex(merge_openapi.Mistake, text):
            put_together(*fragments)

    def test_adds_a_fragment_and_leaves_the_native_part_alone(self):
        before = copy.deepcopy(NATIVE)
        document = put_together(fragment())
        self.assertEqual(NATIVE, before)
        self.assertEqual(list(document["paths"]), ["/v1/events", "/v9/hooks"])
        self.assertEqual([tag["name"] for tag in document["tags"]], ["Events", "Other"])
        self.assertEqual(set(document["components"]["schemas"]), {"Problem", "OtherHook"})

    def test_refuses_what_is_defined_twice(self):
        self.refuse("1.json: the path `/v9/hooks`", fragment(), fragment())
        same_tag = fragment()
        same_tag["tags"] = [{"name": "Events"}]
        self.refuse("the tag `Events`", same_tag)
        same_schema = fragment()
        same_schema["components"]["schemas"]["Problem"] = {}
        self.refuse("components/schemas `Problem`", same_schema)
        same_id = fragment()
        same_id["paths"]["/v9/hooks"]["get"]["operationId"] = "send"
        self.refuse("GET /v9/hooks and POST /v1/events have the same operationId", same_id)

    def test_refuses_what_leads_nowhere(self):
        lost = fragment()
        del lost["components"]
        self.refuse("`#/components/schemas/OtherHook` leads nowhere", lost)
        open_door = fragment()
        open_door["paths"]["/v9/hooks"]["get"]["security"] = [{"cookie": []}]
        self.refuse("the security scheme `cookie`", open_door)
        untold = fragment()
        untold["tags"] = []
        self.refuse("the tag `Other`, which nobody defines", untold)
        nameless = fragment()
        del nameless["paths"]["/v9/hooks"]["get"]["operationId"]
        self.refuse("GET /v9/hooks has no operationId", nameless)
        servers = fragment() | {"servers": []}
        self.refuse("no member `servers`", servers)

    def test_refuses_a_file_that_names_a_member_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "openapi.json"
            path.write_text('{"paths": {"/a": {}, "/a": {}}}')
            with self.assertRaisesRegex(merge_openapi.Mistake, "`/a` stands twice"):
                merge_openapi.read(path)
            path.write_text('{"paths": }')
            with self.assertRaisesRegex(merge_openapi.Mistake, ":1: not JSON"):
                merge_openapi.read(path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
