// The world of a matrix: one server, and for each kind of NAT a place from which to connect and a place with
// a node to connect to, so that a kind can also meet itself; and the neighbourhoods. Built once, used for all.
import { type NatKindName, natKind } from '../nat-kinds.js';
import { type NeighbourhoodName, neighbourhood } from '../neighbourhoods.js';
import { createWorld, type Host, type LabProcess, type World, type WorldOptions } from '../world.js';
import { startNode, startServer } from './product.js';
import { runDisjoint } from './schedule.js';

/** Where connects start. */
export interface Initiator {
  readonly host: Host;
  /** The WAN link over which the world reaches it. */
  readonly link: string;
}

/** Where a node waits for them. */
export interface Responder extends Initiator {
  readonly node: LabProcess;
}

interface Fields {
  readonly world: World;
  readonly server: Host;
  readonly serverProcess: LabProcess;
  readonly initiators: ReadonlyMap<string, Initiator>;
  readonly responders: ReadonlyMap<string, Responder>;
}

export interface StageOptions extends WorldOptions {
  readonly atOnce: number;
  /** From initiators to responders it takes so much longer than back, milliseconds. Default 0. */
  readonly skewMs?: number;
  /** Initiators are so much farther from everybody, one way, milliseconds. Default 0. */
  readonly initiatorMs?: number;
}

export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly server: Host;
  readonly serverProcess: LabProcess;
  readonly #fields: Fields;

  private constructor(fields: Fields) {
    this.#fields = fields;
    this.world = fields.world;
    this.server = fields.server;
    this.serverProcess = fields.serverProcess;
  }

  /** Settles when the server listens and every node has published its address. */
  static async set(
    kinds: readonly NatKindName[],
    neighbours: readonly NeighbourhoodName[],
    options: StageOptions,
  ): Promise<Stage> {
    const world = await createWorld(options);
    try {
      const server = world.publicHost('server', { addresses: 2 });
      const initiators = new Map<string, Initiator>();
      const waiting = new Map<string, Initiator>();
      for (const kind of kinds) {
        initiators.set(kind, world.site(`from-${kind}`, natKind(kind)));
        waiting.set(kind, world.site(`to-${kind}`, natKind(kind)));
      }
      for (const name of neighbours) {
        const { hosts, site } = neighbourhood(name).build(world, name);
        initiators.set(name, { host: hosts[0], link: site.link });
        waiting.set(name, { host: hosts[1], link: site.link });
      }
      await world.build();
      await setLinks(world, initiators, waiting, options);
      const serverProcess = await startServer(server);
      const responders = new Map<string, Responder>();
      const starts = [...waiting].map(([name, place]) => ({ name, place, places: [name] }));
      await runDisjoint(starts, options.atOnce, async ({ name, place: { host, link } }) => {
        responders.set(name, { host, link, node: await startNode(host, server) });
      });
      return new Stage({ world, server, serverProcess, initiators, responders });
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** By the name of a kind of NAT or of a neighbourhood. */
  initiator(name: string): Initiator {
    return this.#fields.initiators.get(name)!;
  }

  responder(name: string): Responder {
    return this.#fields.responders.get(name)!;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

/** Makes the two sides' links differ, where that is asked for. */
async function setLinks(
  { wan }: World,
  initiators: ReadonlyMap<string, Initiator>,
  waiting: ReadonlyMap<string, Initiator>,
  { oneWayMs = 0, skewMs = 0, initiatorMs = 0 }: StageOptions,
): Promise<void> {
  if (skewMs === 0 && initiatorMs === 0) return;
  const links = (places: ReadonlyMap<string, Initiator>) => [...places.values()].map(({ link }) => link);
  // a path crosses two links, and each has a way up and a way down
  const each = skewMs / 4;
  await wan.set(links(initiators), { delayMs: oneWayMs / 2 + initiatorMs, skewMs: each });
  await wan.set(links(waiting), { skewMs: -each });
}
