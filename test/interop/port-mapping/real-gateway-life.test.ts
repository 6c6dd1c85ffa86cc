// A mapping's life on a real gateway: short leases, crashes on both sides, neighbours that want the same port.
import { expect, test, vi } from 'vitest';
import { requirement } from '../../requirements.js';
import { type GatewayMode, GatewayWorld, until } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 60_000 });
const SINGLE: GatewayMode[] = ['IGDv1 only', 'IGDv2 only', 'NAT-PMP only', 'PCP only'];

/** Seconds; miniupnpd looks for expired mappings every few seconds. */
const SHORT = 4;
const EXPIRY_LIMIT_MS = (SHORT + 15) * 1000;

describeGateway('a mapping', () => {
  for (const mode of SINGLE) {
    test.concurrent(`by ${mode} with a short lease is renewed while the node lives, and gone after kill -9`, async () => {
      await using world = await GatewayWorld.create(mode);
      const { host } = world.home;
      const mapper = await world.startMapper(host, { options: { leaseSeconds: SHORT } });
      const { mapping } = await mapper.mapping();
      expect(mapping.lifetimeSeconds).toBe(SHORT);
      await until(() => mapper.all('renewed').length >= 3, EXPIRY_LIMIT_MS);
      expect(await world.reach(mapping.external)).toBe(host.name);
      expect(mapper.all('lost')).toEqual([]);
      // Somebody else on that port, so that only the gateway can be the one who refuses.
      await mapper.crash();
      await using _heir = (await world.startMapper(host, { name: 'heir', options: { enabled: false } }))
        .process;
      await until(async () => (await world.reach(mapping.external)) === undefined, EXPIRY_LIMIT_MS);
    });

    for (const signal of ['SIGTERM', 'SIGKILL'] as const)
      test.concurrent(`by ${mode} is back within 30 s when the gateway restarts (${signal})`, async () => {
        await using world = await GatewayWorld.create(mode);
        const { host } = world.home;
        const mapper = await world.startMapper(host);
        const { mapping } = await mapper.mapping();
        await world.stopGateway(signal);
        await world.forget();
        expect(await world.reach(mapping.external)).toBeUndefined();
        await world.startGateway(mode);
        await until(async () => (await world.reach(mapping.external)) === host.name, 30_000);
        expect(mapper.all('mapping')).toHaveLength(1); // the same one: nothing new to publish
      });

    test.concurrent(`by ${mode} does not come between two nodes that want the same port`, async () => {
      await using world = await GatewayWorld.create(mode);
      const [first, second] = world.home.hosts;
      const names = [first!.name, second!.name, 'third'];
      const mappers = [await world.startMapper(first!), await world.startMapper(second!)];
      await Promise.all(mappers.map(mapper => mapper.mapping()));
      // On the same host as the second, where gateways let the later one take the port from the earlier.
      const options = { externalPort: 9000 };
      mappers.push(await world.startMapper(second!, { name: 'third', internalPort: 9001, options }));
      const mappings = await Promise.all(mappers.map(mapper => mapper.mapping()));
      expect(new Set(mappings.map(({ mapping }) => mapping.external.port)).size).toBe(3);
      for (const [i, { mapping }] of mappings.entries())
        expect(await world.reach(mapping.external)).toBe(names[i]);
      await mappers[1]!.close();
      expect(await world.reach(mappings[1]!.mapping.external)).toBeUndefined();
      expect(await world.reach(mappings[0]!.mapping.external)).toBe(names[0]);
      expect(await world.reach(mappings[2]!.mapping.external)).toBe(names[2]);
    });
  }
});
