// What a document shows as a block of code, so that a test runs what people are told to write.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** The first block of a language in a document, by its path in the project. @throws Error when it has none */
export function documentBlock(path: string, language: string): string {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text)?.[1];
  if (found === undefined) throw new Error(`Cannot find a block "${language}" in "${path}": expected one`);
  return found;
}
