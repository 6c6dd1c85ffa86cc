// What a node tells while it lives, and who may listen.
import type { NodeAddress } from './address/node-address.js';
import type { AttemptOutcome } from './errors.js';
import type { NodeId } from './identity/node-id.js';
import type { Pipe } from './pipe/pipe.js';

/** What a node tells while it lives. An `error` that nobody listens for is not thrown. */
export interface NodeEvents {
  /** A pipe was opened, by either side. */
  pipe: [pipe: Pipe];
  /** The node's address changed: the network did, something was learned, or half its lifetime was over. */
  address: [address: NodeAddress];
  /** A strategy of one of this node's connects has ended. */
  attempt: [outcome: AttemptOutcome, attempt: { id: string; peer: NodeId }];
  /** Something failed that no caller waits for: a message handler that threw, a server that was lost. */
  error: [error: unknown];
}

export type PipeHandler = (pipe: Pipe) => unknown;
