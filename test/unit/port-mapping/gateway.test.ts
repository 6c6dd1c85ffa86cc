// Which gateway belongs to an address of ours.
import { describe, expect, it } from 'vitest';
import {
  chooseGateway,
  findGateway,
  type InterfaceTable,
  owningInterface,
} from '../../../src/port-mapping/gateway.js';

const entry = (address: string, scopeid = 0) =>
  ({ address, family: address.includes(':') ? 'IPv6' : 'IPv4', scopeid }) as never;
const table: InterfaceTable = {
  lo: [entry('127.0.0.1')],
  eth0: [entry('192.168.1.2'), entry('2001:DB8:0::2'), entry('fe80::2', 7)],
  wlan0: [entry('10.0.0.2')],
};

describe('the interface that owns an address', () => {
  it('is found, spelling aside, with its number and its link-local address', () => {
    expect(owningInterface('2001:db8::2', table)).toEqual({
      name: 'eth0',
      addresses: ['192.168.1.2', '2001:db8::2', 'fe80::2'],
      index: 7,
      linkLocal: 'fe80::2',
    });
  });

  it('is none for an address that is not ours', () =>
    expect(owningInterface('192.168.1.99', table)).toBeUndefined());
});

describe('the gateway of an interface', () => {
  const eth0 = owningInterface('192.168.1.2', table)!;

  it('is that of its own default route, the lowest metric first', () => {
    const routes = [
      { gateway: '10.0.0.1', interfaceName: 'wlan0', metric: 1 },
      { gateway: '192.168.1.254', interfaceName: 'eth0', metric: 200 },
      { gateway: '192.168.1.1', interfaceName: 'eth0', metric: 100 },
    ];
    expect(chooseGateway(routes, eth0, 4)).toMatchObject({ address: '192.168.1.1' });
  });

  it('is recognized by the interface’s address or number where the system names those', () => {
    expect(
      chooseGateway([{ gateway: '192.168.1.1', interfaceAddress: '192.168.1.2', metric: 0 }], eth0, 4),
    ).toMatchObject({ address: '192.168.1.1' });
    expect(chooseGateway([{ gateway: 'fe80::1', interfaceIndex: 7, metric: 0 }], eth0, 6)).toMatchObject({
      address: 'fe80::1',
    });
  });

  it.each([
    ['another interface', { gateway: '10.0.0.1', interfaceName: 'wlan0', metric: 0 }],
    ['the other family', { gateway: 'fe80::1', interfaceName: 'eth0', metric: 0 }],
    ['nowhere', { gateway: '0.0.0.0', interfaceName: 'eth0', metric: 0 }],
    ['loopback', { gateway: '127.0.0.1', interfaceName: 'eth0', metric: 0 }],
  ])('is not that of %s', (_, route) => expect(chooseGateway([route], eth0, 4)).toBeUndefined());
});

it('loopback has no gateway on this machine either', async () => {
  expect(await findGateway('127.0.0.1')).toBeUndefined();
});
