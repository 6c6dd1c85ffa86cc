// What became of every message: who sent it when, how often it arrived, what its sender was told. Latency counts
// from when a message was meant to leave, so that a generator that falls behind does not flatter the server.

const ANSWERS = { none: 0, acknowledged: 1, reported: 2, abandoned: 3 } as const;

export interface Verdict {
  readonly sent: number;
  readonly delivered: number;
  readonly acknowledged: number;
  /** Reported back to the sender as not delivered. */
  readonly reported: number;
  /** The sender's connection ended before an answer: it knows that it does not know. */
  readonly abandoned: number;
  /** Faults. No answer although the sender's connection lived. */
  readonly unanswered: number;
  /** Faults: arrived more than once. */
  readonly doubled: number;
  /** Faults: acknowledged, never arrived, and the recipient's connection lived. */
  readonly lost: number;
  /** Acknowledged, and on its way when the recipient's connection ended. */
  readonly lostWithRecipient: number;
}

export class History {
  readonly #senders: Int32Array;
  readonly #recipients: Int32Array;
  readonly #meantAt: Float64Array;
  readonly #delaysMs: Float32Array;
  readonly #arrivals: Uint8Array;
  readonly #answers: Uint8Array;
  /** When a client's connections ended. */
  readonly #ends = new Map<number, number[]>();
  #sent = 0;
  #answered = 0;
  /** No number below this one waits for an answer. */
  #oldestOpen = 0;

  constructor(capacity: number) {
    this.#senders = new Int32Array(capacity);
    this.#recipients = new Int32Array(capacity);
    this.#meantAt = new Float64Array(capacity);
    this.#delaysMs = new Float32Array(capacity);
    this.#arrivals = new Uint8Array(capacity);
    this.#answers = new Uint8Array(capacity);
  }

  get sent(): number {
    return this.#sent;
  }

  get full(): boolean {
    return this.#sent === this.#senders.length;
  }

  /** Messages that nobody has answered for. */
  get open(): number {
    return this.#sent - this.#answered;
  }

  /** A message's number. */
  send(sender: number, recipient: number, meantAt: number): number {
    const number = this.#sent++;
    this.#senders[number] = sender;
    this.#recipients[number] = recipient;
    this.#meantAt[number] = meantAt;
    return number;
  }

  arrived(number: number, now: number): void {
    if (this.#arrivals[number]!++ === 0) this.#delaysMs[number] = now - this.#meantAt[number]!;
  }

  acknowledged(number: number): void {
    this.#answer(number, ANSWERS.acknowledged);
  }

  reported(number: number): void {
    this.#answer(number, ANSWERS.reported);
  }

  /** Numbers from here on that were reported back, whose sender and recipient fit. */
  reportedOf(from: number, fits: (sender: number, recipient: number) => boolean): number[] {
    const numbers: number[] = [];
    for (let number = from; number < this.#sent; number++) {
      const reported = this.#answers[number] === ANSWERS.reported;
      if (reported && fits(this.#senders[number]!, this.#recipients[number]!)) numbers.push(number);
    }
    return numbers;
  }

  /** When a message was meant to leave. */
  meantAt(number: number): number {
    return this.#meantAt[number]!;
  }

  /** A client's connection has ended: what it waited for will not be answered. */
  ended(client: number, now: number): void {
    this.#ends.set(client, [...(this.#ends.get(client) ?? []), now]);
    while (this.#oldestOpen < this.#sent && this.#answers[this.#oldestOpen] !== ANSWERS.none)
      this.#oldestOpen++;
    for (let number = this.#oldestOpen; number < this.#sent; number++)
      if (this.#senders[number] === client) this.#answer(number, ANSWERS.abandoned);
  }

  /** Delays of those that arrived, of the numbers in a range, ascending, milliseconds. */
  delaysMs(from = 0, to = this.#sent): Float32Array {
    return this.#delaysMs
      .subarray(from, to)
      .filter((_, i) => this.#arrivals[from + i]! > 0)
      .sort();
  }

  verdict(): Verdict {
    const verdict = {
      sent: this.#sent,
      delivered: 0,
      acknowledged: 0,
      reported: 0,
      abandoned: 0,
      unanswered: 0,
      doubled: 0,
      lost: 0,
      lostWithRecipient: 0,
    };
    const names = ['unanswered', 'acknowledged', 'reported', 'abandoned'] as const;
    for (let number = 0; number < this.#sent; number++) {
      const [arrivals, answer] = [this.#arrivals[number]!, this.#answers[number]!];
      verdict[names[answer]!]++;
      if (arrivals > 0) verdict.delivered++;
      if (arrivals > 1) verdict.doubled++;
      if (arrivals > 0 || answer !== ANSWERS.acknowledged) continue;
      const meantAt = this.#meantAt[number]!;
      const ends = this.#ends.get(this.#recipients[number]!) ?? [];
      if (ends.some(end => end >= meantAt)) verdict.lostWithRecipient++;
      else verdict.lost++;
    }
    return verdict;
  }

  #answer(number: number, answer: number): void {
    if (this.#answers[number] !== ANSWERS.none) return;
    this.#answers[number] = answer;
    this.#answered++;
  }
}
