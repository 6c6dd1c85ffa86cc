// A real port-mapping gateway: Debian's miniupnpd (UPnP IGD, NAT-PMP, PCP) on a laboratory gateway, filling
// the chains that nftables.ts leaves for it.
import type { Host } from './host.js';
import type { LabProcess } from './lab-process.js';

/** @param settings further lines of its configuration, or other values for those below. */
export async function startMiniupnpd(
  gateway: Host,
  settings: Readonly<Record<string, string>> = {},
): Promise<LabProcess> {
  const file = `/run/world/${gateway.name}.miniupnpd.conf`;
  const configuration = {
    ext_ifname: 'wan0',
    listening_ip: 'lan0',
    port: '5000',
    enable_natpmp: 'yes',
    enable_upnp: 'yes',
    secure_mode: 'yes',
    system_uptime: 'yes',
    min_lifetime: '1',
    max_lifetime: '86400',
    uuid: '5e1f0000-0000-4000-8000-00000000a7a7',
    upnp_table_name: 'lab',
    upnp_nat_table_name: 'lab',
    upnp_forward_chain: 'miniupnpd',
    upnp_nat_chain: 'prerouting_miniupnpd',
    upnp_nat_postrouting_chain: 'postrouting_miniupnpd',
    ...settings,
  };
  const lines = Object.entries(configuration).map(([key, value]) => `${key}=${value}\n`);
  lines.push('allow 1024-65535 0.0.0.0/0 1024-65535\n');
  await gateway.run('sh', ['-c', `cat > ${file}`], { input: lines.join('') });
  const daemon = await gateway.spawn('miniupnpd', ['-d', '-f', file, '-P', `${file}.pid`]);
  await daemon.stderr.line(line => line.includes('HTTP listening'), { timeoutMs: 5000 });
  return daemon;
}
