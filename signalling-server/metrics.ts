// What the signalling side can tell of itself. docs/operations.md explains every row, and a test holds it to this.
import type { Bans } from './bans.js';
import type { Certificate } from './certificate.js';
import type { Client } from './client.js';
import type { Counts } from './counts.js';
import { by, expose, type Row } from './exposition.js';
import type { Gate } from './gate.js';
import type { ResolvedServerOptions } from './options.js';

/** What is measured at the moment of asking. */
export interface Readings {
  readonly counts: Counts;
  readonly bans: Bans;
  readonly certificate: Certificate | undefined;
  readonly options: ResolvedServerOptions;
  readonly gate: Pick<Gate, 'socketCount' | 'unregisteredCount' | 'isDraining'>;
  /** Connections that wait for their turn to register. */
  readonly waiting: number;
  readonly clients: readonly Pick<Client, 'heldBytes'>[];
  readonly ready: boolean;
}

const ROWS: readonly Row<Readings>[] = [
  ['wayleave_clients', 'gauge', 'Registered clients.', ({ clients }) => clients.length],
  ['wayleave_sockets', 'gauge', 'Open TCP connections, registered or not.', ({ gate }) => gate.socketCount],
  [
    'wayleave_unregistered',
    'gauge',
    'Those whose time to register runs.',
    ({ gate }) => gate.unregisteredCount,
  ],
  ['wayleave_waiting', 'gauge', 'Connections that wait for their turn to register.', r => r.waiting],
  ['wayleave_ready', 'gauge', '1 while /readyz says ready.', ({ ready }) => Number(ready)],
  ['wayleave_draining', 'gauge', '1 while the server is closing.', ({ gate }) => Number(gate.isDraining)],
  ['wayleave_connections_total', 'counter', 'TCP connections accepted.', ({ counts }) => counts.connections],
  [
    'wayleave_registrations_total',
    'counter',
    'Successful registrations.',
    ({ counts }) => counts.registrations,
  ],
  [
    'wayleave_messages_delivered_total',
    'counter',
    'Messages handed to their recipient.',
    ({ counts }) => counts.delivered,
  ],
  [
    'wayleave_message_characters_total',
    'counter',
    'Base64 characters of those.',
    ({ counts }) => counts.deliveredBytes,
  ],
  [
    'wayleave_messages_undelivered_total',
    'counter',
    'Messages reported back to their sender, by reason.',
    ({ counts }) => by('reason', counts.undelivered),
  ],
  [
    'wayleave_connections_cut_total',
    'counter',
    'Connections that the server ended or refused, by reason.',
    ({ counts }) => by('reason', counts.cut),
  ],
  [
    'wayleave_held_bytes',
    'gauge',
    'Bytes held for clients that have not read them.',
    ({ clients }) => clients.reduce((all, { heldBytes }) => all + heldBytes, 0),
  ],
  [
    'wayleave_held_bytes_most',
    'gauge',
    'The most of those for one client.',
    ({ clients }) => clients.reduce((most, { heldBytes }) => Math.max(most, heldBytes), 0),
  ],
  ['wayleave_bans_active', 'gauge', 'Sources that are banned now.', ({ bans }) => bans.active],
  ['wayleave_bans_total', 'counter', 'Bans imposed.', ({ bans }) => bans.imposed],
  ['wayleave_ban_table_sources', 'gauge', 'Sources whose offences are remembered.', ({ bans }) => bans.size],
  [
    'wayleave_tls_failures_total',
    'counter',
    'TLS handshakes that failed.',
    ({ counts }) => counts.tlsFailures,
  ],
  [
    'wayleave_reloads_total',
    'counter',
    'Reloads of the certificate, by outcome.',
    ({ counts }) => by('outcome', { done: counts.reloads, failed: counts.failedReloads }),
  ],
  [
    'wayleave_certificate_expiry_timestamp_seconds',
    'gauge',
    'When the certificate in use expires, in seconds since 1970.',
    ({ certificate }) => certificate && certificate.expiresAt / 1000,
  ],
  [
    'wayleave_limit',
    'gauge',
    'What the options allow, by option.',
    ({ options }) => by('option', limitsAmong(options)),
  ],
];

export function signallingMetrics(readings: Readings): string {
  return expose(ROWS, readings);
}

/** Every option that is a number and no port. */
function limitsAmong(options: ResolvedServerOptions): Record<string, number> {
  const rows = Object.entries(options).filter((row): row is [string, number] => typeof row[1] === 'number');
  return Object.fromEntries(rows.filter(([name]) => name !== 'port' && name !== 'stunPort'));
}
