// All verbs in all versions through the real executable and the real agent, as cnitool would call them: what is answered,
// what CHECK finds, which errors have which number, and plugins of others behind ours.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniCall, type CniCaller, type CniOutcome, cniCaller, cniExecutable } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const DEADLINE = { timeoutMs: 60_000 };

test('verbs, versions, CHECK and errors', async (t) => {
  // Open to others, so that rules can be damaged too.
  const node = await agentNode(t, { tableOwner: 'off' });
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const world: World = { node, pod: await testNetns(t, 'pod'), ...cniCaller(cniPathsOf(node)) };
  for (const version of VERSIONS) await t.test(`all verbs in ${version}`, () => allVerbs(world, version));
  await t.test('CHECK names each thing that is damaged', (t) => damages(t, world));
  await t.test('errors have the number of the specification and say what to do', (t) => errors(t, world));
});

type World = CniCaller & { readonly node: AgentNode; readonly pod: TestNetns };

async function allVerbs({ call, pod }: World, cniVersion: string): Promise<void> {
  const id = { containerId: `v${cniVersion}`, netns: pod.path, pod: 'web' };
  const verb = (command: string, config: Readonly<Record<string, unknown>> = {}): Promise<CniOutcome> =>
    call({ command, ...id, config: { cniVersion, ...config } });
  const silent = async (command: string, config?: Readonly<Record<string, unknown>>): Promise<void> =>
    assert.equal(succeeded(await verb(command, config)), '', command);
  const unlessOlderThan = async (since: string, command: string, config?: Readonly<Record<string, unknown>>) => {
    if (VERSIONS.indexOf(cniVersion) >= VERSIONS.indexOf(since)) return silent(command, config);
    const error = failed(await verb(command, config));
    assert.deepEqual([error.code, error.cniVersion], [1, cniVersion], command);
  };
  const about = JSON.parse(succeeded(await verb('VERSION')));
  assert.deepEqual(about, { cniVersion, supportedVersions: VERSIONS });
  await unlessOlderThan('1.1.0', 'STATUS');
  // For what was never there.
  await silent('DEL');

  const prevResult = JSON.parse(succeeded(await verb('ADD')));
  assert.equal(prevResult.cniVersion, cniVersion);
  assert.equal(prevResult.ips.length, 1);
  assert.equal(failed(await verb('ADD')).code, 100);
  await unlessOlderThan('0.4.0', 'CHECK', { prevResult });
  const listed = [{ containerID: id.containerId, ifname: 'eth0' }];
  await unlessOlderThan('1.1.0', 'GC', { 'cni.dev/valid-attachments': listed });
  await unlessOlderThan('0.4.0', 'CHECK', { prevResult });
  if (cniVersion === '1.1.0') {
    await silent('GC', { 'cni.dev/valid-attachments': [] });
    assert.equal(failed(await verb('CHECK', { prevResult })).code, 3);
  }
  await silent('DEL', { prevResult });
  await silent('DEL');
  await waitFor('the link to go', async () => !/eth0/.test(await pod.exec('ip', '-o', 'link')), DEADLINE);
}

/** `HOST` and `IP` stand for the pod's link on the node and its address. */
const DAMAGES: readonly {
  readonly name: string;
  readonly where: 'node' | 'pod';
  readonly given: string;
  readonly expected: RegExp;
}[] = [
  { name: 'MAC', where: 'pod', given: 'ip link set eth0 address 02:00:00:00:00:09', expected: /MAC 02:00:00:00:00:09/ },
  { name: 'MTU', where: 'pod', given: 'ip link set eth0 mtu 1300', expected: /MTU 1300, expected 1500/ },
  { name: 'state', where: 'pod', given: 'ip link set eth0 down', expected: /interface eth0 is down/ },
  { name: 'address', where: 'pod', given: 'ip addr flush dev eth0', expected: /address IP\/32 is missing/ },
  { name: 'route', where: 'pod', given: 'ip route del default', expected: /route 0\.0\.0\.0\/0 by eth0 is missing/ },
  {
    name: 'gateway',
    where: 'pod',
    given: 'ip neigh flush nud permanent dev eth0',
    expected: /neighbour 169\.254\.1\.1/,
  },
  { name: 'host end', where: 'node', given: 'ip link set HOST down', expected: /host interface HOST is down/ },
  {
    name: 'MAC of the host end',
    where: 'node',
    given: 'ip link set HOST address 02:00:00:00:00:09',
    expected: /host interface HOST has MAC/,
  },
  {
    name: 'kernel parameter',
    where: 'node',
    given: 'echo 0 >/proc/sys/net/ipv4/conf/HOST/proxy_arp',
    expected: /proxy_arp is 0, expected 1/,
  },
  { name: 'host route', where: 'node', given: 'ip route del IP proto 177', expected: /route to "IP" is missing/ },
  {
    name: 'set element',
    where: 'node',
    given: 'nft delete element inet margay ep_addr4 { HOST . IP }',
    expected: /nftables ".*" is missing or changed/,
  },
  { name: 'pod end', where: 'pod', given: 'ip link set eth0 name eth9', expected: /interface eth0 is missing/ },
];

async function damages(t: TestContext, { node, pod, call }: World): Promise<void> {
  for (const [n, { name, where, given, expected }] of DAMAGES.entries()) {
    await t.test(name, async () => {
      const id = { containerId: `damaged-${n}`, netns: pod.path, pod: 'web' };
      const prevResult = JSON.parse(succeeded(await call({ command: 'ADD', ...id })));
      const words = { HOST: prevResult.interfaces[0].name, IP: prevResult.ips[0].address.split('/')[0] };
      const named = (text: string): string => text.replaceAll('HOST', words.HOST).replaceAll('IP', words.IP);
      const check = (): Promise<CniOutcome> => call({ command: 'CHECK', ...id, config: { prevResult } });
      // What was damaged before may not be put right yet.
      await waitFor('all to be well', async () => (await check()).exitCode === 0, DEADLINE);
      const expectation = new RegExp(named(expected.source));
      // What the agent watches is repaired within moments, and not so soon when it is damaged again and again. It may see
      // the damage put right but not what came of it.
      await waitFor(
        'CHECK to see it',
        async () => {
          await (where === 'node' ? node.netns : pod).exec('sh', '-c', named(given)).catch(() => undefined);
          const answer = await check();
          if (answer.exitCode === 0) return false;
          const { code, msg, details } = failed(answer);
          assert.equal(code, 105);
          return expectation.test(`${msg}; ${details}`);
        },
        DEADLINE,
      );
      await pod.exec('sh', '-c', 'ip link set eth9 name eth0 2>/dev/null || true');
      assert.equal(succeeded(await call({ command: 'DEL', ...id })), '');
      await waitFor('the link to go', async () => !/eth\d/.test(await pod.exec('ip', '-o', 'link')), DEADLINE);
    });
  }
}

async function errors(t: TestContext, { node, pod, call }: World): Promise<void> {
  const id = { containerId: 'wrong', netns: pod.path, pod: 'web' };
  const holder = await (await node.sandbox('shop', 'holder')).add();
  const { hostIfName, cni } = await (await node.sandbox('shop', 'blocked')).add();
  await cni('DEL');
  const isGone = async (): Promise<boolean> => !(await node.netns.exec('ip', '-o', 'link')).includes(hostIfName);
  await waitFor('the link to go', isGone, DEADLINE);
  await node.netns.exec('ip', 'link', 'add', hostIfName, 'type', 'bridge');
  const rows: readonly { readonly name: string; readonly given: CniCall; readonly expected: number }[] = [
    { name: 'a version of the future', given: { command: 'ADD', ...id, config: { cniVersion: '9.0.0' } }, expected: 1 },
    {
      name: 'addresses from another plugin',
      given: { command: 'ADD', ...id, config: { ipam: { type: 'host-local' } } },
      expected: 2,
    },
    { name: 'CHECK of nobody', given: { command: 'CHECK', ...id, containerId: 'nobody' }, expected: 3 },
    { name: 'no container id', given: { command: 'ADD', netns: pod.path, pod: 'web' }, expected: 4 },
    {
      name: 'no JSON',
      given: { command: 'ADD', ...id, stdin: `{"agentSocket":"${cniPathsOf(node).socket}"` },
      expected: 6,
    },
    { name: 'an MTU of a letter', given: { command: 'ADD', ...id, config: { mtu: 'x' } }, expected: 7 },
    { name: 'no namespace', given: { command: 'ADD', ...id, netns: '/run/netns/never-was' }, expected: 8 },
    {
      name: 'an address that somebody has',
      given: { command: 'ADD', ...id, config: { args: { cni: { ips: [holder.ip] } } } },
      expected: 101,
    },
    {
      name: 'a pool that is not there',
      given: { command: 'ADD', ...id, config: { ipam: { ipv4_pools: ['nowhere'] } } },
      expected: 102,
    },
    { name: 'a pod name that another link has', given: { command: 'ADD', ...id, pod: 'blocked' }, expected: 103 },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, async () => {
      const error = failed(await call(given));
      assert.equal(error.code, expected, JSON.stringify(error));
      assert.match(error.msg, /^Cannot /);
      assert.match(`${error.msg} ${error.details ?? ''}`, /expected|must be|Add an|Create an|but /, 'what to do');
      assert.doesNotMatch(await pod.exec('ip', '-o', 'link'), /eth0/);
    });
  }
  await node.netns.exec('ip', 'link', 'del', hostIfName);
  await t.test('standard input that cannot be read', async () => {
    const directory = openSync('/', 'r');
    const child = spawn(cniExecutable(), [], { env: { CNI_COMMAND: 'ADD' }, stdio: [directory, 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const [exitCode] = await once(child, 'close');
    closeSync(directory);
    assert.equal(failed({ exitCode, stdout, ms: 0 }).code, 5);
  });
  await t.test('a node without a block is not ready, and one without an agent neither', async () => {
    await node.kill();
    const absent = failed(await call({ command: 'STATUS' }));
    assert.equal(absent.code, 50);
    assert.equal(failed(await call({ command: 'ADD', ...id })).code, 11);
    await node.start();
    assert.equal(succeeded(await call({ command: 'STATUS' })), '');
  });
}

function succeeded({ exitCode, stdout }: CniOutcome): string {
  assert.equal(exitCode, 0, stdout);
  return stdout;
}

function failed({ exitCode, stdout }: CniOutcome): {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details: string;
} {
  assert.equal(exitCode, 1, stdout);
  return JSON.parse(stdout);
}
