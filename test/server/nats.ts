// NATS servers of the tests: real ones, on loopback, each with its configuration in a directory of its own. And a
// backplane joined through one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsBackplane } from '../../signalling-server/backplane/nats.js';
import { loadNats } from '../../signalling-server/backplane/nats-connection.js';
import { parseNatsUrl } from '../../signalling-server/backplane/nats-url.js';
import { createLog } from '../../signalling-server/log.js';
import { systemClock } from '../../src/net/clock.js';
import type { Scope } from '../../src/net/scope.js';
import { freePort } from '../free-port.js';
import { SYSTEM_PATH } from '../requirements.js';
import { until } from '../unit/signalling/members.js';

export interface NatsProcess {
  readonly port: number;
  /** Without credentials. */
  readonly url: string;
  kill(): Promise<void>;
  /** Starts it again, at the same port. */
  start(): Promise<void>;
  /** Stops it where it stands, connections and all. */
  stall(): Promise<void>;
  resume(): void;
}

/** @param config further lines of nats-server's configuration */
export async function startNats(scope: Scope, config = ''): Promise<NatsProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'wayleave-nats-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(directory, 'nats.conf');
  await writeFile(file, `listen: "127.0.0.1:${port}"\n${config}\n`);
  let child: ChildProcess | undefined;
  const nats: NatsProcess = {
    port,
    url: `nats://127.0.0.1:${port}`,
    async start() {
      child = spawn('nats-server', ['-c', file], {
        stdio: 'ignore',
        env: { ...process.env, PATH: SYSTEM_PATH },
      });
      while (!(await answers(port))) await systemClock.sleep(20);
    },
    async kill() {
      const ended = child && child.exitCode === null && child.signalCode === null && once(child, 'exit');
      child?.kill('SIGKILL');
      await ended;
    },
    async stall() {
      child?.kill('SIGSTOP');
      const state = async () => /\) (.)/.exec(await readFile(`/proc/${child?.pid}/stat`, 'utf8'))?.[1];
      while ((await state()) !== 'T') await systemClock.sleep(5);
    },
    resume: () => void child?.kill('SIGCONT'),
  };
  scope.defer(() => nats.kill());
  await nats.start();
  return nats;
}

/** One server process's part, joined. */
export async function joinedBackplane(scope: Scope, ...nats: NatsProcess[]): Promise<NatsBackplane> {
  const backplane = new NatsBackplane({
    servers: nats.map(({ url }) => parseNatsUrl(url)!),
    dial: await loadNats(),
    log: await createLog('silent'),
  });
  scope.use(backplane);
  await until(() => backplane.ready);
  return backplane;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'data'); // NATS speaks first
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
