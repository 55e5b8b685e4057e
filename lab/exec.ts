// Running programs of the system: argument lists only, never a shell, and every one marked with the lab it works for, so
// that `down` finds also those that a killed command left on their way.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { labDirectory, netnsPath } from './paths.ts';

/** Environment variable that every process of a lab carries: the lab's directory. */
export const MARK = 'MARGAY_LAB_MARK';

/** Root's PATH may lack the sbin directories, where `ip`, `bird` and FRR's daemons are. */
const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/lib/frr'];

/** The environment of every program that is run for a lab. */
export function labEnvironment(lab: string, extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath().join(delimiter), [MARK]: labDirectory(lab), ...extra };
}

/**
 * The path of a program.
 * @throws Error naming it and what brings it
 */
export function findExecutable(name: string, bringer: string): string {
  for (const directory of searchPath()) {
    try {
      const path = join(directory, name);
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  throw new Error(`Cannot start ${name}: not found in PATH, expected ${bringer}`);
}

/** The command line that runs a program inside a network namespace. */
export const inside = (netns: string, command: readonly string[]): readonly [string, ...string[]] => [
  'nsenter',
  `--net=${netnsPath(netns)}`,
  '--',
  ...command,
];

export type RunOptions = {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
};

/** What a program that ended by itself left. */
export type RunResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/**
 * Runs a program to its end.
 * @throws Error when it cannot be started or takes longer than `timeoutMs` (20 s)
 */
export function runAny(lab: string, [command, ...args]: readonly [string, ...string[]], options: RunOptions = {}) {
  const { input = '', timeoutMs = 20_000, env = {} } = options;
  return new Promise<RunResult>((resolve, reject) => {
    const child = spawn(command, args, { env: labEnvironment(lab, env), stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`Cannot run "${[command, ...args].join(' ')}": no end within ${timeoutMs} ms`));
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`Cannot run "${command}": ${error.message}`, { cause: error }));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? 255, stdout, stderr });
    });
    // A program that does not read its input closes the pipe early, which is its right.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/**
 * Runs a program that must succeed and returns its standard output.
 * @throws Error with its standard error
 */
export async function run(lab: string, command: readonly [string, ...string[]], options: RunOptions = {}) {
  const { exitCode, stdout, stderr } = await runAny(lab, command, options);
  if (exitCode === 0) return stdout;
  throw new Error(`Cannot run "${command.join(' ')}": exit code ${exitCode}: ${stderr.trim() || stdout.trim()}`);
}

function searchPath(): readonly string[] {
  const given = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...new Set([...given, ...SYSTEM_PATH])];
}
