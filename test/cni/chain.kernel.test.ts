// Lists in which Debian's reference plugins stand behind ours, in every version that all of them know: what each plugin
// does is really there, our result is carried on, CHECK reaches all of them, and DEL leaves nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { cniExecutable } from '../support/cni-call.ts';
import { type ChainResult, type ChainTarget, type CniList, cniChain } from '../support/cni-chain.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';
import { getOverHttp, outsideHost } from '../support/outside-host.ts';

/** Bits in a second, and bits. */
const SHAPE = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 16_000_000, egressBurst: 800_000 };
const HOST_PORT = 8080;

test('lists of several plugins', async (t) => {
  const node = await agentNode(t);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { namespace: 'shop', name: 'web' },
    spec: { nodeName: 'node1' },
  });
  await node.start();
  const outside = await outsideHost(t, node.netns);
  for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
    await t.test(`all of it in ${version}`, (t) => wholeChain(t, { node, outside }, version));
  }
});

async function wholeChain(
  t: TestContext,
  { node, outside }: { readonly node: AgentNode; readonly outside: TestNetns },
  cniVersion: string,
): Promise<void> {
  const pod = await testNetns(t, 'pod');
  const chain = cniChain(node.netns, listOf(node, cniVersion), {
    binDirectories: [dirname(cniExecutable()), '/usr/lib/cni'],
    path: folderWithIptables(t),
  });
  const target: ChainTarget = {
    ...{ containerId: `chain-${cniVersion}`, netns: pod.path, pod: 'web' },
    runtimeConfig: {
      portMappings: [{ hostPort: HOST_PORT, containerPort: 80, protocol: 'tcp' }],
      bandwidth: SHAPE,
    },
  };
  // As kubelet has it: DEL comes also for what was never there.
  await chain.del(target);

  const results = await chain.add(target);
  const [ours, last] = [results[0] ?? assert.fail(), results.at(-1) ?? assert.fail()];
  assert.equal(results.length, 4);
  for (const result of results) carriesOn(result, ours, cniVersion);
  assert.match(await pod.exec('cat', '/proc/sys/net/ipv4/tcp_keepalive_time'), /^77$/m);
  const [host, , ifb] = last.interfaces.map(({ name }) => name);
  const shaping = (link = ''): Promise<string> => node.netns.exec('tc', 'qdisc', 'show', 'dev', link);
  assert.match(await shaping(host), /qdisc tbf .* rate 8Mbit/);
  assert.match(await shaping(ifb), /qdisc tbf .* rate 16Mbit/);
  serve(t, pod, cniVersion);
  // Nothing, or a failure, until the server listens.
  const fetch = (): Promise<string> => outside.exec(...getOverHttp('203.0.113.1', HOST_PORT)).catch(() => '');
  const answer = await waitFor('the host port', async () => (await fetch()) || undefined);
  assert.equal(answer, `${cniVersion}\n`);

  if (cniVersion !== '0.3.1') {
    await chain.check(target, last);
    // From the last to the first, since the first that sees something ends it.
    const slower = ['tbf', 'rate', '4mbit', 'burst', '100kb', 'latency', '25ms'];
    await node.netns.exec('tc', 'qdisc', 'replace', 'dev', host ?? '', 'root', ...slower);
    await assert.rejects(chain.check(target, last), /^Error: CHECK of bandwidth failed/);
    await node.netns.exec('iptables', '-t', 'nat', '-F', 'CNI-HOSTPORT-DNAT');
    await assert.rejects(chain.check(target, last), /^Error: CHECK of portmap failed/);
    await pod.exec('sh', '-c', 'echo 78 >/proc/sys/net/ipv4/tcp_keepalive_time');
    await assert.rejects(chain.check(target, last), /^Error: CHECK of tuning failed/);
    await pod.exec('ip', 'address', 'flush', 'dev', 'eth0');
    await assert.rejects(chain.check(target, last), /^Error: CHECK of margay failed/);
  }

  // Before 0.4.0 a DEL has no result (CNI SPEC 0.4.0 DEL).
  const prevResult = cniVersion === '0.3.1' ? undefined : last;
  for (let n = 0; n < 2; n++) {
    assert.deepEqual(await chain.del(target, prevResult), ['bandwidth', 'portmap', 'tuning', 'margay']);
  }
  const links = (): Promise<string> => node.netns.exec('ip', '-o', 'link');
  await waitFor('the links to go', async () => !new RegExp(`${host}|${ifb}`).test(await links()));
  assert.doesNotMatch(await node.netns.exec('iptables-save', '-t', 'nat'), /--dport 8080|CNI-DN-/);
  assert.deepEqual((await node.status())['endpoints'], []);
}

/** What we answered is in the answers of the others too, in the words of the list's version. */
function carriesOn(result: ChainResult, ours: ChainResult, cniVersion: string): void {
  assert.equal(result.cniVersion, cniVersion);
  assert.deepEqual(result.ips, ours.ips);
  assert.deepEqual(result.routes, ours.routes);
  assert.deepEqual(result.interfaces.slice(0, 2), ours.interfaces);
  const isOld = cniVersion === '0.3.1' || cniVersion === '0.4.0';
  assert.equal(result.ips[0]?.['version'], isOld ? '4' : undefined);
}

function listOf(node: AgentNode, cniVersion: string): CniList {
  const { socket, spool } = cniPathsOf(node);
  return {
    ...{ cniVersion, name: 'margay' },
    plugins: [
      { type: 'margay', agentSocket: socket, spoolDirectory: spool },
      { type: 'tuning', sysctl: { 'net.ipv4.tcp_keepalive_time': '77' } },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ],
  };
}

/** What portmap runs, and not ip6tables: where that runs, portmap 1.1.1 looks for the rules of IPv4 in it too on CHECK. */
function folderWithIptables(t: TestContext): string {
  const folder = temporaryFolder(t);
  symlinkSync('/usr/sbin/iptables', join(folder, 'iptables'));
  return folder;
}

/** Serves `text` as `/name` on port 80 until the pod goes. */
function serve(t: TestContext, pod: TestNetns, text: string): void {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'name'), `${text}\n`);
  pod.spawn('/bin/busybox', ['httpd', '-f', '-p', '80', '-h', folder], { stdio: 'ignore' });
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'margay-chain-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
