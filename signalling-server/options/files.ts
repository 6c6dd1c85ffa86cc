// What options name by path: certificates and secrets, which come and go in files of their own.
import { readFile } from 'node:fs/promises';
import { WayleaveError } from '../../src/errors.js';
import type { ResolvedServerOptions } from '../options.js';

/** Far more than any certificate chain. */
const MAX_FILE_BYTES = 1 << 20;
const MIN_SECRET_CHARACTERS = 16;

/** Certificate chain and private key, PEM. */
export interface CertificatePem {
  readonly cert: string;
  readonly key: string;
}

/** The certificate as it is now; undefined where none is configured. @throws WayleaveError `bad-option` */
export async function readCertificate(
  options: Pick<ResolvedServerOptions, 'tls' | 'tlsCert' | 'tlsKey'>,
): Promise<CertificatePem | undefined> {
  const { tls, tlsCert, tlsKey } = options;
  if (tlsCert === undefined || tlsKey === undefined) return tls;
  const [cert, key] = await Promise.all([read('tlsCert', tlsCert), read('tlsKey', tlsKey)]);
  return { cert, key };
}

/** The options with what their files hold. @throws WayleaveError `bad-option`, naming option and file. */
export async function withFiles(options: ResolvedServerOptions): Promise<ResolvedServerOptions> {
  const tls = await readCertificate(options);
  const { turnSecretFile } = options;
  const turnSecret =
    turnSecretFile === undefined ? options.turnSecret : (await read('turnSecretFile', turnSecretFile)).trim();
  if (turnSecret !== undefined && turnSecret.length < MIN_SECRET_CHARACTERS)
    throw new WayleaveError(
      'bad-option',
      `option turnSecretFile: ${turnSecretFile} holds too short a secret`,
    );
  return { ...options, ...(tls && { tls }), ...(turnSecret !== undefined && { turnSecret }) };
}

async function read(option: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new WayleaveError('bad-option', `option ${option}: cannot read ${path}: ${code}`, { cause });
  }
  if (text.length > 0 && text.length <= MAX_FILE_BYTES) return text;
  throw new WayleaveError('bad-option', `option ${option}: ${path} is ${text ? 'too large' : 'empty'}`);
}
