"""GET /v1/openapi.json is what the server does: each operation, each answer, each refusal of input.

Everything here is taken from the document; a new operation is covered when it is in it.
"""

import json
import re
import time
import unittest

import description
import harness

MEGABYTE = 1 << 20
UNKNOWN = "Surprise-"  # No member of anything, and no name for an extension attribute.
ODD_VALUES = ("12345678901234567890123", "1e400", "-1e-400", "-0", '"\\ud800"',
              "[" * 100 + "1e400" + "]" * 100)


class OpenApi(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        description.serve(cls)

    def world(self):
        return description.World(self.relay, self.described, self.receivers)

    def for_each(self, test):
        for operation in self.described.operations:
            with self.subTest(operation=str(operation)):
                test(operation)

    def test_is_served_to_anybody_as_it_was_built(self):
        show = self.described.by_id["showOpenapi"]
        world = self.world()
        answer = world.call_checked(show, token=None)
        self.assertEqual(answer.body, self.described.content)
        again = world.call_checked(show, headers={"If-None-Match": answer.headers["ETag"]})
        self.assertEqual(again.status, 304)
        self.assertEqual(again.headers["ETag"], answer.headers["ETag"])

    def test_every_example_is_valid(self):
        self.for_each(self.check_examples)

    def check_examples(self, operation):
        for kind, body in operation.examples():
            if kind is not None:
                self.assertEqual(self.described.errors(operation.schema(kind), body), [])
        for parameter in operation.parameters:
            if "example" in parameter:
                self.assertEqual(
                    self.described.errors(parameter["schema"], parameter["example"]), [])

    def test_every_operation_does_what_it_says(self):
        self.for_each(self.drive)

    def drive(self, operation):
        world = self.world()
        for example in operation.examples():
            world.succeed(operation, example=example)
        query, headers = world.query(operation)
        if query or headers:
            world.succeed(operation, query=query, headers=headers)

    def test_head_is_get_without_a_body(self):
        self.for_each(self.compare_head)

    def compare_head(self, operation):
        if operation.method != "GET":
            return
        world = self.world()
        values = world.values(operation)
        for _ in range(50):  # What is shown may grow between the two.
            head = world.call(operation, values, method="HEAD")
            answer = world.call_checked(operation, values)
            if head.headers["Content-Length"] == answer.headers["Content-Length"]:  # None of a stream.
                break
            time.sleep(0.1)
        for name in ("Content-Length", "Content-Type"):
            self.assertEqual(head.headers[name], answer.headers[name], operation)
        self.assertEqual((head.status, head.raw), (answer.status, b""), operation)
        self.assertEqual(head.headers.keys(), answer.headers.keys(), operation)

    def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(self):
        taken = {}
        for operation in self.described.operations:
            taken.setdefault(operation.path, []).append(operation)
        for path, operations in taken.items():
            methods = {operation.method for operation in operations}
            methods |= {"HEAD"} if "GET" in methods else set()
            world = self.world()
            values = world.values(operations[0])
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
                answer = world.call(operations[0], values, method=method)
                self.assertEqual(answer.status, 405, (method, path, answer.text))
                self.assertEqual(set(answer.headers["Allow"].split(", ")), methods, (method, path))

    # --- bad input

    def test_a_body_that_is_no_object_is_refused(self):
        broken = [b"{", b'"x"', b"\xff", b'{"a":1}x', b"[" * 1000 + b"]" * 1000, b"\x00"]
        unfit = [b"[1]", b'{"url":1,"url":2}']
        for operation in self.described.operations:
            if "application/json" not in (operation.body or {}).get("content", {}):
                continue
            world = self.world()
            values = world.values(operation)
            free = not self.described.properties(operation.schema("application/json"))
            for raw in broken + (unfit if not free else []):
                answer = world.call_checked(operation, values, kind="application/json", raw=raw)
                self.assertIn(answer.status, (400, 422), (operation, raw, answer.text))
            answer = world.call_checked(operation, values, kind="text/plain", raw=b"hello")
            self.assertIn(answer.status, (400, 415), (operation, answer.text))

    def test_a_member_where_the_native_api_takes_none_is_refused_by_name(self):
        tried = 0
        for operation in self.described.operations:
            if operation.method != "POST" or operation.body is not None:
                continue
            if not operation.path.startswith("/v1/"):  # A dialect is as lenient as its model.
                continue
            world = self.world()
            values = world.values(operation)
            answer = world.call_checked(operation, values, kind="application/json", body={UNKNOWN: 1})
            self.assertEqual(answer.status, 422, (operation, answer.text))
            self.assertIn(UNKNOWN, answer.text)
            world.call_checked(operation, values, kind="application/json", body={})
            tried += 1
        self.assertGreaterEqual(tried, 3)

    def test_a_parameter_out_of_its_range_is_refused_by_name(self):
        self.for_each(self.try_parameters)

    def try_parameters(self, operation):
        world = self.world()
        values = world.values(operation)
        for parameter in operation.placed("query"):
            name, schema = parameter["name"], self.described.follow(parameter["schema"])
            for text in ("", "-1", "x" * 2000, "\u2603", "1e3", "\n"):
                answer = world.try_example(operation, values, query={name: text})
                self.assertLess(answer.status, 500, (name, text, answer.text))
                if {"enum", "pattern", "minimum"} & schema.keys():
                    self.assertGreaterEqual(answer.status, 400, (name, text))
                    # A control byte makes the whole query unreadable.
                    self.assertIn(name if text != "\n" else "query", answer.text)

    def test_a_body_beyond_a_megabyte_is_refused_by_its_head(self):
        for operation in self.described.operations:
            if operation.body is None:
                continue
            world = self.world()
            head = self.head(world, operation, world.values(operation), MEGABYTE + 1)
            answer = harness.raw_exchange(self.relay.port, head)
            self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), (operation, answer))
            self.assertIn("413", operation.responses, operation)
            kind = re.search(rb"\r\nContent-Type: ([^\r]+)", answer).group(1).decode()
            described = self.described.follow(operation.responses["413"])["content"]
            self.assertEqual([kind], list(described), (operation, answer))

    # --- what is JSON and what hardly a parser reads

    def test_what_no_parser_reads_matters_only_where_it_is_read(self):
        for operation in self.described.operations:
            for kind, body in operation.examples():
                if isinstance(body, dict) and kind != description.FORM and not description.is_throttled(body):
                    with self.subTest(operation=str(operation)):
                        self.try_odd_values(operation, kind, body)

    def try_odd_values(self, operation, kind, body):
        world = self.world()
        values = world.values(operation)
        good = world.fitted(operation, values, kind, body)
        free = not self.described.errors(operation.schema(kind), {**good, UNKNOWN: 1})
        for odd in ODD_VALUES:
            fresh = description.unused(good) if operation.id == "sendEvents" else good
            raw = json.dumps({**fresh, UNKNOWN: "@"}).replace('"@"', odd)
            answer = world.call_checked(operation, values, kind=kind, raw=raw)
            self.assertNotIn("not a JSON", answer.text)
            if not free:
                self.assertIn(UNKNOWN, answer.text)
            self.assertEqual(answer.status < 400, free, (odd, answer.text))

    def test_numbers_are_relayed_as_they_are_spelled(self):
        data = '{"a": 12345678901234567890123,"b":1e400,"c":-0 ,"d":0.10,"e":"\\ud800","f":1,"f":2}'
        webhook = self.relay.add_webhook(url=self.receivers[0], events=["odd"])
        self.assertEqual(self.relay.send('{"type":"odd","source":"s","data":%s}' % data)[0], 202)
        first = self.relay.wait_for_delivery(webhook, lambda one: one["status"] == "delivered")
        status, _, made = self.relay.request(
            "POST", f"/v1/deliveries/{first['id']}/redeliver", '{"data":%s}' % data)
        self.assertEqual(status, 202, made)
        second = self.relay.wait_for_delivery(
            webhook, lambda one: one["id"] == made["id"] and one["status"] == "delivered")
        for delivery in (first, second):
            self.assertEqual(delivery["attempts"][0]["request"]["body"], data)

    def test_a_template_keeps_its_numbers(self):
        template = '{"n":12345678901234567890123,"m":1e400}'
        status, _, made = self.relay.request(
            "POST", "/v1/webhooks", '{"url":"%s","dialect":"devopness","sources":["pipeline/7"],'
            '"settings":{"request_body":%s}}' % (self.receivers[0], template))
        self.assertEqual(status, 201, made)
        connection = self.relay.connect()
        connection.request("GET", f"/v1/webhooks/{made['id']}",
                           headers={"Authorization": f"Bearer {self.relay.token}"})
        self.assertIn(template, connection.getresponse().read().decode())
        connection.close()
        self.assertIn(template, self.relay.cli("webhook", "show", made["id"]).stdout)
        self.assertEqual(self.relay.cli("webhook", "list").returncode, 0)
        self.assertEqual(self.relay.request("PATCH", f"/v1/webhooks/{made['id']}",
                                            {"description": "x"})[0], 200)
        entry = self.relay.request("GET", "/v1/audit")[2]["items"][0]
        self.assertEqual(entry["members"], ["description"])

    # --- what HTTP itself refuses

    def test_what_http_refuses_is_answered_in_the_shape_of_the_api_that_was_asked(self):
        for operation in self.described.operations:
            target = self.target(operation, self.world().values(operation))
            for status, line, headers in (
                    (501, f"QUERY {target} HTTP/1.1", ""), (501, f"PROPFIND {target} HTTP/1.1", ""),
                    (405, f"TRACE {target} HTTP/1.1", ""), (501, f"get {target} HTTP/1.1", ""),
                    (501, f"POST {target} HTTP/1.1", "Transfer-Encoding: gzip\r\n"),
                    (505, f"{operation.method} {target} HTTP/2.0", ""),
                    (400, f"{operation.method} {target} HTTP/x", ""),
                    (400, f"{operation.method} {target}", ""),
                    (400, f"{operation.method} {target}%01 HTTP/1.1", ""),
                    (400, f"{operation.method} {target}\x01 HTTP/1.1", ""),
                    (400, f"{operation.method} {target}%zz HTTP/1.1", ""),
                    (400, f"{operation.method} {target}?{{\"}} HTTP/1.1", ""),
                    (414, f"{operation.method} {target}/{'x' * 20_000} HTTP/1.1", ""),
                    (400, f"{operation.method} {target} HTTP/1.1", "Bad Name: x\r\n"),
                    (400, f"{operation.method} {target} HTTP/1.1", "Host: b\r\n"),
                    (417, f"{operation.method} {target} HTTP/1.1", "Expect: more\r\n"),
                    (431, f"{operation.method} {target} HTTP/1.1", "X: y\r\n" * 500)):
                with self.subTest(operation=str(operation), line=line[:80], headers=headers[:20]):
                    self.check_refused(operation, status, f"{line}\r\nHost: localhost\r\n"
                                       f"Connection: close\r\n{headers}\r\n")

    def check_refused(self, operation, status, request):
        answer = harness.raw_exchange(self.relay.port, request.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), answer[:300])
        kind = re.search(rb"\r\nContent-Type: ([^\r]+)", head).group(1).decode()
        content = self.described.follow(operation.responses["default"])["content"]
        self.assertEqual([kind], list(content), answer)
        self.assertEqual(self.described.errors(content[kind]["schema"], json.loads(body)), [], body)

    def target(self, operation, values):
        path = operation.path
        for name, value in values.all.items():
            path = path.replace("{%s}" % name, str(value))
        return path

    def head(self, world, operation, values, size):
        path = self.target(operation, values)
        authorization = operation.authorization(world.admin)
        return (f"{operation.method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"Authorization: {authorization}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {size}\r\n\r\n").encode()


if __name__ == "__main__":
    unittest.main(verbosity=2)
