// A foreign UPnP client, the nat-upnp package, beside ours on the same gateway: each sees and leaves alone
// what the other has, and both are reached. What it cannot do is shown as well (docs/dependencies.md).
import { expect, test, vi } from 'vitest';
import { requirement } from '../../requirements.js';
import { builtProgram, GatewayWorld } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 60_000 });

describeGateway('nat-upnp', () => {
  test('on an IGDv1 gateway sees our mapping, and we leave its own alone', async () => {
    await using world = await GatewayWorld.create('IGDv1 only');
    const [ours, theirs] = world.home.hosts;
    const mapper = await world.startMapper(ours!);
    const { mapping } = await mapper.mapping();
    await world.startMapper(theirs!, { internalPort: 9100, options: { enabled: false } });
    const foreign = await theirs!.spawn('node', [builtProgram('nat-upnp-process')]);
    const told = await foreign.event<{ externalIp: string; mappings: unknown[] }>('mapped', {
      timeoutMs: 20_000,
    });
    expect(told.externalIp).toBe(world.home.external);
    expect(told.mappings).toContainEqual(
      expect.objectContaining({
        public: { host: '', port: 9000 },
        private: { host: ours!.address, port: 9000 },
        description: 'wayleave',
      }),
    );
    expect(await world.reach(mapping.external)).toBe(ours!.name);
    expect(await world.reach({ ...mapping.external, port: 9100 })).toBe(theirs!.name);

    const late = await world.startMapper(ours!, {
      name: 'late',
      internalPort: 9101,
      options: { externalPort: 9100 },
    });
    const { mapping: another } = await late.mapping();
    expect(another.external.port).not.toBe(9100);
    expect(await world.reach(another.external)).toBe('late');
    expect(await world.reach({ ...mapping.external, port: 9100 })).toBe(theirs!.name);

    foreign.end();
    await foreign.event('unmapped');
    expect(await world.reach({ ...mapping.external, port: 9100 })).toBeUndefined();
    expect(await world.reach(mapping.external)).toBe(ours!.name);
  });

  test('finds no service on an IGDv2 gateway, where ours does', async () => {
    await using world = await GatewayWorld.create('IGDv2 only');
    const [ours, theirs] = world.home.hosts;
    const foreign = await theirs!.spawn('node', [builtProgram('nat-upnp-process')]);
    expect(await foreign.event('failed', { timeoutMs: 20_000 })).toMatchObject({
      message: 'Service not found',
    });
    const { mapping } = await (await world.startMapper(ours!)).mapping();
    expect(await world.reach(mapping.external)).toBe(ours!.name);
  });
});
