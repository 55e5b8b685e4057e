// Thousands of routes into the kernel and out of it, as the agent writes them, against ip -batch with the same routes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouteDriver } from '../../../felix/driver/routes.ts';
import { type DesiredRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from '../../../felix/model/route.ts';
import type { Cidr } from '../../../lib/cidr.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { dumpRoutes } from '../../../lib/linux/routes.ts';
import { openRtnl, type Rtnl } from '../../../lib/linux/rtnl.ts';
import { type TestNetns, testNetns } from '../../support/netns.ts';
import { type Program, runProgram } from '../program.ts';
import { type Goal, resultOf, timed } from '../results.ts';
import type { Bench, Scope } from '../types.ts';
import { manyPrefixes, nodeAddress } from './plan.ts';

export const fib: Bench = {
  name: 'fib',
  run: async ({ scope, scale }) => {
    const [count, rounds] = scale === 'full' ? [10_000, 20] : [200, 2];
    const ours = await nodeWithLink(scope, 'ours');
    const other = await nodeWithLink(scope, 'other');
    const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
    scope.after(() => rmSync(directory, { recursive: true }));
    const driver = createRouteDriver(ours.rtnl);
    const desired = routesTo(count);
    const none: ReadonlyMap<Cidr, DesiredRoute> = new Map();
    const dirty = [...desired.keys()];
    const files = { add: join(directory, 'add'), delete: join(directory, 'delete') };
    for (const verb of ['add', 'delete'] as const) writeFileSync(files[verb], batchOf(verb, desired.values()));
    driver.read();

    const write = (target: ReadonlyMap<Cidr, DesiredRoute>): number =>
      timed(() => {
        const [failure] = driver.write(dirty, target).values();
        if (failure !== undefined) throw new Error(failure);
      });
    const batch = (verb: 'add' | 'delete'): number =>
      inNetns(other.netns.path, () => timed(() => runProgram(ipBatch(files[verb]))));
    const check = (expected: number): void => {
      for (const { rtnl } of [ours, other]) {
        const found = dumpRoutes(rtnl, { family: 4, protocol: ROUTE_PROTOCOL }).length;
        if (found !== expected) throw new Error(`Cannot go on: ${found} routes in the kernel, expected ${expected}`);
      }
    };
    const times = { add: [] as number[], delete: [] as number[], verify: [] as number[] };
    const theirs = { add: [] as number[], delete: [] as number[] };
    for (let round = -2; round < rounds; round++) {
      const mine = [() => write(desired), () => write(none)] as const;
      const its = [() => batch('add'), () => batch('delete')] as const;
      const first = round % 2 === 0;
      const added = first ? [mine[0](), its[0]()] : [its[0](), mine[0]()].reverse();
      check(count);
      const verified = timed(() => {
        if (driver.differing(desired).length > 0)
          throw new Error('Cannot go on: routes differ, expected them as written');
      });
      const deleted = first ? [mine[1](), its[1]()] : [its[1](), mine[1]()].reverse();
      check(0);
      if (round < 0) continue;
      times.add.push(added[0] ?? 0);
      theirs.add.push(added[1] ?? 0);
      times.delete.push(deleted[0] ?? 0);
      theirs.delete.push(deleted[1] ?? 0);
      times.verify.push(verified);
    }
    const line = (name: string, verb: 'add' | 'delete', goal?: Goal) =>
      resultOf({
        name,
        unit: 'ms',
        ours: times[verb],
        other: { name: 'ip -batch', samples: theirs[verb] },
        ...(goal && { goal }),
      });
    return [
      line(`${count} routes into the kernel`, 'add', GOAL),
      line(`${count} routes out of it`, 'delete'),
      resultOf({ name: `${count} routes read and compared`, unit: 'ms', ours: times.verify }),
    ];
  },
};

const GOAL: Goal = { text: '<= 60 ms', met: ({ ours }) => ours.p50 <= 60 };
const GATEWAYS = 100;

async function nodeWithLink(scope: Scope, name: string): Promise<{ readonly netns: TestNetns; readonly rtnl: Rtnl }> {
  const netns = await testNetns(scope, name);
  await netns.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far');
  await netns.exec('ip', 'address', 'add', `${nodeAddress(250)}/24`, 'dev', 'eth0');
  for (const link of ['eth0', 'far']) await netns.exec('ip', 'link', 'set', link, 'up');
  const rtnl = inNetns(netns.path, openRtnl);
  scope.after(rtnl.close);
  return { netns, rtnl };
}

/** As many nodes as there are gateways, with their blocks. */
const routesTo = (count: number): ReadonlyMap<Cidr, DesiredRoute> =>
  new Map(
    manyPrefixes(count).map((dst, index) => [
      dst,
      { kind: 'learned', dst, nextHops: [{ gateway: nodeAddress(1 + (index % GATEWAYS)) }] },
    ]),
  );

/** Reads the file in place of its standard input, which must be there for that. */
const ipBatch = (file: string): Program => ({
  file: 'ip',
  args: ['-batch', file],
  stdin: '/dev/null',
  stdout: '/dev/null',
});

function batchOf(verb: 'add' | 'delete', routes: Iterable<DesiredRoute>): string {
  const lines = [...routes].map((route) => {
    const via = route.kind === 'learned' ? route.nextHops.map(({ gateway }) => `via ${gateway}`).join(' ') : '';
    return `route ${verb} ${route.dst} ${via} proto ${ROUTE_PROTOCOL} metric ${ROUTE_METRIC}`;
  });
  return `${lines.join('\n')}\n`;
}
