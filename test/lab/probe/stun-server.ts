// A STUN server for a world's public host: `node stun-server.js ADDRESS ALTERNATE …`, one responder for each
// pair of addresses, on ports 3478 and 3479.
import { createStunResponder } from '../../../signalling-server/stun-responder.js';

const addresses = process.argv.slice(2);
for (let i = 0; i < addresses.length; i += 2) {
  const alternateHost = addresses[i + 1];
  // Twenty probes one after another from one address are no abuse here.
  const limits = { udp: { burst: 2_000, perSecond: 500 }, dialBack: { burst: 500, perSecond: 10 } };
  await createStunResponder({ host: addresses[i]!, ...(alternateHost ? { alternateHost } : {}), limits });
}
process.stdout.write(`${JSON.stringify({ event: 'listening' })}\n`);
