// The request that a webhook would send, while it is edited.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call } from "./api";
import { layOut } from "./format";
import { useLoaded } from "./loading";
import { Empty, Loading, Text, Time } from "./parts";
import type { Previewed } from "./types";

const pauseMs = 400;

/// The value, once it has not changed for a moment.
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function Shown({ previewed: { event, reason, request, problem } }: { previewed: Previewed }): JSX.Element {
  if (event === null) return <Empty>There is no such event on record. Send one, and the request for it is shown here.</Empty>;
  return (
    <>
      <p class="quiet break">
        For the event {event.id} ({event.type}, {event.source}), accepted <Time at={event.accepted_at} />.{" "}
        {reason !== null && <strong>It would not be sent: {reason}.</strong>}
      </p>
      {request === null ? (
        <p class="notice warn">There is no request: {problem}.</p>
      ) : (
        <>
          <p class="code break">
            {request.method} {request.url}
          </p>
          <pre tabIndex={0} aria-label="Headers of the request" class="headers">
            {Object.entries(request.headers).map(([name, value]) => (
              <div key={name}>
                <strong>{name}:</strong> {value}
              </div>
            ))}
          </pre>
          <pre tabIndex={0} aria-label="Body of the request">
            {layOut(request.body ?? "").text}
          </pre>
        </>
      )}
    </>
  );
}

/// @param ask  what to call for the draft as it is; it may be refused while somebody types.
export function Preview({ ask }: { ask: (query: Record<string, string>) => { path: string; body: unknown } }): JSX.Element {
  const [id, setId] = useState("");
  const { path, body } = ask({ id: id.trim() });
  const question = useSettled(JSON.stringify([path, body]));
  const { value, problem } = useLoaded<Previewed>((signal) => {
    const [address, members] = JSON.parse(question) as [string, unknown];
    return call("POST", address, { body: members, signal });
  }, [question]);
  return (
    <section aria-label="The request">
      <Text label="Event to preview" code value={id} onInput={setId} hint="The id of a recorded event. Empty: the newest that this webhook would get, or else the newest of all." />
      {problem && <p class="quiet break">Not yet: {problem}</p>}
      {value === null ? !problem && <Loading /> : <Shown previewed={value} />}
    </section>
  );
}
