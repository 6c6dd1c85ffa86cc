// A stranger with an identity of its own who asks a node, through some signalling service, to dial an endpoint.
import { createIdentity, type Node, NodeAddress } from '../../src/index.js';
import { UNKNOWN_BEHAVIOUR } from '../../src/nat/profile.js';
import { machineTag } from '../../src/net/machine.js';
import type { PeerMessage } from '../../src/signalling/messages.js';
import type { Signalling } from '../../src/signalling/signalling.js';

type Identity = ReturnType<typeof createIdentity>;

export interface RequesterOptions {
  /** What it names. */
  readonly host: string;
  readonly port: number;
  /** Whether its address proves that it is on this machine. */
  readonly onThisMachine: boolean;
  open(identity: Identity): Signalling;
  readonly to: Node;
}

export function requesterAt({ host, port, onThisMachine, open, to }: RequesterOptions) {
  const identity = createIdentity();
  const own = NodeAddress.sign(identity, {
    issuedAt: Date.now(),
    expiresAt: Date.now() + 60_000,
    machine: onThisMachine ? machineTag(identity.id) : Buffer.alloc(8, 7),
    capabilities: ['reverse', 'punch'],
    servers: [],
    interfaces: [
      {
        family: 4,
        address: '198.51.100.7',
        prefix: 24,
        port,
        external: { host: '198.51.100.7', port: null },
        mapping: null,
        tcp: UNKNOWN_BEHAVIOUR,
        udp: UNKNOWN_BEHAVIOUR,
        unknownFields: [],
      },
    ],
  });
  const requests = {
    reverse: address => ({ type: 'reverse-request', address, endpoints: [{ host, port }] }),
    punch: address => ({
      type: 'punch-offer',
      address,
      round: 1,
      roundTripMs: 1,
      places: [
        {
          mapped: { host, port },
          recentPorts: [],
          tcp: {
            kind: 'nat',
            mapping: 'endpoint-independent',
            filtering: 'unknown',
            ports: { pattern: 'preserving' },
            unsolicitedSyn: 'unknown',
          },
        },
      ],
    }),
  } satisfies Record<string, (address: string) => PeerMessage>;
  return {
    /** Asks, and returns what the node answers. @param address what to show as its own; default: its own */
    async refusal(kind: keyof typeof requests, address = own.toString()): Promise<string> {
      await using signalling = open(identity);
      await signalling.ready();
      const id = `stranger-${Math.random()}`.slice(0, 20).replace('.', '');
      using attempt = signalling.attempt(id, { id: to.id, sealingKey: to.address.sealingKey });
      await attempt.send(requests[kind](address));
      const heard = await attempt.next(['refused'], { signal: AbortSignal.timeout(5000) });
      return heard.body.reason;
    },
  };
}
