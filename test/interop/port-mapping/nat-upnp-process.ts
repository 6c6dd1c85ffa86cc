// The nat-upnp package as a process inside a world: maps port 9100, prints what the gateway told it, and takes
// the mapping back when its input ends.
import { once } from 'node:events';
import { promisify } from 'node:util';
import natUpnp from 'nat-upnp';

const client = natUpnp.createClient();
const say = (event: string, fields: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
try {
  const externalIp = await promisify(client.externalIp).call(client);
  await promisify(client.portMapping).call(client, { public: 9100, private: 9100, ttl: 600 });
  say('mapped', { externalIp, mappings: await promisify(client.getMappings).call(client) });
  process.stdin.resume();
  await once(process.stdin, 'end');
  await promisify(client.portUnmapping).call(client, { public: 9100 });
  say('unmapped');
} catch (error) {
  say('failed', { message: (error as Error).message });
}
client.close();
process.exit(0);
