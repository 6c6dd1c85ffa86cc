import { getEventListeners, once } from 'node:events';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { Scope } from '../../../src/net/scope.js';
import { bindUdp, dialTcp, listenTcp, localEndpoint, remoteEndpoint } from '../../../src/net/sockets.js';

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

/** A listener on loopback, and the sockets it has accepted. */
async function listening(options: { host?: string; port?: number } = { host: '127.0.0.1' }) {
  const accepted: Socket[] = [];
  const listener = await listenTcp(options, socket => {
    accepted.push(socket);
    socket.on('error', () => {});
    scope.defer(() => socket.destroy());
  });
  scope.use(listener);
  return { listener, accepted, here: { host: '127.0.0.1', port: listener.port } };
}

async function dialled(options: Parameters<typeof dialTcp>[0]): Promise<Socket> {
  const socket = await dialTcp(options);
  scope.defer(() => socket.destroy());
  return socket;
}

describe('dialling', () => {
  it('connects, and both ends know each other by canonical names', async () => {
    const { listener, accepted } = await listening({});
    const socket = await dialled({ remote: { host: '127.0.0.1', port: listener.port } });
    await expect.poll(() => accepted.length).toBe(1);
    expect(remoteEndpoint(socket)).toEqual({ host: '127.0.0.1', port: listener.port });
    expect(remoteEndpoint(accepted[0]!)).toEqual(localEndpoint(socket)); // not ::ffff:127.0.0.1
    const unused = new Socket();
    expect([remoteEndpoint(unused), localEndpoint(unused)]).toEqual([undefined, undefined]);
  });

  it('takes the local address and port that it is told', async () => {
    const { here } = await listening();
    const { listener: other } = await listening();
    const first = await dialled({ remote: here, localAddress: '127.0.0.2' });
    const { port } = localEndpoint(first)!;
    const second = await dialled({
      remote: { ...here, port: other.port },
      localAddress: '127.0.0.3',
      localPort: port,
    });
    expect(localEndpoint(second)).toEqual({ host: '127.0.0.3', port });
  });

  it('says what the system said when nothing listens', async () => {
    const { listener, here } = await listening();
    await listener[Symbol.asyncDispose]();
    const error = await dialTcp({ remote: here }).catch(error => error);
    expect(error).toBeInstanceOf(WayleaveError);
    expect(error).toMatchObject({ code: 'dial-failed', cause: { code: 'ECONNREFUSED' } });
    expect(error.message).toBe(`cannot connect to 127.0.0.1:${here.port}: ECONNREFUSED`);
  });

  it('gives a typed error for a port or local address that cannot be', async () => {
    const { here } = await listening();
    const failed = (options: Parameters<typeof dialTcp>[0]) => dialTcp(options).catch(error => error.code);
    expect(await failed({ remote: { host: '127.0.0.1', port: 65536 } })).toBe('dial-refused');
    expect(await failed({ remote: { host: '127.0.0.1', port: Number.NaN } })).toBe('dial-refused');
    expect(await failed({ remote: here, localAddress: '192.0.2.1' })).toBe('dial-failed');
    expect(await failed({ remote: here, localAddress: 'nonsense' })).toBe('dial-failed');
    expect(await failed({ remote: here, localPort: 65536 })).toBe('dial-failed');
  });

  it.each(['localhost', 'example.com', '', '127.1', '0x7f000001', '2130706433', '017700000001'])(
    'never looks up a name: %j',
    async host => {
      const { accepted, listener } = await listening();
      await expect(dialTcp({ remote: { host, port: listener.port } })).rejects.toMatchObject({
        code: 'dial-refused',
      });
      await new Promise(resolve => setTimeout(resolve, 20));
      expect(accepted).toHaveLength(0);
    },
  );

  it('is given up by its signal, before and while it connects', async () => {
    const { here } = await listening();
    const reason = new WayleaveError('closed', 'closed');
    await expect(dialTcp({ remote: here, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const dial = dialTcp({ remote: here, signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort();
    await expect(dial).rejects.toMatchObject({ code: 'aborted' });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('lets go of its signal once it has connected: a later abort leaves the socket alone', async () => {
    const { here, accepted } = await listening();
    const controller = new AbortController();
    const socket = await dialled({ remote: here, signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    controller.abort();
    socket.write('still here');
    await expect.poll(() => accepted.length).toBe(1);
    const [data] = await once(accepted[0]!, 'data');
    expect(String(data)).toBe('still here');
  });
});

describe('listening', () => {
  it('takes IPv4 and IPv6 on one port, and names the port it got', async () => {
    const { listener, accepted } = await listening({});
    await dialled({ remote: { host: '127.0.0.1', port: listener.port } });
    await expect.poll(() => accepted.length).toBe(1);
    expect(listener.port).toBeGreaterThan(0);
  });

  it.each([
    ['a port that is taken', (taken: number) => ({ host: '127.0.0.1', port: taken }), /EADDRINUSE/],
    ['an address of another machine', () => ({ host: '192.0.2.1' }), /192\.0\.2\.1.*EADDRNOTAVAIL/],
    ['a port out of range', () => ({ port: 65536 }), /ERR_SOCKET_BAD_PORT/],
  ])('fails with a typed error on %s', async (_, options, message) => {
    const { listener } = await listening();
    await expect(listenTcp(options(listener.port), () => {})).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringMatching(message),
    });
  });

  it('ends at once when it is disposed, and leaves accepted connections to their owners', async () => {
    const { listener, accepted, here } = await listening();
    const socket = await dialled({ remote: here });
    await expect.poll(() => accepted.length).toBe(1);
    await listener[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    await expect(dialTcp({ remote: here })).rejects.toMatchObject({ code: 'dial-failed' });
    accepted[0]!.write('still here');
    const [data] = await once(socket, 'data');
    expect(String(data)).toBe('still here');
  });
});

describe('UDP', () => {
  it('binds, and frees its port when closed', async () => {
    const socket = await bindUdp({ family: 4, address: '127.0.0.1' });
    const { port } = socket.address();
    await expect(bindUdp({ family: 4, address: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringContaining('EADDRINUSE'),
    });
    socket.close();
    await once(socket, 'close');
    const again = await bindUdp({ family: 4, address: '127.0.0.1', port });
    again.close();
  });

  it('fails with a typed error on an address of another machine', async () => {
    await expect(bindUdp({ family: 4, address: '192.0.2.1' })).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringContaining('EADDRNOTAVAIL'),
    });
  });
});
