// May this endpoint be dialled, and on whose word? Pure. Two questions, because two kinds of people ask:
// the user who handed over a peer's signed address, and a stranger who asks to be called back. Nobody can make
// a node knock on loopback, link-local (cloud metadata among them), multicast or translated addresses, nor on
// a network that it does not share with the one who asks.
import { type Endpoint, toEndpoint } from '../net/endpoint.js';
import type { LocalAddress } from '../net/interfaces.js';
import { inSamePrefix, ipScope } from '../net/ip-scope.js';

/** What a node knows about its own place. */
export interface Vantage {
  readonly local: readonly LocalAddress[];
  /** Addresses under which the world sees this node. */
  readonly externals: readonly string[];
}

/** How near an endpoint is that may be dialled; `refused` says why it may not. */
export type DialVerdict =
  | { readonly near: 'same-machine' | 'same-network' | 'world' }
  | { readonly refused: string };

const onLink = (host: string, local: readonly LocalAddress[]) =>
  local.some(({ address, prefix, scope }) => scope !== 'loopback' && inSamePrefix(host, address, prefix));

/**
 * An endpoint out of the signed address that the user gave to `connect`.
 * @param peer where that node is, as far as its address shows: on this machine, and what the world sees of it.
 */
export function dialOnUsersWord(
  endpoint: Endpoint,
  vantage: Vantage,
  peer: { readonly sameMachine: boolean; readonly externals: readonly string[] },
): DialVerdict {
  if (!isCanonical(endpoint)) return { refused: 'it is not a canonical IP address and port' };
  const { host } = endpoint;
  if (peer.sameMachine) {
    const own = ipScope(host) === 'loopback' || vantage.local.some(({ address }) => address === host);
    return own ? { near: 'same-machine' } : { refused: 'it is not an address of this machine' };
  }
  if (vantage.local.some(({ address }) => address === host)) {
    return { refused: 'it is an address of this machine, and that node runs on another' };
  }
  switch (ipScope(host)) {
    case 'global':
      return { near: onLink(host, vantage.local) ? 'same-network' : 'world' };
    case 'private':
    case 'shared': {
      const shared = peer.externals.some(address => vantage.externals.includes(address));
      if (shared || onLink(host, vantage.local)) return { near: 'same-network' };
      return { refused: 'it is a private address of a network that this node is not on' };
    }
    default:
      return { refused: `${ipScope(host)} addresses are never dialled` };
  }
}

/** What the signalling server stamped on a request, and what else is known of the one who asks. */
export interface Requester {
  /** The IP the server saw the request come from; undefined where the service does not tell (a broker). */
  readonly seenFrom: string | undefined;
  /** The IP the same server sees us come from. */
  readonly seenAs: string | undefined;
  /** The requester's signed address proves that it runs on this machine. */
  readonly sameMachine: boolean;
}

/**
 * An endpoint that a peer asks us to dial. It must be exactly where the server saw that peer come from, so an
 * endpoint of a third party never passes; not even one in our own network, which a neighbour might name.
 */
export function dialOnStrangersWord(endpoint: Endpoint, vantage: Vantage, who: Requester): DialVerdict {
  if (!isCanonical(endpoint)) return { refused: 'it is not a canonical IP address and port' };
  const { host } = endpoint;
  const scope = ipScope(host);
  if (who.sameMachine) {
    const own = scope === 'loopback' || vantage.local.some(({ address }) => address === host);
    return own ? { near: 'same-machine' } : { refused: 'it is not an address of this machine' };
  }
  if (scope !== 'global' && scope !== 'private' && scope !== 'shared') {
    return { refused: `${scope} addresses are never dialled` };
  }
  if (vantage.local.some(({ address }) => address === host)) {
    return { refused: 'it is an address of this machine, and that node runs on another' };
  }
  if (who.seenFrom === undefined) return { refused: 'nobody vouches for where the request came from' };
  if (host !== who.seenFrom) return { refused: 'the request came from elsewhere' };
  if (scope === 'global') return { near: 'world' };
  if (onLink(host, vantage.local)) return { near: 'same-network' };
  // a private network larger than one link: the server is inside it, and sees us inside it as well
  const within = who.seenAs !== undefined && ipScope(who.seenAs) === scope;
  return within
    ? { near: 'same-network' }
    : { refused: 'it is on a private network that this node is not on' };
}

function isCanonical({ host, port }: Endpoint): boolean {
  return toEndpoint(host, port)?.host === host;
}
