// Debian's miniupnpd as the gateway, in five modes: what a node is given there is reached from outside, and
// is gone when it should be.
import { expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { GATEWAY_MODES, type GatewayMode, GatewayWorld } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');

describeGateway('a gateway', () => {
  for (const mode of Object.keys(GATEWAY_MODES) as GatewayMode[]) {
    test(`that speaks ${mode}: reached from outside at the mapped port, until close`, async () => {
      await using world = await GatewayWorld.create(mode);
      const { host, gateway, external } = world.home;
      const mapper = await world.startMapper(host, { dialBack: await world.dialBack() });
      const { mapping } = await mapper.mapping();
      expect(mapping).toEqual({
        protocol: GATEWAY_MODES[mode].protocol,
        external: { host: external, port: 9000 },
        lifetimeSeconds: 3600,
        proved: true,
      });
      expect(await world.reach(mapping.external)).toBe(host.name);
      await mapper.close();
      expect(
        await gateway.output('nft', ['list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd']),
      ).not.toContain('dnat');
    });
  }
});
