// Many pods at once on one node: a hundred that come while a hundred go, and more than one block can serve.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { askAgent } from '../../cli/ipam/ask-agent.ts';
import { ipamViewSchema } from '../../ipam/view.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniCaller, type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';

const run = promisify(execFile);
const DEADLINE = { timeoutMs: 120_000 };
/** A /24 and some. */
const PODS = 260;

test('a hundred pods come while a hundred go, and 260 live on one node', async (t) => {
  const node = await agentNode(t);
  const netns = await namespaces(t, PODS);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'even' },
    spec: { podSelector: { matchLabels: { parity: 'even' } }, ingress: [{ from: [{ podSelector: {} }] }] },
  });
  for (let n = 0; n < PODS; n++) {
    await node.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: `p${n}`, labels: { parity: n % 2 === 0 ? 'even' : 'odd' } },
      spec: { nodeName: 'node1' },
    });
  }
  await node.start();
  const { call } = cniCaller(cniPathsOf(node));
  const all = netns.map((path, n) => ({ containerId: `c${n}`, netns: path, pod: `p${n}` }));
  const on = (command: string, ids: readonly object[]) => ids.map((id) => call({ command, ...id }));
  const said = async (what: string): Promise<void> =>
    t.diagnostic(`${what}: ${JSON.stringify((await node.status())['loop'])}`);
  const [first, second, rest] = [all.slice(0, 100), all.slice(100, 200), all.slice(200)];

  everyOne(await Promise.all(on('ADD', first)));
  await said('100 ADD');
  // Each DEL twice, as a runtime does that lost the answer.
  everyOne(await Promise.all([...on('DEL', first), ...on('ADD', second), ...on('DEL', first)]));
  await said('100 ADD with 200 DEL');
  assert.deepEqual([...(await held(node)).keys()].sort(), handlesOf(second));

  everyOne(await tenAtATime([...first, ...rest], (id) => call({ command: 'ADD', ...id })));
  await said('160 ADD, ten at a time');
  const holders = await held(node);
  assert.deepEqual([...holders.keys()].sort(), handlesOf(all));
  assert.equal(new Set(holders.values()).size, PODS);
  const blocks = (await node.status())['blocks'];
  assert.ok(Array.isArray(blocks) && blocks.length === 2, JSON.stringify(blocks));
  const routes = (await node.netns.exec('ip', 'route', 'show', 'proto', '177'))
    .split('\n')
    .filter((line) => /mgy/.test(line));
  assert.deepEqual(routes.map((line) => line.split(' ')[0]).sort(), [...holders.values()].sort());
  everyOne(await tenAtATime(second, (id) => call({ command: 'CHECK', ...id, config: { prevResult: {} } })));
  await said('100 CHECK');

  everyOne(await Promise.all(on('DEL', all)));
  await said('260 DEL');
  assert.deepEqual(await held(node), new Map());
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), /mgy/);
  const table = () => node.netns.exec('nft', 'list', 'table', 'inet', 'margay');
  assert.doesNotMatch(await table(), /10\.244\./);
  for (const { pod } of all) await node.store.delete('Pod', 'shop', pod);
  await waitFor('the rules of the Pods to go', async () => !/mgy[0-9a-f]/.test(await table()), DEADLINE);
  await waitFor('the links to go', async () => !/mgy/.test(await node.netns.exec('ip', '-o', 'link')), DEADLINE);
  await said('all gone');
});

/** Address by handle, as the journal has it. */
async function held({ controlSocket }: AgentNode): Promise<ReadonlyMap<string, string>> {
  const view = ipamViewSchema.parse(JSON.parse(await askAgent(controlSocket, 'GET', '/v1/ipam')));
  return new Map(view.assignments.map(({ assignment: { handle, ips } }) => [handle, ips.join()]));
}

const handlesOf = (ids: readonly { readonly containerId: string }[]): readonly string[] =>
  ids.map(({ containerId }) => `margay.${containerId}.eth0`).sort();

function everyOne(answers: readonly CniOutcome[]): void {
  assert.deepEqual(
    answers.filter(({ exitCode }) => exitCode !== 0),
    [],
  );
}

async function tenAtATime<T>(items: readonly T[], each: (item: T) => ReturnType<CniCaller['call']>) {
  const left = [...items];
  const answers: CniOutcome[] = [];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) answers.push(await each(item));
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  return answers;
}

/** Made and removed by one program; the name says whose they are, so that they are swept if this process is killed. */
async function namespaces(t: TestContext, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, n) => `mgyt-${process.pid}-many-${n}`);
  const batch = async (verb: 'add' | 'del'): Promise<void> => {
    const file = join(tmpdir(), `margay-many-${process.pid}-${verb}`);
    writeFileSync(file, names.map((name) => `netns ${verb} ${name}\n`).join(''));
    await run('ip', ['-batch', file]);
    await run('rm', [file]);
  };
  await batch('add');
  t.after(() => batch('del'));
  return names.map((name) => `/run/netns/${name}`);
}
