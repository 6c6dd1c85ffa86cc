// The UPnP client against a gateway on loopback: the ways in which real ones refuse, and what is done then.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { UpnpIgdClient } from '../../../src/port-mapping/upnp-igd.js';
import { type FakeUpnpGateway, fakeUpnpGateway } from './fake/upnp-gateway.js';

const { signal } = new AbortController();
const request = { internalPort: 9000, externalPort: 9000, lifetimeSeconds: 3600, description: 'test' };
let fake: FakeUpnpGateway;
let client: UpnpIgdClient;
beforeEach(async () => {
  fake = await fakeUpnpGateway();
  client = new UpnpIgdClient(
    { gateway: fake.gateway, localAddress: '127.0.0.1', clock: systemClock },
    () => 0.5,
  );
});
afterEach(() => fake[Symbol.asyncDispose]());

const granted = (port: number, lifetimeSeconds = 3600) => ({
  external: { host: '203.0.113.7', port },
  lifetimeSeconds,
});
const ours = { client: '127.0.0.1', internalPort: 9000, leaseSeconds: 3600 };

describe('the UPnP client', () => {
  it.each([['WANIPConnection:1'], ['WANIPConnection:2'], ['WANPPPConnection:1']])(
    'opens, renews, checks and removes by %s',
    async service => {
      fake.settings.services = [service];
      await client.detect(signal);
      expect(await client.open(request, signal)).toEqual(granted(9000));
      expect(fake.mappings.get(9000)).toEqual(ours);
      expect(fake.actions).toContain(service.endsWith(':2') ? 'AddAnyPortMapping' : 'AddPortMapping');
      expect(await client.open(request, signal)).toEqual(granted(9000));
      expect(await client.check(signal)).toBe('steady');
      await client.remove(signal);
      expect(fake.mappings.size).toBe(0);
    },
  );

  it('takes the service that has an external address', async () => {
    fake.settings.services = ['WANIPConnection:1', 'WANPPPConnection:1'];
    let asked = 0;
    fake.settings.refuse = action => (action === 'GetExternalIPAddress' && ++asked === 1 ? 501 : undefined);
    expect(await client.open(request, signal)).toEqual(granted(9000));
    expect(asked).toBe(2);
  });

  it.each([['0.0.0.0'], ['127.0.0.1'], [''], ['not an address'], ['203.0.113.7 or so']])(
    'finds no WAN whose address is %j',
    async address => {
      fake.settings.externalAddress = address;
      await expect(client.detect(signal)).rejects.toMatchObject({ code: 'request-failed' });
    },
  );

  it('leaves another host’s port alone', async () => {
    const other = { client: '127.0.0.9', internalPort: 80, leaseSeconds: 0 };
    fake.mappings.set(9000, other);
    expect(await client.open(request, signal)).toEqual(granted(57344));
    expect(fake.mappings.get(9000)).toEqual(other);
  });

  it('leaves another program’s port on the same host alone, which the gateway would give away', async () => {
    const other = { client: '127.0.0.1', internalPort: 9001, leaseSeconds: 0 };
    fake.mappings.set(9000, other);
    expect(await client.open(request, signal)).toEqual(granted(57344));
    expect(fake.mappings.get(9000)).toEqual(other);
  });

  it('takes another port on a conflict that it was not told of (718)', async () => {
    fake.mappings.set(9000, { client: '127.0.0.9', internalPort: 80, leaseSeconds: 0 });
    fake.settings.refuse = action => (action === 'GetSpecificPortMappingEntry' ? 606 : undefined);
    expect(await client.open(request, signal)).toEqual(granted(57344));
  });

  it('does not ask forever', async () => {
    fake.settings.refuse = action => (action === 'AddPortMapping' ? 718 : undefined);
    await expect(client.open(request, signal)).rejects.toMatchObject({ number: 718 });
    expect(fake.actions.filter(action => action === 'AddPortMapping')).toHaveLength(8);
  });

  it.each([725, 402])('takes a permanent mapping where there is nothing else (%d)', async number => {
    fake.settings.refuse = (action, args) =>
      action === 'AddPortMapping' && args.get('NewLeaseDuration') !== '0' ? number : undefined;
    expect(await client.open(request, signal)).toEqual(granted(9000, 0));
    await client.remove(signal);
    expect(fake.mappings.size).toBe(0);
  });

  it('uses the inside port outside where it must (724)', async () => {
    fake.settings.refuse = (action, args) =>
      action === 'AddPortMapping' && args.get('NewExternalPort') !== '9000' ? 724 : undefined;
    expect(await client.open({ ...request, externalPort: 443 }, signal)).toEqual(granted(9000));
  });

  it.each([606, 501, 728])('takes no for an answer (%d)', async number => {
    fake.settings.refuse = action => (action === 'AddPortMapping' ? number : undefined);
    await expect(client.open(request, signal)).rejects.toMatchObject({ number });
    expect(fake.actions.filter(action => action === 'AddPortMapping')).toHaveLength(1);
  });

  it('notices that the mapping is gone, or another’s, or the address is a new one', async () => {
    await client.open(request, signal);
    fake.mappings.delete(9000);
    expect(await client.check(signal)).toBe('lost');
    await client.open(request, signal);
    fake.mappings.set(9000, { ...ours, client: '127.0.0.9' });
    expect(await client.check(signal)).toBe('lost');
    fake.mappings.clear();
    await client.open(request, signal);
    fake.settings.externalAddress = '203.0.113.8';
    expect(await client.check(signal)).toBe('lost');
  });

  it('does not remove what has become another’s', async () => {
    await client.open(request, signal);
    fake.mappings.set(9000, { ...ours, client: '127.0.0.9' });
    await client.remove(signal);
    expect(fake.mappings.size).toBe(1);
  });

  it('believes a gateway that does not tell', async () => {
    fake.settings.refuse = action => (action === 'GetSpecificPortMappingEntry' ? 401 : undefined);
    await client.open(request, signal);
    expect(await client.check(signal)).toBe('steady');
  });
});
