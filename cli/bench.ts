// `margay bench`: measures a part of the project next to a real other program in the same run. The benchmarks are a
// process of their own (test/bench/main.ts), so that nothing of this one is measured with them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';

const MAIN = resolve(import.meta.dirname, '..', 'test', 'bench', 'main.ts');

type Options = { readonly json?: true; readonly quick?: true; readonly only?: string };

/** Adds `bench GROUP [--json] [--quick] [--only TEXT]`. */
export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measure a part of the project next to other programs, in network namespaces of its own')
    .addArgument(new Argument('<group>', 'what to measure').choices(['policy', 'cni', 'bgp', 'agent']))
    .option('--json', 'the report as one JSON object')
    .option('--quick', 'a few rounds at small sizes: shows that the bench works, its figures mean nothing')
    .option('--only <text>', 'only the parts whose name contains this')
    .action(runBench);
}

async function runBench(group: string, { json, quick, only }: Options): Promise<void> {
  const flags = [...(json ? ['--json'] : []), ...(quick ? ['--quick'] : []), ...(only ? ['--only', only] : [])];
  const execArgv = ['--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...execArgv, MAIN, group, ...flags], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
