// Which test files a run consists of, and which of them need the machine for themselves.
import { globSync } from 'node:fs';

export type TestFiles = {
  /** Run side by side. */
  readonly shared: readonly string[];
  /** Run one after the other: whole clusters, and kernel tests that measure time. */
  readonly alone: readonly string[];
};

/** Test files below `root` (paths relative to it, sorted) whose path contains one of `patterns`; all without patterns. */
export function findTests(root: string, patterns: readonly string[]): TestFiles {
  const files = globSync('**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**', '.build/**'] })
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort();
  return { shared: files.filter((file) => !isAlone(file)), alone: files.filter(isAlone) };
}

function isAlone(file: string): boolean {
  return file.startsWith('test/lab/') || file.endsWith('.kernel.test.ts');
}
