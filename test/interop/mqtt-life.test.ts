// The life of a channel to a broker: it comes back by itself, sends what was on its way, leaves in good order and
// releases all that it had; and what a request that came through a broker may make a node do.
import { createServer as createTcpServer } from 'node:net';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createServer } from '../../signalling-server/index.js';
import { createNode } from '../../src/index.js';
import { Scope } from '../../src/net/scope.js';
import { topicsOf } from '../../src/signalling/broker-topics.js';
import { createSignalling } from '../../src/signalling/signalling.js';
import { requesterAt } from '../node/requester.js';
import { requirement } from '../requirements.js';
import { type Member, member, REQUEST, strangeClock, until } from '../unit/signalling/members.js';
import { startMosquitto } from './mosquitto.js';

const describeMosquitto = await requirement('mosquitto');

describeMosquitto('the channel to a broker', () => {
  let scope: Scope;
  beforeEach(() => {
    scope = new Scope();
  });
  afterEach(() => scope.close());

  const ask = (from: Member, to: Member, attempt: string) =>
    from.signalling.send(to.recipient, { attempt, side: 'initiator', body: REQUEST });
  const count = ({ events }: Member, name: string) => events.filter(({ event }) => event === name).length;

  it('broker killed and started again: both are back by themselves, and what was sent meanwhile arrives once', {
    timeout: 60_000,
  }, async () => {
    const broker = scope.use(await startMosquitto());
    const [alice, bob] = [member(scope, [broker.url]), member(scope, [broker.url])];
    await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
    const calls: string[] = [];
    bob.signalling.onRequest(({ attempt }) => calls.push(attempt));
    await ask(alice, bob, 'before');
    await broker.kill();
    await until(() => count(alice, 'signalling-lost') === 1 && count(bob, 'signalling-lost') === 1);
    const meanwhile = ask(alice, bob, 'meanwhile').catch(({ code }) => code);
    await broker.start();
    await until(() => [alice, bob].every(({ signalling }) => signalling.channels[0]!.registered));
    // Alice may have been back before Bob: then she was told that he was not there
    if ((await meanwhile) === 'peer-not-registered') await ask(alice, bob, 'meanwhile-again');
    await ask(alice, bob, 'after');
    expect(calls).toHaveLength(3);
    expect(new Set(calls).size).toBe(3);
    expect(count(bob, 'signalling-registered')).toBe(2);
  });

  it('a broker that is not there: said at once, and a message is not kept for ever', async () => {
    const broker = await startMosquitto();
    await broker[Symbol.asyncDispose]();
    const alice = member(scope, [broker.url]);
    await expect(alice.signalling.ready()).rejects.toMatchObject({ code: 'server-unreachable' });
    await expect(ask(alice, alice, 'x')).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('a broker that stalls: a message is given up, leaving takes half a second, and it may go on', async () => {
    const broker = scope.use(await startMosquitto());
    const [alice, bob] = [
      member(scope, [broker.url], strangeClock({ factor: 5 })),
      member(scope, [broker.url]),
    ];
    await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
    broker.stall();
    const failed = { code: 'server-unreachable', message: expect.stringContaining('did not acknowledge') };
    await expect(ask(alice, bob, 'stalled')).rejects.toMatchObject(failed);
    const leaving = member(scope, [broker.url]);
    await alice.signalling[Symbol.asyncDispose]();
    await leaving.signalling[Symbol.asyncDispose]();
    broker.goOn();
    const carol = member(scope, [broker.url]);
    await carol.signalling.ready();
    await ask(carol, bob, 'goes on');
    expect(count(bob, 'signalling-lost')).toBe(0);
  });

  it('a send ends with its signal, with its channel, and when too many wait', async () => {
    const broker = scope.use(await startMosquitto());
    const alice = member(scope, [broker.url]);
    await alice.signalling.ready();
    const channel = alice.signalling.channels[0]!;
    const nobody = { ...member(scope, []).recipient };
    const abort = new AbortController();
    const aborted = channel.send(nobody, Buffer.alloc(200), { signal: abort.signal });
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    const waiting = Array.from({ length: 64 }, (_, i) => channel.send(nobody, Buffer.alloc(200, i)));
    await expect(channel.send(nobody, Buffer.alloc(300))).rejects.toMatchObject({ code: 'rate-limited' });
    const ended = Promise.allSettled(waiting);
    await channel[Symbol.asyncDispose]();
    for (const result of await ended) expect(result).toMatchObject({ reason: { code: 'closed' } });
    await expect(channel.send(nobody, Buffer.alloc(200))).rejects.toMatchObject({ code: 'closed' });
  });

  it('who leaves says so, and nothing is left of it: no socket, no timer', { timeout: 30_000 }, async () => {
    const broker = scope.use(await startMosquitto());
    const held = () => process.getActiveResourcesInfo().filter(name => /TCP|TLS|Timeout/.test(name)).length;
    const before = held();
    const watcher = await connectAsync(broker.url, { reconnectPeriod: 0 });
    const notes: number[] = [];
    watcher.on('message', (_topic, note) => notes.push(note[0]!));
    for (const url of [broker.url, broker.wsUrl]) {
      await using alice = member(scope, [url]).signalling;
      await alice.ready();
      const { identity, signalling, recipient } = member(scope, [url]);
      await signalling.ready();
      await watcher.subscribeAsync(topicsOf(identity.id).presence);
      await alice.send(recipient, { attempt: 'x', side: 'initiator', body: REQUEST });
      await signalling[Symbol.asyncDispose]();
      expect(signalling.channels[0]!.registered).toBe(false);
    }
    await until(() => notes.length === 4);
    expect(notes).toEqual([1, 0, 1, 0]);
    await watcher.endAsync();
    await until(() => held() <= before);
  });

  it('a request goes through a server of ours, which says where it comes from, also when a broker is there sooner', async () => {
    const broker = scope.use(await startMosquitto());
    const server = scope.use(await createServer({ host: '127.0.0.1', port: 0 }));
    const url = server.listening.signalling;
    const [alice, bob] = [member(scope, [broker.url]), member(scope, [broker.url, url])];
    await Promise.all([alice.signalling.ready(), ...bob.signalling.channels.map(channel => channel.ready())]);
    const seen: (string | undefined)[] = [];
    bob.signalling.onRequest(({ seenFrom }) => seen.push(seenFrom));
    const request = { side: 'initiator', body: REQUEST } as const;
    await alice.signalling.send(bob.recipient, { attempt: 'a', ...request }, { servers: [broker.url, url] });
    await server.close(); // and without it, through the broker
    await alice.signalling.send(bob.recipient, { attempt: 'b', ...request }, { servers: [broker.url, url] });
    expect(seen).toEqual(['127.0.0.1', undefined]);
  });

  it('the round trip is measured, and a broker greets nobody', async () => {
    const broker = scope.use(await startMosquitto());
    const signalling = scope.use(member(scope, [broker.url]).signalling);
    await signalling.ready();
    const [channel] = signalling.channels;
    expect(channel!.roundTripMs).toBeGreaterThan(0);
    expect(channel!.greeting).toBeUndefined();
  });

  it('a request that names somebody else’s endpoint makes no node dial it (security row 10)', {
    timeout: 30_000,
  }, async () => {
    const broker = scope.use(await startMosquitto());
    await using bob = await createNode({ servers: [broker.url], host: '127.0.0.1', portMapping: false });
    await bob.ready();
    let knocks = 0;
    const third = createTcpServer(socket => {
      knocks++;
      socket.destroy();
    });
    await new Promise<void>(resolve => third.listen(0, '127.0.0.1', resolve));
    scope.defer(() => third.close());
    const { port } = third.address() as { port: number };
    const open = (identity: Parameters<typeof createSignalling>[0]['identity']) =>
      createSignalling({ identity, servers: [broker.url] });
    const ask = (host: string, kind: 'reverse' | 'punch', onThisMachine: boolean) =>
      requesterAt({ host, port, onThisMachine, open, to: bob }).refusal(kind);
    for (const host of ['127.0.0.1', '203.0.113.80', '192.168.1.1', '169.254.169.254']) {
      expect(await ask(host, 'reverse', false)).toBe('nobody-vouches');
      expect(await ask(host, 'punch', false)).toBe('nobody-vouches');
    }
    expect(knocks).toBe(0);
    // the positive twin: who proves to be on this machine is called back there
    expect(await ask('127.0.0.1', 'reverse', true)).toBe('peer-could-not'); // what listens there is no node
    expect(knocks).toBe(1);
  });
});
