// A webhook as the form has it: texts, until it is sent. And what of it the API is told.

import { lines } from "./format";
import { Unreadable } from "./problems";
import type { Dialect, Webhook } from "./types";

export interface Pair {
  name: string;
  value: string;
}

export interface Draft {
  dialect: Dialect;
  url: string;
  description: string;
  sources: string;
  events: string;
  branches: string;
  teams: string;
  clusters: string;
  data: string; // A condition on the event's data, as JSON.
  headers: Pair[];
  secret: string;
  verify: boolean;
  ca: string;
  schedule: string;
  timeout: string;
  concurrency: string;
  rate: string;
  organization: string; // Of a new one: empty is the token's.
  enabled: boolean;
  settings: Settings;
}

/// What the dialects have beside all this; each uses its own.
export interface Settings {
  signature: string; // standard
  groups: string; // bitrise: all, some or types
  build: boolean;
  pipeline: boolean;
  scope: string; // buildkite
  scopeIds: string;
  tokenMode: string;
  mode: string; // cloudevents
  handshake: boolean;
  host: string; // git-status; targetUrl is Devopness' as well
  repository: string;
  commit: string;
  context: string;
  statusText: string;
  direction: string; // devopness
  subject: string;
  pipelineId: string;
  resourceType: string;
  resourceId: string;
  actionType: string;
  targetUrl: string;
  requestHeaders: Pair[];
  requestBody: string;
  hookEvents: string[];
  conditions: string;
  requiresSecret: boolean;
  secretHeader: string;
  active: boolean;
  rest: string; // Members that have no field here, as JSON.
}

const text = (value: unknown): string => (value === null || value === undefined ? "" : String(value));
const json = (value: unknown): string => JSON.stringify(value, null, 2);
const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

function settingsOf(webhook: Webhook): Settings {
  const given = webhook.settings;
  const groups = list(given["events"]);
  const trigger = (given["trigger_when"] ?? {}) as { events?: string[]; conditions?: unknown[] };
  return {
    signature: text(given["signature"]) || "v1",
    groups: groups.includes("all") ? "all" : groups.length > 0 ? "some" : "types",
    build: groups.includes("build"),
    pipeline: groups.includes("pipeline"),
    scope: text(given["scope"]) || "all",
    scopeIds: list(given["scope_uuids"]).join("\n"),
    tokenMode: text(given["token_mode"]) || "token",
    mode: text(given["mode"]) || "structured",
    handshake: given["handshake"] !== false,
    host: text(given["host"]) || "github",
    repository: text(given["repository"]),
    commit: text(given["commit"]),
    context: text(given["context"]),
    statusText: text(given["description"]),
    direction: text(given["type"]) || "out",
    subject: given["pipeline_id"] ? "pipeline" : given["resource_id"] ? "resource" : "any",
    pipelineId: text(given["pipeline_id"]),
    resourceType: text(given["resource_type"]),
    resourceId: given["resource_id"] ? text(given["resource_id"]) : "",
    actionType: text(given["action_type"]),
    targetUrl: text(given["target_url"]),
    requestHeaders: ((given["request_headers"] ?? []) as Pair[]).map(({ name, value }) => ({ name, value })),
    requestBody: given["request_body"] == null ? "" : typeof given["request_body"] === "string" ? given["request_body"] : json(given["request_body"]),
    hookEvents: trigger.events ?? [],
    conditions: trigger.conditions && trigger.conditions.length > 0 ? json(trigger.conditions) : "",
    requiresSecret: given["requires_secret"] === true,
    secretHeader: text(given["secret_header_name"]) || "X-Hub-Signature-256",
    active: given["active"] !== false,
    rest: given["variables"] ? json({ variables: given["variables"] }) : "",
  };
}

export function draftOf(webhook: Webhook): Draft {
  return {
    dialect: webhook.dialect,
    url: webhook.url,
    description: webhook.description,
    sources: webhook.sources.join("\n"),
    events: webhook.events.join("\n"),
    branches: webhook.filter.branches,
    teams: webhook.filter.teams.join("\n"),
    clusters: webhook.filter.clusters.join("\n"),
    data: webhook.filter.data === null ? "" : json(webhook.filter.data),
    headers: Object.entries(webhook.headers).map(([name, value]) => ({ name, value })),
    secret: "",
    verify: webhook.tls.verify,
    ca: webhook.tls.ca,
    schedule: webhook.schedule.join(" "),
    timeout: text(webhook.timeout_ms),
    concurrency: text(webhook.concurrency_max),
    rate: text(webhook.rate_per_second),
    organization: "",
    enabled: true,
    settings: settingsOf(webhook),
  };
}

/// Empty fields are left to the dialect's defaults.
export function emptyDraft(dialect: Dialect): Draft {
  const nothing = { settings: {}, filter: { branches: "", teams: [], clusters: [], data: null }, sources: [], events: [], headers: {} };
  const webhook = { ...nothing, dialect, url: "", description: "", schedule: [], tls: { verify: true, ca: "" } } as unknown as Webhook;
  return { ...draftOf(webhook), settings: { ...settingsOf(webhook), groups: "all", hookEvents: ["action.completed", "action.failed"] } };
}

function parsed(member: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new Unreadable(member, `This is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

function number(member: string, value: string): number | null {
  if (value.trim() === "") return null;
  const read = Number(value);
  if (!Number.isInteger(read)) throw new Unreadable(member, "This must be a whole number.");
  return read;
}

function schedule(value: string): number[] | null {
  const words = value.split(/[\s,]+/).filter((word) => word !== "");
  return words.map((word) => number("schedule", word)!);
}

function required<Value>(member: string, value: Value | null, missing: string): Value {
  if (value === null || value === "") throw new Unreadable(member, missing);
  return value;
}

/// What a Devopness hook belongs to: what it does not belong to is null.
function subjectOf(s: Settings): Record<string, unknown> {
  const none = { pipeline_id: null, resource_type: null, resource_id: null };
  if (s.subject === "pipeline") {
    return { ...none, pipeline_id: required("settings.pipeline_id", number("settings.pipeline_id", s.pipelineId), "Enter the pipeline's id.") };
  }
  if (s.subject === "resource") {
    return {
      ...none,
      resource_type: required("settings.resource_type", s.resourceType, "Choose the resource's type."),
      resource_id: required("settings.resource_id", number("settings.resource_id", s.resourceId), "Enter the resource's id."),
    };
  }
  return none;
}

/// Whether calls must be signed, and where the signature is.
function signing({ requiresSecret, secretHeader }: Settings): Record<string, unknown> {
  if (!requiresSecret) return { requires_secret: false };
  return { requires_secret: true, secret_algorithm: "sha256", secret_header_name: secretHeader.trim() };
}

function devopnessSettings(s: Settings): Record<string, unknown> {
  const outgoing = {
    target_url: s.targetUrl.trim() === "" ? null : s.targetUrl,
    request_headers: s.requestHeaders.filter(({ name }) => name !== ""),
    request_body: s.requestBody === "" ? null : parsed("settings.request_body", s.requestBody),
  };
  return {
    type: s.direction,
    ...subjectOf(s),
    action_type: s.actionType === "" ? null : s.actionType,
    ...(s.direction === "out" ? outgoing : { active: s.active, ...signing(s) }),
    trigger_when: { events: s.direction === "out" ? s.hookEvents : [], conditions: s.conditions === "" ? [] : parsed("settings.trigger_when.conditions", s.conditions) },
    ...(s.rest === "" ? {} : (parsed("settings", s.rest) as object)),
  };
}

function statusSettings(s: Settings): Record<string, unknown> {
  const texts = { repository: s.repository, commit: s.commit, context: s.context, description: s.statusText, target_url: s.targetUrl };
  return { host: s.host, ...Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, value.trim() === "" ? null : value])) };
}

function settingsBody(draft: Draft): Record<string, unknown> | null {
  const s = draft.settings;
  switch (draft.dialect) {
    case "standard": return { signature: s.signature };
    case "bitrise":
      if (s.groups === "types") return null;
      return { events: s.groups === "all" ? ["all"] : [...(s.build ? ["build"] : []), ...(s.pipeline ? ["pipeline"] : [])] };
    case "buildkite": return { scope: s.scope, scope_uuids: s.scope === "all" ? [] : lines(s.scopeIds), token_mode: s.tokenMode };
    case "cloudevents": return { mode: s.mode, handshake: s.handshake };
    case "git-status": return statusSettings(s);
    case "devopness": return devopnessSettings(s);
  }
}

/// Whether the dialect's own fields say which events it gets, so that the general field does not.
export function choosesEvents(draft: Draft): boolean {
  return draft.dialect === "bitrise" && draft.settings.groups !== "types";
}

/// Sends nothing: it is called.
export function isCalled(draft: Draft): boolean {
  return draft.dialect === "devopness" && draft.settings.direction === "in";
}

const nowhere = "https://incoming.invalid/"; // The URL of what sends nothing.

/// @returns every member, null for one that is left to its default. @throws Unreadable
function bodyOf(draft: Draft): Record<string, unknown> {
  return {
    url: isCalled(draft) ? nowhere : draft.url,
    description: draft.description,
    sources: lines(draft.sources).length > 0 ? lines(draft.sources) : null,
    events: choosesEvents(draft) || lines(draft.events).length === 0 ? null : lines(draft.events),
    filter: {
      branches: draft.branches,
      teams: lines(draft.teams),
      clusters: lines(draft.clusters),
      data: draft.data.trim() === "" ? null : parsed("filter.data", draft.data),
    },
    headers: Object.fromEntries(draft.headers.filter(({ name }) => name !== "").map(({ name, value }) => [name, value])),
    tls: { verify: draft.verify, ca: draft.ca },
    schedule: schedule(draft.schedule),
    timeout_ms: number("timeout_ms", draft.timeout),
    concurrency_max: number("concurrency_max", draft.concurrency),
    rate_per_second: number("rate_per_second", draft.rate),
    settings: settingsBody(draft),
  };
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/// What a create request says. @throws Unreadable
export function creation(draft: Draft): Record<string, unknown> {
  const empty = bodyOf(emptyDraft(draft.dialect));
  const said = Object.entries(bodyOf(draft)).filter(([name, value]) => value !== null && (name === "url" || name === "settings" || !same(value, empty[name])));
  return {
    dialect: draft.dialect,
    ...Object.fromEntries(said),
    ...(draft.secret !== "" ? { secret: draft.secret } : {}),
    ...(draft.organization !== "" ? { organization: draft.organization } : {}),
    ...(draft.enabled ? {} : { enabled: false }),
  };
}

type Members = Record<string, unknown>;

/// The members that are other than before, as a merge patch; what is gone is null.
function changes(old: Members, fresh: Members): Members {
  const changed = Object.entries(fresh).filter(([name, value]) => !same(value, old[name]));
  const gone = Object.keys(old).filter((name) => !(name in fresh));
  return Object.fromEntries([...changed, ...gone.map((name) => [name, null])]);
}

/// The relay takes a target of null for one that is absent, and refuses sources that are not the hook's own.
function devopnessChanges(draft: Draft, changed: Members): Members {
  const settings = { ...(changed["settings"] as Members) };
  if (settings["target_url"] === null) settings["target_url"] = draft.url;
  const { subject, pipelineId, resourceType, resourceId } = draft.settings;
  const moved = ["pipeline_id", "resource_type", "resource_id"].some((name) => name in settings);
  if (!moved || subject === "any" || "sources" in changed) return { settings };
  const source = subject === "pipeline" ? `pipeline/${Number(pipelineId)}` : `resource/${resourceType}/${Number(resourceId)}`;
  return { settings, sources: [source] };
}

/// What changed, as a merge patch. @throws Unreadable
export function patch(before: Draft, draft: Draft): Members {
  const [old, fresh] = [bodyOf(before), bodyOf(draft)];
  const changed = changes(old, fresh);
  for (const name of ["headers", "settings"]) {
    if (changed[name]) changed[name] = changes((old[name] ?? {}) as Members, fresh[name] as Members);
  }
  if (changed["events"] === null && choosesEvents(draft)) delete changed["events"];
  if (changed["settings"] === null) delete changed["settings"];
  return changed["settings"] && draft.dialect === "devopness" ? { ...changed, ...devopnessChanges(draft, changed) } : changed;
}
