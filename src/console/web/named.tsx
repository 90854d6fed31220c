// Webhooks that something else names by their ids.

import type { JSX } from "preact";
import { all, call, fewAtATime, path } from "./api";
import { useLoaded } from "./loading";
import { Choice, Text } from "./parts";
import type { FieldProps } from "./parts";
import { Link, to } from "./router";
import { useMay } from "./session";
import { isIncoming } from "./trouble";
import type { Webhook } from "./types";

export type Webhooks = Map<string, Webhook>;

export function nameOf(webhook: Webhook): string {
  return webhook.description || (isIncoming(webhook) ? `incoming hook of ${webhook.sources.join(", ")}` : webhook.url);
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

const choicesMost = 1000;

interface WebhookChoiceProps extends FieldProps {
  none: string; // The choice of no webhook, in words.
  value: string; // Its id; "": none.
  onChange: (id: string) => void;
  among?: (webhook: Webhook) => boolean; // Which of them can be chosen.
}

function nameInList(webhook: Webhook): string {
  const name = nameOf(webhook);
  return webhook.state === "active" ? name : `${name} (${webhook.state})`;
}

/// One of the newest webhooks, or any other by its id.
export function WebhookChoice({ none, value, onChange, among = () => true, ...field }: WebhookChoiceProps): JSX.Element {
  const may = useMay();
  const reads = may("webhooks:read");
  const { value: found } = useLoaded((signal) => (reads ? all<Webhook>(["webhooks"], choicesMost, {}, signal) : Promise.resolve({ items: [], more: true })), [reads]);
  const choices = (found?.items ?? []).filter(among);
  const unlisted = value !== "" && !choices.some(({ id }) => id === value);
  const options: [string, string][] = [["", none], ...(unlisted ? [[value, value] as [string, string]] : []), ...choices.map((each) => [each.id, nameInList(each)] as [string, string])];
  if (found?.more) return <Text {...field} label={`${field.label}'s id`} code value={value} onInput={onChange} hint={field.hint ?? `Empty: ${none}.`} />;
  return <Choice {...field} value={value} onChange={onChange} options={options} />;
}
