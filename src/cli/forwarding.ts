// The far side of `wayleave forward`: a node that was told `--allow-forward HOST:PORT` connects those who ask to
// exactly that, and to nothing else. Names are resolved here, since the owner of this node typed them.
import { lookup } from 'node:dns/promises';
import { isIP, type Socket } from 'node:net';
import { WayleaveError } from '../errors.js';
import { systemClock } from '../net/clock.js';
import { toEndpoint } from '../net/endpoint.js';
import { dialTcp } from '../net/sockets.js';
import type { Pipe } from '../pipe/pipe.js';
import { pc } from './colours.js';
import { decodeOpener, encodeAnswer, isOpener } from './forward-opener.js';
import type { ForwardTarget } from './forward-target.js';
import type { Output } from './output.js';
import { PortCarrier } from './port-carrier.js';

/** 5 s an address: what is allowed here is mostly on this machine or next to it. */
const DIAL_MS = 5000;

/**
 * Returns what is to be called, within its handler, with the first message of each pipe: true means that the pipe
 * asked for forwarding and is taken over, whether it gets it or not.
 */
export function allowForwarding(
  allowed: readonly ForwardTarget[],
  output: Output,
): (pipe: Pipe, first: Buffer) => boolean {
  const targets = new Map(allowed.map(target => [target.text, target]));
  return (pipe, first) => {
    if (!isOpener(first)) return false;
    serve(pipe, targets, output).catch(async (error: Error) => {
      output.note(`${pc.red('wayleave:')} ${error.message}`);
      await pipe.close(error.message);
    });
    return true;
  };
}

async function serve(pipe: Pipe, targets: ReadonlyMap<string, ForwardTarget>, output: Output): Promise<void> {
  const { peer } = pipe;
  const who = `${peer.slice(0, 8)}…`;
  const asked = decodeOpener(await pipe.recv()); // the message just looked at: `recv` sees all from the first on
  const target = targets.get(asked);
  if (!target) {
    const message = `this node does not forward to ${JSON.stringify(asked)}`;
    output.result({ event: 'forward-refused', peer, target: asked }, pc.red(`${who}: ${message}`));
    await pipe.send(encodeAnswer({ allowed: false, message }));
    await pipe.close(message);
    return;
  }
  output.result({ event: 'forward', peer, target: asked }, pc.green(`forwarding ${who} to ${asked}`));
  await pipe.send(encodeAnswer({ allowed: true }));
  const dial = (signal: AbortSignal) =>
    dialTarget(target, signal).catch((error: Error) => {
      const code = error instanceof WayleaveError ? error.code : 'dial-failed';
      if (code !== 'aborted') {
        output.result(
          { event: 'forward-failed', peer, target: asked, code, message: error.message },
          pc.yellow(`${who}: ${error.message}`),
        );
      }
      throw error;
    });
  await new PortCarrier(pipe, { dial }).run();
}

/** Each address of the name in its turn, until one connects. */
async function dialTarget({ host, port, text }: ForwardTarget, signal: AbortSignal): Promise<Socket> {
  const addresses = isIP(host) ? [host] : await resolve(host);
  let failure: unknown = new WayleaveError('dial-failed', `${text} has no address`);
  for (const address of addresses) {
    const remote = toEndpoint(address, port);
    if (!remote) continue;
    using deadline = systemClock.deadline(DIAL_MS, signal);
    try {
      return await dialTcp({ remote, signal: deadline.signal });
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function resolve(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new WayleaveError('dial-failed', `the name ${host} cannot be resolved here`, { cause });
  }
}
