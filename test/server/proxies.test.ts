// Reverse proxies: who is believed about where a client comes from, and that nobody else can say anything about it.

import { request } from 'node:http';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { clientAddress, trusting } from '../../signalling-server/client-address.js';
import { createServer, type Listening, type ServerOptions } from '../../signalling-server/index.js';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from '../../signalling-server/proxy-protocol.js';
import { DecodeError } from '../../src/errors.js';
import { systemClock } from '../../src/net/clock.js';
import { Scope } from '../../src/net/scope.js';
import { certificatePem } from './certificates.js';
import { metric, RawClient, rawSocket } from './raw-client.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function start(options: ServerOptions): Promise<Listening> {
  const server = await createServer({ host: '127.0.0.1', port: 0, stunPort: null, ...options });
  return scope.use(server).listening;
}

describe('X-Forwarded-For', () => {
  const trusts = trusting(['10.0.0.0/8', '2001:db8:aaaa::/48', '203.0.113.5']);
  const proxy = { host: '10.0.0.5', port: 4000 };

  it.each<[string, string | undefined, string | undefined]>([
    ['nothing said: the proxy itself', undefined, '10.0.0.5:4000'],
    ['one client', '198.51.100.1', '198.51.100.1:0'],
    ['with a port', '198.51.100.1:5000', '198.51.100.1:5000'],
    ['IPv6', '2001:db8::1', '2001:db8::1:0'],
    ['IPv6 in another spelling', '2001:0DB8:0:0::1', '2001:db8::1:0'],
    ['IPv6 in brackets with a port', '[2001:db8::1]:5000', '2001:db8::1:5000'],
    ['an IPv4 address in IPv6 dress', '::ffff:198.51.100.1', '198.51.100.1:0'],
    ['two listed proxies behind each other', '198.51.100.1, 203.0.113.5, 10.1.1.1', '198.51.100.1:0'],
    ['a listed one in IPv6', '198.51.100.1,2001:db8:aaaa::9', '198.51.100.1:0'],
    ['a chain that the client made up', '127.0.0.1, 10.0.0.9, 192.168.0.1, 198.51.100.1', '198.51.100.1:0'],
    ['rubbish that the client made up', '"><script>, unknown, 198.51.100.1', '198.51.100.1:0'],
    ['all of them listed: the first', '10.0.0.1, 10.0.0.2', '10.0.0.1:0'],
    ['rubbish from the proxy', 'unknown', undefined],
    ['nothing from the proxy', '', undefined],
    ['a name', 'localhost', undefined],
    ['a zone', 'fe80::1%eth0', undefined],
    ['octal', '010.0.0.1', undefined],
    ['a number', '2130706433', undefined],
    ['a port that is none', '198.51.100.1:70000', undefined],
    ['port 0', '198.51.100.1:0', undefined],
    ['half a bracket', '[2001:db8::1', undefined],
    ['a list that ends in a comma', '198.51.100.1,', undefined],
  ])('%s', (_, header, expected) => {
    const client = clientAddress(proxy, header, trusts);
    expect(client && `${client.host}:${client.port}`).toBe(expected);
  });

  it('from anybody else nothing is believed', () => {
    const stranger = { host: '198.51.100.77', port: 9 };
    expect(clientAddress(stranger, '10.0.0.1, 203.0.113.9', trusts)).toBe(stranger);
    expect(clientAddress({ host: '127.0.0.1', port: 9 }, '203.0.113.9', trusting([]))?.host).toBe(
      '127.0.0.1',
    );
  });

  it.each([
    ['10.0.0.5', '10.0.0.5', true],
    ['10.0.0.5', '10.0.0.6', false],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['::ffff:10.0.0.5', '10.0.0.5', true],
    ['2001:DB8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::/0', '10.0.0.5', false],
    ['0.0.0.0/0', 'no address', false],
  ])('a list of %s holds %s: %s', (network, host, expected) => {
    expect(trusting([network])(host)).toBe(expected);
  });

  it('100 KB of it are read like any other', () => {
    expect(clientAddress(proxy, '10.0.0.1, '.repeat(10_000), trusts)).toBeUndefined();
    expect(clientAddress(proxy, `${'10.0.0.1, '.repeat(10_000)}10.0.0.2`, trusts)).toEqual({
      host: '10.0.0.1',
      port: 0,
    });
  });
});

describe('a server behind a listed HTTP proxy', () => {
  const behind = { trustedProxies: ['127.0.0.1'] };
  const from = (url: string, host: string) =>
    new RawClient(scope, url, undefined, { 'x-forwarded-for': host });

  it('sees the client, and tells the others so', async () => {
    const { signalling } = await start(behind);
    const sender = await from(signalling, '198.51.100.1').register();
    expect((await sender.heard('welcome')).seenAs).toEqual({ host: '198.51.100.1', port: 0 });
    const receiver = await from(signalling, '2001:db8::5').register();
    sender.post(receiver.id, 1);
    expect((await receiver.heard('deliver')).seenFrom).toBe('198.51.100.1');
  });

  it('counts connections by client, not by proxy', async () => {
    const { signalling, metrics } = await start({ ...behind, connectionsPerIp: 2 });
    for (let i = 1; i <= 6; i++) await from(signalling, `198.51.100.${i}`).register();
    const one = await from(signalling, '198.51.100.1').register();
    await expect(from(signalling, '198.51.100.1').register()).rejects.toThrow(/1006/);
    one.socket.close();
    await one.closed;
    await from(signalling, '198.51.100.1').register();
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="too-many-connections"}')).toBe(1);
  });

  it('turns away whom the proxy cannot name, and the proxy’s own health checks not', async () => {
    const { signalling, health, metrics } = await start(behind);
    await expect(from(signalling, 'unknown').register()).rejects.toThrow(/1006/);
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="proxy-unclear"}')).toBe(1);
    for (let i = 0; i < 50; i++) expect((await fetch(health)).status).toBe(200);
  });

  it('/metrics are for near clients, not for whoever comes through the proxy; listed or not', async () => {
    const listed = await start(behind);
    const unlisted = await start({});
    const status = async (url: string, headers: Record<string, string>) =>
      (await fetch(url, { headers })).status;
    expect(await status(listed.metrics, { 'x-forwarded-for': '198.51.100.1' })).toBe(403);
    expect(await status(listed.metrics, { 'x-forwarded-for': '10.0.0.1' })).toBe(200);
    expect(await status(unlisted.metrics, { 'x-forwarded-for': '10.0.0.1' })).toBe(403);
    expect(await status(unlisted.metrics, { forwarded: 'for=10.0.0.1' })).toBe(403);
    expect(await status(unlisted.metrics, {})).toBe(200);
  });

  it('a header from somebody who is not listed changes nothing', async () => {
    const { signalling } = await start({ trustedProxies: ['192.0.2.1'], connectionsPerIp: 2 });
    const client = await from(signalling, '198.51.100.1').register();
    expect((await client.heard('welcome')).seenAs.host).toBe('127.0.0.1');
    await from(signalling, '198.51.100.2').register();
    await expect(from(signalling, '198.51.100.3').register()).rejects.toThrow(/1006/);
  });

  it('100 KB of header end at the limit of the request head', async () => {
    const { health } = await start(behind);
    const headers = { 'x-forwarded-for': '10.0.0.1, '.repeat(10_000) };
    const ended = await new Promise<string>(resolve => {
      request(health, { headers }, response => resolve(`${response.statusCode}`))
        .on('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'error'))
        .end();
    });
    expect(['ECONNRESET', 'EPIPE', '431']).toContain(ended);
    expect((await fetch(health)).status).toBe(200);
  });
});

const v1 = (text: string) => Buffer.from(`PROXY ${text}\r\n`, 'latin1');
function v2({
  command = 0x21,
  family = 0x11,
  body = Buffer.from([198, 51, 100, 1, 10, 0, 0, 5, 0x13, 0x88, 1, 187]),
} = {}) {
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
}
const SIX = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  Buffer.from([0x13, 0x88, 1, 187]),
]);

describe('the PROXY protocol', () => {
  it.each<[string, Buffer, string | undefined]>([
    ['v1, TCP4', v1('TCP4 198.51.100.1 10.0.0.5 5000 443'), '198.51.100.1:5000'],
    ['v1, TCP6', v1('TCP6 2001:db8::1 2001:db8::2 5000 443'), '2001:db8::1:5000'],
    ['v1, UNKNOWN', v1('UNKNOWN'), undefined],
    ['v1, UNKNOWN with more', v1('UNKNOWN ffff:f...f:ffff 1 2 3'), undefined],
    ['v2, TCP over IPv4', v2(), '198.51.100.1:5000'],
    ['v2, TCP over IPv6', v2({ family: 0x21, body: SIX }), '2001:db8::1:5000'],
    [
      'v2, with TLVs',
      v2({ family: 0x21, body: Buffer.concat([SIX, Buffer.alloc(500)]) }),
      '2001:db8::1:5000',
    ],
    ['v2, LOCAL', v2({ command: 0x20 }), undefined],
    ['v2, unspecified', v2({ family: 0, body: Buffer.alloc(0) }), undefined],
  ])('%s', (_, header, expected) => {
    const rest = Buffer.from('GET /');
    const read = readProxyHeader(Buffer.concat([header, rest]));
    expect(read?.length).toBe(header.length);
    expect(read?.client && `${read.client.host}:${read.client.port}`).toBe(expected);
    for (let cut = 0; cut < header.length; cut++)
      expect(readProxyHeader(header.subarray(0, cut))).toBeUndefined();
  });

  it.each<[string, Buffer]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0])],
    ['lower case', Buffer.from('proxy TCP4')],
    ['v1 without end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)],
    ['v1, a name', v1('TCP4 localhost 10.0.0.5 5000 443')],
    ['v1, the wrong family', v1('TCP4 2001:db8::1 2001:db8::2 5000 443')],
    ['v1, a zone', v1('TCP6 fe80::1%eth0 2001:db8::2 5000 443')],
    ['v1, port 0', v1('TCP4 198.51.100.1 10.0.0.5 0 443')],
    ['v1, a word too many', v1('TCP4 198.51.100.1 10.0.0.5 5000 443 1')],
    ['v2, version 3', v2({ command: 0x31 })],
    ['v2, an unknown command', v2({ command: 0x22 })],
    ['v2, UDP', v2({ family: 0x12 })],
    ['v2, a unix socket', v2({ family: 0x31, body: Buffer.alloc(216) })],
    ['v2, 64 KiB announced', v2({ body: Buffer.alloc(65_535) }).subarray(0, 16)],
    ['v2, too short for its addresses', v2({ body: Buffer.alloc(8) })],
  ])('%s is refused, and never waited for', (_, bytes) => {
    expect(() => readProxyHeader(bytes)).toThrow(DecodeError);
  });

  it('whatever the bytes are: a header, more bytes wanted, or the typed error; never more than its bound', () => {
    const headers = [v1('TCP4 198.51.100.1 10.0.0.5 5000 443'), v2(), v2({ family: 0x21, body: SIX })];
    const altered = fc
      .tuple(fc.constantFrom(...headers), fc.array(fc.tuple(fc.nat(60), fc.nat(255))))
      .map(([header, changes]) => {
        const copy = Buffer.from(header);
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
        return copy;
      });
    const anything = fc.oneof(
      altered,
      fc.uint8Array({ maxLength: 3000 }).map(bytes => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(anything, bytes => {
        try {
          const read = readProxyHeader(bytes);
          if (read) expect(read.length).toBeLessThanOrEqual(Math.min(bytes.length, MAX_PROXY_HEADER_BYTES));
          else expect(bytes.length).toBeLessThan(MAX_PROXY_HEADER_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('a server behind a listed TCP proxy', () => {
  const behind: ServerOptions = { trustedProxies: ['127.0.0.1'], proxyHeader: 'proxy-protocol' };
  const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

  /** What comes back for these bytes, each piece sent by itself. */
  async function answer(url: string, ...pieces: (Buffer | string)[]): Promise<string> {
    const { socket, ended } = await rawSocket(scope, url);
    for (const piece of pieces) {
      socket.write(piece);
      await systemClock.sleep(5);
    }
    return ended;
  }

  it.each([
    ['version 1', v1('TCP4 198.51.100.1 10.0.0.5 5000 443'), 403],
    ['version 2', v2(), 403],
    ['version 1, a near client', v1('TCP4 10.1.2.3 10.0.0.5 5000 443'), 200],
    ['version 2, LOCAL: the proxy itself', v2({ command: 0x20 }), 200],
  ])('%s: the client’s address is what counts', async (_, header, status) => {
    const { signalling } = await start(behind);
    expect(await answer(signalling, header, GET('/metrics'))).toContain(`HTTP/1.1 ${status} `);
    expect(await answer(signalling, Buffer.concat([header, Buffer.from(GET('/metrics'))]))).toContain(
      `HTTP/1.1 ${status} `,
    );
    const bytes = [...header].map(byte => Buffer.from([byte]));
    expect(await answer(signalling, ...bytes.slice(0, 20), header.subarray(20), GET('/metrics'))).toContain(
      ` ${status} `,
    );
  });

  it('the header comes before TLS', async () => {
    const tls = certificatePem();
    const { signalling } = await start({ ...behind, tls });
    const { socket } = await rawSocket(scope, signalling);
    socket.removeAllListeners('data');
    socket.write(v1('TCP4 10.1.2.3 10.0.0.5 5000 443'));
    const secure = connectTls({ socket, rejectUnauthorized: false });
    scope.defer(() => secure.destroy());
    let text = '';
    secure.on('data', data => (text += data));
    secure.write(GET('/healthz'));
    await new Promise(resolve => secure.once('end', resolve));
    expect(text).toContain('HTTP/1.1 200 ');
  });

  it('no header, a wrong one or none in time: closed, and counted', async () => {
    const { signalling } = await start({ ...behind, registerWithinMs: 300 });
    expect(await answer(signalling, GET('/healthz'))).toBe('');
    expect(await answer(signalling, 'PROXY TCP4 nonsense\r\n', GET('/healthz'))).toBe('');
    expect(await answer(signalling, 'PROXY TCP4 198.51')).toBe('');
    expect(await answer(signalling)).toBe('');
    const counted = await answer(signalling, v2({ command: 0x20 }), GET('/metrics'));
    expect(counted).toContain('wayleave_connections_cut_total{reason="proxy-unclear"} 2');
    expect(counted).toContain('wayleave_connections_cut_total{reason="not-registered-in-time"} 2');
  });

  it('a ban hits the client, before TLS and HTTP, and not the proxy', async () => {
    const { signalling } = await start({ ...behind, banAfter: 2 });
    const client = (last: number) => v1(`TCP4 198.51.100.${last} 10.0.0.5 5000 443`);
    for (let i = 0; i < 2; i++) expect(await answer(signalling, client(1), 'garbage\r\n\r\n')).toBe('');
    expect(await answer(signalling, client(1), GET('/healthz'))).toBe('');
    expect(await answer(signalling, client(2), GET('/healthz'))).toContain('HTTP/1.1 200 ');
  });

  it('an X-Forwarded-For that the client sent with it is ignored', async () => {
    const { signalling } = await start(behind);
    const forged = 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n';
    expect(await answer(signalling, v2(), forged)).toContain('HTTP/1.1 403 ');
  });

  it('from somebody who is not listed the header is no HTTP', async () => {
    const { signalling, metrics } = await start({ ...behind, trustedProxies: ['192.0.2.1'] });
    expect(await answer(signalling, v1('TCP4 10.1.2.3 10.0.0.5 5000 443'), GET('/metrics'))).toBe('');
    expect(await metric(metrics, 'wayleave_connections_cut_total{reason="protocol-error"}')).toBe(1);
  });
});
