// Text made safe to stand in HTML, between tags and in quoted attributes.

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function htmlText(text: string): string {
  return text.replace(/[&<>"]/g, character => ENTITIES[character]!);
}
