// A node's held port as a process inside a world: answers every connection with its name.
import { subscribe } from 'node:diagnostics_channel';
import { parseEndpoint } from '../../../src/net/endpoint.js';
import { holdPort } from '../../../src/port-mapping/held-port.js';

const [name = '', localAddress = '', ...servers] = process.argv.slice(2);
const say = (event: string, fields: object = {}) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
subscribe('wayleave:port-held-failed', message => say('failed', message as object));

const held = holdPort({
  localAddress,
  servers: () => servers.map(text => parseEndpoint(text)!),
  onConnection: socket => {
    socket.on('error', () => {});
    socket.end(`${name}\n`);
  },
  onChange: external => say(external ? 'held' : 'lost', { external }),
});
process.once('SIGTERM', async () => {
  await held[Symbol.asyncDispose]();
  say('closed');
  process.exit(0);
});
