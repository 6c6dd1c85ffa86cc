// Which ways in are worth a try, from what is known about an address: pure. Undefined: nothing is known that
// would speak for it or against it, so what is there stays, and nothing new is begun.
import type { Behaviour } from '../nat/profile.js';
import { familyOf, ipScope } from '../net/ip-scope.js';

/** Whether the gateway in front of this local address is to be asked for a port. */
export function worthAsking(address: string, { kind }: Pick<Behaviour, 'kind'>): boolean | undefined {
  if (kind === 'open') return false;
  const scope = ipScope(address);
  if (scope === 'private' || scope === 'shared') return familyOf(address) === 4; // behind some NAT, always
  if (scope !== 'global') return false;
  return kind === 'unknown' ? undefined : kind === 'firewall' || kind === 'nat';
}

type Filter = Pick<Behaviour, 'kind' | 'mapping' | 'filtering'>;

/** Whether a port can be held open: only where the NAT lets in everybody (RFC 4787 section 5). */
export function worthHolding({ kind, mapping, filtering }: Filter): boolean | undefined {
  if (kind === 'unknown') return undefined;
  if (kind !== 'nat') return false;
  if (mapping === 'unknown' || filtering === 'unknown') return undefined;
  return mapping === 'endpoint-independent' && filtering === 'endpoint-independent';
}
