// What the WAN reads of a frame: VXLAN (RFC 7348 section 5), then Ethernet, then where IP wants to go.
//
//   0 flags (0x08: VNI valid) · 4..6 VNI · 8..13 destination MAC · 14..19 source MAC · 20..21 EtherType · 22 IP

export const VXLAN_PORT = 4789;
const ETHERNET = 8;
const IP = ETHERNET + 14;

/** All WAN devices share one hardware address, so nobody needs ARP and no first packet waits for it. */
export const WAN_MAC = '02:00:00:00:00:01';

/** The VXLAN network identifier: which link the frame came from. Undefined: not a VXLAN frame. */
export function readVni(frame: Buffer): number | undefined {
  return frame.length >= IP + 20 && (frame[0]! & 0x08) !== 0 ? frame.readUIntBE(4, 3) : undefined;
}

/**
 * Readdresses a frame, in place, to another link. The source hardware address is changed too, because a
 * VXLAN device drops what seems to come from itself.
 */
export function writeVni(frame: Buffer, vni: number): void {
  frame.writeUIntBE(vni, 4, 3);
  frame[ETHERNET + 11] = 0x02;
}

/** The destination address of the packet inside as lower-case hex (8 or 32 digits); undefined: not IP. */
export function destinationOf(frame: Buffer): string | undefined {
  const etherType = frame.readUInt16BE(ETHERNET + 12);
  if (etherType === 0x0800) return frame.toString('hex', IP + 16, IP + 20);
  if (etherType === 0x86dd && frame.length >= IP + 40) return frame.toString('hex', IP + 24, IP + 40);
  return undefined;
}
