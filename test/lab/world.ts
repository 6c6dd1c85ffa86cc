// Worlds: networks of real kernel NATs with a WAN in between, without root, gone without a trace at the end.
//
//   await using world = await createWorld({ oneWayMs: 20, seed: 1 });
//   const server = world.publicHost('server', { addresses: 2 });
//   const alice = world.site('alice', 'symmetric-random');               // a NAT kind by name, or a row of your own
//   const bob = world.site('bob', 'port-restricted-drop', { hosts: 2 });
//   const process = await server.spawn('node', ['dist/src/cli/main.js', 'server', '--json']);
//   const { signalling } = await process.event<{ signalling: string }>('listening');
//   console.log(await alice.host.output('ping', ['-c1', server.address]));
//   await world.wan.set(['bob'], { loss: 0.1 });                         // while it runs
//
// Declaring is free; the first `spawn` (or `build`) makes all that was declared. `oneWayMs` is host to host,
// over the WAN, so a round trip takes twice that. Every process in a world ends when the world does.

import { type NatKind, type NatKindName, natKind } from './nat-kinds.js';
import { type AddressSpace, type Link, link } from './world/addressing.js';
import { AgentClient, builtProgram, type SpawnOptions } from './world/agent-client.js';
import { Host } from './world/host.js';
import type { LabProcess } from './world/lab-process.js';
import { startMiniupnpd } from './world/miniupnpd.js';
import { declareSite, type Site, type SiteOptions } from './world/site.js';
import {
  buildScript,
  type NamespacePlan,
  publicHostPlan,
  UNDERLAY_SCRIPT,
  UNDERLAY_SIDE,
  WAN_SIDE,
} from './world/topology.js';
import { Wan } from './world/wan-client.js';

export { worldAbility } from './world/isolation.js';
export type { Host, LabProcess, Site };

export interface WorldOptions {
  /** Host to host over the WAN, one way, in milliseconds. Default 0. */
  readonly oneWayMs?: number;
  /** Probability that a frame is lost on its way, one way. Default 0. */
  readonly loss?: number;
  /** Of everything random that the WAN does. Default 1. */
  readonly seed?: number;
}

export class World implements AsyncDisposable {
  readonly wan: Wan;
  readonly #agent: AgentClient;
  readonly #seed: number;
  readonly #names = new Set<string>(['underlay']);
  #links = 0;
  #plans: NamespacePlan[] = [];
  #plugs = new Map<string, string[]>();
  #connect: (() => Promise<void>)[] = [];
  #afterwards: (() => Promise<unknown>)[] = [];
  #building: Promise<void> = Promise.resolve();

  private constructor(agent: AgentClient, wan: Wan, seed: number) {
    this.#agent = agent;
    this.wan = wan;
    this.#seed = seed;
  }

  static async create({ oneWayMs = 0, loss = 0, seed = 1 }: WorldOptions = {}): Promise<World> {
    const agent = await AgentClient.start();
    try {
      await agent.ready;
      await runScript(agent, UNDERLAY_SCRIPT);
      const program = [process.execPath, builtProgram('wan/main'), WAN_SIDE, UNDERLAY_SIDE, String(seed)];
      const wanProcess = agent.spawn(null, program);
      const world = new World(agent, new Wan(wanProcess), seed);
      // A path crosses two links and each does its half.
      const half = { delayMs: oneWayMs / 2, loss: 1 - Math.sqrt(1 - loss) };
      world.#connect.push(() => world.wan.set('all', half));
      return world;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A host with global addresses and nothing in front: `addresses` of each family (1 to 9, default 1). */
  publicHost(name: string, { addresses = 1, addressSpace = 'benchmark' as AddressSpace } = {}): Host {
    const wanLink = this.#wanLink(name, addressSpace);
    this.#plans.push(publicHostPlan(this.#claim(name), wanLink, addresses));
    const own = Array.from({ length: addresses }, (_, i) => i + 1);
    return new Host(
      name,
      own.map(i => `${wanLink.prefix4}.${i}`),
      own.map(i => `${wanLink.prefix6}::${i}`),
      this.#launch,
    );
  }

  /** A gateway of that kind with hosts behind it: on the WAN, or `behind` another site's gateway. */
  site(name: string, kind: NatKindName | NatKind, options: SiteOptions = {}): Site {
    const row = typeof kind === 'string' ? natKind(kind) : kind;
    const carrier = row.carrier && this.site(`${name}-carrier`, row.carrier, { hosts: 0, lan: '100.64.1' });
    const behind = options.behind ?? carrier;
    const space = options.addressSpace ?? (row.portMapping ? 'ordinary' : 'benchmark');
    const { site, plans, plugs, neighbour } = declareSite({
      name,
      kind: row,
      options: { ...options, ...(behind ? { behind } : {}) },
      wanLink: behind ? undefined : this.#wanLink(name, space),
      launch: this.#launch,
    });
    for (const plan of plans) this.#claim(plan.name);
    this.#plans.push(...plans);
    for (const [gateway, commands] of plugs)
      this.#plugs.set(gateway, [...(this.#plugs.get(gateway) ?? []), ...commands]);
    if (row.portMapping) this.#afterwards.push(() => startMiniupnpd(site.gateway));
    if (neighbour) {
      const args = [builtProgram('world/neighbour'), String(row.neighbourFlowsPerSecond), String(this.#seed)];
      this.#afterwards.push(() => neighbour.spawn('node', args));
    }
    return site;
  }

  /** Makes what was declared since the last time. `spawn` does it by itself. */
  build(): Promise<void> {
    if (this.#plans.length === 0 && this.#connect.length === 0) return this.#building;
    const script = buildScript(this.#plans, this.#plugs);
    const connect = this.#connect;
    const afterwards = this.#afterwards;
    this.#plans = [];
    this.#plugs = new Map();
    this.#connect = [];
    this.#afterwards = [];
    this.#building = this.#building.then(async () => {
      await Promise.all([runScript(this.#agent, script), ...connect.map(action => action())]);
    });
    // Daemons of this batch start through `spawn`, which waits for the batch but not for them.
    return this.#building.then(async () => {
      await Promise.all(afterwards.map(action => action()));
    });
  }

  /** Ends it: when this settles, nothing of the world is left. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#agent[Symbol.asyncDispose]();
  }

  #launch = async (
    namespace: string,
    argv: readonly string[],
    options?: SpawnOptions,
  ): Promise<LabProcess> => {
    await this.build();
    return this.#agent.spawn(namespace, argv, options);
  };

  #claim(name: string): string {
    if (!/^[a-z][a-z0-9-]{0,40}$/.test(name) || this.#names.has(name))
      throw new Error(`a host or site cannot be called ${name}: taken, or not a-z, 0-9 and dashes`);
    this.#names.add(name);
    return name;
  }

  #wanLink(name: string, space: AddressSpace): Link {
    const wanLink = link(++this.#links, space);
    const prefixes = [`${wanLink.prefix4}.0/24`, `${wanLink.prefix6}::/48`];
    this.#connect.push(() => this.wan.addLink(name, wanLink.number, prefixes));
    return wanLink;
  }
}

async function runScript(agent: AgentClient, script: string): Promise<void> {
  const shell = agent.spawn(null, ['sh', '-e'], { input: script });
  const { code } = await shell.exited;
  if (code !== 0) throw new Error(`the world could not be built: ${shell.stderr.text}`);
}

/** An empty world. Throws with the reason where this machine cannot build worlds. */
export function createWorld(options?: WorldOptions): Promise<World> {
  return World.create(options);
}
