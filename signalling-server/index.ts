// `wayleave/server`: the signalling server to embed. The command line runs this very function.
import { EmbeddedBackplane } from './backplane.js';
import { embeddedRelay, foreignRelays, relayEndpoints } from './embedded-relay.js';
import { boundHosts, embeddedStun } from './embedded-stun.js';
import { configuredEndpoints, type EndpointSource } from './endpoint-sources.js';
import { createLog, type Log } from './log.js';
import { type ResolvedServerOptions, resolveServerOptions, type ServerOptions } from './options.js';
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
  const sources: EndpointSource[] = [];
  try {
    await addOwnEndpoints(resolved, log, sources);
    const foreign = foreignRelays(resolved);
    sources.push(...(foreign ? [foreign] : []), configuredEndpoints(resolved));
    return await new SignallingServer(resolved, { backplane: new EmbeddedBackplane(), sources, log }).start();
  } catch (error) {
    for (const source of sources) await source[Symbol.asyncDispose]();
    throw error;
  }
}

/** STUN, and the relay that shares its ports. */
async function addOwnEndpoints(
  options: ResolvedServerOptions,
  log: Log,
  sources: EndpointSource[],
): Promise<void> {
  if (options.stunPort === null) return;
  const relay = options.relay ? await embeddedRelay(options, boundHosts(options)) : undefined;
  try {
    const stun = await embeddedStun(options, log, relay);
    sources.push(stun);
    if (relay) sources.push(relayEndpoints(options, relay, stun.port));
  } catch (error) {
    await relay?.close();
    throw error;
  }
}
