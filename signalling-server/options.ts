// Every option of the server in one table: unit, default, range and the reason for the default.
import { z } from 'zod';
import { WayleaveError } from '../src/errors.js';

const option = <T extends z.ZodType>(schema: T, unit: string, why: string): T => schema.meta({ unit, why });

const iceUrl = (schemes: string) =>
  z
    .string()
    .max(300)
    .regex(new RegExp(`^(?:${schemes}):[^\\s@]+$`));

/** Options of `createServer`. */
export const serverOptionsSchema = z.strictObject({
  host: option(
    z.union([z.ipv4(), z.ipv6()], 'must be an IP address').optional(),
    'IP address',
    'The address to listen on. Default: all of them, IPv4 and IPv6.',
  ),
  port: option(z.int().min(0).max(65535).default(7443), 'port', 'The TCP port; 0 takes any free one.'),
  publicHosts: option(
    z.array(z.string().min(1).max(255)).max(16).default([]),
    'host names or IP addresses, without port',
    'The names by which nodes reach this server. With them, a registration meant for any other server is turned ' +
      'down, whoever passes it on; without, the host that the client says it dialled is believed.',
  ),
  tls: option(
    z.strictObject({ cert: z.string().min(1), key: z.string().min(1) }).optional(),
    'PEM text',
    'Certificate chain and private key: the server then speaks wss and https. Messages are sealed without it too.',
  ),
  stunPort: option(
    z.int().min(0).max(65535).nullable().default(0),
    'port',
    'UDP and TCP port of the embedded STUN responder, which takes the next port as well (RFC 5780); 0 takes any ' +
      'free ones, null leaves it out. `wayleave server` takes 3478, the port that RFC 8489 assigns.',
  ),
  stunPortTaken: option(
    z.enum(['fail', 'take-another']).default('fail'),
    'what to do',
    'When something else has the STUN port: nodes learn the port from the greeting, so that any other does as well.',
  ),
  alternateHost: option(
    z.union([z.ipv4(), z.ipv6()], 'must be an IP address').optional(),
    'IP address',
    'A second address of this machine: without one, nobody can find out here how a NAT filters by address.',
  ),
  relay: option(
    z.boolean().default(true),
    'boolean',
    'Whether to relay (TURN) where no direct way is found, on the STUN port. Without it such nodes do not connect.',
  ),
  relayPorts: option(
    z
      .tuple([z.int().min(1).max(65535), z.int().min(1).max(65535)])
      .refine(([first, last]) => first <= last, 'must not end before it begins')
      .default([49_152, 65_535]),
    'ports',
    'Where the relay’s allocations live; the dynamic range of RFC 6335. Two nodes of this relay need none of them open.',
  ),
  relayToPrivate: option(
    z.boolean().default(false),
    'boolean',
    'Let the relay reach private addresses and this machine’s others: a way into your network, for laboratories.',
  ),
  turnUrls: option(
    z.array(iceUrl('turn|turns')).max(8).default([]),
    'turn: URLs',
    'Relays that share `turnSecret`, such as coturn with `use-auth-secret`: named to every node, with credentials.',
  ),
  turnSecret: option(
    z.string().min(16).max(512).optional(),
    'secret',
    'What relay credentials are made with (TURN REST convention). Default: random for each process.',
  ),
  stun: option(
    z.array(iceUrl('stun|stuns')).max(16).default([]),
    'stun: URLs',
    'STUN servers to name to every node.',
  ),
  turn: option(
    z
      .array(
        z.strictObject({
          urls: z.array(iceUrl('turn|turns')).min(1).max(8),
          username: z.string().min(1).max(512),
          credential: z.string().min(1).max(512),
        }),
      )
      .max(16)
      .default([]),
    'turn: URLs with fixed credentials',
    'TURN servers to name to every node. Whoever registers learns the credentials: give these accounts quotas.',
  ),
  connectionsPerIp: option(
    z.int().min(1).max(1_000_000).default(20),
    'connections',
    'At one time from one IPv4 address or IPv6 /64: a household behind one NAT fits, one machine cannot fill the table.',
  ),
  maxConnections: option(
    z.int().min(1).max(1_000_000).default(50_000),
    'connections',
    'At one time in all; more are closed unheard. Keep it below the limit of open files.',
  ),
  messagesPerSecond: option(
    z.int().min(1).max(1_000_000).default(20),
    'messages per second',
    'A client’s lasting rate: a connect takes about four messages.',
  ),
  messageBurst: option(
    z.int().min(1).max(1_000_000).default(40),
    'messages',
    'What a client may send at once after a rest: ten connects.',
  ),
  heldBytesPerClient: option(
    z.int().min(32_768).max(67_108_864).default(262_144),
    'bytes',
    'What is held for a client that does not read; beyond it the client is dropped. Twelve largest messages.',
  ),
  registrationsPerSecond: option(
    z.int().min(20).max(100_000).default(100),
    'registrations per second',
    'More wait their turn, in the order they came, up to a minute: after a restart everybody comes at once, and ' +
      'those who are back should not feel it. One costs about a third of a millisecond.',
  ),
  registerWithinMs: option(
    z.int().min(100).max(60_000).default(5_000),
    'milliseconds',
    'From the connection to the challenge, where nobody waits, and from there to the registration: three round ' +
      'trips on a slow line.',
  ),
  requestWithinMs: option(
    z.int().min(100).max(120_000).default(10_000),
    'milliseconds',
    'From the connection to the end of a plain HTTP exchange (health, metrics), both ways.',
  ),
  pingEveryMs: option(
    z.int().min(50).max(3_600_000).default(20_000),
    'milliseconds',
    'How often a quiet client is pinged: under the 30 s after which the shortest NAT and proxy timeouts strike.',
  ),
  silenceLimitMs: option(
    z.int().min(100).max(3_600_000).default(45_000),
    'milliseconds',
    'A client not heard for so long is gone: two pings and a little.',
  ),
  drainWithinMs: option(
    z.int().min(0).max(60_000).default(5_000),
    'milliseconds',
    'How long a closing server waits for its clients to leave before it cuts them off.',
  ),
  metricsFrom: option(
    z.enum(['private', 'everyone', 'nobody']).default('private'),
    'who',
    'Who may read /metrics: loopback and private addresses, everyone, or nobody.',
  ),
  logLevel: option(
    z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('silent'),
    'level',
    'Logs go to stderr as JSON lines. An embedded server says nothing; `wayleave server` logs at `warn`.',
  ),
});

export type ServerOptions = z.input<typeof serverOptionsSchema>;
export type ResolvedServerOptions = z.output<typeof serverOptionsSchema>;

/** Checks the options and fills in the defaults. @throws WayleaveError `bad-option`, naming the option. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const result = serverOptionsSchema.safeParse(options);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new WayleaveError('bad-option', path.length > 0 ? `option ${path.join('.')}: ${message}` : message);
}
