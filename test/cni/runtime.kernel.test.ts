// Real containers: Debian's containerd and runc start them through the list that `margay cni install` writes, with portmap
// and bandwidth of the reference plugins behind us, and tuning by hand.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniRuntime, type ListOptions, withCniRuntime } from '../support/cni-runtime.ts';
import type { PodConfig } from '../support/cri.ts';
import { margay } from '../support/margay-cli.ts';
import { getOverHttp, outsideHost } from '../support/outside-host.ts';

const TUNING = { type: 'tuning', sysctl: { 'net.ipv4.tcp_keepalive_time': '77' } };

test('containers start, talk, are kept apart by policy and leave nothing', (t) =>
  withRuntime(t, { behind: [TUNING] }, async ({ node, runtime }) => {
    const web = await createPod({ node, runtime }, 'web', { ports: [{ containerPort: 80, hostPort: 8080 }] });
    const client = await createPod({ node, runtime }, 'client');
    const [webIp = ''] = await runtime.addresses(web);
    const [clientIp = ''] = await runtime.addresses(client);
    assert.match(webIp, /^10\.244\./);
    const fetch = () => runtime.exec(client, ...getOverHttp(webIp, 80));
    assert.equal(await firstAnswer(fetch), 'box\n');
    assert.match(await runtime.exec(web, '/bin/cat', '/proc/sys/net/ipv4/tcp_keepalive_time'), /^77$/m);
    assert.match(await runtime.exec(client, 'ip', 'address'), new RegExp(`${clientIp}/32 .*eth0`));

    // From another host of the segment to the host port, which portmap translates.
    const outside = await outsideHost(t, node.netns);
    const fetchOutside = () => outside.exec(...getOverHttp('203.0.113.1', 8080));
    assert.equal(await firstAnswer(fetchOutside), 'box\n');

    await node.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name: 'closed' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    for (const each of [fetch, fetchOutside]) {
      await waitFor('policy to close the pod', () =>
        each().then(
          () => false,
          () => true,
        ),
      );
    }

    await journalAndRuntime(node, runtime);
    for (const id of [web, client]) await runtime.removePod(id);
    await nothingLeft(node, runtime);
  }));

test('limits and host port of a pod are in force by the list as it was installed', (t) =>
  withRuntime(t, { installOptions: ['--require', 'portmap', 'bandwidth', 'loopback'] }, async ({ node, runtime }) => {
    const web = await createPod({ node, runtime }, 'web', {
      ports: [{ containerPort: 80, hostPort: 8080 }],
      annotations: { 'kubernetes.io/ingress-bandwidth': '8M', 'kubernetes.io/egress-bandwidth': '16M' },
    });
    const shaping = await node.netns.exec('tc', 'qdisc');
    assert.match(shaping, new RegExp(`qdisc tbf .* dev ${hostIfName('shop', 'web')} root .* rate 8Mbit`));
    assert.match(shaping, /qdisc tbf .* dev bwp\S+ root .* rate 16Mbit/);
    const outside = await outsideHost(t, node.netns);
    assert.equal(await firstAnswer(() => outside.exec(...getOverHttp('203.0.113.1', 8080))), 'box\n');
    await runtime.removePod(web);
    await nothingLeft(node, runtime);
  }));

test('a list that also allows 1.1.0 starts pods in a runtime that does not know it, one that is in 1.1.0 does not', async (t) => {
  const plugins = ['loopback'];
  await withRuntime(t, { plugins }, async ({ node, runtime }) => {
    const pod = await createPod({ node, runtime }, 'web');
    assert.match((await runtime.addresses(pod)).join(), /^10\.244\./);
    await runtime.removePod(pod);
    await nothingLeft(node, runtime);
  });
  await withRuntime(t, { plugins, installOptions: ['--cni-version', '1.1.0'] }, async ({ node, runtime }) => {
    await assert.rejects(createPod({ node, runtime }, 'web'), /unsupported CNI result version "1\.1\.0"/);
    await nothingLeft(node, runtime);
  });
});

test('sixty containers start in parallel', (t) =>
  withRuntime(t, {}, async ({ node, runtime }) => {
    const names = Array.from({ length: 60 }, (_, n) => `p${n}`);
    const began = performance.now();
    const ids = await Promise.all(names.map((name) => createPod({ node, runtime }, name)));
    t.diagnostic(`60 sandboxes in ${Math.round(performance.now() - began)} ms`);
    const addresses = (await Promise.all(ids.map((id) => runtime.addresses(id)))).flat();
    assert.equal(new Set(addresses).size, 60);
    const [first = ''] = ids;
    const answer = await firstAnswer(() => runtime.exec(first, ...getOverHttp(addresses[59] ?? '', 80)));
    assert.equal(answer, 'box\n');
    await Promise.all(ids.map((id) => runtime.removePod(id)));
    await nothingLeft(node, runtime);
  }));

/** A container has been started before its program listens: until then there is a failure, or nothing. */
const firstAnswer = (fetch: () => Promise<string>): Promise<string> =>
  waitFor('the server to answer', async () => (await fetch().catch(() => '')) || undefined, { timeoutMs: 60_000 });

/** `margay ipam check` asks the runtime too, over its socket. */
async function journalAndRuntime(node: AgentNode, runtime: CniRuntime): Promise<void> {
  const directory = dirname(dirname(node.controlSocket));
  const source = ['--datastore', join(directory, 'datastore.db'), '--agent', node.controlSocket];
  const check = (...more: readonly string[]) => margay(['ipam', 'check', ...source, ...more]).stdout;
  assert.equal(check('--runtime', runtime.socket), 'no difference between datastore and 1 agent\n');
  // Of a container that the runtime never had: nothing else can tell.
  const stray = await node.addPod('shop', 'stray');
  assert.equal(check(), 'no difference between datastore and 1 agent\n');
  assert.match(
    check('--runtime', runtime.socket),
    new RegExp(`^leaked-address: ${stray.ip} of pod "shop/stray" .* has no such container.*\n1 difference between`),
  );
  assert.equal((await stray.cni('DEL')).code, 0);
  assert.match(
    check('--runtime', join(directory, 'nothing')),
    /^not-checked: Cannot ask the container runtime at ".*nothing": nothing answers, expected a CRI socket\n/,
  );
}

async function withRuntime(
  t: TestContext,
  options: ListOptions,
  work: (world: { readonly node: AgentNode; readonly runtime: CniRuntime }) => Promise<void>,
): Promise<void> {
  const node = await agentNode(t);
  await node.start();
  await withCniRuntime(node, options, (runtime) => work({ node, runtime }));
}

async function createPod(
  { node, runtime }: { readonly node: AgentNode; readonly runtime: CniRuntime },
  name: string,
  more: Partial<PodConfig> = {},
): Promise<string> {
  await node.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name },
    spec: { nodeName: 'node1' },
  });
  // The datastore gives the uid, which the runtime passes on to us.
  const uid = (await node.store.get('Pod', 'shop', name))?.metadata.uid ?? '';
  return await runtime.runPod({ namespace: 'shop', name, uid, ...more });
}

/** No link, no route, no rule and no address of a pod, neither ours nor of the plugins behind us. */
async function nothingLeft(node: AgentNode, runtime: CniRuntime): Promise<void> {
  await waitFor('the links to be gone', async () => !/mgy[0-9a-f]{11}/.test(await node.netns.exec('ip', '-o', 'link')));
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), /mgy/);
  const nat = await node.netns.exec('iptables-save', '-t', 'nat');
  assert.doesNotMatch(nat, /--dport 8080|CNI-DN-/);
  assert.doesNotMatch(await node.netns.exec('tc', 'qdisc'), /tbf|ingress|mgy/);
  assert.doesNotMatch(await node.netns.exec('ip', '-o', 'link', 'show', 'type', 'ifb'), /./);
  const { endpoints } = await node.status();
  assert.deepEqual(endpoints, []);
  assert.deepEqual(readdirSync(runtime.netnsDirectory), []);
}
