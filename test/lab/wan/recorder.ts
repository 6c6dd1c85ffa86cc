// What crossed the WAN, kept in memory while a run lasts and written as a pcap file (the classic format, link
// type Ethernet, microseconds) when the run deserves a look: `tcpdump -r FILE` or Wireshark.
import { writeFileSync } from 'node:fs';

const ETHERNET = 8; // frames carry an eight-byte VXLAN header first
const LIMIT_BYTES = 16 << 20; // a birthday punch is under one; older frames give way

export class Recorder {
  readonly #links: ReadonlySet<string>;
  #frames: { atMs: number; bytes: Buffer }[] = [];
  #bytes = 0;

  /** Records what goes between these links. */
  constructor(links: readonly string[]) {
    this.#links = new Set(links);
  }

  /** Copies a frame, as sent, if it is between the recorder's links. */
  note(from: string, to: string, frame: Buffer): void {
    if (!this.#links.has(from) || !this.#links.has(to)) return;
    const bytes = Buffer.from(frame.subarray(ETHERNET));
    this.#frames.push({ atMs: Date.now(), bytes });
    this.#bytes += bytes.length;
    while (this.#bytes > LIMIT_BYTES) this.#bytes -= this.#frames.shift()!.bytes.length;
  }

  save(file: string): void {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(65535, 16);
    header.writeUInt32LE(1, 20);
    const parts: Buffer[] = [header];
    for (const { atMs, bytes } of this.#frames) {
      const prefix = Buffer.alloc(16);
      prefix.writeUInt32LE(Math.floor(atMs / 1000), 0);
      prefix.writeUInt32LE(Math.floor((atMs % 1000) * 1000), 4);
      prefix.writeUInt32LE(bytes.length, 8);
      prefix.writeUInt32LE(bytes.length, 12);
      parts.push(prefix, bytes);
    }
    writeFileSync(file, Buffer.concat(parts));
  }
}
