// Chat: two or more terminals, messages with names. One terminal opens the room, the others join it by its address;
// the room passes on what each one says, and tells who comes and goes.
//
//   node dist/examples/chat.js alice               opens a room and prints its address
//   node dist/examples/chat.js bob ADDRESS         joins it, from another terminal or machine
//
// Type lines; end with Ctrl-D. To be reached from other networks, set WAYLEAVE_SERVERS on both sides.
// What to look at: every message is checked against one zod schema before anything believes it.
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { createNode, type Pipe } from '../src/index.js';

const NAME = z.string().regex(/^[\p{L}\p{N}_-]{1,20}$/u);
const TEXT = z.string().max(2000);

/** What a guest tells the room. */
const fromGuest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('join'), name: NAME }),
  z.object({ type: z.literal('say'), text: TEXT }),
]);
/** What the room tells its guests. */
const fromRoom = z.discriminatedUnion('type', [
  z.object({ type: z.literal('joined'), name: NAME }),
  z.object({ type: z.literal('left'), name: NAME }),
  z.object({ type: z.literal('said'), name: NAME, text: TEXT }),
]);
type FromGuest = z.infer<typeof fromGuest>;
type FromRoom = z.infer<typeof fromRoom>;

const [, , nameArgument, address] = process.argv;
const parsedName = NAME.safeParse(nameArgument);
if (!parsedName.success) {
  console.error('usage: chat NAME [ADDRESS]     (a name has up to 20 letters, digits, - and _)');
  process.exit(2);
}
const name = parsedName.data;
const node = await createNode({ servers: process.env.WAYLEAVE_SERVERS?.split(',') ?? [] });
const lines = createInterface({ input: process.stdin, terminal: false });
await (address === undefined ? openRoom() : joinRoom(address));
lines.close();
await node.close();
process.stdin.destroy();

async function openRoom(): Promise<void> {
  const guests = new Map<Pipe, string>();
  const tell = (news: FromRoom) => {
    show(news);
    // a guest that stops reading is let go: the room does not wait for anybody
    for (const pipe of guests.keys()) {
      void pipe.send(JSON.stringify(news), { signal: AbortSignal.timeout(5000) }).catch(() => pipe.close());
    }
  };
  const hear = (pipe: Pipe, message: FromGuest) => {
    const guest = guests.get(pipe);
    if (message.type === 'say' && guest !== undefined)
      tell({ type: 'said', name: guest, text: message.text });
    if (message.type !== 'join' || guest !== undefined) return;
    guests.set(pipe, message.name);
    tell({ type: 'joined', name: message.name });
    void pipe.closed.then(() => {
      guests.delete(pipe);
      tell({ type: 'left', name: message.name });
    });
  };
  node.onMessage((bytes, _client, pipe) => {
    const message = decode(fromGuest, bytes);
    if (message) hear(pipe, message);
    else void pipe.close('that is not chat');
  });
  await node.ready();
  console.log(`the room is open; others join with: chat NAME ${node.address}`);
  for await (const text of lines) {
    if (TEXT.safeParse(text).success) tell({ type: 'said', name, text });
  }
}

async function joinRoom(room: string): Promise<void> {
  const pipe = await node.connect(room);
  const say = (message: FromGuest) => pipe.send(JSON.stringify(message));
  pipe.onMessage(bytes => {
    const news = decode(fromRoom, bytes);
    if (news) show(news);
  });
  void pipe.closed.then(({ by, message }) => {
    if (by !== 'local') console.log(`* the room is closed ${message}`);
    lines.close();
  });
  await say({ type: 'join', name });
  for await (const text of lines) {
    if (TEXT.safeParse(text).success) await say({ type: 'say', text });
  }
  await pipe.close();
}

function decode<T extends z.ZodType>(schema: T, bytes: Buffer): z.output<T> | undefined {
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    return undefined;
  }
}

function show(news: FromRoom): void {
  if (news.type === 'said') console.log(`${news.name}: ${printable(news.text)}`);
  else console.log(`* ${news.name} ${news.type === 'joined' ? 'has come' : 'has gone'}`);
}

/** Another's text must not steer our terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '·');
}
