import type { JSX } from "preact";
import { call, callText, fewAtATime, path } from "../api";
import { Deliveries, itemOf } from "../deliveries";
import { FilterFields, isFiltered } from "../filters";
import type { FilterName } from "../filters";
import { layOut, memberText } from "../format";
import type { Layout } from "../format";
import { OtherPages, emptyText, useListed } from "../listed";
import type { Listed } from "../listed";
import { useEvery, useLoaded } from "../loading";
import { useWebhooks } from "../named";
import { Empty, Facts, Heading, Loading, Problem, Table, Time } from "../parts";
import { Link, to } from "../router";
import type { Delivery, DeliverySummary, EventItem, StoredEvent } from "../types";

const shownApart = new Set(["id", "source", "type", "accepted_at", "data", "data_base64", "deliveries", "extensions"]);

function attributes(event: StoredEvent): [string, string][] {
  const extensions = Object.entries((event["extensions"] as object | undefined) ?? {});
  const own = Object.entries(event).filter(([name]) => !shownApart.has(name));
  return [...own, ...extensions].map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
}

const detailsMost = 50;

/// An event's deliveries come without their attempts: those of the first ones are asked for.
async function withAttempts(deliveries: DeliverySummary[], signal: AbortSignal): Promise<DeliverySummary[]> {
  const load = (delivery: DeliverySummary) =>
    call<Delivery>("GET", path(["deliveries", delivery.id]), { signal }).then(itemOf, () => delivery); // Rather without than not at all.
  return [...(await fewAtATime(deliveries.slice(0, detailsMost), load)), ...deliveries.slice(detailsMost)];
}

/// The event and its data as the producer sent it.
interface Answer {
  event: StoredEvent;
  deliveries: DeliverySummary[];
  data: Layout;
}

async function find(id: string, source: string, signal: AbortSignal): Promise<Answer> {
  const text = await callText("GET", path(["events", id], { source }), { signal });
  const event = JSON.parse(text) as StoredEvent;
  const plain = event.data_base64 ?? (typeof event.data === "string" ? event.data : undefined);
  const deliveries = await withAttempts(event.deliveries, signal);
  return { event, deliveries, data: plain === undefined ? layOut(memberText(text, "data") ?? "") : { text: plain, note: "" } };
}

function Found({ event, data, deliveries }: Answer): JSX.Element {
  const webhooks = useWebhooks(deliveries.map((delivery) => delivery.webhook), event);
  return (
    <>
      <Facts
        facts={[
          ["Type", event.type],
          ["Source", <span class="break">{event.source}</span>],
          ["Id", <span class="break">{event.id}</span>],
          ["Accepted", <Time at={event.accepted_at} />],
          ...attributes(event).map(([name, value]): [string, JSX.Element] => [name, <span class="break">{value}</span>]),
        ]}
      />
      <h2>Data</h2>
      <pre tabIndex={0} aria-label="Data">
        {data.text || "none"}
      </pre>
      {data.note && <p class="quiet">{data.note}</p>}
      {event.data_base64 && <p class="quiet">In base64: it is neither JSON nor text.</p>}
      <h2>Deliveries</h2>
      {deliveries.length > 0 ? <Deliveries caption="Deliveries of this event" deliveries={deliveries} webhooks={webhooks} /> : <Empty>The event matched no webhook that you may see.</Empty>}
      {deliveries.length > detailsMost && <p class="quiet">Attempts are shown of the first {detailsMost}; open one of the others to see its own.</p>}
    </>
  );
}

function Lookup({ id, source }: { id: string; source: string }): JSX.Element {
  const { value, problem, reload } = useLoaded((signal) => find(id, source, signal), [id, source]);
  const waits = value?.deliveries.some(({ status }) => status === "pending" || status === "in_flight");
  useEvery(5000, () => {
    if (waits) reload();
  });
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <>
      <Problem problem={problem} />
      <Found {...value} />
    </>
  );
}

const fields: readonly FilterName[] = ["id", "type", "source", "text", "period"];

/// Of several sources that used an id, each event is found by its source.
function address({ id, source }: EventItem): string {
  return `${to("events")}?${new URLSearchParams({ id, source })}`;
}

function EventTable({ events }: { events: EventItem[] }): JSX.Element {
  return (
    <Table caption="Events" columns={["Event", "Source", "Accepted", "Subject", "Branch", "Deliveries"]}>
      {events.map((event) => (
        <tr key={`${event.id}\n${event.source}`}>
          <td class="wide">
            <Link href={address(event)}>{event.type}</Link>
            <div class="quiet break">{event.id}</div>
          </td>
          <td class="break">{event.source}</td>
          <td>
            <Time at={event.accepted_at} />
          </td>
          <td class="break">{event.subject}</td>
          <td class="break">{event.branch}</td>
          <td class="number">{event.delivery_count}</td>
        </tr>
      ))}
    </Table>
  );
}

function List({ list }: { list: Listed<EventItem> }): JSX.Element {
  const { value, problem, filter } = list;
  const nothing = "No event was sent yet. Send one: ringpost send, or POST /v1/events.";
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  if (filter.id !== "" && value.items.length < 2 && list.isNewest) return <Lookup key={filter.id} id={filter.id} source={value.items[0]?.source ?? ""} />;
  return (
    <>
      <Problem problem={problem} />
      {value.items.length === 0 && <Empty>{emptyText(list, isFiltered(filter), "events", nothing)}</Empty>}
      {value.items.length > 0 && <EventTable events={value.items} />}
      <OtherPages list={list} />
    </>
  );
}

export function Events(): JSX.Element {
  const list = useListed<EventItem>(["events"], { names: fields });
  const { filter, isNewest, reload, change } = list;
  useEvery(5000, () => {
    if (isNewest && filter.id === "") reload();
  });
  const isOne = filter.id !== "" && filter.source !== "";
  return (
    <>
      <Heading title="Events" />
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <FilterFields filter={filter} names={fields} onChange={change} />
      </form>
      {isOne ? <Lookup key={`${filter.id}\n${filter.source}`} id={filter.id} source={filter.source} /> : <List list={list} />}
    </>
  );
}
