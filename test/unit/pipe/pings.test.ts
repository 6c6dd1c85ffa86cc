// Round trips over a pipe: measured, bounded, settled.
import { describe, expect, it } from 'vitest';
import { encodeControl, FrameDecoder, KIND, PING_BYTES } from '../../../src/pipe/framing.js';
import { MAX_PINGS_UNDER_WAY, Pings } from '../../../src/pipe/pings.js';
import { pipePair } from './pairs.js';

const code = (expected: string) => expect.objectContaining({ code: expected });

/** A ping or pong frame with that many bytes of payload. */
function frame(kind: 6 | 7, length: number): Buffer {
  const bytes = encodeControl(kind);
  bytes.writeUInt32BE(((kind << 28) | length) >>> 0, 0);
  return Buffer.concat([bytes, Buffer.alloc(length, 1)]);
}

describe('pipe.ping', () => {
  it('measures a round trip, from either side, several at once, and disturbs no message', async () => {
    const [near, far] = await pipePair();
    await near.send('before');
    const times = await Promise.all([near.ping(), near.ping(), far.ping({ timeoutMs: 5000 })]);
    for (const ms of times) expect(ms).toBeGreaterThan(0);
    await near.send('after');
    expect(String(await far.recv())).toBe('before');
    expect(String(await far.recv())).toBe('after');
    await near.close();
  });

  it('settles when the peer does not read, when the caller gives up, and when the pipe ends', async () => {
    const [near, far] = await pipePair({ far: { queue: { maxBytes: 1 } } });
    far.toDuplex(); // claims the queue, reads nothing: the pipe stops reading
    await near.send('fills it');
    await near.send('waits before the ping');
    await expect(near.ping({ timeoutMs: 50 })).rejects.toEqual(code('timeout'));
    const controller = new AbortController();
    const aborted = near.ping({ signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toEqual(code('aborted'));
    const cut = expect(near.ping()).rejects.toEqual(code('closed'));
    await near.close();
    await cut;
    await expect(near.ping()).rejects.toEqual(code('closed'));
    await far.close();
  });

  it('keeps no more than 16 under way', async () => {
    const pings = new Pings(() => Promise.resolve());
    const waiting = Array.from({ length: MAX_PINGS_UNDER_WAY }, () => pings.ping({ timeoutMs: 50 }));
    await expect(pings.ping({})).rejects.toEqual(code('rate-limited'));
    for (const result of await Promise.allSettled(waiting)) expect(result.status).toBe('rejected');
    const next = pings.ping({ timeoutMs: 20 }); // room again
    await expect(next).rejects.toEqual(code('timeout'));
  });

  it('owes a flooding peer that does not read a bounded number of pongs', () => {
    let sends = 0;
    const pings = new Pings(() => {
      sends++;
      return new Promise(() => {}); // the network takes nothing
    });
    for (let i = 0; i < 100_000; i++) pings.take(KIND.ping, Buffer.alloc(PING_BYTES));
    expect(sends).toBe(MAX_PINGS_UNDER_WAY);
  });

  it('passes over pongs that nobody asked for', async () => {
    const [near, far] = await pipePair();
    const unasked = new Pings(() => Promise.resolve());
    unasked.take(KIND.pong, Buffer.alloc(PING_BYTES, 7));
    expect(await near.ping()).toBeGreaterThan(0);
    await Promise.all([near.close(), far.close()]);
  });
});

describe('ping frames', () => {
  it.each([KIND.ping, KIND.pong])('of kind %i hold eight bytes, no other number', kind => {
    const good = new FrameDecoder();
    good.push(frame(kind, PING_BYTES));
    expect(good.next()).toMatchObject({ kind, payload: Buffer.alloc(8, 1) });
    for (const length of [0, 7, 9, 4096]) {
      const decoder = new FrameDecoder();
      decoder.push(frame(kind, length));
      expect(() => decoder.next(), String(length)).toThrow(code('protocol-error'));
    }
  });
});
