// Where a node learns its STUN and TURN endpoints from: the greeting gathers them from every source. One source is
// the configured list; parts of this server that answer STUN or relay are others.
import type { NodeId } from '../src/identity/node-id.js';
import type { Greeting, TurnGrant } from '../src/signalling/frames.js';
import type { ResolvedServerOptions } from './options.js';

export interface EndpointSource extends AsyncDisposable {
  /** What to announce when the server starts, like `stun:host:port`. */
  readonly stun: readonly string[];
  readonly turn: readonly string[];
  /**
   * What to tell one node.
   * @param host the name or address by which it reached us, without port
   * @param from the IP address that it came from
   */
  endpointsFor(
    id: NodeId,
    host: string,
    from: string,
  ): { readonly stun: readonly string[]; readonly turn: readonly TurnGrant[] };
  /** What it can tell of itself, in Prometheus' text format. */
  metrics?(): string;
}

/** The endpoints that the administrator configured. */
export function configuredEndpoints({ stun, turn }: ResolvedServerOptions): EndpointSource {
  return {
    stun,
    turn: turn.flatMap(({ urls }) => urls),
    endpointsFor: () => ({ stun, turn }),
    async [Symbol.asyncDispose]() {},
  };
}

export function greet(
  id: NodeId,
  host: string,
  seenAs: Greeting['seenAs'],
  sources: readonly EndpointSource[],
  limits: Greeting['limits'],
): Greeting & { type: 'welcome' } {
  const all = sources.map(source => source.endpointsFor(id, host, seenAs.host));
  // No node reads a longer list
  const stun = all.flatMap(endpoints => endpoints.stun).slice(0, 16);
  const turn = all.flatMap(endpoints => endpoints.turn).slice(0, 16);
  return { type: 'welcome', id, seenAs, stun, turn, limits };
}

/** When a greeting must be renewed: half way to the first expiry among its credentials (wall clock, ms). */
export function renewalTime({ turn }: Pick<Greeting, 'turn'>, wall: number): number {
  const expiries = turn.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY);
  return wall + Math.max(1000, (Math.min(Number.POSITIVE_INFINITY, ...expiries) - wall) / 2);
}
