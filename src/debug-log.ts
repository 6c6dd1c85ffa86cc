// NODE_DEBUG=wayleave: every event as one line on stderr. A subscriber like any other; the core never prints.
import { subscribe } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { EVENTS } from './events.js';

const log = debuglog('wayleave');
let subscribed = false;

/** Subscribes once, and only when asked for by the environment. */
export function debugLog(): void {
  if (!log.enabled || subscribed) return;
  subscribed = true;
  for (const name of Object.keys(EVENTS)) {
    subscribe(`wayleave:${name}`, fields => log('%s %s', name, JSON.stringify(fields)));
  }
}
