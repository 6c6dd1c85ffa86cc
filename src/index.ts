// What users import. Everything here is public, documented, and kept; nothing else is.

export type { Capability, InterfaceAddress } from './address/address-schema.js';
export { NodeAddress } from './address/node-address.js';
export {
  AddressError,
  type AttemptOutcome,
  ConnectError,
  DecodeError,
  ERRORS,
  type ErrorCode,
  WayleaveError,
} from './errors.js';
export { createIdentity, type Identity, loadIdentity } from './identity/keys.js';
export type { NodeId } from './identity/node-id.js';
export type { Behaviour } from './nat/profile.js';
export type { Endpoint } from './net/endpoint.js';

import type { ProbeOptions, ProbeResult } from './nat/probe.js';

export type { InterfaceProfile, ProbeOptions, ProbeResult, StunServer } from './nat/probe.js';
export { createNode, type Node } from './node.js';
export type { NodeEvents, PipeHandler } from './node-events.js';
export type { ConnectOptions, NodeOptions } from './options.js';
export type { CloseReason } from './pipe/close-reason.js';
export type { Client } from './pipe/message-handlers.js';
export type { MessageQueue, RecvOptions } from './pipe/message-queue.js';
export type { MessageHandler, Pipe } from './pipe/pipe.js';
export type { Route, Sendable } from './pipe/pipe-options.js';
export { REASONS, type Reason } from './strategies/reasons.js';
export type { StrategyName } from './strategies/strategy.js';

/**
 * Finds out what NAT or firewall stands in front of this machine, by asking STUN servers: the profile that a node
 * measures for its address and `wayleave probe` prints. Never fails for what the network does: that is the result.
 * @throws WayleaveError the signal's abort error.
 */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const room = await import('./nat/probe.js');
  return room.probe(options);
}
