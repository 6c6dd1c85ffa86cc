// One option: what values it takes, in what unit, and why its default is what it is.
import type { z } from 'zod';

interface Notes {
  /** Never shown: not in logs, not by `wayleave server --check`. */
  readonly secret?: true;
}

export const option = <T extends z.ZodType>(schema: T, unit: string, why: string, notes: Notes = {}): T =>
  schema.meta({ unit, why, ...notes });
