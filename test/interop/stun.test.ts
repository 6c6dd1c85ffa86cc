// STUN with foreign parties on this machine: our client and probe against coturn, and two independent clients
// against our responder, which must learn the right address.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createStunResponder } from '../../signalling-server/stun/responder.js';
import { probe } from '../../src/nat/probe.js';
import { Scope } from '../../src/net/scope.js';
import { mappedAddress, successOf } from '../../src/stun/client.js';
import { StreamStunClient } from '../../src/stun/stream-client.js';
import { UdpStunClient } from '../../src/stun/udp-client.js';
import { freePort } from '../free-port.js';
import { requirement, SYSTEM_PATH } from '../requirements.js';

const HERE = '127.0.0.1';
const THERE = '127.0.0.2';
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

function ended(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', text => (output += String(text)));
  scope.defer(() => child.kill('SIGKILL'));
  return new Promise(resolve => child.once('close', code => resolve({ code, output })));
}

const describeCoturn = await requirement('coturn');

describeCoturn('coturn', () => {
  async function coturn() {
    const directory = mkdtempSync(join(tmpdir(), 'wayleave-coturn-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const port = await freePort(2, [HERE, THERE]);
    const args = ['-n', '--no-auth', '--no-cli', '--no-tls', '--no-dtls', '--allow-loopback-peers']
      .concat(['-L', HERE, '-L', THERE, '-E', HERE, '-p', String(port), '--log-file', 'stdout'])
      .concat(['--pidfile', join(directory, 'pid'), '--db', join(directory, 'db')]);
    const child = spawn('turnserver', args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: directory });
    const gone = ended(child);
    scope.defer(async () => {
      child.kill('SIGTERM');
      await gone;
    });
    const server = { host: HERE, port };
    const client = scope.use(await UdpStunClient.open({ family: 4, address: HERE }));
    await client.request(
      server,
      {},
      { schedule: { sendAtMs: Array.from({ length: 100 }, (_, i) => i * 100), giveUpMs: 15_000 } },
    );
    return { server, client };
  }

  it('tells our client its address over UDP and TCP, and answers from elsewhere when asked', async () => {
    const { server, client } = await coturn();
    const message = successOf(await client.request(server, {}));
    expect(mappedAddress(message)).toEqual({ host: HERE, port: client.port });
    const other = message.get('OTHER-ADDRESS')!;
    expect(other.host).toBe(THERE);
    const changed = await client.request(
      server,
      { attributes: [['CHANGE-REQUEST', { address: true, port: true }]] },
      { answerFrom: [other] },
    );
    expect(changed.from).toEqual(other);
    const tcp = scope.use(await StreamStunClient.open({ server, localAddress: HERE }));
    expect(mappedAddress(successOf(await tcp.request({})))).toEqual(tcp.local);
  });

  it('shows our probe what it can: UDP whole, of TCP all but filtering', async () => {
    const { server } = await coturn();
    const { interfaces, reach } = await probe({ servers: [{ endpoint: server }] });
    const here = interfaces.find(({ address }) => address === HERE)!;
    expect(here.udp).toMatchObject({
      kind: 'open',
      mapping: 'endpoint-independent',
      filtering: 'endpoint-independent',
      ports: { pattern: 'preserving' },
    });
    expect(here.tcp).toMatchObject({
      kind: 'unknown', // without a dial-back, whether others could connect is not known
      mapping: 'endpoint-independent',
      filtering: 'unknown',
      unsolicitedSyn: 'unknown',
      ports: { pattern: 'preserving' },
    });
    expect(here.external?.host).toBe(HERE);
    expect(reach.open).toBe('direct');
  });
});

const describeClient = await requirement('stun-client');

describeClient('Debian’s stun-client, of RFC 3489', () => {
  it('finds out everything against our responder', async () => {
    const responder = scope.use(await createStunResponder({ host: HERE, port: 0, alternateHost: THERE }));
    const env = { ...process.env, PATH: SYSTEM_PATH };
    const args = [`${HERE}:${responder.endpoints[0]!.port}`, '-v'];
    const { code, output } = await ended(spawn('stun', args, { env }));
    // Its exit code holds the result: bit 0 set for an open network.
    expect({ code, output }).toMatchObject({ code: 1 });
    expect(output).toContain('Primary: Open');
    expect(output).toMatch(new RegExp(`MappedAddress = ${HERE}:[0-9]+`));
    expect(responder.counters.malformed).toBe(0);
  });
});

interface StunPackage {
  request(
    url: string,
    options: { retries: number; timeout: number },
  ): Promise<{ getXorAddress(): { address: string; port: number; family: string } }>;
}

describe('the npm package `stun`', () => {
  it('learns its address from our responder', async () => {
    const responder = scope.use(await createStunResponder({ host: HERE, port: 0 }));
    const name = 'stun'; // it brings no types
    const { default: stun } = (await import(name)) as { default: StunPackage };
    const answer = await stun.request(`stun://${HERE}:${responder.endpoints[0]!.port}`, {
      retries: 1,
      timeout: 5_000,
    });
    expect(answer.getXorAddress()).toMatchObject({ address: HERE, family: 'IPv4' });
    expect(responder.counters.answers).toBe(1);
  });
});
