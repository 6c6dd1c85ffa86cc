// The next ports of a NAT, from samples of a model of it: any step, either sign, across the end of the range, with
// neighbours that take ports in between; and no answer where there is no sequence.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextPorts, portSequence } from '../../../src/nat/predict.js';
import { seededRandom } from '../../lab/random.js';

const LOWEST = 1024;
const RANGE = 64_512;
const port = (index: number) => LOWEST + ((((index - LOWEST) % RANGE) + RANGE) % RANGE);

/** The ports that a sequential NAT gives to us, when neighbours take `gaps[i]` before our i-th. */
function given(first: number, step: number, gaps: readonly number[]): { ours: number[]; next: number } {
  let at = first;
  const ours = gaps.map(gap => {
    at += gap * step;
    const mine = port(at);
    at += step;
    return mine;
  });
  return { ours, next: port(at) };
}

const start = fc.integer({ min: LOWEST, max: 65_535 });
const step = fc.integer({ min: 1, max: 64 }).chain(size => fc.constantFrom(size, -size));

describe('portSequence', () => {
  it.each([
    [[5000, 5001, 5002], 1],
    [[5000, 5004, 5008], 4],
    [[5008, 5006, 5004], -2],
    [[5000, 5003, 5004, 5006], 1],
    [[65_534, 65_535, 1024], 1],
    [[1025, 1024, 65_535], -1],
    [[65_530, 65_534, 1026], 4],
  ])('%j goes by %i', (ports, expected) => {
    expect(portSequence(ports)?.step).toBe(expected);
  });

  it.each([
    ['nothing', []],
    ['one sample', [5000]],
    ['the same port twice', [5000, 5000, 5000]],
    ['random ports', [5000, 51_200, 17_311, 40_002]],
    ['a change of direction', [5000, 5003, 5001, 5004]],
    ['a leap in the middle', [5000, 5001, 9000, 9001]],
  ])('%s is no sequence', (_, ports) => {
    expect(portSequence(ports)).toBeUndefined();
  });

  it('finds any step, either way, across the ends', () => {
    fc.assert(
      fc.property(start, step, fc.integer({ min: 2, max: 8 }), (first, by, count) => {
        const { ours, next } = given(first, by, Array(count).fill(0));
        const sequence = portSequence(ours);
        expect(sequence).toEqual({ step: by, gapsPerSample: 0, last: ours.at(-1) });
        expect(nextPorts(sequence!, 1)).toEqual([next]);
      }),
      { numRuns: 2000 },
    );
  });

  it('with neighbours that take 0 to 3 between samples, the port after 0 to 20 more is among the next 21', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 8 });
    const after = fc.integer({ min: 0, max: 20 });
    fc.assert(
      fc.property(start, step, gaps, after, (first, by, taken, more) => {
        const { ours } = given(first, by, taken);
        const { ours: following } = given(first, by, [...taken, more]);
        const sequence = portSequence(ours, by);
        expect(sequence?.step).toBe(by);
        expect(nextPorts(sequence!, 21)).toContain(following.at(-1));
      }),
      { numRuns: 2000 },
    );
  });

  it('counts what the neighbours took', () => {
    const { ours } = given(30_000, 2, [0, 3, 1, 2]);
    expect(portSequence(ours, 2)).toEqual({ step: 2, gapsPerSample: 2, last: ours.at(-1) });
  });

  it('a known step is used only where the samples agree with it', () => {
    expect(portSequence([5000, 5004, 5008], 2)).toMatchObject({ step: 2, gapsPerSample: 1 });
    expect(portSequence([5000, 5004, 5008], -2)).toMatchObject({ step: 4 });
    expect(portSequence([5000, 5003, 5006], 2)).toMatchObject({ step: 3 });
    expect(portSequence([5004, 5000], 4)).toBeUndefined(); // too few to contradict it
    expect(portSequence([5004, 5000])).toMatchObject({ step: -4 });
  });

  it('carries over the end of a range that the NAT keeps to, once the step is known', () => {
    expect(portSequence([20_998, 20_999, 20_000, 20_001], 1)).toEqual({
      step: 1,
      gapsPerSample: 0,
      last: 20_001,
    });
    expect(portSequence([20_004, 20_002, 20_998, 20_996], -2)?.step).toBe(-2);
    expect(portSequence([20_998, 20_999, 20_000, 20_001])).toBeUndefined();
    expect(portSequence([20_999, 20_000, 20_999, 20_000], 1)).toBeUndefined();
  });

  it('takes random ports for a sequence less than once in a thousand times', () => {
    const random = seededRandom(1);
    const samples = Array.from({ length: 5000 }, () =>
      Array.from({ length: 4 }, () => LOWEST + Math.floor(random() * RANGE)),
    );
    const mistaken = (step?: number) => samples.filter(ports => portSequence(ports, step) !== undefined);
    expect(mistaken().length).toBeLessThan(5);
    expect(mistaken(1).length).toBeLessThan(5);
  });
});

describe('nextPorts', () => {
  it('stays in the range that NATs use, without repeating itself', () => {
    fc.assert(
      fc.property(start, step, (last, by) => {
        const ports = nextPorts({ last, step: by, gapsPerSample: 0 }, 128);
        expect(new Set(ports).size).toBe(128);
        expect(ports.every(one => one >= LOWEST && one <= 65_535)).toBe(true);
      }),
    );
  });
});
