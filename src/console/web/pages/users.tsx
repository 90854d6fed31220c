import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { call, path } from "../api";
import { lines } from "../format";
import { OrganizationFilter } from "../listed";
import { useAction, useLoaded } from "../loading";
import { Button, Confirm, Empty, Heading, Loading, Notice, Problem, Table, Text, Time } from "../parts";
import { errorAt } from "../problems";
import { Rights } from "../rights";
import { Link, usePlace, withQuery } from "../router";
import { useSession } from "../session";
import type { Page, Scope, User } from "../types";

const passwordHint = "At least 12 characters of any kind.";

function Create({ onCreated }: { onCreated: () => void }): JSX.Element {
  const { operator } = useSession();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(["webhooks:read", "deliveries:read"]);
  const [sources, setSources] = useState("");
  const [organization, setOrganization] = useState("");
  const [made, setMade] = useState<User | null>(null);
  const action = useAction();
  const heading = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => {
      const body = {
        name,
        password,
        scopes: chosen,
        ...(lines(sources).length > 0 ? { sources: lines(sources) } : {}),
        ...(organization !== "" ? { organization } : {}),
      };
      setMade(await call("POST", "/v1/users", { body }));
      setName("");
      setPassword("");
      onCreated();
    });
  };
  const elsewhere = action.problem !== null && errorAt(action.problem, "name", "password", "sources", "organization", "scopes") === undefined;
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>New user</h2>
      {made && <Notice kind="good">{made.sign_in_name} may sign in from now on, by that name and the password.</Notice>}
      <form onSubmit={submit} class="narrow">
        <Text label="Name" required value={name} onInput={setName} hint="Of a to z, 0 to 9 and . _ @ + -" error={errorAt(action.problem, "name")} />
        <Text label="Password" type="password" complete="new-password" required value={password} onInput={setPassword} hint={passwordHint} error={errorAt(action.problem, "password")} />
        <Rights chosen={chosen} onChosen={setChosen} sources={sources} onSources={setSources} problem={action.problem} />
        {operator && <Text label="Organization" value={organization} onInput={setOrganization} hint="Empty: your own." error={errorAt(action.problem, "organization")} />}
        {elsewhere && <Problem problem={action.problem} />}
        <Button submit kind="main" busy={action.busy}>
          Create
        </Button>
      </form>
    </section>
  );
}

/// What a user may do, and another password, if one is typed.
function Edit({ user, onDone, onClose }: { user: User; onDone: () => void; onClose: () => void }): JSX.Element {
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(user.scopes);
  const [sources, setSources] = useState(user.sources.join("\n"));
  const action = useAction();
  const heading = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => {
      const body = { scopes: chosen, sources: lines(sources).length > 0 ? lines(sources) : ["*"], ...(password !== "" ? { password } : {}) };
      await call("PATCH", path(["users", user.id]), { body });
      onDone();
    });
  };
  const elsewhere = action.problem !== null && errorAt(action.problem, "password", "sources", "scopes") === undefined;
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>Change {user.name}</h2>
      <form onSubmit={submit} class="narrow">
        <Rights chosen={chosen} onChosen={setChosen} sources={sources} onSources={setSources} problem={action.problem} />
        <Text
          label="New password"
          type="password"
          complete="new-password"
          value={password}
          onInput={setPassword}
          hint={`Empty: it stays. Another one signs the user out everywhere. ${passwordHint}`}
          error={errorAt(action.problem, "password")}
        />
        {elsewhere && <Problem problem={action.problem} />}
        <div class="actions">
          <Button submit kind="main" busy={action.busy}>
            Save
          </Button>
          <Button onClick={onClose}>Leave as it is</Button>
        </div>
      </form>
    </section>
  );
}

type Asked = { user: User; action: "Disable" | "Enable" | "Delete" };

function Row({ user, own, onEdit, onAsk }: { user: User; own: boolean; onEdit: () => void; onAsk: (action: Asked["action"]) => void }): JSX.Element {
  const toggle = user.enabled ? "Disable" : "Enable";
  const name = <span class="unseen"> {user.name}</span>;
  return (
    <tr>
      <td class="wide break">
        {user.sign_in_name}
        {own && <div class="quiet">you</div>}
      </td>
      <td>{user.scopes.join(", ")}</td>
      <td class="break">{user.sources.join(", ")}</td>
      <td>{user.enabled ? "may sign in" : "disabled"}</td>
      <td>
        <Time at={user.updated_at} />
      </td>
      <td>
        <div class="actions">
          <Button onClick={onEdit}>Change{name}</Button>
          <Button onClick={() => onAsk(toggle)}>
            {toggle}
            {name}
          </Button>
          <Button kind="danger" onClick={() => onAsk("Delete")}>
            Delete{name}
          </Button>
        </div>
      </td>
    </tr>
  );
}

const consequences: Record<Asked["action"], string> = {
  Disable: "All sessions of this user end at once, and nobody signs in by this name until it is enabled again.",
  Enable: "The user may sign in again with the password of before.",
  Delete: "All sessions of this user end at once. What the user did stays in the audit log.",
};

function List({ stamp }: { stamp: number }): JSX.Element {
  const { token: own } = useSession();
  const place = usePlace();
  const [cursor, organization] = [place.query.get("cursor") ?? "", place.query.get("organization") ?? ""];
  const { value, problem, reload } = useLoaded<Page<User>>((signal) => call("GET", path(["users"], { limit: 50, cursor, organization }), { signal }), [cursor, organization, stamp]);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [editing, setEditing] = useState<User | null>(null);
  const action = useAction();
  const close = () => {
    action.clear();
    setAsked(null);
  };
  const run = ({ user, action: wanted }: Asked) =>
    action.run(async () => {
      if (wanted === "Delete") await call("DELETE", path(["users", user.id]));
      else await call("PATCH", path(["users", user.id]), { body: { enabled: wanted === "Enable" } });
      close();
      reload();
    });
  const saved = () => {
    setEditing(null);
    reload();
  };
  return (
    <>
      <OrganizationFilter value={organization} />
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>This organization has no users: people sign in with tokens. Create a user below, and one can sign in with a name and a password.</Empty>}
      {value !== null && value.items.length > 0 && (
        <Table caption="Users" columns={["Signs in as", "Scopes", "Sources", "State", "Changed", "Actions"]}>
          {value.items.map((user) => (
            <Row key={user.id} user={user} own={user.id === own.id} onEdit={() => setEditing(user)} onAsk={(wanted) => setAsked({ user, action: wanted })} />
          ))}
        </Table>
      )}
      <div class="actions">
        {cursor !== "" && <Link href={withQuery(place, { cursor: "" })} class="button">Newest</Link>}
        {value?.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor })} class="button">Older</Link>}
      </div>
      {editing && <Edit key={editing.id} user={editing} onDone={saved} onClose={() => setEditing(null)} />}
      {asked && (
        <Confirm title={`${asked.action} the user ${asked.user.name}?`} action={asked.action} danger={asked.action !== "Enable"} busy={action.busy} problem={action.problem} onConfirm={() => run(asked)} onClose={close}>
          <p>
            {consequences[asked.action]}
            {asked.user.id === own.id && " That is you: this session ends, too."}
          </p>
        </Confirm>
      )}
    </>
  );
}

export function Users(): JSX.Element {
  const [stamp, setStamp] = useState(0);
  return (
    <>
      <Heading title="Users" />
      <p class="quiet">People who sign in to the console with a name and a password. What they may do counts at once, also for sessions that there are.</p>
      <List stamp={stamp} />
      <Create onCreated={() => setStamp(stamp + 1)} />
    </>
  );
}
