// First in, first out, in constant time: a ring that grows when it is full and never moves otherwise. An array
// with a moving head would leave copies of itself behind, which keep messages from being collected.

/** Room after the first item; doubled whenever it does not suffice. */
const FIRST_CAPACITY = 8;

export class Fifo<T> {
  /** Its length is a power of two (or 0), so that positions wrap with a mask. */
  #ring: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length++) & (this.#ring.length - 1)] = item;
  }

  peek(): T | undefined {
    return this.#ring[this.#head];
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
    return item;
  }

  /** Takes one item out of the middle; linear, for the rare abort. */
  remove(item: T): void {
    for (const other of this.clear()) if (other !== item) this.push(other);
  }

  /** Takes everything out, and lets go of the room. */
  clear(): T[] {
    const all = this.#inOrder();
    this.#ring = [];
    this.#head = 0;
    this.#length = 0;
    return all;
  }

  #grow(): void {
    const all: (T | undefined)[] = this.#inOrder();
    this.#ring = all.concat(new Array(Math.max(FIRST_CAPACITY, all.length)).fill(undefined));
    this.#head = 0;
  }

  #inOrder(): T[] {
    const all: T[] = [];
    for (let i = 0; i < this.#length; i++) all.push(this.#ring[(this.#head + i) & (this.#ring.length - 1)]!);
    return all;
  }
}
