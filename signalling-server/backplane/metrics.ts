// What a backplane can tell of itself. docs/operations.md explains every row.

import { by, expose, type Row } from '../exposition.js';
import type { BackplaneFigures } from './backplane.js';

const ROWS: readonly Row<BackplaneFigures>[] = [
  [
    'wayleave_backplane_joined',
    'gauge',
    '1 while the other processes are in reach; alone, always.',
    ({ joined }) => Number(joined),
  ],
  [
    'wayleave_backplane_pending',
    'gauge',
    'Messages to other processes whose outcome is not yet known.',
    ({ pending }) => pending,
  ],
  [
    'wayleave_backplane_messages_total',
    'counter',
    'Messages to other processes, from them, and sent on because a client had just moved.',
    ({ messages }) => by('direction', messages),
  ],
  [
    'wayleave_backplane_timeouts_total',
    'counter',
    'Messages to other processes whose outcome did not come in time.',
    ({ timedOut }) => timedOut,
  ],
  [
    'wayleave_backplane_malformed_total',
    'counter',
    'What other processes said and was not understood.',
    ({ malformed }) => malformed,
  ],
];

export function backplaneMetrics(figures: BackplaneFigures): string {
  return expose(ROWS, figures);
}
