import { expect, test } from 'vitest';
import { memoryPair, pipePair } from './pairs.js';

test('echo', async () => {
  const [near, far] = await pipePair();
  far.onMessage(async (m, c, p) => {
    await p.send(`${c.id === p.peer} ${m}`);
  });
  await near.send('hi');
  expect((await near.recv({ timeoutMs: 1000 })).toString()).toBe('true hi');
  await near.close('bye');
  expect(await far.closed).toEqual({ code: 'closed', by: 'peer', message: 'bye' });
  expect(await near.closed).toEqual({ code: 'closed', by: 'local', message: 'bye' });
});
test('memory', async () => {
  const [near, far] = await pipePair({ raw: memoryPair() });
  const big = Buffer.alloc(5_000_000, 7);
  near.send(big);
  near.send('x');
  expect((await far.recv()).equals(big)).toBe(true);
  expect((await far.recv()).toString()).toBe('x');
  await near.close('bye');
  expect(await far.closed).toEqual({ code: 'closed', by: 'peer', message: 'bye' });
});
