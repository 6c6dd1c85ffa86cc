// SOAP envelopes: actions out, results and errors in.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childOf, parseGatewayXml } from '../../../src/port-mapping/gateway-xml.js';
import { decodeSoapResponse, encodeSoapRequest } from '../../../src/port-mapping/soap-message.js';

const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const envelope = (body: string, prefix = 's') =>
  `<?xml version="1.0"?><${prefix}:Envelope xmlns:${prefix}="http://schemas.xmlsoap.org/soap/envelope/"><${prefix}:Body>${body}</${prefix}:Body></${prefix}:Envelope>`;
const fault = (detail: string) =>
  envelope(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>${detail}</s:Fault>`);

describe('requests', () => {
  it('carry their arguments in order', () => {
    const xml = encodeSoapRequest(SERVICE, 'DoIt', [
      ['NewPort', 9000],
      ['NewText', 'a<b'],
    ]);
    expect(xml).toContain(
      `<u:DoIt xmlns:u="${SERVICE}"><NewPort>9000</NewPort><NewText>a&#60;b</NewText></u:DoIt>`,
    );
  });

  it('stay one element whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 63 }), text => {
        const body = childOf(
          childOf(parseGatewayXml(encodeSoapRequest(SERVICE, 'DoIt', [['A', text]])), 'Envelope'),
          'Body',
        );
        expect(Object.keys(childOf(body, 'DoIt') as object)).toEqual(['A']);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('responses', () => {
  it('give results by name, under any prefix', () => {
    const body = `<m:GetExternalIPAddressResponse xmlns:m="${SERVICE}"><NewExternalIPAddress>203.0.113.7</NewExternalIPAddress></m:GetExternalIPAddressResponse>`;
    const results = decodeSoapResponse('GetExternalIPAddress', envelope(body, 'SOAP-ENV'));
    expect(results('NewExternalIPAddress')).toBe('203.0.113.7');
    expect(results('Nothing')).toBe('');
  });

  it('may be empty', () => expect(decodeSoapResponse('A', envelope('<u:AResponse/>'))('x')).toBe(''));

  it('that are faults throw the number with its meaning', () => {
    const detail =
      '<detail><UPnPError><errorCode>718</errorCode><errorDescription>x</errorDescription></UPnPError></detail>';
    expect(() => decodeSoapResponse('A', fault(detail))).toThrow(
      expect.objectContaining({
        name: 'GatewayRefusal',
        code: 'request-failed',
        number: 718,
        message: 'the gateway refused by upnp-igd: 718 (conflicts with another mapping)',
      }),
    );
  });

  it.each([
    ['a fault without a number', fault(''), 'soap/fault'],
    [
      'a number that is none',
      fault('<detail><UPnPError><errorCode>x</errorCode></UPnPError></detail>'),
      'soap/fault',
    ],
    ['the answer to another action', envelope('<u:BResponse/>'), 'soap'],
    ['a web page', '<html/>', 'soap'],
    ['nothing', '', 'soap'],
  ])('are not %s', (_, xml, place) =>
    expect(() => decodeSoapResponse('A', xml)).toThrow(expect.objectContaining({ place })),
  );
});
