// The held port without a NAT, against our own STUN responder on loopback: there is nothing to hold, and nothing
// stays behind. Behind real NATs: test/interop/port-mapping/held-port.test.ts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it } from 'vitest';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { dialTcp, listenTcp } from '../../../src/net/sockets.js';
import { holdPort } from '../../../src/port-mapping/held-port.js';
import { FakeClock } from '../../fake-clock.js';

const CHANNEL = 'wayleave:port-held-failed';

it('holds nothing where no NAT stands', async () => {
  await using responder = await createStunResponder({ host: '127.0.0.1', port: 0 });
  const [server] = responder.endpoints;
  const changes: unknown[] = [];
  await using held = holdPort({
    localAddress: '127.0.0.1',
    servers: () => [{ host: '127.0.0.1', port: server!.port }],
    onConnection: socket => socket.destroy(),
    onChange: external => changes.push(external),
  });
  await new Promise(resolve => setTimeout(resolve, 300));
  expect(held.current).toBeUndefined();
  expect(changes).toEqual([]);
});

it('tries a server that is not there again, ever more rarely, until it is closed', async () => {
  const reserved = await listenTcp({ host: '127.0.0.1' }, socket => socket.destroy());
  await reserved[Symbol.asyncDispose]();
  const dead = { host: '127.0.0.1', port: reserved.port };
  await expect(dialTcp({ remote: dead })).rejects.toMatchObject({ code: 'dial-failed' });
  const clock = new FakeClock();
  const triedAtMs: number[] = [];
  const note = () => void triedAtMs.push(clock.now());
  subscribe(CHANNEL, note);
  try {
    const held = holdPort({
      localAddress: '127.0.0.1',
      servers: () => [dead],
      onConnection: socket => socket.destroy(),
      clock,
    });
    for (let tries = 1; tries <= 5; tries++) {
      while (triedAtMs.length < tries) {
        await new Promise(resolve => setTimeout(resolve, 5));
        if (clock.pending > 0 && triedAtMs.length < tries) await clock.advance(0);
      }
      if (tries < 5) await clock.advance([0, 500, 1_000, 2_000][tries - 1]!);
    }
    expect(triedAtMs).toEqual([0, 0, 500, 1_500, 3_500]);
    await held[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
  } finally {
    unsubscribe(CHANNEL, note);
  }
});

it('does nothing without servers', async () => {
  const settings = { localAddress: '127.0.0.1', servers: () => [], onConnection: () => {} };
  await using held = holdPort(settings);
  expect(held.current).toBeUndefined();
});
