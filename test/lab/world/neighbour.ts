// A neighbour behind the same NAT who opens flows all the time, so that a sequential NAT's next port is not
// the next one that we get. Usage: neighbour FLOWS_PER_SECOND SEED. Its packets go to nobody.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { seededRandom } from '../random.js';

const NOBODY = '198.18.0.1';
const [flowsPerSecond = '20', seed = '1'] = process.argv.slice(2);
const random = seededRandom(Number(seed), 'neighbour');

function open(): void {
  const udp = createSocket('udp4');
  udp.send('x', 9, NOBODY, () => udp.close());
  const tcp = connect({ host: NOBODY, port: 1 + Math.floor(random() * 60_000) });
  tcp.on('error', () => {});
  setTimeout(() => tcp.destroy(), 100);
  // Poisson arrivals: independent people, not a metronome.
  setTimeout(open, (-Math.log(1 - random()) * 1000) / Number(flowsPerSecond));
}
open();
