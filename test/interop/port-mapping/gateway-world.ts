// A world for the gateway tests: a home whose router runs Debian's miniupnpd in one of five modes, with IPv4
// behind a NAT and IPv6 behind a firewall, and a host outside that tries to get in.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../../../src/net/endpoint.js';
import type { PortMapping } from '../../../src/port-mapping/port-mapping.js';
import { NAT_KINDS, type NatKind } from '../../lab/nat-kinds.js';
import { createWorld, type Host, type LabProcess, type Site, type World } from '../../lab/world.js';
import type { MapperProcessSettings } from './mapper-process.js';

/**
 * What the gateway speaks. miniupnpd knows no NAT-PMP without PCP, nor the reverse, and speaks PCP over IPv6
 * even when told not to: what is not wanted is kept from it by a rule for its port, by version number.
 */
export const GATEWAY_MODES = {
  'IGDv1 only': {
    settings: { enable_natpmp: 'no', force_igd_desc_v1: 'yes' },
    rule: 'reject',
    protocol: 'upnp-igd',
  },
  'IGDv2 only': { settings: { enable_natpmp: 'no' }, rule: 'reject', protocol: 'upnp-igd' },
  'NAT-PMP only': { settings: { enable_upnp: 'no' }, rule: '@th,64,8 2 drop', protocol: 'nat-pmp' },
  'PCP only': { settings: { enable_upnp: 'no' }, rule: '@th,64,8 0 drop', protocol: 'pcp' },
  everything: { settings: {}, rule: 'accept', protocol: 'pcp' },
} as const satisfies Record<
  string,
  { settings: Record<string, string>; rule: string; protocol: PortMapping['protocol'] }
>;
export type GatewayMode = keyof typeof GATEWAY_MODES;

const { portMapping: _, ...portMappingKind } = NAT_KINDS['port-mapping'];
/** The laboratory's port-mapping gateway with IPv6, its daemon left for this file to start. */
export const DUAL_STACK_GATEWAY: NatKind = { ...portMappingKind, ipv6: 'routed' };

const CONFIGURATION = {
  ext_ifname: 'wan0',
  ext_ifname6: 'wan0',
  listening_ip: 'lan0',
  port: '5000',
  enable_natpmp: 'yes',
  enable_upnp: 'yes',
  secure_mode: 'yes',
  min_lifetime: '1',
  max_lifetime: '86400',
  uuid: '5e1f0000-0000-4000-8000-00000000a7a7',
  upnp_table_name: 'lab',
  upnp_nat_table_name: 'lab',
  upnp_forward_chain: 'miniupnpd',
  upnp_nat_chain: 'prerouting_miniupnpd',
  upnp_nat_postrouting_chain: 'postrouting_miniupnpd',
};

/** A program of these tests as built JavaScript. */
export function builtProgram(name: string): string {
  const program = fileURLToPath(
    new URL(`../../../dist/test/interop/port-mapping/${name}.js`, import.meta.url),
  );
  if (!existsSync(program)) throw new Error(`${program} is not built: run \`npm run build\` first`);
  return program;
}

export class GatewayWorld implements AsyncDisposable {
  readonly home: Site;
  readonly outside: Host;
  /** For a `wayleave server`: two addresses of each family. */
  readonly server: Host;
  readonly #world: World;
  #daemon: LabProcess | undefined;
  #dialBack: Promise<LabProcess> | undefined;

  private constructor(world: World, kind: NatKind, addressSpace: 'ordinary' | 'benchmark') {
    this.#world = world;
    this.home = world.site('home', kind, { hosts: 2, addressSpace });
    this.outside = world.publicHost('outside', { addressSpace: 'ordinary' });
    this.server = world.publicHost('server', { addresses: 2, addressSpace: 'ordinary' });
  }

  static async create(
    mode: GatewayMode | 'silent',
    { kind = DUAL_STACK_GATEWAY, oneWayMs = 0 }: { kind?: NatKind; oneWayMs?: number } = {},
  ): Promise<GatewayWorld> {
    const gatewayWorld = new GatewayWorld(await createWorld({ oneWayMs }), kind, 'ordinary');
    try {
      if (mode !== 'silent') await gatewayWorld.startGateway(mode);
      return gatewayWorld;
    } catch (error) {
      await gatewayWorld[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Empties its rules, as a reboot does. */
  async forget(): Promise<void> {
    for (const chain of ['miniupnpd', 'prerouting_miniupnpd', 'postrouting_miniupnpd'])
      await this.home.gateway.output('nft', ['flush', 'chain', 'inet', 'lab', chain]);
  }

  async startGateway(mode: GatewayMode): Promise<void> {
    const { gateway } = this.home;
    const { settings, rule } = GATEWAY_MODES[mode];
    const lines = Object.entries({ ...CONFIGURATION, ...settings }).map(
      ([key, value]) => `${key}=${value}\n`,
    );
    await gateway.run('sh', ['-c', 'cat > /run/world/gateway.conf'], { input: lines.join('') });
    await gateway.output('nft', ['-f', '-'], {
      input: `table inet modes
        flush table inet modes
        table inet modes { chain input { type filter hook input priority -10; udp dport 5351 ${rule}; }; }`,
    });
    this.#daemon = await gateway.spawn('miniupnpd', ['-d', '-f', '/run/world/gateway.conf']);
    await this.#daemon.stderr.line(line => /Listening for NAT-PMP|HTTP listening/.test(line));
  }

  /** Ends the daemon: `SIGTERM` says goodbye, `SIGKILL` does not. What it opened may stay until `forget`. */
  async stopGateway(signal: NodeJS.Signals): Promise<void> {
    this.#daemon?.kill(signal);
    await this.#daemon?.exited;
  }

  /** What the daemon wrote so far. */
  get gatewayLog(): string {
    return this.#daemon?.stderr.text ?? '';
  }

  /** The host outside offers dial-backs, as the server does; gives what a mapper process needs for its proof. */
  async dialBack(): Promise<{ host: string; port: number }> {
    this.#dialBack ??= this.outside.spawn('node', [builtProgram('dial-back-process')]);
    await (await this.#dialBack).event('listening');
    return { host: this.outside.address, port: 7000 };
  }

  /** A listening port with a mapper; `name` is what it says to those who connect. */
  async startMapper(
    host: Host,
    settings: Partial<MapperProcessSettings> & { family?: 4 | 6 } = {},
  ): Promise<MapperHandle> {
    const { family = 4, ...rest } = settings;
    const localAddress = (family === 4 ? host.ipv4[0] : host.ipv6[0])!;
    const argument = JSON.stringify({ name: host.name, localAddress, internalPort: 9000, ...rest });
    return new MapperHandle(await host.spawn('node', [builtProgram('mapper-process'), argument]));
  }

  /** Connects from outside: what the listener there says, or undefined when nobody can be reached. */
  reach(endpoint: Endpoint): Promise<string | undefined> {
    return reachFrom(this.outside, endpoint);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#world[Symbol.asyncDispose]();
  }
}

const isMapping = (line: string) => line.startsWith('{"event":"mapping","mapping":{');

/** A mapper in its own process. */
export class MapperHandle {
  readonly process: LabProcess;

  constructor(process: LabProcess) {
    this.process = process;
  }

  /** The first mapping that it published, and how long after its start. */
  async mapping(): Promise<{ mapping: PortMapping; ms: number }> {
    const line = await this.process.stdout.line(isMapping, { timeoutMs: 20_000 });
    return JSON.parse(line) as { mapping: PortMapping; ms: number };
  }

  /** Every event of that name so far. */
  all<T = Record<string, unknown>>(event: string): T[] {
    return this.process.stdout.lines
      .filter(line => line.startsWith(`{"event":"${event}"`))
      .map(line => JSON.parse(line) as T);
  }

  /** Ends it properly: the mapping is taken back before it exits. */
  async close(): Promise<void> {
    this.process.kill('SIGTERM');
    await this.process.event('closed');
    await this.process.exited;
  }

  async crash(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }
}

/** Home routers are known to their hosts by a link-local address (RFC 4861), others by a global one. */
export async function routeBy({ home }: GatewayWorld, router: 'global' | 'link-local'): Promise<void> {
  const { gateway, host } = home;
  await gateway.output('ip', ['addr', 'replace', 'fe80::1/64', 'dev', 'lan0', 'nodad']);
  await host.output('ip', ['addr', 'replace', 'fe80::a/64', 'dev', 'eth0', 'nodad']);
  const via = router === 'global' ? gateway.ipv6[0]! : 'fe80::1';
  await host.output('ip', ['-6', 'route', 'replace', 'default', 'via', via, 'dev', 'eth0']);
}

/** Connects from that host: what the listener there says, or undefined when nobody can be reached. */
export async function reachFrom(from: Host, { host, port }: Endpoint): Promise<string | undefined> {
  const script = `const s = require('node:net').connect(${port}, '${host}').setTimeout(1500);
    s.pipe(process.stdout); s.on('error', () => process.exit(1)).on('timeout', () => process.exit(1));`;
  const { code, stdout } = await from.run('node', ['-e', script]);
  return code === 0 ? stdout.trim() : undefined;
}

/** Waits until `check` holds, looking again every 300 ms. */
export async function until(check: () => boolean | Promise<boolean>, limitMs: number): Promise<number> {
  const startedAtMs = performance.now();
  while (!(await check())) {
    if (performance.now() - startedAtMs > limitMs) throw new Error(`not so within ${limitMs} ms`);
    await new Promise(resolve => setTimeout(resolve, 300));
  }
  return performance.now() - startedAtMs;
}
