// Labs for tests: driven through the command line as a user does, with names of their own, removed when the test ends
// and swept by the next run if the process was killed.
import { execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { down } from '../../lab/down.ts';
import { labNetns } from '../../lab/netns.ts';
import { labDirectory, SOURCE_DIRECTORY } from '../../lab/paths.ts';
import { labProcesses, startTimeOf } from '../../lab/processes.ts';
import { labNames } from '../../lab/state.ts';

const MAIN = join(SOURCE_DIRECTORY, 'cli', 'main.ts');
let count = 0;

export type CliResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** Starts `margay` with these arguments. */
export const spawnMargay = (args: readonly string[], options: SpawnOptions = {}) =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], options);

/** Runs `margay` to its end; killed after 100 s. */
export function margay(...args: readonly string[]): Promise<CliResult> {
  const child = spawnMargay(args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 100_000 });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? 255, stdout, stderr }));
  });
}

/** Runs `margay`, which must succeed, and returns its standard output. */
export async function margayOk(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await margay(...args);
  if (exitCode !== 0) throw new Error(`margay ${args.join(' ')}: exit code ${exitCode}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A name for a lab that is removed after the test. */
export async function labName(t: TestContext): Promise<string> {
  if (count === 0) {
    execFileSync('sh', [join(SOURCE_DIRECTORY, 'cni', 'shim', 'build.sh')]);
    await sweep();
  }
  const name = `t${process.pid.toString(36)}x${(count++).toString(36)}`;
  t.after(() => down(name));
  return name;
}

/** What of a lab is still there; empty after `down`. */
export const leftovers = (lab: string): readonly string[] => [
  ...labNetns(lab),
  ...labProcesses(lab, labNetns(lab)).map(({ pid, command }) => `${pid} ${command}`),
  ...(existsSync(labDirectory(lab)) ? [labDirectory(lab)] : []),
];

/** The network state of the namespace that tests run in, which no lab may change. */
export function machineState(): string {
  const read = (...[program, ...args]: readonly [string, ...string[]]): string =>
    execFileSync(program, args, { encoding: 'utf8' });
  return [
    read('ip', '-br', 'link'),
    read('ip', '-br', 'addr'),
    // What a router has told of counts down.
    read('ip', 'route', 'show', 'table', 'all').replaceAll(/ expires \d+sec/g, ''),
    read('ip', 'rule'),
    read('nft', 'list', 'ruleset'),
    read('grep', '-r', '', '/proc/sys/net/ipv4/conf', '/proc/sys/net/ipv4/ip_forward'),
  ].join('\n');
}

async function sweep(): Promise<void> {
  for (const name of labNames()) {
    const owner = /^t([0-9a-z]+)x[0-9a-z]+$/.exec(name)?.[1];
    if (owner !== undefined && startTimeOf(Number.parseInt(owner, 36)) === undefined) await down(name);
  }
}
