// SSDP heads: what is sent, and what gateways answer and announce.
import { describe, expect, it } from 'vitest';
import { SsdpNotices } from '../../../src/port-mapping/announcements.js';
import { decodeSsdp, encodeSsdpSearch, isGatewayTarget } from '../../../src/port-mapping/ssdp-message.js';

const IGD = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
const head = (...lines: string[]) => Buffer.from([...lines, '', ''].join('\r\n'));

describe('searching', () => {
  it('asks for a second of patience at most', () => {
    expect(encodeSsdpSearch(IGD, 4).toString()).toBe(
      `M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ${IGD}\r\n\r\n`,
    );
    expect(encodeSsdpSearch(IGD, 6).toString()).toContain('HOST: [ff02::c]:1900\r\n');
  });
});

describe('answers', () => {
  it('bring the target and the location, in whatever case the headers are', () => {
    const answer = head('HTTP/1.1 200 OK', `st:${IGD}`, 'LoCaTiOn:  http://192.168.1.1:5000/rootDesc.xml ');
    expect(decodeSsdp(answer)).toEqual({
      kind: 'answer',
      target: IGD,
      location: 'http://192.168.1.1:5000/rootDesc.xml',
    });
  });

  it('may use bare newlines', () => {
    expect(decodeSsdp(Buffer.from(`HTTP/1.0 200 OK\nST: ${IGD}\n\n`))).toMatchObject({ target: IGD });
  });

  it.each([
    ['an error', head('HTTP/1.1 404 Not Found', `ST: ${IGD}`)],
    ['a search of somebody else', encodeSsdpSearch(IGD, 4)],
    ['a header without a name', head('HTTP/1.1 200 OK', ': x')],
    ['too many headers', head('HTTP/1.1 200 OK', ...Array.from({ length: 60 }, (_, i) => `h${i}: x`))],
    ['a datagram of 5 KiB', Buffer.alloc(5120, 'a')],
    ['an update', head('NOTIFY * HTTP/1.1', `NT: ${IGD}`, 'NTS: ssdp:update')],
    ['nothing', Buffer.alloc(0)],
  ])('are not %s', (_, datagram) =>
    expect(() => decodeSsdp(datagram)).toThrow(expect.objectContaining({ code: 'bad-message' })),
  );

  it('concern gateways only', () => {
    expect(isGatewayTarget(IGD)).toBe(true);
    expect(isGatewayTarget('urn:schemas-upnp-org:device:InternetGatewayDevice:2')).toBe(true);
    expect(isGatewayTarget('urn:schemas-upnp-org:device:MediaServer:1')).toBe(false);
    expect(isGatewayTarget('upnp:rootdevice')).toBe(false);
  });
});

describe('notifications', () => {
  const alive = (bootId: number) =>
    head('NOTIFY * HTTP/1.1', `NT: ${IGD}`, 'NTS: ssdp:alive', `BOOTID.UPNP.ORG: ${bootId}`);

  it('of a gateway that goes are heard', () => {
    const byebye = head('NOTIFY * HTTP/1.1', `NT: ${IGD}`, 'NTS: ssdp:byebye');
    expect(new SsdpNotices().read(byebye)).toBe('heard');
  });

  it('of a gateway that lives are heard when its boot id is not the last one', () => {
    const notices = new SsdpNotices();
    const heard = [1, 1, 2, 2].map(bootId => notices.read(alive(bootId)));
    expect(heard).toEqual(['heard', undefined, 'heard', undefined]);
  });

  it('of other devices, and garbage, mean nothing', () => {
    const notices = new SsdpNotices();
    expect(
      notices.read(head('NOTIFY * HTTP/1.1', 'NT: upnp:rootdevice', 'NTS: ssdp:byebye')),
    ).toBeUndefined();
    expect(notices.read(Buffer.from([0, 1, 2]))).toBeUndefined();
  });
});
