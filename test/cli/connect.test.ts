// The main job, as users and scripts meet it: two processes through one server, JSON as the contract has it.
import { createServer as createTcpServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdentity } from '../../src/identity/keys.js';
import { NodeAddress } from '../../src/index.js';
import { UNKNOWN_BEHAVIOUR } from '../../src/nat/profile.js';
import { machineTag } from '../../src/net/machine.js';
import { type CliEvent, type CliProcess, cli, run } from './cli.js';

let server: CliProcess;
let url: string;

beforeAll(async () => {
  server = cli('server', '--host', '127.0.0.1', '--port', '0', '--json');
  url = (await server.event('listening')).signalling as string;
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function startNode(...args: string[]): Promise<CliProcess & { address: string; id: string }> {
  const node = cli('node', '--server', url, '--echo', '--json', ...args);
  const { address, id } = (await node.event('listening')) as CliEvent & { address: string; id: string };
  return Object.assign(node, { address, id });
}

/** A valid address of a node that listens where `port` says, whatever is really there. */
function addressAt(port: number): string {
  const identity = createIdentity();
  const now = Date.now();
  return NodeAddress.sign(identity, {
    issuedAt: now,
    expiresAt: now + 3_600_000,
    machine: machineTag(identity.id),
    capabilities: [],
    servers: [],
    interfaces: [
      {
        family: 4,
        address: '127.0.0.1',
        prefix: 8,
        port,
        external: null,
        mapping: null,
        tcp: UNKNOWN_BEHAVIOUR,
        udp: UNKNOWN_BEHAVIOUR,
        unknownFields: [],
      },
    ],
  }).toString();
}

describe('wayleave server', () => {
  it('prints where it listens, in one object', async () => {
    const listening = await server.event('listening');
    expect(listening).toMatchObject({ event: 'listening', stun: expect.any(Array), turn: expect.any(Array) });
    expect(listening.signalling).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/);
    const health = await fetch(listening.health as string);
    expect(health.status).toBe(200);
  });
});

describe('wayleave connect', () => {
  it('connects directly and exchanges a message', async () => {
    await using node = await startNode();
    const { code, events } = await run('connect', node.address, '--server', url, '--message', 'hi', '--json');
    expect(code).toBe(0);
    const [connected, message] = events;
    expect(connected).toEqual({
      event: 'connected',
      peer: node.id,
      strategy: 'direct',
      ms: expect.any(Number),
      readyMs: expect.any(Number),
      local: { host: expect.any(String), port: expect.any(Number) },
      remote: { host: expect.any(String), port: expect.any(Number) },
      attempts: expect.any(Array),
    });
    expect((connected!.attempts as unknown[])[0]).toEqual({
      strategy: 'direct',
      outcome: 'won',
      reason: 'connected',
      ms: expect.any(Number),
    });
    expect(message).toEqual({ event: 'message', data: 'hi' });
    const pipe = await node.event('pipe');
    expect(pipe).toEqual({
      event: 'pipe',
      peer: expect.any(String),
      strategy: 'direct',
      direction: 'inbound',
    });
  });

  it('connects in reverse when told to, and the peer sees an inbound pipe', async () => {
    await using node = await startNode();
    const { code, events } = await run(
      'connect',
      node.address,
      '--strategy',
      'reverse',
      '--message',
      'hi',
      '--json',
    );
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({ event: 'connected', strategy: 'reverse', peer: node.id });
    expect(events[1]).toEqual({ event: 'message', data: 'hi' });
    expect(await node.event('pipe')).toMatchObject({ strategy: 'reverse', direction: 'inbound' });
  });

  it('skips direct, with the reason, when the peer takes no connections', async () => {
    await using node = await startNode('--no-listen');
    const { code, events } = await run('connect', node.address, '--server', url, '--message', 'hi', '--json');
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({
      strategy: 'reverse',
      attempts: expect.arrayContaining([
        expect.objectContaining({ strategy: 'direct', outcome: 'skipped', reason: 'not-listening' }),
        expect.objectContaining({ strategy: 'reverse', outcome: 'won', reason: 'connected' }),
      ]),
    });
  });

  it('sends stdin line by line and prints the answers', async () => {
    await using node = await startNode();
    await using client = cli('connect', node.address, '--json');
    client.input('one\ntwo\n');
    expect(await client.exit).toBe(0);
    expect(client.events.filter(({ event }) => event === 'message').map(({ data }) => data)).toEqual([
      'one',
      'two',
    ]);
  });

  it('is turned away by --allow, before any message', async () => {
    await using node = await startNode('--allow', createIdentity().id);
    const { code, events } = await run('connect', node.address, '--message', 'hi', '--json');
    expect(code).toBe(1);
    expect(events).toEqual([
      {
        event: 'failed',
        code: 'refused',
        message: expect.any(String),
        attempts: expect.arrayContaining([
          expect.objectContaining({ strategy: 'direct', outcome: 'failed', reason: 'peer-refused' }),
        ]),
      },
    ]);
    expect(node.events.map(({ event }) => event)).toEqual(['listening']);
  });

  it('lets in whom --allow names', async () => {
    const key = `${process.env.TMPDIR ?? '/tmp'}/wayleave-test-${process.pid}-${Date.now()}.key`;
    const { loadIdentity } = await import('../../src/identity/keys.js');
    const { id } = await loadIdentity(key);
    await using node = await startNode('--allow', id);
    const { code } = await run('connect', node.address, '--key', key, '--message', 'hi', '--json');
    expect(code).toBe(0);
    expect(await node.event('pipe')).toMatchObject({ peer: id });
    await (await import('node:fs/promises')).rm(key);
  });
});

describe('what goes wrong', () => {
  const failures: [string, () => Promise<string[]>, string][] = [
    ['a corrupt address', async () => ['connect', 'wl1AAAA'], 'bad-address'],
    ['an address of nobody', async () => ['connect', addressAt(9)], 'connect-failed'],
    [
      'a server that is not there',
      async () => ['node', '--server', 'ws://127.0.0.1:9'],
      'server-unreachable',
    ],
    ['a server URL that is none', async () => ['node', '--server', 'http://127.0.0.1:9'], 'bad-option'],
  ];
  it.each(failures)('%s: one typed error, one line', async (_, args, code) => {
    const all = await args();
    const json = await run(...all, '--json');
    expect(json.code).toBe(code === 'bad-option' ? 2 : 1);
    expect(json.events).toEqual([expect.objectContaining({ event: 'failed', code })]);
    const text = await run(...all);
    expect(text.lines).toEqual([]);
    const report = text.stderr.trimEnd().split('\n').at(-1)!;
    expect(report).toMatch(new RegExp(`^wayleave: .*\\(${code}\\)`));
  });

  it('another node at that port: wrong-identity', async () => {
    await using node = await startNode();
    const port = NodeAddress.parse(node.address).interfaces[0]!.port!;
    const { code, events } = await run('connect', addressAt(port), '--message', 'x', '--json');
    expect(code).toBe(1);
    expect(events[0]).toMatchObject({
      event: 'failed',
      code: 'wrong-identity',
      attempts: expect.arrayContaining([
        expect.objectContaining({ strategy: 'direct', outcome: 'failed', reason: 'wrong-identity' }),
        expect.objectContaining({ strategy: 'reverse', outcome: 'skipped', reason: 'no-signalling' }),
      ]),
    });
    expect(node.events.map(({ event }) => event)).toEqual(['listening']);
  });

  it.each([
    [
      'speaks garbage',
      'handshake-failed',
      (write: (text: string) => void) => write('220 mail.example ready\r\n'),
    ],
    ['stalls in the handshake', 'handshake-timeout', () => {}],
  ])('a peer that %s', async (_, reason, behave) => {
    const sockets = new Set<{ destroy(): void }>();
    const tcp = createTcpServer(socket => {
      sockets.add(socket.on('error', () => {}));
      behave(text => socket.write(text));
    });
    await new Promise<void>(resolve => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as { port: number };
    const { events, code } = await run('connect', addressAt(port), '--strategy', 'direct', '--json');
    for (const socket of sockets) socket.destroy();
    tcp.close();
    expect(code).toBe(1);
    expect(events).toEqual([
      expect.objectContaining({
        event: 'failed',
        code: reason,
        attempts: [expect.objectContaining({ strategy: 'direct', outcome: 'failed', reason })],
      }),
    ]);
  });

  it('wrong usage ends with 2 and says how to get help', async () => {
    const { code, stderr } = await run('connect');
    expect(code).toBe(2);
    expect(stderr).toContain('--help');
  });

  it('SIGINT ends a node with 130, SIGTERM with 0', async () => {
    for (const [signal, expected] of [
      ['SIGINT', 130],
      ['SIGTERM', 0],
    ] as const) {
      await using node = await startNode();
      node.child.kill(signal);
      expect(await node.exit).toBe(expected);
    }
  });
});

describe('address and explain', () => {
  it('address says what is in it', async () => {
    await using node = await startNode();
    const { code, events } = await run('address', node.address, '--json');
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({ event: 'address', id: node.id, servers: [url], onThisMachine: true });
    expect((await run('address', `${node.address.slice(0, -4)}AAAA`)).code).toBe(1);
  });

  it('explain predicts what connect then does', async () => {
    await using open = await startNode();
    await using closed = await startNode('--no-listen');
    const of = async (to: string) => (await run('explain', to, '--from', open.address, '--json')).events[0];
    expect(await of(open.address)).toMatchObject({ event: 'prediction', expected: 'direct' });
    expect(await of(closed.address)).toMatchObject({
      expected: 'reverse',
      strategies: expect.arrayContaining([
        { strategy: 'direct', verdict: 'impossible', reason: 'not-listening', roundTrips: null },
        { strategy: 'reverse', verdict: 'likely', reason: 'same-machine', roundTrips: 3.5 },
      ]),
    });
  });
});
