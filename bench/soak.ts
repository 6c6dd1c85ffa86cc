// Pipes with churn, for as long as is asked: a server and two nodes in processes of their own open, use, break off
// and close pipes by each strategy that one machine can show. What must not grow is each process's resident memory,
// taken after what nobody uses any more was collected: when V8 does so by itself would be the larger part of the figure.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Figure } from './figures.js';
import type { Report } from './soak-party.js';

export const title = 'Soak: pipes with churn (server and two nodes, a process each, loopback)';

const SAMPLE_MS = 15_000;
/** Caches, compiled code and the heap's first growth come once, and say nothing about leaks. */
const WARM_UP = 0.35;
const MIB = 1024 * 1024;

interface Sample {
  readonly hours: number;
  readonly bytes: number;
}

class Party implements AsyncDisposable {
  readonly name: string;
  readonly samples: Sample[] = [];
  readonly #child: ChildProcess;
  #ended: string | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.once('exit', (code, signal) => {
      this.#ended = `${name} ended by itself: ${signal ?? code}`;
    });
  }

  /** Settles with what the party has to tell: where it is reached. */
  static async start(name: string, ...args: string[]): Promise<[Party, string]> {
    const file = fileURLToPath(new URL('soak-party.js', import.meta.url));
    const child = fork(file, [name, ...args], { stdio: 'inherit', execArgv: ['--expose-gc'] });
    const party = new Party(name, child);
    const [told] = (await once(child, 'message', { signal: AbortSignal.timeout(30_000) })) as [string];
    return [party, told];
  }

  async sample(hours: number): Promise<Report> {
    if (this.#ended) throw new Error(this.#ended);
    this.#child.send('report');
    const [report] = await once(this.#child, 'message', { signal: AbortSignal.timeout(30_000) });
    this.samples.push({ hours, bytes: report.restingBytes });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}

export const help = 'npm run bench -- soak [--minutes N]   (default: 40)';

export async function run(progress: (text: string) => void, args: readonly string[]): Promise<Figure[]> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '40' } } });
  const minutes = Number(values.minutes);
  const parties: Party[] = [];
  const start = async (...args: [string, ...string[]]) => {
    const [party, told] = await Party.start(...args);
    parties.push(party);
    return told;
  };
  try {
    const url = await start('server');
    const address = await start('far', url);
    await start('near', url, address);
    const began = performance.now();
    let reports: Report[] = [];
    for (let i = 1, hours = 0; hours < minutes / 60; i++) {
      await new Promise(resolve => setTimeout(resolve, SAMPLE_MS));
      hours = (performance.now() - began) / 3_600_000;
      reports = await Promise.all(parties.map(party => party.sample(hours)));
      if ((i * SAMPLE_MS) % 60_000 === 0)
        progress(`${Math.round(hours * 60)} min: ${story(parties, reports)}`);
    }
    return [
      ...parties.map(
        ({ name, samples }): Figure => ({
          name: `resident memory, ${name}, ${minutes} min`,
          value: slope(samples.filter(({ hours }) => hours >= (minutes / 60) * WARM_UP)) / MIB,
          unit: 'MiB/h',
          limit: { of: 'value', most: 1 },
        }),
      ),
      { name: 'pipes that were opened', value: reports.at(-1)!.opened, unit: '' },
      {
        name: 'unhandled rejections, all processes',
        value: reports.reduce((sum, { unhandled }) => sum + unhandled, 0),
        unit: '',
        limit: { of: 'value', most: 0 },
      },
    ];
  } finally {
    for (const party of parties.reverse()) await party[Symbol.asyncDispose]();
  }
}

/** Least squares: bytes an hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (pick: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length;
  const [hours, bytes] = [mean(sample => sample.hours), mean(sample => sample.bytes)];
  const covariance = mean(sample => (sample.hours - hours) * (sample.bytes - bytes));
  return covariance / mean(sample => (sample.hours - hours) ** 2);
}

function story(parties: readonly Party[], reports: readonly Report[]): string {
  const memory = reports.map(
    ({ restingBytes }, i) => `${parties[i]!.name} ${(restingBytes / MIB).toFixed(1)}`,
  );
  const { opened, aborted, failed } = reports.at(-1)!;
  return `${memory.join(', ')} MiB; ${opened} pipes, ${aborted} given up, ${failed} failed`;
}
