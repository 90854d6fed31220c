import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { call, path } from "../api";
import { Deliveries } from "../deliveries";
import { FilterFields, isFiltered } from "../filters";
import type { FilterName } from "../filters";
import { milliseconds } from "../format";
import { HowToCall } from "../incoming_hook";
import { OtherPages, emptyText, useListed } from "../listed";
import { useAction, useEvery, useLoaded } from "../loading";
import { nameOf } from "../named";
import { Button, Confirm, Empty, Facts, Heading, Loading, Notice, Once, Problem, StatusMark, Time } from "../parts";
import { deliveriesText } from "../replays";
import { Link, go, to } from "../router";
import { Rotate } from "../secrets";
import { Past } from "../past";
import { isRestricted, useMay, useSession } from "../session";
import { Reasons, WebhookMark, isIncoming } from "../trouble";
import { replayOf } from "./replay_start";
import type { CutPage, Delivery, DeliveryItem, Status, Webhook } from "../types";

// --- a test event --------------------------------------------------------------------------------

const testWait = 500;
const testLooks = 60;

/// Looks until the delivery has had an attempt, or for half a minute.
async function untilTried(id: string): Promise<Delivery> {
  for (let look = 0; ; ++look) {
    const delivery = await call<Delivery>("GET", path(["deliveries", id]));
    const tried = delivery.attempts.some((attempt) => attempt.duration_ms !== null);
    if (tried || delivery.status === "delivered" || delivery.status === "dead" || look === testLooks) return delivery;
    await new Promise((resolve) => setTimeout(resolve, testWait));
  }
}

function TestEvent({ id, onDone }: { id: string; onDone: () => void }): JSX.Element {
  const [tested, setTested] = useState<Delivery | null>(null);
  const action = useAction();
  const test = () =>
    action.run(async () => {
      const made = await call<Delivery>("POST", path(["webhooks", id, "ping"]));
      setTested(await untilTried(made.id));
      onDone();
    });
  const last = tested?.attempts.at(-1);
  return (
    <>
      <Button onClick={test} busy={action.busy}>
        {action.busy ? "Sending …" : "Send a test event"}
      </Button>
      <Problem problem={action.problem} />
      {tested && (
        <Notice kind={tested.status === "delivered" ? "good" : "warn"}>
          <StatusMark status={tested.status} failing={last?.error != null} />{" "}
          {last?.error ? last.error.detail : last?.response ? `The receiver answered ${last.response.status} in ${milliseconds(last.duration_ms)}` : "No attempt has ended yet"}.{" "}
          <Link href={to("deliveries", tested.id)}>See request and response</Link>
        </Notice>
      )}
    </>
  );
}

// --- what waits ----------------------------------------------------------------------------------

const waitingMost = 200;

/// How much of what waits would be cancelled.
function Waiting({ id }: { id: string }): JSX.Element {
  const may = useMay();
  const count = async (signal: AbortSignal) => {
    if (!may("deliveries:read")) return null;
    const load = (status: Status) => call<CutPage>("GET", path(["webhooks", id, "deliveries"], { status, limit: waitingMost }), { signal });
    const pages = await Promise.all([load("pending"), load("in_flight")]);
    return { many: pages.flatMap(({ items }) => items).length, more: pages.some(({ next_cursor }) => next_cursor !== null) };
  };
  const { value } = useLoaded(count, [id]);
  if (value === null) return <p>What waits to be delivered to it is cancelled.</p>;
  if (value.many === 0 && !value.more) return <p>Nothing waits to be delivered to it.</p>;
  return (
    <p>
      <strong>
        {deliveriesText(value.many)}
        {value.more && " or more"}
      </strong>{" "}
      that {value.many === 1 && !value.more ? "waits" : "wait"} will be cancelled.
    </p>
  );
}

// --- changes -------------------------------------------------------------------------------------

type Asking = "" | "delete" | "rotate" | "disable";

function Changes({ webhook, onChanged }: { webhook: Webhook; onChanged: (webhook: Webhook) => void }): JSX.Element {
  const [asking, setAsking] = useState<Asking>("");
  const [secret, setSecret] = useState("");
  const action = useAction();
  const close = () => {
    action.clear();
    setAsking("");
  };
  const change = (work: () => Promise<void>) => action.run(async () => {
    await work();
    setAsking("");
  });
  const post = (what: string, body?: unknown) => call<Webhook>("POST", path(["webhooks", webhook.id, what]), { body });
  const overlaps = webhook.dialect === "standard";
  const rotate = async (body: Record<string, unknown>) => {
    const rotated = await post("rotate-secret", body);
    setSecret(body["secret"] === undefined ? (rotated.secret ?? "") : "");
    onChanged(rotated);
  };
  const remove = async () => {
    await call("DELETE", path(["webhooks", webhook.id]));
    go(to("webhooks"));
  };
  const dialog = { busy: action.busy, problem: action.problem, onClose: close };
  return (
    <>
      <div class="actions">
        <Link href={to("webhooks", webhook.id, "edit")} class="button">
          Edit
        </Link>
        {webhook.state === "active" && <Button onClick={() => setAsking("disable")}>Disable</Button>}
        {webhook.state !== "active" && !isIncoming(webhook) && (
          <Button busy={action.busy} onClick={() => change(async () => onChanged(await post("enable")))}>
            Enable
          </Button>
        )}
        <Button onClick={() => setAsking("rotate")}>Rotate the secret</Button>
        <Button kind="danger" onClick={() => setAsking("delete")}>
          Delete
        </Button>
      </div>
      {asking === "" && <Problem problem={action.problem} />}
      {secret && (
        <Once name="New secret" text={secret}>
          Copy it now: it is not shown again.
        </Once>
      )}
      {asking === "disable" && (
        <Confirm {...dialog} title="Disable this webhook?" action="Disable" danger onConfirm={() => change(async () => onChanged(await post("disable")))}>
          <p>It gets no more events until it is enabled.</p>
          <Waiting id={webhook.id} />
        </Confirm>
      )}
      {asking === "rotate" && (
        <Rotate overlap={overlaps ? "signs, too" : ""} rotate={rotate} onClose={close}>
          {!overlaps && <p>{isIncoming(webhook) ? "Calls must be signed with the new secret at once." : "Requests are signed with the new secret at once: a receiver that does not have it refuses them."}</p>}
        </Rotate>
      )}
      {asking === "delete" && (
        <Confirm {...dialog} title="Delete this webhook?" action="Delete" danger onConfirm={() => change(remove)}>
          {!isIncoming(webhook) && <Waiting id={webhook.id} />}
          <p>Its history is no longer shown, and its secret is gone for good.</p>
        </Confirm>
      )}
    </>
  );
}

// --- its deliveries ------------------------------------------------------------------------------

const fields: readonly FilterName[] = ["status", "type", "source", "error", "response_status", "text", "period"];

/// @param incoming  they are calls, of which nothing is sent.
function Recent({ id, incoming, stamp }: { id: string; incoming: boolean; stamp: number }): JSX.Element {
  const may = useMay();
  const list = useListed<DeliveryItem>(["webhooks", id, "deliveries"], { names: fields, stamp });
  const { value, problem, reload, filter, isNewest, change } = list;
  useEvery(5000, () => {
    if (isNewest) reload();
  });
  const nothing = incoming ? "It was not called yet." : "Nothing was sent to this webhook yet. Send a test event, or an event of a source and type that it subscribes to.";
  return (
    <section aria-labelledby="deliveries">
      <div class="heading">
        <h2 id="deliveries">{incoming ? "Calls" : "Deliveries"}</h2>
        {may("deliveries:redeliver") && !incoming && filter.text === "" && (
          <Link href={replayOf({ ...filter, webhook: id })} class="button">
            Send these again
          </Link>
        )}
      </div>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <FilterFields filter={filter} names={fields} onChange={change} />
      </form>
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>{emptyText(list, isFiltered(filter), "deliveries", nothing)}</Empty>}
      {value !== null && value.items.length > 0 && <Deliveries caption="Deliveries of this webhook" deliveries={value.items} />}
      <OtherPages list={list} />
    </section>
  );
}

// --- the page ------------------------------------------------------------------------------------

function About({ webhook }: { webhook: Webhook }): JSX.Element {
  const { filter, tls } = webhook;
  const limits = [
    `${milliseconds(webhook.timeout_ms)} for an attempt`,
    `${webhook.concurrency_max} requests at a time`,
    webhook.rate_per_second === null ? "" : `${webhook.rate_per_second} requests a second`,
  ];
  const filters = [
    filter.branches && `branches ${filter.branches}`,
    filter.teams.length > 0 && `teams ${filter.teams.join(", ")}`,
    filter.clusters.length > 0 && `clusters ${filter.clusters.join(", ")}`,
    filter.data !== null && `data ${JSON.stringify(filter.data)}`,
  ].filter((each) => each);
  const publicKey = webhook.settings["public_key"];
  const outgoing: [string, ComponentChildren][] = [
    ["URL", <span class="break">{webhook.url}</span>],
    ["Events", <span class="break">{webhook.events.join(", ")}</span>],
    ["Only", <span class="break">{filters.length > 0 ? filters.join("; ") : "no filter"}</span>],
    ["Retries", webhook.schedule.length === 0 ? "none" : `after ${webhook.schedule.join(", ")} s`],
    ["Limits", limits.filter((each) => each !== "").join(", ")],
    ["Certificate", !tls.verify ? "not verified" : tls.ca ? "verified with its own CA" : "verified"],
    ["Old secret signs until", <Time at={webhook.previous_secret_until} />],
    ...(typeof publicKey === "string" ? [["Public key, to verify with", <code class="break">{publicKey}</code>] as [string, JSX.Element]] : []),
  ];
  return (
    <Facts
      facts={[
        ["Dialect", webhook.dialect],
        ["Sources", <span class="break">{webhook.sources.join(", ")}</span>],
        ...(isIncoming(webhook) ? [] : outgoing),
        ["Created", <Time at={webhook.created_at} />],
        ["Changed", <Time at={webhook.updated_at} />],
        ["Id", <code>{webhook.id}</code>],
      ]}
    />
  );
}

export function WebhookPage({ id }: { id: string }): JSX.Element {
  const may = useMay();
  const { token } = useSession();
  const [stamp, setStamp] = useState(0);
  const { value: webhook, problem, reload, set } = useLoaded<Webhook>((signal) => call("GET", path(["webhooks", id]), { signal }), [id]);
  useEvery(5000, reload);
  if (webhook === null) {
    return (
      <>
        <Heading title="Webhook" />
        {problem ? <Problem problem={problem} /> : <Loading />}
      </>
    );
  }
  const write = may("webhooks:write");
  const changed = (now: Webhook) => {
    set(now);
    reload(); // An answer that is under way may be older.
  };
  const tested = () => {
    setStamp(stamp + 1);
    reload();
  };
  return (
    <>
      <Heading title={nameOf(webhook)}>
        <WebhookMark webhook={webhook} />
      </Heading>
      <Problem problem={problem} />
      <Reasons webhook={webhook} />
      {write && <Changes webhook={webhook} onChanged={changed} />}
      {isIncoming(webhook) && (
        <section>
          <h2>How to call it</h2>
          <HowToCall hook={webhook} />
        </section>
      )}
      <About webhook={webhook} />
      {write && webhook.state === "active" && <TestEvent id={id} onDone={tested} />}
      {may("deliveries:read") && !isRestricted(token) && !isIncoming(webhook) && <Past parts={["webhooks", id, "totals"]} />}
      {may("deliveries:read") ? <Recent id={id} incoming={isIncoming(webhook)} stamp={stamp} /> : <Empty>Deliveries need a token with the scope deliveries:read.</Empty>}
    </>
  );
}
