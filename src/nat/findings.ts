// Where a probe writes down what it sees while it goes, so that whatever ends it early (a deadline, a dead
// server) leaves the samples taken until then.

import { WayleaveError } from '../errors.js';
import { type Endpoint, toEndpoint } from '../net/endpoint.js';
import { familyOf, ipScope } from '../net/ip-scope.js';
import type { StunMessage } from '../stun/message.js';
import type { FilteringSample, MappingSample, Samples, Unheard } from './samples.js';

export interface StunServer {
  readonly endpoint: Endpoint;
  /** The transports that it is known to serve; then silence is the network's doing. Default: not known. */
  readonly transports?: readonly ('udp' | 'tcp')[];
}

/** A server's corners, as its answers tell: the same address with another port, and another address. */
export interface Site {
  readonly main: Endpoint;
  readonly otherPort?: Endpoint | undefined;
  readonly otherAddress?: Endpoint | undefined;
}

/**
 * What an answer says about its server. Another address is believed only if it is of the same family and
 * scope: no server can send us to knock inside our own network.
 * @throws DecodeError
 */
export function siteOf(main: Endpoint, answer: StunMessage): Site {
  const told = answer.get('OTHER-ADDRESS');
  const other = told && toEndpoint(told.host, told.port);
  const port = other?.port ?? answer.get('OTHER-PORT');
  const otherPort = port === undefined || port === main.port ? undefined : toEndpoint(main.host, port);
  const credible =
    other &&
    other.host !== main.host &&
    familyOf(other.host) === familyOf(main.host) &&
    ipScope(other.host) === ipScope(main.host);
  return { main, otherPort, otherAddress: credible ? other : undefined };
}

/** The site that can show most. */
export function bestSite(sites: readonly (Site | undefined)[]): Site | undefined {
  const known = sites.filter(site => site !== undefined);
  return known.find(site => site.otherAddress) ?? known.find(site => site.otherPort) ?? known[0];
}

export class Findings {
  readonly #transport: 'udp' | 'tcp';
  readonly #localAddress: string;
  readonly #mapping: (MappingSample | undefined)[] = [];
  readonly filtering: FilteringSample[] = [];
  readonly unheard: Unheard[] = [];
  readonly delivery = { sent: 0, answered: 0 };
  hairpin: Samples['hairpin'];
  beyondWeb: Samples['beyondWeb'];
  /** The shortest round trip seen, in milliseconds. */
  roundTripMs: number | undefined;

  constructor(transport: 'udp' | 'tcp', localAddress: string) {
    this.#transport = transport;
    this.#localAddress = localAddress;
  }

  /** The samples so far, in the order in which they were asked for. */
  get mapping(): MappingSample[] {
    return this.#mapping.filter(sample => sample !== undefined);
  }

  /** Holds the next place for a mapping that is being made now, whenever its answer comes. */
  nextMapping(): (sample: MappingSample) => void {
    const index = this.#mapping.push(undefined) - 1;
    return sample => {
      this.#mapping[index] = sample;
    };
  }

  /** An exchange with a server that is known to live. */
  note(sent: number, answered: 0 | 1, roundTripMs?: number): void {
    this.delivery.sent += sent;
    this.delivery.answered += answered;
    if (roundTripMs !== undefined) this.roundTripMs = Math.min(roundTripMs, this.roundTripMs ?? roundTripMs);
  }

  /** Whether a NAT translates: some mapped endpoint is not the local one. */
  get translated(): boolean {
    return this.mapping.some(({ local, mapped }) => local.host !== mapped.host || local.port !== mapped.port);
  }

  samples(): Samples {
    const { mapping, filtering, unheard, delivery, hairpin, beyondWeb } = this;
    return {
      transport: this.#transport,
      localAddress: this.#localAddress,
      mapping,
      filtering,
      unheard,
      delivery,
      hairpin,
      beyondWeb,
    };
  }
}

/** What a probe was asked to look at, and with what. */
export interface GatherTask {
  readonly localAddress: string;
  readonly servers: readonly StunServer[];
  /** Ends the gathering, whatever it has by then. */
  readonly signal: AbortSignal;
}

/** The promise's value, or undefined for any failure that has a name of ours: a test that showed nothing. */
export async function orNothing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof WayleaveError) return undefined;
    throw error;
  }
}
