import { afterEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../signalling-server/index.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { Scope } from '../../../src/net/scope.js';
import type { SignallingEvent } from '../../../src/signalling/channel.js';
import { createSignalling } from '../../../src/signalling/signalling.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function pair() {
  const server = scope.use(await createServer({ host: '127.0.0.1', port: 0 }));
  const events: SignallingEvent[] = [];
  const member = () => {
    const identity = createIdentity();
    const options = {
      identity,
      servers: [server.listening.signalling],
      onEvent: (e: SignallingEvent) => events.push(e),
    };
    const signalling = scope.use(createSignalling(options));
    return { identity, signalling, recipient: { id: identity.id, sealingKey: identity.sealingPublicKey } };
  };
  const [alice, bob] = [member(), member()];
  await Promise.all([alice.signalling.ready(), bob.signalling.ready()]);
  return { server, alice, bob, events };
}

describe('two nodes and one server', () => {
  it('a request reaches the peer, its answer comes back, both proved', async () => {
    const { alice, bob } = await pair();
    bob.signalling.onRequest(async request => {
      expect(request.from).toBe(alice.identity.id);
      expect(request.seenFrom).toBe('127.0.0.1');
      await request.answer({ type: 'refused', reason: 'not today' });
    });
    using attempt = alice.signalling.attempt('a1', bob.recipient);
    await attempt.send({
      type: 'reverse-request',
      address: 'x',
      endpoints: [{ host: '192.0.2.1', port: 5 }],
    });
    expect((await attempt.next('refused')).body.reason).toBe('not today');
  });
});
