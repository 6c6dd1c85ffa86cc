// Staying connected to NATS: whichever server answers, without end, and with pauses that spread the crowd.
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import {
  type StayConnectedOptions,
  stayConnected,
} from '../../signalling-server/backplane/nats-connection.js';
import { parseNatsUrl } from '../../signalling-server/backplane/nats-url.js';
import { FakeClock } from '../fake-clock.js';

const HOUR_MS = 3_600_000;

/** A connection that ends when told to, by either side. */
function connection() {
  let end: (error?: Error) => void = () => {};
  const closed = new Promise<Error | undefined>(resolve => {
    end = resolve;
  });
  const real = { closed: () => closed, close: async () => end() };
  return { end, real: real as unknown as NatsConnection };
}

function setUp(dial: (at: string) => NatsConnection, random = () => 1) {
  const clock = new FakeClock();
  const controller = new AbortController();
  const dialled: { at: string; ms: number }[] = [];
  const logged: string[] = [];
  const log = (level: string) => (fields: object, text: string) =>
    void logged.push(`${level} ${text} ${JSON.stringify(fields)}`);
  const options: StayConnectedOptions = {
    servers: ['nats://user:secret@one', 'nats://two'].map(url => parseNatsUrl(url)!),
    dial: async ({ at }) => {
      dialled.push({ at, ms: clock.now() });
      return dial(at);
    },
    clock,
    log: { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') },
    signal: controller.signal,
    random,
  };
  return { clock, controller, dialled, logged, options };
}

const refuse = (): never => {
  throw new Error('connection refused');
};

describe('staying connected', () => {
  it('tries one server after the other without end, at most 5 s apart; warns of each once', async () => {
    const { clock, controller, dialled, logged, options } = setUp(refuse);
    const running = stayConnected(options, refuse);
    await clock.advance(HOUR_MS);
    expect(dialled.slice(0, 4).map(({ at }) => at)).toEqual(['one:4222', 'two:4222', 'one:4222', 'two:4222']);
    expect(dialled.length).toBeGreaterThanOrEqual(720);
    const pauses = dialled.slice(1).map(({ ms }, i) => ms - dialled[i]!.ms);
    expect([pauses[0], Math.max(...pauses)]).toEqual([200, 5000]);
    expect(logged.filter(line => line.startsWith('warn'))).toHaveLength(2);
    expect(logged.join()).not.toContain('secret');
    controller.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  it('full jitter: half the random number, half the pause', async () => {
    const { clock, controller, dialled, options } = setUp(refuse, () => 0.5);
    void stayConnected(options, refuse);
    await clock.advance(150);
    expect(dialled.map(({ ms }) => ms)).toEqual([0, 100]);
    controller.abort();
  });

  it('a connection that is lost is over, and the next one begins soon', async () => {
    const lives = [connection(), connection()];
    let next = 0;
    const { clock, controller, logged, options } = setUp(() => lives[next++]!.real);
    const used: AbortSignal[] = [];
    const running = stayConnected(options, (_, over) => void used.push(over));
    await clock.advance(HOUR_MS);
    expect(used.map(({ aborted }) => aborted)).toEqual([false]);
    lives[0]!.end(new Error('stale connection'));
    await clock.advance(1000);
    expect(used.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(logged).toEqual(['warn NATS is lost {"nats":"one:4222","reason":"stale connection"}']);
    controller.abort();
    await running;
    expect(used.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});
