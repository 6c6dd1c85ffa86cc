// Two server processes joined by NATS, under load from random pairs of their clients: first in peace, then NATS is
// restarted, then one process is killed and its clients move to the other. What became of every message is checked.
import { systemClock } from '../../src/net/clock.js';
import type { Figure } from '../figures.js';
import { startNats } from '../nats-server.js';
import { verdictFigures } from './faults.js';
import type { LoadOptions } from './options.js';
import { percentile } from './percentile.js';
import { Returning } from './returning.js';
import { GENEROUS, type Order, Subject } from './subject.js';
import { Traffic } from './traffic.js';

const WARM_UP_MS = 1_500;
/** How long traffic goes on around each mishap. */
const MISHAP_MS = 12_000;
const MOST_P99_MS = 20;
const BACK_WITHIN_S = 10;

export async function cluster(
  { senders, rate, seconds }: LoadOptions,
  progress: (text: string) => void,
): Promise<Figure[]> {
  const nats = await startNats();
  try {
    const order: Order = { kind: 'routed', options: { ...GENEROUS, nats: [nats.url] } };
    await using doomed = await Subject.start(order);
    await using other = await Subject.start(order);
    const traffic = await Traffic.between(senders, [doomed.url, other.url]);
    const { history, crowd } = traffic;
    try {
      progress(`two processes, ${rate} messages a second`);
      await traffic.openLoop(rate, WARM_UP_MS);
      await traffic.settle();
      const first = history.sent;
      const before = [await doomed.usage(), await other.usage()];
      await traffic.openLoop(rate, seconds * 1000);
      const after = [await doomed.usage(), await other.usage()];
      await traffic.settle();
      const delaysMs = history.delaysMs(first);
      const cpu = (i: number) => (after[i]!.cpuMicros - before[i]!.cpuMicros) / seconds / 1e4;

      progress('NATS is restarted');
      const beforeNats = history.sent;
      let underWay = traffic.openLoop(rate, MISHAP_MS);
      await systemClock.sleep(1_000);
      await nats.restart();
      const natsAt = systemClock.now();
      await underWay;
      await traffic.settle();
      const refusedCross = history.reportedOf(beforeNats, (a, b) => a % 2 !== b % 2);
      const refusedLocal = history.reportedOf(beforeNats, (a, b) => a % 2 === b % 2);
      const lastRefused = Math.max(natsAt, ...refusedCross.slice(-1).map(number => history.meantAt(number)));

      progress('one process is killed');
      const ofOther = () => crowd.clients.filter(({ index, open }) => index % 2 === 1 && open).length;
      const settled = ofOther();
      underWay = traffic.openLoop(rate, MISHAP_MS);
      await systemClock.sleep(1_000);
      await doomed.kill();
      const killedAt = systemClock.now();
      const backAt = await Promise.all(
        crowd.clients
          .filter(({ index }) => index % 2 === 0)
          .map(client => moved(traffic, client.index, other.url)),
      );
      await underWay;
      await traffic.settle();

      const atRate = `at ${rate.toLocaleString('en')}/s, two processes`;
      return [
        { name: `delay ${atRate}, p50`, value: percentile(delaysMs, 50), unit: 'ms' },
        {
          name: `delay ${atRate}, p99`,
          value: percentile(delaysMs, 99),
          unit: 'ms',
          limit: { of: 'value', most: MOST_P99_MS },
        },
        { name: `delay ${atRate}, p99.9`, value: percentile(delaysMs, 99.9), unit: 'ms' },
        { name: `one process, ${atRate}`, value: cpu(0), unit: '% of a core' },
        { name: `the other, ${atRate}`, value: cpu(1), unit: '% of a core' },
        {
          name: 'NATS restarted: local messages refused',
          value: refusedLocal.length,
          unit: '',
          limit: { of: 'value', most: 0 },
        },
        {
          name: 'NATS restarted: messages to the other process refused',
          value: refusedCross.length,
          unit: '',
        },
        { name: 'NATS restarted: until none is refused', value: (lastRefused - natsAt) / 1000, unit: 's' },
        {
          name: 'one process killed: until its last client is back',
          value: (Math.max(...backAt) - killedAt) / 1000,
          unit: 's',
          limit: { of: 'value', most: BACK_WITHIN_S },
        },
        {
          name: 'one process killed: the other’s clients disturbed',
          value: settled - ofOther(),
          unit: '',
          limit: { of: 'value', most: 0 },
        },
        ...verdictFigures(history.verdict()),
      ];
    } finally {
      traffic[Symbol.dispose]();
    }
  } finally {
    nats.end();
  }
}

/** Moves a client that has lost its server to this one; when it was there. */
async function moved({ crowd }: Traffic, index: number, url: string): Promise<number> {
  const returning = new Returning({ ...crowd.optionsOf(index), url }, crowd.clients[index]!);
  await returning.back(AbortSignal.timeout(60_000));
  crowd.clients[index] = returning.client;
  return returning.backAt!;
}
