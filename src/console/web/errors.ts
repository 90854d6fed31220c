// What the code of an attempt's error means, and what to do, in the words of the runbook.

import rows from "runbook";

export interface Advice {
  means: string;
  todo: string;
}

export function adviceOn(code: string): Advice | undefined {
  const row = rows.find(([each]) => each === code);
  return row && { means: row[1], todo: row[2] };
}

/// What lists can be asked for: an attempt that the end of the relay broke off is repeated, and is not the last one.
export const errorCodes: readonly string[] = rows.map(([code]) => code).filter((code) => code !== "interrupted");
