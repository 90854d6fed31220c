// What is different between two texts, line by line.

export interface Line {
  kind: "same" | "gone" | "new";
  text: string;
}

const cellsMost = 4_000_000;

/// Lengths of the longest common parts behind each pair of lines.
function lengths(one: string[], other: string[]): Uint32Array[] {
  const table = Array.from({ length: one.length + 1 }, () => new Uint32Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; --i) {
    for (let j = other.length - 1; j >= 0; --j) {
      table[i]![j] = one[i] === other[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

function ends(one: string[], other: string[]): { before: number; after: number } {
  const least = Math.min(one.length, other.length);
  let before = 0;
  while (before < least && one[before] === other[before]) ++before;
  let after = 0;
  while (after < least - before && one[one.length - 1 - after] === other[other.length - 1 - after]) ++after;
  return { before, after };
}

const as = (kind: Line["kind"], texts: string[]): Line[] => texts.map((text) => ({ kind, text }));

function middle(one: string[], other: string[]): Line[] {
  if (one.length * other.length > cellsMost) return [...as("gone", one), ...as("new", other)]; // All of it, rather than a slow page.
  const table = lengths(one, other);
  const out: Line[] = [];
  let [i, j] = [0, 0];
  while (i < one.length && j < other.length) {
    if (one[i] === other[j]) {
      out.push({ kind: "same", text: one[i++]! });
      ++j;
    } else if (table[i + 1]![j]! >= table[i]![j + 1]!) {
      out.push({ kind: "gone", text: one[i++]! });
    } else {
      out.push({ kind: "new", text: other[j++]! });
    }
  }
  return [...out, ...as("gone", one.slice(i)), ...as("new", other.slice(j))];
}

/// All lines of both, in order.
export function difference(before: string, after: string): Line[] {
  const [one, other] = [before.split("\n"), after.split("\n")];
  const same = ends(one, other);
  return [
    ...as("same", one.slice(0, same.before)),
    ...middle(one.slice(same.before, one.length - same.after), other.slice(same.before, other.length - same.after)),
    ...as("same", one.slice(one.length - same.after)),
  ];
}

const around = 2;

/// Without equal lines that are far from any other; null: some are left out.
export function shortened(all: Line[]): (Line | null)[] {
  const near = all.map((_, index) => all.slice(Math.max(0, index - around), index + around + 1).some(({ kind }) => kind !== "same"));
  return all.flatMap((line, index) => (near[index] ? [line] : index === 0 || near[index - 1] ? [null] : []));
}
