import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, path } from "../api";
import { count } from "../format";
import { OtherPages, useListed } from "../listed";
import { useAction, useEvery, useLoaded } from "../loading";
import { useWebhooks } from "../named";
import { Button, Confirm, Empty, Facts, Heading, Loading, Problem, Table, Time } from "../parts";
import { PassedOver, ReplayMark, ReplayScope, deliveriesText, isOver, toSend } from "../replays";
import { Link, to } from "../router";
import { useMay } from "../session";
import { Sample, countedAt } from "./replay_start";
import type { Replay } from "../types";

// --- one replay ----------------------------------------------------------------------------------

function Steering({ replay, onChanged }: { replay: Replay; onChanged: (replay: Replay) => void }): JSX.Element {
  const [asking, setAsking] = useState(false);
  const action = useAction();
  const order = (what: string) =>
    action.run(async () => {
      onChanged(await call("POST", path(["replays", replay.id, what])));
      setAsking(false);
    });
  return (
    <>
      <div class="actions">
        {replay.state === "running" && (
          <Button busy={action.busy} onClick={() => order("pause")}>
            Pause
          </Button>
        )}
        {replay.state === "paused" && (
          <Button kind="main" busy={action.busy} onClick={() => order("resume")}>
            Resume
          </Button>
        )}
        <Button kind="danger" onClick={() => setAsking(true)}>
          Cancel the replay
        </Button>
      </div>
      {!asking && <Problem problem={action.problem} />}
      {asking && (
        <Confirm title="Cancel this replay?" action="Stop it for good" danger busy={action.busy} problem={action.problem} onConfirm={() => order("cancel")} onClose={() => setAsking(false)}>
          <p>What was sent stays sent: {deliveriesText(replay.sent)}. The rest is not sent. A replay that is cancelled cannot be resumed; pause it instead if you may want to go on.</p>
        </Confirm>
      )}
    </>
  );
}

/// How much of the time that was asked for is done, as far as that is known.
function Progress({ replay: { since, until, reached, created_at } }: { replay: Replay }): JSX.Element | null {
  if (since === null || reached === null) return null;
  const [from, end, at] = [since, until ?? created_at, reached].map(Date.parse) as [number, number, number];
  const part = Math.min(1, Math.max(0, (end - at) / Math.max(1, end - from)));
  return <progress value={part} aria-label="How much of the chosen time is done" />;
}

export function ReplayPage({ id }: { id: string }): JSX.Element {
  const may = useMay();
  const { value: replay, problem, reload, set } = useLoaded<Replay>((signal) => call("GET", path(["replays", id]), { signal }), [id]);
  const open = replay !== null && !isOver(replay);
  useEvery(1000, () => {
    if (open) reload();
  });
  const webhooks = useWebhooks([replay?.webhook ?? null, replay?.into ?? null]);
  if (replay === null) {
    return (
      <>
        <Heading title="Replay" />
        {problem ? <Problem problem={problem} /> : <Loading />}
      </>
    );
  }
  const changed = (now: Replay) => {
    set(now);
    reload();
  };
  return (
    <>
      <Heading title={replay.dry_run ? "Count of a replay" : "Replay"}>
        <ReplayMark replay={replay} />
      </Heading>
      <Problem problem={problem} />
      <p>
        {replay.dry_run ? "Counts " : "Sends again "}
        <ReplayScope replay={replay} webhooks={webhooks} />
      </p>
      {replay.state_reason && <p class="notice warn">{replay.state_reason}</p>}
      {open && may("deliveries:redeliver") && <Steering replay={replay} onChanged={changed} />}
      {open && <Progress replay={replay} />}
      <Facts
        facts={[
          ["Found", count(replay.matched)],
          replay.dry_run ? ["Would be sent", count(toSend(replay))] : ["Sent", count(replay.sent)],
          ["Passed over", count(replay.skipped)],
          ["Also those sent again before", replay.again ? "yes" : "no"],
          ...(open ? [["Done is what is newer than", <Time at={replay.reached} />] as [string, JSX.Element]] : []),
          ["Started", <Time at={replay.created_at} />],
          ["Last change", <Time at={replay.updated_at} />],
          ["Id", <code>{replay.id}</code>],
        ]}
      />
      <PassedOver many={replay.skipped} />
      {replay.dry_run && replay.state === "done" && may("deliveries:redeliver") && (
        <p>
          <Link href={countedAt(replay)} class="button">
            Go on and send them
          </Link>
        </p>
      )}
      <Sample replay={replay} />
    </>
  );
}

// --- the list ------------------------------------------------------------------------------------

function Row({ replay, webhooks }: { replay: Replay; webhooks: ReturnType<typeof useWebhooks> }): JSX.Element {
  return (
    <tr>
      <td>
        <Link href={to("replays", replay.id)}>
          <Time at={replay.created_at} />
        </Link>
      </td>
      <td>
        <ReplayMark replay={replay} />
        {replay.state_reason && <div class="quiet break">{replay.state_reason}</div>}
      </td>
      <td class="wide">
        <ReplayScope replay={replay} webhooks={webhooks} />
      </td>
      <td class="number">{count(replay.matched)}</td>
      <td class="number">{replay.dry_run ? "only counted" : count(replay.sent)}</td>
      <td class="number">{count(replay.skipped)}</td>
    </tr>
  );
}

export function Replays(): JSX.Element {
  const may = useMay();
  const list = useListed<Replay>(["replays"], { names: [] });
  const { value, problem, reload } = list;
  useEvery(2000, () => {
    if (value?.items.some((replay) => !isOver(replay))) reload();
  });
  const webhooks = useWebhooks(value?.items.flatMap(({ webhook, into }) => [webhook, into]) ?? []);
  return (
    <>
      <Heading title="Replays">
        {may("deliveries:redeliver") && (
          <Link href={to("replays", "new")} class="button main">
            Send deliveries again
          </Link>
        )}
      </Heading>
      <p class="quiet">Deliveries of the past that are sent again, many at a time. The last 50 that are over are kept.</p>
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>There is no replay. When a receiver lost something, or was away longer than its retries last, send it again{may("deliveries:redeliver") ? ": \"Send deliveries again\"." : "."}</Empty>}
      {value !== null && value.items.length > 0 && (
        <Table caption="Replays" columns={["Started", "State", "Of", "Found", "Sent", "Passed over"]}>
          {value.items.map((replay) => (
            <Row key={replay.id} replay={replay} webhooks={webhooks} />
          ))}
        </Table>
      )}
      <OtherPages list={list} />
    </>
  );
}
