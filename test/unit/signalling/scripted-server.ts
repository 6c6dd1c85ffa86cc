// A signalling server that does what a test tells it, malice included: it records all that it sees and decides
// for itself what to deliver, to whom, how often and in whose name.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClientFrames } from '../../../src/signalling/frames.js';

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** Every frame received, as text. */
  readonly recording: string[];
  /** Connections by the id that they claimed; whatever else is sent goes through these. */
  readonly clients: Map<string, WebSocket>;
  /** How many connections there have been. */
  readonly connections: number;
  welcome(id: string): void;
  deliver(to: string, frame: { from: string; seenFrom?: string; box: string }): void;
}

export interface Script {
  /** Instead of a challenge, this is the first thing that a client hears; null: nothing at all. */
  readonly greetWith?: string | null;
  /** The answer to a registration, instead of a welcome. */
  readonly onRegister?: string;
  /** A registered client has sent something. Default: it is acknowledged and passed on. */
  onSend?(from: string, frame: ClientFrames['send'], server: ScriptedServer): void;
  /** Pings as the real server does; default: never. */
  readonly pingEveryMs?: number;
}

export async function scriptedServer(script: Script = {}): Promise<ScriptedServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const clients = new Map<string, WebSocket>();
  const recording: string[] = [];
  let connections = 0;
  const self: ScriptedServer = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    recording,
    clients,
    get connections() {
      return connections;
    },
    welcome(id) {
      const limits = { boxBytes: 16_384, messagesPerSecond: 20, burst: 40 };
      const seenAs = { host: '127.0.0.1', port: 1 };
      clients.get(id)?.send(JSON.stringify({ type: 'welcome', id, seenAs, stun: [], turn: [], limits }));
    },
    deliver(to, { from, seenFrom = '127.0.0.1', box }) {
      clients.get(to)?.send(JSON.stringify({ type: 'deliver', from, seenFrom, box }));
    },
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise(resolve => server.close(resolve));
    },
  };
  const passOn = (from: string, { ref, to, box }: ClientFrames['send']) => {
    clients.get(from)?.send(JSON.stringify({ type: 'sent', refs: [ref] }));
    self.deliver(to, { from, box });
  };
  server.on('connection', socket => {
    connections++;
    const nonce = Buffer.alloc(32, connections).toString('base64url');
    const { greetWith = JSON.stringify({ type: 'challenge', nonce, protocol: 1 }) } = script;
    if (greetWith !== null) socket.send(greetWith);
    let id = '';
    socket.on('error', () => {});
    socket.on('message', data => {
      recording.push(data.toString());
      const frame = JSON.parse(data.toString());
      if (frame.type === 'register') {
        id = frame.id;
        clients.set(id, socket);
        if (script.onRegister) socket.send(script.onRegister);
        else self.welcome(id);
        const ping = script.pingEveryMs && setInterval(() => socket.ping(), script.pingEveryMs);
        socket.on('close', () => clearInterval(ping));
      } else if (script.onSend) script.onSend(id, frame, self);
      else passOn(id, frame);
    });
  });
  return self;
}
