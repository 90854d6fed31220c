// Lists of deliveries, as several pages show them.

import type { ComponentChildren, JSX } from "preact";
import { milliseconds } from "./format";
import { WebhookLink } from "./named";
import type { Webhooks } from "./named";
import { StatusMark, Table, Time } from "./parts";
import { Link, to } from "./router";
import { holdUp } from "./trouble";
import type { Delivery, DeliveryItem, DeliverySummary, Webhook } from "./types";

/// What came of the last attempt, in a few words.
export function result({ last_attempt: last }: DeliveryItem): string {
  if (last === null) return "";
  if (last.error !== null) return last.error.detail;
  return last.response_status === null ? "" : `answered ${last.response_status}`;
}

/// A delivery as lists have it.
export function itemOf(delivery: Delivery): DeliveryItem {
  const last = delivery.attempts.at(-1);
  if (last === undefined) return { ...delivery, last_attempt: null };
  const { number, started_at, duration_ms, error, response } = last;
  return { ...delivery, last_attempt: { number, started_at, duration_ms, error, response_status: response?.status ?? null } };
}

function isItem(delivery: DeliverySummary): delivery is DeliveryItem {
  return "last_attempt" in delivery;
}

function Waits({ delivery, webhook }: { delivery: DeliverySummary; webhook: Webhook | undefined }): JSX.Element | null {
  if (delivery.status !== "pending") return null;
  const held = webhook === undefined ? "" : holdUp(webhook);
  return (
    <div class="quiet">
      {held !== "" && <>waits: {held} </>}
      {delivery.next_attempt_at && (
        <>
          next <Time at={delivery.next_attempt_at} />
        </>
      )}
    </div>
  );
}

interface Props {
  caption: string;
  deliveries: DeliverySummary[];
  /// Given where deliveries to several webhooks are shown: which, and why they wait. null: they are being read.
  webhooks?: Webhooks | null;
  /// One more column at the end.
  more?: { name: string; of: (delivery: DeliverySummary) => ComponentChildren };
}

export function Deliveries({ caption, deliveries, webhooks, more }: Props): JSX.Element {
  const several = webhooks !== undefined;
  const columns = ["Status", "Event", ...(several ? ["Webhook"] : []), "Source", "Accepted", "Attempts", "Last attempt", ...(more ? [more.name] : [])];
  return (
    <Table caption={caption} columns={columns}>
      {deliveries.map((delivery) => {
        const last = isItem(delivery) ? delivery.last_attempt : null;
        return (
          <tr key={delivery.id}>
            <td>
              <StatusMark status={delivery.status} failing={last?.error != null} />
            </td>
            <td class="wide">
              <Link href={to("deliveries", delivery.id)}>{delivery.event.type || "(event no longer stored)"}</Link>
              <div class="quiet break">{delivery.event.id}</div>
            </td>
            {several && (
              <td class="wide">
                <WebhookLink id={delivery.webhook} webhooks={webhooks} />
              </td>
            )}
            <td class="break">{delivery.event.source}</td>
            <td>
              <Time at={delivery.created_at} />
            </td>
            <td class="number">{delivery.attempt_count}</td>
            <td class="break">
              {isItem(delivery) && (
                <>
                  {result(delivery)} <span class="quiet">{last ? milliseconds(last.duration_ms) : ""}</span>
                </>
              )}
              <Waits delivery={delivery} webhook={webhooks?.get(delivery.webhook ?? "")} />
            </td>
            {more && <td>{more.of(delivery)}</td>}
          </tr>
        );
      })}
    </Table>
  );
}
