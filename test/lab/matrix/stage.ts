// The world of a matrix: one server, and for each kind of NAT a place from which to connect and a place with
// a node to connect to, so that a kind can also meet itself. Built once, used for every run.
import { type NatKindName, natKind } from '../nat-kinds.js';
import {
  createWorld,
  type Host,
  type LabProcess,
  type Site,
  type World,
  type WorldOptions,
} from '../world.js';
import { startNode, startServer } from './product.js';

export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly server: Host;
  readonly serverProcess: LabProcess;
  readonly #initiators: ReadonlyMap<string, Site>;
  readonly #responders: ReadonlyMap<string, { site: Site; node: LabProcess }>;

  private constructor(fields: {
    world: World;
    server: Host;
    serverProcess: LabProcess;
    initiators: ReadonlyMap<string, Site>;
    responders: ReadonlyMap<string, { site: Site; node: LabProcess }>;
  }) {
    this.world = fields.world;
    this.server = fields.server;
    this.serverProcess = fields.serverProcess;
    this.#initiators = fields.initiators;
    this.#responders = fields.responders;
  }

  /** Settles when the server listens and every node has published its address. */
  static async set(kinds: readonly NatKindName[], options: WorldOptions): Promise<Stage> {
    const world = await createWorld(options);
    try {
      const server = world.publicHost('server', { addresses: 2 });
      const initiators = new Map(kinds.map(kind => [kind, world.site(`from-${kind}`, natKind(kind))]));
      const sites = new Map(kinds.map(kind => [kind, world.site(`to-${kind}`, natKind(kind))]));
      await world.build();
      const serverProcess = await startServer(server);
      const responders = new Map<string, { site: Site; node: LabProcess }>();
      // One after another: they measure the network while they start, and should not disturb each other.
      for (const [kind, site] of sites)
        responders.set(kind, { site, node: await startNode(site.host, server) });
      return new Stage({ world, server, serverProcess, initiators, responders });
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  initiator(kind: string): Site {
    return this.#initiators.get(kind)!;
  }

  responder(kind: string): { site: Site; node: LabProcess } {
    return this.#responders.get(kind)!;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}
