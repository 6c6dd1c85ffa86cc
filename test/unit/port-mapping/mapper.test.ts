// The mapper's whole life with scripted protocols and a clock that is told when to go on.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WayleaveError } from '../../../src/errors.js';
import { portMappingOptionsSchema } from '../../../src/options.js';
import type { Announcement } from '../../../src/port-mapping/announcements.js';
import { createPortMapper, type PortMapper } from '../../../src/port-mapping/mapper.js';
import type { PortMapping } from '../../../src/port-mapping/port-mapping.js';
import type { ProveMapping } from '../../../src/port-mapping/proof.js';
import { FakeClock } from '../../fake-clock.js';
import { ScriptedClient } from './fake/scripted-client.js';

const refusal = () => new WayleaveError('request-failed', 'no');
const silence = () => new WayleaveError('no-answer', 'silence');

let clock: FakeClock;
let client: ScriptedClient;
let mapper: PortMapper | undefined;
let published: (PortMapping | undefined)[];
let announce: (announcement: Announcement) => void;

beforeEach(() => {
  clock = new FakeClock();
  client = new ScriptedClient('pcp', clock);
  published = [];
});
afterEach(async () => {
  await mapper?.[Symbol.asyncDispose]();
  mapper = undefined;
  expect(clock.pending).toBe(0);
});

async function start(
  settings: { clients?: ScriptedClient[]; prove?: ProveMapping; address?: string; options?: object } = {},
) {
  const { clients = [client], prove, address = '192.168.1.2', options = {} } = settings;
  mapper = createPortMapper({
    localAddress: address,
    internalPort: 9000,
    options: portMappingOptionsSchema.parse(options),
    prove,
    clock,
    gateway: { address: '192.168.1.1', zone: 'eth0' },
    clientsFor: () => clients,
    onChange: mapping => published.push(mapping),
    listen: async (_, onAnnouncement) => {
      announce = onAnnouncement;
      return { [Symbol.asyncDispose]: async () => {} };
    },
  });
  await advance(0);
  return mapper;
}

const advance = (ms: number) => clock.advance(ms);

const hour = (port = 9000) => ({
  protocol: 'pcp',
  external: { host: '203.0.113.7', port },
  lifetimeSeconds: 3600,
  proved: false,
});

describe('getting a mapping', () => {
  it('publishes what the gateway gave', async () => {
    const { current } = await start();
    expect(current).toEqual(hour());
    expect(published).toEqual([hour()]);
    await mapper!.ready();
  });

  it('wishes for the internal port, or for the one that the user wants, and takes what it gets', async () => {
    const wishes: number[] = [];
    client.script.open = ({ externalPort }) => {
      wishes.push(externalPort);
      return { external: { host: '203.0.113.7', port: 50_000 }, lifetimeSeconds: 3600 };
    };
    await start({ options: { externalPort: 443 } });
    expect(wishes).toEqual([443]);
    expect(mapper!.current).toEqual(hour(50_000));
  });

  it('takes the next protocol where one refuses', async () => {
    client.script.open = refusal;
    const second = new ScriptedClient('nat-pmp', clock);
    await start({ clients: [client, second] });
    expect(mapper!.current?.protocol).toBe('nat-pmp');
  });

  it('does not publish a mapping that is proved to lead nowhere, takes it back, and goes on', async () => {
    const second = new ScriptedClient('upnp-igd', clock);
    const verdicts = [false, true];
    await start({ clients: [client, second], prove: async () => verdicts.shift() });
    expect(published).toEqual([{ ...hour(), protocol: 'upnp-igd', proved: true }]);
    expect(client.count('remove')).toBe(1);
  });

  it('is ready without a mapping when nobody answers, and asks again later', async () => {
    client.script.detectedAfterMs = undefined;
    await start();
    let ready = false;
    void mapper!.ready().then(() => (ready = true));
    await advance(3000);
    expect(ready).toBe(false);
    await advance(1000);
    expect(ready).toBe(true);
    expect(published).toEqual([]);
    client.script.detectedAfterMs = 0;
    await advance(60_000);
    expect(mapper!.current).toEqual(hour());
  });

  it('lets whoever waits for it stop waiting', async () => {
    client.script.detectedAfterMs = undefined;
    await start();
    const controller = new AbortController();
    const waiting = mapper!.ready(controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    await expect(mapper!.ready(controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  });

  it.each([
    ['switched off', { options: { enabled: false } }],
    ['of loopback', { address: '127.0.0.1' }],
    ['of an IPv6 address without a global scope', { address: 'fd00::1' }],
  ])('asks nobody when it is %s', async (_, settings) => {
    await start(settings);
    await mapper!.ready();
    expect(client.asked).toEqual([]);
  });
});

describe('keeping it', () => {
  it('renews at half of the lease, forever', async () => {
    await start();
    await advance(1_799_000);
    expect(client.count('open')).toBe(1);
    await advance(2_000);
    expect(client.count('open')).toBe(2);
    await advance(1_800_000);
    expect(client.count('open')).toBe(3);
    expect(published).toEqual([hour()]);
  });

  it('looks every 15 s whether the gateway still stands by it', async () => {
    await start();
    await advance(60_000);
    expect(client.asked.filter(entry => entry.do === 'check').map(({ atMs }) => atMs)).toEqual([
      15_000, 30_000, 45_000, 60_000,
    ]);
  });

  it('makes it anew when the gateway forgot, without a word if it is the same', async () => {
    client.script.check = time => (time === 1 ? 'lost' : 'steady');
    await start();
    await advance(16_000);
    expect(client.count('open')).toBe(2);
    expect(published).toEqual([hour()]);
  });

  it('publishes the new endpoint when it is another', async () => {
    client.script.check = time => (time === 1 ? 'lost' : 'steady');
    client.script.open = (_, time) => ({
      external: { host: '203.0.113.7', port: 9000 + time },
      lifetimeSeconds: 3600,
    });
    await start();
    await advance(16_000);
    expect(published).toEqual([hour(9001), hour(9002)]);
  });

  it('is not shaken by silence, and asks for the same again soon: the gateway may have restarted', async () => {
    client.script.check = silence;
    await start();
    await advance(19_000);
    expect(client.asked.slice(2)).toEqual([
      { do: 'check', atMs: 15_000 },
      { do: 'open', atMs: 19_000 },
    ]);
    expect(published).toEqual([hour()]);
  });

  it('asks for the same again where a check cannot tell', async () => {
    client.script.check = time => (time === 1 ? 'unclear' : 'steady');
    await start();
    await advance(15_000);
    expect(client.count('open')).toBe(2);
    await advance(15_000);
    expect([client.count('check'), client.count('open')]).toEqual([2, 2]);
    expect(published).toEqual([hour()]);
  });

  it('withdraws it when the gateway forgot and gives nothing any more, and has it back within 30 s of its return', async () => {
    client.script.check = () => 'lost';
    client.script.open = (_, time) => (time === 1 ? hour() : refusal());
    await start();
    await advance(15_500);
    expect(published).toEqual([hour(), undefined]);
    await advance(20_000);
    client.script = {};
    await advance(30_000);
    expect(published).toEqual([hour(), undefined, hour()]);
  });

  it('withdraws it when every renewal failed and the lease ran out', async () => {
    client.script.open = (_, time) => (time === 1 ? hour() : silence());
    await start();
    await advance(3_599_000);
    expect(mapper!.current).toEqual(hour());
    await advance(5_000);
    expect(mapper!.current).toBeUndefined();
  });
});

describe('announcements', () => {
  it('make it ask for the same again within a second', async () => {
    await start();
    announce('heard');
    await advance(1_000);
    expect(client.count('open')).toBe(2);
    expect(published).toEqual([hour()]);
  });

  it('of a gateway that then gives something else change what is published', async () => {
    client.script.open = (_, time) => ({
      external: { host: '203.0.113.7', port: 9000 + time },
      lifetimeSeconds: 3600,
    });
    await start();
    announce('heard');
    await advance(1_000);
    expect(published[0]).toEqual(hour(9001));
    expect(published).toHaveLength(2);
  });

  it('of a gateway that is not back yet make it ask again soon', async () => {
    client.script.open = (_, time) => (time === 2 || time === 3 ? silence() : hour());
    await start();
    announce('heard');
    await advance(10_000);
    expect(client.asked.filter(entry => entry.do === 'open').map(({ atMs }) => atMs)).toEqual([
      0, 1000, 5000, 9000,
    ]);
    expect(published).toEqual([hour()]);
  });

  it('by the thousand cost one question a second at most', async () => {
    await start();
    for (let i = 0; i < 100; i++) {
      announce('heard');
      await advance(100);
    }
    expect(client.count('open')).toBeLessThanOrEqual(11);
  });

  it('while there is no mapping make it try within a second', async () => {
    client.script.detectedAfterMs = undefined;
    await start();
    await advance(10_000);
    expect(client.count('detect')).toBe(1);
    client.script.detectedAfterMs = 0;
    announce('heard');
    await advance(1_000);
    expect(mapper!.current).toEqual(hour());
  });
});

describe('letting go', () => {
  it('takes the mapping back, once', async () => {
    await start();
    await mapper![Symbol.asyncDispose]();
    await mapper![Symbol.asyncDispose]();
    expect(client.count('remove')).toBe(1);
    expect(mapper!.current).toBeUndefined();
  });

  it('in the middle of the first question leaves nothing', async () => {
    client.script.detectedAfterMs = undefined;
    await start();
    await mapper![Symbol.asyncDispose]();
    await mapper!.ready();
    expect(client.count('open')).toBe(0);
  });

  it('waits a second for a gateway that hangs, no longer', async () => {
    client.removal = signal => clock.sleep(60_000, signal);
    await start();
    let closed = false;
    void mapper![Symbol.asyncDispose]().then(() => (closed = true));
    await advance(900);
    expect(closed).toBe(false);
    await advance(200);
    expect(closed).toBe(true);
  });
});
