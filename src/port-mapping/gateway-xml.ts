// XML from a gateway, which may be anything: bounded before it is parsed, no document type, no entities but
// the five that XML itself has, names without their prefix, and values that are only ever text.
import { XMLParser } from 'fast-xml-parser';
import { DecodeError } from '../errors.js';

const MAX_LENGTH = 64 * 1024;
/** A full IGDv2 description has about 150 elements. */
const MAX_TAGS = 3000;
const MAX_DEPTH = 24;

/** An element: text, or its children by name; repeated names make lists. */
export type XmlNode = string | { readonly [name: string]: XmlNode | readonly XmlNode[] };

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  removeNSPrefix: true,
  parseTagValue: false,
  processEntities: false,
  maxNestedTags: MAX_DEPTH,
});

/** @throws DecodeError, place `xml`. */
export function parseGatewayXml(text: string): XmlNode {
  if (text.length > MAX_LENGTH) throw new DecodeError('xml', `more than ${MAX_LENGTH} characters`);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new DecodeError('xml', 'a document type is not allowed');
  if (countOf('<', text) > MAX_TAGS) throw new DecodeError('xml', 'too many elements');
  try {
    return parser.parse(text) as XmlNode;
  } catch (error) {
    throw new DecodeError('xml', (error as Error).message.slice(0, 200));
  }
}

/** The elements of that name directly inside; none for a text. */
export function childrenOf(node: XmlNode | undefined, name: string): readonly XmlNode[] {
  if (node === undefined || typeof node === 'string' || !Object.hasOwn(node, name)) return [];
  const value = node[name];
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as XmlNode];
}

export function childOf(node: XmlNode | undefined, name: string): XmlNode | undefined {
  return childrenOf(node, name)[0];
}

/** The text inside, entities resolved; the empty text for an element with children or none of that name. */
export function textOf(node: XmlNode | undefined, name: string): string {
  const child = childOf(node, name);
  return typeof child === 'string'
    ? child.replace(/&(amp|lt|gt|quot|apos);/g, (_, key) => PREDEFINED.get(key)!)
    : '';
}

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);
}

function countOf(sign: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(sign); at !== -1; at = text.indexOf(sign, at + 1)) count++;
  return count;
}
