// Programs of hundreds of SYNs take turns on one interface: home routers cap new flows, and two sprays at once would
// spoil each other.
import { orAbort } from '../net/or-abort.js';

export class SprayTurns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when it is this one's turn on that local address; disposing of the result ends it. */
  async take(localAddress: string, signal: AbortSignal): Promise<Disposable> {
    const before = this.#last.get(localAddress);
    let end = () => {};
    const ended = new Promise<void>(resolve => {
      end = resolve;
    });
    const mine = (before ?? Promise.resolve()).then(() => ended);
    this.#last.set(localAddress, mine);
    void mine.then(() => {
      if (this.#last.get(localAddress) === mine) this.#last.delete(localAddress);
    });
    try {
      await orAbort(before ?? Promise.resolve(), signal);
    } catch (error) {
      end();
      throw error;
    }
    return { [Symbol.dispose]: end };
  }
}
