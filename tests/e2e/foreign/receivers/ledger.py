"""What the receivers written in Python share: a line of JSON in a file for every request that came whole."""

import base64
import json
import os


def note(identifier, timestamp, signature, body):
    line = json.dumps({"id": identifier, "timestamp": timestamp, "signature": signature,
                       "body": base64.b64encode(body).decode()})
    # One write of an appended line: workers of several processes do not mix theirs.
    with open(os.environ["LEDGER"], "ab", buffering=0) as file:
        file.write(line.encode() + b"\n")
