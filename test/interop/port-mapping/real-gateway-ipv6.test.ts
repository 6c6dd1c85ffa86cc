// IPv6 behind a firewall: the pinhole that PCP or UPnP opens lets the outside in, to that port only.
import { expect, test, vi } from 'vitest';
import { requirement } from '../../requirements.js';
import { type GatewayMode, GatewayWorld, routeBy, until } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 60_000 });

describeGateway('an IPv6 pinhole', () => {
  const cases: [mode: GatewayMode, protocol: string, router: 'global' | 'link-local'][] = [
    ['PCP only', 'pcp', 'link-local'],
    ['PCP only', 'pcp', 'global'],
    ['IGDv2 only', 'upnp-igd', 'link-local'],
    ['everything', 'pcp', 'link-local'],
  ];
  for (const [mode, protocol, router] of cases)
    test.concurrent(`by ${mode}, the router having a ${router} address`, async () => {
      await using world = await GatewayWorld.create('silent');
      const { host } = world.home;
      await routeBy(world, router);
      await world.startGateway(mode);
      const endpoint = { host: host.ipv6[0]!, port: 9000 };
      await using _closed = (
        await world.startMapper(host, { family: 6, internalPort: 9001, options: { enabled: false } })
      ).process;
      const mapper = await world.startMapper(host, { family: 6 });
      const { mapping } = await mapper.mapping();
      expect(mapping).toMatchObject({ protocol, external: endpoint });
      expect(await world.reach(endpoint)).toBe(host.name);
      expect(await world.reach({ ...endpoint, port: 9001 })).toBeUndefined();
      await mapper.close();
      await using _heir = (await world.startMapper(host, { family: 6, options: { enabled: false } })).process;
      expect(await world.reach(endpoint)).toBeUndefined();
    });

  for (const mode of ['PCP only', 'IGDv2 only'] as const)
    test.concurrent(`by ${mode} is back within 30 s when the gateway restarts`, async () => {
      await using world = await GatewayWorld.create('silent');
      await routeBy(world, 'link-local');
      await world.startGateway(mode);
      const { host } = world.home;
      const endpoint = { host: host.ipv6[0]!, port: 9000 };
      const mapper = await world.startMapper(host, { family: 6 });
      await mapper.mapping();
      await world.stopGateway('SIGKILL');
      await world.forget();
      expect(await world.reach(endpoint)).toBeUndefined();
      await world.startGateway(mode);
      await until(async () => (await world.reach(endpoint)) === host.name, 30_000);
    });
});
