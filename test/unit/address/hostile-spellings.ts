// Hosts and ports that must not be dialled on anybody's word: each leads, on some system or through some gateway,
// to a place where a stranger must not make us knock, or is a second name for an address that has one.

const words = (text: string) => text.split(/\s+/).filter(word => word !== '');
const PORT = 80;

/** By kind, hosts; the port is 80. */
export const HOSTILE_HOSTS: Readonly<Record<string, readonly string[]>> = {
  'loopback, however it is written': words(`
    127.0.0.1 127.1 127.0.1 127.255.255.254 0127.0.0.1 0177.0.0.1 0x7f.0.0.1 0x7f.1 0x7f000001 0X7F000001
    2130706433 017700000001 127.0.0.01 127.000.000.001 127.0.0.1. localhost localhost. LOCALHOST localtest.me
    127.0.0.1.nip.io ::1 0:0:0:0:0:0:0:1 ::0001 [::1] ::1%lo ::1%1`),
  'loopback behind IPv6: mapped, compatible, NAT64, 6to4, Teredo': words(`
    ::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:7F00:0001 0:0:0:0:0:ffff:127.0.0.1 ::127.0.0.1 ::7f00:1
    ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:7f00:0001::1
    2001:0:7f00:1::80ff:fffe`),
  'this host, everybody, nobody': words(`
    0.0.0.0 0 0.0.0.1 0.1.2.3 :: 0::0 255.255.255.255 224.0.0.1 239.255.255.250 240.0.0.1 ff02::1 ff02::fb
    ff0e::1 100::1 fec0::1 1:: 4000::1`),
  'metadata services and link-local': words(`
    169.254.169.254 0xa9fea9fe 2852039166 169.254.43518 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe
    2002:a9fe:a9fe:: fe80::1 fe80::1%eth0 fe80::a9fe:a9fe febf::1`),
  'private networks that are not ours': words(`
    192.168.2.1 10.0.0.1 172.16.0.1 100.64.0.1 fd00::1 ::ffff:192.168.1.1 64:ff9b::192.168.1.1 2002:c0a8:101::
    192.168.257 0300.0250.1.1 3232235777 0xc0a80101`),
  'unicode and garbage': [
    ...words('１２７.0.0.1 127。0。0。1 ①②⑦.0.0.1 ١٢٧.0.0.1 127.0.0.1/8 127.0.0.1:80 http://127.0.0.1'),
    ...words(
      'user@127.0.0.1 127.0.0.1# %31%32%37.0.0.1 8.8.8 8.8.8.8.8 8.8.8.256 8.8.8.-8 +8.8.8.8 1e1.0.0.1',
    ),
    ...words('2001:db8:::1 2001:db8::1::2 2001:db8::12345 g::1 . ::%'),
    ...['', ' ', ' 127.0.0.1', '127.0.0.1\n', '127.0.0.1\0', '127.0.0.1\u200b', '8.8.8.8\t', 'a\u0000b'],
  ],
};

/** Public addresses in a spelling that is not theirs. Canonical, they may be dialled. */
export const SECOND_NAMES = words(`
  08.8.8.8 134744072 2001:DB8::1 2001:db8:0:0:0:0:0:1 2001:0db8::1 2001:db8::0.0.0.1 [2001:db8::1] 2001:db8::1%2`);

const HOSTILE_PORTS: readonly unknown[] = [
  ...[0, -1, 65536, 65616, 80.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53],
  ...['80', '0x50', '', undefined, null, true, [80], { valueOf: () => 80 }, 80n],
];

/** All of them, as pairs. */
export const HOSTILE: readonly (readonly [host: string, port: unknown])[] = [
  ...Object.values(HOSTILE_HOSTS).flatMap(hosts => hosts.map(host => [host, PORT] as const)),
  ...SECOND_NAMES.map(host => [host, PORT] as const),
  ...HOSTILE_PORTS.map(port => ['8.8.8.8', port] as const),
];
