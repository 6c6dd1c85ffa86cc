// Spare punch ports, learned from a real STUN responder on loopback: there when they are needed, replaced when taken,
// kept in use meanwhile, and gone with their place.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStunResponder, type StunResponder } from '../../../signalling-server/stun/responder.js';
import type { Behaviour } from '../../../src/nat/profile.js';
import type { PunchPlace } from '../../../src/strategies/punch-port.js';
import { WarmPunchPorts } from '../../../src/strategies/warm-punch-ports.js';
import { FakeClock } from '../../fake-clock.js';
import { type KindName, TCP } from './punch-sides.js';

const never = new AbortController().signal;
const place = (kind: KindName): PunchPlace => ({
  address: '127.0.0.1',
  external: { host: '198.51.100.1', port: null },
  tcp: { ...TCP[kind], hairpinning: null, samples: 4, confidence: 0.9 } as Behaviour,
});

let server: StunResponder;
let ports: WarmPunchPorts;
let clock: FakeClock;
beforeEach(async () => {
  server = await createStunResponder({ host: '127.0.0.1', port: 0 });
  clock = new FakeClock();
  ports = new WarmPunchPorts(() => ({ stun: server.endpoints, clock }));
});
afterEach(async () => {
  await ports[Symbol.asyncDispose]();
  await server.close();
  expect(clock.pending).toBe(0);
});

/** Sampling one after another needs time to pass. */
async function withTime<T>(promise: Promise<T>): Promise<T> {
  let done = false;
  const marked = promise.finally(() => {
    done = true;
  });
  marked.catch(() => {});
  for (let i = 0; i < 500 && !done; i++) await clock.advance(3);
  return await marked;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await clock.advance(0);
  expect(condition()).toBe(true);
}

describe('spares', () => {
  it('one is there before it is needed: taking it asks nobody', async () => {
    await ports.keep([place('drop')]);
    const { requests } = server.counters;
    const taken = await ports.take(place('drop'), never);
    expect(server.counters.requests).toBe(requests);
    expect(taken.side.mapped).toEqual({ host: '127.0.0.1', port: taken.port });
    await until(() => server.counters.requests > requests); // the next one
    const next = await ports.take(place('drop'), never);
    expect(next.port).not.toBe(taken.port);
    await taken[Symbol.asyncDispose]();
    await next[Symbol.asyncDispose]();
  });

  it('is kept in use, and goes when its place changes', async () => {
    await ports.keep([place('drop')]);
    const { requests } = server.counters;
    await clock.advance(25_000);
    await until(() => server.counters.requests === requests + 1);
    await ports.keep([]);
    await clock.advance(100_000);
    expect(server.counters.requests).toBe(requests + 1);
    await ports.keep([place('drop')]);
    expect(server.counters.requests).toBe(requests + 2);
  });

  it('none where the next port changes with the destination, or where nothing translates', async () => {
    await ports.keep([place('symmetricRandom')]);
    await ports.keep([place('sequential')]);
    await ports.keep([place('firewall')]);
    expect(server.counters.requests).toBe(0);
  });
});

describe('ports learned when they are needed', () => {
  it('a sequence: four samples one after another, and four more where they are none', async () => {
    const port = await withTime(ports.take(place('sequential'), never));
    expect(server.counters.requests).toBe(8);
    expect(port.side.recentPorts).toHaveLength(4);
    await port[Symbol.asyncDispose]();
  });

  it('random ports, or none translated: nothing to be learned', async () => {
    const random = await ports.take(place('symmetricRandom'), never);
    expect(random.side.mapped.host).toBe('198.51.100.1');
    const firewalled = await ports.take(place('firewall'), never);
    expect(firewalled.side.mapped).toEqual({ host: '127.0.0.1', port: firewalled.port });
    expect(server.counters.requests).toBe(0);
  });

  it('no server that answers: a rejection, and nothing left behind', async () => {
    const none = new WarmPunchPorts(() => ({ stun: [], clock }));
    await expect(none.take(place('drop'), never)).rejects.toMatchObject({ code: 'no-answer' });
    await none[Symbol.asyncDispose]();
  });
});
