// The exchange ends when it is told to: also while its socket is still being bound.
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/net/clock.js';
import { bindUdp } from '../../../src/net/sockets.js';
import { exchangeDatagrams } from '../../../src/port-mapping/datagram-exchange.js';

test('an abort while the socket is bound ends it, and nothing is sent afterwards', async () => {
  await using silent = await bindUdp({ family: 4, address: '127.0.0.1' }).then(socket => {
    return Object.assign(socket, { [Symbol.asyncDispose]: async () => void socket.close() });
  });
  const path = {
    gateway: { address: '127.0.0.1', zone: 'lo', controlPort: silent.address().port },
    localAddress: '127.0.0.1',
    clock: systemClock,
  };
  const received: unknown[] = [];
  const uncaught: unknown[] = [];
  silent.on('message', message => received.push(message));
  const note = (error: unknown) => uncaught.push(error);
  process.on('uncaughtException', note);
  try {
    const controller = new AbortController();
    const exchange = exchangeDatagrams(path, Buffer.from('hello'), () => undefined, controller.signal);
    controller.abort();
    await expect(exchange).rejects.toMatchObject({ code: 'aborted' });
    await new Promise(resolve => setTimeout(resolve, 20));
  } finally {
    process.off('uncaughtException', note);
  }
  expect([received, uncaught]).toEqual([[], []]);
});
