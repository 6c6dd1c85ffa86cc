// Debian's mosquitto as a child process on loopback: over TCP, TLS and WebSocket, for as long as a test needs it. It can
// be killed and started again at the same ports.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { SYSTEM_PATH } from '../requirements.js';
import { TLS_CERTIFICATE, TLS_KEY } from './turn/certificate.js';

export interface Mosquitto extends AsyncDisposable {
  /** `mqtt://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly tlsUrl: string;
  readonly wsUrl: string;
  readonly wssUrl: string;
  /** The certificate that signs its own, as a file for NODE_EXTRA_CA_CERTS. */
  readonly caFile: string;
  log(): string;
  kill(): Promise<void>;
  /** It is there, and does nothing; then it goes on. */
  stall(): void;
  goOn(): void;
  start(): Promise<void>;
}

export interface MosquittoOptions {
  /** Admits only these users. */
  readonly accounts?: readonly { readonly username: string; readonly password: string }[];
  /** Who may do what. */
  readonly accessList?: string;
}

export async function startMosquitto({
  accounts = [],
  accessList,
}: MosquittoOptions = {}): Promise<Mosquitto> {
  const directory = await mkdtemp(join(tmpdir(), 'wayleave-mosquitto-'));
  const file = (name: string) => join(directory, name);
  const port = await freePort(4);
  const [tlsPort, wsPort, wssPort] = [port + 1, port + 2, port + 3];
  await writeFile(file('cert.pem'), TLS_CERTIFICATE);
  await writeFile(file('key.pem'), TLS_KEY);
  await writeFile(file('users'), '', { mode: 0o600 });
  const env = { ...process.env, PATH: SYSTEM_PATH };
  for (const { username, password } of accounts) {
    execFileSync('mosquitto_passwd', ['-b', file('users'), username, password], { env, stdio: 'ignore' });
  }
  if (accessList !== undefined) await writeFile(file('acl'), accessList);
  const secured = [`certfile ${file('cert.pem')}`, `keyfile ${file('key.pem')}`];
  const lines = [
    ...(process.getuid?.() === 0 ? ['user root'] : []), // its files here are not for others to read
    'persistence false',
    'log_dest stderr',
    ...(accounts.length > 0 ? [`password_file ${file('users')}`] : ['allow_anonymous true']),
    ...(accessList === undefined ? [] : [`acl_file ${file('acl')}`]),
    `listener ${port} 127.0.0.1`,
    ...[`listener ${tlsPort} 127.0.0.1`, ...secured],
    ...[`listener ${wsPort} 127.0.0.1`, 'protocol websockets'],
    ...[`listener ${wssPort} 127.0.0.1`, 'protocol websockets', ...secured],
  ];
  await writeFile(file('mosquitto.conf'), `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;
  let text = '';
  const kill = async () => {
    const dying = child;
    child = undefined;
    if (!dying || dying.exitCode !== null) return;
    const closed = once(dying, 'close');
    dying.kill('SIGKILL');
    await closed;
  };
  const start = async () => {
    const born = spawn('mosquitto', ['-c', file('mosquitto.conf')], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = born;
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        text = (text + chunk).slice(-50_000);
        if (/mosquitto version .* running/.test(String(chunk))) resolve();
      };
      born.stdout.on('data', read);
      born.stderr.on('data', read);
      born.once('error', reject);
      born.once('close', () => reject(new Error(`mosquitto ended: ${text}`)));
    });
  };
  await start();
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    tlsUrl: `mqtts://127.0.0.1:${tlsPort}`,
    wsUrl: `ws://127.0.0.1:${wsPort}/mqtt`,
    wssUrl: `wss://127.0.0.1:${wssPort}/mqtt`,
    caFile: file('cert.pem'),
    log: () => text,
    kill,
    start,
    stall: () => void child?.kill('SIGSTOP'),
    goOn: () => void child?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
