// A peer's address may send us to its signalling servers, and to nothing else on our own networks.
import { describe, expect, it } from 'vitest';
import { NodeAddress } from '../../../src/address/node-address.js';
import { createIdentity } from '../../../src/identity/keys.js';
import { UNKNOWN_BEHAVIOUR } from '../../../src/nat/profile.js';
import { machineTag } from '../../../src/net/machine.js';
import { direct } from '../../../src/strategies/direct.js';
import {
  contactableAddress,
  contactableServers,
  nobodyVouches,
} from '../../../src/strategies/peer-servers.js';
import { punch } from '../../../src/strategies/punch.js';
import { reverse } from '../../../src/strategies/reverse.js';

function addressOf(own: { address: string; servers?: string[]; here?: boolean }): NodeAddress {
  const identity = createIdentity();
  return NodeAddress.sign(identity, {
    issuedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    machine: own.here ? machineTag(identity.id) : null,
    capabilities: ['reverse', 'punch'],
    servers: own.servers ?? [],
    interfaces: [
      {
        family: 4,
        address: own.address,
        prefix: 24,
        port: 4000,
        external: null,
        mapping: null,
        tcp: UNKNOWN_BEHAVIOUR,
        udp: UNKNOWN_BEHAVIOUR,
        unknownFields: [],
      },
    ],
  });
}

const self = addressOf({ address: '192.168.1.5', here: true });

describe('servers of a peer elsewhere', () => {
  it.each([
    ['ws://203.0.113.9:7443', true],
    ['wss://signal.example.org', true], // looked at when it is resolved
    ['ws://192.168.1.77:7443', true], // on our own network
    ['ws://192.168.1.5:7443', true], // this machine may well be the server
    ['ws://192.168.9.9:7443', false],
    ['ws://10.0.0.1:22', false],
    ['ws://127.0.0.1:6379', false],
    ['ws://[::1]:6379', false],
    ['ws://[::ffff:127.0.0.1]:6379', false],
    ['ws://169.254.169.254/', false],
    ['ws://0.0.0.0:80', false],
    ['ws://2130706433:80', false], // the URL standard reads it as 127.0.0.1
    ['mqtt://203.0.113.9', true],
    ['mqtts://broker.example.org', true],
    ['ws://203.0.113.9/mqtt', true],
    ['mqtt://192.168.9.9:1883', false],
    ['mqtt://127.0.0.1:6379', false],
    ['mqtt://127.1:6379', false], // of mqtt it knows nothing, and resolvers read it as 127.0.0.1
    ['mqtt://0x7f000001', false],
    ['mqtts://[::ffff:127.0.0.1]', false],
    ['mqtt://203.0.113.9/some/path', false], // not usable, whatever it means
  ])('%s: %s', (url, allowed) => {
    const peer = addressOf({ address: '198.51.100.7', servers: [url] });
    expect(contactableServers(self, peer)).toEqual(allowed ? peer.servers : []);
  });

  it('on this machine, loopback is as good as any', () => {
    const peer = addressOf({ address: '192.168.1.5', servers: ['ws://127.0.0.1:7443'], here: true });
    expect(contactableServers(self, peer)).toEqual(['ws://127.0.0.1:7443']);
  });
});

describe('whether anybody vouches for where a request comes from', () => {
  const at = (servers: string[], here = false) => addressOf({ address: '198.51.100.7', servers, here });
  it.each([
    ['a server of ours', [], ['ws://h'], false],
    ['a broker', [], ['mqtt://h'], true],
    ['a broker over WebSocket', [], ['wss://h/mqtt'], true],
    ['a broker and a server', [], ['mqtt://h', 'ws://h'], false],
    ['brokers, and a server that the peer does not use', ['ws://h'], ['mqtt://h', 'mqtts://h'], true],
    ['only our own server', ['ws://h'], [], false],
    ['only our own broker', ['mqtt://h'], [], true],
  ])('%s', (_, own, theirs, nobody) => {
    expect(nobodyVouches(at(own), at(theirs))).toBe(nobody);
  });

  it('on one machine nobody need', () => {
    expect(nobodyVouches(self, at(['mqtt://h'], true))).toBe(false);
  });

  it('reverse and punch are ruled out for that, in the words that users see', () => {
    const near = addressOf({ address: '203.0.113.5', servers: ['mqtt://h'] });
    const far = at(['mqtt://h']);
    for (const strategy of [reverse, punch]) {
      expect(strategy.assess(near, far)).toMatchObject({ verdict: 'impossible', reason: 'nobody-vouches' });
    }
    expect(direct.assess(near, far).verdict).not.toBe('impossible');
  });
});

it('names may lead to global addresses and to our own networks only', () => {
  const allowed = ['203.0.113.9', '2001:db8::1', '192.168.1.77'];
  const refused = [
    '127.0.0.1',
    '::1',
    '10.0.0.1',
    '169.254.169.254',
    'fe80::1',
    '64:ff9b::7f00:1',
    'nonsense',
  ];
  expect(allowed.filter(ip => !contactableAddress(self, ip))).toEqual([]);
  expect(refused.filter(ip => contactableAddress(self, ip))).toEqual([]);
});
