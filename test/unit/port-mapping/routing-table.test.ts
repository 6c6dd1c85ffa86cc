// Routing tables as the systems print them: the default route's next hop, by interface.
import { describe, expect, it } from 'vitest';
import {
  parseLinuxRoutes4,
  parseLinuxRoutes6,
  parseNetstatRoutes,
  parseWindowsRoutes4,
  parseWindowsRoutes6,
} from '../../../src/port-mapping/routing-table.js';

describe('Linux, /proc/net/route', () => {
  const header =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                  \n';
  const row = (
    name: string,
    hop: string,
    flags: string,
    metric: number,
    mask = '00000000',
    to = '00000000',
  ) => `${name}\t${to}\t${hop}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0     \n`;

  it('lists the default routes of every interface', () => {
    const text = `${header}${row('eth0', '0101A8C0', '0003', 100)}${row('wlan0', '010010AC', '0003', 600)}${row('eth0', '00000000', '0001', 100, '00FFFFFF', '0001A8C0')}`;
    expect(parseLinuxRoutes4(text)).toEqual([
      { gateway: '192.168.1.1', interfaceName: 'eth0', metric: 100 },
      { gateway: '172.16.0.1', interfaceName: 'wlan0', metric: 600 },
    ]);
  });

  it('reads big-endian machines', () => {
    const text = header + row('eth0', 'C0A80101', '0003', 0);
    expect(parseLinuxRoutes4(text, false)).toMatchObject([{ gateway: '192.168.1.1' }]);
  });

  it.each([
    ['a route that is down', row('eth0', '0101A8C0', '0002', 0)],
    ['a route without a next hop', row('ppp0', '00000000', '0001', 0)],
    ['a rejecting route', row('eth0', '0101A8C0', '0203', 0)],
    ['half of everything', row('tun0', '0101A8C0', '0003', 0, '00000080')],
    ['garbage', 'eth0\t00000000\tnonsense\t0003\t0\t0\t0\t00000000\n'],
    ['an empty line', '\n'],
  ])('passes over %s', (_, text) => expect(parseLinuxRoutes4(header + text)).toEqual([]));
});

describe('Linux, /proc/net/ipv6_route', () => {
  const zero = '0'.repeat(32);
  const hop = 'fe80000000000000784d5bfffead212e';

  it('takes the default route with a next hop', () => {
    const text = `2a010077${'0'.repeat(24)} 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
${zero} 00 ${zero} 00 ${hop} 00000400 00000001 00000000 00000003     eth0
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo
`;
    expect(parseLinuxRoutes6(text)).toEqual([
      { gateway: 'fe80::784d:5bff:fead:212e', interfaceName: 'eth0', metric: 1024 },
    ]);
  });

  it('passes over garbage', () => expect(parseLinuxRoutes6('a b c\n\n')).toEqual([]));
});

describe('macOS and the BSDs, netstat -rn', () => {
  it('reads IPv4', () => {
    const text = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
default            link#18            UCSIg           bridge100      !
127                127.0.0.1          UCS                   lo0
`;
    expect(parseNetstatRoutes(text, 4)).toEqual([
      { gateway: '192.168.1.1', interfaceName: 'en0', metric: 0 },
    ]);
  });

  it('reads IPv6, where the zone names the interface', () => {
    const text = `Internet6:
Destination                             Gateway                                 Flags               Netif Expire
default                                 fe80::1%en0                             UGcg                  en0
default                                 fe80::%utun0                            UGcIg               utun0
::1                                     ::1                                     UHL                   lo0
`;
    expect(parseNetstatRoutes(text, 6)).toEqual([
      { gateway: 'fe80::1', interfaceName: 'en0', metric: 0 },
      { gateway: 'fe80::', interfaceName: 'utun0', metric: 1 },
    ]);
  });

  it('reads OpenBSD, whose columns are others', () => {
    const text = `Destination        Gateway            Flags   Refs      Use   Mtu  Prio Iface
default            10.0.0.1           UGS        5      120     -     8 em0
`;
    expect(parseNetstatRoutes(text, 4)).toEqual([{ gateway: '10.0.0.1', interfaceName: 'em0', metric: 0 }]);
  });
});

describe('Windows, route print', () => {
  it('reads IPv4, whose interface is an address', () => {
    const text = `===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.50     25
          0.0.0.0          0.0.0.0   Auf Verbindung          10.8.0.2      5
        127.0.0.0        255.0.0.0   Auf Verbindung         127.0.0.1    331
`;
    expect(parseWindowsRoutes4(text)).toEqual([
      { gateway: '192.168.1.1', interfaceAddress: '192.168.1.50', metric: 25 },
    ]);
  });

  it('reads IPv6, whose interface is a number', () => {
    const text = ` If Metric Network Destination      Gateway
 12    281 ::/0                     fe80::1
  1    331 ::1/128                  On-link
 15     35 ::/0                     On-link
`;
    expect(parseWindowsRoutes6(text)).toEqual([{ gateway: 'fe80::1', interfaceIndex: 12, metric: 281 }]);
  });
});
