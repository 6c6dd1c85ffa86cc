// What a benchmark reports: figures with their limit and what they are measured against; as a table for people
// and as bench/results/NAME.json for machines.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the same work takes without us, in the same unit, measured in the same run. */
  readonly baseline?: { readonly name: string; readonly value: number };
  /** The bound that the figure must keep, on the value or on its ratio to the baseline. */
  readonly limit?: { readonly of: 'value' | 'ratio'; readonly most?: number; readonly least?: number };
}

export function ratio({ value, baseline }: Figure): number | undefined {
  return baseline === undefined ? undefined : value / baseline.value;
}

export function met(figure: Figure): boolean | undefined {
  if (figure.limit === undefined) return undefined;
  const { of, most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = figure.limit;
  const measured = of === 'value' ? figure.value : ratio(figure)!;
  return measured <= most && measured >= least;
}

export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!;
}

export const median = (samples: readonly number[]): number => percentile(samples, 50);

function limitText({ limit, unit }: Figure): string {
  if (!limit) return '';
  const bound = limit.most === undefined ? `≥ ${number(limit.least!)}` : `≤ ${number(limit.most)}`;
  return limit.of === 'value' ? `${bound} ${unit}` : `${bound} × the baseline`;
}

function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

export function printTable(title: string, figures: readonly Figure[]): void {
  const table = new Table({
    head: ['figure', 'measured', 'ratio', 'baseline (same run)', 'limit', ''],
    style: { head: [], border: [] },
  });
  for (const figure of figures) {
    const times = ratio(figure);
    const { name, value, unit, baseline } = figure;
    const verdict = met(figure);
    table.push([
      name,
      `${number(value)} ${unit}`,
      times === undefined ? '' : `${times.toFixed(2)} ×`,
      baseline ? `${number(baseline.value)} ${unit}: ${baseline.name}` : '',
      limitText(figure),
      verdict === undefined ? '' : verdict ? 'met' : 'NOT MET',
    ]);
  }
  console.log(`\n${title}\n${table.toString()}`);
}

export function writeResults(directory: string, name: string, figures: readonly Figure[]): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${name}.json`);
  const rows = figures.map(figure => ({ ...figure, ratio: ratio(figure), met: met(figure) }));
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length };
  writeFileSync(
    path,
    `${JSON.stringify({ suite: name, at: new Date().toISOString(), machine, figures: rows }, null, 2)}\n`,
  );
  return path;
}
