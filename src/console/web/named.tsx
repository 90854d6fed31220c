// Webhooks that something else names by their ids.

import type { JSX } from "preact";
import { call, fewAtATime, path } from "./api";
import { useLoaded } from "./loading";
import { Link, to } from "./router";
import { useMay } from "./session";
import type { Webhook } from "./types";

export type Webhooks = Map<string, Webhook>;

export function nameOf(webhook: Webhook): string {
  return webhook.description || webhook.url;
}

/// Those that cannot be read are left out: their ids have to do.
async function read(ids: string[], signal: AbortSignal): Promise<Webhooks> {
  const found = await fewAtATime(ids, (id) => call<Webhook>("GET", path(["webhooks", id]), { signal }).catch(() => null));
  return new Map(found.filter((webhook) => webhook !== null).map((webhook) => [webhook.id, webhook]));
}

/// The webhooks of these ids, as far as they may be seen; null while they are read. @param stamp  read again when it changes.
export function useWebhooks(ids: (string | null)[], stamp: unknown = 0): Webhooks | null {
  const may = useMay();
  const wanted = may("webhooks:read") ? [...new Set(ids)].filter((id) => id !== null) : [];
  return useLoaded((signal) => read(wanted, signal), [wanted.join(), stamp]).value;
}

/// @param id  null: the webhook was deleted.
export function WebhookLink({ id, webhooks }: { id: string | null; webhooks: Webhooks | null }): JSX.Element {
  if (id === null) return <>was deleted</>;
  const webhook = webhooks?.get(id);
  return (
    <span class="break">
      <Link href={to("webhooks", id)}>{webhook ? nameOf(webhook) : id}</Link>
    </span>
  );
}
