// What an idle client costs the server: memory, resident and on the heap, and processor time (its pings).
import { systemClock } from '../../src/net/clock.js';
import type { Figure } from '../figures.js';
import { Crowd } from './crowd.js';
import type { LoadOptions } from './options.js';
import { GENEROUS, Subject } from './subject.js';

/** Come before anything is measured: the heap's own growth is not the clients'. */
const FIRST = 500;
/** security.md, row 21. */
const MOST_KIB = 20;

export async function idle({ clients }: LoadOptions, progress: (text: string) => void): Promise<Figure[]> {
  const options = { ...GENEROUS, registrationsPerSecond: 100_000 };
  await using subject = await Subject.start({ kind: 'routed', options });
  using crowd = new Crowd({ urls: [subject.url] });
  await crowd.grow(FIRST);
  const before = await subject.usage({ collect: true });
  progress(`${clients} idle clients register`);
  await crowd.grow(clients);
  await systemClock.sleep(1_000);
  const after = await subject.usage({ collect: true });
  const pingRoundMs = 20_000;
  progress(`${clients} idle clients are pinged for ${pingRoundMs / 1000} s`);
  await systemClock.sleep(pingRoundMs);
  const pinged = await subject.usage();
  const alive = crowd.clients.filter(({ open }) => open).length;
  const kib = (of: 'rssBytes' | 'heapBytes') => (after[of] - before[of]) / clients / 1024;
  return [
    {
      name: `resident memory a client, ${clients} of them`,
      value: kib('rssBytes'),
      unit: 'KiB',
      limit: { of: 'value', most: MOST_KIB },
    },
    { name: 'of that, JavaScript heap', value: kib('heapBytes'), unit: 'KiB' },
    {
      name: `server with ${FIRST + clients} idle clients, resident`,
      value: after.rssBytes / 2 ** 20,
      unit: 'MiB',
    },
    {
      name: 'processor time while they idle',
      value: (pinged.cpuMicros - after.cpuMicros) / pingRoundMs / 10,
      unit: '% of a core',
    },
    {
      name: 'connections lost while they idle',
      value: FIRST + clients - alive,
      unit: '',
      limit: { of: 'value', most: 0 },
    },
  ];
}
