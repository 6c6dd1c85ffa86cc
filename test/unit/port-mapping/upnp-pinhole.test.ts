// The pinhole client against a gateway on loopback. No address is translated, so loopback's will do.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { UpnpPinholeClient } from '../../../src/port-mapping/upnp-pinhole.js';
import { type FakeUpnpGateway, fakeUpnpGateway } from './fake/upnp-gateway.js';

const { signal } = new AbortController();
const request = { internalPort: 9000, externalPort: 443, lifetimeSeconds: 3600, description: 'test' };
let fake: FakeUpnpGateway;
let client: UpnpPinholeClient;
beforeEach(async () => {
  fake = await fakeUpnpGateway({ services: ['WANIPConnection:2', 'WANIPv6FirewallControl:1'] });
  client = new UpnpPinholeClient({ gateway: fake.gateway, localAddress: '127.0.0.1', clock: systemClock });
});
afterEach(() => fake[Symbol.asyncDispose]());

describe('the pinhole client', () => {
  it('opens a hole for the port itself, prolongs it and closes it', async () => {
    await client.detect(signal);
    const granted = { external: { host: '127.0.0.1', port: 9000 }, lifetimeSeconds: 3600 };
    expect(await client.open(request, signal)).toEqual(granted);
    expect([...fake.pinholes.values()]).toEqual([{ client: '127.0.0.1', port: 9000, leaseSeconds: 3600 }]);
    expect(await client.open({ ...request, lifetimeSeconds: 1800 }, signal)).toMatchObject({
      lifetimeSeconds: 1800,
    });
    expect([...fake.pinholes.values()]).toMatchObject([{ leaseSeconds: 1800 }]);
    await client.remove(signal);
    await client.remove(signal);
    expect(fake.pinholes.size).toBe(0);
    expect(fake.actions.filter(action => action === 'DeletePinhole')).toHaveLength(1);
  });

  it('checks without prolonging, and opens anew what the gateway forgot', async () => {
    await client.open(request, signal);
    expect(await client.check(signal)).toBe('steady');
    expect([...fake.pinholes.values()][0]!.leaseSeconds).toBeLessThanOrEqual(3600);
    fake.pinholes.clear();
    expect(await client.check(signal)).toBe('lost');
    await client.open(request, signal);
    expect(fake.pinholes.size).toBe(1);
  });

  it.each([702, 703, 606])('takes no for an answer (%d)', async number => {
    fake.settings.refuse = action => (action === 'AddPinhole' ? number : undefined);
    await expect(client.open(request, signal)).rejects.toMatchObject({ number });
  });

  it('finds nothing on a gateway without the service', async () => {
    fake.settings.services = ['WANIPConnection:2'];
    await expect(client.detect(signal)).rejects.toMatchObject({ code: 'request-failed' });
  });

  it('wants a number for its hole', async () => {
    fake.settings.instead = (incoming, response) => {
      if (!String(incoming.headers.soapaction).includes('AddPinhole')) return false;
      response.end(
        '<s:Envelope><s:Body><u:AddPinholeResponse><UniqueID>a lot</UniqueID></u:AddPinholeResponse></s:Body></s:Envelope>',
      );
      return true;
    };
    await expect(client.open(request, signal)).rejects.toMatchObject({ code: 'request-failed' });
  });
});
