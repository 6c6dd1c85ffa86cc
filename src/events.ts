// Floor 0: what happens inside, told once. Every event has one name here and goes to
// `diagnostics_channel` as `wayleave:<name>`; the debug log, the CLI's progress and metrics subscribe. Keys,
// tokens and payloads never appear in the fields.
import { type Channel, channel } from 'node:diagnostics_channel';

/** The closed list of events. */
export const EVENTS = {
  'node-listening': 'A node has started; id, port.',
  'node-address': 'A node published a new address; id.',
  'attempt-started': 'A connect began; attempt, peer.',
  'strategy-started': 'A strategy began; attempt, strategy.',
  'strategy-ended': 'A strategy ended; attempt, strategy, outcome, reason, ms, detail.',
  'attempt-ended': 'A connect ended; attempt, peer, outcome, ms.',
  'request-received': 'A peer asked for our half of a strategy; attempt, peer, type.',
  'request-ended': 'That half ended; attempt, peer, type, outcome, reason.',
  'inbound-rejected': 'A connection to our port did not get through; remote, code.',
  'pipe-opened': 'A pipe is open; peer, strategy, direction.',
  'pipe-closed': 'A pipe has closed; peer, code, by.',
  'signalling-registered': 'A signalling server has registered this node; url.',
  'signalling-lost': 'The connection to a signalling server ended, another is on its way; url, reason.',
  'signalling-unreachable': 'A signalling server could not be reached or registered with; url, reason.',
  'signalling-goodbye': 'A signalling server is about to close; url, reason.',
  'signalling-ignored': 'Something that came through signalling was dropped; url, reason, from, detail.',
  'port-mapping-opened': 'The gateway opened a port; localAddress, internalPort, mapping, remade.',
  'port-mapping-renewed':
    'The lease of an opened port was prolonged; localAddress, internalPort, lifetimeSeconds.',
  'port-mapping-lost':
    'An opened port is open no more, and asked for anew; localAddress, internalPort, reason.',
  'port-mapping-removed': 'An opened port was given back; localAddress, internalPort.',
  'port-mapping-failed': 'One protocol gave nothing, the next is tried; localAddress, protocol, reason.',
  'port-mapping-ignored': 'An answer was not believed; protocol, sender, reason.',
  'port-mapping-unavailable': 'No gateway, or none that opens ports; localAddress, reason.',
  'port-held': 'A mapping is held open through a NAT that filters nothing; localAddress, external.',
  'port-held-lost': 'That mapping is gone; localAddress.',
  'port-held-failed': 'No mapping could be held, or not by that server; localAddress, reason.',
  'handler-failed': 'A message handler of the application threw; peer.',
} as const;

export type EventName = keyof typeof EVENTS;

const channels = new Map<EventName, Channel>();

/** Tells whoever listens; costs next to nothing when nobody does. */
export function publish(name: EventName, fields: Readonly<Record<string, unknown>>): void {
  let to = channels.get(name);
  if (!to) channels.set(name, (to = channel(`wayleave:${name}`)));
  if (to.hasSubscribers) to.publish(fields);
}
