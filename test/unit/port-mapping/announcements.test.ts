// What is heard on port 5350: both protocols announce there, by the messages they answer with.
import { expect, it } from 'vitest';
import { readControlAnnouncement } from '../../../src/port-mapping/announcements.js';
import { writeNatPmpAddress, writeNatPmpMapping, writePcpAnswer } from './fake/gateway-wire.js';

const pcp = writePcpAnswer({ opcode: 0, result: 0, lifetimeSeconds: 0, epochSeconds: 1 });

it.each([
  ['a PCP announcement', pcp, 'heard'],
  ['a NAT-PMP announcement', writeNatPmpAddress(1, [203, 0, 113, 7]), 'heard'],
  ['a mapping, which nobody announces', writeNatPmpMapping(1, 2, 3, 4), undefined],
  ['garbage', Buffer.from('hello'), undefined],
  ['nothing', Buffer.alloc(0), undefined],
])('%s', (_, datagram, meaning) => expect(readControlAnnouncement(datagram)).toBe(meaning));
