import { describe, expect, test } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { MessageQueue, type QueueLimits } from '../../../src/pipe/message-queue.js';

function queue(limits: QueueLimits = {}) {
  let spaces = 0;
  const made = new MessageQueue(limits, () => spaces++);
  return { queue: made, push: (text: string) => made.push(Buffer.from(text)), spaces: () => spaces };
}

const closed = new WayleaveError('closed', 'over');
const lost = new WayleaveError('connection-lost', 'gone');

test('first in, first out; waiting calls are served in their order', async () => {
  const { queue: q, push } = queue();
  push('1');
  push('2');
  const all = [q.recv(), q.recv(), q.recv(), q.recv()];
  push('3');
  push('4');
  expect((await Promise.all(all)).join()).toBe('1,2,3,4');
  expect(q.length).toBe(0);
});

test('full by messages or by bytes, until half is read', () => {
  for (const limits of [{ maxMessages: 4 }, { maxBytes: 4 }]) {
    const { queue: q, push, spaces } = queue(limits);
    for (const text of ['1', '2', '3']) push(text);
    expect(q.full).toBe(false);
    push('4');
    expect(q.full).toBe(true);
    q.take();
    expect([q.full, spaces()]).toEqual([true, 0]);
    q.take();
    expect([q.full, spaces()]).toEqual([false, 1]);
  }
});

test('makeRoom lets the oldest give way and keeps the newest', () => {
  const { queue: q, push } = queue({ maxMessages: 3, maxBytes: 10 });
  for (const text of ['1', '2', '3', '4', '5']) push(text);
  q.makeRoom();
  expect([q.length, q.full]).toEqual([3, false]);
  push('larger than all the room');
  q.makeRoom();
  expect(q.length).toBe(1);
  expect(q.take()?.toString()).toBe('larger than all the room');
});

describe('recv', () => {
  test('gives up after timeoutMs, and the next message goes to the next call', async () => {
    const { queue: q, push } = queue();
    await expect(q.recv({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'timeout' });
    const next = q.recv({ timeoutMs: 5000 });
    push('kept');
    expect((await next).toString()).toBe('kept');
  });

  test('gives up on abort, at once when it was aborted before, without taking a message', async () => {
    const { queue: q, push } = queue();
    const controller = new AbortController();
    const waiting = q.recv({ signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    push('kept');
    await expect(q.recv({ signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
    expect((await q.recv()).toString()).toBe('kept');
  });

  test('after the end: first what is queued, then the reason', async () => {
    const { queue: q, push } = queue();
    push('last');
    q.end(lost);
    push('too late');
    expect((await q.recv()).toString()).toBe('last');
    await expect(q.recv()).rejects.toBe(lost);
  });

  test('who waits meets the reason', async () => {
    const { queue: q } = queue();
    const waiting = [q.recv(), q.recv({ timeoutMs: 5000 })];
    q.end(closed);
    q.end(lost);
    for (const one of waiting) await expect(one).rejects.toBe(closed);
  });
});

describe('iteration', () => {
  test('ends with an orderly close', async () => {
    const { queue: q, push } = queue();
    push('1');
    q.end(closed);
    const seen = [];
    for await (const message of q) seen.push(`${message}`);
    expect(seen).toEqual(['1']);
  });

  test('throws when the connection was lost', async () => {
    const { queue: q } = queue();
    setImmediate(() => q.end(lost));
    await expect(q[Symbol.asyncIterator]().next()).rejects.toBe(lost);
  });

  test('leaving it closes nothing', async () => {
    const { queue: q, push } = queue();
    push('1');
    push('2');
    for await (const message of q) if (`${message}` === '1') break;
    expect((await q.recv()).toString()).toBe('2');
  });
});

test('disposing lets go of everything and makes room', async () => {
  const { queue: q, push, spaces } = queue({ maxMessages: 1 });
  push('1');
  await q[Symbol.asyncDispose]();
  expect([q.length, q.full, spaces()]).toEqual([0, false, 1]);
  await expect(q.recv()).rejects.toMatchObject({ code: 'closed' });
});

test('limits out of range are refused', () => {
  for (const limits of [{ maxBytes: 0 }, { maxMessages: 1.5 }, { maxMessages: 2e6 }]) {
    expect(() => queue(limits)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  }
});
