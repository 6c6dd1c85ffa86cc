// The table of expectations, cell by cell, against matrices written out by hand: d direct, r reverse, p punch,
// l relay, . no connection. Rows connect to columns, in the order of DEFAULT_KINDS.
import { describe, expect, test } from 'vitest';
import { type Ability, expectation, LANDED } from './expectations.js';
import { DEFAULT_KINDS, natKind } from './nat-kinds.js';

const EVERYTHING: readonly Ability[] = [
  'direct',
  'reverse',
  'punch',
  'relay',
  'port-mapping',
  'held-mapping',
  'birthday',
];

/** open, firewall, full-cone, address-restricted, port-restricted-drop, -reset, double-nat, symmetric-up,
 *  symmetric-random, udp-blocked, web-only, dual-stack. */
const WITH_EVERYTHING = `
  d r d r r r r r r r l r
  d p d p p p p p p p l p
  d p d p p p p p p p l p
  d p d p p p p p p p l p
  d p d p p p p p p p l p
  d p d p p p p p p p l p
  d p d p p p p p p p l p
  d p d p p p p p l p l p
  d p d p p p p l l p l p
  d p d p p p p p p p l p
  l l l l l l l l l l l l
  d p d p p p p p p p l p`;

const WITH_DIALS_ONLY = `
  d r r r r r r r r r . r
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  d . . . . . . . . . . .
  . . . . . . . . . . . .
  d . . . . . . . . . . .`;

const WITHOUT_BIRTHDAY = `
  d r r r r r r r r r l r
  d p p p p p p p l p l p
  d p p p p p p p p p l p
  d p p p p p p p p p l p
  d p p p p p p p l p l p
  d p p p p p p p l p l p
  d p p p p p p p l p l p
  d p p p p p p p l p l p
  d l p p l l l l l l l l
  d p p p p p p p l p l p
  l l l l l l l l l l l l
  d p p p p p p p l p l p`;

const LETTERS = { d: 'direct', r: 'reverse', p: 'punch', l: 'relay', '.': undefined } as const;

describe.each([
  ['everything', EVERYTHING, WITH_EVERYTHING],
  ['direct and reverse only', ['direct', 'reverse'] as Ability[], WITH_DIALS_ONLY],
  ['the four strategies alone', ['direct', 'reverse', 'punch', 'relay'] as Ability[], WITHOUT_BIRTHDAY],
])('expectations with %s', (_, abilities, matrix) => {
  const rows = matrix.trim().split('\n');
  DEFAULT_KINDS.forEach((a, row) => {
    const letters = rows[row]!.trim().split(' ') as (keyof typeof LETTERS)[];
    DEFAULT_KINDS.forEach((b, column) => {
      const strategy = LETTERS[letters[column]!];
      test(`${a} to ${b}: ${strategy ?? 'no connection'}`, () => {
        const { strategies, reason } = expectation(natKind(a), natKind(b), new Set(abilities));
        expect(strategies[0]).toBe(strategy);
        expect(reason).not.toBe('');
      });
    });
  });
});

describe('expectations of kinds outside the usual matrix', () => {
  const all = new Set(EVERYTHING);
  test('IPv4 only and IPv6 only meet through the relay alone', () => {
    const { strategies, reason } = expectation(natKind('ipv6-firewall'), natKind('open'), all);
    expect(strategies).toEqual(['relay']);
    expect(reason).toContain('IPv6');
  });
  test('two firewalled IPv6 networks are punched, as the IPv6 half of a dual stack is', () => {
    expect(expectation(natKind('ipv6-firewall'), natKind('ipv6-firewall'), all).strategies).toEqual([
      'punch',
    ]);
    expect(expectation(natKind('dual-stack'), natKind('ipv6-firewall'), all).strategies).toEqual(['punch']);
  });
  test('blocked UDP is no obstacle: punched over TCP, also opposite random ports', () => {
    for (const [a, b] of [
      ['udp-blocked', 'symmetric-random'],
      ['symmetric-random', 'udp-blocked'],
    ] as const) {
      const { strategies, reason } = expectation(natKind(a), natKind(b), all);
      expect(strategies).toEqual(['punch']);
      expect(reason).toContain('birthday');
    }
  });
  test('a gateway that opens ports on request makes its hosts dialable', () => {
    expect(expectation(natKind('symmetric-random'), natKind('port-mapping'), all).strategies).toEqual([
      'direct',
    ]);
    const without = new Set(EVERYTHING.filter(ability => ability !== 'port-mapping'));
    expect(expectation(natKind('symmetric-up'), natKind('port-mapping'), without).strategies).toEqual([
      'punch',
    ]);
  });
  test('where a neighbour takes ports, a missed prediction may end at the relay', () => {
    const busy = expectation(natKind('symmetric-busy'), natKind('port-restricted-drop'), all);
    expect(busy.strategies).toEqual(['punch', 'relay']);
  });
  test('what has landed holds the two strategies that every node has', () => {
    expect([...LANDED]).toEqual(expect.arrayContaining(['direct', 'reverse']));
  });
});
