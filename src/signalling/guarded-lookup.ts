// Resolving the name of a server that a peer's address names: whoever owns the name could let it point into our own
// network, or at this machine, so what it resolves to is looked at before anything is dialled.
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** A `lookup` for sockets that drops the addresses which `admit` does not let pass; with none left, it fails. */
export function guardedLookup(admit: (ip: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, '');
      const admitted = found.filter(({ address }) => admit(address));
      const [first] = admitted;
      if (!first) {
        const refused: NodeJS.ErrnoException = new Error(`${hostname} points where no peer’s server may be`);
        return callback(Object.assign(refused, { code: 'EACCES' }), '');
      }
      if (options.all) callback(null, admitted);
      else callback(null, first.address, first.family);
    });
  };
}
