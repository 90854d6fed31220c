// Another secret in the place of the present one.

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { useAction } from "./loading";
import { Confirm, Text } from "./parts";
import { Unreadable, errorAt } from "./problems";

const overlapHoursMost = 720;

/// @throws Unreadable
function overlapSeconds(hours: string): number {
  const read = Number(hours);
  if (hours.trim() === "" || !(read >= 0 && read <= overlapHoursMost)) {
    throw new Unreadable("overlap_s", `Enter a number of hours from 0 to ${overlapHoursMost}. With 0 the old secret stops at once.`);
  }
  return Math.round(read * 3600);
}

interface Props {
  overlap: string; // What the old secret does meanwhile, as in "signs, too"; "": there is no overlap.
  rotate: (body: Record<string, unknown>) => Promise<void>;
  onClose: () => void;
  children?: ComponentChildren;
}

export function Rotate({ overlap, rotate, onClose, children }: Props): JSX.Element {
  const [hours, setHours] = useState("24");
  const [secret, setSecret] = useState("");
  const action = useAction();
  const confirm = () =>
    action.run(async () => {
      await rotate({ ...(secret === "" ? {} : { secret }), ...(overlap === "" ? {} : { overlap_s: overlapSeconds(hours) }) });
      onClose();
    });
  const [wrongHours, wrongSecret] = [errorAt(action.problem, "overlap_s"), errorAt(action.problem, "secret")];
  return (
    <Confirm title="Rotate the secret?" action="Rotate" busy={action.busy} problem={wrongHours || wrongSecret ? null : action.problem} onConfirm={confirm} onClose={onClose}>
      {children}
      {overlap !== "" && (
        <Text
          label={`Hours during which the old secret ${overlap}`}
          hint={`0 to ${overlapHoursMost}. Enter the new one at the other side in this time.`}
          type="number"
          value={hours}
          onInput={setHours}
          error={wrongHours}
        />
      )}
      <Text label="A secret of your own" type="password" code value={secret} onInput={setSecret} hint="Empty: one is made, and shown once." error={wrongSecret} />
    </Confirm>
  );
}
