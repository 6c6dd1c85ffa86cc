// Debian's miniupnpd as the gateway, in five modes: what a node is given there is reached from outside, and
// is gone when it should be.
import { afterAll, expect, test, vi } from 'vitest';
import { requirement } from '../../requirements.js';
import { builtProgram, GATEWAY_MODES, type GatewayMode, GatewayWorld } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 60_000 });

const rules = ['list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd'];

/** From the mapper's start to the proved mapping: for people to read, not asserted. */
const published: { mode: GatewayMode; publishedMs: number }[] = [];
afterAll(() => {
  if (published.length > 0) console.table(published);
});

describeGateway('a gateway', () => {
  for (const mode of Object.keys(GATEWAY_MODES) as GatewayMode[]) {
    test(`that speaks ${mode}: reached from outside at the mapped port, until close`, async () => {
      await using world = await GatewayWorld.create(mode);
      const { host, gateway, external } = world.home;
      const mapper = await world.startMapper(host, { dialBack: await world.dialBack() });
      const { mapping, ms } = await mapper.mapping();
      published.push({ mode, publishedMs: Math.round(ms) });
      expect(mapping).toEqual({
        protocol: GATEWAY_MODES[mode].protocol,
        external: { host: external, port: 9000 },
        lifetimeSeconds: 3600,
        proved: true,
      });
      expect(await world.reach(mapping.external)).toBe(host.name);
      await mapper.close();
      expect(await gateway.output('nft', rules)).not.toContain('dnat');
    });
  }

  test('is tried without a trace', async () => {
    await using world = await GatewayWorld.create('everything');
    const { host, gateway, external } = world.home;
    const trial = await host.spawn('node', [builtProgram('trial-process'), host.address]);
    expect(await trial.event('tried')).toMatchObject({
      mapping: { protocol: 'pcp', external: { host: external }, lifetimeSeconds: 120, proved: false },
    });
    expect(await gateway.output('nft', rules)).not.toContain('dnat');
  });

  test('that is none is tried in vain', async () => {
    await using world = await GatewayWorld.create('silent');
    const { host } = world.home;
    const trial = await host.spawn('node', [builtProgram('trial-process'), host.address]);
    expect(await trial.event('tried', { timeoutMs: 20_000 })).toEqual({ event: 'tried', mapping: null });
  });
});
