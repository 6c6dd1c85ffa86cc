// Which of the signalling servers that a peer's address names may be contacted, now that the user asked to connect to
// that peer. Pure: names pass here, and are looked at when they are resolved (signalling/guarded-lookup.ts).
import { dialOnUsersWord } from '../address/dial-policy.js';
import type { NodeAddress } from '../address/node-address.js';
import { canonicalIp, inSamePrefix, ipScope } from '../net/ip-scope.js';
import { hostOf, isBroker, parseServerUrl } from '../signalling/server-url.js';
import { onSameMachine, vantageOf } from './candidates.js';

/** The URLs that may be used, as the address has them. */
export function contactableServers(self: NodeAddress, peer: NodeAddress): string[] {
  const vantage = vantageOf(self);
  const where = { sameMachine: onSameMachine(self, peer), externals: vantageOf(peer).externals };
  return peer.servers.filter(url => {
    if (!isServerUrl(url)) return false;
    const host = canonicalIp(hostOf(url));
    if (host === undefined || where.sameMachine) return true;
    const ours = vantage.local.some(({ address, scope }) => address === host && scope !== 'loopback');
    return ours || 'near' in dialOnUsersWord({ host, port: 1 }, vantage, where);
  });
}

/** Whether it is one that this version can use. */
function isServerUrl(text: string): boolean {
  try {
    return parseServerUrl(text) !== '';
  } catch {
    return false;
  }
}

/**
 * Whether requests can reach the peer through brokers only: they do not say where a request comes from, so the peer
 * will dial nobody on it (address/dial-policy.ts).
 */
export function nobodyVouches(self: NodeAddress, peer: NodeAddress): boolean {
  const ways = peer.servers.length > 0 ? peer.servers : self.servers;
  return ways.every(isBroker) && !onSameMachine(self, peer);
}

/** Whether a name may lead to this address: a global one, or one on a network that this node is on. */
export function contactableAddress(self: NodeAddress, ip: string): boolean {
  const scope = ipScope(ip);
  if (scope === 'global') return true;
  if (scope !== 'private' && scope !== 'shared') return false;
  return vantageOf(self).local.some(({ address, prefix }) => inSamePrefix(ip, address, prefix));
}
