import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { call, path } from "../api";
import { lines } from "../format";
import { OrganizationFilter } from "../listed";
import { useAction, useLoaded } from "../loading";
import { Button, Choice, Confirm, Empty, Heading, Loading, Once, Problem, Table, Text, Time } from "../parts";
import { errorAt } from "../problems";
import { Rights } from "../rights";
import { Link, usePlace, withQuery } from "../router";
import { useSession } from "../session";
import type { Page, Scope, Token } from "../types";

const day = 86_400;
const lives = [
  ["", "until it is deleted"],
  [String(day), "for a day"],
  [String(30 * day), "for 30 days"],
  [String(365 * day), "for a year"],
] as const;

function Create({ onCreated }: { onCreated: () => void }): JSX.Element {
  const { operator } = useSession();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(["events:write"]);
  const [sources, setSources] = useState("");
  const [life, setLife] = useState("");
  const [organization, setOrganization] = useState("");
  const [made, setMade] = useState<(Token & { token: string }) | null>(null);
  const action = useAction();
  const heading = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => {
      const body = {
        name,
        scopes: chosen,
        ...(lines(sources).length > 0 ? { sources: lines(sources) } : {}),
        ...(life !== "" ? { expires_in_s: Number(life) } : {}),
        ...(organization !== "" ? { organization } : {}),
      };
      setMade(await call("POST", "/v1/tokens", { body }));
      setName("");
      onCreated();
    });
  };
  const fields = ["name", "sources", "organization", "scopes"];
  const elsewhere = action.problem !== null && errorAt(action.problem, ...fields) === undefined;
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>New token</h2>
      {made && (
        <Once name={`Token ${made.name}`} text={made.token}>
          Copy it now: it is not shown again.
        </Once>
      )}
      <form onSubmit={submit} class="narrow">
        <Text label="Name" required value={name} onInput={setName} hint="What it is for." error={errorAt(action.problem, "name")} />
        <Rights chosen={chosen} onChosen={setChosen} sources={sources} onSources={setSources} problem={action.problem} />
        <Choice label="Valid" value={life} onChange={setLife} options={lives} />
        {operator && <Text label="Organization" value={organization} onInput={setOrganization} hint="Empty: your own." error={errorAt(action.problem, "organization")} />}
        {elsewhere && <Problem problem={action.problem} />}
        <Button submit kind="main" busy={action.busy}>
          Create
        </Button>
      </form>
    </section>
  );
}

function List({ stamp }: { stamp: number }): JSX.Element {
  const { token: own } = useSession();
  const place = usePlace();
  const [cursor, organization] = [place.query.get("cursor") ?? "", place.query.get("organization") ?? ""];
  const { value, problem, reload } = useLoaded<Page<Token>>((signal) => call("GET", path(["tokens"], { limit: 50, cursor, organization }), { signal }), [cursor, organization, stamp]);
  const [asking, setAsking] = useState<Token | null>(null);
  const action = useAction();
  const close = () => {
    action.clear();
    setAsking(null);
  };
  const remove = (token: Token) =>
    action.run(async () => {
      await call("DELETE", path(["tokens", token.id]));
      close();
      reload();
    });
  return (
    <>
      <OrganizationFilter value={organization} />
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>This organization has no token. Without one nobody can send its events.</Empty>}
      {value !== null && value.items.length > 0 && (
        <Table caption="Tokens" columns={["Name", "Scopes", "Sources", "Created", "Expires", "Revoke"]}>
          {value.items.map((token) => (
            <tr key={token.id}>
              <td class="wide break">
                {token.name}
                {token.id === own.id && <div class="quiet">this session's</div>}
              </td>
              <td>{token.scopes.join(", ")}</td>
              <td class="break">{token.sources.join(", ")}</td>
              <td>
                <Time at={token.created_at} />
              </td>
              <td>{token.expires_at === null ? "never" : <Time at={token.expires_at} />}</td>
              <td>
                <Button kind="danger" onClick={() => setAsking(token)}>
                  Revoke<span class="unseen"> {token.name}</span>
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <div class="actions">
        {cursor !== "" && <Link href={withQuery(place, { cursor: "" })} class="button">Newest</Link>}
        {value?.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor })} class="button">Older</Link>}
      </div>
      {asking && (
        <Confirm title={`Revoke the token ${asking.name}?`} action="Revoke" danger busy={action.busy} problem={action.problem} onConfirm={() => remove(asking)} onClose={close}>
          <p>Whatever uses it is refused at once, and sessions that were begun with it end{asking.id === own.id ? ": this one, too." : "."}</p>
        </Confirm>
      )}
    </>
  );
}

export function Tokens(): JSX.Element {
  const [stamp, setStamp] = useState(0);
  return (
    <>
      <Heading title="Tokens" />
      <List stamp={stamp} />
      <Create onCreated={() => setStamp(stamp + 1)} />
    </>
  );
}
