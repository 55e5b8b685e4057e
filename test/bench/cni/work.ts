// What a call costs the agent in work, which has no noise, and how long many calls at once keep its event loop from
// turning. The agent carries a probe here, so that nothing of this is among the times of the other parts.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inNetns } from '../../../lib/linux/netns.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { runMany } from '../program.ts';
import { type Goal, resultOf } from '../results.ts';
import type { Bench, Result } from '../types.ts';
import type { ProbeReport } from './agent-probe.ts';
import { settled } from './check.ts';
import { type CniVerb, type CniWorld, callAll, cniWorld } from './world.ts';

export const work: Bench = {
  name: 'work',
  run: async ({ scope, scale }) => {
    const [atOnce, rounds] = scale === 'full' ? [100, 5] : [6, 1];
    const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
    scope.after(() => rmSync(directory, { recursive: true }));
    const report = join(directory, 'report.json');
    const execArgv = ['--import', join(import.meta.dirname, 'agent-probe.ts')];
    process.env['MARGAY_BENCH_PROBE'] = report;
    const world = await cniWorld(scope, { pods: 2 * atOnce, policy: 'shared', execArgv });
    const pid = await agentPid(world);
    const probe = async (): Promise<ProbeReport> => {
      rmSync(report, { force: true });
      process.kill(pid, 'SIGUSR2');
      return waitFor('the report of the probe', () => existsSync(report) && JSON.parse(readFileSync(report, 'utf8')));
    };

    // Both kinds of code are compiled, and the kinds of pods known to the rules.
    callAll(world.ours, 'ADD', { to: world.pods, inFlight: 10 });
    callAll(world.ours, 'DEL', { to: world.pods, inFlight: 10 });
    await settled(world);
    const counted = await countOne(world, { pid, probe }, atOnce);
    const blocked: number[] = [];
    for (let round = 0; round < rounds; round++) {
      callAll(world.ours, 'ADD', { to: atOnce, inFlight: 10 });
      await probe();
      const burst = (['ADD', 'DEL'] as const).map((verb) =>
        Array.from({ length: atOnce }, (_, i) => world.ours.call(verb, verb === 'DEL' ? i : atOnce + i)),
      );
      const mixed = burst[0]?.flatMap((program, i) => [program, ...(burst[1]?.slice(i, i + 1) ?? [])]) ?? [];
      inNetns(world.ours.netns.path, () => runMany(mixed, mixed.length));
      blocked.push((await probe()).loopBlockedMs);
      callAll(world.ours, 'DEL', { from: atOnce, to: 2 * atOnce, inFlight: 10 });
      await settled(world);
    }
    return [
      ...counted,
      resultOf({
        name: `event loop, longest block, ${atOnce} ADD and ${atOnce} DEL at once`,
        unit: 'ms',
        ours: blocked,
        goal: LOOP,
      }),
    ];
  },
};

const LOOP: Goal = { text: 'never > 50 ms', met: ({ ours }) => ours.p99 <= 50 };
const NONE: Goal = { text: '0', met: ({ ours }) => ours.p99 === 0 };

// Mean of calls one after the other, what the agent does after its answers included.
async function countOne(
  world: CniWorld,
  { pid, probe }: { readonly pid: number; readonly probe: () => Promise<ProbeReport> },
  calls: number,
): Promise<readonly Result[]> {
  const lines: Result[] = [];
  for (const verb of ['ADD', 'DEL'] as const satisfies readonly CniVerb[]) {
    await probe();
    const cpuBefore = processorMs(pid);
    callAll(world.ours, verb, { to: calls, inFlight: 1 });
    if (verb === 'DEL') await settled(world);
    const { netlinkSends, netlinkBytes, execs } = await probe();
    const cpu = (processorMs(pid) - cpuBefore) / calls;
    const line = (what: string, value: number, goal?: Goal) =>
      resultOf({ name: `${verb}: ${what}`, unit: 'count', ours: [value], ...(goal === undefined ? {} : { goal }) });
    lines.push(
      resultOf({ name: `${verb}: processor time of the agent`, unit: 'ms', ours: [cpu] }),
      line('netlink datagrams sent', netlinkSends / calls),
      line('netlink bytes sent', netlinkBytes / calls),
      line('programs run by the agent', execs, NONE),
    );
  }
  return lines;
}

async function agentPid({ agent }: CniWorld): Promise<number> {
  const pids = (await agent.netns.exec('ip', 'netns', 'pids', agent.netns.name))
    .split('\n')
    .filter((line) => line !== '');
  const found = pids.find((pid) => commandLine(pid).includes('felix/main.ts'));
  if (found === undefined) throw new Error('Cannot find the agent: no process in its namespace, expected one');
  return Number(found);
}

/** What all threads of a process have used. */
function processorMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((tid) => Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]));
  return ns.reduce((sum, each) => sum + each, 0) / 1e6;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // The program that listed the processes was one of them.
    return '';
  }
}
