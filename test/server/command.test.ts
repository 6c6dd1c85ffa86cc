// `wayleave server` as a process: what it prints, how it ends, and that a node trusts its certificate only for good
// reason. Runs the built command line.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Scope } from '../../src/net/scope.js';
import { member } from '../unit/signalling/members.js';
import { RawClient } from './raw-client.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const SIGNALLING = new URL('../../dist/src/signalling/signalling.js', import.meta.url).href;
const KEYS = new URL('../../dist/src/identity/keys.js', import.meta.url).href;
const CERTIFICATE = fileURLToPath(new URL('../vectors/loopback-certificate.pem', import.meta.url));
const KEY = fileURLToPath(new URL('../vectors/loopback-key.pem', import.meta.url));

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  scope.defer(() => child.kill('SIGKILL'));
  const text = { out: '', err: '' };
  child.stdout.on('data', data => {
    text.out += data;
  });
  child.stderr.on('data', data => {
    text.err += data;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  return { child, ended };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = await once(createInterface({ input: child.stdout! }), 'line');
  return line;
}

const server = (...args: string[]) => run([MAIN, 'server', '--host', '127.0.0.1', '--port', '0', ...args]);

describe('wayleave server', () => {
  it('--json: the first line says where it listens; SIGTERM lets its clients leave, then exit 0', async () => {
    const { child, ended } = server('--json', '--stun', 'stun:192.0.2.1:3478');
    const listening = JSON.parse(await firstLine(child));
    const authority = listening.signalling.slice('ws://'.length);
    expect(listening).toEqual({
      event: 'listening',
      signalling: `ws://${authority}`,
      stun: expect.arrayContaining(['stun:192.0.2.1:3478']),
      turn: expect.any(Array),
      metrics: `http://${authority}/metrics`,
      health: `http://${authority}/healthz`,
    });
    expect(await (await fetch(listening.health)).text()).toBe('ok\n');
    const client = await new RawClient(scope, listening.signalling).register();
    child.kill('SIGTERM');
    expect(await client.closed).toBe(1001);
    expect((await ended).code).toBe(0);
  });

  it('for people: where it listens and what to run next; Ctrl-C ends it with 130', async () => {
    const { child, ended } = server();
    const line = await firstLine(child);
    const url = /ws:\/\/\S+/.exec(line)?.[0];
    child.kill('SIGINT');
    const { code, out } = await ended;
    expect(code).toBe(130);
    expect(out).toContain(`wayleave node --server ${url}`);
  });

  it('a port in use: exit 1, one line that says so', async () => {
    const first = server('--json');
    const { port } = new URL(JSON.parse(await firstLine(first.child)).signalling);
    const { code, err, out } = await run([MAIN, 'server', '--host', '127.0.0.1', '--port', port]).ended;
    expect([code, out]).toEqual([1, '']);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).toContain('EADDRINUSE');
  });

  it('two on one machine: the second takes another STUN port; but not when it was told which', async () => {
    const stunPort = async (...args: string[]) => {
      const { stun } = JSON.parse(await firstLine(server('--json', ...args).child));
      return String(stun[0]).split(':').at(-1)!;
    };
    const [one, two] = [await stunPort(), await stunPort()];
    expect(one).not.toBe(two);
    const { code, err } = await server('--stun-port', two).ended;
    expect(code).toBe(1);
    expect(err).toContain(`port ${two}`);
  });

  it.each([
    ['--port', 'many'],
    ['--port', '70000'],
    ['--host', 'localhost'],
    ['--tls-cert', CERTIFICATE],
    ['--no-such-option'],
  ])('wrong usage, %s %s: exit 2', async (...args) => {
    const { code, err } = await run([MAIN, 'server', ...args]).ended;
    expect(code).toBe(2);
    expect(err).toContain(args[0]!.slice(2));
  });
});

describe('a node and a server with a certificate', () => {
  const tls = ['--tls-cert', CERTIFICATE, '--tls-key', KEY, '--json'];

  it('one that nobody vouches for is refused, and the reason named', async () => {
    const { child } = server(...tls);
    const { signalling } = JSON.parse(await firstLine(child));
    await expect(member(scope, [signalling]).signalling.ready()).rejects.toMatchObject({
      code: 'server-unreachable',
      message: expect.stringContaining('SELF_SIGNED_CERT'),
    });
  });

  it('one that the machine trusts is accepted', async () => {
    const { child } = server(...tls);
    const { signalling } = JSON.parse(await firstLine(child));
    const script = `
      import { createSignalling } from ${JSON.stringify(SIGNALLING)};
      import { createIdentity } from ${JSON.stringify(KEYS)};
      const signalling = createSignalling({ identity: createIdentity(), servers: [${JSON.stringify(signalling)}] });
      await signalling.ready();
      console.log(signalling.channels[0].greeting.seenAs.host);
      await signalling[Symbol.asyncDispose]();`;
    const node = run(['--input-type=module', '--eval', script], { NODE_EXTRA_CA_CERTS: CERTIFICATE });
    expect(await node.ended).toEqual({ code: 0, out: '127.0.0.1\n', err: '' });
  });
});
