// Lists as files for a spreadsheet (RFC 4180).

/// A spreadsheet runs what begins like this; behind an apostrophe it is text.
const formula = /^[=+\-@\t\r]/;

function cell(text: string): string {
  const neutral = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(neutral) ? `"${neutral.replaceAll('"', '""')}"` : neutral;
}

export function csvOf(columns: string[], rows: string[][]): string {
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/// Has the browser save a text under a name. The mark in front tells spreadsheets that it is UTF-8.
export function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
