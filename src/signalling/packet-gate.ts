// Keeps packets from the MQTT client that are too long for it: its parser would hold whatever anybody publishes, up to
// 256 MiB. A long PUBLISH is passed over as it streams by, and acknowledged, or the broker would keep it in flight and
// send it again. Sans-I/O: chunks in; out comes what to hand on. MQTT 3.1.1, sections 2.2, 3.3 and 3.4.
import { DecodeError } from '../errors.js';

const PUBLISH = 3;
/** Section 2.2.3. */
const MAX_LENGTH_BYTES = 4;

export interface Passed {
  /** What goes on to the client, in order. */
  readonly bytes: readonly Buffer[];
  /** PUBACK packets for what did not. */
  readonly acknowledgements: readonly Buffer[];
}

/** A packet that is passed over: so many bytes are left, and what precedes its identifier is still being read. */
interface Skipped {
  left: number;
  readonly qos: number;
  /** The beginning: the topic's length, then (its bytes left out) the identifier. */
  head: number[];
  topicLeft: number;
}

export class PacketGate {
  readonly #maxBytes: number;
  /** The fixed header read so far. */
  #header: number[] = [];
  #passing = 0;
  #skipped: Skipped | undefined;

  /** @param maxBytes longest packet that is let through, its fixed header not counted. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws DecodeError for what cannot be passed over: a malformed length, or any other packet that is too long. */
  feed(chunk: Buffer): Passed {
    const bytes: Buffer[] = [];
    const acknowledgements: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#passing > 0) {
        const end = Math.min(chunk.length, at + this.#passing);
        bytes.push(chunk.subarray(at, end));
        this.#passing -= end - at;
        at = end;
      } else if (this.#skipped) {
        at = this.#skip(this.#skipped, chunk, at, acknowledgements);
      } else {
        this.#header.push(chunk[at++]!);
        if (this.#header.length > 1 && this.#header.at(-1)! < 0x80) this.#begin(bytes);
        else if (this.#header.length > MAX_LENGTH_BYTES) throw new DecodeError('packet/length', 'malformed');
      }
    }
    return { bytes, acknowledgements };
  }

  /** The fixed header is complete. */
  #begin(bytes: Buffer[]): void {
    const header = Buffer.from(this.#header);
    this.#header = [];
    const length = header.subarray(1).reduce((sum, byte, index) => sum + (byte & 0x7f) * 0x80 ** index, 0);
    if (length <= this.#maxBytes) {
      bytes.push(header);
      this.#passing = length;
      return;
    }
    if (header[0]! >> 4 !== PUBLISH) throw new DecodeError('packet', `is ${length} bytes long`);
    this.#skipped = { left: length, qos: (header[0]! >> 1) & 3, head: [], topicLeft: 0 };
  }

  #skip(packet: Skipped, chunk: Buffer, from: number, acknowledgements: Buffer[]): number {
    let at = from;
    const end = Math.min(chunk.length, from + packet.left);
    while (at < end && packet.head.length < 4) {
      if (packet.head.length === 2 && packet.topicLeft > 0) {
        const passed = Math.min(packet.topicLeft, end - at);
        packet.topicLeft -= passed;
        at += passed;
        continue;
      }
      packet.head.push(chunk[at++]!);
      if (packet.head.length === 2) packet.topicLeft = packet.head[0]! * 0x100 + packet.head[1]!;
      // the identifier; without one (QoS 0) these are the first bytes of the payload
      if (packet.head.length === 4 && packet.qos === 1) {
        acknowledgements.push(Buffer.from([0x40, 2, packet.head[2]!, packet.head[3]!]));
      }
    }
    packet.left -= end - from;
    if (packet.left === 0) this.#skipped = undefined;
    return end;
  }
}
