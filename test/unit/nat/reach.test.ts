// What a behaviour is good for, against each kind of peer: the matrix of RFC 5128, in words.
import { describe, expect, it } from 'vitest';
import { type Behaviour, UNKNOWN_BEHAVIOUR } from '../../../src/nat/profile.js';
import { PEER_KINDS, reachOf } from '../../../src/nat/reach.js';

const tcp = (change: Partial<Behaviour>): Behaviour => ({
  ...UNKNOWN_BEHAVIOUR,
  kind: 'nat',
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { pattern: 'preserving' },
  ...change,
});
const SYMMETRIC = 'address-and-port-dependent';

describe('from here', () => {
  it.each([
    [
      'open',
      tcp({ kind: 'open', filtering: 'endpoint-independent' }),
      'direct reverse direct reverse reverse reverse reverse relay',
    ],
    [
      'where only the web gets out',
      tcp({ egress: 'web-only' }),
      'relay relay relay relay relay relay relay relay',
    ],
    ['an ordinary router', tcp({}), 'direct punch direct punch punch punch punch relay'],
    [
      'a sequential one',
      tcp({ mapping: SYMMETRIC, ports: { pattern: 'delta', delta: 1 } }),
      'direct punch direct punch punch punch relay relay',
    ],
    [
      'a random one',
      tcp({ mapping: SYMMETRIC, ports: { pattern: 'random' } }),
      'direct punch direct punch punch relay relay relay',
    ],
    ['TCP blocked', tcp({ kind: 'blocked' }), 'relay relay relay relay relay relay relay relay'],
    ['nothing known', UNKNOWN_BEHAVIOUR, 'unknown unknown unknown unknown unknown unknown unknown unknown'],
  ])('%s', (_, behaviour, expected) => {
    const reach = reachOf(behaviour, UNKNOWN_BEHAVIOUR);
    expect(PEER_KINDS.map(kind => reach[kind]).join(' ')).toBe(expected);
  });

  it('with everything blocked, nobody', () => {
    const blocked = tcp({ kind: 'blocked' });
    expect(new Set(Object.values(reachOf(blocked, blocked)))).toEqual(new Set(['none']));
  });
});
