// The log of a server that has been through everything, at its most talkative: what an administrator needs is in it,
// and no secret, key, nonce or message.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { certificatePem } from './certificates.js';
import { MESSAGE, RawClient, rawSocket } from './raw-client.js';
import { RawClient as TurnClient, UDP } from './turn-raw.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const TURN_SECRET = 'the-secret-of-all-relays-1234';
const FIXED_CREDENTIAL = 'a-fixed-credential-5678';
const NATS_PASSWORD = 'a-password-of-nats-9012';
const SOURCE = '203.0.113.9';

let scope = new Scope();
let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wayleave-log-'));
});
afterEach(async () => {
  await scope.close();
  await rm(directory, { recursive: true });
  scope = new Scope();
});

async function start(level: string) {
  const { cert, key } = certificatePem();
  const path = (name: string) => join(directory, name);
  await Promise.all([
    writeFile(path('cert.pem'), cert),
    writeFile(path('key.pem'), key),
    writeFile(path('secret'), TURN_SECRET),
    writeFile(
      path('server.json'),
      JSON.stringify({
        ...{
          host: '127.0.0.1',
          port: 0,
          stunPort: 0,
          banAfter: 2,
          trustedProxies: ['127.0.0.1'],
          logLevel: level,
        },
        ...{ tlsCert: path('cert.pem'), tlsKey: path('key.pem'), turnSecretFile: path('secret') },
        nats: [`nats://someone:${NATS_PASSWORD}@127.0.0.1:9`], // where nobody answers
        turn: [{ urls: ['turn:192.0.2.1'], username: 'someone', credential: FIXED_CREDENTIAL }],
      }),
    ),
  ]);
  const child = spawn(process.execPath, [MAIN, 'server', '--config', path('server.json'), '--json']);
  scope.defer(() => child.kill('SIGKILL'));
  const output = { log: '' };
  child.stderr.on('data', data => (output.log += data));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    child,
    output,
    listening: JSON.parse(line) as { signalling: string; stun: string[] },
    key,
    cert,
    path,
  };
}

/** Everything that a server can live through; what of it must never be told. */
async function live({ signalling, stun }: { signalling: string; stun: string[] }): Promise<string[]> {
  const secrets: string[] = [];
  const from = (host: string) => new RawClient(scope, signalling, undefined, { 'x-forwarded-for': host });
  const sender = await from('198.51.100.1').register();
  const receiver = await from('198.51.100.2').register();
  sender.post(receiver.id, 1);
  sender.post(receiver.id.replace(/^./, 'q'), 2);
  await receiver.heard('deliver');
  const { nonce } = await sender.heard('challenge');
  const grants = (await sender.heard('welcome')).turn;
  secrets.push(
    MESSAGE,
    nonce,
    ...grants.flatMap(({ credential, challenge }) => [credential, challenge?.nonce ?? []].flat()),
  );

  for (const frame of [
    'nonsense',
    { type: 'register', id: sender.id, host: 'x', signature: 'Sg'.repeat(43) },
  ]) {
    const bad = from(SOURCE); // twice: it is banned
    secrets.push((await bad.heard('challenge')).nonce);
    bad.say(frame);
    await bad.closed;
  }
  await from(SOURCE).closed;
  await from('unknown').closed;
  secrets.push('Sg'.repeat(43));
  for (let ref = 0; ref < 1000; ref++) sender.post(receiver.id, ref);
  await sender.closed; // for flooding
  const plain = await rawSocket(scope, signalling.replace('wss', 'http'));
  plain.socket.write('GET / HTTP/1.1\r\n\r\n'); // to a TLS port
  await plain.ended;

  const port = Number(stun[0]!.split(':').at(-1));
  await using relayed = await TurnClient.udp(port);
  await relayed.login(grants.find(({ username }) => username.includes(sender.id))!);
  await relayed.ask('Allocate', [UDP]);
  await relayed.ask('CreatePermission', [['XOR-PEER-ADDRESS', { host: '10.0.0.1', port: 1 }]]);
  await using stranger = await TurnClient.udp(port);
  await stranger.login({ username: `9999999999:${sender.id}`, credential: 'a-guess-at-a-credential' });
  await stranger.ask('Allocate', [UDP]);
  stranger.send(Buffer.from('no STUN at all'));
  return [...secrets, 'a-guess-at-a-credential'];
}

describe('the log', () => {
  it('at level debug: one JSON object a line, everything that happened, and nothing secret', async () => {
    const { child, output, listening, key, path } = await start('debug');
    const secrets = await live(listening);
    child.kill('SIGHUP');
    while (!output.log.includes('certificate reloaded')) await systemClock.sleep(10);
    await writeFile(path('key.pem'), 'no key');
    child.kill('SIGHUP');
    while (!output.log.includes('certificate not reloaded')) await systemClock.sleep(10);
    child.kill('SIGTERM');
    await once(child, 'exit');
    const entries = output.log
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    const told = new Set(entries.map(({ msg }) => msg));
    for (const text of ['listening', 'registered', 'not registered', 'left', 'banned', 'closing'])
      expect(told).toContain(text);
    expect(entries.find(({ msg }) => msg === 'banned')).toMatchObject({ source: SOURCE, seconds: 60 });
    const keyLines = key.split('\n').filter(line => line !== '' && !line.startsWith('-'));
    const all = [...secrets, ...keyLines, TURN_SECRET, FIXED_CREDENTIAL, NATS_PASSWORD];
    expect(all.length).toBeGreaterThan(8);
    expect(all.filter(secret => secret.length < 10)).toEqual([]);
    expect(all.filter(secret => output.log.includes(secret))).toEqual([]);
  });

  it('at level info: of clients only the sources that were banned; at warn none', async () => {
    for (const level of ['info', 'warn']) {
      const { child, output, listening } = await start(level);
      await live(listening);
      child.kill('SIGTERM');
      await once(child, 'exit');
      expect(output.log.includes(SOURCE)).toBe(level === 'info');
      expect(output.log).not.toContain('198.51.100.2'); // who did nothing
    }
  });
});
