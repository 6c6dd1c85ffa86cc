// The system's clock, six times as fast: real sockets, for tests in which nobody answers.
import { type Clock, systemClock } from '../../../../src/net/clock.js';

const FACTOR = 6;

export const fastClock: Clock = {
  now: () => systemClock.now() * FACTOR,
  wall: () => systemClock.wall(),
  sleep: (ms, signal) => systemClock.sleep(ms / FACTOR, signal),
  deadline: (ms, parent) => systemClock.deadline(ms / FACTOR, parent),
};
