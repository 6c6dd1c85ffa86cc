// `wayleave/server`: the signalling server to embed. The command line runs this very function.
import { systemClock } from '../src/net/clock.js';
import { type Backplane, EmbeddedBackplane } from './backplane/backplane.js';
import { parseNatsUrl } from './backplane/nats-url.js';
import { Bans } from './bans.js';
import { Certificate } from './certificate.js';
import { embeddedRelay, foreignRelays, relayEndpoints } from './embedded-relay.js';
import { boundHosts, embeddedStun } from './embedded-stun.js';
import { configuredEndpoints, type EndpointSource } from './endpoint-sources.js';
import { createLog, type Log } from './log.js';
import { withFiles } from './options/files.js';
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
 * @throws WayleaveError `bad-option`, `listen-failed`, or `missing-package` when the option `nats` needs one.
 */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const resolved = await withFiles(resolveServerOptions(options));
  const log = await createLog(resolved.logLevel);
  const certificate = resolved.tls && new Certificate(resolved.tls);
  const bans = new Bans(resolved, systemClock.now);
  const sources: EndpointSource[] = [];
  try {
    await addOwnEndpoints(resolved, { log, certificate, bans }, sources);
    const foreign = foreignRelays(resolved);
    sources.push(...(foreign ? [foreign] : []), configuredEndpoints(resolved));
    const backplane = await chooseBackplane(resolved, log);
    const parts = { backplane, sources, log, certificate, bans };
    return await new SignallingServer(resolved, parts).start();
  } catch (error) {
    for (const source of sources) await source[Symbol.asyncDispose]();
    throw error;
  }
}

/** STUN, and the relay that shares its ports. */
async function addOwnEndpoints(
  options: ResolvedServerOptions,
  { log, certificate, bans }: { log: Log; certificate: Certificate | undefined; bans: Bans },
  sources: EndpointSource[],
): Promise<void> {
  if (options.stunPort === null) return;
  const relay = options.relay ? await embeddedRelay(options, boundHosts(options), certificate) : undefined;
  try {
    const admits = (host: string) => !bans.isBanned(host);
    const stun = await embeddedStun(options, log, { neighbour: relay, admits });
    sources.push(stun);
    if (relay) sources.push(relayEndpoints(options, relay, stun.port));
  } catch (error) {
    await relay?.close();
    throw error;
  }
}

/** With NATS: starts to join, and keeps trying; the server does not wait for it. */
async function chooseBackplane({ nats }: ResolvedServerOptions, log: Log): Promise<Backplane> {
  const servers = nats.flatMap(url => parseNatsUrl(url) ?? []);
  if (servers.length === 0) return new EmbeddedBackplane();
  const { loadNats } = await import('./backplane/nats-connection.js');
  const dial = await loadNats();
  const { NatsBackplane } = await import('./backplane/nats.js');
  return new NatsBackplane({ servers, dial, log });
}
