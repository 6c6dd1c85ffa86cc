// `wayleave ping`: round trips through a pipe, whatever strategy carries it: what messages of yours would see,
// not what ICMP sees.
import { type Command, InvalidArgumentError } from 'commander';
import { WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import type { Pipe } from '../pipe/pipe.js';
import { pc } from './colours.js';
import { type ConnectFlags, connectFlags, connectTo } from './connect.js';
import { integer } from './node-flags.js';
import { EXIT, type Output, runCommand } from './output.js';

interface Flags extends ConnectFlags {
  count: number;
  interval: number;
}

/** 5 s: a round trip that takes longer is of no use to anybody, and the next may already be under way. */
const PONG_MS = 5000;

export function registerPing(program: Command): void {
  const command = program
    .command('ping')
    .description('open a pipe to a node and measure round trips through it')
    .argument('<address>', 'what the other node printed')
    .option('--count <n>', 'how many round trips', integer(1, 1_000_000), 4)
    .option('--interval <seconds>', 'from one ping to the next', interval, 1)
    .addHelpText(
      'after',
      `
Examples:
  wayleave ping ADDRESS
  wayleave ping ADDRESS --count 100 --interval 0.1 --strategy relay

The other node answers by itself, whatever program runs it. Exit code 1 if nothing came back. With --json:
{"event":"connected",…} as connect says it, {"event":"pong","seq","ms"}, {"event":"lost","seq"} for a ping without
answer, and {"event":"summary","sent","received","minMs","avgMs","maxMs","strategy"} (null without any answer).`,
    );
  connectFlags(command).action((address: string, flags: Flags) =>
    runCommand(flags, (output, signal) => run(address, flags, output, signal)),
  );
}

async function run(address: string, flags: Flags, output: Output, signal: AbortSignal): Promise<number> {
  await using connected = await connectTo(address, flags, output, signal);
  const { pipe } = connected;
  const tally: Tally = { sent: 0, roundTripsMs: [] };
  try {
    await measure(pipe, flags, tally, output, signal);
  } finally {
    summarize(pipe, tally, output); // also when the pipe was lost or the user has seen enough
  }
  return tally.roundTripsMs.length > 0 ? EXIT.done : EXIT.failed;
}

interface Tally {
  sent: number;
  readonly roundTripsMs: number[];
}

async function measure(
  pipe: Pipe,
  { count, interval }: Flags,
  tally: Tally,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  for (let seq = 1; seq <= count; seq++) {
    const beganAt = systemClock.now();
    tally.sent++;
    try {
      const ms = round(await pipe.ping({ timeoutMs: PONG_MS, signal }));
      tally.roundTripsMs.push(ms);
      const from = `${pipe.peer.slice(0, 8)}… by ${pipe.route.strategy}`;
      output.result({ event: 'pong', seq, ms }, `pong from ${from}: seq=${seq} time=${ms} ms`);
    } catch (error) {
      if (!(error instanceof WayleaveError && error.code === 'timeout')) throw error;
      output.result({ event: 'lost', seq }, pc.yellow(`no answer to seq=${seq} within ${PONG_MS / 1000} s`));
    }
    const waitMs = beganAt + interval * 1000 - systemClock.now();
    if (seq < count && waitMs > 0) await systemClock.sleep(waitMs, signal);
  }
}

function summarize(pipe: Pipe, { sent, roundTripsMs }: Tally, output: Output): void {
  const { strategy } = pipe.route;
  const received = roundTripsMs.length;
  const sumMs = roundTripsMs.reduce((sum, ms) => sum + ms, 0);
  const minMs = received > 0 ? roundTripsMs.reduce((a, b) => Math.min(a, b)) : null;
  const maxMs = received > 0 ? roundTripsMs.reduce((a, b) => Math.max(a, b)) : null;
  const avgMs = received > 0 ? round(sumMs / received) : null;
  const times = received > 0 ? `; min/avg/max = ${minMs}/${avgMs}/${maxMs} ms` : '';
  output.result(
    { event: 'summary', sent, received, minMs, avgMs, maxMs, strategy },
    `\n${pc.bold(`${sent} sent, ${received} received`)} by ${strategy}${times}`,
  );
}

/** To the microsecond: a pipe on one machine answers in fractions of a millisecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function interval(text: string): number {
  const value = Number(text);
  if (value >= 0.001 && value <= 3600) return value;
  throw new InvalidArgumentError('It must be a number of seconds from 0.001 to 3600.');
}
