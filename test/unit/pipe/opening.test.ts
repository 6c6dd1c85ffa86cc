import { describe, expect, test } from 'vitest';
import { encodeControl, KIND } from '../../../src/pipe/framing.js';
import { accept, receiveHello, refuse, sendHello } from '../../../src/pipe/opening.js';
import { Pipe } from '../../../src/pipe/pipe.js';
import { leavesNothing } from './handles.js';
import { ROUTE, securedPair } from './pairs.js';

const HELLO = { purpose: 'open', attempt: 'attempt-1' } as const;

test('hello and accept: both sides know what the connection is for', () =>
  leavesNothing(async () => {
    const [client, server] = await securedPair();
    const saying = sendHello(client, { purpose: 'dial-back', attempt: 'a' }, { waitForAccept: true });
    expect(await receiveHello(server)).toEqual({ purpose: 'dial-back', attempt: 'a' });
    accept(server);
    await saying;
    client.socket.destroy();
    server.socket.destroy();
  }));

test('a refusal arrives as `refused`, with its sentence', () =>
  leavesNothing(async () => {
    const [client, server] = await securedPair();
    const saying = sendHello(client, HELLO, { waitForAccept: true });
    await receiveHello(server);
    const refusing = refuse(server, 'members only');
    await expect(saying).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('members only'),
    });
    await refusing;
    expect([client.socket.destroyed, server.socket.destroyed]).toEqual([true, true]);
  }));

test('bytes that come right behind the opening are not lost, on either side', () =>
  leavesNothing(async () => {
    const [client, server] = await securedPair();
    const behind = (kind: 1 | 2, content: object | undefined, text: string) =>
      Buffer.concat([encodeControl(kind, content), Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
    client.socket.write(behind(KIND.hello, HELLO, 'first'));
    client.awaitingAccept = true;
    await receiveHello(server);
    server.socket.write(behind(KIND.accept, undefined, 'second'));
    const near = new Pipe(client, { direction: 'outbound', route: ROUTE });
    const far = new Pipe(server, { direction: 'inbound', route: ROUTE });
    expect(`${await far.recv({ timeoutMs: 3000 })} ${await near.recv({ timeoutMs: 3000 })}`).toBe(
      'first second',
    );
    await Promise.all([near.close(), far.close()]);
  }));

describe('without waiting for the answer', () => {
  test('the pipe takes the accept in as its first frame', () =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      await sendHello(client, HELLO, { waitForAccept: false });
      const near = new Pipe(client, { direction: 'outbound', route: ROUTE });
      await near.send('early');
      await receiveHello(server);
      accept(server);
      const far = new Pipe(server, { direction: 'inbound', route: ROUTE });
      expect((await far.recv({ timeoutMs: 3000 })).toString()).toBe('early');
      await far.send('answer');
      expect((await near.recv({ timeoutMs: 3000 })).toString()).toBe('answer');
      await Promise.all([near.close(), far.close()]);
    }));

  test('a refusal ends the pipe as `refused`', () =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      await sendHello(client, HELLO, { waitForAccept: false });
      const near = new Pipe(client, { direction: 'outbound', route: ROUTE });
      await receiveHello(server);
      await refuse(server);
      expect(await near.closed).toMatchObject({ code: 'refused', by: 'peer' });
      await expect(near.send('x')).rejects.toMatchObject({ code: 'refused' });
    }));

  test('a message before the answer is a fault', () =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      await sendHello(client, HELLO, { waitForAccept: false });
      const near = new Pipe(client, { direction: 'outbound', route: ROUTE });
      server.socket.resume().end(Buffer.from([0, 0, 0, 1, 120]));
      expect(await near.closed).toMatchObject({ code: 'protocol-error', by: 'local' });
    }));
});

describe('a peer that does not follow the opening: one typed error, connection gone', () => {
  test.each([
    ['says nothing', undefined, 'handshake-timeout'],
    ['sends a message first', Buffer.from([0, 0, 0, 1, 120]), 'protocol-error'],
    ['sends a hello that is not JSON', Buffer.from([0x10, 0, 0, 1, 120]), 'protocol-error'],
    ['wants something unknown', encodeControl(KIND.hello, { purpose: 'x', attempt: 'a' }), 'protocol-error'],
    [
      'names an attempt of 65 characters',
      encodeControl(KIND.hello, { ...HELLO, attempt: 'a'.repeat(65) }),
      'protocol-error',
    ],
    ['announces a hello of 200 MB', Buffer.from([0x1f, 0xff, 0xff, 0xff]), 'protocol-error'],
  ])('%s', (_name, bytes, code) =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      if (bytes) client.socket.write(bytes);
      await expect(receiveHello(server, { timeoutMs: 100 })).rejects.toMatchObject({ code });
      expect(server.socket.destroyed).toBe(true);
      client.socket.destroy();
    }),
  );

  test('leaves', () =>
    leavesNothing(async () => {
      for (const how of ['end', 'destroy'] as const) {
        const [client, server] = await securedPair();
        client.socket[how]();
        await expect(receiveHello(server)).rejects.toMatchObject({ code: 'handshake-failed' });
        client.socket.destroy();
      }
    }));

  test('answers a hello with something else', () =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      server.socket.write(encodeControl(KIND.heartbeat));
      await expect(sendHello(client, HELLO, { waitForAccept: true })).rejects.toMatchObject({
        code: 'protocol-error',
      });
      server.socket.destroy();
    }));
});

test('abort', () =>
  leavesNothing(async () => {
    const [client, server] = await securedPair();
    const controller = new AbortController();
    const both = [
      sendHello(client, HELLO, { waitForAccept: true, signal: controller.signal }),
      receiveHello(server, { signal: controller.signal }).then(() =>
        receiveHello(server, { signal: controller.signal }),
      ),
    ];
    setTimeout(() => controller.abort(), 20);
    for (const one of both) await expect(one).rejects.toMatchObject({ code: 'aborted' });
    expect([client.socket.destroyed, server.socket.destroyed]).toEqual([true, true]);
  }));

test('refuse settles within its time when the peer neither reads nor leaves', () =>
  leavesNothing(async () => {
    const [client, server] = await securedPair();
    client.socket.pause();
    await refuse(server);
    expect(server.socket.destroyed).toBe(true);
    client.socket.destroy();
  }));
