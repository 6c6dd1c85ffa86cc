// The laboratory's internet: a program that delays, drops, reorders and caps real frames between the sites
// of one world. Each site's WAN device is a VXLAN tunnel (RFC 7348) that ends here, in UDP port 4789.
// Why not netem: many kernels do not have it (continuous integration machines among them), loading it
// needs real root, and it cannot treat one pair of sites differently. VXLAN is in every distribution's
// kernel and needs no privilege beyond the world's own user namespace.
// Left out on purpose: ARP and flooding (it forwards by IP address from the world's table), TTL, ECN.
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { seededRandom } from '../random.js';
import { DelayQueue } from './delay-queue.js';
import { FineTimer, fineNowMs } from './fine-timer.js';
import { destinationOf, readVni, VXLAN_PORT, writeVni } from './frame.js';
import { LinkDirection, type LinkSettings, PERFECT_LINK } from './link-model.js';
import type { WanReply, WanRequest } from './protocol.js';
import { Recorder } from './recorder.js';
import { Routes } from './routes.js';

interface Link {
  readonly name: string;
  readonly vni: number;
  readonly up: LinkDirection;
  readonly down: LinkDirection;
  settings: LinkSettings;
}

const EARLY_MS = 0.05; // what handing a frame to the kernel takes: sooner by this much is on time

const [bindAddress = '', peerAddress = '', seed = '0'] = process.argv.slice(2);
const links = new Map<string, Link>();
const linkByVni = new Map<number, Link>();
const routes = new Routes<Link>();
const counts = { delivered: 0, lost: 0, partitioned: 0, unroutable: 0 };
const recorders = new Map<string, Recorder>();
let walls: ReadonlySet<string>[] = [];
let defaults: LinkSettings = PERFECT_LINK;

const socket = createSocket('udp4');
const flying = new DelayQueue<Buffer>();
const timer = new FineTimer(() => {
  for (let frame: Buffer | undefined; (frame = flying.takeDue(fineNowMs() + EARLY_MS)); ) deliver(frame);
  if (flying.nextDueMs !== undefined) timer.arm(flying.nextDueMs);
});

function deliver(frame: Buffer): void {
  counts.delivered++;
  socket.send(frame, VXLAN_PORT, peerAddress);
}

function take(frame: Buffer): void {
  const from = linkByVni.get(readVni(frame) ?? -1);
  const destination = from && destinationOf(frame);
  const to = destination && routes.find(destination);
  if (!from || !to) {
    counts.unroutable++;
    return;
  }
  if (walls.some(side => side.has(from.name) !== side.has(to.name))) {
    counts.partitioned++;
    return;
  }
  for (const recorder of recorders.values()) recorder.note(from.name, to.name, frame);
  const now = fineNowMs();
  const middle = from.up.pass(from.settings, now, frame.length);
  const arrives = middle && to.down.pass(to.settings, middle, frame.length);
  if (arrives === undefined) {
    counts.lost++;
    return;
  }
  writeVni(frame, to.vni);
  if (arrives <= now && flying.size === 0) {
    deliver(frame);
  } else {
    flying.push(arrives, frame);
    timer.arm(arrives);
  }
}

function obey(request: WanRequest): Omit<WanReply, 'id'> {
  switch (request.do) {
    case 'link': {
      const { link: name, vni, prefixes } = request;
      const up = new LinkDirection(seededRandom(Number(seed), `${name} up`));
      const down = new LinkDirection(seededRandom(Number(seed), `${name} down`), 'site');
      const link = { name, vni, up, down, settings: defaults };
      links.set(name, link);
      linkByVni.set(vni, link);
      for (const prefix of prefixes) routes.add(prefix, link);
      return {};
    }
    case 'set': {
      if (request.links === 'all') defaults = { ...defaults, ...request.settings };
      for (const name of request.links === 'all' ? links.keys() : request.links) {
        const link = links.get(name);
        if (!link) throw new Error(`no link is called ${name}`);
        link.settings = { ...link.settings, ...request.settings };
      }
      return {};
    }
    case 'partition':
      walls = request.between.map(side => new Set(side));
      return {};
    case 'record':
      recorders.set(request.recorder, new Recorder(request.links));
      return {};
    case 'save': {
      const recorder = recorders.get(request.recorder);
      recorders.delete(request.recorder);
      if (request.file !== null) recorder?.save(request.file);
      return {};
    }
    case 'count':
      return { counts };
  }
}

function answer(line: string): void {
  const request = JSON.parse(line) as WanRequest;
  let reply: Omit<WanReply, 'id'>;
  try {
    reply = obey(request);
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify({ id: request.id, ...reply })}\n`);
}

socket.on('message', take);
socket.on('error', error => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
socket.bind(VXLAN_PORT, bindAddress, () => {
  // A burst of punches must queue here and not be lost unasked; the kernel grants what it may.
  socket.setRecvBufferSize(4 << 20);
  socket.setSendBufferSize(4 << 20);
  createInterface({ input: process.stdin })
    .on('line', answer)
    .on('close', () => process.exit(0));
});
