// Two ends in one process for the tests of the pipe: TCP connections on loopback or in-memory streams,
// secured, or all the way up to pipes.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createIdentity } from '../../../src/identity/keys.js';
import { type Secured, secure } from '../../../src/pipe/handshake.js';
import { accept, receiveHello, sendHello } from '../../../src/pipe/opening.js';
import { Pipe } from '../../../src/pipe/pipe.js';
import type { PipeOptions } from '../../../src/pipe/pipe-options.js';

export const alice = createIdentity();
export const bob = createIdentity();

const HERE = { host: '127.0.0.1', port: 1 };
export const ROUTE = { strategy: 'direct', local: HERE, remote: HERE } as const;

/** A TCP connection on loopback: the end that dialled, the end that accepted. */
export async function tcpPair(): Promise<[Socket, Socket]> {
  const server = createServer({ noDelay: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const near = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')]);
  server.close();
  return [near, far as Socket];
}

/** Two streams in memory, what is written to one is read from the other. */
export function memoryPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const end = (other: () => Duplex) => {
    let resume: (() => void) | undefined;
    const stream = new Duplex({
      allowHalfOpen: true,
      read() {
        const held = resume;
        resume = undefined;
        held?.(); // may lead to the next write at once
      },
      write(chunk, _encoding, done) {
        const target = other() as Duplex & { hold(done: () => void): void };
        if (target.destroyed || target.push(Buffer.from(chunk)))
          done(); // a network copies
        else target.hold(done);
      },
      final(done) {
        other().push(null);
        done();
      },
      destroy(error, done) {
        if (!other().destroyed) setImmediate(() => other().destroy());
        done(error);
      },
    }) as Duplex & { hold(done: () => void): void };
    stream.hold = done => {
      resume = done;
    };
    return stream;
  };
  ends.push(
    end(() => ends[1]!),
    end(() => ends[0]!),
  );
  return [ends[0]!, ends[1]!];
}

/** Both ends secured: the client is alice, the server bob. */
export async function securedPair(raw?: [Duplex, Duplex]): Promise<[Secured, Secured]> {
  const [near, far] = raw ?? (await tcpPair());
  return Promise.all([
    secure(near, alice, { role: 'client', expected: bob.id }),
    secure(far, bob, { role: 'server', expected: alice.id }),
  ]);
}

type Options = Partial<PipeOptions<Pipe>>;

/** An open pipe: alice's end (outbound), bob's end (inbound). */
export async function pipePair(
  options: { near?: Options; far?: Options; raw?: [Duplex, Duplex] } = {},
): Promise<[Pipe, Pipe]> {
  const [client, server] = await securedPair(options.raw);
  const serve = async () => {
    await receiveHello(server);
    accept(server);
    return new Pipe(server, { direction: 'inbound', route: ROUTE, ...options.far });
  };
  const open = async () => {
    await sendHello(client, { purpose: 'open', attempt: 'test' }, { waitForAccept: true });
    return new Pipe(client, { direction: 'outbound', route: ROUTE, ...options.near });
  };
  return Promise.all([open(), serve()]);
}
