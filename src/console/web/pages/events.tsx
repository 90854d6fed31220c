import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, callText, fewAtATime, path } from "../api";
import { Deliveries, itemOf } from "../deliveries";
import { layOut, memberText } from "../format";
import type { Layout } from "../format";
import { useEvery, useLoaded } from "../loading";
import { useWebhooks } from "../named";
import { Button, Empty, Facts, Heading, Loading, Problem, Text, Time } from "../parts";
import { go, to, usePlace } from "../router";
import type { Delivery, DeliverySummary, StoredEvent } from "../types";

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

export function Events(): JSX.Element {
  const { query } = usePlace();
  const [asked, askedSource] = [query.get("id") ?? "", query.get("source") ?? ""];
  const [id, setId] = useState(asked);
  const [source, setSource] = useState(askedSource);
  useEffect(() => {
    setId(asked);
    setSource(askedSource);
  }, [asked, askedSource]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = new URLSearchParams({ id: id.trim(), ...(source.trim() ? { source: source.trim() } : {}) });
    go(`${to("events")}?${wanted}`);
  };
  return (
    <>
      <Heading title="Events" />
      <form class="filters" role="search" onSubmit={submit}>
        <Text label="Event id" required value={id} onInput={setId} />
        <Text label="Source" value={source} onInput={setSource} hint="if several sources used the id" />
        <Button submit kind="main">
          Find
        </Button>
      </form>
      {asked === "" ? <Empty>Enter the id that the producer gave the event, or that the relay answered.</Empty> : <Lookup key={`${asked}\n${askedSource}`} id={asked} source={askedSource} />}
    </>
  );
}
