"""Reads the relay's OpenAPI document, and uses it the way a client would who knows nothing else.

`Description` is the document: operations, examples, schemas. `World` is an organization on a live
relay in which any operation can be called: what its path has to name is made first, by the
operations that the document says give it. src/control/README.md tells what a document has to hold.
"""

import dataclasses
import http.client
import itertools
import json
import re
import subprocess
import time
import urllib.parse
import uuid

import jsonschema

import harness

DOCUMENT = harness.BUILD / "src" / "control" / "openapi.json"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ORGANIZATION = "default"  # In the document's examples: the caller's.
RECEIVER = re.compile(r"https?://[a-z0-9.-]*example\.com(:\d+)?")
SECONDS = 30
PATIENCE = 4  # Calls of an operation that is limited, and the seconds to wait between two.


class Operation:

    def __init__(self, document, path, method, item):
        self.document = document
        self.path = path
        self.method = method.upper()
        self.content = item[method]
        self.id = self.content["operationId"]
        self.scope = self.content.get("x-ringpost-scope")
        self.second_scope = self.content.get("x-ringpost-second-scope", self.scope)
        self.operator = self.content.get("x-ringpost-operator", False)
        self.own = self.content.get("x-ringpost-own", False)
        declared = [document.follow(parameter) for parameter in
                    item.get("parameters", []) + self.content.get("parameters", [])]
        self.parameters = list({(one["in"], one["name"]): one for one in declared}.values())
        self.body = document.follow(self.content.get("requestBody"))
        self.responses = {status: document.follow(response)
                          for status, response in self.content["responses"].items()}

    def __repr__(self):
        return f"{self.method} {self.path}"

    def placed(self, *places):
        return [parameter for parameter in self.parameters if parameter["in"] in places]

    def names_organization(self):
        """Whether the path does: it is the caller's then, or there is nothing."""
        return any(parameter.get("example") == ORGANIZATION for parameter in self.placed("path"))

    def documents(self, status):
        return str(status) in self.responses

    def refusal(self, status):
        """The statuses that refuse: the one that all APIs have, or what this one says instead."""
        if self.documents(status):
            return {status}
        others = {other for other in (401, 403, 404) if self.documents(other)}
        assert others, f"{self} documents no refusal for {status}"
        return others

    def successes(self):
        if "x-ringpost-alone" in self.content:
            return {self.content["x-ringpost-alone"]}
        return {int(status) for status in self.responses if status[0] == "2"}

    @property
    def streams(self):
        """Whether its answer goes on until somebody ends it."""
        return any("text/event-stream" in response.get("content", {}) for response in self.responses.values())

    def examples(self):
        """Of the body: pairs of media type and value. Without any: one pair of nothing."""
        found = []
        for kind, media in (self.body or {}).get("content", {}).items():
            values = [self.document.follow(example)["value"]
                      for example in media.get("examples", {}).values()]
            values += [media["example"]] if "example" in media else []
            assert values, f"{self}: the body of {kind} has no example"
            found += [(kind, value) for value in values]
        if self.body is None or not self.body.get("required", False):
            found.append((None, None))
        return found

    def schema(self, kind):
        return self.body["content"][kind]["schema"]

    def authorization(self, token):
        """The header as the operation takes it: with or without the word Bearer."""
        schemes = self.document.content["components"]["securitySchemes"]
        wanted = self.content.get("security", self.document.content["security"])
        bare = any(schemes[name]["type"] == "apiKey" for one in wanted for name in one)
        return token if bare else f"Bearer {token}"


class Description:

    def __init__(self, text):
        self.content = json.loads(text)
        self.resolver = jsonschema.RefResolver.from_schema(self.content)
        self.operations = [Operation(self, path, method, item)
                           for path, item in self.content["paths"].items()
                           for method in METHODS if method in item]
        self.by_id = {operation.id: operation for operation in self.operations}

    def follow(self, part):
        while isinstance(part, dict) and "$ref" in part:
            part = self.resolver.resolve(part["$ref"])[1]
        return part

    def errors(self, schema, value):
        """What is wrong with a value, in words."""
        validator = jsonschema.Draft202012Validator(
            schema, resolver=self.resolver, format_checker=jsonschema.FormatChecker(["uuid"]))
        return [f"{list(error.absolute_path)}: {error.message[:300]}"
                for error in validator.iter_errors(value)]

    def properties(self, schema):
        """Of a schema and all that it is made of."""
        schema = self.follow(schema)
        if not isinstance(schema, dict):
            return {}
        found = dict(schema.get("properties", {}))
        for word in ("anyOf", "oneOf", "allOf"):
            for part in schema.get(word, []):
                found = self.properties(part) | found
        return found

    def giver(self, operation):
        """Which operation's answer has what this one's path names.

        @returns it, and for each parameter a function from an answer's body to the value; nothing
        if the path names nothing that is made.
        """
        for other in self.operations:
            for status, response in other.responses.items():
                for link in response.get("links", {}).values():
                    if link.get("operationId") == operation.id and status[0] == "2":
                        return other, {name: pointer(expression)
                                       for name, expression in link["parameters"].items()}
        return self.collection(operation)

    def collection(self, operation):
        """`/things/{id}/…` is made by POST /things, or found by GET /things."""
        for end in reversed(list(re.finditer(r"/\{([^}]+)\}", operation.path))):
            path, name = operation.path[:end.start()], end.group(1)
            for method in ("POST", "GET"):
                for other in self.operations:
                    if (other.method, other.path) == (method, path):
                        return other, {name: identity if method == "POST" else first_identity}
        return None


FORM = "application/x-www-form-urlencoded"


def written(kind, body):
    """A body as its media type has it."""
    if isinstance(body, str):
        return body
    return urllib.parse.urlencode(body) if kind == FORM else json.dumps(body)


def pointer(expression):
    """`$response.body#/items/0/id`, as a function."""
    steps = expression.removeprefix("$response.body#/").split("/")

    def find(body):
        for step in steps:
            try:
                body = body[int(step) if isinstance(body, list) else step]
            except (KeyError, IndexError):
                return None
        return body
    return find


def identity(body):
    """The id of an object, alone or in an envelope."""
    if not isinstance(body, dict):
        return None
    for name in ("id", "uuid", "slug"):
        if name in body:
            return body[name]
    return identity(body.get("data"))


def first_identity(body):
    """The id of the first item of a list, alone or in an envelope."""
    lists = [body] if isinstance(body, list) else [
        part for part in body.values() if isinstance(part, list)]
    return next((identity(part[0]) for part in lists if part), None)


def is_login(body):
    return isinstance(body, dict) and {"email", "password"} <= body.keys()


def is_refresh(body):
    """Of a login's token: its example stands for one that a login gives."""
    return isinstance(body, dict) and body.keys() == {"refresh_token"}


def is_link_code(body):
    """Of a sign-in link: its example stands for one that was just made."""
    return isinstance(body, dict) and body.keys() == {"code"}


def is_sign_in(body):
    """Of a user: its example stands for one that was just made."""
    return isinstance(body, dict) and body.keys() == {"name", "password"}


def is_user(body):
    return isinstance(body, dict) and {"name", "password", "scopes"} <= body.keys()


def is_throttled(body):
    """Whether a call with it can be made a few times alone."""
    return is_login(body) or is_refresh(body) or is_sign_in(body)


def configured_users(described):
    """The users whose passwords the document's examples give, as configuration."""
    users = ""
    for operation in described.operations:
        for _, body in operation.examples():
            if is_login(body):
                password = subprocess.run(
                    [harness.RINGPOST, "hash-password"], input=body["password"], text=True,
                    capture_output=True, check=True, timeout=60).stdout.strip()
                users += (f"[[user]]\nemail = {json.dumps(body['email'])}\n"
                          f"password = {json.dumps(password)}\n")
    return users


def serve(case):
    """Gives a test class the description, and a relay and receivers to hold it against."""
    case.described = Description(DOCUMENT.read_text())
    case.place = harness.Workplace()
    case.addClassCleanup(case.place.close)
    case.receivers = [case.place.sink(name="plain", plain=True).url, case.place.sink().url]
    config = case.place.path / "ringpost.toml"
    config.write_text(configured_users(case.described))
    case.relay = case.place.relay("--config", config, "--set", "server.shards=2")


@dataclasses.dataclass
class Values:
    """For the parameters of a path."""
    all: dict
    made: dict  # Those of `all` that name something that was made.


@dataclasses.dataclass
class Answer:
    status: int
    headers: object
    raw: bytes

    @property
    def text(self):
        return self.raw.decode(errors="replace")

    @property
    def body(self):
        if "json" not in self.headers.get("Content-Type", "json"):
            return self.text
        return json.loads(self.raw) if self.raw else None


def never_made(value):
    """Another id of the same form, of nothing."""
    if isinstance(value, int) or str(value).isdigit():
        return int(value) + 1_000_000_007
    return str(value)[:-6] + "000000"


def unused(body):
    """An example body with an id that nothing has, where it gives one."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("context"), dict):  # A document of CDEvents.
        return {**body, "context": unused(body["context"])}
    return {**body, "id": str(uuid.uuid4())} if "id" in body else body


def read_content(response):
    """The body; of a stream, which does not end, its first event."""
    if response.headers.get("Content-Type") != "text/event-stream":
        return response.read()
    content = b""
    while response.chunked and not content.endswith(b"\n\n"):
        line = response.readline()
        if not line:
            break
        content += line
    return content


class World:

    numbers = itertools.count(1)

    def __init__(self, relay, description, receivers):
        self.relay = relay
        self.description = description
        self.receivers = receivers  # Plain first.
        number = next(World.numbers)
        self.organization = f"world-{number}"
        self.address = f"127.1.{number // 250}.{number % 250 + 1}"  # Wrong tokens are counted by it.
        self.admin = self.token("admin")["token"]

    def token(self, *scopes, **members):
        """A token of this organization: its record and text."""
        status, _, made = self.relay.request("POST", "/v1/tokens", {
            "name": "test", "organization": self.organization, "scopes": list(scopes), **members})
        assert status == 201, made
        return made

    def fitted(self, operation, values, kind, example):
        """An example of a body, with a receiver that exists: over TLS where the schema wants it.
        Where it repeats the example of one of the path's parameters, it means what the path names.
        """
        if kind is None:
            return None
        if is_refresh(example):
            return {"refresh_token": self.log_in()["refresh_token"]}
        if is_link_code(example):
            return {"code": self.succeed(self.description.by_id["createSessionLink"]).body["code"]}
        if operation.id == "signIn":
            user = self.succeed(self.description.by_id["createUser"]).body
            return {**example, "name": user["sign_in_name"]}
        if is_user(example) and example["name"] in self.example_users():  # No two have one name.
            example = {**example, "name": f"user-{next(World.numbers)}"}
        names = {parameter["example"]: values.all[parameter["name"]]
                 for parameter in operation.placed("path") if "example" in parameter}
        body = None
        for receiver in self.receivers:
            body = self.replaced(example, names, receiver)
            if not self.description.errors(operation.schema(kind), body):
                break
        return body

    def example_users(self):
        return [body["name"] for _, body in self.description.by_id["createUser"].examples()]

    def replaced(self, value, names, receiver):
        if isinstance(value, str):
            return names.get(value) or RECEIVER.sub(receiver, value)
        if isinstance(value, list):
            return [self.replaced(part, names, receiver) for part in value]
        if isinstance(value, dict):
            return {name: self.replaced(part, names, receiver) for name, part in value.items()}
        return value

    def log_in(self):
        login = next(operation for operation in self.description.operations
                     if any(is_login(body) for _, body in operation.examples()))
        return self.succeed(login).body

    # --- calls

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=SECONDS,
                                          source_address=(self.address, 0))

    def call(self, operation, values=None, *, token=..., kind=None, body=None, raw=None, query=None,
             headers=None, connection=None, method=None):
        """One request. @param token  None: without; if not given, the administrator's where one is
        needed. @param method  another one than the operation's."""
        values = self.values(operation) if values is None else values
        path = re.sub(r"\{([^}]+)\}",
                      lambda name: urllib.parse.quote(str(values.all[name.group(1)]), safe=""),
                      operation.path)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        sent = dict(headers or {})
        if token is ...:
            token = None if operation.scope is None else (
                self.relay.token if operation.operator else self.admin)
        if token is not None:
            sent["Authorization"] = operation.authorization(token)
        if kind is not None:
            sent["Content-Type"] = kind
            text = raw if raw is not None else written(kind, body)
            raw = text.encode() if isinstance(text, str) else text
        for attempt in range(PATIENCE):
            answer = self.exchange(connection, method or operation.method, path, raw, sent)
            wait = int(answer.headers.get("Retry-After", 0))
            if answer.status != 429 or attempt + 1 == PATIENCE or wait > PATIENCE:
                return answer
            time.sleep(wait)

    def exchange(self, connection, method, path, body, headers):
        own = connection or self.connect()
        own.request(method, path, body=body, headers=headers)
        response = own.getresponse()
        content = read_content(response)
        answer = Answer(response.status, response.headers, content)
        if connection is None:
            own.close()
        return answer

    def call_checked(self, operation, values=None, **options):
        """As `call`; the answer must be as the document says."""
        answer = self.call(operation, values, **options)
        self.check(operation, answer)
        return answer

    def check(self, operation, answer):
        place = f"{operation} answered {answer.status} {answer.text[:2000]}"
        assert operation.documents(answer.status), f"{place}: a status that it does not document"
        response = operation.responses[str(answer.status)]
        content = response.get("content", {})
        if not content:
            assert not answer.raw, f"{place}: a body that it does not document"
        else:
            kind = answer.headers.get("Content-Type", "").split(";")[0]
            assert kind in content, f"{place}: of the type {kind}, which it does not document"
            wrong = self.description.errors(content[kind]["schema"], answer.body)
            assert not wrong, f"{place}: against its schema: {wrong}"
        for name in response.get("headers", {}):
            assert name in answer.headers, f"{place}: without the header {name}"

    def try_example(self, operation, values=None, example=..., **options):
        """@param example  of the body: media type and value; the first one if none is given."""
        values = self.values(operation) if values is None else values
        kind, body = operation.examples()[0] if example is ... else example
        return self.call_checked(operation, values, kind=kind,
                                 body=self.fitted(operation, values, kind, body), **options)

    def succeed(self, operation, values=None, **options):
        answer = self.try_example(operation, values, **options)
        assert answer.status in operation.successes(), (operation, answer.status, answer.text)
        return answer

    # --- what has to be there before

    def values(self, operation):
        """For the operation's path: fresh things, and the examples of what is not made."""
        names = [parameter["name"] for parameter in operation.placed("path")]
        values = Values({}, {})
        giver = self.description.giver(operation) if names else None
        if giver is not None:
            other, finders = giver
            before = self.values(other)
            found = self.obtain(other, before, finders)
            made = before.made | found
            values = Values({name: value for name, value in (before.all | found).items()
                             if name in names},
                            {name: value for name, value in made.items() if name in names})
        for parameter in operation.placed("path"):
            if parameter["name"] not in values.all:
                values.all[parameter["name"]] = self.example(operation, parameter)
        return values

    def example(self, operation, parameter):
        assert "example" in parameter, (
            f"{operation}: nothing gives its `{parameter['name']}`: the document needs a link from "
            "the answer that has it, or an example")
        own = parameter["example"]
        return self.organization if own == ORGANIZATION else own

    def obtain(self, other, values, finders):
        """Calls an operation for what is in its answer; a list until something is in it."""
        if other.method == "GET":
            self.send_events()
        deadline = time.monotonic() + SECONDS
        kind, example = other.examples()[0]
        while True:
            body = self.succeed(other, values, example=(kind, unused(example))).body
            found = {name: find(body) for name, find in finders.items()}
            if None not in found.values():
                return found
            assert other.method == "GET" and time.monotonic() < deadline, (
                f"{other} did not give {finders.keys()}: {body}")
            time.sleep(0.05)

    def send_events(self):
        """One of each kind that the document shows: its webhooks get something to deliver."""
        send = self.description.by_id["sendEvents"]
        events = [body for kind, body in send.examples() if kind == "application/json"]
        events += [operation.content["x-ringpost-event"] for operation in self.description.operations
                   if "x-ringpost-event" in operation.content]
        for event in events:
            self.succeed(send, example=("application/json", unused(event)))

    def query(self, operation, places=("query", "header")):
        """The optional parameters' examples, by place."""
        return [{parameter["name"]: self.example(operation, parameter)
                 for parameter in operation.placed(place) if "example" in parameter}
                for place in places]
