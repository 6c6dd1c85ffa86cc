// HTTP proxies: who is believed about where a client comes from, and that nobody else can say anything about it.

import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { clientAddress, trusting } from '../../signalling-server/client-address.js';
import { createServer, type Listening, type ServerOptions } from '../../signalling-server/index.js';
import { Scope } from '../../src/net/scope.js';
import { metric, RawClient } from './raw-client.js';

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
