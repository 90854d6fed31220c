import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { call, callText, path } from "../api";
import { difference, shortened } from "../difference";
import { adviceOn } from "../errors";
import { asCurl, isJsonObject, layOut, memberText, milliseconds } from "../format";
import { useAction, useEvery, useLoaded } from "../loading";
import { WebhookLink, useWebhooks } from "../named";
import { Button, Choice, Copy, Empty, Facts, Heading, Loading, Notice, Problem, StatusMark, Text, Time } from "../parts";
import { errorAt } from "../problems";
import { Link, go, oneOf, to, usePlace, withQuery } from "../router";
import { useMay } from "../session";
import { schemeOf, verify } from "../signature";
import type { Verdict } from "../signature";
import { holdUp } from "../trouble";
import type { Attempt, Delivery, Message, StoredEvent, Timings, Webhook } from "../types";

const whoHasToLook: Record<string, string> = {
  endpoint: "The receiver has to be mended, or the webhook's URL, CA or secret.",
  operator: "The operator of this relay has to look: its configuration or its name servers.",
  disk: "The operator of this relay has to look at its disk.",
  self: "The relay stopped or was short of something; nothing has to be done if a later attempt succeeds.",
  producer: "The event does not fit this webhook.",
};

function Failure({ attempt }: { attempt: Attempt }): JSX.Element | null {
  if (attempt.error === null) return null;
  const advice = adviceOn(attempt.error.code);
  return (
    <Notice kind="warn">
      <p>
        <strong>{attempt.error.detail}</strong> <span class="quiet">({attempt.error.code})</span>
      </p>
      {advice && (
        <p>
          {advice.means} {advice.todo !== "" && `What to do: ${advice.todo}`}
        </p>
      )}
      <p>{whoHasToLook[attempt.error.side] ?? ""}</p>
      {attempt.error.received && (
        <>
          <p>The receiver sent this, which is not an answer:</p>
          <pre tabIndex={0}>{attempt.error.received}</pre>
        </>
      )}
    </Notice>
  );
}

// --- the attempts --------------------------------------------------------------------------------

function Attempts({ attempts, chosen, onChoose }: { attempts: Attempt[]; chosen: number; onChoose: (index: number) => void }): JSX.Element {
  const longest = Math.max(1, ...attempts.map((attempt) => attempt.duration_ms ?? 0));
  return (
    <ol class="attempts">
      {attempts.map((attempt, index) => {
        const failed = attempt.error !== null;
        const end = failed ? attempt.error!.detail : attempt.response ? `answered ${attempt.response.status}` : "under way";
        return (
          <li key={index}>
            <button type="button" aria-pressed={index === chosen} onClick={() => onChoose(index)}>
              <span class={`mark ${failed ? "warn" : attempt.response ? "good" : "waits"}`} aria-hidden="true">
                {failed ? "▲" : attempt.response ? "✓" : "◷"}
              </span>
              <span>
                Attempt {attempt.number ?? "?"} · <Time at={attempt.started_at} /> · {end}
              </span>
              <span class="bar" aria-hidden="true">
                <span class={failed ? "failed" : "done"} style={{ width: `${((attempt.duration_ms ?? 0) / longest) * 100}%` }} />
              </span>
              <span class="number">{milliseconds(attempt.duration_ms)}</span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}

// --- where the time went -------------------------------------------------------------------------

const steps: (readonly [keyof Timings, string, string])[] = [
  ["name_ms", "name", "Name"],
  ["connect_ms", "connect", "Connect"],
  ["tls_ms", "handshake", "TLS"],
  ["first_byte_ms", "wait", "First byte"],
];

/// A bar of the steps, and over which connection the attempt went.
function Course({ attempt }: { attempt: Attempt }): JSX.Element | null {
  const { timings, connection, tls } = attempt;
  const parts = steps.flatMap(([member, kind, title]) => {
    const taken = timings?.[member] ?? null;
    return taken === null ? [] : [{ kind, title, taken }];
  });
  const known = parts.reduce((sum, part) => sum + part.taken, 0);
  const whole = Math.max(known, attempt.duration_ms ?? 0, 0.001);
  const over = [
    connection && `${connection.address}, ${connection.reused ? "connection reused" : "new connection"}`,
    tls && `${tls.version}, ${tls.cipher}${tls.group ? `, ${tls.group}` : ""}${tls.resumed ? ", resumed" : ""}`,
  ].filter(Boolean);
  if (over.length === 0 && parts.length === 0) return null;
  return (
    <figure class="course">
      {parts.length > 0 && (
        <>
          <div class="parts" aria-hidden="true">
            {parts.map(({ kind, taken }) => (
              <span key={kind} class={kind} style={{ width: `${(taken / whole) * 100}%` }} />
            ))}
          </div>
          <figcaption>
            {parts.map(({ kind, title, taken }) => (
              <span key={kind} class={`key ${kind}`}>
                {title} <strong>{milliseconds(Math.round(taken * 10) / 10)}</strong>
              </span>
            ))}
            <span>
              Whole <strong>{milliseconds(attempt.duration_ms)}</strong>
            </span>
          </figcaption>
        </>
      )}
      <p class="quiet break">{over.join("; ")}</p>
    </figure>
  );
}

// --- one message ---------------------------------------------------------------------------------

/// A file of a body, as it was recorded.
function Save({ of, attempt, children }: { of: string; attempt?: number | null; children: string }): JSX.Element {
  const { path: parts } = usePlace();
  return (
    <a class="button" download href={path(["deliveries", parts[1]!, "body"], { of, attempt })}>
      {children}
    </a>
  );
}

function Body({ message }: { message: Message }): JSX.Element {
  const [raw, setRaw] = useState(false);
  if (message.body === null) return <p class="quiet">The body is too large to be shown with this many attempts.</p>;
  if (message.body === "") return <p class="quiet">No body.</p>;
  const { text, note } = layOut(message.body);
  return (
    <>
      {text !== message.body && (
        <div class="actions" role="group" aria-label="How the body is shown">
          <button type="button" aria-pressed={!raw} onClick={() => setRaw(false)}>
            Pretty
          </button>
          <button type="button" aria-pressed={raw} onClick={() => setRaw(true)}>
            Raw
          </button>
        </div>
      )}
      <pre tabIndex={0} aria-label="Body">
        {raw ? message.body : text}
      </pre>
      {note && <p class="quiet">{note}</p>}
      {message.truncated && <p class="quiet">Only the beginning of the body was stored.</p>}
    </>
  );
}

function Headers({ headers }: { headers: Record<string, string> }): JSX.Element {
  return (
    <pre tabIndex={0} aria-label="Headers" class="headers">
      {Object.entries(headers).map(([name, value]) => (
        <div key={name}>
          <strong>{name}:</strong> {value}
        </div>
      ))}
    </pre>
  );
}

function Request({ attempt }: { attempt: Attempt }): JSX.Element {
  const { request } = attempt;
  if (request === null) return <Empty>No request was sent: the attempt ended before.</Empty>;
  return (
    <>
      <p class="code break">
        {request.method} {request.url}
      </p>
      <Headers headers={request.headers} />
      <Body message={request} />
      <div class="actions">
        <Copy text={asCurl(request)} label="Copy as curl" />
        <Save of="request" attempt={attempt.number}>
          Save the body
        </Save>
      </div>
      {schemeOf(request) && <SignatureCheck key={attempt.number} request={request} />}
    </>
  );
}

/// Whether the request was signed with a secret that is typed here, and stays here.
function SignatureCheck({ request }: { request: Message }): JSX.Element {
  const [secret, setSecret] = useState("");
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const action = useAction();
  const type = (typed: string) => {
    setSecret(typed);
    setVerdict(null);
  };
  const check = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => setVerdict(await verify(request, secret.trim())));
  };
  return (
    <details>
      <summary>Check the signature</summary>
      <form onSubmit={check} class="narrow">
        <Text label="Secret" type="password" code required value={secret} onInput={type} hint="Checked in this browser: the secret is sent nowhere and kept nowhere." />
        <Problem problem={action.problem} />
        <Button submit busy={action.busy}>
          Check
        </Button>
        {verdict && <Notice kind={verdict.fits === null ? "" : verdict.fits ? "good" : "bad"}>{verdict.text}</Notice>}
      </form>
    </details>
  );
}

function Response({ attempt }: { attempt: Attempt }): JSX.Element {
  const { response } = attempt;
  if (response === null) return <Empty>There was no answer.</Empty>;
  return (
    <>
      <p>
        Status <strong>{response.status}</strong>
        {response.note && ` (${response.note})`}
      </p>
      <Headers headers={response.headers} />
      <Body message={response} />
      <div class="actions">
        <Save of="response" attempt={attempt.number}>
          Save the body
        </Save>
      </div>
    </>
  );
}

// --- the difference between two of them ----------------------------------------------------------

function messageText(first: string, message: Message | null): string {
  if (message === null) return `${first}none`;
  const headers = Object.entries(message.headers).map(([name, value]) => `${name}: ${value}`);
  return [first, ...headers, "", layOut(message.body ?? "(too large to be shown)").text].join("\n");
}

function attemptText({ request, response, error, duration_ms }: Attempt): string {
  return [
    `result: ${error?.detail ?? (response === null ? "under way" : `answered ${response.status}`)}`,
    `duration: ${milliseconds(duration_ms)}`,
    "",
    messageText(request === null ? "request: " : `request: ${request.method} ${request.url}`, request),
    "",
    messageText(response === null ? "response: " : `response: status ${response.status}`, response),
  ].join("\n");
}

const signs = { same: " ", gone: "−", new: "+" };
const spoken = { same: "", gone: "only before: ", new: "only after: " };

function Differences({ attempts, chosen }: { attempts: Attempt[]; chosen: number }): JSX.Element {
  const place = usePlace();
  const asked = Number(place.query.get("with") ?? NaN) - 1;
  const usual = chosen === 0 ? 1 : chosen - 1;
  const other = asked !== chosen && attempts[asked] !== undefined ? asked : usual;
  const [before, after] = [Math.min(chosen, other), Math.max(chosen, other)];
  const lines = difference(attemptText(attempts[before]!), attemptText(attempts[after]!));
  const options = attempts.flatMap((_, index) => (index === chosen ? [] : [[String(index + 1), `attempt ${index + 1}`] as const]));
  return (
    <>
      <div class="narrow">
        <Choice label={`Compare attempt ${chosen + 1} with`} value={String(other + 1)} onChange={(number) => go(withQuery(place, { with: number }), true)} options={options} />
      </div>
      <p class="quiet">
        Lines with − are of attempt {before + 1} alone, lines with + of attempt {after + 1}.
      </p>
      <pre tabIndex={0} aria-label="Differences" class="differences">
        {shortened(lines).map((line, index) =>
          line === null ? (
            <div key={index} class="quiet">
              …
            </div>
          ) : (
            <div key={index} class={line.kind}>
              <span aria-hidden="true">{signs[line.kind]} </span>
              <span class="unseen">{spoken[line.kind]}</span>
              {line.text}
            </div>
          ),
        )}
      </pre>
    </>
  );
}

const tabs = ["request", "response", "difference"] as const;
type Tab = (typeof tabs)[number];

interface MessagesProps {
  attempts: Attempt[];
  chosen: number;
  tab: Tab;
  onTab: (tab: Tab) => void;
}

/// Arrow keys move between the tabs, as in every list of tabs.
function Messages({ attempts, chosen, tab, onTab }: MessagesProps): JSX.Element {
  const id = useId();
  const attempt = attempts[chosen]!;
  const offered = attempts.length > 1 ? tabs : tabs.slice(0, 2);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (step === 0) return;
    const next = offered[(offered.indexOf(tab) + step + offered.length) % offered.length]!;
    onTab(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label="What was sent and received" onKeyDown={onKeyDown}>
        {offered.map((each) => (
          <button
            key={each}
            type="button"
            role="tab"
            id={`${id}-${each}`}
            aria-selected={each === tab}
            aria-controls={`${id}-panel`}
            tabIndex={each === tab ? 0 : -1}
            onClick={() => onTab(each)}
          >
            {each.toUpperCase()}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tab}`}>
        {tab === "request" && <Request attempt={attempt} />}
        {tab === "response" && <Response attempt={attempt} />}
        {tab === "difference" && <Differences attempts={attempts} chosen={chosen} />}
      </div>
    </>
  );
}

// --- sending it again ----------------------------------------------------------------------------

/// The data that a delivery sent, as far as its request shows it. Of a Devopness hook the request is made from a template.
function sentData(delivery: Delivery, webhook: Webhook | undefined): string | undefined {
  if (webhook === undefined || webhook.dialect === "devopness") return undefined;
  const request = [...delivery.attempts].reverse().find((attempt) => attempt.request?.body && !attempt.request.truncated)?.request;
  if (!request?.body || !isJsonObject(request.body)) return undefined;
  const enveloped = webhook.dialect === "cloudevents" && Object.values(request.headers).some((value) => value.startsWith("application/cloudevents+json"));
  return enveloped ? memberText(request.body, "data") : request.body;
}

/// @param text  null: it cannot be edited.
interface Editable {
  text: string | null;
  note: string;
}

/// A delivery that was sent again may have sent other data than its event has.
async function dataToEdit(delivery: Delivery, webhook: Webhook | undefined, signal: AbortSignal): Promise<Editable> {
  const again = delivery.redelivery_of !== null;
  const sent = again ? sentData(delivery, webhook) : undefined;
  if (sent !== undefined && isJsonObject(sent)) return { text: sent, note: "This is what this delivery sent." };
  const stored = await callText("GET", path(["events", delivery.event.id], { source: delivery.event.source }), { signal });
  const event = JSON.parse(stored) as StoredEvent;
  const none = event.data === null || event.data === undefined;
  const own = none && event.data_base64 === undefined ? "{}" : (memberText(stored, "data") ?? "");
  const note = again ? "This is the stored event's data: if this delivery sent other data, that cannot be opened here." : "";
  return { text: isJsonObject(own) ? own : null, note };
}

interface EditedProps {
  delivery: Delivery;
  webhook: Webhook | undefined;
  onSent: (made: Delivery) => void;
  onUneditable: () => void;
}

/// The data, to be changed for one delivery; sent as it was typed.
function EditedData({ delivery, webhook, onSent, onUneditable }: EditedProps): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  const action = useAction();
  const { id } = delivery;
  const { value, problem } = useLoaded(async (signal) => {
    const editable = await dataToEdit(delivery, webhook, signal);
    if (signal.aborted) return editable;
    if (editable.text === null) onUneditable();
    else setText((typed) => typed ?? layOut(editable.text!).text);
    return editable;
  }, [id]);
  const send = (submitted: SubmitEvent) => {
    submitted.preventDefault();
    action.run(async () => onSent(await call("POST", path(["deliveries", id, "redeliver"]), { text: `{"data": ${text}}` })));
  };
  if (text === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <form onSubmit={send} class="narrow">
      <Text label="Data of the event, for this delivery alone" rows={12} code value={text} onInput={setText} hint={`A JSON object. The stored event stays as it is. ${value?.note ?? ""}`} error={errorAt(action.problem, "data")} />
      {errorAt(action.problem, "data") === undefined && <Problem problem={action.problem} />}
      <Button submit kind="main" busy={action.busy}>
        Redeliver as edited
      </Button>
    </form>
  );
}

function Redeliver({ delivery, webhook }: { delivery: Delivery; webhook: Webhook | undefined }): JSX.Element {
  const [editing, setEditing] = useState(false);
  const [uneditable, setUneditable] = useState(false);
  const action = useAction();
  const show = (made: Delivery) => go(to("deliveries", made.id));
  const redeliver = () => action.run(async () => show(await call("POST", path(["deliveries", delivery.id, "redeliver"]))));
  return (
    <>
      <div class="actions">
        <Button kind="main" onClick={redeliver} busy={action.busy}>
          Redeliver
        </Button>
        {!uneditable && <Button onClick={() => setEditing(!editing)}>{editing ? "Do not edit" : "Edit and redeliver"}</Button>}
      </div>
      <Problem problem={action.problem} />
      {uneditable && <Notice>The data of this event is not a JSON object, so it cannot be edited here. "Redeliver" sends it as it is.</Notice>}
      {editing && !uneditable && <EditedData delivery={delivery} webhook={webhook} onSent={show} onUneditable={() => setUneditable(true)} />}
    </>
  );
}

// --- the page ------------------------------------------------------------------------------------

/// What became of it, and why, in a sentence.
function Outcome({ delivery }: { delivery: Delivery }): JSX.Element {
  const { status, attempts, next_attempt_at } = delivery;
  const many = attempts.length === 1 ? "one attempt" : `${attempts.length} attempts`;
  const why = attempts.at(-1)?.error?.detail;
  switch (status) {
    case "delivered": return <p>Delivered{attempts.length > 1 && `; it took ${many}`}.</p>;
    case "dead": return <p>Given up after {many}{why && `: ${why}`}. It is not sent again by itself.</p>;
    case "in_flight": return <p>An attempt is under way.</p>;
    case "cancelled": return <p>{attempts.length === 0 ? "It was not sent: its webhook sends nothing, or was disabled or deleted before." : `Cancelled after ${many}: its webhook was disabled or deleted.`}</p>;
    case "pending":
      return (
        <p>
          {attempts.length === 0 ? "It waits for its first attempt" : `Not delivered yet after ${many}${why ? `: ${why}` : ""}`}
          {next_attempt_at !== null && (
            <>
              ; the next is made <Time at={next_attempt_at} />
            </>
          )}
          .
        </p>
      );
  }
}

function Attempted({ delivery }: { delivery: Delivery }): JSX.Element {
  const place = usePlace();
  const last = delivery.attempts.length - 1;
  const asked = Number(place.query.get("attempt") ?? NaN) - 1;
  const chosen = Number.isInteger(asked) && asked >= 0 && asked <= last ? asked : last;
  const attempt = delivery.attempts[chosen];
  const wanted = oneOf(place.query, "tab", tabs) as Tab | "";
  const tab = wanted === "" || (wanted === "difference" && last === 0) ? "request" : wanted;
  const change = (values: Record<string, string>) => go(withQuery(place, values), true);
  if (attempt === undefined) return <Empty>There was no attempt yet.</Empty>;
  return (
    <>
      <Attempts attempts={delivery.attempts} chosen={chosen} onChoose={(index) => change({ attempt: String(index + 1) })} />
      <Failure attempt={attempt} />
      <Course attempt={attempt} />
      <Messages attempts={delivery.attempts} chosen={chosen} tab={tab} onTab={(next) => change({ tab: next })} />
    </>
  );
}

export function DeliveryPage({ id }: { id: string }): JSX.Element {
  const may = useMay();
  const { value: delivery, problem, reload } = useLoaded<Delivery>((signal) => call("GET", path(["deliveries", id]), { signal }), [id]);
  const open = delivery?.status === "pending" || delivery?.status === "in_flight";
  useEvery(2000, () => {
    if (open) reload();
  });
  const webhooks = useWebhooks([delivery?.webhook ?? null], delivery?.attempt_count);
  if (delivery === null) {
    return (
      <>
        <Heading title="Delivery" />
        {problem ? <Problem problem={problem} /> : <Loading />}
      </>
    );
  }
  const webhook = webhooks?.get(delivery.webhook ?? "");
  const held = webhook !== undefined && delivery.status === "pending" ? holdUp(webhook) : "";
  return (
    <>
      <Heading title={`Delivery of ${delivery.event.type || "an event"}`} />
      <Outcome delivery={delivery} />
      {may("deliveries:redeliver") && <Redeliver delivery={delivery} webhook={webhook} />}
      <Problem problem={problem} />
      <Facts
        facts={[
          ["Status", <StatusMark status={delivery.status} failing={delivery.attempts.at(-1)?.error != null} />],
          ["Webhook", <WebhookLink id={delivery.webhook} webhooks={webhooks} />],
          ["Event", <Link href={`${to("events")}?${new URLSearchParams({ id: delivery.event.id, source: delivery.event.source })}`}>{delivery.event.id || "–"}</Link>],
          ["Source", <span class="break">{delivery.event.source}</span>],
          ["Accepted", <Time at={delivery.created_at} />],
          ["Next attempt", <Time at={delivery.next_attempt_at} />],
          ...(held === "" ? [] : [["Waits", held] as [string, string]]),
          ["Sent again from", delivery.redelivery_of === null ? "–" : <Link href={to("deliveries", delivery.redelivery_of)}>{delivery.redelivery_of}</Link>],
          ["Id", <code>{delivery.id}</code>],
        ]}
      />
      <div class="actions">
        <Save of="event">Save the event's data</Save>
      </div>
      <Attempted delivery={delivery} />
    </>
  );
}
