// A mapping's lifetime, measured: the same row of the table with one second and with sixty.
import { expect, test } from 'vitest';
import { requirement } from '../../requirements.js';
import { natKind, withLifetime } from '../nat-kinds.js';
import { createWorld, type Site } from '../world.js';
import { Prober } from './prober-client.js';

const describeLab = await requirement('lab');

describeLab('the lifetime of a TCP mapping', () => {
  test('idling longer ends it and nothing revives it; idling shorter does not', async () => {
    await using world = await createWorld({ oneWayMs: 5 });
    const server = world.publicHost('observer');
    const brief = world.site('brief', withLifetime(natKind('short-lived'), 1));
    const lasting = world.site('lasting', withLifetime(natKind('short-lived'), 60));
    const observer = await Prober.start(server);
    const at = { host: server.address, port: 80 };
    await observer.ask({ do: 'listen', transport: 'tcp', at });
    const outcomeAfterIdling = async ({ host }: Site) => {
      const prober = await Prober.start(host);
      const from = { host: host.address, port: 21_000 };
      expect((await prober.reach('tcp', from, at)).outcome).toBe('open');
      await new Promise(resolve => setTimeout(resolve, 2200));
      return (await prober.ask({ do: 'echo', from, to: at, timeoutMs: 1000 })).outcome;
    };
    const outcomes = await Promise.all([outcomeAfterIdling(brief), outcomeAfterIdling(lasting)]);
    expect(outcomes).toEqual(['timeout', 'open']);
  });
});
