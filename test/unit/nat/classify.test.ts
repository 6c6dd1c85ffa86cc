// The classifier, from samples alone: every word of RFC 4787 where it is earned, `unknown` where it is not.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, type Evidence, externalOf, filteringOf, mappingOf } from '../../../src/nat/classify.js';
import { behaviourSchema } from '../../../src/nat/profile.js';
import {
  deliveryRate,
  type FilteringSample,
  type MappingSample,
  type Samples,
} from '../../../src/nat/samples.js';
import { A1, A2, B2, EXTERNAL, filtering, LOCAL, mapping, PORTS, samples } from './worlds.js';

const OPEN = mapping(PORTS.preserving(), LOCAL);
const EI = 'endpoint-independent';
const AD = 'address-dependent';
const APD = 'address-and-port-dependent';

describe('kinds', () => {
  it.each([
    ['open', OPEN, filtering('passed', 'passed'), EI],
    ['firewall', OPEN, filtering('silent', 'silent'), APD],
    ['firewall', OPEN, filtering('silent', 'passed'), AD],
    ['nat', mapping(PORTS.preserving()), filtering('passed', 'passed'), EI],
    ['nat', mapping(PORTS.preserving()), filtering('silent', 'passed'), AD],
    ['nat', mapping(PORTS.preserving()), filtering('refused', 'refused'), APD],
  ])('%s', (kind, mapping, filtering, word) => {
    const found = classify(samples({ mapping, filtering }));
    expect(found).toMatchObject({ kind, filtering: word, mapping: EI });
    expect(found.confidence).toBeGreaterThan(0.8);
  });

  it('a public address whose filter was not seen is not called open, nor firewalled', () => {
    expect(classify(samples({ mapping: OPEN })).kind).toBe('unknown');
  });

  it('a translated port is a NAT, even under one’s own address', () => {
    expect(classify(samples({ mapping: mapping(PORTS.random(), LOCAL) })).kind).toBe('nat');
  });
});

describe('mapping', () => {
  it.each([
    [EI, PORTS.preserving()],
    [EI, PORTS.random()],
    [AD, PORTS.perAddress()],
    [APD, PORTS.symmetricRandom()],
    [APD, PORTS.symmetricSequential(1)],
  ])('%s', (word, portOf) => {
    expect(mappingOf(mapping(portOf)).value).toBe(word);
  });

  it('is unknown from one endpoint, and from one address whose ports are alike', () => {
    const all = mapping(PORTS.preserving());
    expect(mappingOf(all.filter(({ server }) => server === A1)).value).toBe('unknown');
    expect(mappingOf(all.filter(({ server }) => server !== B2)).value).toBe('unknown');
    expect(mappingOf([]).value).toBe('unknown');
  });

  it('from one address whose ports differ is known all the same', () => {
    const all = mapping(PORTS.symmetricRandom()).filter(({ server }) => server !== B2);
    expect(mappingOf(all).value).toBe(APD);
  });

  it('that differs between two addresses with one port each is not told apart', () => {
    const all = mapping(PORTS.symmetricRandom()).filter(({ server }) => server !== A2);
    expect(mappingOf(all).value).toBe('unknown');
  });

  it('one server that lies does not outvote two that agree, and costs confidence', () => {
    const honest = mapping(PORTS.preserving());
    const lie: MappingSample = {
      local: honest[0]!.local,
      server: { host: '192.0.2.66', port: 3478 },
      mapped: { host: '192.0.2.99', port: 9 },
    };
    const { value, confidence } = mappingOf([...honest, lie]);
    expect(value).toBe(EI);
    expect(confidence).toBeLessThan(mappingOf(honest).confidence);
    expect(externalOf([lie, ...honest])?.host).toBe(EXTERNAL);
  });

  it('two servers that contradict each other show nothing', () => {
    const [first] = mapping(PORTS.preserving());
    const other = { ...first!, server: B2, mapped: { host: '192.0.2.99', port: 9 } };
    expect(mappingOf([first!, other]).value).toBe('unknown');
  });
});

describe('filtering', () => {
  it('silence is an answer only when loss cannot explain it', () => {
    const rate = deliveryRate({ sent: 10, answered: 6 });
    expect(filteringOf(filtering('silent', 'silent', 2), rate).value).toBe('unknown');
    expect(filteringOf(filtering('silent', 'silent', 10), rate).value).toBe(APD);
  });

  it('a reset is an answer at once', () => {
    expect(filteringOf(filtering('refused', 'refused', 1), 0.3).value).toBe(APD);
  });

  it('a port that lets in what another keeps out was used before, and does not count', () => {
    const used = filtering('passed', 'passed', 1, 50_001);
    expect(filteringOf([...used, ...filtering('silent', 'passed', 8, 50_002)], 0.9).value).toBe(AD);
    expect(filteringOf([...used, ...filtering('refused', 'refused', 1, 50_002)], 0.9).value).toBe(APD);
    // What loss explains is no contradiction.
    expect(filteringOf([...used, ...filtering('silent', 'silent', 1, 50_002)], 0.6).value).toBe(EI);
  });

  it('with one address, only the strictest kind shows', () => {
    const port = (outcome: FilteringSample['outcome']) => [
      { server: A1, change: 'port' as const, localPort: 5, outcome, tries: 8 },
    ];
    expect(filteringOf(port('silent'), 0.9).value).toBe(APD);
    expect(filteringOf(port('passed'), 0.9).value).toBe('unknown');
  });

  it('the other address silent and its twin unknown shows nothing', () => {
    const address = [
      { server: A1, change: 'address' as const, localPort: 5, outcome: 'silent' as const, tries: 8 },
    ];
    expect(filteringOf(address, 0.9).value).toBe('unknown');
  });

  it('goes by the majority of servers, and a tie shows nothing', () => {
    const of = (host: string, outcome: FilteringSample['outcome']) =>
      filtering(outcome, outcome).map(sample => ({ ...sample, server: { host, port: 1 } }));
    const two = [...of('192.0.2.1', 'passed'), ...of('192.0.2.2', 'silent')];
    expect(filteringOf(two, 0.9).value).toBe('unknown');
    expect(filteringOf([...two, ...of('192.0.2.3', 'passed')], 0.9).value).toBe(EI);
  });
});

describe('hairpinning and unsolicited SYNs', () => {
  const tcp = (outcome: FilteringSample['outcome']) =>
    classify(
      samples({
        transport: 'tcp',
        mapping: mapping(PORTS.preserving()),
        filtering: filtering(outcome, outcome),
      }),
    ).unsolicitedSyn;

  it('a refused dial-back is a reset, a silent one a drop, one that came in shows neither', () => {
    expect([tcp('refused'), tcp('silent'), tcp('passed')]).toEqual(['reset', 'drop', 'unknown']);
  });

  it('UDP knows no SYN', () => {
    const udp = samples({ mapping: mapping(PORTS.preserving()), filtering: filtering('silent', 'silent') });
    expect(classify(udp).unsolicitedSyn).toBe('unknown');
  });

  it.each([
    [true, { passed: true, tries: 1 }],
    [false, { passed: false, tries: 3 }],
    [null, { passed: false, tries: 1 }],
    [null, undefined],
  ])('hairpinning %s', (word, hairpin) => {
    expect(classify(samples({ mapping: mapping(PORTS.random()), hairpin })).hairpinning).toBe(word);
  });

  it('means nothing without a NAT', () => {
    const found = classify(samples({ mapping: OPEN, hairpin: { passed: true, tries: 1 } }));
    expect(found.hairpinning).toBeNull();
  });
});

describe('where TCP gets out to', () => {
  const egress = (beyondWeb: Samples['beyondWeb'], evidence: Evidence = {}, change: Partial<Samples> = {}) =>
    classify(
      samples({ transport: 'tcp', mapping: mapping(PORTS.preserving()), beyondWeb, ...change }),
      evidence,
    ).egress;

  it('is everywhere once a connection to another port than the web’s was there', () => {
    expect(egress({ passed: true, tries: 1 })).toBe('everything');
  });

  it('is the web alone where other ports of a server that answers keep silent, and UDP as well', () => {
    expect(egress({ passed: false, tries: 8 })).toBe('web-only');
  });

  it('is not known where it was not tried, where loss explains the silence, and where UDP gets out', () => {
    expect(egress(undefined)).toBeUndefined();
    expect(egress({ passed: false, tries: 3 }, {}, { delivery: { sent: 12, answered: 4 } })).toBeUndefined();
    expect(egress({ passed: false, tries: 8 }, { serversAlive: true })).toBeUndefined();
  });
});

describe('nothing heard', () => {
  const silence = samples({ unheard: [{ how: 'silent', sends: 7 }], delivery: { sent: 0, answered: 0 } });
  const alive = { serversAlive: true, delivery: { sent: 9, answered: 9 } };

  it('is blocked where the server lives and serves this transport', () => {
    const found = classify(silence, { ...alive, served: true });
    expect(found.kind).toBe('blocked');
    expect(found.confidence).toBeGreaterThan(0.9);
  });

  it('is unknown where the server may not serve it, where loss explains it, and where it refuses', () => {
    expect(classify(silence, alive).kind).toBe('unknown');
    const once = { ...silence, unheard: [{ how: 'silent' as const, sends: 1 }] };
    const lossy = { serversAlive: true, served: true, delivery: { sent: 10, answered: 5 } };
    expect(classify(once, lossy).kind).toBe('unknown');
    const refused = { ...silence, unheard: [{ how: 'refused' as const, sends: 1 }] };
    expect(classify(refused, { ...alive, served: true }).kind).toBe('unknown');
    expect(classify(samples({})).kind).toBe('unknown');
  });

  it('anywhere is blocked, but never for sure: the servers may be down', () => {
    expect(classify(silence)).toMatchObject({ kind: 'blocked', confidence: 0.5 });
  });
});

describe('whatever the samples', () => {
  const endpoint = fc.record({
    host: fc.constantFrom('192.0.2.1', '192.0.2.2', LOCAL),
    port: fc.integer({ min: 1, max: 9 }),
  });
  const mappings = fc.array(fc.record({ local: endpoint, server: endpoint, mapped: endpoint }), {
    maxLength: 9,
  });
  const filters = fc.array(
    fc.record({
      server: endpoint,
      change: fc.constantFrom('address' as const, 'port' as const),
      localPort: fc.integer({ min: 1, max: 3 }),
      outcome: fc.constantFrom('passed' as const, 'refused' as const, 'silent' as const),
      tries: fc.nat(9),
    }),
    { maxLength: 5 },
  );
  const count = fc.record({ sent: fc.nat(20), answered: fc.nat(20) }).map(({ sent, answered }) => ({
    sent,
    answered: Math.min(sent, answered),
  }));

  it('the result is a behaviour as addresses carry it', () => {
    fc.assert(
      fc.property(mappings, filters, count, fc.boolean(), (mapping, filtering, delivery, serversAlive) => {
        const found = classify(samples({ transport: 'tcp', mapping, filtering, delivery }), { serversAlive });
        expect(behaviourSchema.parse(found)).toEqual(found);
      }),
      { numRuns: 2_000 },
    );
  });
});
