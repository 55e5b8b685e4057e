// SIGKILL after each effect of ADD and DEL, to the agent and to the executable: the runtime's next call sets it right,
// and nothing is left that an undisturbed run would not have left.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { sourceFiles } from '../rules/source-files.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniCaller, type CniOutcome, cniCaller, cniExecutable } from '../support/cni-call.ts';
import { cniPathsOf, cniState, differences, spooled } from '../support/cni-state.ts';
import type { FaultPlan } from '../support/fault-points.ts';
import { testNetns } from '../support/netns.ts';

const FAULT_POINTS = join(import.meta.dirname, '../support/fault-points.ts');
const SHIM_SOURCE = join(import.meta.dirname, '../../cni/shim/margay.c');
const DEADLINE = { timeoutMs: 60_000, everyMs: 5 };

test('no program but the tests knows of fault points', () => {
  const others = sourceFiles().filter(({ path }) => !/^test\/|\.test\.ts$/.test(path));
  assert.deepEqual(
    others.filter(({ text }) => /MARGAY_FAULT|fault-points/.test(text)).map(({ path }) => path),
    [],
  );
});

test('what is killed in an ADD or a DEL is set right by the next call', async (t) => {
  const world = await createWorld(t);
  const { node, runtime, id, plan } = world;

  // The undisturbed run.
  const add = await world.effectsOf('add', async () => succeeded(await runtime.call({ command: 'ADD', ...id })));
  const attached = await world.state();
  const del = await world.effectsOf('del', async () => succeeded(await runtime.call({ command: 'DEL', ...id })));
  await waitFor('the link to go', async () => !/mgy/.test(await node.netns.exec('ip', '-o', 'link')), DEADLINE);
  const empty = await world.state();
  t.diagnostic(`ADD: ${add.join(', ')}`);
  t.diagnostic(`DEL: ${del.join(', ')}`);

  const sameAs = async (expected: readonly string[], what: string): Promise<void> =>
    assert.deepEqual(differences(await world.state(), expected), [], what);
  /** Links go after the answer. */
  const gone = async (what: string): Promise<void> => {
    const isEmpty = async () => differences(await world.state(), empty).length === 0;
    await waitFor('nothing to be left', isEmpty, DEADLINE).catch(() => sameAs(empty, what));
  };
  /** As a runtime does it: again, or, where the ADD had been complete, with a DEL before. */
  const retryAdd = async (what: string): Promise<void> => {
    const again = await runtime.call({ command: 'ADD', ...id });
    if (again.exitCode === 0) return;
    assert.equal(codeOf(again), 100, `${what}: ${again.stdout}`);
    succeeded(await runtime.call({ command: 'DEL', ...id }), what);
    succeeded(await runtime.call({ command: 'ADD', ...id }), what);
  };

  await t.test('the agent, after each effect of ADD', async () => {
    for (const name of ['journal assign', 'create link', 'set kernel parameters', 'commit rules', 'set route']) {
      assert.ok(add.includes(name), name);
    }
    for (let after = 0; after <= add.length; after++) {
      const what = `killed after ${after} effects of ADD (${add[after - 1] ?? 'none'})`;
      plan({ verb: 'add', after });
      const answer = await runtime.call({ command: 'ADD', ...id });
      await world.agentIsDead(what);
      // The answer is the last effect: it may have arrived, or not.
      if (answer.exitCode !== 0) assert.equal(codeOf(answer), 11, what);
      else assert.equal(after, add.length, what);
      await node.start();
      const isComplete = after >= add.indexOf('journal amend') + 1;
      const check = await runtime.call({ command: 'CHECK', ...id });
      if (isComplete) succeeded(check, what);
      else assert.match(check.stdout, after === 0 ? /"code":3,/ : /its ADD did not end/, what);
      if (answer.exitCode !== 0) await retryAdd(what);
      succeeded(await runtime.call({ command: 'CHECK', ...id, config: { prevResult: {} } }), what);
      await sameAs(attached, what);
      succeeded(await runtime.call({ command: 'DEL', ...id }), what);
      await gone(what);
    }
  });

  await t.test(
    'the agent in an ADD that nobody repeats: a DEL, also one without an agent, takes all of it',
    async () => {
      for (const [n, name] of ['create link', 'commit rules', 'set route'].entries()) {
        plan({ verb: 'add', after: add.indexOf(name) + 1 });
        assert.equal(codeOf(await runtime.call({ command: 'ADD', ...id })), 11, name);
        await world.agentIsDead(name);
        const isSpooled = n % 2 === 0;
        if (!isSpooled) await node.start();
        succeeded(await runtime.call({ command: 'DEL', ...id }), name);
        if (isSpooled) await node.start();
        await gone(name);
      }
    },
  );

  await t.test('the agent, after each effect of DEL', async () => {
    for (const name of ['commit rules', 'delete route', 'set link', 'journal release']) {
      assert.ok(del.includes(name), name);
    }
    for (let after = 0; after <= del.length; after++) {
      const what = `killed after ${after} effects of DEL (${del[after - 1] ?? 'none'})`;
      succeeded(await runtime.call({ command: 'ADD', ...id }), what);
      plan({ verb: 'del', after });
      succeeded(await runtime.call({ command: 'DEL', ...id }), what);
      await world.agentIsDead(what);
      if (after < del.length) assert.equal(spooled(node).length, 1, what);
      await node.start();
      await gone(what);
    }
  });

  const points = [...readFileSync(SHIM_SOURCE, 'utf8').matchAll(/fault_point\("([^"]+)"\)/g)].map(
    ([, name = '']) => name,
  );
  const killable = cniCaller({ ...cniPathsOf(node), executable: cniExecutable('faults') });
  const killed = async (command: string, point = ''): Promise<boolean> => {
    const { exitCode } = await killable.call({ command, ...id, environment: { MARGAY_FAULT: point } });
    return exitCode === null;
  };

  await t.test('the executable, at each of its points', async () => {
    const reached = { ADD: 0, DEL: 0 };
    for (const point of points) {
      const what = `executable killed at "${point}"`;
      if (await killed('ADD', point)) reached.ADD++;
      else succeeded(await runtime.call({ command: 'DEL', ...id }), what);
      await retryAdd(what);
      await sameAs(attached, what);
      if (await killed('DEL', point)) reached.DEL++;
      succeeded(await runtime.call({ command: 'DEL', ...id }), what);
      await gone(what);
    }
    // Around connecting, and after sending and receiving; the others are those of the spool.
    assert.deepEqual(reached, { ADD: 4, DEL: 4 });
  });

  await t.test('the executable without an agent: a DEL is on disk completely or not at all', async () => {
    succeeded(await runtime.call({ command: 'ADD', ...id }));
    await node.kill();
    let reached = 0;
    for (const point of points) {
      if (await killed('DEL', point)) reached++;
      succeeded(await runtime.call({ command: 'DEL', ...id }), point);
      assert.equal(spooled(node).filter(isComplete).length, 1, point);
    }
    assert.equal(reached, points.length - 3);
    await node.start();
    await waitFor('the spool to be carried out', () => !spooled(node).some(isComplete), DEADLINE);
    // Unfinished files of a killed executable are swept once they are minutes old.
    for (const name of spooled(node)) rmSync(join(cniPathsOf(node).spool, name));
    await gone('the spool');
  });
});

const isComplete = (name: string): boolean => !name.startsWith('.');

type World = {
  readonly node: AgentNode;
  readonly runtime: CniCaller;
  readonly id: { readonly containerId: string; readonly netns: string; readonly pod: string };
  readonly state: () => Promise<readonly string[]>;
  /** What the agent shall do in its next such verb. */
  readonly plan: (plan: FaultPlan) => void;
  /** The effects of a verb that `call` calls. */
  readonly effectsOf: (verb: FaultPlan['verb'], call: () => Promise<void>) => Promise<readonly string[]>;
  readonly agentIsDead: (what: string) => Promise<void>;
};

async function createWorld(t: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'margay-killed-'));
  process.env['MARGAY_FAULTS'] = join(folder, 'plan');
  // The agent is started some thirty times.
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
  const node = await agentNode(t, {}, ['--import', FAULT_POINTS]);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const object of [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'web', labels: { app: 'web' } },
      spec: { nodeName: 'node1' },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name: 'web' },
      spec: { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ podSelector: {} }] }] },
    },
  ]) {
    await node.create(object);
  }
  await node.start();
  const pod = await testNetns(t, 'pod');
  const plan = (wanted: FaultPlan): void => writeFileSync(join(folder, 'plan'), JSON.stringify(wanted));
  return {
    node,
    runtime: cniCaller(cniPathsOf(node)),
    id: { containerId: 'c1', netns: pod.path, pod: 'web' },
    state: () => cniState(node, pod),
    plan,
    effectsOf: async (verb, call) => {
      const trace = join(folder, `trace-${verb}`);
      plan({ verb, trace });
      await call();
      await waitFor('the trace', () => existsSync(trace), DEADLINE);
      return JSON.parse(readFileSync(trace, 'utf8')) as readonly string[];
    },
    agentIsDead: async (what) => {
      const isDead = (): Promise<boolean> =>
        node.status().then(
          () => false,
          () => true,
        );
      await waitFor(`the agent to be dead: ${what}`, isDead, DEADLINE);
      await node.kill();
    },
  };
}

function succeeded(answer: CniOutcome, what = ''): void {
  assert.equal(answer.exitCode, 0, `${what}: ${answer.stdout}`);
}

const codeOf = ({ stdout }: CniOutcome): number => JSON.parse(stdout).code;
