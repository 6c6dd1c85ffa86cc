// A service of several server processes, as an administrator runs it: the built command line, joined by --nats; and
// one name before them all, which is a balancer that asks the next process when one does not answer.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../../src/net/clock.js';
import type { Scope } from '../../src/net/scope.js';
import { CliProcess } from '../cli/cli.js';

export interface ServerProcess {
  readonly process: CliProcess;
  /** Its ws: URL. */
  readonly url: string;
  readonly metrics: string;
  readonly readyz: string;
  /** SIGKILL; resolves when it has gone. */
  kill(): Promise<void>;
}

export async function startServer(
  scope: Scope,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<ServerProcess> {
  const common = ['server', '--host', '127.0.0.1', '--port', '0', '--stun-port', '0', '--no-relay', '--json'];
  const limits = ['--connections-per-ip', '10000', '--messages-per-second', '10000'];
  const process = scope.use(new CliProcess([...common, ...limits, ...args], env));
  const { signalling, metrics, health } = (await process.event('listening')) as unknown as Record<
    'signalling' | 'metrics' | 'health',
    string
  >;
  return {
    process,
    url: signalling,
    metrics,
    readyz: health.replace('/healthz', '/readyz'),
    async kill() {
      process.child.kill('SIGKILL');
      await process.exit;
    },
  };
}

/** The same, and waits until it has joined. */
export async function startMember(
  scope: Scope,
  nats: string,
  env: NodeJS.ProcessEnv = {},
): Promise<ServerProcess> {
  const server = await startServer(scope, ['--nats', nats], env);
  await readiness(server, 200);
  return server;
}

/** Waits until /readyz answers so. */
export async function readiness({ readyz }: ServerProcess, status: 200 | 503): Promise<void> {
  while ((await fetch(readyz)).status !== status) await systemClock.sleep(20);
}

/** One ws: URL for several servers, each connection to the next of them that answers. */
export async function startBalancer(scope: Scope, servers: readonly ServerProcess[]): Promise<string> {
  const ports = servers.map(({ url }) => Number(new URL(url).port));
  const sockets = new Set<Socket>();
  const own = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  let turn = 0;
  const balancer = createServer(async client => {
    own(client);
    for (let tries = 0; tries < ports.length; tries++) {
      const server = connect(ports[turn++ % ports.length]!, '127.0.0.1');
      own(server);
      const connected = await once(server, 'connect').then(
        () => true,
        () => false,
      );
      if (!connected) continue;
      client.on('close', () => server.destroy()).pipe(server);
      server.on('close', () => client.destroy()).pipe(client);
      return;
    }
    client.destroy();
  }).listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  scope.defer(() => {
    balancer.close();
    for (const socket of sockets) socket.destroy();
  });
  return `ws://127.0.0.1:${(balancer.address() as AddressInfo).port}`;
}
