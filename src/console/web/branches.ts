// Which branches a filter wants, as src/subscription/branch_patterns.h says; a test compares both.

const branchBytesMost = 1024; // A longer name matches nothing.

function matchesWord(word: string, branch: string): boolean {
  const pieces = word.split("*");
  const [front, back] = [pieces[0]!, pieces.at(-1)!];
  if (pieces.length === 1) return branch === front;
  if (branch.length < front.length + back.length || !branch.startsWith(front) || !branch.endsWith(back)) return false;
  const end = branch.length - back.length;
  let at = front.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = branch.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/// Words with spaces between them: one of them must match, if there are any without `!`, and none of those with `!` may.
export function branchMatches(patterns: string, branch: string): boolean {
  if (new TextEncoder().encode(branch).length > branchBytesMost) return false;
  const words = patterns.split(/[ \t\n\r]+/).filter((word) => word !== "");
  const wanted = words.filter((word) => !word.startsWith("!"));
  const unwanted = words.filter((word) => word.startsWith("!")).map((word) => word.slice(1));
  return (wanted.length === 0 || wanted.some((word) => matchesWord(word, branch))) && !unwanted.some((word) => matchesWord(word, branch));
}
