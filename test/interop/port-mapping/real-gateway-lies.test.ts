// Networks that promise what they do not keep: nothing is published, nobody is contacted who should not be,
// and an event says why.
import { expect, test, vi } from 'vitest';
import { requirement } from '../../requirements.js';
import { builtProgram, DUAL_STACK_GATEWAY, type GatewayMode, GatewayWorld } from './gateway-world.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 60_000 });

/** The daemon fills its chains, and nothing leads there. */
const LYING_GATEWAY = {
  ...DUAL_STACK_GATEWAY,
  nftables: (external: string) =>
    DUAL_STACK_GATEWAY.nftables(external).replaceAll(/^.*jump \w*miniupnpd$/gm, ''),
};

describeGateway('nothing is published', () => {
  for (const mode of ['IGDv2 only', 'NAT-PMP only', 'PCP only', 'everything'] as GatewayMode[])
    test.concurrent(`where a gateway (${mode}) says yes and maps nothing`, async () => {
      await using world = await GatewayWorld.create(mode, { kind: LYING_GATEWAY });
      const mapper = await world.startMapper(world.home.host, { dialBack: await world.dialBack() });
      await mapper.process.event('ready', { timeoutMs: 20_000 });
      expect(mapper.all('mapping')).toEqual([]);
      expect(JSON.stringify(mapper.all('failed'))).toContain(
        `nothing gets through ${world.home.external}:9000`,
      );
      const rules = ['list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd'];
      expect(await world.home.gateway.output('nft', rules)).not.toContain('dnat'); // and it was taken back
    });

  test.concurrent('where another host answers in the gateway’s place', async () => {
    await using world = await GatewayWorld.create('silent');
    const [host, liarHost] = world.home.hosts;
    const own = liarHost!.ipv4[0]!;
    await using liar = await liarHost!.spawn('node', [builtProgram('ssdp-liar-process'), own]);
    await liar.event('listening');
    const mapper = await world.startMapper(host!);
    await liar.event('asked');
    await mapper.process.event('ready', { timeoutMs: 20_000 });
    expect(mapper.all('mapping')).toEqual([]);
    expect(mapper.all('ignored')).toContainEqual(
      expect.objectContaining({
        sender: own,
        reason: `${own} is not the gateway ${world.home.gateway.address}`,
      }),
    );
    expect(liar.stdout.text).not.toContain('visited');
  });

  test.concurrent('where the gateway is silent, and closing does not wait for it', async () => {
    await using world = await GatewayWorld.create('silent');
    const mapper = await world.startMapper(world.home.host);
    await mapper.process.event('unavailable', { timeoutMs: 20_000 });
    expect(mapper.all('mapping')).toEqual([]);
    await mapper.close();
  });
});
