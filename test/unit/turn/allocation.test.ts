// A client's allocation, with the clock in hand: what is asked when, and what ends it.
import { describe, expect, it } from 'vitest';
import type { WayleaveError } from '../../../src/errors.js';
import type { Endpoint } from '../../../src/net/endpoint.js';
import type { Attribute } from '../../../src/stun/attributes.js';
import { decodeChannelData } from '../../../src/stun/framing.js';
import { decodeMessage } from '../../../src/stun/message.js';
import { Allocation, type AllocationOptions } from '../../../src/turn/allocation.js';
import {
  CREDENTIALS,
  challenge,
  indication,
  MAPPED,
  oneOutputOf,
  outputOf,
  RELAYED,
  refusal,
  SERVER,
  success,
} from './scripted-server.js';

const PEER = { host: '203.0.113.5', port: 5000 };
const MINUTE = 60_000;
const GRANTED: Attribute[] = [
  ['XOR-RELAYED-ADDRESS', RELAYED],
  ['XOR-MAPPED-ADDRESS', MAPPED],
  ['LIFETIME', 600],
];

function prepare(options: Partial<AllocationOptions> = {}) {
  const seen = {
    data: [] as [Endpoint, string][],
    attempts: [] as [number, Endpoint][],
    peersLost: [] as string[],
    lost: [] as WayleaveError[],
    results: [] as unknown[],
  };
  const allocation = new Allocation(
    { server: SERVER, credentials: CREDENTIALS, relayed: 'udp', reliable: true, ...options },
    {
      onData: (from, data) => void seen.data.push([from, data.toString()]),
      onConnectionAttempt: (id, from) => void seen.attempts.push([id, from]),
      onPeerLost: peer => void seen.peersLost.push(peer),
      onLost: error => void seen.lost.push(error),
    },
  );
  const settle = (result: unknown) => void seen.results.push(result);
  return { allocation, seen, settle };
}

/** Allocated at time 0. */
function allocated(options: Partial<AllocationOptions> = {}) {
  const parts = prepare(options);
  parts.allocation.allocate(0, parts.settle);
  parts.allocation.receive(challenge(oneOutputOf(parts.allocation), 401), 0);
  const request = oneOutputOf(parts.allocation);
  parts.allocation.receive(success(request, GRANTED), 0);
  parts.seen.results.length = 0;
  return { ...parts, request };
}

/** Lets time pass, answering every request; what was asked at which minute. */
function live(allocation: Allocation, untilMs: number, answer = success) {
  const asked: [string, number][] = [];
  for (;;) {
    const next = allocation.nextDeadlineMs();
    if (next === undefined || next > untilMs) return asked;
    allocation.advance(next);
    for (const request of outputOf(allocation)) {
      asked.push([request.methodName!, next / MINUTE]);
      const attributes: Attribute[] = request.methodName === 'Refresh' ? [['LIFETIME', 600]] : [];
      allocation.receive(answer(request, attributes), next);
    }
  }
}

describe('allocate', () => {
  it('asks for what is wanted and reports what is granted', () => {
    const { allocation, seen, settle } = prepare({ relayed: 'tcp', family: 4, lifetimeS: 900 });
    allocation.allocate(0, settle);
    allocation.receive(challenge(oneOutputOf(allocation), 401), 0);
    const request = oneOutputOf(allocation);
    expect(request.get('REQUESTED-TRANSPORT')).toBe(6);
    expect(request.get('REQUESTED-ADDRESS-FAMILY')).toBe(1);
    expect(request.get('LIFETIME')).toBe(900);
    allocation.receive(success(request, GRANTED), 0);
    expect(seen.results).toEqual([{ value: { relayed: RELAYED, mapped: MAPPED } }]);
    expect(allocation.held).toBe(true);
  });

  it.each([
    ['no relayed address', GRANTED.slice(1)],
    ['no lifetime', GRANTED.slice(0, 2)],
    [
      'a relayed address of another family',
      [['XOR-RELAYED-ADDRESS', { host: '2001:db8::1', port: 1 }], ...GRANTED.slice(1)],
    ],
    ['port 0', [['XOR-RELAYED-ADDRESS', { host: '192.0.2.1', port: 0 }], ...GRANTED.slice(1)]],
  ] as [string, Attribute[]][])('a success with %s is none', (_, attributes) => {
    const { allocation, seen, settle } = prepare({ family: 4 });
    allocation.allocate(0, settle);
    allocation.receive(challenge(oneOutputOf(allocation), 401), 0);
    allocation.receive(success(oneOutputOf(allocation), attributes), 0);
    expect(seen.results).toMatchObject([{ error: { code: 'bad-message' } }]);
    expect(allocation.held).toBe(false);
  });

  it('released while it is asked for, it is given back as soon as it is there', () => {
    const { allocation, settle } = prepare();
    let released = false;
    allocation.allocate(0, settle);
    allocation.receive(challenge(oneOutputOf(allocation), 401), 0);
    const request = oneOutputOf(allocation);
    allocation.release(0, () => {
      released = true;
    });
    allocation.receive(success(request, GRANTED), 1);
    const refresh = oneOutputOf(allocation);
    expect([refresh.methodName, refresh.get('LIFETIME')]).toEqual(['Refresh', 0]);
    allocation.receive(success(refresh, [['LIFETIME', 0]]), 2);
    expect(released).toBe(true);
  });
});

describe('time', () => {
  it('the allocation is refreshed a minute before its end, for as long as it lives', () => {
    const { allocation, seen } = allocated();
    expect(live(allocation, 30 * MINUTE)).toEqual([
      ['Refresh', 9],
      ['Refresh', 18],
      ['Refresh', 27],
    ]);
    expect(seen.lost).toEqual([]);
  });

  it('permissions are refreshed before 4 minutes, channels before 10', () => {
    const { allocation, settle } = allocated({ lifetimeS: 3600 });
    allocation.bindChannel(0, PEER, settle);
    allocation.receive(success(oneOutputOf(allocation)), 0);
    const asked = live(allocation, 20 * MINUTE);
    const at = (method: string) => asked.filter(([name]) => name === method).map(([, minute]) => minute);
    const gaps = (times: number[]) => times.map((time, i) => time - (times[i - 1] ?? 0));
    expect(at('CreatePermission').length + at('ChannelBind').length).toBeGreaterThan(4);
    // A bind renews the permission too: between any two renewals of it there are less than 4 minutes.
    const renewals = asked.filter(([name]) => name !== 'Refresh').map(([, minute]) => minute);
    expect(Math.max(...gaps(renewals))).toBeLessThan(4);
    expect(Math.max(...gaps(at('ChannelBind')))).toBeLessThan(10);
  });

  it('unanswered, a permission is lost after 5 minutes, a channel after 10, the allocation after its lifetime', () => {
    const { allocation, seen, settle } = allocated();
    allocation.bindChannel(0, PEER, settle);
    allocation.receive(success(oneOutputOf(allocation)), 0);
    for (let ms = 0; ms <= 10 * MINUTE; ms += 1_000) {
      allocation.advance(ms);
      outputOf(allocation);
    }
    expect(seen.peersLost).toContain('203.0.113.5');
    expect(seen.lost).toHaveLength(1);
    allocation.advance(11 * MINUTE);
    expect(seen.lost).toHaveLength(1); // said once
  });
});

describe('errors', () => {
  it('437 for any request: the allocation is gone', () => {
    for (const operation of ['permit', 'bindChannel', 'connect'] as const) {
      const { allocation, seen, settle } = allocated();
      if (operation === 'permit') allocation.permit(0, [PEER.host], settle);
      else allocation[operation](0, PEER, settle);
      allocation.receive(refusal(oneOutputOf(allocation), 437), 1);
      expect(seen.results).toMatchObject([{ error: { number: 437 } }]);
      expect(seen.lost).toMatchObject([{ number: 437 }]);
      expect(allocation.held).toBe(false);
    }
  });

  it('437 for the last Refresh is as good as yes', () => {
    const { allocation, seen } = allocated();
    let released = false;
    allocation.release(0, () => {
      released = true;
    });
    allocation.receive(refusal(oneOutputOf(allocation), 437), 1);
    expect([released, seen.lost]).toEqual([true, []]);
  });

  it('403, 446 and 447 refuse the peer, not the allocation', () => {
    const { allocation, seen, settle } = allocated({ relayed: 'tcp' });
    for (const number of [403, 446, 447]) {
      allocation.connect(0, PEER, settle);
      allocation.receive(refusal(oneOutputOf(allocation), number), 1);
      expect(seen.results.at(-1)).toMatchObject({ error: { number } });
    }
    expect(allocation.held).toBe(true);
  });

  it('a Refresh that is refused ends it', () => {
    const { allocation, seen } = allocated();
    allocation.advance(9 * MINUTE);
    allocation.receive(refusal(oneOutputOf(allocation), 441), 9 * MINUTE);
    expect(seen.lost).toMatchObject([{ number: 441 }]);
  });

  it('afterwards every operation settles at once', () => {
    const { allocation, seen, settle } = allocated();
    allocation.fail(seen.lost[0] ?? (new Error() as WayleaveError), 0);
    allocation.permit(0, [PEER.host], settle);
    allocation.bindChannel(0, PEER, settle);
    allocation.connect(0, PEER, settle);
    expect(seen.results).toMatchObject(Array(3).fill({ error: { code: 'closed' } }));
    expect(allocation.nextDeadlineMs()).toBeUndefined();
  });
});

describe('data', () => {
  const data = (from: Endpoint) =>
    indication('Data', [
      ['XOR-PEER-ADDRESS', from],
      ['DATA', Buffer.from('hello')],
    ]);
  const attempt = (from: Endpoint) =>
    indication('ConnectionAttempt', [
      ['XOR-PEER-ADDRESS', from],
      ['CONNECTION-ID', 77],
    ]);

  it('from peers without permission goes nowhere, from permitted ones it arrives', () => {
    const { allocation, seen, settle } = allocated();
    allocation.receive(data(PEER), 1);
    allocation.receive(attempt(PEER), 1);
    expect([seen.data, seen.attempts]).toEqual([[], []]);
    allocation.permit(1, [PEER.host], settle);
    allocation.receive(success(oneOutputOf(allocation)), 1);
    allocation.receive(data(PEER), 2);
    allocation.receive(attempt(PEER), 2);
    expect(seen.data).toEqual([[PEER, 'hello']]);
    expect(seen.attempts).toEqual([[77, PEER]]);
  });

  it('goes by Send until the channel stands, then by ChannelData; what comes early on it is taken', () => {
    const { allocation, seen, settle } = allocated({ reliable: false });
    const sent = () => allocation.datagramFor(PEER, Buffer.from('x'));
    expect(decodeMessage(sent()).methodName).toBe('Send');
    allocation.bindChannel(0, PEER, settle);
    allocation.bindChannel(0, PEER, settle); // asked twice, bound once
    const bind = oneOutputOf(allocation);
    const number = bind.get('CHANNEL-NUMBER')!;
    allocation.receiveChannelData(number, Buffer.from('early'));
    expect(decodeMessage(sent()).methodName).toBe('Send');
    allocation.receive(success(bind), 1);
    expect(decodeChannelData(sent())).toEqual({ channel: number, data: Buffer.from('x') });
    expect(seen.results).toEqual([{ value: number }, { value: number }]);
    allocation.receiveChannelData(number, Buffer.from('late'));
    allocation.receiveChannelData(number + 1, Buffer.from('nobody'));
    expect(seen.data.map(([, text]) => text)).toEqual(['early', 'late']);
  });

  it('every peer gets a channel of its own between 0x4000 and 0x4FFF, and none is used twice', () => {
    const { allocation, seen, settle } = allocated();
    const numbers = new Set<number>();
    for (let port = 1; port <= 4_096; port++) {
      allocation.bindChannel(0, { host: PEER.host, port }, settle);
      const request = oneOutputOf(allocation);
      numbers.add(request.get('CHANNEL-NUMBER')!);
      allocation.receive(success(request), 0);
    }
    expect([numbers.size, Math.min(...numbers), Math.max(...numbers)]).toEqual([4_096, 0x4000, 0x4fff]);
    allocation.bindChannel(0, { host: PEER.host, port: 5_000 }, settle);
    expect(seen.results.at(-1)).toMatchObject({ error: { code: 'request-failed' } });
  });
});
