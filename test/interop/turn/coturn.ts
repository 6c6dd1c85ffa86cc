// Debian's coturn as a child process on loopback, for as long as a test needs it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../free-port.js';
import { TLS_CERTIFICATE, TLS_KEY } from './certificate.js';

export const SECRET = 'a secret between the issuer of credentials and the relay';

export interface Coturn extends AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  readonly log: () => string;
  readonly child: ChildProcess;
}

/** Credentials by the TURN REST convention: made here on purpose, not by our own server's code. */
export function restCredentials(id: string, ttlS = 600): { username: string; credential: string } {
  const username = `${Math.floor(Date.now() / 1000) + ttlS}:${id}`;
  return { username, credential: createHmac('sha1', SECRET).update(username).digest('base64') };
}

/** Starts coturn with `use-auth-secret` on free ports of 127.0.0.1 and ::1. */
export async function startCoturn(extra: readonly string[] = ['--allow-loopback-peers']): Promise<Coturn> {
  const directory = await mkdtemp(join(tmpdir(), 'wayleave-coturn-'));
  await writeFile(join(directory, 'cert.pem'), TLS_CERTIFICATE);
  await writeFile(join(directory, 'key.pem'), TLS_KEY);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const child = spawn(
    'turnserver',
    [
      '-n', // no configuration file: the machine's own is none of ours
      ...['--listening-ip', '127.0.0.1', '--relay-ip', '127.0.0.1'],
      ...['--listening-port', String(port), '--tls-listening-port', String(tlsPort)],
      ...['--use-auth-secret', '--static-auth-secret', SECRET, '--realm', 'coturn.test', '--fingerprint'],
      ...['--cert', join(directory, 'cert.pem'), '--pkey', join(directory, 'key.pem')],
      ...['--no-cli', '--log-file', 'stdout', '--pidfile', join(directory, 'pid')],
      ...['--userdb', join(directory, 'turndb')],
      ...extra,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: directory },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      text = (text + chunk).slice(-50_000);
    });
  }
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
  const coturn: Coturn = {
    port,
    tlsPort,
    child,
    log: () => text,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
  for (let tries = 0; tries < 100; tries++) {
    if (await accepts(port)) return coturn;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  await coturn[Symbol.asyncDispose]();
  throw new Error(`coturn does not answer:\n${text}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
