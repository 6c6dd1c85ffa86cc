// Relays come from servers: a broker, which is registered with sooner and grants none, must not cut the wait short.
import { expect, it } from 'vitest';
import type { SignallingChannel } from '../../../src/signalling/channel.js';
import type { Signalling } from '../../../src/signalling/signalling.js';
import { AttemptSignalling } from '../../../src/strategies/attempt-signalling.js';
import { HOUR, signed } from '../address/samples.js';

const { signal } = new AbortController();
const fresh = { issuedAt: Date.now(), expiresAt: Date.now() + HOUR };
const grant = { urls: ['turn:203.0.113.9:3478?transport=tcp'], username: 'u', credential: 'c' };

function channel(
  url: string,
  readyAfterMs: number,
  turn: object[] = [],
  roundTripMs = 10,
): SignallingChannel {
  const self = {
    url,
    greeting: undefined as object | undefined,
    roundTripMs,
    async ready() {
      await new Promise(resolve => setTimeout(resolve, readyAfterMs));
      if (!url.startsWith('mqtt')) self.greeting = { turn, stun: [] };
    },
  };
  return self as unknown as SignallingChannel;
}

function attemptWith(own: SignallingChannel[], theirs: Record<string, SignallingChannel>) {
  const signalling = {
    channels: own,
    open: (url: string) => ({ channel: theirs[url]!, [Symbol.dispose]() {} }),
  } as unknown as Signalling;
  const peer = signed({ ...fresh, servers: Object.keys(theirs) });
  return new AttemptSignalling(signalling, 'attempt', signed(fresh), peer);
}

it('the server’s grant is waited for, though a broker is there at once', async () => {
  const url = 'ws://203.0.113.9:7443';
  const attempt = attemptWith([channel('mqtt://broker.example', 0)], { [url]: channel(url, 50, [grant]) });
  expect(await attempt.turnServers(signal)).toHaveLength(1);
});

it('with brokers alone there is none, and nothing is waited for', async () => {
  const attempt = attemptWith([channel('mqtt://broker.example', 1e6)], {});
  expect(await attempt.turnServers(signal)).toEqual([]);
});

it('the round trip is that of the nearest, broker or server', async () => {
  const url = 'ws://203.0.113.9:7443';
  const own = [channel('mqtt://broker.example', 0, [], 4)];
  expect(await attemptWith(own, { [url]: channel(url, 0, [], 9) }).roundTripMs(signal)).toBe(4);
});
