// A STUN server for a world's public host: `node stun-server.js PORT ADDRESS ALTERNATE …`, one responder for
// each pair of addresses, on that port and the next.
import { createStunResponder } from '../../../signalling-server/stun/responder.js';

const [port, ...addresses] = process.argv.slice(2);
for (let i = 0; i < addresses.length; i += 2) {
  const alternateHost = addresses[i + 1];
  // Twenty probes one after another from one address are no abuse here.
  const limits = { udp: { burst: 2_000, perSecond: 500 }, dialBack: { burst: 500, perSecond: 10 } };
  await createStunResponder({
    host: addresses[i]!,
    port: Number(port),
    ...(alternateHost ? { alternateHost } : {}),
    limits,
  });
}
process.stdout.write(`${JSON.stringify({ event: 'listening' })}\n`);
