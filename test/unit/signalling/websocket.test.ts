// The channel to one server: it comes back by itself, notices a dead server, loses nothing that was not
// acknowledged, and says why when it cannot.
import { setMaxListeners } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { type Clock, systemClock } from '../../../src/net/clock.js';
import { Scope } from '../../../src/net/scope.js';
import { listenTcp } from '../../../src/net/sockets.js';
import type { Parcel, Recipient, SignallingEvent } from '../../../src/signalling/channel.js';
import { WebSocketChannel } from '../../../src/signalling/websocket.js';
import { FakeClock } from '../../fake-clock.js';
import { strangeClock, until } from './members.js';
import { scriptedServer } from './scripted-server.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

function channelTo(url: string, clock: Clock = systemClock, identity = createIdentity()) {
  const events: SignallingEvent[] = [];
  const parcels: Parcel[] = [];
  const options = {
    url,
    identity,
    clock,
    onEvent: (event: SignallingEvent) => events.push(event),
    random: () => 0.5,
  };
  const channel = scope.use(new WebSocketChannel(options));
  channel.onParcel(parcel => parcels.push(parcel));
  const count = (name: SignallingEvent['event']) => events.filter(({ event }) => event === name).length;
  return { channel, id: identity.id, identity, events, parcels, count };
}

/** Stands still, and knows which limits were set. */
class RecordingClock extends FakeClock {
  readonly deadlines: number[] = [];

  override deadline(...of: Parameters<Clock['deadline']>) {
    this.deadlines.push(of[0]);
    return super.deadline(...of);
  }
}

const BOX = Buffer.from('not sealed: the channel does not care');
const named = (id: string): Recipient => ({ id, sealingKey: Buffer.alloc(32) }); // this channel seals nothing, either

describe('registration', () => {
  it('the greeting says how the server sees us, and is renewed with each registration', async () => {
    const server = scope.use(
      await createServer({ host: '127.0.0.1', port: 0, stunPort: null, stun: ['stun:192.0.2.1:3478'] }),
    );
    const { channel, id } = channelTo(server.listening.signalling);
    expect(channel.greeting).toBeUndefined();
    await channel.ready();
    expect(channel.registered).toBe(true);
    expect(channel.greeting).toMatchObject({
      id,
      seenAs: { host: '127.0.0.1' },
      stun: ['stun:192.0.2.1:3478'],
      limits: { boxBytes: 16_384, messagesPerSecond: 20, burst: 40 },
    });
  });

  it('nobody there: ready rejects at once, naming the server and the system’s word', async () => {
    const { channel } = channelTo('ws://127.0.0.1:9/');
    await expect(channel.ready()).rejects.toMatchObject({
      code: 'server-unreachable',
      message: 'ws://127.0.0.1:9/: ECONNREFUSED',
    });
  });

  it.each([
    ['not JSON', 'hello'],
    ['a challenge without nonce', '{"type":"challenge","protocol":1}'],
    ['a later protocol', `{"type":"challenge","nonce":"${'A'.repeat(43)}","protocol":2}`],
    ['a frame over the limit', JSON.stringify({ type: 'challenge', nonce: 'A'.repeat(70_000), protocol: 1 })],
  ])('a server that speaks %s is given up, and nothing crashes', async (_, greetWith) => {
    const server = scope.use(await scriptedServer({ greetWith }));
    const { channel } = channelTo(server.url);
    await expect(channel.ready()).rejects.toMatchObject({
      code: expect.stringMatching(/^(protocol-error|server-unreachable)$/),
      message: expect.stringContaining(server.url),
    });
    expect(server.recording).toEqual([]);
  });

  it('an HTTP server that is none of ours', async () => {
    const http = createTcpServer(socket => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
    await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
    scope.defer(() => http.close());
    const { port } = http.address() as { port: number };
    const { channel } = channelTo(`ws://127.0.0.1:${port}/`);
    await expect(channel.ready()).rejects.toThrow(/404/);
  });

  it.each(['accepts and is silent', 'answers the upgrade and is silent'])(
    'a server that %s is given up after 10 s',
    async how => {
      const silent = await (how.startsWith('accepts')
        ? listenTcp({ host: '127.0.0.1' }, socket => scope.defer(() => socket.destroy())).then(listener => {
            scope.use(listener);
            return `ws://127.0.0.1:${listener.port}/`;
          })
        : scriptedServer({ greetWith: null }).then(server => scope.use(server).url));
      const { channel } = channelTo(silent, strangeClock({ factor: 20 }));
      await expect(channel.ready()).rejects.toMatchObject({ code: 'server-unreachable' });
    },
  );

  it.each([
    ['welcomes it then', true],
    ['forgets it', false],
  ])('a server that has it wait its turn, and %s', async (_, welcomes) => {
    const server = scope.use(await scriptedServer({ onRegister: '{"type":"wait","ms":20000}' }));
    const clock = new RecordingClock();
    const { channel, id } = channelTo(server.url, clock);
    const ready = channel.ready().catch(error => error);
    await until(() => clock.deadlines.includes(30_000)); // its own 10 s begin when its turn has come
    await clock.advance(29_000);
    if (welcomes) server.welcome(id);
    else await clock.advance(1_000);
    const outcome = welcomes ? undefined : expect.objectContaining({ code: 'server-unreachable' });
    expect(await ready).toEqual(outcome);
    expect(channel.registered).toBe(welcomes);
    if (welcomes) expect(channel.roundTripMs).toBeLessThan(1_000); // the wait is none of it
  });

  it('ready ends with its signal', async () => {
    const server = scope.use(await scriptedServer({ greetWith: null }));
    const { channel } = channelTo(server.url);
    const abort = new AbortController();
    const waiting = channel.ready(abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a server that goes away', () => {
  it('comes back on the same port: registered again by itself, what was sent meanwhile arrives once', async () => {
    const first = await createServer({ host: '127.0.0.1', port: 0 });
    const url = first.listening.signalling;
    const [alice, bob] = [channelTo(url), channelTo(url)];
    await Promise.all([alice.channel.ready(), bob.channel.ready()]);
    await first.close();
    await until(() => !alice.channel.registered && !bob.channel.registered);
    expect(alice.count('signalling-goodbye')).toBe(1);
    const sending = alice.channel.send(named(bob.id), BOX).catch(error => error);
    scope.use(await createServer({ host: '127.0.0.1', port: Number(new URL(url).port) }));
    await Promise.all([alice.channel.ready(), bob.channel.ready()].map(ready => ready.catch(() => {})));
    await until(() => alice.channel.registered && bob.channel.registered);
    // Alice may have been back before Bob: then she was told so, and not left waiting
    if ((await sending)?.code === 'peer-not-registered') await alice.channel.send(named(bob.id), BOX);
    await until(() => bob.parcels.length > 0);
    expect(bob.parcels).toEqual([{ box: BOX, from: alice.id, seenFrom: '127.0.0.1' }]);
  });

  it('before it acknowledges: the message is sent again on the next connection', async () => {
    let dropped = 0;
    const server = scope.use(
      await scriptedServer({
        onSend(from, { ref }, self) {
          const client = self.clients.get(from)!;
          if (dropped++ === 0) client.terminate();
          else client.send(JSON.stringify({ type: 'sent', refs: [ref] }));
        },
      }),
    );
    const { channel } = channelTo(server.url);
    await channel.send(named(createIdentity().id), BOX);
    expect(dropped).toBe(2);
    expect(server.connections).toBe(2);
  });

  it('without a word: noticed after 45 s of silence, not while it pings', async () => {
    const factor = 20; // 45 s are 2.25 s, longer than a busy machine stalls
    const dead = scope.use(await scriptedServer());
    const alive = scope.use(await scriptedServer({ pingEveryMs: 100 }));
    const toDead = channelTo(dead.url, strangeClock({ factor }));
    const toAlive = channelTo(alive.url, strangeClock({ factor }));
    await Promise.all([toDead.channel.ready(), toAlive.channel.ready()]);
    await until(() => toDead.count('signalling-lost') > 0);
    expect(toDead.events.find(({ event }) => event === 'signalling-lost')).toMatchObject({
      reason: expect.stringContaining('silent for 45 s'),
    });
    await new Promise(resolve => setTimeout(resolve, 2_500));
    expect(toAlive.count('signalling-lost')).toBe(0);
  });

  it('for good: send waits its 10 s, then says what the last try said', async () => {
    const { channel } = channelTo('ws://127.0.0.1:9/', strangeClock({ factor: 50 }));
    const failed = channel.send(named(createIdentity().id), BOX);
    await expect(failed).rejects.toMatchObject({ code: 'server-unreachable' });
    await expect(failed).rejects.toThrow(/ECONNREFUSED/);
  });

  it('tries grow apart, from 250 ms to 30 s, by half with a middling die', async () => {
    const pauses: number[] = [];
    const clock: Clock = {
      ...systemClock,
      deadline(ms, parent) {
        if (ms !== 10_000) pauses.push(ms); // 10 s: the limit of each try
        return systemClock.deadline(ms === 10_000 ? ms : 1, parent);
      },
    };
    const now = systemClock.now();
    channelTo('ws://127.0.0.1:9/', {
      ...clock,
      now: () => now,
      sleep: (_, signal) => systemClock.sleep(1, signal),
    });
    await until(() => pauses.length >= 9);
    expect(pauses.slice(0, 9)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });
});

describe('the same identity twice', () => {
  it('the later registration takes over; the earlier hears why', async () => {
    const server = scope.use(await createServer({ host: '127.0.0.1', port: 0 }));
    const first = channelTo(server.listening.signalling);
    await first.channel.ready();
    const second = channelTo(server.listening.signalling, systemClock, first.identity);
    await second.channel.ready();
    await until(() => first.count('signalling-lost') === 1);
    expect(first.events.at(-1)).toMatchObject({ reason: expect.stringContaining('4001') });
    const sender = channelTo(server.listening.signalling);
    await sender.channel.send(named(first.id), BOX);
    await until(() => second.parcels.length === 1);
    expect(first.parcels).toEqual([]);
  });
});

describe('send', () => {
  it.each([
    ['not-here', 'peer-not-registered'],
    ['too-slow', 'peer-not-registered'],
    ['rate-limited', 'rate-limited'],
    ['of-a-later-version', 'server-refused'],
  ])('undelivered because %s: %s', async (reason, code) => {
    const server = scope.use(
      await scriptedServer({
        onSend: (from, { ref }, self) =>
          self.clients.get(from)!.send(JSON.stringify({ type: 'undelivered', refs: [ref], reason })),
      }),
    );
    const { channel } = channelTo(server.url);
    await expect(channel.send(named(createIdentity().id), BOX)).rejects.toMatchObject({ code });
  });

  it('at most 64 wait at one time', async () => {
    const server = scope.use(await scriptedServer({ onSend() {} }));
    const { channel } = channelTo(server.url);
    const abort = new AbortController();
    setMaxListeners(100, abort.signal);
    const to = createIdentity().id;
    const waiting = Array.from({ length: 64 }, () => channel.send(named(to), BOX, { signal: abort.signal }));
    const settled = Promise.allSettled(waiting);
    await expect(channel.send(named(to), BOX)).rejects.toMatchObject({ code: 'rate-limited' });
    abort.abort();
    for (const result of await settled) expect(result).toMatchObject({ reason: { code: 'aborted' } });
  });

  it('closing ends everything that waits', async () => {
    const server = scope.use(await scriptedServer({ onSend() {} }));
    const { channel } = channelTo(server.url);
    await channel.ready();
    const sending = channel.send(named(createIdentity().id), BOX);
    const expected = expect(sending).rejects.toMatchObject({ code: 'closed' });
    await channel[Symbol.asyncDispose]();
    await expected;
    await expect(channel.ready()).rejects.toMatchObject({ code: 'closed' });
    await expect(channel.send(named(createIdentity().id), BOX)).rejects.toMatchObject({ code: 'closed' });
  });

  it('frames of a later version are reported and otherwise ignored', async () => {
    const server = scope.use(await scriptedServer());
    const { channel, id, events } = channelTo(server.url);
    await channel.ready();
    server.clients.get(id)!.send('{"type":"weather","rain":true}');
    await until(() => events.some(event => event.event === 'signalling-ignored'));
    expect(channel.registered).toBe(true);
  });
});
