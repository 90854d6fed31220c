// Who is signed in with a password gets another one.

import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { call } from "./api";
import { useAction } from "./loading";
import { Button, Notice, Problem, Text } from "./parts";
import { errorAt } from "./problems";

export function OwnPassword(): JSX.Element {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [done, setDone] = useState(false);
  const action = useAction();
  const heading = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setDone(false);
    action.run(async () => {
      await call("POST", "/v1/session/password", { body: { current_password: current, password: next } });
      setCurrent("");
      setNext("");
      setDone(true);
    });
  };
  const elsewhere = action.problem !== null && errorAt(action.problem, "current_password", "password") === undefined;
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>Your password</h2>
      {done && <Notice kind="good">The password is changed, and your other sessions are over.</Notice>}
      <form onSubmit={submit} class="narrow">
        <Text label="Password you have" type="password" complete="current-password" required value={current} onInput={setCurrent} error={errorAt(action.problem, "current_password")} />
        <Text label="New password" type="password" complete="new-password" required value={next} onInput={setNext} hint="At least 12 characters of any kind." error={errorAt(action.problem, "password")} />
        {elsewhere && <Problem problem={action.problem} />}
        <Button submit busy={action.busy}>
          Change it
        </Button>
      </form>
    </section>
  );
}
