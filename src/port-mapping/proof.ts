// From what a gateway granted to what may be published: the external address is looked at, and a connection
// through the mapping is tried. Gateways lie, and two NATs in a row make honest ones wrong.
import type { Clock } from '../net/clock.js';
import type { Endpoint } from '../net/endpoint.js';
import { externalKind, unusableGrant } from './external-address.js';
import type { GrantedMapping } from './mapping-protocol.js';
import type { PortMapping, PortMappingProtocol } from './port-mapping.js';

/**
 * Tries a connection through the mapping (the server dials back, or hairpinning): true, it works; false, it
 * does not; undefined, nobody could try. After 5 s its signal aborts, which counts as undefined.
 */
export type ProveMapping = (external: Endpoint, signal: AbortSignal) => Promise<boolean | undefined>;

const PROOF_LIMIT_MS = 5000;
/** No lease is believed for longer than a day. */
const MAX_LIFETIME_SECONDS = 86_400;

/**
 * The mapping as it may be published, or undefined: proved to lead nowhere.
 * @throws WayleaveError `request-failed` when the granted address cannot be anybody's.
 */
export async function provedMapping(
  protocol: PortMappingProtocol,
  { external, lifetimeSeconds }: GrantedMapping,
  prove: ProveMapping | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const kind = externalKind(external.host);
  if (kind === 'unusable') throw unusableGrant(protocol, external.host, external.port);
  const mapping = { protocol, external, lifetimeSeconds: Math.min(lifetimeSeconds, MAX_LIFETIME_SECONDS) };
  // Behind another NAT the address is somebody else's business: nobody outside can dial it.
  if (kind === 'inner') return { ...mapping, proved: false, doubleNat: true };
  const verdict = prove && (await tryProof(prove, external, clock, signal));
  return verdict === false ? undefined : { ...mapping, proved: verdict === true };
}

async function tryProof(
  prove: ProveMapping,
  external: Endpoint,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  using deadline = clock.deadline(PROOF_LIMIT_MS, signal);
  const timeUp = new Promise<undefined>(resolve =>
    deadline.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  try {
    return await Promise.race([prove(external, deadline.signal), timeUp]);
  } catch {
    return undefined;
  } finally {
    signal.throwIfAborted();
  }
}
