// The certificate that every TLS port of this server shows: replaced while it runs, for connections to come. Those that
// are open keep what they were made with.
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { WayleaveError } from '../src/errors.js';
import type { Clock } from '../src/net/clock.js';
import type { Counts } from './counts.js';
import type { Log } from './log.js';
import { type CertificatePem, readCertificate } from './options/files.js';
import type { ResolvedServerOptions } from './options.js';

interface Shown {
  readonly context: SecureContext;
  /** Wall clock, ms. */
  readonly expiresAt: number;
  readonly fingerprint: string;
}

export class Certificate {
  #shown: Shown;

  /** @throws WayleaveError `bad-option` when certificate or key are not usable, or do not belong together. */
  constructor(pem: CertificatePem) {
    this.#shown = load(pem);
  }

  /** What the next handshake is made with. */
  get context(): SecureContext {
    return this.#shown.context;
  }

  /** When it expires, wall clock, ms. */
  get expiresAt(): number {
    return this.#shown.expiresAt;
  }

  /** SHA-256, as `openssl x509 -fingerprint -sha256` prints it. */
  get fingerprint(): string {
    return this.#shown.fingerprint;
  }

  /** Shows another from now on; one that is unusable or has expired changes nothing. @throws WayleaveError `bad-option` */
  replace(pem: CertificatePem, wallMs: number): void {
    const next = load(pem);
    if (next.expiresAt <= wallMs)
      throw new WayleaveError(
        'bad-option',
        `the certificate expired on ${new Date(next.expiresAt).toISOString()}`,
      );
    this.#shown = next;
  }
}

/** Reads its files again. @throws WayleaveError `bad-option` when they are not usable: then all stays as it was. */
export async function reloadCertificate(
  certificate: Certificate,
  options: ResolvedServerOptions,
  { clock, counts, log }: { readonly clock: Clock; readonly counts: Counts; readonly log: Log },
): Promise<void> {
  try {
    const pem = await readCertificate(options);
    if (pem) certificate.replace(pem, clock.wall());
    counts.reloads++;
    const { fingerprint, expiresAt } = certificate;
    log.info({ fingerprint, expires: new Date(expiresAt).toISOString() }, 'certificate reloaded');
  } catch (error) {
    counts.failedReloads++;
    log.error({ reason: (error as Error).message }, 'certificate not reloaded, the former one stays');
    throw error;
  }
}

function load({ cert, key }: CertificatePem): Shown {
  try {
    const leaf = new X509Certificate(cert);
    return {
      context: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
      expiresAt: Date.parse(leaf.validTo),
      fingerprint: leaf.fingerprint256,
    };
  } catch (cause) {
    throw new WayleaveError('bad-option', `option tls: ${(cause as Error).message}`, { cause });
  }
}
