import type { JSX } from "preact";
import { call } from "../api";
import { bytes, count, uptime } from "../format";
import { useLoaded } from "../loading";
import { Empty, Facts, Heading, Loading, Problem, Table, Time } from "../parts";
import { useSession } from "../session";
import type { ConfigurationKey, RelayStatus } from "../types";

const limitTexts: Record<string, string> = {
  memory_max: "Memory that the relay may use",
  memory_total: "Memory of all limits together",
  shards: "Shards",
  pending_max: "Pending deliveries, per shard",
  history_memory_max: "Memory of the history",
  idempotency_entries_max: "Event ids that are remembered",
  bodies_bytes_max: "Request bodies being received, per shard",
  batch_bytes_max: "Body of one request",
  attempts_in_flight_max: "Attempts in flight, per shard",
  connections_max: "Incoming connections, per shard",
  delivery_connections_max: "Connections to receivers, per shard",
};

function limit(name: string, value: number): string {
  return /memory|bytes/.test(name) ? bytes(value) : count(value);
}

function Relay(): JSX.Element {
  const { value: status, problem } = useLoaded<RelayStatus>((signal) => call("GET", "/v1/status", { signal }), []);
  if (problem) return <Problem problem={problem} />;
  if (status === null) return <Loading />;
  const { storage, last_reload: reload } = status;
  return (
    <>
      <Facts
        facts={[
          ["Engine", status.engine_reason ? `${status.engine}: ${status.engine_reason}` : status.engine],
          ["Running for", uptime(status.uptime_s)],
          ["Journal", `${storage.state}${storage.detail ? `: ${storage.detail}` : ""} (${bytes(storage.journal_bytes)})`],
          ["Webhooks and tokens", `${storage.store_state}${storage.store_detail ? `: ${storage.store_detail}` : ""}`],
          ["Deliveries in the history", count(status.deliveries_indexed)],
          [
            "Last reload of the configuration",
            reload === null ? (
              "none since the start"
            ) : (
              <>
                <Time at={reload.at} /> {reload.ok ? "applied" : `refused: ${reload.problem}`}
                {reload.needs_restart.length > 0 && `; takes effect at the next start: ${reload.needs_restart.join(", ")}`}
              </>
            ),
          ],
        ]}
      />
      <h2>Limits</h2>
      <Facts facts={Object.entries(status.limits).map(([name, value]) => [limitTexts[name] ?? name, limit(name, value)])} />
    </>
  );
}

function changesWith({ waiting, reloadable }: ConfigurationKey): string {
  if (waiting) return "a restart, for a new value";
  return reloadable ? "a reload" : "a restart";
}

function Configuration(): JSX.Element {
  const { value, problem } = useLoaded<{ items: ConfigurationKey[] }>((signal) => call("GET", "/v1/admin/config", { signal }), []);
  if (value === null) return problem ? <Problem problem={problem} /> : <Loading />;
  return (
    <Table caption="Configuration in force" columns={["Key", "Value", "Set", "Changes with"]}>
      {value.items.map((each) => (
        <tr key={each.key}>
          <td class="code break">{each.key}</td>
          <td class="code wide">{each.value === "" ? <span class="quiet">–</span> : each.value}</td>
          <td>{each.given ? "yes" : <span class="quiet">default</span>}</td>
          <td>{changesWith(each)}</td>
        </tr>
      ))}
    </Table>
  );
}

export function About(): JSX.Element {
  const session = useSession();
  const { token } = session;
  return (
    <>
      <Heading title="About" />
      <Facts
        facts={[
          ["Version", session.version],
          ["Signed in with", token.name],
          ["Organization", token.organization],
          ["Scopes", token.scopes.join(", ")],
          ["Sources", token.sources.join(", ")],
          ["Session ends", <Time at={session.expires_at} />],
        ]}
      />
      <h2>This relay</h2>
      {session.operator ? (
        <>
          <Relay />
          <h2>Configuration in force</h2>
          <p class="quiet">Passwords are masked. Defaults may have been fitted to the memory.</p>
          <Configuration />
        </>
      ) : (
        <Empty>Figures of the whole relay need an operator's token: scope admin, organization default, all sources.</Empty>
      )}
    </>
  );
}
