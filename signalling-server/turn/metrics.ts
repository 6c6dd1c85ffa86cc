// What the relay can tell of itself.
import { by, expose, type Row } from '../exposition.js';
import { heldBy, type RelayCore, type Session } from './core.js';
import type { PeerTable } from './peer-table.js';

const ROWS: readonly Row<RelayCore>[] = [
  ['wayleave_turn_allocations', 'gauge', 'Allocations now.', ({ counters }) => counters.allocationsNow],
  ['wayleave_turn_allocations_total', 'counter', 'Allocations made.', ({ counters }) => counters.allocations],
  [
    'wayleave_turn_permissions',
    'gauge',
    'Permissions now.',
    core => entries(core, peers => peers.permissions.size),
  ],
  ['wayleave_turn_channels', 'gauge', 'Channels now.', core => entries(core, peers => peers.channels.size)],
  [
    'wayleave_turn_connections',
    'gauge',
    'TCP and TLS connections of clients now.',
    ({ counters }) => counters.connectionsNow,
  ],
  [
    'wayleave_turn_awaited_connections',
    'gauge',
    'Relayed connections that wait for their client (ConnectionBind).',
    ({ awaited }) => awaited.size,
  ],
  [
    'wayleave_turn_streams_total',
    'counter',
    'Relayed TCP connections that reached both ends.',
    ({ counters }) => counters.streams,
  ],
  [
    'wayleave_turn_refusals_total',
    'counter',
    'Requests answered with an error, by STUN error code; 401 begins every login.',
    ({ counters }) => by('code', Object.fromEntries(counters.refusals)),
  ],
  [
    'wayleave_turn_rate_limited_total',
    'counter',
    'Datagrams left unanswered and connections closed, over the limit of their source.',
    ({ counters }) => counters.rateLimited,
  ],
  [
    'wayleave_turn_dropped_datagrams_total',
    'counter',
    'Datagrams dropped: no permission, no channel, too large, client too slow, over the bandwidth cap.',
    ({ counters }) => counters.dropped,
  ],
  [
    'wayleave_turn_malformed_total',
    'counter',
    'What was no TURN message.',
    ({ counters }) => counters.malformed,
  ],
  [
    'wayleave_turn_relayed_bytes_total',
    'counter',
    'Bytes relayed, by direction.',
    ({ counters }) => by('to', { peers: counters.bytesToPeers, clients: counters.bytesToClients }),
  ],
  [
    'wayleave_turn_relayed_datagrams_total',
    'counter',
    'Datagrams relayed, by direction.',
    ({ counters }) => by('to', { peers: counters.datagramsToPeers, clients: counters.datagramsToClients }),
  ],
];

function entries({ sessions }: RelayCore, read: (peers: PeerTable) => number): number {
  const ofSession = (session: Session) => {
    const held = heldBy(session);
    return held ? read(held.allocation.peers) : 0;
  };
  return [...sessions].reduce((total, session) => total + ofSession(session), 0);
}

export function relayMetrics(core: RelayCore): string {
  return expose(ROWS, core);
}
