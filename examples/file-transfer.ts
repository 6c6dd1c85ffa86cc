// File transfer: one file to whoever connects, of any size, in constant memory; a transfer that was cut goes on
// where it stopped; SHA-256 at the end.
//
//   node dist/examples/file-transfer.js offer FILE [--limit BYTES_PER_SECOND]      prints an address
//   node dist/examples/file-transfer.js fetch ADDRESS [DIRECTORY]                  again after a break: goes on
//
// To be reached from other networks, set WAYLEAVE_SERVERS on both sides.
// What to look at: `await pipe.send` waits while the network is slow, and a slow disk makes the sender wait, so
// neither side ever holds more than a few hundred KiB. By hand: truncate -s 8G big; offer it, fetch it, and watch
// `grep VmHWM /proc/PID/status` stay where it is.
//
//   sender                                      receiver
//   offer { name, size }              ->
//                                     <-        want { offset, sha256 of the part it has }
//   start { offset }                  ->        0 if that part is not the beginning of this file
//   the bytes, a message a chunk      ->
//   done { sha256 of the whole file } ->
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { createNode, type Pipe, WayleaveError } from '../src/index.js';

const CHUNK_BYTES = 256 * 1024;
const byteCount = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
/** A file's name, never a path: the sender does not choose where on our disk. */
const fileName = z.string().regex(/^(?!\.{1,2}$)[^/\\\p{Cc}]{1,200}$/u);
const offerSchema = z.object({ type: z.literal('offer'), name: fileName, size: byteCount });
const wantSchema = z.object({ type: z.literal('want'), offset: byteCount, sha256: digest });
const startSchema = z.object({ type: z.literal('start'), offset: byteCount });
const doneSchema = z.object({ type: z.literal('done'), sha256: digest });

const { values, positionals } = parseArgs({ options: { limit: { type: 'string' } }, allowPositionals: true });
const [command, what, directory = '.'] = positionals;
if (!what || (command !== 'offer' && command !== 'fetch')) {
  console.error('usage: file-transfer offer FILE [--limit BYTES_PER_SECOND] | fetch ADDRESS [DIRECTORY]');
  process.exit(2);
}
const node = await createNode({ servers: process.env.WAYLEAVE_SERVERS?.split(',') ?? [] });
if (command === 'offer') {
  node.onPipe(pipe => {
    give(pipe, what, Number(values.limit ?? Infinity)).catch((error: Error) => {
      console.error(`${pipe.peer.slice(0, 8)}…: ${error.message}`);
      void pipe.close(error.message);
    });
  });
  await node.ready();
  console.log(node.address.toString());
} else {
  try {
    console.log(await take(await node.connect(what), directory));
  } catch (error) {
    console.error((error as Error).message);
    const cut = error instanceof WayleaveError && ['connection-lost', 'closed'].includes(error.code);
    if (cut) console.error('What has arrived is kept: fetch again to go on.');
    process.exitCode = 1;
  }
  await node.close();
}

/** The sender's half. */
async function give(pipe: Pipe, path: string, bytesPerSecond: number): Promise<void> {
  const { size } = await stat(path);
  await say(pipe, { type: 'offer', name: basename(path), size });
  const want = await hear(pipe, wantSchema);
  let hash = createHash('sha256');
  let offset = Math.min(want.offset, size);
  await addToHash(hash, path, offset);
  if (want.offset > size || hash.copy().digest('hex') !== want.sha256) {
    hash = createHash('sha256');
    offset = 0;
  }
  await say(pipe, { type: 'start', offset });
  if (offset < size) {
    const beganAt = performance.now();
    let sent = 0;
    for await (const chunk of createReadStream(path, {
      start: offset,
      end: size - 1,
      highWaterMark: CHUNK_BYTES,
    })) {
      hash.update(chunk);
      await pipe.send(chunk);
      sent += chunk.length;
      const aheadMs = (sent / bytesPerSecond) * 1000 - (performance.now() - beganAt);
      if (aheadMs > 1) await new Promise(resolve => setTimeout(resolve, aheadMs));
    }
    if (offset + sent !== size) throw new Error('the file became shorter meanwhile');
  }
  await say(pipe, { type: 'done', sha256: hash.digest('hex') });
  await pipe.closed; // the receiver closes, when it has everything
}

/** The receiver's half; returns what to tell the user. */
async function take(pipe: Pipe, into: string): Promise<string> {
  await mkdir(into, { recursive: true });
  const { name, size } = await hear(pipe, offerSchema);
  const target = join(into, name);
  if (await exists(target)) throw new Error(`${target} exists already`);
  await using part = await open(`${target}.part`, (await exists(`${target}.part`)) ? 'r+' : 'w+');
  let hash = createHash('sha256');
  let offset = (await part.stat()).size;
  await addToHash(hash, `${target}.part`, offset);
  await say(pipe, { type: 'want', offset, sha256: hash.copy().digest('hex') });
  const start = await hear(pipe, startSchema);
  if (start.offset !== 0 && start.offset !== offset) throw new Error('the sender starts somewhere else');
  if (start.offset !== offset) hash = createHash('sha256');
  offset = start.offset;
  await part.truncate(offset);
  if (offset > 0) console.error(`going on at ${offset} of ${size} bytes`);

  const show = progress(size, offset);
  while (offset < size) {
    const chunk = await pipe.recv();
    if (offset + chunk.length > size) throw new Error('the sender sent more than it offered');
    const { bytesWritten } = await part.write(chunk, 0, chunk.length, offset);
    if (bytesWritten !== chunk.length) throw new Error('the disk is full');
    hash.update(chunk);
    offset += chunk.length;
    show(offset);
  }
  const { sha256 } = await hear(pipe, doneSchema);
  await part.sync();
  await pipe.close();
  if (hash.digest('hex') !== sha256) {
    await rm(`${target}.part`);
    throw new Error('the file arrived damaged or changed meanwhile; it was thrown away');
  }
  await rename(`${target}.part`, target);
  return `${target}: ${size} bytes by ${pipe.route.strategy}, sha256 ${sha256}`;
}

async function say(pipe: Pipe, message: object): Promise<void> {
  await pipe.send(JSON.stringify(message));
}

async function hear<T extends z.ZodType>(pipe: Pipe, schema: T): Promise<z.output<T>> {
  return schema.parse(JSON.parse((await pipe.recv()).toString()));
}

async function addToHash(hash: Hash, path: string, bytes: number): Promise<void> {
  if (bytes === 0) return;
  for await (const chunk of createReadStream(path, { end: bytes - 1, highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A bar on a terminal, redrawn ten times a second; silent elsewhere. */
function progress(size: number, from: number): (at: number) => void {
  const beganAt = performance.now();
  let drawnAt = 0;
  return at => {
    const now = performance.now();
    if (!process.stderr.isTTY || (now - drawnAt < 100 && at < size)) return;
    drawnAt = now;
    const done = Math.round((at / size) * 30);
    const rate = (at - from) / 1024 / 1024 / ((now - beganAt) / 1000);
    const bar = '█'.repeat(done).padEnd(30, '░');
    process.stderr.write(`\r${bar} ${Math.floor((at / size) * 100)} %  ${rate.toFixed(1)} MiB/s `);
    if (at === size) process.stderr.write('\n');
  };
}
