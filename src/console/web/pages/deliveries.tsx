import type { JSX } from "preact";
import { Deliveries } from "../deliveries";
import { FilterFields, isFiltered } from "../filters";
import type { FilterName } from "../filters";
import { OtherPages, emptyText, useListed } from "../listed";
import { useEvery } from "../loading";
import { useWebhooks } from "../named";
import { Empty, Heading, Loading, Problem } from "../parts";
import { Link } from "../router";
import { useMay } from "../session";
import { replayOf } from "./replay_start";
import type { DeliveryItem } from "../types";

const fields: readonly FilterName[] = ["webhook", "status", "type", "source", "error", "response_status", "text", "period"];

export function DeliveriesPage(): JSX.Element {
  const may = useMay();
  const list = useListed<DeliveryItem>(["deliveries"], { names: fields });
  const { value, problem, reload, filter, isNewest, change } = list;
  useEvery(5000, () => {
    if (isNewest) reload();
  });
  const webhooks = useWebhooks(value?.items.map((delivery) => delivery.webhook) ?? [], value);
  return (
    <>
      <Heading title="Deliveries">
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
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && (
        <Empty>{emptyText(list, isFiltered(filter), "deliveries", "Nothing was delivered yet. Send an event of a source and type that a webhook subscribes to.")}</Empty>
      )}
      {value !== null && value.items.length > 0 && <Deliveries caption="Deliveries" deliveries={value.items} webhooks={webhooks} />}
      <OtherPages list={list} />
    </>
  );
}
