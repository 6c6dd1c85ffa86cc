// Two server processes, both busy, of which one is killed (SIGKILL), or NATS between them: what their clients notice,
// and what became of every single message.
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { createNode } from '../../src/node.js';
import type { Pipe } from '../../src/pipe/pipe.js';
import { requirement } from '../requirements.js';
import { until } from '../unit/signalling/members.js';
import { startBalancer, startMember } from './cluster.js';
import { type Entry, History, Roamer } from './history.js';
import { startNats } from './nats.js';

const CLIENTS_EACH = 12;
const IN_FLIGHT = 8;

const describeNats = await requirement('nats');

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

describeNats('killed at load: a process, or NATS', () => {
  it('a process: its clients return, the other’s notice nothing, no acknowledged message is lost, none is doubled', async () => {
    const nats = await startNats(scope);
    const [doomed, other] = [await startMember(scope, nats.url), await startMember(scope, nats.url)];
    const history = new History();
    const some = (urls: string[]) =>
      Array.from({ length: CLIENTS_EACH }, () => new Roamer(scope, urls, history));
    const [displaced, settled] = [some([doomed.url, other.url]), some([other.url, doomed.url])];
    const all = [...displaced, ...settled];
    await until(() => all.every(({ registered }) => registered));

    const stop = new AbortController();
    const chats = all.map(roamer => roamer.chat(all, IN_FLIGHT, stop.signal));
    await systemClock.sleep(2000);
    await doomed.kill();
    const killedAt = systemClock.now();
    await until(() => displaced.every(({ lost, registered }) => lost > 0 && registered));
    const backAfterMs = systemClock.now() - killedAt;
    await systemClock.sleep(500);
    stop.abort();
    await Promise.all(chats);

    expect(backAfterMs).toBeLessThan(10_000);
    expect(settled.filter(({ lost }) => lost > 0)).toEqual([]);
    await until(() => history.acknowledged.every(({ arrivals }) => arrivals > 0)); // acknowledged means delivered
    expect(history.entries.filter(({ arrivals }) => arrivals > 1)).toEqual([]);
    const unexplained = history.entries.filter(
      ({ from, to, outcome }) =>
        outcome !== 'sent' &&
        !(outcome === 'connection-lost' && displaced.includes(from)) &&
        !((outcome === 'not-here' || outcome === 'unavailable') && displaced.includes(to)),
    );
    expect(unexplained).toEqual([]);
    expect(history.acknowledged.length).toBeGreaterThan(1000);

    // and it is one service again: everybody reaches everybody
    const after = new AbortController();
    const before = history.entries.length;
    const again = all.map(roamer => roamer.chat(all, 1, after.signal));
    await systemClock.sleep(200);
    after.abort();
    await Promise.all(again);
    expect(new Set(history.entries.slice(before).map(({ outcome }) => outcome))).toEqual(new Set(['sent']));
  });

  it('NATS killed and restarted: nobody is cut off, near messages all arrive, far ones once or are reported', async () => {
    const nats = await startNats(scope);
    const [east, west] = [await startMember(scope, nats.url), await startMember(scope, nats.url)];
    const history = new History();
    const some = ({ url }: { url: string }) =>
      Array.from({ length: CLIENTS_EACH }, () => new Roamer(scope, [url], history));
    const eastern = some(east);
    const all = [...eastern, ...some(west)];
    await until(() => all.every(({ registered }) => registered));
    const stop = new AbortController();
    const chats = all.map(roamer => roamer.chat(all, 2, stop.signal));
    const isFar = ({ from, to }: Entry) => eastern.includes(from) !== eastern.includes(to);
    await systemClock.sleep(500);
    await nats.kill();
    await until(() => history.entries.some(({ outcome }) => outcome === 'unavailable'));
    await nats.start();
    const restartedAt = history.entries.length;
    await until(() =>
      history.entries.slice(restartedAt).some(entry => isFar(entry) && entry.outcome === 'sent'),
    );
    await systemClock.sleep(500);
    stop.abort();
    await Promise.all(chats);

    expect(all.filter(({ lost }) => lost > 0)).toEqual([]);
    await until(() => history.acknowledged.every(({ arrivals }) => arrivals > 0));
    expect(history.entries.filter(({ arrivals }) => arrivals > 1)).toEqual([]);
    const outcomes = (which: (entry: Entry) => boolean) =>
      new Set(history.entries.filter(which).map(({ outcome }) => outcome));
    expect(outcomes(entry => !isFar(entry))).toEqual(new Set(['sent']));
    expect(outcomes(isFar)).toEqual(new Set(['sent', 'unavailable']));
  });

  it('nodes behind one name come back by themselves, and are reached again', async () => {
    const nats = await startNats(scope);
    const members = [await startMember(scope, nats.url), await startMember(scope, nats.url)];
    const name = await startBalancer(scope, members);
    const join = async (label: string) => {
      const node = await createNode({ servers: [name], host: '127.0.0.1', portMapping: false });
      scope.defer(() => node.close());
      await node.ready();
      node.onMessage((message, _, pipe) => pipe.send(`${label} heard ${message}`));
      return node;
    };
    const [a, b] = [await join('a'), await join('b')];
    await members[0]!.kill();
    // `reverse` takes a request through signalling: whoever sat at the dead process has to be back for it
    const giveUpAt = systemClock.now() + 10_000;
    const connect = async (): Promise<Pipe> => {
      try {
        return await a.connect(b.address, { strategies: ['reverse'], timeoutMs: 5000 });
      } catch (error) {
        if (systemClock.now() > giveUpAt) throw error;
        await systemClock.sleep(200);
        return connect();
      }
    };
    const pipe = await connect();
    await pipe.send('you');
    expect(String(await pipe.recv({ timeoutMs: 5000 }))).toBe('b heard you');
  });
});
