// The ordered list of strategies. To add one is one module and one word here.
import { direct } from './direct.js';
import { punch } from './punch.js';
import { relay } from './relay.js';
import { reverse } from './reverse.js';
import type { Strategy } from './strategy.js';

export const strategies: readonly Strategy[] = [direct, reverse, punch, relay];
