import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { all, call, fewAtATime, path } from "../api";
import { count } from "../format";
import { useLoaded } from "../loading";
import { nameOf } from "../named";
import { Sparkline, askedFor } from "../past";
import { Button, Choice, Empty, Heading, Loading, Problem, Table, Text, Time } from "../parts";
import { Link, go, oneOf, to, usePlace, withQuery } from "../router";
import { isRestricted, useMay, useSession } from "../session";
import { WebhookMark, isInTrouble, isIncoming } from "../trouble";
import { dialects } from "../types";
import type { Totals, TotalsItem, Webhook } from "../types";

const loadedMost = 1000;
const rowsAtOnce = 50;
const stateOptions = [["", "any"], ["active", "active"], ["trouble", "in trouble"], ["disabled", "disabled"], ["broken", "broken"]] as const;

interface Filter {
  text: string;
  state: string;
  dialect: string;
}

function matches(webhook: Webhook, { text, state, dialect }: Filter): boolean {
  if (dialect !== "" && webhook.dialect !== dialect) return false;
  if (state === "trouble" ? !isInTrouble(webhook) : state !== "" && webhook.state !== state) return false;
  const searched = [webhook.id, webhook.description, webhook.url, ...webhook.sources, ...webhook.events].join("\n").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => searched.includes(word));
}

/// Of a webhook's last day: hour by hour, deliveries that have an end, and those of them that arrived.
interface Recent {
  items: TotalsItem[];
  ended: number;
  delivered: number;
}

async function recentOf(id: string, signal: AbortSignal): Promise<Recent> {
  const { items } = await call<Totals>("GET", path(["webhooks", id, "totals"], askedFor("24")), { signal });
  const delivered = items.reduce((all, item) => all + item.delivered, 0);
  return { items, delivered, ended: items.reduce((all, item) => all + item.dead, delivered) };
}

/// By the webhook's id, as far as they may be seen; null while they are read.
function useRecent(webhooks: Webhook[]): Map<string, Recent> | null {
  const may = useMay();
  const { token } = useSession();
  const ids = may("deliveries:read") && !isRestricted(token) ? webhooks.filter((webhook) => !isIncoming(webhook)).map(({ id }) => id) : [];
  const load = async (signal: AbortSignal) => {
    const found = await fewAtATime(ids, (id) => recentOf(id, signal).then((recent) => [id, recent] as const, () => null));
    return new Map(found.filter((each) => each !== null));
  };
  return useLoaded(load, [ids.join()]).value;
}

function Rate({ recent }: { recent: Recent | undefined }): JSX.Element {
  if (recent === undefined || recent.ended === 0) return <span class="quiet">–</span>;
  const { items, ended, delivered } = recent;
  const percent = Math.floor((delivered / ended) * 100); // 99.9 is not all.
  return (
    <span class={`mark ${delivered === ended ? "good" : delivered === 0 ? "bad" : "warn"}`} title={`In the last day ${count(ended)} deliveries have ended: ${count(delivered)} were delivered, ${count(ended - delivered)} failed.`}>
      {percent} % <span class="quiet">of {count(ended)}</span>
      <Sparkline items={items} />
    </span>
  );
}

function Row({ webhook, recent }: { webhook: Webhook; recent: Recent | undefined }): JSX.Element {
  return (
    <tr>
      <td class="wide">
        <Link href={to("webhooks", webhook.id)}>{nameOf(webhook)}</Link>
        {webhook.description && !isIncoming(webhook) && <div class="quiet break">{webhook.url}</div>}
      </td>
      <td>
        <WebhookMark webhook={webhook} />
        {webhook.state === "active" && isInTrouble(webhook) && (
          <div class="mark warn">
            <span aria-hidden="true">▲</span> in trouble
          </div>
        )}
      </td>
      <td>
        <Rate recent={recent} />
      </td>
      <td>{webhook.dialect}</td>
      <td class="break">{webhook.sources.join(", ")}</td>
      <td class="break">{webhook.events.join(", ")}</td>
      <td>
        <Time at={webhook.created_at} />
      </td>
    </tr>
  );
}

function Rows({ found }: { found: Webhook[] }): JSX.Element {
  const [shown, setShown] = useState(rowsAtOnce);
  const rows = found.slice(0, shown);
  const recents = useRecent(rows);
  return (
    <>
      <Table caption="Webhooks" columns={["Webhook", "State", "Delivered in a day", "Dialect", "Sources", "Events", "Created"]}>
        {rows.map((webhook) => (
          <Row key={webhook.id} webhook={webhook} recent={recents?.get(webhook.id)} />
        ))}
      </Table>
      {found.length > shown && <Button onClick={() => setShown(shown + rowsAtOnce)}>Show more</Button>}
    </>
  );
}

export function Webhooks(): JSX.Element {
  const may = useMay();
  const place = usePlace();
  const [most, setMost] = useState(loadedMost);
  const { value, problem } = useLoaded((signal) => all<Webhook>(["webhooks"], most, {}, signal), [most]);
  const filter = {
    text: place.query.get("q") ?? "",
    state: oneOf(place.query, "state", stateOptions.map(([value]) => value)),
    dialect: oneOf(place.query, "dialect", dialects),
  };
  const change = (values: Record<string, string>) => go(withQuery(place, values), true);
  const found = (value?.items ?? []).filter((webhook) => matches(webhook, filter));
  return (
    <>
      <Heading title="Webhooks">
        {may("webhooks:write") && (
          <Link href={to("webhooks", "new")} class="button main">
            New webhook
          </Link>
        )}
      </Heading>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Text label="Search" type="search" value={filter.text} onInput={(q) => change({ q })} />
        <Choice
          label="State"
          value={filter.state}
          onChange={(state) => change({ state })}
          options={stateOptions}
        />
        <Choice label="Dialect" value={filter.dialect} onChange={(dialect) => change({ dialect })} options={[["", "any"], ...dialects.map((each) => [each, each] as const)]} />
      </form>
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && (
        <Empty>There is no webhook yet. A webhook says which events go to which URL{may("webhooks:write") ? ": create one." : "."}</Empty>
      )}
      {value !== null && value.items.length > 0 && (
        <>
          <p class="quiet" role="status">
            {count(found.length)} of {count(value.items.length)}
            {value.more && " newest"} webhooks
          </p>
          {found.length > 0 ? <Rows found={found} /> : <Empty>No webhook matches. Search for a part of a URL, description, source, event or id.</Empty>}
          {value.more && <Button onClick={() => setMost(most + loadedMost)}>Look through older ones, too</Button>}
        </>
      )}
    </>
  );
}
