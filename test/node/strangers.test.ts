// A stranger, through an honest server, asks a node to dial: what it names is not dialled unless it is where the
// stranger is. The third party here is a real listening socket, which counts who knocks (security row 10).
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer, type Server } from '../../signalling-server/index.js';
import { createNode, type Node } from '../../src/index.js';
import { createSignalling } from '../../src/signalling/signalling.js';
import { requesterAt } from './requester.js';

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

const at = (host: string, onThisMachine: boolean) =>
  requesterAt({
    host,
    port: port(),
    onThisMachine,
    to: bob,
    open: identity => createSignalling({ identity, servers: [server.listening.signalling] }),
  });

it.each([
  ['loopback', '127.0.0.1'],
  ['a third party on the internet', '203.0.113.80'],
  ['a private address', '192.168.1.1'],
  ['cloud metadata', '169.254.169.254'],
])('a reverse or punch request that names %s is refused, and nothing is dialled', async (_, host) => {
  expect(await at(host, false).refusal('reverse')).toBe('policy-refused');
  expect(await at(host, false).refusal('punch')).toBe('policy-refused');
  expect(knocks).toBe(0);
});

it('the positive twin: one who proves to be on this machine is called back there', async () => {
  expect(await at('127.0.0.1', true).refusal('reverse')).toBe('peer-could-not'); // what listens there is no node
  expect(knocks).toBe(1);
});

it('an address that is not the requester’s own is refused', async () => {
  expect(await at('127.0.0.1', true).refusal('reverse', bob.address.toString())).toBe('policy-refused');
  expect(knocks).toBe(1);
});
