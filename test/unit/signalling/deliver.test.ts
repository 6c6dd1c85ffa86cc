import { describe, expect, it } from 'vitest';
import { abortError, WayleaveError } from '../../../src/errors.js';
import type { Recipient, SignallingChannel } from '../../../src/signalling/channel.js';
import { deliver } from '../../../src/signalling/deliver.js';
import { strangeClock } from './members.js';

const clock = strangeClock({ factor: 50 });
const BOX = Buffer.from('box');
const RECIPIENT: Recipient = { id: 'id', sealingKey: Buffer.alloc(32) };

type Answer = 'sent' | 'never' | WayleaveError['code'];

function channel(name: string, answer: Answer, log: string[], registered = true): SignallingChannel {
  const send = (_to: Recipient, _box: Buffer, { signal }: { signal?: AbortSignal | undefined } = {}) => {
    log.push(name);
    return new Promise<void>((resolve, reject) => {
      if (answer === 'sent') resolve();
      else if (answer !== 'never') reject(new WayleaveError(answer, `${name}: ${answer}`));
      signal?.addEventListener('abort', () => {
        if (answer === 'never') log.push(`${name} aborted`);
        reject(abortError(signal));
      });
    });
  };
  return {
    url: name.includes(':') ? name : `ws://${name}`,
    registered,
    send,
  } as unknown as SignallingChannel;
}

describe('one box, several servers', () => {
  it('the first that delivers is enough', async () => {
    const log: string[] = [];
    await deliver([channel('a', 'sent', log), channel('b', 'sent', log)], RECIPIENT, BOX, { clock });
    expect(log).toEqual(['a']);
  });

  it('where the peer is not, the next is asked', async () => {
    const log: string[] = [];
    const channels = [channel('a', 'peer-not-registered', log), channel('b', 'sent', log)];
    await deliver(channels, RECIPIENT, BOX, { clock });
    expect(log).toEqual(['a', 'b']);
  });

  it('one that is registered goes before one that still connects', async () => {
    const log: string[] = [];
    const channels = [channel('connecting', 'never', log, false), channel('ready', 'sent', log)];
    await deliver(channels, RECIPIENT, BOX, { clock });
    expect(log).toEqual(['ready']);
  });

  it('a server goes before a broker, also while it still connects: it can say where a request comes from', async () => {
    const log: string[] = [];
    const channels = [
      channel('mqtt://broker', 'sent', log),
      channel('ws://broker/mqtt', 'sent', log),
      channel('connecting', 'peer-not-registered', log, false),
      channel('ready', 'peer-not-registered', log),
    ];
    await deliver(channels, RECIPIENT, BOX, { clock });
    expect(log).toEqual(['ready', 'connecting', 'mqtt://broker']);
  });

  it('where the recipient was last heard is tried first of all', async () => {
    const log: string[] = [];
    const heardOn = channel('mqtt://broker', 'sent', log);
    await deliver([channel('ready', 'sent', log), heardOn], RECIPIENT, BOX, { clock, heardOn });
    expect(log).toEqual(['mqtt://broker']);
  });

  it('one that stalls does not hold up the next, and is let go', async () => {
    const log: string[] = [];
    await deliver([channel('stalled', 'never', log), channel('b', 'sent', log)], RECIPIENT, BOX, { clock });
    expect(log).toEqual(['stalled', 'b', 'stalled aborted']);
  });

  it('when none delivers, the most telling reason wins and all are named', async () => {
    const log: string[] = [];
    const channels = [channel('a', 'server-unreachable', log), channel('b', 'peer-not-registered', log)];
    const failed = deliver(channels, RECIPIENT, BOX, { clock });
    await expect(failed).rejects.toMatchObject({ code: 'peer-not-registered' });
    await expect(failed).rejects.toThrow(/a: server-unreachable; b: peer-not-registered/);
  });

  it('without a channel: server-unreachable', async () => {
    await expect(deliver([], RECIPIENT, BOX, { clock })).rejects.toMatchObject({
      code: 'server-unreachable',
    });
  });

  it('an abort ends it, before and during', async () => {
    const log: string[] = [];
    const abort = new AbortController();
    const channels = [channel('a', 'never', log)];
    const sending = deliver(channels, RECIPIENT, BOX, { clock, signal: abort.signal });
    abort.abort();
    await expect(sending).rejects.toMatchObject({ code: 'aborted' });
    await expect(deliver(channels, RECIPIENT, BOX, { clock, signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(log).toEqual(['a', 'a aborted']);
  });
});
