// XML of gateways: what is read, and what is refused before it can cost anything.
import { describe, expect, it } from 'vitest';
import { childrenOf, escapeXml, parseGatewayXml, textOf } from '../../../src/port-mapping/gateway-xml.js';

it('reads text, repeated elements and prefixes', () => {
  const xml = parseGatewayXml('<?xml version="1.0"?><x:a x:q="1"><b> 1 &amp;&lt; </b><b>02</b><c/></x:a>');
  const a = childrenOf(xml, 'a')[0];
  expect(childrenOf(a, 'b')).toHaveLength(2);
  expect(textOf(a, 'b')).toBe('1 &<');
  expect(textOf(a, 'c')).toBe('');
  expect(textOf(a, 'none')).toBe('');
  expect(textOf(xml, 'a')).toBe('');
});

it('reads back what it escapes', () => {
  const text = `<&>"' ü`;
  expect(escapeXml(text)).toBe('&#60;&#38;&#62;&#34;&#39; ü');
});

describe('refuses', () => {
  const bomb = `<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>`;
  it.each([
    ['an entity bomb', bomb],
    ['an external entity', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'],
    ['a document type in any case', '<!dOcTyPe r><r/>'],
    ['more than 64 KiB', `<r>${'a'.repeat(70_000)}</r>`],
    ['more than 3,000 elements', `<r>${'<a/>'.repeat(4000)}</r>`],
    ['deep nesting', '<a>'.repeat(2000)],
    ['names of the language', '<r><__proto__><a>1</a></__proto__></r>'],
    ['an unfinished element', '<r><a'],
  ])('%s', (_, xml) => expect(() => parseGatewayXml(xml)).toThrow(expect.objectContaining({ place: 'xml' })));
});

it('resolves no entities but the five of XML', () => {
  expect(textOf(parseGatewayXml('<r>&b;&#65;</r>'), 'r')).toBe('&b;&#65;');
});

it('finds no inherited names', () => {
  const xml = parseGatewayXml('<r><a>1</a></r>');
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
    expect(childrenOf(childrenOf(xml, 'r')[0], name)).toEqual([]);
});
