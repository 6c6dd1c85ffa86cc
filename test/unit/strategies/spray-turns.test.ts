// Sprays take turns on one interface, and only there; one that gives up in the queue does not stop it.
import { describe, expect, it } from 'vitest';
import { SprayTurns } from '../../../src/strategies/spray-turns.js';
import { settle } from '../../fake-clock.js';

const never = new AbortController().signal;

describe('turns', () => {
  it('one at a time, in the order of asking', async () => {
    const turns = new SprayTurns();
    const order: string[] = [];
    const take = async (name: string, address = '192.0.2.1', signal = never) => {
      const turn = await turns.take(address, signal);
      order.push(name);
      return turn;
    };
    const first = await take('first');
    const second = take('second');
    const third = take('third');
    await take('elsewhere', '192.0.2.2');
    await settle();
    expect(order).toEqual(['first', 'elsewhere']);
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    await third;
    expect(order).toEqual(['first', 'elsewhere', 'second', 'third']);
  });

  it('who gives up leaves the queue, but does not let the next in too early', async () => {
    const turns = new SprayTurns();
    const first = await turns.take('192.0.2.1', never);
    const controller = new AbortController();
    const second = turns.take('192.0.2.1', controller.signal);
    let third: Disposable | undefined;
    const waiting = turns.take('192.0.2.1', never).then(turn => {
      third = turn;
    });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'aborted' });
    await settle();
    expect(third).toBeUndefined();
    first[Symbol.dispose]();
    await waiting;
    expect(third).toBeDefined();
    await expect(turns.take('192.0.2.9', AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
  });
});
