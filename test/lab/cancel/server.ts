// A server that never asks for patience: `node server.js ADDRESS ALTERNATE`.
import { createServer } from '../../../signalling-server/index.js';

const [host, alternateHost] = process.argv.slice(2);
await createServer({
  host,
  alternateHost,
  port: 443,
  stunPort: 80,
  messagesPerSecond: 100_000,
  messageBurst: 100_000,
});
process.stdout.write(`${JSON.stringify({ event: 'listening' })}\n`);
