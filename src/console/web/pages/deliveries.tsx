import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { csvOf, save } from "../csv";
import { Deliveries, result } from "../deliveries";
import { FilterFields, isFiltered } from "../filters";
import type { FilterName } from "../filters";
import { count } from "../format";
import { OtherPages, emptyText, useListed } from "../listed";
import { useAction, useEvery } from "../loading";
import { useWebhooks } from "../named";
import { Button, Empty, Heading, Loading, Notice, Problem } from "../parts";
import { Link } from "../router";
import { useMay } from "../session";
import { replayOf } from "./replay_start";
import type { DeliveryItem } from "../types";

const fields: readonly FilterName[] = ["webhook", "status", "type", "source", "error", "response_status", "text", "period"];

const savedMost = 10_000;
const columns = ["id", "status", "event", "type", "source", "webhook", "accepted", "attempts", "last attempt", "result"];

function rowOf(delivery: DeliveryItem): string[] {
  const { id, status, event, webhook, created_at, attempt_count, last_attempt } = delivery;
  return [id, status, event.id, event.type, event.source, webhook ?? "", created_at, String(attempt_count), last_attempt?.started_at ?? "", result(delivery)];
}

export function DeliveriesPage(): JSX.Element {
  const may = useMay();
  const list = useListed<DeliveryItem>(["deliveries"], { names: fields });
  const { value, problem, reload, filter, isNewest, change } = list;
  useEvery(5000, () => {
    if (isNewest) reload();
  });
  const saving = useAction();
  const [saved, setSaved] = useState("");
  const saveAll = () =>
    saving.run(async () => {
      const { items, more } = await list.all(savedMost);
      save("deliveries.csv", csvOf(columns, items.map(rowOf)));
      setSaved(more ? `The file has the newest ${count(items.length)} deliveries; there are more.` : "");
    });
  const webhooks = useWebhooks(value?.items.map((delivery) => delivery.webhook) ?? [], value);
  return (
    <>
      <Heading title="Deliveries">
        <Button onClick={saveAll} busy={saving.busy}>
          Save as CSV
        </Button>
        {may("deliveries:redeliver") && filter.text === "" && (
          <Link href={replayOf(filter)} class="button">
            Send these again
          </Link>
        )}
      </Heading>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <FilterFields filter={filter} names={fields} onChange={change} />
      </form>
      <Problem problem={problem} />
      <Problem problem={saving.problem} />
      {saved && <Notice>{saved}</Notice>}
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && (
        <Empty>{emptyText(list, isFiltered(filter), "deliveries", "Nothing was delivered yet. Send an event of a source and type that a webhook subscribes to.")}</Empty>
      )}
      {value !== null && value.items.length > 0 && <Deliveries caption="Deliveries" deliveries={value.items} webhooks={webhooks} />}
      <OtherPages list={list} />
    </>
  );
}
