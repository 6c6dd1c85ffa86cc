// Takes frames of registered clients and passes their boxes on. Knows neither what is in a box nor where the
// recipient is: that is the backplane's.
import { DecodeError } from '../src/errors.js';
import type { NodeId } from '../src/identity/node-id.js';
import type { Clock } from '../src/net/clock.js';
import { CLIENT_FRAMES, parseFrame, readSend } from '../src/signalling/frames.js';
import type { Backplane, Outcome } from './backplane/backplane.js';
import type { Client } from './client.js';
import type { Counts } from './counts.js';

export class Router {
  readonly #backplane: Backplane;
  readonly #counts: Counts;
  readonly #clock: Clock;
  readonly #dirty: Client[] = [];

  constructor(backplane: Backplane, counts: Counts, clock: Clock) {
    this.#backplane = backplane;
    this.#counts = counts;
    this.#clock = clock;
  }

  /** Has the client flushed at the end of this turn of the event loop. */
  readonly flushLater = (client: Client): void => {
    if (this.#dirty.push(client) === 1) setImmediate(() => this.#flush());
  };

  receive(client: Client, data: Buffer, isBinary: boolean): void {
    if (client.isCut) return;
    client.lastHeardAt = this.#clock.now();
    try {
      if (isBinary) throw new DecodeError('frame', 'binary');
      const frame = parseFrame(data.toString());
      const send = readSend(frame);
      if (send) this.#send(client, send.ref, send.to, send.box);
      else if (Object.hasOwn(CLIENT_FRAMES, frame.type))
        throw new DecodeError(`frame/${frame.type}`, 'invalid');
      // a type of a later version is ignored, but not for nothing
      else client.maySend(client.lastHeardAt);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      client.cut('protocol-error', error.message.slice(0, 100));
    }
  }

  #send(client: Client, ref: number, to: NodeId, box: string): void {
    if (!client.maySend(client.lastHeardAt)) {
      this.#counts.undelivered['rate-limited']++;
      client.refuse(ref, 'rate-limited');
      return;
    }
    const outcome = this.#backplane.pass(to, `${client.deliveryHead}${box}"}`);
    if (typeof outcome === 'string') this.#report(client, ref, outcome, box.length);
    else {
      outcome.then(
        known => this.#report(client, ref, known, box.length),
        () => this.#report(client, ref, 'unavailable', box.length),
      );
    }
  }

  #report(client: Client, ref: number, outcome: Outcome, characters: number): void {
    if (outcome === 'sent') {
      this.#counts.delivered++;
      this.#counts.deliveredBytes += characters;
      client.acknowledge(ref);
    } else {
      this.#counts.undelivered[outcome]++;
      client.refuse(ref, outcome);
    }
  }

  #flush(): void {
    const due = this.#dirty.splice(0);
    for (const client of due) client.flush();
  }
}
