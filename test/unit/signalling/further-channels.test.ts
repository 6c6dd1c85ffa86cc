import { describe, expect, it } from 'vitest';
import { Scope } from '../../../src/net/scope.js';
import type { SignallingChannel } from '../../../src/signalling/channel.js';
import { FurtherChannels } from '../../../src/signalling/further-channels.js';
import { strangeClock, until } from './members.js';

function setUp(factor: number) {
  const open = new Set<string>();
  const scope = new Scope();
  const channels = new FurtherChannels(strangeClock({ factor }), scope, url => {
    open.add(url);
    const dispose = async () => void open.delete(url);
    return { url, [Symbol.asyncDispose]: dispose } as unknown as SignallingChannel;
  });
  return { channels, open, scope };
}

describe('channels to further servers', () => {
  it('are shared, and end a minute after their last lease', async () => {
    const { channels, open } = setUp(600); // a minute is 100 ms
    const one = channels.lease('a');
    const two = channels.lease('a');
    expect(two.channel).toBe(one.channel);
    one[Symbol.dispose]();
    one[Symbol.dispose](); // twice is once
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(open).toEqual(new Set(['a']));
    two[Symbol.dispose]();
    expect(open).toEqual(new Set(['a']));
    await until(() => open.size === 0);
    expect(channels.lease('a').channel).not.toBe(one.channel);
  });

  it('a lease during the linger keeps the channel', async () => {
    const { channels, open } = setUp(600);
    const one = channels.lease('a');
    one[Symbol.dispose]();
    const two = channels.lease('a');
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(two.channel).toBe(one.channel);
    expect(open.size).toBe(1);
  });

  it('are eight at most: an idle one gives way, a leased one does not', async () => {
    const { channels, open, scope } = setUp(1);
    const leases = Array.from({ length: 8 }, (_, i) => channels.lease(`s${i}`));
    expect(() => channels.lease('ninth')).toThrow(expect.objectContaining({ code: 'rate-limited' }));
    leases[3]![Symbol.dispose]();
    channels.lease('ninth');
    await until(() => !open.has('s3'));
    expect(open.size).toBe(8);
    await scope.close();
    expect(open.size).toBe(0);
  });
});
