// What would the gateway give? Asks for a mapping to a port of no use, and takes it back: `wayleave probe` shows
// what comes. Nothing is proved by it: only a node's own mapping can be.
import type { Clock } from '../net/clock.js';
import { listenTcp } from '../net/sockets.js';
import { portMappingOptionsSchema } from '../options.js';
import type { Gateway } from './gateway.js';
import { createPortMapper } from './mapper.js';
import type { PortMapping, PortMappingProtocol } from './port-mapping.js';

/** Should the process be killed in between, the hole leads nowhere and closes by itself. */
const TRIAL_LEASE_SECONDS = 120;

/**
 * A mapping that the gateway of that address gave for a moment, or undefined: no gateway, or none that opens
 * ports. Takes milliseconds where a gateway answers and up to 4 s where none does.
 * @throws WayleaveError the signal's abort error.
 */
export async function tryMapping(
  localAddress: string,
  options: {
    protocols?: readonly PortMappingProtocol[];
    clock?: Clock;
    gateway?: Gateway;
    signal?: AbortSignal;
  } = {},
): Promise<PortMapping | undefined> {
  const { protocols, signal, clock, gateway } = options;
  // Listening keeps the port from being anybody else's while the hole is open.
  await using listener = await listenTcp({ host: localAddress }, socket => socket.destroy());
  await using mapper = createPortMapper({
    localAddress,
    internalPort: listener.port,
    options: portMappingOptionsSchema.parse({
      leaseSeconds: TRIAL_LEASE_SECONDS,
      description: 'wayleave probe',
      ...(protocols ? { protocols } : {}),
    }),
    clock,
    gateway,
  });
  await mapper.ready(signal);
  return mapper.current;
}
