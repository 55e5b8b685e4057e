// What outlives the death of a program: traffic, rules, routes and sessions when the agent is killed; routes when gobgpd
// is; pods when the runtime is. On a lab of two nodes, with a TCP stream running between them all the time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { agentStatus } from '../../lab/agent.ts';
import { isAsExpected } from '../../lab/cell.ts';
import { kernelRoutes } from '../../lab/demo/checks.ts';
import { inside, run } from '../../lab/exec.ts';
import { readRelevant, worldOf } from '../../lab/expected.ts';
import { observe, planMatrix } from '../../lab/matrix.ts';
import { labFiles, nodeNetns, torNetns } from '../../lab/paths.ts';
import { deletePod, findSandbox, runPod } from '../../lab/pods.ts';
import { signal } from '../../lab/processes.ts';
import type { LabSpec } from '../../lab/spec.ts';
import { requireLab } from '../../lab/state.ts';
import { labStatus } from '../../lab/status.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { withoutOwnerName } from '../support/without-owner-name.ts';
import { labName, margayOk } from './lab-cli.ts';
import type { StreamReport } from './stream.ts';

const PATIENCE = { timeoutMs: 30_000, everyMs: 20 };

test('a running cluster outlives its programs', async (t) => {
  const lab = await labName(t);
  await margayOk('lab', 'up', '--name', lab, '--nodes', '2');
  const spec = requireLab(lab);
  const store = openEmbeddedStore({ path: labFiles(lab).datastore, missing: 'refuse' });
  t.after(() => store.close());
  const pod = (name: string, node: string) =>
    runPod(store, { name, namespace: 'default', node, labels: { app: name }, ports: [{ port: 80, protocol: 'TCP' }] });
  const [, server] = await Promise.all([pod('client', 'node1'), pod('server', 'node2'), pod('stranger', 'node1')]);
  await store.create(unwrap(parseResource(ONLY_CLIENT)));
  const matrix = async (): Promise<void> => {
    const objects = await readRelevant(store);
    const pods = objects.filter((object) => object.kind === 'Pod');
    const cells = await observe(lab, planMatrix(worldOf(objects), pods));
    const wrong = cells.filter((cell) => !isAsExpected(cell));
    if (wrong.length > 0) assert.fail(JSON.stringify({ wrong, ...(await facts(spec)) }, undefined, 2));
    assert.equal(cells.filter(({ expected }) => expected === 'deny').length, 1);
  };
  await waitFor(
    'the policy',
    () =>
      matrix().then(
        () => true,
        () => false,
      ),
    PATIENCE,
  );
  const stream = await startStream(lab, 'client', server?.status?.podIP ?? '');

  await t.test('the agents are killed', (step) => killAgents(step, spec, matrix));
  await t.test('gobgpd of a node is killed', () => killGobgpd(spec, matrix));
  await t.test('the runtime is killed', async () => {
    const before = await labStatus(spec);
    kill(before.runtime.pid);
    await waitFor('the runtime', async () => isNew(before.runtime.pid, (await labStatus(spec)).runtime.pid), PATIENCE);
    await pod('late', 'node2');
    const after = await labStatus(spec);
    assert.deepEqual(
      after.pods.filter(({ name }) => name !== 'late'),
      before.pods,
    );
  });
  await t.test('a pod is deleted while its agent is down', async () => {
    const ip = findSandbox(lab, 'default', 'late')?.ips[0] ?? '';
    const hasRoute = async (): Promise<boolean> =>
      (await kernelRoutes(lab, nodeNetns(lab, 'node2'))).some(({ dst }) => dst === ip);
    assert.equal(await hasRoute(), true);
    await margayOk('lab', 'agent', 'stop', 'node2', '--name', lab);
    await deletePod(store, lab, 'default', 'late');
    await margayOk('lab', 'agent', 'start', 'node2', '--name', lab);
    await waitFor('its route to go', async () => !(await hasRoute()), PATIENCE);
    const known = (await agentStatus(lab, 'node2'))?.endpoints.map(({ pod: name }) => name);
    assert.deepEqual(known, ['server']);
    await matrix();
  });
  const { sent, echoed, error, longestGapMs } = await stream.stop();
  t.diagnostic(`stream: ${echoed} lines, longest gap ${longestGapMs.toFixed(0)} ms`);
  assert.equal(error, null);
  assert.equal(echoed, sent);
  assert.ok(echoed > 500);
});

const ONLY_CLIENT = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'only-client', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: 'server' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
  },
};

async function killAgents(t: TestContext, spec: LabSpec, matrix: () => Promise<void>): Promise<void> {
  const before = await facts(spec);
  for (const { agent } of before.status.nodes) kill(agent.pid);
  await matrix();
  const dead = await facts(spec);
  assert.equal(dead.rules, before.rules, 'rules without agents');
  assert.deepEqual(dead.routes, before.routes, 'routes without agents');
  await waitFor(
    'the agents',
    async () =>
      (await labStatus(spec)).nodes.every(
        ({ agent, ready }, index) => ready && isNew(before.status.nodes[index]?.agent.pid, agent.pid),
      ),
    PATIENCE,
  );
  await waitFor('the sessions to be known', () => allEstablished(spec), PATIENCE);
  await matrix();
  const after = await facts(spec);
  assert.deepEqual(after.routes, before.routes, 'routes after the restart');
  assert.deepEqual(
    after.peers.map(({ address, flaps }) => ({ address, flaps })),
    before.peers.map(({ address, flaps }) => ({ address, flaps })),
  );
  for (const [index, { address, uptimeSeconds }] of after.peers.entries()) {
    assert.ok(uptimeSeconds > (before.peers[index]?.uptimeSeconds ?? 0), `session to ${address} was reset`);
  }
  t.diagnostic(`${after.peers.length} sessions kept`);
}

async function killGobgpd(spec: LabSpec, matrix: () => Promise<void>): Promise<void> {
  const before = await facts(spec);
  const [node] = before.status.nodes;
  kill(node?.gobgpd.pid);
  await matrix();
  // The ToR's BIRD deletes the routes of a gobgpd that is back, and adds them at once: what was missed is looked at again.
  // Routes that went with the old session would be away for a second at least, until BIRD calls.
  const routesNow = async () => {
    const { routes } = await facts(spec);
    return isDeepStrictEqual(routes, before.routes) ? routes : (await facts(spec)).routes;
  };
  assert.deepEqual(await routesNow(), before.routes, 'routes without gobgpd');
  await waitFor(
    'a new gobgpd with all sessions',
    async () => {
      assert.deepEqual(await routesNow(), before.routes, 'routes while the sessions come back');
      const gobgpd = (await labStatus(spec)).nodes[0]?.gobgpd.pid;
      return isNew(node?.gobgpd.pid, gobgpd) && (await allEstablished(spec));
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  await waitFor(
    'everything to be advertised again',
    async () => {
      const status = await agentStatus(spec.name, 'node1');
      return status?.bgp.peers.every((peer) => Number(peer['advertised']) >= 1);
    },
    PATIENCE,
  );
  await matrix();
  assert.deepEqual(await routesNow(), before.routes);
}

/** What must not change: rules of all nodes as text, routes of nodes and ToR, and the sessions as the agents know them. */
async function facts(spec: LabSpec) {
  const { name: lab, nodes } = spec;
  const rules = await Promise.all(
    nodes.map(async ({ name }) =>
      withoutOwnerName(await run(lab, inside(nodeNetns(lab, name), ['nft', '-s', 'list', 'table', 'inet', 'margay']))),
    ),
  );
  const routes = await Promise.all(
    [torNetns(lab), ...nodes.map(({ name }) => nodeNetns(lab, name))].map((netns) => kernelRoutes(lab, netns)),
  );
  const statuses = await Promise.all(nodes.map(({ name }) => agentStatus(lab, name)));
  const peers = statuses.flatMap((status) =>
    (status?.bgp.peers ?? []).map(({ address, flaps, uptimeSeconds }) => ({
      address,
      flaps,
      uptimeSeconds: Number(uptimeSeconds),
    })),
  );
  return {
    status: await labStatus(spec),
    // The table's first lines say whether its owner lives.
    rules: rules.join('\n').replace(/^table (\S+ \S+) \{.*\n(\tflags.*\n)?/gm, 'table $1 {\n'),
    routes: routes.map((table) => table.map((route) => JSON.stringify(route)).toSorted()),
    peers: peers.toSorted((a, b) => (a.address < b.address ? -1 : 1)),
  };
}

async function allEstablished(spec: LabSpec): Promise<boolean> {
  const { nodes } = await labStatus(spec);
  return nodes.every(({ bgp }) => bgp?.peers === spec.nodes.length && bgp.established === bgp.peers);
}

async function startStream(lab: string, pod: string, ip: string) {
  const sandbox = findSandbox(lab, 'default', pod);
  const [program, ...args] = inside(sandbox?.netns ?? '', [
    process.execPath,
    join(import.meta.dirname, 'stream.ts'),
    ip,
    '80',
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'streaming');
  return {
    stop: async (): Promise<StreamReport> => {
      child.kill('SIGTERM');
      const { value } = await lines.next();
      await once(child, 'close');
      return JSON.parse(String(value)) as StreamReport;
    },
  };
}

function kill(pid: number | undefined): void {
  assert.ok(pid !== undefined && signal(pid, 'SIGKILL'), `process ${pid} is not there to be killed`);
}

const isNew = (before: number | undefined, now: number | undefined): boolean => now !== undefined && now !== before;
