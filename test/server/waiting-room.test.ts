// Two hundred clients that come at once, as after a restart: real connections, the server's clock held by the test.
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedBackplane } from '../../signalling-server/backplane/backplane.js';
import { createLog } from '../../signalling-server/log.js';
import { resolveServerOptions, type ServerOptions } from '../../signalling-server/options.js';
import { SignallingServer } from '../../signalling-server/server.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { FakeClock } from '../fake-clock.js';
import { metric, RawClient } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(options: ServerOptions = {}) {
  const clock = new FakeClock();
  const resolved = resolveServerOptions({ host: '127.0.0.1', port: 0, connectionsPerIp: 10_000, ...options });
  const parts = { backplane: new EmbeddedBackplane(), sources: [], log: await createLog('silent'), clock };
  const { listening } = scope.use(await new SignallingServer(resolved, parts).start());
  const read = (name: string) => metric(listening.metrics, name);
  return { clock, url: listening.signalling, read };
}

const until = async (reached: () => boolean | Promise<boolean>) => {
  while (!(await reached())) await systemClock.sleep(5);
};
/** So many clients, each of which has answered its challenge and been welcomed or told to wait. */
async function crowd(url: string, count: number): Promise<RawClient[]> {
  const clients = Array.from({ length: count }, () => new RawClient(scope, url));
  for (const client of clients) client.register().catch(() => {}); // some are sent away, or leave
  await until(() => clients.every(client => has(client, 'welcome') || has(client, 'wait')));
  return clients;
}
const has = ({ frames }: RawClient, wanted: string) => frames.some(({ type }) => type === wanted);
const registered = (clients: readonly RawClient[]) => clients.filter(client => has(client, 'welcome'));
const waiting = (clients: readonly RawClient[]) => clients.filter(client => !has(client, 'welcome'));
/** Whatever this client has sent by now has arrived, the answer to a ping included. */
const pongArrived = ({ socket }: RawClient) =>
  new Promise<void>(resolve => {
    socket.once('pong', () => resolve());
    socket.ping();
  });

describe('two hundred at once', () => {
  it('register a hundred in each second, every one of them, and those who wait are told how long', async () => {
    const { clock, url, read } = await start();
    const clients = await crowd(url, 200);
    let before = registered(clients).length;
    expect(before).toBe(4);
    expect(await read('wayleave_waiting')).toBe(196);
    for (let second = 1; second <= 3; second++) {
      await clock.advance(1000);
      const due = Math.min(200, 4 + second * 94); // 95, and rounding to milliseconds
      await until(() => registered(clients).length >= due);
      expect(registered(clients).length - before).toBeLessThanOrEqual(100);
      before = registered(clients).length;
    }
    expect(await read('wayleave_clients')).toBe(200);
    expect(await read('wayleave_waiting')).toBe(0);
  });

  it('those who give up while they wait hold up nobody', async () => {
    const { clock, url, read } = await start();
    const impatient = waiting(await crowd(url, 200));
    for (const client of impatient.slice(0, 100)) client.socket.terminate();
    await until(async () => (await read('wayleave_waiting')) === 96);
    await clock.advance(1000);
    await until(() => registered(impatient.slice(100)).length >= 94);
  });
});

describe('strangers', () => {
  it('who do not answer take nobody’s turn', async () => {
    const { url } = await start({ registrationsPerSecond: 20 });
    const silent = Array.from({ length: 100 }, () => new RawClient(scope, url));
    await Promise.all(silent.map(client => client.heard('challenge')));
    await new RawClient(scope, url).register();
  });
});

describe('one that waits', () => {
  it('may wait for longer than it has to answer', async () => {
    const { clock, url } = await start({ registrationsPerSecond: 20, registerWithinMs: 1000 });
    const clients = await crowd(url, 60);
    await clock.advance(5000);
    await until(() => registered(clients).length === 60);
  });

  it('is gone when it does not answer for ten seconds; one that does, waits on', {
    timeout: 60_000,
  }, async () => {
    const { clock, url, read } = await start({ registrationsPerSecond: 20 });
    const clients = await crowd(url, 430);
    const [silent, patient] = waiting(clients).slice(-2);
    for (const client of clients) await pongArrived(client);
    silent!.socket.pause(); // from now on it reads no ping, so it answers none
    await clock.advance(10_500);
    await pongArrived(patient!);
    await clock.advance(10_500);
    await until(async () => (await read('wayleave_connections_cut_total{reason="silent"}')) > 0);
    expect(patient!.socket.readyState).toBe(patient!.socket.OPEN);
    await until(() => patient!.frames.filter(({ type }) => type === 'wait').length >= 2);
  });

  it('is silent until it is welcomed: one that sends is sent away', async () => {
    const { url } = await start();
    const [early] = waiting(await crowd(url, 20));
    early!.post(early!.id, 1);
    expect(await early!.closed).toBe(4002);
  });

  it('ends with the server', async () => {
    const { url } = await start();
    const clients = await crowd(url, 20);
    await scope.close();
    await Promise.all(clients.map(({ closed }) => closed));
  });
});

describe('a full room', () => {
  it('sends whoever comes away, to try again later; who leaves makes room', { timeout: 90_000 }, async () => {
    const { clock, url, read } = await start({ registrationsPerSecond: 20 });
    const clients = await crowd(url, 1141);
    expect(await read('wayleave_waiting')).toBe(1140);
    const tooMany = new RawClient(scope, url);
    tooMany.register().catch(() => {});
    expect(await tooMany.closed).toBe(1013);
    expect(await read('wayleave_connections_cut_total{reason="too-many-waiting"}')).toBe(1);
    for (const client of clients) client.socket.terminate();
    await until(async () => (await read('wayleave_waiting')) === 0);
    await clock.advance(100);
    await new RawClient(scope, url).register();
  });
});
