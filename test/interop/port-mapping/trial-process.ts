// `tryMapping` as a process inside a world.
import { tryMapping } from '../../../src/port-mapping/trial-mapping.js';

const mapping = await tryMapping(process.argv[2] ?? '');
process.stdout.write(`${JSON.stringify({ event: 'tried', mapping: mapping ?? null })}\n`);
process.exit(0);
