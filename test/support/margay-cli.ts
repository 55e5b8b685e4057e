// The `margay` program, run as a user runs it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'cli', 'main.ts');
/** As `./margay` has it: a start takes half the time. */
const ENVIRONMENT = { NODE_COMPILE_CACHE: join(ROOT, '.build', 'compile-cache'), ...process.env };

/** What a run left behind; `status` is null when it was killed. */
export type CliOutcome = { readonly stdout: string; readonly stderr: string; readonly status: number | null };

/** Runs `margay` with these arguments and this standard input; killed after a minute. */
export function margay(args: readonly string[], input = ''): CliOutcome {
  const options = { env: ENVIRONMENT, input, encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 28 } as const;
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, ...args], options);
  return { stdout, stderr, status };
}
