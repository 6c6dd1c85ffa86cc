// Device descriptions: the services that matter, wherever they hang, and only on the gateway.
import { describe, expect, it } from 'vitest';
import { parseDescription } from '../../../src/port-mapping/upnp-description.js';

const location = { host: '192.168.1.1', port: 5000, path: '/rootDesc.xml' };
const service = (type: string, control: string) =>
  `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><controlURL>${control}</controlURL></service>`;
const description = (services: string, extra = '') =>
  `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">${extra}<device><deviceList><device>` +
  `<serviceList>${service('WANCommonInterfaceConfig:1', '/ctl/x')}</serviceList>` +
  `<deviceList><device><serviceList>${services}</serviceList></device></deviceList></device></deviceList></device></root>`;

describe('a description', () => {
  it('gives its services in the order of preference', () => {
    const xml = description(
      service('WANPPPConnection:1', '/ppp') +
        service('WANIPv6FirewallControl:1', '/fw') +
        service('WANIPConnection:1', '/ip1') +
        service('WANIPConnection:2', '/ip2'),
    );
    expect(
      parseDescription(xml, location).map(({ type, control }) => [
        type.split(':').slice(-2).join(':'),
        control.path,
      ]),
    ).toEqual([
      ['WANIPConnection:2', '/ip2'],
      ['WANIPConnection:1', '/ip1'],
      ['WANPPPConnection:1', '/ppp'],
      ['WANIPv6FirewallControl:1', '/fw'],
    ]);
  });

  it('may have a URLBase on the gateway (UDA 1.0)', () => {
    const xml = description(
      service('WANIPConnection:1', 'ctl'),
      '<URLBase>http://192.168.1.1:49000/igd/</URLBase>',
    );
    expect(parseDescription(xml, location)[0]?.control).toEqual({
      host: '192.168.1.1',
      port: 49000,
      path: '/igd/ctl',
    });
  });

  it('loses a service that is controlled elsewhere, and keeps the rest', () => {
    const xml = description(
      service('WANIPConnection:2', 'http://203.0.113.9/ctl') + service('WANIPConnection:1', '/ip1'),
    );
    expect(parseDescription(xml, location).map(({ control }) => control.path)).toEqual(['/ip1']);
  });

  it.each([
    ['has its URLBase elsewhere', description('', '<URLBase>http://203.0.113.9/</URLBase>'), 'control-url'],
    ['is a web page', '<html><body>Login</body></html>', 'description'],
    ['is empty', '', 'description'],
    ['is no XML', '\u0000<<<', 'xml'],
  ])('is refused when it %s', (_, xml, place) =>
    expect(() => parseDescription(xml, location)).toThrow(expect.objectContaining({ place })),
  );

  it('without services of use gives none', () =>
    expect(parseDescription(description(''), location)).toEqual([]));
});
