// SIGKILL to the agent in the middle of several ADDs that it carries out together, where links are made in another thread:
// every one of them is set right by the runtime's next call, and nothing is left.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { cniPathsOf, cniState, differences, ipamViewOf } from '../support/cni-state.ts';
import type { FaultPlan } from '../support/fault-points.ts';
import { testNetns } from '../support/netns.ts';

const FAULT_POINTS = join(import.meta.dirname, '../support/fault-points.ts');
const DEADLINE = { timeoutMs: 60_000, everyMs: 5 };
const PODS = ['a', 'b', 'c', 'd', 'e'] as const;
const IN_THREAD = 'create link in a thread';
const TRIES = 20;

test('ADDs that an agent was killed in together are set right by the next calls', async (t) => {
  const { node, state, addAll, deleteAll, plan, trace } = await createWorld(t);
  const empty = await state();
  const gone = (what: string): Promise<unknown> =>
    waitFor('nothing to be left', async () => differences(await state(), empty).length === 0, DEADLINE).catch(
      async () => assert.deepEqual(differences(await state(), empty), [], what),
    );

  // How many come together is a matter of chance.
  let effects: readonly string[] = [];
  for (let tries = 0; tries < TRIES && !effects.includes(IN_THREAD); tries++) {
    rmSync(trace, { force: true });
    await deleteAll();
    plan({ verb: 'add', trace, answers: PODS.length });
    for (const answer of await addAll()) succeeded(answer);
    await waitFor('the trace', () => existsSync(trace), DEADLINE);
    effects = JSON.parse(readFileSync(trace, 'utf8')) as readonly string[];
  }
  t.diagnostic(effects.join(', '));
  assert.ok(effects.includes(IN_THREAD), 'some of them come together');
  const attached = await state();
  await deleteAll();
  await gone('the undisturbed run');

  for (const name of [IN_THREAD, 'journal assign', 'set link', 'set kernel parameters', 'commit rules', 'set route']) {
    const times = effects.filter((each) => each === name).length;
    for (const after of new Set([1, Math.ceil(times / 2), times])) {
      const what = `killed after "${name}" number ${after}`;
      let kills = 0;
      for (let tries = 0; tries < TRIES && kills === 0; tries++) {
        plan({ verb: 'add', after, of: name, answers: PODS.length });
        const answers = await addAll();
        if (await isDead(node)) {
          kills++;
          await node.kill();
          await node.start();
        }
        plan(undefined);
        for (const [n, answer] of answers.entries()) {
          if (answer.exitCode === 0) continue;
          assert.equal(codeOf(answer), 11, what);
          await retry(n, what);
        }
        assert.deepEqual(differences(await state(), attached), [], what);
        const { assignments } = await ipamViewOf(node);
        assert.equal(new Set(assignments.flatMap(({ assignment }) => assignment.ips)).size, PODS.length, what);
        await deleteAll();
        await gone(what);
      }
      if (after === 1) assert.equal(kills, 1, what);
    }
  }

  /** As a runtime does it: again, or, where the ADD had been complete, with a DEL before. */
  async function retry(n: number, what: string): Promise<void> {
    const again = await addAll([n]);
    if (again.every(({ exitCode }) => exitCode === 0)) return;
    assert.deepEqual(again.map(codeOf), [100], what);
    await deleteAll([n]);
    for (const answer of await addAll([n])) succeeded(answer, what);
  }
});

const isDead = (node: AgentNode): Promise<boolean> =>
  node.status().then(
    () => false,
    () => true,
  );

async function createWorld(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'margay-killed-'));
  process.env['MARGAY_FAULTS'] = join(folder, 'plan');
  // The agent is started some twenty times.
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
  const node = await agentNode(t, {}, ['--import', FAULT_POINTS]);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'all' },
    spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
  });
  for (const name of PODS) {
    await node.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name },
      spec: { nodeName: 'node1' },
    });
  }
  await node.start();
  const pods = await Promise.all(PODS.map((name) => testNetns(t, `pod-${name}`)));
  const { call } = cniCaller(cniPathsOf(node));
  const everyone = PODS.map((_, n) => n);
  const all = (command: string, which: readonly number[]): Promise<readonly CniOutcome[]> =>
    Promise.all(
      which.map((n) => call({ command, containerId: `c${n}`, netns: pods[n]?.path ?? '', pod: PODS[n] ?? '' })),
    );
  return {
    node,
    state: async () => (await cniState(node, ...pods)).map(withoutOrder),
    addAll: (which = everyone) => all('ADD', which),
    deleteAll: async (which = everyone) => {
      for (const answer of await all('DEL', which)) succeeded(answer);
    },
    /** What the agent shall do in its next such verb; `undefined`: nothing any more. */
    plan: (wanted: FaultPlan | undefined): void => {
      const path = join(folder, 'plan');
      if (wanted === undefined) rmSync(path, { force: true });
      else writeFileSync(path, JSON.stringify(wanted));
    },
    trace: join(folder, 'trace'),
  };
}

/** Elements of a set are listed in the order of a hash table. */
const withoutOrder = (line: string): string =>
  line.replace(/^rules:\s+(?:elements = \{ )?("mgy.*?)(?: \}|,)?$/, 'rules: element $1');

function succeeded(answer: CniOutcome, what = ''): void {
  assert.equal(answer.exitCode, 0, `${what}: ${answer.stdout}`);
}

const codeOf = ({ stdout }: CniOutcome): number => JSON.parse(stdout).code;
