// The description and everything it names must be on the gateway: locations that are followed, and all the
// ways of pointing elsewhere that are not.
import { describe, expect, it } from 'vitest';
import { controlUrl, gatewayUrl } from '../../../src/port-mapping/description-location.js';

const gateway4 = { address: '192.168.1.1', zone: 'eth0' };
const gateway6 = { address: 'fe80::1', zone: 'eth0' };

describe('a location over IPv4', () => {
  it('is followed on the gateway, on any port', () => {
    expect(gatewayUrl('http://192.168.1.1:5000/rootDesc.xml?a=1', gateway4)).toEqual({
      host: '192.168.1.1',
      port: 5000,
      path: '/rootDesc.xml?a=1',
    });
    expect(gatewayUrl('http://192.168.1.1', gateway4)).toMatchObject({ port: 80, path: '/' });
  });

  it.each([
    'http://192.168.1.2:5000/rootDesc.xml',
    'http://203.0.113.9/rootDesc.xml',
    'http://127.0.0.1/rootDesc.xml',
    'http://localhost/rootDesc.xml',
    'http://gateway.example/rootDesc.xml',
    'http://192.168.1.1.example/rootDesc.xml',
    'http://192.168.1.1@203.0.113.9/',
    'http://user:secret@192.168.1.1/',
    'http://[fe80::1]/',
    'http://[::ffff:203.0.113.9]/',
    'https://192.168.1.1/',
    'file:///etc/passwd',
    'gopher://192.168.1.1/',
    'http://192.168.1.1:0/',
    'http://192.168.1.1:65536/',
    '//192.168.1.1/',
    '/rootDesc.xml',
    'http://',
    '',
    `http://192.168.1.1/${'a'.repeat(2000)}`,
  ])('is not followed: %s', location =>
    expect(() => gatewayUrl(location, gateway4)).toThrow(expect.objectContaining({ place: 'location' })),
  );

  it('that spells the gateway otherwise still leads to the gateway', () => {
    expect(gatewayUrl('http://3232235777/', gateway4).host).toBe('192.168.1.1');
  });
});

describe('a location over IPv6', () => {
  it('may name any address of the gateway: the gateway itself is what is dialled', () => {
    expect(gatewayUrl('http://[fd77::1]:5000/d.xml', gateway6)).toEqual({
      host: '[fd77::1]',
      port: 5000,
      path: '/d.xml',
    });
    expect(gatewayUrl('http://[fe80::1%25eth0]:5000/d.xml', gateway6)).toMatchObject({ host: '[fe80::1]' });
  });

  it.each(['http://192.168.1.1/d.xml', 'http://gateway/d.xml', 'http://[fe80::1'])(
    'is not followed: %s',
    location =>
      expect(() => gatewayUrl(location, gateway6)).toThrow(expect.objectContaining({ place: 'location' })),
  );
});

describe('a control URL', () => {
  const base = { host: '192.168.1.1', port: 5000, path: '/dir/rootDesc.xml' };

  it.each([
    ['/ctl/IPConn', 5000, '/ctl/IPConn'],
    ['ctl', 5000, '/dir/ctl'],
    ['http://192.168.1.1:5001/ctl', 5001, '/ctl'],
    ['?x=1', 5000, '/dir/rootDesc.xml?x=1'],
  ])('%s is on the gateway', (reference, port, path) =>
    expect(controlUrl(reference, base)).toEqual({ host: '192.168.1.1', port, path }),
  );

  it.each(['http://203.0.113.9/ctl', '//203.0.113.9/ctl', 'https://192.168.1.1/ctl', 'javascript:1'])(
    '%s is not',
    reference =>
      expect(() => controlUrl(reference, base)).toThrow(expect.objectContaining({ place: 'control-url' })),
  );
});
