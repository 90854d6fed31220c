import type { JSX } from "preact";
import { FilterFields, isFiltered } from "../filters";
import type { FilterName } from "../filters";
import { OtherPages, emptyText, useListed } from "../listed";
import { Empty, Heading, Loading, Problem, Table, Time } from "../parts";
import { Link, to } from "../router";
import { useSession } from "../session";
import type { AuditEntry } from "../types";

/// Where what was changed has a page.
const pages: Record<string, string> = { webhook: "webhooks", source: "incoming", replay: "replays", delivery: "deliveries" };

function Changed({ entry: { operation, object } }: { entry: AuditEntry }): JSX.Element {
  const page = pages[operation.split(".")[0] ?? ""];
  const isThere = page !== undefined && !operation.endsWith(".delete") && object !== "";
  return isThere ? <Link href={to(page, object)}>{object}</Link> : <>{object || "–"}</>;
}

function Row({ entry }: { entry: AuditEntry }): JSX.Element {
  const { at, organization, token, operation, members, peer, status } = entry;
  return (
    <tr>
      <td>
        <Time at={at} />
      </td>
      <td class="wide">
        {token.name}
        {token.organization !== organization && <div class="quiet break">of {token.organization}</div>}
      </td>
      <td>{operation}</td>
      <td class="wide">
        <Changed entry={entry} />
        {members.length > 0 && <div class="quiet break">{members.join(", ")}</div>}
      </td>
      <td class="break">{peer}</td>
      <td class="number">{status}</td>
    </tr>
  );
}

export function AuditLog(): JSX.Element {
  const { operator } = useSession();
  const fields: readonly FilterName[] = operator ? ["period", "organization"] : ["period"];
  const list = useListed<AuditEntry>(["audit"], { names: fields });
  const { value, problem, filter, change } = list;
  return (
    <>
      <Heading title="Audit log" />
      <p class="quiet">Who changed what, over any of the APIs. Names of what was changed are kept, never their values.</p>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <FilterFields filter={filter} names={fields} onChange={change} period="Changed in" />
      </form>
      <Problem problem={problem} />
      {value === null && !problem && <Loading />}
      {value !== null && value.items.length === 0 && <Empty>{emptyText(list, isFiltered(filter), "entries", "Nothing was changed yet.")}</Empty>}
      {value !== null && value.items.length > 0 && (
        <Table caption="Audit log" columns={["When", "Token", "Operation", "What was changed", "From", "Status"]}>
          {value.items.map((entry) => (
            <Row key={entry.id} entry={entry} />
          ))}
        </Table>
      )}
      <OtherPages list={list} />
    </>
  );
}
