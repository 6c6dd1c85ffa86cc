// The server's counts and gauges in Prometheus' text format, one row a metric. Twenty lines instead of a client
// library: that one brings four packages and a third of the whole installed tree for them.
import type { Counts } from './counts.js';

/** What can be measured at the moment of asking. */
export interface Gauges {
  readonly clients: number;
  readonly sockets: number;
  readonly waiting: number;
  readonly draining: boolean;
}

type Reading = number | { readonly label: string; readonly values: Readonly<Record<string, number>> };
type Row = readonly [
  name: string,
  kind: 'counter' | 'gauge',
  help: string,
  (counts: Counts, gauges: Gauges) => Reading,
];

const ROWS: readonly Row[] = [
  ['wayleave_clients', 'gauge', 'Registered clients.', (_, { clients }) => clients],
  ['wayleave_sockets', 'gauge', 'Open TCP connections, registered or not.', (_, { sockets }) => sockets],
  ['wayleave_waiting', 'gauge', 'Connections that wait for their turn to register.', (_, g) => g.waiting],
  ['wayleave_draining', 'gauge', '1 while the server is closing.', (_, { draining }) => (draining ? 1 : 0)],
  ['wayleave_connections_total', 'counter', 'TCP connections accepted.', ({ connections }) => connections],
  [
    'wayleave_registrations_total',
    'counter',
    'Successful registrations.',
    ({ registrations }) => registrations,
  ],
  ['wayleave_messages_delivered_total', 'counter', 'Messages handed to their recipient.', c => c.delivered],
  ['wayleave_message_characters_total', 'counter', 'Base64 characters of those.', c => c.deliveredBytes],
  ['process_resident_memory_bytes', 'gauge', 'Resident memory.', () => process.memoryUsage.rss()],
  ['process_cpu_seconds_total', 'counter', 'CPU time, user and system.', () => cpuSeconds()],
  [
    'wayleave_messages_undelivered_total',
    'counter',
    'Messages reported back to their sender, by reason.',
    ({ undelivered }) => ({ label: 'reason', values: undelivered }),
  ],
  [
    'wayleave_connections_cut_total',
    'counter',
    'Connections that the server ended, by reason.',
    ({ cut }) => ({ label: 'reason', values: cut }),
  ],
];

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The content type of Prometheus' text format, version 0.0.4. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** All rows as text. Names and label values are ours and need no escaping. */
export function renderMetrics(counts: Counts, gauges: Gauges): string {
  const lines = ROWS.flatMap(([name, kind, help, read]) => {
    const reading = read(counts, gauges);
    const samples =
      typeof reading === 'number'
        ? [`${name} ${reading}`]
        : Object.entries(reading.values).map(([value, n]) => `${name}{${reading.label}="${value}"} ${n}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...samples];
  });
  return `${lines.join('\n')}\n`;
}
