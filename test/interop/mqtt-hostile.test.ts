// Nobody at a broker proves anything: anyone may read, write, replay and keep whatever they like on a node's topics.
// None of it reaches the node's handlers, none of it keeps an honest message away. Each test has its positive twin: an
// honest message that arrives all the same.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createIdentity } from '../../src/identity/keys.js';
import { Scope } from '../../src/net/scope.js';
import { digestOf, receiptFor, wrapBox } from '../../src/signalling/broker-parcel.js';
import { topicsOf } from '../../src/signalling/broker-topics.js';
import { presenceNote } from '../../src/signalling/presence.js';
import { requirement } from '../requirements.js';
import { type Member, member, REQUEST, until } from '../unit/signalling/members.js';
import { type Mosquitto, startMosquitto } from './mosquitto.js';

const describeMosquitto = await requirement('mosquitto');

describeMosquitto('at a broker where anybody may do anything', () => {
  let broker: Mosquitto;
  let scope: Scope;
  let stranger: MqttClient;
  /** All that has passed through the broker, by topic. */
  let heard: { topic: string; payload: Buffer }[];
  beforeAll(async () => {
    broker = await startMosquitto();
  });
  afterAll(() => broker[Symbol.asyncDispose]());
  beforeEach(async () => {
    scope = new Scope();
    heard = [];
    stranger = await connectAsync(broker.url, { reconnectPeriod: 0 });
    stranger.on('message', (topic, payload) => heard.push({ topic, payload }));
    await stranger.subscribeAsync('wayleave/#', { qos: 1 });
  });
  afterEach(async () => {
    await scope.close();
    await stranger.endAsync(true);
  });

  const ask = (from: Member, to: Member, attempt: string) =>
    from.signalling.send(to.recipient, { attempt, side: 'initiator', body: REQUEST });
  const heardAt = (topic: string) =>
    heard.filter(message => message.topic === topic).map(({ payload }) => payload);

  async function pair(url = broker.url) {
    const [alice, bob] = [member(scope, [url]), member(scope, [url])];
    await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
    const calls: string[] = [];
    bob.signalling.onRequest(({ attempt, seenFrom }) => calls.push(`${attempt} from ${seenFrom}`));
    return { alice, bob, calls, topics: topicsOf(bob.identity.id) };
  }

  it('10^4 payloads of junk: 0 callbacks, 0 crashes', { timeout: 120_000 }, async () => {
    const { alice, bob, calls, topics } = await pair();
    await ask(alice, bob, 'before');
    await until(
      () => heardAt(topics.box).length === 1 && heardAt(topicsOf(alice.identity.id).receipt).length === 1,
    );
    const genuine = {
      box: heardAt(topics.box)[0]!,
      receipt: heardAt(topicsOf(alice.identity.id).receipt)[0]!,
      presence: presenceNote(bob.identity, { state: 'online', since: Date.now() }),
    };
    const { sealingKey } = bob.recipient;
    const flipped = (bytes: Buffer, i: number) => {
      const copy = Buffer.from(bytes);
      copy[i % copy.length]! ^= 1 << (i % 8);
      return copy;
    };
    const junk: ((i: number) => Buffer)[] = [
      i => randomBytes(i % 400),
      i => flipped(genuine.box, i),
      i => genuine.box.subarray(0, i % genuine.box.length),
      i => wrapBox(sealingKey, randomBytes(145 + (i % 300))), // by somebody who has the address
      i => wrapBox(sealingKey, flipped(genuine.box.subarray(16), i)),
      i => flipped(genuine.receipt, i),
      i => flipped(genuine.presence, i),
      () => Buffer.alloc(0),
      i => Buffer.from(JSON.stringify({ type: 'deliver', from: bob.identity.id, box: 'x'.repeat(i % 99) })),
      i => Buffer.alloc(16 * 1024 + 17 + (i % 3), i),
    ];
    const where = [topics.box, topics.receipt, topics.presence];
    const sending: Promise<unknown>[] = [];
    for (let i = 0; i < 10_000; i++) {
      const payload = junk[i % junk.length]!(Math.floor(i / junk.length));
      sending.push(
        stranger.publishAsync(where[i % 3]!, payload, { qos: i % 2 ? 1 : 0, retain: i % 7 === 0 }),
      );
      if (i % 200 === 0) await Promise.all(sending.splice(0));
    }
    await Promise.all(sending);
    await ask(alice, bob, 'after');
    expect(calls).toEqual(['before from undefined', 'after from undefined']);
    expect(
      bob.events.filter(({ event }) => event === 'signalling-lost' || event === 'handler-failed'),
    ).toEqual([]);
    expect(bob.ignored('malformed')).toBeGreaterThan(0);
  });

  it('delivered twice, or copied by somebody: it arrives once, and the second time earns a receipt', async () => {
    const { alice, bob, calls, topics } = await pair();
    await ask(alice, bob, 'once');
    await until(() => heardAt(topics.box).length === 1);
    const receipts = () => heardAt(topicsOf(alice.identity.id).receipt).length;
    for (let i = 0; i < 20; i++) await stranger.publishAsync(topics.box, heardAt(topics.box)[0]!, { qos: 1 });
    await until(() => receipts() === 21);
    await ask(alice, bob, 'twice');
    expect(calls).toEqual(['once from undefined', 'twice from undefined']);
  });

  it('what the broker has kept is never honoured', async () => {
    const bob = createIdentity();
    const [alice, topics] = [member(scope, [broker.url]), topicsOf(bob.id)];
    const recipient = { id: bob.id, sealingKey: bob.sealingPublicKey };
    // addressed to Bob while he is away, and kept for him by somebody
    const message = { attempt: 'kept', side: 'initiator', body: REQUEST } as const;
    await expect(alice.signalling.send(recipient, message)).rejects.toMatchObject({
      code: 'peer-not-registered',
    });
    await stranger.publishAsync(topics.box, heardAt(topics.box)[0]!, { qos: 1, retain: true });
    const home = member(scope, [broker.url], undefined, bob);
    const calls: string[] = [];
    home.signalling.onRequest(({ attempt }) => calls.push(attempt));
    await home.signalling.ready();
    await until(() => home.ignored('retained') === 1);
    await ask(alice, home, 'fresh');
    expect(calls).toEqual(['fresh']);
    await stranger.publishAsync(topics.box, '', { retain: true });
  });

  it('a forged "offline", a note that is removed, an old last will: the node stays reachable', async () => {
    const { alice, bob, calls, topics } = await pair();
    const forged = presenceNote(createIdentity(), { state: 'offline', since: Date.now() + 1e9 });
    const old = presenceNote(bob.identity, { state: 'offline', since: Date.now() - 60_000 });
    const lies = [forged, Buffer.alloc(0), randomBytes(73), old];
    for (const [index, lie] of lies.entries()) {
      await stranger.publishAsync(topics.presence, lie, { qos: 1, retain: true });
      await ask(alice, bob, `despite-${index}`);
    }
    expect(calls).toHaveLength(lies.length);
    // and the node has said again that it is here
    const present = heardAt(topics.presence).filter(note => note[0] === 1 && !note.equals(old));
    expect(present.length).toBeGreaterThanOrEqual(2);
  });

  it('a receipt that the recipient did not sign delivers nothing', async () => {
    const alice = member(scope, [broker.url]);
    await alice.signalling.ready();
    const bob = createIdentity();
    stranger.on('message', (topic, parcel) => {
      if (topic !== topicsOf(bob.id).box) return;
      const forged = receiptFor(createIdentity(), digestOf(parcel.subarray(16)));
      stranger.publish(topicsOf(alice.identity.id).receipt, forged, { qos: 1 });
    });
    const recipient = { id: bob.id, sealingKey: bob.sealingPublicKey };
    const sending = alice.signalling.send(recipient, { attempt: 'x', side: 'initiator', body: REQUEST });
    await expect(sending).rejects.toMatchObject({ code: 'peer-not-registered' });
    expect(heardAt(topicsOf(alice.identity.id).receipt).length).toBeGreaterThan(0);
  });

  it.each([
    // more than a broker keeps in flight: those that are passed over must be acknowledged
    ['MQTT', 30, 1_000_000, () => broker.url],
    // mosquitto brings 4 KiB in a tenth of a second there
    ['WebSocket', 2, 40_000, () => broker.wsUrl],
  ])(
    'messages that are too long, one of them kept, are passed over: %s',
    { timeout: 60_000 },
    async (...given) => {
      const [, count, bytes, url] = given;
      const bob = createIdentity();
      const topics = topicsOf(bob.id);
      await stranger.unsubscribeAsync('wayleave/#');
      await stranger.publishAsync(topics.box, Buffer.alloc(bytes, 1), { qos: 1, retain: true });
      const [alice, home] = [member(scope, [url()]), member(scope, [url()], undefined, bob)];
      await Promise.all([alice.signalling.ready(), home.signalling.ready()]);
      for (let i = 0; i < count; i++)
        await stranger.publishAsync(topics.box, Buffer.alloc(bytes, i), { qos: 1 });
      const calls: string[] = [];
      home.signalling.onRequest(({ attempt }) => calls.push(attempt));
      await expect
        .poll(() => ask(alice, home, 'small').catch(({ code }) => code), { timeout: 30_000 })
        .toBe(undefined);
      expect(calls).toContain('small');
      expect(home.events.filter(({ event }) => event === 'signalling-lost')).toEqual([]);
      await stranger.publishAsync(topics.box, '', { retain: true });
    },
  );

  it('a flood on a node’s topic keeps no honest message away', { timeout: 60_000 }, async () => {
    const { alice, bob, calls, topics } = await pair();
    await stranger.unsubscribeAsync('wayleave/#');
    let flooding = true;
    const flood = (async () => {
      while (flooding) {
        for (let i = 0; i < 100; i++) stranger.publish(topics.box, randomBytes(300));
        await setImmediate(); // this process is the victim, too
      }
    })();
    for (let i = 0; i < 20; i++) await ask(alice, bob, `through-${i}`);
    flooding = false;
    await flood;
    expect(calls).toHaveLength(20);
    expect(bob.events.filter(({ event }) => event === 'signalling-ignored').length).toBeLessThan(200);
  });

  it('with the access list of docs/mqtt.md strangers with a password neither read nor overwrite', async () => {
    const guide = await readFile(new URL('../../docs/mqtt.md', import.meta.url), 'utf8');
    const accessList = /```acl\n([^`]+)```/.exec(guide)![1]!;
    const [alice, bob] = [createIdentity(), createIdentity()];
    const accounts = [alice.id, bob.id, 'mallory'].map(username => ({ username, password: 'secret' }));
    const closed = scope.use(await startMosquitto({ accounts, accessList }));
    const as = (username: string) => closed.url.replace('//', `//${username}:secret@`);
    const [near, far] = [alice, bob].map(identity => member(scope, [as(identity.id)], undefined, identity));
    await Promise.all([near!.signalling.ready(), far!.signalling.ready()]);
    const mallory = await connectAsync(as('mallory'), { reconnectPeriod: 0 });
    scope.defer(() => mallory.endAsync(true));
    const overheard: string[] = [];
    mallory.on('message', topic => overheard.push(topic));
    await mallory.subscribeAsync('wayleave/#');
    const { presence } = topicsOf(bob.id);
    await mallory.publishAsync(presence, 'junk', { qos: 1, retain: true });
    const calls: string[] = [];
    far!.signalling.onRequest(({ attempt }) => calls.push(attempt));
    await ask(near!, far!, 'unseen');
    expect(calls).toEqual(['unseen']);
    await until(() => overheard.length === 2); // both nodes' presence, and nothing of Mallory's
    expect(overheard.sort()).toEqual([alice, bob].map(({ id }) => topicsOf(id).presence).sort());
    // mosquitto lets a node under another name subscribe, and brings it nothing
    const eve = member(scope, [as('mallory')]);
    await eve.signalling.ready();
    await expect(ask(near!, eve, 'lost')).rejects.toMatchObject({ code: 'peer-not-registered' });
  });
});
