// The ordered list at work: each strategy that two addresses do not rule out gets a head start, then the next
// begins beside it; the first authenticated link is nominated, and every loser is closed before this resolves.
import { type AttemptOutcome, abortError, ConnectError, type ErrorCode, WayleaveError } from '../errors.js';
import { publish } from '../events.js';
import { REASONS, type Reason, reasonOf, StrategyFailure } from './reasons.js';
import { OVERTAKEN, staggered } from './staggered.js';
import type { Attempt, Link, Strategy, StrategyName } from './strategy.js';

export interface Connected {
  readonly link: Link;
  readonly strategy: StrategyName;
  readonly attempts: readonly AttemptOutcome[];
}

/**
 * Tries the strategies in their order.
 * @throws ConnectError with every attempt and its reason.
 */
export async function connectBy(
  strategies: readonly Strategy[],
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Connected> {
  const { clock } = attempt;
  const outcomes = new Map<StrategyName, AttemptOutcome>();
  const record = (strategy: StrategyName, rest: Omit<AttemptOutcome, 'strategy'>) => {
    const outcome = { strategy, ...rest };
    outcomes.set(strategy, outcome);
    attempt.onOutcome?.(outcome);
    publish('strategy-ended', { attempt: attempt.id, strategy, ...rest });
  };
  const failures = new Map<StrategyName, unknown>();
  const unjudged = new Set<StrategyName>();
  const runnable = strategies.filter(strategy => {
    const { verdict, reason } = strategy.assess(attempt.self, attempt.peer);
    if (verdict !== 'impossible') return true;
    if (reason === 'not-measured' && !attempt.isMeasured) return unjudged.add(strategy.name);
    record(strategy.name, { outcome: 'skipped', reason, ms: 0 });
    return false;
  });
  const inOrder = () =>
    strategies.map(
      ({ name }) =>
        outcomes.get(name) ?? { strategy: name, outcome: 'cancelled' as const, reason: 'not-reached', ms: 0 },
    );

  // One link at a time may be nominated; a second that arrives meanwhile waits for the first one's fate.
  let nominating: Promise<boolean> = Promise.resolve(false);
  const nominate = (link: Link, within: AbortSignal): Promise<void> => {
    const turn = nominating.then(async taken => {
      if (taken) throw OVERTAKEN;
      if (within.aborted) throw abortError(within);
      await link.nominate(within);
    });
    nominating = nominating.then(
      taken =>
        taken ||
        turn.then(
          () => true,
          () => false,
        ),
    );
    return turn;
  };

  const run = async (strategy: Strategy, within: AbortSignal, turn: Promise<void>): Promise<Connected> => {
    const began = clock.now();
    const elapsed = () => Math.round((clock.now() - began) * 10) / 10;
    publish('strategy-started', { attempt: attempt.id, strategy: strategy.name });
    using budget = clock.deadline(strategy.budgetMs, within);
    let link: Link | undefined;
    try {
      if (unjudged.has(strategy.name)) {
        await attempt.measured(budget.signal);
        const { verdict, reason } = strategy.assess(attempt.self, attempt.peer);
        if (verdict === 'impossible') throw new StrategyFailure(reason);
      }
      link = await strategy.initiate(attempt, budget.signal);
      await turn;
      if (link.secured.socket.destroyed)
        throw new WayleaveError('connection-lost', 'it was lost before its turn came');
      await nominate(link, budget.signal);
    } catch (error) {
      link?.secured.socket.destroy();
      failures.set(strategy.name, error);
      const detail = error instanceof WayleaveError ? error.message : String(error);
      record(
        strategy.name,
        within.aborted
          ? { outcome: 'cancelled', reason: abortReason(within), ms: elapsed() }
          : { outcome: 'failed', reason: reasonOf(error), ms: elapsed(), detail },
      );
      throw error;
    }
    record(strategy.name, { outcome: 'won', reason: 'connected', ms: elapsed() });
    return { link, strategy: strategy.name, attempts: [] };
  };

  try {
    const connected = await staggered<Strategy, Connected>(runnable, {
      clock,
      signal,
      headStartMs: ({ headStartMs }) => headStartMs,
      leadMs: ({ leadMs }) => leadMs ?? 0,
      isFinal: error => error instanceof WayleaveError && error.code === 'refused', // it would say so again
      start: run,
      discard: ({ link }) => link.secured.socket.destroy(),
    });
    return { ...connected, attempts: inOrder() };
  } catch (error) {
    throw connectError(inOrder(), failures, signal, error);
  }
}

function abortReason(signal: AbortSignal): Reason {
  if (signal.reason === OVERTAKEN) return 'other-won';
  const { code } = abortError(signal);
  return code === 'connect-timeout' ? code : reasonOf(signal.reason);
}

/** The codes that say more than `connect-failed`, most telling first. */
const TELLING: readonly ErrorCode[] = [
  'refused',
  'wrong-identity',
  'handshake-timeout',
  'handshake-failed',
  'peer-not-registered',
  'server-unreachable',
];

function connectError(
  attempts: AttemptOutcome[],
  failures: ReadonlyMap<StrategyName, unknown>,
  signal: AbortSignal,
  cause: unknown,
): ConnectError {
  if (signal.aborted) {
    const { code, message } = abortError(signal);
    return new ConnectError(code, message, attempts, { cause });
  }
  const errors = [...failures.values()].filter(error => error instanceof WayleaveError);
  const code = TELLING.find(candidate => errors.some(error => error.code === candidate)) ?? 'connect-failed';
  const told = attempts
    .filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped')
    .map(({ strategy, reason }) => `${strategy}: ${REASONS[reason as Reason] ?? reason}`);
  const message =
    told.length > 0 ? `could not connect. ${told.join(' ')}` : 'could not connect: no strategy to try';
  return new ConnectError(code, message, attempts, { cause });
}
