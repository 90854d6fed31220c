// The console: who is signed in, the frame around every page, and which page an address means.

import "./style.css";

import { render } from "preact";
import type { ComponentChild, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Refusal, sentence, whenSessionOver } from "./api";
import { useAction } from "./loading";
import { Button, Empty, Heading, Loading, Problem } from "./parts";
import { About } from "./pages/about";
import { AuditLog } from "./pages/audit";
import { DeadLetters } from "./pages/dead_letters";
import { DeliveriesPage } from "./pages/deliveries";
import { DeliveryPage } from "./pages/delivery";
import { Events } from "./pages/events";
import { CreateSource, Incoming, SourcePage } from "./pages/incoming";
import { Overview } from "./pages/overview";
import { StartReplay } from "./pages/replay_start";
import { ReplayPage, Replays } from "./pages/replays";
import { Sessions } from "./pages/sessions";
import { SignIn, SignInByLink } from "./pages/sign_in";
import { Tokens } from "./pages/tokens";
import { Users } from "./pages/users";
import { WebhookPage } from "./pages/webhook";
import { CreateWebhook, EditWebhook } from "./pages/webhook_form";
import { Webhooks } from "./pages/webhooks";
import { Link, to, usePlace } from "./router";
import { AwayContext, SessionContext, currentSession, signOut, takeCode, useMay } from "./session";
import type { Scope, Session } from "./types";

const sections: { name: string; text: string; scope: Scope | null }[] = [
  { name: "", text: "Overview", scope: null },
  { name: "webhooks", text: "Webhooks", scope: "webhooks:read" },
  { name: "deliveries", text: "Deliveries", scope: "deliveries:read" },
  { name: "dead-letters", text: "Dead letters", scope: "deliveries:read" },
  { name: "events", text: "Events", scope: "deliveries:read" },
  { name: "replays", text: "Replays", scope: "deliveries:read" },
  { name: "incoming", text: "Incoming", scope: "webhooks:read" },
  { name: "tokens", text: "Tokens", scope: "admin" },
  { name: "users", text: "Users", scope: "admin" },
  { name: "sessions", text: "Sessions", scope: null },
  { name: "audit", text: "Audit log", scope: "admin" },
  { name: "about", text: "About", scope: null },
];

function Navigation({ section }: { section: string }): JSX.Element {
  const may = useMay();
  return (
    <nav aria-label="Pages">
      {sections
        .filter(({ scope }) => scope === null || may(scope))
        .map(({ name, text }) => (
          <Link key={name} href={name === "" ? to() : to(name)} current={name === section}>
            {text}
          </Link>
        ))}
    </nav>
  );
}

function NotFound(): JSX.Element {
  return (
    <>
      <Heading title="No such page" />
      <Empty>
        This address is not a page of the console. <Link href={to()}>Go to the overview</Link>
      </Empty>
    </>
  );
}

function pageOf(path: string[]): ComponentChild {
  const [section = "", id, action] = path;
  if (path.length > 3) return <NotFound />;
  if (section === "webhooks" && id === "new" && action === undefined) return <CreateWebhook />;
  if (section === "webhooks" && id !== undefined) {
    if (action === undefined) return <WebhookPage key={id} id={id} />;
    if (action === "edit") return <EditWebhook key={id} id={id} />;
  }
  if (section === "deliveries" && id !== undefined && action === undefined) return <DeliveryPage key={id} id={id} />;
  if (section === "replays" && id !== undefined && action === undefined) return id === "new" ? <StartReplay /> : <ReplayPage key={id} id={id} />;
  if (section === "incoming" && id !== undefined && action === undefined) return id === "new" ? <CreateSource /> : <SourcePage key={id} id={id} />;
  if (id !== undefined) return <NotFound />;
  switch (section) {
    case "": return <Overview />;
    case "webhooks": return <Webhooks />;
    case "deliveries": return <DeliveriesPage />;
    case "dead-letters": return <DeadLetters />;
    case "events": return <Events />;
    case "replays": return <Replays />;
    case "incoming": return <Incoming />;
    case "tokens": return <Tokens />;
    case "users": return <Users />;
    case "sessions": return <Sessions />;
    case "audit": return <AuditLog />;
    case "about": return <About />;
    default: return <NotFound />;
  }
}

/// A session that is over needs no end.
function unlessOver(error: unknown): void {
  if (!(error instanceof Refusal && error.status === 401)) throw error;
}

/// @param away  the session is over: the page is kept, with what was typed, and not shown.
function Frame({ session, away, onSignedOut }: { session: Session; away: boolean; onSignedOut: () => void }): JSX.Element {
  const { path } = usePlace();
  const leaving = useAction();
  const leave = () => leaving.run(() => signOut().catch(unlessOver).then(onSignedOut));
  const [section = ""] = path;
  return (
    <SessionContext.Provider value={session}>
      <AwayContext.Provider value={away}>
        <div hidden={away}>
          <a class="skip" href="#main">
            Skip to the page
          </a>
          <header>
            <Link href={to()} class="brand">
              ringpost
            </Link>
            <Navigation section={section} />
            <div class="who">
              <span title={`${session.user === null ? "token" : "user"} ${session.token.id}`}>
                {session.user ?? session.token.name} · {session.token.organization}
              </span>
              <Button onClick={leave} busy={leaving.busy}>
                Sign out
              </Button>
            </div>
          </header>
          {leaving.problem !== null && <Problem problem={`You are still signed in: ${sentence(leaving.problem)}`} />}
          <main id="main">{pageOf(path)}</main>
        </div>
      </AwayContext.Provider>
    </SessionContext.Provider>
  );
}

/// A page that was kept is for those alone who may see as much.
function rightsOf({ token }: Session): string {
  return JSON.stringify([token.organization, token.scopes, token.sources]);
}

function Console(): JSX.Element {
  const [session, setSession] = useState<Session | null>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState("");
  const [asked, setAsked] = useState(false);
  const [code, setCode] = useState(takeCode);
  useEffect(() => {
    const follow = () => setCode((before) => takeCode() || before);
    addEventListener("hashchange", follow); // A link that is pasted over the address of the console loads no page.
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    currentSession()
      .then(setSession)
      .catch((error) => {
        if (!(error instanceof Refusal && error.status === 401)) setProblem(sentence(error));
      })
      .finally(() => setAsked(true));
  }, []);
  useEffect(() => {
    whenSessionOver(() => {
      if (session !== null) setOver(true);
    });
  }, [session]);
  if (!asked) return <Loading />;
  const show = (next: Session | null) => {
    setOver(false);
    setCode("");
    setSession(next);
  };
  const present = over ? null : session;
  const away = over || code !== "";
  return (
    <>
      {present === null && <Problem problem={problem} />}
      {code !== "" && <SignInByLink key={code} code={code} session={present} onSignedIn={show} onClose={() => setCode("")} />}
      {code === "" && present === null && <SignIn over={over} onSignedIn={show} />}
      {session !== null && <Frame key={rightsOf(session)} session={session} away={away} onSignedOut={() => show(null)} />}
    </>
  );
}

render(<Console />, document.getElementById("app")!);
