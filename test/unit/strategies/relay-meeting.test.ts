import { describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { inCommon, untilAdmitted } from '../../../src/strategies/relay-meeting.js';
import { TurnError } from '../../../src/turn/turn-error.js';
import type { TurnServer } from '../../../src/turn/turn-server.js';
import { FakeClock } from '../../fake-clock.js';

const server = (host: string, transport: TurnServer['transport'] = 'tcp'): TurnServer => ({
  endpoint: { host, port: 3478 },
  transport,
  username: 'u',
  credential: 'c',
});

describe('where two nodes meet', () => {
  const ours = [server('192.0.2.1'), server('192.0.2.2'), server('192.0.2.2', 'tls')];
  it('is a server that both have, by any of its ways in', () => {
    const theirs = [
      { host: '192.0.2.2', port: 443 },
      { host: '192.0.2.9', port: 3478 },
    ];
    expect(inCommon(ours, theirs)).toEqual(ours.slice(1));
  });
  it('is anywhere when they have none in common', () => {
    expect(inCommon(ours, [{ host: '192.0.2.9', port: 3478 }])).toEqual(ours);
    expect(inCommon([], [{ host: '192.0.2.9', port: 3478 }])).toEqual([]);
  });
});

describe('getting in where the permission may be late', () => {
  const late = () => new TurnError('Connect', 447, '');
  const dropped = () => new WayleaveError('handshake-failed', 'closed');

  /** How often it was tried, and how it ended. */
  async function trial(failures: Error[], signal = new AbortController().signal) {
    const clock = new FakeClock();
    let tries = 0;
    const result = untilAdmitted(clock, signal, async () => {
      const failure = failures[tries++];
      if (failure) throw failure;
      return 'in';
    }).catch(error => error);
    await clock.advance(10_000);
    return { tries, result: await result, pending: clock.pending };
  }

  it('tries again when the server could not connect, or dropped the connection', async () => {
    expect(await trial([])).toEqual({ tries: 1, result: 'in', pending: 0 });
    expect(await trial([late(), dropped(), late()])).toEqual({ tries: 4, result: 'in', pending: 0 });
  });

  it('gives up after a few, with the last reason', async () => {
    const failures = Array.from({ length: 20 }, late);
    expect(await trial(failures)).toEqual({ tries: 6, result: failures[5], pending: 0 });
  });

  it('does not try again what would fail again', async () => {
    for (const error of [new TurnError('Connect', 403, ''), new WayleaveError('wrong-identity', 'who?')])
      expect(await trial([error])).toEqual({ tries: 1, result: error, pending: 0 });
  });

  it('ends with its signal', async () => {
    const reason = new WayleaveError('aborted', 'enough');
    const failure = late();
    expect(await trial([failure], AbortSignal.abort(reason))).toEqual({
      tries: 1,
      result: failure,
      pending: 0,
    });
  });
});
