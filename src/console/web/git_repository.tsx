// A git source's repository at its host: the webhook that the relay makes there, and what did not come.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, path } from "./api";
import { titleOf } from "./git_hosts";
import { useAction, useLoaded } from "./loading";
import { Button, Confirm, Empty, Facts, Loading, Problem, Table, Text, Time } from "./parts";
import { errorAt } from "./problems";
import { useMay } from "./session";
import type { GitGap, GitLink, GitSource } from "./types";

export interface Repository {
  url: string;
  token: string;
}

/// What a source is made or changed with; nothing without a URL.
export function gitOf(repository: Repository): { git?: Repository } {
  return repository.url === "" && repository.token === "" ? {} : { git: repository };
}

interface FieldsProps {
  repository: Repository;
  onChange: (repository: Repository) => void;
  problem: unknown;
  optional: boolean;
}

export function RepositoryFields({ repository, onChange, problem, optional }: FieldsProps): JSX.Element {
  const none = optional ? " Empty: you make the webhook there yourself." : "";
  return (
    <>
      <Text label="Repository" type="url" code value={repository.url} onInput={(url) => onChange({ ...repository, url })} hint={`Its URL at the host: the relay makes the webhook there, and finds what did not come.${none}`} error={errorAt(problem, "git.url")} />
      <Text label="Token of the host" type="password" code value={repository.token} onInput={(token) => onChange({ ...repository, token })} hint="One that may manage the repository's webhooks. It is kept encrypted, and never shown." error={errorAt(problem, "git.token")} />
    </>
  );
}

interface ChangeProps {
  source: GitSource;
  onChanged: (source: GitSource) => void;
  onClose: () => void;
}

function ChangeRepository({ source, onChanged, onClose }: ChangeProps): JSX.Element {
  const [repository, setRepository] = useState<Repository>({ url: source.git?.url ?? "", token: "" });
  const action = useAction();
  const save = () =>
    action.run(async () => {
      onChanged(await call("PATCH", path(["sources", source.id]), { body: { git: repository } }));
      onClose();
    });
  const shown = ["git.url", "git.token"].some((member) => errorAt(action.problem, member) !== undefined);
  return (
    <Confirm title="The source's repository" action="Save" busy={action.busy} problem={shown ? null : action.problem} onConfirm={save} onClose={onClose}>
      <RepositoryFields repository={repository} onChange={setRepository} problem={action.problem} optional={false} />
    </Confirm>
  );
}

const searches: Record<GitLink["gaps"]["search"], string> = {
  on: "",
  off: "Not looked for: the source is not registered or takes no calls.",
  not_offered: "Not known: the API of this host shows no log of its calls.",
};

function searchOf(gaps: GitLink["gaps"]): JSX.Element {
  if (gaps.search !== "on") return <>{searches[gaps.search]}</>;
  return (
    <>
      {gaps.missing} missing, {gaps.given_up} given up; looked at <Time at={gaps.searched_at} />
      {gaps.problem !== null && <>. The last try failed: {gaps.problem}</>}
      {gaps.not_searched !== null && <>. Not looked at: {gaps.not_searched}</>}
    </>
  );
}

const states: Record<GitGap["state"], string> = {
  open: "to be asked for",
  asked: "asked for",
  filled: "came",
  given_up: "given up",
  too_old: "too old to be asked for",
};

function Gaps({ source }: { source: GitSource }): JSX.Element | null {
  const searchedAt = source.git?.gaps.searched_at ?? null;
  const { value, problem } = useLoaded<{ items: GitGap[] }>((signal) => call("GET", path(["sources", source.id, "gaps"]), { signal }), [source.id, searchedAt]);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  if (value.items.length === 0) return searchedAt === null ? null : <Empty>Nothing is missing, as far as the host's log tells.</Empty>;
  return (
    <>
      <Problem problem={problem} />
      <Table caption="What the host sent and what did not come" columns={["Delivery", "Event", "Sent", "Answer", "State", "Asked"]}>
        {value.items.map((gap) => (
          <tr key={gap.delivery}>
            <td class="break">
              <code>{gap.delivery}</code>
            </td>
            <td>{gap.event}</td>
            <td>
              <Time at={gap.sent_at} />
            </td>
            <td>{gap.status ?? "none"}</td>
            <td class="wide">
              {states[gap.state]}
              {gap.detail !== null && <div class="quiet">{gap.detail}</div>}
            </td>
            <td>{gap.asked}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

interface PartProps {
  source: GitSource;
  onChanged: (source: GitSource) => void;
  reload: () => void;
}

/// The part of a source's page about its repository.
export function RepositoryPart({ source, onChanged, reload }: PartProps): JSX.Element {
  const may = useMay();
  const [asking, setAsking] = useState<"" | "change" | "remove">("");
  const action = useAction();
  const close = () => {
    action.clear();
    setAsking("");
  };
  const own = ["sources", source.id];
  const register = () => action.run(() => call<void>("POST", path([...own, "register"])).finally(reload));
  const remove = () => action.run(async () => {
    onChanged(await call("PATCH", path(own), { body: { git: null } }));
    setAsking("");
  });
  const { git } = source;
  const changes = may("webhooks:write") && may("events:write");
  const title = titleOf(source.host);
  return (
    <>
      <h2>Repository</h2>
      {git === null && <p>None: the webhook at {title} is made there by hand. With a repository and a token the relay makes it, and asks again for what did not come.</p>}
      {git !== null && (
        <Facts
          facts={[
            ["Repository", <span class="break">{git.url}</span>],
            ["Webhook there", git.registration.hook_id ?? "not made yet"],
            ["Last result", git.registration.result === "" ? "–" : <>{git.registration.failed && "failed: "}{git.registration.result} (<Time at={git.registration.result_at} />)</>],
            ["Missing", searchOf(git.gaps)],
          ]}
        />
      )}
      {changes && (
        <div class="actions">
          {git !== null && (
            <Button kind="main" busy={action.busy} onClick={register}>
              {git.registration.hook_id === null ? `Make the webhook at ${title}` : "Renew the webhook and its secret"}
            </Button>
          )}
          <Button onClick={() => setAsking("change")}>{git === null ? "Give a repository" : "Change the repository"}</Button>
          {git !== null && <Button onClick={() => setAsking("remove")}>Forget the repository</Button>}
        </div>
      )}
      {asking === "" && <Problem problem={action.problem} />}
      {asking === "change" && <ChangeRepository source={source} onChanged={onChanged} onClose={close} />}
      {asking === "remove" && (
        <Confirm title="Forget the repository?" action="Forget" danger busy={action.busy} problem={action.problem} onConfirm={remove} onClose={close}>
          <p>The token is removed, and nothing is looked for at {title} any more. The webhook there stays, and goes on calling.</p>
        </Confirm>
      )}
      {git !== null && git.gaps.search === "on" && <Gaps source={source} />}
    </>
  );
}
