// Which of the signalling servers that a peer's address names may be contacted, now that the user asked to connect to
// that peer. Pure: names pass here, and are looked at when they are resolved (signalling/guarded-lookup.ts).
import { dialOnUsersWord } from '../address/dial-policy.js';
import type { NodeAddress } from '../address/node-address.js';
import { canonicalIp, inSamePrefix, ipScope } from '../net/ip-scope.js';
import { onSameMachine, vantageOf } from './candidates.js';

/** The URLs that may be used, as the address has them. */
export function contactableServers(self: NodeAddress, peer: NodeAddress): string[] {
  const vantage = vantageOf(self);
  const where = { sameMachine: onSameMachine(self, peer), externals: vantageOf(peer).externals };
  return peer.servers.filter(url => {
    const host = canonicalIp(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'));
    if (host === undefined || where.sameMachine) return true;
    const ours = vantage.local.some(({ address, scope }) => address === host && scope !== 'loopback');
    return ours || 'near' in dialOnUsersWord({ host, port: 1 }, vantage, where);
  });
}

/** Whether a name may lead to this address: a global one, or one on a network that this node is on. */
export function contactableAddress(self: NodeAddress, ip: string): boolean {
  const scope = ipScope(ip);
  if (scope === 'global') return true;
  if (scope !== 'private' && scope !== 'shared') return false;
  return vantageOf(self).local.some(({ address, prefix }) => inSamePrefix(ip, address, prefix));
}
