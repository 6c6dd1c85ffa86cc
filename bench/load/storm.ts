// The server is killed without a word and started again on its port; everybody returns, each in its own time, as
// nodes do (retry-pause.ts). Who is back when, how many in one second, and what it leaves behind in memory.
import { setMaxListeners } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerOptions } from '../../signalling-server/index.js';
import { systemClock } from '../../src/net/clock.js';
import type { Figure } from '../figures.js';
import { Crowd } from './crowd.js';
import type { LoadOptions } from './options.js';
import { Returning } from './returning.js';
import { GENEROUS, Subject } from './subject.js';

/** security.md, row 22. */
const WITHIN_S = 60;
const MOST_A_SECOND = 100;
/** Longer than this nobody is waited for. */
const GIVEN_UP_AFTER_MS = 180_000;
/** A restarted server's memory, to what it was with the same clients. */
const MOST_MEMORY = 1.1;

export async function storm(
  { returning: count }: LoadOptions,
  progress: (text: string) => void,
): Promise<Figure[]> {
  const logs = await mkdtemp(join(tmpdir(), 'wayleave-load-'));
  progress(`${count} clients register`);
  const before = await settled(count, join(logs, 'before'));
  const port = Number(new URL(before.url).port);
  progress('the server is killed, and started again');
  const killed = before.kill();
  const returning = before.crowd.clients.map(
    (client, index) => new Returning(before.crowd.optionsOf(index), client),
  );
  await killed;
  await using subject = await startLogged({ port }, join(logs, 'after'));
  const startedAt = systemClock.now();
  const abort = new AbortController();
  setMaxListeners(0, abort.signal); // one for each that sleeps
  const back = returning.map(one => one.back(abort.signal));
  using limit = systemClock.deadline(GIVEN_UP_AFTER_MS);
  limit.signal.addEventListener('abort', () => abort.abort(), { once: true });
  const settledBack = await Promise.allSettled(back);
  const times = returning.flatMap(({ backAt }) => (backAt === undefined ? [] : [backAt - startedAt]));
  times.sort((a, b) => a - b);
  const rssBytes = await subject.restingBytes();
  const registeredAt = await registrations(join(logs, 'after'));
  await rm(logs, { recursive: true });
  for (const one of returning) one[Symbol.dispose]();
  return [
    {
      name: `clients that are back, of ${count}`,
      value: settledBack.filter(({ status }) => status === 'fulfilled').length,
      unit: '',
      limit: { of: 'value', least: count },
    },
    {
      name: 'until the last is back',
      value: (times.at(-1) ?? Number.NaN) / 1000,
      unit: 's',
      limit: { of: 'value', most: WITHIN_S },
    },
    { name: 'until the first is back', value: (times[0] ?? Number.NaN) / 1000, unit: 's' },
    {
      name: 'registrations in any one second, at most, by the server’s log',
      value: mostInOneSecond(registeredAt),
      unit: '',
      limit: { of: 'value', most: MOST_A_SECOND },
    },
    { name: 'were told to wait', value: returning.filter(({ waited }) => waited).length, unit: '' },
    { name: 'tries, for each client', value: sum(returning.map(({ tries }) => tries)) / count, unit: '' },
    {
      name: 'server’s memory, resident',
      value: rssBytes / 2 ** 20,
      unit: 'MiB',
      baseline: { name: 'before, with the same clients', value: before.rssBytes / 2 ** 20 },
      limit: { of: 'ratio', most: MOST_MEMORY },
    },
  ];
}

/** A server that notes in a file who registers when. */
async function startLogged(options: ServerOptions, logFile: string): Promise<Subject> {
  const log = await open(logFile, 'w');
  try {
    return await Subject.start(
      { kind: 'routed', options: { ...GENEROUS, ...options, logLevel: 'debug' } },
      log.fd,
    );
  } finally {
    await log.close(); // the process has its own
  }
}

/** A server with so many clients, at rest. */
async function settled(count: number, logFile: string) {
  const subject = await startLogged({ registrationsPerSecond: 100_000 }, logFile);
  const crowd = await new Crowd({ urls: [subject.url] }).grow(count);
  const rssBytes = await subject.restingBytes();
  return { url: subject.url, crowd, rssBytes, kill: () => subject.kill() };
}

/** When each was, by the server's clock, ascending: what the generator sees, it may see late and in bunches. */
async function registrations(logFile: string): Promise<number[]> {
  const text = await readFile(logFile, 'utf8');
  const lines = text.split('\n').filter(line => line.includes('"msg":"registered"'));
  return lines.map(line => JSON.parse(line).time as number);
}

/** In the fullest second, wherever it begins. */
function mostInOneSecond(ascendingMs: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [i, at] of ascendingMs.entries()) {
    while (at - ascendingMs[first]! >= 1000) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
