// Hears what gateways say unasked: PCP and NAT-PMP announcements (RFC 6887 section 14.1.3, RFC 6886 section
// 3.2.1) and SSDP notifications. Only the own gateway is listened to, and all that a word of it can do is to
// make the mapper look sooner. Where multicast cannot be heard, the mapper's regular checks do alone.
import type { Socket as UdpSocket } from 'node:dgram';
import { type Family, familyOf, unmappedIp } from '../net/ip-scope.js';
import { bindMulticast } from '../net/multicast.js';
import { Scope } from '../net/scope.js';
import type { Gateway } from './gateway.js';
import { decodeNatPmpResponse } from './nat-pmp-message.js';
import { decodePcpResponse } from './pcp-message.js';
import { decodeSsdp, isGatewayTarget, SSDP_GROUP } from './ssdp-message.js';

/** The gateway said something that may mean a restart: worth asking for the mapping again. */
export type Announcement = 'heard';

const PCP_ANNOUNCEMENT_PORT = 5350;
const SSDP_PORT = 1900;
const ALL_HOSTS: Readonly<Record<Family, string>> = { 4: '224.0.0.1', 6: 'ff02::1' };

/** Reads SSDP notifications, and remembers the last BOOTID: one that is not known may mean a restart. Pure but for that. */
export class SsdpNotices {
  #bootId: string | undefined;

  read(datagram: Uint8Array): Announcement | undefined {
    try {
      const message = decodeSsdp(datagram);
      if (message.kind === 'answer' || !isGatewayTarget(message.target)) return undefined;
      if (message.kind === 'byebye') return 'heard';
      const before = this.#bootId;
      this.#bootId = message.bootId;
      return before === message.bootId ? undefined : 'heard';
    } catch {
      return undefined;
    }
  }
}

/** Whether a datagram on port 5350 is an announcement of either protocol. */
export function readControlAnnouncement(datagram: Uint8Array): Announcement | undefined {
  try {
    const response = datagram[0] === 0 ? decodeNatPmpResponse(datagram) : decodePcpResponse(datagram);
    return response.opcode === 'map' ? undefined : 'heard';
  } catch {
    return undefined;
  }
}

/** Listens until disposed. What cannot be bound or joined is left out. */
export async function listenForAnnouncements(
  { gateway, localAddress }: { gateway: Gateway; localAddress: string },
  onAnnouncement: (announcement: Announcement) => void,
): Promise<AsyncDisposable> {
  const scope = new Scope();
  const family = familyOf(localAddress);
  const interfaceAddress = family === 4 ? localAddress : `::%${gateway.zone}`;
  const notices = new SsdpNotices();
  const ears = [
    { port: PCP_ANNOUNCEMENT_PORT, group: ALL_HOSTS[family], read: readControlAnnouncement },
    { port: SSDP_PORT, group: SSDP_GROUP[family], read: (datagram: Uint8Array) => notices.read(datagram) },
  ];
  for (const { port, group, read } of ears) {
    let socket: UdpSocket;
    try {
      socket = await bindMulticast({ family, port, group, interfaceAddress });
    } catch {
      continue;
    }
    scope.defer(() => socket.close());
    socket.on('message', (datagram, sender) => {
      if (unmappedIp(sender.address) !== gateway.address) return;
      const announcement = read(datagram);
      if (announcement) onAnnouncement(announcement);
    });
  }
  return scope;
}
