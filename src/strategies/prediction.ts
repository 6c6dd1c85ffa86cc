// What `connect` would do between two addresses, without doing it: `wayleave explain`. Pure.
import type { NodeAddress } from '../address/node-address.js';
import type { Reason } from './reasons.js';
import type { Strategy, StrategyName } from './strategy.js';

interface StrategyPrediction {
  readonly strategy: StrategyName;
  readonly verdict: 'likely' | 'possible' | 'impossible';
  readonly reason: Reason;
  /** About how many round trips between the nodes until the pipe is open; null where it is impossible. */
  readonly roundTrips: number | null;
}

export interface Prediction {
  /** The first likely strategy, else the first possible one; null if all are ruled out. */
  readonly expected: StrategyName | null;
  readonly strategies: readonly StrategyPrediction[];
}

export function predict(from: NodeAddress, to: NodeAddress, strategies: readonly Strategy[]): Prediction {
  const rows = strategies.map(strategy => {
    const { verdict, reason, roundTrips } = strategy.assess(from, to);
    return {
      strategy: strategy.name,
      verdict,
      reason,
      roundTrips: verdict === 'impossible' ? null : roundTrips,
    };
  });
  const best =
    rows.find(({ verdict }) => verdict === 'likely') ?? rows.find(({ verdict }) => verdict === 'possible');
  return { expected: best?.strategy ?? null, strategies: rows };
}
