// The self-signed certificate in which a node shows its Ed25519 key in TLS (RFC 5280 profile, RFC 8410
// algorithm). Only the key in it matters: names and dates are the same for every node and say nothing.
import { sign } from 'node:crypto';
import { type Identity, publicKeyFromRaw } from './keys.js';

/** One DER element: tag, length (short or long form), contents. */
function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const length = body.length;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length];
  return Buffer.concat([Buffer.from(head), body]);
}

const SEQUENCE = 0x30;
const ED25519 = der(SEQUENCE, Buffer.from('06032b6570', 'hex'));
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const NAME = der(SEQUENCE, der(0x31, der(SEQUENCE, COMMON_NAME, der(0x0c, Buffer.from('wayleave')))));
const VALIDITY = der(
  SEQUENCE,
  der(0x18, Buffer.from('20000101000000Z')),
  der(0x18, Buffer.from('99991231235959Z')), // RFC 5280, 4.1.2.5: no well-defined end
);

/** The identity's certificate, PEM. Deterministic: Ed25519 signatures are. */
export function selfSignedCertificate(identity: Identity): string {
  const subjectKey = publicKeyFromRaw('ed25519', identity.publicKey).export({ format: 'der', type: 'spki' });
  const version3 = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.from([1]));
  const signed = der(SEQUENCE, version3, serial, ED25519, NAME, VALIDITY, NAME, subjectKey);
  const signature = der(0x03, Buffer.from([0]), sign(null, signed, identity.privateKey));
  const base64 = der(SEQUENCE, signed, ED25519, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}
