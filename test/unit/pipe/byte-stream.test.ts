// The pipe as a stream of bytes: what Node's own stream functions and node:http expect of a Duplex.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { leavesNothing } from './handles.js';
import { memoryPair, pipePair, tcpPair } from './pairs.js';

test.each([
  ['TCP', tcpPair],
  ['streams in memory', async () => memoryPair()],
])('there and back over %s, by hash, with a half close', (_name, pair) =>
  leavesNothing(async () => {
    const [near, far] = await pipePair({ raw: await pair() });
    const data = randomBytes(5_000_001);
    const echo = far.toDuplex();
    void pipeline(echo, echo);
    const stream = near.toDuplex();
    expect(near.toDuplex()).toBe(stream);
    const [back] = await Promise.all([
      buffer(stream),
      pipeline(Readable.from([data.subarray(0, 9), data.subarray(9)]), stream),
    ]);
    expect(createHash('sha256').update(back).digest('hex')).toBe(
      createHash('sha256').update(data).digest('hex'),
    );
    expect((await near.closed).code).toBe('closed');
    expect((await far.closed).code).toBe('closed');
  }),
);

test('the peer’s orderly close is the end of the stream', () =>
  leavesNothing(async () => {
    const [near, far] = await pipePair();
    await near.send('one');
    await near.send('');
    await near.send('two');
    const reading = buffer(far.toDuplex());
    await near.close();
    expect((await reading).toString()).toBe('onetwo');
    far.toDuplex().end();
    await far.closed;
  }));

test('a stream broken off is an error at the other end, not an end', () =>
  leavesNothing(async () => {
    const [near, far] = await pipePair();
    const reading = buffer(far.toDuplex());
    near.toDuplex().write('half of it');
    near.toDuplex().destroy();
    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    expect(await far.closed).toMatchObject({ code: 'aborted', by: 'peer' });
  }));

test('a lost connection is an error at the stream', () =>
  leavesNothing(async () => {
    const raw = await tcpPair();
    const [near, far] = await pipePair({ raw });
    const reading = buffer(far.toDuplex());
    raw[0].destroy();
    await expect(reading).rejects.toMatchObject({ code: 'connection-lost' });
    await near.close();
  }));

test('a reader that stops makes the writer wait', () =>
  leavesNothing(async () => {
    const [near, far] = await pipePair();
    const stream = near.toDuplex();
    let written = 0;
    const part = Buffer.alloc(256 * 1024);
    const full = 60 * 1024 * 1024;
    while (written < full) {
      const drained = stream.write(part) || (await Promise.race([once(stream, 'drain'), silence(500)]));
      if (!drained) break;
      written += part.length;
    }
    expect(written).toBeLessThan(full);
    stream.end();
    let read = 0;
    for await (const chunk of far.toDuplex()) read += (chunk as Buffer).length;
    expect(read).toBe(written + part.length);
    far.toDuplex().end();
    await Promise.all([near.close(), far.close()]);
  }));

function silence(ms: number): Promise<false> {
  return new Promise(resolve => setTimeout(() => resolve(false), ms));
}

test('node:http speaks over it', () =>
  leavesNothing(async () => {
    const [near, far] = await pipePair();
    const server = createServer((request, response) => response.end(`you asked for ${request.url}`));
    server.emit('connection', far.toDuplex());
    const agent = new Agent();
    agent.createConnection = () => near.toDuplex();
    const response = await new Promise<Readable>(resolve => get({ path: '/x', agent }, resolve));
    expect((await buffer(response)).toString()).toBe('you asked for /x');
    agent.destroy();
    await Promise.all([near.close(), far.close()]);
  }));
