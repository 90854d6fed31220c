import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, path } from "../api";
import { branchMatches } from "../branches";
import { choosesEvents, creation, draftOf, emptyDraft, isCalled, patch } from "../draft";
import type { Draft, Pair, Settings } from "../draft";
import { HowToCall } from "../incoming_hook";
import { useAction, useLoaded } from "../loading";
import { nameOf } from "../named";
import { Button, Check, Choice, Empty, Heading, Loading, Once, Problem, Table, Text, Time } from "../parts";
import { Preview } from "../preview";
import { errorAt, memberOf } from "../problems";
import { Link, go, oneOf, to, usePlace } from "../router";
import { useMay, useSession } from "../session";
import { isIncoming } from "../trouble";
import { dialects } from "../types";
import type { CutPage, Dialect, DryRunItem, Webhook } from "../types";

type ErrorAt = (...members: string[]) => string | undefined;

// --- fields --------------------------------------------------------------------------------------

interface PartProps {
  draft: Draft;
  change: (values: Partial<Draft>) => void;
  set: (values: Partial<Settings>) => void;
  at: ErrorAt;
}

function Pairs({ legend, pairs, onChange, error }: { legend: string; pairs: Pair[]; onChange: (pairs: Pair[]) => void; error: string | undefined }): JSX.Element {
  const replace = (index: number, values: Partial<Pair>) => onChange(pairs.map((pair, at) => (at === index ? { ...pair, ...values } : pair)));
  return (
    <fieldset class={error ? "wrong" : ""}>
      <legend>{legend}</legend>
      {pairs.map(({ name, value }, index) => (
        <div class="pair" key={index}>
          <input aria-label={`Name of header ${index + 1}`} class="code" value={name} placeholder="Name" onInput={(event) => replace(index, { name: event.currentTarget.value })} />
          <input aria-label={`Value of header ${index + 1}`} class="code" value={value} placeholder="Value" onInput={(event) => replace(index, { value: event.currentTarget.value })} />
          <Button onClick={() => onChange(pairs.filter((_, at) => at !== index))}>
            Remove<span class="unseen"> header {index + 1}</span>
          </Button>
        </div>
      ))}
      <Button onClick={() => onChange([...pairs, { name: "", value: "" }])}>Add a header</Button>
      {error && <div class="error">{error}</div>}
    </fieldset>
  );
}

function Section({ title, open = false, children }: { title: string; open?: boolean; children: ComponentChildren }): JSX.Element {
  return (
    <details open={open}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

const eventExamples: Record<Dialect, string> = {
  standard: "build.finished or build.*",
  bitrise: "build/triggered, build/finished or build/*",
  buildkite: "build.finished, job.* or agent.*",
  devopness: "action.*",
  cloudevents: "dev.cdevents.*",
  "git-status": "build.* or build/finished",
};
const sourceExamples: Record<Dialect, string> = {
  standard: "app/c0ffee1234abcd56 or app/*",
  bitrise: "app/c0ffee1234abcd56",
  buildkite: "pipeline/main-app",
  devopness: "pipeline/33",
  cloudevents: "pipelines/payments",
  "git-status": "app/* or pipeline/main-app",
};

/// Names of branches that are typed to see which of them the patterns want.
function BranchTest({ patterns }: { patterns: string }): JSX.Element {
  const [names, setNames] = useState("");
  const tested = names.split("\n").filter((name) => name !== "");
  return (
    <>
      <Text label="Try the patterns with names of branches" rows={3} code value={names} onInput={setNames} hint="One a line. Nothing of this is saved." />
      {tested.length > 0 && (
        <ul class="tried" aria-label="What the patterns want" aria-live="polite">
          {tested.map((name, index) => {
            const wanted = branchMatches(patterns, name);
            return (
              <li key={index}>
                <span class={`mark ${wanted ? "good" : "off"}`}>
                  <span aria-hidden="true">{wanted ? "✓" : "–"}</span> {wanted ? "sent" : "not sent"}
                </span>{" "}
                <code class="break">{name}</code>
              </li>
            );
          })}
        </ul>
      )}
      {tested.length > 0 && <p class="hint">Events without a branch are sent in any case.</p>}
    </>
  );
}

function Subscription({ draft, change, at }: PartProps): JSX.Element {
  const { dialect } = draft;
  return (
    <>
      {dialect !== "devopness" && !choosesEvents(draft) && (
        <Text label="Events" rows={3} code value={draft.events} onInput={(events) => change({ events })} error={at("events")} hint={`One a line, as in ${eventExamples[dialect]}. Empty: all.`} />
      )}
      <Text
        label="Sources"
        rows={3}
        code
        value={draft.sources}
        onInput={(sources) => change({ sources })}
        error={at("sources")}
        hint={`One a line, as in ${sourceExamples[dialect]}. Empty: all${dialect === "devopness" || dialect === "buildkite" ? ", or what the fields above say" : ""}.`}
      />
      <Section title="Only some branches, teams, clusters or data" open={at("filter") !== undefined || draft.branches + draft.teams + draft.clusters + draft.data !== ""}>
        <Text label="Branches" code value={draft.branches} onInput={(branches) => change({ branches })} error={at("filter.branches")} hint="Patterns with spaces between them: main release/* !release/old" />
        <BranchTest patterns={draft.branches} />
        <Text label="Teams" rows={2} code value={draft.teams} onInput={(teams) => change({ teams })} error={at("filter.teams")} hint="One a line." />
        <Text label="Clusters" rows={2} code value={draft.clusters} onInput={(clusters) => change({ clusters })} error={at("filter.clusters")} hint="One a line." />
        <Text
          label="What the event's data must say (JSON)"
          rows={3}
          code
          value={draft.data}
          onInput={(data) => change({ data })}
          error={at("filter.data")}
          hint={'As in {"path": "build.status", "in": ["failed", "aborted"]}; all, any and not combine conditions. Empty: anything.'}
        />
      </Section>
    </>
  );
}

// --- what a dialect has beside all this ----------------------------------------------------------

function BitriseFields({ draft: { settings }, set, at }: PartProps): JSX.Element {
  return (
    <>
      <Choice
        label="Which events should trigger this webhook?"
        value={settings.groups}
        onChange={(groups) => set({ groups })}
        options={[["all", "Everything"], ["some", "Individual events"], ["types", "Event types, listed below"]]}
        error={at("settings.events")}
      />
      {settings.groups === "some" && (
        <>
          <Check label="Build" checked={settings.build} onChange={(build) => set({ build })} />
          <Check label="Pipeline" checked={settings.pipeline} onChange={(pipeline) => set({ pipeline })} />
        </>
      )}
    </>
  );
}

function BuildkiteFields({ draft: { settings }, set, at }: PartProps): JSX.Element {
  return (
    <>
      <Choice
        label="Token"
        value={settings.tokenMode}
        onChange={(tokenMode) => set({ tokenMode })}
        options={[["token", "Send the token as X-Buildkite-Token"], ["signature", "Send an HMAC signature as X-Buildkite-Signature"]]}
        error={at("settings.token_mode")}
      />
      <Choice
        label="Pipelines"
        value={settings.scope}
        onChange={(scope) => set({ scope })}
        options={[["all", "All pipelines"], ["some_projects", "Only some pipelines"], ["some_teams", "Pipelines in teams"], ["some_clusters", "Pipelines in clusters"]]}
        error={at("settings.scope")}
      />
      {settings.scope !== "all" && <Text label="Their UUIDs" rows={3} code value={settings.scopeIds} onInput={(scopeIds) => set({ scopeIds })} error={at("settings.scope_uuids")} hint="One a line." />}
    </>
  );
}

function CloudEventsFields({ draft: { settings }, set, at }: PartProps): JSX.Element {
  return (
    <>
      <Choice
        label="Mode"
        value={settings.mode}
        onChange={(mode) => set({ mode })}
        options={[["structured", "Structured: one JSON object"], ["binary", "Binary: attributes in headers, the data as body"]]}
        error={at("settings.mode")}
      />
      <Check
        label="Ask the receiver's permission first"
        checked={settings.handshake}
        onChange={(handshake) => set({ handshake })}
        hint="The receiver must answer OPTIONS with a 2xx status and WebHook-Allowed-Origin. Many web frameworks do not."
      />
    </>
  );
}

const hookEvents = ["action.status_changed", "action.queued", "action.started", "action.completed", "action.failed"];
const actionTypes = ["check_provisioned", "configure", "delete", "deploy", "get_status", "provision", "reload", "remove", "restart", "rotate_key", "start", "stop"];
const resourceTypes = [
  "application", "credential", "cronjob", "daemon", "deployment", "network", "network-rule", "server", "service", "ssh-key", "ssl-certificate", "subnet", "virtual-host",
];
const named = (names: string[]) => names.map((each) => [each, each] as const);

function HookRequest({ draft: { settings }, set, at }: PartProps): JSX.Element {
  const toggle = (event: string, on: boolean) => set({ hookEvents: on ? [...settings.hookEvents, event] : settings.hookEvents.filter((each) => each !== event) });
  return (
    <>
      <fieldset>
        <legend>Trigger when the action</legend>
        {hookEvents.map((event) => (
          <Check key={event} label={event} checked={settings.hookEvents.includes(event)} onChange={(on) => toggle(event, on)} />
        ))}
        {at("settings.trigger_when.events", "settings.trigger_when") && <div class="error">{at("settings.trigger_when.events", "settings.trigger_when")}</div>}
      </fieldset>
      <Text label="Target URL" code value={settings.targetUrl} onInput={(targetUrl) => set({ targetUrl })} error={at("settings.target_url")} hint="A template with the scheme, host and port of the URL above. Empty: the URL itself." />
      <Pairs legend="Request headers (templates)" pairs={settings.requestHeaders} onChange={(requestHeaders) => set({ requestHeaders })} error={at("settings.request_headers")} />
      <Text
        label="Request body (a template in JSON)"
        rows={6}
        code
        value={settings.requestBody}
        onInput={(requestBody) => set({ requestBody })}
        error={at("settings.request_body")}
        hint={'As in {"text": "{{ application.name }} is {{ action.status }}"}. Empty: no body.'}
      />
    </>
  );
}

function DevopnessFields(props: PartProps & { creates: boolean }): JSX.Element {
  const { draft, set, at, creates } = props;
  const { settings } = draft;
  return (
    <>
      {creates && (
        <Choice
          label="Direction"
          value={settings.direction}
          onChange={(direction) => set({ direction })}
          options={[["out", "Outgoing: sends a request when an action changes"], ["in", "Incoming: starts a pipeline when it is called"]]}
          error={at("settings.type")}
        />
      )}
      <Choice
        label="Belongs to"
        value={settings.subject}
        onChange={(subject) => set({ subject })}
        options={[["pipeline", "a pipeline"], ["resource", "a resource"], ["any", "what the sources below say"]]}
      />
      {settings.subject === "pipeline" && <Text label="Pipeline id" value={settings.pipelineId} onInput={(pipelineId) => set({ pipelineId })} error={at("settings.pipeline_id")} />}
      {settings.subject === "resource" && (
        <>
          <Choice label="Resource type" value={settings.resourceType} onChange={(resourceType) => set({ resourceType })} options={[["", "–"], ...named(resourceTypes)]} error={at("settings.resource_type")} />
          <Text label="Resource id" value={settings.resourceId} onInput={(resourceId) => set({ resourceId })} error={at("settings.resource_id")} />
        </>
      )}
      <Choice label="Action" value={settings.actionType} onChange={(actionType) => set({ actionType })} options={[["", "any"], ...named(actionTypes)]} error={at("settings.action_type")} />
      {settings.direction === "out" ? (
        <HookRequest {...props} />
      ) : (
        <>
          <Check label="Takes calls" checked={settings.active} onChange={(active) => set({ active })} />
          <Check label="Calls must be signed with the secret" checked={settings.requiresSecret} onChange={(requiresSecret) => set({ requiresSecret })} />
          {settings.requiresSecret && (
            <Text
              label="Header of the signature"
              code
              value={settings.secretHeader}
              onInput={(secretHeader) => set({ secretHeader })}
              error={at("settings.secret_header_name", "settings.requires_secret", "settings.secret_algorithm")}
              hint="Its value is sha256= and the HMAC-SHA256 of the body in hexadecimal, as GitHub signs."
            />
          )}
          <Text label="Other settings (JSON)" rows={4} code value={settings.rest} onInput={(rest) => set({ rest })} error={at("settings.variables", "settings")} hint={'As in {"variables": […]}.'} />
        </>
      )}
      <Text
        label="Conditions (JSON)"
        rows={3}
        code
        value={settings.conditions}
        onInput={(conditions) => set({ conditions })}
        error={at("settings.trigger_when.conditions")}
        hint={'As in [{"path": "action.status", "accepted_values": ["failed"]}]. Empty: none.'}
      />
    </>
  );
}

function StatusFields({ draft: { settings }, set, at }: PartProps): JSX.Element {
  const said = "Empty: what the event says.";
  return (
    <>
      <Choice label="Git host" value={settings.host} onChange={(host) => set({ host })} options={named(["github", "gitlab", "bitbucket", "bitbucket-server", "gitea", "forgejo"])} error={at("settings.host")} />
      <Text label="Repository" code value={settings.repository} onInput={(repository) => set({ repository })} error={at("settings.repository")} hint={`Its path at the host: acme/shop. ${said}`} />
      <Text label="Commit" code value={settings.commit} onInput={(commit) => set({ commit })} error={at("settings.commit")} hint={`As in {{ build.commit }}. ${said}`} />
      <Text label="Context" code value={settings.context} onInput={(context) => set({ context })} error={at("settings.context")} hint="What tells the statuses of a commit apart, as in ci/{{ event.source }}. Empty: the event's source." />
      <Text label="Text" value={settings.statusText} onInput={(statusText) => set({ statusText })} error={at("settings.description")} hint={`As in Build {{ build.number }}. ${said}`} />
      <Text label="Link" code value={settings.targetUrl} onInput={(targetUrl) => set({ targetUrl })} error={at("settings.target_url")} hint={`As in https://ci.example.org/{{ build.number }}. ${said}`} />
    </>
  );
}

function DialectFields(props: PartProps & { creates: boolean }): JSX.Element | null {
  const { draft, set, at, creates } = props;
  switch (draft.dialect) {
    case "bitrise": return <BitriseFields {...props} />;
    case "buildkite": return <BuildkiteFields {...props} />;
    case "cloudevents": return <CloudEventsFields {...props} />;
    case "devopness": return <DevopnessFields {...props} />;
    case "git-status": return <StatusFields {...props} />;
    case "standard":
      if (!creates) return null; // Of the secret's kind, which only a rotation changes.
      return (
        <Choice
          label="Signature"
          value={draft.settings.signature}
          onChange={(signature) => set({ signature })}
          options={[["v1", "HMAC with a shared secret (v1)"], ["v1a", "Ed25519 with a public key (v1a)"]]}
          error={at("settings.signature")}
        />
      );
  }
}

// --- how requests are sent -----------------------------------------------------------------------

function Sending({ draft, change, at, creates }: PartProps & { creates: boolean }): JSX.Element {
  const wrong = at("headers", "secret", "tls", "schedule", "timeout_ms", "concurrency_max", "rate_per_second");
  const headersWrong = at("headers");
  return (
    <Section title="Headers, secret, certificate, retries, limits" open={wrong !== undefined}>
      <Pairs legend="Headers of every request" pairs={draft.headers} onChange={(headers) => change({ headers })} error={headersWrong} />
      {creates && (
        <Text label="Secret" code type="password" value={draft.secret} onInput={(secret) => change({ secret })} error={at("secret")} hint="In the dialect's form. Empty: one is generated where the dialect signs, and shown once." />
      )}
      <Check label="Verify the receiver's certificate" checked={draft.verify} onChange={(verify) => change({ verify })} hint="Without this, anybody on the way can answer in its place." />
      <Text label="CA certificates (PEM)" rows={4} code value={draft.ca} onInput={(ca) => change({ ca })} error={at("tls")} hint="Empty: those of the relay's system." />
      <Text
        label="Retries"
        code
        value={draft.schedule}
        onInput={(schedule) => change({ schedule })}
        error={at("schedule")}
        hint={creates ? "Seconds before the second and each further attempt: 5 300 1800. Empty: the dialect's own." : "Seconds before the second and each further attempt. Empty: no retries."}
      />
      <Text label="Time for an attempt, in ms" value={draft.timeout} onInput={(timeout) => change({ timeout })} error={at("timeout_ms")} hint="Empty: the dialect's own." />
      <Text label="Requests at a time" value={draft.concurrency} onInput={(concurrency) => change({ concurrency })} error={at("concurrency_max")} hint="Empty: the dialect's own." />
      <Text label="Requests a second" value={draft.rate} onInput={(rate) => change({ rate })} error={at("rate_per_second")} hint="Empty: as many as come." />
    </Section>
  );
}

// --- trying it on events of the past -------------------------------------------------------------

const triedAtOnce = 20;

function Tried({ page: { items, next_cursor } }: { page: CutPage<DryRunItem> }): JSX.Element {
  const many = items.filter(({ would_receive }) => would_receive).length;
  if (items.length === 0) return <Empty>{next_cursor === null ? "No event is recorded yet." : "No event was found so far."}</Empty>;
  return (
    <>
      <p role="status">
        <strong>
          {many} of the newest {items.length} events
        </strong>{" "}
        would be received. Nothing is stored, and nothing is sent.
      </p>
      <Table caption="Newest events" columns={["Received", "Event", "Source", "Accepted"]}>
        {items.map(({ would_receive, reason, event }) => (
          <tr key={`${event.id}\n${event.source}`}>
            <td class="wide">
              <span class={`mark ${would_receive ? "good" : "off"}`}>
                <span aria-hidden="true">{would_receive ? "✓" : "–"}</span> {would_receive ? "yes" : "no"}
              </span>
              {reason && <div class="quiet break">{reason}</div>}
            </td>
            <td class="wide">
              {event.type}
              <div class="quiet break">{event.id}</div>
            </td>
            <td class="break">{event.source}</td>
            <td>
              <Time at={event.accepted_at} />
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}

// --- the form ------------------------------------------------------------------------------------

interface FormProps {
  start: Draft;
  creates: boolean;
  action: string;
  back: string;
  onSubmit: (draft: Draft, before: Draft) => Promise<void>;
  /// What to call to try it out. @param work  "dry-run" or "preview".
  trial: (work: string, draft: Draft, before: Draft, query: Record<string, string | number>) => { path: string; body: unknown };
}

/// @param start  as it is when the form appears: what is typed is compared with that.
function Form({ start: given, creates, action: label, back, onSubmit, trial }: FormProps): JSX.Element {
  const [start] = useState(given);
  const [draft, setDraft] = useState(start);
  const [previewing, setPreviewing] = useState(false);
  const [tried, setTried] = useState<CutPage<DryRunItem> | null>(null);
  const { operator } = useSession();
  const may = useMay();
  const action = useAction();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (action.problem) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [action.problem]);
  const at: ErrorAt = (...members) => errorAt(action.problem, ...members);
  const change = (values: Partial<Draft>) => {
    setTried(null);
    setDraft((before) => ({ ...before, ...values }));
  };
  const set = (values: Partial<Settings>) => {
    setTried(null);
    setDraft((before) => ({ ...before, settings: { ...before.settings, ...values } }));
  };
  const tryOut = () =>
    action.run(async () => {
      const { path: address, body } = trial("dry-run", draft, start, { limit: triedAtOnce });
      setTried(await call("POST", address, { body }));
    });
  const part = { draft, change, set, at, creates };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(() => onSubmit(draft, start));
  };
  const incoming = isCalled(draft);
  return (
    <form ref={form} onSubmit={submit} class="narrow" noValidate>
      {creates && (
        <Choice
          label="Dialect"
          value={draft.dialect}
          onChange={(dialect) => setDraft({ ...emptyDraft(dialect as Dialect), url: draft.url, description: draft.description })}
          options={named([...dialects])}
          hint="Whose rules the requests follow."
          error={at("dialect")}
        />
      )}
      <Text label="Description" value={draft.description} onInput={(description) => change({ description })} error={at("description")} />
      {!incoming && <Text label="URL" type="url" code required value={draft.url} onInput={(url) => change({ url })} error={at("url")} hint="Where requests go: https://ci.example.org/in" />}
      <DialectFields {...part} />
      <Subscription {...part} />
      <Sending {...part} />
      {creates && operator && <Text label="Organization" value={draft.organization} onInput={(organization) => change({ organization })} error={at("organization")} hint="Empty: your own." />}
      {creates && !incoming && <Check label="Enabled" checked={draft.enabled} onChange={(enabled) => change({ enabled })} hint="It gets events as soon as it is created." />}
      <Unshown problem={action.problem} />
      <div class="actions">
        <Button submit kind="main" busy={action.busy}>
          {label}
        </Button>
        {may("deliveries:read") && !incoming && (
          <Button onClick={tryOut} busy={action.busy}>
            Try it on recorded events
          </Button>
        )}
        {may("deliveries:read") && !incoming && <Button onClick={() => setPreviewing(!previewing)}>{previewing ? "Hide the request" : "Show the request"}</Button>}
        <Link href={back} class="button">
          Cancel
        </Link>
      </div>
      {tried && <Tried page={tried} />}
      {previewing && !incoming && <Preview ask={(query) => trial("preview", draft, start, query)} />}
    </form>
  );
}

const fieldMembers = /^(organization|dialect|description|url|events|sources|filter|headers|secret|tls|schedule|timeout_ms|concurrency_max|rate_per_second|settings\.)/;

/// What went wrong, beside the button: a field that is wrong may be out of view.
function Unshown({ problem }: { problem: unknown }): JSX.Element | null {
  if (!problem) return null;
  if (fieldMembers.test(memberOf(problem))) {
    return (
      <p class="notice bad" role="alert">
        This cannot be used: {(problem as Error).message}
      </p>
    );
  }
  return <Problem problem={problem} />;
}

/// What an address asks for.
function wanted(query: URLSearchParams): Draft {
  const draft = emptyDraft((oneOf(query, "dialect", dialects) || "standard") as Dialect);
  const isHook = draft.dialect === "devopness" && query.get("direction") === "in";
  return isHook ? { ...draft, settings: { ...draft.settings, direction: "in", subject: "pipeline" } } : draft;
}

export function CreateWebhook(): JSX.Element {
  const { query } = usePlace();
  const [made, setMade] = useState<Webhook | null>(null);
  if (made !== null) {
    return (
      <>
        <Heading title="Webhook created" />
        {made.secret && (
          <Once name="Secret" text={made.secret}>
            {isIncoming(made) ? "Callers sign with it." : "Give it to the receiver, which verifies requests with it."} Copy it now: it is not shown again.
          </Once>
        )}
        {isIncoming(made) && <HowToCall hook={made} />}
        <p>
          <Link href={to("webhooks", made.id)} class="button main">
            Go to the webhook
          </Link>
        </p>
      </>
    );
  }
  const create = async (draft: Draft) => {
    const webhook = await call<Webhook>("POST", "/v1/webhooks", { body: creation(draft) });
    if (webhook.secret) setMade(webhook);
    else go(to("webhooks", webhook.id));
  };
  return (
    <>
      <Heading title="New webhook" />
      <Form start={wanted(query)} creates action="Create" back={to("webhooks")} onSubmit={create} trial={(work, draft, _, query) => ({ path: path([work], query), body: creation(draft) })} />
    </>
  );
}

export function EditWebhook({ id }: { id: string }): JSX.Element {
  const { value: webhook, problem } = useLoaded<Webhook>((signal) => call("GET", path(["webhooks", id]), { signal }), [id]);
  if (webhook === null) {
    return (
      <>
        <Heading title="Edit webhook" />
        {problem ? <Problem problem={problem} /> : <Loading />}
      </>
    );
  }
  const save = async (draft: Draft, before: Draft) => {
    const body = patch(before, draft);
    if (Object.keys(body).length > 0) await call("PATCH", path(["webhooks", id]), { body });
    go(to("webhooks", id));
  };
  return (
    <>
      <Heading title={`Edit ${nameOf(webhook)}`} />
      <Form start={draftOf(webhook)} creates={false} action="Save" back={to("webhooks", id)} onSubmit={save} trial={(work, draft, before, query) => ({ path: path(["webhooks", id, work], query), body: patch(before, draft) })} />
    </>
  );
}
