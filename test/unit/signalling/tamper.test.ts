// A malicious server has every box and every connection in its hands. It may drop and delay; it must not be able
// to read, alter, forge, replay, redirect or impersonate. Each test has its positive twin: what the server leaves
// alone arrives.
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { seal } from '../../../src/identity/sealed-box.js';
import { Scope } from '../../../src/net/scope.js';
import type { ClientFrames } from '../../../src/signalling/frames.js';
import type { PeerMessage } from '../../../src/signalling/messages.js';
import { type Member, member, strangeClock, until } from './members.js';
import { type Script, type ScriptedServer, scriptedServer } from './scripted-server.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const SECRETS = ['wl1-address-of-alice', '198.51.100.77', 'reverse-request', 'attempt-of-alice'];
const SECRET_REQUEST: PeerMessage = {
  type: 'reverse-request',
  address: 'wl1-address-of-alice',
  endpoints: [{ host: '198.51.100.77', port: 45_678 }],
};

/** Alice writes to Bob through a server that keeps every box; Bob counts what reaches him. */
async function through(script: Script, bobsClock = strangeClock({})) {
  const server = scope.use(await scriptedServer(script));
  const [alice, bob] = [member(scope, [server.url]), member(scope, [server.url], bobsClock)];
  await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
  const calls: string[] = [];
  bob.signalling.onRequest(({ attempt }) => calls.push(attempt));
  return { server, alice, bob, calls };
}

const ask = (from: Member, to: Member, attempt = 'attempt-of-alice') =>
  from.signalling.send(to.recipient, { attempt, side: 'initiator', body: SECRET_REQUEST });

const dropped = ({ events }: Member) => events.filter(({ event }) => event === 'signalling-ignored').length;

function boxesOf({ recording }: ScriptedServer): string[] {
  return recording
    .map(text => JSON.parse(text) as ClientFrames['send'])
    .flatMap(({ type, box }) => (type === 'send' ? [box] : []));
}

/** Acknowledges, and keeps the box to itself. */
const KEEP: Script = {
  onSend: (from, { ref }, self) =>
    self.clients.get(from)!.send(JSON.stringify({ type: 'sent', refs: [ref] })),
};

describe('a malicious server', () => {
  it('reads nothing: no content in all that it sees, in any encoding', async () => {
    const { server, alice, bob, calls } = await through({});
    for (let i = 0; i < 20; i++) await ask(alice, bob, `attempt-of-alice-${i}`);
    await until(() => calls.length === 20);
    const seen = Buffer.concat([
      Buffer.from(server.recording.join('\n')),
      ...boxesOf(server).map(box => Buffer.from(box, 'base64')),
    ]);
    const encodings = (secret: string) => [
      secret,
      Buffer.from(secret).toString('base64').slice(0, -3),
      Buffer.from(secret).toString('hex'),
    ];
    for (const secret of [...SECRETS, alice.recipient.sealingKey.toString('base64url')]) {
      for (const text of encodings(secret)) expect(seen.includes(text)).toBe(false);
    }
    expect(seen.includes(alice.identity.id)).toBe(true); // the recording is one: who writes to whom is no secret
    expect(new Set(boxesOf(server)).size).toBe(20); // and the same words look different each time
  });

  it('alters nothing: 10^4 altered boxes, 0 callbacks', { timeout: 120_000 }, async () => {
    const { server, alice, bob, calls } = await through(KEEP);
    await ask(alice, bob);
    const original = Buffer.from(boxesOf(server)[0]!, 'base64');
    const mutate = (i: number): Buffer => {
      const copy = Buffer.from(original);
      const at = (i * 7919) % copy.length;
      switch (i % 5) {
        case 0: // one bit
          copy[at]! ^= 1 << (i % 8);
          return copy;
        case 1: // one byte
          copy[at] = (copy[at]! + 1 + (i % 255)) & 0xff;
          return copy;
        case 2: // cut off
          return copy.subarray(0, Math.max(1, at));
        case 3: // something added
          return Buffer.concat([copy, randomBytes(1 + (i % 40))]);
        default: // a stretch replaced
          return Buffer.concat([copy.subarray(0, at), randomBytes(copy.length - at)]);
      }
    };
    for (let i = 0; i < 10_000; i++) {
      server.deliver(bob.identity.id, { from: alice.identity.id, box: mutate(i).toString('base64') });
      if (i % 500 === 499) await until(() => dropped(bob) === i + 1);
    }
    expect(bob.ignored('not-for-us')).toBe(10_000);
    expect(calls).toEqual([]);
    server.deliver(bob.identity.id, { from: alice.identity.id, box: original.toString('base64') });
    await until(() => calls.length === 1);
  });

  it('replays nothing: 1,000 times the same box, one callback; through another server neither', async () => {
    const { server, alice, bob, calls } = await through({});
    await ask(alice, bob);
    const [box] = boxesOf(server);
    for (let i = 0; i < 1000; i++) server.deliver(bob.identity.id, { from: alice.identity.id, box: box! });
    await until(() => bob.ignored('not-fresh') === 1000);
    const accomplice = scope.use(await scriptedServer());
    using _lease = bob.signalling.open(accomplice.url);
    await until(() => accomplice.clients.has(bob.identity.id));
    accomplice.deliver(bob.identity.id, { from: alice.identity.id, box: box! });
    await until(() => bob.ignored('not-fresh') === 1001);
    expect(calls).toEqual(['attempt-of-alice']);
  });

  it('holds nothing back to use it later: after 15 minutes a box is worth nothing', async () => {
    const { server, alice, bob, calls } = await through(
      KEEP,
      strangeClock({ wallOffsetMs: 15 * 60_000 + 5_000 }),
    );
    await ask(alice, bob);
    server.deliver(bob.identity.id, { from: alice.identity.id, box: boxesOf(server)[0]! });
    await until(() => bob.ignored('not-fresh') === 1);
    expect(calls).toEqual([]);
  });

  it('redirects nothing: a box for Bob is worth nothing to Carol, nor back to Alice', async () => {
    const { server, alice, bob, calls } = await through(KEEP);
    const carol = member(scope, [server.url]);
    await carol.signalling.ready();
    const strayed: string[] = [];
    for (const other of [alice, carol]) other.signalling.onRequest(({ attempt }) => strayed.push(attempt));
    await ask(alice, bob);
    const [box] = boxesOf(server);
    for (const other of [alice, carol])
      server.deliver(other.identity.id, { from: alice.identity.id, box: box! });
    await until(() => dropped(alice) + dropped(carol) === 2);
    server.deliver(bob.identity.id, { from: alice.identity.id, box: box! });
    await until(() => calls.length === 1);
    expect(strayed).toEqual([]);
  });

  it('impersonates nobody: its own boxes in Alice’s name, and Alice’s in the name of others', async () => {
    const { server, alice, bob, calls } = await through(KEEP);
    const mallory = createIdentity();
    const payload = {
      v: 1,
      id: 'A'.repeat(22),
      sentAt: Date.now(),
      key: mallory.sealingPublicKey.toString('base64url'),
      attempt: 'forged',
      side: 'initiator',
      body: SECRET_REQUEST,
    };
    const forged = seal(mallory, bob.identity.sealingPublicKey, Buffer.from(JSON.stringify(payload)));
    server.deliver(bob.identity.id, { from: alice.identity.id, box: forged.toString('base64') });
    await ask(alice, bob);
    server.deliver(bob.identity.id, { from: mallory.id, box: boxesOf(server)[0]! });
    await until(() => bob.ignored('not-for-us') === 2);
    expect(calls).toEqual([]);
    // in her own name Mallory is just another node
    server.deliver(bob.identity.id, {
      from: mallory.id,
      box: seal(
        mallory,
        bob.identity.sealingPublicKey,
        Buffer.from(JSON.stringify({ ...payload, id: 'B'.repeat(22) })),
      ).toString('base64'),
    });
    await until(() => calls.length === 1);
  });

  it('reorders and doubles: each message once, whatever the order', async () => {
    const { server, alice, bob, calls } = await through(KEEP);
    const names = Array.from({ length: 30 }, (_, i) => `attempt-${i}`);
    for (const name of names) await ask(alice, bob, name);
    const boxes = boxesOf(server).reverse();
    for (const box of [...boxes, ...boxes]) server.deliver(bob.identity.id, { from: alice.identity.id, box });
    await until(() => calls.length + dropped(bob) === 60);
    expect(calls).toEqual(names.reverse());
  });

  it('cannot pass a registration on: what Alice signs for it is worth nothing elsewhere', async () => {
    const honest = scope.use(
      await createServer({ host: '127.0.0.1', port: 0, publicHosts: ['honest.example'] }),
    );
    // The evil one asks the honest one for a challenge, and has Alice answer it
    const { WebSocket } = await import('ws');
    const toHonest = new WebSocket(honest.listening.signalling.replace('honest.example', '127.0.0.1'), {
      headers: { host: 'honest.example:7443' },
    });
    const challenge = await new Promise<string>(resolve =>
      toHonest.once('message', data => resolve(data.toString())),
    );
    const evil = scope.use(await scriptedServer({ greetWith: challenge }));
    const alice = member(scope, [evil.url]);
    await alice.signalling.ready();
    const closed = new Promise<number>(resolve => toHonest.once('close', resolve));
    toHonest.send(evil.recording[0]!);
    expect(await closed).toBe(4003);
  });
});
