// Messages between random pairs through the signalling server, and the same bytes through a bare `ws` echo: as many
// as come back (closed loop), then at a fixed rate (open loop). Rounds alternate, so that both meet the same machine.
import { systemClock } from '../../src/net/clock.js';
import { type Figure, median } from '../figures.js';
import { verdictFigures } from './faults.js';
import type { LoadOptions } from './options.js';
import { percentile } from './percentile.js';
import { GENEROUS, type Order, Subject } from './subject.js';
import { Traffic } from './traffic.js';

const ROUNDS = 2;
const WARM_UP_MS = 1_500;
/** Messages of one client that are under way in the closed loop. */
const WINDOW = 16;
const ORDERS: readonly Order[] = [
  { kind: 'bare' },
  { kind: 'routed', options: { ...GENEROUS, registrationsPerSecond: 100_000 } },
];

interface Measured {
  readonly perSecond: number;
  /** Processor time a message. */
  readonly serverMicros: number;
  readonly generatorMicros: number;
  /** Ascending, milliseconds. */
  readonly delaysMs: Float32Array;
}

export async function throughput(
  { senders, rate, seconds }: LoadOptions,
  progress: (text: string) => void,
): Promise<Figure[]> {
  const most: Record<Order['kind'], Measured[]> = { bare: [], routed: [] };
  const steady: Record<Order['kind'], Measured[]> = { bare: [], routed: [] };
  const verdicts: Figure[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    for (const order of ORDERS) {
      const { kind } = order;
      progress(`${kind}, ${senders} clients, round ${round}`);
      await using subject = await Subject.start(order);
      using traffic = await Traffic.between(senders, [subject.url], { echoes: kind === 'bare' });
      most[kind].push(await measure(subject, traffic, ms => traffic.closedLoop(WINDOW, ms), seconds));
      steady[kind].push(await measure(subject, traffic, ms => traffic.openLoop(rate, ms), seconds));
      if (kind === 'routed' && round === ROUNDS) verdicts.push(...verdictFigures(traffic.history.verdict()));
    }
  }
  const of = (runs: readonly Measured[], pick: (run: Measured) => number) => median(runs.map(pick));
  const both = (name: string, unit: string, runs: typeof most, pick: (run: Measured) => number): Figure => ({
    name,
    unit,
    value: of(runs.routed, pick),
    baseline: { name: 'bare ws echo', value: of(runs.bare, pick) },
  });
  const atRate = `at ${rate.toLocaleString('en')}/s`;
  return [
    {
      ...both('messages a second, closed loop', '1/s', most, run => run.perSecond),
      limit: { of: 'ratio', least: 0.5 },
    },
    both('server CPU a message, closed loop', 'µs', most, run => run.serverMicros),
    both('generator CPU a message, closed loop', 'µs', most, run => run.generatorMicros),
    {
      name: `messages a second delivered, open loop ${atRate}`,
      value: of(steady.routed, run => run.perSecond),
      unit: '1/s',
      limit: { of: 'value', least: 0.99 * rate },
    },
    both(`delay ${atRate}, p50`, 'ms', steady, run => percentile(run.delaysMs, 50)),
    {
      ...both(`delay ${atRate}, p99`, 'ms', steady, run => percentile(run.delaysMs, 99)),
      limit: { of: 'value', most: 10 },
    },
    both(`delay ${atRate}, p99.9`, 'ms', steady, run => percentile(run.delaysMs, 99.9)),
    both(`server, ${atRate}`, '% of a core', steady, run => (run.serverMicros * run.perSecond) / 1e4),
    both(`generator, ${atRate}`, '% of a core', steady, run => (run.generatorMicros * run.perSecond) / 1e4),
    ...verdicts,
  ];
}

async function measure(
  subject: Subject,
  traffic: Traffic,
  run: (ms: number) => Promise<void>,
  seconds: number,
): Promise<Measured> {
  const { history } = traffic;
  await run(WARM_UP_MS);
  await traffic.settle();
  const first = history.sent;
  const before = { server: await subject.usage(), own: process.cpuUsage(), at: systemClock.now() };
  await run(seconds * 1000);
  const elapsedS = (systemClock.now() - before.at) / 1000;
  const server = (await subject.usage()).cpuMicros - before.server.cpuMicros;
  const { user, system } = process.cpuUsage(before.own);
  const arrived = history.delaysMs(first).length;
  await traffic.settle();
  return {
    perSecond: arrived / elapsedS,
    serverMicros: server / arrived,
    generatorMicros: (user + system) / arrived,
    delaysMs: history.delaysMs(first),
  };
}
