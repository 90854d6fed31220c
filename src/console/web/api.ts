// Calls of the native API. The browser adds the session's cookie by itself; no script can read it.

import type { Page } from "./types";

/// A call that did not do what it should: a sentence for the reader, and the member at fault.
export class Refusal extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly member = "",
    readonly type = "about:blank",
  ) {
    super(detail);
  }
}

type Listener = () => void;
let onSessionOver: Listener = () => {};

/// Who hears that the session is over, whatever call found it out.
export function whenSessionOver(listener: Listener): void {
  onSessionOver = listener;
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

interface Options {
  body?: unknown;
  text?: string; // In place of `body`: JSON that is to be sent as it is.
  token?: string; // For signing in alone.
  signsIn?: boolean; // A refusal is no end of a session.
  signal?: AbortSignal;
}

/// After so long without a key or a click what the pages ask is nobody's use of the session.
const IDLE_AFTER_MS = 5 * 60 * 1000;
let touched = Date.now();
for (const event of ["keydown", "pointerdown", "wheel", "touchstart"]) {
  addEventListener(event, () => (touched = Date.now()), { passive: true, capture: true });
}

async function send(method: Method, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (Date.now() - touched > IDLE_AFTER_MS) headers["Ringpost-Idle"] = "1";
  const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (options.token !== undefined) headers["Authorization"] = `Bearer ${options.token}`;
  try {
    return await fetch(path, {
      method,
      headers,
      body,
      credentials: "same-origin",
      redirect: "error",
      signal: options.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, "The relay cannot be reached. Is it running, and is the network up?");
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  try {
    const problem = await response.json();
    const detail = problem.detail ?? problem.title ?? `The relay answered ${response.status}.`;
    return new Refusal(response.status, String(detail), problem.member ?? "", problem.type ?? "");
  } catch {
    return new Refusal(response.status, `The relay answered ${response.status}.`);
  }
}

/// The answer's text. @throws Refusal
export async function callText(method: Method, path: string, options: Options = {}): Promise<string> {
  const response = await send(method, path, options);
  if (!response.ok) {
    const refusal = await refusalOf(response);
    if (response.status === 401 && !options.signsIn) onSessionOver();
    throw refusal;
  }
  return response.text();
}

/// @throws Refusal
export async function call<Answer>(method: Method, path: string, options: Options = {}): Promise<Answer> {
  const text = await callText(method, path, options);
  if (text === "") return undefined as Answer;
  try {
    return JSON.parse(text) as Answer;
  } catch {
    throw new Refusal(0, "The relay's answer could not be read.");
  }
}

/// A path below /v1 whose parts may hold any character.
export function path(parts: string[], query: Record<string, string | number | null | undefined> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return `/v1/${parts.map(encodeURIComponent).join("/")}${given.length > 0 ? `?${search}` : ""}`;
}

/// All items of a list, up to `most`; calls `progress` with what is there after each page.
export async function all<Item>(
  parts: string[],
  most: number,
  query: Record<string, string | null | undefined> = {},
  signal?: AbortSignal,
  progress?: (items: Item[]) => void,
): Promise<{ items: Item[]; more: boolean }> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Item> = await call("GET", path(parts, { ...query, limit: 200, cursor }), { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
    progress?.(items);
  } while (cursor !== null && items.length < most);
  return { items, more: cursor !== null };
}

const callsAtOnce = 6;

/// What `work` makes of each, in their order.
export async function fewAtATime<Item, Made>(items: Item[], work: (item: Item) => Promise<Made>): Promise<Made[]> {
  const made: Made[] = [];
  for (let at = 0; at < items.length; at += callsAtOnce) made.push(...(await Promise.all(items.slice(at, at + callsAtOnce).map(work))));
  return made;
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
