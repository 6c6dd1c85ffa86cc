// Probes from inside a world: `node prober.js RUNS PORT HOST …`, one line of JSON for each run.
import { probe } from '../../../src/nat/probe.js';

const [runs = '1', port, ...hosts] = process.argv.slice(2);
const servers = hosts.map(host => ({
  endpoint: { host, port: Number(port) },
  transports: ['udp', 'tcp'] as const,
}));
for (let run = 0; run < Number(runs); run++) {
  const startMs = performance.now();
  const result = await probe({ servers });
  const ms = Math.round(performance.now() - startMs);
  process.stdout.write(`${JSON.stringify({ event: 'probed', ms, result })}\n`);
}
