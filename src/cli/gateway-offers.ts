// What the gateways offer, for `wayleave probe`: asked for a port for a moment while the rest is measured, where
// asking may help at all. The port is given back before this settles.
import type { InterfaceProfile, ProbeResult } from '../nat/probe.js';
import { UNKNOWN_BEHAVIOUR } from '../nat/profile.js';
import { worthAsking } from '../port-mapping/worth.js';

type Offer = InterfaceProfile['portMapping'];

/**
 * The result of a probe of those local addresses, with the gateways' offers filled in.
 * @throws whatever the probe throws; WayleaveError the signal's abort error.
 */
export async function withGatewayOffers(
  probing: Promise<ProbeResult>,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { tryMapping } = await import('../port-mapping/trial-mapping.js');
  const ask = async (address: string): Promise<[string, Offer]> => {
    const given = await tryMapping(address, { signal });
    if (!given) return [address, { protocol: null, external: null }];
    const { protocol, external, doubleNat } = given;
    return [address, { protocol, external, ...(doubleNat ? { doubleNat } : {}) }];
  };
  // Behind an address that is not global there is some NAT: that need not be measured first.
  const surely = addresses.filter(address => worthAsking(address, UNKNOWN_BEHAVIOUR));
  const [result, early] = await Promise.all([probing, Promise.all(surely.map(ask))]);
  const offers = new Map(early);
  const firewalled = result.interfaces.filter(
    ({ address, tcp }) => !offers.has(address) && worthAsking(address, tcp),
  );
  for (const [address, offer] of await Promise.all(firewalled.map(({ address }) => ask(address))))
    offers.set(address, offer);
  const interfaces = result.interfaces.map(each => {
    return { ...each, portMapping: offers.get(each.address) ?? each.portMapping };
  });
  return { ...result, interfaces };
}
