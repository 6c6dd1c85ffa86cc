// The decoders of what gateways send, against bytes that none should: only the typed errors may come out.
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/errors.js';
import { readControlAnnouncement, SsdpNotices } from '../../src/port-mapping/announcements.js';
import { gatewayUrl } from '../../src/port-mapping/description-location.js';
import { GatewayRefusal } from '../../src/port-mapping/gateway-refusal.js';
import { decodeNatPmpResponse } from '../../src/port-mapping/nat-pmp-message.js';
import { decodePcpResponse } from '../../src/port-mapping/pcp-message.js';
import { parseNetstatRoutes } from '../../src/port-mapping/routing-table.js';
import { decodeSoapResponse } from '../../src/port-mapping/soap-message.js';
import { decodeSsdp } from '../../src/port-mapping/ssdp-message.js';
import { parseDescription } from '../../src/port-mapping/upnp-description.js';
import {
  mapped,
  writeNatPmpAddress,
  writeNatPmpMapping,
  writePcpAnswer,
} from '../unit/port-mapping/fake/gateway-wire.js';
import { FUZZ_INPUTS, mutated, seeded } from './seeded.js';

const SEED = 0x6a7e;
const gateway = { address: '192.168.1.1', zone: 'eth0' };
const location = { host: '192.168.1.1', port: 5000, path: '/rootDesc.xml' };
const text = (bytes: Buffer) => bytes.toString('utf8');
const http = (...lines: string[]) => Buffer.from([...lines, '', ''].join('\r\n'));

const IGD = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const DESCRIPTION = Buffer.from(
  `<?xml version="1.0"?><root xmlns="urn:x"><URLBase>http://192.168.1.1:5000/</URLBase><device><deviceList><device>` +
    `<serviceList><service><serviceType>${SERVICE}</serviceType><controlURL>/ctl?a=1&amp;b=2</controlURL></service>` +
    `</serviceList></device></deviceList></device></root>`,
);
const soap = (body: string) =>
  Buffer.from(`<s:Envelope xmlns:s="urn:x"><s:Body>${body}</s:Body></s:Envelope>`);

interface Target {
  readonly name: string;
  readonly corpus: readonly Buffer[];
  readonly decode: (input: Buffer) => unknown;
}

const map = {
  nonce: Buffer.alloc(12, 7),
  internalPort: 1,
  externalPort: 2,
  externalAddress: mapped(9, 8, 7, 6),
};
const targets: Target[] = [
  {
    name: 'PCP',
    corpus: [
      writePcpAnswer({ opcode: 1, result: 0, lifetimeSeconds: 3600, epochSeconds: 9, map }),
      writePcpAnswer({ opcode: 0, result: 0, lifetimeSeconds: 0, epochSeconds: 9 }),
    ],
    decode: decodePcpResponse,
  },
  {
    name: 'NAT-PMP',
    corpus: [
      writeNatPmpAddress(9, [203, 0, 113, 7]),
      writeNatPmpMapping(9, 1, 2, 3600),
      writeNatPmpMapping(9, 1, 2, 0, 3),
    ],
    decode: decodeNatPmpResponse,
  },
  {
    name: 'announcements',
    corpus: [
      writeNatPmpAddress(9, [203, 0, 113, 7]),
      http('NOTIFY * HTTP/1.1', `NT: ${IGD}`, 'NTS: ssdp:alive', 'BOOTID.UPNP.ORG: 1'),
    ],
    decode: input => [readControlAnnouncement(input), new SsdpNotices().read(input)],
  },
  {
    name: 'SSDP',
    corpus: [
      http('HTTP/1.1 200 OK', `ST: ${IGD}`, 'LOCATION: http://192.168.1.1:5000/rootDesc.xml'),
      http('NOTIFY * HTTP/1.1', `NT: ${IGD}`, 'NTS: ssdp:byebye'),
    ],
    decode: decodeSsdp,
  },
  {
    name: 'locations',
    corpus: ['http://192.168.1.1:5000/rootDesc.xml', 'http://[fe80::1%25eth0]:80/'].map(url =>
      Buffer.from(url),
    ),
    decode: input => {
      const url = gatewayUrl(text(input), gateway);
      if (url.host !== gateway.address) throw new Error(`${url.host} was let through`);
    },
  },
  {
    name: 'descriptions',
    corpus: [DESCRIPTION],
    decode: input => parseDescription(text(input), location),
  },
  {
    name: 'SOAP',
    corpus: [
      soap(
        '<u:AResponse xmlns:u="urn:x"><NewExternalIPAddress>203.0.113.7</NewExternalIPAddress></u:AResponse>',
      ),
      soap('<s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault>'),
    ],
    decode: input => decodeSoapResponse('A', text(input))('NewExternalIPAddress'),
  },
  {
    name: 'routing tables',
    corpus: [
      Buffer.from('Destination Gateway Flags Netif\ndefault fe80::1%en0 UGcg en0\ndefault 10.0.0.1 UG em0\n'),
    ],
    decode: input => parseNetstatRoutes(text(input), 4),
  },
];

/** Milliseconds, the machine's other business left out: what took long is tried again, and the fastest counts. */
function cost(run: () => void): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5 && fastest > 10; i++) {
    const startedAtMs = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - startedAtMs);
  }
  return fastest;
}

describe('fuzzed', () => {
  for (const { name, corpus, decode } of targets)
    it(`${name}: nothing but the typed error comes out, at once, and some inputs still decode`, {
      timeout: 300_000,
    }, () => {
      const random = seeded(SEED);
      let decoded = 0;
      for (let i = 0; i < FUZZ_INPUTS; i++) {
        const input = mutated(corpus[i % corpus.length]!, random);
        const where = () => `seed ${SEED}, input ${i}: ${input.toString('hex')}`;
        const ms = cost(() => {
          try {
            decode(input);
            decoded++;
          } catch (error) {
            if (!(error instanceof DecodeError || error instanceof GatewayRefusal))
              throw new Error(where(), { cause: error });
          }
        });
        if (ms > 10) throw new Error(`${ms} ms for ${where()}`);
      }
      expect(decoded).toBeGreaterThan(0);
    });

  it('XML at the limit of what is read costs no more than that', () => {
    const full = (unit: string, count: number) => `<r>${unit.repeat(count)}</r>`;
    const worst = [
      full('<a/>', 2999),
      full('<abcdefghijklmnop/>', 2999),
      full(`<a b="${'c'.repeat(30)}"/>`, 1400),
      full('<![CDATA[x]]>', 2990),
      full('<!-- x -->', 2990),
      '<a>'.repeat(2999),
      `<r>${'&amp;'.repeat(13_000)}</r>`,
      `<r ${'a="b" '.repeat(10_000)}/>`,
      `<${'r'.repeat(65_000)}/>`,
    ];
    for (const xml of worst)
      expect(
        cost(() => {
          try {
            parseDescription(xml, location);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }),
        xml.slice(0, 40),
      ).toBeLessThanOrEqual(10);
  });
});
