// `margay ipam check`: journals, kernels, datastore and container runtimes (network namespaces, where none is named) side
// by side. Takes no lock and stops nothing.
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { checkIpam, type Finding } from '../../ipam/model/check.ts';
import { type IpamOptions, readIpamWorld, withIpamOptions, withStore } from './world.ts';

/** What `--output` writes and `margay ipam release` reads. */
export type Report = { readonly findings: readonly Finding[] };

export function registerIpamCheck(ipam: Command): void {
  const command = ipam
    .command('check')
    .description('compare journals, kernels and datastore; exit code 1 when they differ')
    .option('--json', 'print the report as JSON')
    .option('--runtime <socket...>', 'CRI sockets of the container runtimes of these nodes, in the order of --agent')
    .option('-o, --output <file>', 'write the report to a file, for "ipam release --from-report"');
  withIpamOptions(command).action(check);
}

type CheckOptions = IpamOptions & { readonly json?: true; readonly output?: string };

async function check(options: CheckOptions): Promise<void> {
  const { findings, asked } = await withStore(options, async (store) => {
    const first = await readIpamWorld(store, options);
    const found = checkIpam(first);
    if (found.length === 0) return { findings: silence(first.silent), asked: first.views.length };
    // What an ADD or a DEL under way makes differ is gone at a second look.
    const again = await readIpamWorld(store, options);
    const before = new Set(found.map(({ why }) => why));
    const stayed = checkIpam(again).filter(({ why }) => before.has(why));
    return { findings: [...stayed, ...silence(again.silent)], asked: again.views.length };
  });
  const report: Report = { findings };
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  if (options.output !== undefined) writeReport(options.output, text);
  if (options.json === true) process.stdout.write(text);
  else console.log(printFindings(findings, asked));
  if (findings.some(({ kind }) => kind !== 'kept-out')) process.exitCode = 1;
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`Cannot write report "${path}": ${why}, expected a file in an existing folder`, { cause });
  }
}

const silence = (silent: readonly string[]): readonly Finding[] => silent.map((why) => ({ kind: 'not-checked', why }));

function printFindings(findings: readonly Finding[], asked: number): string {
  const lines = findings.map(
    ({ kind, why, release }) => `${kind}: ${why}${release === undefined ? '' : ' (releasable)'}`,
  );
  const count = findings.length === 0 ? 'no difference' : counted(findings.length, 'difference');
  return [...lines, `${count} between datastore and ${counted(asked, 'agent')}`].join('\n');
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
