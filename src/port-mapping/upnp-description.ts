// What a gateway's description offers (UPnP Device Architecture 1.1 section 2.3): the services of use to us,
// wherever in the tree of devices they hang, each with its control URL. Pure.
import { DecodeError } from '../errors.js';
import { controlUrl, type GatewayUrl } from './description-location.js';
import { childOf, childrenOf, parseGatewayXml, textOf, type XmlNode } from './gateway-xml.js';
import {
  CONNECTION_SERVICES,
  PINHOLE_SERVICE,
  type UpnpService,
  type UpnpServiceType,
} from './upnp-service.js';

/**
 * All known services, the preferred ones first. A control URL that leads off the gateway loses its service.
 * @throws DecodeError when the text is not a device description.
 */
export function parseDescription(xml: string, location: GatewayUrl): UpnpService[] {
  const root = childOf(parseGatewayXml(xml), 'root');
  const device = childOf(root, 'device');
  if (device === undefined) throw new DecodeError('description', 'no root device');
  // UDA 1.0 has URLBase; held to the same host, it can only change port and path.
  const urlBase = textOf(root, 'URLBase');
  const base = urlBase === '' ? location : controlUrl(urlBase, location);
  const services: UpnpService[] = [];
  for (const node of servicesIn(device)) {
    const type = KNOWN.find(known => known === textOf(node, 'serviceType'));
    if (type === undefined) continue;
    try {
      services.push({ type, control: controlUrl(textOf(node, 'controlURL'), base) });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
  return services.sort((a, b) => KNOWN.indexOf(a.type) - KNOWN.indexOf(b.type));
}

const KNOWN: readonly UpnpServiceType[] = [...CONNECTION_SERVICES, PINHOLE_SERVICE];

// The depth is bounded by the XML reader.
function* servicesIn(device: XmlNode): Generator<XmlNode> {
  for (const list of childrenOf(device, 'serviceList')) yield* childrenOf(list, 'service');
  for (const list of childrenOf(device, 'deviceList'))
    for (const inner of childrenOf(list, 'device')) yield* servicesIn(inner);
}
