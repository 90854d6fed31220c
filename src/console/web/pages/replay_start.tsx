import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { call, fewAtATime, path } from "../api";
import { Deliveries, itemOf } from "../deliveries";
import { FilterFields, asked, filterNames, filterOf, only } from "../filters";
import type { Filter, FilterName } from "../filters";
import { useAction, useLoaded } from "../loading";
import { WebhookChoice, useWebhooks } from "../named";
import { Button, Check, Empty, Heading, Loading, Notice, Problem } from "../parts";
import { errorAt } from "../problems";
import { PassedOver, counted, deliveriesText, startReplay, toSend } from "../replays";
import { Link, go, to, usePlace, withQuery } from "../router";
import { isIncoming } from "../trouble";
import type { Delivery, Replay } from "../types";

const fields: readonly FilterName[] = ["webhook", "status", "type", "source", "error", "response_status", "period"];

/// The address where deliveries of a filter are sent again.
export function replayOf(filter: Partial<Filter>): string {
  return startAt(Object.fromEntries(filterNames.map((name) => [name, filter[name]])));
}

function startAt(members: Record<string, string | null | undefined>): string {
  const given = Object.entries(members).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return to("replays", "new") + (given.length === 0 ? "" : `?${new URLSearchParams(given)}`);
}

/// The address where what a dry run has counted can be sent.
export function countedAt({ id, webhook, into, source, type, status, error, response_status, since, until, again }: Replay): string {
  return startAt({ webhook, into, source, type, status, error, response_status, since, until, again: again ? "1" : "", count: id });
}

/// The deliveries of a replay that it names itself.
export function Sample({ replay }: { replay: Replay }): JSX.Element | null {
  const load = async (signal: AbortSignal) => {
    const found = await fewAtATime(replay.sample, (id) => call<Delivery>("GET", path(["deliveries", id]), { signal }).then(itemOf, () => null));
    return found.filter((delivery) => delivery !== null);
  };
  const { value } = useLoaded(load, [replay.sample.join()]);
  const webhooks = useWebhooks(value?.map((delivery) => delivery.webhook) ?? []);
  if (replay.sample.length === 0) return null;
  const all = replay.sample.length === (replay.dry_run ? toSend(replay) : replay.sent);
  return (
    <section>
      <h2>{all ? "These deliveries" : `The first ${replay.sample.length} of them`}</h2>
      {value === null ? <Loading /> : <Deliveries caption="Deliveries that are sent again" deliveries={value} webhooks={webhooks} />}
    </section>
  );
}

/// What was counted, and the button that sends it: what was counted and nothing that came since.
function Counted({ id }: { id: string }): JSX.Element {
  const { value: dry, problem } = useLoaded<Replay>((signal) => call("GET", path(["replays", id]), { signal }), [id]);
  const action = useAction();
  if (dry === null) return problem ? <Problem problem={problem} /> : <Loading />;
  const many = toSend(dry);
  const { webhook, into, source, type, status, error, response_status, since, until, again, created_at } = dry;
  const start = () =>
    action.run(async () => {
      const members = { webhook, into, source, type, status, error, response_status, since, until: until ?? created_at, again };
      go(to("replays", (await startReplay(members)).id));
    });
  return (
    <>
      <Notice>
        <p>
          <strong>{many === 0 ? "There is nothing to send again." : `${deliveriesText(many)} would be sent again.`}</strong> {deliveriesText(dry.matched)} {dry.matched === 1 ? "was" : "were"} found.
        </p>
        <PassedOver many={dry.skipped} />
        {many > 0 && (
          <>
            <p>{into === null ? "Each goes to its own webhook as that is now" : "Each goes to the chosen webhook"}, in the background and slower than new events, the newest first.</p>
            <Button kind="main" onClick={start} busy={action.busy}>
              Send {deliveriesText(many)} again
            </Button>
          </>
        )}
        <Problem problem={action.problem} />
      </Notice>
      <Sample replay={dry} />
    </>
  );
}

/// @returns what is missing, in words.
function missing(members: Record<string, string>): string {
  return members["since"] || members["status"] ? "" : "Choose a status or a time first, so that nobody sends the whole history again by mistake.";
}

export function StartReplay(): JSX.Element {
  const place = usePlace();
  const filter = only(filterOf(place.query), fields);
  const [into, dry] = [place.query.get("into") ?? "", place.query.get("count") ?? ""];
  const again = place.query.get("again") === "1";
  const action = useAction();
  const here = useRef(true);
  useEffect(() => () => {
    here.current = false;
  }, []);
  const change = (values: Record<string, string>) => {
    action.clear();
    go(withQuery(place, { ...values, count: "" }), true);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => {
      const members = asked(only(filterOf(new URLSearchParams(location.search)), fields)); // With what was typed last.
      if (missing(members) !== "") throw new Error(missing(members));
      const replay = await counted({ ...members, ...(into === "" ? {} : { into }), again }, () => here.current);
      if (here.current) go(withQuery(place, { count: replay.id }), true);
    });
  };
  const wrong = errorAt(action.problem, "into");
  return (
    <>
      <Heading title="Send deliveries again" />
      <p class="quiet">
        Deliveries of the past become new ones. First they are counted; nothing is sent before you have seen how many there are. <Link href={to("replays")}>Earlier replays</Link>
      </p>
      <form onSubmit={submit}>
        <fieldset>
          <legend>Which deliveries</legend>
          <div class="filters">
            <FilterFields filter={filter} names={fields} onChange={change} />
          </div>
        </fieldset>
        <div class="narrow">
          <WebhookChoice label="Send them to" none="each to its own webhook" value={into} onChange={(id) => change({ into: id })} among={(webhook) => webhook.state === "active" && !isIncoming(webhook)} error={wrong} />
          <Check label="Also those that were sent again before" checked={again} onChange={(checked) => change({ again: checked ? "1" : "" })} hint="Without this, a replay that is started twice sends nothing twice." />
        </div>
        {wrong === undefined && <Problem problem={action.problem} />}
        <Button submit kind={dry === "" ? "main" : ""} busy={action.busy}>
          {action.busy ? "Counting …" : dry === "" ? "Count them" : "Count again"}
        </Button>
      </form>
      {dry !== "" ? <Counted key={dry} id={dry} /> : !action.busy && <Empty>Nothing is counted yet.</Empty>}
    </>
  );
}
