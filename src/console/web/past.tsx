// Deliveries of the past, counted by the hour or the day: what GET /v1/totals answers.

import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { call, path } from "./api";
import { Chart } from "./chart";
import type { Line } from "./chart";
import { count, milliseconds } from "./format";
import { useEvery, useLoaded } from "./loading";
import { Choice, Empty, Loading, Problem, Time } from "./parts";
import { go, oneOf, usePlace, withQuery } from "./router";
import type { Totals, TotalsItem } from "./types";

const hour = 3600;
const ranges = [
  ["2", "the last two hours", "1h"],
  ["24", "the last day", "1h"],
  ["168", "the last week", "1h"],
  ["720", "the last 30 days", "1d"],
] as const;
const usual = "24";

/// What to ask for: whole steps up to now. A step that is not over yet is the last one.
export function askedFor(hours: string): { since: string; step: string } {
  const [, , step] = ranges.find(([each]) => each === hours) ?? ranges[1];
  return { since: new Date(Date.now() - (Number(hours) * hour - (step === "1d" ? 24 * hour : hour)) * 1000).toISOString(), step };
}

function sum(items: TotalsItem[], of: (item: TotalsItem) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}

function slowest(items: TotalsItem[], of: (item: TotalsItem) => number | null): number | null {
  const known = items.map(of).filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function Charts({ totals, range }: { totals: Totals; range: string }): JSX.Element {
  const { items, step_s } = totals;
  const each = step_s === hour ? "an hour" : "a day";
  const counted = (name: string, kind: Line["kind"], of: (item: TotalsItem) => number): Line => ({ name, kind, values: items.map(of), text: count(sum(items, of)) });
  const timed = (name: string, kind: Line["kind"], of: (item: TotalsItem) => number | null): Line => ({ name, kind, values: items.map(of), text: milliseconds(slowest(items, of)) });
  return (
    <>
      <Chart
        slots={items.length}
        text={`Deliveries and failed attempts in ${range}`}
        top={(most) => `top of the chart: ${count(most)} ${each}`}
        lines={[counted("delivered", "delivered", (item) => item.delivered), counted("failed attempts", "failed", (item) => item.failed), counted("given up", "dead", (item) => item.dead)]}
      />
      <Chart
        slots={items.length}
        text={`Time from an event's acceptance to its delivery in ${range}`}
        top={(most) => `top of the chart: ${milliseconds(Math.round(most))}`}
        lines={[timed("half delivered in, at most", "delivered", (item) => item.p50_ms), timed("99 % in, at most", "events", (item) => item.p99_ms)]}
      />
    </>
  );
}

/// @param parts  the path of the totals.
export function Past({ parts }: { parts: string[] }): JSX.Element {
  const place = usePlace();
  const heading = useId();
  const hours = oneOf(place.query, "past", ranges.map(([each]) => each)) || usual;
  const [, range] = ranges.find(([each]) => each === hours)!;
  const { value, problem, reload } = useLoaded<Totals>((signal) => call("GET", path(parts, askedFor(hours)), { signal }), [parts.join("/"), hours]);
  useEvery(60_000, reload);
  const nothing = value !== null && value.items.every((item) => item.events + item.delivered + item.failed + item.dead === 0);
  return (
    <section aria-labelledby={heading}>
      <div class="heading">
        <h2 id={heading}>The past</h2>
        <Choice label="Time" value={hours} onChange={(past) => go(withQuery(place, { past }), true)} options={ranges.map(([each, text]) => [each, text] as const)} />
      </div>
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {nothing && <Empty>Nothing was delivered in {range}, and nothing failed.</Empty>}
      {value !== null && !nothing && <Charts totals={value} range={range} />}
      {value?.history_since && value.history_since > value.since && (
        <p class="quiet">
          The history begins <Time at={value.history_since} />.
        </p>
      )}
      {value?.cut && (
        <p class="quiet">
          What is before <Time at={value.since} /> is too much to be counted here.
        </p>
      )}
      {value?.indexing && <p class="quiet">A part of the history is still being read after the start of the relay, and is not counted yet.</p>}
    </section>
  );
}

/// A line for the deliveries of a webhook in the last day, hour by hour; what it says is said in words beside it.
export function Sparkline({ items }: { items: TotalsItem[] }): JSX.Element {
  const most = Math.max(1, ...items.map((item) => Math.max(item.delivered, item.dead)));
  const points = (of: (item: TotalsItem) => number) => items.map((item, index) => `${(index * 96) / Math.max(items.length - 1, 1)},${(19 - (of(item) / most) * 17).toFixed(1)}`).join(" ");
  return (
    <svg class="sparkline" viewBox="0 0 96 20" preserveAspectRatio="none" aria-hidden="true">
      <polyline class="delivered" points={points((item) => item.delivered)} />
      {items.some((item) => item.dead > 0) && <polyline class="dead" points={points((item) => item.dead)} />}
    </svg>
  );
}
