// A line chart without a library: as many lines as it is given, over the same times.

import type { JSX } from "preact";
import { rate } from "./format";

export interface Line {
  name: string;
  kind: "events" | "delivered" | "failed";
  values: number[];
}

const width = 600;
const height = 140;

function points(values: number[], most: number, slots: number): string {
  const step = width / Math.max(slots - 1, 1);
  const first = slots - values.length; // The newest is at the right edge.
  return values.map((value, index) => `${((first + index) * step).toFixed(1)},${(height - (value / most) * (height - 8)).toFixed(1)}`).join(" ");
}

/// @param slots  how many values fit; @param text  for those who cannot see it.
export function Chart({ lines, slots, text }: { lines: Line[]; slots: number; text: string }): JSX.Element {
  const most = Math.max(1, ...lines.flatMap((line) => line.values));
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={text}>
        {lines.map((line) => (
          <polyline key={line.name} class={line.kind} points={points(line.values, most, slots)} />
        ))}
      </svg>
      <figcaption>
        {lines.map((line) => (
          <span key={line.name} class={`key ${line.kind}`}>
            {line.name} <strong>{rate(line.values.at(-1) ?? 0)}</strong>/s
          </span>
        ))}
        <span class="quiet">top of the chart: {rate(most)}/s</span>
      </figcaption>
    </figure>
  );
}
