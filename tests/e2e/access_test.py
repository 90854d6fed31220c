"""Who may do what (reliability A-1): every operation of the OpenAPI document, with every kind of token,
on its own things, another organization's and none.

What is expected follows from the document: `x-ringpost-scope`, and the refusals that an operation
documents.
"""

import socket
import time
import unittest

import description
import harness

SCOPES = ("events:write", "webhooks:read", "webhooks:write", "deliveries:read",
          "deliveries:redeliver", "metrics:read", "admin")
ELSEWHERE = ["elsewhere/*"]  # No example is about such a source.


class Caller:

    def __init__(self, name, text, scopes=(), foreign=False, narrow=False, operator=False):
        self.name = name
        self.text = text
        self.scopes = scopes
        self.foreign = foreign  # Of another organization.
        self.narrow = narrow    # Restricted to sources elsewhere.
        self.operator = operator  # Of the operators' organization.

    def may(self, operation):
        if operation.operator and not self.operator:
            return False
        return ({operation.scope, operation.second_scope} <= {"any", *self.scopes}) or "admin" in self.scopes


class Browser(unittest.TestCase):
    """What a page in a browser can make it send (reliability A-3)."""

    def setUp(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        self.relay = place.relay("--set", 'server.hosts=["relay.example.org"]')

    def ask(self, method, path, **headers):
        return self.relay.request(method, path, {"url": "https://example.com/"},
                                  {name.replace("_", "-"): value for name, value in
                                   headers.items()})

    def test_an_unknown_host_is_refused_in_the_words_of_the_api(self):
        for host in ("relay.example.org", "relay.example.org:8420", "localhost:1", "[::1]",
                     "127.0.0.1", socket.gethostname()):
            self.assertEqual(self.ask("GET", "/v1/webhooks", Host=host)[0], 200, host)
        for method, path, members in (
                ("GET", "/v1/webhooks", ["type", "title", "status", "detail", "member"]),
                ("GET", "/healthz", ["type", "title", "status", "detail", "member"]),
                ("POST", "/v1/events", ["type", "title", "status", "detail", "member"]),
                ("GET", "/v0.1/apps/a/outgoing-webhooks", ["message"]),
                ("GET", "/v2/organizations/default/services", ["message"]),
                ("GET", "/pipelines/1/hooks", ["message", "errors"])):
            status, _, answer = self.ask(method, path, Host="evil.example:8420")
            self.assertEqual((status, list(answer)), (421, members), path)
            said = answer.get("detail", answer.get("message"))
            self.assertIn("server.hosts", said)
            self.assertIn("evil.example", said)

    def test_another_sites_page_changes_nothing(self):
        own = f"http://127.0.0.1:{self.relay.port}"
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                        {"Sec_Fetch_Site": "cross-site"}):
            self.assertEqual(self.ask("POST", "/v1/webhooks", **headers)[0], 403, headers)
            self.assertEqual(self.ask("GET", "/v1/webhooks", **headers)[0], 200, headers)
        self.assertEqual(self.ask("GET", "/v1/webhooks")[2]["items"], [])
        self.assertEqual(self.ask("POST", "/v1/webhooks", Origin=own,
                                  Sec_Fetch_Site="same-origin")[0], 201)


# What a token that is restricted to sources may do, because it concerns these alone.
BOUNDED = {"POST /v1/replays"}


class Case:
    """One operation and two organizations: one whose things are asked for, and another."""

    def __init__(self, test, operation):
        self.operation = operation
        self.world = test.world()
        self.other = test.world()
        self.expired = self.world.token("admin", expires_in_s=1)["token"]

    def callers(self):
        """Those who are refused before those who change something."""
        world = self.world
        revoked = world.token("admin")
        assert world.relay.request("DELETE", f"/v1/tokens/{revoked['id']}")[0] == 204
        found = [Caller("nobody", None), Caller("garbage", "rp_" + "0" * 64),
                 Caller("expired", self.expired), Caller("revoked", revoked["token"]),
                 Caller("foreign", self.other.admin, ("admin",), foreign=True),
                 Caller("narrow", world.token("admin", sources=ELSEWHERE)["token"], ("admin",),
                        narrow=True)]
        if self.operation.scope is None:
            return found[:2] + [Caller("admin", world.admin, ("admin",))]
        found += [Caller(scope, world.token(scope)["token"], (scope,)) for scope in SCOPES]
        if self.operation.operator:
            for scope in SCOPES:
                token = world.token(scope, organization=description.ORGANIZATION)["token"]
                found.append(Caller(f"operator {scope}", token, (scope,), foreign=True,
                                    operator=True))
        return sorted(found, key=lambda caller: caller.may(self.operation))

    def targets(self):
        """Values for the path by whose they are; one kind where it names nothing that is made."""
        own = self.world.values(self.operation)
        if not own.made:
            return {"own": own}
        theirs = self.other.values(self.operation).made
        nothing = {name: description.never_made(value) for name, value in own.made.items()}
        return {"theirs": description.Values({**own.all, **theirs}, theirs),
                "nothing": description.Values({**own.all, **nothing}, nothing),
                "own": own}

    def expected(self, caller, whose, made):
        operation = self.operation
        if operation.scope is None:
            return operation.refusal(404) if whose == "nothing" else operation.successes()
        if not caller.scopes:
            return operation.refusal(401)
        if not caller.may(operation):
            return operation.refusal(403)
        if operation.scope == "any" and not made:  # It is about nobody but the caller.
            return operation.successes()
        if caller.foreign and operation.names_organization():
            return operation.refusal(404)
        if made and (caller.foreign or caller.narrow) and whose == "own":
            return operation.refusal(404)
        if made and whose == "theirs" and caller.foreign:
            return operation.successes()
        if made and whose != "own":
            return operation.refusal(404)
        if operation.own and "admin" not in caller.scopes:  # An administrator's token has made it.
            return operation.refusal(404)
        if caller.narrow and str(operation) in BOUNDED:
            return operation.successes()
        if caller.narrow and operation.method == "GET":
            return operation.successes() | operation.refusal(403)
        return operation.refusal(403) if caller.narrow else operation.successes()


class Access(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        description.serve(cls)
        cls.cases = [Case(cls, operation) for operation in cls.described.operations]
        time.sleep(1.1)  # The tokens that expire have.

    @classmethod
    def world(cls):
        return description.World(cls.relay, cls.described, cls.receivers)

    def test_every_operation_with_every_token_on_every_id(self):
        for case in self.cases:
            with self.subTest(operation=str(case.operation)):
                self.try_all(case)

    def try_all(self, case):
        operation = case.operation
        targets = case.targets()
        for caller in case.callers():
            refused = {}
            for whose, values in targets.items():
                expected = case.expected(caller, whose, values.made)
                goes_through = expected == operation.successes()
                if goes_through and values.made:
                    owner = case.other if whose == "theirs" else case.world
                    fresh = owner.values(operation)
                    values = description.Values({**values.all, **fresh.made}, fresh.made)
                before = None if goes_through else self.holdings(case.world)
                answer = self.ask(case, caller, values)
                what = (caller.name, whose, answer.status, answer.text[:500])
                self.assertIn(answer.status, expected, what)
                if before is not None:
                    self.assertEqual(self.holdings(case.world), before, what)
                if whose != "own" and not goes_through:
                    text = answer.text
                    for value in values.made.values():
                        text = text.replace(str(value), "")
                    refused[whose] = (answer.status, text)
                if caller.foreign or caller.narrow:
                    self.tells_nothing(case, caller, targets["own"], whose, answer)
            # What is another's cannot be told from what is not there.
            self.assertLessEqual(len(set(refused.values())), 1, (caller.name, refused))

    def ask(self, case, caller, values):
        return case.world.try_example(case.operation, values, token=caller.text)

    def tells_nothing(self, case, caller, own, whose, answer):
        """A stranger learns no id of ours that it did not name, and not whose things they are."""
        hidden = [str(value) for value in own.made.values()] if whose != "own" else []
        if caller.foreign and not case.operation.names_organization():
            hidden.append(case.world.organization)
        for text in hidden:
            self.assertNotIn(text, answer.text)

    def holdings(self, world):
        """What an organization has: no refusal changes it. What its receivers do may change."""
        webhooks, audit = (
            world.relay.request("GET", path, headers={"Authorization": f"Bearer {world.admin}"})[2]
            for path in ("/v1/webhooks?limit=200", "/v1/audit?limit=200"))
        for webhook in webhooks["items"]:
            del webhook["circuit"]
        return webhooks, audit

    def test_revocation_reaches_an_open_connection(self):
        for case in self.cases:
            if case.operation.scope is not None:
                with self.subTest(operation=str(case.operation)):
                    self.revoke(case)

    def revoke(self, case):
        operation, world = case.operation, self.world()
        values = world.values(operation)
        scope = "webhooks:read" if operation.scope == "any" else operation.scope
        if operation.second_scope != operation.scope or operation.own:
            scope = "admin"
        token = world.token(scope, **(
            {"organization": description.ORGANIZATION} if operation.operator else {}))
        connection = world.connect()
        options = {"token": token["token"], "connection": connection}
        self.assertIn(world.try_example(operation, values, **options).status,
                      operation.successes())
        if operation.streams:  # The connection is its until it ends.
            connection.close()
            options["connection"] = connection = world.connect()
        else:
            self.assertIsNotNone(connection.sock)
        status, _, problem = self.relay.request("DELETE", f"/v1/tokens/{token['id']}")
        self.assertEqual(status, 204, problem)
        answer = world.try_example(operation, values, **options)
        self.assertIn(answer.status, operation.refusal(401), answer.text)
        connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
