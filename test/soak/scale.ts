// How much the soak tests do: a part in `npm test`, all of it with WAYLEAVE_SOAK=1.

const full = process.env.WAYLEAVE_SOAK === '1';

export function scaled(all: number, inEveryRun: number): number {
  return full ? all : inEveryRun;
}

/** Milliseconds that a soak test may take. */
export const SOAK_TIMEOUT_MS = full ? 1_800_000 : 120_000;
