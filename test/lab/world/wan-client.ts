// The world's hold on its WAN: what every link does to frames, changeable while they fly.
import type { LinkSettings } from '../wan/link-model.js';
import type { WanCounts, WanReply, WanRequest } from '../wan/protocol.js';
import type { LabProcess } from './lab-process.js';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export class Wan {
  readonly #process: LabProcess;
  #asked = 0;
  #recorders = 0;

  constructor(process: LabProcess) {
    this.#process = process;
  }

  /** Connects a link to the WAN: what is sent to these prefixes goes there. */
  async addLink(link: string, vni: number, prefixes: readonly string[]): Promise<void> {
    await this.#ask({ do: 'link', link, vni, prefixes });
  }

  /**
   * Changes what links do to frames from now on. A path crosses two links, the sender's and the receiver's,
   * and suffers both. `all` holds for links that come later, too.
   */
  async set(links: 'all' | readonly string[], settings: Partial<LinkSettings>): Promise<void> {
    await this.#ask({ do: 'set', links, settings });
  }

  /** Cuts each group of links off from all the others (not from itself). No groups: heals everything. */
  async partition(...between: readonly (readonly string[])[]): Promise<void> {
    await this.#ask({ do: 'partition', between });
  }

  /** Keeps a copy of what passes between these links. The returned function ends that and writes a pcap file. */
  async record(...links: readonly string[]): Promise<(file: string | null) => Promise<void>> {
    const recorder = String(++this.#recorders);
    await this.#ask({ do: 'record', recorder, links });
    return async file => {
      await this.#ask({ do: 'save', recorder, file });
    };
  }

  async count(): Promise<WanCounts> {
    return (await this.#ask({ do: 'count' })).counts!;
  }

  async #ask(request: WithoutId<WanRequest>): Promise<WanReply> {
    const process = this.#process;
    const id = ++this.#asked;
    process.write(`${JSON.stringify({ id, ...request })}\n`);
    const line = await process.stdout.line(
      text => text.startsWith(`{"id":${id},`) || text === `{"id":${id}}`,
    );
    const reply = JSON.parse(line) as WanReply;
    if (reply.error !== undefined) throw new Error(`the WAN refused: ${reply.error}`);
    return reply;
  }
}
