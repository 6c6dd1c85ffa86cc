// Gateways that lie, hang, flood or point elsewhere: the mapper gives nothing out, contacts nobody else, says
// why in an event, and stays usable. The twin of each is upnp-igd.test.ts, where the same fake behaves.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/net/clock.js';
import { portMappingOptionsSchema } from '../../../src/options.js';
import { createPortMapper } from '../../../src/port-mapping/mapper.js';
import { mappingClients } from '../../../src/port-mapping/mapping-clients.js';
import type { PortMapping } from '../../../src/port-mapping/port-mapping.js';
import { fastClock } from './fake/fast-clock.js';
import { type FakeUpnpGateway, type FakeUpnpSettings, fakeUpnpGateway } from './fake/upnp-gateway.js';

let elsewhere: Server;
let elsewherePort: number;
let visits: number;
let fake: FakeUpnpGateway;
let reasons: string[];
const note = (message: unknown) => void reasons.push((message as { reason: string }).reason);
const CHANNELS = ['wayleave:port-mapping-failed', 'wayleave:port-mapping-ignored'];

beforeEach(async () => {
  [visits, reasons] = [0, []];
  elsewhere = createServer((_, response) => void response.end()).on('connection', () => visits++);
  await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve));
  elsewherePort = (elsewhere.address() as { port: number }).port;
  for (const name of CHANNELS) subscribe(name, note);
});
afterEach(async () => {
  for (const name of CHANNELS) unsubscribe(name, note);
  await fake?.[Symbol.asyncDispose]();
  await new Promise(resolve => elsewhere.close(resolve));
});

interface Trial {
  /** Of the proof. Default: none is tried. */
  verdict?: boolean;
  clock?: Clock;
}

/** One round of the mapper against that gateway: what it has, and what it would be good for. */
async function round(
  settings: FakeUpnpSettings,
  { verdict, clock = systemClock }: Trial = {},
): Promise<PortMapping | undefined> {
  fake = await fakeUpnpGateway(settings);
  await using mapper = createPortMapper({
    localAddress: '192.168.1.2',
    internalPort: 9000,
    options: portMappingOptionsSchema.parse({ protocols: ['upnp-igd'] }),
    clock,
    gateway: fake.gateway,
    listen: async () => ({ [Symbol.asyncDispose]: async () => {} }),
    clientsFor: (path, allowed) => mappingClients({ ...path, localAddress: '127.0.0.1' }, allowed),
    prove: verdict === undefined ? undefined : async () => verdict,
  });
  await mapper.ready();
  return mapper.current;
}

/** For trials that end by a time limit. */
const waiting: Trial = { clock: fastClock };

describe('a gateway', () => {
  it('that behaves gives a mapping (the twin)', async () => {
    expect(await round({}, { verdict: true })).toMatchObject({ protocol: 'upnp-igd', proved: true });
    expect(reasons).toEqual([]);
    expect(fake.mappings.size).toBe(0); // taken back
  });

  it('that lies, saying yes and mapping nothing, is found out by the proof', async () => {
    const lie = (action: string) =>
      `<s:Envelope><s:Body><u:${action}Response>${
        action === 'GetExternalIPAddress' ? '<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>' : ''
      }</u:${action}Response></s:Body></s:Envelope>`;
    const settings: FakeUpnpSettings = {
      instead: (request, response) => {
        if (request.method === 'GET') return false;
        response.end(lie(/#(\w+)/.exec(String(request.headers.soapaction))![1]!));
        return true;
      },
    };
    expect(await round(settings, { verdict: false })).toBeUndefined();
    expect(reasons.join()).toContain('nothing gets through 203.0.113.7');
  });

  it('whose SSDP answer points elsewhere is not followed there', async () => {
    // The same machine by another name of it, which a mapper that resolves or normalizes would follow.
    expect(await round({ location: () => `http://localhost:${elsewherePort}/` }, waiting)).toBeUndefined();
    expect(visits).toBe(0);
    expect(reasons.join()).toContain('its host is not an IP literal');
  });

  it('whose SSDP answer points to a public host is not followed there', async () => {
    expect(await round({ location: () => 'http://203.0.113.9/desc.xml' }, waiting)).toBeUndefined();
    expect(reasons.join()).toContain('203.0.113.9 is not the gateway 127.0.0.1');
  });

  it('that redirects is not followed', async () => {
    const instead: FakeUpnpSettings['instead'] = (_, response) => {
      response.writeHead(302, { Location: `http://127.0.0.1:${elsewherePort}/` }).end();
      return true;
    };
    expect(await round({ instead })).toBeUndefined();
    expect(visits).toBe(0);
  });

  const bodies: [string, (write: (chunk: Buffer | string) => void) => void, string][] = [
    ['10 MiB of XML', write => write(Buffer.alloc(10 << 20, '<a>')), 'http/body'],
    [
      'an entity bomb',
      write =>
        write(
          `<!DOCTYPE r [<!ENTITY a "${'x'.repeat(1000)}">${Array.from({ length: 9 }, (_, i) => `<!ENTITY ${'abcdefghij'[i + 1]} "${`&${'abcdefghij'[i]};`.repeat(10)}">`).join('')}]><root>&j;</root>`,
        ),
      'document type',
    ],
    ['deep XML', write => write('<a>'.repeat(20_000)), 'xml'],
    ['many elements', write => write(`<r>${'<a/>'.repeat(15_000)}</r>`), 'too many elements'],
    ['nothing', () => {}, 'no root device'],
    ['bytes that are no text', write => write(Buffer.alloc(5000, 0xff)), 'no root device'],
  ];
  for (const [name, send, reason] of bodies)
    for (const announced of [true, false])
      it(`that sends ${name}, ${announced ? 'with its length' : 'in chunks'}, is left`, async () => {
        const instead: FakeUpnpSettings['instead'] = (_, response) => {
          const chunks: (Buffer | string)[] = [];
          send(chunk => chunks.push(chunk));
          const body = Buffer.concat(chunks.map(chunk => Buffer.from(chunk)));
          if (announced) response.setHeader('Content-Length', body.length);
          for (let at = 0; at < body.length; at += 65_536) response.write(body.subarray(at, at + 65_536));
          response.end();
          return true;
        };
        expect(await round({ instead })).toBeUndefined();
        expect(reasons.join()).toContain(reason);
      });

  it.each<[string, FakeUpnpSettings['instead'], string]>([
    ['hangs', () => true, 'no result within'],
    [
      'trickles its answer forever',
      (_, response) => {
        const timer = setInterval(() => response.write('<'), 10);
        response.on('close', () => clearInterval(timer));
        return true;
      },
      'no result within',
    ],
    [
      'hangs up',
      (_, response) => {
        response.socket?.destroy();
        return true;
      },
      'broke off',
    ],
    [
      'sends an endless head',
      (_, response) => {
        response.socket?.write(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}`);
        return true;
      },
      'http/head',
    ],
    [
      'does not speak HTTP',
      (_, response) => {
        response.socket?.end('SSH-2.0-OpenSSH\r\n');
        return true;
      },
      'http/head',
    ],
    [
      'has an error for everything',
      (_, response) => {
        response.writeHead(404).end();
        return true;
      },
      'http/status',
    ],
  ])('that %s is left', async (_, instead, reason) => {
    expect(await round({ instead: instead! }, waiting)).toBeUndefined();
    expect(reasons.join()).toContain(reason);
  });
});
