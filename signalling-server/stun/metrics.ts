// What the STUN responders of a server can tell of themselves, added up: there is one a family.
import { expose, type Row } from '../exposition.js';
import type { StunResponder } from './responder.js';

type Responders = readonly StunResponder[];
const sum = (responders: Responders, read: (responder: StunResponder) => number) =>
  responders.reduce((total, responder) => total + read(responder), 0);

const ROWS: readonly Row<Responders>[] = [
  [
    'wayleave_stun_requests_total',
    'counter',
    'Binding requests served.',
    all => sum(all, r => r.counters.requests),
  ],
  ['wayleave_stun_answers_total', 'counter', 'Answers to them.', all => sum(all, r => r.counters.answers)],
  [
    'wayleave_stun_malformed_total',
    'counter',
    'What was no STUN message.',
    all => sum(all, r => r.counters.malformed),
  ],
  [
    'wayleave_stun_rate_limited_total',
    'counter',
    'Requests over the limit of their source.',
    all => sum(all, r => r.counters.rateLimited),
  ],
  [
    'wayleave_stun_refused_connections_total',
    'counter',
    'TCP connections closed unheard: too many, or banned.',
    all => sum(all, r => r.counters.refused),
  ],
  [
    'wayleave_stun_connections_total',
    'counter',
    'TCP connections accepted, the relay’s clients included.',
    all => sum(all, r => r.counters.connections),
  ],
  [
    'wayleave_stun_connections',
    'gauge',
    'TCP connections open for STUN.',
    all => sum(all, r => r.waiting.connections),
  ],
  [
    'wayleave_stun_delayed_answers',
    'gauge',
    'Answers that wait for the time that was asked for.',
    all => sum(all, r => r.waiting.answers),
  ],
  [
    'wayleave_stun_dial_backs_total',
    'counter',
    'Dial-backs begun.',
    all => sum(all, r => r.counters.dialBacks),
  ],
  ['wayleave_stun_in_bytes_total', 'counter', 'Bytes of requests.', all => sum(all, r => r.counters.bytesIn)],
  [
    'wayleave_stun_out_bytes_total',
    'counter',
    'Bytes of answers.',
    all => sum(all, r => r.counters.bytesOut),
  ],
];

export function stunMetrics(responders: Responders): string {
  return expose(ROWS, responders);
}
