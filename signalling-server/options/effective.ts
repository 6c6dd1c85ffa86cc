// What a configuration comes to, for people and logs to look at: every option with its value, and no secret.
import { Certificate } from '../certificate.js';
import { resolveServerOptions, type ServerOptions, serverOptionsSchema } from '../options.js';
import { withFiles } from './files.js';

const HIDDEN = '(hidden)';

/** Checks the options as `createServer` does before it opens a port, files included. @throws WayleaveError `bad-option` */
export async function effectiveOptions(options: ServerOptions): Promise<Record<string, unknown>> {
  const resolved = await withFiles(resolveServerOptions(options));
  const certificate = resolved.tls && new Certificate(resolved.tls);
  const shown = Object.entries(resolved).map(([key, value]) => [key, withoutSecrets(key, value)]);
  const expires = certificate && { certificateExpires: new Date(certificate.expiresAt).toISOString() };
  return { ...Object.fromEntries(shown), ...expires };
}

function withoutSecrets(key: string, value: unknown): unknown {
  const { secret } = serverOptionsSchema.shape[key as keyof typeof serverOptionsSchema.shape].meta() ?? {};
  if (secret) return Array.isArray(value) && value.length === 0 ? value : HIDDEN;
  return JSON.parse(JSON.stringify(value).replace(/(:\/\/)[^/@"\s]+@/g, `$1${HIDDEN}@`));
}
