// Measures the life of idle UDP mappings from inside a world: `node lifetime.js ADDRESS SERVER SECONDS …`.
import { measureUdpLifetime } from '../../../src/nat/udp-lifetime.js';

const [localAddress = '', host = '', ...delays] = process.argv.slice(2);
const result = await measureUdpLifetime({
  localAddress,
  server: { host, port: 3478 },
  delaysS: delays.map(Number),
});
process.stdout.write(`${JSON.stringify(result ?? null)}\n`);
