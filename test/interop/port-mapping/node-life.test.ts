// Ways in over the life of a node: closed at any moment, moved to another address, its server late.
import { expect, test, vi } from 'vitest';
import { serverUrl, startServer } from '../../lab/matrix/product.js';
import { requirement } from '../../requirements.js';
import { builtProgram, GatewayWorld, until } from './gateway-world.js';
import { connectDirect, startEcho, waysOf } from './whole-product.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 90_000 });

const RULES = ['list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd'];

describeGateway('the ways in of a node', () => {
  for (const mode of ['everything', 'IGDv2 only'] as const)
    test.concurrent(`are taken back whenever it is closed (${mode})`, async () => {
      await using world = await GatewayWorld.create(mode);
      const { home, server } = world;
      await startServer(server);
      const args = [builtProgram('node-churn-process'), serverUrl(server, home.host), '30', '500'];
      const churn = await home.host.spawn('node', args);
      const done = await churn.event<{ uncaught: number }>('done', { timeoutMs: 80_000 });
      expect(done.uncaught, churn.stderr.text).toBe(0);
      expect((await churn.exited).code).toBe(0);
      expect(await home.gateway.output('nft', RULES)).not.toContain('dnat');
    });

  test.concurrent('follow it to another address', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server, outside } = world;
    await startServer(server);
    const node = await startEcho(home.host, server, ['--host', '0.0.0.0', '--port', '9000']);
    const moved = `${home.lan.prefix4}.77`;
    await home.host.output('ip', ['addr', 'del', `${home.host.address}/24`, 'dev', 'eth0']);
    await home.host.output('ip', ['addr', 'add', `${moved}/24`, 'dev', 'eth0']);
    await home.host.output('ip', ['route', 'replace', 'default', 'via', home.gateway.address]);
    const way = () => waysOf(node).find(({ address }) => address === moved);
    await until(() => way()?.mapping?.by === 'pcp', 30_000);
    expect(await connectDirect(outside, node)).toMatchObject({ strategy: 'direct', remote: way()!.external });
  });

  test.concurrent('are proved when the server comes later than the gateway’s port', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server } = world;
    const options = JSON.stringify({ servers: [serverUrl(server, home.host)], host: '0.0.0.0', port: 9000 });
    const node = await home.host.spawn('node', [builtProgram('node-process'), options]);
    const first = await node.event<{ mapping: unknown }>('published', { timeoutMs: 20_000 });
    expect(first.mapping).toEqual({ by: 'pcp', proved: false });
    await startServer(server);
    await until(() => node.stdout.text.includes('{"by":"pcp","proved":true}'), 60_000);
  });
});
