// The test's end of a prober on some host.
import { builtProgram } from '../world/agent-client.js';
import type { Host } from '../world/host.js';
import type { LabProcess } from '../world/lab-process.js';
import type { Place, ProberCommand, ProberReply, Transport } from './prober.js';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export class Prober {
  readonly #process: LabProcess;
  #asked = 0;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  static async start(host: Host): Promise<Prober> {
    return new Prober(await host.spawn('node', [builtProgram('self-test/prober')]));
  }

  async ask(command: WithoutId<ProberCommand>): Promise<ProberReply> {
    const id = ++this.#asked;
    this.#process.write(`${JSON.stringify({ id, ...command })}\n`);
    const start = `{"id":${id},`;
    return JSON.parse(await this.#process.stdout.line(line => line.startsWith(start))) as ProberReply;
  }

  /** Contacts `to` from `from`: `seenAs` is how we look from there. */
  reach(transport: Transport, from: Place, to: Place, timeoutMs = 1000): Promise<ProberReply> {
    return this.ask({ do: 'reach', transport, from, to, timeoutMs });
  }
}
