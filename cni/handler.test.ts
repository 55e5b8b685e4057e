// ADD, DEL, CHECK, GC and STATUS through the real executable, an agent process in a node's namespace, and the kernel.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostIfName } from '../lib/linux/if-name.ts';
import { waitFor } from '../lib/wait-for.ts';
import { failed, nodeAndPod, nothingLeft, outcome, succeeded } from '../test/support/cni-answers.ts';
import { sentAdd } from '../test/support/cni-call.ts';
import { cniNode } from '../test/support/cni-node.ts';
import { testNetns } from '../test/support/netns.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

test('ADD connects a pod, CHECK finds it well, DEL removes it', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const added = await node.call({ command: 'ADD', ...id });
  const result = succeeded(added);
  const mac = result.interfaces[1]?.mac ?? '';
  assert.match(mac, MAC);
  const host = hostIfName('shop', 'web-0');
  assert.deepEqual(result, {
    cniVersion: '1.1.0',
    interfaces: [
      { name: host, mac: 'ee:ee:ee:ee:ee:ee', mtu: 1450 },
      { name: 'eth0', mac, mtu: 1450, sandbox: pod.path },
    ],
    ips: [{ address: '10.244.0.0/32', interface: 1 }].map((ip) => ({ ...ip, address: result.ips[0]?.address })),
    routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
    dns: {},
  });
  const ip = result.ips[0]?.address.replace('/32', '') ?? '';
  await node.netns.exec('ip', 'addr', 'add', '198.51.100.1/32', 'dev', 'lo');
  await node.netns.exec('ping', '-c1', '-W5', '-I', '198.51.100.1', ip);
  await pod.exec('ping', '-c1', '-W5', '198.51.100.1');
  const routes = await pod.exec('ip', 'route');
  assert.match(routes, /^default via 169\.254\.1\.1 dev eth0/m);
  assert.match(routes, /^169\.254\.1\.1 dev eth0 .*scope link/m);
  for (const [key, value] of Object.entries({
    [`conf/${host}/proxy_arp`]: '1',
    [`neigh/${host}/proxy_delay`]: '0',
    [`conf/${host}/forwarding`]: '1',
    [`conf/${host}/route_localnet`]: '1',
    [`conf/${host}/rp_filter`]: '1',
  })) {
    assert.equal((await node.netns.exec('cat', `/proc/sys/net/ipv4/${key}`)).trim(), value, key);
  }
  assert.equal((await pod.exec('cat', '/proc/sys/net/ipv4/ip_forward')).trim(), '0');

  const check = { command: 'CHECK', ...id, config: { prevResult: result } };
  assert.deepEqual(outcome(await node.call(check)), { exitCode: 0, stdout: '' });
  const del = await node.call({ command: 'DEL', ...id });
  assert.deepEqual(outcome(del), { exitCode: 0, stdout: '' });
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), /10\.244/);
  await nothingLeft(node, pod);
  assert.equal(failed(await node.call(check)).code, 3);
  // Again, and with everything gone that can be gone.
  for (const netns of [pod.path, '/run/netns/never-was', '']) {
    assert.deepEqual(outcome(await node.call({ command: 'DEL', ...id, netns })), { exitCode: 0, stdout: '' });
  }
  t.diagnostic(`ADD ${added.ms.toFixed(1)} ms, DEL ${del.ms.toFixed(1)} ms`);
});

test('ADD gives both families, and no version more than its own words', async (t) => {
  const node = await cniNode(t, ['10.244.0.0/16', 'fd00:10:244::/112']);
  await node.startAgent();
  await node.netns.exec('ip', 'addr', 'add', 'fd00:198::1/128', 'dev', 'lo');
  for (const version of ['0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
    const pod = await testNetns(t, 'pod');
    const id = { containerId: `c${version}`, netns: pod.path, pod: 'web-0' };
    const result = succeeded(await node.call({ command: 'ADD', ...id, config: { cniVersion: version } }));
    const size = version === '1.1.0' ? { mtu: 1450 } : {};
    const told = (family: string) => (version < '1.0.0' ? { version: family } : {});
    const [four, six] = result.ips;
    assert.deepEqual(result, {
      cniVersion: version,
      interfaces: [
        { name: hostIfName('shop', 'web-0'), mac: 'ee:ee:ee:ee:ee:ee', ...size },
        { name: 'eth0', mac: result.interfaces[1]?.mac, ...size, sandbox: pod.path },
      ],
      ips: [
        { ...told('4'), address: four?.address, interface: 1 },
        { ...told('6'), address: six?.address, interface: 1 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '169.254.1.1' },
        { dst: '::/0', gw: 'fe80::ecee:eeff:feee:eeee' },
      ],
      dns: {},
    });
    assert.match(six?.address ?? '', /^fd00:10:244::[0-9a-f:]*\/128$/);
    await pod.exec('ping', '-c1', '-W5', 'fd00:198::1');
    const checked = await node.call({ command: 'CHECK', ...id, config: { cniVersion: version, prevResult: result } });
    if (version === '0.3.1') assert.equal(failed(checked).code, 1);
    else assert.deepEqual(outcome(checked), { exitCode: 0, stdout: '' });
    assert.equal((await node.call({ command: 'DEL', ...id, config: { cniVersion: version } })).exitCode, 0);
    await nothingLeft(node, pod);
  }
});

test('ADD that fails at any step leaves nothing, and the next one succeeds', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const agent = node.agent();
  let steps = 0;
  for (let n = 1; ; n++) {
    await agent.tell({ kind: 'fail-request', n });
    const answer = await node.call({ command: 'ADD', ...id });
    if (answer.exitCode === 0) {
      steps = n - 1;
      break;
    }
    assert.equal(failed(answer).code, 103, answer.stdout);
    await nothingLeft(node, pod);
    assert.deepEqual(await agent.tell({ kind: 'assignments' }), []);
  }
  // Creating the veth, setting it up.
  assert.equal(steps, 2);
  await agent.tell({ kind: 'fail-request', n: 0 });
  assert.equal((await node.call({ command: 'DEL', ...id })).exitCode, 0);
  await nothingLeft(node, pod);

  await agent.tell({ kind: 'attach', outcome: 'fail' });
  const refused = failed(await node.call({ command: 'ADD', ...id }));
  assert.equal(refused.code, 104);
  assert.match(refused.details, /refused for the test/);
  await nothingLeft(node, pod);
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), /10\.244/);

  await agent.tell({ kind: 'attach', outcome: 'succeed' });
  // A name that is taken in the pod is left as it is.
  await pod.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  assert.match(failed(await node.call({ command: 'ADD', ...id })).msg, /"eth0" in ".*": it exists, expected none/);
  assert.match(await pod.exec('ip', '-o', 'link'), /eth0/);
  assert.doesNotMatch(await node.netns.exec('ip', '-o', 'link'), /mgy/);
  await pod.exec('ip', 'link', 'del', 'eth0');
  succeeded(await node.call({ command: 'ADD', ...id }));
});

test('ADD whose last word the journal does not take leaves nothing, and may be tried again', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  await node.agent().tell({ kind: 'attach', outcome: 'disk-full' });
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const refused = failed(await node.call({ command: 'ADD', ...id }));
  assert.equal(refused.code, 11, refused.msg);
  assert.match(refused.msg, /^Cannot attach pod "shop\/web-0": Cannot write for the test: disk is full/);
  await nothingLeft(node, pod);
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), /10\.244/);
  assert.deepEqual(await node.agent().tell({ kind: 'assignments' }), []);
  await node.agent().tell({ kind: 'attach', outcome: 'succeed' });
  succeeded(await node.call({ command: 'ADD', ...id }));
});

test('ADD again is an error that changes nothing, also by another path or for another namespace', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const prevResult = succeeded(await node.call({ command: 'ADD', ...id }));
  const alias = join(node.folder, 'netns');
  symlinkSync(pod.path, alias);
  for (const netns of [pod.path, alias, (await testNetns(t, 'other')).path]) {
    assert.equal(failed(await node.call({ command: 'ADD', ...id, netns })).code, 100, netns);
    assert.deepEqual(outcome(await node.call({ command: 'CHECK', ...id, config: { prevResult } })), {
      exitCode: 0,
      stdout: '',
    });
  }
});

test('a new sandbox of a pod takes over, and a late DEL of the old one leaves it alone', async (t) => {
  const { node, pod: old } = await nodeAndPod(t);
  const fresh = await testNetns(t, 'fresh');
  const before = { containerId: 'c1', netns: old.path, pod: 'db-0' };
  const after = { containerId: 'c2', netns: fresh.path, pod: 'db-0' };
  const first = succeeded(await node.call({ command: 'ADD', ...before }));
  const second = succeeded(await node.call({ command: 'ADD', ...after }));
  assert.notEqual(first.ips[0]?.address, second.ips[0]?.address);
  assert.doesNotMatch(await old.exec('ip', '-o', 'link'), /eth0/);
  assert.equal((await node.call({ command: 'DEL', ...before })).exitCode, 0);
  assert.equal((await node.call({ command: 'DEL', ...before, netns: '' })).exitCode, 0);
  assert.deepEqual(outcome(await node.call({ command: 'CHECK', ...after, config: { prevResult: second } })), {
    exitCode: 0,
    stdout: '',
  });
  assert.equal((await node.call({ command: 'DEL', ...after })).exitCode, 0);
  // The links of a DEL that was just answered are in nobody's way.
  succeeded(await node.call({ command: 'ADD', ...after }));
  assert.equal((await node.call({ command: 'DEL', ...after })).exitCode, 0);
  await nothingLeft(node, fresh);
});

test('CHECK names what is missing', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const host = hostIfName('shop', 'web-0');
  const rows: readonly {
    name: string;
    where: 'node' | 'pod';
    given: readonly [string, ...string[]];
    expected: RegExp;
  }[] = [
    {
      name: 'MAC',
      where: 'pod',
      given: ['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:09'],
      expected: /has MAC 02:00:00:00:00:09, expected/,
    },
    {
      name: 'address',
      where: 'pod',
      given: ['ip', 'addr', 'flush', 'dev', 'eth0'],
      expected: /address 10\.244\.\d+\.\d+\/32 is missing on eth0/,
    },
    {
      name: 'default route',
      where: 'pod',
      given: ['ip', 'route', 'del', 'default'],
      expected: /route 0\.0\.0\.0\/0 by eth0 is missing/,
    },
    {
      name: 'neighbour',
      where: 'pod',
      given: ['ip', 'neigh', 'flush', 'all', 'nud', 'permanent'],
      expected: /neighbour 169\.254\.1\.1/,
    },
    {
      name: 'host route',
      where: 'node',
      given: ['ip', 'route', 'flush', 'proto', '177'],
      expected: /host route 10\.244\.\d+\.\d+\/32 is missing/,
    },
    {
      name: 'sysctl',
      where: 'node',
      given: ['sh', '-c', `echo 0 > /proc/sys/net/ipv4/conf/${host}/proxy_arp`],
      expected: /proxy_arp is 0, expected 1/,
    },
    { name: 'link', where: 'node', given: ['ip', 'link', 'del', host], expected: /interface eth0 is missing/ },
  ];
  for (const [n, { name, where, given, expected }] of rows.entries()) {
    await t.test(name, async () => {
      const id = { containerId: `c${n}`, netns: pod.path, pod: 'web-0' };
      const prevResult = succeeded(await node.call({ command: 'ADD', ...id }));
      await (where === 'node' ? node.netns : pod).exec(...given);
      const error = failed(await node.call({ command: 'CHECK', ...id, config: { prevResult } }));
      assert.equal(error.code, 105);
      assert.match(`${error.msg}; ${error.details}`, expected);
      assert.equal((await node.call({ command: 'DEL', ...id })).exitCode, 0);
      await nothingLeft(node, pod);
    });
  }
});

test('an agent that was killed in an ADD lets the next ADD succeed', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  await node.agent().tell({ kind: 'attach', outcome: 'hang' });
  const waiting = node.call({ command: 'ADD', ...id });
  assert.deepEqual(await node.agent().line(), { hanging: true });
  await node.agent().kill('SIGKILL');
  assert.equal(failed(await waiting).code, 11);
  assert.match(await pod.exec('ip', '-o', 'link'), /eth0/);
  await node.startAgent();
  const result = succeeded(await node.call({ command: 'ADD', ...id }));
  assert.equal(result.ips.length, 1);
  assert.deepEqual(outcome(await node.call({ command: 'CHECK', ...id, config: { prevResult: result } })), {
    exitCode: 0,
    stdout: '',
  });
});

test('an ADD that nobody waits for any more is undone', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const agent = node.agent();
  await agent.tell({ kind: 'attach', outcome: 'hang' });
  const child = node.callProcess({ command: 'ADD', containerId: 'c1', netns: pod.path, pod: 'web-0' });
  assert.deepEqual(await agent.line(), { hanging: true });
  const gone = once(child, 'close');
  child.kill('SIGKILL');
  await gone;
  agent.process.kill('SIGUSR2');
  await nothingLeft(node, pod);
  await waitFor(
    'the address to be free',
    async () => JSON.stringify(await agent.tell({ kind: 'assignments' })) === '[]',
  );
});

test('an ADD whose caller went before it began is undone, however quick it is', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  // The agent finds the call and its end together.
  node.agent().process.kill('SIGSTOP');
  const caller = await sentAdd(node.config.socket, id);
  caller.destroy();
  await once(caller, 'close');
  node.agent().process.kill('SIGCONT');
  // In the queue of the same container.
  succeeded(await node.call({ command: 'ADD', ...id }));
});

test('an ADD whose answer cannot be printed leaves nothing', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const { socket, spool } = node.config;
  const config = { cniVersion: '1.1.0', name: 'margay', type: 'margay', agentSocket: socket, spoolDirectory: spool };
  const dns = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
  const stdin = `${JSON.stringify(config).slice(0, -1)},"dns":${dns}}`;
  assert.equal(failed(await node.call({ command: 'ADD', ...id, stdin })).code, 199);
  await nothingLeft(node, pod);
  assert.deepEqual(await node.agent().tell({ kind: 'assignments' }), []);
});

test('GC removes what the runtime does not list, STATUS is well', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const other = await testNetns(t, 'other');
  succeeded(await node.call({ command: 'ADD', containerId: 'c1', netns: pod.path, pod: 'web-0' }));
  succeeded(await node.call({ command: 'ADD', containerId: 'c2', netns: other.path, pod: 'web-1' }));
  const valid = [{ containerID: 'c2', ifname: 'eth0' }];
  const gc = { command: 'GC', config: { 'cni.dev/valid-attachments': valid } };
  assert.deepEqual(outcome(await node.call({ ...gc, config: { ...gc.config, name: 'another' } })), {
    exitCode: 0,
    stdout: '',
  });
  assert.match(await pod.exec('ip', '-o', 'link'), /eth0/);
  assert.deepEqual(outcome(await node.call(gc)), { exitCode: 0, stdout: '' });
  await waitFor('the pod to be disconnected', async () => !/eth0/.test(await pod.exec('ip', '-o', 'link')));
  assert.match(await other.exec('ip', '-o', 'link'), /eth0/);
  assert.deepEqual(outcome(await node.call({ command: 'STATUS' })), { exitCode: 0, stdout: '' });
});

test('bad namespaces are refused without a trace', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const fifo = join(node.folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const rows = [
    { name: 'missing', given: '/run/netns/never-was', expected: 8 },
    { name: 'a name that no file has', given: `/run/netns/${'x'.repeat(300)}`, expected: 8 },
    { name: 'a file', given: '/etc/hostname', expected: 8 },
    { name: 'another kind', given: '/proc/self/ns/mnt', expected: 8 },
    { name: 'a folder', given: node.folder, expected: 8 },
    { name: 'a device that never ends', given: '/dev/zero', expected: 8 },
    { name: 'a FIFO that nobody writes', given: fifo, expected: 8 },
    { name: "the node's own", given: node.netns.path, expected: 8 },
    { name: 'dots', given: '/run/netns/../netns/x', expected: 4 },
    { name: 'relative', given: 'run/netns/x', expected: 4 },
    { name: 'empty', given: '', expected: 4 },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, async () => {
      assert.equal(
        failed(await node.call({ command: 'ADD', containerId: 'c1', netns: given, pod: 'web-0' })).code,
        expected,
      );
      await nothingLeft(node, pod);
      assert.deepEqual(await node.agent().tell({ kind: 'assignments' }), []);
    });
  }
});

test('many pods at once come and go', async (t) => {
  const node = await cniNode(t);
  await node.startAgent();
  const pods = await Promise.all(Array.from({ length: 24 }, () => testNetns(t, 'pod')));
  const ids = pods.map((pod, n) => ({ containerId: `c${n}`, netns: pod.path, pod: `web-${n}` }));
  const added = await Promise.all(ids.map((id) => node.call({ command: 'ADD', ...id })));
  const addresses = added.map((answer) => succeeded(answer).ips[0]?.address);
  assert.equal(new Set(addresses).size, ids.length);
  const removed = await Promise.all([...ids, ...ids].map((id) => node.call({ command: 'DEL', ...id })));
  assert.deepEqual(
    removed.filter(({ exitCode }) => exitCode !== 0),
    [],
  );
  for (const pod of pods) await nothingLeft(node, pod);
  assert.deepEqual(await node.agent().tell({ kind: 'assignments' }), []);
});
