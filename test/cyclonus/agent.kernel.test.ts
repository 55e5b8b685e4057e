// The generated policy cases and random worlds, one after the other, as changes of the datastore of a running agent:
// after each the kernel's table is the one that the same objects would give from nothing, and of some steps frames are
// sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { verdict, type World } from '../../policy/oracle.ts';
import { type PodKey, podKey } from '../../policy/world.ts';
import { cellsOf, readCyclonus } from '../policy/cyclonus.ts';
import { type AgentCluster, agentCluster } from './agent-cluster.ts';
import { LOCAL_NODE } from './apply-world.ts';
import { cellShots, type PodCell } from './cell-shots.ts';
import { formatMatrix, type SeenCell } from './format-matrix.ts';
import { RANDOM_PODS, randomWorld } from './random-world.ts';

/** Of every so many steps, frames are sent. */
const FRAMES_EVERY = 16;
const RANDOM_WORLDS = 60;

const steps = readCyclonus();

if (steps === undefined) {
  test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not applied'));
} else {
  test(`${steps.length} steps of the generated cases through a running agent`, { timeout: 200_000 }, async (t) => {
    const [first] = steps;
    assert.ok(first, 'the cases are not empty');
    const cluster = await agentCluster(t, { ...first.world, policies: [] });
    const begin = performance.now();
    for (const [at, step] of steps.entries()) {
      await cluster.show(step.world);
      await assertTable(cluster, step.name);
      if (at % FRAMES_EVERY === 0) await assertFrames(cluster, [...cellsOf(step)], step.name);
    }
    assertCalm(cluster);
    const seconds = (performance.now() - begin) / 1000;
    t.diagnostic(`${steps.length} steps in ${seconds.toFixed(1)} s, ${cluster.prober.sent()} frames`);
  });
}

test(`${RANDOM_WORLDS} random worlds through a running agent`, { timeout: 200_000 }, async (t) => {
  const cluster = await agentCluster(t, everyPod());
  const seed = Number(process.env['MARGAY_SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));
  t.diagnostic(`seed ${seed}`);
  for (const [at, world] of fc.sample(randomWorld, { numRuns: RANDOM_WORLDS, seed }).entries()) {
    await cluster.show(world);
    await assertTable(cluster, `world ${at} of seed ${seed}`);
    if (at % FRAMES_EVERY === 0) await assertFrames(cluster, pairs(), `world ${at} of seed ${seed}`);
  }
  assertCalm(cluster);
});

function everyPod(): World {
  return {
    namespaces: new Map(RANDOM_PODS.map(({ namespace }) => [namespace, {}])),
    pods: RANDOM_PODS.map((pod) => ({ ...pod, labels: {}, ports: [], hostNetwork: false, finished: false })),
    policies: [],
  };
}

function pairs(): readonly PodCell[] {
  const names = RANDOM_PODS.map(({ namespace, name }) => podKey(namespace, name));
  return names.flatMap((from) =>
    names.flatMap((to): readonly PodCell[] => {
      if (from === to) return [];
      return [
        { from, to, protocol: 'tcp', port: 80 },
        { from, to, protocol: 'udp', port: 81 },
      ];
    }),
  );
}

/** No batch was refused: the table is right by what was asked for, not by replacing it. */
const assertCalm = ({ log }: AgentCluster): void => assert.doesNotMatch(log(), /refused|not written/);

async function assertTable({ tables }: AgentCluster, after: string): Promise<void> {
  const { kernel, fresh } = await tables();
  assert.deepEqual(kernel, fresh, `the table after ${after}`);
}

/** Sends those cells that lie between local pods and compares with the oracle, in the world as it is in the datastore. */
async function assertFrames({ prober, world }: AgentCluster, wanted: readonly PodCell[], name: string): Promise<void> {
  const now = await world();
  const local = new Set<string>(
    now.pods
      .filter(({ node, hostNetwork }) => node === LOCAL_NODE && !hostNetwork)
      .map((pod) => podKey(pod.namespace, pod.name)),
  );
  const cells = wanted.filter(({ from, to }) => local.has(from) && local.has(to));
  for (const family of [4, 6] as const) {
    const arrived = await prober.probe(cellShots(now, cells, family));
    const seen = cells.map(({ from, to, protocol, port }, at): SeenCell => {
      const ends = { from: { pod: from as PodKey }, to: { pod: to as PodKey } };
      const { allowed } = verdict(now, { ...ends, protocol, port, family });
      return { from, to, service: `${protocol}/${port}`, want: allowed ? '.' : 'X', got: arrived[at] ? '.' : 'X' };
    });
    assert.ok(
      seen.every(({ want, got }) => want === got),
      `${name}, IPv${family}, wanted>seen:\n${formatMatrix(seen)}`,
    );
  }
}
