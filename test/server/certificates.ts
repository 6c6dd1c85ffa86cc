// Certificates to show and to swap: self-signed, made in no time, each with its own fingerprint.
import { X509Certificate } from 'node:crypto';
import { selfSignedCertificate } from '../../src/identity/certificate.js';
import { createIdentity } from '../../src/identity/keys.js';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export function certificatePem(): TestCertificate {
  const identity = createIdentity();
  const key = identity.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { cert: selfSignedCertificate(identity), key };
}

/** SHA-256, as a client sees it. */
export function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256;
}
