// Floor 0: every option of a node and of a connect in one table, with unit, default, range and the reason for
// the default. docs/options.md is generated from it.
import { z } from 'zod';
import { WayleaveError } from './errors.js';

const option = <T extends z.ZodType>(schema: T, unit: string, why: string): T => schema.meta({ unit, why });
const callback = <F>() => z.custom<F>(value => typeof value === 'function', 'is not a function');
const isIdentity = (value: unknown) =>
  typeof value === 'object' && value !== null && 'privateKey' in value && 'sealingPrivateKey' in value;
const signal = z.custom<AbortSignal>(value => value instanceof AbortSignal, 'is not an AbortSignal');

export const STRATEGIES = ['direct', 'reverse', 'punch', 'relay'] as const;
/** In the order of preference: one round trip and exact first, the elaborate one last. */
export const PORT_MAPPING_PROTOCOLS = ['pcp', 'nat-pmp', 'upnp-igd'] as const;

/** What users may set about the ways in that a node opens for itself; the option `portMapping` of a node. */
export const portMappingOptionsSchema = z.strictObject({
  enabled: option(
    z.boolean().default(true),
    'boolean',
    'Whether the gateway is asked for a port: it costs a few packets, and direct beats everything.',
  ),
  hold: option(
    z.boolean().default(true),
    'boolean',
    'Whether a port is held open through a NAT that filters nothing: one idle connection to the server.',
  ),
  protocols: option(
    z
      .array(z.enum(PORT_MAPPING_PROTOCOLS))
      .min(1)
      .max(PORT_MAPPING_PROTOCOLS.length)
      .default([...PORT_MAPPING_PROTOCOLS]),
    'names',
    'Which protocols are spoken; the order of preference is fixed, as here.',
  ),
  leaseSeconds: option(
    z.int().min(2).max(86_400).default(3600),
    'seconds',
    'The lease to ask for, renewed at half: a killed process leaves its port open for an hour at most. Many gateways raise anything below 120.',
  ),
  externalPort: option(
    z.int().min(1).max(65535).optional(),
    'port',
    'The external port to wish for; the gateway may give another. Default: the listening port.',
  ),
  description: option(
    z.string().min(1).max(63).default('wayleave'),
    'text',
    'What the gateway shows its owner beside the port (UPnP only).',
  ),
});

/** Options of `createNode`. */
export const nodeOptionsSchema = z.strictObject({
  servers: option(
    z.array(z.string().max(2048)).max(4).default([]),
    'URLs',
    'Signalling servers: ws, wss, or an MQTT broker (mqtt, mqtts, or a ws path that ends in /mqtt; docs/mqtt.md). ' +
      'Without any, the node is reached only where its address can be dialled.',
  ),
  keyFile: option(
    z.string().min(1).optional(),
    'path',
    'Identity key file, mode 0600, created when absent. Without one the node gets a new id at each start.',
  ),
  identity: option(
    z.custom<import('./identity/keys.js').Identity>(isIdentity, 'is not made by createIdentity').optional(),
    'Identity',
    'An identity made by `createIdentity`, instead of a key file.',
  ),
  host: option(
    z.union([z.ipv4(), z.ipv6()]).optional(),
    'IP address',
    'The address to listen on. Default: all of them, IPv4 and IPv6.',
  ),
  port: option(
    z.int().min(0).max(65535).default(0),
    'port',
    'The TCP port to listen on; 0 takes any free one.',
  ),
  listen: option(
    z.boolean().default(true),
    'boolean',
    'False: take no inbound connections. Others can then reach this node only with its help.',
  ),
  accept: option(
    callback<(peer: string) => boolean | Promise<boolean>>().optional(),
    'function',
    'Whether a node id may open a pipe; asked before any application byte. Default: everybody may.',
  ),
  handshakeTimeoutMs: option(
    z.int().min(100).max(60_000).default(5000),
    'milliseconds',
    'A peer that stalls in the handshake is given up: 5 s are two SYN retransmissions and a slow TLS.',
  ),
  maxHandshakes: option(
    z.int().min(1).max(65_536).default(256),
    'connections',
    'Inbound connections in their handshake at once; more are closed unheard.',
  ),
  heartbeatMs: option(
    z.int().min(50).max(3_600_000).default(10_000),
    'milliseconds',
    'A pipe that has sent nothing for so long sends four bytes, and so often its relay is reminded: NATs forget idle connections, some after 60 s.',
  ),
  deadMs: option(
    z.int().min(100).max(86_400_000).default(25_000),
    'milliseconds',
    'A pipe that has heard nothing for so long is dead: two heartbeats and five seconds for the network.',
  ),
  queueBytes: option(
    z.int().min(1).max(1_073_741_824).default(1_048_576),
    'bytes',
    'What a pipe holds for `recv` before it stops reading from the peer; one message always fits.',
  ),
  queueMessages: option(
    z.int().min(1).max(1_000_000).default(1024),
    'messages',
    'The same bound in messages: a million empty messages are no bytes, but much memory.',
  ),
  addressLifetimeMs: option(
    z.int().min(60_000).max(31_536_000_000).default(86_400_000),
    'milliseconds',
    'How long a published address is valid; it is renewed at half of that.',
  ),
  interfacePollMs: option(
    z.int().min(100).max(3_600_000).default(5000),
    'milliseconds',
    'How often the machine’s addresses are looked at: a change of network makes a new address.',
  ),
  portMapping: option(
    z.union([portMappingOptionsSchema, z.literal(false)]).prefault({}),
    'options, or false',
    'Ask the gateway for a port, and hold one open where the NAT filters nothing; false does neither. See the table below.',
  ),
  dialRequestsPerPeer: option(
    z.int().min(0).max(1000).default(6),
    'per minute',
    'How often one peer may make this node dial back: retries of an honest peer, too few to be a weapon.',
  ),
  dialRequestsPerNode: option(
    z.int().min(0).max(10_000).default(60),
    'per minute',
    'The same for all peers together.',
  ),
});

/** Options of `node.connect`. */
export const connectOptionsSchema = z.strictObject({
  signal: option(signal.optional(), 'AbortSignal', 'Gives up, leaving nothing behind.'),
  timeoutMs: option(
    z.int().min(1).max(600_000).default(30_000),
    'milliseconds',
    'Time for the whole connect; each strategy has its own, shorter budget.',
  ),
  strategies: option(
    z
      .array(z.enum(STRATEGIES))
      .min(1)
      .default([...STRATEGIES]),
    'names',
    'What may be tried, in this order: the cheapest for both networks first, the relay last.',
  ),
});

export type NodeOptions = z.input<typeof nodeOptionsSchema>;
export type ResolvedNodeOptions = z.output<typeof nodeOptionsSchema>;
export type PortMappingOptions = z.output<typeof portMappingOptionsSchema>;
export type ConnectOptions = z.input<typeof connectOptionsSchema>;

/**
 * Checks options against their table and fills in the defaults.
 * @throws WayleaveError `bad-option`, naming the option.
 */
export function resolveOptions<T extends z.ZodType>(schema: T, options: unknown): z.output<T> {
  const result = schema.safeParse(options ?? {});
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new WayleaveError('bad-option', path.length > 0 ? `option ${path.join('.')}: ${message}` : message);
}
