// What strangers and clients may take of the signalling side, and what happens to those who keep taking more. The
// protocol's own sizes are no options: a frame has 24 KiB at most, a box 16 KiB, an HTTP head 8 KiB.
import { z } from 'zod';
import { option } from './option.js';

export const CLIENT_LIMITS = {
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
    z.int().min(1).max(2_000_000).optional(),
    'messages',
    'What a client may send at once after a rest. Default: what it may send in two seconds, which is ten connects.',
  ),
  floodFactor: option(
    z.int().min(1).max(1_000).default(10),
    'times the rate and the burst',
    'How far beyond its rate a client is only refused; one that goes further is cut off.',
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
      'those who are back should not feel it. One costs about a millisecond of processor time, its connection included.',
  ),
  registerWithinMs: option(
    z.int().min(100).max(60_000).default(5_000),
    'milliseconds',
    'From the connection to the answer to the challenge: three round trips on a slow line.',
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
};

export const BAN_OPTIONS = {
  banAfter: option(
    z.int().min(0).max(1_000_000).default(30),
    'offences',
    'Within `banWindowMs`: then the source (IPv4 address or IPv6 /64) is banned; 0 never bans. Three nodes with a ' +
      'wrong configuration, each trying again and again, stay below it, so that their household keeps its service.',
  ),
  banWindowMs: option(
    z.int().min(1_000).max(86_400_000).default(60_000),
    'milliseconds',
    'The time in which `banAfter` offences are forgiven: who offends more slowly than that is never banned.',
  ),
  banMs: option(
    z.int().min(100).max(86_400_000).default(60_000),
    'milliseconds',
    'The first ban: an innocent neighbour behind the same NAT waits a minute. Each further one is twice as long.',
  ),
  banMaxMs: option(
    z.int().min(100).max(604_800_000).default(3_600_000),
    'milliseconds',
    'The longest ban, and how long after a ban the next one is longer: addresses change hands.',
  ),
  banTable: option(
    z.int().min(1).max(1_000_000).default(10_000),
    'sources',
    'How many sources are remembered, about 200 bytes each; the one that offended longest ago gives way.',
  ),
};

/** A network in CIDR form, or one address. */
const network = z.union(
  [z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()],
  'must be an IP address or a network like 10.0.0.0/8',
);

export const PROXY_OPTIONS = {
  trustedProxies: option(
    z.array(network).max(64).default([]),
    'IP addresses or networks (CIDR)',
    'Reverse proxies whose word on where a client comes from is taken. From anybody else it is ignored.',
  ),
  proxyHeader: option(
    z.enum(['x-forwarded-for', 'proxy-protocol']).default('x-forwarded-for'),
    'which',
    'How those proxies say it: in the HTTP header, or by the PROXY protocol, version 1 or 2, which then must begin ' +
      'each of their connections. One of the two, for a client could forge the other.',
  ),
};
