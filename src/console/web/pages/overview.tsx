import type { JSX } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { all, call, path, sentence } from "../api";
import { Chart } from "../chart";
import { count, microseconds, uptime } from "../format";
import { useEvery, useLoaded } from "../loading";
import { nameOf } from "../named";
import { Empty, Facts, Heading, Loading, Notice, Problem, Time } from "../parts";
import { Past } from "../past";
import { Link, to } from "../router";
import { isRestricted, useMay, useSession } from "../session";
import { Reasons, isInTrouble } from "../trouble";
import type { CutPage, RelayStatus, Webhook } from "../types";

const interval = 2000;
const samplesMost = 150; // Five minutes.
const webhooksMost = 1000;

interface Sample {
  at: number; // Milliseconds.
  status: RelayStatus;
}

/// Differences of a counter from sample to sample, per second.
function rates(samples: Sample[], counter: string): number[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index]!;
    const seconds = Math.max((sample.at - before.at) / 1000, 0.001);
    return Math.max(0, ((sample.status.totals[counter] ?? 0) - (before.status.totals[counter] ?? 0)) / seconds);
  });
}

function useSamples(): { samples: Sample[]; problem: string } {
  const [samples, setSamples] = useState<Sample[]>([]);
  const [problem, setProblem] = useState("");
  const ask = useCallback(() => {
    call<RelayStatus>("GET", "/v1/status")
      .then((status) => {
        setProblem("");
        setSamples((before) => {
          const last = before.at(-1);
          const restarted = last !== undefined && status.uptime_s < last.status.uptime_s;
          return [...(restarted ? [] : before), { at: performance.now(), status }].slice(-samplesMost - 1);
        });
      })
      .catch((error) => setProblem(sentence(error)));
  }, []);
  useEffect(ask, [ask]);
  useEvery(interval, ask);
  return { samples, problem };
}

function Storage({ status }: { status: RelayStatus }): JSX.Element | null {
  const { storage } = status;
  if (storage.state === "ok" && storage.store_state === "ok") return null;
  return (
    <Notice kind="bad">
      {storage.state !== "ok" && <p>Events are refused: {storage.detail}.</p>}
      {storage.store_state !== "ok" && <p>Webhooks and tokens cannot be changed: {storage.store_detail}.</p>}
    </Notice>
  );
}

function LastFailure({ status }: { status: RelayStatus }): JSX.Element {
  const last = status.last_failure;
  if (last === null) return <>none since the start</>;
  return (
    <Link href={to("deliveries", last.delivery)}>
      <Time at={last.at} />
    </Link>
  );
}

const refusals: [counter: string, why: string][] = [
  ["events_refused_invalid", "not valid"],
  ["events_refused_unauthorized", "without a valid token"],
  ["events_refused_throttled", "too many at a time"],
  ["events_over_share", "more than a share of the relay"],
  ["events_refused_overloaded", "relay overloaded"],
  ["events_refused_no_space", "disk full"],
  ["events_refused_storage_failed", "disk failed"],
];

/// How many, and why.
function refused(totals: Record<string, number>): string {
  const reasons = refusals.filter(([counter]) => (totals[counter] ?? 0) > 0).map(([counter, why]) => `${count(totals[counter]!)} ${why}`);
  return count(totals["events_refused"] ?? 0) + (reasons.length > 0 ? `: ${reasons.join(", ")}` : "");
}

function latency({ p50_us, p99_us }: { p50_us: number; p99_us: number }): string {
  return p99_us === 0 ? "–" : `${microseconds(p50_us)}, 99 % in ${microseconds(p99_us)}`;
}

function Relay(): JSX.Element {
  const { samples, problem } = useSamples();
  const status = samples.at(-1)?.status;
  if (status === undefined) return problem ? <Problem problem={problem} /> : <Loading />;
  const { totals } = status;
  const lines = [
    { name: "events", kind: "events" as const, values: rates(samples, "events_accepted") },
    { name: "delivered", kind: "delivered" as const, values: rates(samples, "deliveries_delivered") },
    { name: "failed attempts", kind: "failed" as const, values: rates(samples, "attempts_failed") },
  ];
  return (
    <>
      <Problem problem={problem} />
      <Storage status={status} />
      <Chart lines={lines} slots={samplesMost} text="Events, deliveries and failed attempts per second since this page was opened" />
      <Facts
        facts={[
          ["Waiting to be delivered", count(status.backlog)],
          ["Oldest of them", <Time at={status.oldest_undelivered_at} />],
          ["Delivered since the start", count(totals["deliveries_delivered"] ?? 0)],
          ["Dead letters since the start", count(totals["deliveries_dead"] ?? 0)],
          ["Events since the start", count(totals["events_accepted"] ?? 0)],
          ["Requests for events refused", refused(totals)],
          ["Event accepted in", latency(status.latency.accept)],
          ["Delivered in", latency(status.latency.delivery)],
          ["Last failed attempt", <LastFailure status={status} />],
          ["Webhooks", count(status.webhooks)],
          ["Shards", count(status.shards.length)],
          ["Running for", uptime(status.uptime_s)],
        ]}
      />
    </>
  );
}

const deadMost = 100;

/// How many deliveries were given up, in every webhook that this token sees; beyond a page that is not counted.
function Dead(): JSX.Element {
  const { value, problem, reload } = useLoaded((signal) => call<CutPage>("GET", path(["deliveries"], { status: "dead", limit: deadMost }), { signal }), []);
  useEvery(15_000, reload);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  const { length } = value.items;
  const more = value.next_cursor !== null;
  const found = more ? `${count(length)} or more` : length === 0 ? "No" : count(length);
  return (
    <>
      <Problem problem={problem} />
      <p>
        <Link href={to("dead-letters")}>
          {found} {length === 1 && !more ? "dead letter" : "dead letters"}
        </Link>
        <span class="quiet"> – deliveries to any webhook that were given up after their last attempt.</span>
      </p>
    </>
  );
}

function Trouble(): JSX.Element {
  const { value, problem, reload } = useLoaded((signal) => all<Webhook>(["webhooks"], webhooksMost, {}, signal), []);
  useEvery(15_000, reload);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  const troubled = value.items.filter(isInTrouble);
  return (
    <>
      <Problem problem={problem} />
      {value.more && troubled.length > 0 && <p class="quiet">Of the newest {count(value.items.length)} webhooks.</p>}
      {value.items.length === 0 && (
        <Empty>
          There is no webhook yet. <Link href={to("webhooks", "new")}>Create the first one</Link>, then send an event to it.
        </Empty>
      )}
      {value.items.length > 0 && troubled.length === 0 && (
        <Empty>
          {value.items.length === 1 ? "The only webhook is not in trouble" : `None of the ${value.more ? "newest " : ""}${count(value.items.length)} webhooks is in trouble`}. Looked for were webhooks that
          are broken, were disabled by the relay, wait after failed attempts or for a pause to end, lack their receiver's permission or have a warning. Single deliveries may have failed nevertheless.
        </Empty>
      )}
      <ul class="cards">
        {troubled.map((webhook) => (
          <li key={webhook.id}>
            <Link href={to("webhooks", webhook.id)}>{nameOf(webhook)}</Link>
            {webhook.description && <div class="quiet break">{webhook.url}</div>}
            <Reasons webhook={webhook} />
          </li>
        ))}
      </ul>
    </>
  );
}

export function Overview(): JSX.Element {
  const may = useMay();
  const { operator, token } = useSession();
  const restricted = isRestricted(token);
  return (
    <>
      <Heading title="Overview" />
      {operator ? <Relay /> : <p class="quiet">Figures of the whole relay need an operator's token: scope admin, organization default, all sources.</p>}
      {may("deliveries:read") && !restricted && <Past parts={["totals"]} />}
      {may("webhooks:read") && (
        <section aria-labelledby="trouble">
          <h2 id="trouble">Webhooks in trouble</h2>
          {may("deliveries:read") && <Dead />}
          <Trouble />
        </section>
      )}
    </>
  );
}
