// Calls an action of a UPnP service on the gateway: the SOAP envelope over HTTP. What reads XML is loaded when a
// gateway has answered by SSDP, not before: most nodes never need it.
import { DecodeError } from '../errors.js';
import type { GatewayUrl } from './description-location.js';
import { requestHttp } from './gateway-http.js';
import type { GatewayPath } from './mapping-protocol.js';
import type { SoapArguments, SoapResults } from './soap-message.js';
import type { UpnpService } from './upnp-service.js';

/** @throws GatewayRefusal, DecodeError, or what requestHttp throws. */
export async function callAction(
  path: GatewayPath,
  service: UpnpService,
  action: string,
  args: SoapArguments,
  signal: AbortSignal,
): Promise<SoapResults> {
  const { decodeSoapResponse, encodeSoapRequest } = await import('./soap-message.js');
  const body = encodeSoapRequest(service.type, action, args);
  const headers = {
    'Content-Type': 'text/xml; charset="utf-8"',
    SOAPAction: `"${service.type}#${action}"`,
  };
  // An error comes as status 500 with a fault inside; the envelope says it all.
  const answer = await requestHttp(path, service.control, { method: 'POST', headers, body }, signal);
  if (answer.status !== 200 && answer.status !== 500)
    throw new DecodeError('http/status', `${answer.status} to ${action}`);
  return decodeSoapResponse(action, answer.body);
}

/** Reads the description and lists the services of use. @throws DecodeError, or what requestHttp throws. */
export async function readServices(
  path: GatewayPath,
  location: GatewayUrl,
  signal: AbortSignal,
): Promise<UpnpService[]> {
  const { parseDescription } = await import('./upnp-description.js');
  const { status, body } = await requestHttp(path, location, { method: 'GET' }, signal);
  if (status !== 200) throw new DecodeError('http/status', `${status} to the description's URL`);
  return parseDescription(body, location);
}
