// The relays that the benchmark measures: ours and coturn, each in a process of its own whose CPU time can be
// read, each with one thread for the work.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRelay } from '../signalling-server/turn/relay.js';
import { resolveTurnServer, type TurnServer } from '../src/turn/turn-server.js';
import { restCredentials, startCoturn } from '../test/interop/turn/coturn.js';

export interface Subject extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  server(transport: 'udp' | 'tcp', user: string): Promise<TurnServer>;
}

/** Our relay, forked from this very file. */
export async function ours(): Promise<Subject> {
  const child = fork(fileURLToPath(import.meta.url), { stdio: 'inherit' });
  const [urls] = (await once(child, 'message')) as [string[]];
  return {
    name: 'the embedded relay',
    pid: child.pid!,
    async server(transport, user) {
      child.send(user);
      const [account] = (await once(child, 'message')) as [{ username: string; credential: string }];
      return (await resolveTurnServer(urls.find(url => url.endsWith(transport))!, account))[0]!;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** Debian's coturn, or undefined where it is not installed. */
export async function coturn(): Promise<Subject | undefined> {
  try {
    execFileSync('sh', ['-c', 'command -v turnserver']);
  } catch {
    return undefined;
  }
  const server = await startCoturn(['--allow-loopback-peers', '--relay-threads', '1']);
  const endpoint = { host: '127.0.0.1', port: server.port };
  return {
    name: 'coturn',
    pid: server.child.pid!,
    server: async (transport, user) => ({ endpoint, transport, ...restCredentials(user) }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** CPU time that a process has used so far, in microseconds. The kernel counts in ticks of 10 ms. */
export function cpuUs(pid: number): number {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [utime, stime] = fields!.split(' ').slice(11, 13);
  return (Number(utime) + Number(stime)) * 10_000;
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const relay = await createRelay({ host: '127.0.0.1', port: 0, allowLoopbackPeers: true });
  process.on('message', user => process.send!(relay.grant(String(user))));
  process.send(relay.urls);
}
