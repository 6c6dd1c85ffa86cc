import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { OVERTAKEN, staggered } from '../../../src/strategies/staggered.js';
import { FakeClock, settle } from '../../fake-clock.js';

let clock: FakeClock;
let log: string[];
beforeEach(() => {
  clock = new FakeClock();
  log = [];
});

/** An entrant: arrives (or fails) after a time, and takes a while to stop when it is called back. */
interface Runner {
  readonly name: string;
  readonly afterMs: number;
  readonly fails?: boolean;
  readonly stopsAfterMs?: number;
  /** Cannot be called back: its result comes all the same. */
  readonly deaf?: boolean;
}

const at = () => `${clock.now()}`;
async function start({ name, afterMs, fails, stopsAfterMs = 0, deaf }: Runner, signal: AbortSignal) {
  log.push(`${at()} ${name} starts`);
  try {
    await clock.sleep(afterMs, deaf ? undefined : signal);
  } catch (error) {
    await clock.sleep(stopsAfterMs);
    log.push(`${at()} ${name} stopped: ${(error as Error).message}`);
    throw error;
  }
  if (fails) throw new Error(`${name} failed`);
  return name;
}

const race = (runners: Runner[], signal?: AbortSignal) =>
  staggered(runners, {
    headStartMs: () => 100,
    start,
    discard: result => log.push(`${at()} ${result} discarded`),
    clock,
    signal,
  });

describe('a staggered race', () => {
  it('gives each a head start, and the first to arrive wins', async () => {
    const result = race([
      { name: 'a', afterMs: 1000 },
      { name: 'b', afterMs: 150 },
      { name: 'c', afterMs: 1000 },
    ]);
    await clock.advance(2000);
    expect(await result).toBe('b');
    expect(log).toEqual([
      '0 a starts',
      '100 b starts',
      '200 c starts',
      `250 a stopped: ${OVERTAKEN.message}`,
      `250 c stopped: ${OVERTAKEN.message}`,
    ]);
    expect(clock.pending).toBe(0);
  });

  it('lets one begin before its turn, in the second half of the head start', async () => {
    for (const [leadMs, startsAt] of [
      [30, 70],
      [80, 50],
    ] as const) {
      clock = new FakeClock();
      log = [];
      const result = staggered(['a', 'b'], {
        headStartMs: () => 100,
        leadMs: runner => (runner === 'b' ? leadMs : 0),
        async start(name, signal, turn) {
          log.push(`${at()} ${name} starts`);
          if (name === 'a') await clock.sleep(1000, signal);
          await clock.sleep(5);
          log.push(`${at()} ${name} is ready`);
          await turn;
          return name;
        },
        discard: () => {},
        clock,
      });
      await clock.advance(200);
      expect(await result).toBe('b');
      expect(log).toEqual(['0 a starts', `${startsAt} b starts`, `${startsAt + 5} b is ready`]);
      expect(clock.now()).toBe(200);
      expect(clock.pending).toBe(0);
    }
  });

  it('the turn of one that began early comes at once when the one before it fails', async () => {
    const turns: string[] = [];
    const result = staggered(['a', 'b'], {
      headStartMs: () => 100,
      leadMs: () => 50,
      async start(name, _signal, turn) {
        if (name === 'a') {
          await clock.sleep(60);
          throw new Error('a failed');
        }
        await turn;
        turns.push(at());
        return name;
      },
      discard: () => {},
      clock,
    });
    await clock.advance(100);
    expect(await result).toBe('b');
    expect(turns).toEqual(['60']);
    expect(clock.pending).toBe(0);
  });

  it('starts nobody else when the first arrives within its head start', async () => {
    const result = race([
      { name: 'a', afterMs: 99 },
      { name: 'b', afterMs: 0 },
    ]);
    await clock.advance(99);
    expect(await result).toBe('a');
    expect(log).toEqual(['0 a starts']);
    expect(clock.pending).toBe(0);
  });

  it('ends a head start at once when its runner fails', async () => {
    const result = race([
      { name: 'a', afterMs: 10, fails: true },
      { name: 'b', afterMs: 5 },
    ]);
    await clock.advance(20);
    expect(await result).toBe('b');
    expect(log).toEqual(['0 a starts', '10 b starts']);
  });

  it('lets an early starter win while a later one runs', async () => {
    const result = race([
      { name: 'a', afterMs: 120 },
      { name: 'b', afterMs: 500 },
    ]);
    await clock.advance(600);
    expect(await result).toBe('a');
  });

  it('resolves only when every loser has stopped', async () => {
    let won: string | undefined;
    void race([
      { name: 'a', afterMs: 1000, stopsAfterMs: 300 },
      { name: 'b', afterMs: 50 },
    ]).then(name => (won = name));
    await clock.advance(449);
    expect(won).toBeUndefined();
    await clock.advance(1);
    expect(won).toBe('b');
  });

  it('discards a result that came too late', async () => {
    const result = race([
      { name: 'a', afterMs: 150, deaf: true },
      { name: 'b', afterMs: 20 },
    ]);
    await clock.advance(200);
    expect(await result).toBe('b');
    expect(log.at(-1)).toBe('150 a discarded');
  });

  it('gives all failures, in the order of the entrants', async () => {
    const result = race([
      { name: 'a', afterMs: 300, fails: true },
      { name: 'b', afterMs: 10, fails: true },
    ]).catch(error => error);
    await clock.advance(400);
    const error = await result;
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors.map(({ message }: Error) => message)).toEqual(['a failed', 'b failed']);
  });

  it('with nobody in it has failed', async () => {
    await expect(race([])).rejects.toMatchObject({ errors: [] });
  });

  it('takes an entrant that throws at once for one that fails', async () => {
    const result = staggered(['a', 'b'], {
      headStartMs: () => 100,
      start: name => {
        if (name === 'a') throw new Error('a failed');
        return Promise.resolve(name);
      },
      discard: () => {},
      clock,
    });
    await settle();
    expect(await result).toBe('b');
  });
});

describe('aborted by its caller', () => {
  it('stops everybody, waits for them, and rejects with the reason', async () => {
    const controller = new AbortController();
    const result = race(
      [
        { name: 'a', afterMs: 1000, stopsAfterMs: 50 },
        { name: 'b', afterMs: 1000 },
        { name: 'c', afterMs: 1000 },
      ],
      controller.signal,
    ).catch(error => `${at()} ${error.message}`);
    await clock.advance(150);
    controller.abort(new WayleaveError('connect-timeout', 'out of time'));
    await clock.advance(1000);
    expect(await result).toBe('200 out of time');
    expect(log).toEqual([
      '0 a starts',
      '100 b starts',
      '150 b stopped: out of time',
      '200 a stopped: out of time',
    ]);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('before it began starts nobody', async () => {
    await expect(race([{ name: 'a', afterMs: 0 }], AbortSignal.abort())).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(log).toEqual([]);
  });

  it('discards what arrives all the same', async () => {
    const controller = new AbortController();
    const result = race([{ name: 'a', afterMs: 10, deaf: true }], controller.signal).catch(
      ({ code }) => code,
    );
    controller.abort();
    await clock.advance(10);
    expect(await result).toBe('aborted');
    expect(log.at(-1)).toBe('10 a discarded');
  });
});

it('leaves nothing behind on the caller’s signal, whoever wins', async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 20; i++) {
    const result = race(
      [
        { name: 'a', afterMs: 10, fails: i % 2 === 0 },
        { name: 'b', afterMs: 10 },
      ],
      signal,
    );
    await clock.advance(500);
    await result;
  }
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});
