// Reads what the WAN's recorder wrote (recorder.ts): how many connections were begun.

const SYN = 0x02;
const ACK = 0x10;
const TCP = 6;

/** The TCP segments in a capture that begin a connection: SYN without ACK, over IPv4 or IPv6. */
export function synsIn(capture: Buffer): number {
  let syns = 0;
  for (let at = 24; at < capture.length; ) {
    const length = capture.readUInt32LE(at + 8);
    const flags = tcpFlags(capture.subarray(at + 16, at + 16 + length));
    if (flags !== undefined && (flags & (SYN | ACK)) === SYN) syns++;
    at += 16 + length;
  }
  return syns;
}

function tcpFlags(frame: Buffer): number | undefined {
  const etherType = frame.readUInt16BE(12);
  const packet = frame.subarray(14);
  if (etherType === 0x0800 && packet[9] === TCP) return packet[4 * (packet[0]! & 0x0f) + 13];
  if (etherType === 0x86dd && packet[6] === TCP) return packet[40 + 13];
  return undefined;
}
