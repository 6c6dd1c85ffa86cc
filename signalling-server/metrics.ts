// The server's counts and gauges in Prometheus' text format, one row a metric. prom-client's own process metrics
// are left out: they install observers that an embedded server could not take back.
import type { Counts } from './counts.js';

/** What can be measured at the moment of asking. */
export interface Gauges {
  readonly clients: number;
  readonly sockets: number;
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

/** Builds the registry; the result renders it. */
export async function createMetrics(
  counts: Counts,
  gauges: () => Gauges,
): Promise<{ readonly contentType: string; render(): Promise<string> }> {
  const { Counter, Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  for (const [name, kind, help, read] of ROWS) {
    const labelNames = typeof read(counts, gauges()) === 'number' ? [] : ['reason'];
    const Kind = kind === 'counter' ? Counter : Gauge;
    new Kind({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        const reading = read(counts, gauges());
        this.reset();
        if (typeof reading === 'number') this.inc(reading);
        else for (const [value, n] of Object.entries(reading.values)) this.inc({ [reading.label]: value }, n);
      },
    });
  }
  return { contentType: registry.contentType, render: () => registry.metrics() };
}
