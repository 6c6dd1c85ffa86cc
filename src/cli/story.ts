// One attempt in one line, for people: used by every command that connects, and by the demo.

import type { AttemptOutcome } from '../errors.js';
import { REASONS, type Reason } from '../strategies/reasons.js';
import { pc } from './colours.js';

const MARK = {
  won: pc.green('✔'),
  failed: pc.red('✘'),
  skipped: pc.dim('–'),
  cancelled: pc.dim('·'),
} as const;

/** For example: `✘ direct   failed after 3 ms: The other machine answered that nothing listens there.` */
export function attemptLine({ strategy, outcome, reason, ms }: AttemptOutcome): string {
  const took = outcome === 'skipped' ? '' : ` after ${ms} ms`;
  const why = REASONS[reason as Reason] ?? reason;
  return `  ${MARK[outcome]} ${pc.bold(strategy.padEnd(8))} ${outcome}${took}: ${why}`;
}
