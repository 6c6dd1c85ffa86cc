// What to ask a UPnP gateway next, by the number it refused with.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anotherPort, nextIgdTry } from '../../../src/port-mapping/igd-port-choice.js';

const last = { externalPort: 9001, leaseSeconds: 3600 };

describe('after a refusal', () => {
  it.each([
    [718, { externalPort: 57344, leaseSeconds: 3600 }],
    [729, { externalPort: 57344, leaseSeconds: 3600 }],
    [724, { externalPort: 9000, leaseSeconds: 3600 }],
    [725, { externalPort: 9001, leaseSeconds: 0 }],
    [402, { externalPort: 9001, leaseSeconds: 0 }],
    [606, undefined],
    [501, undefined],
    [728, undefined],
    [9999, undefined],
  ])('with %d', (number, next) => expect(nextIgdTry(last, number, 9000, 0.5)).toEqual(next));

  it('nothing is asked twice', () => {
    expect(nextIgdTry({ externalPort: 9000, leaseSeconds: 3600 }, 724, 9000, 0)).toBeUndefined();
    expect(nextIgdTry({ externalPort: 9001, leaseSeconds: 0 }, 725, 9000, 0)).toBeUndefined();
  });
});

it('another port is always a dynamic one', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), random => {
      const port = anotherPort(random);
      return Number.isInteger(port) && port >= 49152 && port <= 65535;
    }),
  );
});
