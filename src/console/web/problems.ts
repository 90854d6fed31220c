// Which field of a form a problem belongs to.

import { Refusal } from "./api";

/// A field that cannot be sent as it is: found here, before the relay is asked.
export class Unreadable extends Error {
  constructor(
    readonly member: string,
    detail: string,
  ) {
    super(detail);
  }
}

export function memberOf(problem: unknown): string {
  return problem instanceof Refusal || problem instanceof Unreadable ? problem.member : "";
}

/// What is wrong with one of these members, or with something inside one; nothing: it is elsewhere.
export function errorAt(problem: unknown, ...members: string[]): string | undefined {
  const wrong = memberOf(problem);
  const mine = members.some((member) => wrong === member || wrong.startsWith(`${member}.`) || wrong.startsWith(`${member}[`));
  return wrong !== "" && mine ? (problem as Error).message : undefined;
}
