// Every option of the server in one table: unit, default, range and the reason for the default. The command line's
// flags, its environment variables and its configuration file are made from it.
import { z } from 'zod';
import { WayleaveError } from '../src/errors.js';
import { parseNatsUrl } from './backplane/nats-url.js';
import { RELAY_LIMIT_OPTIONS, STUN_LIMIT_OPTIONS } from './options/embedded.js';
import { BAN_OPTIONS, CLIENT_LIMITS, PROXY_OPTIONS } from './options/limits.js';
import { option } from './options/option.js';

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
    { secret: true },
  ),
  tlsCert: option(
    z.string().min(1).optional(),
    'path',
    'The certificate chain as a PEM file, with `tlsKey` and in place of `tls`: read at the start and on every reload.',
  ),
  tlsKey: option(z.string().min(1).optional(), 'path', 'Its private key as a PEM file.'),
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
    { secret: true },
  ),
  turnSecretFile: option(
    z.string().min(1).optional(),
    'path',
    'A file that holds `turnSecret`, in its place, as containers hand secrets in. White space around it is cut off.',
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
    { secret: true },
  ),
  nats: option(
    z
      .array(
        z
          .string()
          .max(1024)
          .refine(
            url => parseNatsUrl(url) !== undefined,
            'must be nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ or TOKEN@ before HOST',
          ),
      )
      .max(8)
      .default([]),
    'nats: or tls: URLs',
    'NATS servers: through any one of them, this process and all others that name it become one service. None: it stands ' +
      'alone.',
  ),
  ...CLIENT_LIMITS,
  ...BAN_OPTIONS,
  ...PROXY_OPTIONS,
  ...RELAY_LIMIT_OPTIONS,
  ...STUN_LIMIT_OPTIONS,
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

/** Those that come in numbers, for whoever lists them all. */
export const OPTION_GROUPS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'Limits of clients': CLIENT_LIMITS,
  Bans: BAN_OPTIONS,
  'Reverse proxies': PROXY_OPTIONS,
  'Limits of the relay': RELAY_LIMIT_OPTIONS,
  'Limits of STUN': STUN_LIMIT_OPTIONS,
};

export type ServerOptions = z.input<typeof serverOptionsSchema>;
type Parsed = z.output<typeof serverOptionsSchema>;
export type ResolvedServerOptions = Omit<Parsed, 'messageBurst'> & { readonly messageBurst: number };

/** Checks the options and fills in the defaults. @throws WayleaveError `bad-option`, naming the option. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const result = serverOptionsSchema.safeParse(options);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw new WayleaveError('bad-option', path.length > 0 ? `option ${path.join('.')}: ${message}` : message);
  }
  const { data } = result;
  if ((data.tlsCert === undefined) !== (data.tlsKey === undefined))
    throw conflict('tlsCert and tlsKey belong together');
  if (data.tls && data.tlsCert !== undefined) throw conflict('tls and tlsCert exclude each other');
  if (data.turnSecret !== undefined && data.turnSecretFile !== undefined)
    throw conflict('turnSecret and turnSecretFile exclude each other');
  return { ...data, messageBurst: data.messageBurst ?? 2 * data.messagesPerSecond };
}

function conflict(message: string): WayleaveError {
  return new WayleaveError('bad-option', `options ${message}`);
}
