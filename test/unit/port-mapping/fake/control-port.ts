// The UDP side of a fake gateway on loopback: what comes in goes to the test, what the test returns goes out.
import { bindUdp } from '../../../../src/net/sockets.js';
import type { Gateway } from '../../../../src/port-mapping/gateway.js';

export interface ControlPort extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly received: Buffer[];
  close(): Promise<void>;
}

/** @param answer what to send back for the n-th datagram (from 1) */
export async function fakeControlPort(
  answer: (message: Buffer, time: number) => readonly Uint8Array[],
): Promise<ControlPort> {
  const socket = await bindUdp({ family: 4, address: '127.0.0.1' });
  const received: Buffer[] = [];
  socket.on('message', (message, sender) => {
    received.push(message);
    for (const reply of answer(message, received.length)) socket.send(reply, sender.port, sender.address);
  });
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= new Promise<void>(resolve => socket.close(() => resolve())));
  return {
    gateway: { address: '127.0.0.1', zone: 'lo', controlPort: socket.address().port },
    received,
    close,
    [Symbol.asyncDispose]: close,
  };
}
