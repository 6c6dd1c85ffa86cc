// What the listening port says about those who do not get through the handshake.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { Inbound } from '../../../src/strategies/inbound.js';

test.each<[string, (socket: Socket) => void, string[]]>([
  ['who leaves without a word: nothing', socket => socket.destroy(), []],
  ['who resets without a word: nothing', socket => socket.resetAndDestroy(), []],
  ['who stays without a word: a timeout', () => {}, ['handshake-timeout']],
  ['who speaks something else: a failure', socket => socket.end('GET / HTTP/1.1'), ['handshake-failed']],
])('of %s', async (_, act, expected) => {
  const codes: unknown[] = [];
  const note = (message: unknown) => codes.push((message as { code: unknown }).code);
  subscribe('wayleave:inbound-rejected', note);
  try {
    const inbound = await Inbound.listen({
      identity: createIdentity(),
      host: '127.0.0.1',
      port: 0,
      handshakeTimeoutMs: 300,
      maxHandshakes: 1,
      admit: () => true,
      onOpen: () => {},
    });
    const socket = connect({ host: '127.0.0.1', port: inbound.port! });
    socket.on('error', () => {});
    await once(socket, 'connect');
    act(socket);
    if (expected.length > 0) await expect.poll(() => codes).toEqual(expected);
    else await new Promise(resolve => setTimeout(resolve, 100)); // time for the event that must not come
    expect(codes).toEqual(expected);
    socket.destroy();
    await inbound[Symbol.asyncDispose]();
  } finally {
    unsubscribe('wayleave:inbound-rejected', note);
  }
});
