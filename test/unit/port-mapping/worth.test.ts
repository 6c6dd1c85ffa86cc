// When gateways are asked and ports are held, and when not.
import { expect, test } from 'vitest';
import { type Behaviour, UNKNOWN_BEHAVIOUR } from '../../../src/nat/profile.js';
import { worthAsking, worthHolding } from '../../../src/port-mapping/worth.js';

const KINDS = ['unknown', 'open', 'firewall', 'nat', 'blocked'] as const;

test.each([
  // address            unknown    open   firewall  nat   blocked
  ['192.168.1.2', [true, false, true, true, true]],
  ['100.64.1.2', [true, false, true, true, true]],
  ['203.0.113.7', [undefined, false, true, true, false]],
  ['2001:db8::2', [undefined, false, true, true, false]],
  ['fd00::2', [false, false, false, false, false]],
  ['fe80::2', [false, false, false, false, false]],
  ['127.0.0.1', [false, false, false, false, false]],
  ['::1', [false, false, false, false, false]],
])('the gateway of %s is worth asking: %s', (address, expected) => {
  expect(KINDS.map(kind => worthAsking(address, { kind }))).toEqual(expected);
});

const cone: Behaviour = {
  ...UNKNOWN_BEHAVIOUR,
  kind: 'nat',
  mapping: 'endpoint-independent',
  filtering: 'endpoint-independent',
};

test.each<[string, Partial<Behaviour>, boolean | undefined]>([
  ['a full cone', {}, true],
  ['no NAT', { kind: 'open' }, false],
  ['a firewall', { kind: 'firewall' }, false],
  ['what filters by address', { filtering: 'address-dependent' }, false],
  ['what filters by address and port', { filtering: 'address-and-port-dependent' }, false],
  ['what maps by destination', { mapping: 'address-and-port-dependent' }, false],
  ['what filters nobody knows how', { filtering: 'unknown' }, undefined],
  ['what maps nobody knows how', { mapping: 'unknown' }, undefined],
  ['what nobody knows', UNKNOWN_BEHAVIOUR, undefined],
])('behind %s a port can be held', (_, change, expected) => {
  expect(worthHolding({ ...cone, ...change })).toBe(expected);
});
