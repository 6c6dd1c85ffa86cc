// What was delivered is an ordered prefix of what was sent, whole and without duplicates, however and whenever the
// pipe ends (row 29); when it ended by the sender's own orderly close, it is all of it.
import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { FrameDecoder } from '../../src/pipe/framing.js';
import { Pipe } from '../../src/pipe/pipe.js';
import { seeded } from '../fuzz/seeded.js';
import { alice, bob, memoryPair, pipePair, ROUTE, tcpPair } from '../unit/pipe/pairs.js';
import { SOAK_TIMEOUT_MS, scaled } from './scale.js';

/** A pipe without TLS: the ends of pipes do not depend on it, and ten thousand handshakes take a minute. */
function barePipe(stream: Duplex, direction: 'inbound' | 'outbound'): Pipe {
  const { id } = direction === 'inbound' ? alice : bob;
  stream.on('error', () => {});
  const socket = stream as TLSSocket;
  const secured = {
    socket,
    peer: id,
    role: 'client',
    decoder: new FrameDecoder(),
    awaitingAccept: false,
  } as const;
  return new Pipe(secured, { direction, route: ROUTE });
}

const WAYS = ['sender closes', 'reader closes', 'sender cut', 'reader cut', 'both close'] as const;

/** One life of a pipe: numbered messages of random sizes, and an end at a random moment. */
async function live(random: () => number, near: Pipe, far: Pipe, raw: readonly Duplex[]): Promise<void> {
  const way = WAYS[random() % WAYS.length]!;
  const largest = [16, 16, 3000, 20_000][random() % 4]!;
  const received: number[] = [];
  const check = (message: Buffer) => {
    const number = message.readUInt32BE(0);
    expect(message.length).toBe(4 + (((number * 2_654_435_761) >>> 0) % largest));
    if (message.length > 4) expect(message.at(-1)).toBe(number & 255);
    received.push(number);
  };
  const reading =
    random() % 2 === 0
      ? Promise.resolve(far.onMessage(check))
      : (async () => {
          for await (const message of far) {
            check(message);
            if (message.length % 7 === 0) await turn();
          }
        })().catch(() => {});
  let taken = 0;
  const sending = (async () => {
    for (let number = 0; number < 2000; number++) {
      const message = Buffer.alloc(4 + (((number * 2_654_435_761) >>> 0) % largest), number & 255);
      message.writeUInt32BE(number);
      await near.send(message);
      taken++;
      if (number % 50 === 49) await turn();
    }
  })().catch(() => {});
  for (let turns = random() % 20; turns > 0; turns--) await turn();
  if (random() % 4 === 0) await sleep(random() % 5);
  if (way === 'sender cut') raw[0]!.destroy();
  if (way === 'reader cut') raw[1]!.destroy();
  if (way === 'sender closes' || way === 'both close') void near.close();
  if (way === 'reader closes' || way === 'both close') void far.close();
  const [nearReason, farReason] = await Promise.all([near.closed, far.closed]);
  await Promise.all([sending, reading]);
  expect(received).toEqual(received.map((_, i) => i)); // ordered, no gap, no duplicate: a prefix
  expect(received.length).toBeLessThanOrEqual(taken + 1);
  if (way === 'sender closes') {
    expect([nearReason.code, farReason.code]).toEqual(['closed', 'closed']);
    expect(received.length).toBe(taken);
  }
}

const PLAIN = scaled(10_000, 1000);
const SECURED = scaled(1000, 60);

describe('an ordered prefix', () => {
  test(`${PLAIN} random ends over streams in memory`, { timeout: SOAK_TIMEOUT_MS }, async () => {
    const seed = Date.now() | 0;
    const random = seeded(seed);
    for (let i = 0; i < PLAIN; i++) {
      const raw = memoryPair();
      const run = live(random, barePipe(raw[0], 'outbound'), barePipe(raw[1], 'inbound'), raw);
      await run.catch(cause => Promise.reject(new Error(`seed ${seed}, end ${i}`, { cause })));
    }
  });

  test(`${SECURED} random ends over TLS and TCP`, { timeout: SOAK_TIMEOUT_MS }, async () => {
    const seed = Date.now() | 0;
    const random = seeded(seed);
    for (let i = 0; i < SECURED; i++) {
      const raw = await tcpPair();
      const [near, far] = await pipePair({ raw });
      const run = live(random, near, far, raw);
      await run.catch(cause => Promise.reject(new Error(`seed ${seed}, end ${i}`, { cause })));
    }
  });
});

const MIB = 1024 * 1024;
const TOTAL_BYTES = scaled(1024 * MIB, 64 * MIB);

test(`${TOTAL_BYTES / MIB} MiB in messages of random sizes arrive by hash`, {
  timeout: SOAK_TIMEOUT_MS,
}, async () => {
  const [near, far] = await pipePair();
  const random = seeded(Date.now() | 0);
  const sent = createHash('sha256');
  const received = createHash('sha256');
  const reading = (async () => {
    for await (const message of far) received.update(`${message.length};`).update(message);
  })();
  for (let left = TOTAL_BYTES; left > 0; ) {
    const largest = [100, 10_000, MIB, 4 * MIB][random() % 4]!;
    const message = randomBytes(Math.min(left, random() % largest));
    left -= message.length;
    sent.update(`${message.length};`).update(message);
    await near.send(message);
  }
  await near.close();
  await reading;
  expect(received.digest('hex')).toBe(sent.digest('hex'));
});
