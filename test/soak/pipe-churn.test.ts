// Connections that come and go, half of them aborted at a random moment, leave no handle and no memory (row 31,
// the pipe's part).
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { dialTcp } from '../../src/net/sockets.js';
import { secure } from '../../src/pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../../src/pipe/opening.js';
import { Pipe } from '../../src/pipe/pipe.js';
import { seeded } from '../fuzz/seeded.js';
import { leavesNothing } from '../unit/pipe/handles.js';
import { alice, bob, ROUTE } from '../unit/pipe/pairs.js';
import { SOAK_TIMEOUT_MS, scaled } from './scale.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CONNECTS = scaled(10_000, 400);

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await sleep(10);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(`${CONNECTS} connects, half of them aborted`, { timeout: SOAK_TIMEOUT_MS }, () =>
  leavesNothing(async () => {
    const random = seeded(Date.now() | 0);
    const served = new Set<Promise<unknown>>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, raw => {
      const serving = (async () => {
        const secured = await secure(raw, bob, { role: 'server' });
        await receiveHello(secured);
        accept(secured);
        const pipe = new Pipe(secured, { direction: 'inbound', route: ROUTE });
        pipe.onMessage((message, _client, via) => via.send(message).catch(() => {}));
        await pipe.closed;
      })().catch(() => {});
      served.add(serving);
      void serving.then(() => served.delete(serving));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };

    const outcomes = { echoed: 0, aborted: 0 };
    const connect = async (abortAfterMs: number | undefined) => {
      const controller = new AbortController();
      const { signal } = controller;
      const timer =
        abortAfterMs === undefined ? undefined : setTimeout(() => controller.abort(), abortAfterMs);
      try {
        const raw = await dialTcp({ remote: { host: '127.0.0.1', port }, signal });
        const secured = await secure(raw, alice, { role: 'client', expected: bob.id, signal });
        await sendHello(
          secured,
          { purpose: 'open', attempt: 'x' },
          { waitForAccept: random() % 2 === 0, signal },
        );
        await using pipe = new Pipe(secured, { direction: 'outbound', route: ROUTE });
        await pipe.send('x', { signal });
        await pipe.recv({ signal });
        outcomes.echoed++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'aborted' });
        outcomes.aborted++;
      } finally {
        clearTimeout(timer);
      }
    };
    const churn = async (count: number) => {
      for (let i = 0; i < count; i += 4) {
        const some = [0, 1, 2, 3].map(n => connect(n % 2 === 0 ? undefined : (random() % 200) / 10));
        await Promise.all(some);
      }
      await Promise.all(served);
    };

    await churn(100); // what exists once a process is there afterwards
    const before = await heapBytes();
    await churn(CONNECTS);
    const growth = (await heapBytes()) - before;
    server.close();
    if (process.env.WAYLEAVE_SOAK) console.log(outcomes, `heap ${(growth / 1024).toFixed(0)} KiB more`);
    expect(outcomes.echoed).toBeGreaterThan(CONNECTS / 3);
    expect(outcomes.aborted).toBeGreaterThan(CONNECTS / 20);
    expect(growth).toBeLessThan(2 * 1024 * 1024);
  }),
);
