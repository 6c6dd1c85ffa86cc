// The relays that a node may use for an attempt: those that the signalling servers it is registered with granted it.
// As with STUN, a relay is at a global address or at the signalling server's own host; other names are passed over.
import { canonicalIp, ipScope } from '../net/ip-scope.js';
import type { SignallingChannel } from '../signalling/channel.js';
import { OFFERED_ALGORITHMS } from '../stun/password-algorithms.js';
import { parseTurnUrl, resolveTurnServer, type TurnServer } from '../turn/turn-server.js';

const MAX_SERVERS = 8;

/** In the order in which the channels are given. Never rejects: what cannot be read or resolved is left out. */
export async function turnServers(channels: Iterable<SignallingChannel>): Promise<TurnServer[]> {
  const grants = [...channels].flatMap(({ url, greeting }) => {
    const own = bare(new URL(url).hostname);
    return (greeting?.turn ?? []).flatMap(({ urls, username, credential, challenge: told }) => {
      const challenge = told && { ...told, offered: OFFERED_ALGORITHMS };
      return urls
        .filter(turn => mayBeUsed(turn, own))
        .map(turn => ({ turn, username, credential, challenge }));
    });
  });
  const found = await Promise.all(
    grants
      .slice(0, MAX_SERVERS)
      .map(({ turn, ...account }) => resolveTurnServer(turn, account).catch(() => [])),
  );
  return found.flat().slice(0, MAX_SERVERS);
}

function mayBeUsed(turn: string, own: string): boolean {
  try {
    const { host } = parseTurnUrl(turn);
    const literal = canonicalIp(host);
    return host === own || (literal !== undefined && ipScope(literal) === 'global');
  } catch {
    return false;
  }
}

const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
