// The plan table, row by row; its bounds; and that predicted dials meet, shown by trying every case.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Foresight,
  foresight,
  isSpray,
  outlook,
  type PunchSide,
  planPunch,
  SYNS_PER_SIDE,
} from '../../../src/strategies/punch-plan.js';
import { seededRandom } from '../../lab/random.js';
import { FIREWALL, KINDS, type KindName, side, TCP } from './punch-sides.js';

const random = seededRandom(1);
const plan = (a: PunchSide, b: PunchSide) => planPunch(a, b, random)!;

describe('what is known of the next port', () => {
  it.each<[KindName, Foresight]>([
    ['open', 'known'],
    ['firewall', 'known'],
    ['fullCone', 'known'],
    ['addressRestricted', 'known'],
    ['drop', 'known'],
    ['reset', 'known'],
    ['randomPorts', 'known'],
    ['sequential', 'sequence'],
    ['symmetricRandom', 'random'],
    ['addressDependent', 'random'],
    ['unknown', 'known'],
  ])('%s: %s', (kind, expected) => {
    expect(foresight(TCP[kind])).toBe(expected);
  });
});

/** o simultaneous open, d open door, p predicted, b both predicted, y birthday, . impossible. */
const LETTERS = {
  'simultaneous-open': 'o',
  'open-door': 'd',
  predicted: 'p',
  'both-predicted': 'b',
  birthday: 'y',
} as const;
const TABLE: Record<KindName, string> = {
  //           open, firewall, fullCone, addressRestricted, drop, reset, randomPorts, sequential, symmetricRandom,
  //           addressDependent, unknown, blocked
  open: 'o o o o o o o d d d o .',
  firewall: 'o o o o o o o p y y o .',
  fullCone: 'o o o o o o o d d d o .',
  addressRestricted: 'o o o o o o o d d d o .',
  drop: 'o o o o o o o p y y o .',
  reset: 'o o o o o o o p y y o .',
  randomPorts: 'o o o o o o o p y y o .',
  sequential: 'd p d d p p p b . . p .',
  symmetricRandom: 'd y d d y y y . . . y .',
  addressDependent: 'd y d d y y y . . . y .',
  unknown: 'o o o o o o o p y y o .',
  blocked: '. . . . . . . . . . . .',
};

describe('the table', () => {
  for (const a of KINDS) {
    KINDS.forEach((b, column) => {
      const letter = TABLE[a].split(' ')[column];
      it(`${a} and ${b}: ${letter}`, () => {
        const hope = outlook(TCP[a], TCP[b]);
        expect('plan' in hope ? LETTERS[hope.plan] : '.').toBe(letter);
        expect(planPunch(side(a), side(b), random) === undefined).toBe(letter === '.');
        expect(outlook(TCP[b], TCP[a])).toEqual(hope);
      });
    });
  }

  it.each<[KindName, KindName, string]>([
    ['blocked', 'drop', 'tcp-blocked'],
    ['symmetricRandom', 'symmetricRandom', 'random-ports-both'],
    ['symmetricRandom', 'sequential', 'random-and-changing-ports'],
  ])('%s and %s: impossible, %s', (a, b, reason) => {
    expect(outlook(TCP[a], TCP[b])).toEqual({ impossible: reason });
  });
});

describe('the programs', () => {
  it('two known ports: one dial each, at each other’s mapping', () => {
    const [a, b] = [side('drop', 1), side('randomPorts', 2)];
    const { initiator, responder, roundMs } = plan(a, b);
    expect(initiator.dials).toEqual([{ from: 'punch-port', remote: b.mapped }]);
    expect(responder.dials).toEqual([{ from: 'punch-port', remote: a.mapped }]);
    expect([initiator.listens, responder.listens]).toEqual([false, false]);
    expect(roundMs).toBeGreaterThan(3000); // two repetitions of a lost SYN
  });

  it('a door that one packet opens: its owner knocks once and listens, the other dials once', () => {
    for (const kind of ['fullCone', 'addressRestricted'] as const) {
      const [a, b] = [side(kind, 1), side('symmetricRandom', 2)];
      const { initiator, responder } = plan(a, b);
      expect(initiator).toMatchObject({ dials: [{ from: 'punch-port' }], listens: true });
      expect(responder).toMatchObject({ dials: [{ from: 'fresh-port', remote: a.mapped }], listens: false });
      expect(plan(b, a)).toMatchObject({ initiator: responder, responder: initiator });
    }
  });

  it('a sequence: fresh ports towards the known one, which aims at the next ports, nearest first', () => {
    const a = side('drop', 1);
    const tcp = { ...TCP.sequential, ports: { pattern: 'delta' as const, delta: 4 } };
    const b = { ...side('sequential', 2), tcp, recentPorts: [5000, 5004, 5008, 5012] };
    const { initiator, responder } = plan(a, b);
    expect(responder.dials).toHaveLength(8);
    expect(responder.dials[0]).toEqual({ from: 'fresh-port', remote: a.mapped });
    expect(initiator.dials.slice(0, 3).map(({ remote }) => remote.port)).toEqual([5016, 5020, 5024]);
    expect(initiator.dials.every(({ from }) => from === 'punch-port')).toBe(true);
  });

  it('gaps between the samples widen the window, to a bound', () => {
    const width = (ports: number[]) => {
      const tcp = { ...TCP.sequential, ports: { pattern: 'delta' as const, delta: 1 } };
      return plan(side('drop', 1), { ...side('sequential', 2), tcp, recentPorts: ports }).initiator.dials
        .length;
    };
    expect(width([5000, 5001, 5002, 5003])).toBe(32);
    expect(width([5000, 5003, 5005, 5009])).toBeGreaterThan(40);
    expect(width([5000, 5030, 5060, 5090])).toBe(128);
  });

  it('a sequence that its samples do not show falls back to the birthday plan', () => {
    const b = { ...side('sequential', 2), recentPorts: [5000, 41_000, 17_003, 60_001] };
    const { initiator, responder } = plan(side('drop', 1), b);
    expect([initiator.dials.length, responder.dials.length]).toEqual([640, 640]);
  });

  it('two sequences of which one shows none: no plan', () => {
    const b = { ...side('sequential', 2), recentPorts: [5000, 41_000, 17_003, 60_001] };
    expect(planPunch(side('sequential', 1), b, random)).toBeUndefined();
  });

  it('birthday: 640 fresh ports at one mapping, as many different random ones from it', () => {
    const [a, b] = [side('symmetricRandom', 1), side('drop', 2)];
    const { initiator, responder, roundMs } = plan(a, b);
    expect(initiator.dials).toHaveLength(640);
    expect(initiator.dials.every(({ remote }) => remote === b.mapped)).toBe(true);
    const ports = responder.dials.map(({ remote }) => remote.port);
    expect(new Set(ports).size).toBe(640);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
    expect(roundMs).toBeLessThan(1000); // before the kernel repeats hundreds of SYNs
    expect([isSpray(initiator), isSpray(responder)]).toEqual([true, true]);
  });

  it('birthday towards a NAT that remembers what came early: the random side waits for the others’ SYNs', () => {
    expect(plan(side('symmetricRandom'), side('reset')).initiator.delayMs).toBeGreaterThan(0);
    expect(plan(side('reset'), side('symmetricRandom')).responder.delayMs).toBeGreaterThan(0);
    expect(plan(side('symmetricRandom'), side('drop')).initiator.delayMs).toBe(0);
  });

  it('birthday meets in 99 of 100 rounds, in a model with 64,512 random ports', () => {
    let met = 0;
    for (let i = 0; i < 500; i++) {
      const { responder, initiator } = plan(side('symmetricRandom', 1), side('drop', 2));
      const given = new Set(initiator.dials.map(() => 1024 + Math.floor(random() * 64_512)));
      if (responder.dials.some(({ remote }) => given.has(remote.port))) met++;
    }
    expect(met).toBeGreaterThan(490);
  });
});

describe('when it begins', () => {
  it('the responder dials as it answers only where the initiator’s NAT drops what comes early', () => {
    const early = (kind: KindName) => plan(side(kind), side('drop')).early;
    expect(KINDS.filter(kind => kind !== 'blocked' && early(kind))).toEqual([
      'firewall',
      'addressRestricted',
      'drop',
      'randomPorts',
      'sequential',
      'symmetricRandom',
      'addressDependent',
    ]);
  });
});

/** Whether dials of both sides meet, when NATs give ports in order and strangers take `s` and `u` of them first. */
function meets(a: PunchSide, b: PunchSide, s: number, u: number): boolean {
  const { initiator, responder } = plan(a, b);
  const step = (one: PunchSide) => one.tcp.ports.delta!;
  const port = (one: PunchSide, nth: number) => one.recentPorts.at(-1)! + step(one) * (nth + 1);
  const responders = new Map(
    responder.dials.map(({ remote }, j) => [`${port(b, u + j)} to ${remote.port}`, j] as const),
  );
  return initiator.dials.some(({ remote }, i) => responders.has(`${remote.port} to ${port(a, s + i)}`));
}

describe('two sequences', () => {
  const sequential = (last: number, step: number): PunchSide => ({
    ...side('sequential'),
    tcp: { ...TCP.sequential, ports: { pattern: 'delta', delta: step } },
    recentPorts: [3, 2, 1, 0].map(back => last - back * step),
  });

  it.each([
    [1, 1],
    [1, -2],
    [4, -2],
    [-2, -2],
  ])('in steps of %i and %i: they meet for every pair of surprises up to 16 together', (first, second) => {
    const [a, b] = [sequential(30_000, first), sequential(40_000, second)];
    for (let s = 0; s <= 16; s++) {
      for (let u = 0; s + u <= 16; u++) expect(meets(a, b, s, u), `${s} and ${u}`).toBe(true);
    }
    expect(meets(a, b, 9, 8)).toBe(false); // so that the model is seen to be able to say no
  });
});

describe('the bounds', () => {
  it('both sides’ SYNs together stay under 1,500, a round under 10 s, whatever the peer says', () => {
    const anySide = fc.record({
      mapped: fc.record({ host: fc.constant('198.51.100.9'), port: fc.integer({ min: 1, max: 65_535 }) }),
      tcp: fc.constantFrom(...KINDS.map(kind => TCP[kind]), FIREWALL),
      recentPorts: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(anySide, anySide, (a, b) => {
        const made = planPunch(a, b, random);
        if (!made) return;
        const { initiator, responder, roundMs } = made;
        expect(initiator.dials.length + responder.dials.length).toBeLessThanOrEqual(1280);
        for (const { dials } of [initiator, responder])
          expect(dials.length).toBeLessThanOrEqual(SYNS_PER_SIDE);
        expect(roundMs).toBeLessThanOrEqual(3300);
        const legal = ({ port }: { port: number }) => port >= 1 && port <= 65_535;
        const all = [...initiator.dials, ...responder.dials];
        expect(all.every(({ remote }) => legal(remote))).toBe(true);
        expect(initiator.dials.every(({ remote }) => remote.host === b.mapped.host)).toBe(true);
        expect(responder.dials.every(({ remote }) => remote.host === a.mapped.host)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
