// Where a node is found at an MQTT broker: three topics under its id, which no other node reads or writes but to send
// it something. The number is the version of what lies there.
import type { NodeId } from '../identity/node-id.js';

export interface BrokerTopics {
  /** Sealed boxes for this node: broker-parcel.ts. */
  readonly box: string;
  /** What tells this node that its boxes have arrived: broker-parcel.ts. */
  readonly receipt: string;
  /** Whether this node is there, retained: presence.ts. */
  readonly presence: string;
}

export function topicsOf(id: NodeId): BrokerTopics {
  const own = `wayleave/1/${id}`;
  return { box: `${own}/box`, receipt: `${own}/receipt`, presence: `${own}/presence` };
}
