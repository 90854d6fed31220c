// Which deliveries or events are meant: as an address has it, as fields show it, and as the API is asked.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { errorCodes } from "./errors";
import { inUtc, localInput, timeOfInput } from "./format";
import { WebhookChoice } from "./named";
import { Choice, Text } from "./parts";
import { statuses } from "./types";

export const filterNames = ["webhook", "id", "source", "type", "status", "error", "response_status", "text", "period", "since", "until", "zone", "organization"] as const;
export type FilterName = (typeof filterNames)[number];
/// "" for what is not filtered. `period` is a number of hours up to now, or "between": then `since` and `until` are times.
/// `zone` says how these are shown.
export type Filter = Record<FilterName, string>;

const periods = [
  ["", "any time"],
  ["1", "the last hour"],
  ["24", "the last day"],
  ["168", "the last week"],
  ["between", "between two times"],
] as const;
const zones = [
  ["", "local time"],
  ["utc", "UTC"],
] as const;

function known(value: string, values: readonly string[]): string {
  return values.includes(value) ? value : "";
}

const isTime = (text: string): boolean => !Number.isNaN(Date.parse(text));

/// Values that are unknown are no filter. What stands for one and the same is read as one: a time without a period is "between".
export function filterOf(query: URLSearchParams): Filter {
  const filter = Object.fromEntries(filterNames.map((name) => [name, query.get(name) ?? ""])) as Filter;
  const times = { since: isTime(filter.since) ? filter.since : "", until: isTime(filter.until) ? filter.until : "" };
  return {
    ...filter,
    ...times,
    status: known(filter.status, statuses),
    error: known(filter.error, errorCodes),
    period: known(filter.period, periods.map(([value]) => value)) || (times.since + times.until === "" ? "" : "between"),
    zone: known(filter.zone, zones.map(([value]) => value)),
  };
}

/// Without what is not in `names`; times belong to the period.
export function only(filter: Filter, names: readonly FilterName[]): Filter {
  const kept = names.includes("period") ? [...names, "since", "until", "zone"] : names;
  return Object.fromEntries(filterNames.map((name) => [name, kept.includes(name) ? filter[name] : ""])) as Filter;
}

export function isFiltered(filter: Filter): boolean {
  return filterNames.some((name) => name !== "zone" && filter[name] !== "");
}

const isId = (text: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
const isResponseStatus = (text: string): boolean => /^[1-5](\d\d|xx)$/.test(text);

/// From when on: a period ends now. @param begun  when it began for the page before.
function sinceOf({ period, since }: Filter, begun: string): string {
  if (period === "between" || period === "") return since;
  return begun !== "" ? begun : new Date(Date.now() - Number(period) * 3_600_000).toISOString();
}

/// As the API takes it. What cannot be meant yet, because it is still typed, is left out.
export function asked(filter: Filter, begun = ""): Record<string, string> {
  const { webhook, id, source, type, status, error, response_status, text, until, period, organization } = filter;
  const members = {
    webhook: isId(webhook) ? webhook : "",
    id: id.trim(),
    source: source.trim(),
    type: type.trim(),
    status,
    error,
    response_status: isResponseStatus(response_status) ? response_status : "",
    text,
    since: sinceOf(filter, begun),
    until: period === "between" ? until : "",
    organization: organization.trim(),
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== ""));
}

/// In words, for those who see no fields.
export function inWords(members: Record<string, string | null | undefined>): string {
  const names: Record<string, string> = { source: "source", type: "type", status: "status", error: "error", response_status: "answered", since: "from", until: "before" };
  const value = (name: string) => (name === "since" || name === "until" ? inUtc(members[name]!) : members[name]);
  const said = Object.entries(names).filter(([name]) => members[name]);
  return said.map(([name, text]) => `${text} ${value(name)}`).join(", ");
}

interface Props {
  filter: Filter;
  names: readonly FilterName[];
  onChange: (values: Partial<Filter>) => void;
  period?: string; // What happened in the period, as in "Accepted in".
}

const waitsFor = 400; // Milliseconds, for more keys.

/// A text that counts when its typing has paused, or ended.
function Typed({ value, onInput, ...rest }: { label: string; value: string; onInput: (value: string) => void; hint?: string; error?: string }): JSX.Element {
  const [typed, setTyped] = useState(value);
  const latest = useRef(onInput);
  latest.current = onInput;
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => latest.current(typed), waitsFor);
    return () => clearTimeout(timer);
  }, [typed]);
  return <Text {...rest} value={typed} onInput={setTyped} onEnd={() => typed !== value && onInput(typed)} />;
}

function Between({ filter, onChange }: Pick<Props, "filter" | "onChange">): JSX.Element {
  const utc = filter.zone === "utc";
  const field = (name: "since" | "until", label: string) => (
    <Text label={label} type="datetime-local" value={localInput(filter[name], utc)} onInput={(typed) => onChange({ [name]: timeOfInput(typed, utc) })} />
  );
  return (
    <>
      {field("since", "From")}
      {field("until", "Before")}
      <Choice label="These are in" value={filter.zone} onChange={(zone) => onChange({ zone })} options={zones} />
    </>
  );
}

/// The fields of `names`; `period` shows those of its times, too.
export function FilterFields({ filter, names, onChange, period: title = "Accepted in" }: Props): JSX.Element {
  const has = (name: FilterName) => names.includes(name);
  const wrongStatus = filter.response_status !== "" && !isResponseStatus(filter.response_status);
  return (
    <>
      {has("webhook") && <WebhookChoice label="Webhook" none="any" value={filter.webhook} onChange={(webhook) => onChange({ webhook })} />}
      {has("status") && (
        <Choice label="Status" value={filter.status} onChange={(status) => onChange({ status })} options={[["", "any"], ...statuses.map((each) => [each, each.replace("_", " ")] as const)]} />
      )}
      {has("id") && <Typed label="Event id" value={filter.id} onInput={(id) => onChange({ id })} hint="exactly" />}
      {has("type") && <Typed label="Event type" value={filter.type} onInput={(type) => onChange({ type })} hint="exactly, as in build.finished" />}
      {has("source") && <Typed label="Source" value={filter.source} onInput={(source) => onChange({ source })} hint="exactly, as in pipeline/main-app" />}
      {has("error") && <Choice label="Error of the last attempt" value={filter.error} onChange={(error) => onChange({ error })} options={[["", "any"], ...errorCodes.map((code) => [code, code] as const)]} />}
      {has("response_status") && (
        <Typed
          label="HTTP status"
          value={filter.response_status}
          onInput={(response_status) => onChange({ response_status })}
          hint="as in 503, or 5xx"
          error={wrongStatus ? "Not used yet: enter three digits, or one of 1xx to 5xx." : undefined}
        />
      )}
      {has("period") && <Choice label={title} value={filter.period} onChange={(period) => onChange({ period, since: "", until: "" })} options={periods} />}
      {has("text") && <Typed label="Text" value={filter.text} onInput={(text) => onChange({ text })} hint="anywhere in what was stored" />}
      {has("organization") && <Typed label="Of the organization" value={filter.organization} onInput={(organization) => onChange({ organization })} hint="Empty: your own." />}
      {has("period") && filter.period === "between" && <Between filter={filter} onChange={onChange} />}
    </>
  );
}
