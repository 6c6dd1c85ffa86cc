// UPnP control (UPnP Device Architecture 1.1 section 3): an action with arguments in a SOAP envelope out,
// its results or its error number in. Pure.
import { DecodeError } from '../errors.js';
import { GatewayRefusal } from './gateway-refusal.js';
import { childOf, escapeXml, parseGatewayXml, textOf, type XmlNode } from './gateway-xml.js';

/** Arguments in the order of the service document: some gateways read by position. */
export type SoapArguments = readonly (readonly [name: string, value: string | number])[];

export function encodeSoapRequest(serviceType: string, action: string, args: SoapArguments): string {
  const fields = args.map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`).join('');
  return (
    '<?xml version="1.0"?>\r\n' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"' +
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${serviceType}">${fields}</u:${action}>` +
    '</s:Body></s:Envelope>\r\n'
  );
}

/** Reads one result of an action; the empty text if the gateway left it out. */
export type SoapResults = (name: string) => string;

/**
 * @throws GatewayRefusal with the UPnP error number, or DecodeError when it is neither result nor error.
 */
export function decodeSoapResponse(action: string, xml: string): SoapResults {
  const body = childOf(childOf(parseGatewayXml(xml), 'Envelope'), 'Body');
  const response = childOf(body, `${action}Response`);
  if (response !== undefined) return name => textOf(response, name);
  const fault = childOf(body, 'Fault');
  if (fault === undefined) throw new DecodeError('soap', `no answer to ${action}`);
  throw new GatewayRefusal('upnp-igd', errorNumber(fault));
}

function errorNumber(fault: XmlNode): number {
  const text = textOf(childOf(childOf(fault, 'detail'), 'UPnPError'), 'errorCode');
  if (!/^\d{1,4}$/.test(text)) throw new DecodeError('soap/fault', 'no error number');
  return Number(text);
}
