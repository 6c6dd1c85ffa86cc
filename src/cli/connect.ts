// `wayleave connect`: one pipe to one address; a message and its answer, or stdin line by line.
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../net/clock.js';
import type { Pipe } from '../pipe/pipe.js';
import { STRATEGY_NAMES, type StrategyName } from '../strategies/strategy.js';
import { pc } from './colours.js';
import { type NodeFlags, nodeFlags, nodeOptions } from './node-flags.js';
import { EXIT, type Output, runCommand } from './output.js';
import { attemptLine } from './story.js';

export interface ConnectFlags extends NodeFlags {
  strategy?: StrategyName[];
  timeout: number;
}
interface Flags extends ConnectFlags {
  message?: string;
}

/** Adds the options of everything that connects to an address. */
export function connectFlags(command: Command): Command {
  return nodeFlags(command)
    .option('--strategy <list>', `what may be tried, in this order: ${STRATEGY_NAMES.join(',')}`, strategies)
    .option('--timeout <seconds>', 'time for the whole connect', seconds, 30)
    .option(
      '--port-mapping',
      'first ask the gateway for a port, so that the other node may dial back (reverse); off, since that can take ' +
        'seconds and helps only where hole punching does not',
    );
}

export function registerConnect(program: Command): void {
  const command = program
    .command('connect')
    .description('open a pipe to a node; send a message, or stdin line by line')
    .argument('<address>', 'what the other node printed')
    .option('--message <text>', 'send this, print the answer, and end')
    .addHelpText(
      'after',
      `
Examples:
  wayleave connect ADDRESS --message hello
  wayleave connect ADDRESS --strategy direct,reverse --json < lines.txt

Servers named in the address are used as well, so --server is needed only for another one. With --json:
{"event":"connected","peer","strategy","ms","readyMs","local","remote","attempts"}, {"event":"message","data"}, or
{"event":"failed","code","message","attempts"} and exit code 1.`,
    );
  connectFlags(command).action((address: string, flags: Flags) =>
    runCommand(flags, (output, signal) => run(address, flags, output, signal)),
  );
}

async function run(text: string, flags: Flags, output: Output, signal: AbortSignal): Promise<number> {
  await using connected = await connectTo(text, flags, output, signal);
  const { pipe } = connected;
  if (flags.message === undefined) return await converse(pipe, output, signal);
  await pipe.send(flags.message);
  const answer = await pipe.recv({ timeoutMs: flags.timeout * 1000, signal });
  output.result({ event: 'message', data: answer.toString() }, answer.toString());
  await pipe.close();
  return EXIT.done;
}

/** A node of its own and a pipe to the address, with the story told on the way; closing it closes both. */
export async function connectTo(
  text: string,
  flags: ConnectFlags,
  output: Output,
  signal: AbortSignal,
): Promise<{ pipe: Pipe } & AsyncDisposable> {
  const began = performance.now();
  const [{ createNode }, { NodeAddress }] = await Promise.all([
    import('../node.js'),
    import('../address/node-address.js'),
  ]);
  const address = NodeAddress.parse(text);
  const node = await createNode(nodeOptions(flags));
  try {
    await node.ready({ signal }).catch(error => {
      if (signal.aborted) throw error;
      output.note(`${pc.yellow('note:')} ${(error as Error).message}`); // direct may do without
    });
    const readyMs = Math.round(performance.now() - began);
    output.note(pc.dim(`connecting to ${address.id.slice(0, 8)}… (ready after ${readyMs} ms)`));
    node.events.on('attempt', outcome => {
      output.note(attemptLine(outcome));
    });
    const started = performance.now();
    const pipe = await node.connect(address, {
      signal,
      timeoutMs: flags.timeout * 1000,
      ...(flags.strategy === undefined ? {} : { strategies: flags.strategy }),
    });
    const ms = Math.round((performance.now() - started) * 10) / 10;
    const { strategy, local, remote } = pipe.route;
    output.result({
      event: 'connected',
      peer: pipe.peer,
      strategy,
      ms,
      readyMs,
      local,
      remote,
      attempts: pipe.route.attempts,
    });
    output.note(pc.green(`connected by ${strategy} in ${ms} ms`));
    return {
      pipe,
      async [Symbol.asyncDispose]() {
        await pipe.close();
        await node.close();
      },
    };
  } catch (error) {
    await node.close();
    throw error;
  }
}

/** After the end of input, answers may still be on their way: it ends when none has come for so long. */
const QUIET_MS = 500;

/** stdin lines become messages, messages become lines, until end of input or of the pipe. */
async function converse(pipe: Pipe, output: Output, signal: AbortSignal): Promise<number> {
  let heard = 0;
  pipe.onMessage(message => {
    heard++;
    output.result({ event: 'message', data: message.toString() }, message.toString());
  });
  const lines = createInterface({ input: process.stdin, terminal: false });
  const stop = () => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  void pipe.closed.then(stop);
  try {
    for await (const line of lines) await pipe.send(line);
    for (let before = -1; heard !== before; ) {
      before = heard;
      await Promise.race([pipe.closed, systemClock.sleep(QUIET_MS, signal).catch(() => {})]);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    process.stdin.destroy();
    await pipe.close();
  }
  const { code, by, message } = await pipe.closed;
  output.result({ event: 'closed', code, by, message });
  if (code === 'closed') return EXIT.done;
  output.note(`${pc.red('wayleave:')} the pipe ended: ${message || code}`);
  return EXIT.failed;
}

function strategies(text: string): StrategyName[] {
  const names = text.split(',');
  const unknown = names.find(name => !(STRATEGY_NAMES as readonly string[]).includes(name));
  if (unknown === undefined) return names as StrategyName[];
  throw new InvalidArgumentError(`"${unknown}" is none of ${STRATEGY_NAMES.join(', ')}.`);
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 600) return value;
  throw new InvalidArgumentError('It must be a number of seconds, up to 600.');
}
