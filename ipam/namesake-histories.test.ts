// Random histories of three machines that share a name: started, killed, rebooted, robbed of their journal, cloned with it,
// while their Node is deleted and made again. Whatever happens, no two of them give an address to pods that run, and no
// machine is left without addresses.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { cidrContains } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import { ipamWorld, ipPool, nodeObject, podRequest } from '../test/support/ipam-world.ts';
import type { Handle } from './handle.ts';
import type { Ipam } from './ipam.ts';

const NAME = 'node-1';
const MACHINES = [0, 1, 2] as const;

type Machine = {
  readonly journalPath: string;
  readonly systemUuid: string;
  boot: number;
  netns: number;
  ipam: Ipam | undefined;
  nowMs: number;
  /** What runs in its kernel, whether or not its agent runs. */
  readonly pods: Map<Handle, readonly Ip[]>;
  journal: 'kept' | 'lost';
  /** The Node is another one than when its agent last compared blocks. */
  isOtherNode: boolean;
};

const step = fc.record({
  machine: fc.constantFrom(...MACHINES),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constant('start' as const) },
    { weight: 8, arbitrary: fc.constant('assign' as const) },
    { weight: 4, arbitrary: fc.constantFrom('kill' as const, 'clone' as const) },
    fc.constantFrom(
      ...(['release', 'compare', 'give-back', 'reboot', 'restart-container', 'lose-journal'] as const),
      ...(['delete-node', 'make-node', 'delete-unused-block'] as const),
    ),
  ),
  n: fc.nat(1000),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function live(t: TestContext, steps: readonly Step[]): Promise<void> {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/23', { blockSize: 31 })], [NAME]);
  const machines = MACHINES.map(
    (n): Machine => ({
      ...{ journalPath: world.journalPath(`machine-${n}`), systemUuid: `uuid-${n}`, boot: 0, netns: 0, nowMs: 0 },
      ...{ ipam: undefined, pods: new Map(), journal: 'kept', isOtherNode: false },
    }),
  );
  let isNodeThere = true;
  let counter = 0;

  const stop = (machine: Machine): void => {
    machine.ipam?.close();
    machine.ipam = undefined;
  };
  const reboot = (machine: Machine): void => {
    stop(machine);
    machine.boot++;
    machine.pods.clear();
  };
  const removeJournal = ({ journalPath }: Machine): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${journalPath}${suffix}`, { force: true });
  };
  const compare = async (machine: Machine): Promise<void> => {
    assert.equal((await machine.ipam?.start())?.kind, 'adopted');
    if (isNodeThere) machine.isOtherNode = false;
  };
  // As the agent does it: what the kernel has and the journal lacks is written down, or kept out.
  const start = async (machine: Machine): Promise<void> => {
    if (machine.ipam !== undefined) return;
    const { journalPath, systemUuid, boot, netns, pods } = machine;
    const mayBeStranger = machine.journal === 'lost' && (machine.isOtherNode || !isNodeThere);
    const ipam = await world.open(NAME, {
      journalPath,
      bootId: `boot ${boot} of ${systemUuid}`,
      stack: { netns: String(netns), systemUuid },
      monotonicMs: () => machine.nowMs,
    });
    machine.ipam = ipam;
    await compare(machine);
    machine.journal = 'kept';
    const kept: Ip[] = [];
    for (const [handle, ips] of pods) {
      if (ipam.find(handle) !== undefined) continue;
      const { namespace, pod, netns: path, hostIfName } = podRequest(handle);
      const found = ipam.adopt({ handle, namespace, pod, netns: path, hostIfName, ips, state: 'attached' });
      if (found === undefined) kept.push(...ips);
    }
    ipam.keepOut(kept);
    if (mayBeStranger) return;
    for (const ip of [...pods.values()].flat()) {
      assert.ok(
        ipam.blocks().some(({ cidr }) => cidrContains(cidr, ip)),
        `${ip} of a live pod stays the node's`,
      );
    }
  };

  const run = async ({ machine: index, what, n }: Step): Promise<void> => {
    const machine = machines[index] ?? assert.fail();
    const { ipam, pods } = machine;
    switch (what) {
      case 'start':
        return start(machine);
      case 'assign': {
        if (ipam === undefined) return;
        const request = podRequest(`pod-${counter++}`);
        const outcome = await ipam.assign(request);
        if (outcome.kind !== 'assigned') throw new Error(outcome.why);
        pods.set(request.handle, outcome.assignment.ips);
        return;
      }
      case 'release': {
        const handle = [...pods.keys()][n % Math.max(1, pods.size)];
        if (ipam === undefined || handle === undefined) return;
        ipam.release(handle);
        pods.delete(handle);
        return;
      }
      case 'compare':
        if (ipam !== undefined) await compare(machine);
        return;
      case 'give-back':
        await ipam?.releaseEmptyBlocks();
        machine.nowMs += 3_600_000;
        await ipam?.releaseEmptyBlocks();
        return;
      case 'kill':
        return stop(machine);
      case 'reboot':
        return reboot(machine);
      case 'restart-container':
        // Its network namespace goes with all that is in it; the journal lies on a volume.
        stop(machine);
        machine.netns++;
        pods.clear();
        return;
      case 'lose-journal':
        if (ipam !== undefined) return;
        removeJournal(machine);
        machine.journal = 'lost';
        return;
      case 'clone': {
        const other = machines[(index + 1 + (n % 2)) % 3];
        if (ipam !== undefined || other === undefined || other.ipam !== undefined) return;
        reboot(other);
        removeJournal(other);
        other.journal = 'lost';
        if (!existsSync(machine.journalPath)) return;
        mkdirSync(dirname(other.journalPath), { recursive: true });
        copyFileSync(machine.journalPath, other.journalPath);
        return;
      }
      case 'delete-node':
        if (!isNodeThere) return;
        await world.store.delete('Node', undefined, NAME);
        isNodeThere = false;
        return;
      case 'make-node':
        if (isNodeThere) return;
        await world.store.create(nodeObject(NAME));
        isNodeThere = true;
        for (const each of machines) each.isOtherNode = true;
        return;
      case 'delete-unused-block': {
        // As an operator may who knows that no machine uses it; one that is off may have it in its journal.
        const { items } = await world.store.list('IPBlock');
        const unused = items.filter(({ spec: { cidr } }) =>
          machines.every(
            (each) =>
              each.ipam?.blocks().some((block) => block.cidr === cidr) !== true &&
              ![...each.pods.values()].flat().some((ip) => cidrContains(cidr, ip)),
          ),
        );
        const block = unused[n % Math.max(1, unused.length)];
        if (block !== undefined) await world.store.delete('IPBlock', undefined, block.metadata.name);
        return;
      }
      default:
        return what satisfies never;
    }
  };

  for (const [nth, each] of steps.entries()) {
    await run(each);
    const where = `after step ${nth}, ${each.what} of machine ${each.machine}`;
    const ips = machines.flatMap(({ pods }) => [...pods.values()].flat());
    assert.equal(new Set(ips).size, ips.length, `an address twice ${where}`);
    const blocks = machines.flatMap(({ ipam }) => ipam?.blocks().map(({ cidr }) => cidr) ?? []);
    assert.equal(new Set(blocks).size, blocks.length, `a block twice ${where}`);
  }
  for (const machine of machines) stop(machine);
}

test('machines of one name never share a block, whatever becomes of them', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => live(t, steps)),
    { numRuns: 60 },
  );
});
