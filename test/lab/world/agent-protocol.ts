// What the laboratory says to the agent inside a world and hears back: one JSON object a line, bytes as
// base64. The agent's standard input is the world's life line: when it ends, the world ends.

export type AgentRequest =
  | {
      readonly do: 'spawn';
      readonly process: number;
      /** Network namespace to run in; null: the world's own, where the WAN process lives. */
      readonly namespace: string | null;
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | null;
      /** Standard input, whole, after which it is closed; null: it stays open. */
      readonly input: string | null;
    }
  | { readonly do: 'write'; readonly process: number; readonly data: string }
  | { readonly do: 'end'; readonly process: number }
  | { readonly do: 'kill'; readonly process: number; readonly signal: NodeJS.Signals };

export type AgentEvent =
  | { readonly is: 'ready' }
  | {
      readonly is: 'output';
      readonly process: number;
      readonly stream: 'stdout' | 'stderr';
      readonly data: string;
    }
  | {
      readonly is: 'exit';
      readonly process: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** Why it could not even start. */
      readonly error?: string;
    };
