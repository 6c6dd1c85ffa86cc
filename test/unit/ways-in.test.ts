// Which ways a node opens, what of them it publishes, and that it waits for none for long. Mappers and held ports
// are stand-ins; the real ones have tests of their own.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Mapped } from '../../src/address/own-address.js';
import { type Behaviour, UNKNOWN_BEHAVIOUR } from '../../src/nat/profile.js';
import type { Endpoint } from '../../src/net/endpoint.js';
import { portMappingOptionsSchema } from '../../src/options.js';
import type { HeldPortSettings } from '../../src/port-mapping/held-port.js';
import type { PortMapperSettings } from '../../src/port-mapping/mapper.js';
import type { PortMapping } from '../../src/port-mapping/port-mapping.js';
import { bestWay, WaysIn, type WaysInOptions } from '../../src/ways-in.js';
import { FakeClock } from '../fake-clock.js';

const NAT: Behaviour = {
  ...UNKNOWN_BEHAVIOUR,
  kind: 'nat',
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
};
const CONE: Behaviour = { ...NAT, filtering: 'endpoint-independent' };
const OPEN: Behaviour = { ...NAT, kind: 'open' };
const EXTERNAL = { host: '203.0.113.7', port: 9000 };
const GIVEN: PortMapping = { protocol: 'pcp', external: EXTERNAL, lifetimeSeconds: 3600, proved: true };
const HELD = { host: '203.0.113.7', port: 41_000 };

interface Made<S> {
  readonly settings: S;
  disposed: boolean;
  roundOver: () => void;
}

let clock: FakeClock;
let places: { address: string; tcp: Behaviour }[];
let published: Map<string, Mapped | undefined>;
let mappers: Made<PortMapperSettings>[];
let helds: Made<HeldPortSettings>[];
beforeEach(() => {
  clock = new FakeClock();
  places = [{ address: '192.168.1.2', tcp: UNKNOWN_BEHAVIOUR }];
  published = new Map();
  mappers = [];
  helds = [];
});

function made<S>(list: Made<S>[], settings: S) {
  let roundOver = () => {};
  const firstRound = new Promise<void>(resolve => {
    roundOver = resolve;
  });
  const entry: Made<S> = { settings, disposed: false, roundOver: () => roundOver() };
  list.push(entry);
  return {
    current: undefined,
    firstRound,
    ready: () => firstRound,
    async [Symbol.asyncDispose]() {
      entry.disposed = true;
    },
  };
}

function waysIn(change: Partial<WaysInOptions> = {}): WaysIn {
  return new WaysIn({
    own: {
      get current() {
        return { interfaces: places } as unknown as WaysInOptions['own']['current'];
      },
      mapped: (address, way) => void published.set(address, way),
    },
    clock,
    port: 7000,
    options: portMappingOptionsSchema.parse({}),
    receive: () => {},
    servers: () => [],
    serversKnown: Promise.resolve(),
    createPortMapper: settings => made(mappers, settings),
    holdPort: settings => made(helds, settings),
    ...change,
  });
}
const at = (address: string) => published.get(address);

describe('ways in', () => {
  it('ask the gateway at once behind private addresses, and publish what it gives until it is gone', async () => {
    await using ways = waysIn();
    ways.update();
    expect(mappers.map(({ settings }) => [settings.localAddress, settings.internalPort])).toEqual([
      ['192.168.1.2', 7000],
    ]);
    mappers[0]!.settings.onChange?.(GIVEN);
    expect(at('192.168.1.2')).toEqual({ external: EXTERNAL, mapping: { by: 'pcp', proved: true } });
    mappers[0]!.settings.onChange?.(undefined);
    expect(at('192.168.1.2')).toBeUndefined();
    ways.update();
    expect(mappers).toHaveLength(1);
  });

  it('leave the gateway of a global address alone until a firewall is seen, and stop where nothing stands', async () => {
    places = [{ address: '2001:db8::2', tcp: UNKNOWN_BEHAVIOUR }];
    await using ways = waysIn();
    ways.update();
    expect(mappers).toHaveLength(0);
    places = [{ address: '2001:db8::2', tcp: { ...NAT, kind: 'firewall' } }];
    ways.update();
    expect(mappers).toHaveLength(1);
    places = [{ address: '2001:db8::2', tcp: UNKNOWN_BEHAVIOUR }];
    ways.update();
    expect(mappers[0]!.disposed).toBe(false);
    places = [{ address: '2001:db8::2', tcp: OPEN }];
    ways.update();
    expect(mappers[0]!.disposed).toBe(true);
  });

  it('hold a port behind a full cone, unless the gateway gave one that is proved', async () => {
    places = [{ address: '192.168.1.2', tcp: CONE }];
    await using ways = waysIn();
    ways.update();
    expect(helds).toHaveLength(1);
    helds[0]!.settings.onChange?.(HELD);
    expect(at('192.168.1.2')).toEqual({ external: HELD, mapping: { by: 'held', proved: true } });
    mappers[0]!.settings.onChange?.(GIVEN);
    expect(at('192.168.1.2')?.mapping.by).toBe('pcp');
    expect(helds[0]!.disposed).toBe(true);
    mappers[0]!.settings.onChange?.(undefined);
    expect(helds).toHaveLength(2);
  });

  it('go with their address, and all at close', async () => {
    const ways = waysIn();
    places = [
      { address: '192.168.1.2', tcp: CONE },
      { address: '10.0.0.2', tcp: NAT },
    ];
    ways.update();
    places = [{ address: '10.0.0.2', tcp: NAT }];
    ways.update();
    const gone = () => [...mappers, ...helds].map(({ disposed }) => disposed);
    await expect.poll(gone).toEqual([true, false, true]);
    await ways[Symbol.asyncDispose]();
    expect(mappers.every(({ disposed }) => disposed)).toBe(true);
    ways.update();
    expect(mappers).toHaveLength(2);
  });

  it('are neither of the two when both are switched off', async () => {
    places = [{ address: '192.168.1.2', tcp: CONE }];
    await using ways = waysIn({ options: portMappingOptionsSchema.parse({ enabled: false, hold: false }) });
    ways.update();
    expect([mappers, helds]).toEqual([[], []]);
  });

  it('are known when each was tried once, or after 4 s', async () => {
    await using ways = waysIn();
    ways.update();
    let known = false;
    void ways.known().then(() => {
      known = true;
    });
    await clock.advance(3_999);
    expect(known).toBe(false);
    await clock.advance(1);
    expect(known).toBe(true);
    await ways.known(); // what still goes on is not waited for again
    places = [{ address: '192.168.1.2', tcp: CONE }];
    ways.update();
    const late = ways.known();
    helds[0]!.roundOver();
    await late;
  });

  it('wait with the proof for a server, and leave it open when there is none', async () => {
    let servers: Endpoint[] = [];
    let serversKnown = (_: unknown) => {};
    await using ways = waysIn({
      servers: () => servers,
      serversKnown: new Promise(resolve => {
        serversKnown = resolve;
      }),
    });
    ways.update();
    const { prove } = mappers[0]!.settings;
    const controller = new AbortController();
    const late = prove!(EXTERNAL, controller.signal);
    controller.abort();
    expect(await late).toBeUndefined();
    servers = [{ host: '2001:db8::1', port: 3478 }]; // of no use for an IPv4 mapping
    serversKnown(servers);
    expect(await prove!(EXTERNAL, new AbortController().signal)).toBeUndefined();
  });
});

describe('the best way', () => {
  const unproved = { ...GIVEN, proved: false };
  it.each<[string, PortMapping | undefined, Endpoint | undefined, string | undefined]>([
    ['nothing', undefined, undefined, undefined],
    ['a proved mapping', GIVEN, HELD, 'pcp proved'],
    ['a held port before an unproved mapping', unproved, HELD, 'held proved'],
    ['an unproved mapping', unproved, undefined, 'pcp unproved'],
    ['not one behind two NATs', { ...unproved, doubleNat: true }, undefined, undefined],
    ['the held port, then', { ...unproved, doubleNat: true }, HELD, 'held proved'],
  ])('is %s', (_, given, held, expected) => {
    const way = bestWay(given, held);
    expect(way && `${way.mapping.by} ${way.mapping.proved ? 'proved' : 'unproved'}`).toBe(expected);
  });
});
