// `wayleave probe` without a terminal: options, where servers come from, exit codes, and the words for people.
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import { afterEach, describe, expect, it } from 'vitest';
import { createStunResponder } from '../../../signalling-server/stun/responder.js';
import type { Output } from '../../../src/cli/output.js';
import { probeCommand, registerProbe } from '../../../src/cli/probe.js';
import { picture } from '../../../src/cli/probe-picture.js';
import type { InterfaceProfile } from '../../../src/nat/probe.js';
import { type Behaviour, UNKNOWN_BEHAVIOUR } from '../../../src/nat/profile.js';
import { reachOf } from '../../../src/nat/reach.js';
import { Scope } from '../../../src/net/scope.js';

let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

function heard(): Output & {
  events: { event: string; [field: string]: unknown }[];
  texts: string[];
  notes: string[];
} {
  const events: { event: string; [field: string]: unknown }[] = [];
  const texts: string[] = [];
  const notes: string[] = [];
  return {
    json: true,
    events,
    texts,
    notes,
    result(event, text) {
      events.push(event);
      if (text !== undefined) texts.push(text);
    },
    note: text => notes.push(text),
  };
}

const { signal } = new AbortController();
const flags = (change: Partial<Parameters<typeof probeCommand>[0]>) => ({ stun: [], server: [], ...change });
const responder = async () =>
  scope.use(await createStunResponder({ host: '127.0.0.1', port: 0, alternateHost: '127.0.0.2' }));

describe('wayleave probe', () => {
  it('asks a server by name or address, and reports the profile of the contract', async () => {
    const { port } = (await responder()).endpoints[0]!;
    const output = heard();
    const stun = [`127.0.0.1:${port}`];
    expect(await probeCommand(flags({ stun, interface: 'lo' }), output, signal)).toBe(0);
    const [event] = output.events;
    expect(event).toMatchObject({
      event: 'profile',
      interfaces: expect.arrayContaining([
        expect.objectContaining({
          family: 4,
          address: '127.0.0.1',
          external: { host: '127.0.0.1', port: expect.any(Number) },
          udp: expect.objectContaining({ kind: 'open' }),
          tcp: expect.objectContaining({ kind: 'open' }),
          portMapping: { protocol: null, external: null },
        }),
      ]),
      reach: expect.objectContaining({ open: 'direct' }),
    });
    expect(output.texts[0]).toContain('anybody can connect to you directly');
  });

  it('asks the STUN endpoints that a signalling server’s greeting names', async () => {
    const { port } = (await responder()).endpoints[0]!;
    const asked: string[] = [];
    const greetingOf = async (url: string) => {
      asked.push(url);
      return { stun: [`stun:localhost:${port}`] };
    };
    const output = heard();
    const server = ['ws://example.test:7443'];
    expect(await probeCommand(flags({ server }), output, signal, { greetingOf })).toBe(0);
    expect(asked).toEqual(server);
  });

  it('ends with 1 when nobody answered, and still says what that means', async () => {
    const gone = await createStunResponder({ host: '127.0.0.1', port: 0 });
    const { port } = gone.endpoints[0]!;
    await gone.close();
    const output = heard();
    expect(await probeCommand(flags({ stun: [`127.0.0.1:${port}`], interface: 'lo' }), output, signal)).toBe(
      1,
    );
    expect(output.events[0]).toMatchObject({ event: 'profile' });
    expect(output.notes.join()).toContain('No STUN server answered');
  });

  it.each([
    ['no server', flags({}), /name a server/],
    ['no port number', flags({ stun: ['host:port'] }), /HOST:PORT/],
    ['port 0', flags({ stun: ['127.0.0.1:0'] }), /HOST:PORT/],
    [
      'no such interface',
      flags({ stun: ['127.0.0.1'], interface: 'nosuch0' }),
      /nosuch0 has no usable address/,
    ],
    ['no way to ask a signalling server', flags({ server: ['ws://h'] }), /not available/],
  ])('is wrong usage with %s', async (_, wrong, words) => {
    const rejected = expect(probeCommand(wrong, heard(), signal)).rejects;
    await rejected.toMatchObject({ code: 'bad-option', message: expect.stringMatching(words) });
  });

  it('says when a server offers no STUN at all', async () => {
    const greetingOf = async () => ({ stun: [] });
    const asked = probeCommand(flags({ server: ['ws://h'] }), heard(), signal, { greetingOf });
    await expect(asked).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('has its options and help in the program', () => {
    const program = new Command();
    registerProbe(program);
    const [command] = program.commands;
    expect(command!.name()).toBe('probe');
    expect(command!.options.map(({ long }) => long)).toEqual([
      '--server',
      '--stun',
      '--interface',
      '--no-port-mapping',
      '--udp-lifetime',
      '--json',
    ]);
  });
});

describe('the picture for people', () => {
  const router: Behaviour = {
    ...UNKNOWN_BEHAVIOUR,
    kind: 'nat',
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    ports: { pattern: 'preserving' },
    confidence: 0.875,
  };
  const nothing: InterfaceProfile['portMapping'] = { protocol: null, external: null };
  const drawn = (tcp: Behaviour, udp: Behaviour = tcp, portMapping = nothing) =>
    stripVTControlCharacters(
      picture({
        interfaces: [
          {
            name: 'eth0',
            family: 4,
            address: '192.168.1.2',
            external: { host: '203.0.113.7', port: 40_000 },
            udp,
            tcp,
            portMapping,
          },
        ],
        reach: reachOf(tcp, udp),
      }),
    );

  it('shows what the router opens when asked, and when that helps nobody', () => {
    const given = { protocol: 'upnp-igd', external: { host: '203.0.113.7', port: 9000 } } as const;
    expect(drawn(router, router, given)).toMatch(/203\.0\.113\.7:9000.*by UPnP.*can connect directly/s);
    const inner = { ...given, external: { host: '10.0.0.2', port: 9000 }, doubleNat: true } as const;
    expect(drawn(router, router, inner)).toMatch(/\(10\.0\.0\.2\) is private/);
    expect(drawn(router)).not.toContain('when asked');
  });

  it.each<[string, Behaviour, RegExp]>([
    ['open', { ...router, kind: 'open', filtering: 'endpoint-independent' }, /Nothing stands in the way/],
    ['firewall', { ...router, kind: 'firewall' }, /an address of your own, but a firewall/],
    ['router', router, /ordinary home router/],
    ['full cone', { ...router, filtering: 'endpoint-independent' }, /lets everybody in/],
    [
      'sequential',
      { ...router, mapping: 'address-and-port-dependent', ports: { pattern: 'delta', delta: -2 } },
      /predicted/,
    ],
    [
      'random',
      { ...router, mapping: 'address-and-port-dependent', ports: { pattern: 'random' } },
      /random port/,
    ],
    ['half known', { ...router, mapping: 'unknown' }, /could not be seen/],
    ['blocked', { ...router, kind: 'blocked' }, /Nothing gets out/],
    ['not enough', { ...UNKNOWN_BEHAVIOUR, samples: 1 }, /Not enough could be seen/],
    ['nothing', UNKNOWN_BEHAVIOUR, /No server answered/],
  ])('%s', (_, behaviour, words) => {
    const text = drawn(behaviour);
    expect(text).toMatch(words);
    expect(text).toContain('203.0.113.7:40000');
    expect(text).toContain('behind an ordinary home router');
  });

  it('shows a delta with its sign, and a relay where UDP alone gets out', () => {
    expect(drawn({ ...router, ports: { pattern: 'delta', delta: 4 } })).toContain('delta +4');
    expect(drawn({ ...UNKNOWN_BEHAVIOUR, kind: 'blocked' }, router)).toContain('only a relay');
  });
});
