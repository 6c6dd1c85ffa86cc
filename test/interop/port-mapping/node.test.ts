// What the port mapper is for: with nothing but the command line, a node behind a real gateway is reached by
// `direct` from outside, at the port that the gateway gave, for as long as the node lives.
import { afterAll, expect, test, vi } from 'vitest';
import { CLI, serverUrl, startServer } from '../../lab/matrix/product.js';
import { requirement } from '../../requirements.js';
import {
  builtProgram,
  DUAL_STACK_GATEWAY,
  GATEWAY_MODES,
  type GatewayMode,
  GatewayWorld,
  routeBy,
  until,
} from './gateway-world.js';
import { connectDirect, startEcho, terminate, waysOf } from './whole-product.js';

const describeGateway = await requirement('lab', 'miniupnpd');
vi.setConfig({ testTimeout: 90_000 });

/** IPv4 alone: over IPv6 the gateway opens a pinhole, and whoever connects prefers that. */
const IPV4 = '0.0.0.0';
const RULES = ['list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd'];

/** From `createNode` to the proved mapping in the address, the server 40 ms away: to be read, not asserted. */
const published: { mode: string; createdMs: number; publishedMs: number; load: number }[] = [];
afterAll(() => {
  if (published.length > 0) console.table(published);
});

describeGateway('a node behind a gateway', () => {
  for (const mode of Object.keys(GATEWAY_MODES) as GatewayMode[]) {
    test(`that speaks ${mode} is reached by direct at the mapped port, until it is terminated`, async () => {
      await using world = await GatewayWorld.create(mode, { oneWayMs: 20 });
      const { home, server, outside } = world;
      await startServer(server);
      const { protocol: by } = GATEWAY_MODES[mode];
      const external = { host: home.external, port: 9000 };

      const options = JSON.stringify({ servers: [serverUrl(server, home.host)], host: IPV4, port: 9000 });
      const timed = await home.host.spawn('node', [builtProgram('node-process'), options]);
      const { ms: createdMs } = await timed.event<{ ms: number }>('created');
      const first = await timed.event<{ ms: number }>('published', { timeoutMs: 20_000 });
      expect(first).toMatchObject({ external, mapping: { by, proved: true } });
      const [load = 0] = (await home.host.output('cat', ['/proc/loadavg'])).split(' ').map(Number);
      published.push({ mode, createdMs, publishedMs: first.ms, load });
      timed.kill('SIGTERM');
      await timed.exited;
      expect(await home.gateway.output('nft', RULES)).not.toContain('dnat');

      const node = await startEcho(home.host, server, ['--host', IPV4, '--port', '9000']);
      expect(waysOf(node)).toContainEqual(
        expect.objectContaining({ external, mapping: { by, proved: true } }),
      );
      expect(await connectDirect(outside, node)).toEqual({
        strategy: 'direct',
        remote: external,
        echo: 'hello',
      });
      expect(await home.gateway.output('nft', RULES)).toContain('dnat');
      expect(node.stderr.text).not.toContain('inbound-rejected'); // the proof is no attack
      expect(await terminate(node)).toBe(0);
      expect(await home.gateway.output('nft', RULES)).not.toContain('dnat');
    });
  }

  test.concurrent('shares it with another that wants the same port', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server, outside } = world;
    await startServer(server);
    const nodes = await Promise.all(
      home.hosts.map(host => startEcho(host, server, ['--host', IPV4, '--port', '9000'])),
    );
    for (const node of nodes)
      expect(await connectDirect(outside, node)).toMatchObject({ strategy: 'direct' });
    const ports = nodes.map(node => waysOf(node).find(({ mapping }) => mapping)?.external?.port);
    expect(new Set(ports).size).toBe(2);
  });

  test.concurrent('that is killed leaves a mapping that ends with its lease', async () => {
    await using world = await GatewayWorld.create('PCP only');
    const { home, server } = world;
    await startServer(server);
    const options = {
      servers: [serverUrl(server, home.host)],
      host: IPV4,
      port: 9000,
      portMapping: { leaseSeconds: 4 },
    };
    const node = await home.host.spawn('node', [builtProgram('node-process'), JSON.stringify(options)]);
    await node.event('published', { timeoutMs: 20_000 });
    node.kill('SIGKILL');
    await node.exited;
    expect(await home.gateway.output('nft', RULES)).toContain('dnat');
    await until(async () => !(await home.gateway.output('nft', RULES)).includes('dnat'), 20_000);
  });

  test.concurrent('that restarts is reached by direct again within 30 s', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server, outside } = world;
    await startServer(server);
    const node = await startEcho(home.host, server, ['--host', IPV4]);
    expect(await connectDirect(outside, node)).toMatchObject({ strategy: 'direct' });
    await world.stopGateway('SIGKILL');
    await world.forget();
    expect(await connectDirect(outside, node)).toHaveProperty('failed');
    await world.startGateway('everything');
    await until(async () => 'strategy' in (await connectDirect(outside, node)), 30_000);
  });

  for (const mode of ['PCP only', 'IGDv2 only'] as const)
    test.concurrent(`with an IPv6 firewall is reached by direct through the pinhole of ${mode}`, async () => {
      await using world = await GatewayWorld.create('silent');
      await routeBy(world, 'link-local');
      await world.startGateway(mode);
      const { home, server, outside } = world;
      const serving = await server.spawn('node', [CLI, 'server', '--json']); // with STUN over IPv6
      await serving.event('listening');
      const [own = ''] = home.host.ipv6;
      const url = `ws://[${server.ipv6[0]}]:7443`;
      const args = [CLI, 'node', '--host', own, '--port', '9000', '--server', url, '--echo', '--json'];
      const node = await home.host.spawn('node', args);
      await node.event('listening', { timeoutMs: 30_000 });
      const external = { host: own, port: 9000 };
      const { protocol: by } = GATEWAY_MODES[mode];
      expect(waysOf(node)).toEqual([{ address: own, external, mapping: { by, proved: true } }]);
      expect(await connectDirect(outside, node)).toMatchObject({ strategy: 'direct', remote: external });
      await terminate(node);
    });

  test.concurrent('that lies publishes nothing', async () => {
    const nftables = (external: string) =>
      DUAL_STACK_GATEWAY.nftables(external).replaceAll(/^.*jump \w*miniupnpd$/gm, '');
    await using world = await GatewayWorld.create('everything', {
      kind: { ...DUAL_STACK_GATEWAY, nftables },
    });
    const { home, server } = world;
    await startServer(server);
    const node = await startEcho(home.host, server, ['--port', '9000']);
    expect(node.stderr.text).toContain(`nothing gets through ${home.external}:9000`);
    expect(waysOf(node).map(({ mapping }) => mapping)).toEqual([null, null]);
  });

  test.concurrent('that is silent is ready all the same, and quickly usable', async () => {
    await using world = await GatewayWorld.create('silent');
    const { home, server } = world;
    await startServer(server);
    const options = JSON.stringify({ servers: [serverUrl(server, home.host)] });
    const node = await home.host.spawn('node', [builtProgram('node-process'), options]);
    const { ms: createdMs } = await node.event<{ ms: number }>('created');
    const { ms: publishedMs } = await node.event<{ ms: number }>('ready', { timeoutMs: 20_000 });
    published.push({ mode: 'silent (ready)', createdMs, publishedMs, load: 0 });
    expect(node.stdout.text).not.toContain('published');
  });

  test.concurrent('that no server can prove is reached at a port that is published as unproved', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, outside } = world;
    const node = await home.host.spawn('node', [CLI, 'node', '--echo', '--json']);
    await node.event('listening', { timeoutMs: 30_000 });
    const way = waysOf(node).find(({ mapping }) => mapping);
    expect(way).toMatchObject({ external: { host: home.external }, mapping: { by: 'pcp', proved: false } });
    expect(await connectDirect(outside, node)).toMatchObject({ strategy: 'direct', remote: way!.external });
  });

  test.concurrent('is left alone when told so', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server, outside } = world;
    await startServer(server);
    const node = await startEcho(home.host, server, ['--no-port-mapping']);
    expect(waysOf(node).map(({ mapping }) => mapping)).toEqual([null, null]);
    expect(await connectDirect(outside, node)).toHaveProperty('failed');
  });

  test.concurrent('is shown by the probe, which leaves nothing behind', async () => {
    await using world = await GatewayWorld.create('everything');
    const { home, server } = world;
    await startServer(server);
    const args = [CLI, 'probe', '--server', serverUrl(server, home.host), '--json'];
    const { interfaces } = JSON.parse(await home.host.output('node', args)) as {
      interfaces: { family: number; portMapping: unknown }[];
    };
    expect(interfaces.find(({ family }) => family === 4)?.portMapping).toEqual({
      protocol: 'pcp',
      external: { host: home.external, port: expect.any(Number) },
    });
    expect(await home.gateway.output('nft', RULES)).not.toContain('dnat');
  });
});
