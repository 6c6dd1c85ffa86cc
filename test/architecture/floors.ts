// The house as tables: rooms and their floors, who may look sideways, who may touch sockets and packages. A file
// imports from its own room and from floors below; whatever else is allowed is a row here, with its reason.

export type Access = 'value' | 'type' | 'dynamic';

/**
 * Rooms by path prefix, the longest prefix that fits. The signalling server stands beside the
 * house: no floor of it, and what it may use is its own list.
 */
export const FLOORS: Readonly<Record<string, number>> = {
  'src/errors.ts': 0,
  'src/events.ts': 0,
  'src/options.ts': 0,
  'src/net/': 1,
  'src/identity/': 1,
  'src/debug-log.ts': 1,
  'src/optional-package.ts': 1,
  'src/nat/profile.ts': 1, // addresses carry profiles
  'src/address/': 2,
  'src/stun/': 2,
  'src/nat/': 3,
  'src/port-mapping/': 3,
  'src/turn/': 3,
  'src/signalling/': 3,
  'src/pipe/': 4,
  'src/strategies/': 5,
  'src/ways-in.ts': 6,
  'src/node-events.ts': 6,
  'src/surroundings.ts': 7,
  'src/node.ts': 8,
  'src/index.ts': 9,
  'src/cli/': 9,
};

/** What the floors do not allow and we do. */
export const ALSO: readonly { from: string; to: string; access: readonly Access[]; why: string }[] = [
  { from: 'src/options.ts', to: 'src/errors.ts', access: ['value', 'type'], why: 'bad-option' },
  {
    from: 'src/options.ts',
    to: 'src/identity/keys.ts',
    access: ['type'],
    why: 'an option holds an identity',
  },
  {
    from: 'src/cli/',
    to: 'src/index.ts',
    access: ['value', 'type'],
    why: 'the CLI is a user of the library',
  },
  {
    from: 'src/cli/',
    to: 'signalling-server/',
    access: ['dynamic', 'type'],
    why: 'loaded by `wayleave server` alone',
  },
];

/** What the signalling server may use of `src`. */
export const SERVER_USES: readonly string[] = [
  'src/errors.ts',
  'src/events.ts',
  'src/optional-package.ts',
  'src/net/',
  'src/identity/',
  'src/stun/',
  'src/signalling/messages.ts',
  'src/signalling/frames.ts',
];

/** Built-in modules that reach the network: who may load them. Types of theirs are free above the ground floor. */
export const NETWORK: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['src/net/', 'src/cli/forwarding.ts'], // forwarding: isIP only
  'node:dgram': ['src/net/'],
  'node:tls': [
    'src/net/tls-client.ts',
    'src/pipe/handshake.ts',
    'src/turn/',
    'src/signalling/',
    'signalling-server/',
  ],
  'node:http': ['src/port-mapping/gateway-http.ts', 'src/signalling/', 'signalling-server/'],
  'node:https': ['src/signalling/', 'signalling-server/'],
  'node:http2': [],
  // names only where the user gave them, or the server that the user named
  'node:dns': [
    'src/cli/',
    'src/signalling/stun-servers.ts',
    'src/signalling/guarded-lookup.ts',
    'src/turn/turn-server.ts',
  ],
};

/** Packages: who may load them, and whether only when asked for. */
export const PACKAGES: Readonly<Record<string, { rooms: readonly string[]; onDemand?: true }>> = {
  zod: { rooms: ['src/', 'signalling-server/'] },
  'ipaddr.js': { rooms: ['src/net/'] },
  ws: { rooms: ['src/signalling/', 'signalling-server/'] },
  'fast-xml-parser': { rooms: ['src/port-mapping/'] },
  commander: { rooms: ['src/cli/'] },
  'cli-table3': { rooms: ['src/cli/'] },
  picocolors: { rooms: ['src/cli/'] },
  pino: { rooms: ['signalling-server/'] },
  mqtt: { rooms: ['src/signalling/'], onDemand: true },
  '@nats-io/transport-node': { rooms: ['signalling-server/'], onDemand: true },
};

/** Who may write to the terminal. */
export const PRINTERS: readonly string[] = ['src/cli/'];

/** What `import 'wayleave'` never loads, not even later. */
export const NOT_FOR_USERS: readonly string[] = ['src/cli/', 'signalling-server/'];
