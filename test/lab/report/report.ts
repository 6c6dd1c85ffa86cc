// A finished matrix with what one must know to repeat it; what the table, the JSON and the page are made of.
import type { Cell } from '../matrix/result.js';

export interface Report {
  readonly cells: readonly Cell[];
  readonly oneWayMs: number;
  readonly loss: number;
  readonly runs: number;
  readonly seed: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly node: string;
  readonly kernel: string;
  readonly version: string;
  /** The kinds in the order of rows and columns, with RFC 4787's words for them. */
  readonly kinds: readonly { readonly name: string; readonly rfc4787: string; readonly makers: string }[];
  /** Places that both share: their cells have `a` and `b` of that name. */
  readonly neighbourhoods: readonly { readonly name: string; readonly words: string }[];
}

export interface Totals {
  readonly runs: number;
  readonly connected: number;
  /** Runs in cells where a connection is possible with what has landed. */
  readonly possible: number;
  readonly connectedOfPossible: number;
  readonly surprises: readonly Cell[];
  readonly wins: ReadonlyMap<string, number>;
}

export function totals({ cells }: Pick<Report, 'cells'>): Totals {
  const sum = (of: (cell: Cell) => number, among = cells) =>
    among.reduce((total, cell) => total + of(cell), 0);
  const possible = cells.filter(({ expected }) => expected.length > 0);
  const wins = new Map<string, number>();
  for (const { strategies } of cells)
    for (const [name, count] of Object.entries(strategies)) wins.set(name, (wins.get(name) ?? 0) + count);
  return {
    runs: sum(({ runs }) => runs),
    connected: sum(({ connected }) => connected),
    possible: sum(({ runs }) => runs, possible),
    connectedOfPossible: sum(({ connected }) => connected, possible),
    surprises: cells.filter(({ asExpected }) => !asExpected),
    wins,
  };
}
