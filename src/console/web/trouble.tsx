// Why a webhook's deliveries do not arrive, in words.

import type { JSX } from "preact";
import { count, exact } from "./format";
import { StateMark, Time } from "./parts";
import type { Webhook } from "./types";

const disabledByAPerson = "disabled over the API";

/// A Devopness hook that is called, and sends nothing: it is never active.
export function isIncoming(webhook: Webhook): boolean {
  return webhook.dialect === "devopness" && webhook.settings["type"] === "in";
}

export function WebhookMark({ webhook }: { webhook: Webhook }): JSX.Element {
  if (!isIncoming(webhook)) return <StateMark state={webhook.state} />;
  const takesCalls = webhook.settings["active"] !== false;
  return (
    <span class={`mark ${takesCalls ? "good" : "off"}`}>
      <span aria-hidden="true">{takesCalls ? "✓" : "–"}</span> {takesCalls ? "takes calls" : "takes no calls"}
    </span>
  );
}

/// One that a person disabled is not, nor one that has nothing to send: it does what it should.
export function isInTrouble(webhook: Webhook): boolean {
  if (isIncoming(webhook)) return false;
  if (webhook.state !== "active") return webhook.state_reason !== disabledByAPerson;
  return webhook.circuit !== null || webhook.paused_until !== null || webhook.permission === "refused" || webhook.warnings.length > 0;
}

/// Why a delivery to this webhook waits longer than its own next attempt would need; empty if it does not.
export function holdUp(webhook: Webhook): string {
  if (webhook.paused_until !== null) return `its receiver asked for a pause until ${exact(webhook.paused_until)}`;
  if (webhook.circuit !== null) return `${count(webhook.circuit.failures)} attempts in a row failed at its host; one is made at a time`;
  if (webhook.permission === "unknown" || webhook.permission === "refused") return "its receiver has not agreed to get deliveries";
  return webhook.warnings.join(" ");
}

/// Every reason, the worst first; empty if there is none.
export function Reasons({ webhook }: { webhook: Webhook }): JSX.Element {
  const { circuit } = webhook;
  const active = webhook.state === "active";
  const incoming = isIncoming(webhook);
  return (
    <ul class="reasons">
      {incoming && <li>An incoming hook starts a pipeline when it is called, and sends nothing.</li>}
      {!active && !incoming && (
        <li>
          The webhook is {webhook.state}
          {webhook.state_reason && `: ${webhook.state_reason}`}.
        </li>
      )}
      {circuit && (
        <li>
          {circuit.failures} attempts in a row failed at this host ({circuit.last_failure}). One is made at a time until one succeeds
          {circuit.next_attempt_at ? (
            <>
              ; the next <Time at={circuit.next_attempt_at} />.
            </>
          ) : (
            "."
          )}
        </li>
      )}
      {webhook.paused_until && (
        <li>
          The receiver asked for a pause; deliveries continue <Time at={webhook.paused_until} />.
        </li>
      )}
      {webhook.permission === "refused" && <li>The receiver does not agree to get deliveries: {webhook.permission_reason}.</li>}
      {webhook.permission === "unknown" && webhook.permission_reason && <li>The receiver was asked for its permission: {webhook.permission_reason}.</li>}
      {active && webhook.warnings.map((warning) => <li key={warning}>{warning}</li>)}
    </ul>
  );
}
