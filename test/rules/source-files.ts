// The project's own TypeScript files as the rules see them: path, text, code without comments and literals, imports.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export type SourceFile = {
  /** Relative to the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments, strings, templates and regular expressions blanked out; lines stay lines. */
  readonly code: string;
  /** What it imports: `node:…`, a package's name, or the path of one of our files. Type-only imports count. */
  readonly imports: readonly string[];
};

export const ROOT = resolve(import.meta.dirname, '../..');

/** All `.ts` files of the project, sorted by path. */
export function sourceFiles(): readonly SourceFile[] {
  return globSync('**/*.ts', { cwd: ROOT, exclude: ['**/node_modules/**', '.build/**'] })
    .sort()
    .map((path) => sourceFile(path, readFileSync(join(ROOT, path), 'utf8')));
}

/** One file out of its text. */
export function sourceFile(path: string, text: string): SourceFile {
  const code = blankOut(text);
  return { path, text, code, imports: importsOf(path, text, code) };
}

/** The top-level folder, or the file itself in the root. */
export function folderOf(path: string): string {
  return path.split('/')[0] ?? path;
}

// Alternatives in the order in which they must be tried; a regular expression is recognised only where a value may begin.
const LITERALS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=(?:^|[=(,:[!&|?{};+>]|\breturn)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

function blankOut(text: string): string {
  return text.replace(LITERALS, (literal) => literal.replace(/[^\n]/g, ' '));
}

const IMPORT = /\b(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1/g;

function importsOf(path: string, text: string, code: string): readonly string[] {
  const found = [...text.matchAll(IMPORT)].filter(({ index }) => /^(?:from|import)/.test(code.slice(index)));
  const names = found.map(([, , name]) => name ?? '');
  return [...new Set(names.map((name) => (name.startsWith('.') ? join(dirname(path), name) : name)))];
}
