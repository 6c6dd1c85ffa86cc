// What a run and a cell of the matrix are, and how runs become cells: plain data and pure functions.
import type { AttemptOutcome } from '../../../src/errors.js';
import type { Expectation } from '../expectations.js';

/** One `wayleave connect` from a place of kind `a` to a node in a place of kind `b`. */
export interface Run {
  readonly a: string;
  readonly b: string;
  /** Connected, and the message came back. */
  readonly connected: boolean;
  readonly strategy: string | null;
  /** From the connect call to the open pipe. */
  readonly ms: number | null;
  /** Before that: start, signalling, own profile. */
  readonly readyMs: number | null;
  readonly attempts: readonly AttemptOutcome[];
  /** Why it did not connect, in the product's words. */
  readonly failure: string | null;
  /** Where its logs and capture are kept; null: nothing was worth keeping. */
  readonly kept: string | null;
}

/** The JSON form that other programs read: the first seven fields are a contract. */
export interface Cell {
  readonly a: string;
  readonly b: string;
  readonly runs: number;
  readonly connected: number;
  /** How often each strategy won. */
  readonly strategies: Readonly<Record<string, number>>;
  readonly msMedian: number | null;
  readonly msP90: number | null;
  readonly expected: readonly string[];
  readonly reason: string;
  readonly asExpected: boolean;
  /** The strategy that `wayleave explain` expects, asked at the initiator's place; undefined: not asked. */
  readonly explained?: string | null;
  /** Each connected run's time, in the order of the runs. */
  readonly ms: readonly number[];
  readonly failures: readonly { readonly message: string; readonly kept: string | null }[];
  /** Of the last run: what was tried, in order. */
  readonly attempts: readonly AttemptOutcome[];
}

export function isAsExpected({ connected, strategy }: Run, { strategies }: Expectation): boolean {
  return connected ? (strategies as readonly (string | null)[]).includes(strategy) : strategies.length === 0;
}

export function cellOf(
  a: string,
  b: string,
  runs: readonly Run[],
  expected: Expectation,
  explained?: string | null,
): Cell {
  const ms = runs.flatMap(run => (run.ms === null ? [] : [run.ms]));
  const strategies: Record<string, number> = {};
  for (const { connected, strategy } of runs)
    if (connected && strategy !== null) strategies[strategy] = (strategies[strategy] ?? 0) + 1;
  return {
    a,
    b,
    runs: runs.length,
    connected: runs.filter(run => run.connected).length,
    strategies,
    msMedian: quantile(ms, 0.5),
    msP90: quantile(ms, 0.9),
    expected: expected.strategies,
    reason: expected.reason,
    asExpected: runs.every(run => isAsExpected(run, expected)),
    ...(explained !== undefined && { explained }),
    ms,
    failures: runs.flatMap(({ failure, kept }) => (failure === null ? [] : [{ message: failure, kept }])),
    attempts: runs.at(-1)?.attempts ?? [],
  };
}

/** Linear between the two nearest ranks; null for no values. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((x, y) => x - y);
  const rank = (sorted.length - 1) * share;
  const low = sorted[Math.floor(rank)]!;
  const high = sorted[Math.ceil(rank)]!;
  return Math.round((low + (high - low) * (rank - Math.floor(rank))) * 10) / 10;
}

/** The strategy that won most often; null when none did. */
export function winner({ strategies }: Pick<Cell, 'strategies'>): string | null {
  return Object.entries(strategies).sort(([, x], [, y]) => y - x)[0]?.[0] ?? null;
}
