// How a pipe ends: in good order, by a fault, or with the path; what each side is told; and that nothing stays.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { encodeControl, KIND } from '../../../src/pipe/framing.js';
import { accept, receiveHello, sendHello } from '../../../src/pipe/opening.js';
import { Pipe } from '../../../src/pipe/pipe.js';
import { leavesNothing } from './handles.js';
import { memoryPair, pipePair, ROUTE, securedPair, tcpPair } from './pairs.js';

const LIVELY = { heartbeatMs: 50, deadMs: 1000 };

describe('close', () => {
  test('both sides learn why; calling it again changes nothing', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      await Promise.all([near.close('lunch'), near.close('ignored')]);
      await near[Symbol.asyncDispose]();
      expect(await near.closed).toEqual({ code: 'closed', by: 'local', message: 'lunch' });
      expect(await far.closed).toEqual({ code: 'closed', by: 'peer', message: 'lunch' });
      await far.close();
    }));

  test('at once after birth, and by both at the same time', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      await Promise.all([near.close(), far.close()]);
      expect([(await near.closed).code, (await far.closed).code]).toEqual(['closed', 'closed']);
    }));

  test('what was sent before arrives, also what still waited, then iteration ends', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      const sizes: number[] = [];
      const reading = (async () => {
        for await (const message of far) sizes.push(message.length);
      })();
      const sends = [near.send('1'), near.send(Buffer.alloc(3_000_000)), near.send('12')];
      await near.close();
      await Promise.all([...sends, reading]);
      expect(sizes).toEqual([1, 3_000_000, 2]);
    }));

  test('afterwards every call says so', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      const waiting = [near.recv(), far.recv(), near.subscribe().recv()].map(one =>
        one.catch(error => error.code),
      );
      await near.close();
      await far.closed;
      expect(await Promise.all(waiting)).toEqual(['closed', 'closed', 'closed']);
      for (const pipe of [near, far]) {
        await expect(pipe.send('x')).rejects.toMatchObject({ code: 'closed' });
        await expect(pipe.recv()).rejects.toMatchObject({ code: 'closed' });
        await expect(pipe.subscribe().recv()).rejects.toMatchObject({ code: 'closed' });
        for await (const _ of pipe) expect.unreachable();
      }
    }));

  test('messages that came before the peer’s goodbye can still be read', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      await near.send('last words');
      await near.close();
      await far.closed;
      expect((await far.recv()).toString()).toBe('last words');
      await expect(far.recv()).rejects.toMatchObject({ code: 'closed' });
    }));

  test('a peer that does not read is waited for 2 s, not longer; who waits to send is told', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      const sends = Array.from({ length: 50 }, () =>
        near.send(Buffer.alloc(1_000_000)).then(
          () => 'sent',
          error => error.code,
        ),
      );
      await sleep(100);
      await near.close();
      expect(new Set(await Promise.all(sends))).toEqual(new Set(['sent', 'closed']));
      expect(await near.closed).toMatchObject({ code: 'closed', by: 'local' });
      await far.close();
    }));

  test('with a reason longer than fits', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair();
      await near.close('€'.repeat(10_000));
      expect((await far.closed).message).toBe('€'.repeat(1024));
    }));
});

describe('the path is lost', () => {
  test.each(['end', 'destroy', 'resetAndDestroy'] as const)('%s without a goodbye', how =>
    leavesNothing(async () => {
      const raw = await tcpPair();
      const [near, far] = await pipePair({ raw });
      await near.send('before');
      const first = await far.recv();
      (raw[0] as Socket)[how]();
      expect(await far.closed).toMatchObject({ code: 'connection-lost', by: 'network' });
      expect(first.toString()).toBe('before');
      await expect(far.send('x')).rejects.toMatchObject({ code: 'connection-lost' });
      await expect(far.recv()).rejects.toMatchObject({ code: 'connection-lost' });
      await expect(far[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'connection-lost' });
      await near.close();
    }),
  );

  test('a TLS end (close_notify) without a goodbye is no orderly end either', () =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      await sendHello(client, { purpose: 'open', attempt: 'a' }, { waitForAccept: false });
      await receiveHello(server);
      accept(server);
      const far = new Pipe(server, { direction: 'inbound', route: ROUTE });
      client.socket.end();
      expect(await far.closed).toMatchObject({ code: 'connection-lost', by: 'network' });
      client.socket.destroy();
    }));

  test('silently: both sides notice by themselves', () =>
    leavesNothing(async () => {
      const raw = memoryPair();
      const [near, far] = await pipePair({ raw, near: LIVELY, far: LIVELY });
      await sleep(1500);
      await near.send('idle, but alive');
      expect((await far.recv()).toString()).toBe('idle, but alive');
      for (const end of raw) {
        end._write = (_chunk, _encoding, done) => done(); // a black hole
        end._writev = null as never;
      }
      const reasons = await Promise.all([near.closed, far.closed]);
      for (const reason of reasons) expect(reason).toMatchObject({ code: 'connection-lost', by: 'network' });
    }));

  test('but a peer that only reads slowly is not taken for dead', () =>
    leavesNothing(async () => {
      const [near, far] = await pipePair({ near: LIVELY, far: LIVELY });
      const sending = Array.from({ length: 100 }, () => near.send(Buffer.alloc(200_000)));
      await sleep(1500);
      for (let i = 0; i < 100; i++) await far.recv();
      await Promise.all(sending);
      await near.close();
      expect(await far.closed).toMatchObject({ code: 'closed', by: 'peer' });
    }));
});

describe('a peer that breaks the protocol: one typed reason on both sides', () => {
  test.each([
    ['a second hello', encodeControl(KIND.hello, { purpose: 'open', attempt: 'a' }), 'protocol-error'],
    ['an accept that nobody waits for', encodeControl(KIND.accept), 'protocol-error'],
    ['an unknown kind', Buffer.from([0xf0, 0, 0, 0]), 'protocol-error'],
    ['a message of 17 MiB', Buffer.from([0x01, 0x10, 0, 0]), 'message-too-large'],
    ['a message after the end', Buffer.concat([encodeControl(KIND.end), Buffer.alloc(4)]), 'protocol-error'],
    ['an endless control frame', Buffer.from([0x50, 0x01, 0, 0]), 'protocol-error'],
  ])('%s', (_name, bytes, code) =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      const far = new Pipe(server, { direction: 'inbound', route: ROUTE });
      const answers: Buffer[] = [];
      client.socket.on('data', (chunk: Buffer) => answers.push(chunk));
      client.socket.once('end', () => client.socket.destroy());
      client.socket.write(bytes);
      expect(await far.closed).toMatchObject({ code, by: 'local' });
      await expect(far.send('x')).rejects.toMatchObject({ code });
      expect(Buffer.concat(answers).subarray(4).toString()).toContain(`"code":"${code}"`);
    }),
  );

  test.each([
    ['an unreadable one', Buffer.from([0x30, 0, 0, 2, 0x7b, 0x22]), 'protocol-error'],
    ['one with a code of a later version', encodeControl(KIND.close, { code: 'bored' }), 'aborted'],
    ['one without anything', encodeControl(KIND.close, {}), 'aborted'],
  ])('a goodbye: %s', (_name, bytes, code) =>
    leavesNothing(async () => {
      const [client, server] = await securedPair();
      const far = new Pipe(server, { direction: 'inbound', route: ROUTE });
      client.socket.resume().end(bytes);
      expect(await far.closed).toMatchObject({ code, by: 'peer' });
      client.socket.destroy();
    }),
  );

  test('altered bytes under TLS end the pipe, nothing altered is delivered', () =>
    leavesNothing(async () => {
      const raw = memoryPair();
      const [near, far] = await pipePair({ raw });
      const seen: string[] = [];
      far.onMessage(message => void seen.push(message.toString()));
      const write = raw[0]._write.bind(raw[0]);
      raw[0]._write = (chunk: Buffer, encoding, done) => {
        chunk[chunk.length - 1]! ^= 1;
        write(chunk, encoding, done);
      };
      await near.send('to be altered');
      expect(await far.closed).toMatchObject({ code: 'connection-lost' });
      expect(seen).toEqual([]);
      await near.closed;
    }));
});

test('opening and end are told on diagnostics_channel, without any payload', async () => {
  const events: [string, unknown][] = [];
  const listen = (message: unknown, name: string | symbol) => events.push([String(name), message]);
  for (const name of ['wayleave:pipe-opened', 'wayleave:pipe-closed']) subscribe(name, listen);
  const [near, far] = await pipePair();
  await near.send('secret');
  await far.recv();
  await near.close('bye');
  await far.closed;
  for (const name of ['wayleave:pipe-opened', 'wayleave:pipe-closed']) unsubscribe(name, listen);
  expect(events.map(([name]) => name).sort()).toEqual([
    'wayleave:pipe-closed',
    'wayleave:pipe-closed',
    'wayleave:pipe-opened',
    'wayleave:pipe-opened',
  ]);
  expect(events.at(-1)![1]).toMatchObject({ code: 'closed', strategy: 'direct' });
  expect(JSON.stringify(events)).not.toContain('secret');
});
