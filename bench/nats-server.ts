// A NATS server that joins server processes, on a free port of loopback: to be measured with, and to be restarted.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { systemClock } from '../src/net/clock.js';

export interface Nats {
  readonly url: string;
  restart(): Promise<void>;
  end(): void;
}

/** Rejects where nats-server is not installed. */
export async function startNats(): Promise<Nats> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  let child: ChildProcess;
  const start = async () => {
    child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
    const died = once(child, 'exit').then(() => Promise.reject(new Error('nats-server does not run')));
    died.catch(() => {});
    const greeted = async () => {
      const socket = connect(port, '127.0.0.1');
      const heard = await once(socket, 'data').then(
        () => true,
        () => false,
      );
      socket.destroy();
      return heard;
    };
    while (!(await Promise.race([greeted(), died]))) await systemClock.sleep(20);
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    async restart() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await start();
    },
    end: () => void child.kill(),
  };
}
