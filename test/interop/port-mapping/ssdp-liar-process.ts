// A host on the LAN that answers every search for a gateway with a description on itself, as a process inside
// a world. Tells when somebody asked, and when somebody fell for it.
import { bindMulticast } from '../../../src/net/multicast.js';
import { listenTcp } from '../../../src/net/sockets.js';

const [own = ''] = process.argv.slice(2);
const say = (event: string) => process.stdout.write(`${JSON.stringify({ event })}\n`);

const listener = await listenTcp({ host: own, port: 5000 }, socket => {
  say('visited');
  socket.destroy();
});
const ssdp = await bindMulticast({ family: 4, port: 1900, group: '239.255.255.250', interfaceAddress: own });
ssdp.on('message', (message, sender) => {
  const target = /^ST: (\S+)/m.exec(message.toString())?.[1];
  if (!target) return;
  say('asked');
  const answer = `HTTP/1.1 200 OK\r\nST: ${target}\r\nLOCATION: http://${own}:${listener.port}/rootDesc.xml\r\n\r\n`;
  ssdp.send(answer, sender.port, sender.address);
});
say('listening');
