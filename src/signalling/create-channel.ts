// Which kind of channel a server's URL asks for.
import { loadMqtt } from './broker-session.js';
import type { SignallingChannel } from './channel.js';
import { MqttChannel } from './mqtt.js';
import { isBroker, type OwnServer, parseOwnServer } from './server-url.js';
import { WebSocketChannel, type WebSocketChannelOptions } from './websocket.js';

export function createChannel(
  { url, credentials }: OwnServer,
  options: Omit<WebSocketChannelOptions, 'url'>,
): SignallingChannel {
  return isBroker(url)
    ? new MqttChannel({ ...options, url, credentials })
    : new WebSocketChannel({ ...options, url });
}

/**
 * To be asked before any server of the user's is used: whether what it takes is installed.
 * @throws WayleaveError `missing-package`, or `bad-option` for what is no server's URL.
 */
export async function requirePackages(servers: readonly string[]): Promise<void> {
  if (servers.some(text => isBroker(parseOwnServer(text).url))) await loadMqtt();
}
