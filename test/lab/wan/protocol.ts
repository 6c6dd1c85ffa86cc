// What a world says to its WAN process, one JSON object a line, and what it hears back.
import type { LinkSettings } from './link-model.js';

export type WanRequest = { readonly id: number } & (
  | { readonly do: 'link'; readonly link: string; readonly vni: number; readonly prefixes: readonly string[] }
  | {
      readonly do: 'set';
      readonly links: readonly string[] | 'all';
      readonly settings: Partial<LinkSettings>;
    }
  | { readonly do: 'partition'; readonly between: readonly (readonly string[])[] }
  | { readonly do: 'record'; readonly recorder: string; readonly links: readonly string[] }
  | { readonly do: 'save'; readonly recorder: string; readonly file: string | null }
  | { readonly do: 'count' }
);

/** Frames by fate since the WAN began. `unroutable`: addressed to nobody. */
export interface WanCounts {
  readonly delivered: number;
  readonly lost: number;
  readonly partitioned: number;
  readonly unroutable: number;
}

export interface WanReply {
  readonly id: number;
  readonly error?: string;
  readonly counts?: WanCounts;
}
