// The client's half of RFC 6455, as little of it as a load generator needs: the generator shares two cores with
// the server under test, and whatever it spends on itself the server does not get.

const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 } as const;
/** Section 5.3 wants it unpredictable, for the sake of proxies in between; here there are none. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function upgradeRequest({ host, pathname }: URL): string {
  const lines = [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Masks in place (section 5.3): the byte at `at` stands `place` bytes into its payload. */
export function mask(bytes: Buffer, place = 0, at = 0, end = bytes.length): Buffer {
  for (let i = at; i < end; i++) bytes[i]! ^= MASK[(place + i - at) & 3]!;
  return bytes;
}

/** A whole masked text frame of 126 to 65,535 bytes: 8 bytes of header, then the payload. */
export function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.from([0x80 | OPCODES.text, 0x80 | 126, 0, 0, ...MASK]);
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, mask(payload)]);
}

/** The answer to a ping without a payload. */
export const PONG = Buffer.from([0x80 | OPCODES.pong, 0x80, ...MASK]);

export interface FrameHandler {
  onText(payload: Buffer): void;
  onPing(): void;
}

/** Cuts what a server sends into frames; whatever is not text or ping ends with the connection anyway. */
export class FrameReader {
  #rest: Buffer | undefined;

  read(chunk: Buffer, handler: FrameHandler): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (bytes.length - at >= 2) {
      const short = bytes[at + 1]! & 0x7f;
      if (short === 127) throw new Error('a frame of more than 64 KiB');
      const headerBytes = short === 126 ? 4 : 2;
      if (bytes.length - at < headerBytes) break;
      const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
      const end = at + headerBytes + length;
      if (end > bytes.length) break;
      const opcode = bytes[at]! & 0x0f;
      if (opcode === OPCODES.text) handler.onText(bytes.subarray(at + headerBytes, end));
      else if (opcode === OPCODES.ping) handler.onPing();
      at = end;
    }
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined; // the chunk is read into again
  }
}
