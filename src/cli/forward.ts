// `wayleave forward`: a local TCP port whose connections come out at a host and port that the far node reaches. All
// of them share one pipe, which is made anew when it is lost.
import type { Socket } from 'node:net';
import type { Command } from 'commander';
import { abortError, WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import { listenTcp } from '../net/sockets.js';
import type { Pipe } from '../pipe/pipe.js';
import { pc } from './colours.js';
import { type ConnectFlags, connectFlags, connectTo } from './connect.js';
import { decodeAnswer, encodeOpener } from './forward-opener.js';
import { type ForwardTarget, forwardSpec } from './forward-target.js';
import { type Output, runCommand } from './output.js';
import { PortCarrier } from './port-carrier.js';
import { MAX_CONNECTIONS } from './port-mux.js';

/** 10 s: the far side answers at once, from a list. */
const ANSWER_MS = 10_000;
/** The first wait before a lost pipe is made anew, and the longest; they double, with jitter. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 15_000;
/** What no retry can mend. */
const FINAL: readonly string[] = ['forward-refused', 'refused', 'address-expired', 'bad-address'];

export function registerForward(program: Command): void {
  const command = program
    .command('forward')
    .description('make a TCP port that the far node reaches appear on this machine')
    .argument('<address>', 'what the far node printed')
    .argument(
      '<localport:host:port>',
      'the port to open here (0: any), and where it leads there',
      forwardSpec,
    )
    .addHelpText(
      'after',
      `
Example, a web server on the far machine, seen here as http://127.0.0.1:8080/:
  there:  wayleave node --allow-forward localhost:80
  here:   wayleave forward ADDRESS 8080:localhost:80

HOST is as the far machine sees it, spelled as its --allow-forward spells it; nothing else is dialled there. The
port opens on 127.0.0.1 only. All connections share one pipe; when it is lost they are reset, and new ones wait
for the next pipe. With --json: {"event":"connected",…} as connect says it, {"event":"listening","port"}, and for
each pipe that is lost or cannot be made anew {"event":"lost","code","message","retryMs"}.`,
    );
  connectFlags(command).action((address: string, spec: ReturnType<typeof forwardSpec>, flags: ConnectFlags) =>
    runCommand(flags, (output, signal) => run(address, spec, flags, output, signal)),
  );
}

async function run(
  address: string,
  { localPort, target }: ReturnType<typeof forwardSpec>,
  flags: ConnectFlags,
  output: Output,
  signal: AbortSignal,
): Promise<never> {
  await using near = await NearPort.listen(localPort);
  let announced = false;
  for (let failures = 0; ; failures++) {
    let lost: { code: string; message: string };
    try {
      await using connected = await connectTo(address, flags, output, signal);
      await agree(connected.pipe, target, signal);
      failures = 0;
      if (!announced) announce(near.port, target, output);
      announced = true;
      await near.carry(connected.pipe, target, output, signal);
      lost = await connected.pipe.closed;
    } catch (error) {
      const known = error instanceof WayleaveError;
      if (!announced || !known || signal.aborted || FINAL.includes(error.code)) throw error;
      lost = error;
    }
    if (signal.aborted) throw abortError(signal);
    const { code, message } = lost;
    const retryMs = retryDelayMs(failures, Math.random());
    output.result({ event: 'lost', code, message, retryMs });
    output.note(pc.yellow(`the pipe is lost (${message || code}); connecting again in ${retryMs} ms`));
    await systemClock.sleep(retryMs, signal);
  }
}

function announce(port: number, target: ForwardTarget, output: Output): void {
  output.result(
    { event: 'listening', port },
    `${pc.bold(`127.0.0.1:${port}`)} leads to ${pc.bold(target.text)} there`,
  );
}

/** @throws WayleaveError `forward-refused`, `timeout`, `protocol-error`, or the pipe's end. */
async function agree(pipe: Pipe, target: ForwardTarget, signal: AbortSignal): Promise<void> {
  await pipe.send(encodeOpener(target.text), { signal });
  const answer = decodeAnswer(await pipe.recv({ timeoutMs: ANSWER_MS, signal }));
  if (!answer.allowed) {
    throw new WayleaveError('forward-refused', `the far node answers: ${answer.message ?? 'not allowed'}`);
  }
}

/** Doubles from a quarter second to a quarter minute; half of it is chance, so that many do not come at once. */
export function retryDelayMs(failures: number, chance: number): number {
  const ceilingMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
  return Math.round(ceilingMs * (0.5 + chance / 2));
}

/** The local port: its connections go to the carrier of the present pipe, or wait for the next. */
class NearPort implements AsyncDisposable {
  readonly #waiting = new Set<Socket>();
  #carrier: PortCarrier | undefined;
  #listener!: Awaited<ReturnType<typeof listenTcp>>;

  /** @throws WayleaveError `listen-failed`. */
  static async listen(port: number): Promise<NearPort> {
    const near = new NearPort();
    near.#listener = await listenTcp({ host: '127.0.0.1', port }, socket => near.#take(socket));
    near.#listener.server.maxConnections = 2 * MAX_CONNECTIONS; // as many may wait as may be carried
    return near;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Until the pipe ends; an abort closes it. */
  async carry(pipe: Pipe, target: ForwardTarget, output: Output, signal: AbortSignal): Promise<void> {
    const stop = () => void pipe.close('interrupted');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#carrier = new PortCarrier(pipe, {
      onRoom: () => this.#dispatch(),
      onRejected: () => output.note(pc.yellow(`${target.text} broke a connection off: does it listen?`)),
    });
    this.#dispatch();
    await this.#carrier.run();
    this.#carrier = undefined;
    signal.removeEventListener('abort', stop);
  }

  #take(socket: Socket): void {
    socket.on('error', () => {}); // while it waits nobody else listens
    socket.once('close', () => this.#waiting.delete(socket));
    this.#waiting.add(socket);
    this.#dispatch();
  }

  #dispatch(): void {
    for (const socket of this.#waiting) {
      if (!this.#carrier?.mayAdd) return;
      this.#waiting.delete(socket);
      this.#carrier.add(socket);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#waiting) socket.resetAndDestroy();
    await this.#listener[Symbol.asyncDispose]();
  }
}
