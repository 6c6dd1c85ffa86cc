// A new certificate while the server runs: connections to come see it, open ones live on, nobody is turned away
// meanwhile; and one that is no good changes nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Certificate } from '../../signalling-server/certificate.js';
import { createServer, type Server } from '../../signalling-server/index.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { encodeMessage, newTransactionId } from '../../src/stun/encode.js';
import { decodeMessage } from '../../src/stun/message.js';
import { certificatePem, fingerprintOf, type TestCertificate } from './certificates.js';
import { RawClient } from './raw-client.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const OLD = certificatePem();
const NEW = certificatePem();

let scope = new Scope();
let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wayleave-certificate-'));
});
afterEach(async () => {
  await scope.close();
  await rm(directory, { recursive: true });
  scope = new Scope();
});

const paths = () => ({ tlsCert: join(directory, 'cert.pem'), tlsKey: join(directory, 'key.pem') });
async function install({ cert, key }: TestCertificate): Promise<void> {
  await writeFile(paths().tlsCert, cert);
  await writeFile(paths().tlsKey, key);
}

async function start(): Promise<{ server: Server; signalling: number; turn: number }> {
  await install(OLD);
  const limits = { connectionsPerIp: 5_000, relayConnectionsPerIp: 5_000, stunConnectionsPerIp: 5_000 };
  const server = scope.use(await createServer({ host: '127.0.0.1', port: 0, ...limits, ...paths() }));
  const { signalling, stun } = server.listening;
  return { server, signalling: Number(new URL(signalling).port), turn: Number(stun[0]!.split(':').at(-1)) };
}

/** A TLS connection, open until the test ends. */
async function shakeHands(port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  scope.defer(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}
const shown = async (port: number) => {
  const socket = await shakeHands(port);
  const { fingerprint256 } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return fingerprint256;
};

/** Whether the relay still answers on this connection. */
async function stillRelays(socket: TLSSocket): Promise<boolean> {
  const transactionId = newTransactionId();
  socket.write(encodeMessage({ class: 'request', method: 'Allocate', transactionId, attributes: [] }));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return decodeMessage(answer).class === 'error'; // a challenge
}

const nodeOverTls = (port: number) => new RawClient(scope, `wss://127.0.0.1:${port}`).register();

describe('a reload', () => {
  it('shows the new certificate on the signalling and on the TURN port; what was open lives on', async () => {
    const { server, signalling, turn } = await start();
    const [old, renewed] = [fingerprintOf(OLD.cert), fingerprintOf(NEW.cert)];
    expect([await shown(signalling), await shown(turn)]).toEqual([old, old]);
    const [alice, bob, relayed] = [
      await nodeOverTls(signalling),
      await nodeOverTls(signalling),
      await shakeHands(turn),
    ];
    await install(NEW);
    await server.reload();
    expect([await shown(signalling), await shown(turn)]).toEqual([renewed, renewed]);
    alice.post(bob.id, 1);
    await bob.heard('deliver');
    expect(await stillRelays(relayed)).toBe(true);
  });

  it('1,000 handshakes while certificates come and go: none fails', { timeout: 120_000 }, async () => {
    const { server, signalling, turn } = await start();
    const alice = await nodeOverTls(signalling);
    let reloads = 0;
    let done = false;
    const reloading = (async () => {
      while (!done) {
        await install(reloads++ % 2 === 0 ? NEW : OLD);
        await server.reload();
        await systemClock.sleep(5);
      }
    })();
    const seen = new Map<string, number>();
    for (let i = 0; i < 1000; i += 20) {
      const ports = Array.from({ length: 20 }, (_, j) => (j % 2 === 0 ? signalling : turn));
      for (const fingerprint of await Promise.all(ports.map(shown)))
        seen.set(fingerprint, (seen.get(fingerprint) ?? 0) + 1);
    }
    done = true;
    await reloading;
    expect([...seen.keys()].sort()).toEqual([fingerprintOf(OLD.cert), fingerprintOf(NEW.cert)].sort());
    expect([...seen.values()].reduce((sum, n) => sum + n)).toBe(1000);
    expect(reloads).toBeGreaterThan(10);
    alice.post(alice.id, 1);
    await alice.heard('deliver');
  });

  it.each<[string, TestCertificate]>([
    ['no certificate', { cert: 'nonsense', key: NEW.key }],
    ['an empty file', { cert: '', key: NEW.key }],
    ['a key of another certificate', { cert: NEW.cert, key: OLD.key }],
    ['no key', { cert: NEW.cert, key: NEW.cert }],
  ])('%s: the former one stays, and the next good one comes', async (_, bad) => {
    const { server, signalling, turn } = await start();
    await install(bad);
    await expect(server.reload()).rejects.toMatchObject({ code: 'bad-option' });
    expect([await shown(signalling), await shown(turn)]).toEqual(Array(2).fill(fingerprintOf(OLD.cert)));
    await install(NEW);
    await server.reload();
    expect(await shown(signalling)).toBe(fingerprintOf(NEW.cert));
  });

  it('one that has expired is not taken', () => {
    const certificate = new Certificate(OLD);
    const afterwards = certificate.expiresAt + 1;
    expect(() => certificate.replace(NEW, afterwards)).toThrow(/expired on/);
    expect(certificate.fingerprint).toBe(fingerprintOf(OLD.cert));
    certificate.replace(NEW, Date.now());
    expect(certificate.fingerprint).toBe(fingerprintOf(NEW.cert));
  });

  it('means nothing to a server without files', async () => {
    const server = scope.use(await createServer({ host: '127.0.0.1', port: 0, stunPort: null }));
    await server.reload();
  });
});

describe('SIGHUP to `wayleave server`', () => {
  it('brings the new certificate; a bad one is logged as an error and changes nothing', async () => {
    await install(OLD);
    const { tlsCert, tlsKey } = paths();
    const args = ['server', '--host', '127.0.0.1', '--port', '0', '--stun-port', 'none', '--json'];
    const child = spawn(process.execPath, [MAIN, ...args, '--tls-cert', tlsCert, '--tls-key', tlsKey]);
    scope.defer(() => child.kill('SIGKILL'));
    let log = '';
    child.stderr.on('data', data => (log += data));
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const port = Number(new URL(JSON.parse(line).signalling).port);
    const node = await nodeOverTls(port);
    await install(NEW);
    child.kill('SIGHUP');
    while ((await shown(port)) !== fingerprintOf(NEW.cert)) await systemClock.sleep(10);
    await install({ cert: 'nonsense', key: OLD.key });
    child.kill('SIGHUP');
    while (!log.includes('certificate not reloaded')) await systemClock.sleep(10);
    expect(JSON.parse(log.trim().split('\n').at(-1)!)).toMatchObject({ level: 50 });
    expect(await shown(port)).toBe(fingerprintOf(NEW.cert));
    node.post(node.id, 1);
    await node.heard('deliver');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
