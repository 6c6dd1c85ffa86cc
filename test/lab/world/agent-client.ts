// The outer end of a world's agent: starts the world, numbers its processes, hands their output to them.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AgentEvent, AgentRequest } from './agent-protocol.js';
import { isolated, TOOL_PATH, worldAbility } from './isolation.js';
import { type Exit, LabProcess } from './lab-process.js';

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whole standard input. Default: stays open for `write`. */
  readonly input?: string;
}

/** A program of the laboratory as built JavaScript, also when its caller runs from TypeScript source. */
export function builtProgram(pathFromLab: string): string {
  const beside = fileURLToPath(new URL(`../${pathFromLab}.js`, import.meta.url));
  const built = fileURLToPath(new URL(`../../../dist/test/lab/${pathFromLab}.js`, import.meta.url));
  const program = existsSync(beside) ? beside : built;
  if (!existsSync(program)) throw new Error(`${built} is not built: run \`npm run build\` first`);
  return program;
}

export class AgentClient implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #processes = new Map<number, LabProcess>();
  readonly #gone: Promise<void>;
  #ready!: () => void;
  readonly ready: Promise<void>;
  #numbered = 0;
  #errors = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.ready = new Promise((resolve, reject) => {
      this.#ready = resolve;
      child.once('close', () => reject(new Error(`the world did not start: ${this.#errors.trim()}`)));
    });
    this.ready.catch(() => {});
    createInterface({ input: child.stdout }).on('line', line => this.#hear(JSON.parse(line) as AgentEvent));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4000);
    });
    child.stdin.on('error', () => {}); // the world ended; its processes report it
    this.#gone = once(child, 'close').then(() => {
      const exit: Exit = { code: null, signal: 'SIGKILL' };
      for (const process of this.#processes.values())
        process.noteExit(exit, `the world ended ${this.#errors}`);
      this.#processes.clear();
    });
  }

  static async start(): Promise<AgentClient> {
    const ability = await worldAbility();
    if (!ability.able) throw new Error(ability.reason);
    const agent = [process.execPath, builtProgram('world/agent')];
    const [command = '', ...args] = isolated(agent, ability.isolation);
    // Its own session: Ctrl-C reaches the laboratory only, whose end is the world's end.
    const child = spawn(command, args, {
      stdio: 'pipe',
      detached: true,
      env: { ...process.env, PATH: TOOL_PATH },
    });
    return new AgentClient(child);
  }

  spawn(namespace: string | null, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    const number = ++this.#numbered;
    const { env = {}, cwd = null, input = null } = options;
    const process = new LabProcess(argv, {
      write: data =>
        this.#say({ do: 'write', process: number, data: Buffer.from(data as string).toString('base64') }),
      end: () => this.#say({ do: 'end', process: number }),
      kill: signal => this.#say({ do: 'kill', process: number, signal }),
    });
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      process.noteExit({ code: null, signal: 'SIGKILL' }, 'the world has ended');
      return process;
    }
    this.#processes.set(number, process);
    this.#say({ do: 'spawn', process: number, namespace, argv, env, cwd, input });
    return process;
  }

  /** Ends the world: every process in it is gone when this settles. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#gone;
  }

  #say(request: AgentRequest): void {
    if (this.#child.stdin.writable) this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  #hear(event: AgentEvent): void {
    const process = event.is === 'ready' ? undefined : this.#processes.get(event.process);
    switch (event.is) {
      case 'ready':
        this.#ready();
        break;
      case 'output':
        process?.[event.stream].append(Buffer.from(event.data, 'base64'));
        break;
      case 'exit':
        this.#processes.delete(event.process);
        process?.noteExit({ code: event.code, signal: event.signal }, event.error);
    }
  }
}
