// The clients on real sockets of this machine: what ends a request, and what must not.
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import { Scope } from '../../../src/net/scope.js';
import { mappedAddress, successOf } from '../../../src/stun/client.js';
import { encodeMessage, newTransactionId } from '../../../src/stun/encode.js';
import { stunError } from '../../../src/stun/error-codes.js';
import { decodeMessage, type StunMessage } from '../../../src/stun/message.js';
import { StreamStunClient } from '../../../src/stun/stream-client.js';
import { UdpStunClient } from '../../../src/stun/udp-client.js';

const HERE = '127.0.0.1';
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function udpServer(onRequest: (request: StunMessage, reply: (bytes: Buffer) => void) => void) {
  const socket = createSocket('udp4');
  socket.bind(0, HERE);
  await once(socket, 'listening');
  scope.defer(() => socket.close());
  socket.on('message', (bytes, from) =>
    onRequest(decodeMessage(bytes), reply => socket.send(reply, from.port, from.address)),
  );
  return { socket, endpoint: { host: HERE, port: socket.address().port } };
}

async function tcpServer(onRequest: (request: Buffer, reply: (bytes: Buffer) => void) => void) {
  const server: Server = createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', bytes => onRequest(bytes, reply => socket.write(reply)));
    scope.defer(() => socket.destroy());
  });
  server.listen(0, HERE);
  await once(server, 'listening');
  scope.defer(() => server.close());
  return { host: HERE, port: (server.address() as { port: number }).port };
}

const answer = (
  request: StunMessage,
  change: Partial<Parameters<typeof encodeMessage>[0]> = {},
  port = 1234,
) =>
  encodeMessage({
    class: 'success',
    method: 'Binding',
    transactionId: request.transactionId,
    attributes: [['XOR-MAPPED-ADDRESS', { host: '203.0.113.5', port }]],
    fingerprint: true,
    ...change,
  });

const udpClient = async (port?: number) =>
  scope.use(await UdpStunClient.open({ family: 4, address: HERE, ...(port === undefined ? {} : { port }) }));

describe('over UDP', () => {
  it('wrong, damaged and foreign answers do not end a request; the right one does', async () => {
    const stranger: Socket = createSocket('udp4');
    scope.defer(() => stranger.close());
    const client = await udpClient();
    const { endpoint } = await udpServer((request, reply) => {
      const good = answer(request);
      stranger.send(answer(request, {}, 666), client.port, HERE); // right id, wrong source
      reply(answer(request, { transactionId: newTransactionId() }, 666));
      reply(answer(request, { class: 'request' }, 666));
      reply(answer(request, { method: 'Allocate' }, 666));
      reply(Buffer.from(good).fill(0xff, 30, 31)); // the fingerprint no longer fits
      reply(good.subarray(0, 30));
      reply(Buffer.from('not STUN at all'));
      reply(Buffer.alloc(0));
      setTimeout(() => reply(good), 30);
    });
    const result = await client.request(endpoint, {});
    expect(mappedAddress(successOf(result))).toEqual({ host: '203.0.113.5', port: 1234 });
    expect(result.from).toEqual(endpoint);
    expect(result.sends).toBe(1);
    expect(result.roundTripMs).toBeGreaterThan(0);
  });

  it('repeats a request that is not answered, with the same id', async () => {
    const ids: string[] = [];
    const { endpoint } = await udpServer((request, reply) => {
      if (ids.push(request.transactionKey) === 3) reply(answer(request));
    });
    const schedule = { sendAtMs: [0, 20, 40, 60], giveUpMs: 5_000 };
    const { sends, roundTripMs } = await (await udpClient()).request(endpoint, {}, { schedule });
    expect(sends).toBeGreaterThanOrEqual(3);
    expect(roundTripMs).toBeUndefined();
    expect(new Set(ids).size).toBe(1);
  });

  it('gives up, aborts and closes with the code for each', async () => {
    const { endpoint } = await udpServer(() => {});
    const client = await udpClient();
    const schedule = { sendAtMs: [0], giveUpMs: 30 };
    await expect(client.request(endpoint, {}, { schedule })).rejects.toMatchObject({ code: 'no-answer' });
    const controller = new AbortController();
    const aborted = client.request(endpoint, {}, { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    await expect(client.request(endpoint, {}, { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    const closed = client.request(endpoint, {});
    await client[Symbol.asyncDispose]();
    await expect(closed).rejects.toMatchObject({ code: 'closed' });
  });

  it('uses the local port it was given, for many servers at once', async () => {
    const free = await udpClient();
    const { port } = free;
    await free[Symbol.asyncDispose]();
    const client = await udpClient(port);
    expect(client.port).toBe(port);
    const servers = await Promise.all([1, 2, 3].map(n => udpServer((q, reply) => reply(answer(q, {}, n)))));
    const answers = await Promise.all(servers.map(({ endpoint }) => client.request(endpoint, {})));
    expect(answers.map(({ message }) => mappedAddress(message)?.port)).toEqual([1, 2, 3]);
  });

  it('tells an error answer from a success', async () => {
    const { endpoint } = await udpServer((request, reply) =>
      reply(answer(request, { class: 'error', attributes: [['ERROR-CODE', stunError(438)]] })),
    );
    const result = await (await udpClient()).request(endpoint, {});
    expect(() => successOf(result)).toThrow(/438 Stale Nonce/);
  });

  it('hands on what is no answer to anything', async () => {
    const heard: StunMessage[] = [];
    const client = scope.use(
      await UdpStunClient.open({ family: 4, address: HERE, onMessage: message => heard.push(message) }),
    );
    const { endpoint } = await udpServer((request, reply) => {
      reply(encodeMessage({ class: 'indication', method: 'Data', transactionId: newTransactionId() }));
      reply(answer(request));
    });
    await client.request(endpoint, {});
    expect(heard.map(({ methodName }) => methodName)).toEqual(['Data']);
  });
});

describe('over TCP', () => {
  it('answers may come in any order and in any pieces', async () => {
    const pending: StunMessage[] = [];
    const server = await tcpServer((bytes, reply) => {
      for (let at = 0; at < bytes.length; at += 20 + bytes.readUInt16BE(at + 2)) {
        pending.push(decodeMessage(bytes.subarray(at, at + 20 + bytes.readUInt16BE(at + 2))));
      }
      if (pending.length < 2) return;
      const both = Buffer.concat([answer(pending[1]!, {}, 2), answer(pending[0]!, {}, 1)]);
      for (const byte of both) reply(Buffer.from([byte]));
    });
    const client = scope.use(await StreamStunClient.open({ server, localAddress: HERE }));
    const [first, second] = await Promise.all([client.request({}), client.request({})]);
    expect(mappedAddress(first.message)?.port).toBe(1);
    expect(mappedAddress(second.message)?.port).toBe(2);
  });

  it('a stream that is not STUN ends the connection, and requests with it', async () => {
    const server = await tcpServer((_bytes, reply) => reply(Buffer.from('HTTP/1.1 400 Bad Request')));
    const client = scope.use(await StreamStunClient.open({ server }));
    await expect(client.request({})).rejects.toMatchObject({ code: 'connection-lost' });
    expect(client.closed.aborted).toBe(true);
    await expect(client.request({})).rejects.toMatchObject({ code: 'connection-lost' });
  });

  it('several connections share one local port', async () => {
    const servers = await Promise.all([1, 2].map(() => tcpServer(() => {})));
    const first = scope.use(await StreamStunClient.open({ server: servers[0]!, localAddress: HERE }));
    const localPort = first.local.port;
    const second = scope.use(
      await StreamStunClient.open({ server: servers[1]!, localAddress: HERE, localPort }),
    );
    expect(second.local).toEqual(first.local);
  });

  it('nobody there is `dial-failed`', async () => {
    const server = { host: HERE, port: 1 };
    await expect(StreamStunClient.open({ server })).rejects.toMatchObject({ code: 'dial-failed' });
  });
});

describe('over TLS', () => {
  // A certificate for 127.0.0.1 made on the spot; openssl is part of every system that has Node.js's tests.
  const directory = mkdtempSync(join(tmpdir(), 'wayleave-stun-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(directory, name)) as [string, string];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat(['-subj', '/CN=stun.test', '-addext', 'subjectAltName=DNS:stun.test'])
      .concat(['-keyout', key, '-out', cert]),
    { stdio: 'ignore' },
  );
  const pem = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(directory, { recursive: true });

  async function tlsServer() {
    const server = createTlsServer({ ...pem, ALPNProtocols: ['stun.nat-discovery'] }, socket => {
      socket.on('error', () => {});
      socket.on('data', bytes => socket.write(answer(decodeMessage(bytes))));
      scope.defer(() => socket.destroy());
    });
    server.on('tlsClientError', () => {});
    server.listen(0, HERE);
    await once(server, 'listening');
    scope.defer(() => server.close());
    return { host: HERE, port: (server.address() as { port: number }).port };
  }

  it('a request is answered by the server that the certificate names', async () => {
    const server = await tlsServer();
    const tls = { servername: 'stun.test', ca: pem.cert };
    const client = scope.use(await StreamStunClient.open({ server, tls }));
    expect(mappedAddress((await client.request({})).message)?.port).toBe(1234);
  });

  it('another name or an unknown signer is refused', async () => {
    const server = await tlsServer();
    const wrong = { servername: 'other.test', ca: pem.cert };
    await expect(StreamStunClient.open({ server, tls: wrong })).rejects.toMatchObject({
      code: 'dial-failed',
    });
    const unknown = { servername: 'stun.test' };
    await expect(StreamStunClient.open({ server, tls: unknown })).rejects.toMatchObject({
      code: 'dial-failed',
    });
  });

  it('a server that stalls in the handshake is left by abort', async () => {
    const server = await tcpServer(() => {});
    const controller = new AbortController();
    const tls = { servername: 'stun.test' };
    const opening = StreamStunClient.open({ server, tls, signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expect(opening).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('over IPv6', () => {
  it('UDP and TCP against our responder', async () => {
    const responder = scope.use(await createStunResponder({ host: '::1', port: 0 }));
    const server = responder.endpoints[0]!;
    const udp = scope.use(await UdpStunClient.open({ family: 6, address: '::1' }));
    const tcp = scope.use(await StreamStunClient.open({ server }));
    expect(mappedAddress((await udp.request(server, {})).message)).toEqual({ host: '::1', port: udp.port });
    expect(mappedAddress((await tcp.request({})).message)).toEqual(tcp.local);
  });
});
