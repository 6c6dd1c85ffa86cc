// Makes a world with a process in it, says so, and holds it until somebody ends this program the hard way.
import { createWorld } from '../world.js';

const world = await createWorld();
const site = world.site('held', 'port-restricted-drop');
await site.host.spawn('sleep', ['3600']);
process.stdout.write('holding\n');
