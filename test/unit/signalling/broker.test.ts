// The pure parts of signalling through a broker: topics, parcels and receipts, presence notes, what is worth opening.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { BrokerIntake } from '../../../src/signalling/broker-intake.js';
import {
  digestOf,
  isReceiptOf,
  MAX_PARCEL_BYTES,
  receiptDigest,
  receiptFor,
  unwrapBox,
  wrapBox,
} from '../../../src/signalling/broker-parcel.js';
import { topicsOf } from '../../../src/signalling/broker-topics.js';
import { laterPresence, presenceNote, readPresence } from '../../../src/signalling/presence.js';
import { Recent } from '../../../src/signalling/recent.js';

const [alice, bob] = [createIdentity(), createIdentity()];
const KEY = bob.sealingPublicKey;
const box = (fill: number, length = 400) => Buffer.alloc(length, fill);
const flip = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at % copy.length]! ^= 1;
  return copy;
};

it('topics are versioned, and name one node', () => {
  expect(topicsOf('abc')).toEqual({
    box: 'wayleave/1/abc/box',
    receipt: 'wayleave/1/abc/receipt',
    presence: 'wayleave/1/abc/presence',
  });
});

describe('a parcel', () => {
  it('comes back as it was, for boxes of every length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 145, maxLength: 2000 }), bytes => {
        expect(unwrapBox(KEY, wrapBox(KEY, Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
    expect(unwrapBox(KEY, wrapBox(KEY, box(1, 16_384)))).toHaveLength(16_384);
  });

  it('is none when altered, of another length, or wrapped by one who does not know the sealing key', () => {
    const parcel = wrapBox(KEY, box(1));
    for (let at = 0; at < parcel.length; at++) expect(unwrapBox(KEY, flip(parcel, at))).toBeUndefined();
    for (let end = 0; end < parcel.length; end++)
      expect(unwrapBox(KEY, parcel.subarray(0, end))).toBeUndefined();
    expect(unwrapBox(KEY, wrapBox(alice.sealingPublicKey, box(1)))).toBeUndefined();
    expect(unwrapBox(KEY, wrapBox(KEY, box(1, MAX_PARCEL_BYTES)))).toBeUndefined();
  });
});

describe('a receipt', () => {
  it('names a box, on the word of its recipient', () => {
    const digest = digestOf(box(1));
    const receipt = receiptFor(bob, digest);
    expect(receiptDigest(receipt)).toBe(digest);
    expect(isReceiptOf(bob.id, receipt)).toBe(true);
    expect(isReceiptOf(alice.id, receipt)).toBe(false);
    expect(isReceiptOf(bob.id, flip(receipt, 3))).toBe(false);
    expect(isReceiptOf(bob.id, flip(receipt, 50))).toBe(false);
    expect(receiptDigest(receipt.subarray(1))).toBeUndefined();
    expect(receiptDigest(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('presence', () => {
  it('is what the node itself has signed', () => {
    for (const state of ['online', 'offline'] as const) {
      const note = presenceNote(bob, { state, since: 1_700_000_000_000 });
      expect(readPresence(bob.id, note)).toEqual({ state, since: 1_700_000_000_000 });
      expect(readPresence(alice.id, note)).toBeUndefined();
      for (let at = 0; at < note.length; at++) expect(readPresence(bob.id, flip(note, at))).toBeUndefined();
    }
    expect(readPresence(bob.id, Buffer.alloc(0))).toBeUndefined();
    expect(readPresence(bob.id, Buffer.alloc(73, 255))).toBeUndefined();
  });

  it('a will ends its own session, and no later one, in whichever order they come', () => {
    const online = (since: number) => ({ state: 'online', since }) as const;
    const offline = (since: number) => ({ state: 'offline', since }) as const;
    const last = (...notes: Parameters<typeof laterPresence>[1][]) =>
      notes.reduce<ReturnType<typeof laterPresence> | undefined>(laterPresence, undefined);
    expect(last(online(1), offline(1))).toEqual(offline(1));
    expect(last(offline(1), online(1))).toEqual(offline(1));
    expect(last(online(2), offline(1))).toEqual(online(2));
    expect(last(offline(1), online(2))).toEqual(online(2));
  });
});

describe('of what arrives', () => {
  const intake = () => new BrokerIntake(KEY, 0);

  it('a parcel is opened once; when it returns, its sender is remembered', () => {
    const of = intake();
    const parcel = wrapBox(KEY, box(1));
    const digest = digestOf(box(1));
    expect(of.take(parcel, false, 0)).toEqual({ box: box(1), digest });
    expect(of.take(parcel, false, 0)).toEqual({ dropped: 'not-fresh', digest, from: undefined });
    of.opened(digest, alice.id);
    expect(of.take(parcel, false, 0)).toEqual({ dropped: 'not-fresh', digest, from: alice.id });
  });

  it('what was kept and what is no parcel is dropped', () => {
    expect(intake().take(wrapBox(KEY, box(1)), true, 0)).toEqual({ dropped: 'retained' });
    expect(intake().take(Buffer.from('junk'), false, 0)).toEqual({ dropped: 'malformed' });
  });

  it('junk of strangers costs nobody’s turn; parcels of those who know the address are 200 a second', () => {
    const of = intake();
    for (let i = 0; i < 5000; i++) of.take(Buffer.alloc(400, i), false, 0);
    const parcels = Array.from({ length: 700 }, (_, i) => {
      const content = box(0);
      content.writeUInt32BE(i);
      return wrapBox(KEY, content);
    });
    const opened = (from: number, to: number, now: number) =>
      parcels.slice(from, to).filter(parcel => 'box' in of.take(parcel, false, now)).length;
    expect(opened(0, 450, 0)).toBe(400);
    expect(opened(450, 700, 1000)).toBe(200);
  });
});

it('of the recent, the oldest is forgotten', () => {
  const recent = new Recent<string, number>(2);
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const)
    recent.set(key, value);
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([undefined, 2, 4]);
  expect(recent.has('a')).toBe(false);
});
