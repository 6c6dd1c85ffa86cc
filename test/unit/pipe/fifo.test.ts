import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from '../../../src/pipe/fifo.js';

test('behaves like an array under push, shift, peek, remove and clear', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('push') },
    { weight: 4, arbitrary: fc.constant('shift') },
    { weight: 1, arbitrary: fc.constantFrom('remove', 'clear') },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const fifo = new Fifo<{ i: number }>();
      let model: { i: number }[] = [];
      steps.forEach((what, i) => {
        if (what === 'push') {
          const item = { i };
          fifo.push(item);
          model.push(item);
        } else if (what === 'shift') {
          expect(fifo.shift()).toBe(model.shift());
        } else if (what === 'remove') {
          const item = model[i % Math.max(1, model.length)];
          if (item) fifo.remove(item);
          model = model.filter(other => other !== item);
        } else {
          expect(fifo.clear()).toEqual(model.splice(0));
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.peek()).toBe(model[0]);
      });
    }),
  );
});
