// A line chart without a library: as many lines as it is given, over the same times.

import type { JSX } from "preact";
import { rate } from "./format";

/// @param values  null: there is none, and the line has a gap. @param text  beside the name; if absent, the last value per second.
export interface Line {
  name: string;
  kind: "events" | "delivered" | "failed" | "dead";
  values: (number | null)[];
  text?: string;
}

const width = 600;
const height = 140;

/// At the right edge, too, a value alone is seen.
function dash(point: string): string {
  const [x, y] = point.split(",");
  const begin = Math.min(Number(x), width - 6);
  return `${begin},${y} ${begin + 6},${y}`;
}

/// The points of each unbroken part of a line. One value alone is a short dash.
function parts(values: (number | null)[], most: number, slots: number): string[] {
  const step = width / Math.max(slots - 1, 1);
  const first = slots - values.length; // The newest is at the right edge.
  const found: string[][] = [[]];
  values.forEach((value, index) => {
    if (value === null) found.push([]);
    else found.at(-1)!.push(`${((first + index) * step).toFixed(1)},${(height - (value / most) * (height - 8)).toFixed(1)}`);
  });
  return found.filter((part) => part.length > 0).map((part) => (part.length > 1 ? part.join(" ") : dash(part[0]!)));
}

interface Props {
  lines: Line[];
  slots: number; // How many values fit.
  text: string; // For those who cannot see it.
  top?: (most: number) => string;
}

export function Chart({ lines, slots, text, top = (most) => `top of the chart: ${rate(most)}/s` }: Props): JSX.Element {
  const most = Math.max(1, ...lines.flatMap((line) => line.values.map((value) => value ?? 0)));
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={text}>
        {lines.flatMap((line) => parts(line.values, most, slots).map((points, index) => <polyline key={`${line.name} ${index}`} class={line.kind} points={points} />))}
      </svg>
      <figcaption>
        {lines.map((line) => (
          <span key={line.name} class={`key ${line.kind}`}>
            {line.name} <strong>{line.text ?? `${rate(line.values.at(-1) ?? 0)}/s`}</strong>
          </span>
        ))}
        <span class="quiet">{top(most)}</span>
      </figcaption>
    </figure>
  );
}
