// What an honest client feels of others' misbehaviour: the time of its messages to itself, alone, beside one that
// stops reading while it is sent large messages, and beside one that floods (security.md, rows 19 and 20).
import { systemClock } from '../../src/net/clock.js';
import { type Figure, percentile } from '../figures.js';
import { Crowd } from './crowd.js';
import { GENEROUS, Subject } from './subject.js';
import type { ThinClient } from './thin-client.js';
import { maskedText } from './wire.js';

const ROUNDS = 400;
const EVERY_MS = 12;
const SMALL_BOX = Buffer.alloc(400, 1).toString('base64');
const LARGE_BOX = Buffer.alloc(16_384, 1).toString('base64');
const DELIVER = '{"type":"deliver"';

interface Mischief {
  /** What the client that misbehaves sends, every 10 ms. */
  misbehave(rogue: ThinClient, stopped: ThinClient): void;
}

const send = (to: string, box: string, ref = 1) => maskedText(JSON.stringify({ type: 'send', ref, to, box }));

const NONE: Mischief = { misbehave() {} };
/** 400 of the largest messages a second, 9 MB, to one that does not read. */
const STOPPED_READER: Mischief = {
  misbehave(rogue, stopped) {
    for (let i = 0; i < 4; i++) rogue.socket.write(send(stopped.identity.id, LARGE_BOX));
  },
};
/** 2,000 messages a second. */
const FLOOD: Mischief = {
  misbehave(rogue, stopped) {
    for (let i = 0; i < 20; i++) rogue.socket.write(send(stopped.identity.id, SMALL_BOX));
  },
};

export async function mischief(_: unknown, progress: (text: string) => void): Promise<Figure[]> {
  progress('an honest client, alone');
  const alone = await honestP99Ms(NONE, { messagesPerSecond: 100_000, messageBurst: 100_000 });
  progress('beside a stopped reader');
  const stopped = await honestP99Ms(STOPPED_READER, { messagesPerSecond: 100_000, messageBurst: 100_000 });
  progress('beside a flood');
  // refused to the end, never cut off: that would be the end of the flood
  const flood = await honestP99Ms(FLOOD, { messagesPerSecond: 100, messageBurst: 100, floodFactor: 1000 });
  return [
    { name: 'honest client, p99 there and back', unit: 'ms', value: alone },
    {
      name: 'beside a stopped reader, beyond that',
      unit: 'ms',
      value: stopped - alone,
      limit: { of: 'value', most: 10 },
    },
    { name: 'beside a flood of 2,000/s', unit: 'ms', value: flood, limit: { of: 'value', most: 50 } },
  ];
}

async function honestP99Ms(
  { misbehave }: Mischief,
  limits: { messagesPerSecond: number; messageBurst: number; floodFactor?: number },
): Promise<number> {
  await using subject = await Subject.start({ kind: 'routed', options: { ...GENEROUS, ...limits } });
  let onArrival = () => {};
  using crowd = new Crowd({
    urls: [subject.url],
    onText: (payload, client) => {
      if (client === honest && payload.toString('latin1', 0, DELIVER.length) === DELIVER) onArrival();
    },
  });
  const [honest, rogue, stopped] = (await crowd.grow(3)).clients as [ThinClient, ThinClient, ThinClient];
  stopped.socket.pause();
  const timer = setInterval(() => misbehave(rogue, stopped), 10);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const sentAt = systemClock.now();
    await new Promise<void>(resolve => {
      onArrival = resolve;
      honest.socket.write(send(honest.identity.id, SMALL_BOX, round));
    });
    times.push(systemClock.now() - sentAt);
    await systemClock.sleep(EVERY_MS);
  }
  clearInterval(timer);
  return percentile(times, 99);
}
