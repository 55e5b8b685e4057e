// The command line as a user has it, for tests of whole labs.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'cli', 'main.ts');

export type CliResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs `margay ARGS…`; a command that takes over two minutes is killed. */
export function margay(args: readonly string[], input?: string): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      { timeout: 120_000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(input ?? '');
  });
}

/** Runs `margay ARGS…` in the background. */
export const startMargay = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

const statusSchema = z.object({
  datastore: z.string(),
  tor: z.object({ netns: z.string() }),
  nodes: z.array(
    z.object({
      name: z.string(),
      netns: z.string(),
      ready: z.boolean(),
      blocks: z.array(z.string()),
      bgp: z.object({ established: z.number(), peers: z.number() }),
      agent: z.object({ pid: z.number().optional(), supervisorPid: z.number().optional() }),
      gobgpd: z.object({ pid: z.number().optional() }),
      sockets: z.object({ gobgp: z.string() }),
    }),
  ),
  pods: z.array(z.object({ name: z.string(), node: z.string(), netns: z.string(), ips: z.array(z.string()) })),
});

export type LabStatus = z.output<typeof statusSchema>;

export type Lab = {
  readonly name: string;
  /** `margay lab ARGS… --name NAME`; rejects unless it succeeds. */
  readonly run: (...args: readonly string[]) => Promise<string>;
  readonly status: () => Promise<LabStatus>;
  /** Applies manifests; rejects unless it succeeds. */
  readonly apply: (yaml: string) => Promise<string>;
};

/** A running lab that is gone after the test. */
export async function testLab(t: TestContext, name: string, ...options: readonly string[]): Promise<Lab> {
  t.after(() => margay(['lab', 'down', '--name', name]));
  const succeed = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await margay(args, input);
    if (code !== 0) throw new Error(`margay ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  };
  const run: Lab['run'] = (...args) => succeed(['lab', ...args, '--name', name]);
  await run('up', ...options);
  return {
    name,
    run,
    status: async () => statusSchema.parse(JSON.parse(await run('status', '--json'))),
    apply: (yaml) => succeed(['apply', '--lab', name, '-f', '-'], yaml),
  };
}
