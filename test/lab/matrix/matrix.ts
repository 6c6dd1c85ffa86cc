// The whole matrix: every kind as initiator against every kind as responder, both ways round, n runs each.
import { expectation } from '../expectations.js';
import { type NatKindName, natKind } from '../nat-kinds.js';
import { type NeighbourhoodName, neighbourExpectation } from '../neighbourhoods.js';
import { type Cell, cellOf, type Run } from './result.js';
import { explainCell, runCell } from './run.js';
import { runDisjoint } from './schedule.js';
import { Stage } from './stage.js';

export interface MatrixOptions {
  readonly kinds: readonly NatKindName[];
  /** Of all pairs of these kinds only those; default: all. */
  readonly pairs?: readonly { readonly a: NatKindName; readonly b: NatKindName }[] | undefined;
  /** Places that both nodes share; their cells come after the others. */
  readonly neighbourhoods: readonly NeighbourhoodName[];
  readonly oneWayMs: number;
  /** See StageOptions. */
  readonly skewMs?: number;
  readonly initiatorMs?: number;
  /** By how much the initiators' calendar is ahead. Default 0. */
  readonly clockAheadMs?: number;
  /** Also ask `wayleave explain` once for each cell. */
  readonly explain?: boolean;
  readonly loss: number;
  readonly runs: number;
  readonly seed: number;
  /** How many connects at one time. */
  readonly atOnce: number;
  /** Where the logs of failures go. */
  readonly directory: string;
  readonly onStage?: () => void;
  readonly onRun?: (run: Run, done: number, total: number) => void;
}

export async function runMatrix(options: MatrixOptions): Promise<Cell[]> {
  const { kinds, neighbourhoods, runs, atOnce, directory, clockAheadMs = 0 } = options;
  await using stage = await Stage.set(kinds, neighbourhoods, options);
  options.onStage?.();
  const pairs = [
    ...(options.pairs ?? kinds.flatMap(a => kinds.map(b => ({ a, b })))).map(({ a, b }) => ({
      a,
      b,
      expected: expectation(natKind(a), natKind(b)),
    })),
    ...neighbourhoods.map(name => ({ a: name, b: name, expected: neighbourExpectation(name) })),
  ];
  const bookings = Array.from({ length: runs }, (_, i) =>
    pairs.map(pair => ({ ...pair, number: i + 1, places: [`from ${pair.a}`, `to ${pair.b}`] })),
  ).flat();
  const results = new Map(pairs.map(({ a, b }) => [`${a} ${b}`, [] as Run[]] as const));
  let done = 0;
  await runDisjoint(bookings, atOnce, async ({ a, b, expected, number }) => {
    const run = await runCell(stage, { a, b, number, expected, directory, clockAheadMs });
    results.get(`${a} ${b}`)!.push(run);
    options.onRun?.(run, ++done, bookings.length);
  });
  const explained = new Map<string, string | null>();
  const asked = options.explain ? pairs.map(pair => ({ ...pair, places: [`from ${pair.a}`] })) : [];
  await runDisjoint(asked, atOnce, async ({ a, b }) => {
    explained.set(`${a} ${b}`, await explainCell(stage, a, b));
  });
  return pairs.map(({ a, b, expected }) => {
    const key = `${a} ${b}` as const;
    return cellOf(a, b, results.get(key)!, expected, explained.get(key));
  });
}
