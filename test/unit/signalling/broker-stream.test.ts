// Connections to brokers that a peer's address names: a name that leads where no peer's server may be is not dialled.
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { createSignalling } from '../../../src/signalling/signalling.js';

let knocks = 0;
const listener = createServer(socket => {
  knocks++;
  socket.destroy();
});
const port = () => (listener.address() as { port: number }).port;

beforeAll(() => new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve)));
afterAll(() => void listener.close());
beforeEach(() => {
  knocks = 0;
});

const urls = [
  ['mqtt', () => `mqtt://localhost:${port()}`],
  ['mqtts', () => `mqtts://localhost:${port()}`],
  ['MQTT over WebSocket', () => `ws://localhost:${port()}/mqtt`],
] as const;

async function failureOf(url: string, admit: boolean): Promise<unknown> {
  const identity = createIdentity();
  await using signalling = createSignalling({ identity, servers: [], admitPeersServer: () => admit });
  using lease = signalling.open(url);
  return await lease.channel.ready().catch(error => error);
}

it.each(urls)('%s: nothing is dialled', async (_, url) => {
  expect(await failureOf(url(), false)).toMatchObject({ code: 'server-unreachable' });
  expect(knocks).toBe(0);
});

it.each(urls)('%s, the positive twin: where names may lead there, it is dialled', async (_, url) => {
  expect(await failureOf(url(), true)).toMatchObject({ code: 'server-unreachable' });
  expect(knocks).toBe(1);
});

it('a peer’s URL brings no credentials', async () => {
  await using signalling = createSignalling({ identity: createIdentity(), servers: [] });
  expect(() => signalling.open('mqtt://user:secret@broker.example')).toThrow(/credentials/);
});
