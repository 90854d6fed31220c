"""Devopness' official Python SDK manages hooks of a real relay, logs in and refreshes its token.

The SDK checks every answer against the published schema, strictly: a member that is missing, null where it must not be, or of
another type is an error. It runs in the venv of requirements.txt.
"""

import json
import os
import subprocess
import sys
import unittest
import warnings

import foreign
import harness

if os.path.realpath(sys.prefix) != os.path.realpath(foreign.PYTHON.parent.parent):
    python = foreign.need(foreign.python("python"))
    os.execv(python, [str(python), "-B", *sys.argv])

import devopness  # noqa: E402
from devopness.core import DevopnessApiError  # noqa: E402
from devopness.models import HookPipelineCreate, HookUpdate  # noqa: E402

INCOMING = "incoming"
OUTGOING = "outgoing"


class Sdk(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)
        cls.place = harness.Workplace()
        cls.addClassCleanup(cls.place.close)
        printed = subprocess.run([harness.RINGPOST, "hash-password"], input="correct horse\n",
                                 capture_output=True, text=True, check=True, timeout=60).stdout
        config = cls.place.path / "relay.toml"
        config.write_text('[[user]]\nemail = "ada@example.org"\n'
                          f'password = "{printed.strip().split()[-1]}"\n')
        cls.sink = cls.place.sink(plain=True)
        cls.relay = cls.place.relay("--config", config)
        cls.base = f"http://127.0.0.1:{cls.relay.port}"

    def client(self, **settings):
        return devopness.DevopnessClient({"base_url": self.base, **settings})

    def setUp(self):
        self.sdk = self.client(api_token=self.relay.token)

    def test_makes_incoming_hooks_with_and_without_what_is_optional(self):
        small = self.sdk.hooks.add_pipeline_hook(INCOMING, 34, {"name": "a"}).data
        self.assertEqual(small.pipeline_id, 34)
        full = self.sdk.hooks.add_pipeline_hook(INCOMING, 34, HookPipelineCreate(
            name="b", active=True, requires_secret=True, secret_algorithm="sha256",
            secret_header_name="X-Signature",
            settings={"variables": [{"name": "ref", "path": "a.b", "type": "string",
                                     "required": False, "default_value": "main"}]},
            trigger_when={"conditions": [{"type": "request_body", "path": "sender.login",
                                          "accepted_values": ["ada"]}]})).data
        self.assertEqual(len(full.secret), 40)
        for hook in (small, full):
            shown = self.sdk.hooks.get_hook(hook.id, INCOMING).data
            self.assertEqual((shown.id, shown.secret), (hook.id, "*****"))
        listed = self.sdk.hooks.list_pipeline_hooks(34).data
        self.assertEqual({hook.id for hook in listed} >= {small.id, full.id}, True)

    def test_makes_an_outgoing_hook_and_reads_its_log(self):
        made = self.sdk.hooks.add_pipeline_hook(OUTGOING, 33, {
            "name": "note", "target_url": self.sink.url + "/{{ action.id }}",
            "settings": {"request_headers": [{"name": "X-Status", "value": "{{ action.status }}"}],
                         "request_body": {"id": "{{ action.id }}"}},
            "trigger_when": {"events": ["action.completed"]}}).data
        self.assertEqual(self.relay.send(json.dumps({
            "type": "action.completed", "source": "pipeline/33",
            "data": {"action": {"id": 5, "pipeline_id": 33, "status": "completed"}}}))[0], 202)
        self.sink.wait_for_count(1)
        self.relay.wait_until_settled()
        requests = self.sdk.hooks.list_hook_requests_by_hook_type(made.id, OUTGOING).data
        self.assertEqual([request.hook_id for request in requests], [made.id])
        request = self.sdk.hooks.get_hook_request(requests[0].id).data
        self.assertEqual(request.request_body, {"id": "5"})
        self.assertEqual(request.response_status_code, 200)

    def test_what_it_has_read_it_can_write_back(self):
        made = self.sdk.hooks.add_pipeline_hook(INCOMING, 35, {"name": "a"}).data
        before = self.sdk.hooks.get_hook(made.id, INCOMING).data
        self.sdk.hooks.update_hook(made.id, INCOMING, json.loads(before.to_json()))
        after = self.sdk.hooks.get_hook(made.id, INCOMING).data
        self.assertEqual({**before.to_dict(), "updated_at": ""},
                         {**after.to_dict(), "updated_at": ""})
        self.sdk.hooks.update_hook(made.id, INCOMING, HookUpdate(id=made.id, name="b"))
        self.assertEqual(self.sdk.hooks.get_hook(made.id, INCOMING).data.name, "b")
        self.sdk.hooks.delete_hook(made.id, INCOMING)
        with self.assertRaises(DevopnessApiError) as refused:
            self.sdk.hooks.get_hook(made.id, INCOMING)
        self.assertEqual(refused.exception.status_code, 404)

    def test_a_refusal_names_the_field(self):
        with self.assertRaises(DevopnessApiError) as refused:
            self.sdk.hooks.add_pipeline_hook(INCOMING, 33, {"name": ""})
        self.assertEqual(refused.exception.status_code, 422)
        self.assertEqual(list(refused.exception.errors), ["name"])

    def test_refreshes_its_token_and_logs_out(self):
        status, _, login = self.relay.request(
            "POST", "/users/login", {"email": "ada@example.org", "password": "correct horse"},
            {"Authorization": ""})
        self.assertEqual(status, 200, login)
        sdk = self.client(auto_refresh_token=True)
        fresh = sdk.users.refresh_token_user({"refresh_token": login["refresh_token"]}).data
        self.assertNotEqual(fresh.access_token, login["access_token"])
        sdk.hooks.list_pipeline_hooks(33)  # With the token that it has just been given.
        sdk.users.get_user_logout()
        with self.assertRaises(DevopnessApiError) as refused:
            sdk.hooks.list_pipeline_hooks(33)
        self.assertEqual(refused.exception.status_code, 401)
        with self.assertRaises(DevopnessApiError) as refused:
            sdk.users.refresh_token_user({"refresh_token": fresh.refresh_token})
        self.assertEqual(refused.exception.status_code, 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
