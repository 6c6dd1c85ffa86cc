// Who gets the messages: the rules of handlers, subscriptions, `recv` and iteration, and when the peer has to wait.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { MessageHandlers } from '../../../src/pipe/message-handlers.js';
import type { Pipe } from '../../../src/pipe/pipe.js';
import { leavesNothing } from './handles.js';
import { alice, pipePair, ROUTE } from './pairs.js';

type Options = Parameters<typeof pipePair>[0];

/** Runs with an open pipe and closes it, whatever happens. */
function withPipe(options: Options, work: (near: Pipe, far: Pipe) => Promise<void>): Promise<void> {
  return leavesNothing(async () => {
    const [near, far] = await pipePair(options);
    try {
      await work(near, far);
    } finally {
      await Promise.all([near.close(), far.close()]);
    }
  });
}

/** Sends numbered messages without waiting; says how many were taken. */
function flood(pipe: Pipe, count: number, bytes = 8): { taken(): number; all: Promise<unknown> } {
  let taken = 0;
  const sends = Array.from({ length: count }, (_, i) => {
    const message = Buffer.alloc(bytes);
    message.writeUInt32BE(i);
    return pipe.send(message).then(() => taken++);
  });
  return { taken: () => taken, all: Promise.all(sends) };
}

const numberIn = (message: Buffer) => message.readUInt32BE(0);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** What a value is after it came to `expected`, or to rest above it; fails after 10 s below it. */
async function reaches(value: () => number, expected: number): Promise<number> {
  await vi.waitFor(() => expect(value()).toBeGreaterThanOrEqual(expected), { timeout: 10_000, interval: 5 });
  await sleep(50);
  return value();
}

/** What a value is when it has not changed for a while. */
async function rests(value: () => number): Promise<number> {
  for (let before = -1; before !== value(); await sleep(200)) before = value();
  return value();
}

test('PING, PONG: handler and recv, with the proved sender', () =>
  withPipe({}, async (near, far) => {
    far.onMessage(async (message, client, pipe) => {
      expect([client.id, client.host, client.port]).toEqual([alice.id, ROUTE.remote.host, ROUTE.remote.port]);
      if (message.toString() === 'PING') await pipe.send('PONG');
    });
    await near.send('PING');
    expect((await near.recv({ timeoutMs: 5000 })).toString()).toBe('PONG');
  }));

test('text and every kind of bytes, also none at all, arrive as they were', () =>
  withPipe({}, async (near, far) => {
    const bytes = Buffer.from('ünïcödé');
    const all = [
      bytes.toString(),
      bytes,
      new Uint8Array(bytes),
      new DataView(bytes.buffer, bytes.byteOffset, 2),
    ];
    for (const data of [...all, new Uint8Array(bytes).buffer, '', new Uint8Array(0), 'ß'.repeat(100_000)]) {
      await near.send(data);
    }
    for (const expected of [
      bytes,
      bytes,
      bytes,
      bytes.subarray(0, 2),
      bytes,
      Buffer.alloc(0),
      Buffer.alloc(0),
    ]) {
      expect((await far.recv()).equals(expected)).toBe(true);
    }
    expect((await far.recv()).toString()).toBe('ß'.repeat(100_000));
    await expect(near.send(7 as unknown as string)).rejects.toMatchObject({ code: 'bad-option' });
  }));

test('a buffer may be reused as soon as send resolves', () =>
  withPipe({}, async (near, far) => {
    const buffer = Buffer.alloc(100_000);
    const reading = (async () => {
      for (let i = 0; i < 50; i++) expect((await far.recv()).every(byte => byte === i)).toBe(true);
    })();
    for (let i = 0; i < 50; i++) await near.send(buffer.fill(i));
    await reading;
  }));

test('a message over 16 MiB is refused, and the pipe lives on', () =>
  withPipe({}, async (near, far) => {
    const large = Buffer.alloc(16 * 1024 * 1024 + 1);
    await expect(near.send(large)).rejects.toMatchObject({ code: 'message-too-large' });
    await expect(near.send('x'.repeat(large.length))).rejects.toMatchObject({ code: 'message-too-large' });
    const sending = near.send(large.subarray(1).fill(7));
    expect((await far.recv()).equals(large.subarray(1))).toBe(true);
    await sending;
  }));

describe('every handler and every subscription sees every message, in order', () => {
  test('of the node, of the pipe, filtered or not, beside recv', () => {
    const nodeHandlers = new MessageHandlers<Pipe>();
    return withPipe({ far: { nodeHandlers } }, async (near, far) => {
      const seen: Record<string, number[]> = { node: [], pipe: [], second: [] };
      nodeHandlers.add(message => void seen.node!.push(numberIn(message)));
      far.onMessage(message => void seen.pipe!.push(numberIn(message)));
      far.onMessage(message => void seen.second!.push(numberIn(message)));
      const even = far.subscribe(message => numberIn(message) % 2 === 0);
      const all = far.subscribe();
      await flood(near, 500).all;
      const take = async (from: { recv(): Promise<Buffer> }, count: number) => {
        const numbers = [];
        for (let i = 0; i < count; i++) numbers.push(numberIn(await from.recv()));
        return numbers;
      };
      expect(await take(all, 500)).toEqual(range(0, 500));
      expect(await take(far, 500)).toEqual(range(0, 500));
      expect(await take(even, 250)).toEqual(range(0, 250).map(i => i * 2));
      for (const numbers of Object.values(seen)) expect(numbers).toEqual(range(0, 500));
    });
  });

  test('handlers attached in the turn in which the pipe is made miss nothing, though messages wait already', () =>
    leavesNothing(async () => {
      for (let i = 0; i < 20; i++) {
        const nodeHandlers = new MessageHandlers<Pipe>();
        const [near, far] = await pipePair({ far: { nodeHandlers } });
        const seen: number[] = [];
        far.onMessage(message => void seen.push(numberIn(message)));
        await flood(near, 10).all;
        await reaches(() => seen.length, 10);
        expect(seen).toEqual(range(0, 10));
        await Promise.all([near.close(), far.close()]);
      }
    }));

  test('until they are disposed', () =>
    withPipe({}, async (near, far) => {
      const seen: string[] = [];
      const a = far.onMessage(message => void seen.push(`a${message}`));
      far.onMessage(message => {
        seen.push(`b${message}`);
        a[Symbol.dispose]();
      });
      await near.send('1');
      await near.send('2');
      await reaches(() => seen.length, 3);
      expect(seen).toEqual(['a1', 'b1', 'b2']);
    }));

  test('one that throws or rejects is reported and disturbs nobody', () => {
    const errors: unknown[] = [];
    return withPipe({ far: { onError: error => errors.push(error) } }, async (near, far) => {
      far.onMessage(() => {
        throw 'thrown';
      });
      far.onMessage(async () => {
        throw 'rejected';
      });
      const picky = far.subscribe(() => {
        throw 'filter';
      });
      await near.send('1');
      await near.send('2');
      expect(`${await far.recv()}${await far.recv()}`).toBe('12');
      await turn();
      expect(errors.filter(error => error === 'thrown')).toHaveLength(2);
      expect(errors.filter(error => error === 'rejected')).toHaveLength(2);
      expect(errors.filter(error => error === 'filter')).toHaveLength(2);
      expect(picky.length).toBe(0);
    });
  });
});

describe('who must not lose anything makes the peer wait', () => {
  // 48 MB: more than the kernel and every buffer on the way hold
  const COUNT = 6000;
  const BYTES = 8192;

  test('nobody consumes: the queue fills, reading stops, and later everything is there', () =>
    withPipe({}, async (near, far) => {
      const sending = flood(near, COUNT, BYTES);
      expect(await rests(sending.taken)).toBeLessThan(COUNT);
      for (let i = 0; i < COUNT; i++) expect(numberIn(await far.recv({ timeoutMs: 5000 }))).toBe(i);
      await sending.all;
    }));

  test('a handler consumes and nobody called recv: the oldest gives way, nobody waits', () =>
    withPipe({}, async (near, far) => {
      let count = 0;
      far.onMessage(() => void count++);
      await flood(near, 5000).all;
      expect(await reaches(() => count, 5000)).toBe(5000);
      const kept = [];
      for (let i = 0; i < 1024; i++) kept.push(numberIn(await far.recv({ timeoutMs: 5000 })));
      expect(kept).toEqual(range(5000 - 1024, 5000));
    }));

  test('a handler that comes later frees a full queue', () => {
    const nodeHandlers = new MessageHandlers<Pipe>();
    return withPipe({ far: { nodeHandlers } }, async (near, far) => {
      const sending = flood(near, COUNT, BYTES);
      await rests(sending.taken);
      let last = -1;
      nodeHandlers.add(message => void (last = numberIn(message)));
      expect(await reaches(() => last, COUNT - 1)).toBe(COUNT - 1);
      await sending.all;
      expect(numberIn(await far.recv())).toBeGreaterThan(0);
    });
  });

  test('recv was called once: from then on nothing gives way, handler or not', () =>
    withPipe({}, async (near, far) => {
      const sending = flood(near, COUNT, BYTES);
      let count = 0;
      far.onMessage(() => void count++);
      expect(numberIn(await far.recv())).toBe(0);
      expect(await rests(() => count)).toBeLessThan(COUNT);
      for (let i = 1; i < COUNT; i++) expect(numberIn(await far.recv({ timeoutMs: 5000 }))).toBe(i);
      await sending.all;
      expect(count).toBe(COUNT);
    }));

  test('a subscription that is not read, until it is disposed', () =>
    withPipe({}, async (near, far) => {
      let count = 0;
      far.onMessage(() => void count++);
      const forgotten = far.subscribe(undefined, { maxMessages: 10 });
      const sending = flood(near, COUNT, BYTES);
      expect(await reaches(() => count, 10)).toBe(10);
      forgotten[Symbol.dispose]();
      expect(await reaches(() => count, COUNT)).toBe(COUNT);
      await sending.all;
    }));

  test('asynchronous handlers that are not done: at most 1,024 messages are at work', () =>
    withPipe({}, async (near, far) => {
      let begun = 0;
      let finish = () => {};
      const finished = new Promise<void>(resolve => {
        finish = resolve;
      });
      far.onMessage(() => {
        begun++;
        return finished;
      });
      const sending = flood(near, 3000);
      expect(await reaches(() => begun, 1024)).toBe(1024);
      finish();
      expect(await reaches(() => begun, 3000)).toBe(3000);
      await sending.all;
    }));

  test('the sender holds no more than 4 MiB, and send can be given up', () =>
    withPipe({}, async (near, far) => {
      const before = process.memoryUsage().arrayBuffers;
      const message = Buffer.alloc(1024 * 1024);
      let sent = 0;
      let stuck: Promise<void>;
      const controller = new AbortController();
      for (;;) {
        stuck = near.send(message, { signal: controller.signal });
        if ((await Promise.race([stuck, sleep(300, 'stuck')])) === 'stuck') break;
        expect(++sent).toBeLessThan(60);
      }
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024 + message.length);
      const behind = near.send('never sent', { signal: controller.signal });
      const later = near.send('later');
      controller.abort();
      await expect(stuck).rejects.toMatchObject({ code: 'aborted' });
      await expect(behind).rejects.toMatchObject({ code: 'aborted' });
      for (let i = 0; i < sent + 1; i++) expect((await far.recv()).length).toBe(message.length);
      expect((await far.recv()).toString()).toBe('later'); // the one half under way was finished, the next never sent
      await later;
    }));
});

test('a handler that calls recv does not disturb the order', () =>
  withPipe({}, async (near, far) => {
    const order: string[] = [];
    far.onMessage(async message => {
      order.push(`handler ${message}`);
      order.push(`recv ${await far.recv()}`);
    });
    await near.send('1');
    await near.send('2');
    await reaches(() => order.length, 4);
    expect(order.filter(line => line.startsWith('handler'))).toEqual(['handler 1', 'handler 2']);
    expect(order.filter(line => line.startsWith('recv'))).toEqual(['recv 1', 'recv 2']);
  }));
