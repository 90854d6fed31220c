import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, path } from "../api";
import { Deliveries } from "../deliveries";
import { count } from "../format";
import { useAction, useEvery, useLoaded } from "../loading";
import { useWebhooks } from "../named";
import { Button, Confirm, Empty, Heading, Loading, Notice, Problem } from "../parts";
import { Link, go, usePlace, withQuery } from "../router";
import { useMay } from "../session";
import type { CutPage, Replay } from "../types";

const atOnce = 50;
const lookEvery = 1000; // Milliseconds.

// --- sending all of them again -------------------------------------------------------------------

function isOver({ state }: Replay): boolean {
  return state !== "running" && state !== "paused";
}

function toSend({ matched, skipped }: Replay): number {
  return matched - skipped;
}

function deliveriesText(many: number): string {
  return `${count(many)} ${many === 1 ? "delivery" : "deliveries"}`;
}

/// How many would be sent. @param goesOn  whether somebody still waits for it.
async function counted(goesOn: () => boolean): Promise<Replay> {
  let replay = await call<Replay>("POST", "/v1/replays", { body: { status: "dead", dry_run: true } });
  while (!isOver(replay) && goesOn()) {
    await new Promise((resolve) => setTimeout(resolve, lookEvery / 4));
    replay = await call<Replay>("GET", path(["replays", replay.id]));
  }
  if (replay.state === "failed") throw new Error(`They could not be counted: ${replay.state_reason}.`);
  return replay;
}

function SendAll(): JSX.Element {
  const place = usePlace();
  const [dry, setDry] = useState<Replay | null>(null);
  const counting = useAction();
  const starting = useAction();
  const here = useRef(true);
  useEffect(() => () => {
    here.current = false;
  }, []);
  const close = () => {
    starting.clear();
    setDry(null);
  };
  const start = () =>
    starting.run(async () => {
      const replay = await call<Replay>("POST", "/v1/replays", { body: { status: "dead" } });
      setDry(null);
      go(withQuery(place, { replay: replay.id }), true);
    });
  const askFirst = dry !== null && toSend(dry) > 0;
  return (
    <>
      <div class="actions">
        <Button onClick={() => counting.run(async () => setDry(await counted(() => here.current)))} busy={counting.busy}>
          {counting.busy ? "Counting …" : "Send all again"}
        </Button>
      </div>
      <Problem problem={counting.problem} />
      {dry !== null && !askFirst && (
        <Notice>
          There is nothing to send again: every dead letter was sent again before, was itself sent again from another delivery, or its webhook is not active.
        </Notice>
      )}
      {askFirst && (
        <Confirm title={`Send ${deliveriesText(toSend(dry))} again?`} action="Send again" busy={starting.busy} problem={starting.problem} onConfirm={start} onClose={close}>
          <p>Each goes to its own webhook as that is now, in the background and slower than new events, the newest first.</p>
          {dry.skipped > 0 && <p>{deliveriesText(dry.skipped)} more will be passed over: sent again before, or to a webhook that is not active.</p>}
        </Confirm>
      )}
    </>
  );
}

const progressTexts: Record<Replay["state"], string> = {
  running: "Dead letters are being sent again",
  paused: "Sending again is paused",
  done: "Dead letters were sent again",
  cancelled: "Sending again was cancelled",
  failed: "Sending again stopped",
};

function Progress({ id, onOver }: { id: string; onOver: () => void }): JSX.Element | null {
  const { value: replay, problem, reload, set } = useLoaded<Replay>((signal) => call("GET", path(["replays", id]), { signal }), [id]);
  const cancelling = useAction();
  const over = replay !== null && isOver(replay);
  useEvery(lookEvery, () => {
    if (!over) reload();
  });
  useEffect(() => {
    if (over) onOver();
  }, [over]);
  if (replay === null) return <Problem problem={problem} />;
  return (
    <>
      <Notice kind={replay.state === "done" ? "good" : replay.state === "failed" ? "bad" : ""}>
        <p>
          {progressTexts[replay.state]}
          {replay.state_reason && ` (${replay.state_reason})`}: {deliveriesText(replay.sent)} sent, {count(replay.skipped)} passed over, of {count(replay.matched)} found{over ? "" : " so far"}.
        </p>
        {!over && (
          <Button busy={cancelling.busy} onClick={() => cancelling.run(async () => set(await call("POST", path(["replays", id, "cancel"]))))}>
            Stop
          </Button>
        )}
      </Notice>
      <Problem problem={cancelling.problem || problem} />
    </>
  );
}

// --- the page ------------------------------------------------------------------------------------

function List({ stamp }: { stamp: number }): JSX.Element {
  const place = usePlace();
  const cursor = place.query.get("cursor") ?? "";
  const load = (signal: AbortSignal) => call<CutPage>("GET", path(["deliveries"], { status: "dead", limit: atOnce, cursor }), { signal });
  const { value, problem } = useLoaded(load, [cursor, stamp]);
  const webhooks = useWebhooks(value?.items.map((delivery) => delivery.webhook) ?? []);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <>
      <Problem problem={problem} />
      {value.items.length > 0 && <Deliveries caption="Dead letters" deliveries={value.items} webhooks={webhooks} />}
      {value.items.length === 0 && (
        <Empty>{value.next_cursor ? "Nothing was found so far; there may be older ones." : cursor !== "" ? "There are no older ones." : "No delivery was given up."}</Empty>
      )}
      <div class="actions">
        {cursor !== "" && <Link href={withQuery(place, { cursor: "" })} class="button">Newest</Link>}
        {value.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor })} class="button">Older</Link>}
      </div>
    </>
  );
}

export function DeadLetters(): JSX.Element {
  const may = useMay();
  const replay = usePlace().query.get("replay") ?? "";
  const [stamp, setStamp] = useState(0);
  return (
    <>
      <Heading title="Dead letters" />
      <p class="quiet">Deliveries that were given up after their last attempt. Open one to see why, and to send it again.</p>
      {may("deliveries:redeliver") && <SendAll />}
      {replay !== "" && <Progress key={replay} id={replay} onOver={() => setStamp((before) => before + 1)} />}
      <List stamp={stamp} />
    </>
  );
}
