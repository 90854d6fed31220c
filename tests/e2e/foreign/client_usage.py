"""Manages a webhook with the client that openapi-python-client makes, for client_test.py.

    usage.py BASE_URL TOKEN RECEIVER
"""

import sys
import time

from relay_client import AuthenticatedClient
from relay_client.api.deliveries import list_deliveries
from relay_client.api.webhooks import (create_webhook, delete_webhook, list_webhooks, ping_webhook,
                                       show_webhook, update_webhook)
from relay_client.models import (DeliveryPage, DeliveryStatus, WebhookCreate, WebhookPage,
                                 WebhookPatch, WebhookWithSecret, Webhook)

base_url, token, receiver = sys.argv[1:]
client = AuthenticatedClient(base_url=base_url, token=token)

made = create_webhook.sync(client=client, body=WebhookCreate(url=receiver, events=["run.*"]))
assert isinstance(made, WebhookWithSecret), made
assert made.secret and made.rate_per_second is None, made
print("created")

page = list_webhooks.sync(client=client, limit=10)
assert isinstance(page, WebhookPage), page
assert [one.id for one in page.items] == [made.id] and page.next_cursor is None, page
print("listed")

changed = update_webhook.sync(made.id, client=client,
                              body=WebhookPatch(description="changed", rate_per_second=None))
assert isinstance(changed, Webhook), changed
assert changed.description == "changed" and changed.events == ["run.*"], changed
print("updated")

assert ping_webhook.sync_detailed(made.id, client=client).status_code == 202
print("pinged")



def newest():
    deliveries = list_deliveries.sync(made.id, client=client)
    assert isinstance(deliveries, DeliveryPage), deliveries
    return deliveries.items[0]


deadline = time.monotonic() + 60
while newest().status != DeliveryStatus.DELIVERED:
    assert time.monotonic() < deadline, newest()
    time.sleep(0.1)
assert newest().event.type_ == "ping", newest()
print("delivered")

assert delete_webhook.sync_detailed(made.id, client=client).status_code == 204
print("deleted")
assert show_webhook.sync_detailed(made.id, client=client).status_code == 404
print("gone")
