// Which test files a run consists of, and which of them need the machine for themselves.
import { globSync } from 'node:fs';

export type TestFiles = {
  /** Run side by side; those that mostly wait for the kernel or a daemon come first. */
  readonly shared: readonly string[];
  /** Run one after the other: whole clusters, benchmarks, and what compares the machine before and after. */
  readonly alone: readonly string[];
};

/** Test files below `root` (paths relative to it, sorted) whose path contains one of `patterns`; all without patterns. */
export function findTests(root: string, patterns: readonly string[]): TestFiles {
  const files = globSync('**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**', '.build/**'] })
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort();
  const shared = files.filter((file) => !isAlone(file));
  const [waiting, computing] = [shared.filter(isKernel), shared.filter((file) => !isKernel(file))];
  return { shared: [...waiting, ...computing], alone: files.filter(isAlone) };
}

const ALONE = ['test/lab/', 'test/bench/', 'test/cni/runtime'];

const isAlone = (file: string): boolean => ALONE.some((start) => file.startsWith(start));
const isKernel = (file: string): boolean => file.endsWith('.kernel.test.ts');
