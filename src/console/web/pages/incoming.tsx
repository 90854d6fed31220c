import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { all, call, path } from "../api";
import { AtTheHost, gitHosts, titleOf } from "../git_hosts";
import { RepositoryFields, RepositoryPart, gitOf } from "../git_repository";
import { useAction, useLoaded } from "../loading";
import { nameOf as webhookName } from "../named";
import { Button, Choice, Confirm, Copy, Empty, Facts, Heading, Loading, Once, Problem, Table, Text, Time } from "../parts";
import { errorAt } from "../problems";
import { Link, go, oneOf, to, usePlace, withQuery } from "../router";
import { Rotate } from "../secrets";
import { useMay } from "../session";
import { WebhookMark, isIncoming } from "../trouble";
import type { GitSource, Page, Webhook } from "../types";

const webhooksMost = 1000;
const sourcesAtOnce = 50;

function SourceMark({ source }: { source: GitSource }): JSX.Element {
  return (
    <span class={`mark ${source.enabled ? "good" : "off"}`}>
      <span aria-hidden="true">{source.enabled ? "✓" : "–"}</span> {source.enabled ? "takes calls" : "takes no calls"}
    </span>
  );
}

function nameOf(source: GitSource): string {
  return source.description || `${titleOf(source.host)}${source.app === null ? "" : `, app ${source.app}`}`;
}

function eventsOf(source: GitSource): string {
  return source.app === null ? `git.* of repository/${source.host}/…` : `build/trigger of app/${source.app}`;
}

// --- the list ------------------------------------------------------------------------------------

function GitSources(): JSX.Element {
  const may = useMay();
  const place = usePlace();
  const cursor = place.query.get("cursor") ?? "";
  const { value, problem } = useLoaded<Page<GitSource>>((signal) => call("GET", path(["sources"], { limit: sourcesAtOnce, cursor }), { signal }), [cursor]);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <>
      <Problem problem={problem} />
      {value.items.length === 0 && (
        <Empty>
          {cursor !== "" ? "There are no older ones." : `No git host calls this relay yet. A git source is the URL and the secret of a webhook at GitHub, GitLab, Bitbucket, Gitea, Forgejo or Gogs; what happens there becomes events${may("webhooks:write") ? ": \"New git source\"." : "."}`}
        </Empty>
      )}
      {value.items.length > 0 && (
        <Table caption="Git sources" columns={["Git source", "Host", "State", "Events", "Created"]}>
          {value.items.map((source) => (
            <tr key={source.id}>
              <td class="wide">
                <Link href={to("incoming", source.id)}>{nameOf(source)}</Link>
              </td>
              <td>{titleOf(source.host)}</td>
              <td>
                <SourceMark source={source} />
              </td>
              <td class="break">{eventsOf(source)}</td>
              <td>
                <Time at={source.created_at} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      <div class="actions">
        {cursor !== "" && <Link href={withQuery(place, { cursor: "" })} class="button">Newest</Link>}
        {value.next_cursor && <Link href={withQuery(place, { cursor: value.next_cursor })} class="button">Older</Link>}
      </div>
    </>
  );
}

function Hooks(): JSX.Element {
  const { value, problem } = useLoaded((signal) => all<Webhook>(["webhooks"], webhooksMost, {}, signal), []);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  const hooks = value.items.filter(isIncoming);
  return (
    <>
      <Problem problem={problem} />
      {hooks.length === 0 && <Empty>There is no incoming hook{value.more && ` among the newest ${value.items.length} webhooks`}. It has a URL that starts a pipeline when it is called.</Empty>}
      {hooks.length > 0 && (
        <Table caption="Incoming hooks of Devopness" columns={["Hook", "State", "Starts", "Created"]}>
          {hooks.map((hook) => (
            <tr key={hook.id}>
              <td class="wide">
                <Link href={to("webhooks", hook.id)}>{webhookName(hook)}</Link>
              </td>
              <td>
                <WebhookMark webhook={hook} />
              </td>
              <td class="break">{hook.sources.join(", ")}</td>
              <td>
                <Time at={hook.created_at} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

export function Incoming(): JSX.Element {
  const may = useMay();
  const makes = may("webhooks:write");
  return (
    <>
      <Heading title="Incoming">
        {makes && may("events:write") && (
          <Link href={to("incoming", "new")} class="button main">
            New git source
          </Link>
        )}
        {makes && (
          <Link href={`${to("webhooks", "new")}?dialect=devopness&direction=in`} class="button">
            New Devopness hook
          </Link>
        )}
      </Heading>
      <h2>Git sources</h2>
      <GitSources />
      <h2>Incoming hooks of Devopness</h2>
      <Hooks />
    </>
  );
}

// --- a new one -----------------------------------------------------------------------------------

type WithSecret = GitSource & { secret: string };

function Made({ source, given }: { source: WithSecret; given: boolean }): JSX.Element {
  return (
    <>
      <Heading title="Git source created" />
      {source.git !== null && <p>Next, let the relay make the webhook at {titleOf(source.host)}: the button is on the git source's page. Or make it there by hand:</p>}
      {!given && (
        <Once name="Secret" text={source.secret}>
          Copy it now: it is not shown again.
        </Once>
      )}
      <AtTheHost host={source.host} url={source.url} secretIsShown={!given} />
      <Copy text={source.url} label="Copy the URL" />
      <p>
        <Link href={to("incoming", source.id)} class="button main">
          Go to the git source
        </Link>
      </p>
    </>
  );
}

const fields = ["host", "description", "app", "secret", "git.url", "git.token"];

export function CreateSource(): JSX.Element {
  const place = usePlace();
  const host = oneOf(place.query, "host", gitHosts) || gitHosts[0];
  const [description, setDescription] = useState("");
  const [app, setApp] = useState("");
  const [secret, setSecret] = useState("");
  const [repository, setRepository] = useState({ url: "", token: "" });
  const [made, setMade] = useState<WithSecret | null>(null);
  const action = useAction();
  if (made !== null) return <Made source={made} given={secret !== ""} />;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.run(async () => {
      const body = { host, description, ...(app === "" ? {} : { app }), ...(secret === "" ? {} : { secret }), ...gitOf(repository) };
      setMade(await call("POST", "/v1/sources", { body }));
    });
  };
  const at = (member: string) => errorAt(action.problem, member);
  return (
    <>
      <Heading title="New git source" />
      <form onSubmit={submit} class="narrow" noValidate>
        <Choice label="Git host" value={host} onChange={(chosen) => go(withQuery(place, { host: chosen }), true)} options={gitHosts.map((each) => [each, titleOf(each)])} error={at("host")} />
        <Text label="Description" value={description} onInput={setDescription} hint="As in: all of acme." error={at("description")} />
        <Text label="App" code value={app} onInput={setApp} hint="The slug of an app whose builds the calls start, by the rules of Bitrise's receiver. Empty: the calls are events of repositories." error={at("app")} />
        <Text label="A secret of your own" type="password" code value={secret} onInput={setSecret} hint="At least 16 characters. Empty: one is made, and shown once." error={at("secret")} />
        <RepositoryFields repository={repository} onChange={setRepository} problem={action.problem} optional />
        {fields.every((member) => at(member) === undefined) && <Problem problem={action.problem} />}
        <div class="actions">
          <Button submit kind="main" busy={action.busy}>
            Create
          </Button>
          <Link href={to("incoming")} class="button">
            Cancel
          </Link>
        </div>
      </form>
    </>
  );
}

// --- one of them ---------------------------------------------------------------------------------

type Asking = "" | "describe" | "rotate" | "stop" | "delete";

function Describe({ source, change, onClose }: { source: GitSource; change: (body: Partial<GitSource>) => Promise<void>; onClose: () => void }): JSX.Element {
  const [description, setDescription] = useState(source.description);
  const action = useAction();
  const wrong = errorAt(action.problem, "description");
  const confirm = () =>
    action.run(async () => {
      await change({ description });
      onClose();
    });
  return (
    <Confirm title="Describe this git source" action="Save" busy={action.busy} problem={wrong ? null : action.problem} onConfirm={confirm} onClose={onClose}>
      <Text label="Description" value={description} onInput={setDescription} error={wrong} />
    </Confirm>
  );
}

interface ChangesProps {
  source: GitSource;
  onChanged: (source: GitSource) => void;
  onSecret: (secret: string) => void;
}

function Changes({ source, onChanged, onSecret }: ChangesProps): JSX.Element {
  const may = useMay();
  const [asking, setAsking] = useState<Asking>("");
  const action = useAction();
  const own = ["sources", source.id];
  const close = () => {
    action.clear();
    setAsking("");
  };
  const change = async (body: Partial<GitSource>) => onChanged(await call("PATCH", path(own), { body }));
  const rotate = async (body: Record<string, unknown>) => {
    const rotated = await call<WithSecret>("POST", path([...own, "rotate-secret"]), { body });
    onSecret(body["secret"] === undefined ? rotated.secret : "");
    onChanged(rotated);
  };
  const remove = async () => {
    await call("DELETE", path(own));
    go(to("incoming"));
  };
  const dialog = { busy: action.busy, problem: action.problem, onClose: close };
  return (
    <>
      <div class="actions">
        <Button onClick={() => setAsking("describe")}>Describe</Button>
        {source.enabled ? (
          <Button onClick={() => setAsking("stop")}>Take no calls</Button>
        ) : (
          <Button busy={action.busy} onClick={() => action.run(() => change({ enabled: true }))}>
            Take calls
          </Button>
        )}
        {may("events:write") && <Button onClick={() => setAsking("rotate")}>Rotate the secret</Button>}
        <Button kind="danger" onClick={() => setAsking("delete")}>
          Delete
        </Button>
      </div>
      {asking === "" && <Problem problem={action.problem} />}
      {asking === "describe" && <Describe source={source} change={change} onClose={close} />}
      {asking === "rotate" && <Rotate overlap="is accepted, too" rotate={rotate} onClose={close} />}
      {asking === "stop" && (
        <Confirm {...dialog} title="Take no calls?" action="Take no calls" danger onConfirm={() => action.run(() => change({ enabled: false }).then(close))}>
          <p>Calls to its URL are answered 404 until it takes calls again. What happens at the host meanwhile becomes no event here, unless the host repeats the call.</p>
        </Confirm>
      )}
      {asking === "delete" && (
        <Confirm {...dialog} title="Delete this git source?" action="Delete" danger onConfirm={() => action.run(remove)}>
          <p>Calls to its URL are answered 404 from then on. Its events stay in the history. Remove the webhook at {titleOf(source.host)}, too.</p>
        </Confirm>
      )}
    </>
  );
}

function eventsAddress(source: GitSource): string {
  const query: Record<string, string> = source.app === null ? { type: "git.push" } : { source: `app/${source.app}`, type: "build/trigger" };
  return `${to("events")}?${new URLSearchParams(query)}`;
}

export function SourcePage({ id }: { id: string }): JSX.Element {
  const may = useMay();
  const [secret, setSecret] = useState("");
  const { value: source, problem, reload, set } = useLoaded<GitSource>((signal) => call("GET", path(["sources", id]), { signal }), [id]);
  if (source === null) {
    return (
      <>
        <Heading title="Git source" />
        {problem ? <Problem problem={problem} /> : <Loading />}
      </>
    );
  }
  const changed = (now: GitSource) => {
    set(now);
    reload();
  };
  return (
    <>
      <Heading title={nameOf(source)}>
        <SourceMark source={source} />
      </Heading>
      <Problem problem={problem} />
      {may("webhooks:write") && <Changes source={source} onChanged={changed} onSecret={setSecret} />}
      {secret !== "" && (
        <Once name="New secret" text={secret}>
          Enter it at {titleOf(source.host)}. Copy it now: it is not shown again.
        </Once>
      )}
      <Facts
        facts={[
          ["Git host", titleOf(source.host)],
          ["Its calls become", eventsOf(source)],
          ["Old secret accepted until", <Time at={source.previous_secret_until} />],
          ["Created", <Time at={source.created_at} />],
          ["Last change", <Time at={source.updated_at} />],
          ["Id", <code>{source.id}</code>],
        ]}
      />
      <RepositoryPart source={source} onChanged={changed} reload={reload} />
      <h2>At the host</h2>
      {source.git?.registration.hook_id && secret === "" ? <p>The relay made the webhook that calls {source.url}: nothing is to be entered there.</p> : <AtTheHost host={source.host} url={source.url} secretIsShown={secret !== ""} />}
      <Copy text={source.url} label="Copy the URL" />
      {may("deliveries:read") && (
        <p>
          <Link href={eventsAddress(source)}>{source.app === null ? "Pushes that came" : "Builds that it started"}</Link>
        </p>
      )}
    </>
  );
}
