// From granted to published: the verdicts of the proof, and external addresses that nobody outside can dial.
import { describe, expect, it } from 'vitest';
import { type ProveMapping, provedMapping } from '../../../src/port-mapping/proof.js';
import { FakeClock } from '../../fake-clock.js';

async function judge(host: string, prove?: ProveMapping) {
  const clock = new FakeClock();
  const granted = { external: { host, port: 9000 }, lifetimeSeconds: 3600 };
  const judging = provedMapping('pcp', granted, prove, clock, new AbortController().signal);
  judging.catch(() => {});
  await clock.advance(6000);
  expect(clock.pending).toBe(0);
  return judging;
}

describe('a mapping', () => {
  it('that was reached is proved', async () =>
    expect(await judge('203.0.113.7', async () => true)).toMatchObject({ proved: true }));

  it('that leads nowhere is none', async () =>
    expect(await judge('203.0.113.7', async () => false)).toBeUndefined());

  it.each<[string, ProveMapping | undefined]>([
    ['nobody could try', async () => undefined],
    ['nobody is there to try', undefined],
    ['the attempt broke', () => Promise.reject(new Error('no server'))],
    ['the attempt hangs', () => new Promise(() => {})],
  ])('is published unproved when %s', async (_, prove) => {
    const mapping = await judge('203.0.113.7', prove);
    expect(mapping).toMatchObject({ proved: false });
    expect(mapping).not.toHaveProperty('doubleNat');
  });

  it.each(['10.0.0.2', '192.168.0.2', '100.64.1.1'])('to %s lies behind a second NAT', async host => {
    const asked: string[] = [];
    const mapping = await judge(host, async external => {
      asked.push(external.host);
      return true;
    });
    expect(mapping).toMatchObject({ proved: false, doubleNat: true });
    expect(asked).toEqual([]); // what has that address elsewhere is not ours to dial
  });

  it.each(['0.0.0.0', '127.0.0.1', '224.0.0.1', '169.254.1.1', '255.255.255.255', '::', '::1', 'fe80::1'])(
    'to %s is refused',
    host => expect(judge(host)).rejects.toMatchObject({ code: 'request-failed' }),
  );

  it('is believed for a day at most', async () => {
    const granted = { external: { host: '203.0.113.7', port: 1 }, lifetimeSeconds: 0xffffffff };
    const { signal } = new AbortController();
    expect(await provedMapping('pcp', granted, undefined, new FakeClock(), signal)).toMatchObject({
      lifetimeSeconds: 86_400,
    });
  });
});

it('an abort is an abort, not a verdict', async () => {
  const controller = new AbortController();
  const granted = { external: { host: '203.0.113.7', port: 1 }, lifetimeSeconds: 60 };
  const judging = provedMapping(
    'pcp',
    granted,
    () => new Promise(() => {}),
    new FakeClock(),
    controller.signal,
  );
  controller.abort(new Error('over'));
  await expect(judging).rejects.toThrow('over');
});
