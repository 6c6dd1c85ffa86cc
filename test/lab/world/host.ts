// A machine in a world: a network namespace with addresses, in which programs run.
import type { SpawnOptions } from './agent-client.js';
import type { LabProcess } from './lab-process.js';

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a process in a namespace, building what is still only declared first. */
export type Launch = (
  namespace: string,
  argv: readonly string[],
  options?: SpawnOptions,
) => Promise<LabProcess>;

export class Host {
  readonly name: string;
  /** Its IPv4 addresses, the main one first; empty where there is no IPv4. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly #launch: Launch;

  constructor(name: string, ipv4: readonly string[], ipv6: readonly string[], launch: Launch) {
    this.name = name;
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
    this.#launch = launch;
  }

  /** The main address: IPv4 where there is one. */
  get address(): string {
    return this.ipv4[0] ?? this.ipv6[0]!;
  }

  /** Starts a program. `node` as its first word means the Node.js that runs this. */
  spawn(command: string, args: readonly string[] = [], options?: SpawnOptions): Promise<LabProcess> {
    return this.#launch(this.name, [command === 'node' ? process.execPath : command, ...args], options);
  }

  /** Runs a program to its end. */
  async run(command: string, args: readonly string[] = [], options?: SpawnOptions): Promise<Result> {
    const child = await this.spawn(command, args, { input: '', ...options });
    const { code } = await child.exited;
    return { code, stdout: child.stdout.text, stderr: child.stderr.text };
  }

  /** Runs a program that must succeed, and returns what it wrote. */
  async output(command: string, args: readonly string[] = [], options?: SpawnOptions): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, args, options);
    if (code !== 0)
      throw new Error(`${this.name}: ${command} ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }
}
