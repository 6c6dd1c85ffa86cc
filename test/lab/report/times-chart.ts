// The distribution of connect times as an inline SVG: one band a strategy, one dot a run, stacked where they
// would hide each other, and the median as a bar. A logarithmic axis: a punch may take ten times a direct dial.
import { STRATEGIES } from '../expectations.js';
import { quantile, winner } from '../matrix/result.js';
import type { Report } from './report.js';

const WIDTH = 960;
const LEFT = 76;
const RIGHT = 24;
const DOT = 3.2;
const BAND_PAD = 14;
const AXIS = 34;
const MOST_STACKED = 12;

export function timesChart(report: Report): string {
  const bands = STRATEGIES.map(name => ({
    name,
    ms: report.cells.filter(cell => winner(cell) === name).flatMap(({ ms }) => ms),
  })).filter(({ ms }) => ms.length > 0);
  const all = bands.flatMap(({ ms }) => ms);
  if (all.length === 0) return '<p>No run connected.</p>';
  const low = Math.max(1, Math.min(...all) * 0.8);
  const high = Math.max(...all) * 1.15;
  const x = (ms: number) =>
    LEFT + ((Math.log(ms) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (WIDTH - LEFT - RIGHT);

  let top = 8;
  const drawn = bands.map(({ name, ms }) => {
    const { dots, height } = stack(ms.map(x));
    const middle = top + BAND_PAD + height / 2;
    const median = quantile(ms, 0.5)!;
    const p90 = quantile(ms, 0.9)!;
    const circles = dots.map(
      ([cx, offset]) => `<circle cx="${cx.toFixed(1)}" cy="${(middle + offset).toFixed(1)}" r="${DOT}"/>`,
    );
    const half = height / 2 + 6;
    top += height + 2 * BAND_PAD;
    return `<g class="${name}"><text class="name" x="0" y="${(middle + 1).toFixed(1)}">${name}</text><text class="note" x="0" y="${(middle + 14).toFixed(1)}">${ms.length} runs</text>
${circles.join('')}
<line class="median" x1="${x(median).toFixed(1)}" x2="${x(median).toFixed(1)}" y1="${(middle - half).toFixed(1)}" y2="${(middle + half).toFixed(1)}"/>
<title>${name}: median ${median} ms, p90 ${p90} ms, ${ms.length} runs</title></g>`;
  });
  const bottom = top;
  const grid = ticks(low, high).map(
    ms =>
      `<g class="tick"><line x1="${x(ms).toFixed(1)}" x2="${x(ms).toFixed(1)}" y1="4" y2="${bottom}"/><text x="${x(ms).toFixed(1)}" y="${bottom + 14}">${ms} ms</text></g>`,
  );
  return `<svg class="times" viewBox="0 0 ${WIDTH} ${bottom + AXIS}" role="img" aria-label="Connect times by strategy">
${grid.join('')}${trips(report.oneWayMs * 2, low, high, bottom, x)}
${drawn.join('\n')}
</svg>`;
}

/** Round trips along the foot of the chart. */
function trips(
  roundTripMs: number,
  low: number,
  high: number,
  bottom: number,
  x: (ms: number) => number,
): string {
  if (roundTripMs === 0) return '';
  const marks = [1, 2, 3, 4, 6, 9, 15, 25, 50, 100].filter(
    n => n * roundTripMs > low && n * roundTripMs < high,
  );
  return marks
    .map(n => `<text class="trip" x="${x(n * roundTripMs).toFixed(1)}" y="${bottom + 30}">${n} RTT</text>`)
    .join('');
}

/** 1, 2 and 5 times the powers of ten between the two. */
function ticks(low: number, high: number): number[] {
  const all: number[] = [];
  for (let power = 1; power <= high; power *= 10)
    for (const n of [1, 2, 5]) if (n * power >= low && n * power <= high) all.push(n * power);
  return all;
}

/** Dots at these places, moved up and down in turn so that none hides another. */
function stack(places: readonly number[]): { dots: [number, number][]; height: number } {
  const sorted = [...places].sort((a, b) => a - b);
  const lastAt: number[] = [];
  const dots = sorted.map((place): [number, number] => {
    let row = lastAt.findIndex(last => place - last >= 2 * DOT);
    if (row === -1) row = lastAt.length < MOST_STACKED ? lastAt.length : Math.floor(place) % MOST_STACKED;
    lastAt[row] = place;
    const side = row % 2 === 0 ? 1 : -1;
    return [place, side * Math.ceil(row / 2) * 2 * DOT];
  });
  return { dots, height: Math.max(2, lastAt.length) * 2 * DOT };
}
