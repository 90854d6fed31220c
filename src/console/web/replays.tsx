// Replays as several pages show them.

import type { ComponentChildren, JSX } from "preact";
import { call, path } from "./api";
import { inWords } from "./filters";
import { count } from "./format";
import { WebhookLink } from "./named";
import type { Webhooks } from "./named";
import type { Replay } from "./types";

const lookEvery = 250; // Milliseconds.

export function isOver({ state }: Replay): boolean {
  return state !== "running" && state !== "paused";
}

export function toSend({ matched, skipped }: Replay): number {
  return matched - skipped;
}

export function deliveriesText(many: number): string {
  return `${count(many)} ${many === 1 ? "delivery" : "deliveries"}`;
}

export function startReplay(members: Record<string, unknown>): Promise<Replay> {
  return call("POST", "/v1/replays", { body: members });
}

/// Counts what would be sent. @param goesOn  whether somebody still waits for it. @throws Refusal; Error: it stopped.
export async function counted(members: Record<string, unknown>, goesOn: () => boolean): Promise<Replay> {
  let replay = await startReplay({ ...members, dry_run: true });
  while (replay.state === "running" && goesOn()) {
    await new Promise((resolve) => setTimeout(resolve, lookEvery));
    replay = await call<Replay>("GET", path(["replays", replay.id]));
  }
  if (goesOn() && replay.state !== "done") throw new Error(`They could not be counted: ${replay.state_reason || replay.state}`);
  return replay;
}

/// Why deliveries that were found are passed over.
export function PassedOver({ many }: { many: number }): JSX.Element | null {
  if (many === 0) return null;
  return (
    <p>
      {deliveriesText(many)} {many === 1 ? "is" : "are"} passed over: sent again to the same webhook before, still being delivered, to a webhook that is not active or was deleted, too large to be sent again, or no longer readable.
    </p>
  );
}

const states: Record<Replay["state"], { mark: string; kind: string }> = {
  running: { mark: "➤", kind: "waits" },
  paused: { mark: "◷", kind: "warn" },
  done: { mark: "✓", kind: "good" },
  cancelled: { mark: "–", kind: "off" },
  failed: { mark: "▲", kind: "bad" },
};

export function ReplayMark({ replay: { state, dry_run } }: { replay: Replay }): JSX.Element {
  const { mark, kind } = states[state];
  return (
    <span class={`mark ${kind}`}>
      <span aria-hidden="true">{mark}</span> {dry_run && state === "done" ? "counted" : state}
    </span>
  );
}

/// Which deliveries it was asked for, and where they go.
export function ReplayScope({ replay, webhooks }: { replay: Replay; webhooks: Webhooks | null }): JSX.Element {
  const link = (id: string): ComponentChildren => <WebhookLink id={id} webhooks={webhooks} />;
  const filters = inWords(replay as unknown as Record<string, string | null>);
  return (
    <>
      {replay.webhook === null ? "deliveries to any webhook" : <>deliveries to {link(replay.webhook)}</>}
      {replay.into !== null && <>, sent to {link(replay.into)}</>}
      {filters !== "" && <span class="quiet break">{`: ${filters}`}</span>}
    </>
  );
}
