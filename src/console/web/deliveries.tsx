// Lists of deliveries, as several pages show them.

import type { ComponentChildren, JSX } from "preact";
import { milliseconds } from "./format";
import { StatusMark, Table, Time } from "./parts";
import { Link, to } from "./router";
import type { DeliveryItem, DeliverySummary } from "./types";

/// What came of the last attempt, in a few words.
export function result({ last_attempt: last }: DeliveryItem): string {
  if (last === null) return "";
  if (last.error !== null) return last.error.detail;
  return last.response_status === null ? "" : `answered ${last.response_status}`;
}

function isItem(delivery: DeliverySummary): delivery is DeliveryItem {
  return "last_attempt" in delivery;
}

interface Props {
  caption: string;
  deliveries: DeliverySummary[];
  /// One more column at the end.
  more?: { name: string; of: (delivery: DeliverySummary) => ComponentChildren };
}

export function Deliveries({ caption, deliveries, more }: Props): JSX.Element {
  const columns = ["Status", "Event", "Source", "Accepted", "Attempts", "Last attempt", ...(more ? [more.name] : [])];
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
              {delivery.status === "pending" && delivery.next_attempt_at && (
                <div class="quiet">
                  next <Time at={delivery.next_attempt_at} />
                </div>
              )}
            </td>
            {more && <td>{more.of(delivery)}</td>}
          </tr>
        );
      })}
    </Table>
  );
}
