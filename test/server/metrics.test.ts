// What the server tells Prometheus: well formed, documented, true; and that alerts ask for nothing else.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer, type Listening, type ServerOptions } from '../../signalling-server/index.js';
import { serverOptionsSchema } from '../../signalling-server/options.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { UdpStunClient } from '../../src/stun/udp-client.js';
import { certificatePem } from './certificates.js';
import { type Family, readExposition } from './exposition.js';
import { metric, RawClient, rawSocket } from './raw-client.js';
import { codeOf, RawClient as TurnClient, UDP } from './turn-raw.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const EVERYTHING: ServerOptions = { host: '127.0.0.1', port: 0 };

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

const start = async (options: ServerOptions = {}): Promise<Listening> =>
  scope.use(await createServer({ ...EVERYTHING, ...options })).listening;
const scrape = async ({ metrics }: Listening): Promise<Map<string, Family>> =>
  readExposition(await (await fetch(metrics)).text());
const turnPort = ({ stun }: Listening) => Number(stun[0]!.split(':').at(-1));

/** The certificate's row is there only with a certificate, which `fetch` does not trust. */
const ONLY_WITH_TLS = 'wayleave_certificate_expiry_timestamp_seconds';

/** The rows of the table in docs/operations.md: name, kind, help. */
function documented(): Map<string, { kind: string; help: string }> {
  const rows = read('docs/operations.md').matchAll(
    /^\| `((?:wayleave|process)_[a-z_]+)` \| (counter|gauge) \| (.+) \|$/gm,
  );
  return new Map([...rows].map(([, name = '', kind = '', help = '']) => [name, { kind, help }]));
}

describe('the exposition', () => {
  it('is well formed, and says of which type it is', async () => {
    const listening = await start();
    const response = await fetch(listening.metrics);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = readExposition(await response.text());
    expect(families.get('wayleave_clients')).toEqual({
      kind: 'gauge',
      help: 'Registered clients.',
      samples: [{ labels: {}, value: 0 }],
    });
  });

  it.each([
    ['no end', 'a 1'],
    ['no help', '# TYPE a gauge\na 1\n'],
    ['a counter by another name', '# HELP a A.\n# TYPE a counter\na 1\n'],
    ['a series twice', '# HELP a A.\n# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n'],
    ['a stray sample', '# HELP a A.\n# TYPE a gauge\nb 1\n'],
    ['no number', '# HELP a A.\n# TYPE a gauge\na undefined\n'],
    ['an open label', '# HELP a A.\n# TYPE a gauge\na{b="c} 1\n'],
  ])('the reader of these tests is strict: %s', (_, text) => {
    expect(() => readExposition(text)).toThrow();
  });

  it('every row is in docs/operations.md, with kind and meaning, and every row there is exported', async () => {
    const families = await scrape(await start());
    const exported = Object.fromEntries(
      [...families].map(([name, { kind, help }]) => [name, { kind, help }]),
    );
    const docs = documented();
    expect(docs.get(ONLY_WITH_TLS)?.kind).toBe('gauge');
    docs.delete(ONLY_WITH_TLS);
    expect(Object.fromEntries(docs)).toEqual(exported);
  });

  it('every option that is a number is told as a limit', async () => {
    const { samples } = (await scrape(await start())).get('wayleave_limit')!;
    const told = samples.map(({ labels }) => labels.option);
    const numbers = Object.entries(serverOptionsSchema.parse({})).flatMap(([name, value]) =>
      typeof value === 'number' ? name : [],
    );
    const expected = numbers.filter(name => name !== 'port' && name !== 'stunPort');
    expect(told.sort()).toEqual([...expected, 'messageBurst'].sort());
  });
});

describe('the alerts', () => {
  const rules = read('packaging/prometheus-rules.yml');

  it('ask only for metrics that there are', () => {
    const asked = new Set(rules.match(/\b(?:wayleave|process)_[a-z_]+\b/g));
    expect(asked.size).toBeGreaterThan(8);
    const known = documented();
    expect([...asked].filter(name => !known.has(name))).toEqual([]);
    const options = [...rules.matchAll(/option="(\w+)"/g)].map(([, name]) => name!);
    expect(options.filter(name => !Object.hasOwn(serverOptionsSchema.shape, name))).toEqual([]);
  });

  it('are each explained in docs/operations.md', () => {
    const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    expect(names.length).toBeGreaterThan(5);
    const docs = read('docs/operations.md');
    expect(names.filter(name => !docs.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('what is counted', () => {
  it('STUN: requests, answers, and those over the limit', async () => {
    const listening = await start({ stunBurst: 3, stunPerSecond: 1 });
    await using client = await UdpStunClient.open({ family: 4 });
    const server = { host: '127.0.0.1', port: turnPort(listening) };
    for (let i = 0; i < 3; i++) await client.request(server, {});
    await client.request(server, {}).catch(() => {}); // repeated until there is a token again
    const value = (name: string) => metric(listening.metrics, name);
    expect(await value('wayleave_stun_requests_total')).toBeGreaterThanOrEqual(3);
    expect(await value('wayleave_stun_rate_limited_total')).toBeGreaterThanOrEqual(1);
  });

  it('TURN: allocations, permissions and refusals by code', async () => {
    const listening = await start();
    const node = await new RawClient(scope, listening.signalling).register();
    const { turn } = await node.heard('welcome');
    await using client = await TurnClient.udp(turnPort(listening));
    const { username, credential } = turn[0]!;
    await client.login({ username, credential });
    await client.ask('Allocate', [UDP]);
    const permit = (host: string) =>
      client.ask('CreatePermission', [['XOR-PEER-ADDRESS', { host, port: 1 }]]);
    expect([codeOf(await permit('198.51.100.1')), codeOf(await permit('10.0.0.1'))]).toEqual([
      'success',
      403,
    ]);
    const value = (name: string) => metric(listening.metrics, name);
    expect(await value('wayleave_turn_allocations')).toBe(1);
    expect(await value('wayleave_turn_permissions')).toBe(1);
    expect(await value('wayleave_turn_refusals_total{code="401"}')).toBe(1);
    expect(await value('wayleave_turn_refusals_total{code="403"}')).toBe(1);
  });

  it('what is held for a client that does not read', async () => {
    const listening = await start({ messagesPerSecond: 1e6, messageBurst: 1e6, heldBytesPerClient: 1 << 26 });
    const [sender, stuck] = [
      await new RawClient(scope, listening.signalling).register(),
      await new RawClient(scope, listening.signalling).register(),
    ];
    stuck.socket.pause();
    const box = Buffer.alloc(16_000).toString('base64');
    for (let ref = 0, held = 0; held === 0; ) {
      for (let i = 0; i < 50; i++) sender.post(stuck.id, ref++, box);
      const families = await scrape(listening);
      const value = (name: string) => families.get(name)!.samples[0]!.value;
      held = value('wayleave_held_bytes');
      expect(value('wayleave_held_bytes_most')).toBe(held); // there is but one
    }
  });

  it('connections over the limit in all', async () => {
    const listening = await start({ maxConnections: 2 });
    await new RawClient(scope, listening.signalling).register();
    const value = (name: string) => metric(listening.metrics, name);
    const second = await new RawClient(scope, listening.signalling).register();
    await expect(new RawClient(scope, listening.signalling).register()).rejects.toThrow(/1006/);
    second.socket.close();
    await second.closed;
    expect(await value('wayleave_connections_cut_total{reason="server-full"}')).toBe(1);
  });

  it('the process: its files, and how late its event loop runs', async () => {
    const listening = await start();
    await scrape(listening); // from here on
    await systemClock.sleep(50);
    const until = systemClock.now() + 200;
    while (systemClock.now() < until); // late, and known to be
    await systemClock.sleep(50);
    const families = await scrape(listening);
    const late = families
      .get('wayleave_event_loop_delay_seconds')!
      .samples.find(({ labels }) => labels.at === 'most');
    expect(late?.value).toBeGreaterThan(0.15);
    if (process.platform !== 'linux') return;
    const files = (name: string) => families.get(name)!.samples[0]!.value;
    expect(files('process_open_fds')).toBeGreaterThan(3);
    expect(files('process_open_fds')).toBeLessThan(files('process_max_fds'));
  });

  it('TLS: handshakes that fail, and until when the certificate is good', async () => {
    const server = scope.use(await createServer({ ...EVERYTHING, stunPort: null, tls: certificatePem() }));
    const url = server.listening.metrics;
    const plain = await rawSocket(scope, url);
    plain.socket.write('GET / HTTP/1.1\r\n\r\n');
    await plain.ended;
    const { Agent, request } = await import('node:https');
    const agent = new Agent({ rejectUnauthorized: false });
    const text = await new Promise<string>((resolve, reject) => {
      request(url, { agent }, response => {
        let body = '';
        response.on('data', data => (body += data)).on('end', () => resolve(body));
      })
        .on('error', reject)
        .end();
    });
    const families = readExposition(text);
    expect(families.get('wayleave_tls_failures_total')!.samples[0]!.value).toBe(1);
    expect(families.get(ONLY_WITH_TLS)!.samples[0]!.value).toBe(Date.parse('9999-12-31T23:59:59Z') / 1000);
    const docs = documented().get(ONLY_WITH_TLS);
    expect({ kind: 'gauge', help: families.get(ONLY_WITH_TLS)!.help }).toEqual(docs);
  });
});
