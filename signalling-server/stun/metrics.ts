// What the STUN responders of a server can tell of themselves, added up: there is one a family.
import { expose, type Row } from '../exposition.js';
import type { StunResponder } from './responder.js';

const ROWS: readonly Row<StunResponder, number>[] = [
  [
    'wayleave_stun_requests_total',
    'counter',
    'Binding requests served.',
    ({ counters }) => counters.requests,
  ],
  ['wayleave_stun_answers_total', 'counter', 'Answers to them.', ({ counters }) => counters.answers],
  [
    'wayleave_stun_malformed_total',
    'counter',
    'What was no STUN message.',
    ({ counters }) => counters.malformed,
  ],
  [
    'wayleave_stun_rate_limited_total',
    'counter',
    'Requests over the limit of their source.',
    ({ counters }) => counters.rateLimited,
  ],
  [
    'wayleave_stun_refused_connections_total',
    'counter',
    'TCP connections closed unheard: too many, or banned.',
    ({ counters }) => counters.refused,
  ],
  [
    'wayleave_stun_connections_total',
    'counter',
    'TCP connections accepted, the relay’s clients included.',
    ({ counters }) => counters.connections,
  ],
  [
    'wayleave_stun_connections',
    'gauge',
    'TCP connections open for STUN.',
    ({ waiting }) => waiting.connections,
  ],
  [
    'wayleave_stun_delayed_answers',
    'gauge',
    'Answers that wait for the time that was asked for.',
    ({ waiting }) => waiting.answers,
  ],
  ['wayleave_stun_dial_backs_total', 'counter', 'Dial-backs begun.', ({ counters }) => counters.dialBacks],
  ['wayleave_stun_in_bytes_total', 'counter', 'Bytes of requests.', ({ counters }) => counters.bytesIn],
  ['wayleave_stun_out_bytes_total', 'counter', 'Bytes of answers.', ({ counters }) => counters.bytesOut],
];

const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

const OF_ALL = ROWS.map(([name, kind, help, read]): Row<readonly StunResponder[]> => {
  return [name, kind, help, all => total(all.map(read))];
});

export function stunMetrics(responders: readonly StunResponder[]): string {
  return expose(OF_ALL, responders);
}
