// `npm run docs`: writes the generated pages. test/unit/generated-docs.test.ts fails while they are out of step.
import { writeFileSync } from 'node:fs';
import { generatedDocs } from './generated-docs.js';

for (const [path, text] of Object.entries(generatedDocs())) {
  writeFileSync(path, text);
  console.error(`wrote ${path}`);
}
