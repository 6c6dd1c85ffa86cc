// What two addresses alone say of a punch: every pair of kinds, impossible ones with their reason, and from where.
import { describe, expect, it } from 'vitest';
import type { InterfaceAddress } from '../../../src/address/address-schema.js';
import { createIdentity } from '../../../src/identity/keys.js';
import type { Behaviour } from '../../../src/nat/profile.js';
import { assessPunch, punchPairs, punchPlaces } from '../../../src/strategies/punch-places.js';
import { outlook } from '../../../src/strategies/punch-plan.js';
import type { OwnFields } from '../address/samples.js';
import { interfaceAt, signed } from '../address/samples.js';
import { KINDS, type KindName, TCP } from './punch-sides.js';

const behaviour = (kind: KindName): Behaviour => ({
  ...TCP[kind],
  hairpinning: false,
  samples: 8,
  confidence: 0.9,
});

function four(kind: KindName, number: number, more: Partial<InterfaceAddress> = {}): InterfaceAddress {
  const external = { host: `198.51.100.${number}`, port: null };
  return interfaceAt(`192.168.${number}.2`, { external, tcp: behaviour(kind), ...more });
}

function six(kind: KindName, number: number): InterfaceAddress {
  const host = `2001:db8:${number}::2`;
  return interfaceAt(host, { external: { host, port: null }, tcp: behaviour(kind) });
}

const [alice, bob] = [createIdentity(), createIdentity()];
const at = (by: typeof alice, interfaces: InterfaceAddress[], more: Partial<OwnFields> = {}) =>
  signed({ interfaces, ...more }, by);
const pair = (a: InterfaceAddress[], b: InterfaceAddress[]) => [at(alice, a), at(bob, b)] as const;

describe('what two addresses say', () => {
  for (const a of KINDS) {
    for (const b of KINDS) {
      it(`${a} to ${b}`, () => {
        const said = assessPunch(...pair([four(a, 1)], [four(b, 2)]));
        const hope = outlook(TCP[a], TCP[b]);
        if ('impossible' in hope)
          expect(said).toEqual({ verdict: 'impossible', reason: hope.impossible, roundTrips: 0 });
        else if (a === 'unknown' || b === 'unknown')
          expect(said).toMatchObject({ verdict: 'possible', reason: 'unknown-nat' });
        else {
          expect(said.verdict).toBe('likely');
          expect(said.roundTrips).toBeGreaterThanOrEqual(4);
          expect(said.roundTrips).toBeLessThanOrEqual(8);
        }
      });
    }
  }

  it.each<[string, InterfaceAddress[], InterfaceAddress[], string]>([
    ['IPv4 only and IPv6 only', [four('drop', 1)], [six('firewall', 2)], 'no-common-family'],
    ['a side that nobody measured', [four('drop', 1)], [four('drop', 2, { external: null })], 'not-measured'],
    ['a side without interfaces', [four('drop', 1)], [], 'not-measured'],
  ])('%s: impossible, %s', (_, a, b, reason) => {
    expect(assessPunch(...pair(a, b))).toEqual({ verdict: 'impossible', reason, roundTrips: 0 });
  });

  it('no server, or a peer that does not punch: impossible', () => {
    const [a, b] = [[four('drop', 1)], [four('drop', 2)]];
    const none = { servers: [] };
    expect(assessPunch(at(alice, a, none), at(bob, b, none)).reason).toBe('no-signalling');
    expect(assessPunch(at(alice, a), at(bob, b, { capabilities: [] })).reason).toBe('not-supported');
  });

  const behindOne = (a: Partial<Behaviour>, b: Partial<Behaviour>) => {
    const places = [a, b].map(change => [four('drop', 1, { tcp: { ...behaviour('drop'), ...change } })]);
    return assessPunch(at(alice, places[0]!), at(bob, places[1]!));
  };

  it.each<[string, Partial<Behaviour>]>([
    ['not measured', { hairpinning: null }],
    ['or not to be measured behind what resets', { hairpinning: false, unsolicitedSyn: 'reset' }],
    ['or behind what changes ports', { hairpinning: false, ...TCP.sequential }],
  ])('one common NAT, hairpinning %s: worth a try', (_, change) => {
    expect(behindOne(change, change)).toMatchObject({ verdict: 'possible', reason: 'common-nat' });
  });

  it('a common NAT that was seen to send nothing back: impossible', () => {
    expect(behindOne({}, { hairpinning: null })).toMatchObject({
      verdict: 'impossible',
      reason: 'no-hairpinning',
    });
  });

  it('a common NAT with hairpinning, as one of them saw, is punched like two', () => {
    expect(behindOne({ hairpinning: true }, {})).toMatchObject({ verdict: 'likely', reason: 'known-ports' });
    expect(behindOne({}, { hairpinning: true })).toMatchObject({ verdict: 'likely', reason: 'known-ports' });
  });

  it('where only the web gets out on one side, nothing can be punched', () => {
    const web = four('drop', 1, { tcp: { ...behaviour('drop'), egress: 'web-only' } });
    for (const [a, b] of [
      [web, four('drop', 2)],
      [four('drop', 2), web],
    ] as const)
      expect(assessPunch(...pair([a], [b]))).toMatchObject({ verdict: 'impossible', reason: 'only-web-out' });
    expect(assessPunch(...pair([web, four('symmetricRandom', 3)], [four('drop', 2)]))).toMatchObject({
      reason: 'random-ports', // by the other interface
    });
  });

  it('of two families the better counts', () => {
    const [a, b] = pair(
      [four('symmetricRandom', 1), six('firewall', 1)],
      [four('symmetricRandom', 2), six('firewall', 2)],
    );
    expect(assessPunch(a, b)).toMatchObject({ verdict: 'likely', reason: 'known-ports' });
    expect(punchPairs(a, b).map(({ own }) => own.family)).toEqual([6]);
  });
});

describe('from where', () => {
  it('one place a family, the one whose port is known best, IPv6 first', () => {
    const address = at(alice, [
      four('symmetricRandom', 1),
      four('sequential', 2),
      four('drop', 3),
      six('firewall', 1),
    ]);
    expect(punchPlaces(address).map(place => place.address)).toEqual(['2001:db8:1::2', '192.168.3.2']);
  });

  it('not from where TCP is blocked or nobody has seen it', () => {
    expect(punchPlaces(at(alice, [four('blocked', 1), four('drop', 2, { external: null })]))).toEqual([]);
  });
});
