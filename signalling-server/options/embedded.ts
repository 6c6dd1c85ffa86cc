// The limits of the STUN responder and the relay that a server brings along, as options of the server; their defaults
// are those of the parts themselves.
import { z } from 'zod';
import { DEFAULT_STUN_LIMITS as STUN } from '../stun/limits.js';
import { DEFAULT_RELAY_LIMITS as RELAY } from '../turn/limits.js';
import { option } from './option.js';

const count = (standard: number) => z.int().min(1).max(1_000_000).default(standard);
const cap = z.int().min(0).max(100_000_000_000).default(0);

export const RELAY_LIMIT_OPTIONS = {
  relayAllocations: option(
    count(RELAY.allocations),
    'allocations',
    'In all, each with a socket and up to 2 MiB of buffers; beyond, 508. Keep it below the limit of open files.',
  ),
  relayAllocationsPerUser: option(
    count(RELAY.allocationsPerUser),
    'allocations',
    'Of one node; beyond, 486. One is enough for many peers: the rest is for interfaces and retries.',
  ),
  relayAllocationsPerIp: option(
    count(RELAY.allocationsPerSource),
    'allocations',
    'Of one IPv4 address or IPv6 /64, whoever its users are; beyond, 486. Eight busy nodes behind one NAT.',
  ),
  relayPermissions: option(
    count(RELAY.permissions),
    'permissions an allocation',
    'Each peer address needs one; beyond, 508.',
  ),
  relayChannels: option(
    count(RELAY.channels),
    'channels an allocation',
    'Each peer endpoint may have one; beyond, 508.',
  ),
  relayConnectionsPerAllocation: option(
    count(RELAY.connectionsPerAllocation),
    'connections',
    'Relayed ones of one TCP allocation; beyond, 508, or closed when a peer asks. One pipe is one connection.',
  ),
  relayConnections: option(
    count(RELAY.connections),
    'connections',
    'TCP and TLS connections of the relay’s clients in all; more are closed unheard. Two for each relayed pipe’s end.',
  ),
  relayConnectionsPerIp: option(
    count(RELAY.connectionsPerSource),
    'connections',
    'Of one IPv4 address or IPv6 /64: an allocation with its connections, for each of `relayAllocationsPerIp`.',
  ),
  relayIdleConnectionMs: option(
    z.int().min(100).max(600_000).default(RELAY.idleConnectionMs),
    'milliseconds',
    'A connection that has no allocation after this time is closed: four round trips on a slow line.',
  ),
  relayLifetimeS: option(
    z.int().min(600).max(86_400).default(RELAY.lifetimeS),
    'seconds',
    'The longest life that an Allocate or a Refresh can ask for (RFC 8656 recommends an hour).',
  ),
  relayBytesPerSecond: option(
    cap,
    'bytes per second',
    'All that is relayed, both ways together; 0 is no cap. Set it where traffic is paid for.',
  ),
  relayBytesPerSecondPerUser: option(
    cap,
    'bytes per second',
    'The same for all allocations of one node; 0 is no cap.',
  ),
  relayChallengeBurst: option(
    count(RELAY.challenges.burst),
    'datagrams',
    'Unauthenticated ones of one source that get an answer at once: their source may be forged.',
  ),
  relayChallengesPerSecond: option(
    count(RELAY.challenges.perSecond),
    'datagrams per second',
    'The lasting rate of the same.',
  ),
};

export const STUN_LIMIT_OPTIONS = {
  stunBurst: option(
    count(STUN.udp.burst),
    'requests',
    'Over UDP, of one source at once: several nodes behind one NAT may examine it together.',
  ),
  stunPerSecond: option(
    count(STUN.udp.perSecond),
    'requests per second',
    'The lasting rate of the same. What exceeds it is dropped without a word: the source may be forged.',
  ),
  stunDialBackBurst: option(
    count(STUN.dialBack.burst),
    'dial-backs',
    'For one source at once, each up to eight SYNs to that very source.',
  ),
  stunDialBacksPerSecond: option(
    count(STUN.dialBack.perSecond),
    'dial-backs per second',
    'The lasting rate of the same.',
  ),
  stunConnections: option(
    count(STUN.connections),
    'connections',
    'TCP connections in all: nodes hold one while they keep a mapping open. More are closed unheard.',
  ),
  stunConnectionsPerIp: option(
    count(STUN.connectionsPerSource),
    'connections',
    'The same from one IPv4 address or IPv6 /64.',
  ),
  stunFirstRequestMs: option(
    z.int().min(100).max(600_000).default(STUN.firstRequestMs),
    'milliseconds',
    'A connection that has not sent a whole request after this time is closed.',
  ),
  stunIdleMs: option(
    z.int().min(1_000).max(86_400_000).default(STUN.idleMs),
    'milliseconds',
    'A connection without a request for so long is closed: a held mapping is refreshed far more often.',
  ),
};
