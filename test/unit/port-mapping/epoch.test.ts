// Restart detection: RFC 6887 section 8.5 and RFC 6886 section 3.6, as a table of sightings.
import { describe, expect, it } from 'vitest';
import { EpochWatch } from '../../../src/port-mapping/epoch.js';

describe('EpochWatch', () => {
  it.each([
    // protocol, seconds passed here, epoch before, epoch now, verdict
    ['pcp', 20, 100, 120, 'steady'],
    ['pcp', 20, 100, 122, 'steady'], // a second or two of rounding
    ['pcp', 1000, 500, 1440, 'steady'], // a slow crystal: within 1/16
    ['pcp', 1000, 500, 1430, 'restarted'],
    ['pcp', 1000, 500, 1575, 'restarted'], // too fast: another device, or a set clock
    ['pcp', 0, 100, 99, 'steady'], // reordered answers
    ['pcp', 20, 100, 3, 'restarted'],
    ['nat-pmp', 20, 100, 120, 'steady'],
    ['nat-pmp', 1000, 500, 1374, 'steady'], // within 7/8, and 2 s
    ['nat-pmp', 1000, 500, 1372, 'restarted'],
    ['nat-pmp', 1000, 500, 5000, 'steady'], // NAT-PMP looks at one side only
    ['nat-pmp', 20, 100, 3, 'restarted'],
    ['pcp', 20, 1, 20, 'unclear'], // restarted right after the last sighting, or not at all
    ['nat-pmp', 20, 1, 20, 'unclear'],
    ['pcp', 20, 1, 3, 'restarted'],
  ] as const)('%s: %d s later, epoch %d then %d: %s', (protocol, passed, before, after, verdict) => {
    const watch = new EpochWatch(protocol);
    expect(watch.observe(before, 5000)).toBe('steady');
    expect(watch.observe(after, 5000 + passed * 1000)).toBe(verdict);
  });

  it('never calls a restart steady, whenever it was', () => {
    for (const protocol of ['pcp', 'nat-pmp'] as const)
      for (let before = 0; before < 100; before++)
        for (let passed = 1; passed <= 60; passed++)
          for (let restart = 0; restart < passed; restart++) {
            const watch = new EpochWatch(protocol);
            watch.observe(before, 0);
            expect(watch.observe(passed - restart, passed * 1000)).not.toBe('steady');
          }
  });

  it('takes the new epoch as the measure after a restart', () => {
    const watch = new EpochWatch('pcp');
    watch.observe(1000, 0);
    expect(watch.observe(20, 10_000)).toBe('restarted');
    expect(watch.observe(30, 20_000)).toBe('steady');
  });
});
