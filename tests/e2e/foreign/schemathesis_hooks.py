"""What schemathesis has to know of the relay beyond its description (schemathesis_test.py names this file to it)."""

import itertools
import json
import os
import urllib.request

import schemathesis

CALLS_OF_ONE_TOKEN = 40  # The vendors' APIs allow a token, and an organization, so many calls a minute.
LIMITED = ("/v0.1/", "/v2/")


def mint():
    """A token of a new organization, and the organization's name, again and again."""
    for number in itertools.count(1):
        organization = f"schemathesis-{number}"
        request = urllib.request.Request(
            os.environ["RELAY_URL"] + "/v1/tokens", method="POST",
            data=json.dumps({"name": "schemathesis", "organization": organization, "scopes": ["admin"]}).encode(),
            headers={"Authorization": f"Bearer {os.environ['RELAY_TOKEN']}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = json.load(answer)["token"]
        for _ in range(CALLS_OF_ONE_TOKEN):
            yield organization, text


TOKENS = mint()


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Where calls are counted: a caller's organization that has not used up its calls, named in the path, too."""
    if not case.path.startswith(LIMITED) or "Authorization" not in (case.headers or {}):
        return
    organization, token = next(TOKENS)
    case.headers["Authorization"] = case.headers["Authorization"].replace(os.environ["RELAY_TOKEN"], token)
    if "org_slug" in (case.path_parameters or {}):
        case.path_parameters["org_slug"] = organization
