// A server that is slow to take the first connection, one that refuses, and one that is called off.
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { redial } from '../../../src/net/redial.js';

const HERE = '127.0.0.1';
let server: Server;
let port: number;
let accepted: Socket[];
beforeEach(async () => {
  accepted = [];
  server = createServer(socket => void accepted.push(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, HERE, resolve));
  port = (server.address() as { port: number }).port;
});
afterEach(() => {
  for (const socket of accepted) socket.destroy();
  server.close();
});

describe('dialling a server again', () => {
  it('hands out the first connection, and dials no more', async () => {
    const socket = await new Promise<Socket>((resolve, reject) => {
      redial({ host: HERE, port }, (error, up) => (up ? resolve(up) : reject(error)));
    });
    expect(socket.remotePort).toBe(port);
    await systemClock.sleep(400);
    expect(accepted).toHaveLength(1);
    expect(socket.listenerCount('error')).toBe(0);
    socket.destroy();
  });

  it('begins another one while none is up', async () => {
    let dials = 0;
    const lookup = (
      _: string,
      __: object,
      callback: (error: null, address: string, family: number) => void,
    ) => {
      if (++dials > 1) callback(null, HERE, 4); // the first one is lost: nothing ever comes of it
    };
    const socket = await new Promise<Socket>((resolve, reject) => {
      redial({ host: 'server.test', port, lookup: lookup as never, autoSelectFamily: false }, (error, up) =>
        up ? resolve(up) : reject(error),
      );
    });
    expect(dials).toBe(2);
    socket.destroy();
  });

  it('says so at once when it is refused', async () => {
    server.close();
    const error = await new Promise<Error | null>(resolve => {
      redial({ host: HERE, port }, resolve);
    });
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is called off without a word', async () => {
    let said = 0;
    const stop = redial({ host: HERE, port }, () => said++);
    stop();
    await systemClock.sleep(400);
    expect(said).toBe(0);
    expect(accepted.length).toBeLessThanOrEqual(1);
  });
});
