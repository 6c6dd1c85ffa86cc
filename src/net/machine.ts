// Recognising one's own machine: two nodes on it share a secret that nobody else knows (on Linux the boot id
// and the network namespace, elsewhere the hardware addresses and the host's name). What a node publishes is
// a hash of that secret with its own id: only a node on the same machine can tell, and two nodes' tags
// cannot be linked by anybody else.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

let secret: string | undefined;

function machineSecret(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/net')}`;
  } catch {
    const hardware = Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ mac }) => mac));
    return `${hostname()} ${[...new Set(hardware)].sort().join(' ')}`;
  }
}

/** Eight bytes that a node with this id publishes while it runs on this machine, in this network namespace. */
export function machineTag(nodeId: string): Buffer {
  secret ??= machineSecret();
  return createHash('sha256').update(`wayleave/machine\0${secret}\0${nodeId}`).digest().subarray(0, 8);
}
