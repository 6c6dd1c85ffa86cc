// security.md row 14: a message passes once, whatever is sent, in whatever order, however often.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplayWindow } from '../../../src/identity/replay-window.js';

const MINUTE = 60_000;
const NOW = 1_700_000_000_000;

describe('a fresh message', () => {
  it('passes once', () => {
    const window = new ReplayWindow();
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(true);
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(false);
    expect(window.admit('alice', 'm1', NOW, NOW + 14 * MINUTE)).toBe(false);
  });

  it('has an id of its own for each sender, `__proto__` and `constructor` among them', () => {
    const window = new ReplayWindow();
    for (const from of ['alice', 'bob', '__proto__', 'constructor']) {
      for (const id of ['m1', '__proto__', 'constructor', '']) {
        expect(window.admit(from, id, NOW, NOW)).toBe(true);
        expect(window.admit(from, id, NOW, NOW)).toBe(false);
      }
    }
  });

  it('passes out of order', () => {
    const window = new ReplayWindow();
    const late = [5, 1, 4, 2, 3].map(i => window.admit('alice', `m${i}`, NOW + i, NOW));
    expect(late).toEqual([true, true, true, true, true]);
  });
});

describe('a clock that is wrong', () => {
  it.each([
    [-10, true],
    [10, true],
    [-15, true],
    [15, true],
    [-16, false],
    [16, false],
  ])('by %i minutes: %s', (minutes, passes) => {
    expect(new ReplayWindow().admit('alice', 'm1', NOW + minutes * MINUTE, NOW)).toBe(passes);
  });

  it('refuses times that are no numbers', () => {
    const window = new ReplayWindow();
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(window.admit('alice', 'm1', time, NOW)).toBe(false);
      expect(window.admit('alice', 'm1', NOW, time)).toBe(false);
    }
    expect(window.size).toBe(0);
  });

  it('lets nothing pass twice when it was an hour ahead for a while and is set back', () => {
    const window = new ReplayWindow({ maxMessages: 2 });
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(true);
    for (const i of [1, 2, 3]) window.admit('alice', `later${i}`, NOW + 60 * MINUTE + i, NOW + 60 * MINUTE);
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(false);
  });
});

describe('any sequence of messages, floods and clock changes', () => {
  const sender = fc.integer({ min: 0, max: 5 });
  const number = fc.integer({ min: 0, max: 30 });
  const step = fc.record({ sender, number, nowMinutes: fc.integer({ min: -20, max: 20 }) });

  it('admits each message at most once, and remembers no more than it may', () => {
    let admitted = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.infiniteStream(fc.nat(20)), (steps, minutes) => {
        const bounds = { maxMessages: 9 };
        const window = new ReplayWindow(bounds);
        const sentAt = new Map<string, number>(); // a message is signed with its time: a replay has the same
        const passed = new Set<string>();
        for (const { sender, number, nowMinutes } of steps) {
          const message = `${sender}/${number}`;
          if (!sentAt.has(message)) sentAt.set(message, NOW + (minutes.next().value - 10) * MINUTE);
          if (
            window.admit(`sender${sender}`, `m${number}`, sentAt.get(message)!, NOW + nowMinutes * MINUTE)
          ) {
            expect(passed.has(message)).toBe(false);
            passed.add(message);
            admitted++;
          }
          expect(window.size).toBeLessThanOrEqual(bounds.maxMessages);
        }
      }),
      { numRuns: 1000 },
    );
    expect(admitted).toBeGreaterThan(1000); // the twin: it is no wall
  });

  it('lets every message of well-behaved senders pass', () => {
    const window = new ReplayWindow();
    for (let i = 0; i < 100_000; i++) {
      const at = NOW + i * 10;
      if (!window.admit(`sender${i % 50}`, `m${i}`, at, at)) throw new Error(`message ${i} was refused`);
    }
  });
});

describe('a flood', () => {
  it('by one sender takes no place from the others', () => {
    const window = new ReplayWindow();
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(true);
    for (let i = 0; i < 10_000; i++) window.admit('mallory', `x${i}`, NOW + (i % 100), NOW);
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(false);
    expect(window.admit('alice', 'm2', NOW, NOW)).toBe(true);
    expect(window.admit('bob', 'm1', NOW - MINUTE, NOW)).toBe(true);
  });

  it('by many strangers whose clocks are ahead shuts nobody out', () => {
    const window = new ReplayWindow();
    for (let i = 0; i < 36_000; i++) window.admit(`mallory${i}`, 'x', NOW + 15 * MINUTE, NOW);
    expect(window.admit('alice', 'm1', NOW + 1, NOW + 1)).toBe(true);
    expect(window.admit('alice', 'm1', NOW + 1, NOW + 2)).toBe(false);
  });

  it('beyond the bound is forgotten from the oldest on, and opens no way for replays', () => {
    const window = new ReplayWindow({ maxMessages: 20_000 });
    expect(window.admit('alice', 'm1', NOW, NOW)).toBe(true);
    for (let i = 0; i < 100_000; i++) {
      const at = NOW + 1 + i * 20; // 33 minutes in all
      window.admit(`mallory${i % 10_000}`, `x${i}`, at, at);
      if (i % 1000 === 0) expect(window.size).toBeLessThanOrEqual(20_000);
    }
    expect(window.size).toBeGreaterThan(15_000);
    expect(window.admit('alice', 'm1', NOW, NOW + 10 * MINUTE)).toBe(false);
    expect(window.admit('alice', 'm2', NOW + 34 * MINUTE, NOW + 34 * MINUTE)).toBe(true);
  });

  it('is forgotten again when its time is over', () => {
    const window = new ReplayWindow();
    for (let i = 0; i < 1000; i++) window.admit('mallory', `x${i}`, NOW, NOW);
    expect(window.size).toBe(1000);
    expect(window.admit('alice', 'm1', NOW + 20 * MINUTE, NOW + 20 * MINUTE)).toBe(true);
    expect(window.size).toBe(1);
  });
});
