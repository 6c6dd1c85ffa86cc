// What a client says so that no NAT forgets it, with the clock in hand.
import { expect, test } from 'vitest';
import { decodeMessage } from '../../../src/stun/message.js';
import { keepAlive } from '../../../src/turn/keep-alive.js';
import { FakeClock } from '../../fake-clock.js';

test('a Binding indication every 15 s, until the end', async () => {
  const clock = new FakeClock();
  const ended = new AbortController();
  const said: number[] = [];
  const kept = keepAlive(clock, ended.signal, bytes => {
    const { class: kind, methodName } = decodeMessage(bytes);
    expect([kind, methodName]).toEqual(['indication', 'Binding']);
    said.push(clock.now());
  });
  await clock.advance(50_000);
  expect(said).toEqual([15_000, 30_000, 45_000]);
  ended.abort();
  await kept;
  await clock.advance(50_000);
  expect(said).toHaveLength(3);
  expect(clock.pending).toBe(0);
});

test('as often as is asked', async () => {
  const clock = new FakeClock();
  const ended = new AbortController();
  let said = 0;
  void keepAlive(clock, ended.signal, () => said++, 1_000);
  await clock.advance(10_000);
  expect(said).toBe(10);
  ended.abort();
});
