// Numbers, times and texts for the reader.

const seconds = { minute: 60, hour: 3600, day: 86400 };

function span(s: number): string {
  if (s < 1) return "less than a second";
  if (s < 2 * seconds.minute) return `${Math.round(s)} s`;
  if (s < 2 * seconds.hour) return `${Math.round(s / seconds.minute)} min`;
  if (s < 2 * seconds.day) return `${Math.round(s / seconds.hour)} h`;
  return `${Math.round(s / seconds.day)} days`;
}

/// "3 min ago", "in 2 h".
export function relative(time: string, now = Date.now()): string {
  const s = (now - Date.parse(time)) / 1000;
  if (Math.abs(s) < 1) return "now";
  return s > 0 ? `${span(s)} ago` : `in ${span(-s)}`;
}

/// Both, since logs are in UTC and people are not.
export function exact(time: string): string {
  const local = new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return `${local} here, ${inUtc(time)}`;
}

export function inUtc(time: string): string {
  return time.replace("T", " ").replace("Z", " UTC");
}

const ofInput = (date: Date): string => {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};

/// A time as `<input type="datetime-local">` takes it; "" stays "".
export function localInput(time: string, utc: boolean): string {
  if (time === "") return "";
  return utc ? new Date(time).toISOString().slice(0, 19) : ofInput(new Date(time));
}

/// The other way round; "": nothing is entered yet.
export function timeOfInput(entered: string, utc: boolean): string {
  const read = new Date(utc ? `${entered}Z` : entered);
  return entered === "" || Number.isNaN(read.getTime()) ? "" : read.toISOString();
}

export function uptime(s: number): string {
  return span(s);
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function rate(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toFixed(1);
}

export function bytes(value: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function milliseconds(value: number | null): string {
  if (value === null) return "–";
  return value < 10_000 ? `${count(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function microseconds(value: number): string {
  return value < 1000 ? `${value} µs` : milliseconds(Math.round(value / 1000));
}

/// The text of a JSON value that begins at `from`, as it came. The document is known to be JSON.
function valueAt(json: string, from: number): string {
  let depth = 0;
  for (let at = from; at < json.length; ++at) {
    const character = json[at]!;
    if (character === '"') at = endOfString(json, at);
    else if (character === "{" || character === "[") ++depth;
    else if (character === "}" || character === "]") {
      if (depth === 0) return json.slice(from, at).trim();
      --depth;
    } else if (character === "," && depth === 0) return json.slice(from, at).trim();
  }
  return json.slice(from).trim();
}

/// The index of the quote that ends the string beginning at `from`.
function endOfString(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}

/// A member of a JSON object, as it came: JavaScript would round its numbers. Nothing if it is absent.
export function memberText(json: string, name: string): string | undefined {
  let at = json.indexOf("{") + 1;
  while (at > 0 && at < json.length) {
    const start = json.indexOf('"', at);
    if (start < 0) return undefined;
    const end = endOfString(json, start);
    const value = json.indexOf(":", end) + 1;
    const text = valueAt(json, value);
    if (JSON.parse(json.slice(start, end + 1)) === name) return text;
    at = json.indexOf(text, value) + text.length;
  }
  return undefined;
}

const depthMost = 100;
const layoutMost = 1_000_000; // Characters.

/// @param note  why JSON is shown as it came; empty: it is laid out, or is not JSON.
export interface Layout {
  text: string;
  note: string;
}

/// JSON with line breaks, or the text as it is. Only laid out: no number is read, so 1.0 stays 1.0. Indentation grows with the
/// square of the depth, so JSON that is nested deeply or would become long stays as it is.
export function layOut(text: string): Layout {
  try {
    JSON.parse(text);
  } catch {
    return { text, note: "" };
  }
  let out = "";
  let depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (let at = 0; at < text.length; ++at) {
    if (depth > depthMost) return { text, note: `Shown as it came: it is nested more than ${depthMost} levels deep.` };
    if (out.length > layoutMost) return { text, note: "Shown as it came: it would be too long with line breaks." };
    const character = text[at]!;
    if (character === '"') {
      const end = endOfString(text, at);
      out += text.slice(at, end + 1);
      at = end;
    } else if (character === "{" || character === "[") {
      const empty = /^\s*[}\]]/.exec(text.slice(at + 1, at + 100));
      if (empty) {
        out += character + empty[0].trim();
        at += empty[0].length;
      } else {
        ++depth;
        out += character + line();
      }
    } else if (character === "}" || character === "]") {
      --depth;
      out += line() + character;
    } else if (character === ",") {
      out += "," + line();
    } else if (character === ":") {
      out += ": ";
    } else if (!/\s/.test(character)) {
      out += character;
    }
  }
  return { text: out, note: "" };
}

export function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/// A command for a shell that sends the same request. Headers that curl itself writes are left out.
export function asCurl(request: { method: string; url: string; headers: Record<string, string>; body: string | null }): string {
  const own = new Set(["host", "content-length", "connection", "transfer-encoding"]);
  const headers = Object.entries(request.headers).filter(([name]) => !own.has(name.toLowerCase()));
  const parts = [`curl -X ${request.method} ${quoted(request.url)}`, ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)];
  if (request.body !== null && request.body !== "") parts.push(`--data-raw ${quoted(request.body)}`);
  return parts.join(" \\\n  ");
}

/// Lines of a text field that say something.
export function lines(text: string): string[] {
  return text.split("\n").map((each) => each.trim()).filter((each) => each !== "");
}
