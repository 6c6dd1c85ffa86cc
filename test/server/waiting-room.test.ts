// Two hundred clients that come at once, as after a restart: real connections, the server's clock held by the test.
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedBackplane } from '../../signalling-server/backplane.js';
import { createLog } from '../../signalling-server/log.js';
import { resolveServerOptions, type ServerOptions } from '../../signalling-server/options.js';
import { SignallingServer } from '../../signalling-server/server.js';
import { signFor } from '../../src/identity/keys.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { registrationProof } from '../../src/signalling/frames.js';
import { FakeClock } from '../fake-clock.js';
import { metric, RawClient, rawSocket } from './raw-client.js';

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
const crowd = (url: string, count: number) => Array.from({ length: count }, () => new RawClient(scope, url));
/** Whatever this client has sent by now has arrived, the answer to a ping included. */
const pongArrived = ({ socket }: RawClient) =>
  new Promise<void>(resolve => {
    socket.once('pong', () => resolve());
    socket.ping();
  });
const challenged = (clients: readonly RawClient[]) =>
  clients.filter(({ frames }) => frames.some(({ type }) => type === 'challenge')).length;

describe('two hundred at once', () => {
  it('register a hundred in each second, every one of them, and those who wait are told how long', async () => {
    const { clock, url, read } = await start();
    const clients = crowd(url, 200);
    const registered = Promise.all(clients.map(client => client.register()));
    await until(async () => (await read('wayleave_waiting')) === 195);
    let before = challenged(clients);
    expect(before).toBe(5);
    for (let second = 1; second <= 3; second++) {
      await clock.advance(1000);
      await until(() => challenged(clients) >= Math.min(200, 5 + second * 94)); // 95, and rounding to milliseconds
      expect(challenged(clients) - before).toBeLessThanOrEqual(100);
      before = challenged(clients);
    }
    await registered;
    expect(await read('wayleave_clients')).toBe(200);
    expect(await read('wayleave_waiting')).toBe(0);
    const told = clients.flatMap(({ frames }) => frames.filter(({ type }) => type === 'wait'));
    expect(told.length).toBe(195);
  });

  it('those who give up while they wait hold up nobody', async () => {
    const { clock, url, read } = await start();
    const clients = crowd(url, 200);
    await until(async () => (await read('wayleave_waiting')) === 195);
    const waiting = clients.filter(client => challenged([client]) === 0);
    for (const client of waiting.slice(0, 100)) client.socket.terminate();
    await until(async () => (await read('wayleave_waiting')) === 95);
    await clock.advance(1000);
    await until(() => challenged(waiting.slice(100)) >= 94);
  });
});

describe('one that waits', () => {
  it('has its whole time to register when its turn has come', async () => {
    const { clock, url } = await start({ registrationsPerSecond: 20, registerWithinMs: 1000 });
    const clients = crowd(url, 60);
    await until(() => clients.every(({ frames }) => frames.length > 0));
    await clock.advance(900); // 19 of a second
    const late = clients.filter(client => challenged([client]) === 0);
    await clock.advance(3000);
    await until(() => challenged(late) === late.length);
    expect(late.length).toBeGreaterThan(30);
    await late.at(-1)!.register();
  });

  it('is gone when it does not answer for ten seconds; one that does, waits on', async () => {
    const { clock, url, read } = await start({ registrationsPerSecond: 20 });
    const clients = crowd(url, 500);
    await until(() => clients.every(({ frames }) => frames.length > 0));
    const [silent, patient] = clients.filter(client => challenged([client]) === 0).slice(-2);
    for (const client of clients) await pongArrived(client);
    silent!.socket.pause(); // from now on it reads no ping, so it answers none
    await clock.advance(10_500);
    await pongArrived(patient!);
    await clock.advance(10_500);
    await until(async () => (await read('wayleave_connections_cut_total{reason="silent"}')) > 0);
    expect(patient!.socket.readyState).toBe(patient!.socket.OPEN);
    await until(() => patient!.frames.filter(({ type }) => type === 'wait').length >= 2);
  });

  it('speaks when it is asked: one that registers unasked is sent away', async () => {
    const { url } = await start();
    const clients = crowd(url, 20);
    await until(() => clients.every(({ frames }) => frames.length > 0));
    const early = clients.find(client => challenged([client]) === 0)!;
    const { host } = new URL(url);
    const signature = signFor('register/1', early.identity, registrationProof('', host)).toString(
      'base64url',
    );
    early.say({ type: 'register', id: early.id, host, signature });
    expect(await early.closed).toBe(4003);
  });

  it('ends with the server', async () => {
    const { url } = await start();
    const clients = crowd(url, 20);
    await until(() => clients.every(({ frames }) => frames.length > 0));
    await scope.close();
    await Promise.all(clients.map(({ closed }) => closed));
  });
});

describe('a full room', () => {
  it('sends whoever comes away, to try again later; who leaves makes room', async () => {
    const { url, read } = await start({ registrationsPerSecond: 20 });
    const clients = crowd(url, 1141);
    await until(async () => (await read('wayleave_waiting')) === 1140);
    const tooMany = new RawClient(scope, url);
    expect(await tooMany.closed).toBe(1013);
    expect(await read('wayleave_connections_cut_total{reason="too-many-waiting"}')).toBe(1);
    for (const client of clients) client.socket.terminate();
    await until(async () => (await read('wayleave_waiting')) === 0);
    await rawSocket(scope, url);
  });
});
