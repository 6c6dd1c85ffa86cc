// Permissions and channels of one allocation (RFC 8656 sections 9 and 12). A channel hangs on the permission
// of its peer's address, so a datagram from a peer costs one look-up by address and one by port.
import type { Endpoint } from '../../src/net/endpoint.js';
import type { RelayLimits } from './limits.js';

const PERMISSION_MS = 300_000;
const CHANNEL_MS = 600_000;

export interface Permission {
  expiresMs: number;
  /** By the peer's port. */
  readonly channels: Map<number, Channel>;
}

export interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  readonly permission: Permission;
  /** The peer is a relayed address of this very relay. */
  readonly own: boolean;
  expiresMs: number;
}

export class PeerTable {
  readonly permissions = new Map<string, Permission>();
  readonly channels = new Map<number, Channel>();
  readonly #limits: Pick<RelayLimits, 'permissions' | 'channels'>;

  constructor(limits: Pick<RelayLimits, 'permissions' | 'channels'>) {
    this.#limits = limits;
  }

  permitted(host: string, nowMs: number): boolean {
    const permission = this.permissions.get(host);
    return permission !== undefined && permission.expiresMs > nowMs;
  }

  /** All of them or none; false when there is no room. */
  permit(hosts: ReadonlySet<string>, nowMs: number): boolean {
    let added = 0;
    for (const host of hosts) if (!this.permissions.has(host)) added++;
    if (this.permissions.size + added > this.#limits.permissions) return false;
    for (const host of hosts) {
      const known = this.permissions.get(host);
      if (known) known.expiresMs = nowMs + PERMISSION_MS;
      else this.permissions.set(host, { expiresMs: nowMs + PERMISSION_MS, channels: new Map() });
    }
    return true;
  }

  /** Binds or refreshes. `conflict`: the number has another peer, or the peer another number. */
  bind(number: number, peer: Endpoint, own: boolean, nowMs: number): 'bound' | 'conflict' | 'full' {
    const byNumber = this.channels.get(number);
    const byPeer = this.permissions.get(peer.host)?.channels.get(peer.port);
    if (byNumber !== byPeer) return 'conflict';
    if (!byNumber && this.channels.size >= this.#limits.channels) return 'full';
    if (!this.permit(new Set([peer.host]), nowMs)) return 'full';
    const permission = this.permissions.get(peer.host)!;
    if (byNumber) byNumber.expiresMs = nowMs + CHANNEL_MS;
    else {
      const channel = { number, peer, permission, own, expiresMs: nowMs + CHANNEL_MS };
      this.channels.set(number, channel);
      permission.channels.set(peer.port, channel);
    }
    return 'bound';
  }

  /** Forgets what has run out. A permission that channels hang on stays in the table, but lets nothing through. */
  sweep(nowMs: number): void {
    for (const [number, channel] of this.channels) {
      if (channel.expiresMs > nowMs) continue;
      this.channels.delete(number);
      channel.permission.channels.delete(channel.peer.port);
    }
    for (const [host, permission] of this.permissions) {
      if (permission.expiresMs <= nowMs && permission.channels.size === 0) this.permissions.delete(host);
    }
  }
}
