// `wayleave/server`: the signalling server to embed. The command line runs this very function.
import { EmbeddedBackplane } from './backplane.js';
import { embeddedStun } from './embedded-stun.js';
import { configuredEndpoints } from './endpoint-sources.js';
import { createLog } from './log.js';
import { resolveServerOptions, type ServerOptions } from './options.js';
import { type Server, SignallingServer } from './server.js';

export type { Listening } from './listening.js';
export type { ServerOptions } from './options.js';
export type { Server } from './server.js';

/**
 * Starts a signalling server in this process.
 *
 * @example
 * await using server = await createServer({ host: '127.0.0.1', port: 0 });
 * console.log(server.listening.signalling); // ws://127.0.0.1:40123
 *
 * @throws WayleaveError `bad-option` or `listen-failed`.
 */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const resolved = resolveServerOptions(options);
  const log = await createLog(resolved.logLevel);
  const sources = [configuredEndpoints(resolved)];
  if (resolved.stunPort !== null) sources.unshift(await embeddedStun(resolved, log));
  try {
    const parts = { backplane: new EmbeddedBackplane(), sources, log };
    return await new SignallingServer(resolved, parts).start();
  } catch (error) {
    for (const source of sources) await source[Symbol.asyncDispose]();
    throw error;
  }
}
