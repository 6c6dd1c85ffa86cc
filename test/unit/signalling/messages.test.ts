// The message table and the envelope around it: what is sealed opens once, at its recipient, while it is fresh.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../../src/identity/keys.js';
import { SEAL_OVERHEAD, seal } from '../../../src/identity/sealed-box.js';
import { ipFromBytes } from '../../../src/net/ip-scope.js';
import { Envelopes } from '../../../src/signalling/envelope.js';
import { MAX_BOX_BYTES } from '../../../src/signalling/frames.js';
import {
  MESSAGES,
  type Message,
  type MessageType,
  type PeerMessage,
} from '../../../src/signalling/messages.js';
import { REQUEST, strangeClock } from './members.js';

const alice = createIdentity();
const bob = createIdentity();
const toBob = { id: bob.id, sealingKey: bob.sealingPublicKey };
const clock = (wallOffsetMs = 0) => strangeClock({ wallOffsetMs });
const message = (body: PeerMessage): Message => ({ attempt: 'a-1', side: 'initiator', body });

const endpoint = fc.record({
  host: fc
    .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map(ipFromBytes),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const place = fc.record({
  mapped: endpoint,
  tcp: fc.record({
    kind: fc.constantFrom('unknown', 'open', 'firewall', 'nat', 'blocked'),
    mapping: fc.constantFrom('unknown', 'endpoint-independent', 'address-dependent'),
    filtering: fc.constantFrom('unknown', 'endpoint-independent', 'address-and-port-dependent'),
    unsolicitedSyn: fc.constantFrom('unknown', 'drop', 'reset'),
    ports: fc.constantFrom({ pattern: 'preserving' }, { pattern: 'delta', delta: -2 }, { pattern: 'random' }),
  }),
  recentPorts: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 8 }),
}) as fc.Arbitrary<PeerMessage<'punch-answer'>['answer']>;

/** Every row of the table has its arbitrary here; the type checker insists. */
const BODIES: { readonly [Type in MessageType]: fc.Arbitrary<PeerMessage<Type>> } = {
  'reverse-request': fc.record({
    type: fc.constant('reverse-request'),
    address: fc.string({ minLength: 1, maxLength: 4096 }),
    endpoints: fc.array(endpoint, { minLength: 1, maxLength: 8 }),
  }),
  'punch-offer': fc.record({
    type: fc.constant('punch-offer'),
    address: fc.string({ minLength: 1, maxLength: 4096 }),
    round: fc.integer({ min: 1, max: 3 }),
    places: fc.array(place, { minLength: 1, maxLength: 4 }),
    roundTripMs: fc.integer({ min: 0, max: 60_000 }),
  }),
  'punch-answer': fc.record({
    type: fc.constant('punch-answer'),
    round: fc.integer({ min: 1, max: 3 }),
    place: fc.integer({ min: 0, max: 3 }),
    answer: place,
    startInMs: fc.integer({ min: 0, max: 60_000 }),
  }),
  'relay-offer': fc.record({
    type: fc.constant('relay-offer'),
    address: fc.string({ minLength: 1, maxLength: 4096 }),
    servers: fc.array(endpoint, { minLength: 1, maxLength: 8 }),
  }),
  'relay-address': fc.record({
    type: fc.constant('relay-address'),
    relayed: endpoint,
    transport: fc.constantFrom('tcp', 'udp'),
  }),
  'relay-answer': fc.record({ type: fc.constant('relay-answer'), relayed: endpoint }),
  refused: fc.record({
    type: fc.constant('refused'),
    of: fc.constant('punch-offer'),
    reason: fc.string({ minLength: 1, maxLength: 200 }),
  }),
  cancel: fc.constant({ type: 'cancel' }),
  done: fc.constant({ type: 'done' }),
};

describe('a sealed message', () => {
  it.each(Object.keys(MESSAGES) as MessageType[])('%s: opens as what was sealed', type => {
    const [from, to] = [new Envelopes(alice, clock()), new Envelopes(bob, clock())];
    fc.assert(
      fc.property(BODIES[type], fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (body, attempt) => {
        const sent: Message = { attempt, side: 'responder', body };
        const opened = to.open(from.seal(toBob, sent));
        expect(opened).toEqual({
          from: alice.id,
          reply: { id: alice.id, sealingKey: alice.sealingPublicKey },
          message: sent,
        });
      }),
      { numRuns: 250 }, // of one sender: as many as its replay window remembers
    );
  });

  it('opens once', () => {
    const to = new Envelopes(bob, clock());
    const box = new Envelopes(alice, clock()).seal(toBob, message(REQUEST));
    expect(to.open(box)).toHaveProperty('message');
    expect(to.open(box)).toEqual({ reason: 'not-fresh', from: alice.id });
  });

  it('opens for nobody else, its sender included', () => {
    const box = new Envelopes(alice, clock()).seal(toBob, message(REQUEST));
    for (const other of [alice, createIdentity()]) {
      expect(new Envelopes(other, clock()).open(box)).toEqual({ reason: 'not-for-us' });
    }
    expect(new Envelopes(bob, clock()).open(box)).toHaveProperty('message');
  });

  it.each([
    [10, true],
    [-10, true],
    [16, false],
    [-16, false],
  ])('with a clock %i minutes off: accepted %s', (minutes, accepted) => {
    const box = new Envelopes(alice, clock(minutes * 60_000)).seal(toBob, message(REQUEST));
    expect('message' in new Envelopes(bob, clock()).open(box)).toBe(accepted);
  });

  it('is refused over 16 KiB, at the sender, and passes just below', () => {
    const of = (characters: number) =>
      ({ type: 'refused', of: 'punch-offer', reason: 'x'.repeat(characters) }) satisfies PeerMessage;
    const from = new Envelopes(alice, clock());
    const around = from.seal(toBob, message(of(0))).length;
    expect(from.seal(toBob, message(of(MAX_BOX_BYTES - around)))).toHaveLength(MAX_BOX_BYTES);
    expect(() => from.seal(toBob, message(of(MAX_BOX_BYTES - around + 1)))).toThrow(
      expect.objectContaining({ code: 'message-too-large' }),
    );
    expect(around).toBeGreaterThan(SEAL_OVERHEAD);
  });
});

describe('a sealed payload that is not a message', () => {
  const valid = {
    v: 1,
    id: 'A'.repeat(22),
    sentAt: Date.now(),
    key: alice.sealingPublicKey.toString('base64url'),
    attempt: 'a',
    side: 'initiator',
    body: { type: 'cancel' },
  };
  const open = (payload: unknown) => {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
    return new Envelopes(bob, clock()).open(seal(alice, bob.sealingPublicKey, bytes));
  };

  it('(the valid one opens)', () => {
    expect(open(valid)).toHaveProperty('message.body.type', 'cancel');
  });

  it.each([
    ['no JSON', Buffer.from([0xff, 0x00])],
    ['null', null],
    ['another version', { ...valid, v: 2 }],
    ['a short id', { ...valid, id: 'A' }],
    ['a fractional time', { ...valid, sentAt: 0.5 }],
    ['a long attempt', { ...valid, attempt: 'a'.repeat(65) }],
    ['another side', { ...valid, side: 'server' }],
    ['a short key', { ...valid, key: 'AAAA' }],
    ['no type', { ...valid, body: {} }],
    [
      'a request without endpoints',
      { ...valid, body: { type: 'reverse-request', address: 'x', endpoints: [] } },
    ],
  ])('%s is malformed', (_, payload) => {
    expect(open(payload)).toMatchObject({ reason: 'malformed', from: alice.id });
  });

  it.each(['mesh-greeting', 'constructor', '__proto__'])('of the unknown type %s is told apart', type => {
    expect(open({ ...valid, body: { type } })).toEqual({
      reason: 'unknown-type',
      from: alice.id,
      detail: type,
    });
  });

  const request = (endpoints: unknown) =>
    open({ ...valid, body: { type: 'reverse-request', address: 'x', endpoints } });

  it.each([
    'localhost',
    '127.1',
    '010.0.0.1',
    '2130706433',
    '::FFFF:1.2.3.4',
    '2001:DB8::1',
    'fe80::1%lo',
    '[::1]',
    '',
  ])('the endpoint %j is refused: not one canonical IP address', host => {
    expect(request([{ host, port: 80 }])).toMatchObject({ reason: 'malformed' });
  });

  it('eight endpoints pass, nine do not', () => {
    const endpoints = Array.from({ length: 9 }, (_, i) => ({ host: '192.0.2.1', port: i + 1 }));
    expect(request(endpoints)).toMatchObject({ reason: 'malformed' });
    expect(request(endpoints.slice(1))).toHaveProperty('message');
  });
});
