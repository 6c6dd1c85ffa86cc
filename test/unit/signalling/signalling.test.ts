// All of a node's signalling over real servers: requests and answers, several servers, attempts that end.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { Scope } from '../../../src/net/scope.js';
import type { Delivery } from '../../../src/signalling/channel.js';
import { createSignalling } from '../../../src/signalling/signalling.js';
import { type Member, member, REQUEST, strangeClock, until } from './members.js';

let scope = new Scope();
let url = '';
beforeEach(async () => {
  url = await startServer();
});
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function startServer(): Promise<string> {
  return scope.use(await createServer({ host: '127.0.0.1', port: 0 })).listening.signalling;
}

/** All requests that reach a member, in order. */
function requests({ signalling }: Member): Delivery[] {
  const all: Delivery[] = [];
  signalling.onRequest(request => all.push(request));
  return all;
}

describe('two nodes and one server', () => {
  it('a request reaches the peer with who asks and from where; both sides then talk', async () => {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await bob.signalling.ready();
    bob.signalling.onRequest(async request => {
      expect(request).toMatchObject({ from: alice.identity.id, seenFrom: '127.0.0.1', body: REQUEST });
      using mine = request.accept();
      await mine.send({ type: 'refused', of: 'punch-offer', reason: 'not before you say please' });
      await mine.next('cancel');
      await mine.send({ type: 'done' });
    });
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    const { body, seenFrom } = await attempt.next('refused');
    expect([body.reason, seenFrom]).toEqual(['not before you say please', '127.0.0.1']);
    await attempt.send({ type: 'cancel' });
    await attempt.next('done');
  });

  it('a request can be answered without taking part', async () => {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await bob.signalling.ready();
    bob.signalling.onRequest(request =>
      request.answer({ type: 'refused', of: 'punch-offer', reason: 'stranger' }),
    );
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    expect((await attempt.next('refused')).body.reason).toBe('stranger');
  });

  it('a node may talk to itself: the two ends of the attempt are told apart', async () => {
    const self = member(scope, [url]);
    self.signalling.onRequest(async request => {
      using mine = request.accept();
      await mine.send({ type: 'refused', of: 'punch-offer', reason: 'by myself' });
    });
    using attempt = self.signalling.attempt('a1', self.recipient);
    await attempt.send(REQUEST);
    expect((await attempt.next('refused')).body.reason).toBe('by myself');
  });

  it('a peer that is not there: said at once', async () => {
    const alice = member(scope, [url]);
    const { id, sealingPublicKey: sealingKey } = createIdentity();
    using attempt = alice.signalling.attempt('a1', { id, sealingKey });
    await expect(attempt.send(REQUEST)).rejects.toMatchObject({ code: 'peer-not-registered' });
  });

  it.each([10, -10])('one clock is wrong by %i minutes: nothing changes', async minutes => {
    const alice = member(scope, [url], strangeClock({ wallOffsetMs: minutes * 60_000 }));
    const bob = member(scope, [url]);
    await bob.signalling.ready();
    bob.signalling.onRequest(request =>
      request.answer({ type: 'refused', of: 'punch-offer', reason: 'heard' }),
    );
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    expect((await attempt.next('refused')).body.reason).toBe('heard');
  });
});

describe('attempts', () => {
  it('messages of an attempt that is over are dropped, and begin nothing', async () => {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await bob.signalling.ready();
    const asked = requests(bob);
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    await until(() => asked.length === 1);
    asked[0]!.accept()[Symbol.dispose]();
    await attempt.send(REQUEST);
    await until(() => bob.ignored('dead-attempt') === 1);
    using next = alice.signalling.attempt('a2', bob.recipient);
    await next.send(REQUEST);
    await until(() => asked.length === 2);
  });

  it('only a message that opens an attempt reaches onRequest', async () => {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await bob.signalling.ready();
    const asked = requests(bob);
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    for (const type of ['cancel', 'done'] as const) await attempt.send({ type });
    await until(() => bob.ignored('no-such-attempt') === 2);
    expect(asked).toEqual([]);
  });

  it('a third node cannot speak in an attempt, even if it knows its id', async () => {
    const [alice, bob, mallory] = [member(scope, [url]), member(scope, [url]), member(scope, [url])];
    await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    const heard: string[] = [];
    attempt.onMessage(({ body }) => heard.push(body.type));
    const forged = { attempt: 'a1', side: 'responder', body: { type: 'done' } } as const;
    await mallory.signalling.send(alice.recipient, forged);
    await until(() => alice.ignored('no-such-attempt') === 1);
    await bob.signalling.send(alice.recipient, forged); // the same words from the right peer
    await attempt.next('done');
    expect(heard).toEqual(['done']);
  });

  it('an id can be in use once', () => {
    const alice = member(scope, [url]);
    using first = alice.signalling.attempt('a1', alice.recipient);
    expect(() => alice.signalling.attempt(first.id, alice.recipient)).toThrow(
      expect.objectContaining({ code: 'bad-option' }),
    );
  });
});

describe('several servers', () => {
  it('are all registered with; a peer that knows only one of them is reached', async () => {
    const other = await startServer();
    const alice = member(scope, [url, other]);
    const bob = member(scope, [other]);
    await Promise.all([...alice.signalling.channels.map(channel => channel.ready()), bob.signalling.ready()]);
    const asked = requests(bob);
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    await until(() => asked.length === 1);
    expect(asked[0]!.via.url).toBe(`${other}/`);
  });

  it('one of them down: ready, and delivered through the other', async () => {
    const [alice, bob] = [member(scope, ['ws://127.0.0.1:9', url]), member(scope, [url])];
    await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
    const asked = requests(bob);
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send(REQUEST);
    await until(() => asked.length === 1);
  });

  it('all of them down: ready names each and why', async () => {
    const alice = member(scope, ['ws://127.0.0.1:9', 'ws://127.0.0.1:10']);
    await expect(alice.signalling.ready()).rejects.toMatchObject({
      code: 'server-unreachable',
      message: 'ws://127.0.0.1:9/: ECONNREFUSED; ws://127.0.0.1:10/: ECONNREFUSED',
    });
  });

  it('none: said as such', async () => {
    const alice = member(scope, []);
    await expect(alice.signalling.ready()).rejects.toMatchObject({ code: 'server-unreachable' });
    await expect(
      alice.signalling.send(alice.recipient, { attempt: 'a', side: 'initiator', body: { type: 'done' } }),
    ).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('a server that only the peer’s address names is used for the attempt, both ways', async () => {
    const theirs = await startServer();
    const [alice, bob] = [member(scope, [url]), member(scope, [theirs])];
    await bob.signalling.ready();
    bob.signalling.onRequest(request =>
      request.answer({ type: 'refused', of: 'punch-offer', reason: 'but heard' }),
    );
    using attempt = alice.signalling.attempt('a1', bob.recipient, { servers: [theirs] });
    await attempt.send(REQUEST);
    expect((await attempt.next('refused')).via.url).toBe(`${theirs}/`);
    expect(alice.signalling.channels.map(channel => channel.url)).toEqual([`${url}/`]);
  });

  it('a useless URL in the peer’s address is reported, and the others are tried', async () => {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await bob.signalling.ready();
    const asked = requests(bob);
    using attempt = alice.signalling.attempt('a1', bob.recipient, { servers: ['gopher://192.0.2.1', url] });
    await attempt.send(REQUEST);
    await until(() => asked.length === 1);
    expect(alice.events).toContainEqual(
      expect.objectContaining({ event: 'signalling-unreachable', url: 'gopher://192.0.2.1' }),
    );
  });
});

describe('configuration and end', () => {
  it('refuses what is no server URL, and more than eight', () => {
    const identity = createIdentity();
    for (const servers of [['http://x'], Array.from({ length: 9 }, (_, i) => `ws://127.0.0.1:${i + 1}`)]) {
      expect(() => createSignalling({ identity, servers })).toThrow(
        expect.objectContaining({ code: 'bad-option' }),
      );
    }
  });

  it('closed: attempts end, nothing can be begun, closing again is nothing', async () => {
    const alice = member(scope, [url]);
    await alice.signalling.ready();
    const waiting = alice.signalling.attempt('a1', alice.recipient).next('done');
    const ended = expect(waiting).rejects.toMatchObject({ code: 'closed' });
    await alice.signalling[Symbol.asyncDispose]();
    await alice.signalling[Symbol.asyncDispose]();
    await ended;
    expect(() => alice.signalling.attempt('a2', alice.recipient)).toThrow(/closed/);
    expect(() => alice.signalling.open(url)).toThrow(/closed/);
    await expect(alice.signalling.ready()).rejects.toMatchObject({ code: 'closed' });
  });
});
