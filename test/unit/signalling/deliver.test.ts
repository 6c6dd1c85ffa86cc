import { describe, expect, it } from 'vitest';
import { abortError, WayleaveError } from '../../../src/errors.js';
import type { SignallingChannel } from '../../../src/signalling/channel.js';
import { deliver } from '../../../src/signalling/deliver.js';
import { strangeClock } from './members.js';

const clock = strangeClock({ factor: 50 });
const BOX = Buffer.from('box');

type Answer = 'sent' | 'never' | WayleaveError['code'];

function channel(name: string, answer: Answer, log: string[], registered = true): SignallingChannel {
  const send = (_to: string, _box: Buffer, { signal }: { signal?: AbortSignal | undefined } = {}) => {
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
  return { url: name, registered, send } as unknown as SignallingChannel;
}

describe('one box, several servers', () => {
  it('the first that delivers is enough', async () => {
    const log: string[] = [];
    await deliver([channel('a', 'sent', log), channel('b', 'sent', log)], 'id', BOX, { clock });
    expect(log).toEqual(['a']);
  });

  it('where the peer is not, the next is asked', async () => {
    const log: string[] = [];
    const channels = [channel('a', 'peer-not-registered', log), channel('b', 'sent', log)];
    await deliver(channels, 'id', BOX, { clock });
    expect(log).toEqual(['a', 'b']);
  });

  it('one that is registered goes before one that still connects', async () => {
    const log: string[] = [];
    const channels = [channel('connecting', 'never', log, false), channel('ready', 'sent', log)];
    await deliver(channels, 'id', BOX, { clock });
    expect(log).toEqual(['ready']);
  });

  it('one that stalls does not hold up the next, and is let go', async () => {
    const log: string[] = [];
    await deliver([channel('stalled', 'never', log), channel('b', 'sent', log)], 'id', BOX, { clock });
    expect(log).toEqual(['stalled', 'b', 'stalled aborted']);
  });

  it('when none delivers, the most telling reason wins and all are named', async () => {
    const log: string[] = [];
    const channels = [channel('a', 'server-unreachable', log), channel('b', 'peer-not-registered', log)];
    const failed = deliver(channels, 'id', BOX, { clock });
    await expect(failed).rejects.toMatchObject({ code: 'peer-not-registered' });
    await expect(failed).rejects.toThrow(/a: server-unreachable; b: peer-not-registered/);
  });

  it('without a channel: server-unreachable', async () => {
    await expect(deliver([], 'id', BOX, { clock })).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('an abort ends it, before and during', async () => {
    const log: string[] = [];
    const abort = new AbortController();
    const channels = [channel('a', 'never', log)];
    const sending = deliver(channels, 'id', BOX, { clock, signal: abort.signal });
    abort.abort();
    await expect(sending).rejects.toMatchObject({ code: 'aborted' });
    await expect(deliver(channels, 'id', BOX, { clock, signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(log).toEqual(['a', 'a aborted']);
  });
});
