// Any MQTT broker as signalling, shown with Debian's mosquitto and the command line as users have it: over TCP, TLS and
// WebSocket, with a password, by an address that alone names the broker, beside a server of ours.
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer } from '../../signalling-server/index.js';
import { NodeAddress } from '../../src/index.js';
import { topicsOf } from '../../src/signalling/broker-topics.js';
import { readPresence } from '../../src/signalling/presence.js';
import { CliProcess } from '../cli/cli.js';
import { requirement } from '../requirements.js';
import { type Mosquitto, startMosquitto } from './mosquitto.js';

const describeMosquitto = await requirement('mosquitto');
const ACCOUNT = { username: 'wayleave', password: 'p@ss/w:rd #1' };
const CREDENTIALS = `${ACCOUNT.username}:${encodeURIComponent(ACCOUNT.password)}@`;

const node = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  new CliProcess(['node', '--json', '--echo', '--no-port-mapping', ...args], env);
const connect = (address: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  new CliProcess(['connect', address, '--json', '--message', 'hello', '--timeout', '10', ...args], env);
const addressOf = async (listening: CliProcess) => String((await listening.event('listening')).address);
const saidBy = ({ stderr, lines }: CliProcess) => stderr + lines.join('\n');
/** Two nodes on one machine need no signalling to connect directly: reverse is what shows that it works. */
const REVERSE = ['--strategy', 'reverse'];

async function helloBy(strategy: string, caller: CliProcess): Promise<void> {
  expect(await caller.event('connected')).toMatchObject({ strategy });
  expect(await caller.event('message')).toMatchObject({ data: 'hello' });
  expect(await caller.exit).toBe(0);
}

describeMosquitto('two nodes and an MQTT broker', () => {
  let broker: Mosquitto;
  let closed: Mosquitto;
  beforeAll(async () => {
    [broker, closed] = await Promise.all([startMosquitto(), startMosquitto({ accounts: [ACCOUNT] })]);
  });
  afterAll(async () => {
    await Promise.all([broker, closed].map(one => one[Symbol.asyncDispose]()));
  });

  it.each([
    ['MQTT', () => broker.url],
    ['MQTT over TLS', () => broker.tlsUrl],
    ['MQTT over WebSocket', () => broker.wsUrl],
    ['MQTT over WebSocket and TLS', () => broker.wssUrl],
  ])(
    '%s: two processes connect through it, and a message goes there and back',
    { timeout: 30_000 },
    async (_, url) => {
      const env = { NODE_EXTRA_CA_CERTS: broker.caFile };
      await using listening = node(['--server', url()], env);
      const address = await addressOf(listening);
      expect(NodeAddress.parse(address).servers).toEqual([url()]);
      await using caller = connect(address, ['--server', url(), ...REVERSE], env);
      await helloBy('reverse', caller);
      await using direct = connect(address, ['--server', url()], env);
      await helloBy('direct', direct);
    },
  );

  it('a certificate that nobody trusts is refused', { timeout: 30_000 }, async () => {
    await using listening = node(['--server', broker.tlsUrl]);
    expect(await listening.exit).toBe(1);
    expect(saidBy(listening)).toMatch(/SELF_SIGNED|self-signed/);
  });

  it('a broker that only the address names is found', { timeout: 30_000 }, async () => {
    await using listening = node(['--server', broker.url]);
    await using caller = connect(await addressOf(listening), REVERSE);
    await helloBy('reverse', caller);
  });

  it('a password opens a broker, and is nowhere to be seen', { timeout: 30_000 }, async () => {
    const url = closed.url.replace('//', `//${CREDENTIALS}`);
    const env = { WAYLEAVE_SERVERS: url, NODE_DEBUG: 'wayleave', DEBUG: 'mqttjs*' };
    await using listening = node([], env);
    const address = await addressOf(listening);
    expect(NodeAddress.parse(address).servers).toEqual([closed.url]);
    await using caller = connect(address, REVERSE, env);
    await helloBy('reverse', caller);
    for (const said of [listening, caller].map(saidBy)) {
      expect(said).toContain('signalling-registered');
      for (const secret of [ACCOUNT.password, encodeURIComponent(ACCOUNT.password), 'p@ss', 'p%40ss'])
        expect(said).not.toContain(secret);
    }
  });

  it('without it, or with another, the broker refuses: said at once, without the password', {
    timeout: 30_000,
  }, async () => {
    for (const credentials of ['', 'wayleave:wrong-secret@']) {
      await using listening = node(['--server', closed.url.replace('//', `//${credentials}`)]);
      expect(await listening.exit).toBe(1);
      expect(saidBy(listening)).toContain('Not authorized');
      expect(saidBy(listening)).not.toContain('wrong-secret');
    }
  });

  it('who is killed leaves a last will, signed by itself', { timeout: 30_000 }, async () => {
    await using listening = node(['--server', broker.url]);
    const address = await addressOf(listening);
    const { id } = NodeAddress.parse(address);
    const watcher = await connectAsync(broker.url, { reconnectPeriod: 0 });
    const states: (string | undefined)[] = [];
    watcher.on('message', (_topic, note) => states.push(readPresence(id, note)?.state));
    await watcher.subscribeAsync(topicsOf(id).presence);
    await expect.poll(() => states, { timeout: 10_000 }).toEqual(['online']);
    listening.child.kill('SIGKILL');
    await expect.poll(() => states, { timeout: 10_000 }).toEqual(['online', 'offline']);
    await watcher.endAsync();
    await using caller = connect(address, ['--server', broker.url, ...REVERSE]);
    expect(await caller.event('failed')).toMatchObject({ code: 'peer-not-registered' });
    expect(await caller.exit).toBe(1);
  });

  it('several brokers, one of them dead, and one that the peer does not use', {
    timeout: 30_000,
  }, async () => {
    await using other = await startMosquitto();
    await using dead = await startMosquitto();
    await dead.kill();
    await using listening = node(['--server', dead.url, '--server', broker.url]);
    await using caller = connect(await addressOf(listening), [
      '--server',
      other.url,
      '--server',
      broker.url,
      ...REVERSE,
    ]);
    await helloBy('reverse', caller);
  });

  it('a broker beside a server of ours', { timeout: 30_000 }, async () => {
    const server = await createServer({ host: '127.0.0.1', port: 0 });
    await using listening = node(['--server', broker.url, '--server', server.listening.signalling]);
    const address = await addressOf(listening);
    expect(NodeAddress.parse(address).servers).toHaveLength(2);
    for (const only of [broker.url, server.listening.signalling]) {
      await using caller = connect(address, ['--server', only, ...REVERSE]);
      await helloBy('reverse', caller);
    }
    await server.close(); // and when the server is gone, the broker is enough
    await using caller = connect(address, ['--server', broker.url, ...REVERSE]);
    await helloBy('reverse', caller);
  });

  it('a node with nothing but a broker is ready, and explains what it lacks', {
    timeout: 30_000,
  }, async () => {
    await using listening = node(['--server', broker.url]);
    await using probing = new CliProcess(['probe', '--server', broker.url]);
    expect(await probing.exit).toBe(2);
    expect(probing.stderr).toContain('is an MQTT broker');
    const { capabilities } = NodeAddress.parse(await addressOf(listening));
    expect(capabilities).not.toContain('relay');
  });
});
