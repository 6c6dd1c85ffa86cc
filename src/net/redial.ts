// A TCP connection to a server for which a lost SYN costs less than the kernel's second (RFC 6298 section 2.1): while
// none is up, another one is begun beside it, from a port of its own.
import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** After the first, milliseconds: most round trips are over by then. */
const AGAIN_AFTER_MS = [300, 900] as const;

/**
 * @param options of node:net, for each connection.
 * @param done is called once: with the first that is up, or the first error; the others are closed.
 * @returns what calls it off; `done` is not called then.
 */
export function redial(
  options: NetConnectOpts,
  done: (error: Error | null, socket?: Socket) => void,
): () => void {
  const dialled = new Set<Socket>();
  const stop = () => {
    for (const timer of timers) clearTimeout(timer);
    for (const socket of dialled) socket.destroy();
    dialled.clear();
  };
  const dial = () => {
    const socket = connect(options);
    dialled.add(socket);
    const onError = (error: Error) => {
      if (!dialled.has(socket)) return; // a socket that was closed may still report what became of its SYN
      stop();
      done(error);
    };
    socket.on('error', onError);
    socket.once('connect', () => {
      if (!dialled.delete(socket)) return;
      socket.off('error', onError);
      stop();
      done(null, socket);
    });
  };
  const timers = AGAIN_AFTER_MS.map(ms => setTimeout(dial, ms));
  dial();
  return stop;
}
