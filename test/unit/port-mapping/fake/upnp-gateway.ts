// A UPnP gateway on loopback: SSDP on a UDP port, description and control on an HTTP port, mappings in a
// table. A test may answer any request in the gateway's place.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { bindUdp, listenTcp } from '../../../../src/net/sockets.js';
import type { Gateway } from '../../../../src/port-mapping/gateway.js';

interface FakeMapping {
  client: string;
  internalPort: number;
  leaseSeconds: number;
}

export interface FakeUpnpSettings {
  services?: readonly string[];
  externalAddress?: string;
  /** The LOCATION of SSDP answers, given the true one. */
  location?: (own: string) => string;
  /** Error number for an action, or undefined to carry it out. */
  refuse?: (action: string, args: Map<string, string>) => number | undefined;
  /** Answers an HTTP request in the gateway's place; true when it did. */
  instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface FakeUpnpGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly mappings: Map<number, FakeMapping>;
  readonly pinholes: Map<number, { client: string; port: number; leaseSeconds: number }>;
  /** Every action that was called, in order. */
  readonly actions: string[];
  /** What the test may change while the gateway runs. */
  readonly settings: FakeUpnpSettings;
}

const fieldsOf = (body: string) =>
  new Map(
    [...body.matchAll(/<(New\w+|\w+)>([^<]*)<\/\1>/g)].map(([, name, value]) => [name!, value!] as const),
  );

export async function fakeUpnpGateway(settings: FakeUpnpSettings = {}): Promise<FakeUpnpGateway> {
  const mappings = new Map<number, FakeMapping>();
  const pinholes: FakeUpnpGateway['pinholes'] = new Map();
  const actions: string[] = [];
  const serve = createServer(async (request, response) => {
    if (settings.instead?.(request, response)) return;
    if (request.url === '/desc.xml') return void response.end(describe(settings.services));
    let body = '';
    for await (const chunk of request) body += chunk;
    const action = /#(\w+)"$/.exec(String(request.headers.soapaction))?.[1] ?? '';
    const args = fieldsOf(body);
    actions.push(action);
    const result = settings.refuse?.(action, args) ?? carryOut(action, args);
    response.statusCode = typeof result === 'number' ? 500 : 200;
    response.end(
      envelope(
        typeof result === 'number'
          ? faultOf(result)
          : `<u:${action}Response xmlns:u="x">${result}</u:${action}Response>`,
      ),
    );
  });
  let lastPinhole = 0;

  function carryOut(action: string, args: Map<string, string>): string | number {
    const port = Number(args.get('NewExternalPort'));
    const held = mappings.get(port);
    const id = Number(args.get('UniqueID'));
    switch (action) {
      case 'GetExternalIPAddress':
        return `<NewExternalIPAddress>${settings.externalAddress ?? '203.0.113.7'}</NewExternalIPAddress>`;
      case 'GetSpecificPortMappingEntry':
        return held
          ? `<NewInternalPort>${held.internalPort}</NewInternalPort><NewInternalClient>${held.client}</NewInternalClient>`
          : 714;
      case 'AddPortMapping':
      case 'AddAnyPortMapping': {
        const client = args.get('NewInternalClient')!;
        if (held && held.client !== client) return 718;
        const leaseSeconds = Number(args.get('NewLeaseDuration'));
        mappings.set(port, { client, internalPort: Number(args.get('NewInternalPort')), leaseSeconds });
        return action === 'AddAnyPortMapping' ? `<NewReservedPort>${port}</NewReservedPort>` : '';
      }
      case 'DeletePortMapping':
        return mappings.delete(port) ? '' : 714;
      case 'AddPinhole':
        pinholes.set(++lastPinhole, {
          client: args.get('InternalClient')!,
          port: Number(args.get('InternalPort')),
          leaseSeconds: Number(args.get('LeaseTime')),
        });
        return `<UniqueID>${lastPinhole}</UniqueID>`;
      case 'UpdatePinhole': {
        const pinhole = pinholes.get(id);
        if (!pinhole) return 704;
        pinhole.leaseSeconds = Number(args.get('NewLeaseTime'));
        return '';
      }
      case 'DeletePinhole':
        return pinholes.delete(id) ? '' : 704;
      default:
        return 401;
    }
  }

  const listener = await listenTcp({ host: '127.0.0.1' }, socket => {
    socket.on('error', () => {});
    serve.emit('connection', socket);
  });
  const ssdp = await bindUdp({ family: 4, address: '127.0.0.1' });
  ssdp.on('message', (message, sender) => {
    const target = /^ST: (\S+)/m.exec(message.toString())?.[1];
    const own = `http://127.0.0.1:${listener.port}/desc.xml`;
    const location = settings.location?.(own) ?? own;
    ssdp.send(
      `HTTP/1.1 200 OK\r\nST: ${target}\r\nLOCATION: ${location}\r\n\r\n`,
      sender.port,
      sender.address,
    );
  });
  return {
    gateway: { address: '127.0.0.1', zone: 'lo', ssdpPort: ssdp.address().port },
    mappings,
    pinholes,
    actions,
    settings,
    async [Symbol.asyncDispose]() {
      await new Promise<void>(resolve => ssdp.close(() => resolve()));
      serve.closeAllConnections();
      await listener[Symbol.asyncDispose]();
    },
  };
}

function describe(services: readonly string[] = ['WANIPConnection:1']): string {
  const list = services.map(
    service =>
      `<service><serviceType>urn:schemas-upnp-org:service:${service}</serviceType><controlURL>/ctl</controlURL></service>`,
  );
  return `<?xml version="1.0"?><root><device><serviceList>${list.join('')}</serviceList></device></root>`;
}

const envelope = (body: string) =>
  `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`;
const faultOf = (number: number) =>
  `<s:Fault><detail><UPnPError><errorCode>${number}</errorCode></UPnPError></detail></s:Fault>`;
