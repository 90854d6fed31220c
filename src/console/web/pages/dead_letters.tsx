import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, path } from "../api";
import { Deliveries } from "../deliveries";
import { count } from "../format";
import { OtherPages, emptyText, useListed } from "../listed";
import { useAction, useEvery, useLoaded } from "../loading";
import { useWebhooks } from "../named";
import { Button, Confirm, Empty, Heading, Loading, Notice, Problem } from "../parts";
import { PassedOver, counted, deliveriesText, isOver, startReplay, toSend } from "../replays";
import { Link, go, to, usePlace, withQuery } from "../router";
import { useMay } from "../session";
import { replayOf } from "./replay_start";
import type { DeliveryItem, Replay } from "../types";

const lookEvery = 1000; // Milliseconds.

// --- sending all of them again -------------------------------------------------------------------

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
      const replay = await startReplay({ status: "dead" });
      setDry(null);
      go(withQuery(place, { replay: replay.id }), true);
    });
  const askFirst = dry !== null && toSend(dry) > 0;
  return (
    <>
      <div class="actions">
        <Button onClick={() => counting.run(async () => setDry(await counted({ status: "dead" }, () => here.current)))} busy={counting.busy}>
          {counting.busy ? "Counting …" : "Send all again"}
        </Button>
        <Link href={replayOf({ status: "dead" })} class="button">
          Send some of them again
        </Link>
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
          <PassedOver many={dry.skipped} />
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
          {replay.state_reason && ` (${replay.state_reason})`}: {deliveriesText(replay.sent)} sent, {count(replay.skipped)} passed over, of {count(replay.matched)} found{over ? "" : " so far"}. <Link href={to("replays", replay.id)}>More of it</Link>
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
  const list = useListed<DeliveryItem>(["deliveries"], { names: [], fixed: { status: "dead" }, stamp });
  const { value, problem } = list;
  const webhooks = useWebhooks(value?.items.map((delivery) => delivery.webhook) ?? []);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <>
      <Problem problem={problem} />
      {value.items.length > 0 && <Deliveries caption="Dead letters" deliveries={value.items} webhooks={webhooks} />}
      {value.items.length === 0 && <Empty>{emptyText(list, false, "dead letters", "No delivery was given up.")}</Empty>}
      <OtherPages list={list} />
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
