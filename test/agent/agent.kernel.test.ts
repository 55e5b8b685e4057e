// The agent of one node against the kernel: what CNI ADD leaves behind, policy on real packets, and what a kill, a
// restart and somebody else's hands do to it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { isolate, NAMESPACE, pings, reaches, table } from './world.ts';

const DENY_ALL = isolate('default-deny');

async function twoPods(t: Parameters<typeof agentNode>[0]): Promise<[AgentNode, TestPod, TestPod]> {
  const node = await agentNode(t);
  await node.create(NAMESPACE);
  await node.start();
  return [node, await node.addPod('shop', 'web'), await node.addPod('shop', 'db')];
}

test('ADD answers when links, sysctls, rules and routes are there, and DEL when they are gone', async (t) => {
  const [node, web, db] = await twoPods(t);
  const routes = await node.netns.exec('ip', 'route');
  assert.match(routes, /blackhole 10\.244\.\d+\.0\/24 proto 177 metric 1060/);
  assert.match(routes, new RegExp(`${web.ip} dev ${web.hostIfName} proto 177 scope link metric 1060`));
  assert.equal((await node.netns.exec('sysctl', '-n', `net.ipv4.conf.${web.hostIfName}.proxy_arp`)).trim(), '1');
  assert.match(await node.netns.exec('ip', 'link', 'show', web.hostIfName), /ee:ee:ee:ee:ee:ee/);
  assert.match(await web.netns.exec('ip', 'route'), /default via 169\.254\.1\.1 dev eth0/);
  assert.equal(await reaches(node.netns, web.ip), true, 'node to pod');
  assert.equal(await reaches(web.netns, '198.51.100.11'), true, 'pod to its node');
  assert.equal(await reaches(web.netns, db.ip), true, 'pod to pod');

  const add = await web.cni('ADD');
  assert.notEqual(add.code, 0, 'the interface is there already');
  assert.equal((await web.cni('DEL')).code, 0);
  assert.equal((await web.cni('DEL')).code, 0, 'again');
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), new RegExp(web.hostIfName));
  assert.doesNotMatch(await table(node), new RegExp(`\\b${web.ip.replaceAll('.', '\\.')}\\b`));
  await node.store.delete('Pod', 'shop', 'web');
  await waitFor('the rules of its Pod to go', async () => !(await table(node)).includes(web.hostIfName));
  await waitFor('the link to go', async () => !(await node.netns.exec('ip', 'link')).includes(web.hostIfName));
  assert.equal(await reaches(node.netns, db.ip), true, 'the other pod is unhurt');
});

test('CHECK names what somebody took away', async (t) => {
  const [node, web] = await twoPods(t);
  const { stdout } = await node.netns.exec('ip', '-j', 'route').then((text) => ({ stdout: text }));
  assert.ok(stdout.includes(web.ip));
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: web.hostIfName }, { name: 'eth0', sandbox: web.netns.path }],
    ips: [{ address: `${web.ip}/32`, interface: 1 }],
    routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
  };
  assert.equal((await web.cni('CHECK', prevResult)).code, 0);
  await web.netns.exec('ip', 'route', 'del', 'default');
  const answer = await web.cni('CHECK', prevResult);
  assert.notEqual(answer.code, 0);
  assert.match(answer.stdout, /default|0\.0\.0\.0\/0/);
});

test('a policy denies, and its deletion allows again', async (t) => {
  const [node, web, db] = await twoPods(t);
  await node.create(DENY_ALL);
  await waitFor('the ping to stop', async () => !(await pings(web.netns, db.ip)));
  assert.equal(await reaches(node.netns, db.ip), true, 'the node still reaches its pods');
  await node.store.delete('NetworkPolicy', 'shop', 'default-deny');
  await waitFor('the ping to pass', () => pings(web.netns, db.ip));
});

test('a killed agent leaves everything in force, and a restarted one changes nothing', async (t) => {
  const [node, web, db] = await twoPods(t);
  await node.create(DENY_ALL);
  await waitFor('the ping to stop', async () => !(await pings(web.netns, db.ip)));
  const before = { table: await table(node), routes: await node.netns.exec('ip', 'route') };
  await node.kill();
  assert.equal(await pings(web.netns, db.ip), false, 'policy stays');
  assert.equal(await reaches(node.netns, db.ip), true, 'routes stay');
  await node.start();
  assert.deepEqual({ table: await table(node), routes: await node.netns.exec('ip', 'route') }, before);
  assert.match(node.log(), /adopted/);
  assert.equal((await db.cni('DEL')).code, 0, 'what the earlier life wired is known');
});

test('what changed while the agent was away is in force when it is back', async (t) => {
  const [node, web, db] = await twoPods(t);
  // A set that is the same before and after stays the same object, so that no packet misses its elements.
  const setOfAddresses = async (): Promise<string | undefined> =>
    /set ep_addr4 \{[^#]*# handle \d+/.exec(await table(node))?.[0];
  const before = await setOfAddresses();
  assert.ok(before !== undefined);
  await node.kill();
  await node.create(DENY_ALL);
  await node.start();
  assert.equal(await pings(web.netns, db.ip), false);
  assert.equal(await setOfAddresses(), before);
});

test('somebody else flushes routes, and they come back', async (t) => {
  const [node, web, db] = await twoPods(t);
  await node.netns.exec('ip', 'route', 'flush', 'proto', '177');
  await waitFor('the route to be back', () => pings(node.netns, db.ip));
  await node.netns.exec('ip', 'link', 'set', db.hostIfName, 'down');
  await node.netns.exec('ip', 'link', 'set', db.hostIfName, 'up');
  await waitFor('the route to be back after link down and up', () => pings(node.netns, db.ip));
  assert.equal(await reaches(web.netns, db.ip), true);
});

test('an agent that cannot open its datastore says which', async (t) => {
  const node = await agentNode(t);
  const child = node.netns.spawn(process.execPath, ['felix/main.ts', '--config', '/dev/null'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  // Not 'exit': what it wrote may come later than that.
  assert.deepEqual(await once(child, 'close', { signal: AbortSignal.timeout(60_000) }), [1, null]);
  assert.match(text, /Cannot read configuration \\"\/dev\/null\\"/);
});
