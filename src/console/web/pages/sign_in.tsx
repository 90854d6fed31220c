import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { Button, Notice, Problem, Text } from "../parts";
import { useAction } from "../loading";
import { signIn, signInByLink, signInByPassword } from "../session";
import type { Session } from "../types";

interface Props {
  over: boolean; // A session was there, and has ended.
  onSignedIn: (session: Session) => void;
}

export function SignIn({ over, onSignedIn }: Props): JSX.Element {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [token, setToken] = useState("");
  const byPassword = useAction();
  const byToken = useAction();
  const headings = [useId(), useId()];
  useEffect(() => {
    document.title = "Sign in · ringpost";
  }, []);
  const enterPassword = (event: SubmitEvent) => {
    event.preventDefault();
    byPassword.run(async () => onSignedIn(await signInByPassword(name.trim(), password)));
  };
  const enterToken = (event: SubmitEvent) => {
    event.preventDefault();
    byToken.run(async () => onSignedIn(await signIn(token.trim())));
  };
  return (
    <main class="sign-in">
      <h1>ringpost</h1>
      {over && <Notice>The session is over. Sign in again to go on where you were.</Notice>}
      <form onSubmit={enterPassword} aria-labelledby={headings[0]}>
        <h2 id={headings[0]}>With a password</h2>
        <Text label="Name" required complete="username" value={name} onInput={setName} hint="Of another organization than default: organization/name." />
        <Text label="Password" type="password" required complete="current-password" value={password} onInput={setPassword} />
        <Problem problem={byPassword.problem} />
        <Button submit kind="main" busy={byPassword.busy}>
          Sign in
        </Button>
      </form>
      <form onSubmit={enterToken} aria-labelledby={headings[1]}>
        <h2 id={headings[1]}>With a token</h2>
        <Text
          label="Token"
          type="password"
          required
          value={token}
          onInput={setToken}
          hint={
            <>
              The first start of the relay wrote one to <code>admin.token</code> in its data directory. More come from{" "}
              <code>ringpost token add</code>.
            </>
          }
        />
        <Problem problem={byToken.problem} />
        <Button submit busy={byToken.busy}>
          Sign in with the token
        </Button>
      </form>
    </main>
  );
}

interface LinkProps {
  code: string;
  session: Session | null; // Of somebody who is signed in already.
  onSignedIn: (session: Session) => void;
  onClose: () => void;
}

/// Asks first: whoever sends somebody a link would otherwise decide as whom they act here.
export function SignInByLink({ code, session, onSignedIn, onClose }: LinkProps): JSX.Element {
  const action = useAction();
  useEffect(() => {
    document.title = "Sign in · ringpost";
  }, []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => onSignedIn(await signInByLink(code)));
  };
  return (
    <main class="sign-in">
      <h1>ringpost</h1>
      <form onSubmit={submit}>
        <p>
          This link came from <code>ringpost open</code>. It can be used once, within a minute of that, and signs you in with the rights of the token that made it.
        </p>
        {session !== null && <Notice kind="warn">You are signed in with {session.token.name}. The link ends that session in this browser.</Notice>}
        <Problem problem={action.problem} />
        <div class="actions">
          <Button submit kind="main" busy={action.busy}>
            Sign in with the link
          </Button>
          <Button onClick={onClose}>{session === null ? "Sign in another way" : "Stay as you are"}</Button>
        </div>
      </form>
    </main>
  );
}
