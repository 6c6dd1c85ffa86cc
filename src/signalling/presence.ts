// Whether a node is at a broker, as a retained note that it signed. The note that says `offline` is signed when the
// session begins and left with the broker as its last will (MQTT 3.1.1, section 3.1.2.5): it speaks of that session
// only, so nobody can use it against a later one. Anybody may still remove a note or put junk there: a hint, no more.
//
//   note = state (1) · since: when the session began, wall milliseconds (8) · signature (64)
import { type Identity, signFor, verifyFor } from '../identity/keys.js';
import type { NodeId } from '../identity/node-id.js';

const SIGNED_BYTES = 9;
const NOTE_BYTES = SIGNED_BYTES + 64;
const PURPOSE = 'presence/1';
const STATES = ['offline', 'online'] as const;

export interface Presence {
  readonly state: (typeof STATES)[number];
  readonly since: number;
}

export function presenceNote(identity: Identity, { state, since }: Presence): Buffer {
  const signed = Buffer.alloc(SIGNED_BYTES);
  signed.writeUInt8(STATES.indexOf(state));
  signed.writeBigUInt64BE(BigInt(Math.max(0, Math.round(since))), 1);
  return Buffer.concat([signed, signFor(PURPOSE, identity, signed)]);
}

/** What a note says, if that node signed it. */
export function readPresence(id: NodeId, note: Buffer): Presence | undefined {
  const state = note.length === NOTE_BYTES ? STATES[note[0]!] : undefined;
  if (state === undefined) return undefined;
  const signed = note.subarray(0, SIGNED_BYTES);
  if (!verifyFor(PURPOSE, id, signed, note.subarray(SIGNED_BYTES))) return undefined;
  return { state, since: Number(note.readBigUInt64BE(1)) };
}

/** Which of two notes of one node holds: that of the later session, and of one session its end. */
export function laterPresence(a: Presence | undefined, b: Presence): Presence {
  if (!a || b.since > a.since) return b;
  return b.since === a.since && b.state === 'offline' ? b : a;
}
