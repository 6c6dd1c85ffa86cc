import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { Attempt } from '../../../src/signalling/attempt.js';
import type { Heard, SignallingChannel } from '../../../src/signalling/channel.js';
import type { PeerMessage } from '../../../src/signalling/messages.js';

const via = {} as SignallingChannel;
const refused = (reason: string): Heard => ({
  body: { type: 'refused', of: 'punch-offer', reason },
  seenFrom: undefined,
  via,
});
const heard = (body: PeerMessage): Heard => ({ body, seenFrom: undefined, via });

function attempt() {
  const { id, sealingPublicKey: sealingKey } = createIdentity();
  const log = {
    dropped: 0,
    disposed: 0,
    errors: [] as unknown[],
    sent: [] as (SignallingChannel | undefined)[],
  };
  const view = new Attempt({
    id: 'a',
    peer: { id, sealingKey },
    side: 'initiator',
    send: async (_, heardOn) => void log.sent.push(heardOn),
    onDropped: () => log.dropped++,
    onHandlerError: error => log.errors.push(error),
    onDispose: () => log.disposed++,
  });
  return { view, log };
}

describe('an attempt', () => {
  it('next takes what has come already, and leaves other types for other calls', async () => {
    const { view } = attempt();
    view.receive(heard({ type: 'done' }));
    view.receive(refused('first'));
    expect((await view.next('refused')).body.reason).toBe('first');
    expect((await view.next(['cancel', 'done'])).body.type).toBe('done');
  });

  it('next waits for what has not come; each message goes to one call', async () => {
    const { view } = attempt();
    const [one, two] = [view.next('refused'), view.next('refused')];
    view.receive(refused('1'));
    view.receive(refused('2'));
    expect((await one).body.reason).toBe('1');
    expect((await two).body.reason).toBe('2');
  });

  it('next ends with its signal, and the message then goes to the next call', async () => {
    const { view } = attempt();
    const abort = new AbortController();
    const given = view.next('refused', { signal: abort.signal });
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
    view.receive(refused('kept'));
    expect((await view.next('refused')).body.reason).toBe('kept');
    await expect(view.next('refused', { signal: abort.signal })).rejects.toMatchObject({ code: 'aborted' });
  });

  it('handlers see every message, also those that came before them; one that throws disturbs no other', async () => {
    const { view, log } = attempt();
    const seen: string[] = [];
    view.receive(heard({ type: 'cancel' }));
    view.onMessage(() => {
      throw new Error('of the application');
    });
    const subscription = view.onMessage(({ body }) => seen.push(body.type));
    await Promise.resolve(); // what came before is told in the next turn
    view.receive(heard({ type: 'done' }));
    subscription[Symbol.dispose]();
    view.receive(refused('late'));
    await Promise.resolve();
    expect(seen).toEqual(['cancel', 'done']);
    expect(log.errors.length).toBeGreaterThanOrEqual(3);
  });

  it('holds 32 messages that nobody asked for; then the oldest gives way', async () => {
    const { view, log } = attempt();
    for (let i = 0; i < 40; i++) view.receive(refused(String(i)));
    expect(log.dropped).toBe(8);
    expect((await view.next('refused')).body.reason).toBe('8');
  });

  it('answers through the channel that the peer was last heard on', async () => {
    const { view, log } = attempt();
    await view.send({ type: 'done' });
    view.receive(heard({ type: 'done' }));
    await view.send({ type: 'done' });
    expect(log.sent).toEqual([undefined, via]);
  });

  it('disposed: what waits ends, what is sent is refused, the owner hears of it once', async () => {
    const { view, log } = attempt();
    const waiting = view.next('done');
    view[Symbol.dispose]();
    view[Symbol.dispose]();
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
    await expect(view.next('done')).rejects.toMatchObject({ code: 'closed' });
    await expect(view.send({ type: 'done' })).rejects.toMatchObject({ code: 'closed' });
    expect(log.disposed).toBe(1);
  });
});
