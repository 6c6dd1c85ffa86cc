// A stranger, through an honest server, asks a node to dial: what it names is not dialled unless it is where the
// stranger is. The third party here is a real listening socket, which counts who knocks (security row 10).
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer, type Server } from '../../signalling-server/index.js';
import { createIdentity, createNode, type Node, NodeAddress } from '../../src/index.js';
import { UNKNOWN_BEHAVIOUR } from '../../src/nat/profile.js';
import { machineTag } from '../../src/net/machine.js';
import { createSignalling } from '../../src/signalling/signalling.js';

let server: Server;
let bob: Node;
let third: TcpServer;
let knocks = 0;
const port = () => (third.address() as { port: number }).port;

beforeAll(async () => {
  server = await createServer({ host: '127.0.0.1', port: 0 });
  bob = await createNode({ servers: [server.listening.signalling], host: '127.0.0.1' });
  await bob.ready();
  third = createTcpServer(socket => {
    knocks++;
    socket.destroy();
  });
  await new Promise<void>(resolve => third.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await bob.close();
  await server.close();
  third.close();
});

/** What Bob answers to a request of a stranger who says (or proves) that it is on this machine, or does not. */
async function ask(body: (address: string) => object, onThisMachine: boolean): Promise<string> {
  const identity = createIdentity();
  const address = NodeAddress.sign(identity, {
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
        port: port(),
        external: { host: '198.51.100.7', port: null },
        mapping: null,
        tcp: UNKNOWN_BEHAVIOUR,
        udp: UNKNOWN_BEHAVIOUR,
        unknownFields: [],
      },
    ],
  });
  await using signalling = createSignalling({ identity, servers: [server.listening.signalling] });
  await signalling.ready();
  using attempt = signalling.attempt(`stranger-${Math.random()}`.slice(0, 20).replace('.', ''), {
    id: bob.id,
    sealingKey: bob.address.sealingKey,
  });
  await attempt.send(body(address.toString()) as Parameters<typeof attempt.send>[0]);
  const heard = await attempt.next(['refused'], { signal: AbortSignal.timeout(5000) });
  return heard.body.reason;
}

const named = (host: string) => ({
  reverse: (address: string) => ({ type: 'reverse-request', address, endpoints: [{ host, port: port() }] }),
  punch: (address: string) => ({
    type: 'punch-offer',
    address,
    round: 1,
    roundTripMs: 1,
    places: [
      {
        mapped: { host, port: port() },
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
});

it.each([
  ['loopback', '127.0.0.1'],
  ['a third party on the internet', '203.0.113.80'],
  ['a private address', '192.168.1.1'],
  ['cloud metadata', '169.254.169.254'],
])('a reverse or punch request that names %s is refused, and nothing is dialled', async (_, host) => {
  expect(await ask(named(host).reverse, false)).toBe('policy-refused');
  expect(await ask(named(host).punch, false)).toBe('policy-refused');
  expect(knocks).toBe(0);
});

it('the positive twin: one who proves to be on this machine is called back there', async () => {
  expect(await ask(named('127.0.0.1').reverse, true)).toBe('peer-could-not'); // what listens there is no node
  expect(knocks).toBe(1);
});

it('an address that is not the requester’s own is refused', async () => {
  const other = bob.address.toString();
  expect(await ask(() => named('127.0.0.1').reverse(other), true)).toBe('policy-refused');
  expect(knocks).toBe(1);
});
