// What the native API answers (src/control/api/openapi.json), as far as the pages use it.

export type Scope =
  | "events:write"
  | "webhooks:read"
  | "webhooks:write"
  | "deliveries:read"
  | "deliveries:redeliver"
  | "metrics:read"
  | "admin";

export const scopes: readonly [Scope, string][] = [
  ["events:write", "send events"],
  ["webhooks:read", "see webhooks"],
  ["webhooks:write", "create, change and delete webhooks"],
  ["deliveries:read", "see deliveries and events"],
  ["deliveries:redeliver", "send deliveries again"],
  ["metrics:read", "read the metrics"],
  ["admin", "everything, including tokens"],
];

export interface Token {
  id: string;
  name: string;
  organization: string;
  scopes: Scope[];
  sources: string[];
  created_at: string;
  expires_at: string | null;
}

/// Somebody who signs in with a password.
export interface User {
  id: string;
  name: string;
  sign_in_name: string;
  organization: string;
  scopes: Scope[];
  sources: string[];
  enabled: boolean;
  created_at: string;
  updated_at: string;
}

export interface Session {
  token: Token;
  user: string | null; // The name; null: it was begun with a token.
  operator: boolean;
  version: string;
  id: string | null;
  expires_at: string | null;
}

/// Who is signed in, as lists have it.
export interface SessionItem {
  id: string;
  token: { id: string; name: string };
  began_at: string;
  used_at: string;
  expires_at: string;
  address: string;
}

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

export type State = "active" | "disabled" | "broken";
export const dialects = ["standard", "bitrise", "buildkite", "devopness", "cloudevents", "git-status"] as const;
export type Dialect = (typeof dialects)[number];

export interface Webhook {
  id: string;
  dialect: Dialect;
  description: string;
  organization: string;
  url: string;
  listener: boolean;
  sources: string[];
  events: string[];
  filter: { branches: string; teams: string[]; clusters: string[]; data: object | null };
  headers: Record<string, string>;
  secret?: string;
  previous_secret_until: string | null;
  tls: { verify: boolean; ca: string; client_certificate: string };
  schedule: number[];
  timeout_ms: number;
  concurrency_max: number;
  rate_per_second: number | null;
  settings: Record<string, unknown>;
  enabled: boolean;
  state: State;
  state_reason: string;
  paused_until: string | null;
  circuit: { failures: number; last_failure: string; next_attempt_at: string | null } | null;
  permission: "not_needed" | "unknown" | "granted" | "refused";
  permission_reason: string;
  warnings: string[];
  created_at: string;
  updated_at: string;
}

export const statuses = ["pending", "in_flight", "delivered", "dead", "cancelled"] as const;
export type Status = (typeof statuses)[number];

export interface AttemptError {
  code: string;
  side: string;
  detail: string;
  received?: string;
}

export interface DeliverySummary {
  id: string;
  webhook: string | null;
  event: { id: string; type: string; source: string };
  status: Status;
  status_reason: string;
  redelivery_of: string | null;
  next_attempt_at: string | null;
  created_at: string;
  attempt_count: number;
}

export interface DeliveryItem extends DeliverySummary {
  last_attempt: {
    number: number | null;
    started_at: string | null;
    duration_ms: number | null;
    error: AttemptError | null;
    response_status: number | null;
  } | null;
}

/// @param cut  there may be more than the page has: finding them took too long.
export type CutPage<Item = DeliveryItem> = Page<Item> & { cut: boolean };

export interface Message {
  headers: Record<string, string>;
  body: string | null;
  truncated?: boolean;
}

/// In milliseconds; null: the attempt had no such step.
export interface Timings {
  name_ms: number | null;
  connect_ms: number | null;
  tls_ms: number | null;
  first_byte_ms: number | null;
}

export interface Attempt {
  number: number | null;
  started_at: string | null;
  duration_ms: number | null;
  error: AttemptError | null;
  connection: { address: string; reused: boolean } | null;
  timings: Timings | null;
  tls: { version: string; cipher: string; group: string | null; resumed: boolean } | null;
  request: (Message & { method: string; url: string }) | null;
  response: (Message & { status: number; note?: string }) | null;
}

export interface Delivery extends DeliverySummary {
  attempts: Attempt[];
}

/// Deliveries of the past that are sent again. @param matched  found so far: those that are sent, and those passed over.
/// @param sample  the first of those that were sent again, or would be. @param reached  what is newer is done.
export interface Replay {
  id: string;
  state: "running" | "paused" | "done" | "cancelled" | "failed";
  state_reason: string;
  webhook: string | null;
  into: string | null;
  source: string | null;
  type: string | null;
  status: Status | null;
  error: string | null;
  response_status: string | null;
  since: string | null;
  until: string | null;
  dry_run: boolean;
  again: boolean;
  matched: number;
  sent: number;
  skipped: number;
  sample: string[];
  reached: string | null;
  created_at: string;
  updated_at: string;
}

/// An event as lists have it.
export interface EventItem {
  id: string;
  source: string;
  type: string;
  accepted_at: string;
  subject?: string;
  branch?: string;
  delivery_count: number;
}

export interface StoredEvent {
  id: string;
  source: string;
  type: string;
  accepted_at: string;
  data?: unknown;
  data_base64?: string;
  deliveries: DeliverySummary[];
  [attribute: string]: unknown;
}

export interface RelayStatus {
  version: string;
  engine: string;
  engine_reason: string | null;
  uptime_s: number;
  storage: {
    state: string;
    detail: string | null;
    store_state: string;
    store_detail: string | null;
    journal_bytes: number;
  };
  last_reload: { ok: boolean; at: string; problem: string | null; needs_restart: string[] } | null;
  last_failure: { at: string; webhook: string; delivery: string } | null;
  limits: Record<string, number>;
  backlog: number;
  oldest_undelivered_at: string | null;
  webhooks: number;
  deliveries_indexed: number;
  latency: Record<"accept" | "delivery", { p50_us: number; p99_us: number }>;
  totals: Record<string, number>;
  shards: Record<string, number>[];
}

/// Deliveries of a step of time, or of a webhook. @param failed  attempts. @param p50_ms  null: nothing was delivered.
export interface TotalsItem {
  at?: string;
  webhook?: string;
  events: number;
  delivered: number;
  failed: number;
  dead: number;
  cancelled: number;
  p50_ms: number | null;
  p99_ms: number | null;
}

export interface Totals extends Page<TotalsItem> {
  step_s: number;
  since: string;
  until: string;
  cut: boolean;
  history_since: string | null;
  indexing: boolean;
}

/// A key of the configuration as it is in force.
export interface ConfigurationKey {
  key: string;
  value: string;
  given: boolean;
  reloadable: boolean;
  waiting: boolean;
}

/// The request that a webhook would send for an event. @param problem  why there is none.
export interface Previewed {
  event: EventItem | null;
  would_receive: boolean;
  reason: string | null;
  request: (Message & { method: string; url: string }) | null;
  problem: string | null;
}

/// Whether a webhook would receive an event of the past. @param reason  why not.
export interface DryRunItem {
  would_receive: boolean;
  reason: string | null;
  event: EventItem;
}

/// A webhook at a git host, whose calls become events.
export interface GitSource {
  id: string;
  organization: string;
  host: string;
  description: string;
  app: string | null;
  url: string;
  enabled: boolean;
  previous_secret_until: string | null;
  git: GitLink | null;
  created_at: string;
  updated_at: string;
}

/// A source's repository at its host.
export interface GitLink {
  url: string;
  registration: { hook_id: string | null; registered_at: string | null; failed: boolean; result: string; result_at: string | null };
  gaps: { search: "on" | "off" | "not_offered"; searched_at: string | null; problem: string | null; not_searched: string | null; missing: number; given_up: number };
}

/// What a host sent and what did not come.
export interface GitGap {
  delivery: string;
  event: string;
  sent_at: string | null;
  status: number | null;
  state: "open" | "asked" | "filled" | "given_up" | "too_old";
  asked: number;
  detail: string | null;
}

export interface AuditEntry {
  id: string;
  at: string;
  organization: string;
  token: { id: string; name: string; organization: string };
  operation: string;
  object: string;
  members: string[];
  peer: string;
  status: number;
}
