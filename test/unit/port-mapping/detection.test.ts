// Which protocol is taken when: the preferred one if it answers in time, any other otherwise.
import { describe, expect, it } from 'vitest';
import { PORT_MAPPING_PROTOCOLS } from '../../../src/options.js';
import { detectedClients } from '../../../src/port-mapping/detection.js';
import type { PortMappingProtocol } from '../../../src/port-mapping/port-mapping.js';
import { FakeClock } from '../../fake-clock.js';
import { ScriptedClient } from './fake/scripted-client.js';

type Found = { protocol: PortMappingProtocol; atMs: number };

/** Runs to the end, as if every client that was found failed to give a mapping. */
async function found(...afterMs: (number | undefined)[]): Promise<Found[]> {
  const clock = new FakeClock();
  const clients = afterMs.map(
    (detectedAfterMs, i) => new ScriptedClient(PORT_MAPPING_PROTOCOLS[i]!, clock, { detectedAfterMs }),
  );
  const order: Found[] = [];
  const running = (async () => {
    const { signal } = new AbortController();
    for await (const { protocol } of detectedClients(clients, clock, signal, () => {}))
      order.push({ protocol, atMs: clock.now() });
  })();
  await clock.advance(5000);
  await running;
  expect(clock.pending).toBe(0);
  return order;
}

describe('detection (pcp, nat-pmp, upnp-igd answer after so many ms)', () => {
  it.each([
    [
      [5, 5, 5],
      ['pcp 5', 'nat-pmp 5', 'upnp-igd 5'],
    ],
    [
      [5, undefined, 900],
      ['pcp 5', 'upnp-igd 900'],
    ],
    [
      [200, 5, 900],
      ['pcp 200', 'nat-pmp 200', 'upnp-igd 900'],
    ],
    [
      [2000, 5, undefined],
      ['nat-pmp 305', 'pcp 2000'],
    ],
    [[undefined, undefined, 50], ['upnp-igd 350']],
    [[undefined, undefined, undefined], []],
  ])('%j: %j', async (afterMs, expected) => {
    expect((await found(...afterMs)).map(({ protocol, atMs }) => `${protocol} ${atMs}`)).toEqual(expected);
  });

  it('does not wait where no better one can come', async () => {
    const clock = new FakeClock();
    const refusing = new ScriptedClient('pcp', clock);
    refusing.detect = () => Promise.reject(new Error('port closed'));
    const client = new ScriptedClient('nat-pmp', clock, { detectedAfterMs: 10 });
    const failures: string[] = [];
    const { signal } = new AbortController();
    const first = detectedClients([refusing, client], clock, signal, ({ protocol }) =>
      failures.push(protocol),
    ).next();
    await clock.advance(10);
    expect((await first).value).toBe(client);
    expect(failures).toEqual(['pcp']);
  });

  it('ends with its signal', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const clients = [new ScriptedClient('pcp', clock, { detectedAfterMs: undefined })];
    const first = detectedClients(clients, clock, controller.signal, () => {}).next();
    await clock.advance(100);
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.pending).toBe(0);
  });
});
