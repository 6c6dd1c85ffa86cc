// The local port from which holes are punched, and what the world sees of it. Behind a NAT a STUN connection over
// TCP teaches the mapping and holds it: it stays open until the punch is over, since its FIN could end it.
import type { InterfaceAddress } from '../address/address-schema.js';
import { abortError, WayleaveError } from '../errors.js';
import { portSequence } from '../nat/predict.js';
import type { Clock } from '../net/clock.js';
import { type Endpoint, sameEndpoint } from '../net/endpoint.js';
import { familyOf } from '../net/ip-scope.js';
import { Scope } from '../net/scope.js';
import type { StreamStunClient } from '../stun/stream-client.js';
import { foresight, type PunchSide } from './punch-plan.js';

/** Mappings taken one after another behind a NAT that gives ports in sequence: enough to see the step and gaps. */
const SAMPLES = 4;
/** Between the SYNs of two samples: their order at the NAT is what they tell, so they must not overtake. */
const SAMPLE_SPACING_MS = 3;
/** A connection that is not up by now has lost a SYN: another one is tried beside it. */
const REDIAL_MS = [0, 300, 600];
/** What a sample that met loss may take longer than the second one; then it is done without. */
const GRACE_MS = 60;

/** Where to punch from. */
export type PunchPlace = Pick<InterfaceAddress, 'address' | 'tcp' | 'external'>;

export interface PunchPortSource {
  /** STUN servers that answer over TCP. */
  readonly stun: readonly Endpoint[];
  readonly clock: Clock;
}

export class PunchPort implements AsyncDisposable {
  readonly localAddress: string;
  readonly port: number;
  readonly side: PunchSide;
  readonly #scope: Scope;
  readonly #holding: StreamStunClient | undefined;

  private constructor(
    localAddress: string,
    port: number,
    side: PunchSide,
    scope: Scope,
    holding?: StreamStunClient,
  ) {
    this.#holding = holding;
    this.localAddress = localAddress;
    this.port = port;
    this.side = side;
    this.#scope = scope;
  }

  /** @throws WayleaveError `no-answer` without a STUN server that answers, `dial-failed`, or the abort error. */
  static async acquire(
    { address: localAddress, tcp, external }: PunchPlace,
    { stun, clock }: PunchPortSource,
    signal: AbortSignal,
  ): Promise<PunchPort> {
    const scope = new Scope();
    const { hairpinning: _, samples: __, confidence: ___, egress: ____, ...words } = tcp; // what a peer plans by
    const untranslated = tcp.kind === 'open' || tcp.kind === 'firewall';
    if (untranslated || (external && foresight(tcp) === 'random')) {
      // Nothing translates it, or nobody can say to what: any port will do, and there is nothing to be learned.
      const port = 49_152 + Math.floor(Math.random() * 16_384);
      const mapped = { host: untranslated ? localAddress : external!.host, port };
      return new PunchPort(localAddress, port, { mapped, tcp: words, recentPorts: [] }, scope);
    }
    const server = stun.find(({ host }) => familyOf(host) === familyOf(localAddress));
    if (!server) throw new WayleaveError('no-answer', `no STUN server known for ${localAddress}`);
    try {
      const learn = async (afterMs: number, within: AbortSignal) => {
        if (afterMs > 0) await clock.sleep(afterMs, within);
        const options = { server, localAddress, signal: within, clock };
        const { StreamStunClient } = await import('../stun/stream-client.js');
        const client = scope.use(await StreamStunClient.open(options));
        const mapped = await mappingOf(client, within);
        if (!mapped) throw new WayleaveError('no-answer', `${server.host} does not say what it sees`);
        return { client, mapped };
      };
      const inSequence = foresight(tcp) === 'sequence';
      const sample = () =>
        inSequence
          ? mostOf(SAMPLES, (i, within) => learn(i * SAMPLE_SPACING_MS, within), clock, signal)
          : firstOf(REDIAL_MS, learn, clock, signal).then(one => [one]);
      const portsOf = (all: Awaited<ReturnType<typeof sample>>) => all.map(each => each.mapped.port);
      let samples = await sample();
      // the end of the NAT's range may have come between, or too many strangers: not twice
      if (inSequence && !portSequence(portsOf(samples), tcp.ports.delta)) samples = await sample();
      const [{ client, mapped }] = samples as [(typeof samples)[number]];
      const recentPorts = inSequence ? portsOf(samples) : [];
      return new PunchPort(
        localAddress,
        client.local.port,
        { mapped, tcp: words, recentPorts },
        scope,
        client,
      );
    } catch (error) {
      await scope.close();
      throw error;
    }
  }

  /** Keeps the mapping in use. False: it is gone, or is another one now. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    if (!this.#holding) return true;
    const mapped = await mappingOf(this.#holding, signal);
    return mapped !== undefined && sameEndpoint(mapped, this.side.mapped);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close();
  }
}

/** What the server sees of this connection. The codec is loaded by those who punch, not by everybody. */
async function mappingOf(client: StreamStunClient, signal: AbortSignal): Promise<Endpoint | undefined> {
  const { mappedAddress, successOf } = await import('../stun/client.js');
  return mappedAddress(successOf(await client.request({}, { signal })));
}

/** The result that is there first; the other tasks are called back. Rejects if there is none. */
async function firstOf<T>(
  inputs: readonly number[],
  task: (input: number, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const there = new AbortController();
  using within = clock.deadline(2 ** 30, [signal, there.signal]);
  const running = inputs.map(input => task(input, within.signal));
  try {
    return await Promise.any(running);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : (error as AggregateError).errors[0];
  } finally {
    there.abort();
    await Promise.allSettled(running);
  }
}

/** Results in order: all of them, or those there are a moment after the second. Rejects if there is none. */
async function mostOf<T>(
  count: number,
  task: (index: number, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T[]> {
  const late = new AbortController();
  using within = clock.deadline(2 ** 30, [signal, late.signal]);
  let there = 0;
  const running = Array.from({ length: count }, async (_, i) => {
    const result = await task(i, within.signal);
    if (++there === 2) {
      void clock.sleep(GRACE_MS, within.signal).then(
        () => late.abort(),
        () => {}, // everything was there
      );
    }
    return result;
  });
  const settled = await Promise.allSettled(running);
  late.abort();
  if (signal.aborted) throw abortError(signal);
  const results = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []));
  if (results.length > 0) return results;
  throw (settled[0] as PromiseRejectedResult).reason;
}
