// How ports are given, from mappings made one after another.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portPattern } from '../../../src/nat/port-pattern.js';
import { A1, B2, EXTERNAL, LOCAL, mapping, PORTS } from './worlds.js';

/** Samples with these external ports, each from a local port of its own. */
const given = (ports: readonly number[]) =>
  ports.map((port, i) => ({
    local: { host: LOCAL, port: 33_000 + 7 * i },
    server: A1,
    mapped: { host: EXTERNAL, port },
  }));
const pattern = (ports: readonly number[]) => {
  const { pattern, delta } = portPattern(given(ports));
  return delta === undefined ? pattern : `${pattern} ${delta}`;
};

describe('the pattern of ports', () => {
  it('is preserving where the local port shows, one collision aside', () => {
    expect(portPattern(mapping(PORTS.preserving())).pattern).toBe('preserving');
    const collided = mapping(PORTS.preserving()).map((sample, i) =>
      i === 2 ? { ...sample, mapped: { host: EXTERNAL, port: 1_025 } } : sample,
    );
    expect(portPattern(collided).pattern).toBe('preserving');
  });

  it.each([1, 2, 4, -1, -2, 3, -16])('is a signed delta: %d', step => {
    expect(portPattern(mapping(PORTS.symmetricSequential(step)))).toMatchObject({
      pattern: 'delta',
      delta: step,
    });
  });

  it('counts on across the end of the port range', () => {
    expect(pattern([65_533, 65_534, 65_535, 1_024 + 65_536 * 0, 1_025])).not.toBe('random');
    expect(portPattern(mapping(PORTS.symmetricSequential(1, 65_534)))).toMatchObject({
      pattern: 'delta',
      delta: 1,
    });
  });

  it('sees through other hosts’ mappings in between', () => {
    expect(pattern([20_000, 20_001, 20_003, 20_004, 20_009])).toBe('delta 1');
    expect(pattern([20_000, 19_996, 19_994, 19_988, 19_986])).toBe('delta -2');
  });

  it('is random where ports leap', () => {
    expect(portPattern(mapping(PORTS.symmetricRandom())).pattern).toBe('random');
    expect(portPattern(mapping(PORTS.random())).pattern).toBe('random');
  });

  it('is unknown from too few, or from steps that lead nowhere', () => {
    expect(pattern([])).toBe('unknown');
    expect(pattern([5_000])).toBe('unknown');
    expect(pattern([20_000, 20_001, 20_002])).toBe('unknown');
    expect(pattern([20_000, 20_001, 20_002, 50_000])).toBe('unknown');
  });

  it('counts a mapping once, however often it was used', () => {
    const twice = given([20_000, 20_001, 20_002, 20_003]).flatMap(sample => [
      sample,
      { ...sample, server: B2 },
    ]);
    expect(portPattern(twice)).toMatchObject({ pattern: 'delta', delta: 1 });
  });

  it('finds any step through any noise, and never turns its sign', () => {
    const step = fc.integer({ min: 1, max: 20 });
    const between = fc.array(fc.nat(3), { minLength: 5, maxLength: 9 });
    fc.assert(
      fc.property(
        step,
        fc.boolean(),
        between,
        fc.integer({ min: 10_000, max: 50_000 }),
        (size, up, gaps, start) => {
          let port = start;
          const ports = gaps.map(gap => (port += (up ? size : -size) * (1 + gap)));
          const found = portPattern(given([start, ...ports]));
          expect(found.pattern).toBe('delta');
          expect(Math.sign(found.delta!)).toBe(up ? 1 : -1);
          expect(Math.abs(found.delta!) % size).toBe(0);
          if (gaps.includes(0)) expect(Math.abs(found.delta!)).toBe(size);
        },
      ),
    );
  });

  it('hardly ever takes chance for a sequence', () => {
    const ports = fc.array(fc.integer({ min: 1_024, max: 65_535 }), { minLength: 4, maxLength: 6 });
    const found = fc.sample(ports, { numRuns: 20_000, seed: 4 }).map(pattern);
    expect(found.filter(word => word.startsWith('delta')).length).toBeLessThan(20);
  });
});
