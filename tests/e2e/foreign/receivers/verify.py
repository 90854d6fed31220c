"""Verifies each line of a ledger with the published library: verify.py LEDGER SECRET

Prints how many verified, and how many of them verified with one bit of the body flipped.
"""

import base64
import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def verifies(webhook, line, body):
    headers = {"webhook-id": line["id"], "webhook-timestamp": line["timestamp"],
               "webhook-signature": line["signature"]}
    try:
        webhook.verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


path, secret = sys.argv[1:]
webhook = Webhook(secret)
good = forged = 0
for text in open(path):
    line = json.loads(text)
    body = base64.b64decode(line["body"])
    good += verifies(webhook, line, body)
    forged += verifies(webhook, line, body.replace(b'"number"', b'"numbes"'))
print(good, forged)
