// A strategy that is ruled out only because this node is not measured yet gets its turn once it is.
import { describe, expect, it } from 'vitest';
import { connectBy } from '../../../src/strategies/connector.js';
import type { Assessment, Attempt, Link, Strategy } from '../../../src/strategies/strategy.js';
import { FakeClock } from '../../fake-clock.js';

const unmeasured: Assessment = { verdict: 'impossible', reason: 'not-measured', roundTrips: 0 };
const likely: Assessment = { verdict: 'likely', reason: 'known-ports', roundTrips: 4 };

/** Measured after so long; then the strategy's verdict is this one. */
function setting(afterMs: number, verdict: Assessment) {
  const clock = new FakeClock();
  let isMeasured = afterMs === 0;
  const link = { secured: { socket: { destroyed: false } }, nominate: async () => {} } as unknown as Link;
  const strategy: Strategy = {
    name: 'punch',
    budgetMs: 10_000,
    headStartMs: 2000,
    assess: () => (isMeasured ? verdict : unmeasured),
    initiate: async () => link,
  };
  const attempt = {
    id: 'x',
    clock,
    get isMeasured() {
      return isMeasured;
    },
    measured: async (signal: AbortSignal) => {
      await clock.sleep(afterMs, signal);
      isMeasured = true;
    },
  } as unknown as Attempt;
  const connecting = connectBy([strategy], attempt, new AbortController().signal);
  connecting.catch(() => {});
  return { clock, connecting };
}

describe('a node that is still being measured', () => {
  it('tries then what it could not judge before', async () => {
    const { clock, connecting } = setting(500, likely);
    await clock.advance(600);
    expect((await connecting).attempts).toMatchObject([{ strategy: 'punch', outcome: 'won', ms: 500 }]);
  });

  it('says why not, if that is what the measurement shows', async () => {
    const { clock, connecting } = setting(500, { ...unmeasured, reason: 'random-ports-both' });
    await clock.advance(600);
    await expect(connecting).rejects.toMatchObject({
      attempts: [{ outcome: 'failed', reason: 'random-ports-both' }],
    });
  });

  it('waits for nothing when it is measured', async () => {
    const { connecting } = setting(0, unmeasured);
    await expect(connecting).rejects.toMatchObject({
      attempts: [{ outcome: 'skipped', reason: 'not-measured', ms: 0 }],
    });
  });
});
