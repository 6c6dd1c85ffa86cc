// Asks by SSDP where the gateway keeps its description: by multicast on the interface, and straight to the
// gateway as well (UDA 1.1 section 1.3.2), which needs no multicast to work and waits for no MX delay.
// Answers that do not come from the gateway, or point elsewhere, are reported and ignored.
import type { Socket as UdpSocket } from 'node:dgram';
import { abortError, WayleaveError } from '../errors.js';
import { publish } from '../events.js';
import { familyOf, unmappedIp } from '../net/ip-scope.js';
import { bindUdp } from '../net/sockets.js';
import { gatewayHost } from './datagram-exchange.js';
import { type GatewayUrl, gatewayUrl } from './description-location.js';
import { owningInterface } from './gateway.js';
import type { GatewayPath } from './mapping-protocol.js';
import {
  decodeSsdp,
  encodeSsdpSearch,
  isGatewayTarget,
  SSDP_GROUP,
  SSDP_SEARCH_TARGETS,
} from './ssdp-message.js';

const SSDP_PORT = 1900;
/** The first search may be lost, or meet a gateway that just woke up; the last wait is for answers. */
const WAITS_MS = [500, 1000, 1500];

/**
 * The first description URL that is on the gateway.
 * @throws WayleaveError `no-answer`, or the signal's abort error.
 */
export async function searchGateway(path: GatewayPath, signal: AbortSignal): Promise<GatewayUrl> {
  if (signal.aborted) throw abortError(signal);
  const { gateway, localAddress, clock } = path;
  const family = familyOf(localAddress);
  // Over IPv6 the gateway knows us by the address we ask from, and it is its link-local address that is the
  // default route's next hop: ask from ours, and that is the one that answers.
  const linkLocal = family === 6 ? owningInterface(localAddress)?.linkLocal : undefined;
  const from = linkLocal === undefined ? localAddress : `${linkLocal}%${gateway.zone}`;
  const socket = await bindUdp({ family, address: from });
  const finished = new AbortController();
  const onAbort = () => finished.abort(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort(); // while the socket was bound
  let found: GatewayUrl | undefined;
  socket.on('message', (datagram, sender) => {
    found ??= acceptAnswer(datagram, unmappedIp(sender.address), path);
    if (found) finished.abort();
  });
  try {
    for (const waitMs of WAITS_MS) {
      search(socket, path);
      await clock.sleep(waitMs, finished.signal);
    }
    throw new WayleaveError('no-answer', `no UPnP gateway answered at ${gateway.address}`);
  } catch (error) {
    if (found) return found;
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  }
}

function search(socket: UdpSocket, { gateway, localAddress }: GatewayPath): void {
  const family = familyOf(localAddress);
  const port = gateway.ssdpPort ?? SSDP_PORT;
  try {
    socket.setMulticastInterface(family === 4 ? localAddress : `::%${gateway.zone}`);
    socket.setMulticastTTL(2);
  } catch {} // no multicast on this interface: the unicast search remains
  const group = family === 4 ? SSDP_GROUP[4] : `${SSDP_GROUP[6]}%${gateway.zone}`;
  for (const target of SSDP_SEARCH_TARGETS)
    for (const host of [gatewayHost(gateway), group])
      socket.send(encodeSsdpSearch(target, family), port, host, () => {});
}

function acceptAnswer(
  datagram: Uint8Array,
  sender: string,
  { gateway }: GatewayPath,
): GatewayUrl | undefined {
  try {
    const message = decodeSsdp(datagram);
    if (message.kind !== 'answer' || !isGatewayTarget(message.target) || message.location === undefined)
      return undefined;
    if (sender !== gateway.address) throw new Error(`${sender} is not the gateway ${gateway.address}`);
    return gatewayUrl(message.location, gateway);
  } catch (error) {
    publish('port-mapping-ignored', { protocol: 'upnp-igd', sender, reason: (error as Error).message });
    return undefined;
  }
}
