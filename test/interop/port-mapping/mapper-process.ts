// One node's share in the gateway tests, as a process inside a world: listens on a port, answers every
// connection with its own name, keeps a mapping for that port and prints what happens to it as JSON lines.
// SIGTERM closes it properly; SIGKILL leaves its mapping to the lease.
import { subscribe } from 'node:diagnostics_channel';
import type { Endpoint } from '../../../src/net/endpoint.js';
import { dialTcp, listenTcp } from '../../../src/net/sockets.js';
import { portMappingOptionsSchema } from '../../../src/options.js';
import { createPortMapper } from '../../../src/port-mapping/mapper.js';

export interface MapperProcessSettings {
  name: string;
  localAddress: string;
  internalPort: number;
  options?: Record<string, unknown>;
  /** Who dials back from outside to prove the mapping. Default: nobody. */
  dialBack?: { host: string; port: number };
}

const say = (event: string, fields: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

for (const name of ['opened', 'renewed', 'lost', 'removed', 'failed', 'ignored', 'unavailable'])
  subscribe(`wayleave:port-mapping-${name}`, message => say(name, message as object));

const settings = JSON.parse(process.argv[2] ?? '{}') as MapperProcessSettings;
const { name, localAddress, internalPort, dialBack } = settings;
const listener = await listenTcp({ host: localAddress, port: internalPort }, socket => {
  socket.on('error', () => {});
  socket.end(`${name}\n`);
});

async function proveByDialBack(remote: Endpoint, external: Endpoint, signal: AbortSignal): Promise<boolean> {
  const socket = await dialTcp({ remote, signal });
  socket.end(`${external.host} ${external.port}\n`);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer === 'reached';
}

const startedAtMs = performance.now();
const mapper = createPortMapper({
  localAddress,
  internalPort,
  options: portMappingOptionsSchema.parse(settings.options ?? {}),
  onChange: mapping => say('mapping', { mapping: mapping ?? null, ms: performance.now() - startedAtMs }),
  prove: dialBack && ((external, signal) => proveByDialBack(dialBack, external, signal)),
});
void mapper.ready().then(() => say('ready', { ms: performance.now() - startedAtMs }));

process.once('SIGTERM', async () => {
  await mapper[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
  say('closed');
  process.exit(0);
});
