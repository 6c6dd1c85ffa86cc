// What the process can tell of itself: memory, CPU, files, and how late its event loop runs, which is what everybody
// behind it feels first.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { by, expose, type Row } from './exposition.js';

/** The loop is asked every so often how late it is; the histogram counts this time as well. */
const RESOLUTION_MS = 10;

const ROWS: readonly Row<IntervalHistogram>[] = [
  ['process_resident_memory_bytes', 'gauge', 'Resident memory.', () => process.memoryUsage.rss()],
  ['process_cpu_seconds_total', 'counter', 'CPU time, user and system.', () => cpuSeconds()],
  [
    'process_start_time_seconds',
    'gauge',
    'When the process started, in seconds since 1970.',
    () => Math.round(performance.timeOrigin) / 1000,
  ],
  ['process_open_fds', 'gauge', 'Open files, sockets included (Linux).', () => openFiles()],
  ['process_max_fds', 'gauge', 'The limit of those (Linux).', () => mostOpenFiles()],
  [
    'wayleave_event_loop_delay_seconds',
    'gauge',
    'How late the event loop ran since this was last asked: median, p99, most.',
    loop => by('at', delays(loop)),
  ],
];

/** Watches the event loop until it is disposed of. */
export class ProcessMetrics implements Disposable {
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#loop.enable();
  }

  render(): string {
    const text = expose(ROWS, this.#loop);
    this.#loop.reset();
    return text;
  }

  [Symbol.dispose](): void {
    this.#loop.disable();
  }
}

function delays(loop: IntervalHistogram): Record<string, number> {
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
  return { p50: late(loop.percentile(50)), p99: late(loop.percentile(99)), most: late(loop.max) };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Linux 6.2 and later say how many there are as the directory's size; before, they are counted. */
function openFiles(): number | undefined {
  try {
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

function mostOpenFiles(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
