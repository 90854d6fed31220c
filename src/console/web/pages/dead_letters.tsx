import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { all, call, path } from "../api";
import { Deliveries } from "../deliveries";
import { count } from "../format";
import { useLoaded } from "../loading";
import { Button, Empty, Heading, Loading, Problem } from "../parts";
import { Link, to } from "../router";
import { useMay } from "../session";
import type { DeliveryItem, Page, Webhook } from "../types";

const webhooksAtOnce = 200;
const callsAtOnce = 6;
const shownOfEach = 20;

interface Dead {
  webhook: Webhook;
  items: DeliveryItem[];
  more: boolean;
}

async function deadOf(webhook: Webhook, signal: AbortSignal): Promise<Dead> {
  const page: Page<DeliveryItem> = await call("GET", path(["webhooks", webhook.id, "deliveries"], { status: "dead", limit: shownOfEach }), { signal });
  return { webhook, items: page.items, more: page.next_cursor !== null };
}

/// Asks for each webhook's, a few at a time.
async function findDead(most: number, signal: AbortSignal): Promise<{ found: Dead[]; looked: number; more: boolean }> {
  const { items: webhooks, more } = await all<Webhook>(["webhooks"], most, signal);
  const found: Dead[] = [];
  for (let at = 0; at < webhooks.length; at += callsAtOnce) {
    const some = await Promise.all(webhooks.slice(at, at + callsAtOnce).map((webhook) => deadOf(webhook, signal)));
    found.push(...some.filter((each) => each.items.length > 0));
  }
  return { found, looked: webhooks.length, more };
}

function OfWebhook({ webhook, items, more }: Dead): JSX.Element {
  const name = webhook.description || webhook.url;
  return (
    <section aria-label={name}>
      <h2>
        <Link href={to("webhooks", webhook.id)}>{name}</Link>
      </h2>
      <Deliveries caption={`Dead letters of ${name}`} deliveries={items} />
      {more && (
        <p>
          <Link href={`${to("webhooks", webhook.id)}?status=dead`}>All of this webhook</Link>
        </p>
      )}
    </section>
  );
}

function List(): JSX.Element {
  const [most, setMost] = useState(webhooksAtOnce);
  const { value, problem } = useLoaded((signal) => findDead(most, signal), [most]);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <>
      <Problem problem={problem} />
      {value.found.map((each) => (
        <OfWebhook key={each.webhook.id} {...each} />
      ))}
      {value.found.length === 0 && <Empty>No delivery of {value.more ? `the newest ${count(value.looked)} webhooks` : "any webhook"} was given up.</Empty>}
      {value.more && <Button onClick={() => setMost(most + webhooksAtOnce)}>Look at older webhooks, too</Button>}
    </>
  );
}

export function DeadLetters(): JSX.Element {
  const may = useMay();
  return (
    <>
      <Heading title="Dead letters" />
      <p class="quiet">Deliveries that were given up after their last attempt. Open one to see why, and to send it again.</p>
      {may("webhooks:read") ? <List /> : <Empty>This list needs a token with the scope webhooks:read, too.</Empty>}
    </>
  );
}
