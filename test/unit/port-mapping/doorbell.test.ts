// Waiting that may be cut short.
import { expect, it } from 'vitest';
import { Doorbell } from '../../../src/port-mapping/doorbell.js';
import { FakeClock } from '../../fake-clock.js';

it('waits for the time, for a ring, or not at all when it rang before', async () => {
  const clock = new FakeClock();
  const doorbell = new Doorbell<string>();
  const { signal } = new AbortController();

  const quiet = doorbell.wait(clock, 1000, signal);
  await clock.advance(1000);
  expect(await quiet).toBeUndefined();

  const rung = doorbell.wait(clock, 1000, signal);
  doorbell.ring('hello');
  expect(await rung).toBe('hello');

  doorbell.ring('first');
  doorbell.ring('second');
  expect(await doorbell.wait(clock, 1000, signal)).toBe('second');
  expect(clock.pending).toBe(0);
});

it('ends with its signal', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const waiting = new Doorbell().wait(clock, 1000, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  await expect(new Doorbell().wait(clock, 1000, controller.signal)).rejects.toMatchObject({
    code: 'aborted',
  });
  expect(clock.pending).toBe(0);
});
