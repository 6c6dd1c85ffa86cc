// Frames on their way, earliest arrival first; equal times keep the order of entry. A binary heap: the WAN
// holds thousands of frames when a birthday punch crosses it.

interface Entry<T> {
  readonly dueMs: number;
  readonly order: number;
  readonly value: T;
}

export class DelayQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #entered = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** When the earliest entry is due, or undefined when there is none. */
  get nextDueMs(): number | undefined {
    return this.#heap[0]?.dueMs;
  }

  push(dueMs: number, value: T): void {
    const heap = this.#heap;
    const entry = { dueMs, order: this.#entered++, value };
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the earliest entry if it is due by `nowMs`. */
  takeDue(nowMs: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first.value;
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }
}

function before(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
